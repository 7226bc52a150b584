"""What is archived: a table that needs no kernel and no script."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest

from lmops.text import unescape
from lmops.widgets.traces.static import as_html, as_text

pytest.importorskip("anywidget")

HOSTILE = "<img src=x onerror=alert(1)>\"'&<script>alert(1)</script>\x1b[31m\u202e"


def widget(controller):
    from lmops.widgets.traces.browser import TraceBrowser

    return TraceBrowser(controller)


def test_the_table_has_at_most_50_rows_and_says_how_many_there_are(controller):
    """The first 50, in the order of the list."""
    found = as_html(controller(80))
    assert found.count("<tr>") == 51
    assert "The first 50 of 80 traces" in found
    assert found.index(f"{80:032x}") < found.index(f"{79:032x}")


def test_the_table_says_what_the_browser_says(controller, traffic, conversation):
    """The same headings and units; a text that goes on says so; the zone of the times is named."""
    store = traffic(3)
    store.load(spans=conversation(3, text="word " * 30))
    found = unescape(as_html(controller(store=store)))
    for words in ("started (UTC)", "tokens in", "✗ error", "✓ ok", "311 ms", "$0.002000", "word word…"):
        assert words in found, words


def test_hostile_text_is_shown_and_does_nothing(controller, traffic, conversation):
    """No tag, attribute, control character or turned direction comes through."""
    store = traffic(0)
    store.load(spans=[row for i in range(4) for row in conversation(i, text=HOSTILE)])
    browser = controller(store=store, where="name is not null")
    found = as_html(browser)
    tags = set(re.findall(r"<(/?\w+)", found))
    assert tags <= {
        "span",
        "/span",
        "div",
        "/div",
        "p",
        "/p",
        "b",
        "/b",
        "table",
        "/table",
        "thead",
        "/thead",
        "tbody",
        "/tbody",
        "tr",
        "/tr",
        "th",
        "/th",
        "td",
        "/td",
    }
    assert "<img src=x" in html.unescape(found)
    assert not re.search("[\x1b\u202e]", found + as_text(browser))


def test_live_it_has_a_view_and_the_table(controller):
    """An exported or untrusted notebook falls back to the table."""
    data, _ = widget(controller(5))._repr_mimebundle_()
    assert set(data) == {"application/vnd.jupyter.widget-view+json", "text/html", "text/plain"}


def test_static_it_opens_no_connection(controller, monkeypatch):
    """With LMOPS_STATIC=1 there is no comm and no view, only the table; Python's side works."""
    monkeypatch.setenv("LMOPS_STATIC", "1")
    found = widget(controller(5))
    assert found.widget.comm is None
    data, _ = found._repr_mimebundle_()
    assert set(data) == {"text/html", "text/plain"}
    found.where = "status = 'error'"
    assert "1 trace" in found._repr_mimebundle_()[0]["text/plain"]
    assert len(found.df()) == 1


def test_what_a_notebook_stores_of_the_widget_is_small(controller):
    """Less than 95 kB with code and styles, after much was done with it; each module less than 25 kB."""
    import json

    from lmops.widgets.kit.assets import files

    found = widget(controller(500))
    ids = [row[0] for row in found._controller.rows(50)[1]]
    found._controller.handle({"kind": "select", "id": "1", "cursor": ids[0], "marked": ids})
    found.where = "latency_ms > 0"
    assert len(json.dumps(found.widget.get_state(), default=str)) < 95_000
    for path in Path(str(files("lmops.widgets"))).rglob("*.js"):
        assert len(path.read_text("utf-8").encode()) < 25_000, path.name


def test_what_a_notebook_stores_of_the_code_is_packed():
    """The same text comes out of it, in every process: a notebook that is run again does not differ."""
    import base64
    import gzip

    from lmops.widgets.kit.assets import packed, script

    data = re.search(r'atob\("([A-Za-z0-9+/=]+)"\)', packed("traces/browser.js"))[1]
    assert gzip.decompress(base64.b64decode(data)).decode() == script("traces/browser.js")
    assert base64.b64decode(data)[4:8] == bytes(4)  # no time in it
    assert len(packed("traces/browser.js")) < len(script("traces/browser.js")) / 2


def test_what_is_stored_has_no_comments_and_no_indents():
    """Text that nobody reads is not in every notebook; what is left out is never a part of a string."""
    from lmops.widgets.kit.assets import files, script, style

    for path in files("lmops.widgets").iterdir():
        if path.name.endswith(".js"):
            for line in path.read_text("utf-8").splitlines():
                assert line.lstrip().startswith(("//", "*", "/*")) or line.count("`") % 2 == 0, (path.name, line)
    code = script("traces/browser.js")
    assert not [line for line in code.splitlines() if line.startswith((" ", "//", "/*")) or not line or "; // " in line]
    assert "export default renders(TraceBrowserView)" in code
    assert "placeholder: `name of the ${asks}`" in code
    assert "calc(100% - 24px)" in style("traces/browser.css")
    assert "/*" not in style("traces/browser.css")


def test_no_module_writes_markup():
    """Text reaches the page as text nodes only, and nothing comes from elsewhere."""
    from lmops.widgets.kit.assets import script, style

    code = script("traces/browser.js")
    for word in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "new Function",
        "import(",
        "randomUUID",
    ):
        assert word not in code
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", code + style("traces/browser.css"))
