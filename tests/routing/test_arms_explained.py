"""Arms in what explains a change: the one that got worse is named."""

from __future__ import annotations

from lmops.times import from_ns
from tests.routing.trials import ARMS, traffic
from tests.store.helpers import DAY, START


def test_the_arm_that_got_worse_accounts_for_it(ws):
    """Of two that had a share before as after, and of a metric of all traffic."""
    ws.routing.set("support", {"arms": ARMS})
    traffic(ws, users=300)
    traffic(ws, users=300, day=2, seed=1, failing={"next": 0.6})
    found = ws.monitors.explain("error_rate", since=from_ns(START + 2 * DAY))
    first = found.accounts[0]
    assert (found.state, first.dimension, first.values) == ("explained", "arm", ("next",))
    assert first.is_clear
    assert first.words == "next: moved otherwise than all others"
