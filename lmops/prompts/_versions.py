"""What a version of a prompt is in the store, for the mechanism of versions."""

from __future__ import annotations

import copy
import dataclasses
import json
from typing import TYPE_CHECKING, Any, Final

from lmops.prompts._names import check_name
from lmops.prompts._records import PromptVersion
from lmops.prompts.content import from_body
from lmops.records import Kind, Tables, text_hash, told

if TYPE_CHECKING:
    import sqlite3

    from lmops.prompts.content import Content
    from lmops.records import Change, Row, Versions
    from lmops.store import Store


def _read(_store: Store, _con: sqlite3.Connection, row: Row) -> PromptVersion:
    content = from_body(row["body"])
    return PromptVersion(
        **told(row),
        messages=content.messages,
        template=content.template,
        model=content.model,
        params=content.params,
        response_schema=content.response_schema,
        tools=content.tools,
        tags=_tags(row),
        commit=row["git_commit"],
    )


def _said(row: Row) -> dict[str, Any]:
    names = {"hash": "hash", "parent": "parent", "note": "note", "commit": "git_commit"}
    return {said: row[name] for said, name in names.items()} | {"model": _model(row)}


def _model(row: Row) -> str | None:
    return from_body(row["body"]).model


def _tags(row: Row) -> tuple[str, ...]:
    return tuple(json.loads(row["tags"]))


def _copied(found: PromptVersion) -> PromptVersion:
    """Return a copy whose dicts and lists may be changed without changing what others get."""
    return dataclasses.replace(
        found,
        messages=tuple(dict(message) for message in found.messages),
        params=copy.deepcopy(found.params) if found.params else {},
        response_schema=copy.deepcopy(found.response_schema),
        tools=copy.deepcopy(found.tools),
    )


def _problem(row: Row) -> str | None:
    if text_hash(row["body"]) != row["hash"]:
        return "its content is not what was saved"
    return None if from_body(row["body"]).hash == row["hash"] else "its content is not in canonical form"


KIND: Final = Kind(
    name="prompt",
    noun="prompts",
    table="prompt_versions",
    read=_read,
    said=_said,
    own={"model": _model, "tags": lambda row: ", ".join(_tags(row)), "commit": lambda row: row["git_commit"]},
    check_name=check_name,
    aliases=Tables("prompt_aliases", "prompt_moves", "prompt_protections", are_shared=False),
    evidence="prompt_ref",
    copied=_copied,
    problem=_problem,
)


def insert(
    versions: Versions[PromptVersion],
    change: Change,
    name: str,
    content: Content,
    *,
    tags: tuple[str, ...],
    parent: int | None,
    commit: str | None,
) -> PromptVersion:
    """Save content as the next version, its note the reason of the change, or return the version that has it."""
    body = content.body

    def row() -> dict[str, Any]:
        return {"body": body, "tags": json.dumps(tags), "git_commit": commit, "event_id": change.event_id}

    saved, is_new = versions.save(change, name, text_hash(body), row, parent=parent)
    return dataclasses.replace(_read(change.store, change.con, saved), is_new=is_new)
