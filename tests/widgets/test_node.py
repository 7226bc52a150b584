"""The pure parts of the front end, run by Node where there is one."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest


def test_pure_functions():
    """``node --test`` passes on the files beside this one."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed; the same code runs in the browser tests")
    found = subprocess.run(
        check=False,
        args=[node, "--test", *map(str, sorted(Path(__file__).parent.glob("*.test.mjs")))],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert found.returncode == 0, found.stdout[-4000:] + found.stderr[-2000:]
