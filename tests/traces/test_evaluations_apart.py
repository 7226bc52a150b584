"""What evaluations ask is no traffic: it is named, and left out of figures unless it is asked for."""

import json

import pytest

import lmops
from lmops.types import EVAL_RUN_ID, EVALUATION

from .otlp_builders import request_json, span_json


@pytest.fixture
def mixed(ws):
    """Production asks once; a run asks twice, its scorer asks as well, and the application is instrumented."""
    ws.traces.instrument(service="app", environment="production")
    ws.prompts.save("p", "Answer: {{ question }}", model="standin:ferry-1")

    @lmops.trace
    def answer(question):
        messages = ws.prompts.get("p").render(question=question)
        return ws.models.complete("standin:ferry-1", messages, prompt=("p", 1)).content

    async def judged(output, complete):
        await complete("standin:ferry-1", [{"role": "user", "content": output}])
        return 1.0

    answer("How many dogs?")
    run = ws.evals.run(answer, [{"input": "a"}, {"input": "b"}], [judged], tracing=True, progress=False)
    ws.traces.stop_instrumentation()
    return ws, run


def test_every_span_of_a_run_names_it(mixed):
    """The case, what the task traces inside, and what judges ask."""
    ws, run = mixed
    spans = ws.sql("select environment, attributes from spans order by start_ns").df()
    of_run = [EVAL_RUN_ID in attributes for attributes in spans["attributes"]]
    assert sum(of_run) == 2 * (1 + 1 + 1 + 1)
    assert all(run.run_id in text for text, inside in zip(spans["attributes"], of_run, strict=True) if inside)
    assert set(spans["environment"][of_run]) == {EVALUATION}
    assert set(spans["environment"][[not inside for inside in of_run]]) == {"production"}


def test_a_context_that_a_task_leaves_behind_ends_with_its_case(ws):
    """The next case of the worker is in its run all the same."""
    from opentelemetry import context

    def of_run():
        return context.get_value(EVAL_RUN_ID)

    async def answer(_question):
        found = of_run()
        context.attach(context.Context())
        return found

    run = ws.evals.run(answer, [{"input": "a"}, {"input": "b"}], concurrency=1, tracing=False, progress=False)
    assert ws.sql("select output from results").fetchall() == [(run.run_id,)] * 2
    assert of_run() is None


def test_figures_leave_evaluations_out(mixed):
    """An argument, or a question about environments, takes them in."""
    ws, _ = mixed
    for by in ((), "model", "prompt_version", ("name", "model")):
        assert ws.traces.stats(by=by, every=None)["traces"].sum() == 1
    assert ws.traces.stats(every=None, evaluations=True)["traces"].sum() == 5
    assert ws.traces.stats(by="model", every=None, evaluations=True)["calls"].sum() == 5
    assert ws.traces.stats("environment = 'evaluation'", every=None)["traces"].sum() == 4
    assert len(ws.traces.search()) == 5


def test_versions_are_compared_without_evaluations(mixed):
    """An argument or the environment takes them in."""
    from lmops.prompts import Prompts

    prompts = Prompts(mixed[0].project)
    assert prompts.compare("p", [1]).traces == (1,)
    assert prompts.compare("p", [1], evaluations=True).traces == (3,)
    assert prompts.compare("p", [1], environment="evaluation").traces == (2,)


def test_the_browser_begins_with_a_chip(mixed):
    """One of its own, beside what was asked; none where the search is about environments, or there is no evaluation."""
    from lmops.traces.listing import TraceSource

    source = TraceSource(mixed[0].store)
    assert source.without_evaluations(None) == "environment is distinct from 'evaluation'"
    asked = source.without_evaluations("status = 'ok' or status = 'error'")
    assert asked == "environment is distinct from 'evaluation' and (status = 'ok' or status = 'error')"
    assert source.without_evaluations("environment = 'x'") == "environment = 'x'"
    assert len(mixed[0].traces.browse().df()) == 1


