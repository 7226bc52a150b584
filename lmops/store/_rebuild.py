"""A store that cannot be opened, built again: :func:`rescue` with the way its result is opened."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lmops.store._filesystem import resolve
from lmops.store._rescue import rebuilt
from lmops.store._store import Store

if TYPE_CHECKING:
    import os

    from lmops.store._rescue import RescueReport


def rescue(
    path: str | os.PathLike[str] | None = None,
    *,
    records: str | os.PathLike[str] | None = None,
    actor: str | None = None,
) -> RescueReport:
    """Build the database of a store again that cannot be opened: facts from its segments, records from a copy.

    Args:
        path: The store, as :meth:`Store.open` takes it.
        records: A backup (a folder, or its ``meta.sqlite``) or an export (a folder, or ``NAME.duckdb``) to take the
            records from; by default the newest of the present database, of those that were set aside, and of backups
            and exports in the folders beside the store.
        actor: Who does it, for the audit chain.

    Raises:
        NotFoundError: There is no store, or no database at ``records``.
        UsageError: The store can be opened; ``check`` is for that.
        StoreError: Somebody is writing to the store.
    """
    return rebuilt(resolve(path), records=records, actor=actor, opened=Store.open)
