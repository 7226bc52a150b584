"""Text from traces is hostile: whatever view shows it, nothing of it runs."""

# ruff: noqa: E501
from __future__ import annotations

import json

#: Each sets window.__xss when it runs; those that ran in a live notebook are here, and some more.
PAYLOADS = (
    "<img src=x onerror=\"window.__xss='img'\">",
    "<script>window.__xss='script'</script>",
    "<b onmouseover=\"window.__xss='over'\">x</b>",
    '"><svg onload="window.__xss=\'svg\'">',
    "[x](javascript:window.__xss='link')",
    "<a href=\"javascript:window.__xss='href'\">x</a>",
    "$\\href{javascript:window.__xss='math'}{x}$",
    "</script><script>window.__xss='close'</script>",
    "<style>*{display:none}</style>",
    "{{constructor.constructor('window.__xss=1')()}}",
)
HOSTILE = " ".join(PAYLOADS)


def hostile_rows(conversation):
    """Ten traces, every field of which is hostile, ids and models too."""
    rows = []
    for i in range(10):
        for row in conversation(i, text=HOSTILE):
            for name in ("model", "provider", "tool_name", "prompt_name", "session_id", "user_id", "service", "environment",
                         "finish_reason", "scope", "index_fingerprint", "response_id"):  # fmt: skip
                if row[name] is not None or name in ("provider", "scope"):
                    row[name] = HOSTILE
            row["attributes"] = json.dumps({HOSTILE: HOSTILE})
            row["resource"] = json.dumps({HOSTILE: HOSTILE})
            row["events"] = json.dumps([{"name": HOSTILE, "time_ns": 1, "attributes": {HOSTILE: HOSTILE}}])
            if row["kind"] == "tool":
                row["input"] = json.dumps({HOSTILE: HOSTILE})
            if row["kind"] == "llm":
                row["input"] = json.dumps([{"role": HOSTILE, "content": HOSTILE, "name": HOSTILE, "reasoning": HOSTILE,
                                            "tool_calls": [{"id": HOSTILE, "name": HOSTILE, "arguments": HOSTILE}]}])  # fmt: skip
            if row["kind"] == "retriever":
                row["documents"] = json.dumps(
                    [{"rank": 1, "id": HOSTILE, "score": 0.5, "content": HOSTILE, "metadata": {HOSTILE: HOSTILE}}]
                )
            rows.append(row)
    return rows


def nothing_ran(page):
    """Move over everything, wait, and see that no payload ran."""
    page.evaluate(
        """() => { for (const el of document.querySelectorAll('*')) {
          el.dispatchEvent(new MouseEvent('mouseover', {bubbles: true})); el.dispatchEvent(new MouseEvent('mouseenter')); } }"""
    )
    page.wait_for_timeout(150)
    assert page.evaluate("() => window.__xss") is None
    assert (
        page.evaluate(
            "() => document.querySelectorAll('.lm-root img, .lm-root script, .lm-root a, .lm-root style').length"
        )
        == 0
    )


def test_the_live_browser_shows_hostile_text_as_text(controller, stage, traffic, conversation):
    """Table, summaries, chips, peek, every span, raw, session, find, pin, status line."""
    store = traffic(0)
    store.load(spans=hostile_rows(conversation))
    s = stage(controller(store=store), width=1500)
    for name in ("output", "prompt_refs", "session_id", "user_id", "service", "error_message", "error_type"):
        s.page.click("[aria-label=columns]")
        s.page.check(f"input[data-column={name}]")
        s.page.click(".lm-foot")
    s.page.wait_for_selector(".lm-th[data-column=service] .lm-top")
    nothing_ran(s.page)
    s.page.click(".lm-th[data-column=name] .lm-top")
    s.page.wait_for_selector(".lm-chip")
    s.root.focus()
    s.press("j", "j")
    s.page.wait_for_selector(".lm-peek-text")
    nothing_ran(s.page)
    s.press("Enter")
    s.page.wait_for_selector(".lm-pane[data-ready=true]")
    for index in range(4):
        s.press("g", *["j"] * index)
        s.page.wait_for_selector(f".lm-body[data-index='{index}']")
        nothing_ran(s.page)
        s.press("r")
        nothing_ran(s.page)
        s.press("r")
    s.press("s")
    s.page.wait_for_selector(".lm-body[data-session]")
    nothing_ran(s.page)
    s.press("s", "p")
    s.page.wait_for_selector(".lm-pinned[data-ready=true]")
    s.page.locator(".lm-pane:not(.lm-pinned) .lm-find").fill(PAYLOADS[0])
    s.page.wait_for_selector(".lm-body mark")
    nothing_ran(s.page)
    s.page.locator(".lm-search").fill("nonsense(" + PAYLOADS[0])
    s.press("Enter")
    s.page.wait_for_selector(".lm-said-error")
    nothing_ran(s.page)
    assert not s.page_errors


CELLS = (
    "import lmops\nws = lmops.open('../hostile', read_only=True)\nids = ws.traces.search()['trace_id']",
    "b = ws.traces.browse(); b",
    "ws.traces.get(ids[3])",
    "ws.traces.search()",
    "print(ws.traces.get(ids[3])); ws.traces.get(ids[3]).df()",
    "from lmops import charts\ncharts.errors(ws.traces.stats(by=['model'], every='1h'), title=ids[0])",
    "charts.bars(ws.traces.stats(by=['service', 'name']), 'service', 'traces')",
    "import os\nos.environ['LMOPS_STATIC'] = '1'\nws.traces.browse()",
    "ws.traces.search(\"name = '<img src=x onerror=window.__xss=1>' and nonsense\")",
)


def test_no_view_in_a_live_notebook_runs_hostile_text(lab, notebook, conversation):
    """Every public view, in JupyterLab, in a notebook that was run here and so is trusted."""
    from lmops.store import Store

    with Store.open(lab.folder / "hostile") as store:
        store.load(spans=hostile_rows(conversation))
    nb = notebook("hostile.ipynb", *CELLS)
    for index in range(len(CELLS)):
        nb.run(index)
    nb.page.wait_for_selector(".lm-root[data-state=ready] .lm-row:not(.lm-loading)")
    for index in (2, 3, 4, 7):
        assert "<scri" in nb.page.locator(".jp-Notebook .jp-Cell").nth(index).locator(".jp-OutputArea").inner_text(), (
            index
        )
    assert nb.page.locator(".jp-Notebook .jp-Cell").nth(7).locator(".lm-root").count() == 0
    nothing_ran(nb.page)


def test_an_untrusted_notebook_shows_the_table(controller, notebook, traffic, conversation):
    """A notebook from elsewhere: the view is not run, the table of the same output is shown, escaped; archived too."""
    from lmops.widgets._static_table import bundle

    store = traffic(0)
    store.load(spans=hostile_rows(conversation))
    static = dict(bundle(controller(store=store)))
    live = static | {
        "application/vnd.jupyter.widget-view+json": {"version_major": 2, "version_minor": 0, "model_id": "0" * 32}
    }
    outputs = {
        i: [{"output_type": "execute_result", "execution_count": 1, "metadata": {}, "data": data}]
        for i, data in enumerate((live, static))
    }
    nb = notebook("untrusted.ipynb", "1", "1", outputs=outputs)
    nb.page.wait_for_selector(".jp-OutputArea table tbody tr")
    for cell in (0, 1):
        assert nb.page.locator(".jp-Notebook .jp-Cell").nth(cell).locator("table tbody tr").count() == 10
    nothing_ran(nb.page)
