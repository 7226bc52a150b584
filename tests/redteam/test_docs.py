"""The page on red teams is true: its code runs as it stands."""

from __future__ import annotations

import re
from pathlib import Path

from lmops.guardrails.contract import KINDS, Finding, rail
from lmops.redteam.oracles import KINDS as ORACLES
from lmops.redteam.targets import FIELDS

TEXT = (Path(__file__).parents[2] / "docs" / "redteam.md").read_text(encoding="utf-8")


def test_the_code_of_the_page_runs(ws, monkeypatch):
    """One block after the other, in one process."""

    @rail(name="says_ignore", stages=("input",), action="block", window=20)
    def says_ignore(given):
        """The word "Ignore"."""
        at = given.text.find("Ignore")
        if at >= 0:
            yield Finding(at, at + 6, "ignore")

    ws.prompts.save("desk", "Question:\n{{ question }}", model="standin:ferry-1")
    ws.guardrails.save("desk", input=["says_ignore"])
    monkeypatch.chdir(ws.store.path.parent)
    names = {}
    exec("\n".join(re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)), names)
    KINDS._known.pop("says_ignore")
    assert names["report"].overall.success > 0
    assert names["verdict"].outcome in ("pass", "inconclusive")
    assert len(names["matrix"].rows) == 3
    names["ws"].close()


def test_tables_name_everything():
    """Every oracle and every field of a target is in a table."""
    rows = {row.split("`")[1] for row in TEXT.splitlines() if row.startswith("| `")}
    assert set(ORACLES) <= rows
    assert set(FIELDS) - {"repeat"} <= rows
