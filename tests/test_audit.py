"""The audit chain: gapless, append-only, every edit is found, and everybody can check it."""

import json
import sqlite3

import pytest

import lmops
from lmops.audit import Head, verify_export
from lmops.errors import NotFoundError, UsageError
from lmops.store import event_hash
from lmops.store._shape import migrations, statements
from tests.forked import Program

COLUMNS = (
    "event_id",
    "at_ns",
    "actor",
    "action",
    "subject",
    "reason",
    "before",
    "after",
    "evidence",
    "previous_hash",
    "hash",
    "records",
)


INSERTED = (
    "insert into audit select 6, at_ns, 'eve', action, subject, reason, before, after, evidence, "
    "(select hash from audit where event_id = 5), 'made-up', null from audit where event_id = 5"
)


@pytest.fixture
def chain(ws):
    for number in range(5):
        steps = {"before": {"n": number}, "after": {"n": number + 1}, "evidence": ["run-1"]}
        steps["rows"] = [("prices", number)]
        ws.audit.append(action="test.step", subject=f"s{number}", reason="why", **steps)
    return ws


def edit(ws, *statements):
    """Change the file as somebody with write access would: past the triggers."""
    with sqlite3.connect(ws.store.path / "meta.sqlite") as con:
        con.execute("drop trigger if exists audit_no_update")
        con.execute("drop trigger if exists audit_no_delete")
        for statement in statements:
            con.execute(statement)
    con.close()


def test_an_intact_chain_verifies(chain):
    """Five events, one after the other."""
    found = chain.audit.verify()
    assert (found.ok, found.events) == (True, 5)
    assert chain.sql("select event_id from audit order by 1").fetchall() == [(n,) for n in range(1, 6)]


@pytest.mark.parametrize("value", ["'x'", "null", "1", "x'00'", "''"])
@pytest.mark.parametrize("column", COLUMNS[1:])
def test_an_edit_of_any_column_is_found(chain, column, value):
    """Other text, nothing, a number, bytes: the first broken event is named."""
    if value == "null" and column in ("at_ns", "actor", "action", "subject", "previous_hash", "hash"):
        with pytest.raises(sqlite3.IntegrityError):
            edit(chain, f"update audit set {column} = null where event_id = 3")
        return
    edit(chain, f"update audit set {column} = {value} where event_id = 3")
    found = chain.audit.verify()
    assert (found.ok, found.first_broken) == (False, 3)


@pytest.mark.parametrize(
    ("statements", "broken"),
    [
        (["delete from audit where event_id = 2"], 2),
        (["delete from audit where event_id = 1"], 1),
        (["update audit set event_id = 99 where event_id = 3"], 3),
        (
            [
                "update audit set event_id = 9 where event_id = 2",
                "update audit set event_id = 2 where event_id = 3",
                "update audit set event_id = 3 where event_id = 9",
            ],
            2,
        ),
        ([INSERTED], 6),
        (["delete from audit where event_id > 3"], 4),
        (["delete from audit"], 1),
        (["delete from audit_head"], 6),
        (["update audit_head set events = 4"], 6),
        (["update audit_head set hash = 'x'"], 6),
        (["delete from audit where event_id > 3", "delete from audit_head"], 4),
    ],
    ids=["removed", "first", "renumbered", "swapped", "inserted", "tail", "all", "no head", "head", "hash", "both"],
)
def test_rows_that_are_not_where_they_were_are_found(chain, statements, broken):
    """Removed, inserted, reordered, cut off at the end, with or without the head."""
    edit(chain, *statements)
    found = chain.audit.verify()
    assert (found.ok, found.first_broken) == (False, broken)


def test_an_event_after_a_cut_does_not_hide_it(chain):
    """The chain goes on where the head says, not where the rows end."""
    edit(chain, "delete from audit where event_id > 3")
    assert chain.audit.append(action="later", subject="x") == 6
    found = chain.audit.verify()
    assert (found.ok, found.first_broken, found.problem) == (False, 4, "event 4 is missing")


def test_an_anchor_shows_what_the_chain_alone_cannot(chain):
    """A chain that was written anew, head included, is whole, but not the one whose head was kept elsewhere."""
    anchor = chain.audit.head()
    assert chain.audit.verify(anchor=anchor).ok
    chain.audit.append(action="later", subject="x")
    assert chain.audit.verify(anchor=anchor.line).ok
    anew = f"insert into audit_head values (1, 0, '{'0' * 64}')"
    edit(chain, "delete from audit", "delete from audit_head", anew)
    assert chain.audit.verify().ok
    assert "the last events are missing" in chain.audit.verify(anchor=anchor).problem
    for _ in range(6):
        chain.audit.append(action="test.step", subject="other")
    assert chain.audit.verify().ok
    found = chain.audit.verify(anchor=anchor)
    assert (found.ok, found.first_broken) == (False, 5)
    for wrong in ("", "5", "5:abc", 7):
        with pytest.raises(UsageError, match="anchor"):
            chain.audit.verify(anchor=wrong)


