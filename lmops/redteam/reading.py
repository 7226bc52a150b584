"""Results of other red teams as rows of answers with scores: reports of garak, evaluations of promptfoo."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lmops.errors import NotFoundError, UsageError
from lmops.redteam.attacks import ATTACK
from lmops.redteam.scoring import SUCCESS
from lmops.text import plain_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from os import PathLike

Row = dict[str, Any]
_MAX_BYTES: Final = 2_000_000_000
#: An attempt of garak that detectors have looked at.
_EVALUATED: Final = 2
#: A result of promptfoo that failed because nothing was answered.
_ERROR: Final = 2


def read_garak(path: str | PathLike[str], *, threshold: float) -> list[Row]:
    """Return one row per answer of the attempts of a report.

    Args:
        path: Of the JSON lines.
        threshold: From which score of a detector on an answer is a hit.

    Raises:
        NotFoundError: There is no such file.
        UsageError: It holds no attempt with a result.
    """
    rows = [row for attempt in _attempts(Path(path)) for row in _of_attempt(attempt, threshold)]
    if not rows:
        raise UsageError(f"{plain_line(path, 200)} holds no evaluated attempt: give the *.report.jsonl of garak")
    return rows


def _attempts(path: Path) -> Iterator[dict[str, Any]]:
    _check(path)
    with path.open(encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise UsageError(
                    f"{plain_line(path, 200)}, line {number} is no JSON: {plain_line(error, 120)}"
                ) from error
            if isinstance(row, dict) and row.get("entry_type") == "attempt" and row.get("status") == _EVALUATED:
                yield row


def _of_attempt(attempt: Mapping[str, Any], threshold: float) -> Iterator[Row]:
    """Return a row per answer of one attempt; the hit of an answer is that of its highest detector."""
    probe = str(attempt.get("probe_classname") or "unknown")
    family, _, _ = probe.partition(".")
    prompt = _said(attempt.get("prompt"))
    results = {
        name: scores for name, scores in (attempt.get("detector_results") or {}).items() if isinstance(scores, list)
    }
    about = {
        "kind": ATTACK,
        "seed": probe,
        "family": family,
        "goal": plain_line(attempt.get("goal") or "", 200),
        "oracle": ", ".join(sorted(results)) or "none",
    }
    for repeat, output in enumerate(attempt.get("outputs") or ()):
        scores = [one[repeat] for one in results.values() if repeat < len(one) and isinstance(one[repeat], int | float)]
        yield {
            "id": str(attempt.get("uuid") or f"{probe}/{attempt.get('seq')}"),
            "repeat": repeat,
            "input": prompt,
            "output": _said(output),
            "cluster": probe,
            "metadata": about,
            SUCCESS: float(max(scores) >= threshold) if scores else None,
        }


def _said(given: Any) -> str:
    """Return the text of a prompt or an answer: a text, a message, or a conversation, whose last turn counts."""
    if isinstance(given, dict):
        if isinstance(given.get("turns"), list) and given["turns"]:
            return _said(given["turns"][-1])
        return _said(given.get("content", given.get("text")))
    return "" if given is None else str(given)


def read_promptfoo(path: str | PathLike[str]) -> list[Row]:
    """Return one row per result of a red-team evaluation; ``system`` is the provider.

    Args:
        path: Of the JSON.

    Raises:
        NotFoundError: There is no such file.
        UsageError: It holds no result of a red team.
    """
    file = Path(path)
    _check(file)
    try:
        found = json.loads(file.read_text(encoding="utf-8", errors="replace"))
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{plain_line(path, 200)} is no JSON: {plain_line(error, 200)}") from error
    results = found.get("results") if isinstance(found, dict) else None
    results = results.get("results") if isinstance(results, dict) else results
    rows = [row for at, one in enumerate(results or ()) if (row := _of_result(one, at)) is not None]
    if not rows:
        raise UsageError(
            f"{plain_line(path, 200)} holds no result of a red team: results carry metadata with a pluginId"
        )
    return rows


def _of_result(one: Any, at: int) -> Row | None:
    """Return the row of a result; None for one that is of no red team."""
    if not isinstance(one, dict):
        return None
    case, response = _object(one.get("testCase")), _object(one.get("response"))
    about = {**_object(case.get("metadata")), **_object(one.get("metadata"))}
    plugin = about.get("pluginId")
    if not isinstance(plugin, str):
        return None
    failed = one.get("error") if one.get("failureReason") == _ERROR or one.get("response") is None else None
    provider = one.get("provider")
    said = provider.get("label") or provider.get("id") if isinstance(provider, dict) else provider
    strategy = str(about.get("strategyId") or "basic")
    return {
        "id": f"{one.get('testIdx', at)}/{plugin}/{strategy}",
        "input": _prompt(one, case),
        "output": _text(response.get("output")),
        "error": None if failed is None else plain_line(failed, 2_000),
        "cluster": plain_line(about.get("goal") or about.get("testCaseId") or plugin, 200),
        "metadata": {
            "kind": ATTACK,
            "seed": plugin,
            "family": plugin,
            "goal": plain_line(about.get("goal") or "", 200),
            "severity": str(about.get("severity") or "-"),
            "converter": strategy,
        },
        "system": str(said or "unknown"),
        "cost_usd": one.get("cost") if isinstance(one.get("cost"), int | float) else None,
        "latency_ms": one.get("latencyMs") if isinstance(one.get("latencyMs"), int | float) else None,
        # There a case passes when the target withstood.
        SUCCESS: None if failed is not None or not isinstance(one.get("success"), bool) else float(not one["success"]),
    }


def _object(given: Any) -> dict[str, Any]:
    return given if isinstance(given, dict) else {}


def _prompt(one: Mapping[str, Any], case: Mapping[str, Any]) -> str:
    prompt = one.get("prompt")
    raw = prompt.get("raw") if isinstance(prompt, dict) else prompt
    return _text(raw if raw is not None else one.get("vars") or case.get("vars")) or "(not said)"


def _text(given: Any) -> str:
    if given is None:
        return ""
    return given if isinstance(given, str) else json.dumps(given, ensure_ascii=False, default=str)


def _check(path: Path) -> None:
    if not path.is_file():
        raise NotFoundError(f"there is no file {plain_line(path, 200)}")
    if path.stat().st_size > _MAX_BYTES:
        raise UsageError(f"{plain_line(path, 200)} is larger than 2 GB")
