"""``lmops label-schema ...``: what people are asked when they label."""

from __future__ import annotations

from lmops.cli.aliases import alias_commands
from lmops.cli.build import Verb
from lmops.cli.printing import plain_data
from lmops.cli.words import Word, json_file
from lmops.feedback import LabelSchemas

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
                read=lambda given: json_file(given) if given else [{"name": "verdict"}],
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
