"""Versions in the store: saved once, never changed, found by number, alias or hash.

A room says what its things are in a :class:`~lmops.records.kinds.Kind` and keeps their content in a table of its own;
everything else is done here. A version is what its content is: saving the same content again returns the same version.
"""

from __future__ import annotations

import json
import numbers
from typing import TYPE_CHECKING, Final, Generic

from lmops.errors import DamagedStoreError, NotFoundError, UsageError, did_you_mean
from lmops.records.aliases import Aliases
from lmops.records.evidence import Evidence
from lmops.records.kinds import T
from lmops.records.refs import Ref, check_word, split_ref
from lmops.text import plain_line

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from lmops.records.change import Change
    from lmops.records.kinds import Kind, Row
    from lmops.store import Store

#: So many references that were read are remembered.
_KEPT_REFS: Final = 1000


class Versions(Generic[T]):
    """The versions of all things of one kind in one store.

    Args:
        store: Where they are.
        kind: What they are.
    """

    def __init__(self, store: Store, kind: Kind[T]) -> None:
        self._store = store
        self.kind = kind
        self._refs: dict[str, Ref] = {}
        self._kept: dict[tuple[str, int], T] = {}
        self.aliases = Aliases(kind.aliases, kind=kind.name, noun=kind.noun)
        self.evidence = Evidence(kind.name, kind.evidence, kind.proof)

    def parse(self, ref: object) -> Ref:
        """Take a reference apart: ``name``, ``name@latest``, ``name@3``, ``name@alias`` or ``name@sha256:ab12``.

        Raises:
            UsageError: It has another form.
        """
        known = self._refs.get(ref) if isinstance(ref, str) else None
        if known is not None:
            return known
        found = split_ref(ref)
        self.kind.check_name(found.name)
        if found.alias in self.kind.latest:
            found = Ref(found.name)
        elif found.alias is not None:
            check_word(found.alias, "an alias")
        if isinstance(ref, str) and len(self._refs) < _KEPT_REFS:
            self._refs[ref] = found
        return found

    def resolve(self, con: sqlite3.Connection, ref: Ref) -> int:
        """Return the version number that a reference means now.

        Raises:
            NotFoundError: There is no such thing, version or alias; the message names the nearest ones.
            DamagedStoreError: The alias is not where it was put, or the newest version is gone.
        """
        if ref.alias is not None:
            found = self.aliases.pointed(self._store, con, ref.name, ref.alias)
        elif ref.hash_prefix is not None:
            return self._by_hash(con, ref.name, ref.hash_prefix)
        elif ref.version is None and self.kind.heads is not None:
            head = self._store.record(con, self.kind.heads, ref.name)
            found = None if head is None else head["version"]
        else:
            newest = self.newest(con, ref.name)
            found = newest if ref.version is None else ref.version
            if ref.version is None or found > newest:  # what would follow was never written, or is gone
                self._store.record(con, self.kind.table, ref.name, max(found, newest + 1))
            found = found if 1 <= found <= newest else None
        if found is None:
            raise NotFoundError(self._explain(con, ref))
        return int(found)

    def number(self, con: sqlite3.Connection, name: str, version: object) -> int:
        """Return the number of a version that was given as number, reference, alias or record.

        Raises:
            UsageError: It is none of them, or of another thing.
            NotFoundError: There is no such version.
        """
        self.kind.check_name(name)
        ref = getattr(version, "ref", version)
        if isinstance(ref, bool) or not isinstance(ref, numbers.Integral | str):
            raise UsageError(f"version={version!r}: give a number, a reference or a version of {name}")
        if isinstance(ref, numbers.Integral):
            return self.resolve(con, Ref(name, version=int(ref)))
        found = self.parse(ref if "@" in ref else f"{name}@{ref}")
        if found.name != name:
            raise UsageError(f"{plain_line(ref, 200)!r} is a version of {found.name}, not of {name}")
        return self.resolve(con, found)

    # -- reading ---------------------------------------------------------------------------------------------------

    def kept(self, name: str, version: int) -> T | None:
        """Return a version that is in memory, None when it is not."""
        found = self._kept.get((name, version))
        return found if found is None or self.kind.copied is None else self.kind.copied(found)

    def load(self, con: sqlite3.Connection, name: str, version: int) -> T:
        """Return one version that is known to exist.

        Raises:
            DamagedStoreError: It is not what was saved.
        """
        found = self.kept(name, version)
        if found is None:
            found = self.kind.read(self._store, con, self.row(con, name, version))
            if self.kind.copied is not None:
                self._kept[name, version] = self.kind.copied(found)
        return found

    def row(self, con: sqlite3.Connection, name: str, version: int) -> Row:
        """Return the row of one version that is known to exist.

        Raises:
            DamagedStoreError: It is not what was saved.
        """
        row = self._store.record(con, self.kind.table, name, version)
        if row is None:
            raise NotFoundError(self._no_version(con, name, version))
        return dict(row)

    def rows(self, con: sqlite3.Connection, name: str) -> list[Row]:
        """Return the rows of every version of one thing, newest first.

        Rows that are not what was written are left out with a warning.

        Raises:
            NotFoundError: There is no such thing.
            DamagedStoreError: The newest version is gone.
        """
        newest = self.newest(con, name)
        if self._store.record(con, self.kind.table, name, newest + 1) is None and not newest:
            self._refuse_unknown(con, name)
        query = f"select * from {self.kind.table} where name = ? order by version desc"
        return [*self._store.listed(con, self.kind.table, map(dict, con.execute(query, (name,))))]

    def current(self, con: sqlite3.Connection) -> list[Row]:
        """Return the row of what each name alone means, with ``newest``, the number of its newest version.

        Rows that are not what was written are left out with a warning.
        """
        table, heads = self.kind.table, self.kind.heads
        head = "n.newest" if heads is None else f"(select h.version from {heads} h where h.name = v.name)"
        query = (
            f"select v.*, n.newest from {table} v join (select name, max(version) as newest from {table} "
            f"group by name) n on n.name = v.name where v.version = {head} order by v.name"
        )
        rows: list[Row] = [*self._store.listed(con, table, map(dict, con.execute(query)))]
        if heads is None:
            return rows
        known = {row["name"] for row in self._store.records(con, heads)[0]}
        return [row for row in rows if row["name"] in known]

    def names(self, con: sqlite3.Connection) -> list[str]:
        """Return the names of all things."""
        return [row[0] for row in con.execute(f"select distinct name from {self.kind.table}")]

    def counts(self, con: sqlite3.Connection) -> tuple[int, int]:
        """Return how many things and how many versions there are."""
        query = f"select count(distinct name), count(*) from {self.kind.table}"
        names, versions = con.execute(query).fetchone()
        return names, versions

    def newest(self, con: sqlite3.Connection, name: str) -> int:
        """Return the number of the newest version, 0 without any."""
        query = f"select max(version) from {self.kind.table} where name = ?"
        return int(con.execute(query, (name,)).fetchone()[0] or 0)

    def hashes(self, con: sqlite3.Connection, name: str) -> set[str]:
        """Return the hashes of all versions of one thing."""
        return {row[0] for row in con.execute(f"select hash from {self.kind.table} where name = ?", (name,))}

    # -- saving ----------------------------------------------------------------------------------------------------

    def keep(
        self, change: Change, name: str, digest: str, row: Callable[[], Row], *, parent: int | None = None
    ) -> tuple[T, bool]:
        """Save content as :meth:`save` does; return the version that has it, and whether it is new.

        In a change that is a dry run it is the version that would be saved, whatever has its content.
        """
        if change.is_dry_run:
            told = {"name": name, "version": self.newest(change.con, name) + 1, "hash": digest, "parent": None}
            told |= {"note": change.reason, "author": change.actor, "created_ns": change.at_ns}
            return self.kind.read(self._store, change.con, {**told, **row()}), True
        saved, is_new = self.save(change, name, digest, row, parent=parent)
        return self.kind.read(self._store, change.con, saved), is_new

    def save(
        self,
        change: Change,
        name: str,
        digest: str,
        row: Callable[[], Row],
        *,
        parent: int | None = None,
        action: str = "save",
    ) -> tuple[Row, bool]:
        """Save content as the next version unless one has it; return the row of that one, and whether it is new.

        Args:
            change: What it is part of; its reason is the note of the version.
            name: Of the thing.
            digest: The hash of the content.
            row: Keeps the content and returns the columns of the room; asked when the content is new.
            parent: The version it was made from; what the name alone means by default.
            action: What the audit chain calls it.

        Raises:
            NotFoundError: There is no such parent.
            DamagedStoreError: A version has it and is not what was saved.
        """
        con, kind = change.con, self.kind
        query = f"select version from {kind.table} where name = ? and hash = ? order by version desc limit 1"
        same = con.execute(query, (name, digest)).fetchone()
        newest = self.newest(con, name)
        head = (newest or None) if kind.heads is None else self._head(con, name)
        if same is not None and (kind.heads is None or same[0] == head):
            return self.row(con, name, same[0]), False
        if parent is not None and not 1 <= parent <= newest:
            raise NotFoundError(f"parent={parent}: {self._no_version(con, name, parent)}")
        version = newest + 1 if same is None else int(same[0])
        if same is None:
            common = {"name": name, "version": version, "hash": digest, "parent": head if parent is None else parent}
            told = {"note": change.reason, "author": change.actor, "created_ns": change.at_ns}
            change.insert(kind.table, {**common, **told, **row()})
        before = None
        if kind.heads is not None:
            before = None if head is None else kind.said(self._bare(con, name, head))
            change.replace(kind.heads, {"name": name, "version": version, "moved_ns": change.at_ns})
        # No event has yet made of a new row what it must be.
        written = self._bare(con, name, version) if same is None else self.row(con, name, version)
        told_as = action if same is None else "restore"
        change.say(f"{kind.name}.{told_as}", f"{name}@{version}", before=before, after=kind.said(written))
        return written, same is None

    def _head(self, con: sqlite3.Connection, name: str) -> int | None:
        row = con.execute(f"select version from {self.kind.heads} where name = ?", (name,)).fetchone()
        return None if row is None else int(row[0])

    def _bare(self, con: sqlite3.Connection, name: str, version: int) -> Row:
        query = f"select * from {self.kind.table} where name = ? and version = ?"
        return dict(con.execute(query, (name, version)).fetchone())

    # -- what is wrong ---------------------------------------------------------------------------------------------

    def broken(self, con: sqlite3.Connection) -> list[str]:
        """Return the versions and aliases that are not what was saved, are missing, or that the chain has otherwise."""
        problems: list[str] = []
        expected: dict[str, int] = {}
        for row in con.execute(f"select * from {self.kind.table} order by name, version").fetchall():
            ref = f"{row['name']}@{row['version']}"
            number = expected[row["name"]] = expected.get(row["name"], 0) + 1
            if row["version"] != number:
                problems.append(f"{row['name']}@{number} is missing")
                expected[row["name"]] = row["version"]
            problem = self.kind.problem(dict(row)) or self._disagreement(con, row)
            problems += [f"{ref}: {problem}"] if problem else []
        return [*problems, *self.aliases.broken(con)]

    def _disagreement(self, con: sqlite3.Connection, row: sqlite3.Row) -> str | None:
        """Return how a version differs from what the audit chain says of it, None when it does not."""
        other = "the audit chain says something else was saved"
        try:
            self._store.record(con, self.kind.table, row["name"], row["version"])
        except DamagedStoreError:
            return other
        event_id = dict(row).get("event_id")
        if event_id is None:
            return None
        event = con.execute("select subject, after from audit where event_id = ?", (event_id,)).fetchone()
        hashed = json.loads(event["after"] or "{}").get("hash") if event else None
        said = (event["subject"], hashed) if event else None
        return None if said == (f"{row['name']}@{row['version']}", row["hash"]) else other

    def _by_hash(self, con: sqlite3.Connection, name: str, prefix: str) -> int:
        digits = prefix.removeprefix("sha256:")
        query = (
            f"select version from {self.kind.table} where name = ? and substr(replace(hash, 'sha256:', ''), 1, ?) = ? "
            "order by version"
        )
        found = con.execute(query, (name, len(digits), digits)).fetchall()
        if len(found) == 1:
            return int(found[0][0])
        self._refuse_unknown(con, name)
        if found:
            listed = ", ".join(str(row[0]) for row in found)
            raise NotFoundError(f"{name}@{prefix} is the hash of more than one version ({listed}); give more digits")
        raise NotFoundError(f"no version of {name} has a hash that starts with {prefix}")

    def _explain(self, con: sqlite3.Connection, ref: Ref) -> str:
        """Return what a reference that means nothing could have meant."""
        self._refuse_unknown(con, ref.name)
        newest = self.newest(con, ref.name)
        if ref.alias is None:
            return self._no_version(con, ref.name, ref.version)
        hint = f"versions 1 to {newest}; ws.{self.kind.noun}.promote({ref.name!r}, {newest}, to={ref.alias!r}) makes it"
        return did_you_mean(f"alias of {ref.name}", ref.alias, self.aliases.names(con, ref.name), hint=hint)

    def _no_version(self, con: sqlite3.Connection, name: str, asked: int | None) -> str:
        newest = self.newest(con, name)
        there = f"are versions 1 to {newest}" if newest > 1 else "is version 1 only"
        return f"{name} has no version {asked}: there {there} ({name}@{newest} is the newest)"

    def _refuse_unknown(self, con: sqlite3.Connection, name: str) -> None:
        known = self.names(con)
        if name not in known:
            raise NotFoundError.of(self.kind.name, name, known, hint=f"ws.{self.kind.noun}.list() shows all")
