"""Text from traces is hostile: whatever view shows it, nothing of it runs."""

# ruff: noqa: E501 - scripts of the page stand on one line
from __future__ import annotations

import json
from datetime import timedelta

import pytest

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


SAID = (
    "model", "provider", "tool_name", "prompt_name", "session_id", "user_id", "service", "environment",
    "finish_reason", "scope", "index_fingerprint", "response_id",
)  # fmt: skip  # many words: packed, they are read at a glance


def hostile_rows(conversation):
    """Ten traces, every field of which is hostile, ids and models too."""
    rows = []
    for i in range(10):
        for row in conversation(i, text=HOSTILE):
            for name in SAID:
                if row[name] is not None or name in ("provider", "scope"):
                    row[name] = HOSTILE
            row["attributes"] = json.dumps({HOSTILE: HOSTILE})
            row["resource"] = json.dumps({HOSTILE: HOSTILE})
            row["events"] = json.dumps([{"name": HOSTILE, "time_ns": 1, "attributes": {HOSTILE: HOSTILE}}])
            if row["kind"] == "tool":
                row["input"] = json.dumps({HOSTILE: HOSTILE})
            if row["kind"] == "llm":
                row["input"] = json.dumps(
                    [
                        {
                            "role": HOSTILE,
                            "content": HOSTILE,
                            "name": HOSTILE,
                            "reasoning": HOSTILE,
                            "tool_calls": [{"id": HOSTILE, "name": HOSTILE, "arguments": HOSTILE}],
                        }
                    ]
                )
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
    s.press("s", "m")
    nothing_ran(s.page)
    s.press("m", "n")
    s.page.wait_for_selector(".lm-node.lm-cursor")
    nothing_ran(s.page)
    s.press("n", "p")
    s.page.wait_for_selector(".lm-pinned[data-ready=true]")
    s.press("]", "d")
    s.page.wait_for_selector(".lm-pair.lm-cursor")
    s.press("j", "j", "Enter")
    s.page.wait_for_selector(".lm-pair.lm-cursor .lm-words > *")
    nothing_ran(s.page)
    s.press("d")
    s.page.locator(".lm-pane:not(.lm-pinned) .lm-find").fill(PAYLOADS[0])
    s.page.wait_for_selector(".lm-body mark")
    nothing_ran(s.page)
    s.page.locator(".lm-search").fill("nonsense(" + PAYLOADS[0])
    s.press("Enter")
    s.page.wait_for_selector(".lm-said-error")
    nothing_ran(s.page)
    assert not s.page_errors


def test_the_labeler_shows_hostile_text_as_text(stage, traffic, conversation):
    """Case, sources, tools, turns, raw, criteria, choices, tags, list, notes, what others say, what is refused."""
    import lmops

    with lmops.open(":memory:", actor="ada") as ws:
        ws.store.load(spans=hostile_rows(conversation))
        ids = list(ws.traces.search()["trace_id"])
        ws.feedback.record(ids[0], value="up", name=PAYLOADS[0], comment=HOSTILE, user=HOSTILE)
        s = stage(labeler(ws, ids)._controller, name="feedback/labeler", height=640)
        s.page.wait_for_selector(".lm-role-answer")
        s.root.focus()
        s.press("X", "R", "T")
        s.page.wait_for_selector(".lm-raw .lm-fold")
        s.press("X", "X")
        nothing_ran(s.page)
        s.press("f", "1", "2", "]", "n")
        s.page.keyboard.insert_text(HOSTILE)
        s.page.locator("input[aria-label=tags]").fill(HOSTILE)
        s.press("Enter", "Control+Enter")
        s.page.wait_for_selector(".lm-root[data-unsaved='0'][data-done='1']")
        s.press("ArrowLeft")
        s.page.wait_for_selector(".lm-opinions dd")
        assert "<img src" in s.page.locator(".lm-after").inner_text()
        nothing_ran(s.page)
        s.press("L")
        s.page.wait_for_selector(".lm-list-row")
        s.press("End", "Enter")
        s.page.wait_for_selector(".lm-missing-case")
        nothing_ran(s.page)
        found = s.page.evaluate(
            """() => [...document.querySelectorAll('.lm-root, .lm-root *')].flatMap((el) => el.getAttributeNames().map((n) => [n, el.getAttribute(n)]))"""
        )
        assert {n for n, value in found if "<img src" in value} <= {
            "title", "aria-label", "placeholder", "value", "data-option", "data-said",
        }  # fmt: skip  # what is expected is read at a glance
        assert not [n for n, _ in found if n.startswith("on") or n in ("href", "src", "srcdoc", "action", "formaction")]
        assert not s.page_errors


