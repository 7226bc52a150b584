"""The store's own tables: facts on their way, the manifest of files, the audit chain."""

from __future__ import annotations

from typing import Final

from lmops.store.schema import TIME, Room, Table, View

TABLES: Final = (
    Table("audit", ("event_id",), held_by="the hashes of the chain"),
    Table("audit_head", ("one",), held_by="the chain that ends there"),
    Table("counters", ("name",), held_by="the files: they are counted"),
    Table("dead_rows", ("tbl", "trace_id", "span_id"), held_by="a checksum in each row"),
    Table("inbox", ("seq",), held_by="a checksum in each row"),
    Table("info", ("key",), held_by="the files: they say whose they are"),
    Table("pending_changes", ("change_id",), held_by="nothing: it is work that goes on, gone when it is done"),
    Table("retired", ("path",), held_by="nothing: it is files that wait to be removed"),
    Table("segments", ("segment_id",), held_by="a checksum in each row"),
    Table("unsealed", ("tbl", "key"), held_by="nothing: it is what no event names yet"),
)
VIEWS: Final = (
    View(
        "audit",
        (
            ("event_id", "BIGINT", "1, 2, 3, ... without gaps"),
            ("at", TIME, "when it happened"),
            ("actor", "VARCHAR", "who acted"),
            ("action", "VARCHAR", "what was done, such as price.set"),
            ("subject", "VARCHAR", "what it was done to"),
            ("reason", "VARCHAR", "why"),
            ("before", "VARCHAR", "JSON, as it was before"),
            ("after", "VARCHAR", "JSON, as it is since"),
            ("evidence", "VARCHAR", "JSON list of ids"),
            ("previous_hash", "VARCHAR", "hash of the event before"),
            ("hash", "VARCHAR", "SHA-256 over this event and the hash before"),
            ("records", "VARCHAR", "JSON object, table -> key -> SHA-256 of the rows that it left; null: removed"),
        ),
        "select event_id, at_ns, actor, action, subject, reason, before, after, evidence, previous_hash, hash, records "
        "from audit order by event_id",
        ("audit",),
    ),
)
ROOM: Final = Room(TABLES, VIEWS)
