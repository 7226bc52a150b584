"""Every format is read in bounded batches, and a bad record is named while the rest goes on."""

from __future__ import annotations

import base64
import gzip
import io
import json
import subprocess
import sys
import textwrap

import pytest
from opentelemetry.proto.logs.v1.logs_pb2 import LogsData

from lmops.errors import IngestError, UsageError
from lmops.traces import _formats, _wire
from lmops.traces._batch import Batch
from lmops.traces._formats import decode_request, detect, read
from lmops.traces._stream import ByteStream

from .otlp_builders import START_NS, TRACE_ID, lines, request_json, request_pb, span_json

CHAT = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"}


def read_all(data: bytes, **options) -> Batch:
    whole = Batch()
    for batch in read(io.BytesIO(data), name=options.pop("name", "f"), **options):
        whole.spans += batch.spans
        whole.logs += batch.logs
        whole.rejected += batch.rejected
        whole.ignored += batch.ignored
    return whole


def spans(count: int) -> list[dict]:
    return [span_json(CHAT, number=number + 1) for number in range(count)]


DOCUMENT = json.dumps(request_json(*spans(2))).encode()


@pytest.mark.parametrize(
    ("data", "name", "expected"),
    [
        (DOCUMENT, "x.json", "otlp-json"),
        (DOCUMENT, "x.jsonl", "jsonl"),
        (DOCUMENT + b"\n" + DOCUMENT, "x.json", "jsonl"),
        (json.dumps(request_json(*spans(2)), indent=1).encode(), "x", "otlp-json"),
        (b"\xef\xbb\xbf" + DOCUMENT, "x.json", "otlp-json"),
        (b"[" + DOCUMENT + b"]", "x", "otlp-json"),
        (gzip.compress(DOCUMENT + b"\n" + DOCUMENT), "x.jsonl.gz", "jsonl"),
        (request_pb(*spans(2)), "x.jsonl", "otlp"),
        (request_pb(*spans(2)), "", "otlp"),
        (gzip.compress(request_pb(*spans(2))), "x.gz", "otlp"),
        (b'{"messages": [{"role": "user", "content": "hi"}]}\n', "x", "chat-jsonl"),
        (b'[{"messages": [{"role": "user", "content": "hi"}]}]', "x.json", "chat-jsonl"),
        (b'{"request": {"messages": []}, "response": {"choices": []}}', "x", "chat-jsonl"),
        (b'{"broken\n' + DOCUMENT, "x.jsonl", "jsonl"),
        (b"", "x.pb", "otlp"),
        (b"", "x", "jsonl"),
    ],
)
def test_format_is_detected_by_content(data, name, expected):
    assert detect(data[:65536], name) == expected


@pytest.mark.parametrize("wrap", [bytes, gzip.compress])
@pytest.mark.parametrize(
    "data",
    [
        DOCUMENT,
        json.dumps(request_json(*spans(2)), indent=2).encode(),
        b"[" + DOCUMENT + b"]",
        b"\xef\xbb\xbf" + DOCUMENT,
        lines(*(request_json(span) for span in spans(2))),
        request_pb(*spans(2)),
        b"".join(request_pb(span) for span in spans(2)),
        b"".join(len(part).to_bytes(4, "big") + part for part in (request_pb(span) for span in spans(2))),
    ],
)
def test_every_form_gives_the_same_rows(data, wrap):
    found = read_all(wrap(data))
    assert found.rejected == []
    assert found.spans == read_all(DOCUMENT).spans
    assert [row["span_id"] for row in found.spans] == ["0000000000000001", "0000000000000002"]


def test_unknown_format_is_refused():
    with pytest.raises(UsageError, match="otlp-json"):
        list(read(io.BytesIO(b""), format="csv"))


def test_given_format_wins():
    assert read_all(DOCUMENT, format="otlp").spans == []
    assert len(read_all(DOCUMENT, format="jsonl").spans) == 2


def test_batches_are_bounded_in_rows_and_in_size(monkeypatch):
    data = lines(*(request_json(span) for span in spans(25)))
    assert [len(batch.spans) for batch in read(io.BytesIO(data), batch_size=10)] == [10, 10, 5]
    monkeypatch.setattr(_formats, "_BATCH_CHARACTERS", 100)
    maker = _formats._Maker("f", 10, characters=100)
    items = (item for line in data.splitlines() for item in _formats._line(line, 1, 0))
    assert [len(batch.spans) for batch in maker.run(items)][:3] == [2, 2, 2]


