"""How a judge's answer is read: the verdict that is its own and stands last, or None. Pure.

What is judged may hold verdicts of its own, and judges repeat what they read. So nothing between quotation marks
counts, nothing that a sentence hands on ("the output says: ..."), and no JSON inside a sentence. What follows the
verdict may be a courtesy or a reason, but nothing that takes it back. Where two readings are possible there is no
verdict: the judge is asked once more, which costs a call; a wrong verdict costs trust.
"""

from __future__ import annotations

import ast
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from lmops.scorers import _judge_words as words

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

#: Longest answer that is read; a verdict stands at an end of it.
_LONGEST: Final = 60_000
#: So many places where an object may begin are tried.
_BEGINNINGS: Final = 200
_RATIONALE: Final = 2000
#: So many verdicts of a text are looked at, the last ones, and so much of what stands before each.
_VERDICTS: Final = 100
_BEFORE: Final = 2000
_KEYS: Final = ("verdict", "rating", "score", "grade", "judgment", "judgement", "decision", "result", "label")
_REASONS: Final = ("rationale", "reason", "reasoning", "explanation")
#: Keys whose value is yes or no.
_FLAGS: Final = ("pass", "passed", "passes", "is_pass", "is_passed", "passing", "correct", "is_correct")
#: Keys of an object in the place of a verdict: what it is, and where its scale ends.
_INNER: Final = ("value", *_KEYS, "name", "choice")
_MOST: Final = ("max", "out_of", "maximum", "max_score", "scale")
#: The only part of an object that may hold the judge's verdict within; under any other name it may be a quotation.
_OWN: Final = frozenset(
    (*_KEYS, "evaluation", "assessment", "judge", "review", "final", "final_verdict", "data", "json")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a judge said."""

    verdict: str
    rationale: str | None


@dataclass(frozen=True, slots=True)
class _Found:
    """A verdict at a place of the text."""

    verdict: str
    start: int
    end: int
    is_own: bool  # stands as a block or a sentence of its own, handed on by nobody
    is_line: bool  # begins a line
    rationale: str | None = None
    is_plain: bool = True  # names the verdict; false for what only says how the output does
    is_wish: bool = False  # "I would give it ..."


def read(completion: Any, text: str | None, allowed: Sequence[str]) -> Verdict | None:
    """Return the verdict of an answer: the model's own last one; None where there is none, or it is not sure.

    Args:
        completion: What the model gave; ``parsed`` is used when there is one.
        text: Its text.
        allowed: The verdicts that count.
    """
    parsed = _of_object(getattr(completion, "parsed", None), allowed)
    if parsed is not None or not text:
        return parsed
    said = _answer(text[-_LONGEST:])
    whole = _whole(said, allowed)
    if whole is not None:
        return whole
    if _is_object(said):  # an object without a verdict that counts, whatever its texts say
        return None
    return _last(said, allowed)


def _answer(text: str) -> str:
    """Return an answer without what was thought before it; nothing when the thought never ended."""
    ends = list(words.THOUGHT_END.finditer(text))
    if ends:
        text = text[ends[-1].end() :]
    elif (begun := words.THOUGHT.search(text)) is not None:
        text = text[: begun.start()]
    text = words.STRUCK.sub("", words.SPECIAL.sub("", text))
    text = words.SIGN.sub("", words.STARS.sub(_starred, text)).strip()
    text = words.SPEAKER.sub("", text)
    if (wrapped := words.WRAPPED.fullmatch(text)) is not None:
        text = wrapped[1].strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" and text[0] not in text[1:-1] and "{" not in text:
        text = text[1:-1].strip()
    return text


def _starred(found: re.Match[str]) -> str:
    """Return the number that stars say; nothing when a number follows them."""
    if found["number"]:
        return found["number"]
    full = len(found["full"].replace("\ufe0f", ""))
    return f"{full}/{full + len(found['empty'])}" if found["empty"] else str(full)


def _whole(said: str, allowed: Sequence[str]) -> Verdict | None:
    """Return the verdict of a text that is one object or one verdict, in a fence or not."""
    for body in _bodies(said):
        value = _parsed(body)
        found = _of_object(value, allowed)
        if found is not None:
            return found
        if isinstance(value, dict):
            return None
        answers = words.ANSWERS.fullmatch(body.strip())
        alone = _meant(answers["value"] if answers else body.strip(" \t\n\"'*_.!`[]#:"), allowed)
        if alone is not None:
            return Verdict(verdict=alone, rationale=None)
        if body.startswith(("{", '"rationale"', '"verdict"')) and not _begins_whole(body):
            field = words.FIELD.search(body)
            keys = words.ANY_FIELD.findall(body)
            if len(keys) == 1 and field is None:
                field = words.CUT_OFF.match(body)
            if field is not None and (len(keys) == 1 or re.search(r'["\u201d]\s*\Z', body[: field.start()])):
                verdict = _meant(field["value"].strip("\"'"), allowed)
                return None if verdict is None else Verdict(verdict=verdict, rationale=body[:_RATIONALE])
    return None


def _begins_whole(body: str) -> bool:
    """Return whether a text begins with an object that needs no mending."""
    end = _object_end(body, 0) if body.startswith("{") else None
    return end is not None and _parsed(body[:end]) is not None


def _bodies(said: str) -> Iterator[str]:
    yield said
    if said.startswith(("```", "~~~")):
        inner = re.sub(r"\A[`~]{3,}[ \t]*\w*\s*", "", said)
        yield re.sub(r"\s*[`~]{3,}\Z", "", inner)
    elif said.startswith(('"rationale"', '"verdict"')):
        yield "{" + said.rstrip().rstrip(",") + ("" if said.rstrip().endswith("}") else "}")


def _is_object(said: str) -> bool:
    return any(isinstance(_parsed(body), dict) for body in _bodies(said))


def _last(said: str, allowed: Sequence[str]) -> Verdict | None:
    """Return the judge's own last verdict in a text."""
    objects = list(_objects(said, allowed))
    plain = _masked(said, [(one.start, one.end) for one in objects], allowed)
    spoken = [*_sentences(plain, allowed), *_rows(plain, allowed)]
    found = sorted([*objects, *spoken], key=lambda one: (one.end, one.start))
    found = [one for one in found if one.verdict]
    own = [one for one in found if one.is_own]
    named = [one for one in own if one.is_plain]
    if not own:
        return _bare(said, plain, allowed, also_first=not found)
    last = (named or own)[-1]
    # What only says how the output does counts where nothing names the verdict, and says nothing else behind one.
    loose = [one for one in own if not one.is_plain and (not named or one.start > last.start)]
    if any(one.verdict != last.verdict for one in loose) or _is_in_doubt(said, last, found, objects):
        return None
    after = plain[last.end :]
    if _is_hedged(after, last.verdict, allowed):
        return None
    is_wish = last.is_wish and words.WISHES.search(after) is not None
    if is_wish or words.TAKES_BACK.search(after.lstrip(" \t.,!*_`)}\"'\u2026")):
        return _closing(said, plain, allowed)
    rationale = said[:_RATIONALE] if last.rationale is None else last.rationale
    return Verdict(verdict=last.verdict, rationale=rationale)


def _is_in_doubt(said: str, last: _Found, found: Sequence[_Found], objects: Sequence[_Found]) -> bool:
    """Return whether another verdict is handed on so that the last one may be too.

    Without marks of quotation, and with a verdict in the same line, whose is whose is not sure; an object has marks.
    """
    others = [one for one in found if one.verdict != last.verdict and not one.is_own]
    if last in objects and any(
        one.verdict not in ("", last.verdict) and not said[one.end : last.start].strip()
        for one in objects
        if one is not last and one.end <= last.start
    ):
        return True
    return not last.is_line and any(one not in objects or one.start > last.start for one in others)


def _objects(said: str, allowed: Sequence[str]) -> Iterator[_Found]:
    """Yield the objects of a text with the verdict of each, own or handed on."""
    at = tried = 0
    while tried < _BEGINNINGS and (start := said.find("{", at)) >= 0:
        tried += 1
        end = _object_end(said, start)
        value = None if end is None else _parsed(said[start:end])
        if end is None or not isinstance(value, dict):
            at = start + 1
            continue
        at = end
        verdict = _of_object(value, allowed)
        before = words.OPEN_FENCE.sub("", said[:start])
        after = re.sub(r"^\s*(?://|#).*", "", said[end:].partition("\n")[0]).strip(" \t`~*_.!)}")
        is_block = words.BOUNDARY.search(before) is not None and (not after or _is_sentence(after))
        yield _Found(
            verdict.verdict if verdict else "",
            start,
            end,
            is_block and not _is_handed_on(before),
            before.rstrip(" \t*_`") == "" or before.rstrip(" \t*_`").endswith("\n"),
            (verdict.rationale if verdict else None) or "",
        )


def _is_sentence(after: str) -> bool:
    return after[:1].isupper() and words.TAKES_BACK.search(after) is None


def _object_end(text: str, start: int) -> int | None:
    """Return where the object that begins at a brace ends; braces within its strings do not count."""
    depth, quote, escaped = 0, "", False
    for place in range(start, min(len(text), start + _LONGEST)):
        sign = text[place]
        if quote:
            if escaped:
                escaped = False
            elif sign == "\\":
                escaped = True
            elif sign == quote:
                quote = ""
        elif sign == '"':
            quote = sign
        elif sign == "{":
            depth += 1
        elif sign == "}":
            depth -= 1
            if not depth:
                return place + 1
    return None


def _masked(said: str, spans: list[tuple[int, int]], allowed: Sequence[str]) -> str:
    """Return a text of the same length in which objects and quotations are blank; a quoted verdict alone stays."""

    def blank(found: re.Match[str]) -> str:
        inner = next((part for part in found.groups() if part is not None), "")
        if _meant(inner.strip(" .!*_"), allowed) is not None:
            return found[0]
        return _hidden(found[0])

    for start, end in spans:
        said = said[:start] + "\u25a0" * (end - start) + said[end:]
    said = words.UNDERLINED.sub(r"**\1**", said)
    said = words.QUOTED.sub(blank, said)
    for found in words.HEADED.finditer(said):
        if _meant(words.BARE_ENDS.sub("", found["value"]), allowed) is not None:
            said = said[: found.start("mark")] + " " + said[found.end("mark") :]
    for pattern in (words.SECTION, words.YAML_TEXT):
        for found in pattern.finditer(said):
            if _meant(words.BARE_ENDS.sub("", found["body"]), allowed) is None:
                said = said[: found.start("body")] + _hidden(found["body"]) + said[found.end("body") :]
    said = words.BLOCKQUOTE.sub(lambda found: "\u25a0" * len(found[0]), said)
    return _without_handed_on_blocks(said)


def _hidden(text: str) -> str:
    """Return as many blanks as a text has signs, in its lines."""
    return re.sub(r"[^\n]", "\u25a0", text)


def _without_handed_on_blocks(said: str) -> str:
    """Return a text with fenced blocks blank that a sentence hands on."""
    fences = list(words.FENCE.finditer(said))
    for first, second in zip(fences[::2], fences[1::2], strict=False):
        if _is_handed_on(said[: first.start()]):
            said = said[: first.start()] + _hidden(said[first.start() : second.end()]) + said[second.end() :]
    return said


def _sentences(plain: str, allowed: Sequence[str]) -> Iterator[_Found]:
    """Yield what a text says in words: "Verdict: pass", "I would rate this 4 out of 5", "so it fails"."""
    seen: set[int] = set()
    for pattern in (words.TAGGED, words.RATED, words.SAID, words.THUS, words.BOXED):
        said = ((found, _meant(found["value"].strip(" \"'*_.`"), allowed)) for found in pattern.finditer(plain))
        for found, verdict in [one for one in said if one[1] is not None][-_VERDICTS:]:
            at = found.start("value")
            if verdict is None or at in seen or not _is_on_scale(plain, found, allowed):
                continue
            seen.add(at)
            one = _placed(plain, found, verdict, found.end("value"))
            if one is not None:
                yield one
    for pattern in (words.IS, words.MAKES, words.DOES, words.ARROW, words.BETTER):
        does = ((found, _loose(found, allowed)) for found in pattern.finditer(plain))
        for found, verdict in [one for one in does if one[1] is not None][-_VERDICTS:]:
            if verdict is not None and _is_on_scale(plain, found, allowed):
                is_plain = bool(found.groupdict().get("so"))
                one = _placed(plain, found, verdict, found.end(), is_plain=is_plain)
                if one is not None and one.is_own:
                    yield one


def _placed(plain: str, found: re.Match[str], verdict: str, end: int, *, is_plain: bool = True) -> _Found | None:
    """Return a verdict with whose it is; None for one that is only supposed: "if the fee were right, ..."."""
    before = plain[max(0, found.start() - _BEFORE) : found.start()]
    sentence = re.split(r"[.!?\n]", before)[-1]
    if words.SUPPOSES.search(sentence):
        return None
    line = before.rpartition("\n")[2].strip(" \t\"'*_#-|([>")
    is_own = words.BOUNDARY.search(before[-200:]) is not None and not _is_handed_on(before)
    is_drawn = words.CONCLUDES.match(found[0]) or words.REASONS.match(sentence)
    is_clause = words.CLAUSE.search(before[-200:]) if is_drawn else found.re is words.ARROW
    if not is_own and is_clause:
        is_own = words.CLAIMS.search(sentence) is None or words.OWN.search(sentence) is not None
    is_wish = re.search(r"\bwould\b|['\u2019]d\b", found[0]) is not None
    return _Found(verdict, found.start(), end, is_own, not line, None, is_plain, is_wish)


def _loose(found: re.Match[str], allowed: Sequence[str]) -> str | None:
    """Return the verdict in what a sentence says of the output: "it is a pass", "it does not meet the criterion"."""
    parts = found.groupdict()
    if "object" in parts:
        verdict = "pass" if parts["pass"] else "fail"
        says_it = "pass" in found[0].casefold() or "fail" in found[0].casefold() or parts["object"]
        return next((name for name in allowed if says_it and name.casefold() == verdict), None)
    value = parts["value"].strip(" \"'*_.`")
    is_number = value[:1].isdigit()
    if value.casefold() in words.DIGITS or ("article" in parts and not _is_said(parts, is_number=is_number)):
        return None
    return _meant(value, allowed)


def _is_said(parts: Mapping[str, str | None], *, is_number: bool) -> bool:
    """Return whether "it is X" says a verdict: with an article, as a share, or as what should be."""
    return bool(parts["article"] or parts["should"] or (is_number and re.search(r"\D", parts["value"] or "")))


def _rows(plain: str, allowed: Sequence[str]) -> Iterator[_Found]:
    """Yield the verdict of each table with a column for it: of its only row, or of the one over all."""
    for table in re.finditer(r"(?:^[ \t]*\|.*(?:\n|\Z))+", plain, re.MULTILINE):
        head, *lines = table[0].rstrip().split("\n")
        if len(lines) < 2 or not re.fullmatch(r"[\s|:\-]+", lines[0]):
            continue
        names, *rows = [[cell.strip(" *_`") for cell in line.strip(" |").split("|")] for line in (head, *lines[1:])]
        places = [at for at, name in enumerate(names) if name.casefold() in _KEYS]
        rows = [rows[-1]] if len(rows) == 1 or words.OVERALL.match(rows[-1][0]) else []
        cells = [row[at] for row in rows for at in places if at < len(row)]
        verdict = _meant(cells[0], allowed) if len(cells) == 1 else None
        if verdict is not None:
            is_own = not _is_handed_on(plain[: table.start()])
            yield _Found(verdict, table.start(), table.end(), is_own, is_line=True)


def _is_on_scale(plain: str, found: re.Match[str], allowed: Sequence[str]) -> bool:
    """Return whether no other scale than the judge's is named with a verdict: "4 (out of 10)", "Score (0-10): 4"."""
    steps = [int(name) for name in allowed if name.lstrip("-").isdigit()]
    is_valued = "value" in found.re.groupindex
    out_of = words.OUT_OF.match(plain, found.end("value")) if is_valued else None
    if not steps:
        return out_of is None
    low, high = min(steps), max(steps)
    if out_of is not None and float(out_of[1]) != high:
        return False
    before, after = plain[max(0, found.start() - _BEFORE) : found.start()], plain[found.end() : found.end() + _BEFORE]
    ends = r"\n|[.!?;](?!\d)"
    sentence = re.split(ends, before)[-1] + found[0] + re.split(ends, after, maxsplit=1)[0]
    sentence += "\n" + "".join(re.findall(r"^\W*scale:[^\n]*\n", before, re.IGNORECASE | re.MULTILINE))
    return all(
        int(end["high"] or end["top"] or end["most"]) == high and int(end["low"] or low) == low
        for end in words.ENDS.finditer(sentence)
    )


def _is_handed_on(before: str) -> bool:
    """Return whether the words right before something say that it is somebody else's."""
    lines = before.rstrip(" \t\"'*_`~([").split("\n")
    lead = lines[-1]
    if not lead.strip():
        above = [line for line in lines if line.strip()]
        lead = above[-1].rstrip() if above else ""
        if not lead.endswith((":", "\uff1a")) and words.HANDS_ON.search(lead) is None:
            return False
    parts = re.split(r"(?<=[.!?])\s+", lead.strip())
    sentence = parts[-1]
    if lead.rstrip().endswith((".", "!", "?", ";")):
        return False
    return words.ATTRIBUTES.search(sentence) is not None and words.OWN.search(sentence) is None


def _bare(said: str, plain: str, allowed: Sequence[str], *, also_first: bool) -> Verdict | None:
    """Return a verdict that stands alone as the last line or sentence, or at the very beginning."""
    lines = _without_courtesies(plain)
    alone = [_meant(words.BARE_ENDS.sub("", line), allowed) for line in lines]
    is_first = any(alone[:1]) and not any(alone[1:])
    if any(alone) and alone[-1:] != [*({*alone} - {None})] and not is_first:
        return None
    if any(alone[-1:]) and not _is_handed_on("\n".join(lines[:-1]) + "\n"):
        return Verdict(verdict=str(alone[-1]), rationale=said[:_RATIONALE])
    return _closing(said, plain, allowed) or (_first(said, plain, allowed) if also_first else None)


def _first(said: str, plain: str, allowed: Sequence[str]) -> Verdict | None:
    """Return a verdict at the very beginning, with a reason behind it: "Fail - the fee is missing."."""
    first = words.FIRST.search(plain)
    verdict = None if first is None else _meant(first["value"].strip(), allowed)
    if first is None or verdict is None:
        return None
    later = plain[first.end() :].lstrip()
    is_discourse = first["value"].strip().casefold() in words.DISCOURSE and first["mark"].strip(" .!")
    is_list = first["value"].isdigit() and re.search(r"^\W*\d+\W", later, re.MULTILINE)
    is_other = later.casefold().startswith(("but ", "and no", "however", "or ", "yes", "no"))
    if is_discourse or is_list or is_other or words.TAKES_BACK.search(later):
        return None
    if _meant(words.BARE_ENDS.sub("", later), allowed) is not None or _is_hedged(later, verdict, allowed):
        return None
    if _is_defined(later, verdict, allowed):
        return None
    return Verdict(verdict=verdict, rationale=said[:_RATIONALE])


def _is_hedged(after: str, verdict: str, allowed: Sequence[str]) -> bool:
    """Return whether the sentence goes on with another verdict that may be meant."""
    hedge = words.HEDGES.match(after)
    return hedge is not None and _meant(hedge["value"], allowed) not in (None, verdict)


def _is_defined(later: str, verdict: str, allowed: Sequence[str]) -> bool:
    """Return whether later lines begin with other verdicts: then they say what each of them means."""
    begun = (words.FIRST.search(line) for line in later.split("\n"))
    return any(_meant(one["value"].strip(), allowed) not in (None, verdict) for one in begun if one)


def _without_courtesies(plain: str) -> list[str]:
    lines = [line for line in plain.split("\n") if line.strip()]
    while len(lines) > 1 and words.COURTESY.search(lines[-1].strip(" *_")):
        lines.pop()
    return lines


def _closing(said: str, plain: str, allowed: Sequence[str]) -> Verdict | None:
    """Return a verdict that is the last sentence: "The fee is missing. Fail."; "no" and "yes" may answer anything."""
    lines = _without_courtesies(plain)
    found = words.CLOSING.search(lines[-1][-400:]) if lines else None
    if found is None or words.POINTS.search(found["before"]):
        return None
    value = found["value"].strip(" *_").casefold()
    verdict = next((name for name in allowed if name.casefold() == value and value not in words.DISCOURSE), None)
    return None if verdict is None else Verdict(verdict=verdict, rationale=said[:_RATIONALE])


def _parsed(body: str) -> Any:
    """Return the JSON of a text, as strictly as small models write it; None for none."""
    body = body.strip()
    if not body.startswith(("{", "[")):
        return None
    for text in (body, re.sub(r",\s*([}\]])", r"\1", body), body.translate(_STRAIGHT)):
        try:
            # Raw newlines and tabs inside strings are read.
            return json.loads(text, strict=False, object_pairs_hook=_once)
        except (ValueError, RecursionError):
            continue
    if len(body) < 20_000:
        try:
            return ast.literal_eval(re.sub(r"[\n\t]", " ", body))
        except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):  # "{{...}}" is a set of objects
            pass
    return None


