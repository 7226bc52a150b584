"""What it costs to say what changed in retrieval, over a large store, beside the least that can be asked of it."""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lmops
from lmops.times import from_ns
from tests.bench._data import DAYS, SHAPE, START_NS, WORDS, peak_mb, traces

if TYPE_CHECKING:
    from lmops.store import Store

#: Of what is asked, as so many times the floor of the same run.
TIMES = 4.0
MEGABYTES = 2_000.0
DAY = 86_400_000_000_000
FOUND = 8
#: The least: every list of documents is read once, and counted.
FLOOR = "select count(*), sum(json_array_length(documents)) from spans where kind in ('retriever', 'reranker')"


def fill(store: Store, spans: int) -> None:
    """Load traces whose retrievers find eight chunks of 400 characters; in the second half with other settings."""
    rng = random.Random(1)
    texts = [" ".join(rng.choices(WORDS, k=60))[:400] for _ in range(2_000)]
    chunk: list[dict[str, Any]] = []
    count = spans // len(SHAPE)
    for number, rows in enumerate(traces(count)):
        query = " ".join(random.Random(number % 3_000).choices(WORDS, k=6))
        for row in rows:
            if row["kind"] in ("retriever", "reranker"):
                n = FOUND if row["kind"] == "retriever" else 3
                places = [rng.randrange(len(texts)) for _ in range(n)]
                row["input"], row["index_fingerprint"] = query, f"idx{2 * number // count}"
                row["documents"] = json.dumps(
                    [
                        {"rank": rank, "id": f"doc{place}#1", "score": 9.0 - rank, "content": texts[place]}
                        for rank, place in enumerate(places, start=1)
                    ]
                )
        chunk += rows
        if len(chunk) >= 20_000:
            store.load(chunk)
            chunk = []
    if chunk:
        store.load(chunk)
    store.compact(grace_s=0)


def report(ws: lmops.Workspace) -> None:
    """Print how long it takes with and without answers, and what memory the process came to."""
    since, middle, until = (from_ns(START_NS + days * DAY) for days in (0, DAYS // 2, DAYS))
    began = time.perf_counter()
    ws.sql(FLOOR).fetchall()
    floor = time.perf_counter() - began
    print(f"{'floor: documents counted':44}{floor:8.2f} s")
    for words, answers in (("drift, 100 answers a period", 100), ("drift, no answers", 0)):
        began = time.perf_counter()
        found = ws.retrieval.drift(since=middle, until=until, before=(since, middle), answers=answers)
        took = time.perf_counter() - began
        print(
            f"{words:44}{took:8.2f} s  {took / floor:.1f} x the floor, bar {TIMES:.0f} x"
            f"{'' if took <= TIMES * floor else '  MISSED'}"
        )
    print(found.conclusion[:200])
    used = peak_mb()
    print(f"{'most memory':44}{used:8.0f} MB  bar {MEGABYTES:.0f} MB{'' if used <= MEGABYTES else '  MISSED'}")


def main() -> None:
    """Make a store, or take one that was made, and ask it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spans", type=int, default=1_000_000)
    parser.add_argument("--store", help="a store made by an earlier run; made anew in a temporary folder by default")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(options.store or folder) / "store"
        is_new = not path.exists()
        with lmops.open(path) as ws:
            if is_new:
                fill(ws.store, options.spans)
        with lmops.open(path) as ws:
            report(ws)


if __name__ == "__main__":
    main()
