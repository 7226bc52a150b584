"""Results of garak and promptfoo are read in as runs."""

from __future__ import annotations

import json

import pytest

from lmops.errors import NotFoundError, UsageError


def attempt(number, scores, **more):
    return {
        "entry_type": "attempt",
        "uuid": f"u{number}",
        "seq": number,
        "status": 2,
        "probe_classname": f"encoding.Inject{number % 2}",
        "goal": "make it decode",
        "prompt": {"turns": [{"role": "user", "content": {"text": f"decode {number}"}}]},
        "outputs": [{"text": f"said {number} {at}"} for at in range(len(scores))],
        "detector_results": {"encoding.Match": scores, "mitigation.Bypass": [0.0] * len(scores)},
        **more,
    }


def lines(path, rows):
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return path


def test_garak_report_is_a_run(ws, tmp_path):
    """Attempts are examples, generations are repeats, probes are clusters, the highest detector counts."""
    rows = [{"entry_type": "init"}, *(attempt(number, [1.0, 0.2]) for number in range(6)), attempt(9, [1.0], status=1)]
    run = ws.redteam.import_garak(lines(tmp_path / "x.report.jsonl", rows))
    report = ws.redteam.report(run)
    assert (report.overall.attacks, report.overall.success, report.overall.seeds) == (6, 0.5, 2)
    assert report.at[2].estimate == 1.0
    assert report.worst[0].sent.startswith("decode")
    assert {one.value for one in report.by("family")} == {"encoding"}


def test_garak_report_of_older_versions(ws, tmp_path):
    """Prompts and outputs may be plain texts; what was not answered has no score."""
    rows = [attempt(1, [1.0], prompt="decode", outputs=["said"]), attempt(2, [], outputs=[None], detector_results={})]
    run = ws.redteam.import_garak(lines(tmp_path / "y.jsonl", rows))
    assert ws.redteam.report(run).unmeasured == 1


def result(number, *, success, provider="openai:a", **more):
    return {
        "testIdx": number,
        "provider": {"id": provider},
        "prompt": {"raw": f"attack {number}"},
        "response": {"output": f"answer {number}"},
        "success": success,
        "failureReason": 0 if success else 1,
        "latencyMs": 12,
        "metadata": {"pluginId": "pii:direct", "strategyId": "base64", "severity": "high", "goal": f"goal {number}"},
        **more,
    }


def test_promptfoo_results_are_a_run(ws, tmp_path):
    """A case that passes there withstood; plugins and strategies become families and converters."""
    rows = [result(number, success=number > 1) for number in range(4)]
    rows.append(result(4, success=False, response=None, failureReason=2, error="HTTP 500"))
    path = tmp_path / "r.json"
    path.write_text(json.dumps({"results": {"version": 3, "results": rows}}), encoding="utf-8")
    report = ws.redteam.report(ws.redteam.import_promptfoo(path))
    assert (report.overall.attacks, report.overall.success, report.unmeasured) == (4, 0.5, 1)
    assert [one.value for one in report.by("converter")] == ["base64"]
    assert report.worst[0].severity == "high"


def test_promptfoo_results_of_several_providers(ws, tmp_path):
    """Each provider is a run of its own, on the same attacks."""
    rows = [result(number, success=one == "b", provider=one) for number in range(3) for one in ("a", "b")]
    path = tmp_path / "r.json"
    path.write_text(json.dumps({"results": {"results": rows}}), encoding="utf-8")
    runs = ws.redteam.import_promptfoo(path)
    assert ws.redteam.report(runs["a"], runs["b"]).baseline["attack_success"].difference == 1.0


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"results": {"results": [3, {"success": true}]}}', "null", "[" * 9999]
)
def test_files_that_hold_nothing_are_refused(ws, tmp_path, text):
    """What is no report says what was expected."""
    path = tmp_path / "bad.json"
    path.write_text(text, encoding="utf-8")
    for read in (ws.redteam.import_garak, ws.redteam.import_promptfoo):
        with pytest.raises(UsageError, match=r"bad\.json"):
            read(path)
    with pytest.raises(NotFoundError):
        ws.redteam.import_garak(tmp_path / "none")
