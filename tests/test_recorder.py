"""An application that records and renders needs few packages: imports of any other are refused here."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path

from lmops.base.absent import BASE, Absent

ROOT = Path(__file__).resolve().parent.parent
INSTALL = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
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


def test_whatever_needs_more_says_how_to_get_it(ws):
    """Verbs of every noun, in whatever package; and nothing is called broken because it cannot be read here."""
    ws.prompts.save("greeting", "Good {{ time }}")
    code = """
asked = (
    ws.traces.stats, ws.prompts.list, ws.models.list, ws.datasets.list, ws.judges.list, lambda: ws.feedback.record("t"),
    ws.audit.verify, ws.store.check, lambda: ws.prompts.sync(sys.argv[1] + "-files"),
    lambda: ws.models.complete("standin:ferry-1", "hello"), lambda: __import__("lmops.cli"),
)
for ask in asked:
    try:
        print("answered", ask())
    except lmops.MissingDependencyError as error:
        print(error)
print(ws)
"""
    done = run(code, ws.store.path)
    assert done.returncode == 0, done.stderr
    *said, name = done.stdout.splitlines()
    assert [line for line in said if not line.endswith(" pip install lmops")] == []
    assert len(said) == 11
    assert name == f"<Workspace {ws.store.path}: it records here>"


def test_what_may_be_missing_is_what_is_needed():
    """Every package of the base that an application which records need not have; others look for it undisturbed."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = {re.split("[<>=]", line)[0] for line in project["dependencies"]} - set(listed()) - {"protobuf"}
    assert {{"pyyaml": "yaml"}.get(name, name.replace("-", "_")) for name in names} == BASE - {"referencing"}
    assert Absent.find_spec("pandas") is None
    assert find_spec("no_such_package_of_anybody") is None


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
