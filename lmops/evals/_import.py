"""Answers and scores that exist elsewhere as runs: compared and gated as any other.

One row is an answer of one system to one example (``system="model"`` names the column), or holds the answers of several
systems side by side (``systems=["small", "large"]``: column ``small`` is its answer, ``small_correct`` its score).
"""

from __future__ import annotations

import decimal
import math
import numbers
import re
import time
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from lmops.datasets.values import is_missing
from lmops.errors import UsageError, did_you_mean
from lmops.evals._case import packed, stored
from lmops.evals._checked import COUNTS, readable
from lmops.evals._journal import Journal
from lmops.evals._provenance import environment
from lmops.evals._records import Case, Plan
from lmops.evals._schema import CASES
from lmops.scorers import Score
from lmops.text import plain_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lmops.datasets import DatasetVersion
    from lmops.evals._prepare import Host

Row = dict[str, Any]
#: What else may be known of an answer; these columns are never scores.
_KNOWN: Final = (*COUNTS, "cost_usd", "latency_ms", "model", "finish_reason", "trace_id", "documents", "tool_calls")
_ID: Final = ("example_id", "id", "doc_id", "question_id", "sample_id")
_OUTPUT: Final = ("output", "response", "answer", "prediction", "completion", "model_output", "actual_output")
_REPEAT: Final = ("repeat", "epoch", "trial", "attempt")
_SYSTEM: Final = ("system", "run_name", "experiment")
_OF_EXAMPLE: Final = ("input", "expected", "metadata", "split", "tags", "cluster")
_ROWS_AT_ONCE: Final = 500
#: How a file of text writes a number; no spaces, signs of money or commas, which may mean two things.
_NUMBER: Final = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?", re.ASCII | re.IGNORECASE)
#: What looks like a number and may mean two things: it is asked about, never guessed.
_ALMOST: Final = re.compile(r"[-+]?(\d*[.,]?\d+\s*%|\d*,\d+|\d{1,3}([.,]\d{3})+([.,]\d+)?)", re.ASCII)
_TRUTHS: Final = {"true": True, "false": False}
#: What stands in tables where nothing was measured.
_NOTHING: Final = frozenset({"", "-", "n/a", "na", "#n/a", "<na>", "nan", "none", "null"})
#: The highest number of a repeat, where there are not as many rows: a number of a chance ("seed 1337") is none.
_REPEATS: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Which columns say what; None for the usual names."""

    id: str | None = None
    input: str | None = None
    expected: str | None = None
    output: str | None = None
    cluster: str | None = None
    repeat: str | None = None
    system: str | None = None
    systems: Sequence[str] | None = None
    scores: Sequence[str] | None = None


def import_runs(
    host: Host, rows: Sequence[Mapping[str, Any]], source: Source, *, name: str, dataset: Any,
    higher_is_better: Mapping[str, bool], prompt: Any, model: str | None,
) -> dict[str, str]:  # fmt: skip  # arguments that belong together share a line
    """Write one run for each system and return their ids by the names of the systems.

    Raises:
        UsageError: A column is not there, an answer stands twice, or a score is no number; nothing was written.
    """
    if not rows:
        raise UsageError("there is no row to import")
    unclear = [one for one in higher_is_better if not isinstance(higher_is_better[one], bool)]
    if unclear:
        said = plain_line(higher_is_better[unclear[0]], 40)
        raise UsageError(f"higher_is_better of {unclear[0]!r} is {said!r}; give True or False")
    columns = list(dict.fromkeys(str(key) for row in rows for key in row))
    answers, scores = _answers([dict(row) for row in rows], columns, source, name)
    unknown = [one for one in higher_is_better if one not in scores]
    if unknown:
        raise UsageError(did_you_mean("score", unknown[0], scores, hint="named in higher_is_better"))
    version = _dataset(host, answers, dataset, name)
    clusters = {example.example_id: example.cluster for example in version.examples}
    described = [
        {"name": one, "version": "imported", "higher_is_better": higher_is_better.get(one, True),
         "range": _range(answers, one), "options": None}
        for one in scores
    ]  # fmt: skip  # columns that belong together share a line
    repeats = 1 + max(answer["repeat"] for answer in answers)
    if repeats > max(_REPEATS, len(answers)):
        raise UsageError(
            f"a repeat has the number {repeats - 1:,}, and there are {len(answers):,} answers: number them"
        )
    by_system: dict[str, list[Row]] = defaultdict(list)
    for answer in answers:
        by_system[answer["system"]].append(answer)
    found: dict[str, str] = {}
    for system, own in by_system.items():
        models = {answer["known"]["model"] for answer in own} - {None}
        plan = Plan(
            name=name if len(by_system) == 1 else f"{name}-{system}", task_kind="recorded", task=f"imported {system}",
            dataset=version.ref, dataset_hash=version.hash, prompt_ref=prompt.ref if prompt is not None else None,
            prompt_hash=prompt.hash if prompt is not None else None,
            model=model or (models.pop() if len(models) == 1 else None), scorers=described,
            settings={"imported": True, "selection": version.selection, "limit": None, "example_ids": None},
            examples=version.count, repeats=repeats,
        )  # fmt: skip  # arguments that belong together share a line
        found[system] = _write(host, plan, own, scores, clusters)
    return found


def _write(
    host: Host, plan: Plan, answers: Sequence[Row], scores: Sequence[str], clusters: Mapping[str, str | None]
) -> str:
    journal = Journal.create(host.project, plan, code_version=None, environment=environment())
    try:
        made = [_case(journal.run_id, answer, scores, clusters) for answer in answers]
        for at in range(0, len(made), _ROWS_AT_ONCE):
            journal.write(made[at : at + _ROWS_AT_ONCE])
        there = {(answer["id"], answer["repeat"]) for answer in answers}
        journal.write_not_run(
            (example_id, repeat, cluster)
            for example_id, cluster in clusters.items()
            for repeat in range(plan.repeats)
            if (example_id, repeat) not in there
        )
        journal.end("finished", error=None)
    finally:
        journal.release()
    host.project.store.pack_results()
    return journal.run_id


def _case(run_id: str, answer: Row, scores: Sequence[str], clusters: Mapping[str, str | None]) -> Case:
    output, is_json = stored(answer["output"])
    known, failed = answer["known"], answer["error"]
    found = [
        Score(name=name, value=answer["scores"][name])
        if answer["scores"][name] is not None
        else Score(name=name, status="unmeasured", reason="no score came with the answer")
        for name in scores
    ]
    row: Row = {
        "run_id": run_id, "example_id": answer["id"], "repeat": answer["repeat"],
        "status": "ok" if failed is None else "error", "output": output, "output_is_json": is_json,
        "error_type": None if failed is None else "Imported", "error": failed, "attempts": 1,
        "cluster": clusters[answer["id"]], "started_ns": time.time_ns(), "scores": packed(found),
        **{name: stored(value)[0] if isinstance(value, list) else value for name, value in known.items()},
    }  # fmt: skip  # columns that belong together share a line
    return dict.fromkeys(CASES.stored) | row


# -- rows ----------------------------------------------------------------------------------------------------------


def _answers(
    rows: Sequence[Row], columns: Sequence[str], source: Source, name: str
) -> tuple[list[Row], tuple[str, ...]]:
    """Return one answer for each row and system, and the names of the scores."""
    places = {
        "id": _place("id", source.id, _ID, columns), "output": _place("output", source.output, _OUTPUT, columns),
        "repeat": _place("repeat", source.repeat, _REPEAT, columns),
        "error": _place("error", None, ("error",), columns),
        "input": _place("input", source.input, ("input", "question", "prompt", "query"), columns),
        "expected": _place("expected", source.expected, _EXPECTED, columns),
        "cluster": _place("cluster", source.cluster, ("cluster",), columns),
        **{field: _place(field, None, (field,), columns) for field in ("metadata", "split", "tags")},
    }  # fmt: skip  # one line for two places
    if source.systems is not None:
        rows, own = _side_by_side(rows, columns, source.systems)
        places |= {"output": _OWN_OUTPUT}
        system: str | None = _OWN_SYSTEM
        scores = tuple(source.scores) if source.scores is not None else _numeric(rows, own, {_OWN_SYSTEM})
        for one in scores:
            _place("scores", one, (), own)
    else:
        system = _place("system", source.system, (), columns)
        _refuse_unsaid_systems(rows, columns, system)
        taken = {place for place in (*places.values(), system) if place}
        scores = tuple(source.scores) if source.scores is not None else _numeric(rows, columns, taken)
        for one in scores:
            _place("scores", one, (), columns)
    if not scores:
        raise UsageError(f"no column holds scores: name them with scores=[...]; there are {', '.join(columns[:20])}")
    found: list[Row] = []
    turns: dict[tuple[str, str], int] = defaultdict(int)
    seen: set[tuple[str, str, int]] = set()
    models: dict[tuple[str, str], Any] = {}
    for number, row in enumerate(rows, start=1):
        answer = _answer(row, number, places, scores, _system(row, number, system) if system else name)
        key = (answer["system"], answer["id"])
        if answer["repeat"] is None:
            answer["repeat"] = turns[key]
            if models.setdefault(key, answer["known"]["model"]) != answer["known"]["model"]:
                raise UsageError(f"row {number}: two models answer {key[1]!r}: say system='model' for a run of each")
        turns[key] += 1
        if (*key, answer["repeat"]) in seen:
            raise UsageError(f"row {number}: {key[0]} answers {key[1]!r} twice as repeat {answer['repeat']}")
        seen.add((*key, answer["repeat"]))
        found.append(answer)
    return _from_0(found), scores


#: Names that no column of a user's has.
_OWN_SYSTEM: Final = "\0system"
_OWN_OUTPUT: Final = "\0output"
_EXPECTED: Final = ("expected", "expected_output", "reference", "ground_truth", "target", "gold")


def _place(field: str, asked: str | None, usual: Sequence[str], columns: Sequence[str]) -> str | None:
    if asked is not None:
        if asked not in columns:
            raise UsageError(did_you_mean("column", asked, columns, hint=f"asked for as {field}"))
        return asked
    return next((one for one in usual if one in columns), None)


def _system(row: Row, number: int, column: str) -> str:
    value = row.get(column)
    if is_missing(value) or not str(value).strip():
        raise UsageError(f"row {number} names no system: its {column!r} is empty")
    return _word(value)


def _refuse_unsaid_systems(rows: Sequence[Row], columns: Sequence[str], system: str | None) -> None:
    """Raise where the answers of several systems would count as repeats of one."""
    column = _place("system", None, _SYSTEM, columns)
    if system is None and column is not None and len({str(row.get(column)) for row in rows}) > 1:
        raise UsageError(f"the column {column!r} names several systems: say system={column!r} for a run of each")


def _numeric(rows: Sequence[Row], columns: Sequence[str], taken: set[str]) -> tuple[str, ...]:
    """Return the columns that hold numbers or truths and nothing else that is known.

    Texts are numbers where there is nothing but text, as in a CSV file.

    Raises:
        UsageError: A column holds numbers and something else: left out, a score would be lost without a word.
    """
    is_text = all(isinstance(value, str) or is_missing(value) for row in rows for value in row.values())
    found = []
    for column in columns:
        if column in taken or column in _KNOWN:
            continue
        there = [(at, row.get(column)) for at, row in enumerate(rows, start=1) if not _is_nothing(row.get(column))]
        are_numbers = [_is_number(_written(value) if is_text else value) for _, value in there]
        unclear = [(at, value) for at, value in there if not _is_number(_written(value))]
        if any(are_numbers) and not unclear:
            found.append(column)
        elif sum(are_numbers) + sum(_is_almost(value) for _, value in unclear) > len(there) / 2:
            at, value = unclear[0]
            raise UsageError(
                f"the column {plain_line(column, 60)!r} holds numbers, and {plain_line(value, 40)!r} in row {at}: put "
                "a number like 0.85 or nothing there, or name the columns that are scores with scores=[...]"
            )
    return tuple(found)


def _is_almost(value: Any) -> bool:
    return isinstance(value, str) and _ALMOST.fullmatch(value.strip()) is not None


def _is_nothing(value: Any) -> bool:
    """Return whether a cell says that there is no score."""
    return is_missing(value) or (isinstance(value, str) and value.strip().lower() in _NOTHING)


def _written(value: Any) -> Any:
    """Return the number or the truth that a text is, anything else as it is."""
    if not isinstance(value, str):
        return value
    word = value.strip()
    return float(word) if _NUMBER.fullmatch(word) else _TRUTHS.get(word.lower(), value)


def _side_by_side(
    rows: Sequence[Row], columns: Sequence[str], systems: Sequence[str]
) -> tuple[list[Row], tuple[str, ...]]:
    """Return one row for each system, its answer and scores under names of their own, and their names."""
    names: dict[str, dict[str, str]] = {}
    for system in systems:
        longer = [other for other in systems if other != system and other.startswith(system)]
        own = {
            column[len(system) + 1 :]: column
            for column in columns
            if column.startswith((f"{system}_", f"{system}.")) and not column.startswith(tuple(longer) or ("\0",))
        }
        if not own and system not in columns:
            raise UsageError(did_you_mean("column of a system", system, columns, hint="named in systems"))
        names[system] = own
    measured = tuple(dict.fromkeys(one for own in names.values() for one in own if one != "output"))
    found = []
    for row in rows:
        for system, own in names.items():
            text = row.get(system, row.get(own.get("output", _OWN_OUTPUT)))
            known = {field: row.get(column) for field, column in own.items()}
            found.append({**row, **known, _OWN_SYSTEM: system, _OWN_OUTPUT: text})
    return found, measured


def _answer(row: Row, number: int, places: Mapping[str, str | None], scores: Sequence[str], system: str) -> Row:
    def at(field: str) -> Any:
        value = row.get(places[field] or "\0")
        return None if is_missing(value) else value

    given, repeat = at("id"), _written(at("repeat"))
    if given is None and at("input") is None:
        raise UsageError(f"row {number} has no id and no input: name their columns with id=... or input=...")
    if given is not None and not _word(given).strip():
        raise UsageError(f"row {number} has an empty id")
    if repeat is not None and not (_is_number(repeat) and float(repeat).is_integer() and repeat >= 0):
        raise UsageError(f"row {number}: repeat is {plain_line(repeat, 40)!r}; give 0, 1, 2, ...")
    failed = at("error")
    return {
        "system": system, "id": _word(given if given is not None else at("input")),
        "repeat": None if repeat is None else int(repeat), "output": at("output"),
        "error": plain_line(failed, 10_000) if failed is not None and failed is not False else None,
        "example": {field: at(field) for field in _OF_EXAMPLE},
        "scores": {one: _score(row.get(one), one, number) for one in scores},
        "known": {one: readable(one, row.get(one)) for one in _KNOWN},
    }  # fmt: skip  # columns that belong together share a line


def _score(value: Any, name: str, number: int) -> float | None:
    if _is_nothing(value):
        return None
    value = _written(value)
    if not _is_number(value) or not math.isfinite(float(value)):
        raise UsageError(
            f"row {number}: the score {name!r} is {plain_line(value, 40)!r}; give a number, True or False, or nothing "
            "where it was not measured"
        )
    return float(value)


def _from_0(answers: list[Row]) -> list[Row]:
    """Return the answers with repeats that count from 0: many count from 1."""
    first = min(answer["repeat"] for answer in answers)
    return [{**answer, "repeat": answer["repeat"] - first} for answer in answers] if first else answers


def _range(answers: Sequence[Row], name: str) -> list[float] | None:
    values = [answer["scores"][name] for answer in answers if answer["scores"][name] is not None]
    return [0.0, 1.0] if values and all(0 <= value <= 1 for value in values) else None


def _dataset(host: Host, answers: Sequence[Row], dataset: Any, name: str) -> DatasetVersion:
    """Return the version that the answers are to, saved from their rows when none is named."""
    if dataset is not None:
        version: DatasetVersion = host.datasets.get(dataset) if isinstance(dataset, str) else dataset
        known = {example.example_id for example in version.examples}
        lost = sorted({answer["id"] for answer in answers} - known)
        if lost:
            raise UsageError(
                f"{len(lost):,} of the answers are to no example of {version.ref}: "
                f"{did_you_mean('example', lost[0], sorted(known)[:2000])}"
            )
        return version
    examples: dict[str, Row] = {}
    for answer in answers:
        before, now = examples.setdefault(answer["id"], answer["example"]), answer["example"]
        for field in _OF_EXAMPLE:
            if now[field] is None or before[field] == now[field]:
                continue
            if before[field] is not None:
                raise UsageError(
                    f"the example {plain_line(answer['id'], 60)!r} has two values of {field}: "
                    f"{plain_line(before[field], 60)!r} and {plain_line(now[field], 60)!r}; answers are paired by id"
                )
            before[field] = now[field]
    rows = [
        {"example_id": one, **{field: value for field, value in example.items() if value is not None}}
        | {"input": one if example["input"] is None else example["input"]}
        for one, example in examples.items()
    ]
    saved: DatasetVersion = host.datasets.save(f"{name}-examples", rows)
    return saved


def _word(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, str) else str(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, numbers.Real | decimal.Decimal) or type(value).__name__ in ("bool", "bool_")
