"""The golden questions: those of a data set that name which documents answer them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lmops.errors import NotFoundError
from lmops.retrieval.relevance import judgements_in

if TYPE_CHECKING:
    from lmops.retrieval.hosting import Host

#: The data set that is meant where none is named.
USUAL: Final = "golden"
_QUESTION: Final = ("question", "query", "input", "prompt", "message", "text")


class Golden(NamedTuple):
    """A question with its relevant documents, and what it goes together with."""

    text: str
    relevant: frozenset[str]
    cluster: str


def golden_of(host: Host, name: str | None) -> tuple[str | None, list[Golden]]:
    """Return the data set with the golden questions, and those; (None, []) where none is named and there is none.

    Args:
        host: The workspace.
        name: Of the data set, such as "golden" or "golden@2"; None: ``golden``, where there is one.

    Raises:
        NotFoundError: There is none of this name.
        UsageError: A judgement in it is none.
    """
    try:
        found = host.datasets.get(name or USUAL)
    except NotFoundError:
        if name is not None:
            raise
        return None, []
    rows = []
    for example in found.examples:
        where = f"query {example.example_id!r:.60} of {found.ref}"
        text, relevant = question_of(example.input), _relevant(example.metadata, where)
        if text and relevant:
            rows.append(Golden(text, relevant, str(example.cluster or example.example_id)))
    return str(found.ref), rows


def question_of(given: Any) -> str | None:
    """Return what an input asks: a text, or the first of its usual names that has one."""
    if isinstance(given, str):
        return given
    if isinstance(given, dict):
        return next((given[name] for name in _QUESTION if isinstance(given.get(name), str) and given[name]), None)
    return None


def _relevant(metadata: Any, where: str) -> frozenset[str]:
    """Return the documents that answer a question.

    A judgement of a span is one of its document: spans of traces say no more than which chunk of it was found.
    """
    judgements = judgements_in(metadata, where) if isinstance(metadata, dict) else ()
    return frozenset(one.document for one in judgements if one.grade > 0)
