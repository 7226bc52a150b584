"""Saving rows of any origin as versions of a dataset."""

import datetime as dt
import decimal
import gzip
import json
import uuid

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lmops.datasets import Example
from lmops.errors import NotFoundError, UsageError

ROWS = [
    {"id": "a", "question": "How many dogs?", "answer": "two", "topic": "pets", "split": "dev"},
    {"id": "b", "question": "How much?", "answer": "9 euro", "topic": "fares", "split": "test"},
]


def test_columns_are_taken_by_their_names(ws):
    """The question is the input, the answer is expected, what is left is metadata."""
    version = ws.datasets.save("golden", ROWS, note="first")
    assert (version.ref, len(version), version.note, version.author) == ("golden@1", 2, "first", "tester")
    assert version["a"] == Example(
        example_id="a", input="How many dogs?", expected="two", metadata={"topic": "pets"}, split="dev"
    )


def test_an_index_with_a_name_is_a_column(ws):
    """Ids that were made the index of a frame are still the ids; one that repeats a column is left alone."""
    frame = pd.DataFrame(ROWS)
    assert ws.datasets.save("golden", frame.set_index("id")).hash == ws.datasets.save("golden", ROWS).hash
    assert ws.datasets.save("golden", frame.set_index(["id", "topic"])).hash == ws.datasets.save("golden", ROWS).hash
    assert ws.datasets.save("golden", frame.set_index("id", drop=False)).version == 1


@pytest.mark.parametrize("name", ["a" * 1001, "a\0"])
def test_ids_that_are_no_names_are_refused(ws, name):
    """Results are paired and shown by ids."""
    with pytest.raises(UsageError, match=r"row 1: id is .* give at most 1,000 characters"):
        ws.datasets.save("golden", [{"id": name, "input": "x"}])


def test_columns_can_be_named(ws):
    """A list of columns makes an object of them; the metadata can be chosen."""
    rows = [{"q": "x", "context": "c", "gold": "y", "doc": "d1", "extra": 1, "more": 2}]
    version = ws.datasets.save(
        "named", rows, input=["q", "context"], expected="gold", cluster="doc", metadata=["extra"], id="q"
    )
    found = version[0]
    assert (found.input, found.expected, found.cluster) == ({"q": "x", "context": "c"}, "y", "d1")
    assert (found.example_id, found.metadata) == ("x", {"extra": 1})


def test_a_column_that_is_not_there_is_named_with_the_nearest(ws):
    """Nothing is saved."""
    with pytest.raises(UsageError, match=r"no column named 'answr'; did you mean 'answer'"):
        ws.datasets.save("golden", ROWS, expected="answr")
    assert len(ws.datasets.list()) == 0


def test_the_same_content_is_the_same_version(ws):
    """Saving it again makes nothing new, whatever the order of the keys."""
    first = ws.datasets.save("golden", ROWS)
    again = ws.datasets.save("golden", [dict(reversed(row.items())) for row in ROWS])
    assert (again.version, again.hash, again.report.is_new) == (1, first.hash, False)


def test_the_order_of_the_examples_is_part_of_the_content(ws):
    """Another order is another version, with the same examples in it."""
    first = ws.datasets.save("golden", ROWS)
    second = ws.datasets.save("golden", ROWS[::-1])
    assert (second.version, second.ids) == (2, first.ids[::-1])
    assert ws.datasets.diff(first, second).is_reordered


def test_saving_earlier_content_makes_that_version_current_again(ws):
    """Its number comes back, and the name means it."""
    ws.datasets.save("golden", ROWS)
    ws.datasets.save("golden", ROWS[:1])
    back = ws.datasets.save("golden", ROWS)
    assert (back.version, ws.datasets.get("golden").version) == (1, 1)
    assert ws.datasets.save("golden", ROWS[1:]).version == 3
    assert ws.datasets.versions("golden").parent.tolist()[0] == 1


def test_repeated_ids_are_refused_by_name(ws):
    """Results are paired by id."""
    with pytest.raises(UsageError, match=r"'a' \(2 times\)"):
        ws.datasets.save("golden", [*ROWS, {"id": "a", "question": "another"}])


