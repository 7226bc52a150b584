"""Calls that wait for somebody's yes. A yes is bound to one call as it was shown, and counts once.

The call is marked as made before it is made, in the transaction that finds the yes: two who ask for it at once, or a
process that is killed in between, never make it twice.
"""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lmops.errors import ConflictError, NotFoundError, StoreError, UsageError
from lmops.records import States, check_words, text_hash
from lmops.text import plain_line
from lmops.times import from_ns
from lmops.tools.contract import Decision
from lmops.tools.policies._records import Ask
from lmops.tools.policies.provenance import origins, sources_of

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

    from lmops.records import Change, Project
    from lmops.store import Store
    from lmops.tools.contract import CallContext, ToolVersion
    from lmops.tools.policies.rules import ToolPolicy

    Row = Mapping[str, Any]

STATES: Final = States(
    thing="ask",
    table="tool_asks",
    steps={"waiting": ("approved", "denied"), "approved": ("made", "denied"), "denied": (), "made": ()},
)
EVERY_S: Final = 0.1
#: Between the policies that a yes is one under: the one that asks first.
POLICIES: Final = ", "
#: Arguments that are longer cannot be shown, so nobody can say yes to them.
_LONGEST: Final = 100_000
_STRETCHES: Final = 8
_STRETCH: Final = 200
_SAME: Final = "select * from tool_asks where digest = ? and (status = 'approved' or run_id = ?) order by ask desc"
_LISTED: Final = "select * from tool_asks order by ask desc limit ?"


class Asked(NamedTuple):
    """A call that needs somebody's yes.

    Args:
        tool: Which tool.
        arguments: With what.
        context: What is known beside.
        decision: Of the policy.
    """

    tool: ToolVersion
    arguments: Mapping[str, Any]
    context: CallContext
    decision: Decision

    @property
    def text(self) -> str:
        """The arguments as they are kept and shown: JSON, in the order in which they were said."""
        return json.dumps(self.arguments, ensure_ascii=False, allow_nan=False)

    @property
    def digest(self) -> str:
        """What a yes is bound to."""
        return digest_of(self.tool.name, self.tool.version, self.arguments)


