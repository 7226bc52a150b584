"""How a runbook that decided ends its command."""

from types import SimpleNamespace

import pytest

from lmops.cli.runbooks import _code


@pytest.mark.parametrize(
    ("status", "decision", "code"),
    [
        ("ok", "pass", 0), ("ok", "fail", 1), ("ok", "FAIL", 1), ("ok", "drifted_silently", 1), ("ok", "attention", 1),
        ("ok", "inconclusive", 3), ("ok", "no data", 3), ("ok", "no_data", 3), ("ok", "Unknown ", 3),
        ("ok", "stale", 1), ("ok", "needs labels", 3), ("ok", "uncalibrated", 3), ("ok", "calibrated", 0),
        ("failed", "pass", 1), ("ok", None, 0),
    ],
)  # fmt: skip
def test_a_decision_is_an_exit_code(status, decision, code):
    """In any spelling; a run that failed is never more than that."""
    assert _code(SimpleNamespace(status=status, result={"decision": decision})) == code
