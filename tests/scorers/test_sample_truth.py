"""What the scorers find in the sample's traffic, against what was planted there."""

import json

import pytest

from lmops import scorers
from lmops.sample import data_dir, golden
from lmops.scorers import ScoreInput
from lmops.standin import ChatRequest, Message, chat_model, content


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """Every fourth trace of the sample as an example, with its truth."""
    import lmops

    truth = {
        row["trace_id"]: row
        for row in map(json.loads, (data_dir() / "truth.jsonl").read_text(encoding="utf-8").splitlines())
    }
    with lmops.open(tmp_path_factory.mktemp("sample") / ".lmops", actor="tester") as ws:
        ws.traces.ingest(str(data_dir() / "traces" / "*.jsonl.gz"), progress=False)
        version = ws.datasets.add_traces("all", sorted(truth)[::4])
    return [(example, truth[example.trace_id]) for example in version]


def scored(made, example):
    tools = example.metadata.get("tool_calls")
    given = {"output": example.output, "documents": example.documents, "tool_calls": tools}
    return made.score(ScoreInput(**given, example=example.as_dict()))


def test_source_support_finds_what_was_planted(recorded):
    """Nearly all made-up claims, changed numbers and obeyed orders, and nearly nothing else."""
    made = scorers.source_support()
    pairs = []
    for example, row in recorded:
        if not (row["blocked_by"] or row["output_blocked"] or row["failure"]):
            score = scored(made, example)
            assert score.status != "error"
            pairs.append((score.is_value and score.value < 1, row["unsupported"]))
    hits = sum(found and true for found, true in pairs)
    assert hits / sum(found for found, _ in pairs) > 0.97
    assert hits / sum(true for _, true in pairs) > 0.95


def test_refusals_are_told(recorded):
    """Against what the stand-in knows of itself."""
    wrong = [row for example, row in recorded if scored(scorers.refusal(), example).value is not row["refused"]]
    assert len(wrong) <= 0.02 * len(recorded)


def test_golden_rows_make_a_dataset(ws):
    """With the variables of the prompt, the documents, and what scorers look for."""
    version = ws.datasets.save("golden", golden())
    assert (len(version), version.splits(), version.report.derived_ids) == (189, {"dev": 142, "test": 47}, 0)
    assert len(golden(tools=True)) == 200
    assert sum(any(one["is_kept"] for one in example.documents) for example in version) > 180
    for example in version:
        assert set(example.input) == {"question", "sources"}
        assert all(f"[{one['id']}]" in example.input["sources"] for one in example.documents if one["is_kept"])
    foreign = next(one for one in version if one.metadata["language"] == "de")
    assert "(in English: " in foreign.input["question"]


def answers(prompt, rows):
    """Return what the stand-in answers under one version of the prompt."""
    system, _, template = content.prompt_text(prompt).strip().partition("\n\n")
    model = chat_model("standin:ferry-1")
    for row in rows:
        user = template.replace("{sources}", row["input"]["sources"]).replace("{question}", row["input"]["question"])
        messages = (Message(role="system", content=system), Message(role="user", content=user))
        request = ChatRequest(model="m", messages=messages, tools=(), temperature=0.2, max_tokens=600, seed=1)
        yield row, model.complete(request).content


def test_prompt_3_is_worse_than_prompt_2_on_the_golden_questions():
    """It drops "only from the sources": a clear fall of the supported share."""
    made, means = scorers.source_support(), {}
    for prompt in (2, 3):
        scores = [
            made.score(ScoreInput(output=answer, documents=row["documents"], example={"input": row["input"]}))
            for row, answer in answers(prompt, golden())
        ]
        means[prompt] = scorers.summarise(scores).mean
    assert means[2] > 0.95
    assert means[3] < 0.9
