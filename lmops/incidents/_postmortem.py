"""What is known of an incident, written down for people; what is not known is a question in it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lmops.base.sheet import html_table
from lmops.base.shown import Shown, html_of, text_of
from lmops.base.units import counted
from lmops.incidents._show import affected_text, facts, span
from lmops.text import escape, plain_line
from lmops.times import from_ns

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pandas as pd

    from lmops.incidents._records import Act, Affected, Incident

_TIME: Final = "%Y-%m-%d %H:%M:%S"
_MARKS: Final = re.compile(r"([\\`*_{}\[\]()#+!|~$^=-])")
_LINK: Final = re.compile(r"(?i)(?<=[a-z])://|\bwww\.|(?<!\w)@")
_CELL: Final = 400


class Section(NamedTuple):
    """A part of a post-mortem: a heading, sentences, and a table under them."""

    title: str
    sentences: Sequence[str] = ()
    head: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()


class Known(NamedTuple):
    """All that is written of an incident."""

    incident: Incident
    affected: Affected
    timeline: pd.DataFrame
    acts: Sequence[Act]
    checks: Sequence[Mapping[str, Any]]
    notes: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Postmortem(Shown):
    """The post-mortem of an incident, made of its record.

    Args:
        incident: Its number.
        title: What it is called.
        sections: Its parts.
        questions: What the record does not say.
    """

    incident: int
    title: str
    sections: tuple[Section, ...] = field(repr=False)
    questions: tuple[str, ...]

    @property
    def markdown(self) -> str:
        """The post-mortem as Markdown, in which texts of others mean nothing but themselves."""
        return f"# {marked(self.title)}\n\n" + "\n\n".join(_markdown(one) for one in self.sections) + "\n"

    @property
    def notebook(self) -> dict[str, Any]:
        """The post-mortem as a notebook (nbformat 4): the text, and a cell that asks the store again."""
        call = f"import lmops\n\nws = lmops.open()\nws.incidents.timeline({self.incident})"
        lead = f"# {marked(self.title)}"
        cells = [_cell("markdown", "title", lead), _cell("code", "timeline", call)]
        cells += [_cell("markdown", f"part-{n}", _markdown(one)) for n, one in enumerate(self.sections, 1)]
        kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
        metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
        return {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def _cell(kind: str, name: str, source: str) -> dict[str, Any]:
    own: dict[str, Any] = {"execution_count": None, "outputs": []} if kind == "code" else {}
    return {"cell_type": kind, "id": name, "metadata": {}, "source": source.splitlines(keepends=True), **own}


def marked(text: object, limit: int = _CELL) -> str:
    r"""Return a text of somebody for Markdown: one line that is shown as it is, and does nothing.

    Example:
        >>> marked("*bold* <b>no</b> [x](http://a)")
        '\\\\*bold\\\\* &lt;b&gt;no&lt;/b&gt; \\\\[x\\\\]\\\\(http&#58;//a\\\\)'
    """
    said = _MARKS.sub(r"\\\1", plain_line(text, limit)).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _LINK.sub(lambda found: "".join(f"&#{ord(c)};" if c in ":.@" else c for c in found[0]), said)


def _markdown(one: Section) -> str:
    parts = [f"## {one.title}", *(f"- {marked(said, 2_000)}" for said in one.sentences)]
    lines = [parts[0], "", *parts[1:]]
    if one.rows:
        table = [one.head, ["---"] * len(one.head)]
        body = [[marked(cell) for cell in row] for row in one.rows]
        lines += ["", *(f"| {' | '.join(row)} |" for row in (*table, *body))]
    return "\n".join(lines).rstrip()


@text_of.register(Postmortem)
def _(found: Postmortem) -> str:
    return found.markdown


@html_of.register(Postmortem)
def _(found: Postmortem) -> str:
    parts = [f"<h3>{escape(found.title, 400)}</h3>"]
    for one in found.sections:
        items = "".join(f"<li>{escape(said, 2_000)}</li>" for said in one.sentences)
        table = f'<div style="overflow-x:auto">{html_table(one.head, one.rows, compact=True)}</div>' if one.rows else ""
        parts.append(f"<h4>{escape(one.title)}</h4>{f'<ul>{items}</ul>' if items else ''}{table}")
    return "".join(parts)


def written(known: Known) -> Postmortem:
    """Return the post-mortem of an incident: nothing that is not written of it."""
    one = known.incident
    questions = tuple(_questions(known))
    sections = [
        Section("In short", (), ("", ""), facts(one)),
        Section("What was affected", [affected_text(known.affected)]),
        Section("What accounts for it", [one.explained] if one.explained else ["The record does not say."]),
        Section("What happened", (), ("when (UTC)", "of", "what", "who", "why", "evidence"), _happened(known.timeline)),
        Section("What was done", [] if known.acts else ["Nothing by an action."], *_done(known.acts)),
        Section("Is it over", [f"{_when(row['at_ns'])}: {row['state']}. {row['words']}" for row in known.checks]),
        Section("Notes", [f"{row['actor']}: {row['text']}" for row in known.notes if row["kind"] == "note"]),
        Section("Follow-ups", [row["text"] for row in known.notes if row["kind"] == "follow-up"]),
        Section("Open questions", questions),
    ]
    said = [section for section in sections if section.sentences or section.rows]
    title = f"Post-mortem of incident {one.incident}: {one.title}"
    return Postmortem(incident=one.incident, title=title, sections=tuple(said), questions=questions)


def _happened(frame: pd.DataFrame) -> list[list[str]]:
    shown = frame.astype("object").where(frame.notna(), None)
    return [
        [f"{at:{_TIME}}", source, what + _behind(behind), who or "", why or "", evidence or ""]
        for at, source, what, who, why, evidence, behind in shown.itertuples(index=False)
    ]


def _behind(seconds: float | None) -> str:
    return "" if seconds is None else f" (by a clock that was {span(seconds)} behind)"


def _done(acts: Sequence[Act]) -> tuple[Sequence[str], list[list[str]]]:
    rows = [
        [f"{one.at:{_TIME}}", one.action, one.words, one.actor, ", ".join(f"event {event}" for event in one.events)]
        for one in acts
    ]
    return ("when (UTC)", "action", "what", "who", "evidence"), rows


def _when(ns: int) -> str:
    return f"{from_ns(ns):{_TIME}} UTC"


def _questions(known: Known) -> Iterable[str]:
    """Yield what the record does not say."""
    one, found = known.incident, known.affected
    if one.explained is None:
        yield "What accounts for the change? Nothing was found that does."
    yield "What is the cause? The record says what changed together, and not why it failed."
    yield f"What would have found it sooner than {span(one.times['to_detect_s'] or 0.0)} after it began?"
    if found.users is None and found.traces:
        yield "How many users were affected? No trace says of whom it is."
    elif found.anonymous:
        yield f"Of whom are the {counted(found.anonymous, 'trace')} that do not say so?"
    if found.cost_usd is None:
        yield "What did it cost? The cost of no affected trace is known."
    missing = {
        "Who looks after it?": one.owner,
        "Who took it on, and when?": one.acknowledged_at,
        "What stopped it, and when?": one.mitigated_at,
        "When was it over?": one.resolved_at,
    }
    yield from (question for question, said in missing.items() if said is None)
    if not any(row["state"] == "recovered" for row in known.checks):
        yield "Is it over? No test on traffic says so."
    if not any(row["kind"] == "follow-up" for row in known.notes):
        yield "What is done so that it does not come back? There is no follow-up."
    if known.timeline["behind_s"].notna().any():
        yield "Whose clock was wrong? Some events are not in the order of their times."
