"""What the eval explorer knows and answers, without a page."""

from __future__ import annotations

import json

import pytest

from lmops import scorers
from lmops.errors import NotFoundError, UsageError
from lmops.widgets.evals.static import as_html, as_text
from lmops.widgets.kit.actions import add_examples
from tests.evals.judged import calibrated, judged, labelled, truth
from tests.widgets.eval_samples import FAILED, GAINED, LOST, baseline, evaluated


@pytest.fixture(scope="module")
def runs():
    """(workspace, new run, baseline)."""
    import lmops

    with lmops.open(":memory:", actor="ada") as ws:
        yield ws, *evaluated(ws)


@pytest.fixture
def controller(runs):
    """The new run against the baseline, by exact match."""
    ws, new, old = runs
    return ws.evals._explorer([new, old], scorer="exact_match")


def ask(controller, kind, **more):
    """The answer to one message; it is JSON."""
    (answer,) = controller.handle({"kind": kind, "id": "v1:1", "view": "v1", **more})
    json.dumps(answer, allow_nan=False)
    return answer


def ids(controller, **change):
    """The ids that are shown after a change of the filter."""
    state = ask(controller, "filter", **change)
    rows = ask(controller, "window", rev=state["rev"], start=0, count=100)["rows"]
    assert len(rows) == state["total"] == controller.total
    return [row[0] for row in rows]


def test_hello_tells_runs_scorers_and_what_changed(controller):
    """The baseline is on the left, means are those of the pairs and have n, flips are counted."""
    state = ask(controller, "hello")
    assert [run["label"] for run in state["runs"]] == ["new", "old"]
    assert state["shown"] == [1, 0]
    (exact, f1) = state["scorers"]
    assert (exact["name"], exact["n"], exact["means"]) == (
        "exact_match",
        [39, 39],
        [pytest.approx(29 / 39), pytest.approx(35 / 39)],
    )
    assert f1["name"] == "token_f1"
    assert exact["alone"] == [0, 0, 1]
    assert [state[name] for name in ("worse", "lower", "better", "lost", "gained")] == [11, 10, 4, 10, 4]
    assert (state["total"], state["all"], state["is_verdict"], state["pass_at"]) == (40, 40, True, 0.5)


def test_what_has_one_score_only_and_the_worst_regressions_come_first(controller):
    """A row is id, question, a cell per run, and the change with its flip."""
    found = ids(controller)
    assert found[:11] == [FAILED, *LOST]
    assert found[-4:] == GAINED
    rows = ask(controller, "window", rev=controller._rev, start=0, count=2)["rows"]
    assert rows[0][2:] == [1.0, "case failed", [None, 0, -1, True]]
    assert rows[1] == ["e00", "May my dog number 0 travel?", 1.0, 0.0, [-1.0, -1, 0, True]]
    assert ids(controller, sort="change", descending=True)[-1] == FAILED


def test_toggles_text_and_order_make_the_list(controller):
    """Only regressions, only flips, both, words, other orders; clear shows all again."""
    assert ids(controller, regressions=True) == [FAILED, *LOST]
    assert ids(controller, regressions=False, flips=True) == LOST + GAINED
    assert ids(controller, text="number 3") == ["e32", "e36", "e39"]
    assert len(ids(controller, clear=True)) == 40
    assert ids(controller, sort="case", descending=True)[0] == "e39"
    assert ids(controller, sort="run:1", descending=False)[:4] == GAINED


def answering(ws, name, answers):
    """A run whose task answers by the question, or says nothing of it."""
    data = [{"example_id": one, "input": one, "expected": "yes"} for one in ("a", "b", "c", "d")]

    @scorers.scorer(range=(0, 1))
    def yes(output):
        if output == "hm":
            return scorers.Score.unmeasured("this is silence")
        return scorers.Score.of(output == "yes", rationale=f"it said {output.upper()}")

    return ws.evals.run(answers.get, data, [yes], name=name, progress=False)


