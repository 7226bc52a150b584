"""What is set aside: files that nobody lists and files that are damaged are moved here, and never removed."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Final

from lmops.errors import DamagedStoreError
from lmops.store._filesystem import fsync_dir, inside, make_folder

if TYPE_CHECKING:
    from pathlib import Path

QUARANTINE: Final = "quarantine"


def set_aside(folder: Path, relative: str) -> str:
    """Move a file of the store into ``quarantine/``, under the name it had; return its new name there.

    Raises:
        DamagedStoreError: The path is not one of this store.
    """
    if inside(folder, relative) is None:
        raise DamagedStoreError(f"{relative!r} leads out of the store {folder}: it is left where it is")
    target = _free(folder / QUARANTINE / relative)
    make_folder(target.parent)
    (folder / relative).rename(target)
    fsync_dir(target.parent)
    fsync_dir((folder / relative).parent)
    return target.relative_to(folder).as_posix()


def keep(folder: Path, name: str, content: bytes) -> str:
    """Keep some bytes in ``quarantine/``, safe on disk; return the name of the file."""
    target = _free(folder / QUARANTINE / name)
    make_folder(target.parent)
    with target.open("xb") as handle:
        handle.write(content)
        handle.flush()
        os.fsync(handle.fileno())
    fsync_dir(target.parent)
    return target.relative_to(folder).as_posix()


def held(folder: Path) -> list[tuple[str, int]]:
    """Return (name, bytes) of all that is set aside."""
    root = folder / QUARANTINE
    if not root.is_dir():
        return []
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return [(path.relative_to(folder).as_posix(), path.stat().st_size) for path in files]


def _free(target: Path) -> Path:
    """Return a name that is not taken."""
    return target.with_name(f"{target.name}.{time.time_ns()}") if target.exists() else target
