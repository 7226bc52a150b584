"""Error analysis: notes on what went wrong, sorted into failure modes that are counted, asked for and scored."""

from __future__ import annotations

import functools
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from lmops.base.kinds import refuses_wrong_kinds
from lmops.base.shown import Viewed
from lmops.errors import ConflictError, NotFoundError, UsageError
from lmops.feedback import _failures
from lmops.feedback._failure_records import FailureMode, FailurePivot, Suggestions
from lmops.feedback._failures import Board, ModeNow, mode_row, note_row
from lmops.feedback._pivot import pivot_of
from lmops.feedback._scorer_text import scorer_text
from lmops.feedback._suggested import suggested
from lmops.feedback.schemas import LabelSchemas, with_option
from lmops.feedback.stats import traces_by
from lmops.records import check_words
from lmops.store import Bounds
from lmops.text import plain_line
from lmops.traces import found_sql

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd

    from lmops.feedback._label_records import LabelSchema
    from lmops.models import Models
    from lmops.records import Change, Project

_LONGEST: Final = 100
_MOST_AT_ONCE: Final = 10_000
_NOTES: Final = (
    "select n.note, n.position, n.item, n.rater, n.field, n.verdict, n.words, n.trace_id, n.span_id, t.session_id, "
    "array_to_string(t.prompt_refs, ', ') as version, {topic} as topic, array_to_string(t.models, ', ') as model, "
    "n.said_at, n.mode, n.name from failure_notes n left join traces t using (trace_id) {topics}where "
    "n.queue = $queue{passed} order by n.position, n.rater, n.field nulls first"
)


