"""Routes behind OpenFeature: the arm is the variant, the targeting key is the key."""

from __future__ import annotations

import pytest

api = pytest.importorskip("openfeature.api", reason="openfeature-sdk is not installed")

ROUTE = {
    "arms": {"a": {"model": "standin:ferry-1", "weight": 1}, "b": {"model": "standin:ferry-1", "policy": "strict"}},
    "when": [{"if": {"segment": "vip"}, "arms": {"b": 1}}],
}


@pytest.fixture
def client(ws):
    from lmops.routing.openfeature import LmopsProvider

    ws.guardrails.save("strict", input=["secrets"])
    ws.routing.set("support", ROUTE)
    api.set_provider(LmopsProvider(ws.routing))
    yield api.get_client()
    api.clear_providers()


def told(key="u1", **attributes):
    from openfeature.evaluation_context import EvaluationContext

    return EvaluationContext(targeting_key=key, attributes=attributes)


def test_the_variant_is_the_arm(client):
    """With the reason, and what it stands for."""
    found = client.get_string_details("support", "none", told())
    assert (found.value, found.variant, found.reason) == ("a", "a", "SPLIT")
    assert found.flag_metadata["lmops.route.version"] == 1
    vip = client.get_object_details("support", {}, told(segment="vip"))
    assert (vip.value["arm"], vip.value["policy"], vip.reason) == ("b", "strict", "TARGETING_MATCH")


def test_what_cannot_be_answered_is_the_default(client, ws):
    """An unknown route, a kind that an arm is not, a route that is off."""
    unknown = client.get_string_details("suport", "none", told())
    assert (unknown.value, unknown.error_code.value) == ("none", "FLAG_NOT_FOUND")
    wrong = client.get_boolean_details("support", True, told())
    assert (wrong.value, wrong.error_code.value) == (True, "TYPE_MISMATCH")
    ws.routing.kill("support", reason="leaks")
    off = client.get_string_details("support", "none", told())
    assert (off.value, "leaks" in off.error_message) == ("none", True)
