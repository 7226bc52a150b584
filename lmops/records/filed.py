"""Versions whose content is one mapping: how they are filed as YAML, compared, and brought together with a folder."""

from __future__ import annotations

import difflib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal

from lmops.base.kinds import refuses_wrong_kinds
from lmops.records.contents import ContentFile, content_text, write_content
from lmops.records.kinds import T
from lmops.records.refs import text_hash
from lmops.records.sync import Sync
from lmops.records.versioned import Versioned
from lmops.records.words import check_words

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from lmops.records.change import Change
    from lmops.records.kinds import Row
    from lmops.records.sync import Filing
    from lmops.records.sync_report import SyncReport
    from lmops.records.versions import Versions


class ContentFiling(Generic[T]):
    """Files ``NAME.yaml``; a room says the names and the steps that are its own.

    Args:
        versions: The versions of the room.
    """

    suffix: str = ".yaml"
    max_bytes: int = 500_000
    #: a table (folder, name, hash) of what both sides said after the last sync
    table: str
    #: under what a file says its name
    thing: str
    #: keys of a content below which the order of a mapping means something
    ordered: tuple[str, ...] = ()
    #: lines around a difference
    around: int = 0

    def __init__(self, versions: Versions[T]) -> None:
        self._versions = versions

    # -- what the room says ------------------------------------------------------------------------------------------

    def load(self, text: str) -> ContentFile:
        """Return what the text of a file says.

        Raises:
            UsageError: It says no such thing; the message has the line.
        """
        raise NotImplementedError

    def content(self, version: T) -> Mapping[str, Any]:
        """Return the content of a version as its file says it."""
        raise NotImplementedError

    def made(self, body: Mapping[str, Any], told: Mapping[str, Any], newest: T) -> T:
        """Return a content as a version, of what is told of it; the newest one is before it."""
        raise NotImplementedError

    def row(self, change: Change, name: str, body: Mapping[str, Any]) -> Row:
        """Return the columns of a new version: its content as text, unless the room keeps more."""
        del change, name
        return {"body": self.text(body)}

    def lines(self, version: T) -> list[str]:
        """Return the content of a version as lines that can be compared."""
        raise NotImplementedError

    # -- what is done alike ------------------------------------------------------------------------------------------

    def text(self, body: Mapping[str, Any]) -> str:
        """Return a content as it is kept; its hash names the version."""
        return content_text(self.thing, body, ordered=self.ordered)

    def dump(self, version: T) -> str:
        """Return a version as the text of its file."""
        return write_content(self.thing, version, self.content(version))

    def kept(self, newest: T, file: ContentFile) -> T:
        """Return a version with the note of its file."""
        return replace(newest, note=file.note or newest.note)

    def save(self, change: Change, file: ContentFile, *, name: str, commit: str | None) -> tuple[T, bool]:
        """Save what a file says as a version; return it and whether it is new. Its commit is in the report alone."""
        del commit
        return self.put(change, name, file.body)

    def put(self, change: Change, name: str, body: Mapping[str, Any]) -> tuple[T, bool]:
        """Save a content as a version of its name, of a dry run none; return it and whether it is new."""
        return self._versions.keep(change, name, text_hash(self.text(body)), lambda: self.row(change, name, body))

    def difference(self, newest: T, file: ContentFile) -> str:
        """Return what differs from the newest version to the file, as text."""
        told = {name: getattr(newest, name) for name in ("name", "version", "hash", "author", "created_at")}
        return self.changes(newest, self.made(file.body, told, newest), called="the file")

    def changes(self, one: T, two: T, *, called: str) -> str:
        """Return what changed from one content to another, line by line; "" for nothing."""
        lines = difflib.unified_diff(self.lines(one), self.lines(two), one.ref, called, n=self.around, lineterm="")
        return "\n".join(lines)


@refuses_wrong_kinds
class Filed(Versioned[T]):
    """A noun whose versions are filed: two of them compared, and all of them brought together with a folder."""

    def _filing(self) -> ContentFiling[T]:
        """Return how the room files its versions."""
        raise NotImplementedError

    def _put(self, name: str, body: Mapping[str, Any], *, reason: str | None, dry_run: bool = False) -> T:
        """Save a content as a version of its name and return it; of a dry run the version that would be saved."""
        words = check_words(reason, "reason")
        with self._project.change(reason=words, dry_run=dry_run) as change:
            return self._filing().put(change, name, body)[0]

    def diff(self, name: str, a: int | str | T, b: int | str | T) -> str:
        """Return what changed from one version to another, line by line; "" for nothing.

        Args:
            name: Whose versions.
            a: Number, alias, reference or record of a version.
            b: Of another.

        Raises:
            NotFoundError: There is no such version.
        """
        one, two = self._pair(name, a, b)
        return self._filing().changes(one, two, called=two.ref)

    def sync(
        self,
        folder: str | os.PathLike[str],
        *,
        names: Sequence[str] | None = None,
        take: Mapping[str, Literal["file", "registry"]] | None = None,
        restore: bool = False,
        dry_run: bool = False,
    ) -> SyncReport:
        """Bring a folder of files ``NAME.yaml`` and the versions together, both ways; return what happened.

        A file says what a version is saved of. A changed file becomes a new version, which no alias points to until
        somebody promotes it; a new version is written to its file. When both changed, the difference is shown and
        neither is touched.

        Args:
            folder: Made when it is not there.
            names: Only these; all by default.
            take: Settles conflicts: {"support": "file"} or "registry".
            restore: Write the files again that were removed.
            dry_run: Say what would happen and change nothing.

        Raises:
            UsageError: It is no folder, or a name or a side that is not there.
        """
        filing: Filing[T, ContentFile] = self._filing()
        return Sync(
            self._project, self._versions, filing, Path(folder), take=take or {}, is_dry_run=dry_run, restore=restore
        ).run(names)
