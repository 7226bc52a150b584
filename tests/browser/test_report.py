"""The report of a runbook in Chromium: nothing is cut on a telephone and on paper, and the answer stands first."""

# ruff: noqa: E501 - scripts of the page stand on one line

from __future__ import annotations

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from lmops.base.sheet import framed, html_table
from lmops.runbooks import _html
from lmops.runbooks._decision import answer_of

CUT = """() => [...document.querySelectorAll('h1, p, td, dd')].filter((el) => el.getBoundingClientRect().width
  && (el.getBoundingClientRect().right > document.documentElement.clientWidth + 1 || el.scrollWidth > el.clientWidth + 1))
  .map((el) => el.outerHTML.slice(0, 200))"""


@pytest.fixture
def report(chromium):
    """Return a function that opens a report with wide tables, on a page of a width."""
    pages = []
    words = "the whole interval is a loss " * 3
    tables = [
        html_table([f"column {i}" for i in range(12)], [[words, *range(10), "x" * 90]]),
        framed("cases", ["case", "score", "input", "answer"], [["q1", 0.5, words, words]], numbers=[1]),
        html_table(["name", "value"], [["run", "a" * 70]]),
        html_table([f"cost {i}" for i in range(9)], [["$0.7093"] * 9]),
    ]
    outputs = [new_output("display_data", data={"text/html": table}) for table in tables]
    cells = [new_markdown_cell("# Gate"), new_code_cell("1", outputs=outputs)]
    answer = answer_of("ok", {"decision": "fail", "reasons": [words]}, None, None)

    def opened(width, **media):
        page = chromium.new_page(viewport={"width": width, "height": 900})
        pages.append(page)
        page.emulate_media(**media)
        facts = [("notebook SHA-256", "ab" * 32, "")]
        page.set_content(_html.page(new_notebook(cells=cells), title="Gate", facts=facts, answer=answer))
        return page

    yield opened
    for page in pages:
        page.close()


@pytest.mark.parametrize(("width", "media"), [(390, {}), (700, {"media": "print"})])
def test_no_column_is_cut(report, width, media):
    """On a telephone and on paper each value of a wide table stands behind the name of its column."""
    page = report(width, **media)
    assert page.evaluate(CUT) == []
    label = page.evaluate("getComputedStyle(document.querySelector('.lm-wide td'), '::before').content")
    assert "column 0" in label or "data-label" in label


def test_a_value_in_dollars_stands_on_one_line(report):
    """Its sign is apart in the markup, so that no page takes it for a formula, and beside it on a telephone."""
    page = report(390)
    found = page.locator("td[data-label='cost 0']")
    assert found.inner_text() == "$0.7093"
    assert found.bounding_box()["height"] < 30


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_answer_is_large_and_coloured(report, scheme):
    """Above all else, in the colour of its kind, which reads on both grounds."""
    page = report(1200, color_scheme=scheme)
    outcome = page.locator(".outcome")
    assert outcome.inner_text() == "\u2715 fail"
    colour, size = outcome.evaluate("(el) => [getComputedStyle(el).color, parseFloat(getComputedStyle(el).fontSize)]")
    assert colour == {"light": "rgb(180, 35, 24)", "dark": "rgb(255, 123, 114)"}[scheme]
    assert size > 28
    assert (
        outcome.bounding_box()["y"]
        < page.locator("main").bounding_box()["y"]
        < page.locator("footer").bounding_box()["y"]
    )
