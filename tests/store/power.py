"""A power cut: what a process wrote and did not sync is gone."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lmops.store._filesystem import META

if TYPE_CHECKING:
    import pytest

FSYNC = os.fsync
WAL = f"{META}-wal"


class Disk:
    """Notes what of one store has reached the disk: every fsync of this process, and every commit that makes one.

    SQLite syncs its log at a commit when ``synchronous`` is full, and then all of it; with normal it does not.
    """

    def __init__(self, root: Path, patch: pytest.MonkeyPatch) -> None:
        self.root = root
        self.entries: dict[int, set[str]] = {}
        self.files: set[int] = set()
        self.wal = 0
        for folder, _, names in os.walk(root):
            self._note(folder)
            self.files.update(Path(folder, name).stat().st_ino for name in names)
        self.commit()
        patch.setattr(os, "fsync", self._fsync)
        patch.setattr(sqlite3, "connect", self._connect)

    def _note(self, folder: str | int) -> None:
        self.entries[os.stat(folder).st_ino] = set(os.listdir(folder))  # noqa: PTH116, PTH208 - a handle too

    def _fsync(self, handle: int) -> None:
        FSYNC(handle)
        found = os.fstat(handle)
        if stat.S_ISDIR(found.st_mode):
            self._note(handle)
        else:
            self.files.add(found.st_ino)

    def commit(self) -> None:
        """Note that SQLite has synced its log."""
        path = self.root / WAL
        self.wal = path.stat().st_size if path.exists() else 0

    def _connect(self, *args: Any, **options: Any) -> sqlite3.Connection:
        disk = self

        class Syncing(sqlite3.Connection):
            is_full = False

            def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
                if sql.startswith("pragma synchronous="):
                    self.is_full = sql.endswith("full")
                found = super().execute(sql, *args)
                if sql == "commit" and self.is_full:
                    disk.commit()
                return found

        connection: sqlite3.Connection = CONNECT(*args, factory=Syncing, **options)
        return connection

    def cut(self, target: Path) -> Path:
        """Copy to ``target`` what a power cut would leave of the store now, at the worst."""
        self._copy(self.root, target)
        if (target / WAL).exists():
            os.truncate(target / WAL, self.wal)
        return target

    def _copy(self, source: Path, target: Path) -> None:
        target.mkdir(parents=True)
        kept = self.entries.get(source.stat().st_ino, set())
        for path in source.iterdir():
            if path.is_dir() and path.name in kept:
                self._copy(path, target / path.name)
            elif path.name == WAL or (path.name in kept and (path.name == META or path.stat().st_ino in self.files)):
                shutil.copyfile(path, target / path.name)


CONNECT = sqlite3.connect
