"""How items are handed out: in an order of each rater's own, with known answers between, again under new criteria."""

from __future__ import annotations

import contextlib
import itertools
import json
import sqlite3

import numpy as np
import pandas as pd
import pytest

import lmops
from lmops.errors import ConflictError, UsageError
from lmops.feedback import Queues
from lmops.feedback._order import key_of, place_of
from lmops.feedback._schema import MADE_ORDERS, MADE_QUEUES
from lmops.records import Project
from tests.store.helpers import START, span

ITEMS = [f"{number:032x}" for number in range(1, 41)]
KNOWN = {f"{number:032x}": {"verdict": "pass"} for number in range(101, 131)}


@pytest.fixture
def queues(ws, clock):
    """The queues of a store whose clock moves when it is told to; a schema is there."""
    ws.feedback.schemas.save("support")
    return Queues(Project(store=ws.store, actor="tester", now=clock))


def work(queues, rater, verdict="pass", queue="q", most=1_000):
    """Label what a rater is handed until there is no more; return the positions in their order."""
    found = []
    while len(found) < most and (turn := queues.next(queue, rater=rater)) is not None:
        said = verdict(turn.position) if callable(verdict) else verdict
        queues.label(queue, turn.position, {"verdict": said}, rater=rater)
        found.append(turn.position)
    return found


@pytest.mark.parametrize("size", [1, 2, 3, 5, 64, 65, 1_000])
def test_a_shuffle_has_each_place_once(size):
    """Whatever the size and the seed."""
    for seed in range(3):
        places = [place_of(step, size, key_of(seed, "q", "ann")) for step in range(size)]
        assert sorted(places) == list(range(size))


def test_no_place_comes_first_more_often():
    """Over many raters each item is as likely at each step, and neighbours do not follow each other."""
    firsts, follows = [0] * 8, 0
    for rater in range(4_000):
        key = key_of(0, "q", str(rater))
        places = [place_of(step, 8, key) for step in range(8)]
        firsts[places[0]] += 1
        follows += sum(after == before + 1 for before, after in itertools.pairwise(places))
    assert all(400 < count < 600 for count in firsts)
    assert abs(follows / 4_000 - 7 / 8) < 0.1


def test_each_rater_has_an_order_that_follows_from_the_seed(ws, queues):
    """Others for each rater and each seed; what was given keeps its order where nobody asks."""
    orders = {}
    for name, seed in (("one", 1), ("two", 2)):
        queues.open(name, ITEMS, schema="support", k=3, order="random", seed=seed)
        orders |= {(name, rater): work(queues, rater, queue=name) for rater in ("ann", "bob")}
    assert len({tuple(order) for order in orders.values()}) == 4
    assert all(sorted(order) == list(range(1, 41)) for order in orders.values())
    queues.open("plain", ITEMS, schema="support")
    assert work(queues, "ann", queue="plain") == list(range(1, 41))
    assert ws.sql("select queue, item_order, seed from queues order by 1").fetchall() == [
        ("one", "random", 1), ("plain", "given", 0), ("two", "random", 2),
    ]  # fmt: skip  # a table
    with pytest.raises(UsageError, match="no order named 'randm'"):
        queues.open("bad", ITEMS, schema="support", order="randm")


def test_an_order_goes_on_after_a_restart_and_past_what_is_added(tmp_path):
    """What is added comes behind the others, in an order as well; nothing comes twice."""

    def opened():
        return lmops.open(tmp_path / ".lmops", actor="tester")

    with opened() as ws:
        ws.feedback.schemas.save("support")
        for name in ("q", "whole"):
            ws.feedback.queue(name, ITEMS[:20], schema="support", order="random", k=2)
        first = work(ws.feedback.queues, "ann", most=7)
        whole = work(ws.feedback.queues, "ann", queue="whole")
    with opened() as ws:
        ws.feedback.queue("q", ITEMS[20:])
        rest = work(ws.feedback.queues, "ann")
    assert sorted(first + rest) == list(range(1, 41))
    assert max(rest[:13]) <= 20 < min(rest[13:])
    assert rest[13:] != list(range(21, 41))
    assert sorted(whole) == list(range(1, 21))


def test_what_is_drawn_is_in_random_order_unless_somebody_says_otherwise(ws, queues):
    """What is looked for has the most telling first."""
    ws.store.append_many({"spans": [span("t", str(n), trace_id=ITEMS[n], span_id=f"{n:016x}") for n in range(9)]})
    assert queues.open("drawn", "random", schema="support").order == "random"
    assert queues.open("asked", "random", schema="support", order="given").order == "given"
    assert queues.open("given", ITEMS, schema="support").order == "given"


