"""Whether what somebody says can be settings: each part is checked by itself, and what is left out is filled in."""

from __future__ import annotations

import functools
import importlib.metadata
import json
import math
import numbers
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any, Final

from lmops.errors import UsageError, did_you_mean
from lmops.retrieval.fingerprints import plain_numbers
from lmops.retrieval.settings import PARTS, Chunker, Embedder
from lmops.text import plain_line

#: What settings may say.
SAID: Final = PARTS
CHUNKERS: Final = ("sentences", "words", "whole", "semantic-text-splitter")
CLEANERS: Final = ("none", "whitespace", "markdown")
KINDS: Final = ("bm25", "exact", "hybrid", "usearch")
UNITS: Final = ("characters", "words", "tokens")
#: How a reranker is asked: as a chat model, or under ``/rerank``.
FORMS: Final = ("chat", "api")
FUSIONS: Final[Mapping[str, Mapping[str, float]]] = {"rrf": {"k": 60}, "weighted": {"weight": 0.5}}
#: Kinds of index -> what their params say unless somebody says otherwise.
PARAMS: Final[Mapping[str, Mapping[str, Any]]] = {
    "bm25": {"k1": 1.2, "b": 0.75, "language": "en"},
    "exact": {},
    "hybrid": {"k1": 1.2, "b": 0.75, "language": "en"},
    "usearch": {"connectivity": 16, "expansion_add": 128, "expansion_search": 64},
}
_LIBRARIES: Final = {"bm25": "bm25s", "hybrid": "bm25s", "usearch": "usearch", "wordllama": "wordllama"}
#: Numbers in the vectors of models that are known.
_DIMS: Final = {
    "standin:embed-1": 256,
    "openai:text-embedding-3-small": 1536,
    "openai:text-embedding-3-large": 3072,
    "openai:text-embedding-ada-002": 1536,
}
#: Families of models that were trained with words before each text, and the words.
_PREFIXES: Final = (
    (re.compile(r"(?:^|[^a-z0-9])e5(?:[^a-z0-9]|$)"), "query: ", "passage: "),
    (re.compile(r"nomic-embed"), "search_query: ", "search_document: "),
)
_FOREIGN: Final = re.compile(r"[A-Za-z0-9][\w.-]{0,99}:[^\s:][^\n]{0,199}")
_MOST: Final = 10_000_000
_MOST_K: Final = 10_000
_BOUNDS: Final = ("at_least", "at_most")
_Scalar = str | int | float | bool
#: Begins a message with the place of a part.
Where = Callable[[str], str]


def body_of(said: Mapping[str, Any], *, where: Where = lambda part: f"{part}: ") -> dict[str, Any]:
    """Return the content of settings out of what somebody said, each part checked by itself.

    Args:
        said: Any of :data:`SAID`.
        where: Begins a message with the place.

    Raises:
        UsageError: A part cannot be used.
    """
    for name in said:
        if name not in SAID:
            raise UsageError(did_you_mean("part of settings", str(name), SAID))

    def part(name: str, read: Callable[[Any], Any]) -> Any:
        try:
            return read(said.get(name))
        except UsageError as error:
            raise UsageError(f"{where(name)}{error}") from error

    embedder = part("embedder", embedder_of)
    kind = part("kind", functools.partial(_kind, embedder=embedder))
    k = part("k", lambda given: 10 if given is None else _whole(given, "k", most=_MOST_K))
    found = {
        "chunker": part("chunker", chunker_of),
        "cleaner": part("cleaner", _cleaner),
        "embedder": embedder,
        "kind": kind,
        "index_version": part("index_version", functools.partial(_version_of, kind)),
        "params": part("params", functools.partial(_params, kind=kind)),
        "k": k,
        "filters": part("filters", filters_of),
        "fusion": part("fusion", functools.partial(_fusion, kind=kind)),
        "reranker": part("reranker", functools.partial(_reranker, k=k)),
    }
    plain: dict[str, Any] = plain_numbers(found)
    return plain


