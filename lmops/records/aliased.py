"""The verbs of aliases of a noun whose things have versions: promote, roll back, look back, protect."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic

from lmops.base.kinds import refuses_wrong_kinds
from lmops.errors import UsageError
from lmops.records.evidence import ids_of
from lmops.records.kinds import T
from lmops.records.moves import Move
from lmops.records.refs import Ref, check_alias
from lmops.records.versions import Versions
from lmops.records.words import check_words
from lmops.times import to_ns

if TYPE_CHECKING:
    import sqlite3
    from datetime import datetime

    import pandas as pd

    from lmops.records.change import Change
    from lmops.records.kinds import Kind
    from lmops.records.project import Project

PRODUCTION: Final = "production"


@refuses_wrong_kinds
class Aliased(Generic[T]):
    """A noun whose things have aliases that move from version to version.

    Args:
        project: The store, who acts and why.
    """

    #: what the room says of its things
    KIND: ClassVar[Kind[Any]]

    def __init__(self, project: Project) -> None:
        self._project = project
        self._store = project.store
        self._versions: Versions[T] = Versions(project.store, self.KIND)

    def aliases(self, name: str) -> dict[str, int]:
        """Return where the aliases of one name point now.

        Raises:
            NotFoundError: There is no such name.
            DamagedStoreError: An alias is not where it was put.
        """
        self.KIND.check_name(name)
        with self._project.reading() as con:
            self._versions.resolve(con, Ref(name))
            return self._aliases(con, name)

    def promote(
        self,
        name: str,
        version: int | str | T,
        *,
        to: str,
        evidence: object = None,
        reason: str | None = None,
        force: bool = False,
        expected: int | str | T | None = None,
        dry_run: bool = False,
        actor: str | None = None,
    ) -> Move:
        """Point an alias to a version and return the move; when it is there already nothing happens.

        Args:
            name: Whose alias.
            version: Number, reference or record of the version.
            to: The alias, such as "production".
            evidence: A verdict of ``ws.evals.gate``, its id, or a list of them. A protected alias needs one that
                passed on exactly this version; one that is not in the store is refused for any alias.
            reason: Why, for the audit chain.
            force: Promote to a protected alias without evidence; needs a reason, and the audit chain shows it.
            expected: Where you saw the alias when you decided; 0 for "it did not exist". By default where it is when
                this call starts.
            dry_run: Check everything and change nothing.
            actor: Who does it; the workspace's actor by default.

        Raises:
            NotFoundError: There is no such version.
            RefusedError: The alias is protected and the evidence does not do, or there is no such evidence.
            ConflictError: Somebody else moved the alias first; nothing was changed.
        """
        alias, words, ids = check_alias(to, self.KIND.latest), check_words(reason, "reason"), ids_of(evidence)
        if force and not words:
            raise UsageError("force=True needs a reason, which the audit chain shows: reason='...'")
        with self._project.reading() as con:
            target = self._versions.number(con, name, version)
            seen = self._seen(con, name, alias, expected)
        with self._project.change(actor=actor, reason=words, evidence=ids, dry_run=dry_run) as change:
            found = Move(
                name=name,
                alias=alias,
                action="promote",
                from_version=self._versions.aliases.seen(change.con, name, alias),
                to_version=target,
                at=change.at,
                actor=change.actor,
                reason=change.reason,
                evidence=ids,
                is_moved=False,
            )
            return self._promote(change, found, seen=seen, force=force, dry_run=dry_run)

    def rollback(
        self,
        name: str,
        *,
        alias: str = PRODUCTION,
        reason: str,
        expected: int | str | T | None = None,
        dry_run: bool = False,
        actor: str | None = None,
    ) -> Move:
        """Point an alias to the version that was there before, and return the move; needs no evidence.

        It is an undo: a second rollback walks one version further back, and a version that was rolled back is not
        returned to.

        Args:
            name: Whose alias.
            alias: "production" by default.
            reason: Why, for the audit chain.
            expected: The version to leave, so that two people who roll back at once walk back once; by default the
                one that is there when this call starts.
            dry_run: Say where it would go and change nothing.
            actor: Who does it; the workspace's actor by default.

        Raises:
            NotFoundError: There is no such name or alias.
            RefusedError: No version was there before.
            ConflictError: Somebody else moved the alias first; nothing was changed.
        """
        check_alias(alias, self.KIND.latest)
        words = check_words(reason, "reason")
        if not words:
            raise UsageError("a rollback needs a reason, which the audit chain shows: reason='...'")
        self.KIND.check_name(name)
        aliases = self._versions.aliases
        with self._project.reading() as con:
            self._versions.resolve(con, Ref(name))
            seen = self._seen(con, name, alias, expected)
        with self._project.change(actor=actor, reason=words, dry_run=dry_run) as change:
            con = change.con
            aliases.check_expected(con, name, alias, seen)
            target, before = aliases.previous(self._store, con, name, alias)
            found = Move(
                name=name,
                alias=alias,
                action="rollback",
                from_version=aliases.seen(con, name, alias),
                to_version=target,
                at=change.at,
                actor=change.actor,
                reason=words,
                is_moved=not dry_run,
                is_dry_run=dry_run,
            )
            if dry_run:
                return found
            details = {"hash": self._versions.row(con, name, target)["hash"]}
            return aliases.move(change, found, earlier=before, details=details)

    def history(self, name: str, *, alias: str | None = None) -> pd.DataFrame:
        """Return every move of the aliases of one name, oldest first.

        Args:
            name: Whose aliases.
            alias: Only this alias.

        Returns:
            at (UTC), action (promote, rollback), alias, from (NA: it did not exist), to, actor, reason, evidence (list
            of ids), forced, event_id (in the audit chain).

        Raises:
            NotFoundError: There is no such name.
        """
        import pandas as pd

        from lmops.base.frames import Frame

        self.KIND.check_name(name)
        with self._project.reading() as con:
            self._versions.resolve(con, Ref(name))
            rows = self._versions.aliases.moves(con, name, alias)
        return Frame(
            {
                "at": pd.to_datetime([row["at_ns"] for row in rows], unit="ns", utc=True),
                "action": [row["action"] for row in rows],
                "alias": [row["alias"] for row in rows],
                "from": pd.array([row["from_version"] for row in rows], dtype="Int64"),
                "to": pd.array([row["to_version"] for row in rows], dtype="Int64"),
                "actor": [row["actor"] for row in rows],
                "reason": [row["reason"] for row in rows],
                "evidence": [json.loads(row["evidence"]) if row["evidence"] else [] for row in rows],
                "forced": [bool(row["is_forced"]) for row in rows],
                "event_id": [row["event_id"] for row in rows],
            }
        )

    def at(self, ref: str, when: str | datetime) -> T:
        """Return the version that an alias pointed to at a time: "what was in production at 02:13?".

        Args:
            ref: Such as "support-answer@production".
            when: ISO time or datetime; UTC when it has no zone.

        Raises:
            NotFoundError: The alias did not exist then; the message says since when it does.
        """
        found = self._versions.parse(ref)
        if found.alias is None:
            raise UsageError(f"at({ref!r}): give an alias, such as '{found.name}@production'; a version never moves")
        with self._project.reading() as con:
            self._versions.resolve(con, Ref(found.name))
            version = self._versions.aliases.at(con, found.name, found.alias, to_ns(when))
            return self._versions.load(con, found.name, version)

    def protect(
        self,
        name: str,
        alias: str = PRODUCTION,
        *,
        on: bool = True,
        reason: str | None = None,
        actor: str | None = None,
    ) -> bool:
        """Let an alias take only versions with evidence that passed; return whether this changed anything.

        No alias is protected unless somebody asked for it here.

        Args:
            name: Whose alias.
            alias: "production" by default; it need not exist yet.
            on: False takes the protection away.
            reason: Why, for the audit chain.
            actor: Who does it; the workspace's actor by default.
        """
        check_alias(alias, self.KIND.latest)
        self.KIND.check_name(name)
        with self._project.change(actor=actor, reason=reason) as change:
            self._versions.resolve(change.con, Ref(name))
            return self._versions.aliases.protect(change, name, alias, on=on)

    def _promote(self, change: Change, asked: Move, *, seen: int | None, force: bool, dry_run: bool) -> Move:
        """Make a move that was asked for, if it may be made."""
        con, name, alias = change.con, asked.name, asked.alias
        aliases, rules, ref = self._versions.aliases, self._versions.evidence, f"{name}@{asked.to_version}"
        verdicts = rules.look_up(self._store, con, asked.evidence)
        if asked.from_version == asked.to_version:
            return asked
        if asked.from_version != seen:
            aliases.check_expected(con, name, alias, seen)
        protected = aliases.is_protected(self._store, con, name, alias)
        is_forced = force and protected and not rules.suffices(verdicts, ref)
        if protected and not is_forced:
            rules.refuse_without(verdicts, ref, alias)
        rules.refuse_unreal(verdicts, ref)
        found = dataclasses.replace(asked, is_forced=is_forced, is_dry_run=dry_run, is_moved=not dry_run)
        if dry_run:
            return found
        digest = self._versions.row(con, name, asked.to_version)["hash"]
        details = {"hash": digest, "protected": protected, "forced": is_forced, "verdicts": verdicts}
        earlier = aliases.way_back(self._store, con, name, alias)
        return aliases.move(change, found, earlier=earlier, details=details)

    def _aliases(self, con: sqlite3.Connection, name: str) -> dict[str, int]:
        known = self._versions.aliases.names(con, name)
        return {alias: self._versions.resolve(con, Ref(name, alias=alias)) for alias in known}

    def _seen(self, con: sqlite3.Connection, name: str, alias: str, expected: object) -> int | None:
        if expected is None:
            return self._versions.aliases.seen(con, name, alias)
        if expected == 0 and expected is not False:
            return None
        return self._versions.number(con, name, expected)
