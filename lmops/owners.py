"""Folders of other users: what somebody else made is not opened and not run until the user says so.

A store names files to read, a runbook is code, a prompt is an instruction: whoever can put them where a user works,
such as a shared folder above, would act in the name of that user. As git does with ``safe.directory``, only what the
user owns, or root, is taken without asking.
"""

from __future__ import annotations

import json
import logging
import os
import stat
from pathlib import Path
from typing import Final

from lmops.errors import NotFoundError, UntrustedError

TRUST_VARIABLE: Final = "LMOPS_TRUST"
_log = logging.getLogger(__name__)


def trust(path: str | os.PathLike[str]) -> Path:
    """Trust a folder and everything below it although it belongs to another user; return its full path.

    Kept in ``lmops/trusted`` of the user's folder of settings (``XDG_CONFIG_HOME``, ``~/.config`` by default), readable
    and writable by that user only; remove a line there to trust no longer. For containers and services, the variable
    ``LMOPS_TRUST`` holds such paths, separated as in ``PATH``; ``*`` stands for every folder.

    Args:
        path: A store, or the folder of a project with its store, runbooks and prompts.

    Raises:
        NotFoundError: There is nothing at this path.
    """
    resolved = Path(path).expanduser().resolve()
    if not resolved.exists():
        raise NotFoundError(f"there is nothing at {resolved} to trust")
    if resolved not in _kept():
        file = _file()
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as lines:
            lines.write(json.dumps(str(resolved)) + "\n")
    return resolved


def trusted() -> list[Path]:
    """Return the folders that are trusted, of the user's settings and of ``LMOPS_TRUST``."""
    return [*_kept(), *(Path(entry).expanduser().resolve() for entry in _entries() if entry != "*")]


def refuse_stranger(*paths: Path, what: str) -> None:
    """Raise when one of these paths is there and belongs to another user who is not trusted.

    Args:
        paths: What is about to be opened or run: a folder and the files in it that decide.
        what: The words for it, such as "the store".

    Raises:
        UntrustedError: The message names the owner and the two ways to trust.
    """
    for path in paths:
        try:
            found = os.lstat(path)
            if stat.S_ISLNK(found.st_mode) and _is_own(found.st_uid):
                found = path.stat()
        except OSError:
            continue  # what is not there, or cannot be seen, is met when it is opened
        owner = found.st_uid
        if not _is_own(owner) and not _is_trusted(path):
            where = path if path.is_dir() else path.parent
            raise UntrustedError(
                f"{what} {path} is not taken: its owner is {_user(owner)} and you are {_user(os.geteuid())}. What "
                f"somebody else made can act in your name. If you trust it: lmops trust {where} (in Python "
                f"lmops.trust({str(where)!r}), in a container {TRUST_VARIABLE}={where})"
            )


def _is_own(uid: int) -> bool:
    """Return whether a user may take what this one owns: root can do everything anyway."""
    if not hasattr(os, "geteuid"):
        return True  # Windows: access rights are not owners
    me = os.geteuid()
    # Under sudo the user at the keyboard is the one who asks.
    return uid in {me, 0} or (me == 0 and str(uid) == os.environ.get("SUDO_UID"))


def _is_trusted(path: Path) -> bool:
    if "*" in _entries():
        return True
    resolved = path.resolve()
    return any(resolved.is_relative_to(folder) for folder in trusted())


def _entries() -> list[str]:
    return [entry for entry in os.environ.get(TRUST_VARIABLE, "").split(os.pathsep) if entry]


def _file() -> Path:
    return Path(os.environ.get("XDG_CONFIG_HOME") or "~/.config").expanduser() / "lmops" / "trusted"


def _kept() -> list[Path]:
    """Return the folders of the user's settings; a file that others can write says nothing."""
    try:
        file = _file()
        with file.open(encoding="utf-8") as lines:
            found = os.fstat(lines.fileno())
            if not _is_own(found.st_uid) or found.st_mode & 0o022:
                _log.warning("%s is not used: others can write it; chmod 600, or remove it", file)
                return []
            return [Path(json.loads(line)) for line in lines if line.strip()]
    except (FileNotFoundError, RuntimeError):  # RuntimeError: this user has no home
        return []
    except (OSError, ValueError, TypeError) as error:
        _log.warning("the trusted folders of %s cannot be read: %s", _file(), error)
        return []


def _user(uid: int) -> str:
    try:
        import pwd

        return f"{pwd.getpwuid(uid).pw_name} ({uid})"
    except (ImportError, KeyError):
        return f"user {uid}"
