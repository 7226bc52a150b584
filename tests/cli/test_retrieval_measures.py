"""``lmops retrieval``: an index is built, searched, measured, compared, gated, judged and dropped in a shell."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from lmops.cli import main
from tests.retrieval.asked import TEXTS, judged
from tests.retrieval.drift_traffic import stored


@pytest.fixture
def run(ws):
    """Run a command; return its exit code and what it printed."""

    def run_it(*arguments):
        done = CliRunner().invoke(main, ["retrieval", *arguments, "--store", str(ws.store.path)])
        return done.exit_code, done.output

    return run_it


def test_an_index_goes_all_the_way(run, ws, tmp_path):
    """Each command ends by what it found: 0 done or good, 1 worse, 2 no such thing, 3 cannot be told."""
    for size in (80, 400):
        ws.retrieval.save(f"cut{size}", chunker={"name": "sentences", "size": size})
    pages, rows = tmp_path / "pages.jsonl", tmp_path / "qrels.jsonl"
    pages.write_text("".join(json.dumps({"id": one, "text": text}) + "\n" for one, text in TEXTS.items()))
    rows.write_text("".join(json.dumps(one) + "\n" for one in judged()))
    for size in (80, 400):
        code, said = run("build", f"help{size}", str(pages), "--settings", f"cut{size}", "--json")
        assert (code, json.loads(said)["documents"]) == (0, 4)
    code, said = run("search", "help80", "bikes two euros", "-k", "2", "--json")
    assert (code, json.loads(said)["hits"][0]["document"]) == (0, "bikes")
    assert "help400" in run("indexes")[1]
    assert run("qrels", "asked", str(rows))[0] == 0
    runs = {}
    for size in (80, 400):
        code, said = run("measure", f"help{size}", "asked", "--k", "3", "--json")
        runs[size] = json.loads(said)["run_id"]
        assert (code, json.loads(said)["queries"]) == (0, 8)
    assert run("measure", "help8", "asked")[0] == 2
    code, said = run("compare", runs[80], runs[400], "--json")
    assert (code, json.loads(said)["a"]) == (3, runs[80])
    codes = [run("gate", runs[80], "--min-recall", least)[0] for least in ("0.01", "0.999")]
    assert codes == [0, 1]
    assert run("gate", runs[80])[0] == 2
    code, said = run("pool", runs[80], runs[400], "--queue", "to-judge", "--json")
    assert (code, json.loads(said)["dataset"]) == (0, "asked@1")
    code, said = run("judged", "to-judge", "asked")
    assert (code, "judged yet" in said) == (2, True)
    turn = ws.feedback.queues.next("to-judge", rater="ann")
    ws.feedback.queues.label("to-judge", turn.position, {"grade": 1}, rater="ann")
    code, said = run("judged", "to-judge", "asked", "--json")
    assert (code, json.loads(said)["ref"]) == (0, "asked@2")
    assert run("drop", "help400", "--yes")[0] == 0
    assert "help400" not in run("indexes")[1]


def test_drift_ends_by_what_changed(run, ws):
    """0 nothing, 1 something, 3 not to be told."""
    periods = ("--since", "2026-09-23T14:13:20", "--until", "2026-09-25T14:13:20", "--before", "2d", "--answers", "0")
    assert run("drift", *periods)[0] == 3
    stored(ws, corpus="c1")
    stored(ws, days=(2, 4), corpus="c1", settings="s2")
    code, said = run("drift", *periods, "--json")
    assert (code, json.loads(said)["causes"][0]["kind"]) == (1, "settings")
