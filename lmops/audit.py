"""The audit chain: who changed what, when, why and on which evidence; append-only and hash-chained.

Each event carries the SHA-256 of the event before it, so an edit anywhere breaks the chain from there on, and
:meth:`Audit.verify` finds the first broken link. A head record, moved in the same transaction as each event, says how
many there are, so that it shows when the last ones are missing.

What this cannot show: somebody who may write the database file can write the whole chain and its head anew. Whoever
must exclude that keeps :meth:`Audit.head` (one line), or an export, where that person has no access, and gives it to
:meth:`Audit.verify` later.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lmops.errors import NotFoundError, UsageError
from lmops.store import GENESIS, append_event, event_hash
from lmops.text import escape, plain_line
from lmops.times import from_ns, to_ns

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    import pandas as pd

    from lmops.store import Store

_COLUMNS: Final = (
    "event_id", "at_ns", "actor", "action", "subject", "reason", "before", "after", "evidence", "previous_hash", "hash",
)  # fmt: skip
_EXPORT_KIND: Final = "lmops audit chain"
_MARKDOWN: Final = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>~&])")
_HTML_ROWS: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """Where a chain ends: how many events there are, and the hash of the last one."""

    events: int
    hash: str

    @property
    def line(self) -> str:
        """Return it as one line to keep elsewhere: ``"17:5f2c..."``."""
        return f"{self.events}:{self.hash}"

    def __repr__(self) -> str:
        return f"<Head {self.line}>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What checking a whole chain found."""

    ok: bool
    events: int
    first_broken: int | None = None
    problem: str | None = None

    def __repr__(self) -> str:
        """Say it in one line."""
        if self.ok:
            return f"<Verification ok: {self.events} events>"
        return f"<Verification BROKEN at event {self.first_broken}: {self.problem}>"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class AuditReport:
    """Who changed what, when, why and on which evidence, and whether the chain holds."""

    events: tuple[dict[str, Any], ...]
    scope: str
    verification: Verification

    def df(self) -> pd.DataFrame:
        """Return one row an event, oldest first.

        Returns:
            event_id, at (UTC), actor, action, subject, reason, change (words), evidence (words), forced, before and
            after (JSON).
        """
        import pandas as pd

        rows = [
            (
                event["event_id"], _time(event["at_ns"]), event["actor"], event["action"], event["subject"],
                event["reason"], _change(event), _evidence(event), _is_forced(event), event["before"], event["after"],
            )
            for event in self.events
        ]  # fmt: skip
        names = ["event_id", "at", "actor", "action", "subject", "reason", "change", "evidence", "forced"]
        frame = pd.DataFrame(rows, columns=[*names, "before", "after"])
        return frame.astype({"at": "datetime64[ns, UTC]"}) if frame.empty else frame

    def by_actor(self) -> pd.DataFrame:
        """Return how many events of each kind everybody caused: actor, action, events, first_at, last_at."""
        frame = self.df()
        found: pd.DataFrame = (
            frame.groupby(["actor", "action"]).agg(
                events=("event_id", "size"), first_at=("at", "min"), last_at=("at", "max")
            ).reset_index()
        )  # fmt: skip
        return found

    @property
    def text(self) -> str:
        """Return the report as plain text."""
        lines = [self._title(), f"chain: {self._chain()}", ""]
        for event in self.events:
            parts = [f"{event['event_id']:>6}  {_moment(event)}", _cut(event["actor"], 40), event["action"]]
            lines.append("  ".join([*parts, _cut(event["subject"], 120)]))
            lines += [f"        {words}" for words in _details(event)]
        return "\n".join(lines if self.events else [*lines, "no events"])

    @property
    def markdown(self) -> str:
        """Return the report as a Markdown table; no text in it acts as markup."""
        heads = ("event", "at (UTC)", "who", "what", "on", "change", "reason", "evidence")
        lines = [f"## {_mark(self._title())}", "", f"Chain: {_mark(self._chain())}", ""]
        lines += [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
        lines += ["| " + " | ".join(_mark(cell) for cell in _cells(event)) + " |" for event in self.events]
        return "\n".join(lines) + "\n"

    def __repr__(self) -> str:
        return f"<AuditReport {len(self.events)} events, {self.scope}; chain {self._chain()}>"

    def _repr_html_(self) -> str:
        return self.html

    @property
    def html(self) -> str:
        """Return the report as HTML that needs neither script nor style sheet; the newest events of a long one."""
        style = "padding:1px 12px 1px 0;text-align:left;vertical-align:top"
        heads = ("event", "at (UTC)", "who", "what", "on", "change", "reason", "evidence")
        head = "".join(f'<th style="{style}">{name}</th>' for name in heads)
        shown = self.events[-_HTML_ROWS:]
        styles = [style + (";white-space:nowrap" if place < 4 else "") for place in range(len(heads))]
        body = "".join(
            "<tr>"
            + "".join(f'<td style="{one}">{escape(cell)}</td>' for one, cell in zip(styles, _cells(event), strict=True))
            + "</tr>"
            for event in shown
        )
        cut = f", the newest {_HTML_ROWS} shown" if len(shown) < len(self.events) else ""
        return (
            f'<div style="max-height:520px;overflow:auto"><p style="margin:0"><b>{escape(self._title())}</b>{cut}; '
            f"chain: {escape(self._chain())}</p>"
            f'<table style="border-collapse:collapse;font-size:12px"><thead><tr>{head}</tr></thead>'
            f"<tbody>{body}</tbody></table></div>"
        )

    def _title(self) -> str:
        return f"{len(self.events):,} audit events ({self.scope})"

    def _chain(self) -> str:
        found = self.verification
        if found.ok:
            return f"whole, {found.events:,} events"
        return f"BROKEN at event {found.first_broken}: {found.problem}"


class Audit:
    """The chain as a workspace sees it: ``ws.audit``."""

    def __init__(self, store: Store, *, actor: str) -> None:
        self._store = store
        self._actor = actor

    def __repr__(self) -> str:
        """Say how long the chain is."""
        return f"<Audit: {self.head().events} events>"

    def append(
        self,
        *,
        action: str,
        subject: str,
        reason: str | None = None,
        before: object = None,
        after: object = None,
        evidence: Sequence[str] = (),
        actor: str | None = None,
    ) -> int:
        """Append one event and return its id.

        Args:
            action: What was done, such as "price.set".
            subject: On what.
            reason: Why.
            before: What it was, plain data.
            after: What it is, plain data.
            evidence: Ids of verdicts, runs, alerts.
            actor: Who; the workspace's actor by default.
        """
        with self._store.transaction() as con:
            return append_event(
                con, actor=actor or self._actor, action=action, subject=subject, reason=reason, before=before,
                after=after, evidence=evidence,
            )  # fmt: skip

    def verify(self, *, anchor: str | Head | None = None) -> Verification:
        """Derive every hash again and return the first link that does not hold.

        Args:
            anchor: A head kept elsewhere earlier (``ws.audit.head().line``); the chain must still go through it.
                Without one, a chain that was rewritten as a whole, head included, looks like a whole one.
        """
        with self._store.reading() as con:
            rows = (dict(row) for row in con.execute("select * from audit order by event_id"))
            head = con.execute("select events, hash from audit_head").fetchone()
            return _check(rows, None if head is None else Head(events=head[0], hash=head[1]), _anchor(anchor))

    def head(self) -> Head:
        """Return where the chain ends now; keep ``.line`` elsewhere to be able to prove later what was there."""
        with self._store.reading() as con:
            row = con.execute("select event_id, hash from audit order by event_id desc limit 1").fetchone()
        return Head(events=row[0], hash=row[1]) if row else Head(events=0, hash=GENESIS)

    def events(self) -> pd.DataFrame:
        """Return every event, oldest first: the columns of the view ``audit``."""
        frame: pd.DataFrame = self._store.sql("select * from audit order by event_id").df()
        return frame

    def report(
        self,
        *,
        since: str | datetime | None = None,
        until: str | datetime | None = None,
        actor: str | None = None,
        subject: str | None = None,
        action: str | None = None,
    ) -> AuditReport:
        """Return who changed what, when, why, on which evidence: ``.df()``, ``.text``, ``.markdown``, ``.by_actor()``.

        Args:
            since: ISO time or datetime, UTC without a zone.
            until: Likewise, not included.
            actor: Only events by this actor.
            subject: Only events on this subject, or on what it starts: "support-answer" takes "support-answer@7" and
                "support-answer@production" as well.
            action: Only this action, or all of a kind: "prompt.promote", "prompt".
        """
        low, high = (None if moment is None else to_ns(moment) for moment in (since, until))
        if low is not None and high is not None and low > high:
            raise UsageError(f"since={since!r} is after until={until!r}")
        query = (
            "select * from audit where (:low is null or at_ns >= :low) and (:high is null or at_ns < :high) "
            "and (:actor is null or actor = :actor) "
            "and (:subject is null or subject = :subject "
            "or substr(subject, 1, length(:subject) + 1) = :subject || '@') "
            "and (:action is null or action = :action or substr(action, 1, length(:action) + 1) = :action || '.') "
            "order by event_id"
        )
        given = {"low": low, "high": high, "actor": actor, "subject": subject, "action": action}
        with self._store.reading() as con:
            rows = tuple(dict(row) for row in con.execute(query, given))
        words = [
            f"since {since}" if since is not None else "", f"until {until}" if until is not None else "",
            f"by {actor}" if actor else "", f"on {subject}" if subject else "", f"action {action}" if action else "",
        ]  # fmt: skip
        scope = ", ".join(word for word in words if word) or "all"
        return AuditReport(events=rows, scope=scope, verification=self.verify())

    def export(self, path: str | os.PathLike[str]) -> Path:
        """Write the whole chain as JSON lines to a new file and return its path; :func:`verify_export` checks it.

        The first line says what it is; each other line is one event with the columns of the table, texts exactly as
        they were hashed. Anybody can check it: an event's ``hash`` is the SHA-256 of the JSON list of its fields in
        the order of the first line, without spaces, in UTF-8; ``previous_hash`` is the hash of the event before.

        Raises:
            UsageError: There is a file already: an export may be somebody's proof.
        """
        target = Path(path)
        if target.exists():
            raise UsageError(f"{target} exists, and an export may be somebody's proof; give a new name")
        if not target.parent.is_dir():
            raise UsageError(f"there is no folder {target.parent}")
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8", errors="surrogatepass") as file, self._store.reading() as con:
                rows = [dict(row) for row in con.execute("select * from audit order by event_id")]
                head = rows[-1] if rows else {"event_id": 0, "hash": GENESIS}
                first = {
                    "kind": _EXPORT_KIND, "format": 1, "store_id": self._store.store_id, "events": head["event_id"],
                    "head": head["hash"], "hashed_fields": list(_COLUMNS[:-1]), "hash": "sha256",
                }  # fmt: skip
                for line in (first, *rows):
                    file.write(json.dumps(line, ensure_ascii=False) + "\n")
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).chmod(0o644)
            os.link(temporary, target)  # unlike a rename it never replaces a file that came meanwhile
        finally:
            Path(temporary).unlink(missing_ok=True)
        return target


