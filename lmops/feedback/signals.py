"""What users say, in one form: a thumb, a number on a scale, a category, a text or the right answer, and on what."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final, get_args

from lmops.errors import UsageError, did_you_mean
from lmops.feedback._records import Kind, Signal, Target
from lmops.records import check_words
from lmops.text import plain_line
from lmops.times import to_ns

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

KINDS: Final[tuple[str, ...]] = get_args(Kind)
THUMB: Final = "thumb"
#: Names under which a bare 1, 0 or -1 is a thumb.
_THUMB_NAMES: Final = frozenset({THUMB, "thumbs", "vote"})
#: Names that say of which kind a signal is.
_NAMED_KINDS: Final[dict[str, Kind]] = {**dict.fromkeys(_THUMB_NAMES, "thumb"), "correction": "correction"}
_UP: Final = frozenset({"up", "thumbs_up", "thumb_up", "thumbsup", "👍", "+1"})
_DOWN: Final = frozenset({"down", "thumbs_down", "thumb_down", "thumbsdown", "👎"})
#: What is a thumb only where one was asked for.
_UP_IF_ASKED: Final = _UP | {"1", "1.0", "true", "yes", "like", "liked", "good", "positive", "❤"}
_DOWN_IF_ASKED: Final = _DOWN | {"-1", "-1.0", "0", "0.0", "false", "no", "dislike", "disliked", "bad", "negative"}
#: Skin tones, and what makes a sign of text a picture.
_DRESS: Final = re.compile("[\U0001f3fb-\U0001f3ff\ufe0e\ufe0f]")
_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_TRACE_ID: Final = re.compile("[0-9a-f]{32}")
_SPAN_ID: Final = re.compile("[0-9a-f]{16}")
_MOST_CATEGORY: Final = 200
_MOST_TEXT: Final = 100_000
_MOST_ID: Final = 1_000
#: What 64 bits hold of nanoseconds: the years 1678 to 2262.
_MOST_NS: Final = 2**63 - 1


def make_signal(
    *,
    value: object,
    trace_id: str | None = None,
    span_id: str | None = None,
    response_id: str | None = None,
    session_id: str | None = None,
    name: str = THUMB,
    kind: str | None = None,
    scale: Sequence[float] | None = None,
    comment: str | None = None,
    user: str | None = None,
    source: str | None = None,
    at: str | datetime | None = None,
    key: str | None = None,
) -> Signal:
    """Return what was said, in the one form that is kept.

    Args:
        value: See :meth:`lmops.feedback.Feedback.record`, as for the others.
        trace_id: The trace; beside a span or a response the one that it is in.
        span_id: The span.
        response_id: The response.
        session_id: The conversation; it counts where nothing nearer is named.
        name: What was asked.
        kind: One of ``KINDS``; found out by default.
        scale: Least and greatest number.
        comment: What was said beside it.
        user: Who said it.
        source: Where it came from.
        at: When.
        key: What tells it apart where nobody is named.

    Raises:
        UsageError: Something of it cannot be used; the message says what and what would work.
    """
    asked = _identifier(name, "name", most=_MOST_CATEGORY)
    if asked is None:
        raise UsageError("the name of a signal is empty: leave it out for 'thumb', or write such as name='rating'")
    made = _meaning(asked, value, kind, scale)
    at_ns = None if at is None else to_ns(at)
    if at_ns is not None and not 0 <= at_ns <= _MOST_NS:
        raise UsageError(f"{plain_line(at, 60)!r} is no time of a signal: it lies before 1970 or after 2262")
    return replace(
        _placed(made, trace_id, span_id, response_id, session_id),
        comment=check_words(comment, "comment", limit=_MOST_TEXT),
        user_id=_identifier(user, "user"),
        source=_identifier(source, "source", most=_MOST_CATEGORY),
        at_ns=at_ns,
        key=_identifier(key, "key"),
    )


def _placed(
    made: Signal, trace_id: str | None, span_id: str | None, response_id: str | None, session_id: str | None
) -> Signal:
    """Return a signal with what it is on: the nearest of what is named."""
    trace, span = _hex(trace_id, "trace_id", _TRACE_ID, 32), _hex(span_id, "span_id", _SPAN_ID, 16)
    response, session = _identifier(response_id, "response_id"), _identifier(session_id, "session_id")
    named: list[tuple[Target, str | None]] = [
        ("span", span),
        ("response", response),
        ("trace", trace),
        ("session", session),
    ]
    target = next((target for target, place in named if place is not None), None)
    if target is None:
        raise UsageError("a signal needs what it is on: one of trace_id=, span_id=, response_id= and session_id=")
    return replace(
        made,
        target=target,
        trace_id=None if target == "session" else trace,
        span_id=span if target == "span" else None,
        response_id=response if target == "response" else None,
        session_id=session if target == "session" else None,
    )


def _hex(value: object, what: str, form: re.Pattern[str], digits: int) -> str | None:
    text = _identifier(value, what)
    if text is None:
        return None
    found = text.lower().replace("-", "")
    if not form.fullmatch(found):
        raise UsageError(f"{what}={plain_line(text, 60)!r} is none: {digits} hexadecimal digits, as the traces show it")
    return found


def _identifier(value: object, what: str, *, most: int = _MOST_ID) -> str | None:
    """Return an id or a name without the blanks around it; None where there is none."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    text = check_words(value, what, limit=most)
    if text is None and value is not None:
        raise UsageError(f"{what} is empty: leave it out where it is not known")
    return text


