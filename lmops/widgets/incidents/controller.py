"""What the view of an incident knows and does, without any widget: the record, dry runs, what is done for good."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, Protocol

from lmops.base.sheet import framed
from lmops.errors import UsageError
from lmops.text import plain, plain_line
from lmops.widgets.kit.protocol import answer, as_json, handlers_of, string

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lmops.incidents import Act
    from lmops.incidents.boards import IncidentBoard
    from lmops.widgets.kit.protocol import Message

_MOMENTS: Final = 300
_WORDS: Final = 600
_TIME: Final = "%Y-%m-%d %H:%M:%S"


class Board(Protocol):
    """Where the view has it from."""

    def board(self) -> IncidentBoard:
        """Return the incident as it is now."""

    def act(self, action: str, params: Mapping[str, Any], *, dry_run: bool, seen: str | None, reason: str) -> Act:
        """Say what an action would do, or do it."""

    def verify(self) -> str:
        """Test on traffic whether it is over; say what was found."""

    def note(self, text: str) -> str:
        """Note something; say what was done."""

    def own(self) -> str:
        """Take it on; say what was done."""


class IncidentController:
    """One incident on a page.

    Args:
        board: Where it has it from.
        refused: Why nothing can be changed here; empty where it can.
    """

    def __init__(self, board: Board, *, refused: str = "") -> None:
        self._board = board
        self._refused = refused
        self._seq = 0
        #: called with every state message that Python itself causes
        self.on_change: Callable[[Message], None] = lambda _message: None

    def bundle(self) -> dict[str, str]:
        """Return the static forms by their media types."""
        found = self._board.board()
        one = found.incident
        rows = [
            [f"{at.at:{_TIME}}", at.source, at.what, at.who, at.why, at.evidence] for at in found.moments[-_MOMENTS:]
        ]
        told = [f"{name}: {said}" for name, said in found.facts]
        done = [f"{act.action}: {plain_line(act.words, _WORDS)}" for act in found.acts]
        check = [f"verified: {found.check[0]}. {found.check[1]}"] if found.check else []
        title = f"Incident {one.incident}: {plain_line(one.title, 300)}"
        note = "; ".join([*told, found.affected, *done, *check])
        text = "\n".join([title, *told, found.affected, *done, *check, *("  ".join(row) for row in rows)])
        head = ["when (UTC)", "of", "what", "who", "why", "evidence"]
        return {"text/plain": plain(text), "text/html": framed(title, head, rows, note=note, wraps=True, cell=300)}

    # -- the page's side -------------------------------------------------------------------------------------------

    def handle(self, message: object) -> list[Message]:
        """Return the answers to one message of the page; what goes wrong is an answer of kind ``error``."""
        return answer(self, _HANDLERS, message)

    def state(self, said: str = "") -> Message:
        """Return everything a view needs to show the same as the others."""
        self._seq += 1
        found = self._board.board()
        one = found.incident
        line = found.line
        state: Message = as_json(
            {
                "kind": "state",
                "seq": self._seq,
                "refused": self._refused,
                "incident": one.incident,
                "title": plain(one.title, 400),
                "status": one.status,
                "severity": one.severity,
                "facts": [[name, plain(said, 200)] for name, said in found.facts if name not in ("status", "severity")],
                "explained": plain(one.explained or "", 400),
                "affected": found.affected,
                "line": None
                if line is None
                else {
                    "title": plain(line.title, 120),
                    "unit": line.unit,
                    "baseline": line.baseline,
                    "points": [list(point) for point in line.points],
                },
                "moments": [
                    {
                        "ms": at.at.timestamp() * 1e3,
                        "source": at.source,
                        "what": at.what,
                        "who": at.who,
                        "why": at.why,
                        "evidence": at.evidence,
                        "behind_s": at.behind_s,
                    }
                    for at in found.moments[-_MOMENTS:]
                ],
                "acts": [_act(one) for one in found.acts],
                "actions": [[name, plain(words, 300)] for name, words in found.actions.items()],
                "check": None if found.check is None else [found.check[0], plain(found.check[1], _WORDS)],
                "said": said,
            }
        )
        return state

    def _on_hello(self, _message: Message) -> Message:
        return self.state()

    def _on_plan(self, message: Message) -> Message:
        """Say what an action would do; nothing is changed."""
        found = self._board.act(
            string(message, "action", 100),
            _params(string(message, "params", 4_000)),
            dry_run=True,
            seen=None,
            reason="",
        )
        return {"kind": "plan", "plan": as_json(_act(found))}

    def _on_act(self, message: Message) -> Message:
        self._refuse()
        found = self._board.act(
            string(message, "action", 100),
            _params(string(message, "params", 4_000)),
            dry_run=False,
            seen=string(message, "seen", 100),
            reason=string(message, "reason", 2_000),
        )
        return self._told(f"{found.state}: {plain_line(found.words, _WORDS)}")

    def _on_verify(self, _message: Message) -> Message:
        self._refuse()
        return self._told(self._board.verify())

    def _on_note(self, message: Message) -> Message:
        self._refuse()
        return self._told(self._board.note(string(message, "text", 4_000)))

    def _on_own(self, _message: Message) -> Message:
        self._refuse()
        return self._told(self._board.own())

    def _refuse(self) -> None:
        if self._refused:
            raise UsageError(self._refused)

    def _told(self, said: str) -> Message:
        state = self.state(said)
        self.on_change(state)
        return state


_HANDLERS: Final = handlers_of(IncidentController)


def _params(text: str) -> dict[str, Any]:
    """Return arguments as they are typed: a JSON object, or ``prompt=support-answer alias=production``."""
    said = text.strip()
    if said.startswith("{"):
        try:
            return dict(json.loads(said))
        except ValueError as error:
            raise UsageError(f"these arguments are no JSON: {error}") from None
    found: dict[str, Any] = {}
    for part in said.split():
        name, sign, value = part.partition("=")
        if not sign or not name:
            raise UsageError(f"{plain_line(part, 80)!r}: give NAME=VALUE, such as prompt=support-answer")
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    return found


def _act(found: Act) -> dict[str, Any]:
    names = {**found.stands, **found.then}
    return {
        "action": plain(found.action, 100),
        "state": found.state,
        "words": plain(found.words, _WORDS),
        "rows": [[plain(name, 200), _said(found.stands.get(name)), _said(found.then.get(name))] for name in names],
        "seen": found.seen,
        "who": plain(found.actor, 80),
        "ms": found.at.timestamp() * 1e3,
        "events": list(found.events),
    }


def _said(value: Any) -> str:
    return "nothing" if value is None else plain(str(value), 200)
