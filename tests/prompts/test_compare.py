"""How versions behave in traces: each measure with n and interval, missing stays missing, what else changed is said."""

import json
import math

import pytest

from lmops.errors import NotFoundError, UsageError
from lmops.prompts import Prompts
from lmops.prompts.comparisons import Value, difference, vote_of

DAY_NS = 86_400_000_000_000
START_NS = 1_772_323_200_000_000_000


def vote(value):
    attributes = [
        {"key": "gen_ai.evaluation.name", "value": {"stringValue": "user_feedback"}},
        {"key": "gen_ai.evaluation.score.value", "value": {"doubleValue": value}},
    ]
    return [{"name": "gen_ai.evaluation.result", "timeUnixNano": str(START_NS), "attributes": attributes}]


def call(trace, version, **given):
    """Return one trace of one model call as OTLP/JSON."""
    start = START_NS + trace * DAY_NS // 50
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.usage.input_tokens": 900,
        "gen_ai.usage.output_tokens": 10 * version + trace % 3,
        "gen_ai.prompt.name": "greet",
        "gen_ai.request.model": given.get("model", "gpt-4o-mini"),
        "gen_ai.prompt.version": str(version),
        "session.id": f"s{trace // 2}",
    }
    return {
        "traceId": f"{trace:032x}", "spanId": f"{trace:016x}", "name": "chat", "kind": 3,
        "startTimeUnixNano": str(start), "endTimeUnixNano": str(start + 1_000_000 * (100 * version + trace % 7)),
        "status": {"code": 2 if given.get("fails") else 1}, "events": vote(given["vote"]) if "vote" in given else [],
        "attributes": [
            {"key": key, "value": {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}}
            for key, value in attributes.items()
        ],
    }  # fmt: skip  # keys that belong together share a line


@pytest.fixture
def traffic(ws, tmp_path):
    """40 traces of version 1, then 60 of version 2: slower, of another model at times, voted on."""
    for text in ("a", "b", "c"):
        ws.prompts.save("greet", text)
    spans = [call(trace, 1, vote=1.0 if trace % 4 else 0.0) for trace in range(1, 41)]
    spans += [
        call(trace, 2, fails=trace % 6 == 0, model="an-unknown-model" if trace % 5 == 0 else "gpt-4o-mini")
        for trace in range(41, 101)
    ]
    path = tmp_path / "t.jsonl"
    path.write_text(json.dumps({"resourceSpans": [{"scopeSpans": [{"scope": {"name": "a"}, "spans": spans}]}]}) + "\n")
    ws.traces.ingest(path, progress=False)
    return ws


def plain(ws):
    """Return the prompts without widgets."""
    return Prompts(ws.project)


def row(frame, measure, version):
    return frame[(frame["measure"] == measure) & (frame["version"] == f"greet@{version}")].iloc[0]


def test_each_measure_has_n_and_an_interval(traffic):
    """Numbers are those of the traces; the second version is compared with the first."""
    found = plain(traffic).compare("greet", [1, 2])
    frame = found.df()
    assert found.traces == (40, 60)
    errors = row(frame, "error_rate", 2)
    assert (errors["value"], errors["n"]) == (10 / 60, 60)
    assert 0 < errors["low"] < errors["value"] < errors["high"] < 0.35
    p50 = row(frame, "latency_p50_ms", 2)
    assert 200 <= p50["low"] <= p50["value"] <= p50["high"] <= 207
    assert 95 < p50["difference_low"] < p50["difference"] < p50["difference_high"] < 105
    assert row(frame, "output_tokens", 1)["value"] == pytest.approx(11, abs=0.2)


def test_what_is_not_known_is_missing_and_not_zero(traffic):
    """Calls of unknown price have no cost; without votes there is no rate of votes."""
    frame = plain(traffic).compare("greet", [1, 2]).df()
    cost = row(frame, "cost_usd", 2)
    assert (cost["n"], cost["missing"]) == (48, 12)
    assert cost["value"] > 0
    up = row(frame, "thumbs_down_rate", 1)
    assert (up["value"], up["n"]) == (0.25, 40)
    none = row(frame, "thumbs_down_rate", 2)
    assert (none["n"], none["missing"]) == (0, 60)
    assert math.isnan(none["value"])
    assert math.isnan(none["difference"])


