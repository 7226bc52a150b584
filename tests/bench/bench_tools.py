"""What a call of a tool costs beside the plain call of its function within a span.

python -m tests.bench.bench_tools

CPU microseconds a call, traced into a provider that keeps nothing; the floor is the same function, called plainly in a
span of its own with the same arguments and result on it.
"""

from __future__ import annotations

import time

from opentelemetry import trace as otel_trace
from opentelemetry.sdk.trace import TracerProvider

import lmops

CALLS = 500
ROUNDS = 7
BAR_US = 150.0


def refund(order: str, amount: float = 5.0) -> dict:
    """Refund an order."""
    return {"order": order, "amount": amount}


def spent(work):
    """Return the CPU microseconds of one call, the least of some rounds: others share the machine."""
    work()
    found = []
    for _ in range(ROUNDS):
        began = time.process_time()
        for _ in range(CALLS):
            work()
        found.append((time.process_time() - began) / CALLS * 1e6)
    return min(found)


def main():
    """Print what a call costs, and its floor."""
    otel_trace.set_tracer_provider(TracerProvider())
    tracer = otel_trace.get_tracer("bench")
    with lmops.open(":memory:") as ws:
        ws.tools.tool(refund)

        def plain():
            with tracer.start_as_current_span("refund") as span:
                span.set_attribute("gen_ai.tool.name", "refund")
                found = refund(order="A1")
                span.set_attribute("gen_ai.tool.call.result", str(found))

        floor = spent(plain)
        ours = spent(lambda: ws.tools.call("refund", {"order": "A1"}))
        text = spent(lambda: ws.tools.call("refund", '{"order": "A1"}'))
    print(f"a plain call in a span        {floor:8.1f} us")
    print(f"ws.tools.call, a mapping      {ours:8.1f} us  {ours / floor:5.1f} x")
    print(f"ws.tools.call, JSON           {text:8.1f} us  {text / floor:5.1f} x")
    over = ours - floor
    print(f"overhead                      {over:8.1f} us  bar {BAR_US:.0f} us: {'held' if over < BAR_US else 'MISSED'}")


if __name__ == "__main__":
    main()
