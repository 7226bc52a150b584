"""What ``lmops demo`` prints of the story of the sample, and gives as JSON."""

from __future__ import annotations

from statistics import median
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from lmops.base.sheet import aligned
from lmops.base.units import counted, share
from lmops.cli.printing import plain_data
from lmops.text import plain_line

if TYPE_CHECKING:
    from datetime import datetime

    from lmops.sample.planted import Judged
    from lmops.sample.story import Handled, Story

_WIDTH = 100


def story_data(story: Story) -> dict[str, Any]:
    """Return the story as ``--json`` prints it."""
    told = story.judged
    return {
        "alerts": [
            {**firing._asdict(), "accounts": words, "of": [planted.name for planted in of]}
            for (firing, words), (_, of) in zip(story.explained, told.alerts, strict=True)
        ],
        "incidents": [plain_data(one) for one in story.handled],
        "after": story.after,
        "planted": [
            {**planted._asdict(), "alert": firing and firing.alert, "delay_h": told.delays_h[planted.name]}
            for planted, firing in told.found
        ],
        "precision": told.precision,
        "recall": told.recall,
    }


def story_lines(story: Story) -> list[str]:
    """Return the story as lines for a terminal."""
    heads = ("seen", "alert", "monitor", "something began", "what accounts for most of it")
    rows = [
        (
            _time(firing.at),
            str(firing.alert),
            firing.monitor,
            _time(firing.since),
            plain_line(words or "nothing clear", _WIDTH),
        )
        for firing, words in story.explained
    ]
    lines = [
        f"{counted(story.monitors, 'monitor')} looked every six hours, {counted(story.looks, 'time')} in all",
        *_table([heads, *rows], numbers=[1]),
    ]
    for one in story.handled:
        lines += ["", *_handled(one)]
    lines += ["", f"{counted(story.after, 'trace')} came after what was done", ""]
    return [*lines, *_judged(story.judged)]


def _handled(one: Handled) -> list[str]:
    """Return an incident from its opening to its post-mortem."""
    found, users = one.incident, one.affected.users
    of_users = "" if users is None else f" of {counted(users, 'user')}"
    rows = [
        ("opened", f"{_time(found.opened_at)} from alert {', '.join(map(str, found.alerts))}: {found.title}"),
        ("explained by", found.explained or "nothing clear"),
        ("affected", f"{counted(one.affected.traces, 'trace')}{of_users}"),
        *(("dry run", f"{plan.action}: {plan.words}; nothing was changed") for plan in one.plans),
        *(("done", f"{_time(act.at)} {act.action}: {act.words}") for act in one.done),
        ("since then", f"{one.state}: {one.words}"),
    ]
    return [
        f"incident {found.incident}: {found.status}",
        *(line for row in rows for line in _wrapped(*row)),
        f"  post-mortem  {one.postmortem}",
    ]


def _wrapped(name: str, text: str) -> list[str]:
    """Return a name and a text, which goes on below itself."""
    lines = wrap(plain_line(text, 1_000), _WIDTH, break_long_words=False, break_on_hyphens=False)
    return [f"  {name if number == 0 else '':<13}{line}" for number, line in enumerate(lines)]


def _judged(told: Judged) -> list[str]:
    """Return how the alerts stand up to what was planted."""
    rows = [
        (planted.name, _time(planted.since), str(planted.traces))
        + (("missed", "-") if firing is None else (firing.monitor, f"{told.delays_h[planted.name]:.1f} h"))
        for planted, firing in told.found
    ]
    false = [f"alert {firing.alert} ({firing.monitor}, {_time(firing.at)})" for firing, of in told.alerts if not of]
    delays = [delay for delay in told.delays_h.values() if delay is not None]
    right = len(told.alerts) - len(false)
    lines = [
        "against what was planted (data/truth.jsonl, which monitors do not see)",
        *_table([("planted", "from", "traces", "found by", "delay"), *rows], numbers=[2, 4]),
        f"  precision    {share(told.precision) or '-'}, {right} of {counted(len(told.alerts), 'alert')}",
        f"  recall       {share(told.recall) or '-'}, {len(delays)} of {len(told.found)} planted",
    ]
    if delays:
        lines.append(f"  delay        {median(delays):.1f} h in the median, {max(delays):.1f} h at most")
    return [*lines, *([f"  of nothing   {', '.join(false)}"] if false else [])]


def _table(rows: list[tuple[str, ...]], *, numbers: list[int]) -> list[str]:
    return [f"  {line}" for line in aligned(rows, numbers=numbers)]


def _time(at: datetime) -> str:
    return f"{at:%m-%d %H:%M}"
