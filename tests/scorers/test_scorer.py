"""What a scorer is: a function that takes what it names, and never gives NaN or a silent 0."""

import asyncio
import functools
import math
from dataclasses import dataclass

import numpy as np
import pytest

from lmops import scorers
from lmops.errors import NotFoundError, UsageError
from lmops.scorers import Score, ScoreInput, _registry, build, scorer, scorer_factory

GIVEN = ScoreInput(output="yes", expected="yes", example={"input": "q", "metadata": {"topic": "t"}})


def test_a_scorer_takes_what_it_names():
    """Out of the output, the example and what the task took."""

    def seen(expected, output, metadata, input, latency_ms=None):
        return Score.of(1.0, detail={"seen": [output, expected, input, metadata["topic"], latency_ms]})

    assert build(seen).score(GIVEN).detail == {"seen": ["yes", "yes", "q", "t", None]}


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda outptu: 1, "did you mean 'output'"),
        (lambda output, threshold=0.5: 1, "options belong to a factory"),
        (lambda *output: 1, "name the parameters it needs"),
        (lambda output, **more: 1, "name the parameters it needs"),
    ],
)
def test_a_parameter_that_no_scorer_is_given_is_an_error_at_once(function, message):
    """Not at the thousandth example."""
    with pytest.raises(UsageError, match=message):
        build(function, name="f")


@pytest.mark.parametrize(
    ("returned", "value"),
    [(True, True), (1, 1.0), (0.25, 0.25), (np.float32(0.5), 0.5), (np.bool_(False), False), ({"value": 1}, 1.0)],
)
def test_values_become_plain(returned, value):
    """A number or a yes or no, whatever library it is of."""
    found = build(lambda output: returned, name="f").score(GIVEN)
    assert (found.value, type(found.value), found.status, found.name) == (value, type(value), "value", "f")


@pytest.mark.parametrize(
    ("returned", "status", "reason"),
    [
        (None, "unmeasured", "the scorer returned None"),
        (Score.unmeasured("no sources"), "unmeasured", "no sources"),
        (Score.failed("broken"), "error", "broken"),
        (math.nan, "error", "the scorer returned nan"),
        (Score.of(math.nan), "error", "the value is nan"),
        (np.float64("inf"), "error", "the scorer returned inf"),
        (10**400, "error", "too large"),
        (1.5, "error", "the scorer returned 1.5, outside its range 0..1"),
        (-0.1, "error", "outside its range 0..1"),
        ("good", "error", "the scorer returned str 'good'"),
        ([0.5], "error", "the scorer returned list"),
        ({"score": 1}, "error", "the scorer returned a dict with 'score'"),
        ({"value": None}, "unmeasured", "the scorer returned None"),
    ],
)
def test_what_is_no_value_says_why(returned, status, reason):
    """Never NaN, never a silent 0."""
    found = build(lambda output: returned, name="f", range=(0, 1)).score(GIVEN)
    assert (found.status, found.value) == (status, None)
    assert reason in found.reason


def test_a_scorer_that_raises_is_an_error():
    """With the type and the message; long and hostile ones are cut and spelled out."""

    def broken(output):
        raise ValueError("bad \x1b[31m" + "x" * 5000)

    found = build(broken).score(GIVEN)
    assert found.reason.startswith("ValueError: bad [U+001B][31m")
    assert len(found.reason) < 2100


def test_what_is_missing_makes_a_score_unmeasured():
    """Named without a default it has to be there; with one, the function decides."""
    without = ScoreInput(output="yes")
    assert build(lambda expected: True, name="f").score(without).reason == "there is not an expected value"
    assert build(lambda expected=None: expected is None, name="f").score(without).value is True
    assert build(lambda expected: expected is None, name="f", needs=()).score(without).value is True
    assert build(lambda output: True, name="f", needs=["cost_usd"]).score(without).reason == "there is not a known cost"
    assert build(lambda output: True, name="f").score(ScoreInput()).reason == "there is not an output"