def digest_of(tool: str, version: int, arguments: Mapping[str, Any]) -> str:
    """Return the hash that stands for one call: of the tool, its version and its arguments, in whatever order."""
    text = json.dumps(arguments, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return text_hash(json.dumps([tool, version, text]))


async def answered(project: Project, policy: ToolPolicy, asked: Asked) -> Decision:
    """Return what somebody says of a call: allow, once; deny; or ask, with the number under which it waits.

    Args:
        project: Where it waits.
        policy: That asks; it says how long the call waits here.
        asked: The call.
    """
    why = _refused(asked)
    if why is not None:
        return _said(asked, "deny", why)
    try:
        number, found = _opened(project, policy, asked)
        end = time.monotonic() + policy.ask_timeout_s
        while found is None and time.monotonic() < end:
            await asyncio.sleep(EVERY_S)
            with project.reading() as con:
                row = project.store.record(con, "tool_asks", number)
            if row is None or row["status"] != "waiting":
                _, found = _opened(project, policy, asked)
    except StoreError as error:
        return _said(asked, "deny", f"nobody can be asked: {plain_line(str(error), 300)}")
    words = f"number {number}, {asked.decision.reason}"
    return found or _said(asked, "ask", words, str(number))


def _refused(asked: Asked) -> str | None:
    """Return why nobody can be asked about a call."""
    try:
        text = asked.text
        text.encode()
    except (TypeError, ValueError, RecursionError):
        return "nobody can be asked: its arguments are no JSON"
    return f"nobody can be asked: its arguments have {len(text):,} characters" if len(text) > _LONGEST else None


def _said(asked: Asked, action: Any, reason: str, number: str | None = None) -> Decision:
    return Decision(action=action, rule=asked.decision.rule, reason=reason, policy=asked.decision.policy, asked=number)


def _opened(project: Project, policy: ToolPolicy, asked: Asked) -> tuple[int, Decision | None]:
    """Return the number of the ask and what was said already: a yes is used up, or a new ask is written."""
    with project.change(reason=asked.decision.reason or None) as change:
        rows = [dict(row) for row in change.con.execute(_SAME, (asked.digest, asked.context.run_id)).fetchall()]
        live = [row for row in rows if row["expires_ns"] > change.at_ns or row["status"] == "denied"]
        own = [row for row in live if row["run_id"] == asked.context.run_id]
        for row in (*own, *live):
            if row["status"] == "approved":
                STATES.move(change, row["ask"], to="made", action="make", seen="approved")
                words = f"{plain_line(row['actor'], 60)} said yes to it (number {row['ask']})"
                return row["ask"], _said(asked, "allow", words, str(row["ask"]))
        for row in own:
            if row["status"] == "waiting":
                return row["ask"], None
            if row["status"] == "denied":
                words = f"{plain_line(row['actor'], 60)} said no: {plain_line(row['reason'] or 'no reason', 300)}"
                return row["ask"], _said(asked, "deny", words, str(row["ask"]))
        return STATES.begin(change, _row(change, policy, asked), action="wait")["ask"], None


def _row(change: Change, policy: ToolPolicy, asked: Asked) -> dict[str, Any]:
    context = asked.context
    found = origins(asked.arguments, sources_of(context.messages, context.more))
    told = {
        who: [plain_line(one, _STRETCH) for one in dict.fromkeys(stretches)][:_STRETCHES]
        for who, stretches in found.items()
    }
    return {
        "tool": asked.tool.name,
        "version": asked.tool.version,
        "arguments": asked.text,
        "digest": asked.digest,
        "policy": POLICIES.join((asked.decision.policy or policy.ref, *asked.decision.beside)),
        "rule": asked.decision.rule,
        "why": asked.decision.reason,
        "role": context.role,
        "run_id": context.run_id,
        "trace_id": _trace_id(),
        "origins": json.dumps(told, ensure_ascii=False),
        "asked_ns": change.at_ns,
        "expires_ns": change.at_ns + round(policy.ask_expires_s * 1e9),
    }


def _trace_id() -> str | None:
    from opentelemetry import trace  # where nobody traces it is not loaded

    context = trace.get_current_span().get_span_context()
    return f"{context.trace_id:032x}" if context.is_valid else None


# -- who answers -----------------------------------------------------------------------------------------------------


def settle(
    project: Project, number: int, *, to: str, reason: str | None, seen: str | None = None, dry_run: bool = False
) -> Ask:
    """Say yes or no to a call and return it; the same again is nothing new.

    Args:
        project: Who says it.
        number: Of the ask.
        to: "approved" or "denied".
        reason: Why.
        seen: The digest of what was shown to who decided.
        dry_run: Check everything and change nothing.

    Raises:
        NotFoundError: There is no such ask.
        ConflictError: Somebody else decided first, or what waits is not what was shown.
        UsageError: It expired, or was made already.
        DamagedStoreError: It was changed past the audit chain.
    """
    words = check_words(reason, "reason")
    with project.change(reason=words, dry_run=dry_run) as change:
        before = _read(change.store, change.con, number, change.at_ns)
        if seen is not None and seen != before.digest:
            raise ConflictError(f"ask {number} is not the call that was shown; nothing was changed: look again")
        if before.status == "expired":
            raise UsageError(f"ask {number} expired at {before.expires_at:%Y-%m-%d %H:%M:%S} UTC; nothing was changed")
        if before.status != to:
            action = "approve" if to == "approved" else "deny"
            STATES.move(change, number, to=to, action=action, seen=before.status)
        return _read(change.store, change.con, number, change.at_ns)


def taken(project: Project, number: int) -> Ask:
    """Mark an approved call as made and return it: whoever gets it makes it, nobody else does.

    Raises:
        NotFoundError: There is no such ask.
        ConflictError: It was made already.
        UsageError: Nobody said yes, or it expired.
        DamagedStoreError: It was changed past the audit chain.
    """
    with project.change() as change:
        before = _read(change.store, change.con, number, change.at_ns)
        if before.status == "made":
            raise ConflictError(f"ask {number} was made already, at {before.moved_at:%Y-%m-%d %H:%M:%S} UTC")
        if before.status != "approved":
            raise UsageError(f"ask {number} is {before.status}: only a call that somebody said yes to is made")
        STATES.move(change, number, to="made", action="make", seen="approved")
        return _read(change.store, change.con, number, change.at_ns)


def read(project: Project, number: int) -> Ask:
    """Return an ask.

    Raises:
        NotFoundError: There is no such ask.
        DamagedStoreError: It was changed past the audit chain.
    """
    now = project.now()
    with project.reading() as con:
        return _read(project.store, con, number, round(now.timestamp() * 1e9))


def listed(project: Project, limit: int) -> list[Ask]:
    """Return the newest asks, newest first; those that are not what was written are left out with a warning."""
    at_ns = round(project.now().timestamp() * 1e9)
    with project.reading() as con:
        rows = con.execute(_LISTED, (limit,)).fetchall()
        return [_ask(row, at_ns) for row in project.store.listed(con, "tool_asks", rows)]


def _read(store: Store, con: sqlite3.Connection, number: int, at_ns: int) -> Ask:
    row = store.record(con, "tool_asks", number)
    if row is None:
        raise NotFoundError(f"there is no ask {number}: ws.tools.asks() lists them")
    return _ask(dict(row), at_ns)


def _ask(row: Row, at_ns: int) -> Ask:
    is_open = row["status"] in ("waiting", "approved")
    return Ask(
        ask=row["ask"],
        tool=row["tool"],
        version=row["version"],
        arguments=_data(row["arguments"]),
        digest=row["digest"],
        status="expired" if is_open and row["expires_ns"] <= at_ns else row["status"],
        policy=row["policy"],
        rule=row["rule"],
        why=row["why"],
        role=row["role"],
        run_id=row["run_id"],
        trace_id=row["trace_id"],
        origins={who: tuple(some) for who, some in _data(row["origins"]).items()},
        asked_at=from_ns(row["asked_ns"]),
        expires_at=from_ns(row["expires_ns"]),
        actor=row["actor"],
        moved_at=from_ns(row["moved_ns"]),
        reason=row["reason"],
    )


def _data(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:  # somebody was erased from it
        return {}
    return found if isinstance(found, dict) else {}