def test_broken_line_is_named_and_the_rest_is_kept():
    good = json.dumps(request_json(span_json(CHAT))).encode()
    found = read_all(good + b"\n" + good[:50] + b"\n\n" + b"\xff\xfe\x00\n" + b"[1]\n" + b"12\n" + good, name="a.jsonl")
    assert len(found.spans) == 2
    assert [where for where, _ in found.rejected] == ["a.jsonl:2", "a.jsonl:4", "a.jsonl:5", "a.jsonl:6"]
    assert found.rejected[0][1].startswith("not JSON")


@pytest.mark.parametrize("cut", [1, 8, 20])
def test_truncated_gzip_keeps_what_was_readable(cut):
    data = gzip.compress(lines(*(request_json(span) for span in spans(300))))
    found = read_all(data[:-cut], name="a.gz")
    assert 200 < len(found.spans) <= 300
    assert ("a.gz", "gzip data is cut off") in found.rejected


def test_damaged_gzip_is_named():
    data = bytearray(gzip.compress(lines(*(request_json(span) for span in spans(3000)))))
    data[len(data) // 2] ^= 0xFF
    found = read_all(bytes(data), name="a.gz")
    assert any("gzip data is" in why for _, why in found.rejected)


def test_two_gzip_members_in_a_row_are_both_read():
    data = b"".join(gzip.compress(lines(request_json(span))) for span in spans(3))
    assert len(read_all(data + b"\0" * 8).spans) == 3


@pytest.mark.parametrize("whole_bytes", [_wire._WHOLE_BYTES, 0])
@pytest.mark.parametrize("cut", [1, 30, 400])
def test_truncated_protobuf_keeps_the_spans_before(cut, whole_bytes, monkeypatch):
    monkeypatch.setattr(_wire, "_WHOLE_BYTES", whole_bytes)
    found = read_all(request_pb(*spans(50))[:-cut], format="otlp")
    assert 40 <= len(found.spans) < 50
    assert found.rejected
    assert found.spans[0]["service"] == "shop"


def test_walking_and_parsing_at_once_give_the_same_rows(monkeypatch):
    data = request_pb(*spans(20)) + request_pb(*spans(3))
    at_once = read_all(data).spans
    monkeypatch.setattr(_wire, "_WHOLE_BYTES", 0)
    assert read_all(data).spans == at_once


@pytest.mark.parametrize(
    "data", [b"\x00", b"\x0a", b"garbage", b"\x0a\xff\xff\xff\xff\xff\xff", bytes(range(256)) * 40]
)
def test_garbage_is_rejected_not_raised(data):
    found = read_all(data, format="otlp")
    assert found.spans == []
    assert found.rejected
    with pytest.raises(IngestError):
        decode_request(data, content_type="application/x-protobuf", signal="traces")


def test_text_that_is_not_utf8_costs_only_its_span():
    good = request_pb(*(span_json({**CHAT, "k": "zzzz"}, number=number + 1) for number in range(5)))
    bad = good.replace(b"zzzz", b"zzz\xff", 1)
    for found in (read_all(bad), decode_request(bad, content_type="application/x-protobuf", signal="traces")):
        assert len(found.spans) == 4
        assert "UTF-8" in found.rejected[0][1]


BAD_SPANS = [
    ({"traceId": ""}, "trace id"),
    ({"traceId": None}, "trace id"),
    ({"traceId": "0" * 32}, "trace id"),
    ({"traceId": "abc"}, "trace id"),
    ({"traceId": TRACE_ID + "00"}, "trace id"),
    ({"traceId": "g" * 32}, "trace id"),
    ({"traceId": {"a": 1}}, "trace id"),
    ({"spanId": ""}, "span id"),
    ({"spanId": "0" * 16}, "span id"),
    ({"spanId": 17}, "span id"),
    ({"startTimeUnixNano": str(2**64 - 1)}, "time"),
    ({"startTimeUnixNano": "soon"}, "time"),
    ({"startTimeUnixNano": [], "endTimeUnixNano": "1"}, "time"),
    ({"startTimeUnixNano": "0", "endTimeUnixNano": "0"}, "no time"),
]


@pytest.mark.parametrize(("fields", "why"), BAD_SPANS)
def test_bad_span_is_named_and_the_others_are_kept(fields, why):
    bad = span_json(CHAT, number=2, **fields)
    data = lines(request_json(span_json(CHAT), bad, span_json(CHAT, number=3)))
    found = read_all(data, name="a.jsonl")
    assert len(found.spans) == 2
    ((where, reason),) = found.rejected
    assert where == "a.jsonl:1: span 2"
    assert why in reason


def test_bad_span_of_one_document_is_counted_from_the_start():
    found = read_all(request_pb(*spans(3), span_json(number=9, traceId="00" * 16)), name="a.pb")
    assert [where for where, _ in found.rejected] == ["a.pb: span 4"]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"traceId": TRACE_ID.upper()}, {"trace_id": TRACE_ID}),
        ({"traceId": base64.b64encode(bytes.fromhex(TRACE_ID)).decode()}, {"trace_id": TRACE_ID}),
        ({"spanId": base64.b64encode(bytes(range(8))).decode()}, {"span_id": "0001020304050607"}),
        ({"parentSpanId": ""}, {"parent_span_id": None}),
        ({"parentSpanId": "0" * 16}, {"parent_span_id": None}),
        ({"parentSpanId": "nonsense"}, {"parent_span_id": None}),
        ({"startTimeUnixNano": START_NS, "endTimeUnixNano": START_NS + 1_000_000}, {"latency_ms": 1.0}),
        ({"endTimeUnixNano": str(START_NS - 5)}, {"latency_ms": None, "end_ns": START_NS - 5}),
        ({"endTimeUnixNano": "0"}, {"latency_ms": None, "end_ns": None}),
        ({"startTimeUnixNano": "0"}, {"start_ns": START_NS + 250_000_000, "latency_ms": None}),
        ({"status": {"code": "STATUS_CODE_ERROR", "message": "no"}}, {"status": "error", "error_message": "no"}),
        ({"status": {"code": "STATUS_CODE_OK"}, "kind": "SPAN_KIND_CLIENT"}, {"status": "ok"}),
        ({"status": {"code": 2}}, {"status": "error", "error_message": None}),
        ({"status": []}, {"status": "unset"}),
        ({"attributes": None}, {"attributes": "{}"}),
        ({"attributes": "what"}, {"attributes": "{}"}),
        ({"attributes": [None, 1, {"key": 5, "value": {"intValue": 3}}]}, {"attributes": '{"5":3}'}),
        ({"attributes": [{"key": "a", "value": {"intValue": str(2**70)}}]}, {"attributes": f'{{"a":"{2**70}"}}'}),
        ({"attributes": [{"key": "a", "value": {"doubleValue": "NaN"}}]}, {"attributes": '{"a":null}'}),
        ({"attributes": [{"key": "a", "value": {"bytesValue": "AAE="}}]}, {"attributes": '{"a":"AAE="}'}),
        ({"attributes": [{"key": "a", "value": {}}]}, {"attributes": '{"a":null}'}),
        ({"events": [1, {"name": None}], "links": [None, {}]}, {"kind": "unknown"}),
        ({"name": None}, {"name": ""}),
        ({"name": 7}, {"name": "7"}),
    ],
)
def test_odd_span_is_understood(fields, expected):
    found = read_all(lines(request_json({**span_json(), **fields})))
    assert found.rejected == []
    (row,) = found.spans
    assert {column: row[column] for column in expected} == expected


