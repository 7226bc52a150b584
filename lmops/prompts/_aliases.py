"""Aliases in the store: where they point, every move that brought them there, and the way back.

A rollback is an undo. Each alias keeps the versions it came from; a promotion adds the one it leaves, a rollback takes
the latest one out again and goes there. So two rollbacks walk two versions back, and a version that was rolled back is
not returned to by the next rollback.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from lmops.errors import ConflictError, DamagedStoreError, NotFoundError, RefusedError
from lmops.text import plain_line
from lmops.times import from_ns

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from lmops.prompts._records import Move
    from lmops.records import Change
    from lmops.store import Store


#: how many rollbacks in a row there can be
_WAY_BACK: Final = 1000


def names(con: sqlite3.Connection, name: str) -> list[str]:
    """Return the aliases of a prompt, sorted."""
    return [row[0] for row in con.execute("select alias from prompt_aliases where name = ? order by alias", (name,))]


def pointer(con: sqlite3.Connection, name: str, alias: str) -> int | None:
    """Return the version an alias points to now, None when it does not exist."""
    row = con.execute("select version from prompt_aliases where name = ? and alias = ?", (name, alias)).fetchone()
    return None if row is None else int(row[0])


def way_back(store: Store, con: sqlite3.Connection, name: str, alias: str) -> list[int]:
    """Return the versions a rollback walks back through when an alias leaves where it is, the nearest last."""
    try:
        row = store.record(con, "prompt_aliases", name, alias)
    except DamagedStoreError:
        return []  # a promotion puts it right; what somebody changed is no way back
    return [] if row is None else [*json.loads(row["earlier"]), row["version"]]


def check_expected(con: sqlite3.Connection, name: str, alias: str, expected: int | None) -> None:
    """Refuse to move an alias that is not where the caller saw it.

    Raises:
        ConflictError: Somebody moved it meanwhile; the message says who, when and where to.
    """
    now = pointer(con, name, alias)
    if now == expected:
        return
    last = con.execute(
        "select * from prompt_moves where name = ? and alias = ? order by event_id desc limit 1", (name, alias)
    ).fetchone()
    seen = "not there yet" if expected is None else f"at {expected}"
    told = "it does not exist"
    if last is not None:
        told = (
            f"{plain_line(last['actor'], 60)} moved it from {last['from_version'] or 'nothing'} to "
            f"{last['to_version']} at {from_ns(last['at_ns']):%Y-%m-%d %H:%M:%S} UTC ({last['action']}, "
            f"reason: {plain_line(last['reason'], 120) or 'none given'})"
        )
    raise ConflictError(
        f"{name}@{alias} was {seen} when you decided and is {'not there' if now is None else f'at {now}'} now: {told}. "
        f"Nothing was changed; look at ws.prompts.history({name!r}) and call again"
    )


def move(
    change: Change,
    found: Move,
    *,
    earlier_versions: Sequence[int],
    details: dict[str, Any],
) -> Move:
    """Write one move: the pointer, the history and the audit event."""
    event_id = change.event_id
    change.replace(
        "prompt_aliases",
        {
            "name": found.name,
            "alias": found.alias,
            "version": found.to_version,
            "earlier": json.dumps(list(earlier_versions)[-_WAY_BACK:]),
            "event_id": event_id,
        },
    )
    change.insert(
        "prompt_moves",
        {
            "event_id": event_id,
            "name": found.name,
            "alias": found.alias,
            "action": found.action,
            "from_version": found.from_version,
            "to_version": found.to_version,
            "at_ns": change.at_ns,
            "actor": found.actor,
            "reason": found.reason,
            "evidence": json.dumps(found.evidence) if found.evidence else None,
            "is_forced": found.is_forced,
        },
    )
    change.say(
        f"prompt.{found.action}",
        f"{found.name}@{found.alias}",
        before=None if found.from_version is None else {"version": found.from_version},
        after={"version": found.to_version, **details},
    )
    return replace(found, event_id=event_id)


def previous(store: Store, con: sqlite3.Connection, name: str, alias: str) -> tuple[int, list[int]]:
    """Return the version a rollback goes to, and those that are before it then.

    Raises:
        NotFoundError: The alias does not exist.
        RefusedError: There is no earlier version.
        DamagedStoreError: The alias is not what was written.
    """
    row = store.record(con, "prompt_aliases", name, alias)
    if row is None:
        known = names(con, name)
        raise NotFoundError.of(f"alias of {name}", alias, known, hint="there is nothing to roll back")
    before: list[int] = json.loads(row["earlier"])
    if not before:
        raise RefusedError(
            f"{name}@{alias} is at {row['version']} and no version was there before it: nothing to roll back to; "
            f"ws.prompts.promote({name!r}, VERSION, to={alias!r}) goes to any version"
        )
    return before[-1], before[:-1]


def moves(con: sqlite3.Connection, name: str, alias: str | None = None) -> list[dict[str, Any]]:
    """Return every move of the aliases of a prompt, oldest first."""
    rows = con.execute(
        "select * from prompt_moves where name = ? and (? is null or alias = ?) order by event_id", (name, alias, alias)
    )
    return [dict(row) for row in rows]


def pointed_at(con: sqlite3.Connection, name: str, alias: str, at_ns: int) -> int:
    """Return the version an alias pointed to at a time.

    Raises:
        NotFoundError: The alias did not exist then; the message says since when it does.
    """
    row = con.execute(
        "select to_version from prompt_moves where name = ? and alias = ? and at_ns <= ? "
        "order by event_id desc limit 1",
        (name, alias, at_ns),
    ).fetchone()
    if row is not None:
        return int(row[0])
    first = con.execute(
        "select min(at_ns), min(event_id), to_version from prompt_moves where name = ? and alias = ?", (name, alias)
    ).fetchone()
    asked = f"{name}@{alias} did not exist at {from_ns(at_ns):%Y-%m-%d %H:%M:%S} UTC"
    if first[0] is None:
        known = names(con, name)
        raise NotFoundError.of(f"alias of {name}", alias, known)
    raise NotFoundError(
        f"{asked}: it exists since {from_ns(first[0]):%Y-%m-%d %H:%M:%S} UTC, when it became {first[2]}"
    )


def broken(con: sqlite3.Connection) -> list[str]:
    """Return the moves and pointers that are not what the audit chain and each other say."""
    problems: list[str] = []
    at: dict[tuple[str, str], int] = {}
    rows = con.execute(
        "select m.*, e.action as told, e.subject, e.actor as by, e.at_ns as told_ns, e.after from prompt_moves m "
        "left join audit e using (event_id) order by event_id"
    )
    for row in rows:
        alias = f"{row['name']}@{row['alias']}"
        after = json.loads(row["after"]) if row["after"] else {}
        said = (row["told"], row["subject"], row["by"], row["told_ns"], after.get("version"))
        if said != (f"prompt.{row['action']}", alias, row["actor"], row["at_ns"], row["to_version"]):
            problems.append(f"{alias}: the audit chain tells another move as event {row['event_id']}")
        if row["from_version"] != at.get((row["name"], row["alias"])):
            problems.append(f"{alias}: the move of event {row['event_id']} does not start where the one before ended")
        at[row["name"], row["alias"]] = row["to_version"]
    now = {(row[0], row[1]): row[2] for row in con.execute("select name, alias, version from prompt_aliases")}
    for name, alias in sorted(at.keys() | now.keys()):
        if at.get((name, alias)) != now.get((name, alias)):
            where, last = now.get((name, alias), "nothing"), at.get((name, alias), "nothing")
            problems.append(f"{name}@{alias} points to {where} and its last move led to {last}")
    return problems


# -- protection --------------------------------------------------------------------------------------------------------


def is_protected(store: Store, con: sqlite3.Connection, name: str, alias: str) -> bool:
    """Return whether promotions to an alias need evidence.

    Raises:
        DamagedStoreError: The protection was changed or taken away past the audit chain.
    """
    return store.record(con, "prompt_protections", name, alias) is not None


def set_protection(change: Change, name: str, alias: str, *, on: bool) -> bool:
    """Protect an alias or stop to; return whether that changed anything."""
    was = is_protected(change.store, change.con, name, alias)
    if was == on:
        return False
    if on:
        change.insert("prompt_protections", {"name": name, "alias": alias, "event_id": change.event_id})
    else:
        change.delete("prompt_protections", name, alias)
    action = "prompt.protect" if on else "prompt.unprotect"
    change.say(action, f"{name}@{alias}", before={"protected": was}, after={"protected": on})
    return True
