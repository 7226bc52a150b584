"""What a version of a judge is in the store, for the mechanism of versions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lmops.errors import DamagedStoreError, UsageError
from lmops.judges._records import JudgeVersion
from lmops.judges._schema import GONE
from lmops.records import Kind, Proof, text_hash, told
from lmops.scorers import Scorer, checked_name, judge_from

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from lmops.records import Row
    from lmops.store import Store

_EVIDENCE: Final = "improvement-"
#: Of a judge's options, what is kept elsewhere: its examples row by row, the wording of its prompt by its source.
_APART: Final = ("few_shot", "prompt")


class Content(NamedTuple):
    """A judge as it is kept."""

    body: str
    messages: tuple[str, ...]

    @property
    def hash(self) -> str:
        """Of all of it; JSON texts hold no line ends."""
        return text_hash("\n".join((self.body, *self.messages)))


def content_of(judge: Any) -> Content:
    """Return a judge as it is kept.

    Raises:
        UsageError: It is none that :func:`lmops.scorers.judge` made, or it was changed since.
    """
    is_judge = isinstance(judge, Scorer) and judge.kind == "judge" and judge.source.startswith("judge ")
    if not is_judge:
        raise UsageError(f"give a judge that lmops.scorers.judge made, not {judge!r:.80}")
    again = judge_from(judge.name, judge.options, range=judge.range, higher_is_better=judge.higher_is_better)
    if again.version != judge.version:
        raise UsageError(f"judge {judge.name!r} is not what its options make: its fields were changed; make it anew")
    said = {
        "source": judge.source,
        "range": judge.range,
        "higher_is_better": judge.higher_is_better,
        "options": {name: value for name, value in judge.options.items() if name not in _APART},
    }
    try:  # in the order in which the prompt says them
        return Content(json.dumps(said), tuple(json.dumps(one) for one in judge.options["few_shot"]))
    except (TypeError, ValueError) as error:
        raise UsageError(f"judge {judge.name!r} cannot be saved: {error}") from error


def _read(store: Store, con: sqlite3.Connection, row: Row) -> JudgeVersion:
    query = "select * from judge_examples where name = ? and version = ? order by place"
    shots = store.listed(con, "judge_examples", map(dict, con.execute(query, (row["name"], row["version"]))))
    content = Content(row["body"], tuple(shot["message"] for shot in shots))
    if content.hash != row["hash"] and GONE not in content.messages:
        raise DamagedStoreError(f"{row['name']}@{row['version']}: its content is not what was saved")
    said = json.loads(row["body"])
    few_shot = [None if message == GONE else json.loads(message) for message in content.messages]
    return JudgeVersion(
        **told(row),
        judge_version=row["judge_version"],
        options={**said["options"], "few_shot": few_shot},
        traces=tuple(shot["trace_id"] for shot in shots),
        range=None if said["range"] is None else tuple(said["range"]),
        higher_is_better=said["higher_is_better"],
    )


def rows_of(name: str, version: int, messages: Sequence[str], traces: Sequence[str | None]) -> list[dict[str, Any]]:
    """Return the rows of the messages of a version's examples."""
    known = [*traces, *[None] * (len(messages) - len(traces))]
    return [
        {"name": name, "version": version, "place": place, "message": message, "trace_id": trace}
        for place, (message, trace) in enumerate(zip(messages, known, strict=True), start=1)
    ]


def _model(row: Row) -> str:
    return str(json.loads(row["body"])["options"]["model"])


def evidence_id(number: int) -> str:
    """Return what evidence calls an improvement."""
    return f"{_EVIDENCE}{number}"


def _improvement(store: Store, con: sqlite3.Connection, one: str) -> tuple[str, str] | None:
    """Return the outcome of an improvement, and the version that it made; None where there is none of this id."""
    number = one.removeprefix(_EVIDENCE)
    if number == one or not number.isdecimal() or len(number) > 18:
        return None
    row = store.record(con, "judge_improvements", int(number))
    return None if row is None else ("pass", f"{row['judge']}@{row['version']}")


def _name(name: object) -> str:
    return checked_name(name if isinstance(name, str) else repr(name))


KIND: Final = Kind(
    name="judge",
    noun="judges",
    table="judge_versions",
    read=_read,
    own={"model": _model, "judge_version": lambda row: row["judge_version"]},
    check_name=_name,
    proof=Proof(_improvement, "ws.feedback.improve(judge)"),
)
