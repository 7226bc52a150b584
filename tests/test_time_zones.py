"""Times are UTC wherever the machine stands, also where its clocks go back."""

import json
import os
import subprocess
import sys

import pytest

CODE = """
import json, sys
import lmops
from lmops.store import Bounds
from lmops.traces.listing import TraceSource
ws = lmops.open(sys.argv[1], actor="tester")
if sys.argv[2] == "write":
    ws.datasets.save("d", [{"input": "q", "expected": "q"}])
    ws.evals.run(lambda text: text, "d", ["exact_match"], name="r", progress=False)
    spans = [json.loads(line) for line in open(sys.argv[3])]
    body = {"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}
    ws.traces.ingest(json.dumps(body).encode(), progress=False)
days = ws.sql("select cast(date_trunc('day', start_at) as date)::VARCHAR, count(*) from traces where name = 'x' "
              "group by 1 order by 1").fetchall()
found = ws.traces.search("name = 'x'", order="start_at asc")
listing = TraceSource(ws.store).listing("name = 'x' and hour(start_at) = 6", Bounds(None, None))
print(json.dumps({
    "days": days,
    "day": len(ws.traces.search("start_at >= '2025-11-03'")),
    "between": len(ws.traces.search("name = 'x'", since="2025-11-02T06:00:00", until="2025-11-03")),
    "hours": [at.hour for at in found["start_at"]], "zone": str(found["start_at"].dtype),
    "fetched": [row[0].isoformat() for row in
                ws.sql("select start_at from traces where name = 'x' order by 1").fetchall()],
    "arrow": str(ws.sql("select start_at from traces").to_arrow_table().schema.field(0).type),
    "buckets": [str(at) for at in ws.traces.stats("name = 'x'", every="1d")["bucket"]],
    "listed": listing.total,
    "created": str(ws.datasets.list()["created_at"].dtype), "ran": str(ws.evals.list()["started_at"].dtype),
    "cases": str(ws.sql("select started_at from results").df().dtypes.iloc[0]),
    "spring": str(ws.sql("select timestamptz '2025-03-30 02:30:00' as at").fetchall()[0][0]),
}))
"""
HOURS = ["2025-11-02T03:30:00", "2025-11-02T05:30:00", "2025-11-02T06:30:00", "2025-11-03T00:30:00"]
RIGHT = {
    "days": [["2025-11-02", 3], ["2025-11-03", 1]],
    "day": 1,
    "between": 1,
    "hours": [3, 5, 6, 0],
    "zone": "datetime64[us, UTC]",
    "fetched": [f"{hour}+00:00" for hour in HOURS],
    "arrow": "timestamp[us, tz=UTC]",
    "buckets": ["2025-11-02 00:00:00+00:00", "2025-11-03 00:00:00+00:00"],
    "listed": 1,
    "created": "datetime64[us, UTC]",
    "ran": "datetime64[us, UTC]",
    "cases": "datetime64[us, UTC]",
    "spring": "2025-03-30 02:30:00+00:00",
}


def answers(folder, zone, *more):
    command = [sys.executable, "-c", CODE, str(folder), *more]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env={**os.environ, "TZ": zone})
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A store written in New York, with four spans around the hour that comes twice there."""
    from lmops.times import to_ns

    at = tmp_path_factory.mktemp("zones")
    spans = [
        {
            "traceId": f"{number:032x}",
            "spanId": f"{number:016x}",
            "name": "x",
            "startTimeUnixNano": str(to_ns(hour)),
            "endTimeUnixNano": str(to_ns(hour) + 10**9),
        }
        for number, hour in enumerate(HOURS, start=1)
    ]
    (at / "spans.jsonl").write_text("\n".join(map(json.dumps, spans)))
    assert answers(at / ".lmops", "America/New_York", "write", str(at / "spans.jsonl")) == RIGHT
    return at / ".lmops"


@pytest.mark.parametrize("zone", ["America/New_York", "Europe/Berlin", "Asia/Kolkata", "Pacific/Chatham"])
def test_every_answer_is_in_utc(folder, zone):
    """Days, searches, frames, Arrow and records say the same in every zone."""
    assert answers(folder, zone, "read") == RIGHT
