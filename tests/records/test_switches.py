"""Switches: one mechanism for whatever can be off everywhere."""

import pytest

from lmops.errors import DamagedStoreError, UsageError
from lmops.records import Switches, switch_reason
from lmops.store import DamagedSegmentWarning

OF = Switches(things="tools", table="tool_switches", flag="is_off", off="tool.disable", on="tool.enable", made=dict)


def turned(ws, name, *, is_off, reason="why", dry_run=False):
    """Return the switch of a tool after it was turned."""
    with ws.project.change(reason=reason, dry_run=dry_run) as change:
        return OF.turn(change, {"tool": name}, is_off=is_off, dry_run=dry_run)


def read(ws):
    """Return what is switched, by name."""
    with ws.project.reading() as con:
        return {one["tool"]: bool(one["is_off"]) for one in OF.read(ws.store, con)}


def test_what_is_turned_twice_is_turned_once(ws):
    """The second time nobody switched anything: the first one's reason stays, and the chain has one event."""
    turned(ws, "refund", is_off=True, reason="leaks")
    assert turned(ws, "refund", is_off=True, reason="again")["reason"] == "leaks"
    turned(ws, "refund", is_off=False)
    assert [row["action"] for row in ws.audit.events().to_dict("records")] == ["tool.disable", "tool.enable"]
    assert read(ws) == {"refund": False}


def test_what_was_never_off_is_on_and_a_dry_run_changes_nothing(ws):
    """Nothing is written for either."""
    assert turned(ws, "refund", is_off=False)["reason"] is None
    assert turned(ws, "refund", is_off=True, dry_run=True)["is_off"] == 1
    assert read(ws) == {}


def test_a_switch_that_somebody_edited_is_not_believed(ws):
    """Neither off nor on."""
    turned(ws, "refund", is_off=True)
    with ws.store.transaction() as con:
        con.execute("update tool_switches set is_off = 0")
    with pytest.warns(DamagedSegmentWarning, match="tool_switches"), pytest.raises(DamagedStoreError, match="tools"):
        read(ws)


@pytest.mark.parametrize("reason", [None, "", "  "])
def test_a_switch_needs_a_reason(reason):
    """Whoever is refused reads it."""
    with pytest.raises(UsageError, match="needs a reason"):
        switch_reason(reason)
