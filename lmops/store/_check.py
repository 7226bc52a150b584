"""Checking: the database, every file and every key, and what is set aside."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from lmops.base.units import counted
from lmops.errors import NotFoundError, StoreError
from lmops.store._filesystem import META
from lmops.store._identity import segment_files
from lmops.store._planner import OPEN
from lmops.store._quarantine import held
from lmops.store._repair import APART, Repair
from lmops.store._tables import filed
from lmops.store._verify import damage, describe_damage, refuse_unread
from lmops.store.schema import schema

if TYPE_CHECKING:
    from pathlib import Path

    from lmops.store._blobs import Blobs
    from lmops.store._drain import Publisher
    from lmops.store._engine import Engine
    from lmops.store._maintenance import Maintenance
    from lmops.store._meta import Meta
    from lmops.store._segments import Segment
    from lmops.store._snapshot import Snapshot

#: So many files that are set aside are named, the others counted.
_NAMED: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """What a check found.

    Attributes:
        segments: Files that the manifest lists.
        rows: Rows in them.
        problems: What is wrong, one sentence each.
        lost_rows: Rows that cannot be read, by table; after a repair, those that were not kept.
        kept_rows: Rows that a repair kept of damaged files, by table.
        notes: What is set aside in ``quarantine/``; no fault of the store as it is.
    """

    segments: int
    rows: int
    problems: tuple[str, ...]
    lost_rows: dict[str, int] = field(default_factory=dict)
    kept_rows: dict[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Return whether nothing is wrong."""
        return not self.problems

    def __bool__(self) -> bool:
        """Return whether nothing is wrong."""
        return self.ok

    def __repr__(self) -> str:
        """Say it in one line, and name every problem below."""
        size = f"{counted(self.segments, 'segment')}, {counted(self.rows, 'row')}"
        head = f"<CheckReport {'ok' if self.ok else 'DAMAGED'}: {size}"
        for what, counts in (("lost", self.lost_rows), ("kept", self.kept_rows)):
            found = ", ".join(f"{rows:,} {tbl}" for tbl, rows in sorted(counts.items()))
            head += f"; {what}: {found}" if found else ""
        return "\n  ".join([f"{head}>", *self.problems, *self.notes])


class Check:
    """Looks at one store, all of it."""

    def __init__(
        self, folder: Path, meta: Meta, engine: Engine, publisher: Publisher, blobs: Blobs, maintenance: Maintenance
    ) -> None:
        self._folder = folder
        self._meta = meta
        self._engine = engine
        self._publisher = publisher
        self._blobs = blobs
        self._maintenance = maintenance

    def run(self, *, repair: bool = False, actor: str = "") -> CheckReport:
        """Verify the database, every listed file (size, SHA-256, row count, times) and the keys across files.

        Args:
            repair: Keep what is whole of damaged files, and set the files aside.
            actor: Who asks for a repair, for the audit chain.

        Raises:
            StoreError: A file that is to be repaired cannot be read now; nothing was changed.
        """
        with self._meta.read() as con:
            verdicts = [row[0] for row in con.execute("pragma integrity_check")]
            checks = [table.check_files for table in schema().tables.values() if table.check_files is not None]
            notebooks = [problem for check in checks for problem in check(con, self._folder)]
        problems = [f"{META}: {verdict}" for verdict in verdicts if verdict != "ok"] + notebooks
        snapshot = self._engine.snapshot()
        problems += snapshot.harm
        problems += [one for one in self._engine.record_problems() if one not in problems]
        segments = [segment for files in snapshot.segments.values() for segment in files]
        lost: Counter[str] = Counter()
        broken: list[tuple[Segment, str]] = []
        for segment in segments:
            problem = damage(self._folder, segment) or self._disagreement(segment)
            if problem:
                problems.append(describe_damage(segment, problem))
                lost[segment.tbl] += segment.rows
                broken.append((segment, problem))
        if not broken and not snapshot.problems and not snapshot.damaged:
            problems += self._doubled(snapshot)
            apart = len(self._engine.rows(snapshot, APART, ("spans", "traces")))
            problems += [f"traces: {apart} rows disagree with the spans of their trace"] if apart else []
            problems += self._lost_blobs(snapshot)
        kept: Counter[str] = Counter()
        if repair and problems:
            refuse_unread({segment.path: problem for segment, problem in broken})
            mended = Repair(self._folder, self._meta, self._engine, self._publisher, self._maintenance, actor=actor)
            kept = mended.run(broken)
            lost = Counter({tbl: rows - kept[tbl] for tbl, rows in lost.items() if rows > kept[tbl]})
        return CheckReport(
            segments=len(segments),
            rows=sum(segment.rows for segment in segments),
            problems=tuple(problems),
            lost_rows=dict(lost),
            kept_rows=dict(kept),
            notes=self._aside(),
        )

    def _aside(self) -> tuple[str, ...]:
        """Return what is set aside, and what the next compaction will set aside."""
        found = held(self._folder)
        with self._meta.read() as con:
            known = {row[0] for row in con.execute("select path from segments union all select path from retired")}
        strays = [path for path in segment_files(self._folder) if path not in known]
        found += [(f"{path}, which is in no manifest: the next compaction moves it", 0) for path in strays]
        named = [f"set aside: {name}{f' ({size:,} bytes)' if size else ''}" for name, size in found[:_NAMED]]
        more = len(found) - len(named)
        return (*named, f"set aside: {more} more files") if more else tuple(named)

    def _disagreement(self, segment: Segment) -> str | None:
        """Return how a file that is whole differs from its manifest record, or None."""
        import pyarrow.compute as pc
        import pyarrow.parquet as pq

        key = filed()[segment.tbl].time
        times = pq.read_table(self._folder / segment.path, columns=[key], partitioning=None)[key]
        if len(times) != segment.rows:
            return f"{len(times)} rows instead of {segment.rows}"
        bounds: Any = pc.min_max(times).as_py()
        if (bounds["min"], bounds["max"]) != (segment.min_ns, segment.max_ns):
            return "its times differ from the manifest"
        return None

    def _lost_blobs(self, snapshot: Snapshot) -> list[str]:
        """Return a problem for every blob that a row refers to and that cannot be read."""
        problems = []
        for name in sorted(self._maintenance.blobs_in_use(snapshot)):
            try:
                self._blobs.get(name)
            except StoreError as error:
                problems.append(str(error))
            except NotFoundError:
                # Anyone can write a text that looks like the name of a blob.
                problems.append(
                    f"blobs/{name}: missing, or a text that only looks like its name; rows keep its beginning"
                )
        return problems

    def _doubled(self, snapshot: Snapshot) -> list[str]:
        """Return a problem for every table with a key that is there twice."""
        found = []
        for tbl, key in ((name, one.key) for name, one in filed().items() if one.key):
            query = f"select count(*), count(distinct ({', '.join(key)})) from {tbl}"  # our own tables
            total, distinct = self._engine.run(snapshot, query, None, {tbl: OPEN}, warn=False).fetchall()[0]
            if total != distinct:
                found.append(f"{tbl}: {total - distinct} rows have a key that is there twice")
        return found