def test_the_head_of_nothing(ws):
    """An empty chain is whole."""
    assert ws.audit.head() == Head(events=0, hash="0" * 64)
    assert ws.audit.verify(anchor=ws.audit.head()).ok


def test_a_chain_from_before_there_was_a_head_keeps_its_events(tmp_path):
    """A store of the first schema gets its head when it is migrated, and a cut after that is found."""
    path, previous = tmp_path / "old" / ".lmops", "0" * 64
    path.mkdir(parents=True)
    with sqlite3.connect(path / "meta.sqlite") as con:
        for statement in statements(migrations()[0][1]):
            con.execute(statement)
        con.execute("pragma user_version=1")
        con.execute("insert into info values ('store_id', 'old')")
        for number in (1, 2, 3):
            event = dict.fromkeys(COLUMNS[:-2]) | {"event_id": number, "at_ns": number, "actor": "a", "action": "b"}
            event |= {"subject": "c", "previous_hash": previous}
            previous = event_hash(event)
            con.execute(f"insert into audit values ({', '.join('?' * 11)})", [*event.values(), previous])
    con.close()
    with lmops.open(path) as ws:
        assert (ws.audit.verify().ok, ws.audit.append(action="x", subject="y")) == (True, 4)
        edit(ws, "delete from audit where event_id > 2")
        assert ws.audit.verify().problem == "the last 2 of 4 events are missing"


def test_the_database_refuses_changes(chain):
    """Triggers stop an update and a delete."""
    with sqlite3.connect(chain.store.path / "meta.sqlite") as con:
        for statement in ("update audit set actor = 'x'", "delete from audit"):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                con.execute(statement)
    con.close()


def test_eight_processes_append_without_gaps(ws):
    """One chain, every event once."""
    code = (
        "import sys, lmops\nwith lmops.open(sys.argv[1], actor=sys.argv[2]) as ws:\n"
        "    for n in range(40): ws.audit.append(action='test.step', subject=str(n))"
    )
    running = [Program(code, ws.store.path, f"a{n}") for n in range(8)]
    assert [process.wait(timeout=300) for process in running] == [0] * 8
    found = ws.audit.verify()
    assert (found.ok, found.events) == (True, 320)
    counts = ws.sql("select actor, count(*), count(distinct subject) from audit group by 1").fetchall()
    assert sorted(counts) == [(f"a{n}", 40, 40) for n in range(8)]


# -- report ------------------------------------------------------------------------------------------------------------


def test_the_report_says_who_changed_what_on_which_evidence(ws):
    """Frame, text, Markdown, HTML; filters by time, actor, subject and action."""
    for text in ("a", "b"):
        ws.prompts.save("support-answer", text, note="shorter")
    ws.prompts.promote("support-answer", 1, to="production", actor="ada")
    ws.prompts.protect("support-answer")
    ws.prompts.promote("support-answer", 2, to="production", force=True, reason="on fire")
    ws.models.set_price("m", input_usd_per_mtok=1, output_usd_per_mtok=2)
    report = ws.audit.report()
    frame = report.df()
    assert frame["action"].tolist() == [
        "prompt.save", "prompt.save", "prompt.promote", "prompt.protect", "prompt.promote", "price.set"
    ]  # fmt: skip  # what is expected is read at a glance
    last = frame.iloc[4]
    assert last["change"].startswith("version: 1 -> 2")
    assert (last["evidence"], last["forced"], last["reason"]) == ("FORCED", True, "on fire")
    assert "evidence: FORCED" in report.text
    assert report.text.splitlines()[1] == "chain: whole, 6 events, 7 records as they were written"
    assert len(ws.audit.report(actor="ada").events) == 1
    assert len(ws.audit.report(subject="support-answer").events) == 5
    assert len(ws.audit.report(subject="support-answer@production").events) == 3
    assert len(ws.audit.report(action="prompt").events) == 5
    assert len(ws.audit.report(since="2020-01-01", until="2020-02-01").events) == 0
    assert ws.audit.report(since="2020-01-01").by_actor()["events"].sum() == 6
    with pytest.raises(UsageError, match="not a time"):
        ws.audit.report(since="yesterday")
    with pytest.raises(UsageError, match="is after until"):
        ws.audit.report(since="2021-01-01", until="2020-01-01")


