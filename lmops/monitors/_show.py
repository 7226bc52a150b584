"""How monitors, checks, alerts and backtests look."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lmops.base.sheet import BAD, GOOD, aligned, html_table
from lmops.base.shown import html_of, text_of
from lmops.base.units import amount, counted
from lmops.errors import MissingDependencyError
from lmops.metrics import metric_of
from lmops.monitors._history import History
from lmops.monitors._records import Alert, Backtest, CheckReport, Monitor, Recovery, Simulation
from lmops.monitors._words import series_words
from lmops.text import escape, plain, plain_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

_TIME: Final = "%Y-%m-%d %H:%M"
_STYLES: Final = {"firing": BAD, "quiet": GOOD}
_HEAD: Final = ("monitor", "series", "status", "now", "baseline", "items", "what")
_FIRED: Final = ("fired", "since", "resolved", "series", "what")


@text_of.register(Monitor)
def monitor_text(found: Monitor) -> str:
    """Return what a monitor watches, and how, as plain text."""
    return "\n".join([f"monitor {plain_line(found.ref, 120)}", *(f"  {name}: {said}" for name, said in _facts(found))])


@html_of.register(Monitor)
def _(found: Monitor) -> str:
    return f"<p><b>{escape(f'monitor {found.ref}')}</b></p>{html_table(('', ''), _facts(found))}"


def _facts(found: Monitor) -> list[tuple[str, str]]:
    """Return what a monitor is, as names and words."""
    metric = metric_of(found.metric)
    told = {
        "watches": metric.words,
        "of": f"{metric.view} where {found.where}" if found.where else metric.view,
        "series by": ", ".join(found.by),
        "method": found.method if found.limit is None else f"{found.method}, limit {found.limit:g}",
        "direction": found.direction,
        "window": found.window,
        "baseline": found.baseline,
        "false alarms": f"one in {found.every:,.0f} sessions" if found.method == "detector" else "",
        "severity": found.severity,
        "owner": found.owner or "",
        "off": "" if found.on else "it is not looked at",
        "note": found.note or "",
    }
    return [(name, plain_line(said, 300)) for name, said in told.items() if said]


@text_of.register(Alert)
def alert_text(found: Alert) -> str:
    """Return an alert as plain text."""
    return "\n".join([_alert_title(found), *(f"  {line}" for line in _alert_lines(found))])


@html_of.register(Alert)
def _(found: Alert) -> str:
    lines = "".join(f"<div>{escape(line, len(line))}</div>" for line in _alert_lines(found))
    return f'<div style="margin:0 0 10px"><b>{escape(_alert_title(found))}</b>{lines}</div>'


def _alert_title(found: Alert) -> str:
    named = ", ".join(f"{column} {value}" for column, value in found.series.items())
    of = f" ({plain_line(named, 120)})" if named else ""
    return f"alert {found.alert}, {found.status}, {found.severity}: {plain_line(found.monitor, 120)}{of}"


def _alert_lines(found: Alert) -> list[str]:
    lines = [plain_line(found.words, 600)]
    if found.times_opened > 1:
        lines.append(f"it came back: opened {found.times_opened:,} times")
    if found.silenced_until_at is not None:
        lines.append(f"silenced until {_time(found.silenced_until_at)} by {plain_line(found.actor, 60)}")
    if found.status in ("acknowledged", "resolved"):
        why = f": {plain_line(found.reason, 200)}" if found.reason else ""
        lines.append(f"{found.status} by {plain_line(found.actor, 60)} at {_time(found.moved_at)}{why}")
    if found.examples:
        lines.append(f"traces, worst first: {', '.join(plain_line(one, 40) for one in found.examples)}")
    return lines


@text_of.register(Recovery)
def recovery_text(found: Recovery) -> str:
    """Return whether an alert is over as plain text."""
    return plain_line(f"alert {found.alert} ({found.monitor}): {found.state}. {found.words}", 600)


@html_of.register(Recovery)
def _(found: Recovery) -> str:
    style = {"recovered": GOOD, "not recovered": BAD}.get(found.state, "font-weight:600")
    title = f"alert {found.alert} ({plain_line(found.monitor, 120)})"
    return f'<p>{escape(title)}: <span style="{style}">{found.state}</span>. {escape(found.words, 600)}</p>'


def _time(at: datetime | None) -> str:
    return "" if at is None else at.strftime(_TIME)


@text_of.register(CheckReport)
def report_text(found: CheckReport) -> str:
    """Return what a check found as plain text."""
    rows = [_cells(one) for one in found.series]
    table = aligned([_HEAD, *rows], numbers=(3, 4, 5)) if rows else ["no monitors: ws.monitors.save_defaults()"]
    parts = [_report_title(found), *table, *(alert_text(alert) for alert in found.alerts), *map(plain, found.notes)]
    return "\n".join(parts)


@html_of.register(CheckReport)
def _(found: CheckReport) -> str:
    rows = [_cells(one) for one in found.series]
    table = html_table(_HEAD, rows, compact=True) if rows else "<p>no monitors: ws.monitors.save_defaults()</p>"
    style = {"firing": BAD, "quiet": GOOD}.get(found.outcome, "font-weight:600")
    alerts = "".join(html_of(alert) for alert in found.alerts)
    notes = "".join(f"<p>{escape(note, 600)}</p>" for note in found.notes)
    head = f'<p><span style="{style}">{escape(_report_title(found))}</span></p>'
    return f'{head}{alerts}<div style="overflow-x:auto">{table}</div>{notes}'


@html_of.register(History)
def _(found: History) -> str:
    try:
        drawn = "".join(f"<div>{found.figure(series).svg()}</div>" for series in found.points)
    except MissingDependencyError as error:  # charts need a package that is not in the base
        drawn = f"<p>{escape(str(error), 300)}</p>"
    return f"{html_of.dispatch(CheckReport)(found)}{drawn}"


def _report_title(found: CheckReport) -> str:
    fires = f"{counted(len(found.firing), 'alert')} firing" if found.firing else found.outcome
    moved = [f"{len(found.opened):,} opened"] if found.opened else []
    moved += [f"{len(found.resolved):,} resolved"] if found.resolved else []
    of = f"{counted(len(found.series), 'series').replace('seriess', 'series')} at {_time(found.at)} UTC"
    return ", ".join([f"{fires}: {of}", *moved])


def _cells(one: Mapping[str, Any]) -> list[str]:
    unit = _unit(one["metric"])
    items = "" if one["n"] is None else f"{one['n']:,}"
    needed = one["status"] if not one["needed"] else f"{one['status']}, {one['needed']:,} more"
    shown = [amount(one[name], unit) if one[name] is not None else "" for name in ("estimate", "baseline")]
    words = plain_line(one["words"], 120)
    return [plain_line(one["monitor"], 40), series_words(one["series"]), needed, *shown, items, words]


def _unit(metric: str) -> str:
    if metric.startswith("drift."):  # shares of the parts of a distribution
        return "share"
    try:
        return metric_of(metric).unit
    except ValueError:  # of somebody's own
        return "number"


@text_of.register(Backtest)
def backtest_text(found: Backtest) -> str:
    """Return when a monitor would have fired as plain text."""
    rows = _fired(found.fired)
    return "\n".join([_backtest_title(found), *(aligned([_FIRED, *rows]) if rows else ())])


@html_of.register(Backtest)
def _(found: Backtest) -> str:
    rows = _fired(found.fired)
    table = html_table(_FIRED, rows, compact=True) if rows else ""
    return f'<p><b>{escape(_backtest_title(found))}</b></p><div style="overflow-x:auto">{table}</div>'


def _backtest_title(found: Backtest) -> str:
    times = f"would have fired {counted(len(found.fired), 'time')}" if found.fired else "would not have fired"
    return f"{plain_line(found.monitor, 120)} {times} between {_time(found.since)} and {_time(found.until)} UTC"


def _fired(rows: Iterable[Mapping[str, Any]]) -> list[Sequence[str]]:
    return [
        (
            _time(row["fired_at"]),
            _time(row["since_at"]),
            _time(row["resolved_at"]) or "not yet",
            series_words(row["series"]),
            plain_line(row["words"], 300),
        )
        for row in rows
    ]


@text_of.register(Simulation)
def simulation_text(found: Simulation) -> str:
    """Return how soon changes are found as plain text."""
    return "\n".join([_simulation_title(found), *aligned([_SIZES, *_sizes(found)], numbers=(0, 1, 2))])


@html_of.register(Simulation)
def _(found: Simulation) -> str:
    return f"<p><b>{escape(_simulation_title(found))}</b></p>{html_table(_SIZES, _sizes(found))}"


_SIZES: Final = ("from then on", "sessions until found", "days")


def _simulation_title(found: Simulation) -> str:
    return (
        f"a rate of {amount(found.before, 'share')} that must not go beyond {amount(found.edge, 'share')}, "
        f"{found.n_per_day:,.0f} sessions a day, one false alarm in {found.every:,.0f} sessions"
    )


def _sizes(found: Simulation) -> list[Sequence[str]]:
    return [
        (
            amount(row["rate"], "share"),
            f"{row['values']:,.0f} (80 %: {row['values_low']:,.0f} to {row['values_high']:,.0f})",
            f"{row['days']:,.1f}",
        )
        for row in found.rows
    ]
