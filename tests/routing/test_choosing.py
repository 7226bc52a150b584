"""Which arm has a key: always the same one, evenly spread, and no key moves that need not."""

from __future__ import annotations

import math
import tracemalloc

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lmops.errors import RefusedError
from lmops.routing.choosing import POINTS, laid_out

KEYS = [f"user-{number}" for number in range(20_000)]
ROUTE = {
    "arms": {"a": {"model": "standin:ferry-1", "weight": 0.9}, "b": {"model": "standin:ferry-1", "weight": 0.1}},
    "when": [
        {"if": {"segment": "vip", "language": ["de", "fr"]}, "arms": {"b": 1}},
        {"if": {"size": {"at_least": 1000}}, "arms": {"a": 1}},
    ],
}


def arms(ws, keys=KEYS, **options):
    return {key: ws.routing.choose("support", key, **options).arm for key in keys}


def weighted(ws, **weights):
    return ws.routing.set(
        "support", {"arms": {a: {"model": "standin:ferry-1", "weight": w} for a, w in weights.items()}}
    )


def test_keys_spread_by_the_weights(ws):
    """Of 20,000 within four standard deviations of what chance allows."""
    weighted(ws, a=0.7, b=0.25, c=0.05)
    found = [*arms(ws).values()]
    for arm, weight in (("a", 0.7), ("b", 0.25), ("c", 0.05)):
        spread = math.sqrt(len(KEYS) * weight * (1 - weight))
        assert abs(found.count(arm) - len(KEYS) * weight) < 4 * spread


def test_only_keys_that_must_move(ws):
    """From 10 to 20 %: nobody leaves the arm that grows, and nobody moves between others."""
    weighted(ws, a=0.5, b=0.4, c=0.1)
    before = arms(ws)
    weighted(ws, a=0.4, b=0.4, c=0.2)
    after = arms(ws)
    moved = {(before[key], after[key]) for key in KEYS if before[key] != after[key]}
    assert moved == {("a", "c")}


def test_a_version_means_the_same_keys_whenever_it_is_live(ws):
    """After a rollback everybody is where he was."""
    weighted(ws, a=0.9, b=0.1)
    before = arms(ws)
    weighted(ws, a=0.3, b=0.7)
    ws.routing.rollback("support", reason="too soon")
    assert arms(ws) == before


def test_a_new_version_takes_over_from_the_one_that_is_live(ws):
    """Not from a draft that nobody met."""
    weighted(ws, a=0.9, b=0.1)
    before = arms(ws)
    ws.routing.set("support", {"arms": {"b": {"model": "standin:ferry-1", "weight": 1}}}, to=None)
    weighted(ws, a=0.8, b=0.2)
    assert {(before[key], arm) for key, arm in arms(ws).items() if before[key] != arm} == {("a", "b")}


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.lists(st.integers(0, 20), min_size=4, max_size=4).filter(any), min_size=2, max_size=6))
def test_layouts_cover_the_line_and_move_the_least(shares):
    """Of any weights after any others: each arm has its share, and as much moves as shrinks, not a point more."""
    segments = ()
    for one in shares:
        weights = {arm: share / sum(one) for arm, share in zip("abcd", one, strict=True)}
        made = laid_out(weights, segments)
        ordered = sorted(made, key=lambda each: each.start)
        assert [each.start for each in ordered] == [0, *(each.end for each in ordered[:-1])]
        assert ordered[-1].end == POINTS
        had, has = lengths(segments), lengths(made)
        assert all(abs(has.get(arm, 0) / POINTS - weight) < 1e-12 for arm, weight in weights.items())
        if segments:
            assert POINTS - stayed(segments, made) == sum(max(0, had.get(a, 0) - has.get(a, 0)) for a in "abcd")
        segments = made


def lengths(segments):
    found = {}
    for one in segments:
        found[one.arm] = found.get(one.arm, 0) + one.end - one.start
    return found


def stayed(before, after):
    same = [(a, b) for a in before for b in after if a.arm == b.arm]
    return sum(max(0, min(a.end, b.end) - max(a.start, b.start)) for a, b in same)


def test_the_first_rule_that_fits_counts(ws):
    """All its keys must fit, by value or between limits; a key that is not there fits nothing."""
    ws.routing.set("support", ROUTE)
    told = {
        ("vip", "de", 5): ("b", "condition"),
        ("vip", "de", 5000): ("b", "condition"),
        ("vip", "en", 1000): ("a", "condition"),
    }
    for (segment, language, size), said in told.items():
        found = ws.routing.choose("support", "u1", {"segment": segment, "language": language, "size": size})
        assert (found.arm, found.reason) == said
    assert ws.routing.choose("support", "u1", {"segment": "vip", "size": "big"}).reason == "assigned"


def test_without_a_key_an_arm_is_drawn(ws):
    """It is said, and nothing stands for a key."""
    weighted(ws, a=0.5, b=0.5)
    found = [ws.routing.choose("support") for _ in range(200)]
    assert {one.arm for one in found} == {"a", "b"}
    assert {(one.reason, one.key_hash) for one in found} == {("random", None)}


def test_an_arm_that_is_off_gives_its_keys_to_the_fallback(ws):
    """The others stay, and it has its own again when it is on."""
    ws.routing.set("support", {**ROUTE, "when": [], "fallbacks": ["a"]})
    before = arms(ws)
    ws.routing.kill("support", "b", reason="it makes things up")
    off = ws.routing.choose("support", next(key for key in KEYS if before[key] == "b"))
    assert (off.assigned, off.arm, off.reason, off.settings.name) == ("b", "a", "killed", "a")
    assert set(arms(ws).values()) == {"a"}
    ws.routing.revive("support", "b", reason="mended")
    assert arms(ws) == before


def test_a_route_that_is_off_refuses(ws):
    """And says who switched it off, and why."""
    weighted(ws, a=1)
    ws.routing.kill("support", reason="wrong prices in answers")
    with pytest.raises(RefusedError, match=r"switched off by tester .*wrong prices in answers"):
        ws.routing.choose("support", "u1")


def test_a_route_without_an_arm_left_refuses(ws):
    """It names the arm and what helps."""
    weighted(ws, a=1)
    ws.routing.kill("support", "a", reason="down")
    with pytest.raises(RefusedError, match=r"revive\('support', arm='a'\)"):
        ws.routing.choose("support", "u1")


def test_keys_of_any_kind_of_text_have_an_arm(ws):
    """Empty, long, half of a character."""
    weighted(ws, a=0.5, b=0.5)
    for key in ("", "\0", "\ud800", "ü" * 10_000):
        first, second = (ws.routing.choose("support", key) for _ in range(2))
        assert first == second


def test_choosing_keeps_nothing(ws):
    """A hundred thousand keys leave no trace in memory."""
    weighted(ws, a=0.5, b=0.5)
    arms(ws, KEYS[:100])
    tracemalloc.start()
    for number in range(20_000):
        ws.routing.choose("support", f"key {number}")
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 500_000
