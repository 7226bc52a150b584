"""Versions of guardrails around a target: exactly that version, and verdicts are evidence for it."""

from __future__ import annotations

import pytest

from lmops.errors import RefusedError
from lmops.guardrails.contract import KINDS, Finding
from lmops.guardrails.contract import rail as rail_kind
from tests.redteam.conftest import MANY, obeys


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
    """What a red team makes a policy check is not counted with what users wrote."""
    attack(obeys, policy="desk@1")
    assert ws.sql("select count(*) from guardrail_checks").fetchall() == [(0,)]


def test_matrix_of_a_version(ws, policy):
    """The matrix takes a version by its name and leaves rails out of it."""
    made = ws.redteam.matrix(obeys, "desk@1", suite=MANY, progress=False)
    assert [one.rails for one in made.rows] == ["none", "all", "without says_ignore"]
    assert [one.success for one in made.rows] == [1.0, 0.0, 1.0]
