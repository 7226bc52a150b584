"""The page on incidents is true: its code runs as it stands."""

from __future__ import annotations

import re
from pathlib import Path

from lmops.incidents import ACTIONS
from tests.incidents.conftest import broken

TEXT = (Path(__file__).parents[2] / "docs" / "incidents.md").read_text(encoding="utf-8")


def test_the_code_of_the_page_runs(made_once, monkeypatch):
    """One block after the other, in one process."""
    with made_once(broken) as ws:
        monkeypatch.chdir(ws.store.path.parent)
        names = {}
        exec("\n".join(re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)), names)
        assert names["incident"].explained == "prompt version: answer@1 → answer@2"
        assert (names["done"].state, names["verified"].state) == ("done", "cannot tell")
        names["ws"].close()


def test_every_action_is_in_the_table():
    """And every argument of it."""
    for name in ("roll_back", "reroute", "kill_arm", "stop_canary", "disable_tool", "enable_tool"):
        (row,) = [line for line in TEXT.splitlines() if line.startswith(f"| `{name}`")]
        assert [one for one in ACTIONS.get(name).params if f"`{one}`" not in row] == []
