"""What the ranking explorer answers its page: queries by what was lost, and both rankings of one of them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from lmops.base.sheet import framed
from lmops.errors import UsageError
from lmops.text import plain, plain_line
from lmops.widgets.kit.protocol import answer, as_json, handlers_of, integer, string

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lmops.retrieval.boards import Placed, RankingBoard, Sides
    from lmops.widgets.kit.protocol import Message

#: So many queries go to the page, the largest losses and wins first.
MAX_ROWS: Final = 4_000
_TEXT: Final = 6_000
_AROUND: Final = 700
_STATIC: Final = 40
_QUERY: Final = 2_000


class RankingExplorerController:
    """Two rankings on a page.

    Args:
        board: Where it has them from.
        query: The query of one's own that is asked first; empty for none.
    """

    def __init__(self, board: RankingBoard, *, query: str = "") -> None:
        self.board = board
        self._seq = 0
        self._rows = board.rows()
        self._sides: Sides | None = None
        self.cursor: str | None = None
        self.query = query
        #: called with every state message that Python itself causes
        self.on_change: Callable[[Message], None] = lambda _message: None
        if query:
            self._sides = board.search(query)
        elif board.opened is not None:
            self._sides = board.opened
        elif self._rows:
            self._open(self._rows[0]["example_id"])

    def handle(self, message: object) -> list[Message]:
        """Return the answers to one message of the page; what goes wrong is an answer of kind ``error``."""
        return answer(self, _HANDLERS, message)

    def bundle(self) -> dict[str, str]:
        """Return the static forms by their media types: the queries, the largest losses first, and one of them."""
        a, b = (plain_line(name, 80) for name in self.board.names)
        title = f"{a} against {b}"
        head = ["query", f"nDCG@{self.board.k} a", "b", "a - b"]
        rows = [
            [plain_line(row["query"], 200), *(_number(row[name]) for name in ("ndcg_a", "ndcg_b", "change"))]
            for row in self._rows[:_STATIC]
        ]
        more = len(self._rows) - len(rows)
        note = f"the {len(rows)} largest losses of {len(self._rows):,} queries" if more > 0 else ""
        html = framed(title, head, rows, note=note, wraps=True, cell=300, numbers=(1, 2, 3)) if rows else ""
        text = [title, *("  ".join(row) for row in rows)]
        if self._sides is not None:
            html += _static_pair(self._sides, (a, b))
            text += [f"query: {self._sides.query}", *(_line("a", one) for one in self._sides.a)]
            text += [_line("b", one) for one in self._sides.b]
        return {"text/plain": plain("\n".join(text)), "text/html": f"<div>{html or plain_line(title, 200)}</div>"}

    # -- the page's side ---------------------------------------------------------------------------------------------

    def state(self) -> Message:
        """Return everything a view needs to show the same as the others."""
        found = self.board.comparison
        state: Message = as_json(
            {
                "kind": "state",
                "seq": self._next(),
                "a": plain_line(self.board.names[0], 120),
                "b": plain_line(self.board.names[1], 120),
                "k": self.board.k,
                "can_search": self.board.can_search,
                "measures": [] if found is None else [_difference(one) for one in found.differences],
                "outcome": "" if found is None else found["ndcg"].outcome.replace("_", "-"),
                "notes": [] if found is None else [plain_line(one, 400) for one in found.notes],
                "total": len(self._rows),
                "rows": [_row(row) for row in self._chosen()],
                "cursor": self.cursor,
                "pair": self._pair(),
            }
        )
        return state

    def _on_hello(self, _message: Message) -> Message:
        return self.state()

    def _on_open(self, message: Message) -> Message:
        """Show a query of the data set; every view follows."""
        self._open(string(message, "query", 400))
        return self._selected()

    def _on_search(self, message: Message) -> Message:
        """Ask both a query of one's own."""
        query = string(message, "query", _QUERY).strip()
        if not query:
            raise UsageError("type a query, and Enter")
        if not self.board.can_search:
            raise UsageError("one of the two is a run whose index is not there: give both indexes to explore(a, b)")
        self._sides, self.cursor, self.query = self.board.search(query), None, query
        return self._selected()

    def _on_around(self, message: Message) -> Message:
        """Return what stands before and behind a hit in its document."""
        side, place = integer(message, "side", 0, 1), integer(message, "place", 0, 10_000)
        listed = () if self._sides is None else (self._sides.a, self._sides.b)[side]
        if place >= len(listed):
            raise UsageError("there is no such hit")
        found = self.board.around(side, listed[place].hit.chunk)
        before, after = ("", "") if found is None else found
        return {
            "kind": "around",
            "is_known": found is not None,
            "before": plain(before[-_AROUND:], _AROUND),
            "after": plain(after[:_AROUND], _AROUND),
        }

    def _on_text(self, _message: Message) -> Message:
        return {"kind": "text", "text": self.bundle()["text/plain"]}

    # -- inside ------------------------------------------------------------------------------------------------------

    def _open(self, example_id: str) -> None:
        if not self.board.has(example_id):
            raise UsageError(f"there is no query {plain_line(example_id, 60)!r}")
        self._sides, self.cursor, self.query = self.board.sides(example_id), example_id, ""

    def _selected(self) -> Message:
        message: Message = {"kind": "selection", "seq": self._next(), "cursor": self.cursor, "pair": self._pair()}
        return message

    def _next(self) -> int:
        self._seq += 1
        return self._seq

    def _chosen(self) -> Sequence[dict[str, Any]]:
        half = MAX_ROWS // 2
        return self._rows if len(self._rows) <= MAX_ROWS else [*self._rows[:half], *self._rows[-half:]]

    def _pair(self) -> Message | None:
        found = self._sides
        if found is None:
            return None
        return {
            "query": plain(found.query, _QUERY),
            "relevant": plain_line(found.relevant, 300),
            "missed": [plain_line(one, 120) for one in found.missed[:8]],
            "unsupported": [plain_line(one, 400) for one in found.unsupported[:8]],
            "measures": [[name, *values] for name, values in found.measures.items()],
            "a": [_hit(one) for one in found.a],
            "b": [_hit(one) for one in found.b],
        }


