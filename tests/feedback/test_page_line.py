"""The line before a page: turns by arrival, a few at once, and no place is lost."""

from __future__ import annotations

import asyncio

import pytest

from lmops.widgets.feedback.page._line import Line


class Visitor:
    """Somebody in a line, who writes down what is told."""

    def __init__(self, line):
        self.told = []
        self.turn = asyncio.ensure_future(line.turn(self.told.append))

    @property
    def is_in(self):
        return self.turn.done() and not self.turn.cancelled()


async def settle():
    """Let everybody who can move do so."""
    for _ in range(20):
        await asyncio.sleep(0)


def leave(line, who=None):
    """Be done with the page that was sent; `who` is expected to come for it."""
    with line.place() as expect:
        if who is not None:
            expect(who)


def line_of(count, *, places=1, patience_s=3600.0):
    """Return a line and visitors in it."""
    line = Line(places, patience_s=patience_s)
    return line, [Visitor(line) for _ in range(count)]


def test_who_came_first_is_first():
    """Everybody hears how many are before."""

    async def run():
        line, visitors = line_of(4, places=2)
        await settle()
        assert [one.is_in for one in visitors] == [True, True, False, False]
        assert (len(line), visitors[2].told[-1], visitors[3].told[-1]) == (2, 0, 1)
        leave(line)
        await settle()
        assert [one.is_in for one in visitors] == [True, True, True, False]
        assert visitors[3].told[-1] == 0
        leave(line)
        await visitors[3].turn

    asyncio.run(run())


def test_a_place_is_held_until_whoever_has_it_is_there():
    """Once: who says more frees no place of others; who is not known frees none."""

    async def run():
        line, visitors = line_of(3)
        await settle()
        leave(line, "a")
        line.arrived("b")
        await settle()
        assert not visitors[1].is_in
        line.arrived("a")
        line.arrived("a")
        await settle()
        assert [one.is_in for one in visitors] == [True, True, False]
        visitors[2].turn.cancel()

    asyncio.run(run())


def test_who_never_comes_is_not_waited_for():
    """The place is given on after a while."""

    async def run():
        line, visitors = line_of(2, patience_s=0.01)
        await settle()
        leave(line, "a")
        await visitors[1].turn

    asyncio.run(run())


def test_who_leaves_the_line_holds_nobody_up():
    """Those behind move up."""

    async def run():
        line, visitors = line_of(3)
        await settle()
        visitors[1].turn.cancel()
        await settle()
        assert visitors[2].told[-1] == 0
        leave(line)
        await visitors[2].turn
        assert len(line) == 0

    asyncio.run(run())


def test_everybody_is_counted_once():
    """Who waits, who is being let in, whose kernel is there by then or not, and who was; nobody who has gone."""

    async def run():
        line, _ = line_of(4, places=2)
        await settle()
        assert [line.count(there) for there in ([], ["a"], ["a", "b"])] == [4, 4, 4]
        leave(line, "a")
        line.arrived("a")
        leave(line)
        await settle()
        assert [line.count(there) for there in (["a", "b", "c"], [], ["a"])] == [3, 2, 2]

    asyncio.run(run())


def test_a_page_that_fails_gives_its_place_back():
    """The next one is let in."""

    async def run():
        line, visitors = line_of(2)
        await settle()
        with pytest.raises(ZeroDivisionError), line.place() as expect:
            expect(str(1 / 0))
        await visitors[1].turn

    asyncio.run(run())
