"""Prompts as versioned artefacts: immutable versions by content, aliases with history, diff, compare, files under git.

A version is what its content is: saving the same content again returns the same version. An alias such as
"production" points to one version; every move of it is in the history and in the audit chain, and can be undone.
"""

from __future__ import annotations

import copy
import dataclasses
import json
import numbers
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from lmops.base.public import only
from lmops.errors import UsageError
from lmops.prompts import _aliases, _versions
from lmops.prompts import _show as _show
from lmops.prompts._names import check_alias, check_name, parse_ref
from lmops.prompts._records import Move, PromptVersion
from lmops.prompts.content import make
from lmops.prompts.evidence import ids_of, look_up, refuse_unreal, refuse_without, suffices
from lmops.records import Ref, check_words
from lmops.times import from_ns, to_ns

if TYPE_CHECKING:
    import os
    import sqlite3
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    import pandas as pd

    from lmops.prompts._sync import SyncReport
    from lmops.prompts.comparisons import PromptComparison
    from lmops.prompts.diffs import PromptDiff
    from lmops.records import Project

__all__ = ["Move", "PromptVersion", "Prompts"]
__dir__ = only(__all__)

PRODUCTION = "production"

_Viewed = TypeVar("_Viewed", "PromptDiff", "PromptComparison")


