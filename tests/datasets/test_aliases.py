"""Aliases of datasets: the same verbs, tables and grammar of references as everything that has versions."""

import sqlite3

import pytest

import lmops
from lmops.errors import ConflictError, DamagedStoreError, NotFoundError, RefusedError, UsageError

NAME = "support-questions"


@pytest.fixture
def datasets(ws):
    """Three versions; the name alone means the first again."""
    for expected in ("A", "B", "C", "A"):
        ws.datasets.save(NAME, [{"id": "q1", "input": "a", "expected": expected}], note=f"with {expected}")
    return ws.datasets


def test_an_alias_is_read_wherever_a_version_is(ws, datasets):
    """By get, diff, export, an evaluation and its gate."""
    move = datasets.promote(NAME, 2, to="golden", reason="checked by two")
    assert (move.from_version, move.to_version, move.reason) == (None, 2, "checked by two")
    assert [datasets.get(f"{NAME}{which}").version for which in ("@golden", "@current", "@latest", "")] == [2, 1, 1, 1]
    assert [one.before.expected for one in datasets.diff(f"{NAME}@golden", f"{NAME}@3").changed] == ["B"]
    assert datasets.export(f"{NAME}@golden", ws.store.path.parent / "golden.jsonl").is_file()
    run = ws.evals.run(lambda question: question, f"{NAME}@golden", ["exact_match"], progress=False)
    assert run.dataset == f"{NAME}@2"
    assert ws.evals.gate(run, criteria={"scorers": {"exact_match": {"max": 0.5}}}).run_id == run.run_id


def test_moves_have_a_history_and_a_way_back(datasets, ws):
    """Rollbacks walk back; what an alias meant at a time is known; two who decide on the same state do not both win."""
    first = datasets.promote(NAME, 1, to="golden")
    datasets.promote(NAME, 3, to="golden", expected=1, actor="bob")
    with pytest.raises(ConflictError, match=r"bob moved it from 1 to 3.*ws.datasets.history"):
        datasets.promote(NAME, 2, to="golden", expected=1)
    assert datasets.rollback(NAME, alias="golden", reason="wrong").to_version == 1
    history = datasets.history(NAME)
    assert history["action"].tolist() == ["promote", "promote", "rollback"]
    assert datasets.at(f"{NAME}@golden", first.at).version == 1
    assert ws.sql("select kind, name, alias, to_version from alias_history order by event_id").fetchall() == [
        ("dataset", NAME, "golden", version) for version in (1, 3, 1)
    ]
    assert ws.sql("select kind, version from aliases").fetchall() == [("dataset", 1)]
    assert (datasets.verify(), ws.audit.verify().ok) == ((), True)


def test_listings_show_aliases(datasets):
    """Of a version those that point to it, of a name where each points."""
    datasets.promote(NAME, 3, to="golden")
    datasets.promote(NAME, 3, to="audit")
    frame = datasets.versions(NAME)
    assert frame[["version", "aliases", "is_current"]].to_numpy().tolist() == [
        [3, "audit, golden", False],
        [2, "", False],
        [1, "", True],
    ]
    assert datasets.list()[["version", "versions", "aliases"]].to_numpy().tolist() == [[1, 3, "audit=3, golden=3"]]


def test_a_protected_alias_takes_what_a_run_passed_on(datasets, ws):
    """The verdict of a gate over a run on exactly this version; a run on another one does not do."""
    datasets.protect(NAME, "golden", reason="agreed")
    criteria = {"scorers": {"exact_match": {"min": 0.0}}}
    runs = [
        ws.evals.run(lambda question: question, f"{NAME}@{version}", ["exact_match"], progress=False)
        for version in (1, 2)
    ]
    verdicts = [ws.evals.gate(run, criteria=criteria) for run in runs]
    assert [one.outcome for one in verdicts] == ["pass", "pass"]
    with pytest.raises(RefusedError, match="none was given"):
        datasets.promote(NAME, 2, to="golden")
    with pytest.raises(RefusedError, match=f"is about {NAME}@1"):
        datasets.promote(NAME, 2, to="golden", evidence=verdicts[0])
    assert datasets.promote(NAME, 2, to="golden", evidence=verdicts[1]).evidence == (verdicts[1].verdict_id,)
    assert datasets.promote(NAME, 3, to="golden", force=True, reason="needed now").is_forced
    assert datasets.protect(NAME, "golden", on=False)


@pytest.mark.parametrize("alias", ["current", "latest", "7", "sha256", "A B"])
def test_an_alias_is_no_other_word_for_a_version(datasets, alias):
    """What a name means by itself cannot be moved."""
    with pytest.raises(UsageError, match="cannot be the name of an alias"):
        datasets.promote(NAME, 1, to=alias)


def test_an_alias_that_is_not_there_is_told_apart(datasets):
    """The nearest one is named, or how to make it; a version is not changed by its alias."""
    datasets.promote(NAME, 1, to="golden")
    with pytest.raises(NotFoundError, match="did you mean 'golden'"):
        datasets.get(f"{NAME}@goldn")
    with pytest.raises(UsageError, match="is a version and never changes"):
        datasets.tag(f"{NAME}@golden", ["q1"], add=["x"])


def test_aliases_of_a_prompt_and_a_dataset_of_one_name_are_two(ws):
    """Each noun has its own."""
    ws.prompts.save("same", "hello")
    ws.datasets.save("same", [{"input": "a"}])
    ws.datasets.promote("same", 1, to="production")
    ws.datasets.protect("same")
    assert (ws.prompts.aliases("same"), ws.datasets.aliases("same")) == ({}, {"production": 1})
    assert not ws.prompts.promote("same", 1, to="production").is_forced


@pytest.mark.parametrize(
    ("sql", "read"),
    [
        ("update aliases set version = 2", lambda ws: ws.datasets.get(f"{NAME}@golden")),
        ("delete from aliases", lambda ws: ws.datasets.get(f"{NAME}@golden")),
        ("delete from alias_protections", lambda ws: ws.datasets.promote(NAME, 2, to="golden")),
    ],
)
def test_an_alias_that_was_moved_past_the_chain_is_not_followed(ws, datasets, sql, read):
    """Whoever can write the file cannot move an alias or open a protection unseen."""
    datasets.promote(NAME, 1, to="golden")
    datasets.protect(NAME, "golden")
    with sqlite3.connect(ws.store.path / "meta.sqlite") as con:
        con.execute(sql)
    con.close()
    with pytest.raises(DamagedStoreError, match="not handed out"):
        read(ws)
    assert not ws.audit.verify().ok


def test_a_moved_pointer_is_found_by_verify(ws, datasets):
    """Its last move led elsewhere."""
    datasets.promote(NAME, 1, to="golden")
    with sqlite3.connect(ws.store.path / "meta.sqlite") as con:
        con.execute("update alias_moves set actor = 'eve'")
        con.execute("update aliases set version = 2")
    con.close()
    said = "; ".join(datasets.verify())
    assert "points to 2 and its last move led to 1" in said
    assert "the audit chain tells another move" in said


def test_aliases_come_back_from_a_backup(ws, datasets, tmp_path):
    """They are records like all others."""
    datasets.promote(NAME, 2, to="golden")
    ws.store.backup(tmp_path / "backup")
    with lmops.open(tmp_path / "backup", read_only=True) as copy:
        assert copy.datasets.get(f"{NAME}@golden").version == 2
