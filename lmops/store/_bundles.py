"""Folders of files that belong to a record: written beside, published whole, and held to what was written.

    bundles/NAME/lock         one writer at a time
    bundles/NAME/unfinished/  what a writer has made so far; the next one goes on with it
    bundles/NAME/ID/          what the record names

The record names the folder and lists its files with bytes and SHA-256, so that the audit chain holds them.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import uuid
from typing import TYPE_CHECKING, Any, Final

from lmops.errors import DamagedStoreError, StoreError
from lmops.owners import refuse_stranger
from lmops.store._filesystem import fsync_dir, inside, make_durable_dir, make_file
from lmops.store._meta import in_words
from lmops.store._segments import file_sha256
from lmops.store._turn import BusyError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping
    from pathlib import Path

    #: File -> bytes and SHA-256.
    Listing = Mapping[str, Mapping[str, Any]]

BUNDLES_DIR: Final = "bundles"
_UNFINISHED: Final = "unfinished"
_LOCK: Final = "lock"
_ID: Final = re.compile(r"[0-9a-f]{32}")


class Bundles:
    """The folders of a store that belong to records.

    Args:
        folder: Of the store.
        refuse_read_only: Raises where nothing may be written.
    """

    def __init__(self, folder: Path, refuse_read_only: Callable[[], None]) -> None:
        self._store = folder
        self._folder = folder / BUNDLES_DIR
        self._refuse_read_only = refuse_read_only

    @contextlib.contextmanager
    def writing(self, name: str, *, what: str) -> Iterator[Path]:
        """Be the only one who writes the bundles of a name; yield the folder of what is not finished.

        What is in it stays when the work is cut short, also by a killed process.

        Args:
            name: A plain word.
            what: The words for it, such as "the index 'docs'".

        Raises:
            BusyError: Somebody else writes it at the moment.
            ReadOnlyError: The store is open for reading only.
        """
        import filelock

        self._refuse_read_only()
        own = self._folder / name
        refuse_stranger(self._folder, own, what=what)
        with in_words(self._store):
            make_durable_dir(own, root=self._store)
            make_file(own / _LOCK)
            lock = filelock.FileLock(own / _LOCK, fallback_to_soft=False, preserve_lock_file=True)
            try:
                lock.acquire(timeout=0)
            except filelock.Timeout as error:
                raise BusyError(f"{what} is being written by another process: wait until it is there") from error
            try:
                make_durable_dir(own / _UNFINISHED, root=self._store)
                yield own / _UNFINISHED
            finally:
                lock.release()

    def publish(self, name: str, files: Collection[str]) -> tuple[str, dict[str, dict[str, Any]]]:
        """Move finished files into a folder of their own that survives a power cut; no record names it yet.

        Args:
            name: As in :meth:`writing`, whose body this is called in.
            files: Their names in the folder of what is not finished.

        Returns:
            The folder, as a record names it, and the listing of its files.
        """
        source, made = self._folder / name / _UNFINISHED, f"{BUNDLES_DIR}/{name}/{uuid.uuid4().hex}"
        listing: dict[str, dict[str, Any]] = {}
        for file in sorted(files):
            with (source / file).open("r+b") as handle:
                os.fsync(handle.fileno())
            listing[file] = {"bytes": (source / file).stat().st_size, "sha256": file_sha256(source / file)}
        make_durable_dir(self._store / made, root=self._store)
        for file in listing:
            (source / file).rename(self._store / made / file)
        fsync_dir(self._store / made)
        return made, listing

    def opened(self, folder: str, listing: Listing) -> Path:
        """Return the folder that a record names, after a look at the size of each of its files.

        Args:
            folder: As :meth:`publish` returned it.
            listing: Of its files.

        Raises:
            DamagedStoreError: A file is missing or has another size.
            UntrustedError: It belongs to another user.
        """
        path = inside(self._store, folder)
        if path is None:
            raise DamagedStoreError(f"{folder!r} leads out of the store {self._store}")
        refuse_stranger(path, *(path / file for file in listing), what="what is in the store")
        for file, told in listing.items():
            if not (path / file).is_file() or (path / file).stat().st_size != told["bytes"]:
                raise DamagedStoreError(f"{folder}/{file} is missing or is not what was written")
        return path

    def sweep(self, name: str, used: Collection[str]) -> None:
        """Remove the bundles of a name that no record names, and what is unfinished, inside :meth:`writing`.

        Args:
            name: Whose.
            used: Folders that records name.
        """
        own = self._folder / name
        for path in own.iterdir():
            is_left = _ID.fullmatch(path.name) and f"{BUNDLES_DIR}/{name}/{path.name}" not in used
            if (is_left or path.name == _UNFINISHED) and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
        fsync_dir(own)


def bundle_problems(store: Path, folder: str, listing: Listing) -> list[str]:
    """Return what is wrong with the files of a bundle, one sentence each; each is read as a whole.

    Args:
        store: The folder of the store.
        folder: As the record names it.
        listing: Of its files.
    """
    path = inside(store, folder)
    if path is None:
        return [f"{folder!r} leads out of the store"]
    found = []
    for file, told in listing.items():
        if not (path / file).is_file():
            found.append(f"{folder}/{file} is missing")
        elif (path / file).stat().st_size != told["bytes"] or _sha256(path / file) != told["sha256"]:
            found.append(f"{folder}/{file} is not what was written")
    return found


def _sha256(path: Path) -> str | None:
    try:
        return file_sha256(path)
    except (OSError, StoreError):
        return None
