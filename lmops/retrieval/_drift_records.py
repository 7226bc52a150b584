"""What changed in retrieval, as a record: what stood on the spans, what moved, how rankings differ, what follows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from lmops.base.shown import Shown
from lmops.charts import retrieval_drift

if TYPE_CHECKING:
    from datetime import datetime

    import pandas as pd
    import plotly.graph_objects as go

DriftOutcome = Literal["changed", "nothing", "unknown"]
CauseKind = Literal["settings", "corpus", "questions", "model"]
MarkKind = Literal["settings", "chunker", "corpus", "model", "embedder"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """One thing that changed.

    Args:
        kind: "settings", "corpus", "questions" or "model".
        words: What was, what is, and how it is known.
        at: When it was seen first; None where it has no one time.
    """

    kind: CauseKind
    words: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What stood on the spans of the two periods.

    Args:
        kind: "settings" and "corpus" (fingerprints), "chunker" (how its library cuts: the probe), "model" (what
            answers) or "embedder".
        of: The source that was searched, with its settings where a chunker is meant, or the model that was asked for.
        value: The fingerprint, or what the model called itself.
        ref: Settings by name and version, where they are known here.
        n_before: Spans with it before.
        n_after: Spans with it after.
        share_before: Of the spans of the same source or model, 0..1; None without any.
        share_after: Likewise.
        first_at: Its first span in the two periods.
        last_at: Its last.
    """

    kind: MarkKind
    of: str
    value: str
    ref: str | None
    n_before: int
    n_after: int
    share_before: float | None
    share_after: float | None
    first_at: datetime
    last_at: datetime

    @property
    def name(self) -> str:
        """Settings by name and version with the fingerprint, else what stood there."""
        return f"{self.ref} ({self.value})" if self.ref else self.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A number of both periods; what cannot be computed is None.

    Args:
        name: One word.
        title: What it is.
        unit: "share", "score" or "documents".
        before: Before.
        after: After.
        change: After less before.
        low: Its lower limit.
        high: Its upper limit.
        p_value: Of there being no change.
        n_before: Items before.
        n_after: Items after.
        n: Questions that both have, where it is paired by question; else None.
    """

    name: str
    title: str
    unit: str
    before: float | None
    after: float | None
    change: float | None
    low: float | None
    high: float | None
    p_value: float | None
    n_before: int
    n_after: int
    n: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Differing:
    """The ranking of one query on both sides.

    Args:
        query: What was asked.
        before: Documents found before, best first.
        after: Documents found after.
        overlap: Of the first k, 0..1.
        rbo: Rank-biased overlap, 0..1.
        gold: Its relevant documents that were found before and are not after; None where they are not known.
    """

    query: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    overlap: float
    rbo: float
    gold: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rankings:
    """How the rankings of the same queries differ: all shares in 0..1, None where they cannot be known.

    Args:
        of: "production" (the last ranking of each query before and after) or "replay" (now, by an index).
        k: Places that count.
        queries: Queries with a ranking on both sides.
        overlap: Mean share of documents that both have among the first k.
        overlap_low: Its lower limit.
        overlap_high: Its upper limit.
        rbo: Mean rank-biased overlap.
        top1_changed: Share of queries whose first document is another.
        top1_low: Its lower limit.
        top1_high: Its upper limit.
        gold_lost: Golden queries that lost a relevant document.
        gold: Golden queries of which one was found before.
        differing: The queries that differ most, at most 50, the worst first.
    """

    of: Literal["production", "replay"]
    k: int
    queries: int
    overlap: float | None
    overlap_low: float | None
    overlap_high: float | None
    rbo: float | None
    top1_changed: float | None
    top1_low: float | None
    top1_high: float | None
    gold_lost: int
    gold: int
    differing: tuple[Differing, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A document that only one of the periods found.

    Args:
        document: Its id.
        is_after: Whether it was found after alone; else before alone.
        n: Times it was found.
        chance: Of its not being found in the other period, had it been found there as often; 0..1.
    """

    document: str
    is_after: bool
    n: int
    chance: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrievalDrift(Shown):
    """What changed in retrieval between two periods, with the evidence.

    Args:
        outcome: "changed", "nothing" or "unknown".
        conclusion: In one line, with evidence and times.
        causes: What changed; none where nothing did, or where it cannot be told.
        since: Begin of the period after.
        until: Its end.
        before_since: Begin of the period before.
        before_until: Its end.
        n_before: Retrievals before.
        n_after: Retrievals after.
        marks: What stood on the spans.
        figures: What is measured on both.
        rankings: Of the same queries in production.
        replay: Of canary queries that were asked again; None where none were.
        documents: What only one of the periods found: the least likely to be chance first, at most 50 of each.
        only_before: How many documents only the period before found.
        only_after: How many only the period after found.
        words: Words of the queries whose share moved most: (word, share of queries before, after).
        score_distance: Cramer's V of the first scores, in tenths of those before; None where it cannot be known.
        golden: The data set of the golden questions; None: there is none.
        days: bucket, what is drawn (estimate, low, high, n) and "fingerprint", a mapping each.
        drawn: What is drawn over the days.
        notes: What else is to be known.
        level: Of all limits.
    """

    outcome: DriftOutcome
    conclusion: str
    causes: tuple[Cause, ...]
    since: datetime
    until: datetime
    before_since: datetime
    before_until: datetime
    n_before: int
    n_after: int
    marks: tuple[Mark, ...]
    figures: tuple[Figure, ...]
    rankings: Rankings
    replay: Rankings | None
    documents: tuple[Seen, ...]
    only_before: int
    only_after: int
    words: tuple[tuple[str, float, float], ...]
    score_distance: float | None
    golden: str | None
    days: tuple[dict[str, Any], ...]
    drawn: str
    notes: tuple[str, ...]
    level: float

    def df(self) -> pd.DataFrame:
        """Return what is measured, a row each.

        Returns:
            name, title, unit, before, after, change, low, high, p_value, n_before, n_after, n.
        """
        return _frame(Figure, self.figures)

    def changes(self) -> pd.DataFrame:
        """Return what stood on the spans of the two periods, a row each.

        Returns:
            kind, of, value, ref, n_before, n_after, share_before, share_after, first_at, last_at.
        """
        return _frame(Mark, self.marks)

    def queries(self) -> pd.DataFrame:
        """Return the queries whose rankings differ most, of canaries where they were asked again.

        Returns:
            query, before, after (documents, best first), overlap, rbo, gold (relevant documents that were lost).
        """
        return _frame(Differing, (self.replay or self.rankings).differing)

    def figure(self) -> go.Figure:
        """Return what is drawn over the days, with what changed marked where it did."""
        from lmops.base.frames import Frame

        frame = Frame(list(self.days), columns=["bucket", "estimate", "low", "high", "n", "fingerprint"])
        at = [(one.at, one.kind) for one in self.causes if one.at is not None]
        return retrieval_drift(frame, changes=at, title=self.drawn)


def _frame(kind: type, rows: tuple[Any, ...]) -> pd.DataFrame:
    from lmops.base.frames import Frame

    names = list(kind.__dataclass_fields__)  # type: ignore[attr-defined]  # each is a dataclass
    return Frame([{name: getattr(one, name) for name in names} for one in rows], columns=names)
