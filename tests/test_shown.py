"""Everything that a notebook shows of a record: it has a text and HTML, and "$" is no formula in either.

JupyterLab typesets what stands between two dollar signs, or ``\\(`` and ``\\)``, of one text in HTML.
"""

from __future__ import annotations

import asyncio
import json
import re
from html.parser import HTMLParser

import pytest

from lmops.base.shown import html_of
from lmops.guardrails import Finding, Rail, RailKind
from lmops.progress import _html
from lmops.runbooks._table import show_numbers, show_table
from lmops.scorers import judge
from lmops.times import from_ns
from lmops.tools import Decision, ToolSwitch
from lmops.tools.policies import asking
from tests.evals.judged import calibrated, judged, labelled, truth
from tests.feedback.notes import noted
from tests.feedback.test_improve import polite, rows
from tests.guardrails.words import words
from tests.routing.trials import ARMS, MODEL, PLAN, traffic
from tests.store.helpers import START, llm, span
from tests.tools.calls import context, tool
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
    """A monitor that fires, a replay, a simulation, a chart, what accounts for it and if it is over, scores, sinks."""
    ws.store.load(spans=[llm(f"m{n:02}", f"m{n:02}", start=START + n * MINUTE, cost_usd=1 + n / 40) for n in range(40)])
    dear = {"view": "llm_calls", "value": "cost_usd", "kind": "mean", "title": MONEY, "unit": "usd"}
    saved = ws.monitors.save("money", metric=dear, method="threshold", limit=0.1, owner=MONEY, reason=MONEY)
    report = ws.monitors.check(at=from_ns(START + 60 * MINUTE), lateness="1m")
    sink = ws.monitors.sinks.save("ops", kind="webhook", url="http://127.0.0.1:9/hook", reason=MONEY)
    ws.datasets.save("answers", [{"input": MONEY, "output": f"{MONEY} {n}"} for n in range(10)])
    moved = [
        ws.monitors.moved(1),
        ws.monitors.recovered(1, since=from_ns(START), until=from_ns(START + 60 * MINUTE)),
        ws.monitors.anchor(judge("dear", f"Is {MONEY} right?", model="standin:judge-1"), "answers", owner=MONEY),
    ]
    return [
        saved,
        report,
        *report.alerts,
        ws.monitors.show("money"),
        *moved,
        ws.monitors.backtest("money"),
        ws.monitors.simulate(0.05, 500),
        ws.monitors.explain(dear, since=from_ns(START + 20 * MINUTE)),
        ws.monitors.score("refusal", progress=False),
        ws.monitors.scores("refusal"),
        sink,
        ws.monitors.deliver(),
    ]


def of_agents(ws):
    """A tool, a call of it and one that fails, what a policy says, a run with a call in it."""

    @ws.tools.tool(reason=MONEY)
    def pay(order: str) -> str:
        return f"{MONEY} {order}"

    call = f"pay({json.dumps({'order': MONEY})})"
    version = ws.tools.save("spend", description=MONEY, parameters={"type": "object", "properties": {MONEY: {}}})
    return [
        version,
        ws.tools.call("pay", {"order": MONEY}),
        ws.tools.call("pay", MONEY),
        Decision(action="deny", rule=MONEY, reason=MONEY, policy=MONEY),
        ws.tools.run(call, ["pay"], model="standin:agent-1"),
    ]


def of_routing(ws):
    """A route with a plan that is switched off, its state, what its arms are worth, a step, advice."""
    current = {**ARMS["current"], "policy": "money", "params": {"user": MONEY}, "limits": {"usd_per_day": 5}}
    route = {"arms": {**ARMS, "current": current}, "when": [{"if": {MONEY: MONEY}, "arms": {"next": 1}}]}
    saved = ws.routing.set(
        "support", {**route, "canary": {**PLAN, "margin": 0.1, "primary": "error_rate"}}, reason=MONEY
    )
    traffic(ws, users=200, day=40, model=MODEL)
    dear = {"view": "llm_calls", "value": "cost_usd", "kind": "mean", "title": MONEY, "unit": "usd"}
    return [
        saved,
        ws.routing.compare("support", dear),
        ws.routing.power("support", dear),
        ws.routing.canary("support"),
        ws.routing.advise("support", "error_rate", margin=0.1),
        ws.routing.step("support", act=True, reason=MONEY),
        ws.routing.kill("support", "next", reason=MONEY),
        ws.routing.kill("support", reason=MONEY),
        ws.routing.status("support"),
    ]


def of_guardrails(ws):
    """A policy with a rail that is switched off, a decision, its verdicts, and what it is worth."""
    with words():
        saved = ws.guardrails.save(
            "money", input=[{"rail": "word", "name": "word", "word": MONEY}], blocked_text=MONEY, reason=MONEY
        )
        decided = saved.check("input", MONEY)
        texts = ws.datasets.save("texts", [{"input": f"{n} {MONEY}", "expected": n % 2} for n in range(240)])
        scored = RailKind(name="odd", function=_odd, is_score=True)
        return [
            saved,
            decided,
            *decided.verdicts,
            ws.guardrails.card(saved, texts, progress=False),
            ws.guardrails.calibrate(Rail(kind=scored, name="odd", action="flag"), texts, progress=False),
            ws.guardrails.switch_off("money", "word", reason=MONEY),
        ]


