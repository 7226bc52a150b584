"""What one trace amounts to: its root, its billable calls, its error. Pure functions over span rows.

A span row is any mapping with the names of the ``spans`` table. Rules:

- *Root*: the earliest span without a parent; if there is none, the earliest span whose parent never arrived.
- *Orphan trace*: no span of the trace is without a parent (its root has not arrived).
- *Billable call*: a model span (``llm`` or ``embedding``) with no model span below it at any depth. Wrappers that
  repeat the usage of the call inside them therefore never count. A reranker is not a model span.
- *Silent call*: some clients' own spans (Anthropic's SDK) do not hold what was asked and answered, the instrumentor's
  span around them does. Where that span holds nothing but this call and reports the same usage, it stands for it.
- *Streamed call in two spans*: some clients end the call span when the stream opens and send the answer later as a
  second span of zero length beside it. They are one call. Told safely only when the answer span is an ``llm`` span
  of zero length that has output, and beside it (same parent) an earlier-ended ``llm`` span of the same model is
  neither failed nor of zero length and has neither usage nor output. Logfire, which writes such pairs, puts the
  answer to a call without a parent into a trace of its own: its call span then counts for nothing, the answer counts.
- *Deepest error*: an error span with no error span below it; the greatest depth, then the earliest end.

Every answer is independent of the order of the rows. Parent cycles, self parents and repeated ids are tolerated: a
cycle is cut above its earliest span, and of equal ids the row that started first counts.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    SpanRow = Mapping[str, Any]

#: Kinds of span that stand for a request to a model which is paid for; a reranker that names no model is code.
MODEL_KINDS: Final = frozenset({"llm", "embedding", "reranker"})
#: How far above a call its wrapper is looked for: going up all the way would cost a deep trace the square of its size.
REACH: Final = 16
#: So far apart two instrumentations may say that the same call was: one may begin after the other has ended.
NEAR_NS: Final = 1_000_000_000


class TraceFacts(NamedTuple):
    """What :func:`rollup` found out about one trace; spans are named by their ``span_id``."""

    root_span_id: str | None
    is_orphan: bool
    call_span_ids: frozenset[str]
    error_span_id: str | None
    #: 0 for a span without a (known) parent
    depths: dict[str, int]
    #: the effective parent: None for a root, an orphan, and where a cycle was cut
    parents: dict[str, str | None]
    #: billable span -> the other spans of the same call (streamed answers)
    duplicates: dict[str, tuple[str, ...]]


def rollup(spans: Sequence[SpanRow]) -> TraceFacts:
    """Return the facts of one trace from all its span rows; linear in their number, never recursive.

    Args:
        spans: rows of ONE trace, in any order. Read are ``span_id``, ``parent_span_id``, ``kind``, ``status``,
            ``start_ns``, ``end_ns``, and for streamed calls ``model``, ``requested_model``, ``input_tokens``,
            ``output_tokens``, ``output``, ``scope``.

    Returns:
        The facts; for no spans ``root_span_id`` is None, ``is_orphan`` False and everything else empty.
    """
    if len(spans) == 1:
        return _alone(spans[0])
    by_id: dict[str, SpanRow] = {span["span_id"]: span for span in spans}
    if len(by_id) != len(spans):
        by_id = _first_of_each_id(spans)
    parents: dict[str, str | None] = {}
    roots: list[SpanRow] = []
    models: list[str] = []
    errors: list[str] = []
    answers: list[SpanRow] = []
    for span_id, span in by_id.items():
        parent = span["parent_span_id"]
        if not parent:
            roots.append(span)
            parents[span_id] = None
        else:
            parents[span_id] = parent if parent in by_id and parent != span_id else None
        if _is_model(span):
            models.append(span_id)
            if span["start_ns"] == span["end_ns"]:
                answers.append(span)
        if span["status"] == "error":
            errors.append(span_id)
    depths = _depths(by_id, parents)
    root = _earliest(roots) if roots else _earliest(by_id[i] for i, above in parents.items() if above is None)
    calls = _without_any_below(models, parents)
    duplicates = _streamed(answers, calls, by_id, parents) if answers else {}
    calls = {span_id for span_id in calls if not _is_opened_only(by_id[span_id], duplicates)}
    duplicates |= _told_by_wrapper(models, calls, by_id, parents)
    failing = _without_any_below(errors, parents) if errors else set()
    return TraceFacts(
        root_span_id=root,
        is_orphan=not roots and bool(by_id),
        call_span_ids=frozenset(calls),
        error_span_id=_deepest(failing, by_id, depths) if failing else None,
        depths=depths,
        parents=parents,
        duplicates=duplicates,
    )


def _alone(span: SpanRow) -> TraceFacts:
    """Return the facts of a trace of one span, which many are: a call without an application around it."""
    span_id: str = span["span_id"]
    is_call = _is_model(span) and not _is_opened_only(span, {})
    return TraceFacts(
        root_span_id=span_id,
        is_orphan=bool(span["parent_span_id"]),
        call_span_ids=frozenset((span_id,)) if is_call else frozenset(),
        error_span_id=span_id if span["status"] == "error" else None,
        depths={span_id: 0},
        parents={span_id: None},
        duplicates={},
    )


def _is_model(span: SpanRow) -> bool:
    kind = span["kind"]
    return kind in MODEL_KINDS and (kind != "reranker" or span.get("model") is not None)


def pick_duplicates(calls: Iterable[SpanRow]) -> dict[tuple[str, str], list[tuple[str, str]]]:
    """Return which calls are the same request: winner -> losers.

    An equal ``response_id`` alone does not say so: local models number their answers over again, and proxies give one
    id to all. Two spans are one call when the id is equal and they overlap in time, or say the same usage at nearly
    the same time. Spans of one instrumentation, which reports a call once, are two when they do not overlap or say
    different usage.

    Calls are named ``(trace_id, span_id)``. The winner is the one that reports most of input and output tokens, then
    one that says what was answered, then the earliest start, then the smallest trace and span id; so the answer does
    not depend on the order of arrival. Losers are in that same order. Calls without a ``response_id`` are never
    duplicates; groups of one are left out.

    Args:
        calls: rows with ``trace_id``, ``span_id``, ``response_id``, ``input_tokens``, ``output_tokens``, ``output``,
            ``start_ns``, ``end_ns``, ``scope``.
    """
    groups: dict[str, dict[tuple[str, str], SpanRow]] = {}
    for call in calls:
        response_id = call["response_id"]
        if response_id:
            groups.setdefault(response_id, {})[call["trace_id"], call["span_id"]] = call
    picked: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for group in groups.values():
        for same in _same_calls(group) if len(group) > 1 else ():
            winner, *losers = (key for _, key in sorted((_preference(group[key]), key) for key in same))
            picked[winner] = losers
    return picked


def _same_calls(group: Mapping[tuple[str, str], SpanRow]) -> list[list[tuple[str, str]]]:
    """Return the spans of one response id that are one call each; only those of more than one span."""
    ordered = sorted(group, key=lambda key: (group[key]["start_ns"], key))
    clusters: dict[tuple[str, str], list[tuple[str, str]]] = {key: [key] for key in ordered}
    open_keys: list[tuple[str, str]] = []
    for key in ordered:
        call = group[key]
        open_keys = [other for other in open_keys if _end(group[other]) + NEAR_NS >= call["start_ns"]]
        for other in open_keys:
            mine, others = clusters[key], clusters[other]
            if mine is not others and _is_same_call(group[other], call):
                others += mine
                clusters.update(dict.fromkeys(mine, others))
        open_keys.append(key)
    found = {id(cluster): cluster for cluster in clusters.values() if len(cluster) > 1}
    return list(found.values())


def _is_same_call(first: SpanRow, second: SpanRow) -> bool:
    """Return whether two spans with one response id, the one that started first in front, are one call."""
    usage, other = (_usage(call) for call in (first, second))
    says_same = usage == other and None not in usage
    is_one_client = bool(first.get("scope")) and first.get("scope") == second.get("scope")
    if second["start_ns"] <= _end(first):
        return says_same or not is_one_client or None in (*usage, *other)
    return says_same and not is_one_client


def _usage(call: SpanRow) -> tuple[int | None, int | None]:
    return call["input_tokens"], call["output_tokens"]


def _end(call: SpanRow) -> int:
    end: int = max(call["start_ns"], call.get("end_ns") or 0)
    return end


def is_unpriced(call: SpanRow) -> bool:
    """Return whether a call has no cost but may have cost something: it did not fail, or it reports usage."""
    return call["cost_usd"] is None and (call["status"] != "error" or call["input_tokens"] is not None)


def _preference(call: SpanRow) -> tuple[int, int, int]:
    missing = (call["input_tokens"] is None) + (call["output_tokens"] is None)
    return missing, call.get("output") is None, call["start_ns"]


def _first_of_each_id(spans: Sequence[SpanRow]) -> dict[str, SpanRow]:
    """Return one row per span id: the earliest, with every tie broken by the row's own values."""
    by_id: dict[str, SpanRow] = {}
    for span in spans:
        known = by_id.get(span["span_id"])
        if known is None or _row_key(span) < _row_key(known):
            by_id[span["span_id"]] = span
    return by_id