#: Every public view as the code of a cell, after FIRST. To add one: its code, and whether it shows texts of traces as
#: they are (then the test sees that they are there, as text). A widget shows itself and must become ready.
FIRST = "import lmops\nws = lmops.open('../hostile')\nids = list(ws.traces.search()['trace_id'])\nHOSTILE = '<img src=x onerror=window.__xss=1>'"
CELLS = (
    ("ws.traces.browse()", True),
    ("ws.traces.get(ids[3])", True),
    ("ws.traces.diff(ids[3], ids[4])", True),
    ("ws.traces.get(ids[3]).graph()", True),
    ("ws.traces.search()", True),
    ("print(ws.traces.get(ids[3]))\nws.traces.get(ids[3]).df()", True),
    ("print(ws.traces.get(ids[3]).text, ws.traces.get(ids[3]).root, ws.traces.browse())", True),
    (
        "from lmops import charts\ncharts.errors(ws.traces.stats(by=['model'], every='1h'), title=str(ws.traces.get(ids[0]).name))",
        False,
    ),
    ("charts.bars(ws.traces.stats(by=['service', 'name']), 'service', 'traces')", False),
    ("ws.datasets.add_traces('golden', ids[:3])", False),
    ("ws.datasets.get('golden').df()", True),
    ("ws.sql('select name, input, output, session_id from traces')", True),
    ("ws.traces.search(\"name = '<img src=x onerror=window.__xss=1>' and nonsense\")", False),
    ("ws.feedback.record(ids[3], value='<img src=x onerror=window.__xss=1>', name='said')", True),
    ("ws.feedback.list()", True),
    ("ws.feedback.button(ids[3])", True),
    ("ws.feedback.stats('said', by='name', every=None)", True),
    (
        "ws.feedback.schemas.save('support')\nws.feedback.queue('q', ids[:4], schema='support')\nxss = '<img src=x onerror=window.__xss=1>'\nws.feedback.queues.note('q', 1, xss, rater=xss)\nthemes = ws.feedback.themes('q')\nmade = themes.make(xss, themes.df().note.tolist())\nthemes",
        True,
    ),
    ("themes.pivot('name').view", False),
    ("themes.pivot('name')", True),
    ("themes.suggest(n=1)", False),
    ("made", True),
    (
        (
            "ws.feedback.schemas.save('hostile', criteria=HOSTILE)\nws.feedback.queue('labels', ids, schema='hostile')\n"
            "ws.feedback.label('labels', rater=HOSTILE)"
        ),
        True,
    ),
    (
        "import pandas\nws.monitors.save('calls', metric={'view': 'llm_calls', 'value': 'latency_ms', 'kind': 'mean', 'title': HOSTILE}, by='model', method='threshold', limit=0)\nreport = ws.monitors.check(at=ws.traces.search(limit=1)['end_at'].max() + pandas.Timedelta('1h'))\nws.monitors.dashboard(last='30d')",
        True,
    ),
    ("report", True),
    ("ws.monitors.show('calls')", True),
    ("ws.monitors.list()", False),
    ("incident = ws.incidents.open(HOSTILE, owner=HOSTILE)\nws.incidents.note(1, HOSTILE)\nws.incidents.show(1)", True),
    ("incident", True),
    ("ws.incidents.postmortem(1)", True),
    ("ws.incidents.timeline(1)", False),
    (
        "asked = ws.retrieval.qrels('asked', [{'query': HOSTILE, 'document': HOSTILE, 'start': 0, 'end': 20}])\nfound = {HOSTILE: [{'id': HOSTILE, 'text': HOSTILE, 'terms': {HOSTILE: 1}, 'parts': {HOSTILE: 1}}]}\ncompared = ws.retrieval.compare(ws.retrieval.rankings(HOSTILE, found), ws.retrieval.rankings(HOSTILE, {HOSTILE: ['pets']}), asked, progress=False)\ncompared",
        True,
    ),
    ("compared.a", False),
    ("ws.retrieval.explore_span(ids[3])", True),
    (
        "ws.tools.tool(name='mail', description=HOSTILE)(lambda to: to)\nws.tools.policies.save('hostile', [{'ask': 'mail', 'reason': HOSTILE}])\nws.tools.call('mail', {'to': HOSTILE}, policy='hostile', role=HOSTILE)",
        True,
    ),
    ("ws.tools.desk()", True),
    ("ws.tools.asks()", True),
    ("import os\nos.environ['LMOPS_STATIC'] = '1'\nws.traces.browse()", True),
    ("ws.feedback.label('labels', rater=HOSTILE)", True),
)


