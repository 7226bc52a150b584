"""How label schemas, queues, what raters do, how far they are and how right they are look."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from lmops.base.sheet import aligned, framed
from lmops.base.shown import html_of, text_of
from lmops.base.units import duration, share
from lmops.feedback._label_records import Adjudication, Kept, LabelField, LabelSchema, Queue, QueueProgress, Turn
from lmops.feedback._measured import GoldAccuracy
from lmops.text import escape, one_line, plain, plain_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: JupyterLab keeps plain styles only; the colours are those of the page.
_CARD: Final = '<div style="max-height:420px;overflow:auto">{}</div>'
_LINE: Final = '<p style="margin:0 0 4px">{}</p>'
_BAR: Final = (
    '<progress max="{most}" value="{value}" style="width:100%;max-width:360px" aria-label="{said}"></progress>'
)


@text_of.register(LabelSchema)
def _(schema: LabelSchema) -> str:
    lines = [schema.ref, *([plain(schema.criteria)] if schema.criteria else [])]
    return "\n".join([*lines, *(f"  {_field(field)}" for field in schema.fields)])


def _field(field: LabelField) -> str:
    """Return a field on one line: what it is, how it is chosen, what it means."""
    said = f": {plain_line(field.criteria, 200)}" if field.criteria else ""
    keys = _keys(field)
    return f"{field.name} ({_kind(field)}){said}{f' - {keys}' if keys else ''}"


def _kind(field: LabelField) -> str:
    return f"{field.kind.replace('_', ' ')}{', required' if field.is_required else ''}"


def _keys(field: LabelField) -> str:
    return ", ".join(f"{plain_line(value, 40)} [{plain_line(key, 1)}]" for value, key in field.keys.items())


@html_of.register(LabelSchema)
def _(schema: LabelSchema) -> str:
    rows = [
        [field.name, _kind(field), _keys(field) or ", ".join(field.options), field.criteria] for field in schema.fields
    ]
    note = " · ".join(part for part in (schema.criteria, schema.note or "") if part)
    title = f"label schema {schema.ref} by {schema.author}, {schema.created_at:%Y-%m-%d %H:%M}"
    return framed(title, ["field", "kind", "answers [key]", "criteria"], rows, note=note, cell=300, wraps=True)


@text_of.register(Queue)
def _(queue: Queue) -> str:
    who = f" by {plain_line(', '.join(queue.raters), 200)}" if queue.raters else ""
    added = f" ({queue.added:,} added)" if queue.added else ""
    parts = [_asked(queue), *_ways(queue)]
    return (
        f"queue {queue.name}, {queue.status}: {queue.count:,} items{added} under {queue.schema_ref}{who}; "
        f"{'; '.join(parts)}"
    )


def _asked(queue: Queue) -> str:
    if queue.k == 1:
        return "one rater an item"
    return f"{queue.k} raters for {share(queue.overlap)} of them, one for the others"


def _ways(queue: Queue) -> Iterable[str]:
    """Yield what is not as usual in how items are handed out."""
    if queue.order == "random":
        yield "in an order of their own for each rater"
    if queue.gold_share:
        yield f"the answers of {share(queue.gold_share)} of what a rater is handed are known"
    if not queue.is_blind:
        yield "raters see the labels of others"


@html_of.register(Queue)
def _(queue: Queue) -> str:
    rows = [
        ("items", f"{queue.count:,}" + (f", {queue.added:,} of them added now" if queue.added else "")),
        ("schema", queue.schema_ref),
        ("chosen", queue.strategy.replace("_", " ")),
        ("raters", ", ".join(queue.raters) or "everybody"),
        ("asked", _asked(queue)),
        ("order", "of their own for each rater" if queue.order == "random" else "as given"),
        ("blind", "yes" if queue.is_blind else "no: raters see the labels of others"),
    ]
    if queue.gold_share:
        rows.append(("known answers", f"{share(queue.gold_share)} of what a rater is handed"))
    return framed(f"queue {queue.name}, {queue.status}", ["", ""], rows, cell=300, wraps=True)


@text_of.register(QueueProgress)
def _(progress: QueueProgress) -> str:
    heads, rows = _raters(progress)
    return "\n".join(
        [_far(progress), *aligned([heads, *rows], numbers=range(1, len(heads)))] if rows else [_far(progress)]
    )


@html_of.register(QueueProgress)
def _(progress: QueueProgress) -> str:
    heads, rows = _raters(progress)
    bar = _BAR.format(most=progress.items or 1, value=progress.done, said=escape(_far(progress)))
    if not rows:
        return _CARD.format(_LINE.format(f"<b>{one_line(_far(progress), 300)}</b>") + bar)
    return bar + framed(_far(progress), heads, rows, numbers=range(1, len(heads)))


def _far(progress: QueueProgress) -> str:
    part = f" ({share(progress.done / progress.items)})" if progress.items else ""
    gone = f"; the traces of {progress.gone:,} are gone" if progress.gone else ""
    return f"queue {progress.queue}: {progress.done:,} of {progress.items:,} items done{part}{gone}"


def _raters(progress: QueueProgress) -> tuple[list[str], list[list[str]]]:
    """Return how far each rater is; what is asked again stands there only where something is."""
    has_old = any(one.old for one in progress.raters)
    heads = ["rater", "done", "skipped", "held", *(["to label anew"] if has_old else []), "each"]
    rows = [
        [
            plain_line(one.rater, 60),
            *(f"{n:,}" for n in (one.done, one.skipped, one.held, *([one.old] if has_old else []))),
            duration(one.seconds * 1000 / one.done) if one.done and one.seconds else "-",
        ]
        for one in progress.raters
    ]
    return heads, rows


@text_of.register(GoldAccuracy)
def _(found: GoldAccuracy) -> str:
    heads, rows = _right(found)
    return "\n".join([_known(found), *(aligned([heads, *rows], numbers=(1, 2)) if rows else []), *_drifts(found)])


@html_of.register(GoldAccuracy)
def _(found: GoldAccuracy) -> str:
    heads, rows = _right(found)
    return framed(_known(found), heads, rows, numbers=(1, 2), note=". ".join(_drifts(found)))


def _known(found: GoldAccuracy) -> str:
    n = sum(one.n for one in found.raters)
    return f"queue {found.queue}: {n:,} known answers asked of {len(found.raters)} raters"


def _right(found: GoldAccuracy) -> tuple[list[str], list[list[str]]]:
    rows = [
        [
            plain_line(one.rater, 60),
            f"{one.n:,}",
            f"{one.right:,}",
            f"{share(one.rate[0])} ({share(one.rate[1])} to {share(one.rate[2])})",
            share(one.early),
            share(one.late),
            "-" if one.p is None else f"{one.p:.2g}",
        ]
        for one in found.raters
    ]
    return ["rater", "asked", "right", "accuracy", "earlier half", "later half", "p"], rows


def _drifts(found: GoldAccuracy) -> list[str]:
    return [
        f"{plain_line(one.rater, 60)} drifts: right in {share(one.early)} of the earlier half, in {share(one.late)} of "
        "the later"
        for one in found.raters
        if one.is_drifting
    ]


@text_of.register(Turn)
def _(turn: Turn) -> str:
    said = "" if turn.said is None else f": {plain_line(turn.said, 200)}"
    return f"item {turn.position} of {turn.queue}, {plain_line(turn.item, 100)}{said}"


@html_of.register(Turn)
def _(turn: Turn) -> str:
    told = {name: getattr(turn, name) for name in ("trace_id", "span_id", "run_id", "example_id", "repeat")}
    rows = [(name.replace("_", " "), value) for name, value in told.items() if value is not None]
    rows += [("said", _values(turn.said))] if turn.said is not None else []
    rows += [("note", turn.note)] if turn.note else []
    rows += [(f"said by {rater}", _values(said)) for rater, said in turn.others]
    until = "" if turn.until is None else f", held until {turn.until:%H:%M:%S} UTC"
    return framed(f"item {turn.position} of queue {turn.queue}{until}", ["", ""], rows, cell=400, wraps=True)


def _values(values: Mapping[str, Any]) -> str:
    """Return what was said, field by field; what was written beside a verdict follows it."""
    parts = []
    for field, value in values.items():
        if isinstance(value, dict):
            said = ": ".join(str(part) for part in value.values())
        else:
            said = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        parts.append(f"{field} {said}")
    return "; ".join(parts)


@text_of.register(Kept)
def _(kept: Kept) -> str:
    on = ", ".join(map(str, kept.positions[:5])) + (", ..." if len(kept.positions) > 5 else "")
    return f"{kept.action} of item {on}: {'there already' if kept.is_repeated else 'kept'}"


@text_of.register(Adjudication)
def _(made: Adjudication) -> str:
    decided = f"item {made.position} of {made.queue}: {plain_line(made.values, 200)}"
    return f"{decided}, decided by {plain_line(made.actor, 60)} (event {made.event_id})"


@html_of.register(Adjudication)
def _(made: Adjudication) -> str:
    rows = [
        ("decided", _values(made.values)),
        ("by", made.actor),
        ("why", made.reason or "-"),
        ("event", made.event_id),
    ]
    return framed(f"item {made.position} of queue {made.queue}", ["", ""], rows, cell=400, wraps=True)
