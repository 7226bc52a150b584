"""What one process changes of a policy is there for the others."""

from __future__ import annotations

from tests.forked import Program

#: Says what decides, each time that it is something else.
CHECKER = """
import sys, time, lmops
from lmops.guardrails import Finding, rail

@rail()
def mail(given):
    return []

@rail()
def word(given, *, word):
    yield Finding(0, 1, "word")

ws, before, end = lmops.open(sys.argv[1]), None, time.monotonic() + 120
held = ws.guardrails.get("support@production")
while time.monotonic() < end:
    found = held.check("input", "attack")
    now = f"{found.policy} {found.action}"
    if now != before:
        print(now, flush=True)
    before = now
    time.sleep(0.01)
"""


def test_moves_and_switches_are_seen_elsewhere(guarded):
    """By a process that got its policy once, at its start."""
    guarded.guardrails.save("support", input=["mail"])
    process = Program(CHECKER, guarded.store.path)
    try:
        assert process.stdout.readline() == "support@1 block\n"
        guarded.guardrails.promote("support", 2, to="production")
        assert process.stdout.readline() == "support@2 allow\n"
        guarded.guardrails.rollback("support", reason="worse")
        assert process.stdout.readline() == "support@1 block\n"
        guarded.guardrails.switch_off("support", "attacks", reason="too strict")
        assert process.stdout.readline() == "support@1 allow\n"
    finally:
        process.kill()
        process.wait()