def test_what_one_run_alone_has_scored_is_in_no_mean_and_among_the_regressions(ws):
    """What is newly answered and fails, or is no longer scored, is a loss that no pair shows."""
    old = answering(ws, "old", {"a": "yes", "d": "yes"})
    new = answering(ws, "new", {"a": "yes", "b": "no", "c": "yes"})
    controller = ws.evals._explorer([new, old])
    (scorer,) = ask(controller, "hello")["scorers"]
    assert (scorer["means"], scorer["n"], scorer["alone"]) == ([1, 1], [1, 1], [2, 1, 1])
    assert ids(controller, regressions=True) == ["b", "d"]
    rows = ask(controller, "window", rev=controller._rev, start=0, count=2)["rows"]
    assert [row[-1] for row in rows] == [[None, 0, 1, True], [None, 0, -1, True]]
    assert "yes: 2 newly answered, 1 fail (b, c); 1 no longer scored (d)" in as_text(controller)
    assert "! yes: 2 newly answered" in as_html(controller)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("NEVER", LOST),
        ("never DOG", LOST),
        ("no dogs here", [FAILED]),
        ("penguin", []),
        ("100%_", []),
        ("must stay", GAINED),
    ],
)
def test_words_are_found_in_what_runs_answered(controller, words, found):
    """In outputs and errors of both runs, in any case; all words have to be there, and no sign means anything."""
    assert set(ids(controller, said=words)) == set(found)
    assert controller.where["said"] == words


def test_words_are_found_in_reasons(ws):
    """What a scorer said of an answer counts as much as the answer."""
    controller = ws.evals._explorer([answering(ws, "one", {"a": "yes", "b": "no", "c": "hm"})])
    assert ids(controller, said="said NO") == ["b"]
    assert ids(controller, said="silence") == ["c"]
    assert len(ids(controller, clear=True)) == 4


def test_a_cell_of_the_confusion_matrix_filters(controller):
    """The counts go with every other part of the filter; the cell itself takes nothing away from them."""
    panels = ask(controller, "panels", rev=controller._rev)
    assert [one["name"] for one in panels["matrices"]] == ["runs", "label:value"]
    assert panels["matrices"][0]["counts"] == [[25, 10, 1], [4, 0, 0], [0, 0, 0]]
    assert ids(controller, cell=["runs", "fail", "pass"]) == GAINED
    assert ask(controller, "panels", rev=controller._rev)["matrices"] == panels["matrices"]
    assert ids(controller, cell=["runs", "pass", "none"]) == [FAILED]
    assert ask(controller, "filter", cell=["runs", "maybe", "pass"])["kind"] == "error"
    assert ask(controller, "filter", cell=["label:nothing", "fail", "pass"])["kind"] == "error"


def test_the_judge_is_measured_against_labels(controller):
    """Labels that say up or down are outcomes, comments are not; rates have n and limits."""
    label = ask(controller, "panels", rev=controller._rev)["matrices"][1]
    assert label["counts"] == [[29, 5, 1], [0, 5, 0], [0, 0, 0]]
    assert [(words, hits, n) for words, hits, n, _, _ in label["rates"]] == [
        ("agree", 34, 39),
        ("passes found", 29, 34),
        ("fails found", 5, 5),
    ]
    assert all(0 <= low <= hits / n <= high <= 1 for _, hits, n, low, high in label["rates"])
    assert ids(controller, cell=["label:value", "pass", "fail"]) == ["e04", "e12", "e20", "e28", "e36"]


def test_slices_have_intervals_and_filter(controller):
    """One row a value, with n, both means, the difference with its limits, and the flips."""
    rows = {(row[0], row[1]): row[2:] for row in ask(controller, "panels", rev=controller._rev)["slices"]}
    assert set(rows) == {("language", "de"), ("language", "en"), *(("cluster", f"topic {i}") for i in range(5))}
    n, mean_a, mean_b, difference, low, high, lost, gained = rows["language", "de"]
    assert (n, mean_a, mean_b, difference, lost, gained) == (10, 0.0, 1.0, -1.0, 10, 0)
    assert low <= difference <= high
    assert ids(controller, slice=["language", "de"]) == LOST
    assert ids(controller, regressions=True, slice={"language": "en"}) == [FAILED]
    assert "did you mean" in ask(controller, "filter", slice=["langage", "de"])["message"].lower()


