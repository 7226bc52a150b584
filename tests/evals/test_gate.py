"""The gate: three outcomes, evidence that is kept, and forms for CI."""

from __future__ import annotations

import contextlib
import html
import json
import sqlite3
from xml.etree import ElementTree as ET

import pytest

from lmops.errors import DamagedStoreError, NotFoundError, RefusedError, UsageError
from lmops.evals import Criteria, TaskResult, assert_gate

from .conftest import right, rows_of
from .test_compare import skilled


@pytest.fixture
def run(ws):
    def start(share, rows=None, **given):
        return ws.evals.run(
            skilled(share) if isinstance(share, float) else share,
            rows or rows_of(150),
            "exact_match",
            progress=False,
            name="exp",
            **given,
        )

    return start


@pytest.mark.parametrize(
    ("share", "asked", "outcome", "code"),
    [
        (0.95, {"min": 0.8}, "pass", 0),
        (0.5, {"min": 0.8}, "fail", 1),
        (0.8, {"min": 0.8}, "inconclusive", 3),
        (0.5, {"max": 0.8}, "pass", 0),
        (0.95, {"max": 0.8}, "fail", 1),
        (0.9, {"max_loss": 0.02}, "pass", 0),
        (0.5, {"max_loss": 0.02}, "fail", 1),
        (0.9, {"max_loss": 0.01}, "inconclusive", 3),
    ],
)
def test_three_outcomes(ws, run, share, asked, outcome, code):
    """The whole interval on the right side, on the wrong one, or neither."""
    verdict = ws.evals.gate(run(share), run(0.9), {"scorers": {"exact_match": asked}})
    assert (verdict.outcome, verdict.exit_code) == (outcome, code)
    assert ws.evals.verdict(verdict.verdict_id) == verdict
    assert verdict.reasons
    assert all("exact_match" in reason for reason in verdict.reasons) or outcome == "pass"


def test_a_verdict_is_evidence(ws, run):
    """It is in the store, in the audit chain, and names what it rests on."""
    judged, baseline = run(0.95), run(0.9)
    verdict = ws.evals.gate(judged, baseline, {"scorers": {"exact_match": {"min": 0.5}}})
    row = ws.sql("select verdict_id, run_id, baseline_run_id, outcome, actor, event_id from verdicts").fetchall()
    assert row == [(verdict.verdict_id, judged.run_id, baseline.run_id, "pass", "tester", verdict.event_id)]
    event = ws.sql("select action, subject, evidence from audit where event_id = ?", [verdict.event_id]).fetchall()[0]
    assert event[:2] == ("eval.gate", judged.run_id)
    assert json.loads(event[2]) == [verdict.verdict_id, judged.run_id, baseline.run_id]
    assert ws.audit.verify().ok
    with pytest.raises(NotFoundError, match="did you mean"):
        ws.evals.verdict(verdict.verdict_id[:-1] + "x")


def test_a_run_as_a_whole_has_limits_too(ws, run):
    """Failures, cost and latency."""

    def task(question):
        if question == "q3":
            raise ValueError
        return TaskResult(right(question), cost_usd=0.02, latency_ms=100.0 + int(question[1:]))

    judged = run(task)
    for criteria, outcome in (
        ({"max_error_rate": 0.01}, "pass"),
        ({"max_error_rate": 0.001}, "fail"),
        ({"max_cost_usd": 0.03}, "pass"),
        ({"max_cost_usd": 0.01}, "fail"),
        ({"max_latency_ms": 500}, "pass"),
        ({"max_latency_ms": 120}, "fail"),
        ({"max_latency_ms": 242}, "inconclusive"),
        ({"min_coverage": 0.999, "scorers": {"exact_match": {"min": 0.1}}}, "fail"),
    ):
        assert ws.evals.gate(judged, None, criteria).outcome == outcome, criteria


