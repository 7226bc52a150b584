"""A figure as a small SVG: bars, lines, bands and marks with their intervals, for pages that run no script."""

from __future__ import annotations

import html
import itertools
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from lmops.text import attribute, escape, no_maths, plain_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_WIDTH: Final = 760
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 12, 56, 36
_GREY: Final = "#8b93a1"
_GRID: Final = "rgba(139,147,161,0.22)"
_DASHES: Final = {"dot": "2 3", "dash": "6 4"}
_TICKS: Final = 5
_CHARACTER: Final = 6.4
#: At most so many labels stand under an axis of names.
_NAMES: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class _Axis:
    """One axis: from its values to pixels, and its ticks."""

    names: tuple[str, ...]
    low: float
    high: float
    start: float
    end: float
    is_time: bool
    ticks: tuple[tuple[float, str], ...]

    def number(self, value: Any) -> float | None:
        """Return a value as a number on the axis; None for what is missing."""
        if value is None:
            return None
        if self.names:
            return float(self.names.index(str(value)))
        return _seconds(value) if self.is_time else float(value)

    def at(self, number: float) -> float:
        """Return the pixel of a number."""
        return self.start + (number - self.low) / ((self.high - self.low) or 1.0) * (self.end - self.start)


def drawing(figure: dict[str, Any], ink: str = "currentColor") -> str:
    """Return the SVG of a figure as plotly's JSON has it; what it does not know, such as hover texts, is left out.

    Args:
        figure: Its layout and data.
        ink: The colour of texts: that of the page, which an image of the drawing does not see.
    """
    layout, traces = figure["layout"], [dict(trace) for trace in figure["data"]]
    title = _title(layout).replace("<br>", " ")  # here it has room
    is_sideways = any(trace.get("orientation") == "h" or _labels(layout, trace) for trace in traces)
    left = _LEFT if not is_sideways else min(300.0, 16 + _CHARACTER * _longest(layout))
    named = list({str(one["name"]): one for one in traces if one.get("name") and one.get("showlegend") is not False})
    rows = 1 + len(named) // 5
    height = float(layout.get("height") or 260) + 14 * (rows - 1)
    parts = [_text(4, 16, title, size=13), *_legend(traces, named)]
    area = (left, _TOP + 14.0 * (rows - 1), _WIDTH - _RIGHT, height - _BOTTOM)
    if traces:
        for number in sorted({_number(trace) for trace in traces}):
            mine = [trace for trace in traces if _number(trace) == number]
            parts += _panel(layout, mine, number, area)
    parts += _notes(layout, area)
    body = "".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height:.0f}" width="{_WIDTH}" role="img" '
        'style="max-width:100%;height:auto" '
        f'font-family="system-ui, sans-serif" font-size="11" fill="{ink}">'
        f"<title>{_words(title)}</title>{body}</svg>"
    )


# -- parts ---------------------------------------------------------------------------------------------------------


def _panel(
    layout: dict[str, Any], traces: list[dict[str, Any]], number: int, area: tuple[float, float, float, float]
) -> Iterator[str]:
    """Yield one panel: its axes, then what is drawn in it, bands behind lines."""
    suffix = "" if number == 1 else str(number)
    across, up = dict(layout.get(f"xaxis{suffix}") or {}), dict(layout.get(f"yaxis{suffix}") or {})
    left, top, right, bottom = area
    begin, finish = across.get("domain") or (0, 1)
    lowest, highest = up.get("domain") or (0, 1)
    wide, high = right - left, bottom - top
    x = _axis(across, traces, "x", left + begin * wide, left + finish * wide)
    y = _axis(up, traces, "y", bottom - lowest * high, bottom - highest * high)
    yield from _grid(x, y, across, up)
    stacked: dict[float, float] = {}
    for place, trace in enumerate(sorted(traces, key=lambda one: one.get("fill") != "toself")):
        if trace.get("type") == "bar":
            yield from _bars(trace, x, y, stacked)
        else:
            shift = (place - (len(traces) - 1) / 2) * 14 if layout.get("scattermode") == "group" and x.names else 0.0
            yield from _scatter(trace, x, y, shift)
    for shape in layout.get("shapes") or ():
        if shape.get("type") == "line" and shape.get("x0") == shape.get("x1") and not x.names:
            where = x.number(shape["x0"])
            if where is not None and x.low <= where <= x.high:
                yield _line(x.at(where), y.start, x.at(where), y.end, _GREY, dash="2 3")