def asks(ws):
    """Return a call of which every text is hostile, and that waits for a yes; names of tools cannot be."""

    @ws.tools.tool
    def mail(to: str, body: object = None) -> str:
        """Send a mail."""
        return to

    ws.tools.policies.save("hostile", [{"ask": "mail", "reason": HOSTILE, "name": PAYLOADS[0]}])
    arguments = {"to": HOSTILE, "body": {HOSTILE: [HOSTILE]}}
    context = [{"role": "tool", "content": HOSTILE}]
    return ws.tools.call("mail", arguments, policy="hostile", role=HOSTILE, messages=context)


def desk(ws):
    """Return the desk of it."""
    asks(ws)
    return ws.tools.desk()


def labeler(ws, ids):
    """Return the labeler of a queue of which every text is hostile; names of queues and fields cannot be."""
    fields = [
        {"name": "verdict", "criteria": HOSTILE},
        {"name": "kind", "kind": "category", "options": [HOSTILE, PAYLOADS[0]]},
        {"name": "tags", "kind": "tags"},
        {"name": "marks", "kind": "spans", "options": [HOSTILE]},
    ]
    ws.feedback.schemas.save("hostile", fields, criteria=HOSTILE)
    ws.feedback.queue("hostile", [*ids, HOSTILE], schema="hostile", k=2)
    said = {"verdict": {"value": "fail", "critique": HOSTILE}, "kind": HOSTILE, "tags": [HOSTILE]}
    ws.feedback.queues.label("hostile", list(range(1, len(ids) + 1)), said, rater=PAYLOADS[0])
    return ws.feedback.label("hostile", rater=PAYLOADS[3])


def watched(ws):
    """Return the name of a monitor whose metric and series are hostile, and that was checked."""
    metric = {"view": "llm_calls", "value": "latency_ms", "kind": "mean", "title": HOSTILE}
    ws.monitors.save("calls", metric=metric, by="model", method="threshold", limit=0.0, owner=HOSTILE, reason=HOSTILE)
    newest = ws.sql("select max(start_at) from traces").fetchall()[0][0]
    return "calls", ws.monitors.check(at=newest + timedelta(hours=1))


def explained(ws):
    """Return what accounts for the change of a metric whose title is hostile."""
    oldest, newest = ws.sql("select min(start_at), max(start_at) from traces").fetchall()[0]
    metric = {"view": "llm_calls", "value": "latency_ms", "kind": "mean", "title": HOSTILE}
    return ws.monitors.explain(metric, since=oldest + (newest - oldest) / 2)


def broken(ws):
    """Return an incident whose title, owner and note are hostile, and that is resolved without a test."""
    found = ws.incidents.open(HOSTILE[:300], owner=PAYLOADS[0], reason=HOSTILE)
    ws.incidents.note(found.incident, HOSTILE)
    ws.incidents.follow_up(found.incident, text=HOSTILE)
    ws.incidents.mitigate(found.incident, reason=HOSTILE)
    ws.incidents.verify(found.incident)
    return ws.incidents.resolve(found.incident, force=True, reason=HOSTILE)


def ranked(ws):
    """Return two rankings compared of which every text is hostile."""
    asked = ws.retrieval.qrels("asked", [{"query": HOSTILE, "document": HOSTILE, "start": 0, "end": 20}])
    found = {HOSTILE: [{"id": HOSTILE, "text": HOSTILE, "terms": {HOSTILE: 1.0}, "parts": {HOSTILE: 1.0}}]}
    sides = (ws.retrieval.rankings(HOSTILE, found), ws.retrieval.rankings(HOSTILE, {HOSTILE: ["pets"]}))
    return ws.retrieval.compare(*sides, asked, progress=False)


