"""The story of the sample: monitors look at its two weeks, what they find is acted on, and new traffic says what came.

Each step looks at what the store says first: a story that was interrupted goes on, one that was told is only read.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from lmops.incidents import Incidents
from lmops.monitors import Monitors
from lmops.sample.after import ROUTE, released_route, traffic_after
from lmops.sample.folder import data_dir
from lmops.sample.planted import Firing, Judged, judged, planted
from lmops.sample.traffic import DAYS, START_NS
from lmops.standin import content
from lmops.times import from_ns

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from lmops.incidents import Act, Affected, Incident
    from lmops.monitors import Explanation
    from lmops.records import Project
    from lmops.workspace import Workspace

    Known = dict[Firing, tuple[str, str] | None]

#: Who looks after the application, as in the releases of its prompt.
OWNER: Final = "mara"
_DAY: Final = timedelta(days=1)
#: When the monitors look: at the end of each day of the two weeks.
NIGHTS: Final = tuple(from_ns(START_NS) + day * _DAY for day in range(1, DAYS + 1))
#: So long after a change it is asked what accounts for it, where that is not clear.
_MOST_DAYS: Final = 4
#: Days of traffic after what was done.
AFTER: Final = 2
SCORERS: Final = ("source_support",)
#: What is done about the incidents of the prompt, one after the other.
_DONE: Final[tuple[tuple[str, dict[str, Any], str], ...]] = (
    ("roll_back", {"prompt": content.PROMPT_NAME}, "answers say what no source says"),
    (
        "reroute",
        {"route": ROUTE, "weights": {"current": 0.5, "careful": 0.5}},
        "half of the users keep version 2, whatever comes to production",
    ),
)
#: Each time that an alert began to fire; what it said then is written where it came back later.
_FIRINGS: Final = """
with fired as (
  select a.alert, a.monitor, e.at as seen, a.since_at, a.since_low_at, a.since_high_at, a.found_at,
    lead(e.before) over (partition by e.subject order by e.event_id) as later
  from audit e join alerts a on a.alert::VARCHAR = e.subject
  where e.action in ('alert.open', 'alert.reopen') and e.at <= $until
)
select alert, monitor, seen,
  case when later is null then [epoch_ns(coalesce(since_at, found_at)), epoch_ns(since_low_at), epoch_ns(since_high_at)]
  else [(later->>name)::BIGINT for name in ['$.since_ns', '$.since_low_ns', '$.since_high_ns']] end as since
