"""Rows that never change are read once, kept in a file when they are many, and are gone when they are erased."""

from __future__ import annotations

import pytest

from lmops.feedback._write import write
from lmops.feedback.signals import make_signal
from lmops.store import DamagedSegmentWarning, Store
from lmops.store import _grown as grown

QUERY = "select user_id, value from feedback_history order by seq"


def add(store, *users):
    """Write a signal of each of these users."""
    with store.transaction() as con:
        list(write(con, [make_signal(trace_id="a" * 32, value="up", user=one) for one in users], at_ns=1))


def users(store):
    return [row[0] for row in store.sql(QUERY).fetchall()]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A store whose rows are kept in a file from three on."""
    monkeypatch.setattr(grown, "KEEP_ROWS", 3)
    with Store.open(tmp_path / ".lmops") as store:
        add(store, "a", "b", "c")
        assert users(store) == ["a", "b", "c"]
    return tmp_path / ".lmops"


def kept(folder):
    return sorted((folder / "kept").glob("*"))


def test_many_rows_are_kept_in_a_file(folder):
    """A new process reads them from it, and from the table what came since; the next file takes its place."""
    (first,) = kept(folder)
    with Store.open(folder) as store:
        add(store, "d", "e", "f")
        assert users(store) == list("abcdef")
    (second,) = kept(folder)
    assert first != second
    with Store.open(folder, read_only=True) as store:
        assert users(store) == list("abcdef")


@pytest.mark.parametrize("harm", [b"", b"x", None])
def test_a_damaged_file_is_not_believed(folder, harm):
    """The table is read instead."""
    (path,) = kept(folder)
    content = path.read_bytes()
    path.write_bytes(content[:-40] + b"\0" + content[-39:] if harm is None else harm)
    with Store.open(folder) as store:
        assert users(store) == ["a", "b", "c"]


@pytest.mark.parametrize("change", ["delete from feedback_history where user_id = 'a'", "delete from feedback_history"])
def test_what_is_erased_is_in_no_file(folder, change):
    """Neither in the one that was there, nor in answers."""
    with Store.open(folder) as store:
        with store.transaction() as con:
            con.execute(change)
        assert users(store) == ([] if change.endswith("history") else ["b", "c"])
        add(store, "d")
        assert "a" not in users(store)
    with Store.open(folder) as store:
        assert "a" not in users(store)


def test_a_number_is_not_given_twice(folder):
    """Not even that of the last row, when it was erased."""
    with Store.open(folder) as store:
        with store.transaction() as con:
            con.execute("delete from feedback_history where user_id = 'c'")
        add(store, "d")
        assert store.sql("select seq, user_id from feedback_history order by seq").fetchall()[-1] == (4, "d")


def test_a_changed_row_is_named_and_kept_in_no_file(folder):
    """Whoever reads it first says so, and goes on to say it."""
    for path in kept(folder):
        path.unlink()
    with Store.open(folder) as store:
        with store.transaction() as con:
            con.execute("update feedback_history set value = 'down' where seq = 2")
        for _ in range(2):
            with pytest.warns(DamagedSegmentWarning, match=r"feedback_history \[2\] is not what was written"):
                users(store)
            add(store, "more")
    assert kept(folder) == []