#: Every static form, as a function of a workspace and the ids of its traces: what an archived notebook holds.
def judged(ws):
    """Return a version of a judge of which every text is hostile; a second one has an example besides."""
    from lmops.scorers import judge, with_examples

    hostile = judge("hostile", HOSTILE, model="standin:judge-1", rubric={"pass": HOSTILE})
    saved = ws.judges.save(hostile, reason=HOSTILE)
    ws.judges.save(with_examples(hostile, [{"output": HOSTILE, "verdict": "fail", "rationale": HOSTILE}]))
    return saved


def routed(ws):
    """Return a live route whose conditions, plan and note are hostile, and which was switched off with such a reason."""
    arms = {"a": {"model": "standin:ferry-1", "params": {"user": HOSTILE}, "weight": 1}}
    when = [{"if": {HOSTILE: HOSTILE}, "arms": {"a": 1}}]
    saved = ws.routing.set("support", {"arms": arms, "when": when}, reason=HOSTILE)
    ws.routing.kill("support", reason=HOSTILE)
    return saved


STATIC = {
    "browser, HTML": lambda ws, ids: ws.traces.browse()._controller.bundle()["text/html"],
    "browser, text": lambda ws, ids: ws.traces.browse()._controller.bundle()["text/plain"],
    "trace, HTML": lambda ws, ids: ws.traces.get(ids[3])._repr_html_(),
    "difference of traces, HTML": lambda ws, ids: ws.traces.diff(ids[3], ids[4])._repr_html_(),
    "difference of traces, text": lambda ws, ids: ws.traces.diff(ids[3], ids[4]).text,
    "trace, text": lambda ws, ids: ws.traces.get(ids[3]).text,
    "figures of feedback, HTML": lambda ws, _ids: ws.feedback.stats(PAYLOADS[0], by="name", every=None)._repr_html_(),
    "figures of feedback, text": lambda ws, _ids: ws.feedback.stats(PAYLOADS[0], by="name", every=None).text,
    "failure modes, HTML": lambda ws, _ids: ws.feedback.themes("q")._repr_html_(),
    "failure modes, text": lambda ws, _ids: ws.feedback.themes("q").text,
    "pivot of failure modes, HTML": lambda ws, _ids: ws.feedback.themes("q").pivot("name")._repr_html_(),
    "suggested modes, HTML": lambda ws, _ids: ws.feedback.themes("q").suggest(n=1)._repr_html_(),
    "labeler, HTML": lambda ws, ids: labeler(ws, ids)._controller.bundle()["text/html"],
    "labeler, text": lambda ws, ids: labeler(ws, ids)._controller.bundle()["text/plain"],
    "route, HTML": lambda ws, _ids: routed(ws)._repr_html_(),
    "route, text": lambda ws, _ids: routed(ws).text,
    "state of a route, HTML": lambda ws, _ids: (routed(ws), ws.routing.status("support"))[1]._repr_html_(),
    "judge, HTML": lambda ws, _ids: judged(ws)._repr_html_(),
    "judges side by side, text": lambda ws, _ids: ws.judges.diff("hostile", judged(ws), 2).text,
    "judges side by side, HTML": lambda ws, _ids: ws.judges.diff("hostile", judged(ws), 2)._repr_html_(),
    "dashboard, HTML": lambda ws, _ids: (watched(ws), ws.monitors.dashboard())[1]._controller.bundle()["text/html"],
    "dashboard, text": lambda ws, _ids: (watched(ws), ws.monitors.dashboard())[1]._controller.bundle()["text/plain"],
    "check, HTML": lambda ws, _ids: watched(ws)[1]._repr_html_(),
    "check, text": lambda ws, _ids: watched(ws)[1].text,
    "monitor, HTML": lambda ws, _ids: ws.monitors.get(watched(ws)[0])._repr_html_(),
    "explanation, HTML": lambda ws, _ids: explained(ws)._repr_html_(),
    "explanation, text": lambda ws, _ids: explained(ws).text,
    "incident, HTML": lambda ws, _ids: broken(ws)._repr_html_(),
    "incident, text": lambda ws, _ids: broken(ws).text,
    "view of an incident, HTML": lambda ws, _ids: (broken(ws), ws.incidents.show(1))[1]._controller.bundle()[
        "text/html"
    ],
    "view of an incident, text": lambda ws, _ids: (broken(ws), ws.incidents.show(1))[1]._controller.bundle()[
        "text/plain"
    ],
    "post-mortem, HTML": lambda ws, _ids: (broken(ws), ws.incidents.postmortem(1))[1]._repr_html_(),
    "comparison of rankings, HTML": lambda ws, _ids: ranked(ws)._repr_html_(),
    "comparison of rankings, text": lambda ws, _ids: ranked(ws).text,
    "ranking explorer, HTML": lambda ws, _ids: ranked(ws).view._repr_html_(),
    "ranking explorer, text": lambda ws, _ids: ranked(ws).view.text,
    "search of a trace, HTML": lambda ws, ids: ws.retrieval.explore_span(ids[3])._repr_html_(),
    "desk, HTML": lambda ws, _ids: desk(ws)._controller.bundle()["text/html"],
    "desk, text": lambda ws, _ids: desk(ws)._controller.bundle()["text/plain"],
    "ask, HTML": lambda ws, _ids: (desk(ws), ws.tools.newest_asks()[0])[1]._repr_html_(),
    "call, HTML": lambda ws, _ids: asks(ws)._repr_html_(),
    "signal, HTML": lambda ws, ids: ws.feedback.record(ids[3], value=PAYLOADS[0], name="said")._repr_html_(),
}


