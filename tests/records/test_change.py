"""Rows change together with the event that says so, or not at all; who, why and when come from one place."""

import re
from datetime import UTC, datetime

import pytest

from lmops.errors import StoreError, UsageError
from lmops.records import Project, check_words

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ENDPOINT = {
    "name": "house", "base_url": "http://h/v1", "model": "m", "headers": "{}", "timeout_s": 1.0, "max_concurrency": 1,
    "actor": "ann", "registered_ns": 1,
}  # fmt: skip  # keys that belong together share a line


@pytest.fixture
def project(ws):
    """The store of a workspace, in whose name Ann works at noon."""
    return Project(store=ws.store, actor="ann", now=lambda: NOON)


def names(ws):
    return [row[0] for row in ws.sql("select name from model_endpoints").fetchall()]


def test_a_row_and_its_event_are_one(ws, project):
    """The event names the row, and says who, why, when and on what it rests."""
    with project.change(reason=" new ", evidence=["a"]) as change:
        change.insert("model_endpoints", ENDPOINT)
        assert change.say("model.register", "house", after={"model": "m"}, evidence=["b", "a"]) == change.event_id - 1
    frame = ws.audit.events()
    assert frame.loc[0, ["actor", "reason", "evidence"]].tolist() == ["ann", "new", '["a","b"]']
    assert frame.loc[0, "at"] == NOON
    assert "house" in frame.loc[0, "records"]
    assert ws.audit.verify().records == 1


def test_a_row_that_no_event_names_is_not_written(ws, project):
    """A verb that forgets its event changes nothing."""
    with pytest.raises(RuntimeError, match="rows of model_endpoints were written"), project.change() as change:
        change.insert("model_endpoints", ENDPOINT)
    assert names(ws) == []


def test_an_error_undoes_rows_and_events(ws, project):
    """All or nothing."""

    def fail():
        with project.change() as change:
            change.insert("model_endpoints", ENDPOINT)
            change.say("model.register", "house")
            change.insert("model_endpoints", {"no_such_column": 1})

    with pytest.raises(StoreError, match="no_such_column"):
        fail()
    assert (names(ws), ws.audit.head().events) == ([], 0)


def test_a_dry_run_leaves_nothing(ws, project):
    """What is written in it does not stay."""
    with project.change(dry_run=True) as change:
        change.insert("model_endpoints", ENDPOINT)
    assert (names(ws), ws.audit.head().events) == ([], 0)


def test_a_removed_row_is_named_as_removed(ws, project):
    """A row is replaced and removed by its key."""
    for url in ("http://a/v1", "http://b/v1"):
        with project.change() as change:
            change.replace("model_endpoints", {**ENDPOINT, "base_url": url})
            change.say("model.register", "house")
    assert ws.sql("select base_url from model_endpoints").fetchall() == [("http://b/v1",)]
    with project.change() as change:
        change.delete("model_endpoints", "house")
        change.say("model.unregister", "house")
    assert (names(ws), ws.audit.verify().ok) == ([], True)


@pytest.mark.parametrize("reason", [7, "x" * 10_001, "half \ud800"])
def test_a_reason_that_cannot_be_kept_is_refused(project, reason):
    """Before anything is written."""
    with pytest.raises(UsageError, match="the reason"), project.change(reason=reason):
        pass


def test_words_lose_the_space_around_them():
    """Nothing but space is nothing."""
    assert (check_words(" why\n", "note"), check_words("  ", "note"), check_words(None, "note")) == ("why", None, None)


def test_only_records_append_events_above_the_store():
    """One place for actor, reason, clock and evidence: no other room writes the chain or opens a transaction."""
    from importlib import resources

    above = [
        path
        for room in ("prompts", "datasets", "models", "evals", "runbooks", "audit", "scorers", "collector")
        for path in resources.files("lmops").joinpath(room).iterdir()
        if path.name.endswith(".py")
    ]
    found = re.compile(r"append_event|\.transaction\(|leave_open\(con")
    assert [path.name for path in above if found.search(path.read_text())] == []