@pytest.mark.parametrize("clustered", [False, True])
def test_repeats_and_clusters_are_no_further_examples_of_a_cost(ws, quiet, clustered):
    """Ten costs or latencies that are each there twelve times know what ten know."""

    def task(question):
        size = 1 + int(question[1:]) % 10
        return TaskResult("x", cost_usd=0.001 * size, latency_ms=100.0 * size)

    rows = rows_of(120 if clustered else 10)
    rows = [row | {"cluster": f"c{place % 10}"} for place, row in enumerate(rows)] if clustered else rows
    judged = quiet(task, rows, repeats=1 if clustered else 12)
    found = ws.evals.gate(judged, criteria={"max_cost_usd": 0.0065}).results[1]
    assert (found.outcome, found.value) == ("inconclusive", pytest.approx(0.0055))
    assert found.high - found.low > 0.004
    slow = ws.evals.gate(judged, criteria={"max_latency_ms": 1100}).results[1]
    assert (slow.outcome, slow.value, slow.high) == ("inconclusive", 1000, None)


def test_an_unfinished_run_does_not_pass(ws, run):
    """What was run looks well, and the rest may not."""
    judged = run(lambda q: TaskResult(right(q), cost_usd=1.0), budget_usd=100)
    verdict = ws.evals.gate(judged, None, {"scorers": {"exact_match": {"min": 0.5}}})
    assert verdict.outcome == "inconclusive"
    assert "resume the run" in verdict.reasons[0]


@pytest.mark.parametrize("suffix", ["yaml", "json"])
def test_criteria_are_a_file_under_version_control(ws, run, tmp_path, suffix):
    """YAML or JSON."""
    path = tmp_path / f"criteria.{suffix}"
    asked = {"level": 0.9, "scorers": {"exact_match": {"min": 0.8}}}
    path.write_text(json.dumps(asked) if suffix == "json" else "level: 0.9\nscorers:\n  exact_match: {min: 0.8}\n")
    verdict = ws.evals.gate(run(0.95), None, path)
    assert verdict.criteria == asked
    assert verdict.outcome == "pass"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("clustered: maybe\nmax_latency_ms: 1", "clustered is 'maybe'; give true or false"),
        ("scorers: {exact_match: {minimum: 1}}", "did you mean 'min'"),
        ("max_latency: 3", "did you mean 'max_latency_ms'"),
        ("scorers: {exact_match: {min: high}}", "scorers.exact_match.min is 'high'; give a number"),
        ("scorers: {exact_match: 0.8}", "scorers.exact_match is a mapping of min, max, max_loss"),
        ("scorers: {exact_match: {max_loss: -1}}", "the largest acceptable loss"),
        ("min_coverage: 95", "min_coverage is 95; give a share"),
        ("level: 0.4\nmax_latency_ms: 1", "level is 0.4"),
        ("level: 0.9", "nothing is asked"),
        ("- a", "a mapping is needed"),
        ("a: [", "is no YAML"),
        ("!!python/object/apply:os.system ['true']", "is no YAML"),
        ("scorers: {exact_match: {min: .nan}}", "give a number"),
    ],
)
def test_a_bad_criteria_file_is_refused(ws, run, tmp_path, text, words):
    """It names the place and what would do; nothing is judged."""
    path = tmp_path / "criteria.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=words):
        ws.evals.gate(run(0.9, rows_of(5)), None, path)
    assert ws.sql("select count(*) from verdicts").fetchall() == [(0,)]


def test_what_a_gate_cannot_judge_is_refused(ws, run):
    """A loss without a baseline, a scorer that did not run, a file that is not there, no criteria."""
    judged = run(0.9, rows_of(5))
    with pytest.raises(UsageError, match="max_loss is a loss against a baseline"):
        ws.evals.gate(judged, None, {"scorers": {"exact_match": {"max_loss": 0.1}}})
    with pytest.raises(NotFoundError, match="did you mean 'exact_match'"):
        ws.evals.gate(judged, None, {"scorers": {"exact_mach": {"min": 0.1}}})
    with pytest.raises(NotFoundError, match="there is no criteria file"):
        ws.evals.gate(judged, None, "criteria.yml")
    with pytest.raises(UsageError, match="criteria are a mapping or the path"):
        ws.evals.gate(judged)


