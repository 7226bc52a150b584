"""Whatever order signals come in, and however often: the same state."""

from __future__ import annotations

import itertools
import sqlite3

from hypothesis import given, settings
from hypothesis import strategies as st

from lmops.feedback._schema_signals import MADE, STORED
from lmops.feedback._write import write
from lmops.feedback.signals import make_signal
from lmops.store._seals import Check
from lmops.store.schema import compares

NOW = 1_800_000_000_000_000_000
TRACES = ["a" * 32, "b" * 32]
#: What holds at present, as the view has it, without the store around it.
CURRENT = (
    "select trace_id, name, user_id, value, comment, said_ns from feedback_history where seq not in "
    "(select replaces from feedback_history where replaces is not null) order by 1, 2, 3, 4, 5, 6"
)
said = st.builds(
    lambda trace, name, user, value, comment, second: (trace, name, user, value, comment, second),
    st.sampled_from(TRACES),
    st.sampled_from(["thumb", "vote"]),
    st.sampled_from(["u1", "u2", None]),
    st.booleans(),
    st.sampled_from([None, "why"]),
    st.integers(0, 59),
)


def signals(rows):
    """Return signals of which no two of one user say different things in the same second."""
    chosen = {(row[:3], row[5]): row for row in rows}
    return [
        make_signal(trace_id=trace, name=name, user=user, value=value, comment=comment, at=f"2026-01-01T00:00:{at:02}")
        for trace, name, user, value, comment, at in chosen.values()
    ]


def state(order):
    """Return what holds after signals arrived in an order, each in a transaction of its own or several at once."""
    con = sqlite3.connect(":memory:")
    con.row_factory = sqlite3.Row
    con.executescript(MADE)
    for number, (_, part) in enumerate(itertools.groupby(enumerate(order), key=lambda one: one[0] // 3)):
        list(write(con, [signal for _, signal in part], at_ns=NOW + number, repeated=bool(number % 2)))
    check = Check(con, {}, {})
    compares("feedback_history", STORED, grows=True)(check)
    assert not check.problems
    found = [tuple(row) for row in con.execute(CURRENT)]
    con.close()
    return found


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(said, max_size=12), data=st.data())
def test_any_order_and_any_repetition_leave_the_same(rows, data):
    """The last word of each user on each target under each name, and each word of nobody known."""
    once = signals(rows)
    order = data.draw(st.permutations(once + data.draw(st.lists(st.sampled_from(once), max_size=8)) if once else []))
    found = state(order)
    assert found == state(once)
    last = {}
    for signal in sorted(once, key=lambda one: one.at_ns):
        last[signal.trace_id, signal.name, signal.user_id or ("alone", signal.at_ns)] = signal
    assert sorted(row[5] for row in found) == sorted(one.at_ns for one in last.values())
