"""The matrix of defences: each rail off, and each alone."""

from __future__ import annotations

import pytest

from lmops.errors import UsageError
from lmops.guardrails.checking import Checker
from tests.redteam.conftest import MANY, SUITE, obeys
from tests.redteam.test_targets import rail


class Policy:
    """Two rails on questions: one stops attacks, the other one twins."""

    ref = "desk@2"

    @property
    def stages(self):
        return {"input": (rail("override", "Ignore"), rail("nosy", "What"))}

    def checker(self, *, off=()):
        kept = [one for one in self.stages["input"] if one.name not in set(off)]
        return Checker({"input": kept}, policy=self.ref)


@pytest.fixture
def made(ws):
    return ws.redteam.matrix(obeys, Policy(), suite=MANY, progress=False)


def test_matrix_says_which_rail_did_it(made):
    """Success and passes of twins by set of rails: what stops attacks, and what stops twins."""
    found = {one.rails: (one.success, one.benign) for one in made.rows}
    assert found == {
        "none": (1.0, 1.0),
        "all": (0.0, 0.0),
        "without override": (1.0, 0.0),
        "without nosy": (0.0, 1.0),
        "only override": (0.0, 1.0),
        "only nosy": (1.0, 0.0),
    }
    assert made["without override"].outcome == "worse"
    assert made["all"].p95_ms > 0
    assert made["without nosy"].change == 0.0


def test_matrix_shows_itself(made):
    """A matrix is a table in text, in HTML and as a frame; names are no markup."""
    assert "without override" in made.text
    assert "<table" in made._repr_html_()
    assert len(made.df()) == 6
    assert made.target == "obeys"


def test_modes_and_policies_are_checked(ws):
    """Another mode, and what is no version of guardrails, are refused."""
    with pytest.raises(UsageError, match="only"):
        ws.redteam.matrix(obeys, Policy(), suite=SUITE, modes=["onyl"], progress=False)
    with pytest.raises(UsageError, match="version of guardrails"):
        ws.redteam.matrix(obeys, Checker({}), suite=SUITE, progress=False)
    assert len(ws.redteam.matrix(obeys, Policy(), suite=SUITE, modes="only", progress=False).rows) == 4
