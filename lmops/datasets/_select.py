"""Selections of a version's examples, by rules and by draws that repeat."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, Final

from lmops.datasets._content import dumps
from lmops.datasets._example import NAMED
from lmops.errors import NotFoundError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import pandas as pd

    from lmops.datasets._example import Example

_MOST_COMPARED: Final = 20_000
_BLOCK: Final = 512
_WORD: Final = re.compile(r"\w+")


def filtered(
    examples: Sequence[Example],
    ref: str,
    *,
    where: Callable[[Example], bool] | None,
    split: str | Sequence[str] | None,
    tags: str | Sequence[str] | None,
    ids: Iterable[str] | None,
) -> tuple[list[Example], str]:
    """Return the examples of a version (``ref``) that satisfy everything, and what that was in words."""
    found, said = list(examples), []
    if split is not None:
        splits = [split] if isinstance(split, str) else list(split)
        known = sorted({example.split for example in found if example.split})
        for one in splits:
            if one not in known:
                raise NotFoundError.of(f"split of {ref}", one, known)
        found = [example for example in found if example.split in splits]
        said.append(f"split={'|'.join(splits)}")
    if tags is not None:
        wanted = [tags] if isinstance(tags, str) else list(tags)
        known = sorted({tag for example in found for tag in example.tags})
        for one in wanted:
            if one not in known:
                raise NotFoundError.of(f"tag of {ref}", one, known)
        found = [example for example in found if set(wanted) <= set(example.tags)]
        said.append(f"tags={'+'.join(wanted)}")
    if ids is not None:
        chosen = set([ids] if isinstance(ids, str) else ids)
        there = {example.example_id for example in found}
        for one in sorted(chosen - there):
            raise NotFoundError.of(f"example of {ref}", one, [example.example_id for example in examples[:NAMED]])
        found = [example for example in found if example.example_id in chosen]
        said.append(f"{len(chosen)} ids")
    if where is not None:
        found = [example for example in found if where(example)]
        said.append(f"where={getattr(where, '__name__', 'condition')}")
    return found, ", ".join(said) or "all"


def sampled(examples: Sequence[Example], n: int, *, seed: int) -> tuple[list[Example], str]:
    """Return ``n`` examples in their order, and what that is in words."""
    if n < 0:
        raise UsageError(f"sample({n}): draw 0 or more examples")
    drawn = {example.example_id for example in _shuffled(examples, seed)[:n]}
    return [example for example in examples if example.example_id in drawn], f"sample of {n}, seed {seed}"


def stratified(examples: Sequence[Example], ref: str, n: int, *, by: str, seed: int) -> tuple[list[Example], str]:
    """Return ``n`` examples with each stratum in proportion (largest remainders), in their order."""
    if n < 0:
        raise UsageError(f"stratified({n}): draw 0 or more examples")
    strata: dict[str, list[Example]] = defaultdict(list)
    for example in examples:
        strata[str(stratum(example, by))].append(example)
    if set(strata) == {"None"} and examples:
        known = {key for example in examples for key in example.metadata}
        raise NotFoundError.of(f"field or metadata of {ref}", by, {"split", "cluster", *known})
    shares = _apportioned({name: len(found) for name, found in strata.items()}, min(n, len(examples)))
    drawn = {example.example_id for name, found in strata.items() for example in _shuffled(found, seed)[: shares[name]]}
    chosen = [example for example in examples if example.example_id in drawn]
    return chosen, f"stratified sample of {n} by {by}, seed {seed}"


def stratum(example: Example, by: str) -> Any:
    """Return the value of a field or of a key of the metadata."""
    if by in ("split", "cluster", "tags", "trace_id"):
        return getattr(example, by)
    return example.metadata.get(by)


def split_names(
    examples: Sequence[Example], shares: Mapping[str, float], *, by: str | None, seed: int
) -> dict[str, str]:
    """Return a split for each example id, whole clusters together; who is where does not depend on who else is there.

    Args:
        examples: The examples.
        shares: Share of each split; they add up to 1.
        by: What must not be divided: "cluster" or a key of the metadata; an example without it stands alone.
        seed: Another seed, another assignment.
    """
    total = sum(shares.values())
    if not shares or any(share < 0 for share in shares.values()) or abs(total - 1) > 1e-6:
        raise UsageError(f"the shares of the splits add up to {total:g}: give shares that add up to 1")
    found = {}
    for example in examples:
        group = stratum(example, by) if by else None
        place = _place(f"g:{group}" if group is not None else f"e:{example.example_id}", seed)
        upto = 0.0
        for name, share in shares.items():
            upto += share
            found[example.example_id] = name
            if place < upto:
                break
    return found


def _shuffled(examples: Sequence[Example], seed: int) -> list[Example]:
    return sorted(examples, key=lambda example: _place(example.example_id, seed))


def _place(text: str, seed: int) -> float:
    """Return a number in 0..1 that follows from a text and a seed."""
    digest = hashlib.sha256(f"{seed}|{text}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8]) / 2**64


def _apportioned(sizes: Mapping[str, int], n: int) -> dict[str, int]:
    total = sum(sizes.values()) or 1
    exact = {name: n * size / total for name, size in sizes.items()}
    given = {name: int(share) for name, share in exact.items()}
    rest = sorted(exact, key=lambda name: (given[name] - exact[name], name))
    for name in rest[: n - sum(given.values())]:
        given[name] += 1
    return given


def near_duplicates(examples: Sequence[Example], *, threshold: float) -> pd.DataFrame:
    """Return pairs of examples whose inputs are nearly the same, most alike first."""
    from lmops.base.frames import Frame

    if not 0.5 <= threshold <= 1:
        raise UsageError(f"threshold={threshold}: give a similarity from 0.5 to 1")
    if len(examples) > _MOST_COMPARED:
        raise UsageError(
            f"{len(examples):,} examples are too many to compare each with each: "
            f"filter() or sample() at most {_MOST_COMPARED:,} of them"
        )
    texts = [_folded(example.input) for example in examples]
    found = [
        {
            "similarity": round(similarity, 4),
            "a": examples[one].example_id,
            "b": examples[other].example_id,
            "input_a": examples[one].input,
            "input_b": examples[other].input,
        }
        for one, other, similarity in _alike(texts, threshold)
    ]
    frame = Frame(found, columns=["similarity", "a", "b", "input_a", "input_b"])
    return frame.sort_values("similarity", ascending=False, kind="stable", ignore_index=True)


def _alike(texts: Sequence[str], threshold: float) -> Iterable[tuple[int, int, float]]:
    """Yield (place, later place, similarity) of the texts that are alike."""
    import numpy as np
    from rapidfuzz import fuzz, process

    order = sorted(range(len(texts)), key=lambda place: len(texts[place]))
    lengths = [len(texts[place]) for place in order]
    for at in range(0, len(order), _BLOCK):
        block = order[at : at + _BLOCK]
        # Texts that differ this much in length cannot be alike: 2 * shorter / (shorter + longer) < threshold.
        longest = lengths[at + len(block) - 1] * (2 - threshold) / threshold
        end = int(np.searchsorted(lengths, longest, side="right"))
        others = order[at:end]
        scores = process.cdist(
            [texts[place] for place in block],
            [texts[place] for place in others],
            scorer=fuzz.ratio,
            score_cutoff=100 * threshold,
            dtype=np.float32,
        )
        for row, column in zip(*np.nonzero(scores), strict=True):
            if column > row:
                one, other = sorted((block[row], others[column]))
                yield one, other, float(scores[row, column]) / 100


def _folded(value: Any) -> str:
    text = value if isinstance(value, str) else dumps(value, "an input").decode()
    return " ".join(_WORD.findall(unicodedata.normalize("NFKC", text).casefold())) or text


def repeated(keys: Sequence[bytes | str], ids: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """Return the groups of ids that share a key."""
    many = {key for key, times in Counter(keys).items() if times > 1}
    groups: dict[bytes | str, list[str]] = {}
    for key, name in zip(keys, ids, strict=True):
        if key in many:
            groups.setdefault(key, []).append(name)
    return tuple(tuple(group) for group in groups.values())
