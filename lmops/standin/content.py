"""The hand-written content of the sample: articles, golden questions, prompts, attacks, claims and comments."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator

PROMPT_NAME: Final = "support-answer"
PROMPT_VERSIONS: Final = (1, 2, 3)
_FACT: Final = re.compile(r"\{([^{}]+)\}")

QuestionKind = Literal["single", "multi", "computed", "unanswerable", "tool"]
_KINDS: Final[dict[str, QuestionKind]] = {
    "single": "single",
    "multi": "multi",
    "computed": "computed",
    "unanswerable": "unanswerable",
    "tool": "tool",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Article:
    """One help page."""

    id: str
    title: str
    topic: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One golden question; a tool question is a template with a booking or a route to fill in."""

    id: str
    language: str
    kind: QuestionKind
    topic: str
    split: str
    question: str
    answer: str
    #: literal strings of the answer that must stand in its sources
    facts: tuple[str, ...]
    #: ids of the articles that hold the answer, or the name of the tool
    source_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attack:
    """One injected instruction."""

    id: str
    technique: str
    text: str


@cache
def articles() -> tuple[Article, ...]:
    """Return the help pages in the order of the file."""
    pages = []
    for block in _text("articles.md").strip().split("\n\n"):
        head, _, text = block.partition("\n")
        article_id, title, topic = head.removeprefix("# ").split(" | ")
        pages.append(Article(id=article_id, title=title, topic=topic, text=text.strip()))
    return tuple(pages)


@cache
def questions() -> tuple[Question, ...]:
    """Return the golden questions; ids follow the order of the file, every fourth one is in the test split."""
    topics = {page.id: page.topic for page in articles()}
    found = []
    for number, (language, kind, sources, question, answer) in enumerate(_rows("questions.txt", 5), start=1):
        source_ids = () if sources == "-" else tuple(sources.split(" "))
        topic = kind if kind in {"tool", "unanswerable"} else topics[source_ids[0]]
        found.append(
            Question(
                id=f"q{number:03d}",
                language=language,
                kind=_KINDS[kind],
                topic=topic,
                split="test" if number % 4 == 0 else "dev",
                question=question,
                answer="" if answer == "-" else _FACT.sub(r"\1", answer),
                facts=tuple(_FACT.findall(answer)),
                source_ids=source_ids,
            )
        )
    return tuple(found)


@cache
def prompt_text(version: int) -> str:
    """Return one version of the prompt: the system message, a blank line, and the template of the user message."""
    return _text(f"prompts/{PROMPT_NAME}.v{version}.txt")


def data_readme() -> str:
    """Return the description of the data folder."""
    return _text("data_readme.md")


@cache
def attacks() -> tuple[Attack, ...]:
    """Return the injected instructions."""
    rows = enumerate(_rows("attacks.txt", 2), start=1)
    return tuple(Attack(id=f"a{number:02d}", technique=row[0], text=row[1]) for number, row in rows)


@cache
def claims() -> tuple[tuple[str, str], ...]:
    """Return (topic, sentence) pairs that no help page supports."""
    return tuple((row[0], row[1]) for row in _rows("claims.txt", 2))


@cache
def comments() -> dict[str, tuple[str, ...]]:
    """Return the comments of users by what moved them."""
    found: dict[str, list[str]] = {}
    for reason, comment in _rows("comments.txt", 2):
        found.setdefault(reason, []).append(comment)
    return {reason: tuple(texts) for reason, texts in found.items()}


@cache
def glossary() -> dict[str, tuple[tuple[str, str], ...]]:
    """Return the phrase table of each foreign language: (phrase, English words)."""
    found: dict[str, list[tuple[str, str]]] = {}
    for language, phrase, english in _rows("glossary.txt", 3):
        found.setdefault(language, []).append((phrase, english))
    return {language: tuple(pairs) for language, pairs in found.items()}


def _rows(name: str, width: int) -> Iterator[list[str]]:
    for line in _text(name).splitlines():
        cells = line.split(" | ")
        if len(cells) != width:
            raise ValueError(f"{name}: {len(cells)} cells instead of {width} in {line!r}")
        yield cells


def _text(name: str) -> str:
    return files("lmops.standin").joinpath("content").joinpath(name).read_text(encoding="utf-8").replace("\r\n", "\n")
