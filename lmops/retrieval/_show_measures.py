"""How measured rankings look: a report, a comparison, a pool."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from lmops.base.cards import card_html, card_text
from lmops.base.sheet import BAD, GOOD, aligned, html_table
from lmops.base.shown import html_of, text_of
from lmops.base.units import counted, share
from lmops.retrieval._measure_records import Pool, RankingComparison, RankingReport
from lmops.retrieval.comparing import notes_of
from lmops.retrieval.relevance import WORDS
from lmops.text import escape, plain_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lmops.retrieval._measure_records import Measure, RankingDifference

_HEAD: Final = ("measure", "mean", "95 % limits", "queries", "sources", "judged")
_OF_TWO: Final = ("measure", "a", "b", "a - b", "limits", "won", "lost", "tied", "judged a", "b", "outcome")
_OF_RERANKER: Final = ("reranker", "before", "after", "moved", "limits", "better", "worse")
_QUERIES: Final = 5
_LEFT: Final = "padding:1px 16px 1px 0;text-align:left;white-space:nowrap"
_RIGHT: Final = "padding:1px 16px 1px 0;text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums"


def _figure(value: float | None, *, signed: bool = False) -> str:
    if value is None or math.isnan(value):
        return "-"
    return f"{value:+.3f}" if signed else f"{value:.3f}"


def _limits(low: float, high: float, *, signed: bool = False) -> str:
    return "-" if math.isnan(low) else f"{_figure(low, signed=signed)} to {_figure(high, signed=signed)}"


def _share(value: float) -> str:
    return "-" if math.isnan(value) else share(value)


def measure_words(name: str, k: int) -> str:
    """Return what a measure is called where people read it, such as nDCG@10."""
    return WORDS[name] if name == "bpref" else f"{WORDS[name]}@{k}"


def _row(one: Measure, k: int) -> tuple[str, ...]:
    return (
        measure_words(one.name, k),
        _figure(one.value),
        _limits(one.low, one.high),
        f"{one.n:,}",
        "" if one.n_clusters is None else f"{one.n_clusters:,}",
        "" if one.name == "judged" else _share(one.judged),
    )


def _facts(report: RankingReport) -> list[tuple[str, str]]:
    ties = "" if report.ties == "rank" else "equal scores as trec_eval orders them"
    found = [
        ("run", report.run_id),
        ("queries", f"{report.queries:,} of {report.run.dataset}"),
        ("ties", ties),
    ]
    return [(name, said) for name, said in found if said]


def _reranked(report: RankingReport) -> list[tuple[str, ...]]:
    return [
        (
            measure_words(one.name, report.k),
            _figure(one.before),
            _figure(one.after),
            _figure(one.difference, signed=True),
            _limits(one.low, one.high, signed=True),
            f"{one.wins:,}",
            f"{one.losses:,}",
        )
        for one in report.reranked
    ]


def reranker_words(report: RankingReport) -> str:
    """Return in one sentence what the reranker did; empty without one."""
    if not report.reranked:
        return ""
    one = report.reranked[0]
    return (
        f"the reranker moved {measure_words(one.name, report.k)} from {_figure(one.before)} to {_figure(one.after)} "
        f"({_figure(one.difference, signed=True)} [{_limits(one.low, one.high, signed=True)}])"
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    styles = [_LEFT, *[_RIGHT] * (len(head) - 1)]
    return f'<div style="overflow-x:auto;margin:8px 0 0 0">{html_table(head, rows, compact=True, styles=styles)}</div>'


@text_of.register(RankingReport)
def _(report: RankingReport) -> str:
    head = (_HEAD[0], _HEAD[1], f"{100 * report.level:g} % limits", *_HEAD[3:])
    lines = [card_text("retrieval", plain_line(report.searched, 100), _facts(report))]
    lines += aligned([head, *(_row(one, report.k) for one in report.measures)], numbers=range(1, 6))
    lines += [f"- {plain_line(line, 300)}" for line in notes_of(report)]
    if report.reranked:
        lines += ["", reranker_words(report), *aligned([_OF_RERANKER, *_reranked(report)], numbers=range(1, 7))]
    return "\n".join(lines)


@html_of.register(RankingReport)
def _(report: RankingReport) -> str:
    one = report["ndcg"]
    head = (_HEAD[0], _HEAD[1], f"{100 * report.level:g} % limits", *_HEAD[3:])
    lead = (
        f'<div><span style="font-size:1.6em">{_figure(one.value)}</span> {measure_words("ndcg", report.k)} '
        f"[{_limits(one.low, one.high)}] over {counted(one.n, 'question')}, {_share(one.judged)} of it judged</div>"
    )
    more = _table(head, [_row(each, report.k) for each in report.measures])
    if report.reranked:
        more += _paragraphs([reranker_words(report)]) + _table(_OF_RERANKER, _reranked(report))
    more += _paragraphs(notes_of(report))
    return card_html("retrieval", report.searched, _facts(report), lead=lead, more=more)


def _difference(one: RankingDifference, k: int) -> tuple[str, ...]:
    return (
        measure_words(one.name, k),
        _figure(one.a),
        _figure(one.b),
        _figure(one.difference, signed=True),
        _limits(one.low, one.high, signed=True),
        f"{one.wins:,}",
        f"{one.losses:,}",
        f"{one.ties:,}",
        "" if one.name == "judged" else _share(one.judged_a),
        "" if one.name == "judged" else _share(one.judged_b),
        one.outcome.replace("_", "-") if one.name == "ndcg" else "",
    )


def headline(found: RankingComparison) -> str:
    """Return a comparison in one sentence."""
    one = found["ndcg"]
    needed = "" if one.n_needed is None else f"; {counted(one.n_needed, 'question')} in all would decide"
    return (
        f"{measure_words('ndcg', found.a.k)} {_figure(one.a)} against {_figure(one.b)}: "
        f"{_figure(one.difference, signed=True)} [{_limits(one.low, one.high, signed=True)}], "
        f"{one.outcome.replace('_', '-')}; {one.wins:,} won, {one.losses:,} lost, {one.ties:,} tied{needed}"
    )


def _about(found: RankingComparison) -> list[tuple[str, str]]:
    by_id = {row["example_id"]: row for row in found.rows}
    told = [("a", f"{found.a.searched} ({found.a.run_id})"), ("b", f"{found.b.searched} ({found.b.run_id})")]
    told.append(("queries", f"{found['ndcg'].n:,} of {found.a.run.dataset}"))
    for title, ids in (("lost most", found.lost), ("won most", found.won)):
        words = [f"{plain_line(by_id[one]['query'], 60)} ({by_id[one]['change']:+.2f})" for one in ids[:_QUERIES]]
        told.append((title, "; ".join(words)))
    return [(name, said) for name, said in told if said]


def _noted(found: RankingComparison) -> list[str]:
    rerankers = [f"{side.searched}: {words}" for side in (found.a, found.b) if (words := reranker_words(side))]
    return [*rerankers, *found.notes]


def _paragraphs(lines: Sequence[str]) -> str:
    return "".join(f'<p style="margin:6px 0 0 0">{escape(line)}</p>' for line in lines)


@text_of.register(RankingComparison)
def _(found: RankingComparison) -> str:
    title = plain_line(f"{found.a.searched} against {found.b.searched}", 120)
    lines = [card_text("retrieval", title, _about(found)), headline(found)]
    table = [_OF_TWO, *(_difference(one, found.a.k) for one in found.differences)]
    lines += aligned(table, numbers=range(1, 10))
    return "\n".join([*lines, *(f"- {plain_line(line, 400)}" for line in _noted(found))])


@html_of.register(RankingComparison)
def _(found: RankingComparison) -> str:
    outcome = found["ndcg"].outcome
    style = BAD if outcome == "worse" else GOOD if outcome in ("better", "non_inferior") else ""
    lead = f'<div style="{style}">{escape(headline(found))}</div>'
    more = _table(_OF_TWO, [_difference(one, found.a.k) for one in found.differences]) + _paragraphs(_noted(found))
    return card_html("retrieval", f"{found.a.searched} against {found.b.searched}", _about(found), lead=lead, more=more)


def _pooled(pool: Pool) -> list[tuple[str, str]]:
    return [
        ("to judge", f"{counted(pool.chunks, 'chunk')} of {pool.queries:,} queries of {pool.dataset}"),
        ("judged before", f"{pool.judged:,}"),
        ("asked", pool.schema),
        ("then", f"ws.retrieval.judged({pool.queue!r}, {pool.dataset.partition('@')[0]!r})"),
    ]


@text_of.register(Pool)
def _(pool: Pool) -> str:
    return card_text("pool", plain_line(pool.queue, 100), _pooled(pool))


@html_of.register(Pool)
def _(pool: Pool) -> str:
    return card_html("pool", pool.queue, _pooled(pool))
