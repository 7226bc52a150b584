"""What the page on routes says runs as it stands."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

from lmops.routing._trial_records import Verdict
from tests.routing.trials import traffic

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "routing.md").read_text()


def test_every_block_of_the_page_runs(ws):
    """One after another, in one workspace; after the release has begun there is a little traffic."""
    for words in ("Answer: {{ question }}", "Answer in short: {{ question }}"):
        ws.prompts.save("support-answer", words, model="standin:ferry-1")
    said = {"ws": ws}
    for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(block, said)
        if '"canary":' in block:
            traffic(ws, users=300)
    assert said["answer"].choice.route == "support"
    assert said["found"].verdict in get_args(Verdict)
