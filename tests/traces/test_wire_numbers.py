"""Numbers keep their digits on the way in, whatever a language makes of 64 bits."""

from __future__ import annotations

import json

import pytest

from lmops.text import exact_json
from lmops.traces._formats import decode_request
from lmops.traces._ingest import IngestReport
from lmops.traces._json import dumps, loads
from lmops.traces._otlp import whole

from .otlp_builders import request_json, span_json

START = 1_760_000_000_000_000_000


def halves(number):
    """Return a 64-bit number as JavaScript writes it: two signed halves."""
    low = number & 0xFFFFFFFF
    return {"low": low - (1 << 32) if low >= 1 << 31 else low, "high": number >> 32}


@pytest.mark.parametrize("number", [0, 1, 2**31, 2**32 - 1, START, 2**63 - 1])
def test_a_time_in_two_halves_is_the_time(number):
    """Low and high, each with its sign, are one number; anything else is none."""
    assert whole(halves(number)) == number
    assert whole({"low": "1"}) == -1


def test_a_span_with_times_in_halves_is_stored():
    """Its start, its end and its integers are read."""
    given = span_json()
    given |= {"startTimeUnixNano": halves(START), "endTimeUnixNano": halves(START + 10**9)}
    given["attributes"] = [{"key": "n", "value": {"intValue": halves(7)}}]
    batch = decode_request(json.dumps(request_json(given)).encode(), content_type="application/json", signal="traces")
    (row,) = batch.spans
    assert (row["latency_ms"], json.loads(row["attributes"])) == (1000.0, {"n": 7})


LONG = 12345678901234567890123


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (f'{{"a": {LONG}}}', {"a": LONG}),
        (f'{{"text": "{LONG}"}}', {"text": str(LONG)}),
        (f"[{'1,' * 50}-{LONG}]", [*[1] * 50, -LONG]),
        ('{"a": 1.5, "b": 18446744073709551615}', {"a": 1.5, "b": 2**64 - 1}),
    ],
)
def test_a_long_integer_keeps_its_digits(text, value):
    """It is no float, as text and as bytes, and goes out as it came in."""
    assert exact_json(text) == exact_json(text.encode()) == loads(text) == value
    assert loads(dumps(value)) == value


def test_a_long_integer_may_become_text():
    """Where integers of any length cannot be kept, the digits can."""
    assert exact_json(f'{{"id": {LONG}, "n": 7}}', long_as_text=True) == {"id": str(LONG), "n": 7}


def test_a_report_says_what_was_left_out():
    """Log records that say nothing of a model call are counted in the line that is printed."""
    report = IngestReport(
        spans=0, traces=0, logs=0, duplicates=0, rejected=(), rejected_count=0, ignored=3, files=1, duration_s=0.0
    )
    assert "3 log records that say nothing of a model call" in repr(report)


def test_one_span_of_one_trace_is_one():
    """In the line and on the card."""
    report = IngestReport(
        spans=1, traces=1, logs=1, duplicates=1, rejected=(), rejected_count=0, ignored=0, files=1, duration_s=0.0
    )
    assert "1 new span in 1 trace, 1 log event, 1 duplicate; 1 file in" in repr(report)
    assert "1 new span in 1 trace" in report.text
