"""Whatever a process does when it is killed, what was acknowledged is there once and the totals are right."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize("first", [0, 15, 30, 45])
def test_kills_lose_nothing_and_double_nothing(first: int) -> None:
    """Fifteen kills over all kinds of work, one of each kind first, some while the one before is put right."""
    command = [sys.executable, "-m", "tests.store.kills", "15", str(first)]
    found = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert found.returncode == 0, found.stdout + found.stderr
    assert "15 kills, 0 bad" in found.stdout
