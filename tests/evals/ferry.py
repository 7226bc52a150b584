"""The three prompts of the sample: rules for the system, sources and question for the user."""

from __future__ import annotations

from lmops.standin.content import prompt_text


def save_prompts(ws):
    """Save them as support-answer@1 to support-answer@3."""
    for version in (1, 2, 3):
        rules, _, rest = prompt_text(version).partition("\nSources:\n")
        user = "Sources:\n" + rest.replace("{sources}", "{{ sources }}").replace("{question}", "{{ question }}")
        ws.prompts.save(
            "support-answer",
            [{"role": "system", "content": rules.strip()}, {"role": "user", "content": user.strip()}],
            model="standin:ferry-1",
            params={"temperature": 0.2},
        )
