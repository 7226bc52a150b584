"""What the page on guardrails says runs as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lmops.guardrails.contract import KINDS

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "guardrails.md").read_text()


@pytest.fixture
def said(ws):
    """The names that its blocks make, run one after another in one workspace."""
    known, found = dict(KINDS._known), {"ws": ws}
    for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(block, found)
    yield found
    KINDS._known.clear()
    KINDS._known.update(known)


def test_every_block_of_the_page_runs(said, capsys):
    """With what it says of the outcome."""
    assert (said["decision"].action, "[CARD_1]" in said["decision"].text) == ("redact", True)
    assert (said["answer"].is_blocked, said["blocked"].is_blocked) == (False, True)
    assert said["reply"]("Is 4111 1111 1111 1111 my card?") == "You asked: Is 4111 1111 1111 1111 my card?"


def test_its_file_is_a_policy(ws, tmp_path):
    """As it stands."""
    (text,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "support.yaml").write_text(text)
    assert [one.action for one in ws.guardrails.sync(tmp_path).entries] == ["saved"]
    assert ws.guardrails.get("support").stages["input"][1].options == {"kinds": ["card", "iban"]}
