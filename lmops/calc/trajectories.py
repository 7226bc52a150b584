"""What a run of tool calls was worth as a path: loops, order, steps beyond the shortest, two runs step by step.

A call is its tool, its arguments in one canonical text and, where it is known, what came back.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from lmops.calc.alignment import matches

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence

LoopKind = Literal["same call", "cycle", "no new result"]
StepKind = Literal["match", "changed", "missing", "extra"]


class Called(NamedTuple):
    """One call: its tool, its arguments as :func:`canonical` says them, and what came back (None: unknown)."""

    tool: str
    arguments: str = "{}"
    result: Hashable = None


class Loop(NamedTuple):
    """A run that does not get on: what it repeats, from which call to which (0-based, both within), how often."""

    kind: LoopKind
    first: int
    last: int
    length: int  # calls in what is repeated
    times: int  # how often it came

    @property
    def text(self) -> str:
        """The loop in words, counted from 1."""
        where = f"calls {self.first + 1} to {self.last + 1}"
        if self.kind == "same call":
            return f"the same call {self.times} times ({where})"
        if self.kind == "cycle":
            return f"{self.length} calls {self.times} times in a row ({where})"
        return f"{self.times} calls in a row without a new result ({where})"


class Step(NamedTuple):
    """One step of two aligned runs: how they compare, and the place of the call in each (None: it has none)."""

    kind: StepKind
    left: int | None
    right: int | None


def canonical(arguments: object) -> str:
    """Return arguments as one text that is equal where they are: keys sorted, 2.0 as 2, JSON text read first.

    Text that is no JSON stays as it is; what JSON does not know is said as text.

    >>> canonical({"b": 2.0, "a": [1]}) == canonical('{"a": [1], "b": 2}')
    True
    """
    given = arguments
    if isinstance(given, str | bytes):
        try:
            given = json.loads(given or "{}")
        except (ValueError, RecursionError):
            return given if isinstance(given, str) else given.decode("utf-8", "replace")
    try:
        return json.dumps(_plain({} if given is None else given), ensure_ascii=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError):
        return repr(type(given))


def loops(calls: Sequence[Called], *, same: int = 3, cycle: int = 4, stale: int = 5) -> tuple[Loop, ...]:
    """Return the loops of a run in the order in which they could first be told; one of each beginning.

    Args:
        calls: In the order in which they were made.
        same: The same tool with the same arguments so often, anywhere in the run, is a loop; 0: do not look.
        cycle: Two to so many calls that come twice in a row, in the same order, are a loop; 0: do not look.
        stale: So many calls in a row that brought nothing which that tool had not said before; 0: do not look. A call
            whose result is unknown says nothing, and ends such a row.

    Returns:
        Loops, the earliest told first. n = 0 and n = 1: none.

    Raises:
        ValueError: ``same`` or ``stale`` of 1, or below 0: every call would be a loop.

    >>> [loop.text for loop in loops([Called("find", '{"q":1}')] * 3)]
    ['the same call 3 times (calls 1 to 3)']
    """
    for name, value in (("same", same), ("stale", stale), ("cycle", cycle)):
        if value < 0 or value == 1:
            raise ValueError(f"{name} must be 0 (do not look) or at least 2, not {value}")
    found = [*_same(calls, same), *_cycles(calls, cycle), *_stale(calls, stale)]
    return tuple(loop for _, loop in sorted(found, key=lambda told: told[0]))


def find_loop(calls: Sequence[Called], *, same: int = 3, cycle: int = 4, stale: int = 5) -> Loop | None:
    """Return the loop that could be told first, as :func:`loops` finds it; None: the run gets on.

    Asked after each call, it answers at the call that closes the loop.
    """
    return next(iter(loops(calls, same=same, cycle=cycle, stale=stale)), None)


def align(left: Sequence[Called], right: Sequence[Called]) -> tuple[Step, ...]:
    """Return two runs step by step: equal calls first, then calls of the same tool between them.

    Equal calls (tool and arguments) are matched by the longest common subsequence; what lies between two matches is
    matched by the tool alone ("changed": other arguments). What is left is "missing" (only ``left`` has it) or "extra"
    (only ``right``).

    Returns:
        Steps in the order of both runs. No calls on either side: none.

    >>> [step.kind for step in align([Called("a"), Called("b", "1")], [Called("b", "2"), Called("c")])]
    ['missing', 'changed', 'extra']
    """
    equal = matches([call[:2] for call in left], [call[:2] for call in right], is_patient=False)
    steps: list[Step] = []
    at, beside = 0, 0
    for one, other in [*equal, (len(left), len(right))]:
        named = matches(
            [call.tool for call in left[at:one]], [call.tool for call in right[beside:other]], is_patient=False
        )
        for i, j in [*((at + i, beside + j) for i, j in named), (one, other)]:
            steps += [Step("missing", k, None) for k in range(at, i)]
            steps += [Step("extra", None, k) for k in range(beside, j)]
            if i < one:
                steps.append(Step("changed", i, j))
            at, beside = i + 1, j + 1
        if one < len(left):
            steps.append(Step("match", one, other))
    return tuple(steps)


def kept_in_order(made: Sequence[Hashable], wanted: Sequence[Hashable]) -> int:
    """Return how many of the wanted items were made in the wanted order: the longest common subsequence.

    >>> kept_in_order(["find", "pay", "mail"], ["pay", "find", "mail"])
    2
    """
    return len(matches(list(made), list(wanted), is_patient=False))


def _plain(value: Any) -> Any:
    """Return a value with sorted keys and whole numbers as integers: JSON does not tell 2.0 from 2."""
    if isinstance(value, dict):
        return {str(key): _plain(value[key]) for key in sorted(value, key=str)}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if value is None or isinstance(value, str | int | float) else str(value)


def _same(calls: Sequence[Called], same: int) -> Iterator[tuple[int, Loop]]:
    """Yield for each call that comes too often (when it was told, the loop)."""
    places: dict[tuple[str, str], list[int]] = {}
    for at, call in enumerate(calls if same else ()):
        places.setdefault((call.tool, call.arguments), []).append(at)
    for found in places.values():
        if len(found) >= same:
            yield found[same - 1], Loop("same call", found[0], found[-1], 1, len(found))


def _cycles(calls: Sequence[Called], cycle: int) -> Iterator[tuple[int, Loop]]:
    """Yield the shortest cycle at each place where one begins, past the end of the one before."""
    keys = [call[:2] for call in calls]
    at = 0
    while at < len(keys):
        length = next((size for size in range(2, cycle + 1) if _repeats(keys, at, size) > 1), 0)
        if not length:
            at += 1
            continue
        times = _repeats(keys, at, length)
        yield at + 2 * length - 1, Loop("cycle", at, at + times * length - 1, length, times)
        at += times * length


def _repeats(keys: Sequence[tuple[Hashable, ...]], at: int, size: int) -> int:
    """Return how often the block that begins there comes in a row; 0 for one that is the same call all through."""
    block = keys[at : at + size]
    if len(block) < size or len(set(block)) < 2:
        return 0
    times = 1
    while keys[at + times * size : at + (times + 1) * size] == block:
        times += 1
    return times


def _stale(calls: Sequence[Called], stale: int) -> Iterator[tuple[int, Loop]]:
    """Yield the rows of calls that brought nothing new."""
    seen: set[tuple[str, Hashable]] = set()
    row = 0
    for at, call in enumerate(calls if stale else ()):
        is_old = call.result is not None and (call.tool, call.result) in seen
        seen.add((call.tool, call.result))
        row = row + 1 if is_old else 0
        is_last = at + 1 == len(calls) or (calls[at + 1].tool, calls[at + 1].result) not in seen
        if row >= stale and (is_last or calls[at + 1].result is None):
            yield at - row + stale, Loop("no new result", at - row + 1, at, 1, row)
