"""What a runbook decided: how it ends its command, and what its report begins with."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from lmops.runbooks import RunbookRun, _html
from lmops.runbooks._decision import answer_of


@pytest.mark.parametrize(
    ("status", "decision", "code"),
    [
        ("ok", "pass", 0), ("ok", "fail", 1), ("ok", "FAIL", 1), ("ok", "drifted_silently", 1), ("ok", "attention", 1),
        ("ok", "inconclusive", 3), ("ok", "no data", 3), ("ok", "no_data", 3), ("ok", "Unknown ", 3),
        ("ok", "stale", 1), ("ok", "needs labels", 3), ("ok", "uncalibrated", 3), ("ok", "calibrated", 0),
        ("failed", "pass", 1), ("ok", None, 0),
    ],
)  # fmt: skip  # cases that belong together share a line
def test_a_decision_is_an_exit_code(status, decision, code):
    """In any spelling; a run that failed is never more than that."""
    run = RunbookRun(
        run_id="r",
        name="n",
        notebook=Path("n.ipynb"),
        status=status,
        parameters={},
        actor="ada",
        started_at=datetime(2026, 1, 1, tzinfo=UTC),
        result={"decision": decision},
    )
    assert run.exit_code == code


@pytest.mark.parametrize(
    ("status", "decision", "kind", "word"),
    [
        ("ok", "pass", "pass", "pass"),
        ("ok", "attention", "fail", "attention"),
        ("ok", "no data", "inconclusive", "no data"),
        ("ok", "drifted_silently", "fail", "drifted silently"),
        ("ok", "would promote", "planned", "would promote"),
        ("failed", "pass", "fail", "failed"),
    ],
)
def test_a_report_begins_with_what_was_found(status, decision, kind, word):
    """Title, outcome by word, sign and colour, the first reason; then its chart, the rest, and where it comes from."""
    figure = new_output("display_data", data={_html.PLOTLY: {"data": [], "layout": {}}})
    first, tagged = (new_code_cell(text, outputs=[figure.copy()]) for text in ("first", "tagged"))
    tagged.metadata["tags"] = [_html.ANSWER_TAG]
    notebook = new_notebook(cells=[new_markdown_cell("# Gate\n\nWhy so?"), first, tagged])
    result = {"decision": decision, "reasons": ["<b>it</b> fell", "and more"]}
    answer = answer_of(status, result, {"number": 2, "of": 3, "title": "ask"}, "it broke")
    page = _html.page(notebook, title="Gate", facts=[("run", "r1", "")], answer=answer)
    why = "&lt;b&gt;it&lt;/b&gt; fell" if status == "ok" else "cell 2 of 3, ask: it broke"
    order = [f'class="answer {kind}"', "<h1>Gate</h1>", f"</span> {word}</p>", why, 'class="chart"', "<main>"]
    order += ["Why so?", "<footer>", "<dt>run</dt>"]
    places = [page.index(one) for one in order]
    assert places == sorted(places)
    assert page.count("<h1>") == 1
    assert page[page.index("<main>") :].count('class="lmops-figure"') == 1
