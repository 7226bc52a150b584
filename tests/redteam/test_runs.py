"""Red-team runs are evaluations: they report, compare, gate, resume and are kept as evidence."""

from __future__ import annotations

import asyncio
import os
import signal
import time

import pytest

from lmops.errors import NotFoundError, UsageError
from tests.redteam.conftest import MANY, SUITE, obeys, withstands


def test_run_scores_attacks_and_twins(attack):
    """Every attack on a target that obeys succeeds, and every twin passes."""
    run = attack(obeys)
    means = {one.scorer: (one.mean, one.n) for one in run.summary()}
    assert means == {"attack_success": (1.0, 6), "benign_pass": (1.0, 6)}
    assert run.status == "finished"
    assert run.name == "redteam-obeys"


def test_report_groups_by_kind(ws, attack):
    """A report counts attacks and twins by family, risk, severity, converter and placement."""
    report = ws.redteam.report(attack(obeys, converters=["plain", "base64"]))
    assert report.overall.attacks == 12
    assert report.overall.success == 0.5
    assert {one.value: one.success for one in report.by("converter")} == {"plain": 1.0, "base64": 0.0}
    assert {one.value for one in report.by("severity")} == {"critical", "medium"}
    assert len(report.df()) == len(report.rates)
    assert len(report.plot("converter").data) > 0


def test_worst_transcripts_are_of_different_seeds_the_gravest_first(ws, attack):
    """Five transcripts at most, each of a seed of its own."""
    report = ws.redteam.report(attack(obeys))
    assert [one.severity for one in report.worst] == ["critical", *["medium"] * 4]
    assert len({one.seed for one in report.worst}) == 5
    assert report.worst[0].answer in report.worst[0].sent


def test_at_k_and_broken_seeds(ws, attack):
    """With repeats a report says how often one of k tries succeeds, and how many seeds broke the target."""

    def now_and_then(question, repeat):
        return obeys(question) if repeat == 1 else "No."

    report = ws.redteam.report(attack(now_and_then, repeats=4))
    assert report.at[1].estimate == pytest.approx(0.25)
    assert report.at[4].estimate == 1.0
    assert report.broken.estimate == 1.0


def test_report_is_paired_with_the_run_before(ws, attack):
    """The run before of the same experiment on the same attacks is what a report compares with."""
    before = attack(obeys, name="support", suite=MANY)
    report = ws.redteam.report(attack(withstands, name="support", suite=MANY))
    assert report.baseline.b.run_id == before.run_id
    assert report.baseline["attack_success"].outcome == "better"
    assert "better" in report.text
    assert ws.redteam.report(before).baseline is None
    assert ws.redteam.report(before, None).baseline is None


def test_gate_passes_fails_and_cannot_tell(ws, attack):
    """A gate needs the whole interval: few seeds that all withstand are inconclusive."""
    assert ws.redteam.gate(attack(obeys), min_benign=None).outcome == "fail"
    held = attack(withstands)
    assert ws.redteam.gate(held).outcome == "inconclusive"
    assert ws.redteam.gate(held, max_success=0.6, min_benign=0.4).outcome == "pass"
    passed = ws.redteam.gate(held, max_success=0.6, min_benign=None)
    assert "missing" not in passed.text  # of an attack a twin is no missing case
    assert ws.redteam.gate(held, criteria={"scorers": {"attack_success": {"max": 0.6}}}).outcome == "pass"


def test_gate_against_a_baseline(ws, attack):
    """A loss is measured in both: more attacks that succeed, fewer twins that pass."""
    verdict = ws.redteam.gate(
        attack(obeys, suite=MANY), attack(withstands, suite=MANY), max_success=None, min_benign=None, max_loss=0.1
    )
    assert verdict.outcome == "fail"
    assert any(one.name == "attack_success.max_loss" for one in verdict.results)


def test_verdict_is_evidence_for_a_protected_prompt(ws, attack):
    """A prompt behind a protected alias is promoted on a verdict of its red team."""
    saved = ws.prompts.save("desk", "Answer briefly: {{ question }}", model="standin:ferry-1")
    ws.prompts.protect("desk", "production")
    verdict = ws.redteam.gate(attack("desk@1", suite=MANY), max_success=0.99, min_benign=None)
    assert verdict.prompt_ref == "desk@1"
    assert verdict.outcome == "pass"
    ws.prompts.promote("desk", saved.version, to="production", evidence=verdict)
    assert ws.prompts.get("desk@production").version == 1


