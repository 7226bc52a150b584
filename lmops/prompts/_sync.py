"""A folder of prompt files and the registry, both ways; nothing is overwritten that only one of them has.

Three states decide: what the file says, what the newest version says, and what both said after the last sync (kept in
the store, by folder; the file's own hash stands in for it the first time).
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, NamedTuple

from lmops.errors import LmopsError, UsageError, did_you_mean, system_in_words
from lmops.git import Repository, repository
from lmops.owners import refuse_stranger
from lmops.prompts import _versions
from lmops.prompts._names import check_name
from lmops.prompts.files import MAX_BYTES, SUFFIX, PromptFile, dump, load
from lmops.records import Ref
from lmops.text import escape, plain, plain_line

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import pandas as pd

    from lmops.prompts._records import PromptVersion
    from lmops.records import Change, Project
    from lmops.store import Store

Action = Literal["same", "saved", "written", "refreshed", "conflict", "deleted", "problem"]
Side = Literal["file", "registry"]


class SyncEntry(NamedTuple):
    """What happened to one prompt: ``diff`` of a conflict is from the newest version to the file."""

    name: str
    action: Action
    version: int | None
    path: Path
    detail: str = ""
    commit: str | None = None
    diff: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class SyncReport:
    """What a sync did, prompt by prompt."""

    folder: Path
    entries: tuple[SyncEntry, ...]
    is_dry_run: bool = False

    @property
    def ok(self) -> bool:
        """Return whether there are neither conflicts nor files that cannot be read."""
        return not any(entry.action in ("conflict", "problem") for entry in self.entries)

    @property
    def text(self) -> str:
        """Return the report as plain text, with the differences of conflicts."""
        lines = [self._title()]
        for entry in self.entries:
            version = f"@{entry.version}" if entry.version else ""
            commit = f" (commit {entry.commit[:12]})" if entry.commit else ""
            detail = f": {plain_line(entry.detail, 400)}" if entry.detail else ""
            lines.append(f"  {entry.action:<9}  {plain_line(entry.name, 130)}{version}{commit}{detail}")
            lines += [f"      {plain(line)}" for line in (entry.diff or "").splitlines()]
        return "\n".join(lines)

    def df(self) -> pd.DataFrame:
        """Return one row a prompt: name, action, version, path, detail, commit, diff."""
        import pandas as pd

        frame = pd.DataFrame(self.entries, columns=list(SyncEntry._fields))
        return frame.astype({"version": "Int64", "path": "str"})

    def __repr__(self) -> str:
        return f"<SyncReport {self._title()}>"

    def _repr_html_(self) -> str:
        return f"<pre>{escape(self.text)}</pre>"

    def _title(self) -> str:
        counts: dict[str, int] = {}
        for entry in self.entries:
            counts[entry.action] = counts.get(entry.action, 0) + 1
        said = ", ".join(f"{count} {action}" for action, count in counts.items()) or "no prompts"
        return f"{plain_line(self.folder, 200)}: {said}" + (
            " (dry run: nothing was changed)" if self.is_dry_run else ""
        )


class Sync:
    """One sync of one folder."""

    def __init__(
        self,
        project: Project,
        folder: Path,
        *,
        actor: str | None,
        take: Mapping[str, Side],
        is_dry_run: bool,
        restore: bool,
    ) -> None:
        self._project = project
        self._folder = folder
        self._actor = actor
        self._take = take
        self._is_dry_run = is_dry_run
        self._restore = restore
        self._key = _folder_key(folder, project.store.path)
        self._repository: Repository | None = None

    def run(self, names: Sequence[str] | None = None) -> SyncReport:
        """Bring files and registry together, prompt by prompt."""
        if self._folder.exists() and not self._folder.is_dir():
            raise UsageError(f"{self._folder} is no folder")
        refuse_stranger(self._folder, what="the folder of prompts")
        if not self._is_dry_run:
            self._folder.mkdir(parents=True, exist_ok=True)
        with self._project.reading() as con:
            saved = set(_versions.names(con))
            known = _versions.synced(con, self._key)
        with system_in_words(self._folder):
            files = {path.name.removesuffix(SUFFIX) for path in self._folder.glob(f"*{SUFFIX}")}
        wanted = saved | files
        for name in names or ():
            if name not in wanted:
                raise UsageError(did_you_mean("prompt", name, wanted, hint=f"neither saved nor in {self._folder}"))
        chosen = sorted(wanted if names is None else set(names))
        with repository(self._folder) as self._repository:
            entries = [self._one(name, had_file=name in known) for name in chosen]
        return SyncReport(folder=self._folder, entries=tuple(entries), is_dry_run=self._is_dry_run)

    def _one(self, name: str, *, had_file: bool) -> SyncEntry:
        path = self._folder / f"{name}{SUFFIX}"
        try:
            check_name(name)
            raw = _read(path)
            with self._project.reading() as con:
                newest = _newest(self._project.store, con, name)
            if raw is None:
                if newest is None:
                    raise UsageError("the file vanished while it was read")
                return self._out(path, newest, had_file=had_file)
            return self._both(name, path, raw, newest)
        except (LmopsError, OSError) as error:
            return SyncEntry(name, "problem", None, path, str(error))

    def _out(self, path: Path, newest: PromptVersion, *, had_file: bool) -> SyncEntry:
        """Write out a version that has no file, unless somebody removed the file on purpose."""
        if had_file and not self._restore:
            detail = "its file was removed; the registry keeps it (restore=True writes the file again)"
            return SyncEntry(newest.name, "deleted", newest.version, path, detail)
        self._write(path, newest, before=None)
        return SyncEntry(newest.name, "written", newest.version, path, "a new file")

    def _both(self, name: str, path: Path, raw: bytes, newest: PromptVersion | None) -> SyncEntry:
        file = load(_decoded(raw))
        if file.name is not None and file.name != name:
            raise UsageError(f"the file says it is the prompt {plain_line(file.name, 130)!r}; name the file after it")
        if newest is None:
            return self._in(name, path, raw, file, None)
        if file.content.hash == newest.hash:
            return self._same(path, raw, file, newest)
        base = self._base(name, file)
        side = self._take.get(name)
        if side == "file" or (side is None and base == newest.hash):
            return self._in(name, path, raw, file, newest)
        if side == "registry" or (side is None and base == file.content.hash):
            self._write(path, newest, before=raw)
            return SyncEntry(name, "written", newest.version, path, "a new version")
        why = "the file and the registry both changed" if base else "it is not known on which version the file is based"
        detail = f"{why}; nothing was touched. Take one: take={{{name!r}: 'file'}} or 'registry'"
        return SyncEntry(name, "conflict", newest.version, path, detail, diff=_difference(newest, file))

    def _in(self, name: str, path: Path, raw: bytes, file: PromptFile, newest: PromptVersion | None) -> SyncEntry:
        """Save a changed file as a version that remembers its commit, and write its number into the file."""
        commit, state = _git_commit(self._repository, path)
        detail = f"{'a new prompt' if newest is None else 'the file changed'}{state}"
        if self._is_dry_run:
            return SyncEntry(name, "saved", 1 + (newest.version if newest else 0), path, detail, commit)
        # A note tells about the version it was written for, not about the one after it.
        note = None if newest is not None and file.note == newest.note else file.note
        with self._project.change(actor=self._actor, reason=note) as change:
            now = _newest(change.store, change.con, name)
            if (now.hash if now else None) != (newest.hash if newest else None):
                raise UsageError("somebody saved a version meanwhile; sync again")
            saved = _versions.insert(
                change, name, file.content, tags=tuple(sorted(set(file.tags))), parent=None, commit=commit
            )
            self._remember(change, name, saved.hash)
        if not saved.is_new:
            detail += "; it has the content of an older version and is not the newest: promote it, or change it"
        self._replace(path, saved, before=raw)
        return SyncEntry(name, "saved", saved.version, path, detail, commit)

    def _same(self, path: Path, raw: bytes, file: PromptFile, newest: PromptVersion) -> SyncEntry:
        """Note that both say the same; bring the file's number up to date."""
        if not self._is_dry_run:
            with self._project.reading() as con:
                is_noted = _versions.synced(con, self._key).get(newest.name) == newest.hash
            if not is_noted:
                with self._project.change() as change:
                    self._remember(change, newest.name, newest.hash)
        if file.hash == newest.hash:
            return SyncEntry(newest.name, "same", newest.version, path)
        if not self._is_dry_run:
            kept = replace(newest, note=file.note or newest.note, tags=file.tags or newest.tags)
            self._replace(path, kept, before=raw)
        return SyncEntry(
            newest.name, "refreshed", newest.version, path, "its version and hash were written into the file"
        )

    def _base(self, name: str, file: PromptFile) -> str | None:
        """Return the hash of what both sides had last: from the store, else the file's own when it is known here."""
        with self._project.reading() as con:
            noted = _versions.synced(con, self._key).get(name)
            if noted is not None:
                return noted
            known = _versions.hashes(con, name)
        if file.hash in known:
            return file.hash
        return file.content.hash if file.content.hash in known else None

    def _write(self, path: Path, version: PromptVersion, *, before: bytes | None) -> None:
        if self._is_dry_run:
            return
        self._replace(path, version, before=before)
        with self._project.change() as change:
            self._remember(change, version.name, version.hash)

    def _replace(self, path: Path, version: PromptVersion, *, before: bytes | None) -> None:
        text = dump(
            version.name,
            version.content,
            version=version.version,
            note=version.note,
            author=version.author,
            tags=version.tags,
        )
        _write_atomically(path, text.encode(), before=before)

    def _remember(self, change: Change, name: str, digest: str) -> None:
        change.replace("prompt_files", {"folder": self._key, "name": name, "hash": digest})


