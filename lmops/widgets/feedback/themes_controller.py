"""What the board of failure modes answers its page: columns of notes, acts on them, suggestions when they are asked."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, Final

from lmops.errors import ConflictError, NotFoundError, UsageError
from lmops.text import plain, plain_line
from lmops.widgets.kit.protocol import answer, handlers_of, integer, string

if TYPE_CHECKING:
    from collections.abc import Callable

    from lmops.feedback import Suggestions, Themes
    from lmops.widgets.kit.protocol import Message

#: Cards of a column that a page is sent at first, and with every "more".
PAGE: Final = 60
_WORDS: Final = 4_000
_NAME: Final = 1_000
_MOST_NOTES: Final = 10_000
_LARGEST: Final = 2**53
_OPEN: Final = "open"


class ThemesController:
    """The board of one queue.

    Args:
        themes: Its notes and failure modes.
    """

    def __init__(self, themes: Themes) -> None:
        self.themes = themes
        self._seq = 0
        self._shown: Counter[str] = Counter()
        self._suggested: Suggestions | None = None
        #: called with every state message that Python itself causes
        self.on_change: Callable[[Message], None] = lambda _message: None

    def __repr__(self) -> str:
        return f"<ThemesController {self.themes!r}>"

    def bundle(self) -> dict[str, str]:
        """Return the static forms by their media types."""
        return {"text/plain": self.themes.text, "text/html": self.themes._repr_html_()}

    def refresh(self) -> None:
        """Take in what has come since."""
        self.on_change(self.state("refresh"))

    # -- the page's side -------------------------------------------------------------------------------------------

    def handle(self, message: object) -> list[Message]:
        """Return the answers to one message of the page; what goes wrong is an answer of kind ``error``."""
        return answer(self, _HANDLERS, message)

    def state(self, reason: str, *, said: str = "") -> Message:
        """Return everything a view needs to show the same as the others."""
        self._seq += 1
        notes, pivot = self.themes.df(), self.themes.pivot()
        rows: list[Any] = notes.to_dict("records")
        sorted_into: dict[int | None, list[Message]] = defaultdict(list)
        for row in rows:
            sorted_into[None if _missing(row["mode"]) else row["mode"]].append(row)
        open_notes = sorted_into[None]
        groups = self._groups({row["note"]: row for row in open_notes})
        taken = {row["note"] for group in groups for row in group["rows"]}
        shares = _shares(pivot.df())
        columns = [self._column(_OPEN, [row for row in open_notes if row["note"] not in taken], name="Not sorted yet")]
        columns += [
            self._column(f"s{group['place']}", group["rows"], name=group["name"], suggestion=group["place"])
            for group in groups
        ]
        columns += [
            self._column(
                f"m{mode['mode']}",
                sorted_into[mode["mode"]],
                name=plain(mode["name"], _NAME),
                mode=mode["mode"],
                criteria=None if _missing(mode["criteria"]) else plain(mode["criteria"], _WORDS),
                notes=mode["notes"],
                items=mode["items"],
                share=shares.get(mode["mode"]),
            )
            for mode in self.themes.modes().to_dict("records")
        ]
        return {
            "kind": "state",
            "seq": self._seq,
            "reason": reason,
            "queue": self.themes.queue,
            "notes": len(rows),
            "open": len(open_notes),
            "items": pivot.items,
            "columns": columns,
            "suggested": None if self._suggested is None else self._told(len(groups)),
            "said": said,
        }

    def _on_hello(self, _message: Message) -> Message:
        return self.state("hello")

    def _on_refresh(self, _message: Message) -> Message:
        return self.state("refresh", said="read again")

    def _on_text(self, _message: Message) -> Message:
        return {"kind": "text", "text": self.themes.text}

    def _on_more(self, message: Message) -> Message:
        """Show more cards of a column, in every view."""
        self._shown[string(message, "column", 40)] += PAGE
        return self.state("more")

    def _on_suggest(self, message: Message) -> Message:
        """Show suggestions or take them off the board: what is sorted stays as it is."""
        self._suggested = None if message.get("on") is False else self.themes.suggest()
        if self._suggested is None:
            return self.state("suggest", said="suggestions put away")
        return self.state("suggest", said=plain_line(self._suggested.text.partition("\n")[0], 300))

    def _on_accept(self, message: Message) -> Message:
        """Make a mode of a suggestion, with the notes of it that are not sorted yet."""
        place = integer(message, "place", 0, _MOST_NOTES)
        if self._suggested is None or place >= len(self._suggested.modes):
            raise UsageError("this suggestion is gone: ask for them again")
        found = self._suggested.modes[place]
        notes = self.themes.df()
        is_open = set(notes[notes["mode"].isna()]["note"])
        left = [one for one in found.notes if one in is_open]
        name = string(message, "name", _NAME) if message.get("name") else found.name
        made = self.themes.make(name, left)
        return self.state("act", said=f"made mode {made.number}, {plain_line(made.name, 60)}, of {_notes(len(left))}")

    def _on_move(self, message: Message) -> Message:
        """Put notes into a mode by its number; by a name into the mode of this name, or into a new one."""
        notes, to = _given(message), message.get("to")
        if to is None:
            return self.state("act", said=f"{_notes(self.themes.take_off(notes))} in no mode any more")
        if isinstance(to, int):
            made = self.themes.assign(notes, integer(message, "to", 1, _LARGEST))
        else:
            name = " ".join(string(message, "to", _NAME).split())
            try:
                made = self.themes.assign(notes, self.themes.mode(name).number)
            except NotFoundError:
                made = self._new(name, notes)
        return self.state("act", said=f"{_notes(len(notes))} in {plain_line(made.name, 60)}")

    def _on_make(self, message: Message) -> Message:
        made = self._new(string(message, "name", _NAME), _given(message))
        return self.state("act", said=f"made mode {made.number}, {plain_line(made.name, 60)}")

    def _on_rename(self, message: Message) -> Message:
        made = self.themes.rename(integer(message, "mode", 1, _LARGEST), string(message, "name", _NAME))
        return self.state("act", said=f"mode {made.number} is {plain_line(made.name, 60)}")

    def _on_describe(self, message: Message) -> Message:
        made = self.themes.describe(integer(message, "mode", 1, _LARGEST), string(message, "criteria", _WORDS))
        return self.state("act", said=f"criteria of {plain_line(made.name, 60)} kept")

    def _on_merge(self, message: Message) -> Message:
        """Put a mode into another one, by its number or name."""
        into = message.get("into")
        target = integer(message, "into", 1, _LARGEST) if isinstance(into, int) else string(message, "into", _NAME)
        before = self.themes.mode(integer(message, "mode", 1, _LARGEST))
        made = self.themes.merge(before.number, target.strip() if isinstance(target, str) else target)
        if made.number == before.number:
            raise ConflictError(f"{before.name!r:.80} is that mode itself: name another one")
        return self.state("act", said=f"{plain_line(before.name, 60)} is part of {plain_line(made.name, 60)} now")

    def _on_remove(self, message: Message) -> Message:
        gone = self.themes.remove(integer(message, "mode", 1, _LARGEST))
        return self.state("act", said=f"removed {plain_line(gone.name, 60)}; {_notes(gone.notes)} to be sorted again")

    def _on_undo(self, _message: Message) -> Message:
        found = self.themes.undo()
        return self.state("act", said="there is nothing to take back" if found is None else f"taken back: {found}")

    # -- steps -----------------------------------------------------------------------------------------------------

    def _new(self, name: str, notes: list[str]) -> Any:
        """Make a mode of notes; where all of them are in one mode, that is split."""
        found = self.themes.df()
        within = {None if _missing(one) else int(one) for one in found[found["note"].isin(notes)]["mode"]}
        mode = within.pop() if len(within) == 1 else None
        if mode is not None:
            return self.themes.split(mode, notes, name)
        return self.themes.make(name, notes)

    def _column(self, key: str, rows: list[Message], **told: Any) -> Message:
        limit = PAGE + self._shown[key]
        return {
            "mode": None,
            "suggestion": None,
            "criteria": None,
            "notes": len(rows),
            "items": len({row["position"] for row in rows}),
            "share": None,
            **told,
            "key": key,
            "cards": [_card(row) for row in rows[:limit]],
            "hidden": max(len(rows) - limit, 0),
        }

    def _groups(self, open_notes: dict[str, Message]) -> list[Message]:
        """Return the suggested modes with those of their notes that are not sorted yet."""
        if self._suggested is None:
            return []
        found = [
            {
                "place": place,
                "name": plain(one.name, _NAME),
                "rows": [open_notes[note] for note in one.notes if note in open_notes],
            }
            for place, one in enumerate(self._suggested.modes)
        ]
        return [one for one in found if one["rows"]]

    def _told(self, groups: int) -> Message:
        found = self._suggested
        width = None if found is None else found.silhouette
        return {"groups": groups, "by": "" if found is None else plain_line(found.by, 100), "silhouette": width}


_HANDLERS: Final = handlers_of(ThemesController)


def _given(message: Message) -> list[str]:
    """Return the notes that a message names."""
    notes = message.get("notes")
    if not isinstance(notes, list) or len(notes) > _MOST_NOTES or not all(isinstance(one, str) for one in notes):
        raise UsageError(f"notes is a list of at most {_MOST_NOTES:,} ids")
    return notes


def _card(row: Message) -> Message:
    """Return a note as its card shows it."""
    told = {name: plain_line(row[name], 200) or None for name in ("rater", "version", "model", "topic", "verdict")}
    told = {name: None if _missing(row[name]) else value for name, value in told.items()}
    trace = None if _missing(row["trace_id"]) else plain_line(row["trace_id"], 100)
    return {
        "note": row["note"],
        "position": row["position"],
        "words": plain(row["words"], _WORDS),
        "trace": trace,
        **told,
    }


def _shares(frame: Any) -> dict[int, Message]:
    """Return the share of each mode with its limits: of the traffic where that is known, else of the items chosen."""
    found: dict[int, Message] = {}
    for row in frame.to_dict("records"):
        limits = [None if _missing(row[name]) else float(row[name]) for name in ("share", "low", "high")]
        of = {"of": row["of"], "n": int(row["items"]), "is_rate": row["of"] == "traffic"}
        found.setdefault(int(row["mode"]), {"values": limits, **of})
    return found


def _missing(value: object) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value)) or str(value) in ("<NA>", "NaT")


def _notes(count: int) -> str:
    return f"{count:,} note{'' if count == 1 else 's'}"
