"""How a judge's answer is read: the verdict that is its own and stands last, or None. Pure.

1. What is not the judge's own is left out: thinking, quotations, quoted blocks, what a sentence hands on.
2. An answer that is one object is read by its key for the verdict, and by nothing else.
3. Otherwise each verdict of the scale that stands in the text is looked at. Its clause *states* it when all the words
   before it are of the few that verdicts are stated with (``FRAME``): a label ("Verdict:"), the judge ("I give it"),
   the output as a whole ("this is a", "it fails") or a conclusion ("so:"); and when nothing behind it goes on with it
   ("pass rate", "5 is the best", "3 or 4", "if ..."). An object in a block of its own states one, too.
4. The last one that is stated counts; without any, a verdict alone as the last sentence, or as the first.
5. Where another reading is possible there is none: what is stated cannot be read, is taken back, or stands against
   another one. The judge is asked once more, which costs a call; a wrong verdict costs trust.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from lmops.scorers import _judge_objects as objects
from lmops.scorers import _judge_words as words
from lmops.scorers._judge_objects import Verdict, meant

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Verdict", "read"]
#: Longest answer that is read; a verdict stands at an end of it.
_LONGEST: Final = 60_000
_RATIONALE: Final = 2000
#: So much of a sentence is read, its end; so much of what stands before a quotation; so many sentences at the end.
_SENTENCE: Final = 2000
_SENTENCES: Final = 1000
#: So many verdicts of a sentence are looked at, the last ones.
_MENTIONS: Final = 50
#: How the row of a table begins that counts.
_OVERALL: Final = ("overall", "total", "final", "verdict", "summary")
_UNREADABLE: Final = Verdict(verdict="", rationale=None)
_HIDDEN: Final = "\u25a0"
#: What stands for an object, before its number.
_OBJECT: Final = "\ue000"
_TOKEN: Final = re.compile(r"[+-]?\d+(?:[.,]\d+)*|[^\W\d_]+(?:['-][^\W\d_]+)*|->|=>|\S")
_PLAIN: Final = str.maketrans(
    {"\uff1a": ": ", "\uff0c": ", ", "\u3002": ". ", "\uff01": "! ", "\uff1f": "? ", "\u2019": "'", "\u2018": "'"}
    | {"\u00a0": " ", "\u201c": '"', "\u201d": '"', "\u201e": '"'}
)


@dataclass(frozen=True, slots=True)
class _Stated:
    """A verdict that a sentence states; None when what it states cannot be read."""

    verdict: str | None
    line: int  # of which sentence
    end: int  # where in it
    kind: str  # "firm"; "loose" for what only says how the output does; "bare", "first", "end" for a verdict alone
    is_wish: bool = False
    rationale: str | None = None


def read(completion: Any, text: str | None, allowed: Sequence[str]) -> Verdict | None:
    """Return the verdict of an answer: the model's own last one; None where there is none, or it is not sure.

    Args:
        completion: What the model gave; ``parsed`` is used when there is one.
        text: Its text.
        allowed: The verdicts that count.
    """
    found = objects.of_object(getattr(completion, "parsed", None), allowed)
    if found is not None or not text:
        return found
    said = _answer(text[-_LONGEST:])
    is_object, found = objects.whole(said, allowed)
    if is_object:
        return found
    answers = words.ANSWERS.fullmatch(said)
    alone = meant(answers["value"] if answers else said.strip(" \t\n\"'*_.!`[]#:"), allowed)
    if alone is not None:
        return Verdict(verdict=alone, rationale=None)
    return _last(said, allowed)


def _answer(text: str) -> str:
    """Return an answer without what was thought before it; nothing when the thought never ended."""
    ends = list(words.THOUGHT_END.finditer(text))
    if ends:
        text = text[ends[-1].end() :]
    elif (begun := words.THOUGHT.search(text)) is not None:
        text = text[: begun.start()]
    text = words.STRUCK.sub("", words.SPECIAL.sub("", text.replace(_OBJECT, "")))
    text = words.SIGN.sub("", words.STARS.sub(_starred, text)).strip()
    text = words.SPEAKER.sub("", text)
    if (wrapped := words.WRAPPED.fullmatch(text)) is not None:
        text = wrapped["body"].strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" and text[0] not in text[1:-1] and "{" not in text:
        text = text[1:-1].strip()
    return text


def _starred(found: re.Match[str]) -> str:
    """Return the number that stars say; nothing when a number follows them."""
    if found["number"]:
        return found["number"]
    full = len(found["full"].replace("\ufe0f", ""))
    return f"{full}/{full + len(found['empty'])}" if found["empty"] else str(full)


def _last(said: str, allowed: Sequence[str]) -> Verdict | None:
    """Return the judge's own last verdict in a text."""
    held: list[Verdict] = []
    sentences = _sentences(_own(said, allowed, held))
    stated = [one for at in range(len(sentences)) for one in _stated(sentences, at, allowed, held)]
    firm = [one for one in stated if one.kind == "firm"]
    loose = [one for one in stated if one.kind == "loose" and (not firm or one.line >= firm[-1].line)]
    last = [*loose, *firm][-1] if firm or loose else None
    alone = [one for one in stated if one.kind in ("bare", "end") and (last is None or one.line >= last.line)]
    found = _closing(sentences, alone)
    if last is None:
        found = found or _first(sentences, stated, allowed)
    elif last.verdict is not None and not _is_undone(sentences, last, allowed):
        found = None if any(one.verdict != last.verdict for one in [*loose, *alone]) else last
    if found is None or found.verdict is None:
        return None
    return Verdict(verdict=found.verdict, rationale=said[:_RATIONALE] if found.rationale is None else found.rationale)


