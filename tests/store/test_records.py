"""A record that changed since it was written is named when it is read, and by check."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING

import pytest

import lmops
from lmops.base.chat import Usage
from lmops.errors import DamagedStoreError, RefusedError
from lmops.models import Completion
from lmops.models._cache import ResponseCache
from lmops.store import DamagedSegmentWarning, Store, append_event

from .helpers import START, count, llm, trace_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lmops.workspace import Workspace


def change(path: Path, sql: str) -> None:
    """Change a row past lmops."""
    con = sqlite3.connect(path / "meta.sqlite")
    con.execute(sql)
    con.commit()
    con.close()


@pytest.mark.parametrize(
    ("view", "sql"),
    [
        ("prices", "update prices set input_usd_per_mtok = 7"),
        ("prices", "delete from prices"),
        ("examples", "update dataset_chunks set members = '[1]'"),
        ("datasets", "update dataset_heads set version = 2"),
    ],
)
def test_a_changed_record_is_named(tmp_path: Path, view: str, sql: str) -> None:
    """On every read of its view, and by check."""
    path = tmp_path / "store"
    with lmops.open(path) as ws:
        ws.models.set_price("m", input_usd_per_mtok=1, output_usd_per_mtok=1)
        ws.datasets.save("d", [{"input": "a", "expected": "b"}, {"input": "c", "expected": "d"}])
    change(path, sql)
    with Store.open(path) as store:
        for _ in range(2):
            with pytest.warns(DamagedSegmentWarning, match=r"meta.sqlite"):
                store.sql(f"select * from {view}").fetchall()
        assert not store.check().ok


def test_a_price_set_again_for_the_same_time_holds(tmp_path: Path) -> None:
    """The one that was set last is put on the calls."""
    with lmops.open(tmp_path / "store") as ws:
        ws.models.set_price("m", input_usd_per_mtok=2, output_usd_per_mtok=1, valid_from="2020-01-01")
        ws.store.load([llm("a", "c", start=START, input_tokens=1_000_000, output_tokens=0, cost_usd=2.0)])
        assert ws.models.set_price("m", input_usd_per_mtok=3, output_usd_per_mtok=1, valid_from="2020-01-01") == 1
        assert ws.sql("select cost_usd from llm_calls").fetchall() == [(3.0,)]


def test_spilled_facts_that_changed_are_named(tmp_path: Path) -> None:
    """They are not stored; what is missing is said on every read and by check."""
    path = tmp_path / "store"
    with Store.open(path) as store:
        spilled = store.spill({"spans": trace_of("a")})
    spilled.path.write_bytes(spilled.path.read_bytes().replace(b"root", b"roof", 1))
    with Store.open(path) as store:
        with pytest.warns(DamagedSegmentWarning, match="changed since"):
            assert count(store) == 0
        assert not store.check().ok


#: A change past the chain, and what must not be handed out then.
ALTERED = [
    ("update prompt_versions set body = replace(body, 'hello', 'howdy')", lambda ws: ws.prompts.get("p@1")),
    ("update prompt_versions set body = replace(body, 'hello', 'howdy')", lambda ws: ws.prompts.diff("p", 1, 2)),
    ("update prompt_versions set note = cast(x'ff' as text)", lambda ws: ws.prompts.get("p@1")),
    ("update prompt_aliases set version = 2", lambda ws: ws.prompts.get("p@production")),
    ("delete from prompt_aliases", lambda ws: ws.prompts.get("p@production")),
    ("update prompt_aliases set earlier = '[2]'", lambda ws: ws.prompts.rollback("p", reason="r")),
    ("delete from prompt_versions where version = 2", lambda ws: ws.prompts.get("p")),
    ("update prompt_versions set version = 3 where version = 2", lambda ws: ws.prompts.get("p")),
    ("delete from prompt_protections", lambda ws: ws.prompts.promote("p", 2, to="production")),
    ("update model_endpoints set base_url = 'http://127.0.0.1:2/v1'", lambda ws: ws.models.complete("house", "x")),
    ("delete from model_endpoints", lambda ws: ws.models.complete("house", "x")),
    ("update example_contents set expected = '\"z\"' where content_id = 2", lambda ws: ws.datasets.get("d@1")),
    ("update dataset_chunks set members = '[2,1]'", lambda ws: ws.datasets.get("d")),
    ("update dataset_heads set version = 1", lambda ws: ws.datasets.get("d")),
    ("update dataset_versions set note = 'n'", lambda ws: ws.datasets.get("d@1")),
    ("delete from dataset_versions where version = 1", lambda ws: ws.datasets.get("d@1")),
]


@pytest.mark.parametrize(("sql", "read"), ALTERED, ids=[sql for sql, _ in ALTERED])
def test_a_changed_record_is_not_handed_out(
    tmp_path: Path, sql: str, read: Callable[[lmops.Workspace], object]
) -> None:
    """Neither by whoever opens the store, nor by a process that has read it before."""
    path = tmp_path / "store"
    with lmops.open(path) as ws, lmops.open(path) as other:
        for text in ("hello", "hello you"):
            ws.prompts.save("p", text)
        ws.prompts.promote("p", 1, to="production")
        ws.prompts.protect("p")
        ws.models.register("house", base_url="http://127.0.0.1:1/v1", model="m")
        ws.datasets.save("d", [{"input": "a", "expected": "b"}, {"input": "c", "expected": "d"}])
        ws.datasets.add("d", [{"input": "e"}])
        assert other.prompts.get("p").version == 2
        with other.store.transaction() as con:
            for (name,) in con.execute("select name from sqlite_master where type = 'trigger'").fetchall():
                con.execute(f"drop trigger {name}")
        change(path, sql)
        with pytest.raises(DamagedStoreError, match="not handed out"):
            read(other)
    with lmops.open(path) as ws, pytest.raises(DamagedStoreError, match="not handed out"):
        read(ws)


@pytest.mark.parametrize("sql", ["update prices set input_usd_per_mtok = 7", "delete from prices"])
def test_a_changed_price_is_put_on_no_call(tmp_path: Path, sql: str) -> None:
    """The calls cost what was set, as the audit chain says it, with a warning."""
    with lmops.open(tmp_path / "store") as ws:
        ws.models.set_price("n", input_usd_per_mtok=3, output_usd_per_mtok=1)
        ws.models.set_price("m", input_usd_per_mtok=2, output_usd_per_mtok=1)
        change(tmp_path / "store", f"{sql} where model = 'm'")
        with pytest.warns(DamagedSegmentWarning, match=r"prices \[2\] is .*event 2"):
            pricer = ws.models.pricer()
        rows = [llm("a", name, start=START, model=name, input_tokens=1_000_000, output_tokens=0) for name in "mn"]
        assert [pricer.cost(row | {"reported_cost_usd": None}) for row in rows] == [2.0, 3.0]


def test_what_was_changed_is_put_right_by_doing_it_again(tmp_path: Path) -> None:
    """An endpoint that is registered again, an alias that is promoted again: the newest event is what holds."""
    path = tmp_path / "store"
    with lmops.open(path) as ws:
        ws.prompts.save("p", "hello")
        ws.prompts.save("p", "hello you")
        ws.prompts.promote("p", 1, to="production")
        ws.models.register("house", base_url="http://127.0.0.1:1/v1", model="m")
        change(path, "update prompt_aliases set earlier = '[2]', version = 2")
        change(path, "update model_endpoints set base_url = 'http://127.0.0.1:2/v1'")
        ws.models.register("house", base_url="http://127.0.0.1:1/v1", model="m")
        ws.prompts.promote("p", 1, to="production")
        assert ws.prompts.get("p@production").version == 1
        with pytest.raises(RefusedError, match="nothing to roll back"):
            ws.prompts.rollback("p", reason="what somebody wrote is no way back")
        assert ws.audit.verify().ok


def test_a_change_that_was_undone_leaves_nothing_behind(tmp_path: Path) -> None:
    """What an event said that was never committed is not held against the records."""
    with lmops.open(tmp_path / "store") as ws:
        ws.prompts.save("p", "hello")
        with contextlib.suppress(ZeroDivisionError), ws.store.transaction() as con:
            append_event(con, actor="a", action="b", subject="c", named={"prompt_versions": {'["p",1]': "other"}})
            ws.store.records(con, "prices")
            raise ZeroDivisionError
        assert ws.prompts.get("p@latest").version == 1


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    """A closed store with two prompts, an alias, and a data set of two versions beside another one."""
    with lmops.open(tmp_path / "store") as ws:
        for name in ("greet", "other"):
            ws.prompts.save(name, "Hello")
        ws.prompts.promote("greet", 1, to="live", reason="first")
        for name in ("d", "d", "e"):
            ws.datasets.save(name, [{"input": f"{name}{ws.datasets.list().size}"}])
    return tmp_path / "store"


EDITS = {
    "a prompt": (
        "drop trigger prompt_versions_no_update; update prompt_versions set note = 'eve' where name = 'greet'",
        {"prompts": ["other"], "kept": []},
    ),
    "an alias": (
        "update prompt_aliases set version = 7",
        {"aliases": ["", ""]},
    ),
    "a version": (
        "drop trigger dataset_versions_no_update; update dataset_versions set note = 'eve' where version = 2",
        {"datasets": ["e"], "versions": [1]},
    ),
    "what a name means": ("update dataset_heads set version = 1 where name = 'd'", {"datasets": ["e"]}),
}


LISTS: dict[str, Callable[[Workspace], list[object]]] = {
    "prompts": lambda ws: ws.prompts.list()["name"].tolist(),
    "aliases": lambda ws: ws.prompts.list()["aliases"].tolist(),
    "datasets": lambda ws: ws.datasets.list()["name"].tolist(),
    "kept": lambda ws: ws.prompts.versions("greet")["version"].tolist(),
    "versions": lambda ws: ws.datasets.versions("d")["version"].tolist(),
}


@pytest.mark.parametrize("what", EDITS)
def test_a_list_leaves_out_what_was_altered_and_says_so(listed: Path, what: str) -> None:
    """As whoever reads the one is refused; the others are listed."""
    statements, lacking = EDITS[what]
    with contextlib.closing(sqlite3.connect(listed / "meta.sqlite")) as con:
        con.executescript(statements)
    with lmops.open(listed) as ws:
        for name, found in lacking.items():
            with pytest.warns(DamagedSegmentWarning, match=r"meta\.sqlite: .* is not what event"):
                assert LISTS[name](ws) == found
        if what == "what a name means":
            with pytest.raises(DamagedStoreError):
                ws.datasets.versions("d")


def test_a_cached_answer_that_was_altered_is_not_given(tmp_path: Path) -> None:
    """It is forgotten, and asked for again."""
    path = tmp_path / "store"
    with lmops.open(path) as ws:
        cache = ResponseCache(ws.project)
        said = {"content": "yes", "model": "m", "requested_model": "m", "provider": "p", "latency_ms": 1.0}
        cache.put("k", Completion(**said, usage=Usage()))
        with ws.project.change() as told:
            told.wrote("response_cache", "k")
            told.say("model.keep_answers", "response_cache")
        assert cache.get("k") is not None
    change(path, "update response_cache set content = replace(content, 'yes', 'no')")
    with lmops.open(path) as ws:
        assert ResponseCache(ws.project).get("k") is None
        assert ws.audit.verify().ok


def test_what_was_rolled_back_is_not_remembered(tmp_path: Path) -> None:
    """A record that was read, changed and read again inside of a change that failed is what it was before."""
    with lmops.open(tmp_path) as ws:
        ws.prompts.save("p", "one")
        ws.prompts.save("p", "two")
        ws.prompts.promote("p", 1, to="production")
        with contextlib.suppress(ZeroDivisionError), ws.project.change() as made:
            row = dict(ws.store.record(made.con, "prompt_aliases", "p", "production") or {})
            made.replace("prompt_aliases", {**row, "version": 2})
            made.say("prompt.promote", "p@production")
            again = ws.store.record(made.con, "prompt_aliases", "p", "production")
            assert again is not None
            assert again["version"] == 2
            raise ZeroDivisionError
        assert ws.prompts.get("p@production").version == 1
