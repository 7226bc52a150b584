"""The tables of prompts: versions, aliases with every move of them, protections; and the views over them."""

from __future__ import annotations

from typing import Final

from lmops.records import moves_view
from lmops.store.schema import TIME, Room, Table, View

TABLES: Final = (
    Table("prompt_versions", ("name", "version")),
    Table("prompt_aliases", ("name", "alias")),
    Table("prompt_moves", ("event_id",)),
    Table("prompt_protections", ("name", "alias")),
    Table(
        "prompt_files",
        ("folder", "name"),
        held_by="nothing: it is what the last sync saw; a wrong one makes the next ask",
    ),
)
VIEWS: Final = (
    View(
        "prompts",
        (
            ("name", "VARCHAR", "unique"),
            ("versions", "BIGINT", "how many; the newest one"),
            ("aliases", "VARCHAR", "JSON object: alias to version"),
            ("created_at", TIME, "first version"),
            ("changed_at", TIME, "newest version"),
        ),
        "select v.name, max(v.version) as versions, (select json_group_object(a.alias, a.version) from prompt_aliases "
        "a where a.name = v.name) as aliases, min(v.created_ns) as created_ns, max(v.created_ns) as changed_ns "
        "from prompt_versions v group by v.name order by v.name",
        (
            "prompt_versions",
            "prompt_aliases",
        ),
    ),
    View(
        "prompt_versions",
        (
            ("name", "VARCHAR", "prompt"),
            ("version", "BIGINT", "1, 2, 3, ..."),
            ("ref", "VARCHAR", "name@version, as in prompt_refs of traces"),
            ("hash", "VARCHAR", "of its content"),
            ("messages", "VARCHAR", "JSON list of template messages"),
            ("model", "VARCHAR", "the model it is written for"),
            ("params", "VARCHAR", "JSON object"),
            ("response_schema", "VARCHAR", "JSON schema"),
            ("tools", "VARCHAR", "JSON list"),
            ("note", "VARCHAR", "why"),
            ("author", "VARCHAR", "who"),
            ("tags", "VARCHAR", "JSON list"),
            ("parent", "BIGINT", "the version it was made from"),
            ("git_commit", "VARCHAR", "of the file it came from"),
            ("created_at", TIME, "when"),
            ("event_id", "BIGINT", "in the audit chain"),
        ),
        "select name, version, name || '@' || version as ref, hash, case when json_extract(body, '$.template') is null "
        "then json_extract(body, '$.messages') else json_array(json_object('role', 'user', 'content', "
        "json_extract(body, '$.template'))) end as messages, json_extract(body, '$.model') as model, "
        "json_extract(body, '$.params') as params, json_extract(body, '$.response_schema') as response_schema, "
        "json_extract(body, '$.tools') as tools, note, author, tags, parent, git_commit, created_ns, event_id "
        "from prompt_versions order by name, version",
        ("prompt_versions",),
    ),
    moves_view(
        "prompt_history", "prompt_moves", ("name", "VARCHAR", "prompt"), ("alias", "VARCHAR", "such as production")
    ),
)
ROOM: Final = Room(TABLES, VIEWS)