def _row_key(span: SpanRow) -> tuple[int, int, str, str, str, str]:
    return (
        span["start_ns"],
        span["end_ns"] or 0,
        span["parent_span_id"] or "",
        str(span["kind"]),
        str(span["status"]),
        repr([span.get(name) for name in ("model", "input_tokens", "output_tokens", "output")]),
    )


def _start_key(span: SpanRow) -> tuple[int, str]:
    return span["start_ns"], span["span_id"]


def _earliest(spans: Iterable[SpanRow]) -> str | None:
    first = min(spans, key=_start_key, default=None)
    return None if first is None else first["span_id"]


def _depths(by_id: Mapping[str, SpanRow], parents: dict[str, str | None]) -> dict[str, int]:
    """Return the depth of every span; cuts cycles in ``parents`` on the way."""
    depths: dict[str, int] = {}
    for start, up in parents.items():
        if start in depths:
            continue
        if up is None or up in depths:  # parents mostly come first
            depths[start] = 0 if up is None else depths[up] + 1
            continue
        path: list[str] = []
        on_path: set[str] = set()
        above: str | None = start
        while above is not None and above not in depths:
            if above in on_path:
                cut = _earliest(by_id[span_id] for span_id in path[path.index(above) :])
                assert cut is not None
                parents[cut] = None
                # The members between the cut and the top of the path now hang below the cut: walk again.
                path, on_path, above = [], set(), start
                continue
            path.append(above)
            on_path.add(above)
            above = parents[above]
        depth = -1 if above is None else depths[above]
        for span_id in reversed(path):
            depth += 1
            depths[span_id] = depth
    return depths