def _grid(x: _Axis, y: _Axis, across: dict[str, Any], up: dict[str, Any]) -> Iterator[str]:
    for number, label in y.ticks:
        yield _line(x.start, y.at(number), x.end, y.at(number), _GRID)
        yield _text(x.start - 6, y.at(number) + 4, label, anchor="end")
    for number, label in x.ticks:
        yield _line(x.at(number), y.start, x.at(number), y.start + 4, _GRID)
        yield _text(x.at(number), y.start + 16, label, anchor="middle")
    yield _text((x.start + x.end) / 2, y.start + 30, _title(across), anchor="middle")
    yield _text(4, y.end - 8, _title(up))


def _bars(trace: dict[str, Any], x: _Axis, y: _Axis, stacked: dict[float, float]) -> Iterator[str]:
    colour = _colour(trace)
    is_sideways = trace.get("orientation") == "h"
    along, beside = (x, y) if is_sideways else (y, x)
    values, places = (trace["x"], trace["y"]) if is_sideways else (trace["y"], trace["x"])
    known = sorted({at for at in map(beside.number, places) if at is not None})
    step = min((b - a for a, b in itertools.pairwise(known)), default=beside.high - beside.low or 1.0)
    thick = max(1.0, 0.8 * abs(beside.at(step) - beside.at(0.0)))
    for value, place in zip(values, places, strict=True):
        at = beside.number(place)
        if value is None or at is None:
            continue
        base = stacked.get(at, 0.0)
        stacked[at] = base + float(value)
        first, last = sorted((along.at(base), along.at(base + float(value))))
        middle = beside.at(at) - thick / 2
        a, b, wide, high = (first, middle, last - first, thick) if is_sideways else (middle, first, thick, last - first)
        yield f'<rect x="{a:.1f}" y="{b:.1f}" width="{wide:.1f}" height="{high:.1f}" fill="{colour}"/>'


def _scatter(trace: dict[str, Any], x: _Axis, y: _Axis, shift: float) -> Iterator[str]:
    colour = _colour(trace)
    points = [
        None if (a := x.number(one)) is None or (b := y.number(other)) is None else (x.at(a) + shift, y.at(b))
        for one, other in zip(trace.get("x") or (), trace.get("y") or (), strict=True)
    ]
    if trace.get("fill") == "toself":
        yield f'<polygon points="{_path(filter(None, points))}" fill="{escape(trace.get("fillcolor", _GRID))}"/>'
        return
    yield from _intervals(trace, x, y, points, colour)
    mode = str(trace.get("mode") or "lines")
    if "lines" in mode:
        dash = _DASHES.get(str((trace.get("line") or {}).get("dash")), "")
        for run in _runs(points):
            yield (
                f'<polyline points="{_path(run)}" fill="none" stroke="{colour}" stroke-width="1.6" '
                f'stroke-dasharray="{dash}"/>'
            )
    if "markers" in mode:
        marker = trace.get("marker") or {}
        fill = "none" if "open" in str(marker.get("symbol")) else colour
        for a, b in filter(None, points):
            radius = float(marker.get("size") or 6) / 2
            yield f'<circle cx="{a:.1f}" cy="{b:.1f}" r="{radius:g}" fill="{fill}" stroke="{colour}"/>'


def _intervals(
    trace: dict[str, Any], x: _Axis, y: _Axis, points: Sequence[tuple[float, float] | None], colour: str
) -> Iterator[str]:
    for along, axis, at in (("x", x, 0), ("y", y, 1)):
        error = trace.get(f"error_{along}") or {}
        known = zip(points, trace[along], error.get("array") or (), error.get("arrayminus") or (), strict=False)
        for point, value, more, less in known:
            if point is None or value is None or more is None or less is None:
                continue
            ends = axis.at(float(value) - less), axis.at(float(value) + more)
            yield (
                _line(ends[0], point[1], ends[1], point[1], colour)
                if at == 0
                else _line(point[0], ends[0], point[0], ends[1], colour)
            )