def test_names_of_the_proto_file_are_understood():
    span = {
        "trace_id": TRACE_ID,
        "span_id": "00f067aa0ba902b7",
        "name": "s",
        "start_time_unix_nano": START_NS,
        "end_time_unix_nano": START_NS + 1,
        "attributes": [{"key": "a", "value": {"string_value": "b"}}],
    }
    found = read_all(lines({"resource_spans": [{"resource": {}, "scope_spans": [{"spans": [span]}]}]}))
    assert [row["attributes"] for row in found.spans] == ['{"a":"b"}']


def test_hostile_json_is_survived():
    deep = span_json()
    deep["attributes"] = []
    text = json.dumps(request_json(deep))
    nested = '{"key": "a", "value": ' + '{"arrayValue": {"values": [' * 200 + "{}" + "]}}" * 200 + "}"
    surrogate = '{"key": "gen_ai.prompt.name", "value": {"stringValue": "a\\ud800b"}}'
    nan = '{"key": "c", "value": {"doubleValue": NaN}}'
    data = text.replace('"attributes": []', f'"attributes": [{nested}, {surrogate}, {nan}]').encode()
    bomb = b'{"resourceSpans": ' + b"[" * 100_000
    found = read_all(data + b"\n" + bomb + b"\n" + data, name="a.jsonl")
    assert len(found.spans) == 2
    assert "too deeply" in found.spans[0]["attributes"]
    assert found.spans[0]["prompt_name"] == "a\ufffdb"
    assert [where for where, _ in found.rejected] == ["a.jsonl:2"]


