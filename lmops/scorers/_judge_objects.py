"""The verdict that a value means, and the one that an object of JSON holds. Pure."""

from __future__ import annotations

import ast
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from lmops.scorers import _judge_words as words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: The longest object that is read.
_LONGEST: Final = 60_000
#: So many places where an object may begin are tried.
_BEGINNINGS: Final = 200
_RATIONALE: Final = 2000
_KEYS: Final = ("verdict", "rating", "score", "grade", "judgment", "judgement", "decision", "result", "label")
_REASONS: Final = ("rationale", "reason", "reasoning", "explanation")
#: Keys whose value is yes or no.
_FLAGS: Final = ("pass", "passed", "passes", "is_pass", "is_passed", "passing", "correct", "is_correct")
#: Keys of an object in the place of a verdict: what it is, and where its scale ends.
_INNER: Final = ("value", *_KEYS, "name", "choice")
_MOST: Final = ("max", "out_of", "maximum", "max_score", "max_rating", "scale")
#: The only part of an object that may hold the judge's verdict within; under any other name it may be a quotation.
_OWN: Final = frozenset((*_KEYS, "evaluation", "assessment", "judge", "review", "final", "data", "json"))
#: The end of a text within an object, before its last field.
_ENDED: Final = re.compile(r'["\u201d]\s*\Z')
_STRAIGHT: Final = {0x201C: '"', 0x201D: '"'}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a judge said."""

    verdict: str
    rationale: str | None


def meant(value: Any, allowed: Sequence[str]) -> str | None:
    """Return the verdict that a value means, or None; a share of another scale than the judge's is none."""
    if isinstance(value, bool):
        value = "pass" if value else "fail"
    if isinstance(value, int | float):
        value = f"{value:.10g}"
    if not isinstance(value, str):
        return None
    by_name = {name.casefold(): name for name in allowed}
    said = " ".join(value.strip(" \t\n\"'*_.`").casefold().split())
    if said in by_name or (said := re.sub(r"(?<=\w)[_-](?=\w)", " ", said)) in by_name:
        return by_name[said]
    if fraction := words.FRACTION.fullmatch(said):
        if float(fraction[2]) != max(steps(allowed), default=None):
            return None
        said = fraction[1]
    said = re.sub(r"\s*\([^()\d]{1,40}\)$", "", words.PLAINLY.sub("", said))
    said = words.TAIL.sub("", said)
    if words.DOING_SO.fullmatch(said):
        said = "fails" if re.match("fail|does(?: not|n't)", said) else "passes"
    said = re.sub(r"^\+(?=\d)|(?<=\d)\.0+$", "", said)
    return by_name.get(said) or by_name.get(words.DIGITS.get(said, "")) or by_name.get(words.YES.get(said, ""))


def steps(allowed: Sequence[str]) -> list[int]:
    """Return the numbers of a scale."""
    return [int(name) for name in allowed if name.lstrip("-").isdigit()]


def whole(said: str, allowed: Sequence[str]) -> tuple[bool, Verdict | None]:
    """Return whether a text is an object, in a fence or not, and the verdict of it."""
    for body in _bodies(said):
        value = parsed(body)
        if isinstance(value, str):
            value = parsed(value)
        found = of_object(value, allowed)
        if found is not None or isinstance(value, dict):
            return True, found
        found = _of_broken(body, allowed)
        if found is not None:
            return True, found
    return False, None


def _bodies(said: str) -> Iterator[str]:
    yield said
    if said.startswith(("```", "~~~")):
        inner = re.sub(r"\A[`~]{3,}[ \t]*\w*\s*", "", said)
        yield re.sub(r"\s*[`~]{3,}\Z", "", inner)
    elif said.startswith(('"rationale"', '"verdict"')):
        yield "{" + said.rstrip().rstrip(",") + ("" if said.rstrip().endswith("}") else "}")