@refuses_wrong_kinds
class Themes(Viewed):
    """The notes that raters wrote on the items of a queue, and the failure modes that they are sorted into.

    ``ws.feedback.themes("triage")`` returns it; a notebook shows it as a board. Every act is in ``failure_history`` and
    in the audit chain, and can be taken back.

    Args:
        project: The store and who acts.
        queue: The name of the queue.
        passed: Take the notes on what their rater passed as well.
        models: Where an embedding model is asked, when one is named.
    """

    def __init__(
        self,
        project: Project,
        queue: str,
        *,
        passed: bool = False,
        models: Callable[[], Models] | None = None,
    ) -> None:
        self._project = project
        self._store = project.store
        self.queue = queue
        self.passed = passed
        self._models = models

    def __repr__(self) -> str:
        """Say how many notes and modes there are."""
        notes, found = self.df(), self.modes()
        open_notes = int(notes["mode"].isna().sum())
        return f"<Themes of {self.queue}: {len(notes):,} notes, {open_notes:,} in no mode, {len(found):,} modes>"

    # -- what there is ---------------------------------------------------------------------------------------------

    def df(self, mode: int | str | None = None) -> pd.DataFrame:
        """Return the notes, by item.

        Args:
            mode: Only those in this mode, by its number or name.

        Returns:
            note (its id), position, item, rater, field (of a critique; NULL of a note on the item), verdict (of the
            rater), words, trace_id, span_id, session_id, version (prompts of the trace), topic (where spans say it),
            model, said_at, mode and name (where it is sorted).

        Raises:
            NotFoundError: There is no such mode.
        """
        topics, params = self._topics
        query = _NOTES.format(
            topic="p.topic" if topics else "null::varchar",
            topics=topics,
            passed="" if self.passed else " and n.verdict is distinct from 'pass'",
        )
        frame: pd.DataFrame = self._store.sql(query, {"queue": self.queue, **params}).df()
        frame["mode"] = frame["mode"].astype("Int64")
        return frame if mode is None else frame[frame["mode"] == self.mode(mode).number].reset_index(drop=True)

    def modes(self) -> pd.DataFrame:
        """Return the failure modes, those with the most items first: the columns of the view ``failure_modes``."""
        query = "select * from failure_modes where queue = ? order by items desc, notes desc, mode"
        frame: pd.DataFrame = self._store.sql(query, [self.queue]).df()
        return frame

    def mode(self, mode: int | str) -> FailureMode:
        """Return a failure mode by its number or name.

        Raises:
            NotFoundError: There is no such mode.
        """
        with self._project.reading() as con:
            return self._shown(_found(_failures.board_of(con, self.queue), mode, self.queue))

    # -- what is done with it --------------------------------------------------------------------------------------

    def make(
        self, name: str, notes: str | Sequence[str] = (), *, criteria: str = "", reason: str | None = None
    ) -> FailureMode:
        """Make a failure mode, with notes that are in it from then on.

        Args:
            name: What goes wrong, in at most 100 characters on one line; unique within the queue.
            notes: Ids of notes, as ``df()`` has them.
            criteria: How it is told from others.
            reason: Why, for the audit chain.

        Raises:
            UsageError: It is no name.
            ConflictError: There is a mode of this name.
            NotFoundError: There is no such note.
        """
        return self._make("make", name, notes, criteria, reason)

    def split(
        self, mode: int | str, notes: str | Sequence[str], name: str, *, reason: str | None = None
    ) -> FailureMode:
        """Take notes out of a mode into a new one; return that.

        Args:
            mode: That they are in, by its number or name.
            notes: Ids of the notes.
            name: Of the new one.
            reason: Why, for the audit chain.

        Raises:
            NotFoundError: There is no such mode, or a note is not in it.
            UsageError: There are no notes, or it is no name.
            ConflictError: There is a mode of this name.
        """
        return self._make("split", name, notes, "", reason, out_of=mode)

    def rename(self, mode: int | str, name: str, *, reason: str | None = None) -> FailureMode:
        """Give a mode another name; return it.

        Raises:
            NotFoundError: There is no such mode.
            UsageError: It is no name.
            ConflictError: There is another mode of this name.
        """
        with self._project.change(reason=reason) as change:
            board, now = self._at(change, mode)
            words = _checked_name(name, board, but=now.number)
            if words != now.name:
                _failures.write(change, self.queue, "rename", [mode_row(now.number, words, now.criteria)])
            return self._again(change, now.number)

    def describe(self, mode: int | str, criteria: str, *, reason: str | None = None) -> FailureMode:
        """Say how a mode is told from others: what raters and judges are told of it; return it.

        Raises:
            NotFoundError: There is no such mode.
            UsageError: The criteria are too long.
        """
        words = check_words(criteria, "criteria")
        with self._project.change(reason=reason) as change:
            _, now = self._at(change, mode)
            if words != now.criteria:
                _failures.write(change, self.queue, "describe", [mode_row(now.number, now.name, words)])
            return self._again(change, now.number)

    def assign(self, notes: str | Sequence[str], mode: int | str, *, reason: str | None = None) -> FailureMode:
        """Put notes into a mode, wherever they were; return it. A note is in one mode at most.

        Args:
            notes: Ids of notes, as ``df()`` has them.
            mode: Its number or name.
            reason: Why, for the audit chain.

        Raises:
            NotFoundError: There is no such note or mode.
        """
        with self._project.change(reason=reason) as change:
            board, now = self._at(change, mode)
            rows = _moves(_known(notes, board, self.queue), now.number, board)
            if rows:
                _failures.write(change, self.queue, "assign", rows)
            return self._again(change, now.number)

    def take_off(self, notes: str | Sequence[str], *, reason: str | None = None) -> int:
        """Take notes out of their modes; return how many were in one.

        Raises:
            NotFoundError: There is no such note.
        """
        with self._project.change(reason=reason) as change:
            board = self._board(change)
            rows = _moves(_known(notes, board, self.queue), None, board)
            if rows:
                _failures.write(change, self.queue, "take_off", rows)
            return len(rows)

    def merge(
        self, modes: int | str | Sequence[int | str], into: int | str, *, reason: str | None = None
    ) -> FailureMode:
        """Put all notes of some modes into another one, and remove the empty ones; return it.

        Args:
            modes: Their numbers or names; the one that they go into may be among them.
            into: The mode that stays.
            reason: Why, for the audit chain.

        Raises:
            NotFoundError: There is no such mode.
        """
        given = [modes] if isinstance(modes, int | str) else list(modes)
        with self._project.change(reason=reason) as change:
            board, now = self._at(change, into)
            found = {_found(board, one, self.queue).number for one in given} - {now.number}
            rows = _moves([note for note, at in board.notes.items() if at in found], now.number, board)
            rows += [mode_row(number, None, None, into=now.number) for number in sorted(found)]
            if found:
                _failures.write(change, self.queue, "merge", rows)
            return self._again(change, now.number)

    def remove(self, mode: int | str, *, reason: str | None = None) -> FailureMode:
        """Remove a mode; its notes are in none from then on. Return it as it was.

        Raises:
            NotFoundError: There is no such mode.
        """
        with self._project.change(reason=reason) as change:
            board, now = self._at(change, mode)
            rows = _moves([note for note, at in board.notes.items() if at == now.number], None, board)
            _failures.write(change, self.queue, "remove", [*rows, mode_row(now.number, None, None)])
            return self._shown(now)

    def undo(self) -> str | None:
        """Take back what who acts did last here and did not take back; say what it was, None where there is nothing.

        There is no limit, and it goes on after a restart.

        Raises:
            ConflictError: Somebody else went on from there since.
        """
        with self._project.change() as change:
            self._check_queue(change)
            found = _failures.undo(change, self.queue)
            if found is None:
                return None
            names = Counter(one.name for one in self._board(change).modes.values())
            twice = [name for name, times in names.items() if times > 1]
            if twice:
                raise ConflictError(f"a mode of the name {plain_line(twice[0], 60)!r} was made since: rename it first")
            action, notes = found
            moved = f" of {notes:,} note{'' if notes == 1 else 's'}" if notes else ""
            return f"{action.replace('_', ' ')}{moved}"

    # -- what comes of it ------------------------------------------------------------------------------------------

    def suggest(self, model: str | Callable[[list[str]], Any] | None = None, *, n: int | None = None) -> Suggestions:
        """Return groups of notes in no mode yet that say alike things; nothing is changed.

        ``make(one.name, one.notes)`` makes a mode of one. The same notes give the same groups: they are parted by the
        words that they share, or by a model of meanings, into the least number of groups whose mean silhouette reaches
        nine tenths of the greatest.

        Args:
            model: An embedding model of ``ws.models`` such as "openai:text-embedding-3-small", which is sent the notes,
                or a function from texts to vectors; by default words alone, without any model.
            n: How many groups.

        Raises:
            UsageError: There are fewer notes than groups, or the vectors are none.
        """
        notes = self.df()
        is_open = notes["mode"].isna()
        found, others = notes[is_open], notes[~is_open]["words"].tolist()
        embed: Callable[[list[str]], Any] | None = None if model is None or isinstance(model, str) else model
        if isinstance(model, str):
            models = self._models
            if models is None:
                raise UsageError(
                    f"suggest(model={model!r}): there are no models here; give a function texts -> vectors"
                )

            def embed(texts: list[str]) -> Any:
                return models().embed(model, texts)

        told = f"meanings ({model if isinstance(model, str) else 'a function'})" if embed else "words"
        ids, words = found["note"].tolist(), found["words"].tolist()
        return suggested(self.queue, ids, words, others=others, embed=embed, n=n, by=told)

    def pivot(self, by: str | Sequence[str] = (), *, level: float = 0.95) -> FailurePivot:
        """Return how often each mode was found among the items that somebody looked at, by group.

        Items that were drawn with a known probability give a rate of the traffic, each weighted by its inverse. Those
        that were chosen for a reason (thumbs down, disagreement) are counted in rows of their own, and their share is
        one of the items chosen, never of the traffic.

        Args:
            by: A column of traces (service, environment, ...) or of spans (model, ...), "version" (prompts as
                name@version), an attribute of spans such as "topic" or "language", or "feedback.thumb": what users said
                under that name. Several at once as a list.
            level: Of the intervals.

        Returns:
            A record with ``df()``: the groups, mode, failure_mode (its name), of ("traffic" or "items chosen"), count
            (items with the mode), items (looked at), share, low, high (Wilson's interval, by sessions where items share
            one). ``view`` is the chart.

        Raises:
            UsageError: There is no such group.
        """
        groups = [by] if isinstance(by, str) else list(by)
        return self._with_view(pivot_of(self._store, self.queue, groups, level=level))

    def to_category(
        self, mode: int | str, schema: str, *, field: str = "failure_mode", reason: str | None = None
    ) -> LabelSchema:
        """Return a new version of a label schema in which raters can choose a mode; see :class:`FailureMode`.

        Raises:
            NotFoundError: There is no such mode or schema.
            UsageError: The field is of another kind.
        """
        found, schemas = self.mode(mode), LabelSchemas(self._project)
        version = schemas.get(schema)
        fields = with_option(version, field, found.name, found.criteria)
        why = reason or f"failure mode {found.number} of queue {self.queue}"
        return schemas.save(version.name, fields, criteria=version.criteria, reason=why)

    def to_scorer(self, mode: int | str, *, kind: str = "judge", model: str = "openai:gpt-5-mini") -> str:
        """Return the text of a scorer of a mode; see :class:`FailureMode`.

        Raises:
            NotFoundError: There is no such mode.
            UsageError: There is no such kind.
        """
        return scorer_text(self._store, self.mode(mode), kind=kind, model=model)

    # -- steps -----------------------------------------------------------------------------------------------------

    def _make(
        self,
        action: str,
        name: str,
        notes: str | Sequence[str],
        criteria: str,
        reason: str | None,
        *,
        out_of: int | str | None = None,
    ) -> FailureMode:
        words = check_words(criteria, "criteria")
        with self._project.change(reason=reason) as change:
            board = self._board(change)
            given = _known(notes, board, self.queue)
            if out_of is not None:
                _check_inside(given, _found(board, out_of, self.queue), board)
            called = _checked_name(name, board)
            number = _failures.next_mode(change.con, self.queue)
            rows = [mode_row(number, called, words), *_moves(given, number, board)]
            _failures.write(change, self.queue, action, rows)
            return self._again(change, number)

    def _check_queue(self, change: Change) -> None:
        if change.store.record(change.con, "queues", self.queue) is None:
            known = [row[0] for row in change.store.sql("select queue from queues").fetchall()]
            raise NotFoundError.of("queue", self.queue, known, hint="ws.feedback.queue(name, items, schema=...)")

    def _board(self, change: Change) -> Board:
        self._check_queue(change)
        return _failures.board_of(change.con, self.queue)

    def _at(self, change: Change, mode: int | str) -> tuple[Board, ModeNow]:
        board = self._board(change)
        return board, _found(board, mode, self.queue)

    def _again(self, change: Change, number: int) -> FailureMode:
        return self._shown(_failures.board_of(change.con, self.queue).modes[number])

    def _shown(self, now: ModeNow) -> FailureMode:
        told = {"queue": self.queue, "name": now.name, "criteria": now.criteria or ""}
        return FailureMode(**told, number=now.number, notes=now.notes, items=now.items, themes=self)

    @functools.cached_property
    def _topics(self) -> tuple[str, dict[str, str]]:
        """A join with the topic of each trace, where spans have such an attribute, and its parameters."""
        try:
            everything = found_sql(None, Bounds(None, None), evaluations=True)
            source, params = traces_by(self._store, ["topic"], everything, None)
        except UsageError:
            return "", {}
        said = f"select trace_id, string_agg(g0, ', ' order by g0) as topic from ({source}) group by 1"
        return f"left join ({said}) p using (trace_id) ", params

    def _with_view(self, found: FailurePivot) -> FailurePivot:
        """Return a record with its view, where there is one."""
        return found


