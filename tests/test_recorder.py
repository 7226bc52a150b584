"""An application that records and renders needs few packages: imports of any other are refused here."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

INSTALL = (Path(__file__).resolve().parent.parent / "docs" / "install.md").read_text(encoding="utf-8")
#: What the listed packages are imported as, with what they need themselves.
NAMES = {
    "jinja2": ("jinja2", "markupsafe"),
    "opentelemetry-proto": ("google", "opentelemetry"),
    "opentelemetry-sdk": ("opentelemetry", "typing_extensions"),
    "orjson": ("orjson",),
}
BLOCK = """
import sys
from importlib.machinery import PathFinder

class OnlyListed(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        first = name.partition(".")[0]
        is_there = first in sys.stdlib_module_names or first in {allowed}
        return super().find_spec(name, path, target) if is_there else None

    @classmethod
    def find_distributions(cls, *args, **options):
        return []

sys.meta_path = [OnlyListed if finder is PathFinder else finder for finder in sys.meta_path]
import lmops
ws = lmops.open(sys.argv[1])
"""


def listed():
    (line,) = re.findall(r"^pip install (jinja2 .*)$", INSTALL, re.MULTILINE)
    return line.split()


def run(code, store):
    allowed = {"lmops", *(module for name in listed() for module in NAMES[name])}
    command = [sys.executable, "-c", BLOCK.format(allowed=sorted(allowed)) + code, str(store)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_recording_and_rendering_need_what_is_listed(ws):
    """A prompt is rendered in a span, and another process reads both."""
    ws.prompts.save("greeting", "Good {{ time }}")
    code = """
ws.traces.instrument(service="app")
with_prompt = lmops.trace(lambda time: ws.prompts.get("greeting").render(time=time))
print(with_prompt("morning"))
ws.close()
"""
    done = run(code, ws.store.path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Good morning" in done.stdout
    assert ws.sql("select count(*) from spans where service = 'app'").fetchall() == [(1,)]


def test_a_question_says_what_is_missing(ws):
    """What asks needs the whole, and the error says how to get it, for every way to ask."""
    code = """
for ask in (lambda: ws.sql("select 1"), lambda: ws.traces.search(), lambda: ws.traces.get("ab"), ws.store.drain):
    try:
        ask()
    except lmops.MissingDependencyError as error:
        print(error)
"""
    done = run(code, ws.store.path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("pip install lmops\n") == 4


def test_rows_wait_for_a_process_that_can_drain(ws):
    """A recorder with more rows than a drain takes says nothing of it and keeps them."""
    code = """
import lmops.store._housekeeping as housekeeping
housekeeping.BACKLOG_ROWS = housekeeping.DRAIN_ROWS = 2
ws.traces.instrument(service="many")
for number in range(9):
    lmops.trace(lambda number: number)(number)
ws.close()
"""
    done = run(code, ws.store.path)
    assert (done.returncode, done.stderr) == (0, "")
    assert ws.sql("select count(*) from spans where service = 'many'").fetchall() == [(9,)]