def of_retrieval(ws):
    """Settings, an index, what is on record of it, what it finds; rankings that are measured, compared and pooled."""
    ws.retrieval.save("both", chunker="whole", embedder="standin:embed-1", kind="hybrid", reranker="standin:rerank")
    index = ws.retrieval.build("both", {MONEY: f"{MONEY} and money"}, "both")
    saved = ws.retrieval.save(
        "money", cleaner=f"ours:{MONEY}", filters={MONEY: MONEY}, kind=f"store:{MONEY}", reason=MONEY
    )
    asked = ws.retrieval.qrels("asked", [{"query": MONEY, "document": MONEY}])
    sides = [ws.retrieval.rankings(MONEY, {MONEY: listed}) for listed in ([MONEY, "a"], ["b"])]
    compared = ws.retrieval.compare(*sides, asked, progress=False)
    pool = ws.retrieval.pool(compared.a, compared.b, queue="pool", progress=False)
    found = index.search(f"money {MONEY}")
    return [saved, ws.retrieval.probe(saved), index, index.record, found, compared.a, compared, compared.view, pool]


def of_drift(ws):
    """What changed in retrieval."""
    found = {"kind": "retriever", "input": MONEY, "documents": '[{"id": "$5 and $6", "score": 1}]'}
    at = [(n, START + n * MINUTE, f"{MONEY} {n // 30}") for n in range(60)]
    ws.store.load(spans=[span(f"r{n}", "f", start=start, index_fingerprint=mark, **found) for n, start, mark in at])
    return [ws.retrieval.drift(since=from_ns(START + 30 * MINUTE), until=from_ns(START + 60 * MINUTE), answers=0)]


def of_redteam(ws):
    """Seeds, a plan of attacks, how often they succeed, and what each rail is worth."""

    def echo(question):
        return f"{question} {MONEY}"

    suite = [
        {"id": "say", "text": f'Reply with "{{marker}}". {MONEY}', "twin": MONEY, "oracle": "marker", "family": MONEY,
         "tags": ["LLM01"], "placements": ["user"], "severity": "medium"}
    ]  # fmt: skip  # one seed
    told = {"suite": suite, "progress": False}
    with words():
        return [
            ws.redteam.seeds(suite),
            ws.redteam.plan(echo, suite=suite),
            ws.redteam.report(ws.redteam.run(echo, **told)),
            ws.redteam.matrix(echo, "money", **told),
        ]


def _odd(given, *, threshold=0.5):
    """Score a text by its number."""
    score = int(given.text.partition(" ")[0]) % 2 * 0.9
    return [Finding(0, 0, MONEY, score)] if score >= threshold else []


def of_incidents(ws):
    """An incident of an alert on money and one by hand, what would be done, whether it is over, a post-mortem."""
    opened = ws.incidents.open(1, owner=MONEY, reason=MONEY)
    by_hand = ws.incidents.open(MONEY, owner=MONEY, where="cost_usd > 1", reason=MONEY)
    ws.incidents.note(opened.incident, MONEY)
    ws.incidents.follow_up(opened.incident, text=MONEY)
    off = {"route": "support", "arm": "current"}
    plan = ws.incidents.act(opened.incident, "kill_arm", off)
    done = [ws.incidents.act(opened.incident, "kill_arm", off, dry_run=False, reason=MONEY) for _ in range(2)]
    return [
        opened,
        by_hand,
        ws.incidents.affected(by_hand.incident),
        plan,
        *done,
        ws.incidents.verify(opened.incident, since=from_ns(START), until=from_ns(START + 60 * MINUTE)),
        ws.incidents.postmortem(opened.incident),
        ws.incidents.resolve(opened.incident, force=True, reason=MONEY),
        ws.incidents.escalate(),
    ]


def of_tools(ws):
    """A policy, a switch, a call that waits for a yes."""
    policies = ws.tools.policies
    saved_one = policies.save("money", [{"ask": "pay", "name": "\\(x\\) $5 and $6", "reason": MONEY}])
    decider, call = policies.decider("money"), (tool("pay"), {"to": MONEY}, context(role=MONEY))
    asyncio.run(decider.ask(*call, decider.decide(*call)))
    off = ToolSwitch(tool="pay", is_off=True, actor=MONEY, at=from_ns(START), reason=MONEY)
    return [saved_one, off, asking.read(ws.project, 1)]


def of_tool_quality(ws, folder):
    """Findings, a replay, a simulation, a log of agents and one of its runs."""
    called = {"kind": "tool", "tool_name": MONEY, "input": '{"order_id": "AB-12345"}', "output": MONEY}
    rows = [span("q", "root", input=MONEY), *(span("q", f"t{n}", "root", **called) for n in range(3))]
    ws.store.load(spans=rows)
    ws.tools.record("money-calls", tools=[MONEY])
    (folder / "log.jsonl").write_text(json.dumps({"task_id": MONEY, "reward": 1.0, "messages": [{"role": "user"}]}))
    log = ws.tools.read_log(folder / "log.jsonl", ingest=False)
    simulator = ws.tools.simulate({MONEY: {"error": 0.1}})
    return [ws.tools.findings(), ws.tools.replay("money-calls"), simulator, log, log.trajectories[0]]


def test_no_record_shows_a_formula(ws, tmp_path):
    """Every type that is shown as HTML is among those that are tried."""
    trace = traced(ws)
    stored = [ws, ws.store.stats(), ws.traces.ingest([]), ws.traces.diff(trace, trace)]
    made = [*stored, trace, *trace.spans, *of_prompts(ws), *of_datasets(ws), *of_feedback(ws, trace), *of_judges(ws)]
    made += [
        *of_monitors(ws),
        *of_guardrails(ws),
        *of_redteam(ws),
        *of_retrieval(ws),
        *of_drift(ws),
        *of_routing(ws),
        *of_agents(ws),
        *of_incidents(ws),
        *of_tools(ws),
        *of_tool_quality(ws, tmp_path),
    ]
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
