"""What accounts for a change, where it is known."""

from __future__ import annotations

import math
import random
from datetime import UTC, datetime

import pytest

from lmops.errors import QueryError, UsageError
from lmops.monitors import Monitors
from lmops.prompts import Prompts
from lmops.records import Project
from lmops.store import Store
from tests.conftest import Clock
from tests.monitors.planted import ALL, NOON, prompt, traces

COST = {"view": "traces", "value": "output_tokens", "kind": "mean", "unit": "tokens"}


def _explained(ws, say, *, count=400, metric=COST, **options):
    ws.store.load(traces(count, say))
    return ws.monitors.explain(metric, **{**ALL, **options})


def test_a_prompt_that_took_the_place_of_another_accounts_for_it(ws):
    """As a whole, when it came; what did not move accounts for nothing."""

    def say(rng, is_after):
        told = {"language": str(rng.choice(["en", "de"]))}
        return {**prompt(2 + is_after), "output_tokens": int(rng.normal(100 + 40 * is_after, 10)), "attributes": told}

    found = _explained(ws, say)
    first = found.accounts[0]
    assert (found.state, len(found.accounts)) == ("explained", 1)
    assert (first.dimension, first.how, first.left, first.values) == (
        "prompt",
        "replaced",
        ("answer@2",),
        ("answer@3",),
    )
    assert (first.share, first.support) == (pytest.approx(1), 200)
    assert f"{found.at:%Y-%m-%dT%H:%M}" == f"{first.at:%Y-%m-%dT%H:%M}" == NOON
    assert found.low < 40 < found.high


def test_more_of_a_dear_kind_is_mix(ws):
    """Each language costs what it did; the dear one became common."""

    def say(rng, is_after):
        is_dear = rng.random() < (0.7 if is_after else 0.2)
        told = {"language": "fi" if is_dear else "en"}
        return {"output_tokens": int(rng.normal(300 if is_dear else 100, 10)), "attributes": told}

    first = _explained(ws, say).accounts[0]
    assert (first.dimension, first.how, first.values, first.words) == ("language", "mix", ("fi",), "more of fi")
    assert first.low < 100 < first.high
    assert abs(first.apart) < 5


def test_a_kind_that_got_worse_is_rate(ws):
    """One of three services fails, the others do not."""

    def say(rng, is_after):
        service = str(rng.choice(["a", "b", "c"]))
        failed = rng.random() < (0.6 if is_after and service == "b" else 0.05)
        return {"root": {"service": service, "status": "error" if failed else "ok"}}

    first = _explained(ws, say, count=900, metric="error_rate").accounts[0]
    assert (first.dimension, first.how, first.values) == ("service", "rate", ("b",))
    assert first.share == pytest.approx(1, abs=0.2)


def test_what_got_better_in_each_kind_may_be_worse_in_all(ws):
    """Simpson's: the numbers of Kitagawa's way, none of which is an average of the others."""
    counts = {
        (False, "easy"): (800, 760),
        (False, "hard"): (200, 120),
        (True, "easy"): (300, 291),
        (True, "hard"): (700, 441),
    }
    said = {
        is_after: [(topic, i < good) for (at, topic), (n, good) in counts.items() if at is is_after for i in range(n)]
        for is_after in (False, True)
    }
    for one in said.values():
        random.Random(0).shuffle(one)

    def say(_rng, is_after):
        topic, is_good = said[is_after].pop()
        return {"attributes": {"topic": topic}, "root": {"status": "ok" if is_good else "error"}}

    metric = {"view": "traces", "value": "status = 'ok'", "kind": "rate", "cluster": "trace_id"}
    found = _explained(ws, say, count=2000, metric=metric)
    assert (found.before.estimate, found.after.estimate) == (pytest.approx(0.88), pytest.approx(0.732))
    values = found.values("topic").set_index("value")
    assert values["rate"].sum() == pytest.approx(0.0245)
    assert values["mix"].to_dict() == {"hard": pytest.approx(-0.0955), "easy": pytest.approx(-0.077)}
    assert found.accounts[0].dimension == "topic"


