"""The error budget of what a judge found, and the queue of the labels that tell most."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from lmops.calc.active import sampled_mean
from lmops.errors import NotFoundError, UsageError
from lmops.scorers import build
from tests.evals.judged import JUDGE, calibrated, judged, labelled, truth

SAID, OLD = truth(400, rate=0.7, seed=1), truth(400, rate=0.5, seed=2)


@pytest.fixture
def run(ws):
    return judged(ws, SAID, "new")


def share(found, source):
    return found.df().set_index("source").share[source]


def test_parts_of_a_rate(ws, run):
    """Few examples and the judge's bias; without repeats its noise is not known. The best step comes first."""
    calibrated(ws)
    found = ws.feedback.budget(run)
    assert share(found, "items") + share(found, "judge bias") == pytest.approx(1)
    assert math.isnan(share(found, "judge noise"))
    assert found.notes == ("judge bias by calibration 1",)
    (one,) = run.summary()
    assert found.found.estimate == pytest.approx(one.corrected)
    assert found.found.half_width == pytest.approx((one.corrected_high - one.corrected_low) / 2, rel=0.15)
    assert [one.se for one in found.steps] == sorted(one.se for one in found.steps)
    assert {one.what for one in found.steps} == {"items", "labels", "cases"}
    assert found.steps[0].advice in found.text
    assert "few examples" in found._repr_html_()


def test_bias_without_a_calibration(ws, run):
    """By labels on the very cases; else it is not known, and says so."""
    assert ws.feedback.budget(run).notes == ("judge bias is not known: the judge is uncalibrated",)
    labelled(ws, run, SAID)
    assert ws.feedback.budget(run).notes == ("judge bias by 60 labels on these cases",)


def test_parts_of_a_difference(ws, run):
    """Of a comparison; both sides' cases are drawn together."""
    calibrated(ws)
    found = ws.feedback.budget(ws.evals.compare(run, judged(ws, OLD, "old")), judge="polite")
    assert found.is_difference
    assert share(found, "items") > share(found, "judge bias")
    drawn = found.draw(40, seed=1)
    assert {one.run_id for one in drawn} == set(found.runs)
    assert len({(one.example_id, one.probability) for one in drawn}) == len(drawn) / 2


def test_noise_wording_and_temperature(ws):
    """Repeats, and judges that ask the same in other words, tell how much of the error is theirs."""

    def worded(name, temperature, least):
        options = {"criteria": name, "params": {"temperature": temperature}}
        found = build(lambda output, repeat: (int(output) + repeat) % 10 < least, name=name)
        return replace(found, kind="judge", options=options)

    judges = [worded("kind", 0, 6), worded("friendly", 1, 3)]
    rows = [{"id": n, "input": str(n)} for n in range(60)]
    run = ws.evals.run(lambda given: given, rows, judges, repeats=2, progress=False, name="x")
    found = ws.feedback.budget(run, judge=["kind", "friendly"])
    assert share(found, "wording") > 0.3
    assert share(found, "judge noise") > 0
    assert found.notes == ("judge bias is not known: there are several versions of the judge",)
    with pytest.raises(UsageError, match="there are several judges: kind, friendly"):
        ws.feedback.budget(run)


def test_a_queue_in_one_call(ws, run):
    """Cases that the judge is more often wrong about are likelier; the run's rate is corrected by their weights."""
    calibrated(ws, sensitivity=0.95, specificity=0.6)
    ws.feedback.schemas.save("verdict")
    queue = ws.feedback.queue("next", ws.feedback.budget(run), schema="verdict", n=120)
    assert queue.strategy == "active"
    rows = ws.feedback.queues.items("next")
    by_verdict = {judge: set() for judge in (True, False)}
    for row in rows.itertuples():
        by_verdict[SAID[row.example_id][1]].add(row.probability)
        value = "pass" if SAID[row.example_id][0] else "fail"
        ws.feedback.queues.label("next", row.position, {"verdict": value}, rater="ann")
    assert [len(chances) for chances in by_verdict.values()] == [1, 1]
    assert max(by_verdict[True]) > max(by_verdict[False])
    (one,) = run.summary()
    known = {row.example_id: row.probability for row in rows.itertuples()}
    wanted = sampled_mean(
        [float(human) if name in known else math.nan for name, (human, _) in SAID.items()],
        [float(judge) for _, judge in SAID.values()],
        [known.get(name, 1.0) for name in SAID],
    )
    assert (one.ppi, one.ppi_low) == pytest.approx((wanted.estimate, wanted.low))
    assert one.ppi_low < 0.7 < one.ppi_high


def test_a_queue_that_is_half_done(ws, run):
    """What is labelled so far stands for the rest: the rate is as unbiased as that of the whole."""
    calibrated(ws, sensitivity=0.95, specificity=0.6)
    ws.feedback.schemas.save("verdict")
    ws.feedback.queue("next", ws.feedback.budget(run), schema="verdict", n=200)
    for row in ws.feedback.queues.items("next").itertuples():
        if row.position % 2:
            value = "pass" if SAID[row.example_id][0] else "fail"
            ws.feedback.queues.label("next", row.position, {"verdict": value}, rater="ann")
    (one,) = run.summary()
    assert one.ppi_low < 0.68 < one.ppi_high
    assert one.ppi_high - one.ppi_low < 0.3


def test_labels_that_tell_most_calibrate_nothing(ws, run):
    """They were chosen by the judge's verdicts."""
    calibrated(ws)
    ws.feedback.schemas.save("verdict")
    ws.feedback.queue("next", ws.feedback.budget(run), schema="verdict", n=20)
    ws.feedback.queues.label("next", 1, {"verdict": "pass"}, rater="ann")
    with pytest.raises(UsageError, match="its items were chosen by what the judge said"):
        ws.feedback.calibrate(JUDGE)


def test_what_has_no_budget(ws, run):
    """No run, no judge, a scorer that is not there."""
    with pytest.raises(UsageError, match="give a run, several of them, or a comparison"):
        ws.feedback.budget(3)
    with pytest.raises(NotFoundError, match="there is no run 'run-nothing'"):
        ws.feedback.budget("run-nothing")
    with pytest.raises(NotFoundError, match="polit"):
        ws.feedback.budget(run, judge="polit")
    plain = ws.evals.run(lambda given: given, [{"id": 1, "input": "x", "expected": "x"}], ["exact_match"],
                         progress=False, name="plain")  # fmt: skip  # arguments that belong together share a line
    with pytest.raises(UsageError, match="no judge scored here"):
        ws.feedback.budget(plain)