def chunker_of(given: object) -> dict[str, Any]:
    """Return a chunker out of its name, a mapping or a record, with the version of its library.

    Args:
        given: What somebody said; None: sentences of at most 800 characters.

    Raises:
        UsageError: It cannot be one.
    """
    said = _parts(given, Chunker, "name", "sentences")
    name = _named(said.get("name", "sentences"), CHUNKERS, "chunker")
    if name == "whole":
        if any(said.get(one) for one in ("overlap", "tokenizer")):
            raise UsageError("'whole' cuts nothing: it has neither overlap nor tokenizer")
        return asdict(Chunker(name=name, size=0))
    unit = said.get("unit") or ("words" if name == "words" else "characters")
    if unit not in UNITS:
        raise UsageError(did_you_mean("unit of a chunker", plain_line(unit, 60), UNITS))
    size = _whole(said.get("size", 800 if unit == "characters" else 200), "size", most=_MOST)
    overlap = _whole(said.get("overlap") or 0, "overlap", least=0, most=_MOST)
    if overlap >= size:
        raise UsageError(f"overlap={overlap}: give less than size={size}, or no chunk gets on")
    tokenizer = _text(said.get("tokenizer"), "tokenizer")
    _refuse_odd_unit(name, unit, tokenizer)
    version = _version_of(name, said.get("version"))
    made = Chunker(name=name, size=size, overlap=overlap, unit=unit, version=version, tokenizer=tokenizer)
    return asdict(made)


def _refuse_odd_unit(name: str, unit: str, tokenizer: str | None) -> None:
    if unit == "tokens" and name in ("sentences", "words"):
        raise UsageError(
            f"{name!r} counts characters or words; for tokens: {{'name': 'semantic-text-splitter', 'unit': 'tokens', "
            "'tokenizer': 'tiktoken:gpt-4o'}"
        )
    if unit == "words" and name == "semantic-text-splitter":
        raise UsageError("'semantic-text-splitter' counts characters or tokens, not words")
    if (unit == "tokens") != (tokenizer is not None):
        raise UsageError(
            "tokens of which tokenizer? tokenizer='tiktoken:gpt-4o'"
            if tokenizer is None
            else f"tokenizer={plain_line(repr(tokenizer), 80)} counts tokens: say unit='tokens'"
        )


def embedder_of(given: object) -> dict[str, Any] | None:
    """Return an embedder out of its name, a mapping or a record, with the version of its library.

    Args:
        given: What somebody said; None: no vectors.

    Raises:
        UsageError: It cannot be one, its dimension is not known, or it needs prefixes that were not said.
    """
    if given is None:
        return None
    said = _parts(given, Embedder, "model", "")
    model = _text(said.get("model"), "model")
    if model is None:
        raise UsageError("an embedder has a model: 'wordllama:256', or {'model': 'openai:...', 'dim': 1536}")
    prefixes = {name: said.get(name) for name in ("query_prefix", "document_prefix")}
    for name, one in prefixes.items():
        if one is not None and not isinstance(one, str):
            raise UsageError(f"{name}: give a text, not {plain_line(repr(one), 80)}")
    is_said = not isinstance(given, str) and all(one is not None for one in prefixes.values())
    for family, query, document in () if is_said else _PREFIXES:
        if family.search(model.lower()):
            raise UsageError(
                f"{plain_line(model, 120)} was trained with words before each text and finds worse without: say "
                f"'query_prefix': {query!r} and 'document_prefix': {document!r}, or '' for neither"
            )
    is_normalised = said.get("is_normalised", True)
    if not isinstance(is_normalised, bool):
        raise UsageError(f"is_normalised: give True or False, not {plain_line(repr(is_normalised), 60)}")
    library = model.partition(":")[0]
    made = Embedder(
        model=model,
        dim=_dim(model, said.get("dim")),
        is_normalised=is_normalised,
        query_prefix=prefixes["query_prefix"] or "",
        document_prefix=prefixes["document_prefix"] or "",
        version=_version_of(library if library in _LIBRARIES else "", said.get("version")),
    )
    return asdict(made)


