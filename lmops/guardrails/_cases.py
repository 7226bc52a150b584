"""What a data set says of its texts: whether there is something to be found, of which kind, where, in which slices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lmops.errors import UsageError
from lmops.text import plain_line

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from lmops.datasets import Example

#: What is written where there is nothing to be found, and where there is something without a name.
_ORDINARY: Final = frozenset({"", "0", "false", "no", "none", "benign", "safe", "ok", "clean", "allow", "pass"})
_NAMELESS: Final = frozenset({"1", "true", "yes"})
ATTACK: Final = "attack"
_LENGTHS: Final = ((200, "< 200"), (1_000, "200 to 1,000"), (float("inf"), "> 1,000"))
#: Columns of the metadata that are slices, by what they are called there.
_NAMED: Final = {"language": "language", "lang": "language", "kind": "kind", "category": "kind", "type": "kind"}


class Span(NamedTuple):
    """Where something is, and of which kind."""

    start: int
    end: int
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One text and what is known of it.

    Args:
        example_id: Of its example.
        text: What a rail reads.
        context: What it is given beside it.
        is_attack: Whether there is something to be found; None where nobody knows.
        kinds: Of what is to be found.
        spans: Where it is; None where only the text as a whole is known.
        slices: Pairs of what it is sliced by and its value.
        cluster: What it belongs to.
    """

    example_id: str
    text: str = field(repr=False)
    context: Mapping[str, Any] = field(default_factory=dict, repr=False)
    is_attack: bool | None
    kinds: tuple[str, ...] = ()
    spans: tuple[Span, ...] | None = None
    slices: tuple[tuple[str, str], ...] = ()
    cluster: str | None = None


def cases_of(examples: Iterable[Example], kinds: Collection[str] | None = None) -> list[Case]:
    """Return the texts of a data set.

    Args:
        examples: Its examples: the text is ``input`` (or its ``text``, with the context beside it); ``expected`` says
            what is there: "benign" or 0, a kind such as "override" or 1, a list of kinds, or a list of spans with
            start, end and kind.
        kinds: What is to be found; a text that holds other things only is left out. None: everything.

    Raises:
        UsageError: An example has no text, or nobody can tell what its ``expected`` says.
    """
    found = [_case(one) for one in examples]
    return found if kinds is None else [_narrowed(one, frozenset(kinds)) for one in found]


def _case(example: Example) -> Case:
    text, context = _given(example)
    is_attack, kinds, spans = _truth(example)
    for span in spans or ():
        if not 0 <= span.start <= span.end <= len(text):
            raise UsageError(
                f"example {plain_line(example.example_id, 60)!r}: the span {span.start} to {span.end} is not within "
                f"its text of {len(text):,} characters"
            )
    pairs = [pair for pair in _sliced(example) if pair[0] != "kind" or not kinds]
    pairs += [("length", next(name for most, name in _LENGTHS if len(text) <= most)), *(("kind", one) for one in kinds)]
    return Case(
        example_id=example.example_id,
        text=text,
        context=context,
        is_attack=is_attack,
        kinds=kinds,
        spans=spans,
        slices=tuple(dict.fromkeys(pairs)),
        cluster=example.cluster,
    )


def _given(example: Example) -> tuple[str, Mapping[str, Any]]:
    given = example.input
    beside: dict[str, Any] = {} if example.documents is None else {"documents": example.documents}
    if isinstance(given, Mapping) and isinstance(given.get("text"), str):
        return given["text"], {**beside, **{name: value for name, value in given.items() if name != "text"}}
    if isinstance(given, str):
        return given, beside
    raise UsageError(
        f"example {plain_line(example.example_id, 60)!r} has no text: give input='...', or input={{'text': '...'}} "
        "with the context beside it"
    )


def _truth(example: Example) -> tuple[bool | None, tuple[str, ...], tuple[Span, ...] | None]:
    said = example.expected
    if said is None:
        return None, (), None
    if isinstance(said, Mapping):
        said = said.get("spans", said.get("kind", said.get("label")))
    if isinstance(said, bool | int | float | str):
        word = str(said).strip()
        plain = word.lower().removesuffix(".0")
        kinds = () if plain in _ORDINARY else (ATTACK if plain in _NAMELESS else word,)
        return bool(kinds), kinds, None
    if isinstance(said, list):
        if all(isinstance(one, str) for one in said):
            return bool(said), tuple(dict.fromkeys(said)), () if not said else None
        spans = tuple(_span(example, one) for one in said)
        return bool(spans), tuple(dict.fromkeys(one.kind for one in spans)), spans
    raise UsageError(
        f"example {plain_line(example.example_id, 60)!r}: expected is {plain_line(example.expected, 60)!r}; say "
        "'benign', a kind such as 'override', a list of kinds, or a list of spans {'start', 'end', 'kind'}"
    )


def _span(example: Example, given: object) -> Span:
    if isinstance(given, Mapping):
        kind = given.get("kind", given.get("type", ATTACK))
        if isinstance(start := given.get("start"), int) and isinstance(end := given.get("end"), int):
            return Span(start, end, str(kind))
    raise UsageError(
        f"example {plain_line(example.example_id, 60)!r}: {plain_line(given, 60)!r} is no span; give start, end, kind"
    )


def _sliced(example: Example) -> Iterable[tuple[str, str]]:
    """Yield what an example is sliced by: named columns of its metadata, and tags, "name:value" or a word."""
    for name, value in example.metadata.items():
        if name in _NAMED and isinstance(value, str | int):
            yield _NAMED[name], plain_line(value, 60)
    for tag in example.tags:
        name, colon, value = tag.partition(":")
        yield (plain_line(name, 30), plain_line(value, 60)) if colon and value else ("tag", plain_line(tag, 60))


def _narrowed(case: Case, kinds: frozenset[str]) -> Case:
    """Return a text of which only some kinds are looked for; of nothing but others nobody knows what is right."""
    if not case.is_attack:
        return case
    kept = tuple(kind for kind in case.kinds if kind in kinds)
    spans = None if case.spans is None else tuple(one for one in case.spans if one.kind in kinds)
    return replace(case, kinds=kept, spans=spans, is_attack=True if kept else None)


def clusters_of(cases: Sequence[Case]) -> list[object] | None:
    """Return what each text belongs to, one of no cluster to itself; None where all are independent."""
    if all(one.cluster is None for one in cases):
        return None
    return [("text", place) if one.cluster is None else ("cluster", one.cluster) for place, one in enumerate(cases)]
