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

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: Longest answer that is read; a verdict stands at an end of it.
_LONGEST: Final = 60_000
#: So many places where an object may begin are tried.
_BEGINNINGS: Final = 200
_RATIONALE: Final = 2000
_KEYS: Final = ("verdict", "rating", "score", "grade", "judgment", "judgement", "decision", "result", "label")
_REASONS: Final = ("rationale", "reason", "reasoning", "explanation")
_YES: Final = {
    "yes": "pass", "true": "pass", "passed": "pass", "passes": "pass", "correct": "pass",
    "no": "fail", "false": "fail", "failed": "fail", "fails": "fail", "incorrect": "fail",
    "bestanden": "pass", "nicht bestanden": "fail", "aprobado": "pass", "no aprobado": "fail", "合格": "pass",
    "不合格": "fail", "通过": "pass", "不通过": "fail", "未通过": "fail",
}  # fmt: skip

_THOUGHT_END: Final = re.compile(
    r"</\s*(?:think|thinking|thought|reasoning|scratchpad|analysis)\s*>|\[/THINK\]|\u25c1/think\u25b7"
    r"|<\|channel\|>\s*final\s*<\|message\|>|<\|end_of_thought\|>",
    re.IGNORECASE,
)
_THOUGHT: Final = re.compile(
    r"<\s*(?:think|thinking|thought|reasoning|scratchpad|analysis)\s*>|\[THINK\]|\u25c1think\u25b7"
    r"|<\|channel\|>\s*analysis|<\|begin_of_thought\|>",
    re.IGNORECASE,
)
#: A sign before the word that says the same; before another word it stays, and nothing is read.
_SIGN: Final = re.compile(
    "(?:[\u2705\u2714\u2713\u2611\U0001f7e2\U0001f44d]\ufe0f?)\\s*(?=[*_]{0,3}(?:pass|yes|true|correct)\\b|bestanden)"
    "|(?:[\u274c\u2716\u2717\u2718\U0001f534\U0001f44e]\ufe0f?)\\s*(?=[*_]{0,3}(?:fail|no\\b|false|incorrect))",
    re.IGNORECASE,
)
_WRAPPED: Final = re.compile(r"<answer>((?:(?!</?answer>).)*)</answer>", re.IGNORECASE | re.DOTALL)
_SPECIAL: Final = re.compile(r"<\|[a-z_]{1,20}\|>|</s>")
#: What stands between marks of quotation, also over several lines; an inch or an apostrophe opens none.
_QUOTED: Final = re.compile(
    r'(?<![\w"])"(?=\S)(?P<a>[^"]{1,4000})"(?!\w) | \u201c(?P<b>[^\u201d]{1,4000})\u201d'
    r"| \u201e(?P<c>[^\u201c\u201d]{1,4000})[\u201c\u201d] | \u00ab(?P<d>[^\u00bb]{1,4000})\u00bb"
    r"| \u300c(?P<e>[^\u300d]{1,4000})\u300d | (?<!`)`(?P<f>[^`\n]{1,1000})`(?!`)"
    r"| (?<!\w)'(?=\S)(?P<g>[^\n]{1,1000}?)(?<=\S)'(?!\w) | (?<!\w)\u2018(?P<h>[^\n]{1,1000}?)\u2019(?!\w)",
    re.VERBOSE,
)
_BLOCKQUOTE: Final = re.compile(r"^[ \t]*>.*$", re.MULTILINE)
_FENCE: Final = re.compile(r"^[ \t]*(`{3,}|~{3,})[ \t]*\w*[ \t]*$", re.MULTILINE)
_OPEN_FENCE: Final = re.compile(r"(?:`{3,}|~{3,})[ \t]*(?:json)?\s*\Z", re.IGNORECASE)
#: Where a sentence may begin: after another one, a colon, a mark of emphasis, a list's or a table's mark.
_BOUNDARY: Final = re.compile(r"(?:\A|\n|[.!?:;\u3002\uff01\uff1f\uff1a\u2014]|\s\u2013|\|)(?:[^\w\u25a0]|_)*\Z")
#: A sentence that hands on what somebody else says.
_ATTRIBUTES: Final = re.compile(
    r"""\b(?:say|said|saying|claim|state|stated|stating|read|reads|contain|include|assert|write|wrote|written|quote|instruct
          |demand|insist|request|ask|tell|told|end|begin|start|open|close|append|repeat|print|return|add|respond|repl(?:y|ie)
          |embed|inject|announce|declare|conclude)(?:s|ed|d|ing|es)?\b
      | \b(?:output|response|text|document|user|candidate|answer|submission|input|question|reply|message|assistant)\b
        \s*(?::\s*\Z|[^.\n]{0,40}\b(?:is|was|were|has|had|gave|gives|produced|goes|has\ this|looks\ like)\s*:\s*\Z)
      | \b(?:quot(?:e|ing|ation)|verbatim|according\ to|for\ example|e\.g\.|such\ as|instead\ of|rather\ than
          |the\ (?:phrase|words|string|line|sentence|claim|instruction)|prompt\ injection|injected)\b""",
    re.IGNORECASE | re.VERBOSE,
)
#: A sentence that is the judge's own all the same.
_OWN: Final = re.compile(
    r"""\b(?:i|my|we|our|me)\b(?!\s+(?:read|see|quote|was|am\ (?:asked|told)))
      | \bhere\s+(?:is|are)\b | \b(?:final|overall)\b""",
    re.IGNORECASE | re.VERBOSE,
)
#: What may stand between the beginning of a sentence and the word "verdict".
_LEAD: Final = r"""
    (?:(?:so|thus|hence|therefore|overall|finally|accordingly|consequently|and|in\ (?:conclusion|summary|short)
      |to\ conclude|to\ sum\ up|as\ a\ result|for\ (?:this|that|these)\ reasons?|given\ (?:this|that|all\ of\ this)
      |based\ on\ [^.,:\n]{1,60})\b[,:]?\s+)*
    (?:(?:i|we)\s+(?:therefore\s+|thus\s+|would\s+|must\s+)*
      (?:give|say|return|answer|choose|pick|conclude|assign|settle\ on|go\ with|render|reach|arrive\ at)
      (?:\s+with)?(?:\s+that)?\s+)?
    (?:(?:the|this)\ (?:output|answer|response)\ (?:deserves|gets|earns|receives)\s+)?
    (?:(?:the|my|our|a|this|das|die|le|la|el|il|o|het)\s+)?(?:(?:final|overall|own|resulting)\s+)*"""