@pytest.fixture
def hostile(tmp_path, conversation):
    """A workspace full of hostile texts."""
    import lmops

    with lmops.open(tmp_path / ".lmops") as ws:
        ws.store.load(spans=hostile_rows(conversation))
        ws.feedback.record(f"{1:032x}", value="up", name=PAYLOADS[0], comment=PAYLOADS[0], user=PAYLOADS[0])
        ws.feedback.schemas.save("support")
        ws.feedback.queue("q", [f"{number:032x}" for number in range(1, 5)], schema="support")
        for number in range(1, 5):
            ws.feedback.queues.note("q", number, f"{PAYLOADS[0]} {number % 2}", rater=PAYLOADS[0])
        ws.feedback.themes("q").make(PAYLOADS[0], f"1/note/{PAYLOADS[0]}", criteria=PAYLOADS[0])
        yield ws


def test_no_view_in_a_live_notebook_runs_hostile_text(lab, notebook, conversation):
    """Every public view, in JupyterLab, in a notebook that was run here and so is trusted."""
    from lmops.store import Store

    with Store.open(lab.folder / "hostile") as store:
        store.load(spans=hostile_rows(conversation))
    nb = notebook("hostile.ipynb", FIRST, *(code for code, _ in CELLS))
    nb.run(0)
    for index, (_, is_shown) in enumerate(CELLS, start=1):
        nb.run(index)
        output = nb.page.locator(".jp-Notebook .jp-Cell").nth(index).locator(".jp-OutputArea")
        output.locator(
            ".lm-root[data-state=ready], .jp-RenderedHTMLCommon, .jp-RenderedText, .js-plotly-plot"
        ).first.wait_for()
        if is_shown:
            nb.page.wait_for_function(
                "([i, word]) => document.querySelectorAll('.jp-Notebook .jp-Cell')[i].querySelector('.jp-OutputArea').innerText.includes(word)",
                arg=[index, "<img src"],
            )
    nothing_ran(nb.page)


@pytest.mark.parametrize("name", STATIC)
def test_no_static_form_runs_hostile_text(hostile, sheet, name):
    """As a page of its own, with no sanitiser in between: the worst place that it can end up in."""
    import html

    form = STATIC[name](hostile, list(hostile.traces.search()["trace_id"]))
    page = sheet().page
    page.set_content(form if name.endswith("HTML") else f"<pre>{html.escape(form)}</pre>")
    assert "<img src" in page.locator("body").inner_text()
    assert page.evaluate("() => document.querySelectorAll('img, script, a, svg, iframe, form').length") == 0
    assert (
        page.evaluate(
            "() => [...document.querySelectorAll('*')].flatMap((el) => el.getAttributeNames()).filter((n) => n.startsWith('on')).length"
        )
        == 0
    )
    nothing_ran(page)


