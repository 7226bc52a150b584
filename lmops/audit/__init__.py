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
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lmops.audit import _rows
from lmops.audit._anchors import Anchored, anchor_everywhere, file_heads, heads_of, notes_of
from lmops.audit._chain import Head, Verification, check, with_records
from lmops.audit._report import AuditReport, json_or_none
from lmops.base.public import only
from lmops.errors import DamagedStoreError, NotFoundError, UsageError, system_in_words
from lmops.store import EVENT_COLUMNS, GENESIS, any_text, compare, key_text, lost_cases, note
from lmops.store.schema import schema
from lmops.times import to_ns

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    import pandas as pd

    from lmops.records import Project
    from lmops.store import Named

__all__ = ["Anchored", "Audit", "AuditReport", "Head", "Verification", "verify_export"]
__dir__ = only(__all__)

_EXPORT_KIND: Final = "lmops audit chain"


class Audit:
    """The chain as a workspace sees it: ``ws.audit``."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._store = project.store

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
        rows: Sequence[Sequence[Any]] = (),
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
            rows: (table, *key) of the records whose content it states.
        """
        with self._project.change(actor=actor, reason=reason, evidence=evidence) as change:
            for row in rows:
                change.wrote(*row)
            return change.say(action, subject, before=before, after=after)

    def cover(self, *, reason: str, actor: str | None = None) -> int:
        """Append one event that names every record which none names yet, as it is now; return how many.

        For stores from before events named records, and for cases whose run a rescue did not find: from then on
        :meth:`verify` finds what is changed in them. That they were right until then is what the one who calls this
        answers for.

        Args:
            reason: Why they are taken for right.
            actor: Who says so; the workspace's actor by default.
        """
        with self._project.change(actor=actor, reason=reason) as change:
            hashes = self._store.result_hashes()
            open_rows, runs = _rows.uncovered(change.con, hashes)
            if not open_rows and not runs:
                return 0
            for table, key in open_rows:
                change.wrote(table, *key)
            cases = {schema().packed.table: {key_text([one]): hashes.get(one) for one in runs}} if runs else None
            change.say("audit.cover", "records", after={"records": len(open_rows), "runs": len(runs)}, named=cases)
        return len(open_rows) + len(runs)

    def verify(
        self,
        *,
        anchor: str | os.PathLike[str] | Head | None = None,
        git_note: str | os.PathLike[str] | None = None,
    ) -> Verification:
        """Derive every hash again, compare every record, and return the first that does not hold.

        Without an anchor, a chain that was rewritten as a whole, head included, looks like a whole one.

        Args:
            anchor: A head kept elsewhere earlier (``ws.audit.head().line``), or a file of :meth:`anchor`: the chain
                must still go through it, or through every one in the file.
            git_note: A folder in the repository whose notes :meth:`anchor` wrote: likewise.
        """
        anchors = heads_of(anchor, self._store.store_id)
        if git_note is not None:
            anchors += notes_of(git_note, self._store.store_id)
        return self._verified(anchors)

    def _verified(self, anchors: tuple[Head, ...]) -> Verification:
        named: Named = {}
        # All of it in one transaction: what is written meanwhile is not seen.
        with self._store.reading() as con, any_text(con):
            head = _rows.head(con)
            found = check(
                _rows.events(con),
                None if head is None else _head(*head),
                anchors,
                on_event=lambda row: note(named, row["event_id"], row.get("records")),
            )
            if not found.ok:
                return found
            return with_records(found, compare(con, named, self._store.result_hashes), lost_cases(con, named))

    def anchor(
        self,
        *,
        file: str | os.PathLike[str] | None = None,
        git_note: str | os.PathLike[str] | None = None,
        webhook: str | None = None,
    ) -> Anchored:
        """Keep the head of the chain where whoever can write the store cannot write, and return where it is kept.

        Made for a scheduler: the same head is kept in a file and in notes once. A chain that does not hold, or that
        does not go through what was kept there before, is not kept.

        Args:
            file: A file that one line is added to; made when it is not there.
            git_note: A folder in a git repository: a line is added to the note ``lmops-audit`` of its present commit.
            webhook: An address that the head is sent to, as JSON by POST.

        Raises:
            UsageError: No place is given, or it cannot be one.
            DamagedStoreError: The chain does not hold.
            StoreError: The head could not be kept; the message says where it is kept already.
        """
        if file is None and git_note is None and webhook is None:
            raise UsageError("an anchor needs a place: file='anchors.jsonl', git_note='.' or webhook='https://...'")
        store_id = self._store.store_id
        kept = () if file is None else file_heads(Path(file), store_id)
        found = self._verified(kept if git_note is None else kept + notes_of(git_note, store_id))
        if not found.ok:
            raise DamagedStoreError(f"the audit chain is not whole, so that its head is not kept: {found.text}")
        return anchor_everywhere(self.head(), store_id, file=file, git_note=git_note, webhook=webhook)

    def head(self) -> Head:
        """Return where the chain ends now; keep ``.line`` elsewhere to be able to prove later what was there."""
        with self._store.reading() as con:
            count, said = _rows.last(con)
        return Head(events=count, hash=said)

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
        given = {"low": low, "high": high, "actor": actor, "subject": subject, "action": action}
        with self._store.reading() as con:
            rows = _rows.chosen(con, given)
        words = [
            f"since {since}" if since is not None else "",
            f"until {until}" if until is not None else "",
            f"by {actor}" if actor else "",
            f"on {subject}" if subject else "",
            f"action {action}" if action else "",
        ]
        scope = ", ".join(word for word in words if word) or "all"
        return AuditReport(events=rows, scope=scope, verification=self.verify())

    def export(self, path: str | os.PathLike[str]) -> Path:
        """Write the whole chain as JSON lines to a new file and return its path; :func:`verify_export` checks it.

        The first line says what it is; each other line is one event with the columns of the table, texts exactly as
        they were hashed. Anybody can check it: an event's ``hash`` is the SHA-256 of the JSON list of its fields in
        the order of the first line (without ``records`` where that is null), without spaces, in UTF-8;
        ``previous_hash`` is the hash of the event before.

        Raises:
            UsageError: There is a file already: an export may be somebody's proof.
        """
        target = Path(path)
        if target.exists():
            raise UsageError(f"{target} exists, and an export may be somebody's proof; give a new name")
        if not target.parent.is_dir():
            raise UsageError(f"there is no folder {target.parent}")
        with system_in_words(target):
            self._write_export(target)
        return target

    def _write_export(self, target: Path) -> None:
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8", errors="surrogatepass") as file, self._store.reading() as con:
                rows = list(_rows.events(con))
                head = rows[-1] if rows else {"event_id": 0, "hash": GENESIS}
                first = {
                    "kind": _EXPORT_KIND,
                    "format": 2,
                    "store_id": self._store.store_id,
                    "events": head["event_id"],
                    "head": head["hash"],
                    "hashed_fields": list(EVENT_COLUMNS[:-1]),
                    "hash": "sha256",
                }
                for line in (first, *rows):
                    file.write(json.dumps(line, ensure_ascii=False) + "\n")
                file.flush()
                os.fsync(file.fileno())
            os.link(temporary, target)  # unlike a rename it never replaces a file that came meanwhile
        finally:
            Path(temporary).unlink(missing_ok=True)


def verify_export(path: str | os.PathLike[str], *, anchor: str | os.PathLike[str] | Head | None = None) -> Verification:
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
        first = json_or_none(file.readline())
        if not isinstance(first, dict) or first.get("kind") != _EXPORT_KIND:
            raise UsageError(f"{source} is no export of an audit chain (its first line does not say so)")
        if first.get("format") not in (1, 2):
            raise UsageError(
                f"{source} has format {first.get('format')!r} and this lmops reads 1 and 2: pip install -U lmops"
            )
        head = _head(first.get("events"), first.get("head"))
        return check((json_or_none(line) for line in file), head, heads_of(anchor, first.get("store_id")))


def _head(events: object, digest: object) -> Head:
    """Return what a head record says, whatever somebody put there."""
    return Head(events=events if isinstance(events, int) else -1, hash=str(digest))