def _legend(traces: list[dict[str, Any]], named: list[str]) -> Iterator[str]:
    colours = {str(trace.get("name")): _colour(trace) for trace in reversed(traces)}
    for place, name in enumerate(named):
        a, b = 4 + (place % 5) * 150, 34 + (place // 5) * 14
        yield f'<rect x="{a}" y="{b - 8}" width="9" height="9" fill="{colours[name]}"/>'
        yield _text(a + 14, b, name if len(name) <= 22 else f"{name[:21]}…")


# -- axes ----------------------------------------------------------------------------------------------------------


def _axis(given: dict[str, Any], traces: list[dict[str, Any]], letter: str, start: float, end: float) -> _Axis:
    """Return the axis that holds the values of all traces, with their intervals, as the layout wants it."""
    values = [value for trace in traces for value in trace.get(letter) or () if value is not None]
    is_time = bool(values) and all(_is_time(value) for value in values)
    names = () if is_time or not any(isinstance(value, str) for value in values) else tuple(map(str, values))
    names = tuple(dict.fromkeys(names))
    if names:
        step = -(-len(names) // _NAMES)
        shown = tuple((float(place), name) for place, name in enumerate(names) if place % step == 0)
        return _Axis(names=names, low=-0.5, high=len(names) - 0.5, start=start, end=end, is_time=False, ticks=shown)
    numbers = [_seconds(value) if is_time else float(value) for value in values]
    numbers += _ends(traces, letter) if not is_time else []
    has_bars = any(one.get("type") == "bar" for one in traces)
    # the template lets vertical axes begin at 0
    given = {"rangemode": "tozero" if letter == "y" else "normal", **given}
    low, high = _limits(given, numbers, is_time=is_time, has_bars=has_bars)
    ticks = _given_ticks(given) or (_time_ticks(low, high) if is_time else _ticks(low, high, given))
    return _Axis(names=(), low=low, high=high, start=start, end=end, is_time=is_time, ticks=ticks)


def _ends(traces: list[dict[str, Any]], letter: str) -> list[float]:
    """Return the ends of intervals, and what bars add up to."""
    found: list[float] = []
    stacked: dict[str, float] = {}
    for trace in traces:
        error = trace.get(f"error_{letter}") or {}
        for sign, side in ((1, "array"), (-1, "arrayminus")):
            pairs = zip(trace.get(letter) or (), error.get(side) or (), strict=False)
            found += [float(value) + sign * off for value, off in pairs if value is not None and off is not None]
        other = "y" if letter == "x" else "x"
        if trace.get("type") == "bar" and (trace.get("orientation") == "h") == (letter == "x"):
            for value, place in zip(trace[letter], trace[other], strict=True):
                stacked[str(place)] = stacked.get(str(place), 0.0) + float(value or 0.0)
    return found + list(stacked.values())


def _limits(given: dict[str, Any], numbers: list[float], *, is_time: bool, has_bars: bool) -> tuple[float, float]:
    if given.get("range") and not is_time:
        low, high = given["range"]
        return float(low), float(high)
    low, high = min(numbers, default=0.0), max(numbers, default=1.0)
    room = 0.04 * (high - low) or 0.5
    if is_time or given.get("tickvals"):
        room = (high - low) / max(1, len(set(numbers)) - 1) / 2 if has_bars else room
        return low - room, high + room
    if given["rangemode"] == "tozero":
        return min(0.0, low - (room if low < 0 else 0.0)), max(0.0, high + room)
    return low - room, high + room


def _ticks(low: float, high: float, given: dict[str, Any]) -> tuple[tuple[float, str], ...]:
    """Return round numbers between two."""
    raw = (high - low) / _TICKS or 1.0
    scale = 10.0 ** math.floor(math.log10(raw))
    step = next(one * scale for one in (1, 2, 2.5, 5, 10) if one * scale >= raw)
    first = math.ceil(low / step)
    numbers = [place * step for place in range(first, math.floor(high / step) + 1)]
    is_share = "%" in str(given.get("tickformat") or "")
    return tuple((number, f"{100 * number:g} %" if is_share else f"{number:,.6g}") for number in numbers)


def _time_ticks(low: float, high: float) -> tuple[tuple[float, str], ...]:
    is_days = high - low > 2 * 86_400
    numbers = [low + (place + 0.5) * (high - low) / 6 for place in range(6)]
    if is_days:  # each day once, where it begins
        numbers = sorted({math.floor(number / 86_400) * 86_400.0 for number in numbers})
    form = "%m-%d" if is_days else "%m-%d %H:%M"
    return tuple((number, datetime.fromtimestamp(number, UTC).strftime(form)) for number in numbers if number >= low)


def _given_ticks(given: dict[str, Any]) -> tuple[tuple[float, str], ...]:
    pairs = zip(given.get("tickvals") or (), given.get("ticktext") or (), strict=False)
    return tuple((float(value), str(text)) for value, text in pairs)


# -- pieces --------------------------------------------------------------------------------------------------------


def _number(trace: dict[str, Any]) -> int:
    return int(str(trace.get("yaxis") or "y")[1:] or 1)


def _labels(layout: dict[str, Any], trace: dict[str, Any]) -> bool:
    suffix = str(trace.get("yaxis") or "y")[1:]
    return bool((layout.get(f"yaxis{suffix}") or {}).get("ticktext"))


def _longest(layout: dict[str, Any]) -> int:
    axes = [value for name, value in layout.items() if name.startswith("yaxis")]
    return max((len(html.unescape(str(text))) for axis in axes for text in axis.get("ticktext") or ()), default=8)


def _notes(layout: dict[str, Any], area: tuple[float, float, float, float]) -> Iterator[str]:
    """Yield the words that stand on the figure: the units of panels, or that there is nothing."""
    left, top, right, bottom = area
    for note in layout.get("annotations") or ():
        if note.get("xref") == note.get("yref") == "paper":
            a, b = left + note["x"] * (right - left), bottom - note["y"] * (bottom - top)
            yield _text(a, b - 4, str(note.get("text")), anchor="start" if note.get("xanchor") else "middle")


def _title(part: dict[str, Any]) -> str:
    return str((part.get("title") or {}).get("text") or "")


def _colour(trace: dict[str, Any]) -> str:
    found = (trace.get("marker") or {}).get("color") or (trace.get("line") or {}).get("color") or _GREY
    return escape(found if isinstance(found, str) else _GREY)


def _is_time(value: object) -> bool:
    if isinstance(value, datetime):
        return True
    try:
        return isinstance(value, str) and len(value) >= 10 and bool(datetime.fromisoformat(value))
    except ValueError:
        return False


def _seconds(value: Any) -> float:
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _runs(points: Iterable[tuple[float, float] | None]) -> Iterator[list[tuple[float, float]]]:
    """Yield the points between gaps."""
    run: list[tuple[float, float]] = []
    for point in points:
        if point is not None:
            run.append(point)
        elif run:
            yield run
            run = []
    if run:
        yield run


def _path(points: Iterable[tuple[float, float]]) -> str:
    return " ".join(f"{a:.1f},{b:.1f}" for a, b in points)


def _line(a: float, b: float, c: float, d: float, colour: str, *, dash: str = "") -> str:
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    return f'<line x1="{a:.1f}" y1="{b:.1f}" x2="{c:.1f}" y2="{d:.1f}" stroke="{colour}"{dashed}/>'


def _words(text: str) -> str:
    """Return text of a figure for a drawing: without plotly's escapes, with none of a page's marks and no formula."""
    return no_maths(attribute(plain_line(html.unescape(text), 200)), "tspan")


def _text(a: float, b: float, text: str, *, anchor: str = "start", size: int = 11) -> str:
    if not text:
        return ""
    return f'<text x="{a:.1f}" y="{b:.1f}" text-anchor="{anchor}" font-size="{size}">{_words(text)}</text>'
