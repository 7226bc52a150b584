"""Where a run came from: the commit of the caller's code and the environment."""

from __future__ import annotations

import importlib
import json
import platform
import subprocess
import sys
from importlib import metadata
from typing import Final

_PACKAGES: Final = ("lmops", "openai", "duckdb", "numpy", "scipy", "pandas")


def lmops_version() -> str:
    """Return the version of lmops."""
    return str(importlib.import_module("lmops").__version__)


def code_version() -> str | None:
    """Return the commit of the working directory, with "+" when files differ from it; None outside of git."""
    commit = _git("rev-parse", "HEAD")
    if not commit:
        return None
    changed = _git("status", "--porcelain", "--untracked-files=no")
    return commit + ("+" if changed is None or changed else "")


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, timeout=10, check=False)  # noqa: S607
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def environment() -> str:
    """Return Python, platform and the packages that matter, as JSON."""
    packages = {}
    for name in _PACKAGES:
        try:
            packages[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return json.dumps(
        {"python": sys.version.split()[0], "platform": platform.platform(), "packages": packages}, sort_keys=True
    )
