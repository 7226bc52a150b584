"""Anchors: heads of the chain that are kept where whoever can write the store cannot write."""

from __future__ import annotations

import errno
import json
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from lmops import git
from lmops.audit._chain import Head
from lmops.errors import NotFoundError, StoreError, UsageError, system_in_words
from lmops.text import plain_line
from lmops.times import utc_now

if TYPE_CHECKING:
    from collections.abc import Iterable

KIND: Final = "lmops audit anchor"
NOTES: Final = "lmops-audit"
_LINE: Final = re.compile(r"\s*(\d{1,18}):([0-9a-f]{64})\s*")
_NO_LINKS: Final = getattr(os, "O_NOFOLLOW", 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchored:
    """Where a head is kept.

    Args:
        line: The head, as ``ws.audit.head().line``.
        kept: The places that have it now.
        known: Those of them that had it before, so that nothing was added.
    """

    line: str
    kept: tuple[str, ...]
    known: tuple[str, ...]

    def __repr__(self) -> str:
        places = ", ".join(f"{place} (as before)" if place in self.known else place for place in self.kept)
        return f"<Anchored {self.line}: {plain_line(places, 300)}>"


def anchor_everywhere(
    head: Head,
    store_id: str,
    *,
    file: str | os.PathLike[str] | None,
    git_note: str | os.PathLike[str] | None,
    webhook: str | None,
) -> Anchored:
    """Keep a head at each of these places, the ones that stay on this machine first."""
    if webhook is not None:
        _check_address(webhook)
    said = {
        "kind": KIND,
        "at": utc_now().isoformat(timespec="seconds"),
        "store_id": store_id,
        "events": head.events,
        "hash": head.hash,
    }
    text = json.dumps(said)
    kept: list[str] = []
    known: list[str] = []
    if file is not None:
        kept.append(str(file))
        if head in file_heads(Path(file), store_id):
            known.append(str(file))
        else:
            _append(Path(file), text)
    if git_note is not None:
        place = f"git notes --ref={NOTES} in {git_note}"
        kept.append(place)
        if head in notes_of(git_note, store_id):
            known.append(place)
        elif git.add_note(git_note, text, ref=NOTES) is None:
            raise StoreError(
                f"no note could be added in {git_note}: it needs git and a repository with a commit"
                + (f"; the head is kept in {', '.join(kept[:-1])}" if len(kept) > 1 else "")
            )
    if webhook is not None:
        from lmops.audit._webhook import send
        from lmops.base.posting import host

        send(webhook, text, kept)
        kept.append(host(webhook))
    return Anchored(line=head.line, kept=tuple(kept), known=tuple(known))


def heads_of(given: object, store_id: object) -> tuple[Head, ...]:
    """Return the heads that an anchor means: a head, its line, or all that a file keeps of a store.

    Raises:
        UsageError: It is none of them.
    """
    if given is None:
        return ()
    if isinstance(given, Head):
        return (given,)
    match = _LINE.fullmatch(given) if isinstance(given, str) else None
    if match is not None:
        return (Head(events=int(match[1]), hash=match[2]),)
    if isinstance(given, str | os.PathLike) and str(given).strip() and Path(given).is_file():
        found = file_heads(Path(given), store_id)
        if not found:
            raise UsageError(f"{given} keeps no anchor of the store {store_id}")
        return found
    raise UsageError(
        f"{plain_line(given, 80)!r} is no anchor: give the line of a head, '17:' and 64 hex digits "
        "(ws.audit.head().line), or a file that ws.audit.anchor(file=...) wrote"
    )


def notes_of(folder: str | os.PathLike[str], store_id: str) -> tuple[Head, ...]:
    """Return the heads of a store that the notes of a repository keep.

    Raises:
        NotFoundError: It is no repository.
    """
    notes = git.notes(folder, ref=NOTES)
    if notes is None:
        raise NotFoundError(f"{folder} is in no git repository that can be read (or there is no git)")
    return _heads((line for text in notes for line in text.splitlines()), store_id)


def file_heads(path: Path, store_id: object) -> tuple[Head, ...]:
    """Return the heads of a store that a file keeps; none without a file."""
    if not path.is_file():
        return ()
    with system_in_words(path), path.open(encoding="utf-8", errors="replace") as file:
        return _heads(file, store_id)


def _heads(lines: Iterable[str], store_id: object) -> tuple[Head, ...]:
    """Return the heads of a store among lines of JSON; others may keep theirs in the same place."""
    found = []
    for line in lines:
        try:
            said: Any = json.loads(line)
        except ValueError:
            continue
        if isinstance(said, dict) and said.get("kind") == KIND and said.get("store_id") == store_id:
            match = _LINE.fullmatch(f"{said.get('events')}:{said.get('hash')}")
            if match is None:
                raise UsageError(f"an anchor of the store {store_id} is damaged: {plain_line(line, 200)}")
            found.append(Head(events=int(match[1]), hash=match[2]))
    return tuple(found)


def _append(path: Path, text: str) -> None:
    """Add one line to a file, in one write that is on the disk when this returns."""
    if not path.parent.is_dir():
        raise UsageError(f"there is no folder {path.parent} for the anchors")
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | _NO_LINKS, 0o644)
    except OSError as error:
        raise StoreError(f"the anchor could not be kept in {path}: {error.strerror}") from error
    with system_in_words(path), os.fdopen(handle, "r+b", buffering=0) as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise UsageError(f"{path} is no file")
        size = os.fstat(handle).st_size
        # A line that was cut short must not take this one with it.
        is_open = bool(size) and os.pread(handle, 1, size - 1) != b"\n"
        line = f"{chr(10) if is_open else ''}{text}\n".encode()
        if file.write(line) != len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(handle)


def _check_address(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise UsageError(f"webhook={plain_line(parts.scheme, 20)!r}...: give an address with http:// or https://")
