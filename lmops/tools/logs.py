"""Logs of agents that others published: tau-bench (tool calls with rewards), Who&When (failures with labels).

They are kept as traces as any other chat records are, and read as trajectories: what was called, what was expected,
how it ended, who was to blame.
"""

from __future__ import annotations

import json
import math
import re
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, get_args

from lmops.base.shown import Shown
from lmops.calc.trajectories import Called, canonical, loops
from lmops.errors import NotFoundError, UsageError, system_in_words
from lmops.text import plain_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import pandas as pd

    from lmops.calc.intervals import Interval

LogFormat = Literal["tau-bench", "who-and-when"]
FORMATS: Final[tuple[LogFormat, ...]] = get_args(LogFormat)
#: Tools that look and do not change anything, by how their names begin.
_LOOKS: Final = re.compile(r"(get|list|search|find|read|lookup|look|show|check|calculate|think|transfer)(_|$)")
_FAILED: Final = re.compile(r"exit ?code: [1-9]|execution failed|Traceback \(most recent call last\)")
_ERROR: Final = re.compile(r"\s*(error|exception)\b", re.IGNORECASE)
_TERMINALS: Final = ("computer_terminal", "computerterminal", "terminal", "executor")
#: "Orchestrator (-> WebSurfer)" is the orchestrator.
_ROLE: Final = re.compile(r"\s*\(.*\)\s*$")


class Blame(NamedTuple):
    """The step (0-based, in the log's own count) and the agent at which a run went wrong, and why."""

    step: int
    agent: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trajectory(Shown):
    """One run of an agent out of a log.

    Args:
        case: The task; runs of one case are repeats of it.
        trial: Which repeat it is, from 0.
        calls: Its calls of tools with what came back.
        expected: The calls that the task needed; None where the log does not say.
        reward: What it was worth, 0 to 1; None where nobody said.
        turns: Messages, or steps of agents.
        labelled: Where people say that it went wrong; None where they do not.
        found: Where a rule says that it went wrong; None where it finds nothing.
        loop: The first circle of its calls, in words; None: it got on.
        trace_id: Its trace; None where it was not kept.
    """

    case: str
    trial: int = 0
    calls: tuple[Called, ...] = ()
    expected: tuple[Called, ...] | None = None
    reward: float | None = None
    turns: int = 0
    labelled: Blame | None = None
    found: Blame | None = None
    loop: str | None = None
    trace_id: str | None = None

    @property
    def changes(self) -> tuple[Called, ...]:
        """The calls that changed something: no look-up, and no error came back."""
        return tuple(
            one
            for one in self.calls
            if changes(one.tool) and not _ERROR.match("" if one.result is None else str(one.result))
        )

    @property
    def is_as_expected(self) -> bool | None:
        """Whether it changed what was expected, and nothing else; None where nothing says what was expected."""
        if self.expected is None:
            return None
        return _counted(self.changes) == _counted(one for one in self.expected if changes(one.tool))


class Rate(NamedTuple):
    """A share with its interval and what it is of."""

    what: str
    interval: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentLog(Shown):
    """The runs of a log, as trajectories; the same runs are traces of the store.

    Args:
        format: Of the log.
        path: Where it was read.
        trajectories: Its runs, in its order.
        rejected: What could not be read: place and reason.
    """

    format: LogFormat
    path: str
    trajectories: tuple[Trajectory, ...]
    rejected: tuple[tuple[str, str], ...] = ()

    def __len__(self) -> int:
        return len(self.trajectories)

    def frame(self) -> pd.DataFrame:
        """Return a row a run: case, trial, reward, turns, calls, as_expected, loop, agents and steps, trace_id."""
        from lmops.base.frames import Frame

        rows = [
            {
                "case": one.case,
                "trial": one.trial,
                "reward": one.reward,
                "turns": one.turns,
                "calls": len(one.calls),
                "as_expected": one.is_as_expected,
                "loop": one.loop,
                "labelled_agent": one.labelled and one.labelled.agent,
                "labelled_step": one.labelled and one.labelled.step,
                "found_agent": one.found and one.found.agent,
                "found_step": one.found and one.found.step,
                "trace_id": one.trace_id,
            }
            for one in self.trajectories
        ]
        return Frame(rows)

    def rates(self, *, level: float = 0.95) -> list[Rate]:
        """Return what can be said of all runs, each with its interval over cases.

        Of rewards: the share of runs that succeeded, pass^k for each k up to the repeats, and how often "changed what
        was expected" agrees with the reward. Of labels: how often the rule names the labelled agent, and the step.
        """
        return [*_reward_rates(self.trajectories, level), *_blame_rates(self.trajectories, level)]