def test_no_attribute_of_the_browser_holds_more_than_text(controller, stage, traffic, conversation):
    """Tooltips and labels for assistive technology are attributes: they carry the text, and none is an address or a handler."""
    store = traffic(0)
    store.load(spans=hostile_rows(conversation))
    s = stage(controller(store=store), width=1500)
    s.root.focus()
    s.press("j", "Enter")
    s.page.wait_for_selector(".lm-body[data-index]")
    found = s.page.evaluate(
        """() => [...document.querySelectorAll('.lm-root, .lm-root *')].flatMap((el) => el.getAttributeNames().map((n) => [n, el.getAttribute(n)]))"""
    )
    assert {name for name, value in found if "<img src" in value} <= {"title", "aria-label", "placeholder", "value"}
    assert not [
        name for name, _ in found if name.startswith("on") or name in ("href", "src", "srcdoc", "action", "formaction")
    ]
    assert any(name == "title" and "<img src" in value for name, value in found)


def test_copied_text_is_the_text_itself(controller, stage, traffic, conversation):
    """Copying a hostile filter as SQL gives that SQL, by the clipboard or by the way around it."""
    store = traffic(0)
    store.load(spans=hostile_rows(conversation))
    s = stage(controller(store=store, where="name <> '<img src=x onerror=\"window.__xss=1\">'"))
    copied = """() => { window.copied = []; Object.defineProperty(navigator, 'clipboard', {value: undefined, configurable: true});
      document.addEventListener('copy', () => { const el = document.activeElement; window.copied.push(el.value.slice(el.selectionStart, el.selectionEnd)); }); }"""
    s.page.evaluate(copied)
    s.page.click("[aria-label='export']")
    s.page.click("text=copy SQL")
    s.until(lambda: s.data("said").startswith("SQL copied"))
    assert s.page.evaluate("() => window.copied") == [s.controller.sql]
    nothing_ran(s.page)


def test_an_untrusted_notebook_shows_the_table(controller, notebook, traffic, conversation):
    """A notebook from elsewhere: the view is not run, the table of the same output is shown, escaped; archived too."""
    from lmops.widgets.traces.static import bundle

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


def hostile_prompt(ws):
    """Two versions of a prompt of which every text is hostile, evaluated over hostile inputs; names cannot be."""
    for number, more in enumerate((" first", " {{ question }} second"), start=1):
        ws.prompts.save(
            "hostile", [{"role": "system", "content": HOSTILE.replace("{{", "{").replace("}}", "}") + more}, {"role": "user", "content": HOSTILE}],
            model=HOSTILE + more, params={HOSTILE: HOSTILE + more}, response_schema={HOSTILE: HOSTILE + more},
            tools=[{"name": HOSTILE, "description": HOSTILE + more}], note=HOSTILE, actor=HOSTILE,
        )  # fmt: skip  # arguments that belong together share a line
        ws.prompts.promote("hostile", number, to="production", reason=HOSTILE, actor=HOSTILE)
    rows = [{"example_id": f"{HOSTILE} {i}", "input": {"question": f"{HOSTILE} {i}"}} for i in range(3)]
    ws.datasets.save("hostile", rows)
    for number in (1, 2):
        ws.evals.run(
            lambda question, number=number: f"{question} {number}",
            "hostile",
            prompt=f"hostile@{number}",
            progress=False,
        )


def test_prompt_widgets_show_hostile_text_as_text(stage):
    """Diff, comparison and playground: templates, settings, notes, authors, models, inputs, answers, errors, the draft."""
    import lmops
    from lmops.prompts import Prompts
    from lmops.widgets.prompts.compare_controller import PromptCompareController
    from lmops.widgets.prompts.diff_controller import PromptDiffController
    from lmops.widgets.prompts.playground_controller import PlaygroundController

    async def refuse(*_args, **_more):
        raise ConnectionError(HOSTILE)

    with lmops.open(":memory:") as ws:
        hostile_prompt(ws)
        s = stage(PromptDiffController(ws.prompts, Prompts.diff(ws.prompts, "hostile", 1, 2)), name="prompts/diff")
        s.page.wait_for_selector(".lm-diff-section[data-filled]")
        s.root.focus()
        s.press("n", "n", "u", "s")
        nothing_ran(s.page)
        s.page.get_by_label("roll back").click()
        s.page.locator(".lm-move [name=alias]").fill(HOSTILE[:100])
        s.page.wait_for_selector(".lm-plan.lm-s-error")
        nothing_ran(s.page)
        s = stage(
            PromptCompareController(ws.prompts, Prompts.compare(ws.prompts, "hostile", [1, 2])), name="prompts/compare"
        )
        s.page.wait_for_selector(".lm-output-row[data-filled]")
        nothing_ran(s.page)
        controller = PlaygroundController(
            ws.prompts,
            "hostile",
            complete=refuse,
            inputs=[{"question": HOSTILE, "constructor": HOSTILE}],
            models=lambda: [HOSTILE],
        )
        s = stage(controller, name="prompts/playground")
        s.controller.on_change = lambda _message: None
        controller.run()
        s.push(controller.state("done"))
        s.page.wait_for_selector(".lm-play-error")
        nothing_ran(s.page)
        s.root.focus()
        s.press("e")
        s.page.locator(".lm-draft-messages textarea").first.fill(HOSTILE)
        s.page.wait_for_selector(".lm-draft-error, .lm-draft-vars")
        s.page.locator(".lm-play-model").first.fill(HOSTILE)
        nothing_ran(s.page)
        assert not s.page_errors