_NAMES: Final = r"""(?:verdict|pass\s?/\s?fail|rating|score|grade|judge?ment|decision|result|conclusion|assessment
    |evaluation|final\ answer|verdikt|urteil|bewertung|ergebnis|veredicto|veredito|verdetto|punteggio|resultado
    |puntuaci[oó]n|calificaci[oó]n|pontuaç[aã]o|oordeel|判定|结论|結論|评分|評分|スコア)"""
_VALUE: Final = r"""(?P<value>-?\d+(?:\.\d+)?(?!\w)(?:\s?(?:/|out\ of|of)\s?\d+(?:\.\d+)?(?!\w))?
    |[^\W\d_][\w\-]*(?:[ ][\w\-]+){0,5}?)"""
#: What closes a verdict: an end, a mark, or the reason that follows.
_CLOSE: Final = r"""(?![.,]\d)(?=["'*_`\u201d\u2019\])}>]*(?:\Z|\n|\s*[^\w\s?/\-]{1,4}\s*(?:\Z|\n)
    |[.!;,:|(<\u2014\u3002]|\s[\u2013\u2014(\-]|\s*\||\s?/\s?\d
    |\s?(?:points?|stars?|punkte?|\u2605)["'*_`]{0,4}(?:[.!,;]|\s*(?:\Z|\n))
    |\s(?:on\ a\ scale|because|since|due\ to|given\ that|as\ it|as\ the)\b))"""