def test_two_that_changed_at_once_cannot_be_told_apart(ws):
    """It is said, with what would tell."""

    def say(rng, is_after):
        return {
            **prompt(1 + is_after),
            "model": f"m{int(is_after)}",
            "output_tokens": int(rng.normal(100 + 40 * is_after, 10)),
        }

    found = _explained(ws, say)
    (one,) = found.accounts
    assert (one.dimension, one.also) == ("prompt", ("response model",))

    assert "prompt version, response model" in found.text


def test_of_two_that_overlap_the_one_that_moves_the_metric_stays(ws):
    """A prompt came half a day before the model; where they differ the metric follows the model."""

    def say(rng, is_after):
        has_prompt = is_after or rng.random() < 0.2
        tokens = int(rng.normal(100 + 40 * is_after, 10))
        return {**prompt(1 + has_prompt), "model": f"m{int(is_after)}", "output_tokens": tokens}

    found = _explained(ws, say)
    (tie,) = found.ties
    assert tie.titles[tie.stays] == "response model"
    assert found.accounts[0].dimension == "model"
    assert "goes with response model" in found.text


def test_two_that_nearly_always_go_together_cannot_be_told_apart(ws):
    """A few items have one without the other: too few to tell."""

    def say(rng, is_after):
        has_prompt = is_after if rng.random() < 0.98 else not is_after
        tokens = int(rng.normal(100 + 40 * is_after, 10))
        return {**prompt(1 + has_prompt), "model": f"m{int(is_after)}", "output_tokens": tokens}

    found = _explained(ws, say)
    assert [tie.stays for tie in found.ties] == [None]
    assert "traffic cannot tell them apart" in found.text
    assert "ws.evals.compare" in found.text


def test_what_only_happens_together_is_said_of_the_pair(ws):
    """One model is worse in one language only."""

    def say(rng, is_after):
        model, language = str(rng.choice(["a", "b"])), str(rng.choice(["en", "de"]))
        failed = rng.random() < (0.8 if is_after and (model, language) == ("a", "de") else 0.05)
        return {"model": model, "attributes": {"language": language}, "root": {"status": "error" if failed else "ok"}}

    (pair, *_) = _explained(ws, say, count=1200, metric="error_rate").together
    assert dict(zip(pair.titles, pair.values, strict=True)) == {"response model": "a", "language": "de"}
    assert pair.share > 0.8


def test_a_day_as_any_other_has_nothing_to_explain(ws):
    """It is said with the interval, and nothing else."""
    found = _explained(ws, lambda rng, _: {**prompt(1), "output_tokens": int(rng.normal(100, 10))})
    assert (found.state, found.accounts, found.at) == ("no_change", (), None)
    assert "no change to explain" in found.text


def test_three_hours_are_held_against_the_same_hours(ws):
    """That nights are quiet accounts for nothing where the periods were chosen."""

    def say(rng, is_after):
        return {**prompt(1 + is_after), "output_tokens": int(rng.normal(100 + 40 * is_after, 10))}

    found = _explained(ws, say, count=1000, until="2026-10-02T15:00")
    assert [one.dimension for one in found.accounts] == ["prompt"]


@pytest.mark.parametrize(
    ("count", "until", "needed"), [(0, "2026-10-04", 30), (1, "2026-10-04", 30), (40, "2026-10-02T18:00", 26)]
)
def test_too_few_is_a_state_of_its_own(ws, count, until, needed):
    """With how many are missing."""
    found = _explained(ws, lambda rng, _: {"output_tokens": int(rng.normal(100, 10))}, count=count, until=until)
    assert (found.state, found.needed) == ("cannot_tell", needed)
    assert f"cannot tell yet, {needed} more items needed" in found.text


def test_values_that_are_all_missing_are_no_items(ws):
    """Nothing is taken for 0."""
    found = _explained(ws, lambda *_: {"output_tokens": None}, metric="output_tokens")
    assert (found.state, found.before.n, found.before.estimate) == ("cannot_tell", 0, None)


def test_what_is_missing_is_a_value_of_its_own(ws):
    """And is named after what names something."""

    def say(rng, is_after):
        said = {} if is_after else {"language": "en"}
        return {**prompt(1 + is_after), "output_tokens": int(rng.normal(100 + 40 * is_after, 10)), "attributes": said}

    (first, *_) = _explained(ws, say).accounts
    assert (first.dimension, first.also) == ("prompt", ("language",))


