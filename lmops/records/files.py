"""Files of versions: read whole or not at all, replaced in one step, with the commit that holds them as they are."""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING

from lmops.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from lmops.git import Repository


def folder_key(folder: Path, store: Path) -> str:
    """Return the name of a folder in the store: below the project it moves with it."""
    project = store.resolve().parent
    resolved = folder.resolve()
    return str(resolved.relative_to(project)) if resolved.is_relative_to(project) else str(resolved)


def read(path: Path, *, most: int) -> bytes | None:
    """Return the bytes of a file; None when there is none.

    Args:
        path: Where it is.
        most: It has no more bytes than these.

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
    if size > most:
        raise UsageError(f"it has {size:,} bytes; the most is {most:,}")
    return path.read_bytes()


def decoded(raw: bytes) -> str:
    """Return bytes as text.

    Raises:
        UsageError: They are none in UTF-8.
    """
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"it is not UTF-8 text (byte {error.start})") from None


def write(path: Path, body: bytes, *, before: bytes | None, most: int) -> None:
    """Replace a file in one step, unless it changed since it was read."""
    if read(path, most=most) != before:
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


def commit_of(found: Repository | None, path: Path) -> tuple[str | None, str]:
    """Return the commit of a file that is committed as it is; else None and why."""
    changed = None if found is None else found.changes("--ignored", "--", path.name)
    if found is None or changed is None:
        return None, ""
    if changed:
        return None, " (dirty: not committed as it is)"
    commit = (found.ask("rev-list", "-1", "HEAD", "--", path.name) or "").strip()
    return (commit, "") if commit else (None, "")