_SAID: Final = re.compile(
    rf"""{_LEAD}\b{_NAMES}\b(?:\s+(?:for|on|of)\s+(?:this|the)\s+\w+)?(?:\s*\([^()\n]{{0,40}}\))?
        [\s"'*_`#|\])}}>]{{0,8}}
        (?:(?:ist\b|est\b|es\b|è|is|was|(?:should|must|has\ to)\ be|of|:|=|-|\u2013|\u2014|\uff1a|->|\u2192|\|)
            [\s"'*_`\[({{|:\u201c\u2018\u201e\u00ab]{{0,8}}
          |(?=\n)\s{{1,4}}["'*_`\[]{{0,4}}|<[^<>\n]{{0,20}}>\s*)
        (?:(?<=\n)[-\u2022]\s+(?![^\n]*\n+\s*[-\u2022]))?
        (?:(?:a|an|clearly|simply)\s+)?(?:\\boxed\{{(?:\\text\{{)?)?{_VALUE}{_CLOSE}""",
    re.IGNORECASE | re.VERBOSE,
)
_TAGGED: Final = re.compile(rf"<{_NAMES}>\s*(?P<value>[^<>\n]{{1,60}}?)\s*</{_NAMES}>", re.IGNORECASE | re.VERBOSE)
_RATED: Final = re.compile(
    rf"""{_LEAD}(?:i(?:['\u2019]d|\s+would|\s+will|['\u2019]ll|\s+must|\s+have\ to)?\s+(?:therefore\s+|thus\s+)?
        (?:rate|give|score|grade|judge|mark|assign))\s+(?:it|this|that|the\ \w+)(?:\s+(?:output|answer|response))?
        (?:\s+(?:as|a|an|at|with|of))*[\s:"'*_`]{{1,4}}{_VALUE}{_CLOSE}""",
    re.IGNORECASE | re.VERBOSE,
)
#: "Overall: pass", "I say: fail".
_THUS: Final = re.compile(
    rf"""\b(?:overall|therefore|thus|hence|final|in\ (?:conclusion|summary|short)|(?:i|we)\ (?:say|vote|conclude))
        ["*_`]{{0,3}}(?:\s*[:\u2014=]["*_`]{{0,3}}\s*["'*_`]{{0,3}}|(?<=say)\s+|(?<=vote)\s+){_VALUE}{_CLOSE}""",
    re.IGNORECASE | re.VERBOSE,
)
_BOXED: Final = re.compile(r"(?:\\boxed\{(?:\\text\{)?|\[\[)\s*(?P<value>[\w .\-/]{1,60}?)\s*(?:\}\}?|\]\])")
#: The answer begins with the verdict, and a reason follows.
_FIRST: Final = re.compile(r"""\A["'*_#\s]{0,6}(?P<value>[^\W\d_][\w\- ]{0,40}?|\d+\s?/\s?\d+)["'*_]{0,4}
    (?:[.!:,;]+(?=\s|\Z|["'*_]) | \s+[\u2013\u2014\-]+\s | \s*\n | (?=\s*\())""", re.VERBOSE)  # fmt: skip
