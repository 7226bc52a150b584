"""``lmops label-schema ...``: what people are asked when they label."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lmops.cli.aliases import alias_commands
from lmops.cli.build import Verb
from lmops.cli.printing import plain_data
from lmops.cli.words import Word
from lmops.errors import UsageError, system_in_words
from lmops.feedback import LabelSchemas


def _fields(given: str) -> Any:
    """Return the fields that a file of JSON lists."""
    with system_in_words(given):
        text = Path(given).read_text("utf-8")
    try:
        return json.loads(text)
    except ValueError as error:
        raise UsageError(f"{given} is no JSON: {error}") from None


COMMANDS = [
    Verb(
        "feedback.schemas",
        LabelSchemas.save,
        acts=True,
        makes_store=True,
        text=lambda schema: str(schema.text),
        help="Save what raters are asked under NAME as a version; pass or fail with a critique without --fields.",
        example="lmops label-schema save support --fields fields.json --criteria 'As a customer.'",
        data=plain_data,
        words={
            "fields": Word(
                flags=("--fields",),
                help="JSON file: a list of objects with name, kind, criteria, options.",
                metavar="FILE",
                read=lambda given: _fields(given) if given else [{"name": "verdict"}],
                is_many=False,
                default="",
            ),
            "criteria": Word(help="What raters are told of the whole.", metavar="TEXT"),
        },
    ),
    Verb(
        "feedback.schemas",
        LabelSchemas.get,
        text=lambda schema: str(schema.text),
        data=plain_data,
        help="Show a version: what it asks, its criteria and keys.",
        example="lmops label-schema get support@2",
    ),
    Verb("feedback.schemas", LabelSchemas.list, help="List all label schemas.", empty="there are no label schemas"),
    Verb(
        "feedback.schemas",
        LabelSchemas.versions,
        help="List the versions of NAME, newest first.",
        empty="there are no versions",
    ),
    *alias_commands("label-schema", LabelSchemas, example="support", data=plain_data),
]
