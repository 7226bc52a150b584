"""Anchors: answers that stay the same tell a judge that moved from an application that did."""

from __future__ import annotations

import json
import random
import time
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from lmops.errors import ModelError, UsageError
from lmops.monitors import Monitors
from lmops.monitors._moved import shift_of
from lmops.scorers import judge
from lmops.store import this_process
from lmops.times import to_ns
from tests.monitors.traffic import MINUTE, add, day, sessions

ITEMS = 40
POLITE = judge("polite", "Is it polite?", model="m")


class Stricter:
    """A model that passes every answer but those whose number is below a bar, which somebody may raise."""

    def __init__(self, bar=8):
        self.bar = bar
        self.asked = 0
        self.is_gone = False

    async def acomplete(self, _model, messages, **_options):
        self.asked += 1
        if self.is_gone:
            raise ModelError("it is gone", kind="connection")
        number = int(str(messages).split("answer number ")[1][:3])
        return SimpleNamespace(content="fail" if number < self.bar else "pass", cost_usd=0.01, model="m", usage=None)


@pytest.fixture
def model():
    return Stricter()


@pytest.fixture
def monitors(ws, model):
    """Monitors of a workspace whose dataset has forty answers."""
    rows = [{"example_id": f"e{at}", "input": "q", "output": f"answer number {at * 5 // 2:03}"} for at in range(ITEMS)]
    ws.datasets.save("golden", rows)
    found = Monitors(replace(ws.project, now=lambda: day(0)), models=lambda: model)
    found.anchor(POLITE, "golden")
    return found


def test_verdicts_are_kept_once(ws, monitors, model):
    """Asked three times at once; the same call again asks nobody and is the same monitor."""
    assert model.asked == 3 * ITEMS
    found = monitors.anchor("judge:polite", "golden")
    assert (model.asked, found.items, found.repeats, found.differs) == (3 * ITEMS, ITEMS, 3, 0.0)
    assert found.cost_usd == pytest.approx(1.2)
    assert "40 of golden@1" in found.text
    assert monitors.list()["name"].tolist() == ["anchor-polite"]
    assert ws.audit.verify().ok


def test_a_judge_that_moved_is_found(ws, monitors, model):
    """A model that got stricter under the same name: the check that asks it next but one, at the latest, says so."""
    assert [monitors.check(at=day(number)).outcome for number in (1, 2, 3)] == ["quiet"] * 3
    model.bar = 50
    reports = [monitors.check(at=day(number)) for number in (4, 5)]
    (alert,) = reports[-1].firing
    assert alert.monitor == "anchor-polite"
    assert abs(alert.since_at - day(4)) < MINUTE
    assert ws.sql("select count(*) from anchor_verdicts where sweep > 2").fetchall() == [(5 * ITEMS,)]


def test_a_judge_is_asked_again_when_it_is_time(monitors, model):
    """Not by a check an hour later, and not twice by two checks of one time."""
    asked = model.asked
    monitors.check(at=day(0, 1))
    assert model.asked == asked
    monitors.check(at=day(1))
    monitors.check(at=day(1))
    assert model.asked == asked + ITEMS


def test_a_judge_that_cannot_be_asked_is_said(monitors, model):
    """The check goes on, nothing is written, and the next one asks again."""
    model.is_gone = True
    found = monitors.check(at=day(1))
    assert "polite@1 was asked for 0 of 40 anchors" in found.notes[0]
    model.is_gone = False
    assert monitors.check(at=day(1, 1)).notes == ()


def test_of_two_processes_one_asks(ws, monitors, model):
    """What somebody who is alive asks is left to them."""

    with ws.store.transaction() as con:
        con.execute("insert into anchor_claims values ('polite', 1, ?, ?, ?, ?)", (*this_process(), time.time_ns()))
    asked = model.asked
    monitors.check(at=day(1))
    assert model.asked == asked


@pytest.mark.parametrize(
    ("given", "said"),
    [({"dataset": "few"}, "10 are needed"), ({"repeats": 1}, "twice at least"), ({"budget_usd": 0}, "above 0"),
     ({"budget_usd": 0.001}, "nothing is kept")],
)  # fmt: skip  # cases that belong together share a line
def test_what_cannot_be_anchored_is_refused(ws, monitors, given, said):
    """The error says what is needed."""
    ws.datasets.save("few", [{"input": "q", "output": "answer number 001"}])
    other = judge("kind", "Is it kind?", model="m")
    with pytest.raises(UsageError, match=said):
        monitors.anchor(other, **{"dataset": "golden", **given})


