"""``lmops judge ...``: versions of judges, what changed between them, aliases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lmops.cli.aliases import alias_commands
from lmops.cli.build import Verb
from lmops.cli.printing import plain_data
from lmops.judges import Judges

if TYPE_CHECKING:
    from lmops.judges import JudgeDiff, JudgeVersion


def version_data(found: JudgeVersion) -> dict[str, Any]:
    """Return a version as ``--json`` prints it."""
    return {"ref": found.ref, **plain_data(found)}


def _diff_data(found: JudgeDiff) -> dict[str, Any]:
    lines = [line._asdict() for line in found.lines if line.kind != "same"]
    return {"a": found.a, "b": found.b, "lines": lines}


COMMANDS = [
    Verb(
        "judges",
        Judges.list,
        help="List the judges with their newest version and their aliases.",
        empty="no judges; ws.judges.save(judge) keeps one, ws.feedback.improve(judge) a better one",
    ),
    Verb(
        "judges",
        Judges.get,
        "show",
        help="Show one version, such as polite@production: its criteria, model, scale and examples.",
        example="lmops judge show polite@2",
        text=lambda found: found.text,
        data=version_data,
    ),
    Verb(
        "judges",
        Judges.versions,
        help="List every version of judge NAME, newest first, with its calibration.",
        empty="no versions",
    ),
    Verb(
        "judges",
        Judges.diff,
        help="Show what changed in judge NAME from version A to version B.",
        text=lambda found: found.text,
        data=_diff_data,
    ),
    *alias_commands("judge", Judges, example="polite", data=version_data),
]