def test_async_scorers_run_inside_and_outside_of_a_loop():
    """Also score() in a running loop, as in a notebook."""

    @scorer(name="slow")
    async def slow(output):
        await asyncio.sleep(0)
        return len(output)

    async def inside():
        return slow.score(GIVEN), await slow.ascore(GIVEN)

    assert slow.is_async
    assert [one.value for one in (slow.score(GIVEN), *asyncio.run(inside()))] == [3.0] * 3


def test_versions_follow_source_and_options():
    """Equal when it scores alike, another one when anything changes."""

    def make(limit):
        return build(lambda output: len(output) < limit, name="short")

    assert make(3).version == make(3).version != make(4).version
    assert scorers.regex("a").version == scorers.regex("a").version != scorers.regex("b").version
    assert scorers.regex("a").named("other").version == scorers.regex("a").version
    one = scorers.judge("j", "is it good", model="m")
    assert one.version == scorers.judge("k", "is it good", model="m").version
    others = [
        scorers.judge("j", "is it bad", model="m"),
        scorers.judge("j", "is it good", model="n"),
        scorers.judge("j", "is it good", model="m", params={"temperature": 1}),
        scorers.judge("j", "is it good", model="m", scale="1-5"),
        scorers.judge("j", "is it good", model="m", few_shot=[{"output": "x", "verdict": "pass"}]),
    ]
    assert len({one.version, *(other.version for other in others)}) == 6


LIMIT = 3


def test_versions_follow_constants_partials_and_callable_objects():
    """Whatever a score depends on is part of it; an address in memory is not."""

    def short(output):
        return len(output) < LIMIT

    before = build(short).version
    globals()["LIMIT"] = 4
    assert build(short).version != before

    def compared(output, limit):
        return len(output) < limit

    partials = [build(functools.partial(compared, limit=n), name="p") for n in (1, 1, 9)]
    assert [one.score(GIVEN).value for one in partials] == [False, False, True]
    assert partials[0].version == partials[1].version != partials[2].version
    assert build(Callable_(1), name="c").version == build(Callable_(1), name="c").version
    assert build(Callable_(1), name="c").version != build(Callable_(2), name="c").version


@dataclass
class Callable_:  # noqa: N801 - named as it is used: a function
    """Equal by value, so it has no hash."""

    limit: int

    def __call__(self, output):
        return len(output) < self.limit


def test_scorers_are_known_by_name():
    """The newest of a name counts, so that a cell can be run again."""

    @scorer(name="test_registered", higher_is_better=False, range=(0, None))
    def first(output):
        """Say it in a sentence."""
        return 1

    assert scorers.get("test_registered") is first
    assert scorers.available()["test_registered"] == "Say it in a sentence."

    @scorer(name="test_registered")
    def second(output):
        return 2

    assert scorers.get("test_registered") is second


def test_unknown_names_and_wrong_options_are_said():
    """With the nearest name, and with what the factory takes."""
    with pytest.raises(NotFoundError, match="did you mean 'exact_match'"):
        scorers.get("exact_mtach")
    with pytest.raises(UsageError, match=r"regex.*pattern: str"):
        scorers.get("regex")
    with pytest.raises(UsageError, match=r"regex.*pattren"):
        scorers.get("regex", {"pattren": "x"})


def test_a_run_can_name_scorers_in_every_way():
    """By name, factory, scorer, function and mapping."""

    def mine(output):
        return True

    wanted = [
        "exact_match",
        scorers.token_f1,
        scorers.regex("x").named("has_x"),
        mine,
        {"scorer": "numeric", "name": "price", "tolerance": 0.5},
        {"scorer": "judge", "name": "kind", "criteria": "Is it kind?", "model": "m"},
    ]
    found = scorers.resolve_all(wanted)
    assert [one.name for one in found] == ["exact_match", "token_f1", "has_x", "mine", "price", "kind"]
    with pytest.raises(UsageError, match=r"two scorers are called 'regex'.*\.named\('regex_2'\)"):
        scorers.resolve_all([scorers.regex("a"), scorers.regex("b")])
    with pytest.raises(UsageError, match="this is int"):
        scorers.resolve(3)


