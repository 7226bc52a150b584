"""The trace browser over a million traces, beside a paged ipywidgets table, both in one JupyterLab in one run.

Run by ``python -m tests.bench``; alone: ``python -m tests.bench.bench_browser [traces]``. Prints one line a figure.
"""

# ruff: noqa: E501 - scripts of the page stand on one line
from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

JUMPS = 30
FRAMES = 200

OURS = """import lmops, time
ws = lmops.open({store!r}, read_only=True)
b = ws.traces.browse()
print(b._controller._listing.query_ms)
b"""
PAGED = """import html, ipywidgets as W
table = W.HTML()
page = W.BoundedIntText(value=0, min=0, max={pages}, description='page')
page.add_class('paged')
def show(_=None):
    start = page.value * 20
    rows = ws.sql("select trace_id, name, start_at, latency_ms, status, left(input, 64) from traces order by start_ns desc "
                  "limit 20 offset " + str(start)).fetchall()
    cells = ''.join('<tr>' + ''.join(f'<td>{{html.escape(str(v))}}</td>' for v in row) + '</tr>' for row in rows)
    table.value = f'<table class="paged-table" data-page="{{page.value}}">{{cells}}</table>'
page.observe(show, 'value')
show()
W.VBox([page, table])"""

JUMP = """async ([n, total]) => {
  const el = document.querySelector('.lm-scroll'), times = [];
  for (let i = 0; i < n; i++) {
    const t = performance.now();
    el.scrollTop = Math.random() * el.scrollHeight;
    await new Promise((done) => { const look = () => {
      const rows = [...document.querySelectorAll('.lm-row:not([hidden])')];
      if (performance.now() - t > 5_000 || (rows.length && !rows.some((row) => row.classList.contains('lm-loading')))) requestAnimationFrame(done);
      else requestAnimationFrame(look); }; requestAnimationFrame(() => requestAnimationFrame(look)); });
    times.push(performance.now() - t);
    await new Promise((done) => setTimeout(done, 150));
  }
  return times;
}"""
SCROLL = """async (frames) => {
  const el = document.querySelector('.lm-scroll'), times = []; let loading = 0, last = performance.now();
  for (let i = 0; i < frames; i++) {
    el.dispatchEvent(new WheelEvent('wheel', {deltaY: 120, bubbles: true, cancelable: true}));
    await new Promise(requestAnimationFrame);
    const now = performance.now(); times.push(now - last); last = now;
    loading += document.querySelectorAll('.lm-row.lm-loading:not([hidden])').length > 0;
  }
  return {times, loading};
}"""
TURN = """async (page) => {
  const input = document.querySelector('.paged input'), t = performance.now();
  input.value = String(page); input.dispatchEvent(new Event('change', {bubbles: true}));
  await new Promise((done) => { const look = () => document.querySelector(`.paged-table[data-page="${page}"]`)
    ? requestAnimationFrame(done) : requestAnimationFrame(look); look(); });
  return performance.now() - t;
}"""


def write_store(folder, n):
    """Write ``n`` one-span traces as segments, through the store's own file format."""
    import duckdb

    from lmops.store import Store
    from lmops.store._manifest import move_manifest
    from lmops.store._segments import arrow_schema

    base = (
        "select i, md5(i::varchar) as trace_id, substr(md5('s' || i), 1, 16) as span_id, "
        "1760000000000000000 + i * 1200000000 as start_ns, "
        "50 - 700 * ln(0.0001 + (hash(i * 7) % 10000) / 10000.0) as latency_ms, hash(i) % 25 = 0 as failed from range({a}, {b}) t(i)"
    )
    shared = (
        "trace_id, start_ns, (start_ns + latency_ms * 1e6)::bigint as end_ns, latency_ms, 500 + i % 900 as input_tokens, "
        "80 + i % 200 as output_tokens, case when i % 17 > 0 then 0.0003 + (i % 90) / 1e5 end as cost_usd, "
        "if(failed, 'error', 'ok') as status, if(failed, 'TimeoutError', null) as error_type, 's' || (i // 4) as session_id, "
        "'u' || (i % 5000) as user_id, 'ferry' as service, "
        "'How do I take my dog on the night ferry, and what does it cost? Booking ' || i as input, "
        "'Dogs travel in the pet cabins; book one when you book the crossing.' as output, 1::bigint as rev, "
        "make_timestamp(start_ns // 1000)::timestamptz as start_at, make_timestamp((start_ns + latency_ms * 1e6)::bigint // 1000)::timestamptz as end_at"
    )
    own = {
        "traces": "['support-assistant', 'booking-change', 'summarise-ticket'][1 + i % 3] as name, span_id as root_span_id, "
        "1 as span_count, failed::bigint as error_count, 1 as call_count, [if(i % 4 = 0, 'gpt-5', 'gpt-5-mini')] as models, "
        "['answer@' || (1 + i % 3)] as prompt_refs, (i % 17 = 0)::bigint as unpriced_calls, false as is_orphan",
        "spans": "'chat' as name, 'llm' as kind, span_id, 'gpt-5-mini' as model, '{}' as attributes, '[]' as events, "
        "'{}' as resource, true as is_call, 1 as normaliser_version",
    }
    store = Store.open(folder)
    con = duckdb.connect()
    con.execute("set TimeZone = 'UTC'")
    written = []
    for tbl, columns in own.items():
        schema = arrow_schema(tbl)
        for a in range(0, n, 250_000):
            source = f"(select {shared}, {columns} from ({base.format(a=a, b=min(n, a + 250_000))}))"
            have = {column[0] for column in con.sql(f"select * from {source} limit 0").description}
            picked = ", ".join(name if name in have else f"null as {name}" for name in schema.names)
            table = con.sql(f"select {picked} from {source}").to_arrow_table().cast(schema)
            written.append(store._publisher.write_file(tbl, table))
    with store._meta.write() as meta:
        for file in written:
            file.insert(meta)
        meta.execute("update counters set value = 1 where name = 'rev'")
        move_manifest(meta)
    store.close()


