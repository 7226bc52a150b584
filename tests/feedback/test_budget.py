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


def worded(name, temperature, least, *, shift=0, as_name=None):
    """Return a judge that passes so many of ten answers; the shift makes it another ten."""
    options = {"criteria": name, "params": {"temperature": temperature}}
    found = build(lambda output, repeat: (int(output) + 3 * repeat + shift) % 10 < least, name=as_name or name)
    return replace(found, kind="judge", options=options)


def answered(ws, judges, name, repeats=2):
    """Return a run of sixty cases, whose answers these judges judge."""
    rows = [{"id": n, "input": str(n)} for n in range(60)]
    return ws.evals.run(lambda given: given, rows, judges, repeats=repeats, progress=False, name=name)


def test_noise_wording_and_temperature(ws):
    """Judges that ask the same in other words and at another temperature, in one run: each has its part."""
    judges = [
        replace(worded(name, heat, least), name=f"{name}-{heat}")
        for name, least in (("kind", 6), ("friendly", 3))
        for heat in (0, 1)
    ]
    run = answered(ws, judges, "x")
    found = ws.feedback.budget(run, judge=[one.name for one in judges])
    assert share(found, "wording") > 0.3
    assert share(found, "judge noise") > 0
    assert share(found, "temperature") == 0
    assert found.unknown == ()
    assert found.notes == ("judge bias is not known: there are several versions of the judge",)
    assert any("another wording than the 2" in one.advice for one in found.steps)
    with pytest.raises(UsageError, match="there are several judges: kind-0"):
        ws.feedback.budget(run)


def test_what_moved_together_is_one_part(ws):
    """Nothing tells apart other words from another temperature where the one never came without the other."""
    run = answered(ws, [worded("kind", 0, 6), worded("friendly", 1, 3)], "x")
    found = ws.feedback.budget(run, judge=["kind", "friendly"])
    assert share(found, "wording and temperature") > 0.3
    assert set(found.df().source) == {"items", "judge noise", "judge bias", "wording and temperature"}


def test_what_is_not_known_says_what_to_run(ws):
    """One judge asked once tells of neither; a run that asked it otherwise on the same examples is named, and tells."""
    run = answered(ws, [worded("kind", 0, 6)], "one", repeats=1)
    found = ws.feedback.budget(run)
    assert [one.partition(" is not known: ")[0] for one in found.unknown] == ["judge noise", "wording", "temperature"]
    assert "run it with repeats=2" in found.text
    assert "judge the same answers in other words" in found.text
    other = answered(ws, [worded("friendly", 0, 3, as_name="kind")], "two", repeats=1)
    told = ws.feedback.budget(run)
    assert f"another in {other.run_id} on the same examples" in told.text
    both = ws.feedback.budget([run, other])
    assert share(both, "wording") > 0.3
    assert not any(one.startswith("wording") for one in both.unknown)


def test_the_wording_of_a_difference_is_not_measured(ws):
    """It says where it is."""
    runs = [answered(ws, [worded("kind", 0, 6, shift=shift)], name) for shift, name in ((0, "a"), (3, "b"))]
    found = ws.feedback.budget(ws.evals.compare(*runs, allow_changed=True), judge="kind")
    assert (
        "wording is not known: of a difference it is not measured; the budget of either run tells it" in found.unknown
    )


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
