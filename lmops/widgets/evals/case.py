"""One case as a message for the page: its texts cut, the words in which two answers differ marked."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from lmops.calc.alignment import words
from lmops.text import plain
from lmops.widgets.evals import steps

if TYPE_CHECKING:
    from lmops.calc.alignment import Parts
    from lmops.evals.boards import Answer, Case

#: characters of one text, and of one in which words are compared
SHOWN: Final = 20_000
MARKED: Final = 6_000
_FIRST: Final = ("question", "query", "input", "prompt", "message", "text")


def text_of(value: Any) -> str:
    """Return a value as a reader sees it: a text as it is, everything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str, indent=1)


def preview_of(value: Any) -> str:
    """Return what tells one input from another: the question, where it has one."""
    if isinstance(value, dict) and value:
        texts = {name: one for name, one in value.items() if isinstance(one, str) and one.strip()}
        first = next((texts[name] for name in _FIRST if name in texts), None)
        return first or (min(texts.values(), key=len) if texts else text_of(value))
    return "" if value is None else text_of(value)


def parts_of(value: Any) -> list[list[str]]:
    """Return an input as [name, text], short ones first; a plain text has no name."""
    if isinstance(value, dict):
        parts = [[plain(name, 80), plain(text_of(one), SHOWN)] for name, one in value.items()]
        return sorted(parts, key=lambda part: len(part[1]))
    return [] if value is None else [["", plain(text_of(value), SHOWN)]]


def message(case: Case, a: str, b: str | None, repeat: int) -> dict[str, Any]:
    """Return a case as run ``a`` and run ``b`` answered it; a run alone is compared with what was expected."""
    example = case.example
    by_run = {run: {one.repeat: one for one in case.answers if one.run_id == run} for run in (b, a) if run}
    repeats = sorted({number for found in by_run.values() for number in found})
    repeat = repeat if repeat in repeats else (repeats or [0])[0]
    shown = {run: found.get(repeat) for run, found in by_run.items()}
    expected = None if case.expected is None else text_of(case.expected)
    old = expected if b is None else _output(shown[b])
    old_parts, new_parts = _marked(old, _output(shown[a]))
    parts = {a: new_parts} if b is None else {b: old_parts, a: new_parts}
    facts = [] if example is None else _facts(example)
    return {
        "kind": "case",
        "example_id": case.example_id,
        "repeat": repeat,
        "repeats": repeats,
        "input": parts_of(case.input),
        "expected": [] if expected is None else old_parts if b is None else [[plain(expected, SHOWN), 0]],
        "facts": facts,
        "steps": _steps(case, [shown[run] for run in shown]),
        "answers": [None if one is None else _answer(one, parts[run]) for run, one in shown.items()],
    }


def _steps(case: Case, shown: list[Answer | None]) -> dict[str, Any] | None:
    """Return the calls of both answers step by step; of a run alone beside those that were expected."""
    made = [None if one is None else steps.read(one.tool_calls) for one in shown]
    if len(made) > 1:
        return steps.message(made[0], made[1])
    metadata = None if case.example is None else case.example.metadata
    return None if made[0] is None else steps.message(steps.wanted(case.expected, metadata), made[0])


def _output(answer: Answer | None) -> str | None:
    return None if answer is None else answer.output


def _facts(example: Any) -> list[list[str]]:
    found: list[tuple[str, Any]] = [("split", example.split), *(("tag", tag) for tag in example.tags)]
    found += [("cluster", example.cluster), *example.metadata.items()]
    found += [(f"label {name}", value) for name, value in (example.labels or {}).items()]
    return [[plain(name, 60), plain(_words_of(value), 300)] for name, value in found if value not in (None, "", [], {})]


def _words_of(value: Any) -> str:
    is_list = isinstance(value, list) and all(isinstance(one, str | int | float) for one in value)
    return ", ".join(map(str, value)) if is_list else text_of(value)


def _marked(old: str | None, new: str | None) -> tuple[list[list[Any]], list[list[Any]]]:
    """Return the parts of both texts as [text, flag], 1: not in the other one."""
    if not old or not new or old == new or len(old) + len(new) > 2 * MARKED:
        return _whole(old), _whole(new)
    left, right = words(old, new)
    return _parts(left), _parts(right)


def _whole(text: str | None) -> list[list[Any]]:
    return [] if text is None else [[plain(text, SHOWN), 0]]


def _parts(found: Parts) -> list[list[Any]]:
    return [[plain(part.text), int(part.is_changed)] for part in found]


def _answer(answer: Answer, parts: list[list[Any]]) -> dict[str, Any]:
    return {
        "label": answer.label,
        "status": answer.status,
        "parts": parts,
        "error": None if answer.error is None else plain(answer.error, 4_000),
        "latency_ms": answer.latency_ms,
        "cost_usd": answer.cost_usd,
        "input_tokens": answer.input_tokens,
        "output_tokens": answer.output_tokens,
        "model": plain(answer.model, 80),
        "trace_id": answer.trace_id,
        "scores": {
            name: {
                "value": one["value"],
                "status": one["status"],
                "why": plain(one["rationale"] or one["reason"], 4_000),
                "detail": plain(one["detail"], 4_000),
            }
            for name, one in answer.scores.items()
        },
    }
