"""Where a store lives: finding it, and knowing whether its disk is local."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

STORE_DIR: Final = ".lmops"
META: Final = "meta.sqlite"
_NETWORK_TYPES: Final = frozenset(
    [
        "nfs",
        "nfs4",
        "cifs",
        "smb",
        "smb2",
        "smb3",
        "smbfs",
        "afs",
        "ncpfs",
        "9p",
        "ceph",
        "glusterfs",
        "lustre",
        "gpfs",
        "beegfs",
        "davfs",
        "fuse.sshfs",
        "fuse.s3fs",
        "fuse.gcsfuse",
        "fuse.rclone",
        "fuse.blobfuse",
        "virtiofs",
    ]
)


def find_store(start: Path) -> Path | None:
    """Return the nearest ``.lmops`` in ``start`` or above it, as git finds ``.git``; None when there is none."""
    for folder in (start, *start.parents):
        candidate = folder / STORE_DIR
        if (candidate / META).is_file():
            return candidate
    return None


def resolve(path: str | os.PathLike[str] | None) -> Path:
    """Return the folder of the store that ``path`` means.

    ``None``: ``LMOPS_STORE``, else the nearest ``.lmops`` upward, else a new ``.lmops`` in the working directory.
    A path is the store's folder itself, or a project folder that has (or, when it holds other files, will get) a
    ``.lmops``.
    """
    asked = path if path is not None else os.environ.get("LMOPS_STORE") or None
    if asked is None:
        here = Path.cwd()
        return find_store(here) or here / STORE_DIR
    folder = Path(asked).expanduser().absolute()
    if (folder / META).is_file() or folder.name == STORE_DIR:
        return folder
    inside = folder / STORE_DIR
    if (inside / META).is_file() or (folder.is_dir() and any(folder.iterdir())):
        return inside
    return folder


def has_store(path: str | os.PathLike[str] | None) -> bool:
    """Return whether ``path`` (as in ``resolve``) means a store that is there."""
    return (resolve(path) / META).is_file()


def filesystem_type(path: Path, mounts: str | None = None) -> str:
    """Return the type of the file system that holds ``path`` ("" when the system does not tell).

    Args:
        path: An existing path.
        mounts: The mount table in the form of ``/proc/mounts``; read from there by default.
    """
    if mounts is None:
        try:
            mounts = Path("/proc/mounts").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""
    target = str(path.resolve())
    best, kind = "", ""
    for line in mounts.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        point = fields[1].replace("\\040", " ")
        inside = target == point or target.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):
            best, kind = point, fields[2]
    return kind


def is_network(kind: str) -> bool:
    """Return whether a file system of this type is shared over a network, where WAL and file locks are unsafe."""
    return kind.lower() in _NETWORK_TYPES


def remove_folder(folder: Path, pid: int) -> None:
    """Remove a temporary folder at the end of the process that made it, and not at the end of a fork of it."""
    if os.getpid() == pid:
        shutil.rmtree(folder, ignore_errors=True)


def fsync_dir(folder: Path) -> None:
    """Make a rename in ``folder`` survive a power cut, where the system allows it."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError:
        pass
    finally:
        os.close(handle)
