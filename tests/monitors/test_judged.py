"""Monitors of what a judge says: what people would say where that is known, and what is said where it is not."""

from __future__ import annotations

import numpy as np
import pytest

from lmops.monitors import Monitors, boards
from lmops.scorers import build
from tests.monitors.traffic import MINUTE, add, day, sessions

SENSITIVITY, SPECIFICITY = 0.9, 0.8
POLITE = build(lambda output: output == "pass", name="polite", kind="judge", range=(0, 1))


def judged(ws, begin, end, truth, *, seed=0, every=10 * MINUTE, scorer=POLITE):
    """Write sessions of which people would pass a share, and what a judge says of them who errs as above."""
    rng = np.random.default_rng(seed)

    def verdict(_number):
        says_pass = SENSITIVITY if rng.random() < truth else 1 - SPECIFICITY
        return "pass" if rng.random() < says_pass else "fail"

    add(ws, sessions(begin, end, every=every, name=f"j{seed}", input="q", output=verdict))
    ws.monitors.score(scorer, since=begin, progress=False)


def calibrate(ws, scorer=POLITE, *, n=400):
    """Measure the judge on labels of which it gets exactly its shares right."""
    right = {"pass": round(n * SENSITIVITY), "fail": round(n * SPECIFICITY)}
    other = {"pass": "fail", "fail": "pass"}
    labels = [
        {"item": f"{label}-{at}", "label": label, "verdict": label if at < right[label] else other[label]}
        for label in right
        for at in range(n)
    ]
    return ws.feedback.calibrate("polite", labels, version=scorer.version)


@pytest.fixture
def dropped(ws):
    """A workspace in which people would pass .9 of the answers for four days, then .5."""
    judged(ws, day(0), day(4), 0.9)
    judged(ws, day(4), day(6), 0.5, seed=1)
    ws.monitors.save("polite", metric="score.polite")
    return ws


def test_an_alert_says_what_people_would_say(dropped):
    """Estimate, limits and baseline are corrected; what the judge says stands beside them."""
    calibrate(dropped)
    found = dropped.monitors.check(at=day(6))
    (alert,), (row,) = found.firing, found.series
    assert alert.low < 0.5 < alert.high
    assert row["estimate"] == pytest.approx(0.5, abs=0.12)
    assert row["baseline"] == alert.baseline == pytest.approx(0.9, abs=0.06)
    assert "as people would say it by calibration 1 (the judge: 0." in alert.words


def test_without_a_calibration_an_alert_says_whose_words_it_has(dropped):
    """The judge's own rates, and that nobody knows what they are worth."""
    (alert,) = dropped.monitors.check(at=day(6)).firing
    assert alert.baseline == pytest.approx(0.9 * SENSITIVITY + 0.1 * (1 - SPECIFICITY), abs=0.04)
    assert alert.words.endswith(", as the judge says it: it is uncalibrated")


def test_nothing_is_corrected_by_what_another_version_was_worth(dropped):
    """A calibration of another prompt of the judge is stale."""
    calibrate(dropped, build(lambda output: output != "fail", name="polite", kind="judge"))
    (alert,) = dropped.monitors.check(at=day(6)).firing
    assert "as the judge says it: its calibration is stale, the judge's version was" in alert.words


def test_two_versions_in_one_time_are_said(ws):
    """Of two judges that err otherwise nobody knows what a common rate is worth."""
    judged(ws, day(0), day(1), 0.9)
    judged(ws, day(1), day(2), 0.9, seed=1, scorer=build(lambda output: output != "fail", name="polite", kind="judge"))
    ws.monitors.save("polite", metric="score.polite", window="2d", baseline="first 1d")
    (row,) = ws.monitors.check(at=day(2)).series
    assert row["words"].endswith(", as the judge says it: 2 versions of it spoke")


def test_a_judge_that_fails_many_is_watched(ws):
    """Where more than a quarter fail already, more of them are noticed all the same."""
    judged(ws, day(0), day(4), 0.6)
    judged(ws, day(4), day(6), 0.1, seed=1)
    ws.monitors.save("polite", metric="score.polite")
    assert len(ws.monitors.check(at=day(6)).firing) == 1


def test_a_threshold_is_held_against_what_people_would_say(ws):
    """People pass .9, the judge says .83: a limit of .85 is kept, and nothing fires."""
    judged(ws, day(0), day(6), 0.9)
    calibrate(ws)
    ws.monitors.save("polite", metric="score.polite", method="threshold", limit=0.85, window="6d")
    (row,) = ws.monitors.check(at=day(6)).series
    assert (row["status"], row["baseline"]) == ("quiet", 0.85)
    assert row["low"] < 0.9 < row["high"]
    assert row["estimate"] > 0.85


def test_intervals_hold_what_people_would_say(ws):
    """Of twelve windows with a planted truth, hardly one misses it."""
    judged(ws, day(0), day(12), 0.9, every=15 * MINUTE)
    calibrate(ws)
    ws.monitors.save("polite", metric="score.polite", method="threshold", limit=0.1, window="1d", direction="below")
    rows = [ws.monitors.check(at=day(number, 1)).series[0] for number in range(1, 13)]
    assert sum(not row["low"] <= 0.9 <= row["high"] for row in rows) <= 1


def test_the_dashboard_shows_all_of_a_tile_on_one_basis(dropped):
    """Window, baseline, the week before and every point, as people would say them."""
    calibrate(dropped)
    dropped.monitors.check(at=day(6))
    (tile,) = boards.tiles(dropped.project, dropped.monitors.current(), last="6d", every="1d")
    assert tile.title.endswith("as people would say it by calibration 1")
    assert tile.now[1] == pytest.approx(0.5, abs=0.12)
    assert tile.baseline[0] == pytest.approx(0.9, abs=0.06)
    assert tile.points[0][2] == pytest.approx(0.9, abs=0.15)


async def asks(output, complete):
    """What the model says of an answer."""
    return (await complete("m", [{"role": "user", "content": output}])).content == "good"


def test_what_is_judged_for_a_reason_is_no_alarm(ws, model):
    """From the fifth day on all bad answers are judged and few of the good: the detector counts as before."""
    monitors = Monitors(ws.project, models=lambda: model)
    asked = build(asks, name="asked", kind="judge", range=(0, 1))
    add(ws, sessions(day(0), day(7), input="q", output=lambda number: "bad" if number % 7 == 0 else "good"))
    monitors.score(asked, sample=0.5, until=day(4), progress=False)
    monitors.score(asked, sample=0.5, more="output = 'bad'", since=day(4), progress=False)
    raw = ws.sql("select avg(score) from trace_scores where start_at >= $at", {"at": day(4)}).fetchall()[0][0]
    monitors.save("asked", metric="score.asked")
    (row,) = monitors.check(at=day(7)).series
    assert raw < 0.8
    assert row["status"] == "quiet"
    assert row["estimate"] == pytest.approx(6 / 7, abs=0.08)
