"""What is read later, without a kernel: exported offline, on a page that removes every style, and from a saved notebook."""

# ruff: noqa: E501 - scripts of the page stand on one line
from __future__ import annotations

import json
import re

import pytest


@pytest.fixture
def kept(tmp_path, conversation):
    """A workspace with 80 traces."""
    import lmops

    with lmops.open(tmp_path / ".lmops") as ws:
        ws.store.load(spans=[row for i in range(80) for row in conversation(i)])
        yield ws


def a_notebook(*bundles, state=None):
    """Return a notebook whose cells have these outputs."""
    import nbformat

    cells = [
        nbformat.v4.new_code_cell("...", outputs=[nbformat.v4.new_output("display_data", data=data)])
        for data in bundles
    ]
    return nbformat.v4.new_notebook(cells=cells, metadata={"widgets": state} if state else {})


def exported(notebook):
    """Return what nbconvert makes of it, as it is set up by default."""
    from nbconvert import HTMLExporter

    return HTMLExporter().from_notebook_node(notebook)[0]


def offline(chromium, html):
    """Return a page that shows this and reaches no other machine."""
    page = chromium.new_page(viewport={"width": 1300, "height": 900})
    page.route("**/*", lambda route: route.abort())
    page.set_content(html)
    return page


def test_an_exported_notebook_reads_offline(kept, chromium, monkeypatch):
    """In a runbook both forms are HTML; nbconvert shows them without any other machine."""
    monkeypatch.setenv("LMOPS_STATIC", "1")
    ids = list(kept.traces.search("status = 'error'")["trace_id"])
    browser, _ = kept.traces.browse()._repr_mimebundle_()
    page = offline(chromium, exported(a_notebook(browser, {"text/html": kept.traces.get(ids[0])._repr_html_()})))
    assert page.locator("table tbody tr").count() >= 50
    first = page.locator("table tbody tr").first
    assert first.is_visible()
    assert "Gilt mein Ticket? (79)" in first.inner_text()
    assert "The first 50 of 80 traces" in page.locator("body").inner_text()
    bars = page.locator(".lmops-trace .lmt-lane > span")
    assert bars.count() == 4
    assert all(bars.nth(i).bounding_box()["width"] >= 1 for i in range(4))
    assert "TimeoutError" in page.locator(".lmops-trace").inner_text()
    page.close()


def test_a_notebook_saved_live_is_exported_as_the_table(kept, chromium):
    """JupyterLab does not keep the state of widgets by default: then nbconvert takes the table of the same output."""
    browser, _ = kept.traces.browse()._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in browser
    page = offline(chromium, exported(a_notebook(browser)))
    assert page.locator("table tbody tr").count() == 50
    assert page.locator("table tbody tr").first.is_visible()
    page.close()


def test_a_page_that_removes_every_style_still_reads(kept, chromium):
    """As GitHub does: no style, no class, no script; one line a row and a span, in words, with its indent."""
    ids = list(kept.traces.search("status = 'error'")["trace_id"])
    html = kept.traces.browse()._controller.bundle()["text/html"] + kept.traces.get(ids[0])._repr_html_()
    html = re.sub(r"<style>.*?</style>", "", html, flags=re.DOTALL)
    html = re.sub(r'\s(?:style|class|role|aria-[a-z]+)="[^"]*"', "", html)
    page = offline(chromium, html)
    text = page.locator("body").inner_text()
    assert "✗ error" in text
    lines = [
        line
        for line in text.splitlines()
        if re.search(r"\b(chain|retriever|llm|tool)\b", line) and re.search(r"\d m?s\b", line)
    ]
    assert [re.search(r"chain|retriever|llm|tool", line)[0] for line in lines][-4:] == [
        "chain",
        "retriever",
        "llm",
        "tool",
    ]
    indents = [len(line) - len(line.lstrip("\u00a0 ▸")) for line in lines[-4:]]
    assert indents[0] < indents[1] == indents[2] < indents[3]
    page.close()


def test_what_is_archived_is_small(kept, monkeypatch):
    """A runbook's cell holds a table of 50 rows at most, and nothing of the widget."""
    monkeypatch.setenv("LMOPS_STATIC", "1")
    data, metadata = kept.traces.browse()._repr_mimebundle_()
    assert set(data) == {"text/html", "text/plain"}
    assert metadata == {}
    assert len(json.dumps(data)) < 75_000


def test_an_exported_labeler_says_how_far_the_queue_is(kept, chromium, monkeypatch):
    """Raters and the first cases as tables, without any other machine."""
    monkeypatch.setenv("LMOPS_STATIC", "1")
    kept.feedback.schemas.save("support")
    kept.feedback.queue("q", kept.traces.search(), schema="support")
    kept.feedback.queues.label("q", [1, 2], {"verdict": "pass"}, rater="ann")
    data, _ = kept.feedback.label("q", rater="ann")._repr_mimebundle_()
    page = offline(chromium, exported(a_notebook(data)))
    words = page.locator("body").inner_text()
    assert "queue q: 2 of 80 items done (2.5 %) (as ann)" in words
    assert "first 50 of 80 items" in words
    assert page.locator("table tbody tr").count() == 51