def test_a_store_without_evaluations_has_no_chip(ws):
    """What was asked stays as it was."""
    from lmops.traces.listing import TraceSource

    assert TraceSource(ws.store).without_evaluations(None) is None
    assert TraceSource(ws.store).without_evaluations("status = 'ok'") == "status = 'ok'"


def ingest(ws, *spans):
    ws.traces.ingest(json.dumps(request_json(*spans)).encode(), progress=False)


def chat(number, **more):
    fields = {key: more.pop(key) for key in ("parentSpanId", "status", "traceId") if key in more}
    names = {"model": "gen_ai.response.model", "prompt": "gen_ai.prompt.name", "version": "gen_ai.prompt.version"}
    attributes = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-x", "gen_ai.provider.name": "openai"}
    return span_json(attributes | {names[key]: value for key, value in more.items()}, number=number, **fields)


def test_errors_and_answers_of_one_model_are_one_group(ws):
    """The model of an error is the one that answers to the name that was asked for."""
    failed = {"code": 2, "message": "busy"}
    ingest(
        ws,
        *(chat(number, model="gpt-x-2026-01-01", traceId=f"{number:032x}") for number in (1, 2, 3)),
        chat(4, status=failed, traceId=f"{4:032x}"),
    )
    found = ws.traces.stats(by="model", every=None)
    assert found[["model", "calls", "errors"]].values.tolist() == [["gpt-x-2026-01-01", 4, 1]]


def test_calls_count_with_the_prompt_that_a_span_above_them_names(ws):
    """The nearest one, unless they name one themselves."""
    marks = {"gen_ai.prompt.name": "p", "gen_ai.prompt.version": "2"}
    ingest(
        ws,
        span_json(marks, number=1),
        span_json({}, number=2, parentSpanId=f"{1:016x}"),
        chat(3, parentSpanId=f"{2:016x}"),
        chat(4, parentSpanId=f"{2:016x}", prompt="q", version="1"),
        chat(5, traceId=f"{9:032x}"),
    )
    found = ws.traces.stats(by=["prompt_name", "prompt_version"], every=None)
    rows = {(row.prompt_name, row.prompt_version): row.calls for row in found.dropna(subset="prompt_name").itertuples()}
    assert rows == {("p", "2"): 1, ("q", "1"): 1}
    assert found["calls"].sum() == 3


def test_a_search_says_when_there_is_more(ws):
    """In the attributes and where it is shown; what is made of it is a plain frame."""
    ingest(ws, *(chat(number, traceId=f"{number:032x}") for number in range(1, 6)))
    cut = ws.traces.search(limit=4)
    assert (len(cut), cut.attrs["limit"], cut.attrs["is_cut"]) == (4, 4, True)
    assert "the first 4 by start_at desc; there are more" in repr(cut)
    assert "there are more" in cut._repr_html_()
    assert "there are more" not in repr(cut[["name"]])
    for more in ({"limit": 5}, {"limit": None}, {"limit": 5, "order": "latency_ms desc"}, {"where": "name = 'no'"}):
        whole = ws.traces.search(**more)
        assert whole.attrs["is_cut"] is False
        assert "there are more" not in repr(whole)
    assert ws.traces.search(limit=4, order="latency_ms desc").attrs["is_cut"] is True
    assert len(ws.traces.search(limit=0)) == 0


def test_what_did_not_fail_is_ok(ws):
    """Functions, generators and blocks; an error that the body puts on its span stays."""
    from opentelemetry import trace as api

    ws.traces.instrument()

    @lmops.trace
    def works():
        return 1

    @lmops.trace
    def streams():
        yield 1
        yield 2

    @lmops.trace
    def says_otherwise():
        api.get_current_span().set_status(api.StatusCode.ERROR, "half of it")

    works()
    next(streams())
    says_otherwise()
    with lmops.trace("block"):
        pass
    ws.traces.stop_instrumentation()
    found = ws.sql("select name, status from spans order by name").fetchall()
    assert dict(found) == {"block": "ok", "says_otherwise": "error", "streams": "ok", "works": "ok"}