def test_a_judge_keeps_its_anchors(ws, monitors):
    """Other answers are of another version."""
    ws.datasets.save("other", [{"input": "q", "output": f"answer number {at:03}"} for at in range(12)])
    with pytest.raises(UsageError, match="has its anchors in golden@1"):
        monitors.anchor("judge:polite", "other")


def judged(ws, monitors, begin, end, *, most=100, app=0.1):
    """Write sessions whose answers have a number below one, below 14 in the app; let the judge say what it says."""
    rng, rows = random.Random(to_ns(begin)), []
    for row in sessions(begin, end, every=20 * MINUTE, name="j", input="q"):
        service = "app" if rng.random() < app else "web"
        answer = f"answer number {rng.randrange(14 if service == 'app' else most):03}"
        rows.append({**row, "name": "chat", "service": service, "output": answer})
    add(ws, rows)
    monitors.score("judge:polite", sample=1.0, since=begin, progress=False)


def found_by(monitors):
    """Look at the scores and the anchors of the last two days, and return what moved."""
    monitors.check(at=day(5))
    monitors.check(at=day(6))
    (alert,) = [one.alert for one in monitors.unresolved() if one.monitor == "polite"]
    return monitors.moved(alert)


@pytest.fixture
def scored(ws, monitors):
    """Four days of traffic that the judge has scored, and a monitor of its scores."""
    judged(ws, monitors, day(0), day(4))
    monitors.save("polite", metric="score.polite")
    monitors.check(at=day(4))
    return monitors


def test_a_judge_that_moved_is_told_from_an_application(ws, scored, model):
    """A stricter model fails more of the same answers, and of the anchors as well: by as much."""
    model.bar = 50
    judged(ws, scored, day(4), day(6))
    found = found_by(scored)
    assert found.which == "judge"
    assert found.shift_low < -0.42 < found.shift_high
    assert "on 40 anchors the judge polite@1 moved by" in found.text


def test_an_application_that_moved_is_told_from_a_judge(ws, scored):
    """Its answers are worse, and of its anchors the judge says what it said."""
    judged(ws, scored, day(4), day(6), most=14)
    found = found_by(scored)
    assert (found.which, found.shift) == ("application", 0.0)
    assert "which cannot be all of the change" in found.words
    assert "the application moved" in found._repr_html_()


def test_traffic_that_moved_is_told_from_both(ws, scored):
    """Neither answers as it did not: there is more of what was always worse."""
    judged(ws, scored, day(4), day(6), app=0.9)
    found = found_by(scored)
    assert found.which == "traffic"
    assert "more of app" in found.words


def test_a_model_that_moved_under_its_name_is_told_from_an_application(ws):
    """Its system fingerprint accounts for longer answers; nobody here released anything."""
    for begin, end, mark, size in ((day(0), day(4), "fp_1", 100), (day(4), day(6), "fp_2", 300)):
        told = json.dumps({"openai.response.system_fingerprint": mark})
        add(ws, sessions(begin, end, output="x" * size, attributes=told, name=mark))
    ws.monitors.save("length", metric="answer_length")
    (alert,) = ws.monitors.check(at=day(5)).firing
    found = ws.monitors.moved(alert.alert)
    assert found.which == "model"
    assert "fp_1 → fp_2" in found.words
    assert "the model moved under its name" in found.text


def test_a_judge_without_anchors_cannot_be_told(ws, monitors):
    """Nothing says whether it moved, and the words say what would."""
    judged(ws, monitors, day(0), day(4))
    judged(ws, monitors, day(4), day(6), most=14)
    with ws.project.change() as change:
        change.delete("judge_anchors", "polite", 1)
        change.say("judge.unanchor", "polite@1")
    monitors.save("polite", metric="score.polite")
    found = found_by(monitors)
    assert found.which == "cannot tell"
    assert "ws.monitors.anchor('judge:polite'" in found.words


def test_limits_of_a_shift_hold_it():
    """In 95 of 100 draws of forty answers, also where hardly any moves."""
    rng = np.random.default_rng(0)
    for falls, rises in ((0.0, 0.0), (0.02, 0.0), (0.3, 0.05), (0.9, 0.0)):
        told = [shift_of(rng.choice([-1.0, 1.0, 0.0], 40, p=[falls, rises, 1 - falls - rises])) for _ in range(400)]
        held = sum(one.low <= rises - falls <= one.high for one in told)
        assert held >= 370, (falls, rises)
