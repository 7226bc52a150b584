"""The recipes for schedulers: the line of cron runs as cron runs it, and the others are what they say they are."""

from __future__ import annotations

import ast
import configparser
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import lmops
from lmops.times import utc_now
from tests.monitors.listeners import Listener
from tests.store.helpers import llm

TEXT = (Path(__file__).parent.parent / "docs" / "schedule.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
LINES = [line for kind, text in BLOCKS if kind == "cron" for line in text.splitlines()]


def as_cron(line, folder):
    """Run a line of a crontab as cron does: by sh, at home, with hardly an environment."""
    command = line.split(maxsplit=5)[5].replace("/srv/app", str(folder))
    env = {"HOME": str(folder.parent), "LOGNAME": "app", "SHELL": "/bin/sh", "PATH": "/usr/bin:/bin"}
    return subprocess.run(["/bin/sh", "-c", command], env=env, cwd=folder.parent, capture_output=True, check=False)


@pytest.fixture
def app(tmp_path):
    """An application with a store, an environment and the variables of its sinks."""
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / ".venv").symlink_to(sys.prefix)
    (folder / "monitor.env").write_text("OPS_SECRET=s3cret\nLMOPS_ACTOR=scheduler\n")
    return folder


def test_the_line_of_cron_checks_and_tells(app):
    """As it stands there: exit code 1 when something fires, the report in the log, the sink told and signed."""
    start = int(utc_now().timestamp() * 1e9) - 6 * 3600 * 10**9
    with Listener() as sink:
        with lmops.open(app / ".lmops", actor="ann") as ws:
            rows = [
                llm(f"t{number}", "a", start=start + number * 10**9, status="error", session_id=f"s{number}")
                for number in range(300)
            ]
            ws.store.append_many({"spans": rows})
            ws.monitors.save("errors", metric="error_rate", method="threshold", limit=0.5)
            ws.monitors.sinks.save("ops", kind="webhook", url=sink.url, secret_env="OPS_SECRET")
        done = as_cron(LINES[0], app)
    assert (done.returncode, done.stdout, done.stderr) == (1, b"", b""), (app / "monitor.log").read_text()
    assert "errors" in (app / "monitor.log").read_text()
    ((_, headers, body),) = sink.got
    assert headers["lmops-signature"].startswith("v1=")
    assert json.loads(body)["alerts"][0]["lmops"]["actor"] == "scheduler"


def test_a_line_that_cannot_run_says_so(app):
    """Without a store the exit code is 2, which no alert has."""
    assert as_cron(LINES[0], app).returncode == 2
    assert "no store" in (app / "monitor.log").read_text()


def test_every_line_of_cron_has_a_time_and_a_command():
    """Five fields, a folder, and no sign that cron would take for the end of the line."""
    assert len(LINES) == 2
    assert all(re.match(r"(?:[\d*/,-]+ ){5}cd /srv/app && ", line) and "%" not in line for line in LINES)


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, text in BLOCKS if kind in ("ini", "yaml", "python")])
def test_every_recipe_can_be_read(kind, text):
    """Units, workflows and code are well formed, and call commands that there are."""
    if kind == "ini":
        reader = configparser.ConfigParser(strict=True, interpolation=None)
        reader.optionxform = str
        reader.read_string(text)
        assert {"Unit"} < set(reader.sections())
    elif kind == "yaml":
        assert isinstance(yaml.safe_load(text), dict)
    else:
        ast.parse(text)


def test_the_recipes_call_commands_that_there_are():
    """A command that is renamed is renamed here."""
    from lmops.cli import main

    called = set(re.findall(r"bin/lmops (\w+) (\w+)|\blmops (monitor|runbook|store) (\w+)", TEXT))
    for noun, verb in {(one[0] or one[2], one[1] or one[3]) for one in called}:
        assert verb in main.commands[noun].commands
