"""The notebook of the whole loop runs, and what it measures is held against what really happened."""

from __future__ import annotations

import json
import math
from collections import Counter
from pathlib import Path

import nbformat
import pytest

from lmops import scorers
from lmops.sample import raters

NOTEBOOK = Path(__file__).resolve().parents[2] / "notebooks" / "04_feedback.ipynb"


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """(the workspace that the notebook left, the notebook as it was run)."""
    import lmops
    from tests import warm

    with pytest.MonkeyPatch.context() as patched, lmops.open(tmp_path_factory.mktemp("loop") / ".lmops") as ws:
        warm.use(patched)
        run = ws.runbooks.run(NOTEBOOK, progress=False, html=False).raise_for_status()
        yield ws, nbformat.read(run.notebook_path, 4)


def verdicts(ws, rater):
    """Return trace -> whether a rater passed it."""
    query = "select trace_id, field_values ->> '$.verdict.value' from labels where queue = 'sample' and rater = ?"
    return {trace_id: value == "pass" for trace_id, value in ws.sql(query, [rater]).fetchall()}


@pytest.mark.slow
def test_thumbs_arrive_and_the_traces_that_matter_are_queued(told):
    """All votes of the file; those down are in one queue, a random sample with its probability in the other."""
    ws, _ = told
    downs = ws.sql("select count(*) from feedback where value = 'down'").fetchall()[0][0]
    assert (ws.sql("select count(*) from feedback").fetchall()[0][0], downs) == (171, 80)
    queues = ws.feedback.queues.list().set_index("queue")["count"].to_dict()
    assert queues == {"unhappy": downs, "sample": 240}
    shares = set(ws.feedback.queues.items("sample")["probability"].round(9))
    assert shares == {round(240 / 1934, 9)}


@pytest.mark.slow
def test_what_users_disliked_is_what_went_wrong(told):
    """The expert who labelled it is never wrong: its problems are those of the truth."""
    ws, _ = told
    query = "select trace_id, field_values ->> '$.problem' from labels where queue = 'unhappy'"
    found = dict(ws.sql(query).fetchall())
    assert found == {one: raters.truth()[one]["problem"] for one in found}
    assert Counter(found.values()).most_common(2) == [("fact missing", 35), ("made up", 22)]


@pytest.mark.slow
@pytest.mark.parametrize("rater", raters.PAIR, ids=lambda one: one.name)
def test_simulated_raters_err_as_often_as_they_say(told, rater):
    """Within what chance allows of the error rates that they were given."""
    said = verdicts(told[0], rater.name)
    for is_right, rate in ((True, rater.sensitivity), (False, 1 - rater.specificity)):
        passed = [said[one] for one in said if raters.truth()[one]["is_right"] is is_right]
        spread = math.sqrt(rate * (1 - rate) / len(passed))
        assert abs(sum(passed) / len(passed) - rate) < 3 * spread


@pytest.mark.slow
def test_agreement_is_what_their_error_rates_say(told):
    """Raw agreement lies where the two error rates put it."""
    ws, _ = told
    frame = ws.feedback.agreement(ws.feedback.queues.get("sample")).df()
    row = frame[frame["field"] == "verdict"].iloc[0]
    ids = list(ws.feedback.queues.items("sample")["trace_id"])
    expected = raters.expected_agreement(raters.PAIR, ids)
    assert abs(row["raw"] - expected) < 3 * math.sqrt(expected * (1 - expected) / len(ids))


@pytest.mark.slow
def test_what_is_left_after_decisions_is_what_both_got_wrong(told):
    """In dispute is only what was labelled anew; a label is wrong only where both raters were."""
    ws, _ = told
    assert set(ws.feedback.queues.disagreements("sample")["position"]) <= {1}
    first, second = (verdicts(ws, rater.name) for rater in raters.PAIR)
    truth = {one: raters.truth()[one]["is_right"] for one in second}
    both_wrong = {one for one in truth if first.get(one) is (not truth[one]) and second[one] is (not truth[one])}
    labelled = {one.trace_id: one.labels["verdict"] for one in ws.datasets.get("labelled@1").examples}
    wrong = {one for one, said in labelled.items() if (said["value"] == "pass") is not truth[one]}
    assert wrong == both_wrong
    assert len(wrong) < 0.05 * len(truth)


@pytest.mark.slow
def test_the_corrected_rate_covers_the_truth_and_the_raw_one_does_not(told):
    """The judge is off by more than its own interval; the calibration knows by how much."""
    ws, _ = told
    judge = scorers.judge("supported", raters.CRITERION, model="standin:judge-1", documents=True, reference=False)
    rows = ws.sql("select value, trace_id from scores join runs using (run_id) where dataset = 'traffic@1'").fetchall()
    seen = [(value, trace_id) for value, trace_id in rows if value is not None]
    passes, truth = sum(value for value, _ in seen), raters.true_rate([trace_id for _, trace_id in seen])
    found = ws.feedback.calibration(judge).corrected(passes, len(seen))
    raw, spread = passes / len(seen), math.sqrt(truth * (1 - truth) / len(seen))
    assert abs(raw - truth) > 5 * spread
    assert found.low < truth < found.high
    assert abs(found.estimate - truth) < abs(raw - truth)


@pytest.mark.slow
def test_the_gate_waits_for_the_calibration(told):
    """The same runs and criteria: refused before, decided after; the version that makes things up does not pass."""
    ws, _ = told
    before, after, third = (
        json.loads(row[0])["results"] for row in ws.sql("select detail from verdicts order by event_id").fetchall()
    )
    doubts = [[one["name"] for one in results if one["name"].endswith(".calibration")] for results in (before, after)]
    assert doubts == [["supported.calibration"], []]
    assert next(one for one in third if one["name"] == "supported.max_loss")["outcome"] != "pass"


@pytest.mark.slow
def test_labelling_anew_makes_a_version_that_says_so(told):
    """The data set of the labels, the splits, and one label more."""
    notes = [
        row[0]
        for row in told[0].sql("select note from datasets where dataset = 'labelled' order by version").fetchall()
    ]
    assert notes[0].startswith("labels of queue sample: 240 new")
    assert notes[-1] == "labels of queue sample: 0 new, 1 with other labels, 0 with another expected answer"
    assert told[0].audit.verify().ok


@pytest.mark.slow
def test_it_reads_without_a_kernel(told):
    """No error, no widget state; what it says of the truth stands in it."""
    outputs = [output for cell in told[1].cells for output in cell.get("outputs", [])]
    assert all(output.output_type != "error" for output in outputs)
    assert any("in truth         84.1%" in output.get("text", "") for output in outputs)
    assert "widgets" not in told[1].metadata
