"""Take rights away from this process: who may do all becomes somebody who may not."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_NOBODY = 65534


@contextlib.contextmanager
def somebody_else(path: Path) -> Iterator[None]:
    """Be a user who may go to `path` and owns nothing; nothing changes for a process without root's rights."""
    if os.geteuid():
        yield
        return
    root = Path(tempfile.gettempdir())
    # pytest closes the folder around all of its runs; how many levels lie between depends on its workers.
    for folder in path.parents:
        if folder == root or root not in folder.parents:
            break
        folder.chmod(folder.stat().st_mode | 0o555)
    os.seteuid(_NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@contextlib.contextmanager
def unwritable(path: Path) -> Iterator[None]:
    """Take the right to write a folder and all that is in it from this process."""
    entries = (path, *path.rglob("*"))
    for entry in entries:
        entry.chmod(0o555 if entry.is_dir() else 0o444)
    try:
        with somebody_else(path):
            yield
    finally:
        for entry in entries:
            if entry.exists():
                entry.chmod(0o755)