def test_the_verdict_is_that_of_the_comparison(controller, runs):
    """The same numbers as ws.evals.compare over what both finished, and what a reader has to know."""
    ws, new, old = runs
    panels = ask(controller, "panels", rev=controller._rev)
    expected = ws.evals.compare(new, old)
    assert {one["name"]: (one["outcome"], one["difference"]) for one in panels["differences"]} == {
        one.name: (one.outcome, pytest.approx(one.difference)) for one in expected.scorers
    }
    assert panels["differences"][0]["outcome"] == "inconclusive"


def test_a_case_has_both_outputs_with_their_words_marked(controller):
    """Baseline left, new one right; score, reason, cost, trace; long inputs last."""
    case = ask(controller, "case", case_id="e04", repeat=0)
    old, new = case["answers"]
    assert [one["label"] for one in case["answers"]] == ["old", "new"]
    assert [text for text, flag in new["parts"] if flag] == ["never "]
    assert not [text for text, flag in old["parts"] if flag]
    assert [name for name, _ in case["input"]] == ["question", "sources"]
    assert case["expected"] == [["Yes, dog 4 may travel.", 0]]
    assert (old["scores"]["exact_match"]["value"], new["scores"]["exact_match"]["value"]) == (1.0, 0.0)
    assert (old["trace_id"], len(new["trace_id"])) == (None, 32)
    failed = ask(controller, "case", case_id=FAILED, repeat=7)["answers"][1]
    assert (failed["status"], failed["parts"]) == ("error", [])
    assert "no dogs here" in failed["error"]
    assert "no case" in ask(controller, "case", case_id="nobody", repeat=0)["message"]


def test_the_trace_of_an_answer_is_read(controller):
    """Its spans with their depth; an unknown one is said."""
    trace_id = ask(controller, "case", case_id="e04", repeat=0)["answers"][1]["trace_id"]
    found = ask(controller, "trace", trace_id=trace_id)
    assert (found["head"]["trace_id"], found["depths"][0], found["left_out"]) == (trace_id, 0, 0)
    assert ask(controller, "trace", trace_id="f" * 32)["kind"] == "error"


def test_marked_cases_go_into_a_dataset(controller, runs):
    """The examples themselves, with all they have and whether there are traces."""
    ws, new, old = runs
    answer = ask(controller, "action", name="dataset", value="review", ids=["e00", "e04"])
    assert answer["message"] == "added 2 examples to review@1"
    copied, original = ws.datasets.get("review"), ws.datasets.get(new.dataset)
    assert [copied[one] for one in ("e00", "e04")] == [original[one] for one in ("e00", "e04")]
    again = ask(controller, "action", name="dataset", value="review", ids=["e04"])
    assert again["message"] == "review@1 had 1 example already"
    actions = {one["name"]: one for one in ask(controller, "hello")["actions"]}
    assert (actions["dataset"]["is_there"], actions["labeling"]["is_there"]) == (True, True)
    assert ask(controller, "action", name="dataset", value=" ", ids=["e00"])["kind"] == "error"
    turned = ws.evals._explorer([old, new])
    assert ask(turned, "action", name="dataset", value="x", ids=["e00"])["message"] == "added 1 example to x@1"


def test_marked_cases_go_into_a_queue(controller, runs):
    """Every repeat of a case of the judged run is an item; undo takes them out again."""
    ws, new, _ = runs
    done = ask(controller, "action", name="labeling", value="cases", ids=["e04", "e00"])
    items = ws.feedback.queues.items("cases")
    assert done["message"] == f"{len(items)} items added to new queue cases, asked by pass-fail@1"
    assert set(items["run_id"]) == {new.run_id}
    assert list(dict.fromkeys(items["example_id"])) == ["e04", "e00"]
    rev = ask(controller, "filter", text="e04")["rev"]
    again = ask(controller, "action", name="labeling", value="cases", all=True, rev=rev)
    assert again["message"].startswith("0 items added to queue cases")
    assert again["undo"] is None
    assert "it has 0" in ask(controller, "undo", undo=done["undo"])["message"]
    assert ask(controller, "action", name="labeling", value="", ids=["e00"])["kind"] == "error"