def _meaning(name: str, value: object, kind: str | None, scale: Sequence[float] | None) -> Signal:
    """Return what a value means under a name."""
    if kind is not None and kind not in KINDS:
        raise UsageError(did_you_mean("kind of signal", str(kind), KINDS))
    if value is None or (isinstance(value, str) and not value.strip()):
        raise UsageError(f"{name}: the value is empty; a comment alone is name='comment', value='...'")
    known = kind or _NAMED_KINDS.get(name.lower()) or _found_kind(value)
    if scale is not None and known != "number":
        raise UsageError(f"{name}: only numbers have a scale, and {plain_line(repr(value), 60)} is a {known}")
    if known == "thumb":
        up = _thumb(name, value)
        return Signal(target="trace", name=name, kind="thumb", value="up" if up else "down", number=float(up))
    if known == "number":
        number, (low, high) = _number(name, value), scale_of(name, scale)
        if (low is not None and number < low) or (high is not None and number > high):
            raise UsageError(f"{name}: {number:g} is outside its scale of {low:g} to {high:g}")
        return Signal(
            target="trace",
            name=name,
            kind="number",
            value=f"{number:.15g}",
            number=number,
            scale_low=low,
            scale_high=high,
        )
    text = check_words(value if isinstance(value, str) else str(value), name, limit=_MOST_TEXT) or ""
    if known == "category" and (len(text) > _MOST_CATEGORY or "\n" in text):
        raise UsageError(f"{name}: a category is one line of at most {_MOST_CATEGORY} characters; kind='text' takes it")
    return Signal(target="trace", name=name, kind=known, value=text)  # type: ignore[arg-type]  # one of KINDS


def _found_kind(value: object) -> Kind:
    if isinstance(value, bool):
        return "thumb"
    if isinstance(value, int | float):
        return "number"
    if not isinstance(value, str):
        raise UsageError(f"a value is a bool, a number or text, not {type(value).__name__}")
    text = _DRESS.sub("", value.strip().lower())
    if text in _UP | _DOWN:
        return "thumb"
    if _NUMBER.fullmatch(text):
        return "number"
    return "text" if len(text) > _MOST_CATEGORY or "\n" in text else "category"


def _thumb(name: str, value: object) -> bool:
    said = _DRESS.sub("", str(value).strip().lower().replace(" ", "_").strip(":"))
    if said not in _UP_IF_ASKED | _DOWN_IF_ASKED:
        raise UsageError(
            f"{name}: {plain_line(repr(value), 60)} is no thumb: give 'up' or 'down' (also True, False, 1, -1), or "
            "another name, such as name='rating', scale=(1, 5)"
        )
    return said in _UP_IF_ASKED


def _number(name: str, value: object) -> float:
    try:
        number = float(value)  # type: ignore[arg-type]  # whatever cannot be one raises
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise UsageError(f"{name}: {plain_line(repr(value), 60)} is no number")
    return number


def scale_of(name: str, scale: Sequence[float] | None) -> tuple[float | None, float | None]:
    """Return the least and the greatest number of a scale; None for both where there is none.

    Args:
        name: What it is the scale of, for the message.
        scale: Both, as somebody gave them.

    Raises:
        UsageError: It is no scale.
    """
    if scale is None:
        return None, None
    try:
        low, high = (_number(name, one) for one in scale)
    except (TypeError, ValueError):
        low, high = 0.0, 0.0
    if not low < high:
        raise UsageError(f"{name}: scale={plain_line(repr(scale), 60)}: give the least and the greatest, as (1, 5)")
    return low, high