def changes(tool: str) -> bool:
    """Return whether a tool changes something, by its name: what looks something up does not."""
    return _LOOKS.match(tool) is None


def read_log(path: str | Path, format: LogFormat | None) -> AgentLog:
    """Return the trajectories of a file of JSON lines.

    Raises:
        UsageError: The format is unknown or cannot be told, or no record can be read.
    """
    if format is not None and format not in FORMATS:
        raise UsageError(f"format={format!r}: give one of {', '.join(FORMATS)}, or None to find out")
    place = Path(path)
    if not place.is_file():
        raise NotFoundError(f"there is no file {place}: read_log reads a file of JSON lines")
    with system_in_words(place):
        text = place.read_text(encoding="utf-8")
    found, rejected = [], []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        record = _record(line)
        kind = None if record is None else format or told_format(record)
        if record is None or kind is None:
            rejected.append((f"{place.name}:{number}", "it is no record of tau-bench or Who&When"))
            continue
        format = kind
        try:
            found.append(_READERS[kind](record, number))
        except (ValueError, TypeError, KeyError) as error:
            rejected.append((f"{place.name}:{number}", plain_line(str(error), 200)))
    if format is None or not found:
        why = f"; {rejected[0][0]}: {rejected[0][1]}" if rejected else ": it is empty"
        raise UsageError(f"{place} holds no run that can be read{why}")
    return AgentLog(format=format, path=str(place), trajectories=tuple(found), rejected=tuple(rejected))


def told_format(record: Mapping[str, Any]) -> LogFormat | None:
    """Return the format of a record by its keys; None: it is neither."""
    if isinstance(record.get("history"), list) and "mistake_agent" in record:
        return "who-and-when"
    is_tau = isinstance(record.get("messages", record.get("traj")), list) and "reward" in record
    return "tau-bench" if is_tau else None


def source_key(record: Mapping[str, Any]) -> str:
    """Return the plain values of a record, which its trace carries as well, as one text."""
    plain = {str(key): one for key, one in record.items() if isinstance(one, str | int | float) and one != ""}
    return json.dumps({key: str(plain[key]) for key in sorted(plain)}, ensure_ascii=False)


def with_traces(log: AgentLog, traces: Mapping[str, str], lines: Iterable[str]) -> AgentLog:
    """Return a log whose trajectories know their traces, by the plain values of their records."""
    keys = [source_key(record) for line in lines if line.strip() and (record := _record(line)) and _is_kept(record)]
    pairs = zip(log.trajectories, keys, strict=False)
    return replace(log, trajectories=tuple(replace(one, trace_id=traces.get(key)) for one, key in pairs))


def _is_kept(record: Mapping[str, Any]) -> bool:
    kind = told_format(record)
    try:
        return kind is not None and _READERS[kind](record, 0) is not None
    except (ValueError, TypeError, KeyError):
        return False


def _record(line: str) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _tau(record: Mapping[str, Any], _number: int) -> Trajectory:
    messages = record.get("messages", record.get("traj"))
    if not isinstance(messages, list) or "task_id" not in record:
        raise ValueError("a run of tau-bench has task_id, reward and messages")
    results = {
        str(one.get("tool_call_id")): one.get("content")
        for one in messages
        if isinstance(one, dict) and one.get("role") == "tool"
    }
    made = [
        Called(
            str(call["function"].get("name")),
            canonical(call["function"].get("arguments")),
            results.get(str(call.get("id"))),
        )
        for one in messages
        if isinstance(one, dict)
        for call in one.get("tool_calls") or []
        if isinstance(call, dict) and isinstance(call.get("function"), dict)
    ]
    actions = record.get("expected_actions")
    expected = None
    if isinstance(actions, list):
        expected = tuple(
            Called(str(one.get("name")), canonical(one.get("kwargs", one.get("arguments")))) for one in actions
        )
    circle = next(iter(loops(made)), None)
    return Trajectory(
        case=str(record["task_id"]),
        trial=int(record.get("trial") or 0),
        calls=tuple(made),
        expected=expected,
        reward=None if record.get("reward") is None else float(record["reward"]),
        turns=len(messages),
        loop=None if circle is None else circle.text,
    )


