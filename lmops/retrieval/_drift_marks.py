"""What stood on the spans of two periods, and which of it is another than it was."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from lmops.base.units import share
from lmops.retrieval._drift_records import Cause, Mark
from lmops.times import from_ns

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from lmops.calc.arrays import Ints
    from lmops.retrieval._drift_read import Call, Retrievals
    from lmops.retrieval._drift_records import CauseKind, MarkKind

#: What is as unlikely as that by chance alone is a change.
ALPHA: Final = 0.001
#: A share that moved less is none.
LEAST: Final = 0.1
#: What has so much of the calls from its first one on has taken over.
_TOOK_OVER: Final = 0.5
_WORDS: Final[Mapping[str, str]] = {
    "settings": "settings",
    "chunker": "setting (chunker library)",
    "corpus": "documents",
    "model": "model",
    "embedder": "embedding model",
}


class Stamped(NamedTuple):
    """How many retrievals say what they searched: shares in 0..1, 0 where there are none."""

    before: float
    after: float

    @property
    def is_known(self) -> bool:
        """Whether both periods say it."""
        return self.before > 0 and self.after > 0

    @property
    def is_whole(self) -> bool:
        """Whether every retrieval says it."""
        return self.before == self.after == 1


def stamped(found: Retrievals, column: Ints) -> Stamped:
    """Return which share of the retrievals has a fingerprint."""
    sides = (column[found.found & (found.is_after == is_after)] for is_after in (False, True))
    return Stamped(*(float((one >= 0).mean()) if len(one) else 0.0 for one in sides))


def fingerprints(found: Retrievals, kind: MarkKind, refs: Mapping[str, str]) -> list[Mark]:
    """Return the fingerprints of settings or documents that stood on retrievals, by source and first time.

    How a chunker cuts is told settings by settings: other settings cut otherwise, and that is no other library.
    """
    column, names = {
        "settings": (found.settings, found.names["settings"]),
        "chunker": (found.probe, found.names["probe"]),
        "corpus": (found.corpus, found.names["corpus"]),
    }[kind]
    of, of_names = _by_settings(found, refs) if kind == "chunker" else (found.source, found.names["source"])
    kept = np.flatnonzero(found.found & (column >= 0) & (of >= 0))
    marks = []
    for source in np.unique(of[kept]).tolist():
        here = kept[of[kept] == source]
        n = [int((found.is_after[here] == is_after).sum()) for is_after in (False, True)]
        for code in np.unique(column[here]).tolist():
            rows = here[column[here] == code]
            after = int(found.is_after[rows].sum())
            times = [from_ns(int(one) * 1000) for one in (found.at_us[rows].min(), found.at_us[rows].max())]
            before = len(rows) - after
            marks.append(
                Mark(
                    kind=kind,
                    of=of_names[source],
                    value=names[code],
                    ref=refs.get(names[code]) if kind == "settings" else None,
                    n_before=before,
                    n_after=after,
                    share_before=_share(before, n[0]),
                    share_after=_share(after, n[1]),
                    first_at=times[0],
                    last_at=times[1],
                )
            )
    return sorted(marks, key=lambda one: (one.of, one.first_at, one.value))


def _by_settings(found: Retrievals, refs: Mapping[str, str]) -> tuple[Ints, list[str]]:
    """Return source and settings of each retrieval as one, and what each such pair is called."""
    settings, sources = found.names["settings"], found.names["source"]
    pairs = np.where((found.source >= 0) & (found.settings >= 0), found.source * len(settings) + found.settings, -1)
    return pairs, [f"{source} by {refs.get(one, one)}" for source in sources for one in settings]


def _share(n: int, whole: int) -> float | None:
    return n / whole if whole else None


def models(called: Sequence[Call]) -> list[Mark]:
    """Return what models called themselves: a fingerprint where one that was asked for says one, else its name."""
    by_asked: dict[tuple[str, str], list[Call]] = defaultdict(list)
    for one in called:
        by_asked[one.kind, one.asked].append(one)
    marks = []
    for (kind, asked), ones in by_asked.items():
        said = [one for one in ones if one.mark is not None]
        # an answer that did not come has no fingerprint, and is no other model
        told = said if said and sum(one.n_before for one in said) and sum(one.n_after for one in said) else ones
        total = [sum(one.n_before for one in told), sum(one.n_after for one in told)]
        for one in told:
            value = one.model if one.mark is None or told is ones else f"{one.model} ({one.mark})"
            marks.append(
                Mark(
                    kind="embedder" if kind == "embedding" else "model",
                    of=asked,
                    value=value,
                    ref=None,
                    n_before=one.n_before,
                    n_after=one.n_after,
                    share_before=_share(one.n_before, total[0]),
                    share_after=_share(one.n_after, total[1]),
                    first_at=one.first_at,
                    last_at=one.last_at,
                )
            )
    return _merged(marks)


def _merged(marks: Iterable[Mark]) -> list[Mark]:
    """Return marks with one for each value: a model that says its fingerprint at times is one."""
    found: dict[tuple[str, str, str], Mark] = {}
    for one in marks:
        key = (one.kind, one.of, one.value)
        other = found.get(key)
        found[key] = one if other is None else _both(one, other)
    return list(found.values())


def _both(one: Mark, other: Mark) -> Mark:
    return replace(
        one,
        n_before=one.n_before + other.n_before,
        n_after=one.n_after + other.n_after,
        share_before=_sum(one.share_before, other.share_before),
        share_after=_sum(one.share_after, other.share_after),
        first_at=min(one.first_at, other.first_at),
        last_at=max(one.last_at, other.last_at),
    )


def _sum(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one + other


def changed_fingerprints(marks: Sequence[Mark], kind: CauseKind) -> list[Cause]:
    """Return what fingerprints say, source by source.

    One that was not there before is a change, however few have it; so is a share that moved enough, and by more than
    chance does; and so is a source that is too frequent to be new by chance.
    """
    causes = []
    by_source = _by_source(marks)
    for of, ones in by_source.items():
        where = f" of {of}" if len(by_source) > 1 or ones[0].kind == "chunker" else ""
        cause = _fresh(ones, kind, where) or _moved(ones, kind, where)
        if cause is not None:
            causes.append(cause)
    if marks and marks[0].kind == "settings":
        causes += _new_sources(marks, kind, "is searched", "retrievals")
    return causes


def _fresh(ones: Sequence[Mark], kind: CauseKind, where: str) -> Cause | None:
    fresh = [one for one in ones if one.n_after and not one.n_before]
    if not fresh or not _n(ones)[0]:
        return None  # a source that says it now alone: there is nothing to compare with
    at = min(one.first_at for one in fresh)
    names = ", ".join(one.name for one in fresh)
    old = max(ones, key=lambda one: one.n_before)
    part, total = _n(fresh)[1], _n(ones)[1]
    on = "" if part == total else f", on {part:,} of {total:,}"
    words = f"{_WORDS[old.kind]}{where} changed: {old.name} -> {names}, first seen {_time(at)}{on}"
    return Cause(kind=kind, at=at, words=words)


def _moved(ones: Sequence[Mark], kind: CauseKind, where: str) -> Cause | None:
    """Return the fingerprint whose share has grown most, where it moved enough and chance does not do as much."""
    from lmops.calc.unpaired import newcombe

    totals, grown = _n(ones), []
    for one in ones:
        gap = (one.share_after or 0.0) - (one.share_before or 0.0)
        low, _ = newcombe(one.n_after, totals[1], one.n_before, totals[0], 1 - ALPHA)
        if gap >= LEAST and low > 0:
            grown.append((gap, one))
    if not grown:
        return None
    most = max(grown, key=lambda pair: pair[0])[1]
    shares = f"{share(most.share_after)} of retrievals, {share(most.share_before)} before"
    return Cause(kind=kind, words=f"{_WORDS[most.kind]}{where} changed: {most.name} on {shares}")


def changed_models(marks: Sequence[Mark]) -> list[Cause]:
    """Return what models say of themselves: one is new when it took over, or is too frequent to be new by chance."""
    causes = []
    for ones in _by_source(marks).values():
        before, after = _n(ones)
        if not before or not after:
            continue
        for one in ones:
            later = sum(other.n_after for other in ones if other.last_at >= one.first_at)
            is_new = one.n_after and not one.n_before
            if is_new and (one.n_after >= _TOOK_OVER * later or (1 - one.n_after / after) ** before <= ALPHA):
                old = max(ones, key=lambda other: other.n_before)
                words = f"{_WORDS[one.kind]} changed: {old.value} -> {one.value}, first seen {_time(one.first_at)}"
                causes.append(Cause(kind="model", at=one.first_at, words=words))
    for kind in ("model", "embedder"):
        ones = [one for one in marks if one.kind == kind]
        causes += _new_sources(ones, "model", "is asked", "calls")
    return causes


def _new_sources(marks: Sequence[Mark], kind: CauseKind, verb: str, things: str) -> list[Cause]:
    """Return the sources, or models, that are asked now and were not, where that is no chance."""
    before, after = _n(marks)
    causes = []
    for of, ones in _by_source(marks).items():
        was, n = _n(ones)
        if before and n and not was and (1 - n / after) ** before <= ALPHA:
            at = min(one.first_at for one in ones)
            name = of if kind == "model" else f"{of} with {', '.join(one.name for one in ones)}"
            what = _WORDS[ones[0].kind]
            words = f"{what} changed: {name} {verb}, first seen {_time(at)}, on {n:,} of {after:,} {things}"
            causes.append(Cause(kind=kind, at=at, words=words))
    return causes


def _n(ones: Sequence[Mark]) -> tuple[int, int]:
    return sum(one.n_before for one in ones), sum(one.n_after for one in ones)


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"


def _by_source(marks: Sequence[Mark]) -> dict[str, list[Mark]]:
    found: dict[str, list[Mark]] = defaultdict(list)
    for one in marks:
        found[one.of].append(one)
    return found
