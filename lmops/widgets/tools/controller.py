"""What the desk knows and does, without any widget: the calls that wait, one of them with all it has, yes and no."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final, Protocol

from lmops.base.sheet import framed
from lmops.errors import UsageError
from lmops.text import plain, plain_line
from lmops.widgets.kit.protocol import answer, as_json, handlers_of, integer, string

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from lmops.tools import Ask
    from lmops.widgets.kit.protocol import Message

_TIME: Final = "%Y-%m-%d %H:%M:%S"
_WORDS: Final = 600
_SHORT: Final = 160
#: Who is not believed: what they said is marked in the arguments.
FOREIGN: Final = ("retrieved", "tool_result")
_MOST: Final = 2**53
#: Between the words of a stretch.
_GAP: Final = r"[^\w]{1,9}"


class Board(Protocol):
    """Where the desk has it from."""

    def asks(self) -> Sequence[Ask]:
        """Return the newest asks, newest first."""

    def ask(self, ask: int) -> Ask:
        """Return one of them."""

    def settle(self, ask: int, *, to: str, seen: str, reason: str | None) -> Ask:
        """Say yes ("approved") or no ("denied") to the call that was shown."""


class DeskController:
    """The calls that wait for somebody's yes on a page.

    Args:
        board: Where it has them from.
        refused: Why nothing can be decided here; empty where it can.
    """

    def __init__(self, board: Board, *, refused: str = "") -> None:
        self._board = board
        self._refused = refused
        self._seq = 0
        #: called with every state message that Python itself causes
        self.on_change: Callable[[Message], None] = lambda _message: None

    def bundle(self) -> dict[str, str]:
        """Return the static forms by their media types."""
        found = self._board.asks()
        waiting = sum(one.status == "waiting" for one in found)
        title = f"{waiting} call{'' if waiting == 1 else 's'} of tools wait{'s' if waiting == 1 else ''} for a yes"
        head = ["ask", "status", "call", "why", "said by", "who calls", "until (UTC)", "last step"]
        rows = [
            [
                str(one.ask),
                one.status,
                _call(one, 2_000),
                one.why,
                ", ".join(one.origins),
                one.role or "",
                f"{one.expires_at:{_TIME}}",
                _last(one),
            ]
            for one in found
        ]
        text = "\n".join([title, *("  ".join(plain_line(cell, 300) for cell in row) for row in rows)])
        return {"text/plain": plain(text), "text/html": framed(title, head, rows, wraps=True, cell=300)}

    # -- the page's side -------------------------------------------------------------------------------------------

    def handle(self, message: object) -> list[Message]:
        """Return the answers to one message of the page; what goes wrong is an answer of kind ``error``."""
        return answer(self, _HANDLERS, message)

    def state(self, said: str = "") -> Message:
        """Return everything a view needs to show the same as the others, but for the arguments."""
        self._seq += 1
        rows = self._rows()
        state: Message = as_json(
            {"kind": "state", "seq": self._seq, "refused": self._refused, "asks": rows, "stand": _stand(rows)}
        )
        return {**state, "said": said}

    def _rows(self) -> list[dict[str, Any]]:
        return [_row(one) for one in self._board.asks()]

    def _on_hello(self, _message: Message) -> Message:
        return self.state()

    def _on_look(self, message: Message) -> Message:
        """Return the state where it is another one than the page has."""
        is_same = string(message, "stand", 100) == _stand(self._rows())
        return {"kind": "same"} if is_same else self.state()

    def _on_open(self, message: Message) -> Message:
        """Return one call with its arguments, as they will be run."""
        found = self._board.ask(integer(message, "ask", 1, _MOST))
        return {"kind": "ask", "ask": as_json({**_row(found), **_detail(found)})}

    def _on_settle(self, message: Message) -> Message:
        if self._refused:
            raise UsageError(self._refused)
        found = self._board.settle(
            integer(message, "ask", 1, _MOST),
            to=string(message, "to", 20),
            seen=string(message, "seen", 100),
            reason=string(message, "reason", 2_000).strip() or None,
        )
        words = {"approved": "yes: it is made once, when the agent asks again", "denied": "no"}
        state = self.state(f"{found.ask} {plain_line(found.tool, 80)}: {words.get(found.status, found.status)}")
        self.on_change(state)
        return state


_HANDLERS: Final = handlers_of(DeskController)


def _stand(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return a short word that is another one where anything is shown that was not."""
    waiting = sum(row["status"] == "waiting" for row in rows)
    last = max((row["moved_ms"] for row in rows), default=0)
    return f"{len(rows)}:{waiting}:{last:.0f}:{sum(row['status'] == 'expired' for row in rows)}"


def _row(one: Ask) -> dict[str, Any]:
    return {
        "ask": one.ask,
        "tool": plain(one.tool, 200),
        "version": one.version,
        "status": one.status,
        "call": _call(one, _SHORT),
        "why": plain(one.why, _WORDS),
        "rule": plain(one.rule or "", 200),
        "policy": plain(one.policy, 200),
        "role": plain(one.role or "", 100),
        "said_by": list(one.origins),
        "is_foreign": any(who in FOREIGN for who in one.origins),
        "asked_ms": one.asked_at.timestamp() * 1e3,
        "expires_ms": one.expires_at.timestamp() * 1e3,
        "moved_ms": one.moved_at.timestamp() * 1e3,
        "actor": plain(one.actor, 80),
        "reason": plain(one.reason or "", _WORDS),
    }


def _detail(one: Ask) -> dict[str, Any]:
    patterns = _patterns(one)
    return {
        "digest": one.digest,
        "run_id": plain(one.run_id, 100),
        "trace_id": one.trace_id,
        "arguments": [[plain(name, 200), marked(_value(value), patterns)] for name, value in one.arguments.items()],
        "origins": [[who, [plain(one, 200) for one in some]] for who, some in one.origins.items()],
    }


def _value(value: Any) -> str:
    return plain(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=1))


def _patterns(one: Ask) -> list[tuple[str, re.Pattern[str]]]:
    """Return what finds each stretch that was said by somebody who is not believed."""
    return [
        (who, re.compile(_GAP.join(map(re.escape, text.split())), re.IGNORECASE))
        for who in FOREIGN
        for text in one.origins.get(who, ())
        if text.strip()
    ]


def marked(text: str, patterns: Sequence[tuple[str, re.Pattern[str]]]) -> list[list[str | None]]:
    """Return a text in pieces, each with who said it; None: nobody who is not believed."""
    found = sorted((*one.span(), who) for who, pattern in patterns for one in pattern.finditer(text))
    pieces: list[list[str | None]] = []
    last = 0
    for start, end, who in found:
        if start > last:
            pieces.append([text[last:start], None])
        if end > last and start < last:  # it goes on where another one is: one mark
            pieces[-1][0] = f"{pieces[-1][0]}{text[last:end]}"
        elif end > last:
            pieces.append([text[start:end], who])
        last = max(last, end)
    return [*pieces, [text[last:], None]] if last < len(text) or not pieces else pieces


def _call(one: Ask, limit: int) -> str:
    arguments = ", ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in one.arguments.items())
    return plain_line(f"{one.tool}({arguments})", limit)


def _last(one: Ask) -> str:
    why = f": {one.reason}" if one.reason and one.status != "waiting" else ""
    return f"{one.moved_at:{_TIME}} by {one.actor}{why}"
