"""What changed in retrieval: reads two periods once, measures them, and says which cause it was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lmops.base.units import share
from lmops.errors import UsageError
from lmops.monitors import periods_of
from lmops.retrieval import _drift_figures as figures
from lmops.retrieval import _drift_marks as marks
from lmops.retrieval import _drift_rankings as rankings
from lmops.retrieval import _drift_rules as rules
from lmops.retrieval._drift_canaries import replayed
from lmops.retrieval._drift_golden import golden_of
from lmops.retrieval._drift_read import calls, retrievals
from lmops.retrieval._drift_records import RetrievalDrift
from lmops.times import from_ns
from lmops.traces import time_range

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from lmops.calc.arrays import Floats
    from lmops.monitors import Periods
    from lmops.retrieval._drift_golden import Golden
    from lmops.retrieval._drift_read import Retrievals
    from lmops.retrieval._drift_records import Figure, Mark, Rankings
    from lmops.retrieval.contract import Searchable
    from lmops.retrieval.hosting import Host
    from lmops.store import Store

_LAST = "7d"


def periods_meant(
    store: Store, last: str | None, since: str | datetime | None, until: str | datetime | None, before: Any
) -> Periods:
    """Return the two periods that are meant; the last 7 days with those before them where nothing is said."""
    if since is None:
        bounds = time_range(store, last=last or _LAST, since=None, until=until)
        assert bounds.since_ns is not None  # last gives one
        since = from_ns(bounds.since_ns)
    elif last is not None:
        raise UsageError(f"give last={last!r} or since={since!r}, not both")
    return periods_of(store, since, until, before)


def drift(
    host: Host,
    periods: Periods,
    *,
    where: str | None,
    golden: str | None,
    canaries: str | Sequence[str] | None,
    index: Searchable | None,
    k: int,
    answers: int,
    level: float,
) -> RetrievalDrift:
    """Return what changed; see :meth:`lmops.retrieval.Retrieval.drift`."""
    from lmops.calc.arrays import check_level

    check_level(level)
    if k < 1 or answers < 0:
        raise UsageError(f"k={k}, answers={answers}: give 1 or more places of a ranking, and 0 or more traces")
    store = host.project.store
    name, asked = golden_of(host, golden)
    found = retrievals(store, periods, where, asked)
    recalls = figures.recalls(found, asked, k=k)
    measured = measures(found, asked, recalls, level=level)
    if answers:
        measured.append(figures.coverage(store, found, most=answers, level=level))
    of_production, shared = rankings.of_production(found, asked, k=k, level=level)
    told = evidence(found, measured, marks.models(calls(store, periods, where)), _refs(store, found.names["settings"]))
    conclusion = rules.concluded(told)
    seen, only_before, only_after = figures.only_one_side(found)
    days, drawn = figures.days(found, recalls, level=level)
    replay = None
    if index is not None or canaries is not None:
        replay = replayed(host, found, asked, canaries=canaries, index=index, k=k, level=level)
    return RetrievalDrift(
        outcome=conclusion.outcome,
        conclusion=conclusion.line,
        causes=conclusion.causes,
        since=periods.since,
        until=periods.until,
        before_since=periods.before_since,
        before_until=periods.before_until,
        n_before=told.n[0],
        n_after=told.n[1],
        marks=(*told.settings, *told.chunkers, *told.corpus, *told.models),
        figures=tuple(measured),
        rankings=of_production,
        replay=replay,
        documents=tuple(seen),
        only_before=only_before,
        only_after=only_after,
        words=tuple(told.words[2]),
        score_distance=figures.score_distance(found),
        golden=name,
        days=days,
        drawn=drawn,
        notes=tuple(_notes(told, of_production, shared, name)),
        level=level,
    )


def measures(found: Retrievals, asked: Sequence[Golden], recalls: Floats, *, level: float) -> list[Figure]:
    """Return what the retrievals themselves say."""
    ways = (False, True) if found.is_reranked.any() else (False,)
    of_recall = [figures.recall(found, asked, recalls, is_reranked=way, level=level) for way in ways] if asked else []
    return [*of_recall, *figures.plain_figures(found, level=level)]


def evidence(found: Retrievals, measured: list[Figure], models: list[Mark], refs: Mapping[str, str]) -> rules.Evidence:
    """Return what the rules look at.

    Args:
        found: The retrievals of both periods.
        measured: Of them.
        models: What models called themselves.
        refs: Settings by name and version, by their fingerprints.
    """
    kept = found.is_after[found.found]
    return rules.Evidence(
        n=(int((~kept).sum()), int(kept.sum())),
        settings=marks.fingerprints(found, "settings", refs),
        chunkers=marks.fingerprints(found, "chunker", refs),
        corpus=marks.fingerprints(found, "corpus", {}),
        models=models,
        stamped=marks.stamped(found, found.settings),
        corpus_stamped=marks.stamped(found, found.corpus),
        steady=rankings.steadiness(found),
        words=figures.questions(found),
        figures=measured,
    )


def _refs(store: Store, seen: Sequence[str]) -> dict[str, str]:
    """Return the settings that are kept here by their fingerprints: the newest version of each."""
    query = (
        "select fingerprint, arg_max(ref, created_at) from retrieval_versions "
        "where fingerprint in (select unnest($seen::VARCHAR[])) group by 1"
    )
    return dict(store.sql(query, {"seen": list(seen)}).fetchall()) if seen else {}


def _notes(told: rules.Evidence, of_production: Rankings, shared: int, golden: str | None) -> list[str]:
    notes = []
    if golden is None:
        notes.append("recall is not measured: there is no data set 'golden'; golden= names one")
    for what, one in (("settings", told.stamped), ("documents", told.corpus_stamped)):
        if min(told.n) and not max(one):
            notes.append(f"no retrieval says which {what} it searched: ws.retrieval.stamp(...) puts it on spans")
        elif min(told.n) and min(one) < 1:
            parts = f"{share(one.before)} of retrievals before and {share(one.after)} after"
            notes.append(f"{parts} say which {what} they searched: ws.retrieval.stamp(...) puts it on spans")
    if shared > of_production.queries:
        notes.append(f"{of_production.queries:,} of {shared:,} queries of both periods are compared, the most frequent")
    return notes