def test_forms_for_ci(ws, run):
    """JUnit XML, Markdown and JSON say the same; text from names is escaped."""
    judged = run(0.5, prompt=None)
    verdict = ws.evals.gate(judged, run(0.9), Criteria(scorers={"exact_match": {"min": 0.5, "max_loss": 0.01}}))
    suite = ET.fromstring(verdict.to_junit())
    cases = {case.get("name"): case.find("failure") for case in suite.iter("testcase")}
    assert set(cases) == {"complete", "exact_match.min", "exact_match.max_loss"}
    assert cases["exact_match.max_loss"].get("type") == "fail"
    assert cases["complete"] is None
    assert "## Gate: fail" in verdict.to_markdown()
    assert verdict.to_markdown().count("\n| ") == 4
    assert json.loads(verdict.to_json())["exit_code"] == 1


def test_a_verdict_begins_with_the_outcome_and_why(ws, run):
    """By word and sign, in one sentence, before the criteria; its ids come last."""
    judged, baseline = run(0.5, prompt=None), run(0.9)
    for asked, sign, why in (
        ({"max_loss": 0.01}, "\u2715 fail", "exact_match.max_loss: "),
        ({"max_loss": 1.0}, "\u2713 pass", "all 2 criteria hold"),
    ):
        verdict = ws.evals.gate(judged, baseline, Criteria(scorers={"exact_match": asked}))
        assert verdict.why.startswith(why)
        assert verdict.text.startswith(f"{sign[2:].upper()}  {why}")
        for shown in (verdict._repr_html_(), html.unescape(verdict.to_markdown()), verdict.text):
            assert shown.index(why) < shown.index("criterion") < shown.index(verdict.verdict_id)
        assert sign in verdict._repr_html_()


def test_a_test_suite_can_gate(ws, run):
    """``assert_gate`` fails with the whole verdict; what cannot be told fails unless allowed."""
    assert_gate(ws.evals.gate(run(0.95), None, {"scorers": {"exact_match": {"min": 0.5}}}))
    unsure = ws.evals.gate(run(0.8), None, {"scorers": {"exact_match": {"min": 0.8}}})
    with pytest.raises(AssertionError, match="INCONCLUSIVE"):
        assert_gate(unsure)
    assert_gate(unsure, allow_inconclusive=True)
    with pytest.raises(AssertionError, match=r"exact_match\.min\s+fail"):
        assert_gate(ws.evals.gate(run(0.2), None, {"scorers": {"exact_match": {"min": 0.5}}}))


@pytest.mark.parametrize(
    "change",
    [
        "update verdicts set outcome = 'pass'",
        "update verdicts set detail = replace(detail, '\"fail\"', '\"pass\"')",
        "update verdicts set criteria = replace(criteria, '0.9', '0.1')",
        "update verdicts set run_id = 'run-another'",
        "update verdicts set event_id = 1",
        "update audit set after = replace(after, '\"fail\"', '\"pass\"') where action = 'eval.gate'",
    ],
)
def test_a_verdict_that_was_changed_is_evidence_no_more(ws, run, change):
    """Its numbers, its criteria or what the chain says of it: reading it says so, and so does a promotion."""
    ws.prompts.save("p", "{{ question }}", model="standin:ferry-1")
    verdict = ws.evals.gate(run(lambda q: "wrong"), None, {"scorers": {"exact_match": {"min": 0.9}}})
    assert ws.evals.verdict(verdict.verdict_id).outcome == "fail"
    path = ws.store.path / "meta.sqlite"
    with contextlib.closing(sqlite3.connect(path)) as con:
        for (trigger,) in con.execute("select name from sqlite_master where type = 'trigger'").fetchall():
            con.execute(f"drop trigger {trigger}")
        assert con.execute(change).rowcount
        con.commit()
    with pytest.raises(DamagedStoreError, match="is not what the audit chain says of it"):
        ws.evals.verdict(verdict.verdict_id)
    ws.prompts.protect("p", "production")
    with pytest.raises(RefusedError, match="is not what the audit chain says of it"):
        ws.prompts.promote("p", 1, to="production", evidence=verdict, reason="looks fine")


def test_a_run_and_a_verdict_are_cards(ws, run):
    """What ran and who asked stand in small fields."""
    judged = run(0.9)
    verdict = ws.evals.gate(judged, None, Criteria(scorers={"exact_match": {"min": 0.5}}))
    for shown, kind, fact in ((judged, "run", "dataset"), (verdict, "gate", "asked by")):
        assert f">{kind}</span>" in shown._repr_html_()
        assert f">{fact}</div>" in shown._repr_html_()
