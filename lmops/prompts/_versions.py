"""Versions in the store: saved once, never changed, found by number, alias or hash."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lmops.errors import NotFoundError, did_you_mean
from lmops.prompts._records import PromptVersion
from lmops.prompts.content import body_hash, from_body
from lmops.records import Ref
from lmops.times import from_ns

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from lmops.prompts.content import Content
    from lmops.records import Change
    from lmops.store import Store


def record(row: sqlite3.Row) -> PromptVersion:
    """Return one row as its record."""
    content = from_body(row["body"])
    return PromptVersion(
        name=row["name"],
        version=row["version"],
        hash=row["hash"],
        messages=content.messages,
        template=content.template,
        model=content.model,
        params=content.params,
        response_schema=content.response_schema,
        tools=content.tools,
        note=row["note"],
        author=row["author"],
        tags=tuple(json.loads(row["tags"])),
        parent=row["parent"],
        commit=row["git_commit"],
        created_at=from_ns(row["created_ns"]),
    )


def insert(
    change: Change,
    name: str,
    content: Content,
    *,
    tags: tuple[str, ...],
    parent: int | None,
    commit: str | None,
) -> PromptVersion:
    """Save content as the next version, its note the reason of the change, or return the version that has it."""
    store, con, note = change.store, change.con, change.reason
    found = con.execute(
        "select version from prompt_versions where name = ? and hash = ?", (name, content.hash)
    ).fetchone()
    if found:
        return replace(load(store, con, name, found[0]), is_new=False)
    newest = newest_version(con, name)
    if parent is None:
        parent = newest or None
    elif not 1 <= parent <= newest:
        raise NotFoundError(f"parent={parent}: " + _no_version(name, str(parent), newest))
    version = newest + 1
    after = {"hash": content.hash, "parent": parent, "model": content.model, "note": note, "commit": commit}
    change.insert(
        "prompt_versions",
        {
            "name": name,
            "version": version,
            "hash": content.hash,
            "body": content.body,
            "note": note,
            "author": change.actor,
            "tags": json.dumps(tags),
            "parent": parent,
            "git_commit": commit,
            "created_ns": change.at_ns,
            "event_id": change.event_id,
        },
    )
    change.say("prompt.save", f"{name}@{version}", after=after)
    return replace(load(store, con, name, version), is_new=True)


def counts(con: sqlite3.Connection) -> tuple[int, int]:
    """Return how many prompts and how many versions there are."""
    names, versions = con.execute("select count(distinct name), count(*) from prompt_versions").fetchone()
    return names, versions


def names(con: sqlite3.Connection) -> list[str]:
    """Return the names of all prompts."""
    return [row[0] for row in con.execute("select distinct name from prompt_versions")]


def hashes(con: sqlite3.Connection, name: str) -> set[str]:
    """Return the hashes of all versions of a prompt."""
    return {row[0] for row in con.execute("select hash from prompt_versions where name = ?", (name,))}


def synced(con: sqlite3.Connection, folder: str) -> dict[str, str]:
    """Return the prompts that had a file in a folder after its last sync, with the hash that both said."""
    return dict(map(tuple, con.execute("select name, hash from prompt_files where folder = ?", (folder,))))


def newest_version(con: sqlite3.Connection, name: str) -> int:
    """Return the number of the newest version, 0 without any."""
    found = con.execute("select max(version) from prompt_versions where name = ?", (name,)).fetchone()[0]
    return int(found or 0)


def resolve(store: Store, con: sqlite3.Connection, ref: Ref) -> int:
    """Return the version number that a reference means now.

    Raises:
        NotFoundError: There is no such prompt, version or alias; the message names the nearest ones.
        DamagedStoreError: The alias is not where it was put, or the newest version is gone.
    """
    found: Sequence[int] | None
    if ref.alias is not None:
        row = store.record(con, "prompt_aliases", ref.name, ref.alias)
        found = None if row is None else (row["version"],)
    elif ref.hash_prefix is not None:
        return _by_hash(con, ref.name, ref.hash_prefix)
    else:
        version = newest_version(con, ref.name)
        store.record(con, "prompt_versions", ref.name, version + 1)  # never written, or gone
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
    known = names(con)
    if name not in known:
        raise NotFoundError.of("prompt", name, known, hint="ws.prompts.list() shows all")


def load(store: Store, con: sqlite3.Connection, name: str, version: int) -> PromptVersion:
    """Return one version that is known to exist.

    Raises:
        DamagedStoreError: It is not what was saved.
    """
    row = store.record(con, "prompt_versions", name, version)
    if row is None:
        raise NotFoundError(_no_version(name, str(version), newest_version(con, name)))
    return record(row)


def all_of(store: Store, con: sqlite3.Connection, name: str) -> list[PromptVersion]:
    """Return every version of a prompt, oldest first.

    Raises:
        NotFoundError: There is no such prompt.
        DamagedStoreError: One of them is not what was saved.
    """
    newest = resolve(store, con, Ref(name))
    return [load(store, con, name, version) for version in range(1, newest + 1)]


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