def _without_any_below(marked: list[str], parents: Mapping[str, str | None]) -> set[str]:
    """Return the marked spans with no other marked span below them; stops climbing where someone climbed before."""
    has_below: set[str] = set()
    for span_id in marked:
        above = parents[span_id]
        while above is not None and above not in has_below:
            has_below.add(above)
            above = parents[above]
    return {span_id for span_id in marked if span_id not in has_below}


def _deepest(failing: set[str], by_id: Mapping[str, SpanRow], depths: Mapping[str, int]) -> str:
    return min(failing, key=lambda span_id: (-depths[span_id], by_id[span_id]["end_ns"] or 0, span_id))


def _streamed(
    answers: list[SpanRow], calls: set[str], by_id: Mapping[str, SpanRow], parents: Mapping[str, str | None]
) -> dict[str, tuple[str, ...]]:
    """Join streamed answers, which say what there is to say, to the call beside them; takes that out of ``calls``."""
    answers = [s for s in answers if s["span_id"] in calls and s["kind"] == "llm" and s["output"] is not None]
    if not answers:
        return {}
    waiting: dict[tuple[str | None, object], list[SpanRow]] = {}
    for span_id in calls:
        span = by_id[span_id]
        if span["kind"] == "llm" and _awaits_answer(span):
            waiting.setdefault((_given_parent(span, parents), _asked_model(span)), []).append(span)
    for group in waiting.values():
        group.sort(key=lambda span: (span["end_ns"] or 0, span["span_id"]), reverse=True)
    ended: dict[tuple[str | None, object], list[SpanRow]] = {}
    joined: dict[str, tuple[str, ...]] = {}
    for answer in sorted(answers, key=_start_key):
        place = _given_parent(answer, parents), _asked_model(answer)
        stack, group = ended.setdefault(place, []), waiting.get(place, [])
        while group and (group[-1]["end_ns"] or 0) <= answer["start_ns"]:
            stack.append(group.pop())
        if not stack:
            continue
        call = stack.pop()  # the one that ended last before the answer
        calls.discard(call["span_id"])
        joined[answer["span_id"]] = (call["span_id"],)
    return joined


