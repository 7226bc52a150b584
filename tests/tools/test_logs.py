"""Logs of agents: runs with rewards and labels, as trajectories and as traces; the published ones where they are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lmops.errors import NotFoundError, UsageError
from lmops.tools.logs import blame, changes

PLACES = [place / "shared" / "traces" / "public" for place in Path(__file__).parents]
PUBLIC = next((place for place in PLACES if place.exists()), PLACES[0])


def tau(task, trial, reward, *calls, expected=()):
    """A run in the form of tau-bench: a call is (tool, arguments, result)."""
    messages = [{"role": "user", "content": f"task {task}"}]
    for n, (name, arguments, result) in enumerate(calls):
        call = {"id": f"c{n}", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
        messages += [
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": f"c{n}", "name": name, "content": result},
        ]
    messages.append({"role": "assistant", "content": "done"})
    actions = [{"name": name, "kwargs": arguments} for name, arguments in expected]
    return {
        "task_id": task,
        "trial": trial,
        "reward": reward,
        "user_cost": trial + 0.5,
        "expected_actions": actions,
        "messages": messages,
    }


def who(question, agent, step, *turns):
    """A run in the form of Who&When."""
    history = [{"name": name, "role": "user", "content": text} for name, text in turns]
    label = {"mistake_agent": agent, "mistake_step": str(step), "mistake_reason": "wrong"}
    return {"question_id": question, "question": "How many?", "is_correct": False, "history": history, **label}


def written(path, *records):
    path.write_text("\n".join(one if isinstance(one, str) else json.dumps(one) for one in records), encoding="utf-8")
    return path


def test_runs_with_rewards(ws, tmp_path):
    """Success, pass^k, what was changed beside what was expected; each run has its trace."""
    book = ("book", {"n": 1})
    runs = [
        tau(0, 0, 1.0, ("get_user", {}, "{}"), ("book", {"n": 1.0}, "ok"), expected=[book]),
        tau(0, 1, 0.0, ("book", {"n": 2}, "ok"), expected=[book]),
        tau(1, 0, 1.0, ("book", {"n": 1}, "Error: full"), expected=[]),
        tau(1, 1, 1.0, *[("get_user", {}, "{}")] * 3),
    ]
    found = ws.tools.read_log(written(tmp_path / "a.jsonl", *runs, "{not json", {"x": 1}))
    assert (found.format, len(found)) == ("tau-bench", 4)
    assert [place for place, _ in found.rejected] == ["a.jsonl:5", "a.jsonl:6"]
    assert [one.is_as_expected for one in found.trajectories] == [True, False, True, True]
    rates = {one.what: one.interval for one in found.rates()}
    assert (rates["success"].estimate, rates["pass^2"].estimate) == (0.75, 0.5)
    assert rates["success"].low < 0.75 < rates["success"].high
    assert rates["changes as expected agree with the reward"].estimate == 1
    assert found.trajectories[3].loop == "the same call 3 times (calls 1 to 3)"
    assert [ws.traces.get(one.trace_id).spans is not None for one in found.trajectories] == [True] * 4
    assert len({one.trace_id for one in found.trajectories}) == 4
    assert len(found.frame()) == 4
    assert "pass^2" in found.text
    assert ws.tools.read_log(tmp_path / "a.jsonl").trajectories == found.trajectories
    assert len(ws.traces.search()) == 4


def test_runs_with_labels(ws, tmp_path):
    """Who spoke before the first failure is named; where none failed, who spoke first."""
    runs = [
        who("a", "Coder", 1, ("Planner", "plan"), ("Coder", "code"), ("Computer_terminal", "exitcode: 1 (failed)")),
        who("b", "Coder", 1, ("Planner", "plan"), ("Coder", "code"), ("Computer_terminal", "exitcode: 0")),
    ]
    found = ws.tools.read_log(written(tmp_path / "w.jsonl", *runs), format="who-and-when")
    told = [(one.found.agent, one.found.step) for one in found.trajectories]
    assert told == [("Coder", 1), ("Planner", 0)]
    assert [one.interval.estimate for one in found.rates()] == [0.5, 0.5]
    assert all(one.trace_id for one in found.trajectories)
    assert blame([]) is None
    assert blame([("Orchestrator (thought)", "x")]) is not None


def test_what_cannot_be_read_is_said(ws, tmp_path):
    """A file that is not there, one of another kind, an unknown format."""
    with pytest.raises(NotFoundError):
        ws.tools.read_log(tmp_path / "none.jsonl")
    with pytest.raises(UsageError, match="no run that can be read"):
        ws.tools.read_log(written(tmp_path / "x.jsonl", {"x": 1}))
    with pytest.raises(UsageError, match="tau-bench"):
        ws.tools.read_log(tmp_path / "x.jsonl", format="swe")
    assert ws.sql("select count(*) as n from traces").fetchall() == [(0,)]


def test_what_looks_up_changes_nothing():
    """By the name of the tool."""
    assert [changes(name) for name in ("get_user", "search", "list_all", "book", "getaway")] == [
        False,
        False,
        False,
        True,
        True,
    ]


@pytest.mark.skipif(not PUBLIC.exists(), reason="the published logs are not on this machine")
def test_the_published_logs(ws):
    """Rewards as their README says them (of the part that is there), labels and what a plain rule makes of them."""
    log = ws.tools.read_log(PUBLIC / "tau_airline_gpt4o.jsonl")
    rows = [json.loads(line) for line in (PUBLIC / "tau_airline_gpt4o.jsonl").read_text().splitlines()]
    rates = {one.what: one.interval for one in log.rates()}
    assert len(log) == len(rows) == len({one.trace_id for one in log.trajectories})
    by_trial = log.frame().groupby("trial").reward.sum().tolist()
    assert by_trial == [sum(row["reward"] for row in rows if row["trial"] == trial) for trial in range(4)]
    if len(rows) == 200:
        assert by_trial == [21, 22, 20, 21]
    assert rates["success"].estimate == pytest.approx(sum(by_trial) / len(rows))
    assert rates["pass^4"].estimate <= rates["pass^2"].estimate <= rates["success"].estimate
    assert rates["changes as expected agree with the reward"].estimate > 0.9
    labels = ws.tools.read_log(PUBLIC / "who_and_when.jsonl")
    assert all(one.labelled and one.found for one in labels.trajectories)
    for one in (*log.rates(), *labels.rates()):
        print(one.what, one.interval)
