"""A version of a prompt as text and as HTML: its text, its settings, where it is from."""

from __future__ import annotations

import json
from typing import Any

from lmops.base.cards import card_html, card_text
from lmops.base.shown import html_of, text_of
from lmops.prompts._records import PromptVersion


def _parts(found: PromptVersion) -> dict[str, Any]:
    tools = [str(tool if isinstance(tool, str) else tool.get("name") or _function(tool)) for tool in found.tools or ()]
    texts = [(message["role"], message["content"]) for message in found.messages]
    return {
        "kind": "prompt",
        "title": found.ref,
        "facts": [
            ("model", found.model),
            ("parameters", ", ".join(f"{name} {json.dumps(value)}" for name, value in found.params.items())),
            ("variables", ", ".join(found.variables)),
            ("tools", ", ".join(tools)),
            ("answers as", "a JSON schema" if found.response_schema else ""),
            ("note", found.note),
            ("by", found.author),
            ("saved", f"{found.created_at:%Y-%m-%d %H:%M} UTC"),
            ("from", "" if found.parent is None else f"version {found.parent}"),
            ("hash", found.hash[:19]),
        ],
        "texts": texts if found.template is None else [("text", found.template)],
    }


def _function(tool: dict[str, Any]) -> object:
    """Return the name of a tool in the form of chat completions."""
    inner = tool.get("function")
    return inner.get("name", "?") if isinstance(inner, dict) else "?"


@text_of.register(PromptVersion)
def _(found: PromptVersion) -> str:
    return card_text(**_parts(found))


@html_of.register(PromptVersion)
def _(found: PromptVersion) -> str:
    return card_html(**_parts(found))