def test_metrics_are_refused():
    found = read_all(lines({"resourceMetrics": []}, request_json(span_json())), name="m")
    assert found.rejected == [("m:1", "metrics are not stored: send traces or logs")]
    assert len(found.spans) == 1
    with pytest.raises(IngestError, match="metrics"):
        decode_request(b'{"resourceMetrics": []}', content_type="application/json", signal="traces")


def test_unknown_object_is_refused_with_its_keys():
    assert "foo" in read_all(b'{"foo": 1}\n').rejected[0][1]


def log_line(**record) -> dict:
    base = {"traceId": TRACE_ID, "spanId": f"{1:016x}", "observedTimeUnixNano": "5"}
    return {"resourceLogs": [{"resource": {}, "scopeLogs": [{"logRecords": [{**base, **record}]}]}]}


def test_only_log_events_with_content_become_rows():
    event = log_line(eventName="gen_ai.user.message", body={"stringValue": "hi"})
    old = log_line(attributes=[{"key": "event.name", "value": {"stringValue": "gen_ai.choice"}}])
    other = log_line(body={"stringValue": "GET / 200"})
    unjoined = log_line(eventName="gen_ai.choice", traceId="")
    found = read_all(lines(event, old, other, unjoined), name="l")
    assert [(row["name"], row["body"], row["time_ns"]) for row in found.logs] == [
        ("gen_ai.user.message", '"hi"', 5),
        ("gen_ai.choice", None, 5),
    ]
    assert found.ignored == 1
    assert [where for where, _ in found.rejected] == ["l:4: log record 1"]


def test_logs_in_protobuf_are_recognised(monkeypatch):
    data = LogsData()
    record = data.resource_logs.add().scope_logs.add().log_records.add()
    record.trace_id, record.span_id = bytes.fromhex(TRACE_ID), bytes(7) + b"\1"
    record.observed_time_unix_nano = 5
    record.event_name = "gen_ai.user.message"
    record.body.kvlist_value.values.add(key="content").value.string_value = "hi"
    body = data.SerializeToString()
    found = [read_all(body), decode_request(body, content_type="application/x-protobuf", signal="logs")]
    monkeypatch.setattr(_wire, "_WHOLE_BYTES", 0)
    found.append(read_all(body))
    assert all([row["body"] for row in batch.logs] == ['{"content":"hi"}'] for batch in found)


def test_large_document_is_read_piece_by_piece(monkeypatch):
    data = json.dumps(request_json(*spans(200)), indent=1).encode()
    at_once = read_all(data)
    monkeypatch.setattr(_formats, "WHOLE_BYTES", 100)
    assert read_all(data).spans == at_once.spans
    assert read_all(b"[" + data + b"," + data + b"]").spans == at_once.spans * 2
    assert read_all(data + b"\n" + data).spans == at_once.spans * 2


