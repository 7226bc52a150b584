"""Signals out of files: as others write them, what cannot be read named, the same again nothing."""

from __future__ import annotations

import gzip
import json

import pandas as pd
import pytest

from lmops.errors import NotFoundError, UsageError
from tests.store.helpers import span

A, B = "a" * 32, "b" * 32


def lines(tmp_path, *rows, name="votes.jsonl"):
    path = tmp_path / name
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows), encoding="utf-8")
    return str(path)


def shown(ws, columns):
    return ws.sql(f"select {columns} from feedback order by seq").fetchall()


def test_a_file_is_read_once(ws, tmp_path):
    """Twice the same adds nothing, of nobody known and without a time as well; equal lines are several signals."""
    rows = [{"trace_id": A, "value": "up"}] * 3 + [{"trace_id": A, "value": "down", "user": "u", "at": "2026-01-01"}]
    path = lines(tmp_path, *rows)
    report = ws.feedback.ingest(path)
    assert (report.new, report.waiting) == (4, 4)
    again = ws.feedback.ingest(path)
    assert (again.new, again.same, again.waiting) == (0, 4, 0)
    assert ws.sql("select count(*) from audit where action = 'feedback.import'").fetchall() == [(1,)]


def test_a_user_who_changed_their_mind_without_times(ws, tmp_path):
    """The last line counts, however often the file is read."""
    path = lines(tmp_path, *({"trace_id": A, "value": v, "user": "u"} for v in ("up", "down")))
    ws.feedback.ingest(path)
    assert ws.feedback.ingest(path).same == 2
    assert shown(ws, "value") == [("down",)]


def test_a_line_that_cannot_be_read_is_named(ws, tmp_path):
    """With the reason; the others are kept."""
    path = lines(
        tmp_path, {"trace_id": A, "value": "up"}, "{broken", "[1]", {"trace_id": A, "value": "meh"}, {"value": "up"},
        "", {"trace_id": "x", "value": "up"}, {"trace_id": B, "value": "down"},
    )  # fmt: skip  # arguments that belong together share a line
    report = ws.feedback.ingest(path)
    assert (report.new, report.rejected_count) == (2, 5)
    assert [where for where, _ in report.rejected] == [f"votes.jsonl, line {n}" for n in (2, 3, 4, 5, 7)]
    reasons = ["not JSON", "a list, not an object", "is no thumb", "needs what it is on", "32 hexadecimal digits"]
    assert all(words in why for words, (_, why) in zip(reasons, report.rejected, strict=True))
    assert "2 new, 2 that wait for their trace, 5 rejected" in report.text


def test_columns_have_other_names(ws, tmp_path):
    """As somebody says what they hold; a scale for all."""
    path = tmp_path / "stars.csv"
    path.write_text(f"Trace;Stars;Who;When\n{A};4;ann;2026-01-01T10:00:00Z\n{B};;bob;\n{B};9;bob;\n", encoding="utf-8")
    columns = {"trace_id": "Trace", "value": "Stars", "user": "Who", "at": "When"}
    report = ws.feedback.ingest(path, map=columns, name="rating", scale=(1, 5), source="survey")
    assert shown(ws, "trace_id, name, number, scale_high, user_id, source") == [
        (A, "rating", 4.0, 5.0, "ann", "survey")
    ]
    assert [why.partition(":")[2].strip()[:12] for _, why in report.rejected] == ["the value is", "9 is outside"]


@pytest.mark.parametrize(
    ("columns", "said"),
    [({"tracce_id": "x"}, "trace_id"), ({"trace_id": ""}, "name of a column"), ({"value": "Nope"}, None)],
)
def test_a_map_names_fields_and_columns(ws, tmp_path, columns, said):
    """A field that there is not is refused; a column that a line lacks rejects the line."""
    path = lines(tmp_path, {"trace_id": A, "vote": "up"})
    if said is None:
        assert "no column named 'Nope'" in ws.feedback.ingest(path, map=columns).rejected[0][1]
        return
    with pytest.raises(UsageError, match=said):
        ws.feedback.ingest(path, map=columns)


def test_an_export_of_langfuse(ws, tmp_path):
    """Its scores of all kinds, under its ids: read again after a change, the newer one counts."""
    score = {"traceId": A, "source": "API", "timestamp": "2026-01-01T00:00:00.000Z", "comment": None}
    rows = [
        {**score, "id": "1", "name": "user-feedback", "value": 1, "dataType": "BOOLEAN", "stringValue": "True"},
        {**score, "id": "2", "name": "accuracy", "value": 0.9, "dataType": "NUMERIC", "observationId": "1" * 16},
        {**score, "id": "3", "name": "topic", "value": 0, "stringValue": "refund", "dataType": "CATEGORICAL"},
        {**score, "id": "4", "name": "judge", "value": 0.2, "dataType": "NUMERIC", "source": "EVAL"},
    ]
    assert ws.feedback.ingest(lines(tmp_path, json.dumps({"data": rows}), name="scores.json")).new == 4
    assert shown(ws, "target, name, kind, value, source") == [
        ("trace", "user-feedback", "thumb", "up", "langfuse"),
        ("span", "accuracy", "number", "0.9", "langfuse"),
        ("trace", "topic", "category", "refund", "langfuse"),
        ("trace", "judge", "number", "0.2", "langfuse-eval"),
    ]
    later = [{**rows[1], "value": 0.5, "timestamp": "2026-01-02T00:00:00.000Z"}]
    assert ws.feedback.ingest(later).changed == 1


