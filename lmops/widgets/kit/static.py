"""What a widget leaves behind where no kernel answers: tables that read in exported and untrusted notebooks."""

from __future__ import annotations

import os
from typing import Final

#: rows of a table that is archived
MAX_ROWS: Final = 50


def is_static() -> bool:
    """Return whether this process writes a notebook that is read later, without a kernel (``LMOPS_STATIC=1``)."""
    return os.environ.get("LMOPS_STATIC", "") not in ("", "0")


def is_for_visitors() -> bool:
    """Return whether this kernel serves a page to visitors, as Voila does: they read, and change nothing."""
    return os.environ.get("SERVER_SOFTWARE", "").lower().startswith("voila")