def test_cursor_and_marks_are_shared_and_are_python_values(controller):
    """What was marked in one view is what Python has; unknown ids are refused or dropped."""
    state = ask(controller, "hello")
    answer = ask(controller, "select", cursor="e08", marked=["e00", "e04", "nobody"])
    assert (answer["kind"], answer["cursor"], answer["marked"]) == ("selection", "e08", ["e00", "e04"])
    assert answer["seq"] > state["seq"]
    assert controller.selected_ids == ["e00", "e04"]
    assert (controller.selected.example_id, controller.selected.expected) == ("e08", "Yes, dog 8 may travel.")
    assert [one.label for one in controller.selected.answers] == ["new", "old"]
    assert ask(controller, "locate", rev=controller._rev, ids=["e08", "nobody"])["places"] == [3, None]
    assert ask(controller, "select", cursor="nobody")["kind"] == "error"


def test_another_scorer_or_pass_mark_changes_the_outcomes(controller):
    """token_f1 is a number: from which value on it passes is asked for; less is still worse."""
    state = ask(controller, "filter", scorer="token_f1")
    assert (state["scorer"], state["is_verdict"], state["lost"]) == ("token_f1", False, 0)
    state = ask(controller, "filter", pass_at=0.95)
    assert (state["lost"], state["gained"]) == (10, 4)
    assert ask(controller, "filter", scorer="exact_match")["pass_at"] == 0.5
    assert ask(controller, "filter", scorer="token_f1")["pass_at"] == 0.95
    state = ask(controller, "filter", pass_at=None)
    assert (state["lost"], state["pass_at"]) == (0, None)
    assert ask(controller, "panels", rev=controller._rev)["matrices"] == []
    assert ask(controller, "filter", flips=True)["kind"] == "error"
    assert ask(controller, "filter", scorer="rouge")["kind"] == "error"


def test_the_pair_can_be_turned_around(controller):
    """Then what was lost is gained."""
    state = ask(controller, "filter", a=1, b=0)
    assert (state["shown"], state["lost"], state["gained"]) == ([0, 1], 4, 10)
    assert ask(controller, "filter", a=0)["kind"] == "error"


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("filter", {"text": 7}),
        ("filter", {"sort": "run:9"}),
        ("filter", {"a": "nobody"}),
        ("filter", {"pass_at": "much"}),
        ("filter", {"cell": 3}),
        ("filter", {"slice": {"language": "fr"}}),
        ("window", {"rev": 0, "start": 0, "count": 10}),
        ("window", {"rev": 1, "start": -1, "count": 10}),
        ("window", {"rev": 1, "start": 0, "count": 5_000}),
        ("select", {"cursor": None, "marked": "all"}),
        ("case", {"case_id": None, "repeat": 0}),
        ("drop", {}),
    ],
)
def test_what_the_page_may_not_say_is_refused_and_changes_nothing(controller, kind, more):
    """An answer of kind error; the list stays."""
    before = controller.where, controller._rev
    assert ask(controller, kind, **more)["kind"] == "error"
    assert (controller.where, controller._rev) == before


def test_one_run_alone_is_a_list_of_its_worst_cases(runs):
    """No change, no flips; the output is compared with what was expected."""
    ws, new, _ = runs
    controller = ws.evals._explorer([new])
    state = ask(controller, "hello")
    assert (state["b"], state["shown"], state["sort"]) == (None, [0], "run:0")
    assert ids(controller)[:10] == LOST
    case = ask(controller, "case", case_id="e04", repeat=0)
    assert len(case["answers"]) == 1
    assert [text for text, flag in case["answers"][0]["parts"] if flag] == ["never "]
    panels = ask(controller, "panels", rev=controller._rev)
    assert [one["name"] for one in panels["matrices"]] == ["run", "label:value"]
    assert panels["differences"] == []
    assert [(one["name"], one["n"]) for one in panels["means"]] == [("exact_match", 39), ("token_f1", 39)]
    assert panels["means"][0]["low"] < panels["means"][0]["mean"] < panels["means"][0]["high"]
    assert ids(controller, cell=["run", "none", "none"]) == [FAILED]
    assert ids(controller, cell=["run", "fail", "fail"]) == LOST
    assert ask(controller, "filter", regressions=True)["kind"] == "error"


