"""Stamps: which settings and which documents found something, on the spans of whatever store an application has."""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import orjson

from lmops.base.endings import Logged
from lmops.errors import UsageError
from lmops.retrieval.contract import Hit, Ranking
from lmops.retrieval.probing import hashes_of, mark_of
from lmops.text import plain_line
from lmops.traces import trace

if TYPE_CHECKING:
    from types import TracebackType

    from opentelemetry.trace import Span

    from lmops.retrieval.settings import Settings

F = TypeVar("F", bound=Callable[..., Any])

#: So much of a query and of a document stands on a span.
_MOST: Final = 8_000
_MOST_DOCUMENTS: Final = 1_000
#: What the argument of a search function with the query is called, else it is the first text.
_QUERIES: Final = ("query", "question", "text", "q")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """What stands on a span that retrieves.

    Args:
        settings: The version, such as docs@3.
        index_fingerprint: Of the settings.
        k: Chunks that a query finds.
        corpus_fingerprint: Of the documents; None where it is not known.
        chunks: How many the index has; None where it is not known.
        probe: How the chunker cuts the texts of the probe here: it moves when a library cuts otherwise.
    """

    settings: str
    index_fingerprint: str
    k: int
    corpus_fingerprint: str | None = None
    chunks: int | None = None
    probe: str | None = None

    @property
    def attributes(self) -> dict[str, str | int]:
        """The attributes: the columns and the view ``retrievals`` read them."""
        found = {
            "lmops.index.fingerprint": self.index_fingerprint,
            "lmops.index.settings": self.settings,
            "lmops.corpus.fingerprint": self.corpus_fingerprint,
            "lmops.index.chunks": self.chunks,
            "lmops.index.probe": self.probe,
        }
        return {name: value for name, value in found.items() if value is not None}

    def put(self) -> None:
        """Put it on the current span; where an application is not traced nothing happens."""
        from opentelemetry import trace as otel_trace

        otel_trace.get_current_span().set_attributes(self.attributes)


def stamp_of(settings: Settings, *, corpus: str | None, chunks: int | None) -> Stamp:
    """Return the stamp of settings.

    Args:
        settings: The version.
        corpus: Fingerprint of the documents.
        chunks: How many the index has.

    Raises:
        UsageError: The fingerprint is no text, or the number none.
    """
    if corpus is not None and not corpus.strip():
        raise UsageError("corpus='': give the fingerprint of the documents: lmops.retrieval.corpus_fingerprint(...)")
    if chunks is not None and chunks < 0:
        raise UsageError(f"chunks={chunks}: give how many chunks the index has")
    return Stamp(
        settings=settings.ref,
        index_fingerprint=settings.fingerprint,
        k=settings.k,
        corpus_fingerprint=corpus,
        chunks=chunks,
        probe=mark_of(hashes_of(asdict(settings.chunker))),
    )


class Found:
    """The span of one search, inside of its ``with`` block.

    Args:
        span: The span.
        documents: Turns what a search returned into a list of documents.
        content: Record their texts.
    """

    def __init__(self, span: Span, *, documents: Callable[[Any], Iterable[Any]] | None, content: bool) -> None:
        self._span = span
        self._documents = documents
        self._content = content

    def found(self, result: Any) -> None:
        """Record what was found, best first; what cannot be read is logged, and the search goes on.

        Args:
            result: Documents as ids, (id, score), (id, score, text), mappings with id, score, content, metadata, or a
                ranking; of another form where ``documents`` was given.
        """
        if self._span.is_recording():
            with Logged(_log, "what a search found is not on its span"):
                items = result if self._documents is None else self._documents(result)
                rows = [_row(one, content=self._content) for one in _items(items)[:_MOST_DOCUMENTS]]
                text = orjson.dumps(rows, default=str, option=orjson.OPT_SERIALIZE_NUMPY).decode()
                self._span.set_attributes({"gen_ai.retrieval.documents": text, "lmops.retrieval.found": len(rows)})


