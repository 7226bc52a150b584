"""What a version of a tool is in the store, and whether what somebody has can be one."""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any, Final

from lmops.errors import DamagedStoreError, UsageError
from lmops.records import Kind, content_text, text_hash, told
from lmops.text import plain_line
from lmops.tools.contract import ToolVersion
from lmops.tools.validating import check_schema

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Mapping

    from lmops.records import Row
    from lmops.store import Store

#: What every provider takes as the name of a tool.
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
SOURCES: Final = ("python", "mcp", "openapi", "agent")
#: What the content of a version says; files have the same keys.
SAID: Final = (
    "description",
    "parameters",
    "returns",
    "is_idempotent",
    "is_read_only",
    "timeout_s",
    "source",
    "origin",
)
#: A model reads arguments, and writes them, in the order in which it is told of them.
ORDERED: Final = ("properties",)
MAX_TIMEOUT_S: Final = 3600.0
_MAX_DESCRIPTION: Final = 20_000
_MAX_BODY: Final = 1_000_000


def check_name(name: object) -> str:
    """Return a name that a tool can have with every provider.

    Raises:
        UsageError: It cannot be one.
    """
    if isinstance(name, str) and _NAME.fullmatch(name) and name.isascii():
        return name
    raise UsageError(
        f"{plain_line(repr(name), 100)} cannot be the name of a tool: use 1 to 64 of a-z, A-Z, 0-9, '_' and '-', "
        "such as 'booking_status'"
    )


def refuse_lookalike(name: str, known: Iterable[str]) -> None:
    """Refuse a name that differs from another by its capitals alone: a policy on one would not hold the other.

    Raises:
        UsageError: There is such a tool.
    """
    folded = name.casefold()
    for one in known:
        if one != name and one.casefold() == folded:
            raise UsageError(f"{name!r} differs from the tool {one!r} by capitals alone: give it another name")


def refuse_lookalikes(names: Iterable[str], known: Iterable[str]) -> None:
    """Refuse names that differ from each other, or from known ones, by their capitals alone.

    Raises:
        UsageError: Two do.
    """
    all_of = {*known}
    for name in names:
        refuse_lookalike(name, all_of)
        all_of.add(name)


def body_of(
    name: str,
    *,
    description: object,
    parameters: object,
    returns: object = None,
    is_idempotent: object = False,
    is_read_only: object = False,
    timeout_s: object = 30.0,
    source: object = "python",
    origin: Mapping[str, Any] | None = None,
    is_made: bool = False,
) -> dict[str, Any]:
    """Return the content of a tool, each part checked; a schema that was made here is one (``is_made``).

    Raises:
        UsageError: A part cannot be used.
    """
    if not isinstance(description, str) or len(description) > _MAX_DESCRIPTION:
        raise UsageError(f"tool {name!r}: give a description of at most {_MAX_DESCRIPTION:,} characters")
    for what, said in (("is_idempotent", is_idempotent), ("is_read_only", is_read_only)):
        if not isinstance(said, bool):
            raise UsageError(f"tool {name!r}: {what}={plain_line(repr(said), 40)}: give True or False")
    if source not in SOURCES:
        raise UsageError(f"tool {name!r}: source={plain_line(repr(source), 40)}: give one of {', '.join(SOURCES)}")
    if returns is not None and not isinstance(returns, dict):
        raise UsageError(f"tool {name!r}: the schema of its result is a mapping, not a {type(returns).__name__}")
    body = {
        "description": description.strip(),
        "parameters": parameters if is_made else check_schema(parameters, f"tool {name!r}"),
        "returns": returns,
        "is_idempotent": is_idempotent,
        "is_read_only": is_read_only,
        "timeout_s": seconds(timeout_s, f"tool {name!r}: timeout_s"),
        "source": source,
        "origin": dict(origin or {}),
    }
    if len(content_text("tool", body)) > _MAX_BODY:
        raise UsageError(f"tool {name!r}: its schema is longer than {_MAX_BODY:,} characters")
    return body


def seconds(given: object, what: str) -> float:
    """Return a time to wait.

    Raises:
        UsageError: It is none.
    """
    if isinstance(given, bool) or not isinstance(given, int | float) or not 0 < given <= MAX_TIMEOUT_S:
        raise UsageError(f"{what}={plain_line(repr(given), 40)}: give seconds above 0, at most {MAX_TIMEOUT_S:,.0f}")
    assert math.isfinite(given)
    return float(given)


def content_of(version: ToolVersion) -> dict[str, Any]:
    """Return the content of a version, as it is kept."""
    return {part: getattr(version, part) for part in SAID}


def filed(version: ToolVersion) -> dict[str, Any]:
    """Return the content of a version as a file says it: what is as it is by default is left out."""
    usual: dict[str, Any] = {
        "returns": None,
        "is_idempotent": False,
        "is_read_only": False,
        "source": "python",
        "origin": {},
    }
    return {part: one for part, one in content_of(version).items() if part not in usual or one != usual[part]}


def _read(_store: Store, _con: sqlite3.Connection, row: Row) -> ToolVersion:
    try:
        return ToolVersion(**told(row), **json.loads(row["body"]))
    except (ValueError, TypeError) as error:
        raise DamagedStoreError(f"{row['name']}@{row['version']}: it is no tool") from error


def _problem(row: Row) -> str | None:
    return None if text_hash(row["body"]) == row["hash"] else "its content is not what was saved"


def _part(name: str) -> Any:
    return lambda row: json.loads(row["body"])[name]


KIND: Final = Kind(
    name="tool",
    noun="tools",
    table="tool_versions",
    read=_read,
    own={
        "description": lambda row: plain_line(_part("description")(row), 200),
        "arguments": lambda row: ", ".join(_part("parameters")(row).get("properties", {})),
        "is_read_only": _part("is_read_only"),
        "source": _part("source"),
    },
    check_name=check_name,
    problem=_problem,
)