def test_more_runs_are_columns_and_any_two_are_the_pair(runs):
    """Three runs; runs of other scorers have cells that say so; five at most, none twice."""
    ws, new, old = runs
    third = ws.evals.run(baseline, "dogs", ["exact_match", "length"], name="third", progress=False)
    controller = ws.evals._explorer([new, old, third], scorer="exact_match")
    assert ask(controller, "hello")["shown"] == [1, 2, 0]
    state = ask(controller, "filter", scorer="length")
    (row,) = ask(controller, "window", rev=state["rev"], start=0, count=1)["rows"]
    assert row[2:4] == ["unmeasured", pytest.approx(row[3])]
    assert isinstance(row[3], float)
    controller.where = {"scorer": "exact_match", "a": "old", "b": "third"}
    assert (controller.where["a"], controller._filter.a, controller.total) == ("old", 1, 40)
    with pytest.raises(UsageError, match="twice"):
        ws.evals._explorer([new, new])
    with pytest.raises(UsageError, match="one to 5"):
        ws.evals._explorer([new] * 6)
    with pytest.raises(NotFoundError, match="scorer"):
        ws.evals._explorer([new], scorer="exact")


def test_a_run_that_goes_on_is_read_again(runs):
    """Refresh takes in what is new; what is missing until then is said to be not run."""
    ws, _, old = runs
    part = ws.evals.run(baseline, "dogs", ["exact_match"], name="part", limit=10, progress=False)
    controller = ws.evals._explorer([part, old])
    row = ask(controller, "window", rev=1, start=39, count=1)["rows"][0]
    assert row[3] == "not run"
    assert ask(controller, "refresh")["rev"] == 2
    assert any("finished in" in note for note in ask(controller, "panels", rev=2)["notes"])


def test_runs_without_scorers_are_shown_with_their_outputs(runs):
    """There is nothing to compare by, and that is said."""
    ws, _, _ = runs
    first, second = (ws.evals.run(baseline, "dogs", [], name=name, progress=False) for name in ("p", "q"))
    controller = ws.evals._explorer([first, second])
    state = ask(controller, "hello")
    assert (state["scorer"], state["scorers"], state["total"]) == ("", [], 40)
    assert ask(controller, "window", rev=1, start=0, count=1)["rows"][0][2:] == [
        "not run",
        "not run",
        [None, 0, 0, False],
    ]
    panels = ask(controller, "panels", rev=1)
    assert panels["matrices"] == []
    assert "none to compare by" in panels["notes"][0]
    assert len(controller.df()) == 40
    assert "40 cases" in controller.bundle()["text/plain"]


def test_the_frame_has_the_cases_as_they_are_shown(controller):
    """Scores and outputs by run, change and flip; a dict is JSON."""
    controller.where = {"regressions": True}
    frame = controller.df()
    assert frame["example_id"].tolist() == [FAILED, *LOST]
    assert list(frame) == [
        "example_id",
        "input",
        "expected",
        "old",
        "new",
        "change",
        "flip",
        "output old",
        "output new",
    ]
    assert frame.loc[0, "flip"] == "no longer scored"
    assert frame.loc[2, ["old", "new", "change", "flip"]].tolist() == [1.0, 0.0, -1.0, "lost"]
    assert frame.loc[2, "output new"] == "Yes, dog 4 may never travel."
    assert json.loads(frame.loc[2, "input"])["question"] == "May my dog number 4 travel?"


