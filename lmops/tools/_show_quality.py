"""How findings, replays, simulations and logs of agents look."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lmops.base.cards import card_html, card_text
from lmops.base.sheet import aligned, html_table
from lmops.base.shown import html_of, text_of
from lmops.base.units import counted
from lmops.text import plain_line
from lmops.tools.finding import ToolFindings, outage_words, wrong_words
from lmops.tools.logs import AgentLog, Trajectory
from lmops.tools.replaying import Replay
from lmops.tools.simulating import Simulator

if TYPE_CHECKING:
    from collections.abc import Iterator

_FINDINGS: Final = ("finding", "tool", "when", "what")
_RATES: Final = ("what", "share", "from", "to", "of")
_SHOWN: Final = 20


def _title(found: ToolFindings) -> str:
    parts = [counted(len(found.outages), "outage"), counted(len(found.wrong), "wrong argument")]
    parts.append(counted(len(found.circles), "loop"))
    return ", ".join(parts)


def _facts(found: ToolFindings) -> list[tuple[str, object]]:
    return [
        ("calls", f"{found.calls:,}"),
        ("of unknown conversation", f"{found.unchecked:,}" if found.unchecked else ""),
    ]


def _rows(found: ToolFindings) -> Iterator[list[str]]:
    for outage in found.outages:
        when = f"{outage.first_at:%Y-%m-%d %H:%M} to {outage.last_at:%H:%M}"
        if outage.first_at.date() != outage.last_at.date():
            when = f"{outage.first_at:%Y-%m-%d %H:%M} to {outage.last_at:%Y-%m-%d %H:%M}"
        yield ["outage", ", ".join(outage.tools), when, outage_words(outage)]
    for wrong in found.wrong[:_SHOWN]:
        yield [f"argument {wrong.doubt.kind}", wrong.tool, f"{wrong.at:%Y-%m-%d %H:%M}", wrong_words(wrong)]
    for circle in found.circles[:_SHOWN]:
        yield ["loop", ", ".join(circle.tools), circle.trace_id[:12], circle.what]


def _cut(found: ToolFindings) -> str:
    more = max(len(found.wrong) - _SHOWN, 0) + max(len(found.circles) - _SHOWN, 0)
    return f"and {more:,} more in .frame()" if more else ""


@text_of.register(ToolFindings)
def _(found: ToolFindings) -> str:
    head = card_text("findings of tools", _title(found), _facts(found))
    cells = [[plain_line(one, 160) for one in row] for row in _rows(found)]
    lines = [f"  {line}" for line in aligned([list(_FINDINGS), *cells])] if cells else ["  nothing was found"]
    return "\n".join([head, *lines, *([f"  {_cut(found)}"] if _cut(found) else [])])


@html_of.register(ToolFindings)
def _(found: ToolFindings) -> str:
    table = html_table(_FINDINGS, [[plain_line(one, 200) for one in row] for row in _rows(found)])
    facts = [*_facts(found), ("left out here", _cut(found))]
    return card_html("findings of tools", _title(found), facts, more=table if not found.is_clean else "")


def _replay_facts(found: Replay) -> list[tuple[str, object]]:
    told = found.counts
    facts: list[tuple[str, object]] = [("recorded calls", f"{found.size:,}"), ("match", found.match)]
    facts += [("unseen calls", found.unseen)]
    return [*facts, *((f"found: {name}", f"{n:,}") for name, n in told._asdict().items() if n)]


@text_of.register(Replay)
def _(found: Replay) -> str:
    return card_text("replay", found.ref, _replay_facts(found))


@html_of.register(Replay)
def _(found: Replay) -> str:
    return card_html("replay", found.ref, _replay_facts(found))


def _plan(found: Simulator) -> list[tuple[str, object]]:
    shares = [
        (tool, ", ".join(f"{name} {share:.1%}" for name, share in one.items())) for tool, one in found.plan.items()
    ]
    came = [(f"came: {name}", f"{n:,} of {found.calls:,}") for name, n in found.counts.items() if n]
    return [("seed", found.seed), *shares, *came]


@text_of.register(Simulator)
def _(found: Simulator) -> str:
    return card_text("simulator", counted(len(found.plan), "planned tool"), _plan(found))


@html_of.register(Simulator)
def _(found: Simulator) -> str:
    return card_html("simulator", counted(len(found.plan), "planned tool"), _plan(found))


def _run_facts(found: Trajectory) -> list[tuple[str, object]]:
    as_expected = {None: "", True: "yes", False: "no"}[found.is_as_expected]
    facts: list[tuple[str, object]] = [
        ("trial", found.trial),
        ("reward", "" if found.reward is None else f"{found.reward:g}"),
        ("turns", found.turns),
        ("calls", len(found.calls) or ""),
        ("changed what was expected", as_expected),
        ("loop", found.loop or ""),
    ]
    for name, one in (("people say", found.labelled), ("the rule says", found.found)):
        facts.append((name, "" if one is None else f"{one.agent}, step {one.step}"))
    return [*facts, ("trace", (found.trace_id or "")[:12])]


@text_of.register(Trajectory)
def _(found: Trajectory) -> str:
    return card_text("trajectory", found.case, _run_facts(found))


@html_of.register(Trajectory)
def _(found: Trajectory) -> str:
    return card_html("trajectory", found.case, _run_facts(found))


def _rates(found: AgentLog) -> list[list[str]]:
    told = [(one.what, one.interval) for one in found.rates()]
    return [[what, f"{of.estimate:.3f}", f"{of.low:.3f}", f"{of.high:.3f}", f"{of.n:,}"] for what, of in told]


def _log_facts(found: AgentLog) -> list[tuple[str, object]]:
    cases = len({one.case for one in found.trajectories})
    looping = sum(one.loop is not None for one in found.trajectories)
    facts: list[tuple[str, object]] = [("runs", f"{len(found):,}"), ("cases", f"{cases:,}")]
    facts += [("in circles", f"{looping:,}" if looping else ""), ("rejected", len(found.rejected) or "")]
    return facts


@text_of.register(AgentLog)
def _(found: AgentLog) -> str:
    lines = [f"  {line}" for line in aligned([list(_RATES), *_rates(found)])]
    return "\n".join([card_text(f"log of {found.format}", found.path, _log_facts(found)), *lines])


@html_of.register(AgentLog)
def _(found: AgentLog) -> str:
    table = html_table(_RATES, _rates(found))
    return card_html(f"log of {found.format}", found.path, _log_facts(found), more=table)
