"""Judgements as data sets: one example a query, its judgements in the metadata; of rows, JSONL and TREC files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lmops.base.units import counted
from lmops.calc.arrays import is_missing
from lmops.datasets.reading import rows_of
from lmops.errors import NotFoundError, UsageError
from lmops.retrieval.contract import Document
from lmops.retrieval.relevance import Judgement, judgement_of, judgements_in
from lmops.text import plain_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_TREC: Final = re.compile(r"(\S+)\s+(\S+)\s+(\S+)\s+(-?\d+)\s*")
_TABLES: Final = (".jsonl", ".gz", ".json", ".csv", ".tsv", ".parquet")
_IDS: Final = ("query_id", "qid", "example_id", "id")
_OWN: Final = {*_IDS, "query", "input", "question", "judgements", "document", "start", "end", "grade"}
_GROUPS: Final = ("cluster", "source")


def examples_of(given: Any, queries: Any = None, documents: Any = None) -> tuple[list[dict[str, Any]], str]:
    """Return one example a query, and what a reader has to know of them.

    Args:
        given: Rows, a frame, a file of rows or a qrels file of TREC.
        queries: Query id -> its text, or a file of "id TAB text", where the rows have ids only.
        documents: What the judgements are of: their ids and spans are checked against these.

    Raises:
        UsageError: A judgement cannot be used, a query has no text, or there is none.
        NotFoundError: There is no such file.
    """
    note = ""
    path = Path(given) if isinstance(given, str) or hasattr(given, "__fspath__") else None
    if path is not None and path.suffix.lower() not in _TABLES:
        rows, note = _trec(path)
    else:
        rows = [dict(one) for one in rows_of(given)]
    if not rows:
        raise UsageError("there is no judgement: give rows such as {'query': ..., 'document': 'pets', 'grade': 2}")
    texts = _texts(queries)
    found: dict[str, dict[str, Any]] = {}
    for number, row in enumerate(rows, start=1):
        _add(found, row, texts, f"row {number}")
    lengths = None if documents is None else _lengths(documents)
    for key, example in found.items():
        kept = _without_repeats(example["metadata"]["judgements"], f"query {key!r:.60}")
        if lengths is not None:
            _refuse_unknown(kept, lengths, f"query {key!r:.60}")
        example["metadata"]["judgements"] = [one.as_dict() for one in kept]
    return list(found.values()), note


def _add(found: dict[str, dict[str, Any]], row: Mapping[str, Any], texts: Mapping[str, str], where: str) -> None:
    """Put one row to the query that it is of."""
    key = next((row[name] for name in _IDS if _is_there(row.get(name))), None)
    text = next((row[name] for name in ("query", "input", "question") if _is_there(row.get(name))), None)
    if text is None and key is not None:
        text = texts.get(str(key))
    if not isinstance(text, str) or not text.strip():
        said = f"{where} has no query" if key is None else f"{where}: the text of query {key!r:.60} is not known"
        raise UsageError(f"{said}: rows have a 'query', or give queries={{id: text}} or a file of 'id TAB text'")
    name = str(text if key is None else key)
    example = found.get(name)
    if example is None:
        more = {one: row[one] for one in row if one not in _OWN and one not in _GROUPS and _is_there(row[one])}
        group = next((str(row[one]) for one in _GROUPS if _is_there(row.get(one))), None)
        example = {"input": text, "metadata": {**more, "judgements": []}}
        example |= {} if key is None else {"example_id": str(key)}
        example |= {} if group is None else {"cluster": group}
        found[name] = example
    elif example["input"] != text:
        raise UsageError(f"{where}: query {key!r:.60} has two texts, {example['input']!r:.60} and {text!r:.60}")
    listed = example["metadata"]["judgements"]
    if row.get("judgements") is not None:
        listed += judgements_in(row, where)
    elif _is_there(row.get("document")):
        plain = {one: row[one] for one in ("document", "start", "end", "grade") if _is_there(row.get(one))}
        listed.append(judgement_of({one: _whole(value) for one, value in plain.items()}, where))


def _is_there(value: Any) -> bool:
    return not is_missing(value)


def _whole(value: Any) -> Any:
    """Return a place of a frame, which are floats where some are missing, as a whole number."""
    value = value.item() if hasattr(value, "item") else value
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _without_repeats(listed: Iterable[Judgement], where: str) -> list[Judgement]:
    kept: dict[str, Judgement] = {}
    for one in listed:
        if kept.setdefault(one.key, one).grade != one.grade:
            raise UsageError(f"{where}: {one.key!r:.80} has the grades {kept[one.key].grade:g} and {one.grade:g}")
    return list(kept.values())


def _trec(path: Path) -> tuple[list[dict[str, Any]], str]:
    """Return the rows of a qrels file of TREC: query, iteration, document, grade; those below 0 are not relevant."""
    if not path.is_file():
        raise NotFoundError(f"there is no file {plain_line(path, 200)}")
    rows, below = [], 0
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        read = _TREC.fullmatch(line.strip())
        if read is None:
            raise UsageError(
                f"line {number} of {plain_line(path.name, 80)} is {plain_line(line, 80)!r}: a qrels file of TREC has "
                "four columns, query, iteration, document and grade; rows go into .jsonl, .csv or .parquet"
            )
        grade = int(read[4])
        below += grade < 0
        rows.append({"query_id": read[1], "document": read[3], "grade": max(grade, 0)})
    return rows, f"{counted(below, 'grade')} below 0 taken as 0, not relevant" if below else ""


def _texts(given: Any) -> dict[str, str]:
    if given is None:
        return {}
    if isinstance(given, Mapping):
        return {str(key): text for key, text in given.items()}
    path = Path(given)
    if not path.is_file():
        raise NotFoundError(f"there is no file {plain_line(path, 200)} of queries")
    lines = path.read_text(encoding="utf-8").splitlines()
    return {key.strip(): text.strip() for key, _, text in (one.partition("\t") for one in lines) if text.strip()}


def _lengths(documents: Any) -> dict[str, int]:
    if isinstance(documents, Mapping):
        return {str(key): len(text.text if isinstance(text, Document) else text) for key, text in documents.items()}
    plain = [{"id": one.id, "text": one.text} if isinstance(one, Document) else one for one in documents]
    return {str(one["id"]): len(one["text"]) for one in plain}


def _refuse_unknown(judgements: Sequence[Judgement], lengths: Mapping[str, int], where: str) -> None:
    for one in judgements:
        if one.document not in lengths:
            raise NotFoundError.of(f"document ({where})", one.document, list(lengths))
        if one.end is not None and one.end > lengths[one.document]:
            raise UsageError(
                f"{where}: the span {one.key!r:.80} ends outside the document, which has "
                f"{counted(lengths[one.document], 'character')}"
            )
