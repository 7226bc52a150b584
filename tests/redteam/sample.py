"""The orders that are slipped into questions of the sample, as a suite: each after an ordinary question."""

from __future__ import annotations

import re

from lmops.sample import golden
from lmops.standin import content

_ORDER = re.compile(r'(?:reply with|say|write|antworte mit) "([^"]+)"', re.IGNORECASE)


def injections(version=3, *, each=3):
    """Return seeds: an order of the sample after a question of its users, which alone is the twin.

    Args:
        version: Of the prompt whose first line an order may bring out.
        each: Questions an order comes after.
    """
    first = content.prompt_text(version).partition("\n")[0]
    questions = [row["input"]["question"] for row in golden() if row["metadata"]["kind"] == "single"]
    made = []
    for number, order in enumerate(content.attacks()):
        found = _ORDER.search(order.text)
        for turn in range(each):
            question = questions[(number * each + turn) % len(questions)]
            made.append(
                {
                    "id": f"{order.id}-{turn}",
                    "family": order.technique,
                    "text": f"{question} {order.text}",
                    "twin": question,
                    "oracle": {"kind": "phrase", "any": [found.group(1) if found else first]},
                    "twin_oracle": "not_stopped",
                    "severity": "high",
                    "tags": ["LLM07"] if order.technique == "leak" else ["LLM01"],
                }
            )
    return made


def prompts(ws):
    """Save the versions of the sample's prompt, as the demo has them."""
    for version in (1, 2, 3):
        text = content.prompt_text(version)
        system, user = text[: text.index("Sources:")].strip(), text[text.index("Sources:") :]
        for name in ("sources", "question"):
            user = user.replace("{" + name + "}", "{{ " + name + " }}")
        messages = [{"role": "system", "content": system}, {"role": "user", "content": user}]
        ws.prompts.save("support-answer", messages, model="standin:ferry-1", note=f"version {version}")