def test_who_comes_back_is_not_passed_by_those_who_go_on(queues, clock):
    """An item of two raters that one lets go is offered to that one again, and nobody goes back past what is done."""
    queues.open("q", ITEMS[:4], schema="support", k=2)
    assert queues.next("q", rater="ann").position == 1
    clock.advance(seconds=301)
    assert work(queues, "bob") == [1, 2, 3, 4]
    assert work(queues, "ann") == [1, 2, 3, 4]


def test_known_answers_are_handed_to_everybody_at_their_share(ws, queues):
    """Each rater has each once, at places that differ; they count for nothing else."""
    queues.open("q", ITEMS, schema="support", k=2)
    assert queues.gold("q", KNOWN, share=0.25).added == 30
    gold = {row[0] for row in ws.sql("select position from queue_items where is_gold").fetchall()}
    handed = {rater: work(queues, rater) for rater in ("ann", "bob")}
    places = {rater: [at for at, position in enumerate(given) if position in gold] for rater, given in handed.items()}
    for rater, given in handed.items():
        # of every four one, until there are no more items to be labelled
        assert [at // 4 for at in places[rater][:12]] == list(range(12))
        assert set(given) - gold == set(range(1, 41))
    assert places["ann"] != places["bob"]
    progress = queues.progress("q")
    assert (progress.items, progress.done, progress.is_done) == (40, 40, True)
    assert queues.disagreements("q").empty
    assert ws.audit.verify().ok


def test_accuracy_on_known_answers_tells_who_drifts(queues, clock, ws):
    """Ann is right throughout, Bob gives up half-way; a critique or another field does not count against anybody."""
    queues.open("q", ITEMS, schema="support", k=2)
    queues.gold("q", KNOWN, share=0.5)
    seen = []

    def tired(position):
        clock.advance(seconds=10)
        seen.append(position)
        return "pass" if len(seen) < 40 else "cannot tell"

    work(queues, "ann", {"value": "pass", "critique": "as it should be"})
    work(queues, "bob", tired)
    found = queues.accuracy("q")
    ann, bob = found.raters
    assert (ann.rater, ann.n, ann.right, ann.is_drifting, ann.rate[2]) == ("ann", 30, 30, False, 1.0)
    assert (bob.n, bob.early > bob.late, bob.is_drifting) == (30, True, True)
    assert found.drifting == ("bob",)
    assert "bob drifts:" in found.text
    assert "ann drifts" not in found.text
    assert found.df()[["rater", "n", "right"]].to_numpy().tolist()[0] == ["ann", 30, 30]
    over_time = found.over_time()
    assert over_time[over_time["rater"] == "bob"]["rate"].iloc[[0, -1]].tolist() == [1.0, bob.right / 30]


def test_nobody_is_right_or_wrong_before_anybody_answers(queues):
    """It says so and shows nothing."""
    queues.open("q", ITEMS, schema="support")
    assert queues.accuracy("q").text == "queue q: 0 known answers asked of 0 raters"
    assert queues.accuracy("q").over_time().empty
    assert "<script" not in queues.accuracy("q")._repr_html_()


@pytest.mark.parametrize(
    ("answers", "share", "why"),
    [
        ({ITEMS[0]: {"verdict": "pass"}}, 0.1, "item 1 of q is to be labelled"),
        ({"f" * 32: {"verdict": "perhaps"}}, 0.1, "give one of pass, fail"),
        ({"f" * 32: {"verdict": "pass"}}, 0.9, "at most 0.5"),
        ({}, 0.1, "0 known answers"),
        ([{"trace_id": "f" * 32}], 0.1, "rows with values"),
        (7, 0.1, "this is 7"),
        ("q", 0.1, "queue q has no decisions"),
    ],
)
def test_answers_that_cannot_be_known_are_refused(ws, queues, answers, share, why):
    """In words, and nothing is kept."""
    queues.open("q", ITEMS, schema="support")
    with pytest.raises(UsageError, match=why):
        queues.gold("q", answers, share=share)
    assert (queues.get("q").count, ws.sql("from gold_answers").fetchall()) == (40, [])


def test_decisions_of_one_queue_are_known_answers_of_another(ws, queues):
    """By its name; saying them again changes nothing but the answers."""
    queues.open("old", ITEMS[:3], schema="support")
    queues.adjudicate("old", 2, {"verdict": {"value": "fail", "critique": "rude"}})
    queues.open("q", ITEMS[10:], schema="support")
    assert queues.gold("q", "old").added == 1
    assert queues.gold("q", {ITEMS[1]: {"verdict": "pass"}}).added == 0
    ((item, said),) = ws.sql(
        "select item, g.field_values from gold_answers g join queue_items using (queue, position)"
    ).fetchall()
    assert (item, json.loads(said)) == (ITEMS[1], {"verdict": {"value": "pass"}})
    assert ws.audit.verify().ok


def test_labels_of_an_older_version_are_asked_again(ws, queues):
    """In one call; until then they hold, the rater sees them, an undo brings them back; done means anew."""
    queues.open("q", ITEMS[:3], schema="support", k=2)
    for rater in ("ann", "bob"):
        work(queues, rater)
    ws.feedback.schemas.save("support", [{"name": "verdict"}, {"name": "tone", "kind": "scale"}])
    queues.use("q", "support")
    assert queues.progress("q").is_done
    assert queues.ask_again("q", reason="tone matters").added == 3
    assert (queues.progress("q").done, queues.progress("q").raters[0].old) == (0, 3)
    assert len(ws.sql("from labels").fetchall()) == 6
    turn = queues.next("q", rater="ann")
    assert turn.said == {"verdict": {"value": "pass"}}
    queues.label("q", turn.position, {"verdict": "fail", "tone": 2}, rater="ann")
    queues.undo("q", rater="ann")
    versions = "select schema_version, count(*) from labels group by 1 order by 1"
    assert ws.sql(versions).fetchall() == [(1, 6)]
    for rater in ("ann", "bob"):
        assert sorted(work(queues, rater)) == [1, 2, 3]
    assert queues.progress("q").is_done
    assert ws.sql(versions).fetchall() == [(2, 6)]
    assert queues.ask_again("q").added == 0
    assert ws.audit.verify().ok


def test_an_open_page_may_send_under_the_older_version(ws, queues):
    """It is kept, and asked again where that was wished."""
    queues.open("q", ITEMS[:1], schema="support")
    turn = queues.next("q", rater="ann")
    ws.feedback.schemas.save("support", [{"name": "tone", "kind": "scale"}])
    queues.use("q", "support")
    queues.ask_again("q")
    queues.label("q", turn.position, {"verdict": "pass"}, rater="ann", version=1)
    assert ws.sql("select schema_version from labels").fetchall() == [(1,)]
    assert not queues.progress("q").is_done
    assert queues.next("q", rater="ann").position == 1


def old_and_new(ws):
    """Put ten traces in, five of which are old, and return their ids."""
    ids = [f"{n:032x}" for n in range(10)]
    spans = [
        span("t", str(n), trace_id=ids[n], span_id=f"{n + 1:016x}", start=START + (n >= 5) * 100 * 86_400 * 10**9)
        for n in range(10)
    ]
    ws.store.append_many({"spans": spans})
    return ids


def test_retention_leaves_labels_and_hands_out_no_trace_that_is_gone(ws, queues):
    """What was labelled stays as it is; the others are counted, and nobody is asked for them, after a rebuild too."""
    ids = old_and_new(ws)
    queues.open("q", ids, schema="support")
    queues.label("q", 1, {"verdict": "fail"}, rater="ann")
    ws.store.retain(days=50, now_ns=START + 100 * 86_400 * 10**9)
    assert len(ws.sql("from traces").fetchall()) == 5
    assert ws.sql("select position, trace_id from labels").fetchall() == [(1, ids[0])]
    progress = queues.progress("q")
    assert (progress.items, progress.done, progress.gone, progress.is_done) == (10, 1, 4, False)
    assert "the traces of 4 are gone" in progress.text
    queues.rebuild("q")
    assert work(queues, "bob") == [6, 7, 8, 9, 10]
    assert queues.progress("q").is_done
    assert queues.items("q", "open").empty
    assert ws.sql("select position from queue_items where is_gone").fetchall() == [(2,), (3,), (4,), (5,)]
    with pytest.raises(ConflictError, match="item 2 of q: its trace"):
        queues.jump("q", 2, rater="bob")
    assert ws.audit.verify().ok


def test_a_queue_that_retention_emptied_says_so(ws, queues):
    """Nobody is handed anything, and it is done with what is left."""
    queues.open("q", old_and_new(ws)[:5], schema="support")
    held = queues.next("q", rater="ann")
    ws.store.retain(days=1)
    assert queues.next("q", rater="bob") is None
    queues.label("q", held.position, {"verdict": "pass"}, rater="ann")
    progress = queues.progress("q")
    assert (progress.done, progress.gone, progress.is_done) == (1, 4, True)


def test_nobody_is_handed_what_was_erased(ws, queues):
    """It is counted as gone; what was said of it has lost its words, known answers too."""
    ids = old_and_new(ws)
    queues.open("q", ids, schema="support")
    queues.gold("q", {"e" * 32: {"verdict": {"value": "fail", "critique": "names aunt Mathilda"}}})
    queues.label("q", 1, {"verdict": {"value": "fail", "critique": "names aunt Mathilda"}}, rater="ann")
    queues.note("q", 1, "aunt Mathilda again", rater="ann")
    queues.adjudicate("q", 1, {"verdict": {"value": "fail", "critique": "aunt Mathilda"}}, reason="Mathilda")
    ws.erase(trace_ids=ids[:3], words=["Mathilda"], reason="asked for", dry_run=False)
    assert queues.next("q", rater="bob").position == 4
    assert queues.progress("q").gone == 2
    with ws.store.reading() as con:
        for table in ("label_history", "queue_items", "adjudications", "queue_gold", "queue_turns"):
            assert "Mathilda" not in str([tuple(row) for row in con.execute(f"select * from {table}")])
    assert ws.audit.verify().ok


@pytest.mark.parametrize(
    "harm",
    [
        "delete from queue_turns where status <> 'held'",
        "update queue_turns set seq = 1",
        "update queue_turns set seq = null where rater = 'ann'",
        "insert into queue_turns values ('q', 9, 'mallory', 'done', null, 2, null)",
    ],
)
def test_what_is_derived_is_compared_and_derived_anew(ws, queues, harm):
    """`audit verify` and `check` name the queue, a rebuild puts it right: labels, what is full and whose turn it is."""
    queues.open("q", ITEMS[:10], schema="support", overlap=0.5)
    work(queues, "ann", most=4)
    work(queues, "bob", most=3)
    queues.undo("q", rater="ann")
    queues.skip("q", queues.next("q", rater="bob").position, rater="bob")

    def state():
        labels = ws.sql("select position, rater, seq from labels order by all").fetchall()
        with ws.store.reading() as con:
            full = [tuple(row) for row in con.execute("select * from queue_full order by 1, 2")]
        return labels, full, [one.done for one in queues.progress("q").raters]

    before = state()
    with ws.store.transaction() as con:
        con.execute(harm)
    assert "queue q shows other labels than raters gave" in ws.audit.verify().problem
    assert any("queues.rebuild()" in problem for problem in ws.store.check().problems)
    assert queues.rebuild(reason="verify said so") == ("q",)
    assert state() == before
    assert ws.audit.verify().ok
    assert ws.store.check().ok


def test_stretches_lie_within_the_output(ws, queues):
    """In characters, signs beyond the basic plane as one; where no output is known nobody can say."""
    ws.feedback.schemas.save("marked", [{"name": "where", "kind": "spans"}])
    output = "née \U0001f600 zwölf"
    one = span("t", "1", trace_id=ITEMS[0], span_id="1" * 16, output=output)
    ws.store.append_many({"spans": [one]})
    queues.open("q", ITEMS[:2], schema="marked")
    queues.label("q", 1, {"where": [{"start": 4, "end": len(output)}]})
    for item in (1, ITEMS[0], [2, 1]):
        with pytest.raises(UsageError, match=f"ends at {len(output) + 1} and the output of item 1 has {len(output)}"):
            queues.label("q", item, {"where": [{"start": 0, "end": len(output) + 1}]})
    queues.label("q", 2, {"where": [{"start": 0, "end": 999}]})
    assert len(ws.sql("from labels").fetchall()) == 2


def test_time_is_kept_and_pauses_are_cut(ws, queues):
    """What was spent is kept as it was said; two minutes of it count."""
    queues.open("q", ITEMS[:3], schema="support")
    for position, seconds in ((1, 20), (2, 3_600), (3, None)):
        queues.label("q", position, {"verdict": "cannot tell"}, rater="ann", seconds=seconds)
    assert ws.sql("select seconds from labels order by position").fetchall() == [(20,), (3_600,), (None,)]
    assert queues.progress("q").raters[0].seconds == 140
    for seconds in (-1, float("nan"), float("inf")):
        with pytest.raises(UsageError, match="give a time from 0 on"):
            queues.label("q", 1, {"verdict": "pass"}, seconds=seconds)


def test_cannot_tell_is_an_answer_like_others(queues):
    """Raters disagree with it, and it is a category of agreement."""
    queues.open("q", ITEMS[:2], schema="support", k=2)
    work(queues, "ann", "cannot tell")
    work(queues, "bob", lambda position: "cannot tell" if position == 1 else "pass")
    assert queues.disagreements("q")["position"].tolist() == [2]


def test_whole_numbers_are_kept_as_they_are_compared(ws, queues):
    """Seconds, probabilities and names that come as other kinds of numbers or texts are no damage later."""
    rows = [{"trace_id": ITEMS[0], "probability": 1, "stratum": 3}]
    queues.open("q", pd.DataFrame(rows), schema="support")
    queues.open(
        "p", [{"run_id": "r", "example_id": 7, "repeat": np.int64(1), "probability": np.float64(0.5)}], schema="support"
    )
    queues.label("q", 1, {"verdict": "pass"}, seconds=20)
    queues.label("q", 1, {"verdict": "pass"}, seconds=np.float64(1.5), client="page", sequence=np.int64(1))
    assert ws.sql("select seconds, probability, stratum from labels").fetchall() == [(1.5, 1.0, "3")]
    assert ws.audit.verify().ok


def test_a_long_answer_may_be_marked_to_its_end(ws, queues):
    """The store keeps the beginning of it in the row and the whole beside it; an answer of a run counts as well."""
    ws.feedback.schemas.save("marked", [{"name": "where", "kind": "spans"}])
    ws.store.append_many({"spans": [span("t", "1", trace_id=ITEMS[0], span_id="1" * 16, output="x" * 300_000)]})
    ws.datasets.save("d", [{"input": "ab"}])
    run = ws.evals.run(str.upper, "d", ["length"], progress=False)
    queues.open("q", ITEMS[:1], schema="marked")
    queues.open("cases", run, schema="marked")
    assert (queues.next("cases").trace_id, queues.items("cases", "open")["is_gone"].tolist()) == (None, [False])
    for queue, most in (("q", 300_000), ("cases", 2)):
        queues.label(queue, 1, {"where": [{"start": 0, "end": most}]})
        with pytest.raises(UsageError, match=f"has {most:,} characters"):
            queues.label(queue, 1, {"where": [{"start": 0, "end": most + 1}]})


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"schema": "other"}, "has schema='support', not 'other'"),
        ({"raters": ["bob"]}, r"has raters=\(\), not \('bob',\)"),
        ({"k": 3, "overlap": 0.5}, "has k=2, not 3"),
        ({"order": "random"}, "has order='given', not 'random'"),
    ],
)
def test_a_queue_that_is_there_is_not_asked_for_in_another_way(ws, queues, asked, why):
    """What would be passed over is refused; what it has may be said again."""
    ws.feedback.schemas.save("other")
    queues.open("q", ITEMS[:2], schema="support", overlap=0.5)
    assert queues.open("q", ITEMS[:3], schema="support", k=2, overlap=0.5, order="given").added == 1
    with pytest.raises(UsageError, match=why):
        queues.open("q", ITEMS, **asked)
    assert queues.get("q").count == 3


def test_queues_of_before_go_on():
    """What was full is full, what a label took counts, and nobody has an order yet."""
    with contextlib.closing(sqlite3.connect(":memory:")) as con:
        con.executescript(MADE_QUEUES)
        for position in (1, 2, 3):
            item = ("q", position, str(position), 1, 0)
            con.execute("insert into queue_items (queue, position, item, needs, checksum) values (?, ?, ?, ?, ?)", item)
        con.execute("insert into queue_open values ('q', 2), ('q', 3)")
        con.execute("insert into queue_raters values ('q', 'ann', 3)")
        con.execute("insert into queue_turns values ('q', 1, 'ann', 'done', null, 1)")
        con.execute(
            "insert into label_history (client, sequence, part, queue, position, rater, action, seconds, said_ns, "
            "recorded_ns, checksum) values ('c', 1, 0, 'q', 1, 'ann', 'label', 500, 1, 1, 0)"
        )
        con.executescript(MADE_ORDERS)
        assert con.execute("select * from queue_full").fetchall() == [("q", 1)]
        assert con.execute("select seconds from queue_turns").fetchall() == [(120,)]
        assert con.execute("select * from queue_raters").fetchall() == []