def test_recorded_feedback_is_what_users_said(traffic):
    """A thumb recorded in the room of feedback counts, also where an event of the trace says otherwise."""
    for trace, value in ((1, "down"), (41, "down"), (42, "up"), (43, "up"), (44, "up")):
        traffic.feedback.record(f"{trace:032x}", value=value, user="u-1")
    frame = plain(traffic).compare("greet", [1, 2]).df()
    found = [row(frame, "thumbs_down_rate", version) for version in (1, 2)]
    assert [(one["value"], one["n"], one["missing"]) for one in found] == [(11 / 40, 40, 0), (1 / 4, 4, 56)]


def test_what_else_changed_is_said(traffic):
    """Versions that ran one after the other, models that differ, versions that nobody used."""
    caveats = "; ".join(plain(traffic).compare("greet", [1, 2, 3]).caveats)
    assert "at different times" in caveats
    assert "not use the same models" in caveats
    assert "an-unknown-model" in caveats
    assert "no trace used greet@3" in caveats


def test_a_range_of_time_limits_the_traces(traffic):
    """As everywhere else: last, since, until."""
    assert plain(traffic).compare("greet", [1, 2], until="2026-03-01T12:00").traces == (24, 0)
    assert plain(traffic).compare("greet", ["greet@2"], environment="staging").traces == (0,)


def test_nothing_to_compare_is_said(ws):
    """No traces at all: every measure is unmeasured, and there is a text."""
    ws.prompts.save("greet", "a")
    found = plain(ws).compare("greet", [1])
    assert found.df()["n"].tolist() == [0] * 7
    assert "not measured" in found.text
    assert found.outputs is None
    with pytest.raises(NotFoundError, match="version 1 only"):
        plain(ws).compare("greet", [2])
    for versions in ([], "1", None):
        with pytest.raises(UsageError, match="list of versions"):
            plain(ws).compare("greet", versions)


def test_the_same_inputs_are_aligned(ws, monkeypatch):
    """Answers of the newest finished runs of both over one dataset, hostile ones as text."""
    for text in ("a", "b"):
        ws.prompts.save("greet", text)
    ws.datasets.save("golden", [{"id": "q1", "input": "Why?"}, {"id": "q2", "input": "<b>"}])
    with ws.store.transaction() as con:
        for number in (1, 2):
            con.execute(
                "insert into eval_runs (run_id, name, status, task_kind, task, dataset, dataset_hash, prompt_ref, "
                "scorers, settings, examples, repeats, lmops_version, environment, actor, started_ns) values "
                "(?, 'x', 'finished', 'prompt', 't', 'golden@1', 'h', ?, '[]', '{}', 2, 1, '0', '{}', 'a', ?)",
                (f"run-{number}", f"greet@{number}", number),
            )
            for example in ("q1", "q2"):
                con.execute(
                    "insert into eval_results (run_id, example_id, repeat, status, output) values (?, ?, 0, 'ok', ?)",
                    (f"run-{number}", example, f"<img src=x onerror=alert({number})>{example}"),
                )
    found = plain(ws).compare("greet", [1, 2])
    assert found.outputs["input"].tolist() == ["Why?", "<b>"]
    assert found.outputs.loc[1, "greet@2"] == "<img src=x onerror=alert(2)>q2"
    assert "<img" not in found._repr_html_()
    assert "<b>&lt;" not in found._repr_html_()
    assert "q1: Why?" in found.text


