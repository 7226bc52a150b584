"""The store: SQLite keeps it safe, Parquet keeps it small, DuckDB makes it fast.

    .lmops/
      meta.sqlite    records, the audit chain, the inbox of facts, the manifest of segments
      segments/      immutable Parquet; a file that is not in the manifest does not exist
      blobs/         payloads too large for a row, under the hash of their content
      bundles/       folders of files that a record names, such as an index
      spill/         what does not fit into memory, of each process in a folder of its own
      drain.lock     one drainer or compactor at a time

What it promises: an acknowledged write is visible to every process at once and is there exactly once; a reader sees
one consistent snapshot; a killed process loses nothing that was acknowledged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lmops.base.public import later, only

if TYPE_CHECKING:
    from lmops.store._alive import Process, is_alive, this_process
    from lmops.store._backup import BackupReport, at_home, described, restore
    from lmops.store._bundles import bundle_problems
    from lmops.store._chain import (
        EVENT_COLUMNS,
        GENESIS,
        append_event,
        chain_end,
        default_actor,
        event_hash,
        run_changes,
    )
    from lmops.store._check import CheckReport
    from lmops.store._drain import LoadReport
    from lmops.store._duck import in_memory
    from lmops.store._erase import EraseReport
    from lmops.store._filesystem import find_store, has_store
    from lmops.store._hashes import key_text, row_hash, rows_of
    from lmops.store._intent import PendingChange
    from lmops.store._long import LONG_COLUMNS
    from lmops.store._named import PERSONS
    from lmops.store._planner import Bounds
    from lmops.store._priced import PRICES_KNOWN
    from lmops.store._rebuild import rescue
    from lmops.store._rescue import RescueReport
    from lmops.store._results import case_seal
    from lmops.store._seals import Coverage, Named, compare, leave_open, lost_cases, note, unsealed
    from lmops.store._segments import any_text, file_sha256
    from lmops.store._stats import StoreStats
    from lmops.store._store import Store
    from lmops.store._tables import SPAN_COLUMNS
    from lmops.store._turn import BusyError
    from lmops.store._verify import DamagedSegmentWarning
    from lmops.store._views import FACT_VIEWS, view_names
    from lmops.store._whole import is_cut_sql, whole_sql

__all__ = [
    "EVENT_COLUMNS", "FACT_VIEWS", "GENESIS", "LONG_COLUMNS", "PERSONS", "PRICES_KNOWN", "SPAN_COLUMNS", "BackupReport",
    "Bounds", "BusyError", "CheckReport", "Coverage", "DamagedSegmentWarning", "EraseReport", "LoadReport", "Named",
    "PendingChange", "Process", "RescueReport", "Store", "StoreStats", "any_text", "append_event", "at_home",
    "bundle_problems", "case_seal", "chain_end", "compare", "default_actor", "described", "event_hash", "file_sha256",
    "find_store", "has_store", "in_memory", "is_alive", "is_cut_sql", "key_text", "leave_open", "lost_cases", "note",
    "rescue", "restore", "row_hash", "rows_of", "run_changes", "this_process", "unsealed", "view_names", "whole_sql",
]  # fmt: skip  # many words: packed, they are read at a glance
__dir__ = only(__all__)
#: Half of what opens, backs up and rescues a store is not needed to say what a table is. The imports above say the same
#: to a type checker, which follows no table; a test holds both equal.
_load = later(
    __name__,
    {
        "lmops.store._alive": ("Process", "is_alive", "this_process"),
        "lmops.store._backup": ("BackupReport", "at_home", "described", "restore"),
        "lmops.store._bundles": ("bundle_problems",),
        "lmops.store._chain": (
            "EVENT_COLUMNS",
            "GENESIS",
            "append_event",
            "chain_end",
            "default_actor",
            "event_hash",
            "run_changes",
        ),
        "lmops.store._check": ("CheckReport",),
        "lmops.store._drain": ("LoadReport",),
        "lmops.store._duck": ("in_memory",),
        "lmops.store._erase": ("EraseReport",),
        "lmops.store._filesystem": ("find_store", "has_store"),
        "lmops.store._hashes": ("key_text", "row_hash", "rows_of"),
        "lmops.store._intent": ("PendingChange",),
        "lmops.store._long": ("LONG_COLUMNS",),
        "lmops.store._turn": ("BusyError",),
        "lmops.store._named": ("PERSONS",),
        "lmops.store._planner": ("Bounds",),
        "lmops.store._priced": ("PRICES_KNOWN",),
        "lmops.store._rebuild": ("rescue",),
        "lmops.store._rescue": ("RescueReport",),
        "lmops.store._results": ("case_seal",),
        "lmops.store._seals": ("Coverage", "Named", "compare", "leave_open", "lost_cases", "note", "unsealed"),
        "lmops.store._segments": ("any_text", "file_sha256"),
        "lmops.store._stats": ("StoreStats",),
        "lmops.store._store": ("Store",),
        "lmops.store._tables": ("SPAN_COLUMNS",),
        "lmops.store._verify": ("DamagedSegmentWarning",),
        "lmops.store._views": ("FACT_VIEWS", "view_names"),
        "lmops.store._whole": ("is_cut_sql", "whole_sql"),
    },
)


def __getattr__(name: str) -> Any:
    """Load a name when it is first used; the names of the views are had as a constant too, looked for when asked."""
    return _load("view_names")() if name == "VIEW_NAMES" else _load(name)
