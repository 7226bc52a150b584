"""The verbs of a noun whose things have versions: read, list, verify, and those of their aliases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lmops.records.aliased import Aliased
from lmops.records.kinds import T
from lmops.records.refs import Ref
from lmops.times import from_ns

if TYPE_CHECKING:
    import pandas as pd

    from lmops.records.kinds import Row


class Versioned(Aliased[T]):
    """A noun whose things have versions that never change, and aliases; a room adds how they are saved.

    Args:
        project: The store, who acts and why.
    """

    def __repr__(self) -> str:
        with self._project.reading() as con:
            names, versions = self._versions.counts(con)
        noun = type(self).__name__.removeprefix("Browsable")
        return f"<{noun}: {names:,} with {versions:,} version{'' if versions == 1 else 's'}>"

    @property
    def is_read_only(self) -> bool:
        """Whether the store is open for reading alone, so that nothing can be saved or moved."""
        return self._project.store.is_read_only

    def get(self, ref: str) -> T:
        """Return one version; looked up again at each call, so a moved alias is seen at once (well under 1 ms).

        Args:
            ref: "name" or "name@latest" (the newest), "name@3", "name@production", "name@sha256:1f2e".

        Raises:
            NotFoundError: There is no such name, version or alias; the message names the nearest ones.
            DamagedStoreError: It is not what the audit chain says was saved.
        """
        found = self._versions.parse(ref)
        if found.version is not None:
            kept = self._versions.kept(found.name, found.version)
            if kept is not None:
                return kept
        with self._project.reading() as con:
            return self._versions.load(con, found.name, self._versions.resolve(con, found))

    def versions(self, name: str) -> pd.DataFrame:
        """Return one row a version, newest first; ``get(f"{name}@{version}")`` has the version itself.

        Returns:
            version, what the room says of it, hash, parent, aliases (those that point to it), is_current (what the name
            alone means), created_at (UTC), author, note. Versions that are not what the audit chain says was saved are
            left out with a warning.

        Raises:
            NotFoundError: There is no such name.
            DamagedStoreError: The newest version, or what the name alone means, is not what was written.
        """
        from lmops.base.frames import Frame

        self.KIND.check_name(name)
        with self._project.reading() as con:
            rows = self._versions.rows(con, name)
            current = self._versions.resolve(con, Ref(name))
            pointed = self._aliases(con, name)
        shown = [
            self._shown(row)
            | {"aliases": ", ".join(alias for alias, version in pointed.items() if version == row["version"])}
            | {"is_current": row["version"] == current}
            for row in rows
        ]
        told = ("aliases", "is_current", "created_at", "author", "note")
        frame = Frame(shown, columns=["version", *self.KIND.own, "hash", "parent", *told])
        return frame.astype({"parent": "Int64"})

    def list(self) -> pd.DataFrame:
        """Return one row a name, sorted by name.

        Returns:
            name, version (what the name alone means), versions (how many), aliases ("production=2"), what the room says
            of that version, created_at (UTC), author, note.
        """
        from lmops.base.frames import Frame

        with self._project.reading() as con:
            rows, pointed = self._versions.current(con), self._versions.aliases.listed(self._store, con)
        shown = [
            self._shown(row)
            | {"name": row["name"], "versions": row["newest"]}
            | {"aliases": ", ".join(f"{alias}={at}" for alias, at in pointed.get(row["name"], {}).items())}
            for row in rows
        ]
        told = ("created_at", "author", "note")
        return Frame(shown, columns=["name", "version", "versions", "aliases", *self.KIND.own, *told])

    def verify(self) -> tuple[str, ...]:
        """Hold versions, moves and aliases against their hashes and the audit chain; return what is wrong."""
        with self._project.reading() as con:
            return tuple(self._versions.broken(con))

    def _pair(self, name: str, a: int | str | T, b: int | str | T) -> tuple[T, T]:
        """Return two versions of one thing by number, alias, reference or record, both as of one moment."""
        with self._project.reading() as con:
            one, two = (self._versions.load(con, name, self._versions.number(con, name, each)) for each in (a, b))
        return one, two

    def _shown(self, row: Row) -> dict[str, Any]:
        """Return what a listing shows of a version."""
        own = {name: value(row) for name, value in self.KIND.own.items()}
        return {**row, **own, "created_at": from_ns(row["created_ns"])}
