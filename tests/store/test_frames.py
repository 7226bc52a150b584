"""The frame of an answer is the one that DuckDB makes, whatever is missing in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from .helpers import span, trace_of

if TYPE_CHECKING:
    from lmops.store import Store

QUESTIONS = [
    "select * from spans", "select * from traces", "select * from traces where false",
    "select [null, 'a']::varchar[] a, [] b, null::boolean c union all select null, ['x'], true",
    "select null::integer a, null::double b, null::timestamptz c, null::bigint d, null::varchar e, null::boolean f",
    "select 9007199254740993::bigint a, 'inf'::double b, true c, 'x' d union all select null, null, false, null",
    "select 1 a, 2 a", "select 1.5::decimal(9, 2) a, sum(1) b, date '2026-03-01' c, {'x': 1} d", "select '{}'::json a",
]  # fmt: skip  # cases that belong together share a line


def test_frames_are_those_of_duckdb(store: Store) -> None:
    """Types, missing values, what objects hold, and the columns."""
    store.load([*trace_of("a"), span("b", "root", user_id="u", duplicate_span_ids=None, input_tokens=2**53 + 1)])
    for question in QUESTIONS:
        answer = store.sql(question)
        made, expected = answer.df(), pd.DataFrame(answer._relation.df())
        pd.testing.assert_frame_equal(pd.DataFrame(made), expected, check_exact=True)
        for name in {name for name, kind in expected.dtypes.items() if str(kind) == "object"}:
            kinds = [[(type(one), getattr(one, "dtype", None)) for one in frame[name]] for frame in (made, expected)]
            assert kinds[0] == kinds[1], (question, name)


def test_a_frame_can_be_changed(store: Store) -> None:
    """It shares its texts with the answer, which stays what it was."""
    store.load(trace_of("a"))
    answer = store.sql("select name, start_ns from spans order by 1")
    frame = answer.df()
    frame.loc[0, "name"] = "changed"
    frame["start_ns"] += 1
    assert answer.df()["name"].tolist()[0] != "changed"
    assert (answer.df()["start_ns"] < frame["start_ns"]).all()