def _dim(model: str, given: object) -> int:
    library, _, width = model.partition(":")
    known = int(width) if library == "wordllama" and width.isdecimal() else _DIMS.get(model)
    if given is None and known is None:
        raise UsageError(
            f"how many numbers have vectors of {plain_line(model, 120)}? {{'model': {plain_line(repr(model), 120)}, "
            "'dim': 768}; ws.models.embed(model, ['a']).vectors[0] has so many"
        )
    if given is None:
        return int(known or 0)
    return _whole(given, "dim", most=100_000)


def _kind(given: object, *, embedder: Mapping[str, Any] | None) -> str:
    kind = _named(given or ("exact" if embedder else "bm25"), KINDS, "kind of index")
    if kind in ("exact", "hybrid", "usearch") and embedder is None:
        raise UsageError(f"{kind!r} compares vectors: say what makes them: embedder='wordllama:256'")
    if kind == "bm25" and embedder is not None:
        raise UsageError(f"'bm25' compares words alone: leave embedder={embedder['model']!r} out, or say kind='hybrid'")
    return kind


def _params(given: object, *, kind: str) -> dict[str, Any]:
    said = {} if given is None else _mapping(given)
    known = PARAMS.get(kind)
    if known is None:
        return _plain(said)
    _refuse_unknown(said, known, f"param of {kind!r}")
    found = {**known, **{name: one for name, one in said.items() if one is not None}}
    for name, one in found.items():
        if name == "language":
            _text(one, name)
        elif name in ("k1", "b"):
            _number(one, name, least=0, most=1 if name == "b" else 100)
        else:
            _whole(one, name, most=100_000)
    return found


def filters_of(given: object) -> dict[str, Any]:
    """Return what metadata must be: of each name a sorted list of values, or limits of a number.

    Args:
        given: What somebody said; None: anything.

    Raises:
        UsageError: It is no mapping, or one of its values cannot be asked for.
    """
    return {name: _wanted(one, name) for name, one in ({} if given is None else _mapping(given)).items()}


def _wanted(given: object, name: str) -> Any:
    if isinstance(given, Mapping):
        _refuse_unknown(_mapping(given), _BOUNDS, f"limit of {name!r}")
        if not given:
            raise UsageError(f"{plain_line(name, 80)!r}: give values, or {{'at_least': ..., 'at_most': ...}}")
        return {bound: _number(one, f"{bound} of {plain_line(name, 80)!r}") for bound, one in given.items()}
    values = [*given] if isinstance(given, Sequence) and not isinstance(given, str) else [given]
    if not values or any(
        not isinstance(one, _Scalar) or (isinstance(one, float) and math.isnan(one)) for one in values
    ):
        raise UsageError(
            f"{plain_line(name, 80)!r}: give texts, numbers or truth values, or {{'at_least': ..., 'at_most': ...}}"
        )
    return [json.loads(one) for one in sorted({json.dumps(plain_numbers(one)) for one in values})]


def _fusion(given: object, *, kind: str) -> dict[str, Any] | None:
    if kind in KINDS and kind != "hybrid":
        if given is not None:
            raise UsageError(f"{kind!r} makes one ranking, and there is nothing to fuse: kind='hybrid' makes two")
        return None
    if given is None:
        return {"name": "rrf", **FUSIONS["rrf"]} if kind == "hybrid" else None
    said = {"name": given} if isinstance(given, str) else _mapping(given)
    name = str(said.get("name"))
    if name not in FUSIONS:
        raise UsageError(did_you_mean("fusion", plain_line(name, 60), FUSIONS))
    _refuse_unknown(said, ("name", *FUSIONS[name]), f"part of fusion {name!r}")
    found = {**FUSIONS[name], **{part: one for part, one in said.items() if part != "name"}}
    for part, one in found.items():
        _number(one, part, least=0, most=1 if part == "weight" else 100_000)
    return {"name": name, **found}


def _reranker(given: object, *, k: int) -> dict[str, Any] | None:
    if given is None:
        return None
    said = {"model": given} if isinstance(given, str) else _mapping(given)
    _refuse_unknown(said, ("model", "candidates", "form"), "part of a reranker")
    model = _text(said.get("model"), "model")
    if model is None:
        raise UsageError("a reranker has a model: {'model': 'standin:rerank', 'candidates': 50}")
    candidates = _whole(said.get("candidates") or max(50, k), "candidates", most=_MOST_K)
    if candidates < k:
        raise UsageError(f"candidates={candidates}: a reranker chooses k={k} out of at least as many")
    form = said.get("form") or FORMS[0]
    if form not in FORMS:
        raise UsageError(did_you_mean("form of a reranker", plain_line(form, 60), FORMS))
    # what was saved before there were two forms has none, and is what it was
    return {"model": model, "candidates": candidates, **({} if form == FORMS[0] else {"form": form})}