def _first(sentences: Sequence[str], stated: Sequence[_Stated], allowed: Sequence[str]) -> _Stated | None:
    """Return the verdict that a text begins with, when nothing else is stated."""
    first = next((one for one in stated if one.kind in ("bare", "first") and not one.line), None)
    if first is None or len({one.verdict for one in stated}) > 1 or _is_undone(sentences, first, allowed):
        return None
    named = (one["name"] for sentence in sentences for one in _mentions(tuple(allowed)).finditer(sentence))
    return first if {meant(name, allowed) for name in named if name} <= {first.verdict} else None


def _closing(sentences: Sequence[str], bare: Sequence[_Stated]) -> _Stated | None:
    """Return the verdict that stands alone at the end of a text, but for courtesies; none beside another one."""
    end = len(sentences)
    while end > 1 and (not sentences[end - 1].strip() or words.COURTESY.search(sentences[end - 1])):
        end -= 1
    return bare[-1] if bare and bare[-1].line == end - 1 and len({one.verdict for one in bare}) == 1 else None


def _is_undone(sentences: Sequence[str], last: _Stated, allowed: Sequence[str]) -> bool:
    """Return whether what follows a verdict takes it back, or holds another one possible."""
    rest = sentences[last.line][last.end :]
    after = "\n".join([rest, *sentences[last.line + 1 :]]).lstrip(" \t.,!)}\"'\u2026")
    hedge = words.HEDGES.match(rest)
    is_hedged = hedge is not None and (
        hedge["value"].isdigit() or meant(hedge["value"], allowed) not in (None, last.verdict)
    )
    is_turned = (last.is_wish and words.TURNS.match(after)) or (last.kind == "loose" and words.TURNS.match(rest))
    return is_hedged or bool(is_turned) or words.TAKES_BACK.search(after) is not None


