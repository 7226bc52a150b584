"""The eval explorer over 20,000 cases x 5 runs: what the kernel does for a click, and what the page does for a jump.

Run by ``python -m tests.bench``; alone: ``python -m tests.bench.bench_explorer [cases]``. Prints one line a figure.
"""

from __future__ import annotations

import json
import sys
import time
import zlib

import lmops
from tests.bench.bench_browser import FRAMES, JUMP, JUMPS, SCROLL, quantiles

RUNS = 5


def rows(n):
    """Return examples with two keys to slice by."""
    return [
        {"example_id": f"case-{i:06}", "input": {"question": f"May dog {i} travel on the night ferry?"},
         "expected": f"yes {i}", "topic": f"topic {i % 12}", "language": ("en", "de", "fr")[i % 3]}
        for i in range(n)
    ]  # fmt: skip  # one row is packed as it is read


def evaluate(ws, n):
    """Run five tasks that fail some cases each, and return the runs."""

    def task_of(number):
        def answer(question):
            is_wrong = zlib.crc32(f"{question} {number}".encode()) % 10 < number
            return f"{'no' if is_wrong else 'yes'} {question.split()[2]}"

        return answer

    ws.datasets.save("dogs", rows(n))
    return [
        ws.evals.run(
            task_of(number), "dogs", ["exact_match", "token_f1"], name=f"run {number}", concurrency=64, progress=False
        )
        for number in reversed(range(RUNS))
    ]


def clock(what):
    """Return (milliseconds, result)."""
    began = time.perf_counter()
    found = what()
    return (time.perf_counter() - began) * 1e3, found


def kernel(ws, runs):
    """Yield (figure, value, unit, bar) of the controller alone, and the controller."""
    query = "select run_id, example_id, scorer, avg(value) from scores group by all"
    floor, _ = clock(lambda: ws.sql(query).fetchall())
    yield "floor: one query of the mean of every case", floor, "ms", None
    took, controller = clock(lambda: ws.evals._explorer(runs, scorer="exact_match"))
    yield "open: runs, examples, scores", took, "ms", None
    yield "  times the floor", took / floor, "x", None

    def ask(kind, **more):
        (answer,) = controller.handle({"kind": kind, "id": "1", "view": "v", **more})
        assert answer["kind"] != "error", answer
        return answer

    for name, change in {
        "only regressions": {"regressions": True},
        "words": {"text": "dog 77"},
        "clear": {"clear": True},
        "another scorer": {"scorer": "token_f1"},
        "another pair": {"a": 2, "b": 3},
    }.items():
        took, state = clock(lambda change=change: ask("filter", **change))
        yield f"filter: {name} ({state['total']:,} cases)", took, "ms", 100
    took, window = clock(lambda: ask("window", rev=controller._rev, start=5_000, count=100))
    yield "window of 100 rows", took, "ms", 20
    yield "  bytes a row", len(json.dumps(window)) / 100, "B", 200
    took, _ = clock(lambda: ask("panels", rev=controller._rev))
    yield "overview of a new pair: verdicts, matrix, 15 slices", took, "ms", None
    took, _ = clock(lambda: ask("panels", rev=controller._rev))
    yield "overview, verdicts known", took, "ms", 250
    took, _ = clock(lambda: ask("case", case_id="case-000042", repeat=0))
    yield "one case in full", took, "ms", 100


def page(ws, runs):
    """Yield (figure, value, unit, bar) of the page, the controller as its kernel."""
    from playwright.sync_api import sync_playwright

    from lmops.widgets.kit.assets import script, style
    from tests.browser.conftest import ARGS, PAGE, executable
    from tests.browser.conftest import START as MOUNT

    controller = ws.evals._explorer(runs, scorer="exact_match")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable(), args=ARGS)
        found = browser.new_page(viewport={"width": 1400, "height": 800})
        found.expose_function("kernel", lambda text: json.dumps(controller.handle(json.loads(text))))
        found.set_content(PAGE)
        began = time.perf_counter()
        found.evaluate(MOUNT, {"esm": script("evals/explorer.js"), "css": style("evals/explorer.css"), "height": 700})
        found.wait_for_selector(".lm-row:not(.lm-loading):not([hidden])")
        yield "mounted to first rows", (time.perf_counter() - began) * 1e3, "ms", 1_000
        found.wait_for_selector(".lm-overview[data-rev]", timeout=60_000)
        median, p95 = quantiles(found.evaluate(JUMP, [JUMPS, controller.total]))
        yield "random jump to painted, median", median, "ms", None
        yield "random jump to painted, p95", p95, "ms", 150
        scrolled = found.evaluate(SCROLL, FRAMES)
        median, p95 = quantiles(scrolled["times"])
        yield "scrolling, frame median", median, "ms", None
        yield "scrolling, frame p95", p95, "ms", 50
        browser.close()


def main(n=20_000):
    """Print every figure beside its bar."""
    from tests.browser.conftest import unavailable

    with lmops.open(":memory:") as ws:
        took, runs = clock(lambda: evaluate(ws, n))
        print(f"eval explorer over {n:,} cases x {RUNS} runs x 2 scorers (run in {took / 1e3:.0f} s)")
        reason = unavailable()
        for part in (kernel, page) if reason is None else (kernel,):
            for figure, value, unit, bar in part(ws, runs):
                verdict = "" if bar is None else f"   bar {bar:,} {unit}: {'holds' if value <= bar else 'MISSED'}"
                print(f"  {figure:<62}{value:>10,.1f} {unit}{verdict}", flush=True)
        if reason is not None:
            print(f"  page: not measured, {reason}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000)