def verify_export(path: str | os.PathLike[str], *, anchor: str | Head | None = None) -> Verification:
    """Check an exported chain without a store and return the first link that does not hold.

    Args:
        path: A file of :meth:`Audit.export`.
        anchor: A head kept elsewhere, as for :meth:`Audit.verify`.

    Raises:
        NotFoundError: There is no such file.
        UsageError: It is no export of an audit chain.
    """
    source = Path(path)
    if not source.is_file():
        raise NotFoundError(f"there is no file {source}; ws.audit.export({str(source)!r}) writes one")
    with source.open(encoding="utf-8", errors="surrogatepass", newline="\n") as file:
        first = _json_or_none(file.readline())
        if not isinstance(first, dict) or first.get("kind") != _EXPORT_KIND:
            raise UsageError(f"{source} is no export of an audit chain (its first line does not say so)")
        if first.get("format") != 1:
            raise UsageError(
                f"{source} has format {first.get('format')!r} and this lmops reads 1: pip install -U lmops"
            )
        head = Head(events=_whole(first.get("events")), hash=str(first.get("head")))
        return _check((_json_or_none(line) for line in file), head, _anchor(anchor))


def _check(rows: Iterable[Any], head: Head | None, anchor: Head | None) -> Verification:
    """Walk through a chain and compare its end with its head and an anchor."""
    expected, previous = 1, GENESIS
    met = anchor is None or (anchor.events, anchor.hash) == (0, GENESIS)
    for row in rows:
        problem = _problem(row, expected, previous)
        if problem:
            return Verification(ok=False, events=expected - 1, first_broken=expected, problem=problem)
        previous = row["hash"]
        if anchor is not None and anchor.events == expected:
            met = anchor.hash == previous
            if not met:
                problem = "it is not the one that the anchor names: the chain was written anew"
                return Verification(ok=False, events=expected - 1, first_broken=expected, problem=problem)
        expected += 1
    events = expected - 1
    if head is None:
        problem = "the head record, which says how many events there are, is missing"
    elif head.events > events:
        problem = f"the last {head.events - events} of {head.events} events are missing"
    elif (head.events, head.hash) != (events, previous):
        problem = "the head record does not name the last event"
    elif not met and anchor is not None:
        problem = f"the anchor names event {anchor.events} and the chain ends at {events}: the last events are missing"
    else:
        return Verification(ok=True, events=events)
    return Verification(ok=False, events=events, first_broken=expected, problem=problem)