def test_missing_ids_follow_from_the_input(ws):
    """A changed answer is then a change and not another example."""
    rows = [{"question": "x", "answer": "1"}, {"question": "x", "answer": "2"}]
    first = ws.datasets.save("golden", rows)
    assert first.report.derived_ids == 2
    assert first.report.repeated_inputs == (tuple(first.ids),)
    second = ws.datasets.save("golden", [{"question": "x", "answer": "3"}, rows[1]])
    assert [change.fields for change in ws.datasets.diff(first, second).changed] == [("expected",)]


def test_equal_examples_are_kept_and_reported_or_dropped_when_asked(ws):
    """Nothing is dropped silently."""
    rows = [{"id": name, "question": "x", "answer": "1"} for name in "abc"]
    kept = ws.datasets.save("kept", rows)
    assert (len(kept), kept.report.duplicates, kept.report.dropped) == (3, (("a", "b", "c"),), 0)
    dropped = ws.datasets.save("dropped", rows, drop_duplicates=True)
    assert (dropped.ids, dropped.report.dropped) == (["a"], 2)


def test_a_row_without_an_input_is_named(ws):
    """NaN is nothing."""
    frame = pd.DataFrame({"id": ["a", "b"], "question": ["x", None]})
    with pytest.raises(UsageError, match=r"row 2 has no input \(column 'question'\)"):
        ws.datasets.save("golden", frame)


def test_no_rows_and_no_input_column_are_refused(ws):
    """The message says what there was."""
    with pytest.raises(UsageError, match="there is no row"):
        ws.datasets.save("golden", [])
    with pytest.raises(UsageError, match=r"no column is the input: there are 'text'"):
        ws.datasets.save("golden", [{"text": "x"}])


@pytest.mark.parametrize("name", ["", "a b", "../x", "a@2", "x" * 101, "-a"])
def test_bad_names_are_refused(ws, name):
    """A name is part of refs."""
    with pytest.raises(UsageError, match="cannot name a dataset"):
        ws.datasets.save(name, ROWS)


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (np.int64(3), 3),
        (np.float64(0.5), 0.5),
        (np.bool_(True), True),
        (np.array([1, 2]), [1, 2]),
        (pd.Timestamp("2026-01-02T03:04", tz="UTC"), "2026-01-02T03:04:00+00:00"),
        (dt.date(2026, 1, 2), "2026-01-02"),
        (dt.timedelta(minutes=1), 60.0),
        (decimal.Decimal("1.5"), 1.5),
        (decimal.Decimal(7), 7),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        ({"b", "a"}, ["a", "b"]),
        ((1, (2,)), [1, [2]]),
        ({1: "x"}, {"1": "x"}),
    ],
)
def test_values_of_other_libraries_become_plain(ws, value, stored):
    """What comes out is what JSON can say."""
    assert ws.datasets.save("d", [{"input": "x", "extra": value}])[0].metadata["extra"] == stored


@pytest.mark.parametrize("value", [float("nan"), pd.NaT, pd.NA, np.float64("nan"), np.datetime64("NaT"), None])
def test_missing_cells_are_nothing(ws, value):
    """Neither a value nor a key."""
    version = ws.datasets.save("d", [{"input": "x", "expected": value, "extra": value}])
    assert (version[0].expected, version[0].metadata) == (None, {})


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (b"raw", "row 1, extra is bytes: decode it"),
        (float("inf"), "row 1, extra has inf in it"),
        ([1.0, float("nan")], "row 1, extra has nan in it"),
        (2**70, "beyond 64 bits"),
        (object(), "row 1, extra is a object"),
        ({1: "a", "1": "b"}, "the key '1' twice"),
        ("\ud800", "metadata of the example .* cannot be stored"),
    ],
)
def test_values_that_cannot_be_stored_are_refused_in_words(ws, value, message):
    """The message names the row and the column."""
    with pytest.raises(UsageError, match=message):
        ws.datasets.save("d", [{"input": "x", "extra": value}])


def test_a_value_that_contains_itself_is_refused(ws):
    """Not a RecursionError."""
    loop = []
    loop.append(loop)
    with pytest.raises(UsageError, match="nested more than"):
        ws.datasets.save("d", [{"input": loop}])


