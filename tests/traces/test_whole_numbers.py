"""Integers beyond 64 bits keep their digits, wherever they stand."""

from __future__ import annotations

import json

from lmops.traces._canonical import conversation
from lmops.traces._capture import to_json

BIG = 2**70 + 7


def test_an_id_that_is_a_number_joins_call_and_result():
    """A few clients count their calls."""
    called = conversation(
        [{"role": "assistant", "parts": [{"type": "tool_call", "id": BIG, "name": "f"}]}], "assistant"
    )
    gave = conversation([{"role": "tool", "parts": [{"type": "tool_call_response", "id": BIG, "result": "7"}]}], "user")
    assert called[0]["tool_calls"][0]["id"] == gave[0]["tool_call_id"] == str(BIG)


def test_arguments_of_a_traced_function_keep_their_digits():
    """As text where JSON has no such number; one with thousands of digits is written shorter."""
    assert json.loads(to_json({"k": [BIG, -BIG, 7, True]})) == {"k": [str(BIG), str(-BIG), 7, True]}
    assert json.loads(to_json(1 << 20_000)).startswith("0x1000")
