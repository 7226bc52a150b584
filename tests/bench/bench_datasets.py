"""Datasets: rows a second saved and loaded, in CPU time, against JSON lines written and read in the same run."""

from __future__ import annotations

import gc
import json
import tempfile
import time
from pathlib import Path

import lmops

ROWS = 200_000


def rows():
    return [
        {
            "id": f"q{number:06d}",
            "question": f"How many dogs may travel on sailing {number} in a cabin for pets?",
            "answer": f"Up to {number % 7} dogs, for {number % 90} euro each.",
            "topic": f"t{number % 17}",
            "session": f"s{number // 5}",
        }
        for number in range(ROWS)
    ]


def timed(work):
    gc.collect()
    start = time.process_time()
    found = work()
    return time.process_time() - start, found


def floor(data, path):
    """Write and read the rows as JSON lines with the standard library."""
    saved, _ = timed(lambda: path.write_text("".join(json.dumps(row) + "\n" for row in data)))
    loaded, _ = timed(lambda: [json.loads(line) for line in path.open()])
    return saved, loaded


def size(ws):
    ws.store.sql("select 1")
    with ws.store.transaction() as con:
        con.execute("select 1")
        page, pages = con.execute("pragma page_size").fetchone()[0], con.execute("pragma page_count").fetchone()[0]
    return page * pages / 1e6


def main():
    data = rows()
    with tempfile.TemporaryDirectory() as folder:
        write_s, read_s = floor(data, Path(folder) / "rows.jsonl")
        with lmops.open(Path(folder) / ".lmops", actor="bench") as ws:
            before = size(ws)
            save_s, _ = timed(lambda: ws.datasets.save("bench", data, id="id", cluster="session"))
            full = size(ws)
            get_s, version = timed(lambda: ws.datasets.get("bench"))
            examples_s, _ = timed(lambda: version.examples)
            frame_s, _ = timed(lambda: ws.datasets.get("bench").df())
            changed = [*data[:1000], {**data[1000], "answer": "none"}, *data[1001:]]
            again_s, _ = timed(lambda: ws.datasets.save("bench", changed, id="id", cluster="session"))
            more = size(ws)
            query = "select json_extract_string(metadata, '$.topic') as topic, count(*) from examples group by 1"
            view_s, _ = timed(lambda: ws.sql(query).fetchall())
    print(f"datasets, {ROWS:,} rows, CPU time")
    print(f"  save                 {save_s:6.2f} s  {ROWS / save_s:9,.0f} rows/s  {save_s / write_s:5.1f} x JSON lines")
    print(
        f"  load                 {get_s + examples_s:6.2f} s  {ROWS / (get_s + examples_s):9,.0f} rows/s  "
        f"{(get_s + examples_s) / read_s:5.1f} x JSON lines"
    )
    print(f"  load as a frame      {frame_s:6.2f} s")
    print(f"  save, 1 row changed  {again_s:6.2f} s  {more - full:6.1f} MB more beside {full - before:.0f} MB")
    print(f"  view examples        {view_s:6.2f} s")


if __name__ == "__main__":
    main()