from fired order by seen, alert
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Handled:
    """An incident, and what became of it.

    Args:
        incident: As it is now.
        affected: Whom it met.
        plan: The dry run; None where it was acted on before.
        done: What was done.
        state: What the test on the traffic after it says: "recovered", "not recovered" or "cannot tell".
        words: The same in a sentence.
        postmortem: Where the post-mortem is.
    """

    incident: Incident
    affected: Affected
    plan: Act | None
    done: tuple[Act, ...]
    state: str
    words: str
    postmortem: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What was found, done and verified.

    Args:
        monitors: How many watch.
        looks: How often they looked.
        explained: Each time that an alert began to fire, and what accounts for most of it; None: nothing clear.
        handled: The incidents of the prompt.
        after: Traces that came after what was done.
        judged: How the alerts stand up to the truth.
    """

    monitors: int
    looks: int
    explained: tuple[tuple[Firing, str | None], ...]
    handled: tuple[Handled, ...]
    after: int
    judged: Judged


def told(ws: Workspace, folder: Path, *, say: Callable[[str], None]) -> Story:
    """Let the story happen as far as it has not, and return it.

    Args:
        ws: With the traffic of the sample and the releases of its prompt.
        folder: Where the post-mortems are written.
        say: Is told what is being done, as it takes a while.
    """
    say("monitors look at each day of the two weeks")
    released_route(ws)
    ws.monitors.score(list(SCORERS), progress=False)
    ws.monitors.save_defaults(owner=OWNER)
    known: Known = {}
    for night in NIGHTS:
        _look(ws, night, known)
    plans = _act(ws)
    say("users come back after what was done")
    traffic_after(ws, days=AFTER)
    ws.monitors.score(list(SCORERS), progress=False)
    folder.mkdir(parents=True, exist_ok=True)
    firings = _firings(ws)
    came = ws.sql("select count(*) from traces where start_at >= $since", {"since": NIGHTS[-1]}).fetchall()
    return Story(
        monitors=len(ws.monitors.names()),
        looks=len(NIGHTS),
        explained=tuple((one, (known.get(one) or (None, None))[1]) for one in firings),
        handled=tuple(_verified(ws, number, plans.get(number), folder) for number in _numbers(ws)),
        after=int(came[0][0]),
        judged=judged(firings, planted(data_dir() / "truth.jsonl")),
    )


def _at(ws: Workspace, moment: datetime) -> Project:
    """Return the store as its owner used it at a time of the story."""
    return replace(ws.project, actor=OWNER, now=lambda: moment)


def _look(ws: Workspace, night: datetime, known: Known) -> None:
    """Let all monitors look, and open an incident of each alert for which a version of the prompt accounts.

    What accounts for it is asked of one day from the change on, and of one more each night until it is clear.
    """
    project = _at(ws, night)
    Monitors(project).check(at=night)
    for one in _firings(ws):
        days = (night - one.since) // _DAY
        if one.at > night or not 1 <= days <= _MOST_DAYS or known.get(one):
            continue
        clear = known[one] = _clear(ws.monitors.explain(one.alert, since=one.since, until=one.since + days * _DAY))
        if clear is not None and clear[0] == "prompt":
            Incidents(project).open(one.alert, owner=OWNER, reason=f"{clear[1]} accounts for it")


def _clear(found: Explanation) -> tuple[str, str] | None:
    """Return the dimension that accounts for most of a change, and the same in words, where that is clear."""
    first = found.accounts[0] if found.state == "explained" and found.accounts else None
    return (first.dimension, f"{first.title}: {first.words}") if first is not None and first.is_clear else None


def _firings(ws: Workspace) -> list[Firing]:
    rows = ws.sql(_FIRINGS, {"until": NIGHTS[-1]}).fetchall()
    return [Firing(alert, monitor, at, *map(_time, since)) for alert, monitor, at, since in rows]


def _time(ns: int | None) -> Any:
    return None if ns is None else from_ns(ns)


def _numbers(ws: Workspace) -> list[int]:
    """Return the numbers of the incidents of the story."""
    query = "select incident from incidents where opened_by = $who and opened_at <= $until order by incident"
    return [int(number) for (number,) in ws.sql(query, {"who": OWNER, "until": NIGHTS[-1]}).fetchall()]


def _act(ws: Workspace) -> dict[int, Act]:
    """Do at the end of the two weeks what is to be done about what is open, each after a dry run; return these."""
    incidents, plans = Incidents(_at(ws, NIGHTS[-1])), {}
    for number, (action, params, reason) in zip(_numbers(ws), _DONE, strict=False):
        if incidents.get(number).status == "open":
            plan = plans[number] = incidents.act(number, action, params)
            incidents.act(number, action, params, dry_run=False, seen=plan.seen, reason=reason)
    return plans


def _verified(ws: Workspace, number: int, plan: Act | None, folder: Path) -> Handled:
    """Test an incident on the traffic after what was done, resolve it where it is over, and write the post-mortem."""
    incidents = Incidents(_at(ws, NIGHTS[-1] + AFTER * _DAY))
    if incidents.get(number).status == "mitigated" and incidents.verify(number).state == "recovered":
        incidents.resolve(number, reason="verified on the traffic after it")
    state, words = incidents.checked(number) or ("cannot tell", "nothing was done about it")
    path = folder / f"postmortem_{number}.md"
    path.write_text(incidents.postmortem(number).markdown, encoding="utf-8")
    return Handled(
        incident=incidents.get(number),
        affected=incidents.affected(number),
        plan=plan,
        done=tuple(incidents.acts(number)),
        state=state,
        words=words,
        postmortem=path,
    )
