"""Whether the sentences of an answer stand in its sources: words, numbers and names, without a model.

A sentence is a claim unless it only greets, offers, asks or says that nothing was found. A claim is supported when one
place of the sources (two sentences side by side) holds most of what it says: its content words, the rare ones counting
more, every number with what it counts, and every name. So a sentence that was copied or lightly reworded passes; one
that was made up, or in which a number or a name was changed, does not. What it cannot see: a negation that was turned,
roles that were swapped, and a claim reworded with none of the words of its source.
"""

from __future__ import annotations

import math
import re
import unicodedata
from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from lmops.scorers._normalise import SPACELESS, marks
from lmops.scorers._numbers import plain
from lmops.scorers._phrases import ABBREVIATION, NUMBER_WORDS, OPENER, POLITE, STOP, TURN
from lmops.scorers._refusals import explaining, refusing

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: Share of a claim's weight that its best place has to hold. Chosen on the dev halves of the sample and of HaluEval QA.
ENOUGH: Final = 0.7
#: How much a word counts that stands in the question and in no source.
ASKED: Final = 0.5
_CITATION: Final = re.compile(r"[ \t]*\[[^\[\]\n]{1,80}\](?!\()")
_END: Final = re.compile("(?<=[.!?\u0964\u061f\u06d4])[\"'\u201d\u2019)]*\\s+|(?<=[\u3002\uff01\uff1f])")
#: "36 , 000": numbers of a text that was cut into tokens.
_SPACED_NUMBER: Final = re.compile(r"(\d) ([.,]) (\d)")
_BULLET: Final = re.compile(r"^\s*(?:[-*\u2022]|\d{1,2}[.)])\s+")
_UNSPACED: Final = re.compile(f"[{SPACELESS}\uac00-\ud7af]")
#: Words of a claim count as said together when a source has them within so many words of each other.
_NEAR: Final = 6
#: What a claim counts that is not supported, at most: reworded beyond what words can tell; with a wrong number or name.
_REWORDED: Final = 0.5
_WRONG: Final = 0.1
#: What a supported claim counts that shares no word pair with its source, at least.
_LEAST: Final = 0.9
_CONDITION: Final = re.compile(
    r"^(?:if|when|while|although|though|as|since|because|given|without|wenn|si)\b", re.IGNORECASE
)
#: What may follow a refusal in its sentence.
_CLAUSE: Final = re.compile(
    r"[,;:\u2014\uff0c\uff1b\uff1a\u060c]\s*|\s+(?:but|and|because|since|so|although|though|aber|und|weil|mais|et|car|pero|ma"
    r"|mas|maar|ale|но|ama)\s+|(?<=지만)\s+"
)
_ENDS_CLAUSE: Final = re.compile(rf"(?:{_CLAUSE.pattern})$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One sentence of an answer and what the sources say to it."""

    text: str
    is_supported: bool
    #: how far words and word pairs of it stand in the sources, 0..1
    support: float
    #: share of its weight that the best place holds, 0..1
    coverage: float
    #: what is missing, in words; empty when it is supported
    reason: str
    #: the best place of the sources
    evidence: str
    #: which source that is, counted from 0; None when no source shares a word
    source: int | None


@dataclass(frozen=True, slots=True)
class _Place:
    source: int
    text: str
    words: frozenset[str]
    numbers: frozenset[str]
    pairs: frozenset[tuple[str, str]]


class Sources:
    """Texts that claims are held against, read once."""

    def __init__(self, texts: Sequence[str], *, data: Sequence[str] = (), also: Iterable[str] = ()) -> None:
        """Read the sources.

        Args:
            texts: Prose.
            data: Results of tools, as JSON: they support a sentence whose names and numbers (two at least) they all
                hold.
            also: Texts whose numbers and names may be repeated without being a source: the question.
        """
        self._places = [place for number, text in enumerate(texts) for place in _places(number, text)]
        self._data = [(text, _analysed(text)) for text in data]
        counts = Counter(word for place in self._places for word in place.words)
        self._most = math.log(1 + len(self._places)) or 1.0
        self._weights = {word: math.log(1 + len(self._places) / times) for word, times in counts.items()}
        self._numbers = frozenset().union(*(place.numbers for place in self._places))
        self._at: dict[str, list[int]] = {}
        place = 0
        for text in texts:
            for stem in _sequence(text):
                self._at.setdefault(stem, []).append(place)
                place += 1
            place += _NEAR
        asked = [_analysed(text) for text in also]
        self._also_words = frozenset().union(*(words for words, _, _ in asked))
        self._also_numbers = frozenset().union(*(numbers for _, numbers, _ in asked))

    def check(self, sentence: str, *, enough: float = ENOUGH) -> Claim:
        """Return what the sources say to one sentence."""
        words, numbers, pairs = _analysed(sentence)
        names = proper_names(sentence)
        held = self._in_data(names, numbers)
        if held is not None:
            return Claim(
                text=sentence, is_supported=True, support=1.0, coverage=1.0, reason="", evidence=held, source=None
            )
        best, coverage = self._best(words, numbers)
        if best is None:
            return Claim(
                text=sentence,
                is_supported=False,
                support=0.0,
                coverage=0.0,
                evidence="",
                source=None,
                reason="no source says anything like it",
            )
        there = best.words | self._also_words
        problems = self._wrong_numbers(numbers, pairs, best)
        strange = sorted(name for name in names if not set(_stems(name)) <= there | self._weights.keys())
        if strange:
            problems.append(f"name not in the source: {', '.join(strange)}")
        near = self._nearness(sentence)
        support = _WRONG * near if problems else _LEAST + (1 - _LEAST) * near
        if coverage < enough:
            missing = sorted(words - there, key=lambda word: -self._weights.get(word, self._most))
            support = min(support, _REWORDED * near)
            problems.append(f"only {coverage:.0%} of its words are in one place; missing: {', '.join(missing[:6])}")
        return Claim(
            text=sentence,
            is_supported=not problems,
            support=support,
            coverage=round(coverage, 4),
            reason="; ".join(problems),
            evidence=best.text,
            source=best.source,
        )

    def _nearness(self, sentence: str) -> float:
        """Return the mean of the share of a sentence's words, and of its pairs of neighbours, that the sources have.

        A pair counts when both stand in one source in this order within six words: a free rewording keeps many of
        them, what was made up from the source's words does not.
        """
        said = _sequence(sentence)
        if not said:
            return 1.0
        words = sum(stem in self._at for stem in said) / len(said)
        pairs = list(pairwise(said))
        near = sum(self._is_near(one, other) for one, other in pairs) / len(pairs) if pairs else words
        return (words + near) / 2

    def _is_near(self, one: str, other: str) -> bool:
        places = self._at.get(other, ())
        for place in self._at.get(one, ()):
            after = bisect_right(places, place)
            if after < len(places) and places[after] - place <= _NEAR:
                return True
        return False

    def _in_data(self, names: Sequence[str], numbers: frozenset[str]) -> str | None:
        """Return the data that hold every name and number of a sentence with two or more of them, or None."""
        said = {stem for name in names for stem in _stems(name)} | numbers
        if len(said) < 2:
            return None
        return next((text for text, (words, found, _) in self._data if said <= words | found), None)

    def _best(self, words: frozenset[str], numbers: frozenset[str]) -> tuple[_Place | None, float]:
        """Return the place that holds most of a claim, and the share that it holds."""
        weights = {word: self._weights.get(word, self._most) for word in words}
        weights |= dict.fromkeys(numbers, self._most)
        for word in words & self._also_words - self._weights.keys():
            weights[word] *= ASKED
        total = math.fsum(weights.values())
        best, most = None, 0.0
        for place in self._places:
            held = math.fsum(weights[word] for word in words & place.words)
            held += math.fsum(weights[number] for number in numbers & (place.numbers | self._also_numbers))
            if held > most:
                best, most = place, held
        if best is None:
            return None, 0.0
        return best, min(1.0, most / total) if total else 1.0

    def _wrong_numbers(self, numbers: frozenset[str], pairs: frozenset[tuple[str, str]], best: _Place) -> list[str]:
        """Return what is wrong with the numbers of a claim: not in its source, or counting something else there."""
        same = [place for place in self._places if place.source == best.source]
        known = frozenset().union(*(place.numbers for place in same)) | self._also_numbers
        counted = frozenset().union(*(place.pairs for place in same))
        units = dict(pairs)
        absent = sorted(
            number
            for number in numbers - best.numbers - self._also_numbers
            if number not in known or (number in units and (number, units[number]) not in counted)
        )
        if absent:
            return [f"number not in the source: {', '.join(absent)}"]
        wrong = []
        for number, unit in sorted(pairs):
            said = {other for other, counted in best.pairs if counted == unit}
            if said and number not in said and number not in self._also_numbers:
                wrong.append(f"{number} {unit} where the source has {', '.join(sorted(said))}")
        return [f"number in another role: {'; '.join(wrong)}"] if wrong else []


def claims(text: str) -> list[str]:
    """Return what the sentences of an answer state: without citations, greetings, offers, questions and refusals.

    What stands beside a greeting, an apology or a refusal in one sentence is a claim all the same.
    """
    found = []
    for sentence in sentences(_CITATION.sub("", text)):
        parts = TURN.split(sentence)
        # Only what is no claim falls away; a sentence that is one stays whole.
        said = [_stated(part) for part in parts]
        claim = _stated(sentence) if all(said) else " ".join(part for part in said if part)
        if claim and any(_analysed(claim)[:2]):
            found.append(claim)
    return found


def _stated(sentence: str) -> str:
    """Return what a sentence states, or nothing."""
    plain = sentence.strip(" \t*_#>\"'").replace("\u2019", "'")
    if plain.endswith("?") and not plain.lower().startswith("did you know"):
        return ""
    while (rest := OPENER.sub("", plain, count=1)) != plain:
        plain = rest
    if POLITE.search(plain):
        return ""
    refuses = refusing().search(plain)
    return plain if refuses is None else _beside(plain, refuses)


def _beside(sentence: str, refuses: re.Match[str]) -> str:
    """Return what a sentence claims beside refusing: what was said before it, and clauses after it with a number."""
    lead = sentence[: refuses.start()]
    before = _ENDS_CLAUSE.sub("", lead)
    words, numbers, _ = _analysed(before)
    is_reason = _CONDITION.search(before) or explaining().search(before)
    is_claim = before != lead and len(words) + len(numbers) > 1 and not is_reason
    clauses = _CLAUSE.split(sentence[refuses.end() :])[1:]
    after = [clause for clause in clauses if len(_analysed(clause)[0]) > 1 and _analysed(clause)[1]]
    after = [clause for clause in after if refusing().search(clause) is None]
    return ". ".join([before] * is_claim + after)


def refuses(text: str) -> bool:
    """Return whether a text only refuses: it says that nothing was found or will be said, and claims nothing besides.

    Why not, and what to do instead, belongs to a refusal unless it has a number.
    """
    if refusing().search(text.replace("\u2019", "'")) is None:
        # A pattern that begins a sentence is looked for in each.
        plain = (one.strip(" \t*_#>\"'").replace("\u2019", "'") for one in sentences(text))
        if not any(refusing().search(one) for one in plain):
            return False
    return all(explaining().search(claim) and not _analysed(claim)[1] for claim in claims(text))


def sentences(text: str) -> list[str]:
    """Return the sentences of a text; a line's end and a list's item end one too, an abbreviation does not."""
    found: list[str] = []
    for line in text.split("\n"):
        parts = _END.split(_BULLET.sub("", line))
        held = ""
        for part in parts:
            held = f"{held} {part}".strip() if held else part.strip()
            if held and not ABBREVIATION.search(held):
                found.append(held)
                held = ""
        if held:
            found.append(held)
    return found


def proper_names(sentence: str) -> list[str]:
    """Return the words written with a capital inside a sentence, and words of capitals and digits anywhere."""
    found = []
    tokens = list(_token().finditer(sentence))
    for place, match in enumerate(tokens):
        word = match[0]
        is_inside = place > 0 and sentence[: match.start()].rstrip()[-1:] not in {".", "!", "?", ":", '"', "\u201c"}
        is_name = word[0].isupper() and is_inside and word not in {"I", "I'm", "I'll", "I've"}
        if (is_name or (len(word) > 1 and word.isupper())) and word.casefold() not in STOP:
            found.append(word)
    return found


def _places(number: int, text: str) -> list[_Place]:
    """Return every sentence of a source with the one after it; a first line without a full stop is the title of all."""
    parts = sentences(text)
    windows = [" ".join(parts[at : at + 2]) for at in range(max(1, len(parts) - 1))] if parts else []
    title, _, rest = text.partition("\n")
    head = title if rest and len(title) < 120 and not title.rstrip().endswith((".", "!", "?")) else ""
    titled = _analysed(head) if head else (frozenset(), frozenset(), frozenset())
    found = []
    for window in windows:
        words, numbers, pairs = _analysed(window)
        found.append(_Place(number, window, words | titled[0], numbers | titled[1], pairs))
    return found


@lru_cache(maxsize=1)
def _token() -> re.Pattern[str]:
    """Return what a token is: a number, or letters with their marks."""
    letters = rf"[^\W\d_](?:[^\W\d_]|[{marks()}])*"
    return re.compile(rf"\d+(?:[.,:]\d+)*|{letters}(?:['\u2019]{letters})?|[^\W_]+")


@lru_cache(maxsize=1)
def _letter() -> re.Pattern[str]:
    return re.compile(rf".[{marks()}]*", re.DOTALL)


def _bigrams(token: str) -> list[str]:
    """Return the pairs of letters of a word of a script without spaces (or with long words: Korean)."""
    letters = _letter().findall(token)
    return ["".join(letters[at : at + 2]) for at in range(max(1, len(letters) - 1))]


def _sequence(text: str) -> list[str]:
    """Return the stems of all words of a text in order."""
    found: list[str] = []
    for match in _token().finditer(_SPACED_NUMBER.sub(r"\1\2\3", unicodedata.normalize("NFKC", text))):
        token = match[0].casefold()
        number = _number(token)
        found += [number] if number is not None else _bigrams(token) if _UNSPACED.search(token) else [_stem(token)]
    return found


@lru_cache(maxsize=16_384)
def _analysed(text: str) -> tuple[frozenset[str], frozenset[str], frozenset[tuple[str, str]]]:
    """Return (stems of the content words, numbers, (number, stem of what follows it)) of a text."""
    words: set[str] = set()
    numbers: set[str] = set()
    pairs: set[tuple[str, str]] = set()
    last: str | None = None
    text = _SPACED_NUMBER.sub(r"\1\2\3", unicodedata.normalize("NFKC", text))
    for match in _token().finditer(text):
        token = match[0].casefold()
        number = _number(token)
        if number is not None:
            numbers.add(number)
            last = number
            continue
        if _UNSPACED.search(token):
            words.update(_bigrams(token))
            last = None
            continue
        if token in STOP:
            continue
        stem = _stem(token)
        words.add(stem)
        if last is not None:
            pairs.add((last, stem))
            last = None
    return frozenset(words), frozenset(numbers), frozenset(pairs)


def _number(token: str) -> str | None:
    """Return a number in one spelling ("1,234" and "1234", "07:40" and "7:40", "two" and "2"), or None."""
    if token in NUMBER_WORDS:
        return NUMBER_WORDS[token]
    if not token[0].isdigit():
        return None
    if "," in token and ":" not in token:
        token = "".join(plain(token)) if len(plain(token)) == 1 else token
    if re.fullmatch(r"\d+(?:[.,:]\d+)*", token) is None:
        digits = re.match(r"\d+", token)
        return (
            digits[0] if digits and re.fullmatch(r"\d+(?:st|nd|rd|th|s|km|kg|am|pm|h|m|cm|eur|usd|k)", token) else None
        )
    token = token.rstrip("0").rstrip(".") if re.fullmatch(r"\d+\.\d+", token) else token
    return token.lstrip("0") or "0"


def _stems(word: str) -> list[str]:
    words, numbers, _ = _analysed(word)
    return [*words, *numbers]


def _stem(word: str) -> str:
    """Return a word without its English ending, cut to seven letters: close enough to find it again."""
    word = re.sub("['\u2019](?:s|re|ve|ll|d|m|t)$", "", word)
    for ending in ("ations", "ation", "ments", "ment", "ings", "ing", "ies", "ied", "ed", "es", "s", "ly", "y", "e"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)][:7]
    return word[:7]
