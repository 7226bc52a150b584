"""A tool that is switched off is off everywhere, at once; a policy that moved as well."""

import pytest

from lmops.errors import ConflictError, NotFoundError, RefusedError, UsageError
from lmops.store import DamagedSegmentWarning
from tests.forked import Program

#: Calls until it is switched off, and says each outcome that is another one than before.
CALLER = """
import sys, time, lmops
ws, before, end = lmops.open(sys.argv[1]), None, time.monotonic() + 120

@ws.tools.tool
def mail(to: str) -> str:
    "Send a mail."
    return to

while time.monotonic() < end and before != "disabled":
    now = ws.tools.call("mail", {"to": "ann"}, policy="support@production").outcome
    if now != before:
        print(now, flush=True)
    before = now
    time.sleep(0.01)
"""


@pytest.fixture
def sent(ws):
    """A tool that sends, and what it sent."""
    found = []

    @ws.tools.tool
    def mail(to: str) -> str:
        """Send a mail."""
        found.append(to)
        return "sent"

    return found


def test_a_tool_that_is_off_is_not_called(ws, sent):
    """The model is told why; switched on again it is called."""
    ws.tools.disable("mail", reason="it sends twice")
    found = ws.tools.call("mail", {"to": "ann"})
    assert (found.outcome, "it sends twice" in found.error, sent) == ("disabled", True, [])
    assert [one.tool for one in ws.tools.disabled()] == ["mail"]
    ws.tools.enable("mail", reason="mended")
    assert ws.tools.call("mail", {"to": "ann"}).ok
    assert ws.sql("select tool, is_off, reason from tool_switches").fetchall() == [("mail", False, "mended")]


def test_what_is_no_tool_and_what_has_no_reason_is_refused(ws, sent):
    """A dry run changes nothing."""
    with pytest.raises(NotFoundError, match="mial"):
        ws.tools.disable("mial", reason="down")
    with pytest.raises(UsageError, match="needs a reason"):
        ws.tools.disable("mail", reason=" ")
    assert ws.tools.disable("mail", reason="down", dry_run=True).is_off
    assert ws.tools.call("mail", {"to": "ann"}).ok


def test_an_edited_switch_does_not_switch_on(ws, sent):
    """What was off stays off while what is written cannot be believed."""
    ws.tools.disable("mail", reason="down")
    assert ws.tools.call("mail", {"to": "ann"}).outcome == "disabled"
    with ws.store.transaction() as con:
        con.execute("update tool_switches set is_off = 0")
    ws.tools._live._live._looked = 0.0
    with pytest.warns(DamagedSegmentWarning, match="tool_switches"):
        assert ws.tools.call("mail", {"to": "ann"}).outcome == "disabled"


def test_moves_and_switches_are_seen_in_another_process(ws):
    """Within a second, that is between two of its calls."""
    ws.tools.policies.save("support", [{"allow": "*"}])
    ws.tools.policies.save("support", [{"deny": "mail"}, {"allow": "*"}])
    ws.tools.policies.promote("support", 1, to="production")
    caller = Program(CALLER, ws.store.path)
    try:
        assert caller.stdout.readline() == "ok\n"
        ws.tools.policies.promote("support", 2, to="production")
        assert caller.stdout.readline() == "denied\n"
        ws.tools.policies.rollback("support", reason="too strict")
        assert caller.stdout.readline() == "ok\n"
        ws.tools.disable("mail", reason="it sends twice")
        assert caller.stdout.readline() == "disabled\n"
    finally:
        caller.kill()
        caller.wait()


def test_a_call_goes_from_a_question_to_a_yes_and_is_made_once(ws, sent):
    """By whom it was decided stands in the view of decisions."""
    ws.tools.policies.save("support", [{"ask": "mail", "name": "mails"}, {"deny": "pay"}])
    ws.traces.instrument(clients=False)
    first = ws.tools.call("mail", {"to": "ann"}, policy="support", role="agent")
    assert (first.outcome, sent) == ("asked", [])
    number = int(first.detail["asked"])
    with pytest.raises(UsageError, match="is waiting"):
        ws.tools.carry_out(number)
    ws.tools.approve(number, reason="she asked for it")
    found = ws.tools.carry_out(number)
    assert (found.ok, sent, found.decided_by) == (True, ["ann"], "allow mails")
    with pytest.raises(ConflictError, match="was made already"):
        ws.tools.carry_out(number)
    assert ws.tools.call("pay", policy="support").outcome == "unknown_tool"
    ws.traces.stop_instrumentation()
    query = "select tool, decision, rule, policy, version, outcome from tool_decisions order by start_at"
    assert ws.sql(query).fetchall() == [
        ("mail", "ask", "mails", "support", 1, "asked"),
        ("mail", "allow", "mails", "support", 1, "ok"),
    ]
    (one,) = ws.tools.asks(None).to_dict("records")
    assert (one["status"], one["trace_id"]) == ("made", first.trace_id)


def test_what_cannot_be_made_as_it_was_shown_is_not_made(ws, sent):
    """Another version of the tool, one that is off, one that nobody can call here."""
    ws.tools.policies.save("support", [{"ask": "*"}])
    number = int(ws.tools.call("mail", {"to": "ann"}, policy="support").detail["asked"])
    ws.tools.approve(number)
    ws.tools.disable("mail", reason="down")
    with pytest.raises(RefusedError, match="switched off"):
        ws.tools.carry_out(number)
    ws.tools.enable("mail", reason="up")

    @ws.tools.tool
    def mail(to: str, cc: str = "") -> str:
        """Send a mail to two."""
        return to + cc

    with pytest.raises(ConflictError, match="version 2 is bound here"):
        ws.tools.carry_out(number)
    assert (ws.tools.ask(number).status, sent) == ("approved", [])


def test_an_incident_switches_off_a_tool(ws, sent):
    """First what would be, then once; what somebody switched meanwhile is a conflict."""
    opened = ws.incidents.open("refunds fail", explain=False).incident
    plan = ws.incidents.act(opened, "disable_tool", {"tool": "mail"})
    assert (plan.stands, plan.then, ws.tools.disabled()) == ({"mail": "on"}, {"mail": "off"}, ())
    ws.tools.disable("mail", reason="somebody else")
    ws.tools.enable("mail", reason="and back")
    done = ws.incidents.act(opened, "disable_tool", {"tool": "mail"}, dry_run=False, reason="it sends twice")
    assert (done.state, done.then) == ("done", {"mail": "off"})
    ws.tools._live.refresh()
    assert ws.tools.call("mail", {"to": "ann"}).outcome == "disabled"
    assert ws.incidents.act(opened, "disable_tool", {"tool": "mail"}, dry_run=False, reason="x").state == "already done"
    for action in ("disable_tool", "enable_tool"):
        with pytest.raises(NotFoundError):
            ws.incidents.act(opened, action, {"tool": "mial"})
    back = ws.incidents.act(opened, "enable_tool", {"tool": "mail"})
    assert (back.stands, back.then) == ({"mail": "off"}, {"mail": "on"})
    ws.incidents.act(opened, "enable_tool", {"tool": "mail"}, dry_run=False, reason="mended")
    ws.tools._live.refresh()
    assert ws.tools.call("mail", {"to": "ann"}).ok