def quantiles(times):
    """Return (median, 95th percentile)."""
    return statistics.median(times), statistics.quantiles(times, n=20)[-1]


def measure(lab, browser, store, n):
    """Yield (figure, value, unit, bar) of one session in JupyterLab."""
    from tests.browser.conftest import Notebook

    cells = (OURS.format(store=str(store)), PAGED.format(pages=max(1, n // 20 - 1)))
    document = {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        "cells": [
            {"id": f"c{i}", "cell_type": "code", "source": cell, "metadata": {}, "execution_count": None, "outputs": []}
            for i, cell in enumerate(cells)
        ],
    }
    page = browser.new_page(viewport={"width": 1500, "height": 950})
    received = []
    # playwright marks its handlers, which a built-in method does not allow
    page.on("websocket", lambda ws: ws.on("framereceived", lambda frame: received.append(frame)))  # noqa: PLW0108 - of one argument
    nb = Notebook(lab, page, "bench.ipynb")
    nb.path.write_text(json.dumps(document), "utf-8")
    nb.open()
    start = time.perf_counter()
    cell = nb.run(0, wait=False)
    page.wait_for_selector(".lm-row:not(.lm-loading)", timeout=120_000)
    total_ms = (time.perf_counter() - start) * 1e3
    query_ms = float(cell.locator(".jp-OutputArea-output").first.inner_text())
    yield "run of the cell to first rows, imports and query included", total_ms, "ms", None
    yield "query and sort", query_ms, "ms", None
    page.wait_for_timeout(3_000)
    once = page.evaluate(
        """async () => { const t = performance.now(); const root = document.querySelector('.lm-root');
          const rev = Number(root.dataset.rev); document.querySelector('.lm-th[data-column=start_at] .lm-sort').click();
          await new Promise((done) => { const look = () => Number(root.dataset.rev) > rev && document.querySelector('.lm-row:not(.lm-loading):not([hidden])')
            ? requestAnimationFrame(done) : requestAnimationFrame(look); look(); });
          return performance.now() - t; }"""
    )
    yield "query returned to first rows painted (sorted anew by a click, sort included)", once, "ms", 1_000
    page.wait_for_timeout(2_500)
    received.clear()
    jumps = page.evaluate(JUMP, [JUMPS, n])
    windows = [frame for frame in received if (b'"window"' if isinstance(frame, bytes) else '"window"') in frame]
    median, p95 = quantiles(jumps)
    yield "random jump to painted, median", median, "ms", None
    yield "random jump to painted, p95", p95, "ms", 150
    if windows:
        yield "bytes a row on the wire", statistics.median(map(len, windows)) / 100, "B", 200
    scrolled = page.evaluate(SCROLL, FRAMES)
    median, p95 = quantiles(scrolled["times"])
    yield "scrolling 5 rows a frame, frame median", median, "ms", None
    yield "scrolling 5 rows a frame, frame p95", p95, "ms", 50
    yield "frames with a row not yet loaded", scrolled["loading"] / FRAMES * 100, "%", None
    page.locator(".lm-th[data-column=latency_ms] .lm-sort").click()
    page.wait_for_selector(".lm-th[data-column=latency_ms][aria-sort=descending]")
    page.wait_for_timeout(4_000)  # the summaries of the new order
    median, p95 = quantiles(page.evaluate(JUMP, [JUMPS, n]))
    yield "random jump to painted, sorted by latency, median", median, "ms", None
    yield "random jump to painted, sorted by latency, p95", p95, "ms", 150
    nb.run(1)
    page.wait_for_selector(".paged-table")
    received.clear()
    turns = [page.evaluate(TURN, 1 + (i * 7919) % max(2, n // 20 - 2)) for i in range(JUMPS)]
    median, p95 = quantiles(turns)
    yield "baseline, paged ipywidgets of 20 rows: jump, median", median, "ms", None
    yield "baseline, paged ipywidgets of 20 rows: jump, p95", p95, "ms", None
    yield "baseline: bytes a row on the wire", sum(map(len, received)) / JUMPS / 20, "B", None


def main(n=1_000_000):
    """Print every figure beside its bar."""
    from playwright.sync_api import sync_playwright

    from tests.browser.conftest import ARGS, Lab, executable, unavailable

    reason = unavailable()
    if reason is not None:
        print(f"trace browser: not measured, {reason}")
        return
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        write_store(Path(folder) / "store", n)
        print(f"trace browser over {n:,} traces (written in {time.perf_counter() - began:.0f} s)")
        (Path(folder) / "lab").mkdir()
        lab = Lab(Path(folder) / "lab")
        try:
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=executable(), args=ARGS)
                for figure, value, unit, bar in measure(lab, browser, Path(folder) / "store", n):
                    verdict = "" if bar is None else f"   bar {bar:,} {unit}: {'holds' if value <= bar else 'MISSED'}"
                    print(f"  {figure:<78}{value:>10,.1f} {unit}{verdict}", flush=True)
                browser.close()
        finally:
            lab.close()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
