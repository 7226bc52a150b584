"""The story of the sample: monitors look at its two weeks, what they find is acted on, and new traffic says what came.

Each step looks at what the store says first: a story that was interrupted goes on, one that was told is only read.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from lmops.incidents import Incidents
from lmops.monitors import Monitors
from lmops.sample.after import OWNER, ROUTE, as_of, released_route, traffic_after
from lmops.sample.folder import data_dir
from lmops.sample.guardrail import POLICY
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
    from lmops.workspace import Workspace

    Known = dict[Firing, tuple[str, str] | None]

_DAY: Final = timedelta(days=1)
#: How often the monitors look, and so when.
EVERY: Final = timedelta(hours=6)
LOOKS: Final = tuple(from_ns(START_NS) + number * EVERY for number in range(1, DAYS * (_DAY // EVERY) + 1))
#: The end of the two weeks, when something is done.
END: Final = LOOKS[-1]
#: So long after a change it is asked each day what accounts for it, where that is not clear.
_MOST_DAYS: Final = 4
#: Days of traffic after what was done; at the end of each it is tested whether it is over.
AFTER: Final = 7
#: And it is over when less than half of what there was can be left.
WITHIN: Final = 0.5
SCORERS: Final = ("source_support",)
#: What is done about the incident of the prompt, one after the other.
_DONE: Final[tuple[tuple[str, dict[str, Any], str], ...]] = (
    ("roll_back", {"prompt": content.PROMPT_NAME}, "answers say what no source says"),
    (
        "reroute",
        {"route": ROUTE, "weights": {"current": 0.5, "careful": 0.5}},
        "half of the users keep version 2, whatever comes to production",
    ),
    ("tighten_guardrail", {"policy": POLICY, "version": 2}, "orders in quotes get through"),
)
#: Each time that an alert began to fire; what it said then is written where it came back later.
_FIRINGS: Final = """
with fired as (
  select a.alert, a.monitor, a.metric, e.at as seen, a.since_at, a.since_low_at, a.since_high_at, a.found_at,
    lead(e.before) over (partition by e.subject order by e.event_id) as later
  from audit e join alerts a on a.alert::VARCHAR = e.subject
  where e.action in ('alert.open', 'alert.reopen') and e.at <= $until
)
select alert, monitor, metric, seen,
  case when later is null then [epoch_ns(coalesce(since_at, found_at)), epoch_ns(since_low_at), epoch_ns(since_high_at)]
  else [(later->>name)::BIGINT for name in ['$.since_ns', '$.since_low_ns', '$.since_high_ns']] end as since
from fired order by seen, alert
"""
_TESTED: Final = "select max(until_at) from incident_checks where incident = $incident"


@dataclass(frozen=True, slots=True, kw_only=True)
class Handled:
    """An incident, and what became of it.

    Args:
        incident: As it is now.
        affected: Whom it met.
        plans: The dry runs; none where it was acted on before.
        done: What was done.
        state: What the test on the traffic after it says: "recovered", "not recovered" or "cannot tell".
        words: The same in a sentence.
        postmortem: Where the post-mortem is.
    """

    incident: Incident
    affected: Affected
    plans: tuple[Act, ...]
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
    say("monitors look every six hours of the two weeks")
    released_route(ws)
    ws.monitors.score(list(SCORERS), progress=False)
    ws.monitors.save_defaults(owner=OWNER)
    known: Known = {}
    for moment in LOOKS:
        _look(ws, moment, known)
    plans = _act(ws)
    say("users come back after what was done")
    traffic_after(ws, days=AFTER)
    ws.monitors.score(list(SCORERS), progress=False)
    folder.mkdir(parents=True, exist_ok=True)
    firings = _firings(ws)
    came = ws.sql("select count(*) from traces where start_at >= $since", {"since": END}).fetchall()
    return Story(
        monitors=len(ws.monitors.names()),
        looks=len(LOOKS),
        explained=tuple((one, (known.get(one) or (None, None))[1]) for one in firings),
        handled=tuple(_verified(ws, number, plans.get(number, ()), folder) for number in _numbers(ws)),
        after=int(came[0][0]),
        judged=judged(firings, planted(data_dir() / "truth.jsonl")),
    )


def _look(ws: Workspace, moment: datetime, known: Known) -> None:
    """Let all monitors look, and open an incident of each alert for which a version of the prompt accounts.

    What accounts for it is asked of one day from the change on, and of one more each day until it is clear.
    """
    project = as_of(ws, moment).project
    Monitors(project).check(at=moment)
    for one in _firings(ws):
        days = (moment - one.since) // _DAY
        is_due = days > (moment - EVERY - one.since) // _DAY or one.at == moment
        if one.at > moment or not is_due or not 1 <= days <= _MOST_DAYS or known.get(one):
            continue
        clear = known[one] = _clear(ws.monitors.explain(one.alert, since=one.since, until=one.since + days * _DAY))
        if clear is not None and clear[0] == "prompt":
            Incidents(project).open(one.alert, owner=OWNER, reason=f"{clear[1]} accounts for it")


def _clear(found: Explanation) -> tuple[str, str] | None:
    """Return the dimension that accounts for most of a change, and the same in words, where that is clear."""
    first = found.accounts[0] if found.state == "explained" and found.accounts else None
    return (first.dimension, f"{first.title}: {first.words}") if first is not None and first.is_clear else None


def _firings(ws: Workspace) -> list[Firing]:
    rows = ws.sql(_FIRINGS, {"until": END}).fetchall()
    return [Firing(alert, monitor, metric, at, *map(_time, since)) for alert, monitor, metric, at, since in rows]


def _time(ns: int | None) -> Any:
    return None if ns is None else from_ns(ns)


def _numbers(ws: Workspace) -> list[int]:
    """Return the numbers of the incidents of the story."""
    query = "select incident from incidents where opened_by = $who and opened_at <= $until order by incident"
    return [int(number) for (number,) in ws.sql(query, {"who": OWNER, "until": END}).fetchall()]


def _act(ws: Workspace) -> dict[int, tuple[Act, ...]]:
    """Do at the end of the two weeks what is to be done about the incident, all after dry runs; return these."""
    incidents = Incidents(as_of(ws, END).project)
    for number in _numbers(ws)[:1]:
        if incidents.get(number).status == "open":
            plans = tuple(incidents.act(number, action, params) for action, params, _ in _DONE)
            for plan, (action, params, reason) in zip(plans, _DONE, strict=True):
                incidents.act(number, action, params, dry_run=False, seen=plan.seen, reason=reason)
            return {number: plans}
    return {}


def _verified(ws: Workspace, number: int, plans: tuple[Act, ...], folder: Path) -> Handled:
    """Test each day whether an incident is over, resolve it then, and write the post-mortem."""
    (known,) = ws.sql(_TESTED, {"incident": number}).fetchall()
    for day in range(1, AFTER + 1):
        moment = END + day * _DAY
        incidents = Incidents(as_of(ws, moment).project)
        is_due = incidents.get(number).status == "mitigated" and (known[0] is None or known[0] < moment)
        if is_due and incidents.verify(number, within=WITHIN).state == "recovered":
            incidents.resolve(number, reason="verified on the traffic after it")
    state, words = incidents.checked(number) or ("cannot tell", "nothing was done about it")
    path = folder / f"postmortem_{number}.md"
    path.write_text(incidents.postmortem(number).markdown, encoding="utf-8")
    return Handled(
        incident=incidents.get(number),
        affected=incidents.affected(number),
        plans=plans,
        done=tuple(incidents.acts(number)),
        state=state,
        words=words,
        postmortem=path,
    )