def test_differences_by_square_and_add():
    """Newcombe (1998), table II, row (a) 56/70 - 48/80: 0.0524 to 0.3339 by method 10."""
    from lmops.calc.intervals import wilson

    def rate(k, n):
        low, high = wilson(k, n)
        return Value(k / n, float(low), float(high), n)

    found = difference(rate(56, 70), rate(48, 80))
    assert found.estimate == pytest.approx(0.2)
    assert (found.low, found.high) == (pytest.approx(0.0524, abs=5e-5), pytest.approx(0.3339, abs=5e-5))
    assert difference(rate(1, 2), Value(None, None, None, 0)).estimate is None


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"gen_ai.evaluation.name": "thumbs", "gen_ai.evaluation.score.label": "Up"}, True),
        ({"gen_ai.evaluation.name": "user_feedback", "gen_ai.evaluation.score.value": -1}, False),
        ({"gen_ai.evaluation.name": "faithfulness", "gen_ai.evaluation.score.value": 1}, None),
        ({"gen_ai.evaluation.name": "thumbs"}, None),
        ("x", None),
    ],
)
def test_votes_are_told_from_other_evaluations(attributes, expected):
    """Only what users said counts as a vote."""
    assert vote_of({"name": "gen_ai.evaluation.result", "attributes": attributes}) is expected
    assert vote_of({"name": "exception", "attributes": attributes}) is None


def evaluated(ws, version, **more):
    """Evaluate a version over two questions."""
    if not len(ws.datasets.list()):
        ws.datasets.save("two", [{"example_id": name, "input": {"question": name}} for name in "ab"])
    return ws.evals.run(f"answer@{version}", "two", [], progress=False, **more)


@pytest.fixture
def versions(ws):
    """Two versions of a prompt that asks the same model in the same way."""
    for text in ("Say {{ question }}", "Tell {{ question }}"):
        ws.prompts.save("answer", text, model="standin:ferry-1", params={"temperature": 0.2})
    return ws


def test_answers_are_of_one_model_and_one_setting(versions):
    """Newer runs of another model or with other parameters are left alone; the caveats need not speak of them."""
    first, second = evaluated(versions, 1), evaluated(versions, 2)
    evaluated(versions, 2, model="standin:ferry-1@2")
    evaluated(versions, 2, params={"temperature": 0.9})
    found = versions.prompts.compare("answer", [1, 2])
    assert found.answers.runs == (first.run_id, second.run_id)
    assert found.answers.asked == ("standin:ferry-1, temperature 0.2",) * 2
    assert first.run_id in found.text
    assert "standin:ferry-1, temperature 0.2" in found._repr_html_()


def test_unlike_runs_are_not_compared_and_that_is_said(versions):
    """Each was evaluated, but never on one model: no answers, and a caveat that names both runs' models."""
    evaluated(versions, 1)
    evaluated(versions, 2, model="standin:ferry-1@2")
    found = versions.prompts.compare("answer", [1, 2])
    assert (found.answers, found.outputs) == (None, None)
    (said,) = [one for one in found.caveats if "cannot be compared" in one]
    assert "answer@2: standin:ferry-1@2, temperature 0.2 over two@1" in said


def test_parameters_of_the_versions_themselves_are_a_part_of_what_is_compared(versions):
    """A version that asks more warmly is compared as it is, and its parameter is named."""
    versions.prompts.save("answer", "Tell {{ question }}", model="standin:ferry-1", params={"temperature": 0.9})
    evaluated(versions, 1), evaluated(versions, 3)
    assert [one[-3:] for one in versions.prompts.compare("answer", [1, 3]).answers.asked] == ["0.2", "0.9"]


def test_what_a_version_did_not_answer_is_counted_apart(versions):
    """Only inputs that all were asked stand beside each other; of these one has no answer."""

    def silent(question):
        if question == "a":
            raise ValueError("no")
        return "yes"

    evaluated(versions, 1, limit=1)
    for version, task in ((1, silent), (2, lambda question: f"so {question}")):
        versions.evals.run(task, "two", [], prompt=f"answer@{version}", progress=False, retries=0)
    found = versions.prompts.compare("answer", [1, 2])
    assert (found.answers.silent, len(found.outputs)) == ((1, 0), 2)
    assert "answer@1 gave no answer to 1" in found.text
    state = found.view._controller.state("hello")
    assert (state["outputs"], state["silent"], state["different"]) == (2, 1, [1])
