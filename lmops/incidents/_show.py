"""How incidents look: a card, what is affected, what an action would do, what a verification said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lmops.base.cards import card_html, card_text
from lmops.base.sheet import BAD, GOOD, aligned, html_table
from lmops.base.shown import html_of, text_of
from lmops.base.units import counted, duration, money
from lmops.incidents._records import Act, Affected, Escalated, Incident, Verified
from lmops.text import escape, plain, plain_line

if TYPE_CHECKING:
    from datetime import datetime

_TIME: Final = "%Y-%m-%d %H:%M"
_WORDS: Final = {1: "1, page", 2: "2, urgent", 3: "3, ticket", 4: "4, note"}
_STYLES: Final = {"open": BAD, "resolved": GOOD, "closed": GOOD, "recovered": GOOD, "not recovered": BAD}
_TIMES: Final = {
    "to_detect_s": "to detect",
    "to_acknowledge_s": "to acknowledge",
    "to_mitigate_s": "to mitigate",
    "to_resolve_s": "to resolve",
}


def facts(found: Incident) -> list[tuple[str, str]]:
    """Return what an incident is, as names and words; what is not known is left out."""
    verified = {None: "", True: "yes, by a test", False: "no"}[found.is_verified]
    told = {
        "status": found.status,
        "severity": _WORDS[found.severity],
        "owner": plain_line(found.owner or "nobody", 80),
        "since": f"{found.since_at:{_TIME}} UTC",
        **{_TIMES[name]: "" if one is None else span(one) for name, one in found.times.items()},
        "alerts": ", ".join(map(str, found.alerts)),
        "came back": counted(found.times_opened - 1, "time") if found.times_opened > 1 else "",
        "recovery verified": verified,
    }
    return [(name, said) for name, said in told.items() if said]


def span(seconds: float) -> str:
    """Return a time between two moments; one that is negative says so."""
    said = duration(abs(seconds) * 1000)
    return f"{said} before" if seconds < 0 else said


def _texts(found: Incident) -> list[tuple[str, str]]:
    told = [("what accounts for most of it", found.explained or "")]
    if found.status in ("resolved", "closed", "mitigated") and found.reason:
        told.append((f"{found.status} by {plain_line(found.actor, 60)} at {_time(found.moved_at)}", found.reason))
    return [(name, plain_line(said, 600)) for name, said in told if said]


@text_of.register(Incident)
def incident_text(found: Incident) -> str:
    """Return an incident as plain text."""
    return card_text(f"incident {found.incident}", plain_line(found.title, 300), facts(found), texts=_texts(found))


@html_of.register(Incident)
def _(found: Incident) -> str:
    style = _STYLES.get(found.status, "font-weight:600")
    lead = f'<div><span style="{style}">{found.status}</span></div>'
    shown = [one for one in facts(found) if one[0] != "status"]
    return card_html(f"incident {found.incident}", found.title, shown, texts=_texts(found), lead=lead)


@text_of.register(Affected)
def affected_text(found: Affected) -> str:
    """Return what is affected as plain text."""
    if not found.traces:
        return f"incident {found.incident}: no trace is affected"
    users = "no trace says of whom it is" if found.users is None else counted(found.users, "user")
    some = f" (and {found.anonymous:,} traces without a user)" if found.users and found.anonymous else ""
    cost = "cost not known" if found.cost_usd is None else money(found.cost_usd)
    when = f"between {_time(found.first_at)} and {_time(found.last_at)} UTC"
    return f"incident {found.incident}: {counted(found.traces, 'trace')}, {users}{some}, {cost}, {when}"


@text_of.register(Act)
def act_text(found: Act) -> str:
    """Return what an action would do, or did, as plain text."""
    lead = {
        "planned": f"dry run of {found.action}: nothing was changed",
        "done": f"{found.action}: done",
        "already done": f"{found.action}: done already at {_time(found.at)} UTC by {plain_line(found.actor, 60)}",
    }[found.state]
    rows = [(name, _value(found.stands, name), _value(found.then, name)) for name in {**found.stands, **found.then}]
    heads = ("", "stands now", "would stand") if found.state == "planned" else ("", "stood", "stands")
    table = aligned([heads, *rows]) if rows else []
    seen = [f"seen: {found.seen}"] if found.state == "planned" else []
    return "\n".join([lead, plain_line(found.words, 600), *table, *seen])


@html_of.register(Act)
def _(found: Act) -> str:
    lines = act_text(found).splitlines()
    rows = [(name, _value(found.stands, name), _value(found.then, name)) for name in {**found.stands, **found.then}]
    heads = ("", "stands now", "would stand") if found.state == "planned" else ("", "stood", "stands")
    table = html_table(heads, rows, compact=True) if rows else ""
    return f"<p><b>{escape(lines[0])}</b><br>{escape(lines[1], 600)}</p>{table}"


def _value(data: Any, name: str) -> str:
    return plain_line("" if data.get(name) is None else data[name], 200)


@text_of.register(Verified)
def verified_text(found: Verified) -> str:
    """Return whether an incident is over as plain text."""
    lines = [f"incident {found.incident}: {found.state}, by sessions since {_time(found.since)} UTC"]
    return "\n".join([*lines, *(f"  {plain(one.text)}" for one in found.found), *_missing(found)])


@html_of.register(Verified)
def _(found: Verified) -> str:
    style = _STYLES.get(found.state, "font-weight:600")
    since = f"by sessions since {_time(found.since)} UTC"
    tests = "".join(html_of(one) for one in found.found)
    missing = "".join(f"<p>{escape(one, 600)}</p>" for one in _missing(found))
    return f'<p>incident {found.incident}: <span style="{style}">{found.state}</span>, {since}</p>{tests}{missing}'


def _missing(found: Verified) -> list[str]:
    return [] if found.found else [plain_line(found.words, 600)]


@text_of.register(Escalated)
def escalated_text(found: Escalated) -> str:
    """Return who was told of which incidents as plain text."""
    told = [
        f"told {plain_line(one.who, 80)} by {plain_line(one.sink, 80)}: incident {one.incident}, "
        f"{plain_line(one.title, 200)} (due since {_time(one.due_at)} UTC)"
        for one in found.told
    ]
    failed = [f"{plain_line(sink, 80)} could not be told: {plain_line(why, 200)}" for sink, why in found.failed.items()]
    following = "" if found.next_at is None else f"; the next is due at {_time(found.next_at)} UTC"
    return "\n".join([*(told or ["nobody is to be told"]), *failed]) + following


def _time(at: datetime | None) -> str:
    return "" if at is None else at.strftime(_TIME)