def _own(said: str, allowed: Sequence[str], held: list[Verdict]) -> str:
    """Return a text with what is not the judge's own blank, and each object of its own as a line with its number."""
    said = words.FENCED.sub(_unless_handed_on, words.HEADING.sub(r"\1: ", said))
    said = words.BLOCKQUOTE.sub(_HIDDEN, said)
    parts: list[str] = []
    at = 0
    for start, end, value in objects.each(said):
        found = objects.of_object(value, allowed)
        mark = _HIDDEN
        if found is not None and _is_block(said, start, end):
            mark = f"\n{_OBJECT}{len(held)}\n"
            # Two that follow each other and differ: which one is meant is not sure.
            is_next = bool(held) and not said[at:start].replace("json", "").strip("`~ \n")
            held.append(_UNREADABLE if is_next and held[-1].verdict != found.verdict else found)
        parts += [said[at:start], mark]
        at = end
    text = words.REASON.sub("\n", "".join([*parts, said[at:]]))
    text = words.TABLE.sub(lambda found: _table(found[0]), words.TAGGED.sub(r" \1: \2 ", text))
    text = words.QUOTED.sub(lambda found: found[0] if _is_value(found[0], allowed) else _hidden(found[0]), text)
    for pattern in (words.SECTION, words.YAML_TEXT):
        text = pattern.sub(lambda found: found[0] if _is_value(found["body"], allowed) else _hidden(found[0]), text)
    return text


def _table(text: str) -> str:
    """Return a table with a column for the verdict as what it says: in its only row, or in the one over all."""
    head, *lines = text.strip().split("\n")
    if len(lines) < 2 or not re.fullmatch(r"[\s|:\-]+", lines[0]):
        return text
    names, *rows = [[cell.strip(" *_`") for cell in line.strip(" |").split("|")] for line in (head, *lines[1:])]
    places = [at for at, name in enumerate(names) if words.FRAME.get(name.casefold()) == "L"]
    row = rows[-1] if len(rows) == 1 or rows[-1][0].casefold().startswith(_OVERALL) else []
    return f"verdict: {row[places[0]]}\n" if len(places) == 1 and places[0] < len(row) else text


def _is_block(said: str, start: int, end: int) -> bool:
    """Return whether an object stands apart from the sentences around it, and nobody hands it on."""
    before = said[:start]
    after = re.sub(r"^\s*(?://|#).*", "", said[end:].partition("\n")[0]).strip(" \t`~*_.!)}")
    is_apart = not after or (after[0].isupper() and words.TAKES_BACK.search(after) is None)
    return is_apart and words.BOUNDARY.search(before) is not None and not _is_handed_on(before)


def _is_value(text: str, allowed: Sequence[str]) -> bool:
    return meant(words.BARE_ENDS.sub("", text), allowed) is not None


def _hidden(text: str) -> str:
    """Return a sign that states nothing, and the ends of the lines of a text."""
    return _HIDDEN + "\n" * text.count("\n")


def _unless_handed_on(found: re.Match[str]) -> str:
    return _hidden(found[0]) if _is_handed_on(found.string[: found.start()]) else found[0]


def _is_handed_on(before: str) -> bool:
    """Return whether the words right before something say that it is somebody else's."""
    lines = before[-_SENTENCE:].rstrip(" \t\"'*_`~([").split("\n")
    lead = lines[-1].strip()
    if not lead:
        lead = next((line.strip() for line in reversed(lines) if line.strip()), "")
        if not lead.endswith((":", "\uff1a")) and words.HANDS_ON.search(lead) is None:
            return False
    if lead.endswith((".", "!", ";")):
        return False
    sentence = re.split(r"(?<=[.!?])\s+", lead)[-1]
    if words.POINTS.search(sentence):
        return True
    return words.ATTRIBUTES.search(sentence) is not None and words.OWN.search(sentence) is None


def _sentences(own: str) -> list[str]:
    """Return the sentences of a text in plain small letters; the last one of a line keeps its end."""
    plain = own.translate(_PLAIN).casefold()
    for pattern, instead in words.PLAINER:
        plain = pattern.sub(instead, plain)
    sentences = [one for one in re.split(r"(?<=\n)|(?<=[.!?\u2026])[ \t]+", f"{plain}\n") if one]
    kept = sentences if len(sentences) <= _SENTENCES else [*sentences[:1], *sentences[-_SENTENCES:]]
    return [one if len(one) <= _SENTENCE else _HIDDEN + one[-_SENTENCE:] for one in kept]


