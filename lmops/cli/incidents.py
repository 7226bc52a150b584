"""``lmops incident ...``: what went wrong, what is done about it, whether it is over."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lmops.cli.build import Verb
from lmops.cli.printing import plain_data
from lmops.cli.words import AT_LEAST_1, Word, params
from lmops.errors import UsageError, system_in_words
from lmops.incidents import Incidents

if TYPE_CHECKING:
    from lmops.incidents import Act, Incident, Postmortem, Verified

_INCIDENT = Word(metavar="INCIDENT", type=AT_LEAST_1)


def incident_data(found: Incident) -> dict[str, Any]:
    """Return an incident as ``--json`` prints it."""
    return {**plain_data(found), "times": found.times}


def verified_data(found: Verified) -> dict[str, Any]:
    """Return a verification as ``--json`` prints it."""
    return {**plain_data(found), "exit_code": found.exit_code}


def act_data(found: Act) -> dict[str, Any]:
    """Return an action as ``--json`` prints it."""
    data: dict[str, Any] = plain_data(found)
    return data


def postmortem_data(found: Postmortem) -> dict[str, Any]:
    """Return a post-mortem as ``--json`` prints it."""
    return {"incident": found.incident, "markdown": found.markdown, "questions": list(found.questions)}


def _rules(given: str) -> Any:
    """Return the rules of a policy out of a JSON file."""
    with system_in_words(given):
        text = Path(given).read_text(encoding="utf-8")
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        raise UsageError(f"{given} is no JSON: {error}") from None
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise UsageError(f'{given}: give a list such as [{{"severity": 1, "after": "15m", "who": "x", "sink": "ops"}}]')
    return found


def _moves(verb: Any, help: str, example: str = "", words: dict[str, Word] | None = None) -> Verb:  # click's name
    """Return the command of a verb that moves an incident and returns it."""
    own = {"incident": _INCIDENT, **(words or {})}
    return Verb(
        "incidents",
        verb,
        acts=True,
        help=help,
        example=example,
        words=own,
        text=lambda found: found.text,
        data=incident_data,
    )


COMMANDS = [
    Verb("incidents", Incidents.list, help="List incidents, the newest first.", empty="no incidents"),
    _moves(
        Incidents.open,
        "Open an incident from an alert (WHAT is its number) or by hand (WHAT is a title); the same cause is the same.",
        "lmops incident open 3",
    ),
    Verb(
        "incidents",
        Incidents.get,
        "show",
        help="Show INCIDENT: what is wrong, since when, who looks after it, how long what took.",
        words={"incident": _INCIDENT},
        text=lambda found: found.text,
        data=incident_data,
    ),
    Verb(
        "incidents",
        Incidents.timeline,
        help="List what happened around INCIDENT, with its evidence.",
        words={"incident": _INCIDENT, "lead": Word(metavar="DURATION")},
        empty="nothing is known",
    ),
    Verb(
        "incidents",
        Incidents.affected,
        help="Say how many traces and users INCIDENT is about.",
        words={"incident": _INCIDENT, "until": Word(metavar="TIME")},
        text=lambda found: found.text,
        data=plain_data,
    ),
    _moves(Incidents.note, "Note TEXT on INCIDENT.", "lmops incident note 1 'the provider was told'"),
    _moves(
        Incidents.own,
        "Take INCIDENT on, or give it to OWNER.",
        words={"owner": Word(is_argument=True, metavar="[OWNER]")},
    ),
    _moves(Incidents.grade, "Say that INCIDENT has SEVERITY 1 (page) to 4 (note)."),
    Verb(
        "incidents",
        Incidents.actions,
        help="List what can be done about an incident.",
        text=lambda found: "\n".join(f"{name}: {said}" for name, said in found.items()),
        data=dict,
    ),
    Verb(
        "incidents",
        Incidents.act,
        acts=True,
        help="Say what ACTION would do about INCIDENT; with --do do it, once.\n\nEnds with 1 when what it is about was "
        "moved since the dry run whose --seen is given.",
        example="lmops incident act 1 roll_back -p prompt=support-answer --do --reason 'half of the answers fail'",
        words={
            "incident": _INCIDENT,
            "params": Word(
                flags=("-p", "--param"),
                help="An argument of the action; may be repeated.",
                metavar="NAME=VALUE",
                is_many=True,
                read=params,
            ),
            "dry_run": Word(flags=("--do",), help="Do it."),
            "seen": Word(help="What the dry run says that it has seen.", metavar="SEEN"),
        },
        text=lambda found: found.text,
        data=act_data,
    ),
    _moves(Incidents.mitigate, "Say that INCIDENT is stopped by something that was done elsewhere."),
    Verb(
        "incidents",
        Incidents.verify,
        acts=True,
        help="Say whether INCIDENT is over, by sessions after what was done.\n\nEnds with 0 when it has recovered, 1 "
        "when it has not, 3 when it cannot be told yet.",
        words={
            "incident": _INCIDENT,
            "since": Word(metavar="TIME"),
            "until": Word(metavar="TIME"),
            "within": Word(metavar="SHARE"),
        },
        text=lambda found: found.text,
        data=verified_data,
        code=lambda found: found.exit_code,
    ),
    _moves(Incidents.resolve, "Resolve INCIDENT, whose recovery was verified."),
    _moves(Incidents.close, "Close INCIDENT: what comes of its cause from then on is another one."),
    _moves(Incidents.reopen, "Open INCIDENT again: it came back, or was not stopped."),
    _moves(
        Incidents.follow_up,
        "Say what follows from INCIDENT: examples of a dataset, a monitor, or something to be done.",
        "lmops incident follow-up 1 --dataset regressions",
    ),
    Verb(
        "incidents",
        Incidents.postmortem,
        help="Print the post-mortem of INCIDENT as Markdown.",
        example="lmops incident postmortem 1",
        words={"incident": _INCIDENT},
        text=lambda found: found.markdown,
        data=postmortem_data,
    ),
    Verb(
        "incidents",
        Incidents.policy,
        help="List who is told when nobody acts.",
        empty="nobody is told; lmops incident set-policy FILE says who",
    ),
    Verb(
        "incidents",
        Incidents.set_policy,
        acts=True,
        makes_store=True,
        help="Say in FILE (JSON, a list of rules) who is told when nobody acts.",
        words={"rules": Word(is_argument=True, is_many=False, metavar="FILE", read=_rules)},
        empty="nobody is told",
    ),
    Verb(
        "incidents",
        Incidents.escalate,
        acts=True,
        help="Tell whoever is to be told of incidents that nobody acts on, each once; for a scheduler.\n\nEnds with 1 "
        "when a sink could not be told yet.",
        words={"at": Word(help="As of when; now by default.", metavar="TIME")},
        text=lambda found: found.text,
        data=plain_data,
        code=lambda found: found.exit_code,
    ),
]
