"""Everything that a notebook shows of a record: it has a text and HTML, and "$" is no formula in either.

JupyterLab typesets what stands between two dollar signs, or ``\\(`` and ``\\)``, of one text in HTML.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from lmops.base.shown import html_of
from lmops.progress import _html
from lmops.runbooks._table import show_numbers, show_table
from lmops.scorers import judge
from lmops.times import from_ns
from tests.evals.judged import calibrated, judged, labelled, truth
from tests.feedback.notes import noted
from tests.feedback.test_improve import polite, rows
from tests.store.helpers import START, llm, span
from tests.widgets.prompt_samples import saved

MINUTE = 60_000_000_000
MONEY = "$5 and $6 and \\(x\\) and \\begin{x}"


class Texts(HTMLParser):
    """The pieces of text in which a formula could begin and end."""

    def __init__(self, html):
        super().__init__()
        self.found = []
        self.feed(html)

    def handle_data(self, data):
        self.found.append(data)


def formulas(html):
    """Return the texts in which something would be typeset."""
    return [text for text in Texts(html).found if re.search(r"\$.*\$|\\\(.*\\\)|\\\[.*\\\]|\\begin", text, re.DOTALL)]


def traced(ws):
    """Two calls that cost something and speak of money."""
    root = span("a", "root", input=MONEY, output=MONEY, user_id=MONEY)
    calls = [llm("a", f"c{n}", "root", input=MONEY, output=MONEY, cost_usd=1.5, error_message=MONEY) for n in (1, 2)]
    ws.store.load(spans=[root, *calls])
    return ws.traces.get(root["trace_id"])


def of_prompts(ws):
    """Versions, their difference and comparison, an answer."""
    saved(ws)
    ws.prompts.save("money", f"{MONEY} {{{{ question }}}}", note=MONEY)
    two = ws.prompts.save("money", f"{MONEY} or {MONEY} {{{{ question }}}}", model="standin:ferry-1")
    return [
        two,
        ws.prompts.diff("money", 1, 2),
        ws.prompts.compare("support-answer", [1, 2]),
        ws.models.complete("standin:ferry-1", MONEY),
    ]


def of_datasets(ws):
    """A version and a difference."""
    one = ws.datasets.save("money", [{"input": MONEY, "expected": MONEY}])
    ws.datasets.save("money", [{"input": MONEY * 2}])
    return [one, ws.datasets.diff("money@1", "money@2")]


def of_feedback(ws, trace):
    """Everything that is measured on labels."""
    ws.feedback.record(trace.trace_id, value="up", comment=MONEY, user=MONEY)
    schema = ws.feedback.schemas.save("support", [{"name": "verdict", "criteria": MONEY}], criteria=MONEY)
    queue = ws.feedback.queue("q", [trace.trace_id, "f" * 32], schema="support")
    ws.feedback.queues.gold("q", {"e" * 32: {"verdict": {"value": "fail", "critique": MONEY}}}, share=0.5)
    said = {"verdict": {"value": "fail", "critique": MONEY}}
    for rater in (f"ann {MONEY}", "bob"):
        while (turn := ws.feedback.queues.next("q", rater=rater)) is not None:
            ws.feedback.queues.label("q", turn.position, said, rater=rater, seconds=30)
    queues = ws.feedback.queues
    return [
        ws.feedback.stats(every=None),
        schema,
        queue,
        queues.progress("q"),
        queues.accuracy("q"),
        queues.jump("q", 1, rater=f"ann {MONEY}"),
        queues.adjudicate("q", 1, said, reason=MONEY),
        ws.feedback.agreement(queue),
    ]


def of_judges(ws):
    """A calibration, a budget, an improvement; notes and what is found in them; a run."""
    said = truth(200, rate=0.7, seed=1)
    run = judged(ws, said, "new")
    found = calibrated(ws)
    labelled(ws, run, said)
    first = ws.judges.save(judge("dear", f"Is {MONEY} right?", model="standin:judge-1"), reason=MONEY)
    ws.judges.save(judge("dear", f"Is {MONEY} too much?", model="standin:judge-1"))
    themes = noted(ws)
    themes.make(MONEY, themes.df()["note"].tolist()[:3])
    of_versions = [first, ws.judges.diff("dear", 1, 2)]
    return [
        *of_versions,
        run,
        found,
        ws.feedback.budget(run),
        ws.feedback.improve(polite(), rows()),
        themes,
        themes.pivot("name"),
        themes.suggest(n=1),
    ]


def of_monitors(ws):
    """A monitor, a check that fires, its alert, a replay, a simulation, what accounts for it, scores, sinks."""
    ws.store.load(spans=[llm(f"m{n:02}", f"m{n:02}", start=START + n * MINUTE, cost_usd=1 + n / 40) for n in range(40)])
    dear = {"view": "llm_calls", "value": "cost_usd", "kind": "mean", "title": MONEY, "unit": "usd"}
    saved = ws.monitors.save("money", metric=dear, method="threshold", limit=0.1, owner=MONEY, reason=MONEY)
    report = ws.monitors.check(at=from_ns(START + 60 * MINUTE), lateness="1m")
    sink = ws.monitors.sinks.save("ops", kind="webhook", url="http://127.0.0.1:9/hook", reason=MONEY)
    return [
        saved,
        report,
        *report.alerts,
        ws.monitors.backtest("money"),
        ws.monitors.simulate(0.05, 500),
        ws.monitors.explain(dear, since=from_ns(START + 20 * MINUTE)),
        ws.monitors.score("refusal", progress=False),
        ws.monitors.scores("refusal"),
        sink,
        ws.monitors.deliver(),
    ]


def test_no_record_shows_a_formula(ws):
    """Every type that is shown as HTML is among those that are tried."""
    trace = traced(ws)
    stored = [ws, ws.store.stats(), ws.traces.ingest([]), ws.traces.diff(trace, trace)]
    made = [*stored, trace, *trace.spans, *of_prompts(ws), *of_datasets(ws), *of_feedback(ws, trace), *of_judges(ws)]
    made += of_monitors(ws)
    for one in made:
        assert one.text, type(one)
        assert formulas(html_of(one)) == [], type(one)
    shown = [kind for kind in html_of.registry if kind.__module__.startswith("lmops.")]
    assert [kind.__name__ for kind in shown if not any(isinstance(one, kind) for one in made)] == []


def test_no_view_shows_a_formula(ws):
    """The static forms of the browsers, the progress line, the tables of reports, an audit report."""
    traced(ws)
    of_prompts(ws)
    bundle = ws.traces.browse()._controller.bundle()["text/html"]
    play = ws.prompts.playground("money", inputs=[{"question": MONEY}])._controller.bundle()["text/html"]
    assert MONEY not in bundle + play
    for html in (bundle, play, _html(MONEY, 0.5), ws.audit.report().html):
        assert formulas(html) == []


def test_tables_of_reports_show_no_formula(ws, capsys):
    """Money has its sign in every cell."""
    traced(ws)
    frame = ws.sql("select input, cost_usd from llm_calls").df()
    shown = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lmops.runbooks._table.display_bundle", lambda data: shown.append(data["text/html"]))
        show_table(frame)
        show_numbers({"cost_usd": 3.0}, notes={"cost_usd": "$1 to $4"})
    assert all("$" in html for html in shown)
    assert [formulas(html) for html in shown] == [[], []]
