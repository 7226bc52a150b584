"""How red-team runs look: a report, a matrix of defences, a suite."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from lmops.base.cards import card_html, card_text
from lmops.base.sheet import BAD, GOOD, aligned, html_table
from lmops.base.shown import html_of, text_of
from lmops.base.units import counted, duration, share
from lmops.redteam._records import Matrix, Plan, Report
from lmops.redteam.seeds import RISKS, Suite
from lmops.text import escape, plain, plain_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lmops.redteam._records import Defence, Rate, Transcript

_HEAD: Final = ("attacks", "seeds", "succeed", "twins", "pass")
_KINDS: Final = {
    "severity": "by severity",
    "family": "by family",
    "tag": "by risk",
    "placement": "by placement",
    "converter": "by converter",
    "language": "by language",
    "oracle": "by oracle",
}
_OF_MATRIX: Final = ("rails", "succeed", "twins pass", "let be", "check p50", "p95", "against all rails")
_LEFT: Final = "padding:1px 16px 1px 0;text-align:left;white-space:nowrap"
_RIGHT: Final = "padding:1px 16px 1px 0;text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums"
_MAX_LINE: Final = 160


def _rate(value: float, low: float = math.nan, high: float = math.nan) -> str:
    """Return a share with its limits; "-" where there is none."""
    if math.isnan(value):
        return "-"
    ends = (f"{100 * end:.1f}".removesuffix(".0") for end in (low, high))
    return share(value) if math.isnan(low) else f"{share(value)} ({' to '.join(ends)} %)"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a small table that scrolls by itself where a page is narrow."""
    styles = [_LEFT, *[_RIGHT] * (len(head) - 1)]
    return f'<div style="overflow-x:auto;margin:8px 0 0 0">{html_table(head, rows, compact=True, styles=styles)}</div>'


def _row(one: Rate) -> tuple[str, ...]:
    return (
        f"{one.attacks:,}",
        f"{one.seeds:,}",
        _rate(one.success, one.low, one.high),
        f"{one.twins:,}",
        _rate(one.benign, one.benign_low, one.benign_high),
    )


def _named(one: Rate) -> str:
    risk = f" {RISKS[one.value]}" if one.by == "tag" and one.value in RISKS else ""
    return plain_line(f"{one.value}{risk}", 60)


def _groups(report: Report) -> list[tuple[str, tuple[Rate, ...]]]:
    """Return the tables of a report: kinds of which there is more than one."""
    return [(words, rates) for by, words in _KINDS.items() if len(rates := report.by(by)) > 1]


def _facts(report: Report) -> list[tuple[str, str]]:
    one, run = report.overall, report.run
    tried = [
        f"{_rate(found.estimate)} in {counted(k, 'try').replace('trys', 'tries')}" for k, found in report.at.items()
    ]
    totals = run.totals
    told = [
        ("target", plain_line(run.task.removeprefix("redteam:"), 100)),
        ("policy", report.policy or "none"),
        ("run", run.run_id),
        ("attacks", f"{one.attacks:,} of {counted(one.seeds, 'seed')}"),
        ("succeed", _rate(one.success, one.low, one.high)),
        ("seeds that broke it", _rate(report.broken.estimate, report.broken.low, report.broken.high)),
        ("at least once", ", ".join(tried) if len(tried) > 1 else ""),
        ("harmless twins pass", _rate(one.benign, one.benign_low, one.benign_high)),
        ("let be by the policy", _spared(one)),
        ("without a score", f"{report.unmeasured:,}" if report.unmeasured else ""),
        ("not finished", f"{totals.planned - totals.cases:,}" if totals.planned > totals.cases else ""),
    ]
    return [(name, said) for name, said in told if said]


def _spared(one: Rate) -> str:
    """Return how many twins a policy did not keep from their answer, and what the target refused by itself."""
    if math.isnan(one.spared):
        return ""
    own = one.spared - one.benign
    told = f"; the target itself refuses {share(own)}" if own > 0 else ""
    return f"{_rate(one.spared, one.spared_low, one.spared_high)}{told}"


def _against(report: Report) -> list[str]:
    if report.baseline is None:
        return []
    head = f"against {report.baseline.b.run_id}, pair by pair"
    words = {
        "attack_success": "attacks that succeed",
        "benign_pass": "harmless twins that pass",
        "policy_pass": "harmless twins that the policy lets be",
    }
    return [
        f"{head}: {words.get(one.name, one.name)} {share(one.difference, signed=True)} "
        f"({share(one.low, signed=True)} to {share(one.high, signed=True)}), p {one.p_value:.3g}: "
        f"{one.outcome.replace('_', '-')}"
        for one in report.baseline.scorers
        if not math.isnan(one.difference)
    ]


def _stops(report: Report) -> list[tuple[str, ...]]:
    return [(plain_line(one.rail, 60), one.stage, f"{one.attacks:,}", f"{one.twins:,}") for one in report.stopped]


def _where(one: Transcript) -> str:
    trace = f", trace {one.trace_id[:12]}" if one.trace_id else ""
    return f"{plain_line(one.example_id, 100)} ({one.severity}; {plain_line(one.goal, 80)}){trace}"


