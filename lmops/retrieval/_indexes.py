"""The records of indexes: built, opened, dropped; the files are the store's bundles."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from lmops.errors import DamagedStoreError, NotFoundError
from lmops.records import check_word, check_words
from lmops.retrieval.fingerprints import corpus_fingerprint
from lmops.retrieval.indexes.building import about, made, refuse_unbuildable
from lmops.retrieval.indexes.files import Built
from lmops.retrieval.indexes.record import IndexRecord
from lmops.retrieval.indexes.searching import Index

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from lmops.records import Change, Project
    from lmops.retrieval.contract import Document
    from lmops.retrieval.indexes.building import Made
    from lmops.retrieval.settings import Settings

_TABLE: Final = "retrieval_indexes"
_TOLD: Final = ("settings", "index_fingerprint", "corpus_fingerprint", "documents", "chunks")


def check_name(name: object) -> str:
    """Return the name of an index.

    Args:
        name: What was given.

    Raises:
        UsageError: It cannot be one.
    """
    return check_word(name, "an index")


class Indexes:
    """The indexes of a store.

    Args:
        project: Where, and who acts.
        models: ``ws.models``.
    """

    def __init__(self, project: Project, models: Any) -> None:
        self._project = project
        self._store = project.store
        self._models = models

    def row(self, name: str) -> dict[str, Any]:
        """Return the record of an index.

        Args:
            name: Of the index.

        Raises:
            NotFoundError: There is none.
            DamagedStoreError: It is not what the audit chain says was built.
        """
        check_name(name)
        with self._project.reading() as con:
            row = self._store.record(con, _TABLE, name)
            known = [] if row is not None else [one["name"] for one in self._store.records(con, _TABLE)[0]]
        if row is None:
            hint = "ws.retrieval.build('NAME', documents, 'SETTINGS') makes one"
            raise NotFoundError.of("index", name, known, hint=hint)
        return dict(row)

    def rows(self) -> list[dict[str, Any]]:
        """Return the records of all indexes, by name; warn of those that are not what was written."""
        with self._project.reading() as con:
            return sorted((dict(row) for row in self._store.records(con, _TABLE)[0]), key=lambda row: str(row["name"]))

    def folder(self, row: Mapping[str, Any]) -> Path:
        """Return where the files of an index are.

        Args:
            row: Its record.

        Raises:
            DamagedStoreError: One is missing or has another size.
        """
        try:
            return self._store.bundles.opened(row["folder"], json.loads(row["manifest"]))
        except DamagedStoreError as error:
            raise DamagedStoreError(
                f"the index {row['name']!r} is not whole: {error}; ws.retrieval.build({row['name']!r}, documents, "
                f"{row['settings']!r}) makes it anew"
            ) from error

    def build(
        self, name: str, documents: Sequence[Document], settings: Settings, *, reason: str | None, tracing: bool
    ) -> Index:
        """Build an index and put it in the place of the one with its name, in one step; return it.

        Args:
            name: Of the index.
            documents: In the order of their ids, each id once.
            settings: A version.
            reason: Why, for the audit chain.
            tracing: Record its searches.
        """
        words = check_words(reason, "reason")
        refuse_unbuildable(settings)
        with self._store.bundles.writing(name, what=f"the index {name!r}") as folder:
            before, there = self._before(name)
            is_same = (
                before is not None
                and there is not None
                and before["index_fingerprint"] == settings.fingerprint
                and before["about"] == about(settings, documents)
                and before["corpus_fingerprint"] == corpus_fingerprint(documents)
            )
            if is_same and before is not None and before["settings"] == settings.ref:
                self._sweep(name, [str(before["folder"])])
                return self.opened(before, settings, tracing=tracing)
            told = "{}" if before is None else str(before["about"])
            found = made(folder, settings, documents, self._models, there, told)
            place, listing = self._store.bundles.publish(name, found.files)
            with self._project.change(reason=words) as change:
                row = _row(name, settings, found, place, json.dumps(listing, sort_keys=True), change)
                change.replace(_TABLE, row)
                change.say(
                    "index.build",
                    name,
                    before=None if before is None else {one: before[one] for one in _TOLD},
                    after={one: row[one] for one in _TOLD},
                )
            self._sweep(name, [place])
        return self.opened(row, settings, tracing=tracing, made=found)

    def drop(self, name: str, *, reason: str | None, dry_run: bool) -> IndexRecord:
        """Remove an index with its files; return its record.

        Args:
            name: Of the index.
            reason: Why, for the audit chain.
            dry_run: Check everything and change nothing.
        """
        words = check_words(reason, "reason")
        row = self.row(name)
        if dry_run:
            return IndexRecord.of(row)
        with self._store.bundles.writing(name, what=f"the index {name!r}"):
            with self._project.change(reason=words) as change:
                change.delete(_TABLE, name)
                change.say("index.drop", name, before={one: row[one] for one in _TOLD})
            self._sweep(name, [])
        return IndexRecord.of(row)

    def _sweep(self, name: str, used: Sequence[str]) -> None:
        """Remove what no record of an index names; a backup is still copying what its records name."""
        with self._store.while_nobody_publishes():
            self._store.bundles.sweep(name, used)

    def _before(self, name: str) -> tuple[dict[str, Any] | None, Built | None]:
        """Return the index that there is: record and files, where these are whole."""
        try:
            row = self.row(name)
        except NotFoundError:
            return None, None
        try:
            return row, Built(self.folder(row))
        except DamagedStoreError:
            return row, None  # it is built anew as a whole

    def opened(self, row: Mapping[str, Any], settings: Settings, *, tracing: bool, made: Made | None = None) -> Index:
        """Return an index that was built.

        Args:
            row: Its record.
            settings: The version that it names.
            tracing: Record its searches.
            made: What was built, where it was just now.
        """
        return Index(
            IndexRecord.of(row),
            settings,
            self.folder(row),
            self._models,
            work=None if made is None else made.work,
            tracing=tracing,
        )


def _row(name: str, settings: Settings, found: Made, folder: str, manifest: str, change: Change) -> dict[str, Any]:
    return {
        "name": name,
        "settings": settings.ref,
        "index_fingerprint": settings.fingerprint,
        "corpus_fingerprint": found.corpus_fingerprint,
        "documents": found.documents,
        "chunks": found.chunks,
        "about": found.about,
        "folder": folder,
        "manifest": manifest,
        "author": change.actor,
        "built_ns": change.at_ns,
    }
