"""Suggested failure modes: notes that say alike things, grouped by their words or by vectors that somebody gives."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from lmops.errors import UsageError
from lmops.feedback._failure_records import SuggestedMode, Suggestions
from lmops.text import plain_line

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lmops.calc.arrays import Floats

#: A note alone is no group.
_LEAST: Final = 2
_SHOWN: Final = 3
_NAME: Final = 60


def suggested(
    queue: str,
    notes: Sequence[str],
    words: Sequence[str],
    *,
    others: Sequence[str],
    embed: Callable[[list[str]], Any] | None,
    n: int | None,
    by: str,
) -> Suggestions:
    """Return groups of notes; see :meth:`lmops.feedback.Themes.suggest`.

    Args:
        queue: Of the notes.
        notes: Their ids.
        words: What they say.
        others: What the notes say that are sorted already: a name tells a group from them as well.
        embed: From texts to vectors; None compares their words.
        n: How many groups; by their silhouettes by default.
        by: How they are compared, in words.
    """
    from lmops.calc.clusters import MOST, group, telling, text_cosines

    ids, texts = list(notes[:MOST]), list(words[:MOST])
    if n is not None and not 1 <= n <= len(ids):
        raise UsageError(f"n={n}: there are {len(ids):,} notes in no mode; give a number of groups from 1 on to that")
    near = _near(embed(texts), len(texts)) if embed is not None and texts else text_cosines(texts)
    found = group(near, count=n)
    members = [[at for at, label in enumerate(found.labels) if label == one] for one in range(found.count)]
    modes, left = [], 0
    for some in members:
        if len(some) < _LEAST:
            left += len(some)
            continue
        inside, ours = [texts[at] for at in some], set(some)
        told = telling(inside, [*others, *(text for at, text in enumerate(texts) if at not in ours)])
        name = ", ".join(told) or plain_line(inside[0], _NAME)
        shown = tuple(plain_line(text, 300) for text in inside[:_SHOWN])
        modes.append(SuggestedMode(name=name, notes=tuple(ids[at] for at in some), words=shown))
    width = None if math.isnan(found.silhouette) else found.silhouette
    omitted = len(notes) - len(ids)
    return Suggestions(queue=queue, modes=tuple(modes), by=by, silhouette=width, left=left, omitted=omitted)


def _near(found: Any, count: int) -> Floats:
    """Return the cosines of the vectors that a model made of texts."""
    from lmops.calc.clusters import cosines

    try:
        vectors = [[float(one) for one in vector] for vector in getattr(found, "vectors", found)]
        near = cosines(vectors)
    except (TypeError, ValueError) as error:
        raise UsageError(f"the model's vectors cannot be compared: {plain_line(error, 200)}") from error
    if len(vectors) != count:
        raise UsageError(f"{count:,} notes were embedded and {len(vectors):,} vectors came back")
    return near
