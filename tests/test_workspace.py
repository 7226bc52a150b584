"""Opening and closing a workspace."""

import inspect
import operator
import os

import pytest
from opentelemetry import trace as otel_trace

import lmops


def test_a_store_is_found_upward_like_git(tmp_path, monkeypatch):
    """From a folder inside the project, the project's store is the one."""
    with lmops.open(tmp_path / ".lmops"):
        pass
    inside = tmp_path / "notebooks" / "deep"
    inside.mkdir(parents=True)
    monkeypatch.chdir(inside)
    with lmops.open() as ws:
        assert ws.store.path == tmp_path / ".lmops"
    assert not (inside / ".lmops").exists()


def test_the_environment_names_a_store(tmp_path, monkeypatch):
    """LMOPS_STORE wins over the search upward."""
    monkeypatch.setenv("LMOPS_STORE", str(tmp_path / "elsewhere"))
    with lmops.open() as ws:
        assert ws.store.path == tmp_path / "elsewhere"


def test_a_folder_with_other_files_gets_a_store_inside(tmp_path):
    """Nothing is strewn among somebody's files."""
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    with lmops.open(tmp_path) as ws:
        assert ws.store.path == tmp_path / ".lmops"


def test_read_only_creates_nothing(tmp_path):
    """Opening what is not there read-only is an error that says how to make it."""
    with pytest.raises(lmops.StoreError, match="no store at"):
        lmops.open(tmp_path / "none", read_only=True)
    assert os.listdir(tmp_path) == []  # noqa: PTH208 - names are what is compared


def test_the_actor_is_the_one_who_is_named(tmp_path, monkeypatch):
    """The argument, then LMOPS_ACTOR, then the system's user."""
    monkeypatch.setenv("LMOPS_ACTOR", "scheduler")
    with lmops.open(tmp_path / "a") as ws, lmops.open(tmp_path / "b", actor="anna") as named:
        assert (ws.actor, named.actor) == ("scheduler", "anna")
        for one in (ws, named):
            one.store.retain(days=1)
            assert one.sql("select actor from audit").fetchall() == [(one.actor,)]


def test_closing_writes_the_spans_that_wait(tmp_path):
    """What an instrumented process made before the close is in the store."""
    with lmops.open(tmp_path / "store") as ws:
        handle = ws.traces.instrument(set_global=False)
        with handle.get_tracer("test").start_as_current_span("work"):
            pass
    with lmops.open(tmp_path / "store", read_only=True) as ws:
        assert ws.sql("select name from spans").fetchall() == [("work",)]
    assert otel_trace.get_current_span().is_recording() is False


def test_reprs_are_short_and_say_how_many(ws):
    """Every object says what it is."""
    for thing, words in ((ws, "0 traces"), (ws.traces, "0 spans"), (ws.models, "0 own prices"), (ws.audit, "0 events")):
        assert words in repr(thing)
        assert len(repr(thing)) < 200


NOUNS = [
    "traces.views", "prompts", "models", "datasets", "judges", "feedback.queues", "feedback.schemas", "evals",
    "runbooks", "monitors", "monitors.sinks", "routing", "incidents", "guardrails", "redteam", "retrieval", "audit",
]  # fmt: skip  # names pack


@pytest.mark.parametrize("noun", NOUNS)
def test_every_noun_says_what_it_is_and_how_many(ws, noun):
    """No address of memory stands in a cell that ends with it."""
    shown = repr(operator.attrgetter(noun)(ws))
    assert " object at " not in shown
    assert noun.rpartition(".")[2].lower() in shown.lower()


VERBS = ["traces.browse", "prompts.diff", "prompts.compare", "prompts.playground", "evals.compare", "evals.explore"]


@pytest.mark.parametrize("verb", VERBS)
def test_help_is_complete(ws, verb):
    """Every argument of a verb that shows something has its name in the signature and its sentence in the docstring."""
    method = operator.attrgetter(verb)(ws)
    arguments = inspect.getdoc(method).partition("Args:")[2]
    parameters = inspect.signature(method).parameters.values()
    assert all(f"    {one.name}: " in arguments and one.kind is not one.VAR_KEYWORD for one in parameters)


def test_git_ignores_a_store(tmp_path):
    """A new one, and one that was made before; what somebody wrote there stays, and reading writes nothing."""
    ignore = tmp_path / "store" / ".gitignore"
    lmops.open(tmp_path / "store").close()
    assert ignore.read_text() == "*\n"
    ignore.unlink()
    lmops.open(tmp_path / "store", read_only=True).close()
    assert not ignore.exists()
    ignore.write_text("runs/\n")
    lmops.open(tmp_path / "store").close()
    assert ignore.read_text() == "runs/\n"