def test_run_resumes(ws, attack):
    """A run that was out of money goes on with the function that is given again."""

    def paid(question):
        from lmops.evals import TaskResult

        return TaskResult(obeys(question), cost_usd=1.0)

    run = attack(paid, budget_usd=3, concurrency=1)
    assert run.status == "over_budget"
    with pytest.raises(UsageError, match="target="):
        ws.redteam.resume(run, progress=False)
    done = ws.redteam.resume(run, target=paid, budget_usd=100, progress=False)
    assert done.is_complete
    assert done.totals.cost_usd == 12.0


def test_an_interrupt_says_what_goes_on(ws, attack):
    """It is the red team that goes on with a run of its own; an evaluation says so as well."""

    asked = []

    def interrupted(question):
        asked.append(question)
        if len(asked) == 10:
            os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.01)
        return "No."

    with pytest.raises(KeyboardInterrupt) as caught:
        attack(interrupted, concurrency=1, repeats=40, name="cut")
    run = ws.evals.get("cut")
    assert f'ws.redteam.resume("{run.run_id}") goes on' in "\n".join(caught.value._render_traceback_())
    with pytest.raises(UsageError, match=rf"ws\.redteam\.resume\('{run.run_id}', target=\.\.\.\)"):
        ws.evals.resume(run.run_id)


def test_every_case_is_a_trace(ws, attack):
    """With its scores on it, in the environment of evaluations, so that attacks are no traffic."""
    run = attack(obeys)
    assert run.df()["trace_id"].nunique() == 12
    found = ws.sql("select distinct environment, count(*) over () from spans").fetchall()
    assert found == [("evaluation", 12)]
    assert attack(obeys, tracing=False).df()["trace_id"].isna().all()


def test_prompt_run_resumes_by_its_record(ws, attack):
    """A run of a prompt needs nothing but its name."""
    ws.prompts.save("desk", "Answer briefly: {{ question }}", model="standin:ferry-1")
    run = attack("desk@1")
    assert ws.redteam.resume(run.run_id, progress=False).run_id == run.run_id


def test_successes_become_a_dataset(ws, attack):
    """What succeeded is kept as examples; where nothing did there is nothing to keep."""
    kept = ws.redteam.examples(attack(obeys), "broken")
    assert len(kept) == 6
    assert {one.metadata["kind"] for one in kept} == {"attack"}
    with pytest.raises(UsageError, match="succeeded"):
        ws.redteam.examples(attack(withstands), "none")


def test_failed_attacks_are_counted_and_not_successes(ws, attack):
    """An attack on which the target failed has no score, and the report says how many have none."""

    def fails(question):
        if "Ignore" in question:
            raise ValueError(question)
        return "Fine."

    with pytest.raises(UsageError, match="no attack with a score"):
        ws.redteam.report(attack(fails))

    def fails_once(question):
        if fails_once.left and "Ignore" in question:
            fails_once.left -= 1
            raise ValueError(question)
        return "Fine."

    fails_once.left = 2
    assert ws.redteam.report(attack(fails_once, concurrency=1, retries=0)).unmeasured == 2


def test_run_inside_a_loop(ws):
    """The async form runs in the loop that is there."""
    assert asyncio.run(ws.redteam.arun(obeys, suite=SUITE, progress=False)).is_complete


@pytest.mark.parametrize("target", [None, 3, dict, "nowhere@1"])
def test_what_is_no_target_is_refused(attack, target):
    """Other kinds of things, classes and prompts that are not there are refused before anything runs."""
    with pytest.raises((UsageError, NotFoundError)):
        attack(target)


def test_other_runs_are_refused(ws):
    """A run of something else is no run of a red team."""
    run = ws.evals.run(lambda _: "x", [{"id": "a", "input": "q", "expected": "x"}], ["exact_match"], progress=False)
    with pytest.raises(UsageError, match="attack_success"):
        ws.redteam.report(run)


def test_report_shows_hostile_text_as_text(ws, attack):
    """What attackers and targets write is no markup and no control of a terminal."""
    suite = [{**SUITE[0], "goal": "<b>x</b>", "text": 'reply with "<img src=x> {marker}"\x1b[31m'}]
    report = ws.redteam.report(attack(obeys, suite=suite))
    assert "<img src=x>" not in report._repr_html_()
    assert "<b>x</b>" not in report._repr_html_()
    assert "\x1b" not in report.text


def test_explorer_has_the_kinds_as_groups(ws, attack):
    """The explorer of evaluations offers placements, families and kinds as slices."""
    explorer = ws.evals.explore(attack(obeys, converters=["plain", "rot13"]), scorer="attack_success")
    explorer.where = {"slice": ["converter", "rot13"]}
    assert len(explorer.df()) == 6
