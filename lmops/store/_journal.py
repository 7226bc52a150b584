"""The journal of the manifest: one line for each change of it, in a file beside ``meta.sqlite``.

It answers two questions when ``meta.sqlite`` cannot: which files are the store's, and how far the store had come. A
line is written after the change is committed and under the drain lock, so the journal may lag behind the database by
what a killed process did last, and is never ahead of it: a journal that is ahead belongs to a newer database.

Lines are ``CRC GENERATION STORE_ID JSON``; the JSON holds the manifest rows added and the paths dropped. Each line
continues the one before, or lists every file. It is not synced on its own: after a power cut it may be short, which
costs ``rescue`` some work and never a file.
"""

from __future__ import annotations

import contextlib
import json
import os
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from lmops.errors import raise_if_of_process
from lmops.store._filesystem import NO_LINKS, make_file

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

JOURNAL: Final = "segments.log"
#: A journal longer than this starts again with one line that lists every file.
_LONGEST: Final = 1_000_000
_TAIL: Final = 16_384

Record = dict[str, Any]


@dataclass(slots=True)
class Told:
    """What a journal says."""

    store_id: str
    generation: int
    #: manifest rows by path
    files: dict[str, Record] = field(default_factory=dict)
    #: paths that were replaced or removed
    dropped: set[str] = field(default_factory=set)
    #: nothing is missing between its lines
    is_whole: bool = True


def note(
    folder: Path,
    store_id: str,
    generation: int,
    *,
    since: int,
    added: Sequence[Record],
    dropped: Sequence[str],
    whole: Callable[[], Sequence[Record]],
) -> None:
    """Write down one change of the manifest, under the drain lock.

    Args:
        folder: The store's.
        store_id: The store's.
        generation: Of the manifest, after the change.
        since: Its generation before the change. What others changed until then, and were killed before they could write
            it down, is told by a line that lists every file.
        added: The manifest rows that came.
        dropped: The paths that went.
        whole: Returns all manifest rows, for when the line before is missing.
    """
    path = folder / JOURNAL
    size = path.stat().st_size if path.exists() else 0
    last = head(folder) if size else None
    if last == (store_id, generation):
        return  # nothing has changed
    if last is None or last != (store_id, since) or generation != since + 1 or size > _LONGEST:
        line = _line(store_id, generation, {"whole": list(whole())})
        if size > _LONGEST:
            temporary = path.with_suffix(".tmp")
            temporary.unlink(missing_ok=True)
            make_file(temporary)
            temporary.write_bytes(line)
            temporary.replace(path)
            return
    else:
        line = _line(store_id, generation, {"add": list(added), "drop": list(dropped)})
    make_file(path)
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | NO_LINKS)
    try:
        os.write(handle, line)
    finally:
        os.close(handle)


def head(folder: Path) -> tuple[str, int] | None:
    """Return (store id, generation) of the last whole line; None when there is none."""
    try:
        with (folder / JOURNAL).open("rb", buffering=0) as handle:  # on each opening, and most of it is read at once
            size = handle.seek(0, os.SEEK_END)
            handle.seek(max(0, size - _TAIL))
            found = _last(handle.read())
            if found is None and size > _TAIL:
                handle.seek(0)
                found = _last(handle.read())
    except OSError as error:
        raise_if_of_process(error, folder)
        return None
    return found


def _last(content: bytes) -> tuple[str, int] | None:
    parsed = next(filter(None, map(_parsed, reversed(content.splitlines()))), None)
    return parsed and parsed[:2]


def read(folder: Path) -> Told | None:
    """Return what the journal of a store says; None when it says nothing."""
    told: Told | None = None
    try:
        lines = (folder / JOURNAL).read_bytes().splitlines()
    except OSError as error:
        raise_if_of_process(error, folder)
        return None
    is_torn = False
    for line in filter(None, lines):
        parsed = _parsed(line)
        if parsed is None:
            is_torn = True
            continue
        store_id, generation, text = parsed
        change = json.loads(text)
        if "whole" in change:
            files = {record["path"]: record for record in change["whole"]}
            before = {*told.files, *told.dropped} if told is not None and told.store_id == store_id else set()
            told = Told(store_id, generation, files, before - files.keys())
            is_torn = False
            continue
        if told is None:
            told = Told(store_id, generation - 1, is_whole=False)
        told.is_whole = told.is_whole and not is_torn and generation == told.generation + 1
        told.generation = generation
        told.files.update((record["path"], record) for record in change["add"])
        told.dropped.update(change["drop"])
        for gone in change["drop"]:
            told.files.pop(gone, None)
    if told is not None and is_torn:
        told.is_whole = False
    return told


def _line(store_id: str, generation: int, change: dict[str, Any]) -> bytes:
    body = f"{generation} {store_id} {json.dumps(change, separators=(',', ':'))}".encode()
    # A line that a killed process left half must not swallow this one.
    return b"\n%08x %s\n" % (zlib.crc32(body), body)


def _parsed(line: bytes) -> tuple[str, int, str] | None:
    crc, _, body = line.partition(b" ")
    with contextlib.suppress(ValueError):
        if len(crc) == 8 and int(crc, 16) == zlib.crc32(body):
            generation, store_id, text = body.decode("utf-8").split(" ", 2)
            return store_id, int(generation), text
    return None