class Recorder:
    """Records searches as retriever spans with their stamp: decorates a search function, or opens a ``with`` block.

    Made by ``ws.retrieval.record``.

    Args:
        stamp: What stands on each span.
        name: Of the spans.
        documents: Turns what a search returned into a list of documents.
        content: Record their texts.
    """

    def __init__(
        self, stamp: Stamp, *, name: str, documents: Callable[[Any], Iterable[Any]] | None, content: bool
    ) -> None:
        self.stamp = stamp
        self._name = name
        self._documents = documents
        self._content = content

    def __repr__(self) -> str:
        return f"<Recorder of {self.stamp.settings}, {self.stamp.index_fingerprint}>"

    def __call__(self, function: F, /) -> F:
        """Return a search function, or a coroutine of one, whose calls are recorded; its result is not touched.

        Args:
            function: Its argument query, question, text or q, else its first text, is the query; k, limit, top_k or
                n_results, where it has one, is how many are asked for.

        Raises:
            UsageError: It is no function.
        """
        if inspect.isclass(function) or not callable(function):
            raise UsageError(f"record decorates search functions, not {plain_line(repr(function), 80)}")
        signature = inspect.signature(function)

        def asked(args: Sequence[Any], options: Mapping[str, Any]) -> tuple[str | None, int | None]:
            try:
                bound = signature.bind(*args, **options)
            except TypeError:  # the call itself says what is wrong
                return None, None
            given = dict(bound.arguments)
            bound.apply_defaults()
            texts = [given[name] for name in _QUERIES if isinstance(given.get(name), str)]
            texts += [one for one in given.values() if isinstance(one, str)]
            numbers = [bound.arguments.get(name) for name in ("k", "limit", "top_k", "n_results")]
            k = next((one for one in numbers if isinstance(one, int)), None)
            return next(iter(texts), None), k

        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def awaited(*args: Any, **options: Any) -> Any:
                query, k = asked(args, options)
                with self.search(query, k=k) as span:
                    result = await function(*args, **options)
                    span.found(result)
                return result

            return cast("F", awaited)

        @functools.wraps(function)
        def called(*args: Any, **options: Any) -> Any:
            query, k = asked(args, options)
            with self.search(query, k=k) as span:
                result = function(*args, **options)
                span.found(result)
            return result

        return cast("F", called)

    def search(self, query: str | None, *, k: int | None = None) -> Search:
        """Return the ``with`` block of one search: ``with recorder.search(query) as span: span.found(rows)``.

        Args:
            query: What is asked; None where it is no text.
            k: How many are asked for; as many as the settings say by default.
        """
        return Search(self, query, self.stamp.k if k is None else k)

    def opened(self, span: Span, query: str | None, k: int) -> Found:
        """Return what records on a span that was opened, with the stamp on it."""
        if span.is_recording():
            told = self.stamp.attributes | {"gen_ai.retrieval.top_k": k}
            span.set_attributes(told if query is None else told | {"gen_ai.retrieval.query.text": _text(query)})
        return Found(span, documents=self._documents, content=self._content)

    @property
    def name(self) -> str:
        """Of its spans."""
        return self._name


class Search:
    """One search as a ``with`` block.

    Args:
        recorder: What records it.
        query: What is asked.
        k: How many are asked for.
    """

    def __init__(self, recorder: Recorder, query: str | None, k: int) -> None:
        self._recorder = recorder
        self._query = query
        self._k = k
        self._block = trace(recorder.name, kind="retriever")

    def __enter__(self) -> Found:
        return self._recorder.opened(self._block.__enter__(), self._query, self._k)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self._block.__exit__(kind, error, trace)


def _items(found: Any) -> list[Any]:
    if isinstance(found, Ranking):
        return [*found.hits]
    if found is None:
        return []
    if hasattr(found, "columns") and hasattr(found, "to_dict"):  # a frame
        return [*found.to_dict("records")]
    if isinstance(found, str | bytes | Mapping) or not isinstance(found, Iterable):
        raise UsageError(
            f"{plain_line(repr(found), 80)} is no list of documents: documents=lambda found: [(id, score, text), ...]"
        )
    return [*found]


def _row(one: Any, *, content: bool) -> dict[str, Any]:
    """Return a document as a span has it."""
    row: dict[str, Any]
    match one:
        case Hit():
            row = {"id": one.chunk.id, "score": float(one.score), "content": one.chunk.text}
        case str() | int():
            row = {"id": str(one)}
        case Mapping():
            row = {name: one[name] for name in ("id", "score", "content", "metadata") if one.get(name) is not None}
        case (identity, score):
            row = {"id": str(identity), "score": _score(score)}
        case (identity, score, text):
            row = {"id": str(identity), "score": _score(score), "content": text}
        case _:
            raise UsageError(
                f"{plain_line(repr(one), 80)} is no document: give (id, score), (id, score, text) or a mapping with id"
            )
    if not content:
        row.pop("content", None)
    return {name: _text(value) if isinstance(value, str) else value for name, value in row.items()}


def _text(given: str) -> str:
    """Return a text as a span can hold it: half a character cannot be sent."""
    return given[:_MOST].encode("utf-8", "replace").decode()


def _score(given: Any) -> float | None:
    return None if given is None else float(given)