def _newest(store: Store, con: sqlite3.Connection, name: str) -> PromptVersion | None:
    if not _versions.newest_version(con, name):
        return None
    return _versions.load(store, con, name, _versions.resolve(store, con, Ref(name)))


def _difference(newest: PromptVersion, file: PromptFile) -> str:
    from lmops.prompts.diffs import diff

    content = file.content
    told = replace(
        newest,
        version=newest.version + 1,
        hash=content.hash,
        messages=content.messages,
        template=content.template,
        model=content.model,
        params=content.params,
        response_schema=content.response_schema,
        tools=content.tools,
    )
    _, *lines = diff(newest, told).text.split("\n")
    return "\n".join([f"from {newest.ref} to the file:", *lines])


# -- files -------------------------------------------------------------------------------------------------------------


def _folder_key(folder: Path, store: Path) -> str:
    """Return the name of a folder in the store: below the project it moves with it."""
    project = store.resolve().parent
    resolved = folder.resolve()
    return str(resolved.relative_to(project)) if resolved.is_relative_to(project) else str(resolved)


def _read(path: Path) -> bytes | None:
    """Return the bytes of a file; None when there is none.

    Raises:
        UsageError: It is a link, no file, or too large.
    """
    if path.is_symlink():
        raise UsageError("it is a symbolic link; put the file itself here")
    if not path.exists():
        return None
    if not path.is_file():
        raise UsageError("it is no file")
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise UsageError(f"it has {size:,} bytes; the most is {MAX_BYTES:,}")
    return path.read_bytes()


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"it is not UTF-8 text (byte {error.start})") from None


def _write_atomically(path: Path, body: bytes, *, before: bytes | None) -> None:
    """Replace a file in one step, unless it changed since it was read."""
    if _read(path) != before:
        raise UsageError("the file changed while it was synced; nothing was written to it, sync again")
    if body == before:
        return
    temporary = path.with_name(f".{secrets.token_hex(8)}.tmp")
    # A new file gets the rights that the umask leaves, one that is there keeps its own.
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666 if before is None else 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        if before is not None:
            temporary.chmod(path.stat().st_mode & 0o777)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _git_commit(found: Repository | None, path: Path) -> tuple[str | None, str]:
    """Return the commit of a file that is committed as it is; else None and why."""
    changed = None if found is None else found.changes("--ignored", "--", path.name)
    if found is None or changed is None:
        return None, ""
    if changed:
        return None, " (dirty: not committed as it is)"
    commit = (found.ask("rev-list", "-1", "HEAD", "--", path.name) or "").strip()
    return (commit, "") if commit else (None, "")