def _found(board: Board, mode: int | str, queue: str) -> ModeNow:
    """Return a mode by its number or name."""
    for one in board.modes.values():
        if mode in (one.number, one.name):
            return one
    known = [one.name for one in board.modes.values()]
    raise NotFoundError.of(f"failure mode of {queue}", plain_line(mode, 100), known, hint="themes.modes() lists them")


def _checked_name(name: str, board: Board, *, but: int | None = None) -> str:
    words = " ".join((check_words(name, "name of a mode") or "").split())
    if not words or len(words) > _LONGEST or not words.isprintable():
        raise UsageError(f"name={plain_line(repr(name), 60)}: give 1 to {_LONGEST} characters on one line")
    if words.isdecimal():
        raise UsageError(f"name={words!r}: a number is how a mode is found; give it a name")
    same = next((one for one in board.modes.values() if one.name == words and one.number != but), None)
    if same is not None:
        raise ConflictError(f"mode {same.number} has the name {plain_line(words, 60)!r} already. Nothing was changed")
    return words


def _known(notes: str | Sequence[str], board: Board, queue: str) -> list[str]:
    given = list(dict.fromkeys([notes] if isinstance(notes, str) else notes))
    if len(given) > _MOST_AT_ONCE:
        raise UsageError(f"{len(given):,} notes: give at most {_MOST_AT_ONCE:,} at once")
    for one in given:
        if one not in board.notes:
            raise NotFoundError(f"queue {queue} has no note {plain_line(repr(one), 100)}; themes.df() has all")
    return given


def _check_inside(notes: Sequence[str], mode: ModeNow, board: Board) -> None:
    """Raise an error unless there are notes, and all of them are in a mode."""
    if not notes:
        raise UsageError(f"split {mode.name!r:.60}: give the notes that the new mode is of")
    for one in notes:
        if board.notes[one] != mode.number:
            raise NotFoundError(f"note {plain_line(repr(one), 100)} is not in mode {mode.number}. Nothing was changed")


def _moves(notes: Sequence[str], to: int | None, board: Board) -> list[dict[str, Any]]:
    """Return the rows that put notes elsewhere; those that are there already have none."""
    return [note_row(one, to, was=board.notes[one]) for one in notes if board.notes[one] != to]