_STRAIGHT: Final = {0x201C: '"', 0x201D: '"'}


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object; a key that it has twice with different values has none."""
    found: dict[str, Any] = {}
    for key, value in pairs:
        found[key] = value if found.get(key, value) == value else None
    return found


def _of_object(value: Any, allowed: Sequence[str]) -> Verdict | None:
    """Return the verdict of an object; an object or a list that holds nothing else is looked into."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if not isinstance(value, dict):
        return None
    fields = {str(key).strip().casefold(): one for key, one in value.items()}
    key = next((name for name in _KEYS if name in fields), None)
    reason = next((fields[name] for name in _REASONS if isinstance(fields.get(name), str)), None)
    if key is None and len(fields) == 1:
        ((name, only),) = fields.items()
        if isinstance(only, dict):
            return _of_object(only, allowed) if name in _OWN else None
    if key is None:
        flags = {fields[name] for name in _FLAGS if isinstance(fields.get(name), bool)}
        verdict = _meant(flags.pop(), allowed) if len(flags) == 1 else None
    else:
        inner = fields[key]
        if isinstance(inner, dict) and len(fields) == 1 and _of_object(inner, allowed) is not None:
            return _of_object(inner, allowed)
        inner = _inner(inner, allowed)
        glossed = words.GLOSSED.fullmatch(inner.strip()) if isinstance(inner, str) else None
        verdict = _meant(inner, allowed) or _meant(glossed and glossed["value"], allowed)
    return None if verdict is None else Verdict(verdict=verdict, rationale=reason)


