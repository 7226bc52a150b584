"""Prompts for the tests of widgets: three versions of a support assistant, as a registry has them."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parents[2] / "data" / "prompts"
NOTES = ("first version", "shorter answers that name their source", "warmer tone, requested by marketing")


def template(version):
    """One version of the sample prompt as messages."""
    text = (FOLDER / f"support-answer.v{version}.txt").read_text("utf-8").strip()
    text = text.replace("{sources}", "{{ sources }}").replace("{question}", "{{ question }}")
    system, _, user = text.partition("\n\n")
    return [{"role": "system", "content": system}, {"role": "user", "content": user}]


def saved(ws, *, model="standin:ferry-1"):
    """Save the three versions and promote the first two, then the third."""
    for version, note in enumerate(NOTES, start=1):
        temperature = {"temperature": 0.2} if version < 3 else {"temperature": 0.7, "max_tokens": 600}
        ws.prompts.save("support-answer", template(version), model=model, params=temperature, note=note)
        ws.prompts.promote("support-answer", version, to="production", reason=note)
    return ws
