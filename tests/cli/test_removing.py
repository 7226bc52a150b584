"""Commands that remove what cannot be had again say what goes, and ask."""

from __future__ import annotations

import inspect
import json

import pytest
from click.testing import CliRunner

import lmops
from lmops.cli import main, opening
from tests.cli.test_promised import commands


@pytest.fixture
def store(tmp_path):
    """Return a store with two traces of today and an endpoint."""
    with lmops.open(tmp_path / "store") as ws:
        handle = ws.traces.instrument(set_global=False)
        for name in ("ask", "book"):
            with handle.get_tracer("test").start_as_current_span(name):
                pass
        ws.models.register("mine", base_url="http://127.0.0.1:9/v1", model="llama")
    return tmp_path / "store"


def run(store, *words, stdin=None):
    return CliRunner().invoke(main, [*words, "--store", str(store)], input=stdin)


def traces(store):
    with lmops.open(store, read_only=True) as ws:
        return ws.sql("select count(*) from traces").fetchall()[0][0]


def test_without_a_word_nothing_goes(store):
    """Where nobody can be asked, the command says what would go and how to say yes, and ends with 2."""
    done = run(store, "store", "retain", "--days", "0.000000001")
    assert done.exit_code == 2
    assert "2 traces with 2 spans and 0 cases of runs go; nothing was done: --yes" in done.stderr
    assert traces(store) == 2


def test_a_dry_run_only_says_it(store):
    """As text and as JSON."""
    assert "2 traces with 2 spans" in run(store, "store", "retain", "--days", "0.000000001", "--dry-run").stdout
    done = run(store, "store", "retain", "--days", "0.000000001", "--dry-run", "--json")
    assert json.loads(done.stdout) == {"traces": 2, "spans": 2, "cases": 0}
    assert traces(store) == 2


def test_yes_removes(store):
    """And says what went."""
    assert "removed 2 traces, 2 spans" in run(store, "store", "retain", "--days", "0.000000001", "--yes").stdout
    assert traces(store) == 0


@pytest.mark.parametrize(("answer", "left"), [("n\n", 2), ("y\n", 0)])
def test_somebody_at_a_terminal_is_asked(store, monkeypatch, answer, left):
    """The answer decides."""
    monkeypatch.setattr(opening, "_is_somebody_there", lambda: True)
    done = run(store, "store", "retain", "--days", "0.000000001", stdin=answer)
    assert "go on?" in done.stderr
    assert (done.exit_code, traces(store)) == (2 if left else 0, left)


@pytest.mark.parametrize("words", [("model", "unregister", "mine"), ("model", "clear-cache")])
def test_the_others_ask_too(store, words):
    """An endpoint, and the cache."""
    assert "nothing was done" in run(store, *words).stderr
    assert run(store, *words, "--dry-run").exit_code == 0
    assert run(store, *words, "--yes").exit_code == 0


def test_every_command_speaks_json():
    """None is left out: what is printed for people has a form for programs."""
    assert [
        path for path, made in commands() if "--json" not in {word for one in made.params for word in one.opts}
    ] == []


def test_what_erases_asks_or_is_a_dry_run():
    """Every command whose name says that something goes for good has --yes."""
    gone = ("retain", "erase", "unregister", "clear-cache")
    asks = {path for path, made in commands() if "--yes" in {word for one in made.params for word in one.opts}}
    assert {path for path, _ in commands() if path.endswith(gone)} <= asks
    assert inspect.signature(lmops.Workspace.erase).parameters["dry_run"].default is True
