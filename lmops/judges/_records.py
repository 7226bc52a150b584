"""What a version of a judge is, and what changed between two."""

from __future__ import annotations

import difflib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lmops.base.shown import Shown
from lmops.errors import UsageError
from lmops.records import Version
from lmops.scorers import Scorer, judge_from

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeVersion(Version):
    """One version of a judge: everything that it is sent, beside what it judges.

    Args:
        judge_version: That of its scorer, to which calibrations are bound and which runs record.
        options: What it was made with: criteria, model, scale, rubric, few_shot and so on.
        traces: The trace that each message of ``few_shot`` is made of, None where it is of none that is known.
        range: Least and greatest value; None of pass or fail.
        higher_is_better: Whether more is better.
    """

    judge_version: str
    options: Mapping[str, Any] = field(repr=False)
    traces: tuple[str | None, ...] = field(repr=False, default=())
    range: tuple[float, float] | None = None
    higher_is_better: bool = True

    @property
    def erased(self) -> int:
        """How many messages of its examples were erased; with any it judges no more."""
        return sum(message is None for message in self.options["few_shot"])

    @property
    def is_reworded(self) -> bool:
        """Whether this release of lmops words or reads it otherwise than the one it was saved with."""
        return not self.erased and self.scorer.version != self.judge_version

    @property
    def scorer(self) -> Scorer:
        """The judge itself, as a scorer.

        Raises:
            UsageError: Some of its examples were erased.
        """
        if self.erased:
            raise UsageError(
                f"{self.ref} judges no more: {self.erased} of the messages that it was shown were erased; save another "
                "version (ws.judges.save), or let ws.feedback.improve make one"
            )
        return judge_from(self.name, self.options, range=self.range, higher_is_better=self.higher_is_better)

    def lines(self) -> Iterator[str]:
        """Yield its content line by line, as versions are compared."""
        given = self.options
        yield f"model: {given['model']}"
        for name in ("scale", "params"):
            yield f"{name}: {json.dumps(given[name], ensure_ascii=False)}"
        yield from (f"{name}: {given[name]}" for name in ("reference", "documents", "may_abstain"))
        yield f"higher_is_better: {self.higher_is_better}"
        yield from ("criteria:", *_indented(given["criteria"]))
        yield from (f"{verdict} means: {meaning}" for verdict, meaning in given["rubric"].items())
        for message in given["few_shot"]:
            if message is None:
                yield "example: [erased]"
            else:
                yield from (f"example, {message.get('role')}:", *_indented(str(message.get("content"))))


def _indented(text: str) -> list[str]:
    return [f"  {line}" for line in text.split("\n")]


class Line(NamedTuple):
    """One line of a difference."""

    kind: str  # same, added, removed
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeDiff(Shown):
    """What changed from one version of a judge to another, line by line; :meth:`df` is a frame."""

    a: str
    b: str
    lines: tuple[Line, ...] = field(repr=False)

    @property
    def is_same(self) -> bool:
        """Whether nothing changed."""
        return all(line.kind == "same" for line in self.lines)

    def df(self) -> Any:
        """Return one row a line: kind (same, added, removed), text."""
        from lmops.base.frames import Frame

        return Frame(self.lines, columns=["kind", "text"])


_KINDS: Final = {" ": "same", "+": "added", "-": "removed"}


def difference(a: JudgeVersion, b: JudgeVersion) -> JudgeDiff:
    """Return what changed from one version to another."""
    lines = difflib.ndiff([*a.lines()], [*b.lines()])
    return JudgeDiff(a=a.ref, b=b.ref, lines=tuple(Line(_KINDS[one[0]], one[2:]) for one in lines if one[0] != "?"))
