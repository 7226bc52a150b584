"""A queue that is enlarged: its items have the chance that they had in all draws, so that rates stay unbiased."""

from __future__ import annotations

import numpy as np
import pytest

from lmops.errors import UsageError
from lmops.feedback import _draws
from lmops.feedback.sampling import Chosen, chances, draw
from tests.store.helpers import span

ITEMS = 40
GROUPS = ["a" if at % 10 else "b" for at in range(ITEMS)]
SAID = [float(at % 3 == 0 or GROUPS[at] == "b") for at in range(ITEMS)]
CASES = "select item, probability from queue_items where run_id is not null and queue = 'drawn'"
WAYS = ("random", "stratified", "rare", "active")


def drawn(way, n, seed, frame):
    """Return the items and the chances of one draw from some rows."""
    if way == "active":
        wide = np.clip(np.linspace(0.1, 0.9, ITEMS)[frame] * n / 10, 0, 1)
        took = np.random.default_rng(seed).random(len(frame)) < wide
        return [frame[at] for at in np.flatnonzero(took)], dict(zip(frame, wide, strict=True))
    groups = [GROUPS[at] for at in frame]
    found = draw(groups, n, strategy=way, seed=seed)
    return [frame[at] for at, _ in found], dict(zip(frame, chances(groups, n, strategy=way), strict=True))


@pytest.mark.parametrize("first", WAYS)
@pytest.mark.parametrize("second", WAYS)
def test_rates_after_another_draw_are_unbiased(first, second):
    """Of any two ways, the second from more traffic than the first: the whole and the rate come back on average."""
    wholes, rates = [], []
    for seed in range(400):
        draws, took = [], set()
        for way, n, nth, frame in ((first, 8, 0, range(30)), (second, 12, 1, range(5, ITEMS))):
            items, all_chances = drawn(way, n, [seed, nth], [*frame])
            told = [Chosen(trace_id=str(at)) for at in items]
            draws.append(_draws.made({}, {str(at): chance for at, chance in all_chances.items()}, told))
            took.update(items)
        chance, is_in = _draws._inclusion(draws, [str(at) for at in sorted(took)])
        assert is_in.all()
        wholes.append(sum(1 / chance))
        rates.append(sum(np.array([SAID[at] for at in sorted(took)]) / chance) / ITEMS)
    for found, truth in ((wholes, ITEMS), (rates, np.mean(SAID))):
        assert abs(np.mean(found) - truth) < 4 * np.std(found) / 20
    assert 0.9 < np.mean(wholes) / ITEMS < 1.1


def put(ws, numbers):
    for number in numbers:
        service = "shop" if number % 4 else "bank"
        row = span("t", "root", trace_id=f"{number:032x}", span_id="1" * 16, service=service)
        ws.store.append_many({"spans": [row]})


@pytest.fixture
def traffic(ws):
    """Twelve traces of two services."""
    put(ws, range(12))
    ws.feedback.schemas.save("support")
    return ws


def shares(ws, queue="q"):
    """Return the probability of each item, by the number of its trace."""
    rows = ws.sql("select trace_id, probability from queue_items where queue = $q", {"q": queue}).fetchall()
    return {int(trace_id, 16): share for trace_id, share in rows}


def test_a_queue_that_is_drawn_into_again_has_other_chances(traffic):
    """Of all its items; asked in the same words nothing is drawn, whatever came since."""
    queue = traffic.feedback.queue
    queue("q", "random", schema="support", n=3)
    assert {*shares(traffic).values()} == {0.25}
    put(traffic, range(12, 20))
    assert queue("q", "random", n=3).added == 0
    queue("q", "random", n=5, seed=1)
    found = shares(traffic)
    assert {share for number, share in found.items() if number < 12} == {0.25 + 0.25 - 0.0625}
    assert {share for number, share in found.items() if number >= 12} <= {0.25}
    assert traffic.audit.verify().ok


def test_what_was_chosen_and_is_drawn_then_counts(traffic):
    """With the chance that it was drawn with; what no draw took is in no rate."""
    queue = traffic.feedback.queue
    queue("q", [f"{number:032x}" for number in range(6)], schema="support")
    queue("q", "stratified", by="service", n=6, seed=1)
    found = shares(traffic)
    drawn_too = [number for number in range(6) if found[number] is not None]
    assert 0 < len(drawn_too) < 6
    assert sum(1 / share for share in found.values() if share) == pytest.approx(12)


def test_a_draw_that_is_withdrawn_leaves_the_chances_of_before(traffic):
    """And no trace of it."""
    queue = traffic.feedback.queue
    queue("q", "random", schema="support", n=3)
    before = shares(traffic)
    more = queue("q", "rare", by="service", n=6)
    assert shares(traffic) != before
    traffic.feedback.queues.withdraw(more)
    assert shares(traffic) == before
    assert traffic.audit.verify().ok
    assert queue("q", "rare", by="service", n=6).added == more.added


def test_chances_that_nobody_can_know_are_refused(traffic):
    """Items that say their own, beside a draw; a run, all of whose cases are in, is a draw as well."""
    rows = [{"trace_id": f"{number:032x}", "probability": 0.5} for number in range(4)]
    queue = traffic.feedback.queue
    queue("q", rows, schema="support")
    with pytest.raises(UsageError, match="do not say what else had a chance"):
        queue("q", "random", n=3)
    queue("drawn", "random", schema="support", n=3)
    with pytest.raises(UsageError, match="Take a queue of its own"):
        queue("drawn", rows)
    run = traffic.evals.run(str.upper, [{"input": "a"}, {"input": "b"}], progress=False)
    assert queue("drawn", run).added == 2
    assert queue("drawn", run).added == 0
    assert [share for _, share in traffic.sql(CASES).fetchall()] == [1.0, 1.0]
