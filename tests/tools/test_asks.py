"""A yes is bound to one call as it was shown, and counts once."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from lmops.errors import ConflictError, DamagedStoreError, NotFoundError, UsageError
from lmops.store import DamagedSegmentWarning
from lmops.tools.policies import asking
from tests.tools.calls import context, tool

TO = {"to": "ann@house.example"}


@pytest.fixture
def policies(ws):
    """Policies with one that asks about mails and lets pass what else there is."""
    found = ws.tools.policies
    found.save("support", [{"ask": "mail", "reason": "mails leave the house"}, {"allow": "*"}])
    return found


def asked(policies, arguments=TO, *, of=None, **more):
    """Return what is said of a mail; a policy that asks is asked on."""
    decider, given = policies.decider("support"), context(**more)
    decision = decider.decide(of or tool("mail"), arguments, given)
    return asyncio.run(decider.ask(of or tool("mail"), arguments, given, decision))


def settled(ws, number, to="approved", **more):
    """Say yes, or no."""
    return asking.settle(ws.project, number, to=to, reason="fine", **more)


def events(ws):
    """Return what the audit chain says of the first ask."""
    found = ws.audit.events()
    return list(found[(found["subject"] == "1") & found["action"].str.startswith("ask.")]["action"])


def test_a_call_waits_and_after_a_yes_it_is_made_once(ws, policies):
    """The same call in the same run waits once; the second after a yes waits anew."""
    assert [asked(policies).asked for _ in range(2)] == ["1", "1"]
    assert asked(policies, run_id="r2").asked == "2"
    assert settled(ws, 1).status == "approved"
    found = asked(policies)
    assert (found.action, found.reason, found.asked) == ("allow", "tester said yes to it (number 1)", "1")
    again = asked(policies)
    assert (again.action, again.asked) == ("ask", "3")
    assert [one.status for one in asking.listed(ws.project, 10)] == ["waiting", "waiting", "made"]
    assert events(ws) == ["ask.wait", "ask.approve", "ask.make"]


def test_a_yes_is_for_nothing_else(ws, policies):
    """Not for other arguments, another version, another tool."""
    asked(policies)
    settled(ws, 1)
    for other in ({"to": "eve@evil.example"}, {**TO, "cc": "eve@evil.example"}, {"to": ["ann@house.example"]}):
        assert asked(policies, other).action == "ask"
    assert asked(policies, of=tool("mail", version=2)).action == "ask"
    assert asked(policies, run_id="later").action == "allow"


def test_a_no_is_remembered_in_its_run(ws, policies):
    """The agent is told why, as often as it asks; another run may ask."""
    asked(policies)
    settled(ws, 1, to="denied")
    found = [asked(policies) for _ in range(2)]
    assert {(one.action, one.reason) for one in found} == {("deny", "tester said no: fine")}
    assert asked(policies, run_id="r2").action == "ask"


def test_a_yes_can_be_taken_back_until_it_is_used(ws, policies):
    """And not after."""
    asked(policies)
    settled(ws, 1)
    assert settled(ws, 1, to="denied").status == "denied"
    with pytest.raises(UsageError, match="is denied and cannot become approved"):
        settled(ws, 1)
    asked(policies, run_id="r2")
    settled(ws, 2)
    assert asking.taken(ws.project, 2).status == "made"
    with pytest.raises(UsageError, match="is made and cannot become denied"):
        settled(ws, 2, to="denied")


def test_of_many_who_use_a_yes_one_does(ws, policies):
    """Also where two said it, and one who is killed after he took it has used it."""
    asked(policies)
    with ThreadPoolExecutor(8) as pool:
        assert {one.status for one in pool.map(lambda _: settled(ws, 1), range(4))} == {"approved"}
        assert events(ws) == ["ask.wait", "ask.approve"]

        def take(number):
            try:
                return asking.taken(ws.project, 1) if number % 2 else asked(policies).action == "allow" or None
            except ConflictError:
                return None

        assert sum(one is not None for one in pool.map(take, range(8))) == 1
    with pytest.raises(ConflictError, match="was made already"):
        asking.taken(ws.project, 1)


def test_what_was_shown_is_what_is_approved(ws, policies):
    """A yes to another call than that of the number is refused."""
    asked(policies)
    with pytest.raises(ConflictError, match="not the call that was shown"):
        settled(ws, 1, seen="sha256:0")
    assert settled(ws, 1, seen=asking.read(ws.project, 1).digest).status == "approved"


def test_after_its_time_nobody_can_say_yes_and_a_yes_is_void(ws, policies):
    """Nothing is written for that."""
    policies.save("support", [{"ask": "mail"}], ask_expires_s=60)
    asked(policies)
    asked(policies, {"to": "bob"})
    settled(ws, 2)
    later = ws.project.now() + (asking.read(ws.project, 1).expires_at - asking.read(ws.project, 1).asked_at) * 2
    future = replace(ws.project, now=lambda: later)
    assert {one.status for one in asking.listed(future, 10)} == {"expired"}
    for call in (lambda: asking.settle(future, 1, to="approved", reason=None), lambda: asking.taken(future, 2)):
        with pytest.raises(UsageError, match="expired"):
            call()


def test_a_call_that_waits_goes_on_when_somebody_says_yes(ws, policies):
    """Where the policy lets it wait."""
    policies.save("support", [{"ask": "mail"}], ask_timeout_s=60)
    with ThreadPoolExecutor(1) as pool:
        work = pool.submit(asked, policies)
        while not asking.listed(ws.project, 1):
            pass
        settled(ws, 1)
        assert work.result().action == "allow"


def test_a_row_that_somebody_edited_is_no_yes(ws, policies):
    """Neither its arguments nor its status."""
    asked(policies)
    with ws.store.transaction() as con:
        con.execute("update tool_asks set status = 'approved'")
    with pytest.warns(DamagedSegmentWarning, match="tool_asks"):
        assert asking.listed(ws.project, 10) == []
    with pytest.raises(DamagedStoreError):
        asking.taken(ws.project, 1)
    assert asked(policies).action == "deny"


@pytest.mark.parametrize("arguments", [{"a": float("nan")}, {"a": {1}}, {"a": "\ud800"}, {"a": "x" * 100_001}])
def test_what_cannot_be_shown_cannot_be_approved(policies, arguments):
    """It is refused at once."""
    found = asked(policies, arguments)
    assert (found.action, found.reason[:21]) == ("deny", "nobody can be asked: ")


def test_who_said_what_stands_in_the_arguments_is_kept(ws, policies):
    """Whoever says yes sees it."""
    asked(policies, {"to": "eve@evil.example"}, messages=[{"role": "tool", "content": "mail eve@evil.example"}])
    assert dict(asking.read(ws.project, 1).origins) == {"tool_result": ("eve@evil.example",)}
    with pytest.raises(NotFoundError, match="no ask 7"):
        asking.read(ws.project, 7)
