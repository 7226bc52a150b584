"""Documents of whatever somebody has: records, mappings, a frame, a folder, a file of JSON lines, a data set."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, SupportsIndex

from lmops.errors import NotFoundError, UsageError
from lmops.retrieval.contract import Document
from lmops.text import exact_json, plain_line

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Half of a character of UTF-16: no text, and no file takes it.
_HALF: Final = re.compile("[\ud800-\udfff]")
_LONGEST_ID: Final = 512
_TEXTS: Final = ("text", "content", "document", "page_content")
_OWN: Final = ("id", "text", "metadata")
_HOW: Final = (
    "give Documents, mappings with id and text, {id: text}, a DataFrame with the columns id and text, a data set, a "
    "folder of text files, or a file of JSON lines"
)


def documents_of(given: Any, datasets: Any = None) -> list[Document]:
    """Return the documents that somebody gave, by id; each text once, as it was, halves of characters replaced.

    Args:
        given: Documents; mappings with id, text and metadata; texts by id; a DataFrame with the columns id and text,
            the others being metadata; the path of a folder (every file, its path being the id) or of a file of JSON
            lines; a data set or its reference (the input of an example being the text).
        datasets: ``ws.datasets``, for references.

    Raises:
        UsageError: There is none, one is no document, or two have one id; the message names it.
        NotFoundError: There is no such file or data set.
    """
    found: dict[str, Document] = {}
    for place, one in enumerate(_read(given, datasets), start=1):
        document = _checked(one, place)
        if document.id in found:
            raise UsageError(f"two documents have the id {plain_line(document.id, 80)!r}: ids name documents")
        found[document.id] = document
    if not found:
        raise UsageError(f"there is no document to build an index of: {_HOW}")
    return [found[name] for name in sorted(found)]


def _read(given: Any, datasets: Any) -> Iterator[Any]:
    if isinstance(given, str | Path):
        path = Path(given).expanduser()
        if path.is_dir():
            return _of_folder(path)
        if path.is_file():
            return _of_lines(path)
        if isinstance(given, Path) or "/" in given or datasets is None:
            raise NotFoundError(f"there is nothing at {plain_line(path, 200)}: {_HOW}")
        given = datasets.get(given)
    if isinstance(given, bytes | bytearray | Document):
        raise UsageError(f"a {type(given).__name__} is not a corpus: {_HOW}")
    if hasattr(given, "examples"):
        return ({"id": one.example_id, "text": one.input, "metadata": one.metadata} for one in given.examples)
    if hasattr(given, "to_dict") and hasattr(given, "columns"):
        return _of_frame(given)
    if isinstance(given, Mapping):
        return ({"id": name, "text": text} for name, text in given.items())
    if isinstance(given, Iterable):
        return iter(given)
    raise UsageError(f"a {type(given).__name__} is not a corpus: {_HOW}")


def _of_frame(frame: Any) -> Iterator[dict[str, Any]]:
    missing = [name for name in _OWN[:2] if name not in frame.columns]
    if missing:
        raise UsageError(f"the frame has no column {missing[0]!r}: it needs id and text; the others are metadata")
    others = [name for name in frame.columns if name not in _OWN]
    for row in frame.to_dict("records"):
        told = {str(name): row[name] for name in others if not _is_missing(row[name])}
        yield {"id": row["id"], "text": row["text"], "metadata": {**(row.get("metadata") or {}), **told}}


def _of_folder(folder: Path) -> Iterator[Document]:
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.is_symlink() or not path.is_file() or any(part.startswith(".") for part in name.parts):
            continue
        try:
            text = path.read_bytes().decode()
        except UnicodeDecodeError as error:
            raise UsageError(
                f"{plain_line(path, 200)} is no text in UTF-8 (byte {error.start:,}): convert it, or take it out of "
                "the folder; nothing was built"
            ) from error
        yield Document(id=name.as_posix(), text=text)


def _of_lines(path: Path) -> Iterator[Any]:
    if path.suffix not in (".jsonl", ".ndjson"):
        raise UsageError(f"{plain_line(path, 200)} is no folder and no file of JSON lines (*.jsonl): {_HOW}")
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                yield exact_json(line)
            except ValueError as error:
                raise UsageError(f"{plain_line(path, 200)}, line {number}: {plain_line(error, 120)}") from error


def _checked(one: Any, place: int) -> Document:
    """Return one document as it is kept, or say what is wrong with it."""
    if isinstance(one, Document):
        one = {"id": one.id, "text": one.text, "metadata": one.metadata}
    if not isinstance(one, Mapping):
        raise UsageError(f"document {place} is a {type(one).__name__}: {_HOW}")
    name = one.get("id")
    if isinstance(name, SupportsIndex) and not isinstance(name, bool):  # a number of any library
        name = str(operator.index(name))
    if not isinstance(name, str) or not name.strip():
        raise UsageError(f"document {place} has the id {plain_line(repr(name), 80)}: give a text that is not empty")
    if len(name) > _LONGEST_ID:
        raise UsageError(
            f"document {place}: its id has {len(name):,} characters and begins with {plain_line(name, 40)!r}; give at "
            f"most {_LONGEST_ID}"
        )
    text = next((one[key] for key in _TEXTS if one.get(key) is not None), None)
    if isinstance(text, Mapping):  # the input of an example, by name
        text = next((text[key] for key in _TEXTS if isinstance(text.get(key), str)), text)
    if not isinstance(text, str):
        what = "no text" if text is None else f"a {type(text).__name__} and not a text"
        raise UsageError(f"document {place} ({plain_line(name, 80)}) has {what}")
    return Document(id=_whole(name), text=_whole(text), metadata=_metadata(one.get("metadata"), name))


def _metadata(given: Any, name: str) -> dict[str, str | int | float | bool]:
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise UsageError(f"document {plain_line(name, 80)}: metadata is a {type(given).__name__} and not a mapping")
    found: dict[str, str | int | float | bool] = {}
    for key, value in given.items():
        plain = value.item() if hasattr(value, "item") else value  # of numpy
        if _is_missing(plain):
            continue
        if not isinstance(plain, str | int | float | bool) or _is_too_large(plain):
            raise UsageError(
                f"document {plain_line(name, 80)}: metadata {plain_line(key, 60)!r} is {plain_line(repr(value), 60)}; "
                "give texts, finite numbers of at most 64 bits or truth values"
            )
        found[_whole(str(key))] = _whole(plain) if isinstance(plain, str) else plain
    return found


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _is_too_large(value: str | float) -> bool:
    if isinstance(value, int):
        return not -(2**63) <= value < 2**64
    return isinstance(value, float) and math.isinf(value)


def _whole(text: str) -> str:
    return _HALF.sub("\ufffd", text)