def _who(record: Mapping[str, Any], number: int) -> Trajectory:
    history = record.get("history")
    if not isinstance(history, list) or not history:
        raise ValueError("a run of Who&When has a history")
    steps = [(_agent(one), str(one.get("content") or "")) for one in history if isinstance(one, dict)]
    labelled = None
    if record.get("mistake_step") not in (None, "") and record.get("mistake_agent"):
        labelled = Blame(
            int(record["mistake_step"]), str(record["mistake_agent"]), str(record.get("mistake_reason") or "")
        )
    return Trajectory(
        case=str(record.get("question_id") or record.get("question_ID") or number),
        turns=len(steps),
        labelled=labelled,
        found=blame(steps),
    )


_READERS: Final = {"tau-bench": _tau, "who-and-when": _who}


def _agent(turn: Mapping[str, Any]) -> str:
    return _ROLE.sub("", str(turn.get("name") or turn.get("role") or "agent"))


def blame(steps: Sequence[tuple[str, str]]) -> Blame | None:
    """Return where a run of several agents went wrong, by a rule on what tools answered; None where none speaks.

    The first result of a tool that failed is blamed on who spoke before it. Where none failed, the first agent is: what
    it said all others went by. A rule this plain is a floor to hold other ways against, no judge.

    Args:
        steps: (agent, what it said) in order.
    """
    spoke: tuple[int, str] | None = None
    first: tuple[int, str] | None = None
    for at, (agent, said) in enumerate(steps):
        is_tool = agent.lower() in _TERMINALS
        if is_tool and _FAILED.search(said) and spoke is not None:
            return Blame(spoke[0], spoke[1], f"what it asked for failed: {plain_line(said, 120)}")
        if not is_tool and agent.lower() not in ("human", "user", "system"):
            spoke = (at, agent)
            first = first or spoke
    return None if first is None else Blame(first[0], first[1], "no tool failed: all others went by what it said first")


def _counted(calls: Iterable[Called]) -> list[tuple[str, str]]:
    return sorted(call[:2] for call in calls)


def _reward_rates(runs: Sequence[Trajectory], level: float) -> Iterator[Rate]:
    from lmops.calc.intervals import proportion_interval
    from lmops.calc.repeats import pass_k_interval

    by_case: dict[str, list[float]] = defaultdict(list)
    for one in runs:
        if one.reward is not None:
            by_case[one.case].append(float(one.reward >= 1))
    if not by_case:
        return
    most = max(map(len, by_case.values()))
    rows = [[*found, *[math.nan] * (most - len(found))] for found in by_case.values()]
    yield Rate("success", pass_k_interval(rows, 1, kind="all", level=level))
    for k in range(2, most + 1):
        yield Rate(f"pass^{k}", pass_k_interval(rows, k, kind="all", level=level))
    told = [one for one in runs if one.reward is not None and one.is_as_expected is not None]
    if told:
        agree = [float(one.is_as_expected == ((one.reward or 0) >= 1)) for one in told]
        found = proportion_interval(agree, clusters=[one.case for one in told], level=level)
        yield Rate("changes as expected agree with the reward", found)


def _blame_rates(runs: Sequence[Trajectory], level: float) -> Iterator[Rate]:
    from lmops.calc.intervals import proportion_interval

    told = [(one.labelled, one.found) for one in runs if one.labelled is not None]
    if not told:
        return
    agents = [float(found is not None and found.agent == label.agent) for label, found in told]
    steps = [float(found is not None and found.step == label.step) for label, found in told]
    yield Rate("the rule names the labelled agent", proportion_interval(agents, level=level))
    yield Rate("the rule names the labelled step", proportion_interval(steps, level=level))
