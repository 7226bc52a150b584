"""Which scorers have to speak so that the monitors of scores have something to watch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lmops.judges import Judges
from lmops.scorers import available

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lmops.monitors._records import Monitor
    from lmops.records import Project

_PRODUCTION: Final = "production"


def scorers_watched(project: Project, monitors: Iterable[Monitor]) -> list[str]:
    """Return the scorers whose scores some monitors watch: of code by name, judges of the store as they are released.

    What is neither (a function of somebody's own) is scored by whoever has it.

    Args:
        project: Where the judges are.
        monitors: Those that look.
    """
    judges = Judges(project)
    known = set(judges.list()["name"])
    found = []
    for name in dict.fromkeys(one.watched.score or "" for one in monitors):
        if name in known:
            found.append(f"judge:{name}{f'@{_PRODUCTION}' if _PRODUCTION in judges.aliases(name) else ''}")
        elif name in available():
            found.append(name)
    return found