def _inner(value: Any, allowed: Sequence[str]) -> Any:
    """Return what stands in the place of a verdict: itself, the only one of a list, or the value of an object."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if not isinstance(value, dict):
        return value
    fields = {str(key).strip().casefold(): one for key, one in value.items()}
    most = next((fields[key] for key in _MOST if isinstance(fields.get(key), int | float)), None)
    steps = [int(name) for name in allowed if name.lstrip("-").isdigit()]
    if most is not None and (not steps or most != max(steps)):
        return None
    return next((fields[key] for key in _INNER if key in fields and not isinstance(fields[key], dict)), None)


def _meant(value: Any, allowed: Sequence[str]) -> str | None:
    """Return the verdict that a value means, or None; a share of another scale than the judge's is none."""
    if isinstance(value, bool):
        value = "pass" if value else "fail"
    if isinstance(value, int | float):
        value = f"{value:.10g}"
    if not isinstance(value, str):
        return None
    said = " ".join(value.strip(" \t\n\"'*_.`").casefold().split())
    by_name = {name.casefold(): name for name in allowed}
    if said in by_name:
        return by_name[said]
    if fraction := words.FRACTION.fullmatch(said):
        steps = [int(name) for name in allowed if name.lstrip("-").isdigit()]
        if not steps or float(fraction[2]) != max(steps):
            return None
        said = fraction[1]
    said = re.sub(r"\s*\([^()\d]{1,40}\)$", "", words.PLAINLY.sub("", said))
    said = words.TAIL.sub("", said)
    if meets := words.MEETS.fullmatch(said):
        said = "fails" if meets["not"] else "passes"
    if re.fullmatch(r"-?\d+\.0+", said):
        said = said.partition(".")[0]
    return by_name.get(said) or by_name.get(words.DIGITS.get(said, "")) or by_name.get(words.YES.get(said, ""))