def test_rare_values_of_ten_thousand_count_as_one(ws):
    """And how many they are is said."""

    def say(rng, is_after):
        said = {"topic": f"topic {rng.integers(10_000)}"}
        return {**prompt(1 + is_after), "output_tokens": int(rng.normal(100 + 40 * is_after, 10)), "attributes": said}

    found = _explained(ws, say, count=1500)
    assert found.accounts[0].dimension == "prompt"
    assert any(note.startswith("topic: 1,") and "rare values count as one" in note for note in found.notes)


def test_an_attribute_of_ones_own_is_looked_at_when_asked(ws):
    """By its name; the same attribute is not looked at otherwise."""

    def say(rng, is_after):
        tier = "gold" if rng.random() < (0.8 if is_after else 0.2) else "free"
        return {"output_tokens": int(rng.normal(300 if tier == "gold" else 100, 10)), "attributes": {"app.tier": tier}}

    assert _explained(ws, say).state == "unexplained"
    assert ws.monitors.explain(COST, **ALL, by="app.tier").accounts[0].dimension == "app.tier"


def test_a_percentile_is_explained_by_what_lies_above_it(ws):
    """The share above the percentile of before, with both percentiles in a note."""

    def say(rng, is_after):
        return {**prompt(1 + is_after), "root": {"latency_ms": float(rng.exponential(1000 if is_after else 500))}}

    found = _explained(ws, say, metric="latency_p95")
    assert (found.unit, found.before.estimate) == ("share", pytest.approx(0.05, abs=0.01))
    assert found.accounts[0].dimension == "prompt"
    assert "95th percentile before" in found.notes[0]


def test_only_what_is_searched_for_counts(ws):
    """By a condition as for a search; evaluations never do."""

    def say(rng, is_after):
        place = str(rng.choice(["production", "evaluation"]))
        return {
            **prompt(1 + is_after),
            "output_tokens": int(rng.normal(100 + 40 * is_after, 10)),
            "root": {"environment": place},
        }

    found = _explained(ws, say)
    assert 80 < found.before.n < 120
    assert ws.monitors.explain(COST, **ALL, where="prompt_version = '2'").before.n == 0
    with pytest.raises(QueryError, match="colour"):
        ws.monitors.explain(COST, **ALL, where="colour = 'red'")


def test_an_alias_that_moved_before_is_named(tmp_path):
    """With who, why, and how long before what it changed."""
    clock = Clock(datetime(2026, 10, 2, 11, 48, tzinfo=UTC))
    store = Store(tmp_path / ".lmops")
    project = Project(store=store, actor="mara", now=clock)
    Prompts(project).save("answer", "Hello")
    Prompts(project).promote("answer", 1, to="production", reason="<b>warmer</b>")
    store.load(traces(400, lambda rng, is_after: {**prompt(1 + is_after), "output_tokens": 100 + 40 * is_after}))
    (event,) = Monitors(project).explain(COST, **ALL).events
    assert (event.action, event.actor, event.gap_s, event.of) == ("prompt.promote", "mara", -720, "the metric")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"before": "2026-10-05/2026-10-06"}, "at the latest at since"),
        ({"before": ("2026-10-01",)}, "two times"),
        ({"before": "soon"}, "not a duration"),
        ({"until": "2026-10-01"}, "after until"),
        ({"since": "yesterday"}, "not a time"),
        ({"level": 95}, "level"),
    ],
)
def test_a_period_that_is_none_is_refused(ws, options, said):
    """With what would work."""
    with pytest.raises((UsageError, ValueError), match=said):
        ws.monitors.explain("error_rate", **{"since": NOON, **options})


def test_amounts_add_up(ws):
    """Mix and rate of all values of a dimension are the change, whatever it is."""

    def say(rng, is_after):
        told = {"language": str(rng.choice(["en", "de", "fi"])), "topic": f"t{rng.integers(5 + 3 * is_after)}"}
        return {
            **prompt(1 + (rng.random() < 0.5 * is_after)),
            "output_tokens": int(rng.normal(100 + 40 * is_after, 30)),
            "attributes": told,
        }

    found = _explained(ws, say)
    assert found.accounts
    for name in {one.dimension for one in found.accounts}:
        values = found.values(name)
        assert math.isclose((values["mix"] + values["rate"]).sum(), found.change, rel_tol=1e-9)
