"""``lmops.open``: the store of a project, found or made, as a workspace."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lmops.store import Store
from lmops.traces import join_logs, reprice_rows
from lmops.workspace import Workspace

if TYPE_CHECKING:
    import os


def open(  # lmops.open reads as what it does
    path: str | os.PathLike[str] | None = None,
    *,
    read_only: bool = False,
    actor: str | None = None,
    timeout_s: float | None = None,
    memory_limit: str | None = None,
) -> Workspace:
    """Open the store of this project and return its workspace.

    Args:
        path: The store's folder, or a project's folder that has a ``.lmops``; ``":memory:"`` for one that vanishes.
            None: ``LMOPS_STORE``, else the nearest ``.lmops`` upward (as git finds ``.git``), else a new one here.
        read_only: Refuse every write; nothing is created.
        actor: Who acts, for the audit chain; ``LMOPS_ACTOR`` or the system's user by default.
        timeout_s: Longest time of a question in seconds; ``LMOPS_TIMEOUT_S`` or none by default.
        memory_limit: Memory that questions of this process may take, such as "2GB"; ``LMOPS_MEMORY_LIMIT`` or a
            quarter of the machine's (or its container's) by default. What does not fit goes to the disk.

    Raises:
        StoreError: There is no store to open read-only, or it cannot be read.
        UsageError: The path is a file or an address, or a limit is none.

    Example:
        >>> import lmops
        >>> ws = lmops.open(":memory:")
        >>> ws.sql("select count(*) from traces").fetchall()
        [(0,)]
    """
    store = Store.open(
        path,
        read_only=read_only,
        join_logs=join_logs,
        reprice=reprice_rows,
        timeout_s=timeout_s,
        memory_limit=memory_limit,
    )
    return Workspace(store, actor=actor)