def _stated(sentences: Sequence[str], at: int, allowed: Sequence[str], held: Sequence[Verdict]) -> Iterator[_Stated]:
    """Yield the verdicts that a sentence states."""
    sentence = sentences[at]
    if (number := re.search(rf"{_OBJECT}(\d+)", sentence)) is not None:
        found = held[int(number[1])]
        yield _Stated(found.verdict or None, at, len(sentence), "firm", rationale=found.rationale or "")
        return
    if sentence.rstrip(" \n\"'").endswith("?"):
        return
    for mention in list(_mentions(tuple(allowed)).finditer(sentence))[-_MENTIONS:]:
        parts, start = _frame(sentence[: mention.start()])
        if parts is None or words.SUPPOSES.search(sentence, 0, mention.start()):
            continue
        is_closed = words.CLOSED.match(sentence, mention.end()) is not None
        kind = _kind(parts, mention, is_alone=not sentence[:start].strip())
        if not kind and is_closed and re.fullmatch("[:,]*[AF]*", parts):
            kind = _alone(sentences, at, start, mention)
        if not kind or not (is_closed or kind == "firm") or words.WISHED.match(sentence, mention.end()):
            continue
        if _is_others(sentences, at, sentence[:start], parts):
            continue
        is_read = is_closed and _is_on_scale(sentences, at, allowed)
        verdict = meant(mention["value"], allowed) if is_read else None
        yield _Stated(verdict, at, mention.end(), kind, is_wish="would" in sentence[start : mention.start()])


@lru_cache(maxsize=64)
def _mentions(allowed: tuple[str, ...]) -> re.Pattern[str]:
    """Return the pattern of what may be a verdict: its names, what means yes or no, and numbers of any size."""
    names = {name.casefold() for name in allowed}
    weak = {word for word, name in words.YES.items() if name in names}
    weak |= {word for word, number in words.DIGITS.items() if number in names}
    is_binary = {"pass", "fail"} <= names
    named, weakly = (
        "|".join(re.escape(one).replace(r"\ ", r"[\s_-]") for one in sorted(group, key=len, reverse=True)) or "(?!)"
        for group in (names, weak - names)
    )
    return re.compile(
        rf"""(?P<value>(?P<number>{words.NUMBER if objects.steps(allowed) else "(?!)"})|(?<![\w\u25a0/])(?:
            (?P<done>{words.DONE if is_binary else "(?!)"})|(?P<does>{words.DOES if is_binary else "(?!)"})
            |(?P<name>{named})|(?P<weak>{weakly}))(?!(?!\u3067\u3059|\u3060)[\w\u25a0]|-\w))
        (?P<better>{words.BETTER if "first" in names else "(?!)"})?
        (?:\s(?:answer|one|response|output)(?!\w))?(?:\u3067\u3059|\u3060)?""",
        re.VERBOSE,
    )


def _frame(before: str) -> tuple[str | None, int]:
    """Return the parts of the words that a verdict is stated with, and where they begin; None for other words.

    They are read backwards, to the beginning of the sentence or of a clause.
    """
    tokens = list(_TOKEN.finditer(before))
    parts: list[str] = []
    kept, start = 0, -1
    while tokens:
        token = tokens.pop()
        if token[0] in (")", "]"):  # what stands in brackets behind a label
            while tokens and token[0] not in ("(", "["):
                token = tokens.pop()
            continue
        part = words.FRAME.get(token[0])
        if part is None:
            break
        if part in (":", ","):
            kept, start = len(parts), token.end()
        parts.append(part)
        if part == "C" or (part in ("K", "Q") and parts[-2:-1] not in (["L"], ["N"], ["F"])):
            kept, start = len(parts), token.start()
    else:
        kept, start = len(parts), 0
    return ("".join(reversed(parts[:kept])), start) if start >= 0 else (None, 0)