PROMPT_CELLS = (
    "import lmops\nws = lmops.open('../hostile-prompts')",
    "d = ws.prompts.diff('hostile', 1, 2); d",
    "c = ws.prompts.compare('hostile', [1, 2]); c",
    "p = ws.prompts.playground('hostile', inputs='hostile'); p.run(); p",
    "from lmops.prompts import Prompts\nplain = Prompts(ws.project)\nplain.diff('hostile', 1, 2)",
    "plain.compare('hostile', [1, 2])",
    "print(d.text, c.text); p.df()",
    "import os\nos.environ['LMOPS_STATIC'] = '1'\nws.prompts.diff('hostile', 1, 2)",
    "ws.prompts.compare('hostile', [1, 2])",
    "p = ws.prompts.playground('hostile', inputs='hostile'); p.run(); p",
)


def test_no_view_of_prompts_in_a_live_notebook_runs_hostile_text(lab, notebook):
    """Every public view of a prompt, live, plain and static, in a notebook that was run here and so is trusted."""
    import lmops

    with lmops.open(lab.folder / "hostile-prompts") as ws:
        hostile_prompt(ws)
    nb = notebook("hostile_prompts.ipynb", *PROMPT_CELLS)
    cells = nb.page.locator(".jp-Notebook .jp-Cell")
    drawn = {1: ".lm-diff-section[data-filled]", 2: ".lm-output-row[data-filled]", 3: ".lm-play-error"}
    for index in range(len(PROMPT_CELLS)):
        nb.run(index)
        if index:
            # what is drawn late would move the next cell away from the pointer
            cells.nth(index).locator(drawn.get(index, ".jp-OutputArea-output")).first.wait_for()
            nb.page.wait_for_timeout(300)
    for index in range(4, len(PROMPT_CELLS)):
        assert "<img" in cells.nth(index).locator(".jp-OutputArea").inner_text(), index
        assert cells.nth(index).locator(".lm-root").count() == 0
    nothing_ran(nb.page)
    assert nb.page.locator('a[href^="javascript"]').count() == 0


def hostile_evals(ws):
    """Two runs of which every text is hostile; names of scorers cannot be."""
    from lmops.scorers import Score, build

    def judge(output):
        return Score.of(output.endswith("2"), rationale=HOSTILE, detail={HOSTILE: HOSTILE})

    judged = build(judge, name="judged")

    rows = [
        {"example_id": f"{HOSTILE} {i}", "input": {HOSTILE: f"{HOSTILE} {i}"}, "expected": HOSTILE, "split": HOSTILE + str(i % 2),
         "tags": [HOSTILE], "cluster": HOSTILE, "labels": {PAYLOADS[0]: i % 2 == 0, HOSTILE: True},
         "metadata": {PAYLOADS[0]: PAYLOADS[1] + str(i % 2), HOSTILE: HOSTILE}}
        for i in range(6)
    ]  # fmt: skip  # one row is packed as it is read
    ws.datasets.save("hostile", rows)

    def task(example, number):
        if example.example_id.endswith("5"):
            raise ValueError(HOSTILE)
        return f"{HOSTILE} {number if example.example_id.endswith('3') else 2}"

    for number in (1, 2):
        ws.evals.run(
            lambda example, number=number: task(example, number),
            "hostile",
            [judged],
            name=f"{HOSTILE} {number}",
            progress=False,
            retries=0,
            tracing=True,
        )
    return [ws.evals.get(run_id) for run_id in ws.evals.list()["run_id"]]


