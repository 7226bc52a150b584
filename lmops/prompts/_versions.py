"""Versions in the store: saved once, never changed, found by number, alias or hash."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from lmops.errors import NotFoundError, did_you_mean
from lmops.prompts._content import body_hash, from_body
from lmops.prompts._records import PromptVersion
from lmops.store import append_event, next_event_id
from lmops.times import from_ns

if TYPE_CHECKING:
    import sqlite3

    from lmops.prompts._content import Content
    from lmops.prompts._names import Ref


def record(row: sqlite3.Row, *, is_new: bool | None = None) -> PromptVersion:
    """Return one row as its record."""
    content = from_body(row["body"])
    return PromptVersion(
        name=row["name"], version=row["version"], hash=row["hash"], messages=content.messages,
        template=content.template, model=content.model, params=content.params,
        response_schema=content.response_schema, tools=content.tools, note=row["note"], author=row["author"],
        tags=tuple(json.loads(row["tags"])), parent=row["parent"], commit=row["git_commit"],
        created_at=from_ns(row["created_ns"]), is_new=is_new,
    )  # fmt: skip


def insert(
    con: sqlite3.Connection,
    name: str,
    content: Content,
    *,
    note: str | None,
    tags: tuple[str, ...],
    parent: int | None,
    commit: str | None,
    actor: str,
    at_ns: int,
) -> PromptVersion:
    """Save content as the next version, or return the version that has it already."""
    found = con.execute("select * from prompt_versions where name = ? and hash = ?", (name, content.hash)).fetchone()
    if found:
        return record(found, is_new=False)
    newest = newest_version(con, name)
    if parent is None:
        parent = newest or None
    elif not 1 <= parent <= newest:
        raise NotFoundError(f"parent={parent}: " + _no_version(name, str(parent), newest))
    version = newest + 1
    after = {"hash": content.hash, "parent": parent, "model": content.model, "note": note, "commit": commit}
    event_id = next_event_id(con)
    con.execute(
        "insert into prompt_versions (name, version, hash, body, note, author, tags, parent, git_commit, created_ns, "
        "event_id) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (name, version, content.hash, content.body, note, actor, json.dumps(tags), parent, commit, at_ns, event_id),
    )
    append_event(
        con, actor=actor, action="prompt.save", subject=f"{name}@{version}", reason=note, after=after, at_ns=at_ns,
        rows=[("prompt_versions", name, version)],
    )  # fmt: skip
    saved = con.execute("select * from prompt_versions where name = ? and version = ?", (name, version)).fetchone()
    return record(saved, is_new=True)


def newest_version(con: sqlite3.Connection, name: str) -> int:
    """Return the number of the newest version, 0 without any."""
    found = con.execute("select max(version) from prompt_versions where name = ?", (name,)).fetchone()[0]
    return int(found or 0)


def resolve(con: sqlite3.Connection, ref: Ref) -> int:
    """Return the version number that a reference means now.

    Raises:
        NotFoundError: There is no such prompt, version or alias; the message names the nearest ones.
    """
    if ref.alias is not None:
        found = con.execute(
            "select version from prompt_aliases where name = ? and alias = ?", (ref.name, ref.alias)
        ).fetchone()
    elif ref.hash_prefix is not None:
        return _by_hash(con, ref.name, ref.hash_prefix)
    else:
        version = newest_version(con, ref.name)
        found = (ref.version if ref.version is not None else version,)
        if not 1 <= found[0] <= version:
            found = None
    if not found:
        raise NotFoundError(_explain(con, ref))
    return int(found[0])


def _by_hash(con: sqlite3.Connection, name: str, prefix: str) -> int:
    found = con.execute(
        "select version from prompt_versions where name = ? and substr(hash, 1, ?) = ? order by version",
        (name, len(prefix), prefix),
    ).fetchall()
    if len(found) == 1:
        return int(found[0][0])
    _refuse_unknown(con, name)
    if found:
        listed = ", ".join(str(row[0]) for row in found)
        raise NotFoundError(f"{name}@{prefix} is the hash of more than one version ({listed}); give more digits")
    raise NotFoundError(f"no version of {name} has a hash that starts with {prefix}")


def _explain(con: sqlite3.Connection, ref: Ref) -> str:
    """Return what a reference that means nothing could have meant."""
    _refuse_unknown(con, ref.name)
    if ref.alias is not None:
        known = [row[0] for row in con.execute("select alias from prompt_aliases where name = ?", (ref.name,))]
        newest = newest_version(con, ref.name)
        hint = f"versions 1 to {newest}; ws.prompts.promote({ref.name!r}, {newest}, to={ref.alias!r}) makes it"
        return did_you_mean(f"alias of {ref.name}", ref.alias, known, hint=hint)
    return _no_version(ref.name, str(ref.version), newest_version(con, ref.name))


def _no_version(name: str, asked: str, newest: int) -> str:
    there = f"versions 1 to {newest}" if newest > 1 else "version 1 only"
    return (
        f"{name} has no version {asked}: there {'are' if newest > 1 else 'is'} {there} ({name}@{newest} is the newest)"
    )


def _refuse_unknown(con: sqlite3.Connection, name: str) -> None:
    known = [row[0] for row in con.execute("select distinct name from prompt_versions")]
    if name not in known:
        raise NotFoundError.of("prompt", name, known, hint="ws.prompts.list() shows all")


def load(con: sqlite3.Connection, name: str, version: int) -> PromptVersion:
    """Return one version that is known to exist."""
    return record(
        con.execute("select * from prompt_versions where name = ? and version = ?", (name, version)).fetchone()
    )


def all_of(con: sqlite3.Connection, name: str) -> list[PromptVersion]:
    """Return every version of a prompt, oldest first.

    Raises:
        NotFoundError: There is no such prompt.
    """
    rows = con.execute("select * from prompt_versions where name = ? order by version", (name,)).fetchall()
    if not rows:
        _refuse_unknown(con, name)
    return [record(row) for row in rows]


def overview(con: sqlite3.Connection) -> list[dict[str, Any]]:
    """Return one row a prompt: newest version, aliases, when and by whom it changed last."""
    rows = con.execute(
        "select v.name, v.version as newest, v.note, v.author, v.created_ns, v.body, "
        "(select json_group_object(a.alias, a.version) from prompt_aliases a where a.name = v.name) as aliases "
        "from prompt_versions v where v.version = (select max(version) from prompt_versions w where w.name = v.name) "
        "order by v.name"
    ).fetchall()
    return [dict(row) for row in rows]


def broken(con: sqlite3.Connection) -> list[str]:
    """Return the versions whose content is not what their hash says, or whose number or event is wrong."""
    problems: list[str] = []
    rows = con.execute(
        "select v.*, e.action, e.subject, e.after from prompt_versions v left join audit e using (event_id) "
        "order by v.name, v.version"
    )
    expected: dict[str, int] = {}
    for row in rows:
        ref = f"{row['name']}@{row['version']}"
        expected[row["name"]] = expected.get(row["name"], 0) + 1
        if row["version"] != expected[row["name"]]:
            problems.append(f"{row['name']}@{expected[row['name']]} is missing")
            expected[row["name"]] = row["version"]
        if body_hash(row["body"]) != row["hash"]:
            problems.append(f"{ref}: its content is not what was saved")
        elif from_body(row["body"]).hash != row["hash"]:
            problems.append(f"{ref}: its content is not in canonical form")
        after = json.loads(row["after"]) if row["after"] else {}
        if (row["action"], row["subject"], after.get("hash")) != ("prompt.save", ref, row["hash"]):
            problems.append(f"{ref}: the audit chain says something else was saved")
    return problems
