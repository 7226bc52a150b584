"""Policies of tools: what one decision costs, beside what the same conditions cost written out in Python.

The floor is three ifs over the same arguments in the same run; the bar is 20 us a decision, without the disk.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import lmops
from lmops.tools import CallContext, ToolVersion
from tests.forked import Program

RULES = [
    {"deny": "refund", "when": {"$.amount": {">": 100}}, "role": "agent", "name": "big refunds"},
    {"deny": "*", "calls": {">=": 20}, "name": "too often"},
    {"ask": ["send_*", "call_*"], "from": ["retrieved", "tool_result"], "name": "foreign text"},
    {"allow": "search_*"},
    {"allow": "refund", "when": {"$.currency": {"in": ["EUR", "USD"]}, "$.booking": {"matches": "^TL-[0-9A-Z]{4}$"}}},
    {"allow": "send_mail"},
]
ARGUMENTS = {"booking": "TL-7J2K", "amount": 40.5, "currency": "EUR"}
WATCHER = """
import sys, time, lmops
ws = lmops.open(sys.argv[1])
last, end = None, time.monotonic() + 60
print("begun", flush=True)
while time.monotonic() < end:
    now = ws.tools.policies.check("bench@production", "search_x").action, ws.tools._reason_off("search_x")
    if last is not None and now != last:
        print(time.time(), flush=True)
    last = now
    time.sleep(0.01)
"""


def timed(work, rounds):
    """Return the microseconds of the processor of one of many, the median of five times."""
    found = []
    for _ in range(5):
        began = time.process_time()
        for _ in range(rounds):
            work()
        found.append((time.process_time() - began) / rounds * 1e6)
    return statistics.median(found)


def written_out(name, arguments, context):
    """Decide what the rules say of a refund, by hand."""
    if name == "refund" and arguments["amount"] > 100 and context.role == "agent":
        return "deny"
    if context.calls.get(name, 0) >= 20:
        return "deny"
    return "allow" if arguments["currency"] in ("EUR", "USD") and arguments["booking"].startswith("TL-") else "deny"


def decisions(ws, rounds):
    """Print what a decision costs, without and with the text that led to the call."""
    told = {"version": 1, "hash": "", "author": "bench", "created_at": datetime.now(UTC)}
    refund, mail = (ToolVersion(name=name, description="", parameters={}, **told) for name in ("refund", "send_mail"))
    context, decider = CallContext(run_id="r", role="agent"), ws.tools.policies.decider("bench@production")
    floor = timed(lambda: written_out("refund", ARGUMENTS, context), rounds)
    found = timed(lambda: decider.decide(refund, ARGUMENTS, context), rounds)
    print(f"a decision by six rules            {found:6.1f} us, {found / floor:.0f} times three ifs (bar 20 us)")
    page = "Dogs travel free of charge on every ferry. " * 100
    talk = [{"role": "user", "content": "Mail ann@house.example"}, {"role": "tool", "content": page}]
    context = CallContext(run_id="r", role="agent", messages=talk)
    letter = {"to": "ann@house.example", "body": "Dear Ann, we shall be glad to see you and the dog on board." * 4}
    found = timed(lambda: decider.decide(mail, letter, context), rounds // 10)
    print(f"one that asks who said a letter    {found:6.1f} us")


def seen(ws):
    """Print after how long another process decides by what was changed here."""
    ws.tools.save("search_x", description="Search.", parameters={"type": "object"})
    process = Program(WATCHER, ws.store.path)
    try:
        process.stdout.readline()
        time.sleep(1)
        for said, change in (
            ("a promotion", lambda: ws.tools.policies.promote("bench", 2, to="production")),
            ("a tool that is switched off", lambda: ws.tools.disable("search_x", reason="bench")),
        ):
            change()
            began = time.time()
            print(f"{said} is seen elsewhere after {float(process.stdout.readline()) - began:.2f} s (bar 1)")
    finally:
        process.kill()
        process.wait()


def main() -> None:
    """Print all of it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--decisions", type=int, default=20_000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, lmops.open(Path(folder) / ".lmops", actor="bench") as ws:
        ws.tools.policies.save("bench", RULES)
        ws.tools.policies.promote("bench", 1, to="production")
        ws.tools.policies.save("bench", [{"deny": "*"}])
        decisions(ws, asked.decisions)
        seen(ws)


if __name__ == "__main__":
    main()
