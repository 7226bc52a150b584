"""What the dashboard of monitors knows and does, without any widget: tiles, alerts, ranges, the way to the traces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from lmops.base.sheet import framed
from lmops.errors import UsageError
from lmops.text import plain, plain_line
from lmops.widgets.kit.protocol import answer, as_json, handlers_of, integer, one_of, string

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lmops.monitors.boards import AlertRow, Tile
    from lmops.widgets.kit.live import Live
    from lmops.widgets.kit.protocol import Message

#: Ranges by their word, each with the width of a point of its lines.
RANGES: Final = {"24h": "1h", "3d": "3h", "7d": "6h", "14d": "12h", "30d": "1d"}
#: Tiles and alerts at most; those that fire come first.
_TILES: Final = 200
_ALERTS: Final = 50
_WORDS: Final = 600


class Board(Protocol):
    """Where the dashboard has it from."""

    def tiles(self, *, last: str, every: str) -> Sequence[Tile]:
        """Return every series of every monitor over a range, those that fire first."""

    def alerts(self) -> Sequence[AlertRow]:
        """Return the alerts that are not resolved, the most urgent first."""

    def move(self, alert: int, what: str) -> str:
        """Acknowledge an alert or silence it for a day; say what was done."""

    def browse(self, *, where: str | None, last: str | None) -> Live:
        """Return the browser of some traces."""


class DashboardController:
    """All monitors on one page.

    Args:
        board: Where it has them from.
        last: The range that is shown at first.
        refused: Why nothing can be changed here; empty where it can.
    """

    def __init__(self, board: Board, *, last: str = "7d", refused: str = "") -> None:
        if last not in RANGES:
            raise UsageError(f"last={last!r}: the dashboard shows {', '.join(RANGES)}")
        self._board = board
        self._refused = refused
        self.last = last
        self._seq = 0
        #: called with every state message that Python itself causes
        self.on_change: Callable[[Message], None] = lambda _message: None

    def __repr__(self) -> str:
        return f"<DashboardController last {self.last}>"

    def bundle(self) -> dict[str, str]:
        """Return the static forms by their media types."""
        tiles, alerts = self._tiles(), self._alerts()
        rows = [[one.monitor, one.title, _named(one), one.status, *one.cells, one.words] for one in tiles]
        head = ["monitor", "what", "of", "status", "now", "95 % interval", "n", "baseline", "in words"]
        title = f"Monitors, last {self.last}: {len(tiles)} series, {len(alerts)} alerts"
        told = [f"{one.severity} {one.status}: {plain_line(one.words, _WORDS)}" for one in alerts]
        text = "\n".join([title, *told, *("  ".join(row) for row in rows)])
        return {"text/plain": text, "text/html": framed(title, head, rows, numbers=(4, 5, 6, 7), note="; ".join(told))}

    # -- the page's side -------------------------------------------------------------------------------------------

    def handle(self, message: object) -> list[Message]:
        """Return the answers to one message of the page; what goes wrong is an answer of kind ``error``."""
        return answer(self, _HANDLERS, message)

    def state(self, said: str = "") -> Message:
        """Return everything a view needs to show the same as the others."""
        self._seq += 1
        found = self._tiles()
        state: Message = as_json(
            {
                "kind": "state",
                "seq": self._seq,
                "last": self.last,
                "ranges": list(RANGES),
                "refused": self._refused,
                "tiles": [_tile(one) for one in found[:_TILES]],
                "more_tiles": max(0, len(found) - _TILES),
                "alerts": [_alert(one) for one in self._alerts()],
                "said": said,
            }
        )
        return state

    def _tiles(self) -> Sequence[Tile]:
        return self._board.tiles(last=self.last, every=RANGES[self.last])

    def _alerts(self) -> Sequence[AlertRow]:
        return self._board.alerts()[:_ALERTS]

    def _on_hello(self, _message: Message) -> Message:
        return self.state()

    def _on_range(self, message: Message) -> Message:
        self.last = one_of(message, "last", RANGES)
        return self._told("")

    def _on_move(self, message: Message) -> Message:
        if self._refused:
            raise UsageError(self._refused)
        what = one_of(message, "what", ("acknowledge", "silence"))
        return self._told(self._board.move(integer(message, "alert", 1, 2**53), what))

    def _told(self, said: str) -> Message:
        state = self.state(said)
        self.on_change(state)
        return state

    def _on_traces(self, message: Message) -> Message:
        """Open the traces of a tile or an alert below, or say the call that does."""
        where, last = self._meant(message)
        view = self._board.browse(where=where, last=last)
        given = [repr(where)] if where else []
        call = f"ws.traces.browse({', '.join([*given, *([f'last={last!r}'] if last else [])])})"
        return {
            "kind": "traces",
            "model": view.widget.model_id if message.get("is_shown") is True else None,
            "call": call,
        }

    def _meant(self, message: Message) -> tuple[str | None, str | None]:
        """Return the search that is meant, and its range: of an alert its examples, of a tile what it counts."""
        if message.get("alert") is not None:
            number = integer(message, "alert", 1, 2**53)
            ids = next((one.examples for one in self._alerts() if one.alert == number), ())
            if not ids:
                raise UsageError("this alert names no trace")
            quoted = ", ".join("'" + one.replace("'", "''") + "'" for one in ids)
            return f"trace_id in ({quoted})", None
        key = string(message, "key", 2_000)
        tile = next((one for one in self._tiles() if _key(one) == key), None)
        if tile is None:
            raise UsageError("this series is gone: refresh")
        return tile.where, self.last


_HANDLERS: Final = handlers_of(DashboardController)


def _key(tile: Tile) -> str:
    return f"{tile.monitor}|{_named(tile)}"


def _named(one: Tile | AlertRow) -> str:
    """Return what tells a series apart, in words; the only one of its monitor has none."""
    return ", ".join(f"{plain(str(name), 60)} {plain(str(value), 80)}" for name, value in one.series.items())


def _tile(one: Tile) -> dict[str, Any]:
    return {
        "key": _key(one),
        "monitor": plain(one.monitor, 100),
        "version": one.version,
        "series": _named(one),
        "title": plain(one.title, 120),
        "unit": one.unit,
        "worse": one.worse,
        "severity": one.severity,
        "status": one.status,
        "words": plain(one.words, _WORDS),
        "now": list(one.now),
        "baseline": None if one.baseline is None else list(one.baseline),
        "before": list(one.before),
        "points": [list(point) for point in one.points],
        "earlier": [list(point) for point in one.earlier],
        "as_of_ms": one.as_of_ms,
    }


def _alert(one: AlertRow) -> dict[str, Any]:
    return {
        "alert": one.alert,
        "monitor": plain(one.monitor, 100),
        "series": _named(one),
        "severity": one.severity,
        "status": one.status,
        "words": plain(one.words, _WORDS),
        "since_ms": one.since_ms,
        "times": one.times,
        "examples": len(one.examples),
    }
