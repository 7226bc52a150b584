"""Scorers that compare with a reference, a pattern, a schema or a number."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Literal

from lmops.errors import UsageError
from lmops.scorers._normalise import as_text, normalised
from lmops.scorers._numbers import DECIMALS, Decimal, numbers
from lmops.scorers._records import Score
from lmops.scorers._registry import scorer_factory
from lmops.text import plain_line

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_FENCE: Final = re.compile(r"`{3,}|~{3,}")
#: What may stand right behind an opening fence.
_LANGUAGE: Final = re.compile(r"^[ \t]*(?:json[c5l]?\b)?", re.IGNORECASE)
#: The longest text a pattern is tried on, so that a bad pattern and a long answer cannot stop a run.
_MAX_SEARCHED: Final = 200_000


@scorer_factory()
def exact_match(
    *,
    ignore_case: bool = True,
    ignore_space: bool = True,
    ignore_punctuation: bool = False,
    ignore_articles: bool = False,
) -> Callable[..., bool]:
    """Whether the output equals the expected value, or one of them when several are given.

    Texts are compared in NFKC; anything else is compared as values.

    Args:
        ignore_case: "Yes" equals "yes".
        ignore_space: White space around and its runs do not count.
        ignore_punctuation: Punctuation does not count.
        ignore_articles: a, an, the do not count (as SQuAD does it).
    """

    def clean(text: str) -> str:
        return normalised(
            text,
            ignore_case=ignore_case,
            ignore_space=ignore_space,
            ignore_punctuation=ignore_punctuation,
            ignore_articles=ignore_articles,
        )

    def score(output: Any, expected: Any) -> bool:
        if not isinstance(output, str):
            answers = expected if isinstance(expected, list | tuple) and not isinstance(output, list | tuple) else []
            is_text = isinstance(expected, str) and clean(as_text(output)) == clean(expected)
            return bool(output == expected) or is_text or any(output == answer for answer in answers)
        answers = expected if isinstance(expected, list | tuple) else [expected]
        given = clean(output)
        return any(given == clean(as_text(answer)) for answer in answers)

    return score


@scorer_factory()
def contains(text: str | None = None, *, ignore_case: bool = True, ignore_space: bool = True) -> Callable[..., Any]:
    """Whether the output contains a text: the one given, else the expected value, or any of them when it is a list.

    Args:
        text: What to look for; None for the expected value of each example.
        ignore_case: "yes" is found in "Yes".
        ignore_space: Any run of white space equals any other.
    """

    def score(output: Any, expected: Any = None) -> bool | Score:
        wanted = text if text is not None else expected
        if wanted is None:
            return Score.unmeasured("there is no expected value and no text was given")
        options = {"ignore_case": ignore_case, "ignore_space": ignore_space}
        given = normalised(as_text(output), **options)
        answers = wanted if isinstance(wanted, list | tuple) else [wanted]
        return any(normalised(as_text(answer), **options) in given for answer in answers)

    return score


@scorer_factory(range=(0, 1))
def contains_all(facts: Sequence[str] | None = None, *, ignore_case: bool = True) -> Callable[..., Any]:
    """The share of facts that the output contains literally; no digit may touch a fact that ends in one.

    Args:
        facts: What to look for; None for the example's metadata ``facts``, else its expected list.
        ignore_case: "yes" is found in "Yes".
    """

    def score(output: Any, expected: Any = None, metadata: Any = None) -> Score:
        wanted = facts
        if wanted is None:
            wanted = (metadata or {}).get("facts") if isinstance(metadata, dict) else None
        if wanted is None and isinstance(expected, list | tuple):
            wanted = expected
        if not wanted or isinstance(wanted, str):
            return Score.unmeasured("there are no facts: a list in the metadata's `facts` or as the expected value")
        given = normalised(as_text(output), ignore_case=ignore_case)
        missing = [fact for fact in wanted if not _has_fact(given, normalised(as_text(fact), ignore_case=ignore_case))]
        rationale = f"missing: {'; '.join(map(as_text, missing))}" if missing else "every fact is there"
        detail = {"missing": list(missing), "facts": len(wanted)}
        return Score.of(1 - len(missing) / len(wanted), rationale=rationale, detail=detail)

    return score


@scorer_factory()
def regex(pattern: str, *, ignore_case: bool = False, full: bool = False, absent: bool = False) -> Callable[..., bool]:
    """Whether a regular expression matches the output.

    Args:
        pattern: A pattern of Python's ``re``; trust it as code: some patterns take very long.
        ignore_case: Fold case.
        full: It has to match the whole output.
        absent: It must not match.
    """
    try:
        compiled = re.compile(pattern, re.IGNORECASE if ignore_case else 0)
    except re.error as error:
        raise UsageError(f"{plain_line(pattern, 80)!r} is no regular expression: {error}") from error

    def score(output: Any) -> bool:
        text = as_text(output)[:_MAX_SEARCHED]
        found = compiled.fullmatch(text) if full else compiled.search(text)
        return (found is None) is absent

    return score


@scorer_factory()
def json_schema(schema: Mapping[str, Any] | None = None) -> Callable[..., Any]:
    """Whether the output is JSON that fits a schema; a Markdown fence around it is taken off.

    Args:
        schema: A JSON schema; None: any JSON will do.
    """
    if schema is not None and not isinstance(schema, Mapping):
        raise UsageError(f"json_schema: schema={plain_line(schema, 80)!r}: give a JSON schema as a dict")
    validator = _validator(schema) if schema is not None else None

    def score(output: Any) -> Score:
        value = output
        if isinstance(output, str):
            try:
                value = parsed_json(output)
            except ValueError as error:
                return Score.of(value=False, rationale=f"not JSON: {plain_line(error, 200)}")
        problems = (
            [] if validator is None else sorted(validator.iter_errors(value), key=lambda one: list(map(str, one.path)))
        )
        said = [
            f"{'/'.join(map(str, one.path)) or 'the whole'}: {plain_line(one.message, 160)}" for one in problems[:5]
        ]
        return Score.of(
            not problems, rationale="; ".join(said) or "it fits", detail={"problems": said} if said else None
        )

    return score


@scorer_factory()
def numeric(
    *,
    tolerance: float = 0.0,
    relative: float = 0.0,
    pick: Literal["last", "first", "only"] = "last",
    decimal: Decimal = "auto",
) -> Callable[..., Any]:
    """Whether a number in the output is the expected one, within a tolerance.

    "1,234.5", "1.234,5" and "1 234,5" are read as 1234.5, "45 %" as 45, "3/4" as 0.75, "($5)" as -5, "5-10" as 5 and
    10. A single comma before three digits groups them ("1,234" is 1234), before any other count it is a decimal mark
    ("12,5"); a single point is a decimal mark ("1.234"). Numbers in words are not read. An output without a number is
    False, an expected value without one is an error.

    Args:
        tolerance: Greatest difference.
        relative: Greatest difference as a share of the expected value; the larger of both counts.
        pick: Which number of the output: the last, the first, or the only one (several are False).
        decimal: The decimal mark of the output and of an expected text, "." or ","; "auto" for the rule above.
    """
    if tolerance < 0 or relative < 0:
        raise UsageError(f"numeric: tolerance={tolerance}, relative={relative}: neither may be negative")
    if pick not in ("last", "first", "only"):
        raise UsageError(f"numeric: pick={pick!r}: use 'last', 'first' or 'only'")
    if decimal not in DECIMALS:
        raise UsageError(f"numeric: decimal={decimal!r}: use 'auto', '.' or ','")

    def score(output: Any, expected: Any) -> Score:
        wanted = numbers(expected, decimal)
        if not wanted:
            return Score.failed(f"the expected value {plain_line(expected, 80)!r} has no number in it")
        found = numbers(output, decimal)
        if not found or (pick == "only" and len(found) > 1):
            return Score.of(value=False, rationale=f"{len(found) or 'no'} numbers in the output")
        value, target = found[0 if pick == "first" else -1], wanted[-1]
        is_close = math.isclose(value, target, abs_tol=max(tolerance, relative * abs(target), 1e-9), rel_tol=0.0)
        return Score.of(is_close, rationale=f"{value:g} for {target:g}", detail={"found": value, "expected": target})

    return score


def parsed_json(text: str) -> Any:
    """Return the JSON that a text is or has in its one Markdown fence; a fence inside its texts is part of them.

    Raises:
        ValueError: It is not JSON (NaN and Infinity are not).
    """
    try:
        return _strict_json(text)
    except ValueError:
        fence = _FENCE.search(text)
        last = -1 if fence is None else text.rfind(fence[0])
        if fence is None or last < fence.end():
            raise
        return _strict_json(_LANGUAGE.sub("", text[fence.end() : last]))


def _strict_json(text: str) -> Any:
    def refuse(name: str) -> Any:
        raise ValueError(f"{name} is not JSON")

    try:
        return json.loads(text.strip(), parse_constant=refuse)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _validator(schema: Mapping[str, Any]) -> Any:
    from jsonschema import exceptions, validators

    found = validators.validator_for(dict(schema), default=validators.Draft202012Validator)
    try:
        found.check_schema(dict(schema))
    except exceptions.SchemaError as error:
        raise UsageError(f"this is no JSON schema: {plain_line(error.message, 200)}") from error
    return found(dict(schema))


def _has_fact(text: str, fact: str) -> bool:
    """Return whether a text has a fact with no digit touching its ends: "9 euro" is not in "19 euro"."""
    before = r"(?<![\d])(?<!\d[.,:])" if fact[:1].isdigit() else ""
    after = r"(?!\d|[.,:]\d)" if fact[-1:].isdigit() else ""
    return re.search(before + re.escape(fact) + after, text) is not None