def test_ids_that_are_numbers_with_gaps_stay_whole(ws):
    """pandas makes 1.0 of 1 where a cell is empty."""
    frame = pd.DataFrame({"id": [1.0, 2.0, float("nan")], "input": ["x", "y", "z"]})
    assert ws.datasets.save("d", frame).ids[:2] == ["1", "2"]


def written(folder, kind):
    """Write two rows as a file of this kind."""
    rows = [{"id": "1", "question": 'x, "y"\nz', "answer": "007"}, {"id": "2", "question": "ü", "answer": "8"}]
    path = folder / f"rows{kind}"
    if kind == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif kind in (".csv", ".tsv"):
        pd.DataFrame(rows).to_csv(path, index=False, sep="\t" if kind == ".tsv" else ",", encoding="utf-8-sig")
    elif kind == ".json":
        path.write_text(json.dumps(rows))
    else:
        body = "".join(json.dumps(row) + "\n\n" for row in rows).encode()
        path.write_bytes(gzip.compress(body) if kind.endswith(".gz") else body)
    return path


@pytest.mark.parametrize("kind", [".jsonl", ".jsonl.gz", ".json", ".csv", ".tsv", ".parquet"])
def test_every_file_format_gives_the_same_content(ws, tmp_path, kind):
    """Also "007", a quote, a line break and an umlaut."""
    version = ws.datasets.save("d", written(tmp_path, kind))
    assert [(one.input, one.expected) for one in version] == [('x, "y"\nz', "007"), ("ü", "8")]


@pytest.mark.parametrize(
    ("name", "body", "message"),
    [
        ("a.jsonl", b'{"input": 1}\n{bad', "a.jsonl, line 2: not JSON"),
        ("a.jsonl", b"[1]", "a.jsonl, line 1: a list, not an object"),
        ("a.jsonl", b'{"input": "\xff"}', "a.jsonl, line 1: not UTF-8 .byte 11 of the line"),
        ("a.jsonl.gz", b"plain", "not a whole gzip file"),
        ("a.json", b'{"input": 1}', "holds a dict, not a list"),
        ("a.csv", b"input,b\n1,2,3\n", "a.csv, line 2: 3 cells, the header has 2"),
        ("a.csv", b"input,input\n1,2\n", "two columns have the same name"),
        ("a.parquet", b"PAR0", "not a Parquet file"),
        ("a.txt", b"x", "rows are read from .jsonl"),
    ],
)
def test_files_that_cannot_be_read_say_where(ws, tmp_path, name, body, message):
    """The message has the file and the line."""
    (tmp_path / name).write_bytes(body)
    with pytest.raises(UsageError, match=message):
        ws.datasets.save("d", tmp_path / name)


def test_a_file_that_is_not_there_is_said(ws, tmp_path):
    """Not an OSError."""
    with pytest.raises(NotFoundError, match="there is no file"):
        ws.datasets.save("d", tmp_path / "none.jsonl")


@pytest.mark.parametrize("data", [{"input": 1}, 3, b"x", [1], ["text"]])
def test_other_data_is_refused(ws, data):
    """The message says what would do."""
    with pytest.raises(UsageError, match=r"a dataset is made of rows|give dicts"):
        ws.datasets.save("d", data)


TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(JSON.filter(lambda value: value is not None), JSON, JSON), min_size=1, max_size=5))
def test_whatever_json_goes_in_comes_out(ws, tmp_path, rows):
    """Through the store and through both file formats."""
    examples = [
        Example(example_id=f"e{place}", input=one, expected=two, output=three, metadata={"m": one})
        for place, (one, two, three) in enumerate(rows)
    ]
    saved = ws.datasets.save("round", examples)
    assert ws.datasets.get(saved.ref).examples == saved.examples == tuple(examples)
    for kind in ("jsonl", "parquet"):
        path = ws.datasets.export(saved, tmp_path / f"round.{kind}")
        assert ws.datasets.save("again", path).hash == saved.hash


def test_a_bomb_is_not_unpacked(ws, tmp_path):
    """A packed file that becomes far larger than text can is refused before it fills the memory."""
    path = tmp_path / "bomb.jsonl.gz"
    path.write_bytes(gzip.compress(b" " * 70_000_000))
    with pytest.raises(UsageError, match="becomes larger than"):
        ws.datasets.save("d", path)
