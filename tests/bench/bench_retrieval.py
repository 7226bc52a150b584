"""Bench of retrieval: python -m tests.bench.bench_retrieval [VECTORS] [CHUNKS].

Exact search in VECTORS vectors of 384 numbers (100,000), alone and 200 at once, beside what numpy needs for the
products alone, measured in the same run; the memory that it takes beside the vectors; and a build of CHUNKS chunks
(20,000) with wordllama and words, beside embedding the same texts and nothing else. On one core:
``OPENBLAS_NUM_THREADS=1 taskset -c 0 python -m ...``.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import lmops
from lmops.retrieval.indexes.embedding import embedded
from lmops.retrieval.indexes.vectors import nearest, normalised

DIM, BATCH, TURNS = 384, 200, 40


def p95(seconds):
    return float(np.percentile(seconds, 95)) * 1000


def timed(work, turns):
    found = []
    for turn in range(turns):
        began = time.perf_counter()
        work(turn)
        found.append(time.perf_counter() - began)
    return found


def exact(count):
    """Time of one query and of 200, and the products alone, turn by turn so that both meet the same load."""
    draw = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vectors.npy"
        middles = draw.standard_normal((200, DIM), np.float32)
        made = np.concatenate(
            [
                middles[draw.integers(0, 200, 10_000)] + draw.standard_normal((10_000, DIM), np.float32)
                for _ in range(count // 10_000)
            ]
        )
        np.save(path, normalised(made))
        del made
        vectors = np.load(path, mmap_mode="r")
        queries = normalised(draw.standard_normal((TURNS, DIM), np.float32) + middles[:TURNS])
        many = normalised(draw.standard_normal((BATCH, DIM), np.float32) + middles[:BATCH])
        nearest(vectors, many, 10)
        ours, floor = [], []
        for turn in range(TURNS):
            ours += timed(lambda _, one=queries[turn : turn + 1]: nearest(vectors, one, 10), 1)
            floor += timed(lambda _, one=queries[turn]: vectors @ one, 1)
        print(
            f"one query: p50 {np.median(ours) * 1000:.1f} ms, p95 {p95(ours):.1f} ms; "
            f"numpy's product alone {np.median(floor) * 1000:.1f} / {p95(floor):.1f} ms; "
            f"ratio {np.median(ours) / np.median(floor):.2f}"
        )
        ours, floor = [], []
        for _ in range(5):
            ours += timed(lambda _: nearest(vectors, many, 10), 1)
            floor += timed(lambda _: many @ vectors.T, 1)
        print(
            f"200 at once, a query: {np.median(ours) / BATCH * 1000:.2f} ms (worst {max(ours) / BATCH * 1000:.2f}); "
            f"numpy's product alone {np.median(floor) / BATCH * 1000:.2f} ms; "
            f"ratio {np.median(ours) / np.median(floor):.2f}"
        )


def memory(count):
    """What a search takes beside mapped vectors, in a process of its own."""
    code = (
        "import numpy as np, sys\n"
        "from lmops.retrieval.indexes.vectors import nearest\n"
        "v = np.load(sys.argv[1], mmap_mode='r'); q = np.ascontiguousarray(v[:200])\n"
        "def peak():\n"
        "    return int(next(line for line in open('/proc/self/status') if 'VmHWM' in line).split()[1]) * 1024\n"
        "before = peak()\n"
        "nearest(v, q, 10)\n"
        "print((peak() - before) / v.nbytes)\n"
    )
    import subprocess

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vectors.npy"
        np.save(path, normalised(np.random.default_rng(0).standard_normal((count, DIM), np.float32)))
        done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    print(f"memory of 200 queries at once, the mapped vectors included: {float(done.stdout):.2f} x the vectors")


def build(chunks):
    """A build from nothing, one after a change, and embedding alone."""
    draw = np.random.default_rng(1)
    words = np.array([f"w{number}" for number in range(20_000)])
    texts = [" ".join(words[np.minimum(draw.zipf(1.3, 100), 19_999)]) for _ in range(chunks)]
    with tempfile.TemporaryDirectory() as folder, lmops.open(Path(folder) / ".lmops", actor="bench") as ws:
        settings = ws.retrieval.save("docs", chunker="whole", embedder="wordllama:256", kind="hybrid")
        documents = {f"{number:06d}": text for number, text in enumerate(texts)}
        began = time.perf_counter()
        ws.retrieval.build("docs", documents, settings)
        whole = time.perf_counter() - began
        began = time.perf_counter()
        embedded(ws.models, settings.embedder, texts)
        alone = time.perf_counter() - began
        documents["000000"] = "changed"
        began = time.perf_counter()
        found = ws.retrieval.build("docs", documents, settings)
        again = time.perf_counter() - began
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"build of {chunks:,} chunks with wordllama and words: {whole:.1f} s (embedding alone {alone:.1f} s); "
            f"one document changed: {again:.1f} s, {found.work.embedded} embedded; peak memory {peak:.0f} MB"
        )
        index = ws.retrieval.index("docs")
        took = timed(lambda turn: index.search(texts[turn][:60]), TURNS)
        print(f"hybrid search in it: p50 {np.median(took) * 1000:.1f} ms, p95 {p95(took):.1f} ms")


if __name__ == "__main__":
    numbers = [int(one) for one in sys.argv[1:]]
    exact(numbers[0] if numbers else 100_000)
    memory(numbers[0] if numbers else 100_000)
    build(numbers[1] if len(numbers) > 1 else 20_000)
