"""Tools replayed: what was recorded comes back, in order; what nobody recorded is said, and counted."""

from __future__ import annotations

import hashlib
import json
import threading
from collections import Counter, OrderedDict, deque
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from lmops.base.shown import Shown
from lmops.calc.trajectories import canonical
from lmops.errors import UsageError
from lmops.redact import Redactor
from lmops.text import plain_line
from lmops.tools.contract import EndedError, UnseenError
from lmops.tools.recording import key_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pandas as pd

    from lmops.datasets import DatasetVersion, Example
    from lmops.tools.contract import Call, Outcome, ToolVersion

Match = Literal["exact", "schema"]
Unseen = Literal["error", "simulate"]
#: Runs whose place in the recordings is remembered at once.
_RUNS: Final = 65_536
#: Calls nobody recorded that are kept to be looked at; all are counted.
_KEPT: Final = 1_000


class Counts(NamedTuple):
    """How often calls were found: exactly, by their schema, made up of what the tool returned to others, not at all."""

    exact: int
    schema: int
    simulated: int
    unseen: int


class _Recorded(NamedTuple):
    outcome: Outcome
    value: Any
    error: str | None


class Replay(Shown):
    """Executes calls out of recordings: ``ws.tools.run(..., executor=ws.tools.replay("name"))``.

    A call that was recorded several times returns what it returned then, in order, and the last of it from then on;
    each run begins anew, so that runs at the same time do not take each other's results.

    Args:
        version: The recordings.
        match: "exact" (equal arguments), or "schema": where there is no equal call the first one whose arguments have
            the same names and kinds.
        unseen: What a call that nobody recorded comes to: "error" (its outcome is "unseen"), or "simulate": what the
            tool returned to another call, the same for the same arguments; "unseen" where it never returned.
    """

    def __init__(self, version: DatasetVersion, *, match: Match, unseen: Unseen) -> None:
        for name, value, known in (("match", match, ("exact", "schema")), ("unseen", unseen, ("error", "simulate"))):
            if value not in known:
                raise UsageError(f"{name}={value!r}: give one of {', '.join(map(repr, known))}")
        self.ref = version.ref
        self.match, self.unseen = match, unseen
        self._redactor = Redactor.of("keys") or Redactor()
        self._exact: dict[str, list[_Recorded]] = {}
        self._shapes: dict[str, list[_Recorded]] = {}
        self._returned: dict[str, list[_Recorded]] = {}
        self._texts: dict[str, list[str]] = {}
        self._read(version.ref, version)
        self._places: OrderedDict[str, Counter[str]] = OrderedDict()
        self._found: Counter[str] = Counter()
        self._missed: deque[tuple[str, str, str]] = deque(maxlen=_KEPT)
        self._lock = threading.Lock()

    def _read(self, ref: str, examples: Iterable[Example]) -> None:
        for one in examples:
            said, came = one.input, one.expected
            if not (isinstance(said, dict) and isinstance(said.get("tool"), str) and isinstance(came, dict)):
                raise UsageError(
                    f"{ref} holds no recordings (example {plain_line(one.example_id, 60)}): "
                    "ws.tools.record(name, last='7d') makes some"
                )
            tool, arguments = said["tool"], said.get("arguments")
            value = came.get("value")
            if came.get("is_json") and isinstance(value, str):
                value = json.loads(value)
            recorded = _Recorded(came.get("outcome", "ok"), value, came.get("error"))
            key = key_of(tool, arguments, self._redactor)
            self._exact.setdefault(key, []).append(recorded)
            shape = self._shapes.setdefault(f"{tool} {shape_of(arguments)}", [])
            if len(shape) == 0:
                shape.append(recorded)
            self._texts.setdefault(tool, []).append(canonical(arguments))
            if recorded.outcome == "ok":
                self._returned.setdefault(tool, []).append(recorded)

    def execute(self, tool: ToolVersion, arguments: Mapping[str, Any], call: Call) -> Any:
        """Return what was recorded.

        Raises:
            UnseenError: Nobody has recorded such a call.
            EndedError: The recorded call failed.
        """
        key = key_of(tool.name, dict(arguments), self._redactor)
        how, found = "exact", self._next(key, self._exact.get(key), call.context.run_id)
        if found is None and self.match == "schema":
            shape = f"{tool.name} {shape_of(arguments)}"
            how, found = "schema", self._next(shape, self._shapes.get(shape), call.context.run_id)
        if found is None and self.unseen == "simulate" and (returned := self._returned.get(tool.name)):
            draw = int.from_bytes(hashlib.blake2b(key.encode("utf-8", "replace"), digest_size=8).digest())
            how, found = "simulated", returned[draw % len(returned)]
        with self._lock:
            self._found[how if found is not None else "unseen"] += 1
            if how == "simulated" or found is None:
                self._missed.append((tool.name, canonical(arguments), call.context.run_id))
        if found is None:
            raise UnseenError(self._words(tool.name, canonical(arguments)))
        if found.outcome != "ok":
            raise EndedError(found.outcome, found.error or found.outcome)
        return json.loads(json.dumps(found.value))  # what a run changes in it is not the next one's

    @property
    def counts(self) -> Counts:
        """How often calls were found, of all runs so far."""
        with self._lock:
            return Counts(**{name: self._found[name] for name in Counts._fields})

    @property
    def misses(self) -> pd.DataFrame:
        """The last 1,000 calls that nobody recorded: tool, arguments, run_id."""
        from lmops.base.frames import Frame

        with self._lock:
            return Frame(list(self._missed), columns=["tool", "arguments", "run_id"])

    @property
    def size(self) -> int:
        """How many calls are recorded."""
        return sum(map(len, self._exact.values()))

    def _next(self, key: str, recorded: Sequence[_Recorded] | None, run_id: str) -> _Recorded | None:
        if not recorded:
            return None
        with self._lock:
            places = self._places.setdefault(run_id, Counter())
            self._places.move_to_end(run_id)
            if len(self._places) > _RUNS:
                self._places.popitem(last=False)
            at = places[key]
            places[key] += 1
        return recorded[min(at, len(recorded) - 1)]

    def _words(self, tool: str, asked: str) -> str:
        known = self._texts.get(tool)
        if not known:
            tools = ", ".join(sorted(self._texts)) or "none"
            return f"no call of {plain_line(tool, 80)} is recorded in {self.ref}; recorded tools: {tools[:200]}"
        near = min(known, key=lambda text: _apart(text, asked))
        return (
            f"{plain_line(tool, 80)} was never called with {plain_line(asked, 160)} in {self.ref}; "
            f"nearest: {plain_line(near, 160)}"
        )


def shape_of(arguments: object) -> str:
    """Return the names and kinds of arguments as one text: calls of one shape differ in values alone."""
    if isinstance(arguments, dict):
        return "{" + ",".join(f"{key}:{shape_of(arguments[key])}" for key in sorted(arguments, key=str)) + "}"
    if isinstance(arguments, list | tuple):
        return "[" + "|".join(sorted({shape_of(one) for one in arguments})) + "]"
    if isinstance(arguments, bool) or arguments is None:
        return type(arguments).__name__
    return "number" if isinstance(arguments, int | float) else "text"


def _apart(one: str, other: str) -> int:
    """Return how many characters two texts have apart, by place: enough to name something that looks like it."""
    return sum(a != b for a, b in zip(one, other, strict=False)) + abs(len(one) - len(other))
