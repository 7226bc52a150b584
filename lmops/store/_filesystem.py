"""Where a store lives: finding it, and knowing whether its disk is local."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import shutil
import stat
from pathlib import Path
from typing import Final

from lmops.errors import StoreError, UsageError, raise_if_of_process

STORE_DIR: Final = ".lmops"
META: Final = "meta.sqlite"
_ADDRESS: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_RELATIVE: Final = re.compile(r"[\w.=-]+(?:/[\w.=-]+)*", re.ASCII)
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
        if is_store(candidate):
            return candidate
    return None


def is_store(folder: Path) -> bool:
    """Return whether a folder is a store, its database lost or not: an empty one must not take its place.

    Raises:
        StoreError: This user may not look into it.
    """
    try:
        return (folder / META).is_file() or any((folder / "segments").glob("*/*/*.parquet"))
    except PermissionError as error:
        raise StoreError(
            f"{folder} is closed to this user (permission denied); its owner opens it with `chmod -R a+rX`, "
            "or name another store"
        ) from error
    except OSError as error:
        raise_if_of_process(error, folder)
        raise


def resolve(path: str | os.PathLike[str] | None) -> Path:
    """Return the folder of the store that ``path`` means.

    ``None``: ``LMOPS_STORE``, else the nearest ``.lmops`` upward, else a new ``.lmops`` in the working directory.
    A path is the store's folder itself, or a project folder that has (or, when it holds other files, will get) a
    ``.lmops``.

    Raises:
        UsageError: It is a file, or an address.
    """
    asked = path if path is not None else os.environ.get("LMOPS_STORE") or None
    if asked is None:
        here = Path.cwd()
        return find_store(here) or here / STORE_DIR
    if not isinstance(asked, str | os.PathLike):
        raise UsageError(f"a {type(asked).__name__} is no store: a store is a folder, such as '.lmops', or ':memory:'")
    if _ADDRESS.match(str(asked)):
        raise UsageError(f"{str(asked)[:80]!r} is an address: a store is a folder, such as '.lmops', or ':memory:'")
    folder = Path(asked).expanduser().absolute()
    if is_store(folder):
        return folder
    file = next((part for part in (folder, *folder.parents) if part.is_file()), None)
    if file is not None:
        hint = f"; its store is {str(file.parent)!r}" if file.name == META else ""
        raise UsageError(f"{str(file)!r} is a file: a store is a folder, such as '.lmops'{hint}")
    if folder.name == STORE_DIR:
        return folder
    inside = folder / STORE_DIR
    if is_store(inside) or (folder.is_dir() and any(folder.iterdir())):
        return inside
    return folder


def has_store(path: str | os.PathLike[str] | None) -> bool:
    """Return whether ``path`` (as in ``resolve``) means a store that is there."""
    return is_store(resolve(path))


#: For ``os.open``: fail when the last part of the path is a link.
NO_LINKS: Final = getattr(os, "O_NOFOLLOW", 0)


def inside(folder: Path, relative: str) -> Path | None:
    """Return the file that a path of the manifest means; None when its words or a link lead out of the store.

    A store can come from anywhere, and what is named in it is read, copied and removed.
    """
    if not _RELATIVE.fullmatch(relative) or ".." in relative.split("/"):
        return None
    path = folder
    for part in relative.split("/"):
        path /= part
        if path.is_symlink():
            return None
    return path


_OPENED: Final = (
    META,
    *(f"{META}-{end}" for end in ("wal", "shm", "journal")),
    "drain.lock",
    "segments.log",
    "acknowledged",
)


def refuse_links(folder: Path) -> None:
    """Raise when a file that every opening opens is a link, which leads somewhere else, or a pipe, which ends never."""
    for name in _OPENED:
        try:
            mode = os.lstat(f"{folder}/{name}").st_mode  # on each opening; a path costs five times as much
        except OSError:
            continue  # what is not there, or cannot be seen, is met when it is opened
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            what = "a link and is not followed" if stat.S_ISLNK(mode) else "no file"
            raise StoreError(f"{folder / name} is {what}; put the file itself there")


def make_folder(path: Path) -> None:
    """Make a folder and what is missing above it, each with the rights of the folder that it is made in.

    A new store is for its owner only, and so is all that is made in it. Who opens the store's folder to others opens
    what is made from then on; the umask takes away from either.

    Raises:
        StoreError: A link stands in its place.
    """
    if path.is_symlink():
        raise StoreError(f"{path} is a link and is not followed; put the folder itself there")
    if path.is_dir():
        return
    make_folder(path.parent)
    with contextlib.suppress(FileExistsError):
        path.mkdir(mode=stat.S_IMODE(path.parent.stat().st_mode))


def make_store_folder(path: Path) -> None:
    """Make the folder of a new store, for its owner only; one that is there keeps its rights."""
    if not path.is_dir():
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            path.mkdir(mode=0o700)


def keep_out_of_git(folder: Path) -> None:
    """Let git ignore all of a store, unless its ``.gitignore`` is there and says something else."""
    # Traces are nobody's to publish, and a store that cannot have the file is as good as before.
    with contextlib.suppress(OSError):
        ignore = f"{folder}/.gitignore"
        if os.path.lexists(ignore):
            return
        rights = stat.S_IMODE(folder.stat().st_mode) & 0o666
        made = os.open(ignore, os.O_WRONLY | os.O_CREAT | os.O_EXCL, rights)
        with os.fdopen(made, "w", encoding="utf-8") as file:
            file.write("*\n")


def make_file(path: Path) -> None:
    """Make an empty file with the rights of its folder, the right to run left out; one that is there stays as it is."""
    if os.path.lexists(path):  # asking costs less than failing
        return
    mode = stat.S_IMODE(path.parent.stat().st_mode) & 0o666
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode))


def filesystem_type(path: Path, mounts: str | None = None) -> str:
    """Return the type of the file system that holds ``path`` ("" when the system does not tell).

    Args:
        path: An existing path.
        mounts: The mount table in the form of ``/proc/mounts``; read from there by default.
    """
    if mounts is None:
        found = path.stat()
        return _type_here(path, found.st_dev, found.st_ino)
    return _type_below(str(path.resolve()), mounts)


@functools.lru_cache(maxsize=64)
def _type_here(path: Path, _device: int, _inode: int) -> str:
    """Return the type of the file system of a folder, which stays the same as long as it is this one."""
    try:
        mounts = Path("/proc/mounts").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return _type_below(str(path.resolve()), mounts)


def _type_below(target: str, mounts: str) -> str:
    """Return the type of the innermost mount that holds a path."""
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


#: Folders of which this process knows that they survive a power cut, with the inode that it knows it of.
_DURABLE: Final[dict[str, int]] = {}


def make_durable_dir(folder: Path, *, root: Path) -> None:
    """Make a folder below ``root``, and have it survive a power cut together with every folder between them.

    A file that is synced is lost all the same when the entry of its new folder in the folder above was not.
    """
    if folder == root:
        return
    key = str(folder)
    with contextlib.suppress(FileNotFoundError):
        if folder.stat().st_ino == _DURABLE.get(key):
            return
    make_durable_dir(folder.parent, root=root)
    make_folder(folder)
    # Also when it was there: whoever made it may have been killed before this.
    fsync_dir(folder.parent)
    _DURABLE[key] = folder.stat().st_ino


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


def remove_file(path: Path) -> None:
    """Remove a file that is not whole; one that is gone, or that cannot be removed, is nothing."""
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