def _told_by_wrapper(
    models: list[str], calls: set[str], by_id: Mapping[str, SpanRow], parents: Mapping[str, str | None]
) -> dict[str, tuple[str, ...]]:
    """Let the wrapper of a silent call stand for it in ``calls``; return wrapper -> the call."""
    silent = [i for i in calls if (s := by_id[i])["output"] is None and s["kind"] == "llm" and s["status"] != "error"]
    if not silent:
        return {}
    above = {span_id: _model_above(span_id, by_id, parents) for span_id in models}
    below = Counter(above.values())
    told: dict[str, tuple[str, ...]] = {}
    for span_id in silent:
        call, outer = by_id[span_id], above[span_id]
        if outer is None or below[outer] != 1:
            continue
        wrapper = by_id[outer]
        if wrapper["kind"] != "llm" or wrapper["output"] is None or wrapper["status"] == "error":
            continue
        if all(call[name] in (None, wrapper[name]) for name in ("input_tokens", "output_tokens")):
            calls.discard(span_id)
            calls.add(outer)
            told[outer] = (span_id,)
    return told


def _model_above(span_id: str, by_id: Mapping[str, SpanRow], parents: Mapping[str, str | None]) -> str | None:
    """Return the nearest model span above a span, if it is near."""
    above = parents[span_id]
    for _ in range(REACH):
        if above is None or _is_model(by_id[above]):
            return above
        above = parents[above]
    return None


def _is_opened_only(span: SpanRow, duplicates: Mapping[str, tuple[str, ...]]) -> bool:
    """Return whether a span is the opening of a Logfire stream whose answer is in another trace."""
    if not (span.get("scope") or "").startswith("logfire.") or span["kind"] != "llm" or span.get("response_id"):
        return False
    return _awaits_answer(span) and span["span_id"] not in duplicates


def _asked_model(span: SpanRow) -> object:
    """Return the model that was asked for: the one that answered is known to one half of a streamed call only."""
    return span.get("requested_model") or span["model"]


def _given_parent(span: SpanRow, parents: Mapping[str, str | None]) -> str | None:
    """Return the parent as sent, so that two orphans of one lost parent are still beside each other."""
    return parents[span["span_id"]] or span["parent_span_id"] or None


def _awaits_answer(span: SpanRow) -> bool:
    return (
        span["start_ns"] != span["end_ns"]
        and span["status"] != "error"
        and span["input_tokens"] is None
        and span["output_tokens"] is None
        and span["output"] is None
    )