#: What takes back what was said before it.
_TAKES_BACK: Final = re.compile(
    r"""\b(?:(?:i|we)\s+(?:(?:do\ not|don['\u2019]t|cannot|can['\u2019]t|strongly|must)\s+)?
          (?:disagree|agree|accept|follow|reconsider|retract|take\ (?:that|it)\ back)
      | (?:does|do|did|should|must|will|can)(?:\ not|n['\u2019]t)\ (?:count|apply|hold|matter|be\ (?:counted|trusted))
      | correction\b | scratch\ that | on\ second\ thoughts? | (?:i|we)\ was\ wrong | (?:is|was)\ not\ my\ verdict
      | never\s?mind | (?:ignore|disregard)\ (?:that|this|it|the\ above) | (?:my|the)\ (?:real|actual|true|own)\ verdict
      | (?:that|this|which)\ (?:is|was)\ (?:only\ |just\ )?(?:what|how)\ [^.\n]{0,40}
          (?:says?|said|claim(?:s|ed)?|want(?:s|ed)?|demands?|asks?|writes?|wrote)\b
      | (?:are|were|is|was)\ (?:only\ )?(?:the\ )?(?:words|text|claim)\ of\ the\ )
      | (?:^|[.!?\n]\s*)(?:wait|actually|hmm|no,|but\ (?:wait|no|i)|however,?\ i\b|which\b|is\ what\b
          |or\ (?:is|maybe|not)\b|unless\b|if\ )""",
    re.IGNORECASE | re.VERBOSE,
)
_FIELD: Final = re.compile(
    r"""(?P<lead>[{,]\s*|\n\s*)["'\u201c]?verdict["'\u201d]?\s*:\s*(?P<value>"[^"\n]{1,60}"|'[^'\n]{1,60}'|-?[\d.]+|true|false)
        \s*,?\s*\}?\s*\Z""",
    re.IGNORECASE | re.VERBOSE,
)
_ANY_FIELD: Final = re.compile(r"""["'\u201c]?verdict\\?["'\u201d]?\s*:""", re.IGNORECASE)
_OUT_OF: Final = re.compile(
    r"[\s\"'*_`\])]*\(?\s*(?:/|out\s+of|of|on\s+a\s+scale\s+(?:of|from)\s+\d+\s*(?:-|\u2013|to))\s*(\d+)", re.IGNORECASE
)
_FRACTION: Final = re.compile(r"(-?\d+(?:\.\d+)?)\s?(?:/|out of|of)\s?(\d+(?:\.\d+)?)", re.IGNORECASE)


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
    ends = list(_THOUGHT_END.finditer(text))
    if ends:
        text = text[ends[-1].end() :]
    elif (begun := _THOUGHT.search(text)) is not None:
        text = text[: begun.start()]
    text = _SIGN.sub("", _SPECIAL.sub("", text)).strip()
    if (wrapped := _WRAPPED.fullmatch(text)) is not None:
        text = wrapped[1].strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" and text[0] not in text[1:-1] and "{" not in text:
        text = text[1:-1].strip()
    return text


def _whole(said: str, allowed: Sequence[str]) -> Verdict | None:
    """Return the verdict of a text that is one object or one verdict, in a fence or not."""
    for body in _bodies(said):
        value = _parsed(body)
        found = _of_object(value, allowed)
        if found is not None:
            return found
        if isinstance(value, dict):
            return None
        alone = _meant(body.strip(" \t\n\"'*_.!`[]#:"), allowed)
        if alone is not None:
            return Verdict(verdict=alone, rationale=None)
        if body.lstrip().startswith(("{", '"rationale"', '"verdict"')):
            field = _FIELD.search(body)
            keys = _ANY_FIELD.findall(body)
            if field is not None and (len(keys) == 1 or re.search(r'["\u201d]\s*\Z', body[: field.start()])):
                verdict = _meant(field["value"].strip("\"'"), allowed)
                return None if verdict is None else Verdict(verdict=verdict, rationale=body[:_RATIONALE])
    return None


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
    found = sorted([*objects, *_sentences(plain, allowed)], key=lambda one: (one.end, one.start))
    found = [one for one in found if one.verdict]
    own = [one for one in found if one.is_own]
    if not own:
        return _bare(said, plain, allowed, also_first=not found)
    last = own[-1]
    for other in found:
        differs = other.verdict != last.verdict
        # One that is handed on without marks of quotation, and a verdict in the same line: whose is whose is not sure.
        if differs and not other.is_own and not last.is_line:
            return None
    if _TAKES_BACK.search(plain[last.end :].lstrip(" \t.,!*_`)}\"'")):
        return None
    rationale = said[:_RATIONALE] if last.rationale is None else last.rationale
    return Verdict(verdict=last.verdict, rationale=rationale)


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
        before = _OPEN_FENCE.sub("", said[:start])
        after = said[end:].partition("\n")[0].strip(" \t`~*_.!)")
        is_block = _BOUNDARY.search(before) is not None and (not after or _is_sentence(after))
        yield _Found(
            verdict.verdict if verdict else "", start, end, is_block and not _is_handed_on(before),
            before.rstrip(" \t*_`") == "" or before.rstrip(" \t*_`").endswith("\n"),
            (verdict.rationale if verdict else None) or "",
        )  # fmt: skip


def _is_sentence(after: str) -> bool:
    return after[:1].isupper() and _TAKES_BACK.search(after) is None


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
        return re.sub(r"[^\n]", "\u25a0", found[0])

    for start, end in spans:
        said = said[:start] + "\u25a0" * (end - start) + said[end:]
    said = _QUOTED.sub(blank, said)
    said = _BLOCKQUOTE.sub(lambda found: "\u25a0" * len(found[0]), said)
    return _without_handed_on_blocks(said)


def _without_handed_on_blocks(said: str) -> str:
    """Return a text with fenced blocks blank that a sentence hands on."""
    fences = list(_FENCE.finditer(said))
    for first, second in zip(fences[::2], fences[1::2], strict=False):
        if _is_handed_on(said[: first.start()]):
            inner = re.sub(r"[^\n]", "\u25a0", said[first.start() : second.end()])
            said = said[: first.start()] + inner + said[second.end() :]
    return said


def _sentences(plain: str, allowed: Sequence[str]) -> Iterator[_Found]:
    """Yield what a text says in words: "Verdict: pass", "I would rate this 4 out of 5"."""
    seen: set[int] = set()
    for pattern in (_TAGGED, _RATED, _SAID, _THUS, _BOXED):
        for found in pattern.finditer(plain):
            verdict = _meant(found["value"].strip(" \"'*_.`"), allowed)
            if (
                verdict is None
                or found.start("value") in seen
                or _is_of_another_scale(plain[found.end("value") :], allowed)
            ):
                continue
            seen.add(found.start("value"))
            before = plain[: found.start()]
            is_start = _BOUNDARY.search(before) is not None
            line = before.rpartition("\n")[2].strip(" \t\"'*_#-|([>")
            yield _Found(verdict, found.start(), found.end("value"), is_start and not _is_handed_on(before), not line)


def _is_of_another_scale(after: str, allowed: Sequence[str]) -> bool:
    """Return whether a number is followed by the end of a scale that is not the judge's: "4 (out of 10)"."""
    found = _OUT_OF.match(after)
    steps = [int(name) for name in allowed if name.lstrip("-").isdigit()]
    return found is not None and (not steps or float(found[1]) != max(steps))


def _is_handed_on(before: str) -> bool:
    """Return whether the words right before something say that it is somebody else's."""
    lines = before.rstrip(" \t\"'*_`~([").split("\n")
    lead = lines[-1]
    if not lead.strip():
        above = [line for line in lines if line.strip()]
        lead = above[-1].rstrip() if above else ""
        if not lead.endswith((":", "\uff1a")):
            return False
    parts = re.split(r"(?<=[.!?])\s+", lead.strip())
    sentence = parts[-1]
    if lead.rstrip().endswith((".", "!", "?", ";")):
        return False
    return _ATTRIBUTES.search(sentence) is not None and _OWN.search(sentence) is None


def _bare(said: str, plain: str, allowed: Sequence[str], *, also_first: bool) -> Verdict | None:
    """Return a verdict that stands alone as the last line, or at the very beginning."""
    lines = [line for line in plain.split("\n") if line.strip()]
    rest = list(lines)
    while len(rest) > 1 and _COURTESY.search(rest[-1].strip(" *_")):
        rest.pop()
    if not rest:
        return None
    verdict = _meant(_BARE_ENDS.sub("", rest[-1]), allowed)
    before = "\n".join(rest[:-1])
    if verdict is not None and not _is_handed_on(before + "\n"):
        return Verdict(verdict=verdict, rationale=said[:_RATIONALE])
    first = _FIRST.search(plain) if also_first else None
    verdict = None if first is None else _meant(first["value"].strip(), allowed)
    if first is None or verdict is None or _TAKES_BACK.search(plain[first.end() :]):
        return None
    later = plain[first.end() :].lstrip().casefold()
    if later.startswith(("but ", "and no", "however", "or ", "yes", "no")):
        return None
    return Verdict(verdict=verdict, rationale=said[:_RATIONALE])


_BARE_ENDS: Final = re.compile(r"\A(?:[^\w\-]|_)+|(?:[^\w?/\u25a0]|_)+\Z")
_COURTESY: Final = re.compile(
    r"""^(?:(?:i\ )?hope\ (?:this|that)|let\ me\ know|thank|thanks|feel\ free|please|happy\ to|if\ you|is\ there\ any
      |i(?:['\u2019]m|\ am)\ (?:happy|glad|here)|have\ a|best|kind|cheers|regards
      |note:|end\ of|(?:-{3,}|={3,}|\*{3,})$)""",
    re.IGNORECASE | re.VERBOSE,
)


def _parsed(body: str) -> Any:
    """Return the JSON of a text, as strictly as small models write it; None for none."""
    body = body.strip()
    if not body.startswith(("{", "[")):
        return None
    for text in (body, re.sub(r",\s*([}\]])", r"\1", body), body.translate(_STRAIGHT)):
        try:
            return json.loads(text, strict=False)  # raw newlines and tabs inside strings
        except (ValueError, RecursionError):
            continue
    if len(body) < 20_000:
        try:
            return ast.literal_eval(re.sub(r"[\n\t]", " ", body))
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            pass
    return None


#: "The output passes", "the answer is correct": after "Verdict:" that is one.
_PLAINLY: Final = re.compile(r"^(?:the|this) (?:output|answer|response) (?:is )?")
_STRAIGHT: Final = {0x201C: '"', 0x201D: '"'}


def _of_object(value: Any, allowed: Sequence[str]) -> Verdict | None:
    """Return the verdict of an object; an object or a list that holds nothing else is looked into."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if not isinstance(value, dict):
        return None
    fields = {str(key).strip().casefold(): one for key, one in value.items()}
    key = next((name for name in _KEYS if name in fields), None)
    if key is None or isinstance(fields[key], dict):
        only = next(iter(fields.values())) if len(fields) == 1 else None
        return _of_object(only, allowed) if isinstance(only, dict) else None
    verdict = _meant(fields[key], allowed)
    if verdict is None:
        return None
    reason = next((fields[name] for name in _REASONS if isinstance(fields.get(name), str)), None)
    return Verdict(verdict=verdict, rationale=reason)


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
    if fraction := _FRACTION.fullmatch(said):
        steps = [int(name) for name in allowed if name.lstrip("-").isdigit()]
        if not steps or float(fraction[2]) != max(steps):
            return None
        said = fraction[1]
    said = re.sub(r"\s*\([^()\d]{1,40}\)$", "", _PLAINLY.sub("", said))
    if re.fullmatch(r"-?\d+\.0+", said):
        said = said.partition(".")[0]
    return by_name.get(said) or by_name.get(_YES.get(said, ""))
