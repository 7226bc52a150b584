"""A folder of files and the versions of a room, both ways; nothing is overwritten that only one of them has.

Three states decide: what the file says, what the newest version says, and what both said after the last sync (kept in
the store, by folder; the file's own hash stands in for it the first time).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, Protocol, TypeVar, get_args

from lmops.errors import LmopsError, MissingDependencyError, UsageError, did_you_mean, system_in_words
from lmops.git import Repository, repository
from lmops.owners import refuse_stranger
from lmops.records.files import commit_of, decoded, folder_key, read, write
from lmops.records.kinds import Version
from lmops.records.refs import Ref
from lmops.records.sync_report import Side, SyncEntry, SyncReport
from lmops.text import plain_line

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from lmops.records.change import Change
    from lmops.records.project import Project
    from lmops.records.versions import Versions


class File(Protocol):
    """What a file says."""

    @property
    def name(self) -> str | None:
        """Of what it is, if it says so."""

    @property
    def hash(self) -> str | None:
        """Of the version that it was written from, if it says so."""

    @property
    def digest(self) -> str:
        """Of the content that it has."""

    @property
    def note(self) -> str | None:
        """Why, if it says so."""


V = TypeVar("V", bound=Version)
F = TypeVar("F", bound=File)


class Filing(Protocol[V, F]):
    """How a room files its versions: one readable file a name, and back without loss."""

    #: what the names of files end with
    suffix: str
    max_bytes: int
    #: a table (folder, name, hash) of what both sides said after the last sync
    table: str

    def load(self, text: str) -> F:
        """Return what the text of a file says."""

    def dump(self, version: V) -> str:
        """Return a version as the text of its file."""

    def kept(self, newest: V, file: F) -> V:
        """Return a version with what its file says beside the content."""

    def save(self, change: Change, file: F, *, name: str, commit: str | None) -> tuple[V, bool]:
        """Save what a file says as a version; return it and whether it is new."""

    def difference(self, newest: V, file: F) -> str:
        """Return what differs from the newest version to the file, as text."""


class Sync(Generic[V, F]):
    """One sync of one folder.

    Args:
        project: The store, who acts and why.
        versions: The versions of the room.
        filing: How the room files them.
        folder: Where the files are.
        take: Which side wins where both changed, by name.
        is_dry_run: Change nothing.
        restore: Write the files again that were removed.

    Raises:
        UsageError: ``take`` names a side that is not there.
    """

    def __init__(
        self,
        project: Project,
        versions: Versions[V],
        filing: Filing[V, F],
        folder: Path,
        *,
        take: Mapping[str, Side],
        is_dry_run: bool,
        restore: bool,
    ) -> None:
        for name, side in take.items():
            if side not in get_args(Side):
                raise UsageError(f"take={{{name!r}: {side!r}}}: write 'file' or 'registry'")
        self._project = project
        self._versions = versions
        self._folder = folder
        self._filing = filing
        self._take = take
        self._is_dry_run = is_dry_run
        self._restore = restore
        self._key = folder_key(folder, project.store.path)
        self._repository: Repository | None = None

    def run(self, names: Sequence[str] | None = None) -> SyncReport:
        """Bring files and registry together, name by name."""
        if self._folder.exists() and not self._folder.is_dir():
            raise UsageError(f"{self._folder} is no folder")
        refuse_stranger(self._folder, what=f"the folder of {self._versions.kind.noun}")
        if not self._is_dry_run:
            self._folder.mkdir(parents=True, exist_ok=True)
        with self._project.reading() as con:
            saved = set(self._versions.names(con))
            known = self._noted(con)
        suffix = self._filing.suffix
        with system_in_words(self._folder):
            files = {path.name.removesuffix(suffix) for path in self._folder.glob(f"*{suffix}")}
        wanted = saved | files
        for name in names or ():
            if name not in wanted:
                raise UsageError(
                    did_you_mean(self._versions.kind.name, name, wanted, hint=f"neither saved nor in {self._folder}")
                )
        chosen = sorted(wanted if names is None else set(names))
        with repository(self._folder) as self._repository:
            entries = [self._one(name, had_file=name in known) for name in chosen]
        return SyncReport(
            folder=self._folder,
            entries=tuple(entries),
            noun=self._versions.kind.noun,
            is_dry_run=self._is_dry_run,
        )

    def _one(self, name: str, *, had_file: bool) -> SyncEntry:
        path = self._folder / f"{name}{self._filing.suffix}"
        try:
            self._versions.kind.check_name(name)
            raw = read(path, most=self._filing.max_bytes)
            with self._project.reading() as con:
                newest = self._newest(con, name)
            if raw is None:
                if newest is None:
                    raise UsageError("the file vanished while it was read")
                return self._out(path, newest, had_file=had_file)
            return self._both(name, path, raw, newest)
        except MissingDependencyError:
            raise  # that is no problem of a file
        except (LmopsError, OSError) as error:
            return SyncEntry(name, "problem", None, path, str(error))

    def _out(self, path: Path, newest: V, *, had_file: bool) -> SyncEntry:
        """Write out a version that has no file, unless somebody removed the file on purpose."""
        if had_file and not self._restore:
            detail = "its file was removed; the registry keeps it (restore=True writes the file again)"
            return SyncEntry(newest.name, "deleted", newest.version, path, detail)
        self._write(path, newest, before=None)
        return SyncEntry(newest.name, "written", newest.version, path, "a new file")

    def _both(self, name: str, path: Path, raw: bytes, newest: V | None) -> SyncEntry:
        file = self._filing.load(decoded(raw))
        if file.name is not None and file.name != name:
            said = f"{self._versions.kind.name} {plain_line(file.name, 130)!r}"
            raise UsageError(f"the file says it is the {said}; name the file after it")
        if newest is None:
            return self._in(name, path, raw, file, None)
        if file.digest == newest.hash:
            return self._same(path, raw, file, newest)
        base = self._base(name, file)
        side = self._take.get(name)
        if side == "file" or (side is None and base == newest.hash):
            return self._in(name, path, raw, file, newest)
        if side == "registry" or (side is None and base == file.digest):
            self._write(path, newest, before=raw)
            return SyncEntry(name, "written", newest.version, path, "a new version")
        why = "the file and the registry both changed" if base else "it is not known on which version the file is based"
        detail = f"{why}; nothing was touched. Take one: take={{{name!r}: 'file'}} or 'registry'"
        return SyncEntry(name, "conflict", newest.version, path, detail, diff=self._filing.difference(newest, file))

    def _in(self, name: str, path: Path, raw: bytes, file: F, newest: V | None) -> SyncEntry:
        """Save a changed file as a version that remembers its commit, and write its number into the file."""
        commit, state = commit_of(self._repository, path)
        detail = f"{f'a new {self._versions.kind.name}' if newest is None else 'the file changed'}{state}"
        if self._is_dry_run:
            return SyncEntry(name, "saved", 1 + (newest.version if newest else 0), path, detail, commit)
        # A note tells about the version it was written for, not about the one after it.
        note = None if newest is not None and file.note == newest.note else file.note
        with self._project.change(reason=note) as change:
            now = self._newest(change.con, name)
            if (now.hash if now else None) != (newest.hash if newest else None):
                raise UsageError("somebody saved a version meanwhile; sync again")
            saved, is_new = self._filing.save(change, file, name=name, commit=commit)
            self._remember(change, name, saved.hash)
        if not is_new:
            detail += "; it has the content of an older version and is not the newest: promote it, or change it"
        self._replace(path, saved, before=raw)
        return SyncEntry(name, "saved", saved.version, path, detail, commit)

    def _same(self, path: Path, raw: bytes, file: F, newest: V) -> SyncEntry:
        """Note that both say the same; bring the file's number up to date."""
        if not self._is_dry_run:
            with self._project.reading() as con:
                is_noted = self._noted(con).get(newest.name) == newest.hash
            if not is_noted:
                with self._project.change() as change:
                    self._remember(change, newest.name, newest.hash)
        if file.hash == newest.hash:
            return SyncEntry(newest.name, "same", newest.version, path)
        if not self._is_dry_run:
            kept = self._filing.kept(newest, file)
            self._replace(path, kept, before=raw)
        return SyncEntry(
            newest.name, "refreshed", newest.version, path, "its version and hash were written into the file"
        )

    def _base(self, name: str, file: F) -> str | None:
        """Return the hash of what both sides had last: from the store, else the file's own when it is known here."""
        with self._project.reading() as con:
            noted = self._noted(con).get(name)
            if noted is not None:
                return noted
            known = self._versions.hashes(con, name)
        if file.hash in known:
            return file.hash
        return file.digest if file.digest in known else None

    def _write(self, path: Path, version: V, *, before: bytes | None) -> None:
        if self._is_dry_run:
            return
        self._replace(path, version, before=before)
        with self._project.change() as change:
            self._remember(change, version.name, version.hash)

    def _replace(self, path: Path, version: V, *, before: bytes | None) -> None:
        body = self._filing.dump(version).encode()
        write(path, body, before=before, most=self._filing.max_bytes)

    def _newest(self, con: sqlite3.Connection, name: str) -> V | None:
        if not self._versions.newest(con, name):
            return None
        return self._versions.load(con, name, self._versions.resolve(con, Ref(name)))

    def _noted(self, con: sqlite3.Connection) -> dict[str, str]:
        """Return the names that had a file in the folder after its last sync, with the hash that both said."""
        query = f"select name, hash from {self._filing.table} where folder = ?"
        return dict(map(tuple, con.execute(query, (self._key,))))

    def _remember(self, change: Change, name: str, digest: str) -> None:
        change.replace(self._filing.table, {"folder": self._key, "name": name, "hash": digest})