class Prompts:
    """The registry as a workspace sees it: ``ws.prompts``."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._store = project.store
        self._cache: dict[tuple[str, int], PromptVersion] = {}

    def __repr__(self) -> str:
        with self._project.reading() as con:
            names, versions = _versions.counts(con)
        return f"<Prompts: {names} with {versions} versions>"

    # -- versions --------------------------------------------------------------------------------------------------

    def save(
        self,
        name: str,
        template: str | Sequence[Mapping[str, str]],
        *,
        model: str | None = None,
        params: Mapping[str, Any] | None = None,
        response_schema: Mapping[str, Any] | None = None,
        tools: Sequence[Any] | None = None,
        note: str | None = None,
        tags: Sequence[str] = (),
        parent: int | None = None,
        commit: str | None = None,
        actor: str | None = None,
    ) -> PromptVersion:
        r"""Save content as the next version and return it; content that was saved before is returned as it was.

        ``.is_new`` says which of the two happened. Line ends become ``\n``; nothing else of the text is touched.

        Args:
            name: Name of the prompt: a-z, 0-9, ".", "_", "-", at most 128.
            template: One jinja2 text (a user message), or messages: dicts of "role" (system, developer, user,
                assistant) and "content" (a jinja2 text).
            model: The model it is written for, such as "openai:gpt-5-mini".
            params: Parameters of the call, such as {"temperature": 0}.
            response_schema: JSON schema of the answer.
            tools: Definitions or names of the tools that are offered.
            note: Why this version; at most 10,000 characters.
            tags: Words to find it by.
            parent: The version it was made from; the newest by default.
            commit: The git commit it came from.
            actor: Who saves it; the workspace's actor by default.

        Raises:
            UsageError: A name, template or value that cannot be used, or more than 1 MB.
        """
        check_name(name)
        content = make(template, model=model, params=params, response_schema=response_schema, tools=tools)
        note, words = check_words(note, "note"), _tags(tags)
        with self._project.change(actor=actor, reason=note) as change:
            return self._remember(_versions.insert(change, name, content, tags=words, parent=parent, commit=commit))

    def get(self, ref: str) -> PromptVersion:
        """Return one version; looked up again at each call, so a moved alias is seen at once (well under 1 ms).

        Args:
            ref: "name" or "name@latest" (the newest), "name@3", "name@production", "name@sha256:1f2e".

        Raises:
            NotFoundError: There is no such prompt, version or alias; the message names the nearest ones.
            DamagedStoreError: It is not what the audit chain says was saved.
        """
        found = parse_ref(ref)
        if found.version is not None and (found.name, found.version) in self._cache:
            return _handed_out(self._cache[found.name, found.version])
        with self._project.reading() as con:
            version = _versions.resolve(self._store, con, found)
            return self._load(con, found.name, version)

    def versions(self, name: str) -> list[PromptVersion]:
        """Return every version of a prompt, oldest first.

        Raises:
            NotFoundError: There is no such prompt.
        """
        check_name(name)
        with self._project.reading() as con:
            return _versions.all_of(self._store, con, name)

    def list(self) -> pd.DataFrame:
        """Return one row a prompt: name, newest, aliases ("production=2"), model, note, author, changed_at."""
        import pandas as pd

        with self._project.reading() as con:
            found = _versions.overview(con)
        rows = [
            (
                row["name"],
                row["newest"],
                ", ".join(f"{alias}={version}" for alias, version in sorted(json.loads(row["aliases"]).items())),
                json.loads(row["body"])["model"],
                row["note"],
                row["author"],
                from_ns(row["created_ns"]),
            )
            for row in found
        ]
        return pd.DataFrame(rows, columns=["name", "newest", "aliases", "model", "note", "author", "changed_at"])

    def aliases(self, name: str) -> dict[str, int]:
        """Return where the aliases of a prompt point now.

        Raises:
            NotFoundError: There is no such prompt.
        """
        check_name(name)
        with self._project.reading() as con:
            _versions.resolve(self._store, con, Ref(name))
            known = _aliases.names(con, name)
            return {alias: _versions.resolve(self._store, con, Ref(name, alias=alias)) for alias in known}

    def verify(self) -> tuple[str, ...]:
        """Hold versions, moves and aliases against their hashes and the audit chain; return what is wrong."""
        with self._project.reading() as con:
            return (*_versions.broken(con), *_aliases.broken(con))

    def diff(
        self, name: str, a: int | str | PromptVersion, b: int | str | PromptVersion, *, height: int = 560
    ) -> PromptDiff:
        """Return what changed from one version to another: ``.text``, ``.df()``, ``.changes``, ``.stats``.

        A notebook shows it side by side, by mouse and keyboard (press ? for the keys); ``.view`` is what is shown.

        Args:
            name: Name of the prompt.
            a: The old version: number, alias or record.
            b: The new version.
            height: Of the view, in pixels.

        Raises:
            NotFoundError: There is no such version.
        """
        from lmops.prompts.diffs import diff

        with self._project.reading() as con:
            left, right = (self._load(con, name, self._version_of(con, name, one)) for one in (a, b))
        return self._with_view(diff(left, right), height=height)

    def compare(
        self,
        name: str,
        versions: Sequence[int | str | PromptVersion],
        *,
        last: str | None = None,
        since: str | datetime | None = None,
        until: str | datetime | None = None,
        environment: str | None = None,
        evaluations: bool = False,
        height: int = 620,
    ) -> PromptComparison:
        """Return how versions behaved in the traces that used them: ``.df()``, ``.text``, ``.outputs``, ``.caveats``.

        Latency p50 and p95, tokens, cost per query, error rate and votes of users, each with n and a 95 % interval, and
        the difference from the first version. A trace with a call of unknown price has no cost and counts as missing.
        A notebook shows it with the answers to the same inputs side by side; ``.view`` is what is shown.

        Args:
            name: Name of the prompt.
            versions: At least one: numbers, aliases or records; the first is what the others are compared with.
            last: Back from now, or from the newest trace of an archive: "24h", "7d".
            since: ISO time or datetime, UTC without a zone; not together with ``last``.
            until: Likewise.
            environment: Only traces of this environment, such as "production".
            evaluations: Count the traces of evaluations as well, which are left out otherwise.
            height: Of the view, in pixels.

        Raises:
            NotFoundError: There is no such version.
        """
        from lmops.prompts.comparisons import compare

        if isinstance(versions, str | PromptVersion) or not versions:
            raise UsageError(f"compare({name!r}, ...): give a list of versions, such as [1, 2]")
        with self._project.reading() as con:
            found = list(dict.fromkeys(self._version_of(con, name, one) for one in versions))
        made = compare(
            self._store,
            name,
            found,
            last=last,
            since=since,
            until=until,
            environment=environment,
            evaluations=evaluations,
        )
        return self._with_view(made, height=height)

    # -- aliases ---------------------------------------------------------------------------------------------------

    def promote(
        self,
        name: str,
        version: int | str | PromptVersion,
        *,
        to: str,
        evidence: object = None,
        reason: str | None = None,
        force: bool = False,
        expected: int | str | PromptVersion | None = None,
        dry_run: bool = False,
        actor: str | None = None,
    ) -> Move:
        """Point an alias to a version and return the move; when it is there already nothing happens.

        Args:
            name: Name of the prompt.
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
        alias, words = check_alias(to), check_words(reason, "reason")
        ids = ids_of(evidence)
        if force and not words:
            raise UsageError("force=True needs a reason, which the audit chain shows: reason='...'")
        with self._project.reading() as con:
            target = self._version_of(con, name, version)
            seen = self._seen(con, name, alias, expected)
        with self._project.change(actor=actor, reason=words, evidence=ids, dry_run=dry_run) as change:
            con = change.con
            now = _aliases.pointer(con, name, alias)
            verdicts = look_up(con, ids)
            found = Move(
                name=name,
                alias=alias,
                action="promote",
                from_version=now,
                to_version=target,
                at=change.at,
                actor=change.actor,
                reason=change.reason,
                evidence=ids,
                is_moved=False,
                is_dry_run=dry_run,
            )
            if now == target:
                return dataclasses.replace(found, is_dry_run=False)
            _aliases.check_expected(con, name, alias, seen)
            protected = _aliases.is_protected(self._store, con, name, alias)
            ref = f"{name}@{target}"
            is_forced = force and protected and not suffices(verdicts, ref)
            if protected and not is_forced:
                refuse_without(verdicts, ref, alias)
            refuse_unreal(verdicts, ref)
            found = dataclasses.replace(found, is_forced=is_forced)
            if dry_run:
                return found
            before = _aliases.way_back(self._store, con, name, alias)
            details = {
                "hash": _versions.load(self._store, con, name, target).hash,
                "protected": protected,
                "forced": is_forced,
                "verdicts": verdicts,
            }
            moved = dataclasses.replace(found, is_moved=True)
            return _aliases.move(change, moved, earlier_versions=before, details=details)

    def rollback(
        self,
        name: str,
        *,
        alias: str = PRODUCTION,
        reason: str,
        expected: int | str | PromptVersion | None = None,
        dry_run: bool = False,
        actor: str | None = None,
    ) -> Move:
        """Point an alias to the version that was there before, and return the move; needs no evidence.

        It is an undo: a second rollback walks one version further back, and a version that was rolled back is not
        returned to.

        Args:
            name: Name of the prompt.
            alias: "production" by default.
            reason: Why, for the audit chain.
            expected: The version to leave, so that two people who roll back at once walk back once; by default the
                one that is there when this call starts.
            dry_run: Say where it would go and change nothing.
            actor: Who does it; the workspace's actor by default.

        Raises:
            NotFoundError: There is no such prompt or alias.
            RefusedError: No version was there before.
            ConflictError: Somebody else moved the alias first; nothing was changed.
        """
        check_alias(alias)
        words = check_words(reason, "reason")
        if not words:
            raise UsageError("a rollback needs a reason, which the audit chain shows: reason='...'")
        with self._project.reading() as con:
            self._version_of(con, name, f"{check_name(name)}@latest")
            seen = self._seen(con, name, alias, expected)
        with self._project.change(actor=actor, reason=words, dry_run=dry_run) as change:
            con = change.con
            _aliases.check_expected(con, name, alias, seen)
            target, before = _aliases.previous(self._store, con, name, alias)
            found = Move(
                name=name, alias=alias, action="rollback", from_version=_aliases.pointer(con, name, alias),
                to_version=target, at=change.at, actor=change.actor, reason=words, is_moved=not dry_run,
                is_dry_run=dry_run,
            )  # fmt: skip
            if dry_run:
                return found
            details = {"hash": _versions.load(self._store, con, name, target).hash}
            return _aliases.move(change, found, earlier_versions=before, details=details)

    def history(self, name: str, *, alias: str | None = None) -> pd.DataFrame:
        """Return every move of the aliases of a prompt, oldest first.

        Args:
            name: Name of the prompt.
            alias: Only this alias.

        Returns:
            at (UTC), action (promote, rollback), alias, from (NA: it did not exist), to, actor, reason, evidence (list
            of ids), forced, event_id (in the audit chain).

        Raises:
            NotFoundError: There is no such prompt.
        """
        import pandas as pd

        check_name(name)
        with self._project.reading() as con:
            _versions.resolve(self._store, con, Ref(name))
            rows = _aliases.moves(con, name, alias)
        return pd.DataFrame(
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

    def at(self, ref: str, when: str | datetime) -> PromptVersion:
        """Return the version that an alias pointed to at a time: "what was in production at 02:13?".

        Args:
            ref: Such as "support-answer@production".
            when: ISO time or datetime; UTC when it has no zone.

        Raises:
            NotFoundError: The alias did not exist then; the message says since when it does.
        """
        found = parse_ref(ref)
        if found.alias is None:
            raise UsageError(f"at({ref!r}): give an alias, such as '{found.name}@production'; a version never moves")
        with self._project.reading() as con:
            _versions.resolve(self._store, con, Ref(found.name))
            return self._load(con, found.name, _aliases.pointed_at(con, found.name, found.alias, to_ns(when)))

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
            name: Name of the prompt.
            alias: "production" by default; it need not exist yet.
            on: False takes the protection away.
            reason: Why, for the audit chain.
            actor: Who does it; the workspace's actor by default.
        """
        check_alias(alias)
        with self._project.change(actor=actor, reason=reason) as change:
            _versions.resolve(self._store, change.con, Ref(check_name(name)))
            return _aliases.set_protection(change, name, alias, on=on)

    # -- files -----------------------------------------------------------------------------------------------------

    def sync(
        self,
        folder: str | os.PathLike[str],
        *,
        names: Sequence[str] | None = None,
        take: Mapping[str, Literal["file", "registry"]] | None = None,
        restore: bool = False,
        dry_run: bool = False,
        actor: str | None = None,
    ) -> SyncReport:
        """Bring a folder of files ``NAME.prompt.md`` and the registry together, both ways; return what happened.

        A changed file becomes a new version that remembers its git commit; a new version is written to its file. When
        both changed, the difference is shown and neither is touched. A removed file is reported; the registry keeps
        its versions.

        Args:
            folder: Made when it is not there.
            names: Only these prompts; all by default.
            take: Settles conflicts: {"support-answer": "file"} or "registry".
            restore: Write the files again that were removed.
            dry_run: Say what would happen and change nothing.
            actor: Who saves; the workspace's actor by default.

        Raises:
            UsageError: It is no folder, or a name or a side that is not there.
        """
        from lmops.prompts._sync import Sync

        for name, side in (take or {}).items():
            if side not in ("file", "registry"):
                raise UsageError(f"take={{{name!r}: {side!r}}}: write 'file' or 'registry'")
        chosen = names if names is None else [check_name(name) for name in _several(names)]
        return Sync(
            self._project,
            Path(folder),
            actor=actor,
            take=take or {},
            is_dry_run=dry_run,
            restore=restore,
        ).run(chosen)

    # -- inside ----------------------------------------------------------------------------------------------------

    def _with_view(self, found: _Viewed, *, height: int) -> _Viewed:
        """Return a record with its live view; here there is none, a workspace knows one."""
        del height
        return found

    def _remember(self, found: PromptVersion) -> PromptVersion:
        self._cache[found.name, found.version] = dataclasses.replace(found, is_new=None)
        return found

    def _load(self, con: sqlite3.Connection, name: str, version: int) -> PromptVersion:
        if (name, version) not in self._cache:
            self._remember(_versions.load(self._store, con, name, version))
        return _handed_out(self._cache[name, version])

    def _version_of(self, con: sqlite3.Connection, name: str, version: object) -> int:
        """Return the number of a version that was given as number, reference, alias or record."""
        check_name(name)
        if isinstance(version, PromptVersion):
            version = version.ref
        if isinstance(version, bool) or not isinstance(version, numbers.Integral | str):
            raise UsageError(f"version={version!r}: give a number, a reference or a version of {name}")
        if isinstance(version, numbers.Integral):
            return _versions.resolve(self._store, con, Ref(name, version=int(version)))
        ref = parse_ref(version if "@" in version else f"{name}@{version}")
        if ref.name != name:
            raise UsageError(f"{version!r} is a version of {ref.name}, not of {name}")
        return _versions.resolve(self._store, con, ref)

    def _seen(self, con: sqlite3.Connection, name: str, alias: str, expected: object) -> int | None:
        if expected is None:
            return _aliases.pointer(con, name, alias)
        if expected == 0 and expected is not False:
            return None
        return self._version_of(con, name, expected)


def _handed_out(found: PromptVersion) -> PromptVersion:
    """Return a copy whose dicts and lists may be changed without changing what others get."""
    return dataclasses.replace(
        found,
        messages=tuple(dict(message) for message in found.messages),
        params=copy.deepcopy(found.params),
        response_schema=copy.deepcopy(found.response_schema),
        tools=copy.deepcopy(found.tools),
    )


def _several(names: Sequence[str]) -> Sequence[str]:
    if isinstance(names, str):
        raise UsageError(f"names={names!r}: give a list of names, such as [{names!r}]")
    return names


def _tags(tags: Sequence[str]) -> tuple[str, ...]:
    if isinstance(tags, str):
        raise UsageError(f"tags={tags!r}: give a list of words, such as [{tags!r}]")
    return tuple(sorted({check_name(tag, what="tag") for tag in tags}))
