"""What every list knows and does without any widget: its cursor, its marks, what can be done with rows, its number.

What changes for everyone is answered by a ``state`` or ``selection`` message with a growing ``seq``, which every view
of the widget receives. A list has a number, ``rev``: what is asked about an older one is answered by an error, which
the page drops. The other end is ``ListView`` in ``kit/list_view.js``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Final

from lmops.errors import LmopsError, QueryError, UsageError
from lmops.widgets.kit.actions import KNOWN, Done
from lmops.widgets.kit.planned import Plan
from lmops.widgets.kit.protocol import answer, handlers_of, one_of, optional_string, string

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lmops.widgets.kit.actions import Action
    from lmops.widgets.kit.protocol import Message

_MAX_ANSWER: Final = 200
_MAX_CHOICES: Final = 1_000
_MAX_MAP: Final = 1_000
_MAX_LOCATED: Final = 10
#: So many of the last actions can be taken back.
_MAX_UNDONE: Final = 20


class _StaleError(QueryError):
    """The list that was asked about is not the one that is shown; the page asks again on its own."""


class ListController(ABC):
    """A list of rows that have ids; what it lists, and how, is said by its subclasses.

    Args:
        actions: Name ("dataset", "labeling") -> what to do with traces; what is missing is shown as not there.
    """

    #: what a row is
    NOUN: ClassVar[str]
    MAX_MARKED: ClassVar[int]

    _handlers: ClassVar[Mapping[str, Callable[[Any, Message], Message]]]

    def __init_subclass__(cls) -> None:
        """Find the messages that a list answers."""
        super().__init_subclass__()
        cls._handlers = handlers_of(cls)

    def __init__(self, actions: Mapping[str, Action] | None) -> None:
        self._actions = dict(actions or {})
        self._rev = 0
        self._seq = 0
        self.cursor: str | None = None
        #: the marked rows in their order; where all are marked, those that are not
        self._marked: dict[str, None] = {}
        self._all_of: object = None
        self._undo: dict[str, Callable[[], str]] = {}
        #: called with every state message that Python itself causes
        self.on_change: Callable[[Message], None] = lambda _message: None

    # -- what a subclass says ----------------------------------------------------------------------------------------

    @abstractmethod
    def state(self, reason: str) -> Message:
        """Return everything a view needs to show the same as the others."""

    @abstractmethod
    def _refresh(self) -> None:
        """Read again what is listed."""

    @abstractmethod
    def _place_of(self, row_id: str) -> int | None:
        """Return where a row is in the list; None when it is not in it."""

    @abstractmethod
    def _is_id(self, value: object) -> bool:
        """Whether this can be the id of a row."""

    def _is_known(self, _row_id: str) -> bool:
        """Whether a row can be chosen and marked, be it in the list as it is filtered or not."""
        return True

    @abstractmethod
    def _all_ids(self) -> list[str]:
        """Return the ids of all rows in their order."""

    @property
    @abstractmethod
    def total(self) -> int:
        """How many rows there are."""

    @property
    def _found_by(self) -> object:
        """What says which rows are found, in whatever order: all of them stay marked while it stays the same."""
        return self._rev

    def _act(self, action: Action, ids: list[str], answers: tuple[str, ...]) -> str | Done:
        """Do something with rows; returns what came of it."""
        return action.run(ids, *answers)

    # -- Python's side -----------------------------------------------------------------------------------------------

    @property
    def selected_ids(self) -> list[str]:
        """The marked rows in the order they were marked; the one under the cursor when none is marked.

        Where all that the filter finds were marked at once, they are in the order of the list.
        """
        if self._is_all:
            return [one for one in self._all_ids() if one not in self._marked]
        return list(self._marked) or ([] if self.cursor is None else [self.cursor])

    def refresh(self) -> None:
        """Take in what has come since."""
        self._refresh()
        self.on_change(self.state("refresh"))

    # -- the page's side ---------------------------------------------------------------------------------------------

    def handle(self, message: object) -> list[Message]:
        """Return the answers to one message of the page; what goes wrong is an answer of kind ``error``."""
        return answer(self, self._handlers, message)

    def _selection(self) -> Message:
        """Return cursor and marks, with the number of the message that says them."""
        self._seq += 1
        if self._all_of is not None and not self._is_all:
            self._all_of, self._marked = None, {}
        return {"seq": self._seq, "cursor": self.cursor, "marked": list(self._marked), "is_all": self._is_all}

    @property
    def _is_all(self) -> bool:
        return self._all_of is not None and self._all_of == (self._found_by,)

    def _action_rows(self) -> list[Message]:
        """Return what can be done with rows; what is refused here says why, what is missing is not shown."""
        found = {name: self._actions.get(name) for name in KNOWN}
        return [
            {
                "name": name,
                "label": KNOWN[name],
                "hint": "" if action is None else action.refused,
                "is_there": action is not None and not action.refused,
                "asks": "" if action is None else action.asks,
            }
            for name, action in found.items()
        ]

    def _on_hello(self, _message: Message) -> Message:
        return self.state("hello")

    def _on_refresh(self, _message: Message) -> Message:
        self._refresh()
        return self.state("refresh")

    def _on_locate(self, message: Message) -> Message:
        self._check_rev(message)
        places = [self._place_of(one) for one in self._ids(message, "ids", _MAX_LOCATED)]
        return {"kind": "places", "rev": self._rev, "places": places}

    def _on_select(self, message: Message) -> Message:
        cursor = message.get("cursor")
        if cursor is not None and not (self._is_id(cursor) and self._is_known(cursor)):
            raise UsageError(f"select: the cursor is the id of a {self.NOUN}")
        is_all = message.get("is_all") is True
        if is_all:
            self._check_rev(message)
        if "marked" in message:
            self._marked = dict.fromkeys(filter(self._is_known, self._ids(message, "marked", self.MAX_MARKED)))
            self._all_of = (self._found_by,) if is_all else None
        self.cursor = cursor
        return {"kind": "selection", **self._selection()}

    def _on_question(self, message: Message) -> Message:
        action = self._action(message)
        choices = [str(choice)[:_MAX_ANSWER] for choice in action.choices()]
        also = None if action.also is None else action.also()
        second = None
        if also is not None:
            offered = list(also.choices.items())[:_MAX_CHOICES]
            second = {"asks": also.asks, "choices": offered, "fixed": dict(also.fixed)}
        plan = self._planned(action, message)
        choices = choices[:_MAX_CHOICES]
        return {"kind": "question", "choices": choices, "also": second, "maps": action.maps, "plan": plan}

    def _on_plan(self, message: Message) -> Message:
        """Return what an action would do with rows, with fields from other places than before."""
        return {"kind": "plan", "plan": self._planned(self._action(message), message)}

    def _planned(self, action: Action, message: Message) -> Message | None:
        """Return what would be done with the rows that are named; what speaks against it is said now."""
        if action.plan is None or not ("ids" in message or message.get("all") is True):
            return None
        try:
            found = action.plan(self._rows_asked(message), optional_string(message, "map", _MAX_MAP) or "")
        except _StaleError:
            raise
        except LmopsError as error:
            return Plan(refused=str(error)).as_dict()
        return found.as_dict()

    def _on_action(self, message: Message) -> Message:
        """Do something with the rows that are named, or with all that are listed."""
        action = self._action(message)
        value = string(message, "value", _MAX_ANSWER).strip() if action.asks else ""
        if action.asks and not value:
            raise UsageError(f"give the name of the {action.asks}")
        ids = self._rows_asked(message)
        answers = [value]
        answers += [] if action.also is None else [optional_string(message, "also", _MAX_ANSWER) or ""]
        answers += [optional_string(message, "map", _MAX_MAP) or ""] if action.maps else []
        found = self._act(action, ids, tuple(answers))
        done = found if isinstance(found, Done) else Done(message=found)
        return {"kind": "done", "message": done.message, "undo": None if done.undo is None else self._offer(done.undo)}

    def _rows_asked(self, message: Message) -> list[str]:
        """Return the ids of the rows that a message is about: those that it names, or all that are listed."""
        ids = self._listed(message) if message.get("all") is True else self._ids(message, "ids", self.MAX_MARKED)
        if not ids:
            raise UsageError(f"no {self.NOUN} is marked or open")
        return ids

    def _on_undo(self, message: Message) -> Message:
        """Take back what an action did, once."""
        undo = self._undo.get(string(message, "undo", 20))
        if undo is None:
            raise UsageError("that was taken back already, or is too long ago")
        said = undo()
        del self._undo[message["undo"]]
        return {"kind": "done", "message": said, "undo": None}

    def _offer(self, undo: Callable[[], str]) -> str:
        """Remember how to take something back, and return under which name."""
        self._seq += 1
        name = str(self._seq)
        self._undo[name] = undo
        for old in list(self._undo)[:-_MAX_UNDONE]:
            del self._undo[old]
        return name

    def _listed(self, message: Message) -> list[str]:
        """Return the ids of all rows but those that the message names."""
        self._check_rev(message)
        but = set(self._ids(message, "but", self.MAX_MARKED)) if "but" in message else set()
        if self.total > self.MAX_MARKED:
            raise UsageError(
                f"the list has {self.total:,} {self.NOUN}s: filter it, {self.MAX_MARKED:,} can be taken at once"
            )
        return [one for one in self._all_ids() if one not in but]

    # -- inside ------------------------------------------------------------------------------------------------------

    def _action(self, message: Message) -> Action:
        found = self._actions[one_of(message, "name", self._actions)]
        if found.refused:
            raise UsageError(found.refused)
        return found

    def _check_rev(self, message: Message) -> None:
        if message.get("rev") != self._rev:
            raise _StaleError("this list has changed since")

    def _ids(self, message: Message, name: str, limit: int) -> list[str]:
        value = message.get(name)
        if not isinstance(value, list) or len(value) > limit or not all(map(self._is_id, value)):
            raise UsageError(f"{name} is a list of at most {limit:,} {self.NOUN} ids")
        return value