def _problem(row: Any, expected: int, previous: str) -> str | None:
    """Return what is wrong with one link."""
    if not isinstance(row, dict) or set(row) != set(_COLUMNS):
        return "it cannot be read, or has other fields"
    if row["event_id"] != expected:
        return f"event {expected} is missing"
    if row["previous_hash"] != previous:
        return "it does not continue the event before it"
    if row["hash"] != _hash_of(row):
        return "its content is not what was written"
    return None


def _hash_of(row: Mapping[str, Any]) -> str | None:
    try:
        return event_hash(row)
    except (TypeError, ValueError):  # a BLOB where text was
        return None


def _anchor(given: str | Head | None) -> Head | None:
    if given is None or isinstance(given, Head):
        return given
    match = re.fullmatch(r"\s*(\d{1,18}):([0-9a-f]{64})\s*", given) if isinstance(given, str) else None
    if match is None:
        raise UsageError("an anchor is the line of a head, '17:' and 64 hex digits; ws.audit.head().line gives one")
    return Head(events=int(match[1]), hash=match[2])


def _whole(value: object) -> int:
    return value if isinstance(value, int) else -1


def _json_or_none(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


# -- words -------------------------------------------------------------------------------------------------------------


def _time(at_ns: Any) -> datetime | None:
    """Return the time of an event; None when somebody put something else there."""
    return from_ns(at_ns) if isinstance(at_ns, int) else None


def _moment(event: Mapping[str, Any]) -> str:
    at = _time(event["at_ns"])
    return "no time" if at is None else f"{at:%Y-%m-%d %H:%M:%S}"


def _change(event: Mapping[str, Any]) -> str:
    """Return what an event changed, in words: the members that differ."""
    before, after = (_json_or_none(event[name]) if event[name] else None for name in ("before", "after"))
    if not isinstance(after, dict):
        return "" if after is None else _short(after)
    before = before if isinstance(before, dict) else {}
    hidden = {"verdicts", "forced", "protected"}
    names = [name for name in after if name not in hidden and before.get(name) != after[name]]
    names = [name for name in names if name != "note" or after[name] != event["reason"]]
    names.sort(key=lambda name: name == "hash")
    return "; ".join(
        f"{name}: {_short(before[name])} -> {_short(after[name])}"
        if name in before
        else f"{name}: {_short(after[name])}"
        for name in names
        if after[name] is not None
    )


def _evidence(event: Mapping[str, Any]) -> str:
    """Return the evidence of an event with what it said."""
    ids = _json_or_none(event["evidence"]) if event["evidence"] else []
    after = _json_or_none(event["after"]) if event["after"] else None
    verdicts = after.get("verdicts") if isinstance(after, dict) else None
    said = {one.get("id"): one.get("outcome") for one in verdicts or [] if isinstance(one, dict)}
    words = [f"{one} ({said[one]})" if said.get(one) else str(one) for one in (ids if isinstance(ids, list) else [])]
    return ", ".join([*words, *(["FORCED"] if _is_forced(event) else [])])


def _is_forced(event: Mapping[str, Any]) -> bool:
    after = _json_or_none(event["after"]) if event["after"] else None
    return isinstance(after, dict) and after.get("forced") is True


def _short(value: object) -> str:
    if isinstance(value, str) and value.startswith("sha256:"):
        return value[:19] + "…"
    return plain_line(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False), 80)


def _cut(value: object, limit: int) -> str:
    return plain_line(value, limit)


def _details(event: Mapping[str, Any]) -> Iterator[str]:
    parts = (("change", _change(event)), ("reason", event["reason"]), ("evidence", _evidence(event)))
    for name, words in parts:
        if words:
            yield f"{name}: {plain_line(words, 300)}"


def _cells(event: Mapping[str, Any]) -> list[str]:
    words = (
        event["event_id"], _moment(event), event["actor"], event["action"], event["subject"], _change(event),
        event["reason"], _evidence(event),
    )  # fmt: skip
    return [_cut(word, 300) for word in words]


def _mark(text: str) -> str:
    """Return text that Markdown shows as it is."""
    return _MARKDOWN.sub(r"\\\1", text)