def test_the_archived_form_has_the_worst_first(controller):
    """At most fifty rows of a table, below the comparison; text has ten."""
    found = controller.bundle()
    assert found["text/html"].index("e00") < found["text/html"].index("e09")
    assert "worst regressions first" in found["text/html"]
    assert "no longer scored</td>" in found["text/html"]
    assert "inconclusive" in found["text/html"]
    assert found["text/html"].count("<tr>") == 4 + 1 + 40  # the comparison with its heading, then the cases with theirs
    assert "... and 30 more" in found["text/plain"]
    assert "failed: ValueError: no dogs here" in found["text/html"]


def test_the_widget_is_a_value_and_static_it_is_a_table(runs, monkeypatch):
    """The filter can be set from Python; with LMOPS_STATIC=1 there is no connection and no view."""
    pytest.importorskip("anywidget")
    ws, new, old = runs
    monkeypatch.setenv("LMOPS_STATIC", "1")
    found = ws.evals.explore(new, old, scorer="exact_match", pass_at=1)
    assert found.widget.comm is None
    assert (found.selected, found.selected_ids) == (None, [])
    found.where = {"flips": True, "slice": {"language": "en"}}
    assert found.df()["example_id"].tolist() == GAINED
    assert found.where["slice"] == {"language": "en"}
    assert found.value["exact_match"].outcome == "inconclusive"
    assert set(found._repr_mimebundle_()[0]) == {"text/html", "text/plain"}
    assert "only flips" in repr(found)
    with pytest.raises(UsageError, match="part of the filter"):
        found.where = {"only": "flips"}
    assert found.where["flips"]


def test_a_comparison_shows_the_explorer(runs, monkeypatch):
    """Live its view and the static form, archived only this; it stays the comparison that it was."""
    pytest.importorskip("anywidget")
    ws, new, old = runs
    found = ws.evals.compare(new, old)
    data, _ = found._repr_mimebundle_()
    assert set(data) == {"application/vnd.jupyter.widget-view+json", "text/html", "text/plain"}
    assert found.explorer.value is not None
    assert found["exact_match"].outcome == "inconclusive"
    assert found.text in data["text/plain"]
    assert len(json.dumps(found.explorer.widget.get_state(), default=str)) < 100_000
    monkeypatch.setenv("LMOPS_STATIC", "1")
    data, _ = ws.evals.compare(new, old)._repr_mimebundle_()
    assert set(data) == {"text/html", "text/plain"}


def test_repeats_are_means_in_the_grid_and_single_in_the_case():
    """Three answers to each example; the case shows the one that is asked for."""
    import lmops

    with lmops.open(":memory:") as ws:
        answers = iter(["yes", "no", "yes"])
        run = ws.evals.run(
            lambda _question: next(answers), [{"example_id": "a", "input": "?", "expected": "yes"}], ["exact_match"],
            name="thrice", repeats=3, concurrency=1, progress=False,
        )  # fmt: skip  # arguments that belong together share a line
        controller = ws.evals._explorer([run])
        assert ask(controller, "window", rev=1, start=0, count=1)["rows"] == [["a", "?", pytest.approx(2 / 3)]]
        case = ask(controller, "case", case_id="a", repeat=1)
        assert (case["repeats"], case["repeat"]) == ([0, 1, 2], 1)
        assert len(controller._source.case("a").answers) == 3


def test_long_texts_group_nothing_and_numbers_do():
    """Two long values that begin alike are not one group; a key with a value of its own for every case is no key."""
    from lmops.datasets import Example
    from lmops.widgets.evals.view import groups_of, labels_of

    examples = [
        Example(
            example_id=str(i),
            input="",
            metadata={"long": "x" * 300 + str(i % 2), "n": i % 3, "own": f"v{i}", "same": 1},
            expected=i % 2 == 0,
            labels={"grade": i, "ok": {"value": "Pass" if i else "fail"}},
        )
        for i in range(6)
    ]
    examples.append(None)
    groups = groups_of(examples)
    assert {key: {value: rows.tolist() for value, rows in values.items()} for key, values in groups.items()} == {
        "n": {"0": [0, 3], "1": [1, 4], "2": [2, 5]},
        "same": {"1": [0, 1, 2, 3, 4, 5]},
    }
    labels = {name: codes.tolist() for name, codes in labels_of(examples).items()}
    assert labels == {"expected": [1, 0, 1, 0, 1, 0, -1], "ok": [0, 1, 1, 1, 1, 1, -1]}


