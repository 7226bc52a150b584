"""What an endpoint reports of its usage is read as in spans and in logs."""

from __future__ import annotations

import pytest

from lmops.base.chat import Usage
from lmops.calc.usage import read_usage
from lmops.models._openai import read_answer, read_vectors, usage_of
from lmops.models._records import Endpoint

XAI = {
    "prompt_tokens": 32,
    "completion_tokens": 9,
    "total_tokens": 135,
    "completion_tokens_details": {"reasoning_tokens": 94},
}
PROXY = {"prompt_tokens": 100, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 30},
         "cache_creation_input_tokens": 20, "cost": 0.25}  # fmt: skip  # keys that belong together share a line


@pytest.mark.parametrize("said", [XAI, PROXY, {}, {"prompt_tokens": 3}])
def test_our_own_client_reads_what_a_span_says(said):
    """One function reads the usage of all three."""
    found, used = read_usage(said), usage_of(said)
    assert (used.input_tokens, used.output_tokens) == (found.get("input"), found.get("output"))
    assert (used.cached_input_tokens, used.cache_write_input_tokens) == (found.get("cached"), found.get("cache_write"))
    assert used.reasoning_tokens == found.get("reasoning")


def test_terms_and_cost_of_an_answer_are_kept():
    """The tier that answered and the cost that a gateway reports reach the usage."""
    body = {"choices": [{"message": {"content": "a"}}], "usage": PROXY, "service_tier": "flex"}
    used = read_answer(body).usage
    assert (used.reported_cost_usd, used.units) == (0.25, {"service_tier": "flex"})


def test_tools_that_the_endpoint_ran_reach_the_usage():
    """Our own client pays for a search as a span and a log do."""
    message = {"content": "a", "executed_tools": [{"type": "search"}]}
    body = {"choices": [{"message": message}], "usage": {"prompt_tokens": 3, "completion_tokens": 1}}
    assert read_answer(body).usage.units == {"unpriced": 1}


def test_vectors_whose_usage_is_a_total_read_it():
    """Some endpoints say how many tokens there were in all."""
    endpoint = Endpoint(spec="voyage:v", kind="openai", provider="voyage", model="v", base_url="http://h")
    body = {"data": [{"embedding": [0.5]}], "usage": {"total_tokens": 10}}
    assert read_vectors(body, endpoint, 1)[2] == Usage(input_tokens=10)


def test_sums_know_what_both_know():
    """Units add up; a count that one does not know is not known."""
    one = Usage(input_tokens=1, output_tokens=2, units={"web_searches": 1, "service_tier": "flex"})
    two = Usage(input_tokens=3, units={"web_searches": 2, "service_tier": "flex"})
    assert one + two == Usage(input_tokens=4, units={"web_searches": 3, "service_tier": "flex"})
