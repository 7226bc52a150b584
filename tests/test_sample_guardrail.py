"""The policy of the sample: what was recorded is what its first version did; the second stops what got through."""

import gzip
import json
from pathlib import Path

import pytest

from lmops.calc.intervals import wilson
from lmops.sample import policies, release, traffic_after
from lmops.sample.guardrail import recorded
from lmops.standin import content

DATA = Path(__file__).resolve().parents[1] / "data"


@pytest.fixture(scope="module")
def asked():
    """By trace the question, the answer and what is known of it."""
    said = {}
    for path in sorted((DATA / "traces").glob("*.jsonl.gz")):
        for line in gzip.decompress(path.read_bytes()).splitlines():
            for span in json.loads(line)["resourceSpans"][0]["scopeSpans"][0]["spans"]:
                if "parentSpanId" not in span:
                    told = {one["key"]: one["value"].get("stringValue") for one in span["attributes"]}
                    said[span["traceId"]] = (told["input.value"], told["output.value"])
    rows = map(json.loads, (DATA / "truth.jsonl").read_text(encoding="utf-8").splitlines())
    return [(*said[row["trace_id"]], row) for row in rows]


def stops(checker, question, answer, row):
    """Return whether a question is not answered, or its answer not shown."""
    system = content.prompt_text(row["prompt_version"]).partition("\n\n")[0]
    context = {"question": question, "system_prompt": system}
    return checker.check("input", question).is_blocked or checker.check("output", answer, context=context).is_blocked


def test_what_was_recorded_is_what_the_first_version_does(asked):
    """Question by question, with the rule that stopped it."""
    checker = recorded()
    for question, _, row in asked:
        found = checker.check("input", question)
        assert (found.decided_by.rules[0] if found.is_blocked else None) == row["blocked_by"]


def test_the_second_version_stops_what_succeeded(asked):
    """No injection that came after prompt 3 is said any more, and of honest questions 99 % and more are answered."""
    checker = recorded_second()
    attacks = [one for one in asked if one[2]["injection_succeeded"]]
    assert [stops(recorded(), *one) for one in attacks] == [False] * 15
    assert [stops(checker, *one) for one in attacks] == [True] * 15
    honest = [one for one in asked if one[2]["injection_technique"] is None]
    passed = sum(not stops(checker, *one) for one in honest)
    assert wilson(passed, len(honest))[0] > 0.99


def recorded_second():
    import lmops

    with lmops.open(":memory:") as ws:
        return policies(ws)[1].checker()


def test_the_policies_are_those_of_a_store(ws):
    """The first is in production until somebody promotes the second; again nothing is saved."""
    assert [one.ref for one in policies(ws)] == ["support@1", "support@2"]
    ws.guardrails.promote("support", 2, to="production", reason="it stops what got through")
    assert [one.ref for one in policies(ws)] == ["support@1", "support@2"]
    assert ws.guardrails.get("support@production").version == 2


def test_the_application_is_guarded_by_what_is_in_production(ws):
    """What comes after the two weeks is checked by it, and its checks are rows."""
    release(ws.store)
    policies(ws)
    ws.guardrails.promote("support", 2, to="production", reason="it stops what got through")
    traffic_after(ws)
    query = "select distinct policy, version, stage from guardrail_checks order by all"
    assert ws.sql(query).fetchall() == [("support", 2, "input"), ("support", 2, "output")]
    rates = ws.guardrails.rates(by=["stage"]).set_index("stage")
    assert 0 < rates.loc["input", "block_rate"] < 0.1