@text_of.register(Report)
def report_text(report: Report) -> str:
    """Return a report as plain text."""
    lines = [card_text("red team", plain_line(report.run.name, 100), _facts(report)), *_against(report)]
    for words, rates in _groups(report):
        table = [(words, *_HEAD), *((_named(one), *_row(one)) for one in rates)]
        lines += ["", *aligned(table, numbers=range(1, len(_HEAD) + 1))]
    if report.stopped:
        lines += ["", *aligned([("stopped by", "stage", "attacks", "twins"), *_stops(report)], numbers=(2, 3))]
    for at, one in enumerate(report.worst, start=1):
        lines += [
            "",
            f"{at}. {_where(one)}",
            f"   sent: {plain_line(one.sent, _MAX_LINE)}",
            f"   answered: {plain_line(one.answer, _MAX_LINE)}",
            f"   {plain_line(one.why, _MAX_LINE)}",
        ]
    return "\n".join(lines)


@html_of.register(Report)
def report_html(report: Report) -> str:
    """Return a report as static HTML."""
    one = report.overall
    style = GOOD if one.success == 0 else BAD
    lead = f'<div><span style="font-size:1.6em;{style}">{_rate(one.success)}</span> of the attacks succeed</div>'
    more = [f"<p>{escape(line)}</p>" for line in _against(report)]
    for words, rates in _groups(report):
        more.append(_table((words, *_HEAD), [(_named(rate), *_row(rate)) for rate in rates]))
    if report.stopped:
        more.append(_table(("stopped by", "stage", "attacks", "twins"), _stops(report)))
    shown = card_html("red team", report.run.name, _facts(report), lead=lead, more="".join(more))
    if not report.worst:
        return shown
    texts = [
        (_where(found), f"sent: {plain(found.sent)}\n\nanswered: {plain(found.answer)}\n\n{plain(found.why)}")
        for found in report.worst
    ]
    return f"<div>{shown}{card_html('what got through', 'the gravest first', [], texts=texts)}</div>"


def _defence(one: Defence) -> tuple[str, ...]:
    change = "" if math.isnan(one.change) else f"{share(one.change, signed=True)}, {one.outcome.replace('_', '-')}"
    times = ("-" if math.isnan(value) else duration(value) for value in (one.p50_ms, one.p95_ms))
    return (
        plain_line(one.rails, 60),
        _rate(one.success, one.low, one.high),
        _rate(one.benign, one.benign_low, one.benign_high),
        _rate(one.spared),
        *times,
        change,
    )


def _defences(matrix: Matrix) -> Sequence[tuple[str, ...]]:
    return [_defence(one) for one in matrix.rows]


@text_of.register(Matrix)
def matrix_text(matrix: Matrix) -> str:
    """Return a matrix as plain text."""
    head = f"{plain_line(matrix.policy, 60)} around {plain_line(matrix.target, 80)}"
    return "\n".join([head, *aligned([_OF_MATRIX, *_defences(matrix)], numbers=range(1, 6))])


@html_of.register(Matrix)
def matrix_html(matrix: Matrix) -> str:
    """Return a matrix as static HTML."""
    title = f"{matrix.policy} around {matrix.target}"
    return card_html("defences", title, [], more=_table(_OF_MATRIX, _defences(matrix)))


def _planned(plan: Plan) -> list[tuple[str, str]]:
    out = [f"{plain_line(reason, 120)}: {count:,}" for reason, count in plan.left_out.items()]
    told = f"{counted(plan.attacks, 'attack')} and {counted(plan.twins, 'harmless twin')}"
    return [
        ("suite", plan.suite),
        ("tries", told),
        ("seeds", f"{plan.seeds:,}"),
        ("left out", "; ".join(out) or "nothing"),
    ]


@text_of.register(Plan)
def plan_text(plan: Plan) -> str:
    """Return a plan as plain text."""
    return card_text("red team", plain_line(plan.target, 100), _planned(plan))


@html_of.register(Plan)
def plan_html(plan: Plan) -> str:
    """Return a plan as static HTML."""
    facts = dict(_planned(plan))
    return card_html("red team", plan.target, facts.items(), texts=[("left out", facts.pop("left out"))])


@text_of.register(Suite)
def suite_text(suite: Suite) -> str:
    """Return a suite as plain text."""
    rows = [(plain_line(name, 60), f"{count:,}") for name, count in suite.counts("family").items()]
    return "\n".join([f"{plain_line(suite.ref, 80)}: {counted(len(suite), 'seed')}", *aligned(rows, numbers=(1,))])


@html_of.register(Suite)
def suite_html(suite: Suite) -> str:
    """Return a suite as static HTML."""
    facts = [("seeds", f"{len(suite):,}"), ("languages", ", ".join(suite.counts("language")))]
    rows = [(name, f"{count:,}") for name, count in suite.counts("family").items()]
    risks = [(f"{tag} {RISKS.get(tag, '')}".strip(), f"{count:,}") for tag, count in suite.counts("tags").items()]
    more = _table(("family", "seeds"), rows) + _table(("risk", "seeds"), risks)
    return card_html("suite", suite.ref, facts, more=more)