def _kind(parts: str, mention: re.Match[str], *, is_alone: bool) -> str:
    """Return how surely the words before a verdict state it: "firm", "loose" or not at all."""
    firmly = "firm" if "C" in parts or "K" in parts or "J" in parts else "loose"
    if mention["done"]:
        return "firm" if words.DONE_BY.fullmatch(parts) else ""
    label = words.LABELLED.search(parts)
    if label is not None:
        is_line = is_alone and not label.start() and _is_ended(mention)  # "Score 4"
        is_said = label["sep"] or (is_line and not mention["weak"])
        is_sure = label[0][0] == "L" or ":" in label[0] or bool(re.search("[IK]|A\\Z", parts) and mention["name"])
        if is_said and not re.search("SBF*\\Z", parts[: label.start()]):  # "the output's score is 4"
            return "firm" if is_sure else ""
    if mention["weak"] or "Z" in parts:
        return ""
    if mention["does"]:
        return firmly if words.DOING.search(parts) else ""
    if mention["better"]:
        return firmly if words.COMPARED.search(parts) else ""
    is_thus = words.THUS.search(parts) and not (parts == "C" and is_alone and mention["number"])  # "So 3 remain."
    if is_thus or words.OWNED.search(parts) or words.CALLED.search(parts):
        return "firm"
    is_share = mention["number"] and (
        words.UNITS.match(mention.string, mention.end()) or re.search(r"\d\D+\d", mention["value"])
    )
    if words.IS.search(parts) and (is_share or not (mention["number"] or mention["name"] in ("pass", "fail"))):
        return "firm" if is_share else "loose"
    return ""


def _alone(sentences: Sequence[str], at: int, start: int, mention: re.Match[str]) -> str:
    """Return whether a verdict is all that a sentence says ("bare"), or stands at its beginning or its end."""
    sentence = sentences[at]
    head, rest = sentence[:start].strip(), sentence[mention.end() :]
    is_ended = _is_ended(mention)
    is_line = sentence.endswith("\n") and (not at or sentences[at - 1].endswith("\n"))
    is_word = mention["name"] and mention["name"] not in words.DISCOURSE
    if head:
        return "end" if is_ended and mention["name"] and words.CONCLUDING.search(head) else ""
    if is_ended and (is_line or is_word):
        return "bare"
    is_turn = mention["value"] in words.DISCOURSE and rest[:1] in (",", ":")
    is_list = mention["number"] and (rest[:1] in (".", ",") or re.match(r"\W+\d", rest))
    return "" if is_turn or is_list or words.TURNS.match(rest) or mention.re.match(rest.lstrip(" ,:(")) else "first"


def _is_ended(mention: re.Match[str]) -> bool:
    return re.search(r"[^\W_]|[?/+%\u25a0]", mention.string[mention.end() :]) is None


def _is_others(sentences: Sequence[str], at: int, head: str, parts: str) -> bool:
    """Return whether the words before a statement say that it is somebody else's."""
    if re.match("[AF]*S:", parts):
        return True
    if not head.strip():
        above = next((one for one in reversed(sentences[:at]) if one.strip()), "")
        return _is_handed_on(above if not above.endswith("\n") else above + "\n")
    if any(_is_handed_on(head[: colon.end()]) for colon in re.finditer(":", head)):
        return True
    claims = list(words.CLAIMS.finditer(head))
    is_near = bool(claims) and not head[claims[-1].end() :].strip(" ,:")
    return is_near or (bool(claims) and "I" not in parts and not words.OWN.search(head))


def _is_on_scale(sentences: Sequence[str], at: int, allowed: Sequence[str]) -> bool:
    """Return whether a sentence names no other scale than the judge's: "4 (out of 10)", "Score (0-10): 4"."""
    numbers = objects.steps(allowed)
    named = [sentences[at], *(one for one in sentences[:at] if one.startswith("scale:"))] if numbers else []
    ends = [end for one in named for end in words.ENDS.finditer(one)]
    lows = {int(end["low"]) for end in ends if end["low"]}
    highs = {int(end["high"] or end["top"] or end["most"]) for end in ends}
    return lows <= {min(numbers, default=0)} and highs <= {max(numbers, default=0)}