def test_a_run_that_has_nothing_yet_is_an_empty_list(runs):
    """The explorer opens, says nothing, and takes the cases in when they are there."""
    ws, _, old = runs
    none = ws.evals.run(baseline, "dogs", ["exact_match"], name="none", limit=3, progress=False)
    with ws.store.transaction() as con:
        con.execute("delete from eval_results where run_id = ?", (none.run_id,))
    controller = ws.evals._explorer([none])
    state = ask(controller, "hello")
    assert (state["total"], state["scorers"][0]["means"]) == (0, [None])
    assert ask(controller, "window", rev=1, start=0, count=10)["rows"] == []
    assert ask(controller, "panels", rev=1)["slices"] == []
    assert "0 cases" in controller.bundle()["text/plain"]
    assert ask(ws.evals._explorer([none, old]), "panels", rev=1)["notes"] != []


def panels(controller):
    return ask(controller, "panels", rev=ask(controller, "hello")["rev"])


def test_a_judge_says_what_its_scores_are_worth(ws):
    """Below its mean and its difference; alone, in a comparison and where no page is."""
    said = truth(60, rate=0.7, seed=1)
    new, old = judged(ws, said, "new"), judged(ws, truth(60, rate=0.5, seed=2), "old")
    alone, both = ws.evals._explorer([new]), ws.evals._explorer([new, old])
    note = "the judge polite is uncalibrated: it has no calibration"
    for controller in (alone, both):
        assert panels(controller)["notes"] == [note]
        assert note in as_text(controller)
        assert note in as_html(controller)
    assert panels(alone)["means"][0]["judged"] == f"not corrected: {note.partition(' is ')[2]}"
    calibrated(ws)
    labelled(ws, new, said, 30)
    (mean,) = panels(alone)["means"]
    assert mean["judged"].startswith("corrected 0.")
    assert mean["judged"].endswith("by 30 labels of queue of-new under verdict@1")
    both = ws.evals._explorer([new, old])
    found = panels(both)
    assert found["notes"] == []
    assert "as if the judge erred alike on both" in found["differences"][0]["judged"]


def test_other_scorers_say_nothing_of_people(controller):
    """Neither of a difference nor of a mean."""
    assert {one["judged"] for one in panels(controller)["differences"]} == {""}


def test_what_would_be_copied_is_shown_before_a_name_is_asked_for(controller):
    """Every field of the examples with how many have it; nothing is written by looking."""
    plan = ask(controller, "question", name="dataset", ids=["e00", "e04"])["plan"]
    assert (plan["title"], plan["refused"]) == ("2 examples", "")
    fields = {name: (place, n, sample) for name, place, n, sample in plan["fields"]}
    assert {"id", "input.question", "input.sources", "expected", "cluster", "labels", "metadata.language"} <= set(
        fields
    )
    assert fields["expected"] == ("", 2, "Yes, dog 0 may travel.")
    rev = ask(controller, "filter", regressions=True)["rev"]
    assert ask(controller, "plan", name="dataset", all=True, rev=rev)["plan"]["title"] == "11 examples"
    assert ask(controller, "plan", name="dataset", all=True, rev=rev - 1)["kind"] == "error"
    assert ask(controller, "question", name="labeling", ids=["e00"])["plan"] is None


def test_what_cannot_be_copied_is_refused_before_a_name_is_asked_for(ws):
    """The examples of a run whose dataset is of another store."""
    run = answering(ws, "one", {"a": "yes"})
    controller = ws.evals._explorer([run])
    controller._actions["dataset"] = add_examples(ws.datasets, {}.get)
    plan = ask(controller, "question", name="dataset", ids=["a", "b"])["plan"]
    assert plan["refused"].startswith("there is no example to copy for 'a' and 1 more")
    assert ask(controller, "action", name="dataset", value="x", ids=["a"])["kind"] == "error"
