"""Things with a life: which state may follow which, who holds one, and what two who act at once see."""

import itertools
import threading
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lmops.errors import ConflictError, DamagedStoreError, NotFoundError, UsageError
from lmops.records import FREE, Project, States
from lmops.store.schema import Table, schema

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
STEPS = {"waiting": ("done", "skipped"), "skipped": ("waiting",), "done": ()}
ITEMS = States(thing="item", table="items", steps=STEPS)
NAMES = itertools.count()


@pytest.fixture
def project(ws, clock, monkeypatch):
    """A store with a table of a room that is made up, in whose name Ann works."""
    monkeypatch.setitem(schema().tables, "items", Table("items", ("queue", "item")))
    with ws.store.transaction() as con:
        con.execute(
            "create table items (queue text, item text, label text, status text, owner text, until_ns integer, "
            "actor text, moved_ns integer, reason text, primary key (queue, item))"
        )
    return Project(store=ws.store, actor="ann", now=clock)


def begin(project, item="q1"):
    with project.change(reason="sampled") as change:
        return ITEMS.begin(change, {"queue": "triage", "item": item}, action="add")


def move(project, to, item="q1", **options):
    with project.change(reason=options.pop("reason", None)) as change:
        return ITEMS.move(change, "triage", item, to=to, action=to, **options)


def hold(project, for_s=600, item="q1"):
    with project.change() as change:
        return ITEMS.hold(change, "triage", item, for_s=for_s)


def test_a_step_is_a_row_and_an_event(ws, project):
    """Who, when and why stand in both; columns of the room change with it."""
    assert begin(project)["status"] == "waiting"
    row = move(project.acting_as("mara"), "done", row={"label": "good"}, reason="clear")
    assert [row[name] for name in ("status", "label", "actor", "reason")] == ["done", "good", "mara", "clear"]
    frame = ws.audit.events()[["actor", "action", "subject", "reason"]].to_numpy().tolist()
    assert frame == [["ann", "item.add", "triage/q1", "sampled"], ["mara", "item.done", "triage/q1", "clear"]]
    before, after = ws.sql("select before, after from audit where event_id = 2").fetchall()[0]
    assert (before, after) == ('{"label":null,"status":"waiting"}', '{"label":"good","status":"done"}')
    assert ws.audit.verify().ok


def test_only_what_may_follow_follows(ws, project):
    """The message names it; nothing is written."""
    begin(project)
    move(project, "done")
    events = ws.audit.verify().events
    with pytest.raises(UsageError, match="item triage/q1 is done and cannot become waiting: nothing may follow"):
        move(project, "waiting")
    assert move(project, "done", seen="waiting")["status"] == "done"
    assert ws.audit.verify().events == events
    with pytest.raises(NotFoundError, match="there is no item triage/q2"):
        move(project, "done", item="q2")


def test_who_decided_on_another_state_is_told(ws, project):
    """Who moved it, when and why; nothing is changed."""
    begin(project)
    move(project.acting_as("bob"), "skipped", reason="not mine")
    with pytest.raises(ConflictError, match=r"was waiting when you .* is skipped now: bob at 2026-03-01 12.*not mine"):
        move(project, "done", seen="waiting")
    assert ws.audit.verify().events == 2


def test_nobody_else_moves_what_is_held(project, clock):
    """Until the hold runs out, is let go, or the holder has moved it."""
    mara = project.acting_as("mara")
    begin(project)
    hold(mara)
    for act in (lambda: move(project, "done"), lambda: hold(project)):
        with pytest.raises(ConflictError, match="mara holds item triage/q1 until 2026-03-01 12:10:00 UTC"):
            act()
    clock.advance(minutes=5)
    assert hold(mara)["until_ns"] == hold(mara)["until_ns"]
    clock.advance(minutes=9)
    with pytest.raises(ConflictError, match="mara holds"):
        move(project, "done")
    clock.advance(minutes=1)
    assert hold(project)["owner"] == "ann"
    assert hold(project, 0)["owner"] is None
    hold(mara)
    assert move(mara, "skipped")["owner"] is None
    assert move(project, "waiting")["status"] == "waiting"


def test_what_nobody_holds_is_found(project, clock):
    """A hold that ran out comes back without anything being written."""
    begin(project)
    begin(project, "q2")
    hold(project)

    def free():
        at_ns = round(clock.at.timestamp() * 1e9)
        with project.reading() as con:
            return [row[0] for row in con.execute(f"select item from items where {FREE} order by item", (at_ns,))]

    assert free() == ["q2"]
    clock.advance(minutes=10)
    assert free() == ["q1", "q2"]


def test_one_of_many_who_reach_for_a_thing_has_it(ws, project):
    """The others are told who; their transactions change nothing."""
    begin(project)
    held, refused = [], []

    def reach(name):
        try:
            held.append(hold(project.acting_as(name))["owner"])
        except ConflictError as error:
            refused.append(str(error))

    threads = [threading.Thread(target=reach, args=(f"p{number}",)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(held) == 1
    assert [text.partition(" ")[0] for text in refused] == held * 5
    assert (ws.audit.verify().events, ws.audit.verify().ok) == (2, True)


def test_a_step_that_fails_later_leaves_nothing(ws, project):
    """Row and event go back together."""
    begin(project)

    def fail():
        with project.change() as change:
            ITEMS.move(change, "triage", "q1", to="done", action="done")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert move(project, "skipped")["status"] == "skipped"
    assert ws.audit.verify().events == 2


def test_a_state_that_was_edited_is_not_gone_on_from(ws, project):
    """Somebody with write access to the file closes nothing unseen."""
    begin(project)
    with ws.store.transaction() as con:
        con.execute("update items set status = 'skipped'")
    with pytest.raises(DamagedStoreError, match="not handed out"):
        move(project, "waiting")


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    acts=st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from((*STEPS, "hold")), st.integers(0, 400)), max_size=8)
)
def test_any_sequence_keeps_the_rules(ws, project, clock, acts):
    """Against a plain model of one thing: its state, its holder and until when."""
    item, state, holder, until = f"i{next(NAMES)}", "waiting", None, clock.at
    begin(project, item)
    for who, what, seconds in acts:
        clock.advance(seconds=seconds)
        is_held = holder not in (None, who) and until > clock.at
        acting = project.acting_as(who)
        try:
            row = hold(acting, 300, item) if what == "hold" else move(acting, what, item)
        except ConflictError:
            assert is_held
            continue
        except UsageError:
            assert not is_held
            assert what not in STEPS[state]
            continue
        if what == "hold":
            holder, until = who, clock.at + timedelta(seconds=300)
        elif what != state:
            assert what in STEPS[state]
            state, holder = what, None
        assert (row["status"], row["owner"]) == (state, holder)
    assert ws.audit.verify().ok