def test_the_eval_explorer_shows_hostile_text_as_text(stage):
    """Grid, overview, case, trace, chips, the form and the errors; attributes hold no address and no handler."""
    import lmops

    with lmops.open(":memory:") as ws:
        s = stage(ws.evals._explorer(hostile_evals(ws)), name="evals/explorer")
        s.page.wait_for_selector(".lm-overview[data-rev]")
        nothing_ran(s.page)
        s.page.locator(".lm-slice").first.click()
        s.page.locator("[data-matrix^=label] .lm-count").first.click()
        s.page.locator(".lm-chip").nth(1).wait_for()
        s.root.focus()
        s.press("c")
        s.until(lambda: s.page.locator(".lm-chip").count() == 0)
        s.page.wait_for_selector(".lm-row:not(.lm-loading):not([hidden])")
        s.press("G", "Enter")
        s.page.wait_for_selector(".lm-case[data-case] .lm-output.lm-s-error")
        nothing_ran(s.page)
        s.press("k", "t")
        s.page.wait_for_selector(".lm-trace[data-trace]")
        s.press(" ", "a")
        s.page.get_by_label("name of the dataset").fill(HOSTILE)
        s.press("Enter")
        s.page.wait_for_selector(".lm-said-error")
        nothing_ran(s.page)
        found = s.page.evaluate(
            """() => [...document.querySelectorAll('.lm-root, .lm-root *')].flatMap((el) => el.getAttributeNames().map((n) => [n, el.getAttribute(n)]))"""
        )
        assert {n for n, value in found if "<img src" in value} <= {
            "title", "aria-label", "placeholder", "value", "data-case", "data-trace-id", "data-row-id", "data-scorer", "data-slice",
            "data-selected", "data-said", "data-matrix",
        }  # fmt: skip  # what is expected is read at a glance
        assert not [n for n, _ in found if n.startswith("on") or n in ("href", "src", "srcdoc", "action", "formaction")]
        assert not s.page_errors


EVAL_CELLS = (
    "import lmops\nws = lmops.open('../hostile-evals')\nruns = list(ws.evals.list()['run_id'])",
    "ws.evals.explore(*runs)",
    "ws.evals.compare(*runs)",
    "e = ws.evals.explore(*runs); print(e, e.df(), e.where); e.df()",
    "import os\nos.environ['LMOPS_STATIC'] = '1'\nws.evals.explore(*runs)",
    "ws.evals.compare(*runs)",
    "ws.evals.explore(runs[0])",
)


def test_no_view_of_evaluations_in_a_live_notebook_runs_hostile_text(lab, notebook):
    """The explorer and the comparison, live and static, in a notebook that was run here and so is trusted."""
    import lmops

    with lmops.open(lab.folder / "hostile-evals") as ws:
        hostile_evals(ws)
    nb = notebook("hostile_evals.ipynb", *EVAL_CELLS)
    cells = nb.page.locator(".jp-Notebook .jp-Cell")
    for index in range(len(EVAL_CELLS)):
        nb.run(index)
        if index:
            drawn = ".lm-overview[data-rev]" if index < 3 else ".jp-OutputArea-output"
            cells.nth(index).locator(drawn).first.wait_for()
            nb.page.wait_for_timeout(300)
            assert "<img" in cells.nth(index).locator(".jp-OutputArea").inner_text(), index
    for index in range(3, len(EVAL_CELLS)):
        assert cells.nth(index).locator(".lm-root").count() == 0
    nothing_ran(nb.page)
    assert nb.page.locator('a[href^="javascript"]').count() == 0


@pytest.mark.parametrize("kind", ["text/html", "text/plain"])
def test_no_static_form_of_evaluations_runs_hostile_text(sheet, kind):
    """As a page of its own, with no sanitiser in between."""
    import html

    import lmops

    with lmops.open(":memory:") as ws:
        form = ws.evals._explorer(hostile_evals(ws)).bundle()[kind]
    page = sheet().page
    page.set_content(form if kind.endswith("html") else f"<pre>{html.escape(form)}</pre>")
    assert "<img src" in page.locator("body").inner_text()
    assert page.evaluate("() => document.querySelectorAll('img, script, a, svg, iframe, form').length") == 0
    nothing_ran(page)
