"""Versions of guardrails around a target: exactly that version, and verdicts are evidence for it."""

from __future__ import annotations

import pytest

from lmops.errors import RefusedError
from lmops.guardrails.asking import asked_of
from lmops.guardrails.contract import KINDS, Finding
from lmops.guardrails.contract import rail as rail_kind
from lmops.traces import NO_EVALUATION
from tests.redteam.conftest import MANY, SUITE, obeys, withstands


@pytest.fixture
def policy(ws):
    """A policy of one rail that stops every attack of the suite."""

    @rail_kind(name="says_ignore", stages=("input",), action="block", window=20)
    def says_ignore(given):
        """The word "Ignore"."""
        at = given.text.find("Ignore")
        if at >= 0:
            yield Finding(at, at + 6, "ignore")

    yield ws.guardrails.save("desk", input=["says_ignore"])
    KINDS._known.pop("says_ignore")


@pytest.fixture
def rail_that_asks():
    """A kind of rail that asks for its workspace; the stores that it found."""
    found = set()

    @rail_kind(name="asks", stages=("input",), action="block")
    def asks(given):
        """Nothing."""
        found.add(asked_of("a model").project.store.path)
        return ()

    yield found
    KINDS._known.pop("asks")


def test_version_stops_attacks_and_is_named(ws, attack, policy):
    """A policy by its name is resolved to a version, which the run and the report name."""
    report = ws.redteam.report(attack(obeys, policy="desk", suite=MANY))
    assert report.policy == policy.ref == "desk@1"
    assert report.overall.success == 0.0
    assert report.stopped[0].attacks == 40


def test_verdict_is_evidence_for_a_protected_policy(ws, attack, policy):
    """A protected alias of guardrails moves on a verdict of a run under exactly that version, and on no other."""
    ws.guardrails.protect("desk", "production")
    bare = ws.redteam.gate(attack(obeys, suite=MANY), max_success=1.0, min_benign=None)
    with pytest.raises(RefusedError):
        ws.guardrails.promote("desk", policy.version, to="production", evidence=bare)
    verdict = ws.redteam.gate(attack(obeys, policy="desk@1", suite=MANY), max_success=0.2, min_benign=0.8)
    assert verdict.outcome == "pass"
    ws.guardrails.promote("desk", policy.version, to="production", evidence=verdict)
    assert ws.guardrails.get("desk@production").version == 1


def test_attacks_are_no_traffic(ws, attack, policy):
    """Each check is a span of its case's trace; it is not counted with what users wrote, unless that is asked."""
    run = attack(obeys, policy="desk@1")
    cases = run.df()
    rows = ws.sql("select trace_id, policy, version, stage, action from guardrail_checks order by all").fetchall()
    assert {row[0] for row in rows} == set(cases["trace_id"])
    assert {row[1:4] for row in rows} == {("desk", 1, "input")}
    assert sorted(row[4] for row in rows) == ["allow"] * 6 + ["block"] * 6
    assert ws.sql("select distinct environment from guardrail_checks").fetchall() == [("evaluation",)]
    assert len(ws.guardrails.rates()) == len(ws.guardrails.blocked()) == 0
    assert ws.guardrails.rates(evaluations=True)["blocked"].tolist() == [6]
    blocks = {"view": "guardrail_checks", "value": "action = 'block'", "kind": "rate"}
    saved = ws.monitors.save("blocks", metric=blocks, method="threshold", limit=0.2)
    assert NO_EVALUATION in saved.watched.where


def test_rails_may_ask_the_workspace(ws, attack, rail_that_asks):
    """A rail that asks a model of its workspace can do so in a run and in a matrix as well."""
    ws.guardrails.save("asks", input=["asks"])
    run = attack(withstands, policy="asks@1")
    assert ws.redteam.report(run).stopped == ()
    assert rail_that_asks == {ws.project.store.path}
    made = ws.redteam.matrix(withstands, "asks@1", suite=SUITE, modes="without", progress=False)
    assert made["all"].spared == 1.0


def test_what_the_target_refuses_by_itself_is_not_laid_to_the_policy(ws, attack, policy):
    """A gate of a policy counts what the policy kept back; that the target refuses stands beside it."""

    def refuses(question):
        return "I'm sorry, but I can't help with that."

    run = attack(refuses, policy="desk@1", suite=MANY)
    report = ws.redteam.report(run)
    assert (report.overall.benign, report.overall.spared) == (0.0, 1.0)
    assert "the target itself refuses 100.0 %" in report.text
    gate = ws.redteam.gate
    assert gate(run, max_success=0.2, min_benign=0.8).outcome == "pass"
    assert gate(run, max_success=0.2, min_benign=None, min_answered=0.8).outcome == "fail"
    assert gate(run, max_success=0.2, min_benign=0.8, min_answered=0.8).outcome == "fail"
    assert gate(attack(refuses, suite=MANY), max_success=0.2, min_benign=0.8).outcome == "fail"


def test_what_a_policy_takes_out_is_laid_to_it(ws, attack):
    """A twin that is refused because something was taken out counts; one that is answered all the same does not."""

    def needs(question, documents=None):
        return "I'm sorry, I can't help with that." if "[" in question else "Gladly."

    suite = [{**one, "twin": f"Rule {at % 2} of a@b.eu?", "placements": ["user"]} for at, one in enumerate(SUITE)]
    ws.guardrails.save("nosy", input=[{"rail": "pii", "kinds": ["email"]}])
    report = ws.redteam.report(attack(needs, policy="nosy@1", suite=suite))
    assert (report.overall.benign, report.overall.spared) == (0.0, 0.0)
    assert ws.redteam.report(attack(lambda question: "Gladly.", policy="nosy@1", suite=suite)).overall.spared == 1.0


def test_matrix_of_a_version(ws, policy):
    """The matrix takes a version by its name and leaves rails out of it."""
    made = ws.redteam.matrix(obeys, "desk@1", suite=MANY, progress=False)
    assert [one.rails for one in made.rows] == ["none", "all", "without says_ignore"]
    assert [one.success for one in made.rows] == [1.0, 0.0, 1.0]
