"""What git says of a folder, without changing anything in it."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pathlib import Path

TIMEOUT_S: Final = 20


def ask_git(folder: str | Path, *arguments: str) -> str | None:
    """Return what git prints in a folder; None without git, outside of a repository, or after ``TIMEOUT_S`` seconds."""
    # A repository may name a program for git to run as its file system monitor: a folder of somebody else's must not.
    command: list[Any] = ["git", "--no-optional-locks", "-c", "core.fsmonitor=false", "-C", folder, *arguments]
    try:
        done = subprocess.run(  # the git of the one who calls
            command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
