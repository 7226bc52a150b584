"""What ``make test`` runs, and what it runs once more."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
#: Each test writes its name down; one is wrong the first times.
TESTS = """
from pathlib import Path

RAN = Path({ran!r})

def ran(name):
    with RAN.open("a") as file:
        file.write(name + " ")
    return RAN.read_text().split().count(name)

def test_right():
    ran("{part}-right")

def test_wrong():
    assert ran("{part}-wrong") > {times}
"""


def test_what_failed_is_run_once_more_and_nothing_else(tmp_path):
    """A part whose test is right then goes well; one whose test is wrong twice does not."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    (tmp_path / ".venv" / ".installed").touch()
    (tmp_path / "tests" / "browser").mkdir(parents=True)
    ran = tmp_path / "ran"
    for part, file, times in (("main", "test_it.py", 1), ("browser", "browser/test_it.py", 2)):
        (tmp_path / "tests" / file).write_text(TESTS.format(ran=str(ran), part=part, times=times))
    done = subprocess.run(["make", "test", "ARGS=-n 0"], cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode != 0
    times_each = Counter(ran.read_text().split())
    assert times_each == {"main-right": 1, "main-wrong": 2, "browser-right": 1, "browser-wrong": 2}