def test_a_frame_and_times_of_other_forms(ws):
    """Epochs in seconds to nanoseconds, and what is missing in a frame."""
    at = [1_767_225_600, 1_767_225_600_000, 1_767_225_600_000_000, 1_767_225_600_000_000_000]
    frame = pd.DataFrame(
        {"trace_id": A, "value": "up", "user": list("abcd"), "timestamp": at, "comment": [None, float("nan"), "", "x"]}
    )
    assert ws.feedback.ingest(frame).new == 4
    assert {row[0] for row in shown(ws, "epoch(said_at)::BIGINT")} == {1_767_225_600}
    assert [row[0] for row in shown(ws, "comment")] == [None, None, None, "x"]


def test_a_comment_and_a_correction_alone(ws):
    """Are signals of their own kinds."""
    ws.feedback.ingest([{"trace_id": A, "comment": "too long"}, {"trace_id": A, "correction": "At 9:30."}])
    assert shown(ws, "name, kind, value") == [("comment", "text", "too long"), ("correction", "correction", "At 9:30.")]


def test_what_is_no_file(ws, tmp_path):
    """Is said."""
    with pytest.raises(NotFoundError, match="no file"):
        ws.feedback.ingest(str(tmp_path / "none.jsonl"))
    with pytest.raises(UsageError):
        ws.feedback.ingest(str(tmp_path))


def test_what_evaluations_said_in_traces_is_gathered(ws):
    """Events of spans become signals on them, once; broken ones are named; the span stays as it is."""
    event = {"name": "gen_ai.evaluation.result", "time_ns": 1_790_000_000_000_000_000}
    said = {
        "gen_ai.evaluation.name": "relevance",
        "gen_ai.evaluation.score.value": 0.8,
        "gen_ai.evaluation.score.label": "relevant",
        "gen_ai.evaluation.explanation": "on topic",
    }
    events = json.dumps([{**event, "attributes": said}, {**event, "attributes": {}}, {"name": "x", "attributes": {}}])
    ws.store.append_many({"spans": [span("t", "s", trace_id=A, span_id="1" * 16, events=events)]})
    report = ws.feedback.gather()
    assert (report.new, report.rejected_count) == (1, 1)
    assert ws.feedback.gather().same == 1
    assert shown(ws, "trace_id, span_id, name, number, comment, source") == [
        (A, "1" * 16, "relevance", 0.8, "relevant: on topic", "otel")
    ]
    assert ws.sql("select events from spans").fetchall() == [(events,)]


def test_a_short_line_of_a_table_does_not_spoil_the_others(ws, tmp_path):
    """It is named with its line; what is above and below is kept."""
    path = tmp_path / "votes.csv"
    path.write_text(f"trace_id,value,user\n{'a' * 32},up,ann\nshort\n{'b' * 32},down,bob\n")
    report = ws.feedback.ingest(path)
    assert (report.new, report.rejected) == (2, (("votes.csv, line 3", "1 cells, the header has 3"),))
    again = ws.feedback.ingest(path)
    assert (again.same, again.rejected_count) == (2, 1)


@pytest.mark.parametrize("name", ["votes.jsonl", "votes.jsonl.gz"])
def test_a_line_in_another_encoding_is_named(ws, tmp_path, name):
    """Packed or not; the lines around it are kept."""
    body = b"\n".join(
        [json.dumps({"trace_id": A, "value": "up"}).encode(), '{"value": "für"}'.encode("latin-1"),
         json.dumps({"trace_id": B, "value": "down"}).encode()]
    )  # fmt: skip  # a line a line
    (tmp_path / name).write_bytes(gzip.compress(body) if name.endswith("gz") else body)
    report = ws.feedback.ingest(tmp_path / name)
    assert (report.new, report.rejected_count) == (2, 1)
    assert report.rejected[0] == (f"{name}, line 2", "not UTF-8 (byte 12 of the line): convert it first")


@pytest.mark.parametrize("name", ["votes.jsonl", "votes.jsonl.gz"])
def test_lines_of_a_spreadsheet_in_utf_16(ws, tmp_path, name):
    """As data sets are read."""
    body = "\n".join(json.dumps({"trace_id": one, "value": "up"}) for one in (A, B)).encode("utf-16")
    (tmp_path / name).write_bytes(gzip.compress(body) if name.endswith("gz") else body)
    assert ws.feedback.ingest(str(tmp_path / name)).new == 2


@pytest.mark.parametrize("scale", [(), (1,), (5, 1), (1, 2, 3), "ab", [None, 5]])
def test_what_is_no_scale_is_refused(ws, scale):
    """Before anything is read."""
    with pytest.raises(UsageError, match=r"give the least and the greatest, as \(1, 5\)|is no number"):
        ws.feedback.ingest([{"trace_id": A, "value": 3, "name": "rating"}], scale=scale)
    assert shown(ws, "value") == []
