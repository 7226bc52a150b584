"""How near the meanings of two texts are, by any embedding model."""

from __future__ import annotations

import inspect
import math
from typing import TYPE_CHECKING, Any

from lmops.errors import UsageError
from lmops.scorers._normalise import as_text
from lmops.scorers._records import Score
from lmops.scorers._registry import scorer_factory

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@scorer_factory(range=(-1, 1))
def semantic_similarity(model: str | Callable[[list[str]], Any]) -> Callable[..., Any]:
    """The cosine of the embeddings of the output and the expected value, the greatest when several are given.

    What is near depends on the model: compare versions with it, do not read it as a share of anything.

    Args:
        model: An embedding model of ``ws.models`` such as "openai:text-embedding-3-small", or a function (async or not)
            that takes a list of texts and returns a vector for each.
    """
    if not isinstance(model, str) and not callable(model):
        raise UsageError("semantic_similarity takes the name of an embedding model or a function texts -> vectors")

    async def score(output: Any, expected: Any, embed: Any = None) -> Score:
        answers = expected if isinstance(expected, list | tuple) and expected else [expected]
        texts = [as_text(output), *map(as_text, answers)]
        if not all(text.strip() for text in texts):
            return Score.unmeasured("a text is empty: it has no meaning to compare")
        if isinstance(model, str):
            if embed is None:
                return Score.unmeasured("there is no way to call an embedding model: run it with ws.evals.run")
            found = await embed(model, texts)
        else:
            found = model(texts)
            found = await found if inspect.isawaitable(found) else found
        vectors = [list(map(float, vector)) for vector in getattr(found, "vectors", found)]
        if len(vectors) != len(texts):
            return Score.failed(f"{len(texts)} texts were embedded and {len(vectors)} vectors came back")
        return Score.of(max(cosine(vectors[0], vector) for vector in vectors[1:]))

    return score


def cosine(one: Sequence[float], other: Sequence[float]) -> float:
    """Return the cosine of two vectors; NaN when one has no length or they have different dimensions."""
    if len(one) != len(other):
        return math.nan
    length = math.sqrt(math.fsum(x * x for x in one)) * math.sqrt(math.fsum(x * x for x in other))
    if not length:
        return math.nan
    return max(-1.0, min(1.0, math.fsum(x * y for x, y in zip(one, other, strict=True)) / length))