def test_a_broken_plugin_is_said_and_stops_nothing(monkeypatch, tmp_path):
    """Loaded when it is asked for; the others go on."""
    info = tmp_path / "plug-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plug\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[lmops.scorers]\nplug_good = plug_good:score\nplug_bad = plug_bad:score\n")
    (tmp_path / "plug_good.py").write_text("def score(output):\n    return 1.0\n")
    (tmp_path / "plug_bad.py").write_text("raise RuntimeError('no licence')\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert "plug_good" not in scorers.available()
    monkeypatch.delitem(vars(_registry._KNOWN), "_offered")  # packages are looked up once a process
    assert scorers.available()["plug_good"] == "from the package plug"
    assert scorers.get("plug_good").score(GIVEN).value == 1.0
    with pytest.raises(UsageError, match=r"plug_bad.* of the package plug is broken: RuntimeError: no licence"):
        scorers.get("plug_bad")
    assert "no licence" in scorers.available()["plug_bad"]
    assert scorers.get("exact_match").score(GIVEN).value is True


def test_factories_make_scorers_with_options():
    """What is made says with what; without its options it cannot be used."""

    @scorer_factory(range=(0, 1))
    def test_made(limit: int):
        def score(output):
            return len(output) / limit

        return score

    assert test_made(6).score(GIVEN).value == 0.5
    assert repr(test_made(6)).startswith("<Scorer test_made(limit=6) ")
    with pytest.raises(UsageError, match="needs options"):
        scorers.resolve(test_made)


@pytest.mark.parametrize("name", ["", "a b", "x" * 81, "<lambda>"])
def test_bad_names_are_refused(name):
    """A name is a column of a table."""
    with pytest.raises(UsageError, match="name"):
        build(lambda output: 1, name=name)


def test_a_summary_keeps_what_is_missing_apart():
    """The mean is over values; coverage and reasons stand beside it."""
    missing = [Score.unmeasured("no reference"), Score.unmeasured("no reference"), Score.failed("x")]
    found = scorers.summarise([Score.of(True), Score.of(0.5), *missing])
    assert (found.n, found.total, found.mean, found.coverage) == (2, 5, 0.75, 0.4)
    assert found.reasons == {("unmeasured", "no reference"): 2, ("error", "x"): 1}
    assert scorers.summarise([]).mean is None


class _SilentError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


@pytest.mark.parametrize("error", [SystemExit(1), _SilentError()])
@pytest.mark.parametrize("is_async", [False, True])
def test_a_scorer_cannot_end_the_program(error, is_async):
    """Code that calls sys.exit, or an error that cannot be printed, is an error of that score."""

    def fails(output):
        raise error

    async def fails_later(output):
        raise error

    found = build(fails_later if is_async else fails, name="f")
    assert asyncio.run(found.ascore(GIVEN)).reason.startswith(type(error).__name__)
    assert found.score(GIVEN).status == "error"


@pytest.mark.parametrize(
    ("returned", "status", "value"),
    [
        (Score(value=0.0, status="error", reason="broken"), "error", None),
        (Score(value=1.0, status="unmeasured"), "unmeasured", None),
        (Score(value=1.0, status="great"), "error", None),
        (Score(value=1.0, rationale=["a", "b"], detail=[1]), "value", 1.0),
    ],
)
def test_a_score_is_made_consistent(returned, status, value):
    """No number beside an error, no unknown status, words as text: it can be stored and averaged."""
    found = build(lambda output: returned, name="f").score(GIVEN)
    assert (found.status, found.value) == (status, value)
    assert found.rationale is None or isinstance(found.rationale, str)
    assert found.detail is None or isinstance(found.detail, dict)


def test_a_version_is_there_whatever_the_options():
    """Keys that are no texts, and values that hold themselves."""
    itself: list[object] = []
    itself.append(itself)
    for options in ({"weights": {1: 2, "a": 3}}, {"weights": {(1, 2): 3}}, {"weights": itself}):
        assert len(build(lambda output: 1, name="f", options=options).version) == 16
