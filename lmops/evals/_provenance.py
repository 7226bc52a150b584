"""Where a run came from: the commit of the caller's code and the environment."""

from __future__ import annotations

import functools
import importlib
import json
import platform
import sys
from importlib import metadata
from typing import Final

from lmops.git import repository

_PACKAGES: Final = ("lmops", "openai", "duckdb", "numpy", "scipy", "pandas")


def lmops_version() -> str:
    """Return the version of lmops."""
    return str(importlib.import_module("lmops").__version__)


def code_version() -> str | None:
    """Return the commit of the working directory, with "+" when files differ from it; None outside of git."""
    with repository(".") as found:
        if found is None or found.head is None:
            return None
        return found.head + ("" if found.changes("--untracked-files=no") == "" else "+")


@functools.cache
def environment() -> str:
    """Return Python, platform and the packages that matter, as JSON; a process keeps those that it began with."""
    packages = {}
    for name in _PACKAGES:
        try:
            packages[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return json.dumps(
        {"python": sys.version.split()[0], "platform": platform.platform(), "packages": packages}, sort_keys=True
    )
