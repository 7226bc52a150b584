"""Judges in versions: what a judge is sent, kept for good, with aliases that move from version to version."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar, Final

from lmops.base.kinds import refuses_wrong_kinds
from lmops.base.public import only
from lmops.judges import _show as _show
from lmops.judges._records import JudgeDiff, JudgeVersion, difference
from lmops.judges._versions import KIND, content_of, evidence_id, rows_of
from lmops.records import Kind, Versioned
from lmops.scorers import resolve_all

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from lmops.records import Change, Project
    from lmops.scorers import Scorer

__all__ = ["JudgeDiff", "JudgeVersion", "Judges", "meant", "scorers_meant"]
__dir__ = only(__all__)

_PREFIX: Final = "judge:"
_MEASURED: Final = (
    "select judge, judge_version, max(number) from calibrations where stale is null group by judge, judge_version"
)


def meant(project: Project, wanted: Any) -> Any:
    """Return the judge that is meant, where a judge of the store is; anything else as it is.

    Args:
        project: Where the judges are.
        wanted: A version, ``"judge:polite@production"``, or a mapping as a criteria file has it:
            ``{"scorer": "judge:polite@production", "name": ...}``; or a scorer of any kind.

    Raises:
        NotFoundError: There is no such judge, version or alias.
        UsageError: Some of its examples were erased.
    """
    if isinstance(wanted, JudgeVersion):
        return wanted.scorer
    if isinstance(wanted, str) and wanted.startswith(_PREFIX):
        return Judges(project).get(wanted.removeprefix(_PREFIX)).scorer
    named = wanted.get("scorer") if isinstance(wanted, dict) and wanted.keys() <= {"scorer", "name"} else None
    if not isinstance(named, str) or not named.startswith(_PREFIX):
        return wanted
    found: Scorer = meant(project, named)
    return found.named(wanted["name"]) if wanted.get("name") else found


def scorers_meant(project: Project, scorers: Any) -> list[Scorer]:
    """Return scorers by names, functions or objects, judges of the store by their references; every name once.

    Args:
        project: Where the judges are.
        scorers: One or several of what :func:`meant` takes.

    Raises:
        NotFoundError: There is no such scorer.
        UsageError: Two have the same name.
    """
    is_one = isinstance(scorers, str | JudgeVersion) or callable(scorers) or hasattr(scorers, "keys")
    wanted = [scorers] if is_one else list(scorers or ())
    return list(resolve_all(meant(project, one) for one in wanted))


@refuses_wrong_kinds
class Judges(Versioned[JudgeVersion]):
    """The judges of a workspace: ``ws.judges``."""

    KIND: ClassVar[Kind[JudgeVersion]] = KIND

    def save(self, judge: Scorer, *, reason: str | None = None) -> JudgeVersion:
        """Save a judge as a version of its name and return it; the same judge again is the same version.

        Args:
            judge: That ``lmops.scorers.judge`` made.
            reason: Why there is a new version.

        Raises:
            UsageError: It is no such judge.
        """
        content_of(judge)
        with self._project.change(reason=reason) as change:
            return self._put(change, judge)

    def versions(self, name: str) -> pd.DataFrame:
        """Return one row a version, newest first; ``get(f"{name}@{version}")`` has the version itself.

        Returns:
            version, model, judge_version (as in calibrations and runs), calibration (number of the newest of exactly
            this version that no newer labels speak against, NA: uncalibrated), hash, parent, aliases, is_current,
            created_at (UTC), author, note.

        Raises:
            NotFoundError: There is no such judge.
            DamagedStoreError: The newest version is not what was written.
        """
        return self._measured(super().versions(name).assign(name=name)).drop(columns="name")

    def list(self) -> pd.DataFrame:
        """Return one row a judge, sorted by name.

        Returns:
            name, version (the newest), versions (how many), aliases ("production=2"), model, judge_version,
            calibration (as of :meth:`versions`), created_at (UTC), author, note.
        """
        return self._measured(super().list())

    def diff(self, name: str, a: int | str | JudgeVersion, b: int | str | JudgeVersion) -> JudgeDiff:
        """Return what changed from one version of a judge to another, line by line.

        Args:
            name: Of the judge.
            a: Number, alias, reference or record of a version.
            b: Of another.

        Raises:
            NotFoundError: There is no such version.
        """
        return difference(*self._pair(name, a, b))

    def better(
        self, change: Change, old: Scorer, new: Scorer, *, traces: Sequence[str | None], figures: Mapping[str, Any]
    ) -> tuple[JudgeVersion, str]:
        """Save a judge that was found better than another as a version made from it, within a change.

        No alias is moved: the version is a draft until somebody promotes it.

        Args:
            change: The rows of the improvement wait for its next event.
            old: The judge that it was measured against; saved as well where it is not yet.
            new: The better one: the old one with further examples.
            traces: The trace of each message that it is shown beyond the old one's.
            figures: n_learning, n_held_out, p_value, and whatever else was found.

        Returns:
            The version, and the id of the improvement, which is evidence for its promotion.
        """
        before = self._put(change, old)
        after = self._put(change, new, parent=before.version, traces=(*before.traces, *traces))
        counted = ("n_learning", "n_held_out", "p_value")
        number = change.insert(
            "judge_improvements",
            {
                "judge": after.name,
                "from_version": before.version,
                "version": after.version,
                **{name: figures[name] for name in counted},
                "figures": json.dumps({name: value for name, value in figures.items() if name not in counted}),
                "author": change.actor,
                "created_ns": change.at_ns,
            },
        )
        return after, evidence_id(number)

    def _put(
        self, change: Change, judge: Scorer, *, parent: int | None = None, traces: Sequence[str | None] = ()
    ) -> JudgeVersion:
        """Save a judge as the next version of its name unless one is it, and return that version."""
        content = content_of(judge)

        def row() -> dict[str, Any]:
            version = self._versions.newest(change.con, judge.name) + 1
            for one in rows_of(judge.name, version, content.messages, traces):
                change.insert("judge_examples", one)
            return {"body": content.body, "judge_version": judge.version}

        return self._versions.keep(change, judge.name, content.hash, row, parent=parent)[0]

    def _measured(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return a listing with the calibration of each version behind its ``judge_version``."""
        import pandas as pd

        known = {(judge, version): number for judge, version, number in self._store.sql(_MEASURED).fetchall()}
        numbers = [known.get(key) for key in zip(frame["name"], frame["judge_version"], strict=True)]
        frame.insert([*frame.columns].index("judge_version") + 1, "calibration", pd.Series(numbers, dtype="Int64"))
        return frame