@pytest.mark.parametrize("whole_bytes", [_formats.WHOLE_BYTES, 100])
def test_truncated_document_keeps_the_spans_before(whole_bytes, monkeypatch):
    monkeypatch.setattr(_formats, "WHOLE_BYTES", whole_bytes)
    data = json.dumps(request_json(*spans(200)), indent=1).encode()
    found = read_all(data[: len(data) // 2])
    assert 90 < len(found.spans) < 110
    assert "broken" in found.rejected[0][1]


def test_long_line_among_others_is_read_piece_by_piece(monkeypatch):
    monkeypatch.setattr(_formats, "WHOLE_BYTES", 400_000)
    long = request_json(*(span_json({"k": "x" * 4000}, number=number + 1) for number in range(300)))
    odd = {"foo": ["x" * 900_000]}
    found = read_all(lines(request_json(span_json()), long, odd, request_json(span_json()), {"foo": 1}), name="f")
    assert len(found.spans) == 302
    assert [where for where, _ in found.rejected] == ["f:3", "f:5"]


@pytest.mark.parametrize("step", [1, 7, 1000])
def test_source_may_give_few_bytes_at_a_time(step):
    class Slow(io.BytesIO):
        def read(self, size=-1, /):
            return super().read(step)

    for data in (request_pb(*spans(3)), gzip.compress(DOCUMENT), lines(*(request_json(span) for span in spans(3)))):
        assert [row for batch in read(Slow(data)) for row in batch.spans] == read_all(data).spans


def test_stream_finds_lines_and_numbers_across_chunks():
    stream = ByteStream(io.BytesIO(b"ab\n\ncd\x96\x01"))
    assert [stream.line(100), stream.line(100), stream.take(2), stream.varint(), stream.varint()] == [
        b"ab",
        b"",
        b"cd",
        150,
        None,
    ]
    assert stream.at_end


MEMORY_SCRIPT = """
import io, sys
from lmops.traces._formats import read
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans
kind, count = sys.argv[1], int(sys.argv[2])
class Endless(io.RawIOBase):
    def __init__(self, head, piece, tail, count):
        self.parts = iter([head] + [piece] * count + [tail]); self.rest = b""
    def read(self, size=-1):
        while len(self.rest) < 65536:
            part = next(self.parts, None)
            if part is None: break
            self.rest += part
        out, self.rest = self.rest[:65536], self.rest[65536:]
        return out
def varint(n):
    out = b""
    while n > 127: out += bytes([n & 127 | 128]); n >>= 7
    return out + bytes([n])
text = "x" * 20000
span = ('{"traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"00f067aa0ba902b7","name":"n",'
        '"startTimeUnixNano":"5",'
        '"endTimeUnixNano":"6","attributes":[{"key":"k","value":{"stringValue":"%s"}}]}' % text)
if kind == "lines":
    source = Endless(b"", ('{"resourceSpans":[{"scopeSpans":[{"spans":[%s]}]}]}\\n' % span).encode(), b"", count)
elif kind == "document":
    head = b'{"resourceSpans":[{"scopeSpans":[{"spans":[' + span.encode()
    source = Endless(head, b",\\n" + span.encode(), b"]}]}]}", count)
else:
    rs = ResourceSpans(); s = rs.scope_spans.add().spans.add(); s.trace_id = b"t" * 16; s.span_id = b"s" * 8
    s.start_time_unix_nano = 5; a = s.attributes.add(); a.key = "k"; a.value.string_value = text
    one = rs.scope_spans[0].SerializeToString()
    inner = varint(len(one) * count); scope = b"\\x12" + inner
    source = Endless(b"\\x0a" + varint(len(scope) + len(one) * count) + scope, one, b"", count)
n = sum(len(b.spans) for b in read(source, name="x.json" if kind == "document" else "x"))
# ru_maxrss would count the process that started this one
peak = [line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM:")][0]
print(n, int(peak) // 1024)
"""


@pytest.mark.parametrize("kind", ["lines", "document", "protobuf"])
def test_memory_does_not_grow_with_the_source(kind, tmp_path):
    script = tmp_path / "memory.py"
    script.write_text(textwrap.dedent(MEMORY_SCRIPT))
    found = subprocess.run(
        [sys.executable, script, kind, "8000"],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    count, megabytes = map(int, found.stdout.split())
    assert count >= 8000
    assert megabytes < 200  # of a source of 160 MB


def test_a_file_in_utf_16_says_so():
    """As some shells write what is piped into a file."""
    batch = read_all(lines(request_json(span_json())).decode().encode("utf-16"))
    assert batch.spans == []
    assert [why for _, why in batch.rejected] == [
        "the file is UTF-16: save it as UTF-8 (in PowerShell: -Encoding utf8)"
    ]


def test_a_cut_message_is_reported_once():
    """What is whole before the cut is kept."""
    body = request_pb(span_json(number=1), span_json(number=2))
    batch = read_all(body[:-5])
    assert len(batch.spans) == 1
    assert [why for _, why in batch.rejected] == ["the message is cut off"]


def test_a_bomb_is_not_read_to_its_end() -> None:
    """Gzip that becomes far larger than telemetry can is left where that shows; the reason is told."""
    packed = gzip.compress(lines(request_json(span_json())) + b" " * 70_000_000 + b"{}")
    batches = list(read(io.BytesIO(packed), name="bomb.jsonl.gz"))
    assert sum(len(batch.spans) for batch in batches) == 1
    assert any("grows more than 250 times" in why for batch in batches for _, why in batch.rejected)


def test_a_document_whose_spans_are_no_list_says_so(ws):
    """Nothing is passed over in silence."""
    report = ws.traces.ingest(b'{"resourceSpans": 5}', progress=False)
    assert "resourceSpans is no list but int" in repr(report)
