"""The README is true: its code runs on the sample traffic, its commands and files exist."""

import re
import subprocess
import sys
from pathlib import Path

from lmops.cli import main
from lmops.sample import data_dir

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_code_runs_as_it_stands(tmp_path):
    """A stranger's ten lines, with the sample traffic as their exports."""
    (tmp_path / "exports").symlink_to(data_dir() / "traces")
    code = re.search(r"```python\n(.*?)```", README, re.DOTALL)[1]
    checks = "\nassert ws.sql('select count(*) from traces').fetchall() == [(2000,)]\nassert ws.runbooks.runs()\n"
    command = [sys.executable, "-W", "error::UserWarning", "-c", code + checks]
    found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=180, check=False)
    assert found.returncode == 0, found.stderr


def test_links_lead_somewhere():
    """Every relative link and picture is in the project."""
    targets = [target for target in re.findall(r"\]\(([^)]+)\)", README) if "://" not in target]
    assert targets
    assert [target for target in targets if not (ROOT / target).exists()] == []


def test_every_command_is_in_the_table():
    """The table of commands names all of them."""
    missing = [name for name in main.commands if not re.search(rf"`(lmops )?{name}\b", README)]
    assert missing == []


def test_code_begins_on_the_first_screen():
    """The two commands and the code come before line 30."""
    lines = README.splitlines()
    assert lines.index("```sh") < 30
    assert lines.index("```python") < 30
