"""A record knows nothing of its looks: they are registered for its type."""

from __future__ import annotations

import doctest
from dataclasses import dataclass

import pytest

from lmops.base import shown
from lmops.base.sheet import aligned, html_table
from lmops.base.shown import Shown, Viewed, html_of, text_of
from lmops.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Bare(Shown):
    """Nothing is registered for it."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dressed(Shown):
    """A text and a table are registered for it."""

    name: str


class Nearer(Dressed):
    """Looks like what it is one of."""


@text_of.register
def _(record: Dressed) -> str:
    return f"name: {record.name}"


@html_of.register
def _(record: Dressed) -> str:
    return html_table(["name"], [[record.name]])


def test_registered_looks():
    """A record looks as was registered for its type."""
    made = Dressed(name="a")
    assert (made.text, made._repr_html_()) == (
        "name: a",
        (
            '<table class="lm-table"><thead><tr><th style="text-align:left">name</th></tr></thead>'
            '<tbody><tr><td style="text-align:left">a</td></tr></tbody></table>'
        ),
    )


def test_a_subclass_looks_like_its_base():
    """What is registered for a type serves those made of it."""
    assert Nearer(name="b").text == "name: b"


def test_without_registered_looks():
    """A record for which nothing is registered shows its repr, and that as HTML which does nothing."""
    made = Bare(name="<b>\u202e")
    assert made.text == "Bare(name='<b>\\u202e')"
    assert made._repr_html_() == "<pre>Bare(name=&#x27;&lt;b&gt;\\u202e&#x27;)</pre>"


def test_a_repr_that_is_hostile_is_spelled_out():
    """What a record says of itself cannot act on a terminal."""

    class Hostile(Shown):
        def __repr__(self):
            return "\x1b[31m"

    assert Hostile().text == "[U+001B][31m"


def test_the_looks_take_no_room_in_a_record():
    """A record with slots has no dictionary for being shown."""
    assert not hasattr(Bare(name="a"), "__dict__")


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen(Viewed):
    """A record that may have a view."""

    name: str


class Page:
    """A view."""

    def _repr_mimebundle_(self, **_options):
        return {"text/plain": "live"}, {"some": "metadata"}


def test_a_record_shows_its_view():
    """It is made when the record is first shown, once; the record is the same value with it and without."""
    made = []
    found = Seen(name="a").viewed_by(lambda: made.append(Page()) or made[0])
    assert made == []
    assert found._repr_mimebundle_() == ({"text/plain": "live"}, {"some": "metadata"})
    assert found.view is made[0]
    assert len(made) == 1
    assert found == Seen(name="a")


def test_without_a_view_a_record_is_static():
    """It shows its text and its table, and says what a view needs."""
    found = Seen(name="a")
    assert found._repr_mimebundle_() == ({"text/plain": "Seen(name='a')", "text/html": found._repr_html_()}, {})
    with pytest.raises(UsageError, match=r"lmops\.open\(\)"):
        found.view  # noqa: B018 - it raises


@pytest.mark.parametrize("table", [[], [()], [("a",)], [("a", "bb"), ("ccc", "d")]])
def test_columns_stand_below_each_other(table):
    """There are as many lines as rows, none of them padded at its end."""
    lines = aligned(table)
    assert len(lines) == len(table)
    assert [line.split() for line in lines] == [list(row) for row in table]
    assert all(line == line.rstrip() for line in lines)


def test_cells_do_nothing():
    """Markup and controls in a cell are shown and do not act."""
    assert ">&lt;img&gt;[U+202E]</td>" in html_table(["a"], [["<img>\u202e"]])


def test_examples():
    """The examples in the docstrings are true."""
    assert doctest.testmod(shown).failed == 0
