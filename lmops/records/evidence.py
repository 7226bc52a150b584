"""Evidence for a promotion: verdicts of evaluations on exactly the version that is promoted."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lmops.errors import RefusedError, UsageError
from lmops.records.refs import text_hash
from lmops.store import event_hash

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Mapping

    from lmops.store import Store

PASS: Final = "pass"  # noqa: S105  # an outcome
ALTERED: Final = "altered"
#: What a verdict says; its event has the id that is missing here.
_SAID: Final = (
    "verdict_id",
    "run_id",
    "baseline_run_id",
    "prompt_ref",
    "outcome",
    "criteria",
    "detail",
    "created_ns",
    "actor",
)


def ids_of(evidence: object) -> tuple[str, ...]:
    """Return the ids of evidence: a verdict, its id, or a list of either.

    Raises:
        UsageError: It is something else.
    """
    if evidence is None:
        return ()
    if isinstance(evidence, str):
        if not evidence.strip() or len(evidence) > 200:
            raise UsageError(f"evidence={evidence[:40]!r}: give a verdict or its id")
        return (evidence.strip(),)
    found = getattr(evidence, "verdict_id", None) or getattr(evidence, "run_id", None)
    if isinstance(found, str):
        return (found,)
    if isinstance(evidence, Iterable) and not isinstance(evidence, bytes | dict):
        return tuple(dict.fromkeys(one for part in evidence for one in ids_of(part)))
    raise UsageError(
        f"evidence={type(evidence).__name__}: give a verdict (ws.evals.gate(...)), its id, or a list of them"
    )


def verdict_digest(verdict: Mapping[str, Any]) -> str:
    """Return the SHA-256 of what a verdict says, which its event in the audit chain carries."""
    return text_hash(json.dumps([verdict[name] for name in _SAID], ensure_ascii=False))


def is_confirmed(con: sqlite3.Connection, row: sqlite3.Row) -> bool:
    """Return whether the audit chain has this verdict: this outcome on this version, for these reasons."""
    event = con.execute("select * from audit where event_id = ?", (row["event_id"],)).fetchone()
    if event is None or event["action"] != "eval.gate" or not event["after"] or event_hash(event) != event["hash"]:
        return False
    after = json.loads(event["after"])
    names = ("verdict_id", "outcome", "prompt_ref")
    if [after.get(name) for name in names] != [row[name] for name in names]:
        return False
    # Events of older stores carry none.
    return after.get("digest") in (None, verdict_digest({name: row[name] for name in _SAID}))


class Proof(NamedTuple):
    """Evidence that a room makes itself, beside verdicts of evaluations.

    Args:
        look: Returns what a piece of it says and the version that it is about; None where the id names none.
        made_by: The call that makes it, for messages.
    """

    look: Callable[[Store, sqlite3.Connection, str], tuple[str, str] | None]
    made_by: str


_BY_GATE: Final = Proof(lambda _store, _con, _one: None, "ws.evals.gate(run, baseline)")


class Evidence:
    """What verdicts say of the versions of one kind.

    Args:
        kind: Of what, such as "prompt".
        column: The column of a verdict, or of the run that it is about, that names a version; None when none does.
        proof: Evidence of the room's own.
    """

    def __init__(self, kind: str, column: str | None, proof: Proof | None = None) -> None:
        self._kind = kind
        self._column = column or kind
        self._proof = proof or _BY_GATE

    def look_up(self, store: Store, con: sqlite3.Connection, ids: tuple[str, ...]) -> list[dict[str, Any]]:
        """Return what is known of each id: outcome, the version it is about and a hash of the whole verdict.

        The outcome is None for an unknown id, and "altered" for a verdict that the audit chain knows otherwise: a row
        that somebody wrote or edited by hand is no evidence.

        Raises:
            DamagedStoreError: It, or the run that it is about, was changed past the audit chain.
        """
        found: list[dict[str, Any]] = []
        for one in ids:
            own = self._proof.look(store, con, one)
            if own is not None:
                found.append({"id": one, "outcome": own[0], self._column: own[1]})
                continue
            row = con.execute("select * from verdicts where verdict_id = ?", (one,)).fetchone()
            if row is None:
                found.append({"id": one, "outcome": None})
                continue
            text = json.dumps(dict(row), sort_keys=True, ensure_ascii=False, default=str)
            outcome = row["outcome"] if is_confirmed(con, row) else ALTERED
            about = self._about(store, con, row)
            found.append({"id": one, "outcome": outcome, self._column: about, "hash": text_hash(text)})
        return found

    def _about(self, store: Store, con: sqlite3.Connection, verdict: sqlite3.Row) -> str | None:
        """Return the version that a verdict is about."""
        said = dict(verdict)
        if self._column not in said:
            said = dict(store.record(con, "eval_runs", verdict["run_id"]) or {})
        found = said.get(self._column)
        return None if found is None else str(found)

    def suffices(self, found: list[dict[str, Any]], ref: str) -> bool:
        """Return whether there is a verdict on exactly this version, and none that did not pass."""
        about = [one for one in found if one.get(self._column) == ref]
        return bool(about) and all(one["outcome"] == PASS for one in about)

    def refuse_without(self, found: list[dict[str, Any]], ref: str, alias: str) -> None:
        """Refuse a promotion to a protected alias without a verdict on exactly this version that passed.

        Raises:
            RefusedError: The message says what is wrong with each piece of evidence and what would do.
        """
        if self.suffices(found, ref):
            return
        name = ref.partition("@")[0]
        said = self._problems(found, ref) or "none was given"
        raise RefusedError(
            f"{name}@{alias} is protected: a promotion of {ref} needs evidence that passed on exactly this version; "
            f"{said}. Get a verdict ({self._proof.made_by}) and pass evidence=verdict, or force=True with a "
            "reason, which the audit chain shows. Nothing was changed"
        )

    def refuse_unreal(self, found: list[dict[str, Any]], ref: str) -> None:
        """Refuse evidence that does not exist or was altered: the history would name it for ever, on any alias.

        Raises:
            RefusedError: There is some.
        """
        unreal = [one for one in found if one["outcome"] in (None, ALTERED)]
        if unreal:
            raise RefusedError(
                f"a promotion of {ref} cannot rest on this: {self._problems(unreal, ref)}. Give a verdict of "
                f"{self._proof.made_by}, or leave evidence out and say why in reason=. Nothing was changed"
            )

    def _problems(self, found: list[dict[str, Any]], ref: str) -> str:
        return "; ".join(self._problem(one, ref) for one in found)

    def _problem(self, one: dict[str, Any], ref: str) -> str:
        if one["outcome"] is None:
            return f"{one['id']!r} is no verdict of this store"
        if one["outcome"] == ALTERED:
            return f"{one['id']} is not what the audit chain says of it"
        if one[self._column] != ref:
            return f"{one['id']} is about {one[self._column] or f'no {self._kind}'}"
        return f"{one['id']} says {one['outcome']}" + ("" if one["outcome"] != PASS else ", another one does not")
