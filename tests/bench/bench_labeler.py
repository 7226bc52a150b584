"""The labeler: how soon the next case is drawn, and two thousand keys at a hundred a second, none lost or misplaced.

Run by ``python -m tests.bench``; alone: ``python -m tests.bench.bench_labeler [keys]``. Prints one line a figure.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

import lmops
from tests.bench.bench_browser import quantiles

KEYS = 2_000
PACE_MS = 10
WARM = 60

#: Press a key, wait until the next case is drawn; returns milliseconds from the key to the frame after it.
DRAWN = """async (n) => {
  const root = document.querySelector('.lm-root'), times = [];
  const pause = (ms) => new Promise((done) => setTimeout(done, ms));
  for (let i = 0; i < n; i++) {
    const before = root.dataset.position, began = performance.now();
    root.dispatchEvent(new KeyboardEvent('keydown', {key: 'p', bubbles: true, cancelable: true}));
    while (root.dataset.position === before || !document.querySelector('.lm-output')) await pause(1);
    await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
    times.push(performance.now() - began);
    await pause(250);
  }
  return times;
}"""
#: Press keys at a pace, whatever the page does meanwhile; then wait until everything is in the store.
TYPED = """async ([keys, pace]) => {
  const root = document.querySelector('.lm-root'), began = performance.now();
  for (let i = 0; i < keys.length; i++) {
    root.dispatchEvent(new KeyboardEvent('keydown', {key: keys[i], bubbles: true, cancelable: true}));
    const ahead = began + (i + 1) * pace - performance.now();
    if (ahead > 0) await new Promise((done) => setTimeout(done, ahead));
  }
  const typed = performance.now() - began;
  while (root.dataset.kept !== String(window.wanted)) await new Promise((done) => setTimeout(done, 20));
  return [typed, performance.now() - began];
}"""


def rows(n):
    """Return the spans of ``n`` small traces."""
    from tests.widgets.conftest import _conversation

    return [row for i in range(n) for row in _conversation(i)]


def page(ws, keys):
    """Yield (figure, value, unit, bar) of the page, the controller as its kernel."""
    from playwright.sync_api import sync_playwright

    from lmops.widgets.kit.assets import script, style
    from tests.browser.conftest import ARGS, PAGE, executable
    from tests.browser.conftest import START as MOUNT

    controller = ws.feedback.label("q")._controller
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable(), args=ARGS)
        found = browser.new_page(viewport={"width": 1400, "height": 800})
        found.route("http://localhost/**", lambda route: route.fulfill(body=PAGE, content_type="text/html"))
        found.expose_function("kernel", lambda text: json.dumps(controller.handle(json.loads(text))))
        found.goto("http://localhost/")
        began = time.perf_counter()
        found.evaluate(
            MOUNT, {"esm": script("feedback/labeler.js"), "css": style("feedback/labeler.css"), "height": 640}
        )
        found.wait_for_selector(".lm-output")
        yield "mounted to first case", (time.perf_counter() - began) * 1e3, "ms", 1_000
        median, p95 = quantiles(found.evaluate(DRAWN, WARM))
        yield "key to next case drawn, median", median, "ms", None
        yield "key to next case drawn, p95", p95, "ms", 50
        found.evaluate("(n) => { window.wanted = n; }", WARM + keys)
        pressed = ["p", "f", "f", "c", "u"] * (keys // 5)
        found.set_default_timeout(300_000)
        typed, saved = found.evaluate(TYPED, [pressed, PACE_MS])
        yield f"{keys:,} keys typed", typed / 1e3, "s", None
        yield "  the last one acknowledged after", saved / 1e3, "s", None
        acts = ws.sql("select count(*), count(distinct sequence), max(sequence) from label_history").fetchall()[0]
        yield "  acts lost or doubled", abs(acts[0] - keys - WARM) + acts[2] - acts[1], "", 0
        labels = ws.sql(
            "select json_extract_string(field_values, '$.verdict.value') from labels order by position"
        ).fetchall()
        wanted = ["pass"] * WARM + ["pass", "fail", "fail"] * (keys // 5)
        yield (
            "  labels misplaced",
            sum(a != b for (a,), b in zip(labels, wanted, strict=False)) + abs(len(labels) - len(wanted)),
            "",
            0,
        )
        browser.close()


def main(keys=KEYS):
    """Print every figure beside its bar."""
    from tests.browser.conftest import unavailable

    print(f"labeler over {keys:,} keys, one every {PACE_MS} ms")
    reason = unavailable()
    if reason is not None:
        print(f"  page: not measured, {reason}")
        return
    with tempfile.TemporaryDirectory() as folder, lmops.open(Path(folder) / ".lmops", actor="ann") as ws:
        n = WARM + keys
        ws.store.load(spans=rows(n))
        ws.feedback.schemas.save("support")
        ws.feedback.queue("q", [f"{i + 1:032x}" for i in range(n)], schema="support")
        for figure, value, unit, bar in page(ws, keys):
            verdict = "" if bar is None else f"   bar {bar:,} {unit}: {'holds' if value <= bar else 'MISSED'}"
            print(f"  {figure:<62}{value:>10,.1f} {unit}{verdict}", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else KEYS)
