"""A budget that many use at once: none over, none lost."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from lmops.tools import Budget


def price(tokens_in, tokens_out):
    return (tokens_in + tokens_out) / 1000


def test_calls_are_reserved_by_64_at_once():
    """Exactly as many as there are."""
    budget = Budget(calls=1000)
    with ThreadPoolExecutor(64) as pool:
        said = [*pool.map(lambda n: budget.take_call(f"t{n % 3}"), range(3000))]
    assert sum(one.refusal is None for one in said) == budget.used.calls == 1000
    assert sorted(one.number for one in said) == [*range(3000)]


def test_tokens_and_dollars_are_held_before_they_are_spent():
    """64 calls of models that each ask for as much as there is."""
    budget = Budget(tokens=10_000, usd=5.0)

    def use(n):
        held = budget.take_tokens(10, 400, price)
        if isinstance(held, str):
            return 0
        if n % 7 == 0:
            held.give_back()
            return 0
        held.settle(10 + held.most_out, price(10, held.most_out))
        return 10 + held.most_out

    with ThreadPoolExecutor(64) as pool:
        spent = sum(pool.map(use, range(400)))
    used = budget.used
    assert used.tokens == spent <= 10_000
    assert used.usd == pytest.approx(spent / 1000)
    assert 4.9 <= used.usd <= 5.0


def test_what_is_unknown_counts_as_it_was_held():
    """An answer that does not say its tokens is no free one; without a price there is no budget in dollars."""
    budget = Budget(tokens=1000)
    budget.take_tokens(100, 200, price).settle(None, None)
    assert (budget.used.tokens, budget.used.unpriced) == (300, 1)
    assert "price" in Budget(usd=1).take_tokens(1, 1, lambda *_: None)


def test_seconds_run_from_the_first_call():
    """And not from when the budget was made."""
    now = [0.0]
    budget = Budget(seconds=5, clock=lambda: now[0])
    now[0] = 100.0
    assert budget.seconds_left == 5
    budget.begin()
    now[0] = 105.5
    assert budget.seconds_left == -0.5
    assert "seconds" in budget.take_call("x").refusal
    assert "seconds" in budget.take_tokens(1, 1, price)
