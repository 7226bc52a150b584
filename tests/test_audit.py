"""The audit chain: gapless, append-only, and every edit is found."""

import sqlite3

import pytest

COLUMNS = (
    "event_id",
    "at_ns",
    "actor",
    "action",
    "subject",
    "reason",
    "before",
    "after",
    "evidence",
    "previous_hash",
    "hash",
)


@pytest.fixture
def chain(ws):
    for number in range(5):
        steps = {"before": {"n": number}, "after": {"n": number + 1}, "evidence": ["run-1"]}
        ws.audit.append(action="test.step", subject=f"s{number}", reason="why", **steps)
    return ws


def edit(ws, statement, *values):
    """Change the file as somebody with write access would: past the triggers."""
    with sqlite3.connect(ws.store.path / "meta.sqlite") as con:
        con.execute("drop trigger if exists audit_no_update")
        con.execute("drop trigger if exists audit_no_delete")
        con.execute(statement, values)
    con.close()


def test_an_intact_chain_verifies(chain):
    """Five events, one after the other."""
    found = chain.audit.verify()
    assert (found.ok, found.events) == (True, 5)
    assert chain.sql("select event_id from audit order by 1").fetchall() == [(n,) for n in range(1, 6)]


@pytest.mark.parametrize("column", COLUMNS[1:])
def test_an_edit_of_any_column_is_found(chain, column):
    """The first broken event is named."""
    edit(chain, f"update audit set {column} = 'x' where event_id = 3")
    found = chain.audit.verify()
    assert (found.ok, found.first_broken) == (False, 3)


def test_a_removed_event_is_found(chain):
    """A gap is a broken link."""
    edit(chain, "delete from audit where event_id = 2")
    assert chain.audit.verify().first_broken == 2


def test_the_database_refuses_changes(chain):
    """Triggers stop an update and a delete."""
    with sqlite3.connect(chain.store.path / "meta.sqlite") as con:
        for statement in ("update audit set actor = 'x'", "delete from audit"):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                con.execute(statement)
    con.close()