def _cleaner(given: object) -> str:
    return _named("none" if given is None else given, CLEANERS, "cleaner")


def _version_of(name: str, given: object) -> str | None:
    """Return the version of the library that does something: the one that was said, else the one that is here."""
    if given is not None:
        return _text(given, "version")
    return library_version(name)


def library_version(name: str) -> str | None:
    """Return the version of the library that does something, None where it is lmops itself or not installed.

    Args:
        name: Of a chunker, a kind of index, or a library of embedders.
    """
    library = _LIBRARIES.get(name, name if name == "semantic-text-splitter" else name.partition(":")[0])
    return None if library in (*CHUNKERS[:3], *KINDS, "") else installed_version(library)


def installed_version(library: str) -> str | None:
    """Return the version of a library that is installed, None where none is.

    Args:
        library: Its name.
    """
    try:
        return importlib.metadata.version(library)
    except (importlib.metadata.PackageNotFoundError, ValueError):
        return None


# -- kinds of values ---------------------------------------------------------------------------------------------------


def _parts(given: object, record: type[Chunker | Embedder], main: str, default: str) -> Mapping[str, Any]:
    """Return the parts of a chunker or an embedder: of its name, a mapping or a record."""
    if isinstance(given, record):
        return asdict(given)
    if given is None or isinstance(given, str):
        return {main: given or default}
    said = _mapping(given)
    _refuse_unknown(said, [one.name for one in fields(record)], f"part of a {record.__name__.lower()}")
    return said


def _named(given: object, known: Sequence[str], what: str) -> str:
    """Return one of ours, or PACKAGE:NAME of an application's own."""
    if isinstance(given, str) and (given in known or _FOREIGN.fullmatch(given)):
        return given
    message = did_you_mean(what, plain_line(given, 80), known)
    raise UsageError(f"{message}; one of your own is written 'PACKAGE:NAME'")


def _mapping(given: object) -> Mapping[str, Any]:
    if not isinstance(given, Mapping) or any(not isinstance(key, str) for key in given):
        raise UsageError(f"give a mapping, not {plain_line(repr(given), 80)}")
    return given


def _refuse_unknown(said: Mapping[str, Any], known: Sequence[str] | Mapping[str, Any], what: str) -> None:
    for name in said:
        if name not in known:
            raise UsageError(did_you_mean(what, plain_line(name, 80), known))


def _plain(said: Mapping[str, Any]) -> dict[str, Any]:
    """Return what JSON can say of an application's own params."""
    try:
        found: dict[str, Any] = json.loads(json.dumps(said, allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise UsageError(f"give what JSON can say: {error}") from error
    return found


def _text(given: object, what: str) -> str | None:
    if given is None:
        return None
    if not isinstance(given, str) or not given.strip() or len(given) > 300:
        raise UsageError(f"{what}: give a text of at most 300 characters, not {plain_line(repr(given), 80)}")
    return given


def _whole(given: Any, what: str, *, least: int = 1, most: int) -> int:
    is_whole = not isinstance(given, bool) and isinstance(given, numbers.Real) and given == given // 1
    if not is_whole or not least <= given <= most:
        raise UsageError(f"{what}={plain_line(repr(given), 60)}: give a whole number from {least} to {most:,}")
    return int(given)


def _number(given: Any, what: str, *, least: float | None = None, most: float | None = None) -> float:
    is_number = not isinstance(given, bool) and isinstance(given, numbers.Real) and math.isfinite(given)
    if not is_number or (least is not None and given < least) or (most is not None and given > most):
        bounds = "" if least is None else f" from {least:g}" + ("" if most is None else f" to {most:g}")
        raise UsageError(f"{what}={plain_line(repr(given), 60)}: give a number{bounds}")
    return float(given)
