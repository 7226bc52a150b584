"""What the page on tools says runs as it stands."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "tools.md").read_text()
#: What follows needs traces, and has tests of its own.
CALLS = PAGE.partition("## What may be called")[0]


def test_every_block_on_calls_and_agents_runs(ws):
    """With what it says of the outcome."""
    found = {"ws": ws}
    for block in re.findall(r"```python\n(.*?)```", CALLS, re.DOTALL):
        exec(block, found)
    assert (found["found"].value, len(found["found"].detail["lax"])) == ("3.0 for A-17, late", 1)
    assert (found["run"].ended, [one.outcome for one in found["run"].results]) == ("answer", ["ok", "ok"])
    assert found["outer"].results[0].detail["run"].results[0].ok
    assert found["weather"].value == {"sky": "clear"}