HOSTILE = "<img src=x onerror=alert(1)> | [a](javascript:x) `b` \x1b[31m\u202e\n# c"


def test_text_in_a_report_does_nothing(ws):
    """Actors, subjects and reasons are shown as text in a terminal, in Markdown and in HTML."""
    given = {"reason": HOSTILE, "after": {HOSTILE: HOSTILE}, "actor": HOSTILE, "evidence": [HOSTILE]}
    ws.audit.append(action="a", subject=HOSTILE, **given)
    report = ws.audit.report()
    assert "<img" not in report._repr_html_()
    assert "\x1b" not in report.text + report.markdown + report._repr_html_()
    assert "\u202e" not in report.text
    table = report.markdown.splitlines()[4:]
    assert len(table) == 3
    assert "](" not in table[2].replace("\\]\\(", "")
    assert "<img" not in table[2].replace("\\<img", "")


def test_a_broken_chain_is_said_in_the_report(chain):
    """Whoever reads the report sees it first."""
    edit(chain, "update audit set actor = 'eve' where event_id = 2")
    assert "BROKEN at event 2" in chain.audit.report().text


# -- export ------------------------------------------------------------------------------------------------------------


def test_an_export_can_be_checked_without_the_store(chain, tmp_path):
    """Every field and hash is in it; a second export does not replace the first."""
    chain.audit.append(action="a", subject="é \ud800 \u2028\n", after={"x": "y"})
    path = chain.audit.export(tmp_path / "audit.jsonl")
    found = verify_export(path)
    assert (found.ok, found.events) == (True, 6)
    assert verify_export(path, anchor=chain.audit.head()).ok
    first, *events = path.read_bytes().splitlines()
    assert json.loads(first)["events"] == 6
    assert set(json.loads(events[0])) == set(COLUMNS)
    with pytest.raises(UsageError, match="somebody's proof"):
        chain.audit.export(path)
    assert [entry.name for entry in tmp_path.glob("*audit*")] == ["audit.jsonl"]
    with pytest.raises(UsageError, match="no folder"):
        chain.audit.export(tmp_path / "none" / "x")


@pytest.mark.parametrize("column", COLUMNS)
def test_an_edit_of_an_export_is_found(chain, tmp_path, column):
    """As in the store."""
    path = chain.audit.export(tmp_path / "a.jsonl")
    lines = path.read_text().splitlines()
    event = json.loads(lines[3])
    event[column] = 7
    lines[3] = json.dumps(event)
    path.write_text("\n".join(lines) + "\n")
    found = verify_export(path)
    assert (found.ok, found.first_broken) == (False, 3)


@pytest.mark.parametrize("cut", [slice(0, 4), slice(0, 1)])
def test_a_shortened_export_is_found(chain, tmp_path, cut):
    """The first line says how many there are."""
    path = chain.audit.export(tmp_path / "a.jsonl")
    path.write_text("\n".join(path.read_text().splitlines()[cut]) + "\n")
    assert "are missing" in verify_export(path).problem


def test_what_is_no_export_is_refused(tmp_path):
    """A missing file, another file, a later format, a torn line."""
    with pytest.raises(NotFoundError, match="no file"):
        verify_export(tmp_path / "none")
    for text in ("", "{}", "[1]", "x"):
        (tmp_path / "x").write_text(text)
        with pytest.raises(UsageError, match="no export"):
            verify_export(tmp_path / "x")
    (tmp_path / "x").write_text('{"kind": "lmops audit chain", "format": 3}')
    with pytest.raises(UsageError, match="pip install"):
        verify_export(tmp_path / "x")
    (tmp_path / "x").write_text('{"kind": "lmops audit chain", "format": 1, "events": 1, "head": "x"}\n{"event_id"')
    assert verify_export(tmp_path / "x").first_broken == 1


def test_every_change_of_the_store_is_an_event(ws):
    """Prices, retention, runbooks, prompts, datasets: each leaves its trace, by its actor."""
    ws.prompts.save("p", "a", actor="ada")
    ws.models.set_price("m", input_usd_per_mtok=1, output_usd_per_mtok=2, actor="paul")
    ws.store.retain(days=30, actor="rita")
    ws.datasets.save("golden", [{"id": "1", "input": "a"}])
    events = ws.sql("select action, actor from audit order by event_id").fetchall()
    assert [action.split(".")[0] for action, _ in events] == ["prompt", "price", "store", "dataset"]
    assert [actor for _, actor in events] == ["ada", "paul", "rita", "tester"]
    assert ws.audit.verify().ok