def _of_broken(body: str, allowed: Sequence[str]) -> Verdict | None:
    """Return the verdict of an object that is not quite JSON, or was cut off behind it, when it has only one."""
    if not body.startswith(("{", '"rationale"', '"verdict"')):
        return None
    if (end := object_end(body, 0)) is not None and parsed(body[:end]) is not None:
        return None
    field = words.FIELD.search(body)
    is_only = len(words.ANY_FIELD.findall(body)) == 1
    if field is not None and not is_only and not (field.end() == len(body) and _ENDED.search(body, 0, field.start())):
        return None
    verdict = None if field is None else meant(field["value"].strip("\"'"), allowed)
    return None if verdict is None else Verdict(verdict=verdict, rationale=body[:_RATIONALE])


def each(said: str) -> Iterator[tuple[int, int, dict[Any, Any]]]:
    """Yield where each object of a text begins and ends, and the object."""
    at = tried = 0
    while tried < _BEGINNINGS and (start := said.find("{", at)) >= 0:
        tried += 1
        end = object_end(said, start)
        value = None if end is None else parsed(said[start:end])
        at = start + 1
        if end is not None and isinstance(value, dict):
            at = end
            yield start, end, value


def object_end(text: str, start: int) -> int | None:
    """Return where the object that begins at a brace ends; braces within its strings do not count."""
    depth, is_text, is_escaped = 0, False, False
    for place in range(start, min(len(text), start + _LONGEST)):
        sign = text[place]
        if is_escaped:
            is_escaped = False
        elif is_text and sign == "\\":
            is_escaped = True
        elif sign == '"':
            is_text = not is_text
        elif not is_text and sign in "{}":
            depth += 1 if sign == "{" else -1
            if not depth:
                return place + 1
    return None


def parsed(body: str) -> Any:
    """Return the JSON of a text, as strictly as small models write it; None for none."""
    body = body.strip()
    if not body.startswith(("{", "[", '"{')):
        return None
    bare = re.sub(r",\s*([}\]])", r"\1", re.sub(r"^\s*//.*$", "", body, flags=re.MULTILINE))
    for text in (body, bare, body.translate(_STRAIGHT)):
        try:
            # Raw newlines and tabs inside strings are read.
            return json.loads(text, strict=False, object_pairs_hook=_once)
        except (ValueError, RecursionError):
            continue
    if len(body) < 20_000 and not body.startswith('"'):
        try:
            return ast.literal_eval(re.sub(r"[\n\t]", " ", body))
        except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):  # "{{...}}" is a set of objects
            pass
    return None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object; a key that it has twice with different values has none."""
    found: dict[str, Any] = {}
    for key, value in pairs:
        found[key] = value if found.get(key, value) == value else None
    return found


def _fields(value: dict[Any, Any]) -> dict[str, Any]:
    return {words.FINAL_KEY.sub("", str(key).strip().casefold()) or str(key): one for key, one in value.items()}


def of_object(value: Any, allowed: Sequence[str]) -> Verdict | None:
    """Return the verdict of an object; an object or a list that holds nothing else is looked into."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if not isinstance(value, dict):
        return None
    fields = _fields(value)
    if len(fields) == 1:
        ((name, only),) = fields.items()
        within = of_object(only, allowed) if name in _OWN and isinstance(only, dict) else None
        if within is not None:
            return within
    key = next((name for name in _KEYS if name in fields), None)
    if key is None:
        flags = {fields[name] for name in _FLAGS if isinstance(fields.get(name), bool)}
        verdict = meant(flags.pop(), allowed) if len(flags) == 1 else None
    else:
        inner = fields[key]
        if isinstance(inner, list) and len(inner) == 1:
            inner = inner[0]
        scaled = _fields(inner) if isinstance(inner, dict) else fields
        if isinstance(inner, dict):
            inner = next((scaled[name] for name in _INNER if not isinstance(scaled.get(name), dict | None)), None)
        most = next((scaled[name] for name in _MOST if isinstance(scaled.get(name), int | float)), None)
        if most is not None and most != max(steps(allowed), default=None):
            return None
        glossed = words.GLOSSED.fullmatch(inner.strip()) if isinstance(inner, str) else None
        verdict = meant(inner, allowed) or meant(glossed and glossed["value"], allowed)
    reason = next((fields[name] for name in _REASONS if isinstance(fields.get(name), str)), None)
    return None if verdict is None else Verdict(verdict=verdict, rationale=reason)
