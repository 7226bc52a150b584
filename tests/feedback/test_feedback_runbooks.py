"""The runbooks of feedback: what they decide, also where there is nothing to decide on, and how they fail."""

from __future__ import annotations

import pytest

from lmops import scorers
from tests.store.helpers import span

pytestmark = pytest.mark.usefixtures("warm_kernels")
CATEGORIES = [{"name": "problem", "kind": "category", "options": ["none", "rude", "wrong"]}]


def start(ws, book, /, **given):
    return ws.runbooks.run(book, given, progress=False, html=False)


def decided(ws, book, /, **given):
    """Return (decision, reasons) of a runbook."""
    result = start(ws, book, **given).raise_for_status().result
    return result["decision"], " ".join(result["reasons"])


def score(ws):
    """Run a judge over 60 recorded answers: it fails every third, which refuses."""
    answers = [
        {"id": f"e{n:02d}", "input": "?", "output": "Sorry." if n % 3 == 0 else "Dogs travel free."} for n in range(60)
    ]
    ws.datasets.save("cases", answers)
    judge = scorers.judge("supported", "Nothing is made up.", model="standin:judge-1")
    run = ws.evals.run("recorded", "cases", [judge], tracing=False)
    ws.feedback.schemas.save("support")
    ws.feedback.queue("q", run, schema="support")


@pytest.fixture
def judged(made_once):
    """A run that a judge scored."""
    with made_once(score) as ws:
        yield ws


def label(ws, queue, says, *, rater="ann"):
    """Label every item: ``says`` gives the verdict by the number of the answer."""
    for position, example in ws.feedback.queues.items(queue)[["position", "example_id"]].itertuples(index=False):
        ws.feedback.queues.label(queue, position, {"verdict": says(int(example[1:]))}, rater=rater)


def mostly(number):
    """Say what the judge says, but for every tenth."""
    return "pass" if (number % 3 != 0) is (number % 10 != 0) else "fail"


def test_a_judge_that_nobody_checked_is_uncalibrated(judged):
    """A dry run says so and keeps nothing; where nobody labelled there is nothing to measure."""
    assert decided(judged, "judge_calibration") == ("uncalibrated", "dry_run=false measures it")
    decision, why = decided(judged, "judge_calibration", dry_run=False)
    assert (decision, "people labelled nothing of what judge 'supported' judges" in why) == ("no data", True)
    assert judged.sql("select count(*) from calibrations").fetchall() == [(0,)]


def test_a_judge_is_calibrated_once_and_kept(judged):
    """The second run holds newer labels against it, finds none, and leaves it."""
    label(judged, "q", mostly)
    given = {"width": 0.6, "queue": "q", "dry_run": False}
    assert decided(judged, "judge_calibration", **given)[0] == "calibrated"
    result = start(judged, "judge_calibration", **given).raise_for_status().result
    assert (result["decision"], result["ids"]["calibration"]) == ("calibrated", 1)
    assert result["summary"]["n_pass"] + result["summary"]["n_fail"] == 60
    decision, why = decided(judged, "judge_calibration", width=0.02)
    assert decision == "needs labels"
    assert "more" in why


def test_newer_labels_that_disagree_make_it_stale_and_the_next_run_measures_anew(judged):
    """stale is said once, with why; then there is another record."""
    label(judged, "q", mostly)
    assert decided(judged, "judge_calibration", width=0.6, dry_run=False)[0] == "calibrated"
    judged.feedback.queue("later", judged.evals.get(judged.evals.list()["run_id"][0]), schema="support")
    label(judged, "later", lambda number: "fail" if number % 3 else "pass", rater="bob")
    decision, why = decided(judged, "judge_calibration", queue="later", dry_run=False)
    assert (decision, "newer labels" in why) == ("stale", True)
    result = start(judged, "judge_calibration", queue="q", width=0.6, dry_run=False).raise_for_status().result
    assert (result["decision"], result["ids"]["calibration"]) == ("calibrated", 2)