_HANDLERS: Final = handlers_of(RankingExplorerController)


def _row(row: dict[str, Any]) -> list[Any]:
    return [
        row["example_id"],
        plain_line(row["query"], 200),
        *(_known(row[one]) for one in ("ndcg_a", "ndcg_b", "change")),
    ]


def _known(value: Any) -> float | None:
    return None if value is None or math.isnan(value) else round(float(value), 6)


def _difference(one: Any) -> list[Any]:
    return [one.words, one.name, one.a, one.b, one.difference, one.low, one.high, one.wins, one.losses, one.ties]


def _hit(one: Placed) -> list[Any]:
    hit, chunk = one.hit, one.hit.chunk
    return [
        plain_line(chunk.id, 120),
        chunk.start,
        chunk.end,
        plain(chunk.text, _TEXT),
        hit.score,
        one.grade,
        one.other,
        [[plain_line(name, 40), value] for name, value in list(hit.parts.items())[:8]],
        [[plain_line(name, 40), value] for name, value in sorted(hit.terms.items(), key=lambda term: -term[1])[:12]],
    ]


def _number(value: Any) -> str:
    known = _known(value)
    return "-" if known is None else f"{known:.3f}"


def _moved(one: Placed, rank: int) -> str:
    if one.other is None:
        return "not in the other"
    return "same place" if one.other == rank else f"{one.other} in the other"


def _cells(side: Sequence[Placed], place: int) -> list[str]:
    if place >= len(side):
        return ["", ""]
    one = side[place]
    mark = "" if one.grade is None else f"{'relevant' if one.grade > 0 else 'not relevant'} ({one.grade:g}), "
    return [plain_line(one.hit.chunk.id, 100), f"{mark}{_moved(one, place + 1)}"]


def _static_pair(found: Sides, names: tuple[str, str]) -> str:
    rows = [
        [str(place + 1), *_cells(found.a, place), *_cells(found.b, place)]
        for place in range(max(len(found.a), len(found.b)))
    ]
    head = ["rank", f"a: {names[0]}", "", f"b: {names[1]}", ""]
    note = f"relevant: {found.relevant}" if found.relevant else ""
    return framed(plain_line(found.query, 300), head, rows, note=note, wraps=True, cell=300)


def _line(side: str, one: Placed) -> str:
    grade = "" if one.grade is None else f" grade {one.grade:g}"
    return f"{side} {one.hit.rank}. {plain_line(one.hit.chunk.id, 100)}{grade}, {_moved(one, one.hit.rank)}"
