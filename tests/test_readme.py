"""The README is true: its commands and files exist; test_demo.py runs its code."""

import re
import tomllib
from pathlib import Path

import lmops
from lmops.cli import main
from lmops.sample import data_dir
from lmops.store import view_names

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_links_lead_somewhere():
    """Every relative link and picture is in the project."""
    targets = [target for target in re.findall(r"\]\(([^)]+)\)", README) if "://" not in target]
    assert targets
    assert [target for target in targets if not (ROOT / target).exists()] == []


def test_every_command_is_in_the_table():
    """The table of commands names all of them, and all of what they hold."""
    rows = [line for line in README.splitlines() if line.startswith("| `lmops")]
    for name, command in main.commands.items():
        found = [row for row in rows if re.search(rf"`(lmops )?{name}\b", row)]
        assert found, name
        held = getattr(command, "commands", {})
        assert [verb for verb in held if not re.search(rf"`(lmops {name} )?{verb}`", found[0])] == []


def test_every_view_is_named():
    """The list of views is that of the store."""
    text = README[README.index("## The views") : README.index("## The command line")]
    assert set(view_names()) <= set(re.findall(r"`(\w+)`", text))


def test_code_begins_on_the_first_screen():
    """The two commands and the code come before line 30."""
    lines = README.splitlines()
    assert lines.index("```sh") < 30
    assert lines.index("```python") < 30


def test_every_search_finds_something(tmp_path):
    """The conditions of the first screen hold for traces of the sample."""
    conditions = re.findall(r'ws\.traces\.(?:search|browse)\("([^"]+)"', README)
    with lmops.open(tmp_path) as ws:
        ws.traces.ingest(data_dir() / "traces" / "*.jsonl.gz", progress=False)
        assert {condition: len(ws.traces.search(condition, limit=1)) for condition in conditions} == dict.fromkeys(
            conditions, 1
        )


def test_the_extras_of_the_table_are_those_of_the_package():
    """What to install names every extra, and none that is not there."""
    text = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert set(re.findall(r"lmops\[(\w+)\]", text)) == set(project["optional-dependencies"]) - {"test", "lint"}
