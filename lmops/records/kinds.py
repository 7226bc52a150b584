"""What a room says of its versioned things; everything else about versions is done in ``records``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from lmops.base.shown import Shown
from lmops.records.aliases import SHARED, Tables
from lmops.records.refs import LATEST, check_word
from lmops.times import from_ns

if TYPE_CHECKING:
    import sqlite3
    from datetime import datetime

    from lmops.records.evidence import Proof
    from lmops.store import Store

Row = Mapping[str, Any]
#: The columns that every table of versions has, beside those of its room.
COMMON: Final = ("name", "version", "hash", "parent", "note", "author", "created_ns")


@dataclass(frozen=True, slots=True, kw_only=True)
class Version(Shown):
    """One version of a thing, never changed; a room extends it by what its things are made of.

    Args:
        name: Of the thing.
        version: 1, 2, 3, ...
        hash: Of its content.
        parent: The version it was made from.
        note: Why it is there.
        author: Who saved it.
        created_at: When, UTC.
    """

    name: str
    version: int
    hash: str = field(repr=False)
    parent: int | None = None
    note: str | None = None
    author: str
    created_at: datetime

    @property
    def ref(self) -> str:
        """The name that always means this version, such as ``support-answer@7``."""
        return f"{self.name}@{self.version}"


def told(row: Row) -> dict[str, Any]:
    """Return what a row tells of any version, as the arguments of its record; the room adds the content."""
    return {name: row[name] for name in COMMON if name != "created_ns"} | {"created_at": from_ns(row["created_ns"])}


T = TypeVar("T", bound=Version)


def _plain_name(name: object) -> str:
    return check_word(name, "this")


def _hash(row: Row) -> dict[str, Any]:
    return {"hash": row["hash"]}


@dataclass(frozen=True, kw_only=True, eq=False)
class Kind(Generic[T]):
    """What a room says of its versioned things.

    Args:
        name: What one is called, such as "prompt"; its events are "prompt.save", "prompt.promote", ...
        noun: Where a workspace has them, such as "prompts", for messages.
        table: Its versions, with the columns of ``COMMON`` and those of the room, the key name and version.
        read: Makes a version of its row, in the transaction that read it.
        said: What the audit chain says of a version, of its row; its hash by default.
        own: What listings show beside what all have: column -> its value, of a row.
        check_name: Returns a name that can be one, or raises UsageError.
        latest: The words for what a name alone means.
        heads: A table (name, version, moved_ns) of what a name alone means, where that is the version that was saved
            last, new or not; without one it is the newest.
        aliases: Where its aliases are.
        evidence: The column of a verdict, or of the run that it is about, that names a version of this kind.
        proof: Evidence of the room's own.
        copied: Hands out what is kept in memory; without it every ``get`` reads the store.
        problem: What is wrong with a row by itself, None for nothing.
    """

    name: str
    noun: str
    table: str
    read: Callable[[Store, sqlite3.Connection, Row], T]
    said: Callable[[Row], dict[str, Any]] = _hash
    own: Mapping[str, Callable[[Row], Any]] = field(default_factory=dict)
    check_name: Callable[[object], str] = _plain_name
    latest: tuple[str, ...] = (LATEST,)
    heads: str | None = None
    aliases: Tables = SHARED
    evidence: str | None = None
    proof: Proof | None = None
    copied: Callable[[T], T] | None = None
    problem: Callable[[Row], str | None] = lambda _row: None