def test_labels_of_one_class_are_not_enough(judged):
    """Nobody failed anything: what to label is said."""
    label(judged, "q", lambda _number: "pass")
    decision, why = decided(judged, "judge_calibration", dry_run=False)
    assert decision == "needs labels"
    assert "no label says fail yet" in why


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"judge": "suported"}, "judges of runs: supported"),
        ({"queue": "qq"}, "no queue named 'qq'"),
        ({"width": 0.0, "dry_run": False}, "width must be above 0"),
    ],
)
def test_a_slip_fails_the_calibration(judged, given, words):
    """The failing cell and the message are recorded."""
    label(judged, "q", mostly)
    run = start(judged, "judge_calibration", **given)
    assert run.status == "failed"
    assert words in run.error


# -- the digest ------------------------------------------------------------------------------------------------------

DAY_NS = 86_400_000_000_000
START_NS = 1_772_323_200_000_000_000
IDS = [f"{n:032x}" for n in range(1, 41)]


def vote(ws):
    """Record forty traces in two weeks; everybody liked those of the first, hardly anybody those of the second."""
    for n, trace_id in enumerate(IDS):
        at = START_NS + n * DAY_NS * 14 // 40
        ws.store.append_many(
            {"spans": [span("t", "root", trace_id=trace_id, span_id="1" * 16, start_ns=at, end_ns=at + 1)]}
        )
        value = "up" if n < 20 or n % 10 == 0 else "down"
        ws.feedback.record(trace_id, value=value, user=f"u{n}", comment=None if value == "up" else "<b>no</b>")


@pytest.fixture
def voted(made_once):
    """Traces of two weeks with what users said of them."""
    with made_once(vote) as ws:
        yield ws


def test_a_digest_of_nothing_says_so(ws):
    """An empty store is no data, and no error; signals without a trace are none of the traffic's."""
    assert decided(ws, "feedback_digest") == ("no data", "nobody said anything, and there is no queue")
    ws.feedback.record("f" * 32, value="down")
    assert decided(ws, "feedback_digest")[0] == "no data"


def test_the_digest_says_what_became_worse(voted):
    """The second week against the first: both reasons, the traces, and markup as text."""
    run = voted.runbooks.run("feedback_digest", {"by": "name"}, progress=False).raise_for_status()
    assert run.result["decision"] == "attention"
    assert [one.split(":")[0].split(",")[0] for one in run.result["reasons"]] == [
        "90 % of the thumbs are down",
        "fewer thumbs are up than before",
    ]
    assert (run.result["summary"]["down"], run.result["ids"]["disliked"][0]) == (18, IDS[-1])
    assert "<b>no</b>" not in run.html_path.read_text()
    until = {"until": "2026-03-07T12:00:00+00:00", "last": "6d", "by": "name"}
    assert decided(voted, "feedback_digest", **until) == ("ok", "nothing is new, and nothing is above its limit")


def test_the_digest_names_a_new_failure_mode(voted):
    """What no label of the time before says is new; queues with open items that nobody labels are named."""
    voted.feedback.schemas.save("problems", CATEGORIES)
    voted.feedback.queue("q", IDS, schema="problems")
    for at in range(1, 41):
        voted.feedback.queues.label("q", at, {"problem": "none" if at < 30 else "wrong"}, rater="ann")
    voted.feedback.queue("idle", IDS[:3], schema="problems")
    decision, why = decided(voted, "feedback_digest", by="name", max_down=1.0)
    assert decision == "attention"
    assert "new: problem is 'wrong' in 11 traces" in why
    assert "queue idle has 3 open items, and nobody labels" in why


def test_the_digest_names_raters_who_do_not_agree(voted):
    """By the whole interval of AC1, on the field where it is least."""
    voted.feedback.schemas.save("support")
    voted.feedback.queue("q", IDS, schema="support", k=2)
    for at in range(1, 41):
        for rater, value in (("ann", "pass" if at % 2 else "fail"), ("bob", "fail" if at % 2 else "pass")):
            voted.feedback.queues.label("q", at, {"verdict": value}, rater=rater)
    assert "raters of queue q agree too little on verdict" in decided(voted, "feedback_digest", by="name")[1]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"name": "thum"}, "did you mean 'thumb'"),
        ({"last": "a week"}, "a week"),
        ({"until": "yesterday"}, "yesterday"),
        ({"by": "topc", "last": "14d"}, "topc"),
    ],
)
def test_a_slip_fails_the_digest(voted, given, words):
    """The failing cell and the message are recorded."""
    run = start(voted, "feedback_digest", **given)
    assert run.status == "failed"
    assert words in run.error
