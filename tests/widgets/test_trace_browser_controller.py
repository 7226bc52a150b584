"""The trace browser without a browser: what it answers, and what Python sees."""

from __future__ import annotations

import json
import subprocess
import sys
from types import SimpleNamespace

import pytest

from lmops.errors import QueryError, UsageError
from lmops.traces.listing import COLUMNS
from lmops.widgets.kit.actions import add_to_dataset, unless_read_only


def ask(controller, kind, **params):
    """Send one message and return its only answer."""
    (answer,) = controller.handle({"kind": kind, "id": "v1:1", "view": "v1", **params})
    assert answer["id"] == "v1:1"
    json.dumps(answer, allow_nan=False)
    return answer


def rows(controller, start=0, count=100):
    """Return the trace ids of a window."""
    answer = ask(controller, "window", rev=controller._rev, start=start, count=count)
    return [row[0] for row in answer["rows"]]


def test_hello_is_answered_with_everything_a_view_needs(controller):
    """A second view starts from the same state as the first."""
    browser = controller(30, where="status = 'error'")
    state = ask(browser, "hello")
    assert (state["kind"], state["total"], state["errors"]) == ("state", 3, 3)
    assert state["chips"] == [{"text": "status = 'error'", "is_words": False}]
    assert state["sort"] == {"column": "start_at", "descending": True}
    assert state["sql"].startswith("select t.*")


def test_rows_are_the_newest_first_and_windows_join(controller):
    """Windows cover the list without gaps or repeats."""
    browser = controller(250)
    seen = rows(browser, 0, 100) + rows(browser, 100, 100) + rows(browser, 200, 100)
    assert seen == [f"{i + 1:032x}" for i in reversed(range(250))]


@pytest.mark.parametrize("column", sorted(COLUMNS))
@pytest.mark.parametrize("descending", [True, False])
def test_every_column_sorts_as_its_query_says(controller, forty, column, descending):
    """The list and the SQL that is handed out have the same order, missing values last."""
    browser = controller(store=forty)
    ask(browser, "sort", column=column, descending=descending)
    assert rows(browser) == browser.df()["trace_id"].tolist()


def test_a_message_about_an_older_list_is_refused(controller):
    """Windows of a list that was replaced never come."""
    browser = controller(20)
    rev = browser._rev
    ask(browser, "filter", text="status = 'error'")
    assert "has changed since" in ask(browser, "window", rev=rev, start=0, count=10)["message"]


def test_typed_text_is_sql_or_words(controller):
    """SQL is taken as it is; plain words look into the texts; each is one more chip."""
    browser = controller(40)
    ask(browser, "filter", text="refund")
    assert all("efund" in text for text in browser.df()["input"])
    ask(browser, "filter", text="latency_ms > 900 or status = 'error'")
    assert len(browser.state("x")["chips"]) == 2
    ask(browser, "filter", text="model = 'gpt-5'", replace=1)
    ask(browser, "filter", remove=0)
    assert browser.where == "model = 'gpt-5'"
    ask(browser, "filter", clear=True)
    assert browser.where is None


@pytest.mark.parametrize("words", ["refund", "night ferry", "100%", "won't fit", "a_b or c", "4f3a2b"])
def test_words_that_were_typed_stay_words(controller, words):
    """Their chip has them, alone and beside others, and editing it gives them back."""
    browser = controller(20)
    state = ask(browser, "filter", text=words)
    assert state["chips"] == [{"text": words, "is_words": True}]
    state = ask(browser, "filter", text="status = 'error'")
    assert [one["is_words"] for one in state["chips"]] == [True, False]
    state = ask(browser, "filter", text="ferry", replace=0)
    assert state["chips"][0] == {"text": "ferry", "is_words": True}


def test_sql_that_only_looks_like_words_is_shown_as_it_is(controller):
    """A chip never hides a condition."""
    where = "name ilike '%a%' or input ilike '%b%' or output ilike '%a%'"
    assert controller(5, where=where).state("x")["chips"] == [{"text": where, "is_words": False}]


def test_a_search_that_cannot_be_read_changes_nothing(controller):
    """The error comes back with its id; the list stays."""
    browser = controller(20, where="status = 'error'")
    answer = ask(browser, "filter", text="latencyms > 5")
    assert answer["kind"] == "error"
    assert "latency_ms" in answer["message"]
    assert browser.where == "status = 'error'"
    with pytest.raises(QueryError):
        browser.where = "nonsense("
    assert browser.total == 2


@pytest.mark.parametrize("name", ["status", "name", "models", "prompt_refs", "error_type", "user_id", "is_orphan"])
def test_a_click_on_a_value_finds_as_many_as_it_said(controller, name):
    """The count of a value is the number of traces that its click leaves; a second click takes it back."""
    browser = controller(60)
    summary = ask(browser, "summary", rev=browser._rev, column=name)
    for top in summary["top"]:
        assert ask(browser, "filter", column=name, value=top["value"])["total"] == top["count"]
        assert ask(browser, "filter", column=name, value=top["value"])["total"] == 60
    assert ask(browser, "filter", column=name, value=None)["total"] == summary["missing"]


@pytest.mark.parametrize("name", ["start_at", "latency_ms", "cost_usd", "input_tokens", "span_count", "error_count"])
def test_a_click_on_a_bar_finds_as_many_as_it_said(controller, name):
    """Bars cover every trace that has a value, once."""
    browser = controller(60)
    summary = ask(browser, "summary", rev=browser._rev, column=name)
    assert sum(bar["count"] for bar in summary["bins"]) + summary["missing"] == 60
    for bar in summary["bins"]:
        state = ask(browser, "filter", column=name, low=bar["low"], high=bar["high"])
        assert (state["total"], state["errors"]) == (bar["count"], bar["errors"])
        ask(browser, "filter", clear=True)


def test_selection_is_a_python_value(controller):
    """The cursor is a Trace; marks come before it; the page gets the full texts."""
    browser = controller(12)
    assert browser.selected is None
    assert browser.selected_ids == []
    first, second = rows(browser)[:2]
    answer = ask(browser, "select", cursor=first, marked=[])
    assert browser.selected.trace_id == first
    assert answer["peek"]["input"] == "Gilt mein Ticket? (11)"
    ask(browser, "select", cursor=first, marked=[second, first])
    assert browser.selected_ids == [second, first]


def test_refresh_takes_in_what_arrived_and_says_where_the_old_rows_are(controller, traffic, conversation):
    """A poll counts; nothing moves before the refresh; then a row is found in its new place."""
    store = traffic(20)
    browser = controller(store=store)
    top = rows(browser)[0]
    assert ask(browser, "poll")["new"] == 0
    store.append_many({"spans": [row for i in (20, 21, 22) for row in conversation(i)]})
    assert ask(browser, "poll")["new"] == 3
    assert rows(browser)[0] == top
    assert ask(browser, "refresh")["total"] == 23
    assert ask(browser, "locate", rev=browser._rev, ids=[top])["places"] == [3]


def test_python_tells_the_views_what_it_changed(controller):
    """Setting the filter sends one state message."""
    browser = controller(20)
    told = []
    browser.on_change = told.append
    browser.where = "status = 'error'"
    assert [(one["kind"], one["total"]) for one in told] == [("state", 2)]


def test_a_range_of_an_archive_counts_back_from_its_newest_trace(controller):
    """The words say so."""
    browser = controller(60, last="30m")
    assert browser.total == 30
    assert "before the newest trace" in browser.words
    assert ask(browser, "range", last=None)["range"]["words"] == "all times"
    state = ask(browser, "range", since="2025-10-09T09:00:00+00:00", until="2025-10-09T09:10:00+00:00")
    assert state["total"] == 10
    assert ask(browser, "range", last="soon")["kind"] == "error"


def test_a_trace_comes_as_a_tree_and_a_span_with_its_conversation(controller):
    """Failing span first, messages with roles and tool calls, documents with scores."""
    browser = controller(12)
    trace_id = f"{4:032x}"
    answer = ask(browser, "trace", trace_id=trace_id)
    assert answer["head"]["status"] == "error"
    assert answer["head"]["error"]["type"] == "TimeoutError"
    assert [answer["tree"]["kinds"][row[2]] for row in answer["tree"]["rows"]] == ["chain", "retriever", "llm", "tool"]
    assert [row[0] for row in answer["tree"]["rows"]] == [-1, 0, 0, 2]
    assert answer["head"]["first"] == 3
    call = ask(browser, "span", trace_id=trace_id, index=2)["span"]
    assert [message["role"] for message in call["input"]] == ["system", "user", "assistant", "tool"]
    assert call["input"][2]["tool_calls"][0]["name"] == "lookup"
    assert ask(browser, "span", trace_id=trace_id, index=1)["span"]["documents"][0]["score"] == 0.83
    assert ask(browser, "find", trace_id=trace_id, text="PET CABINS")["indexes"] == [1]


def test_a_span_that_never_ended_has_no_duration(span_row):
    """Missing is missing: not 0 ms."""
    from lmops.traces import Trace
    from lmops.widgets.traces import detail

    trace = Trace.from_rows([span_row("e" * 32, "1" * 16, latency_ms=5.0) | {"latency_ms": None, "end_ns": None}])
    assert detail.head(trace)["duration_ms"] is None
    assert detail.rows(trace.tree, trace.start_ns, 0)["rows"][0][4] is None
    assert detail.span(trace.root, 0)["latency_ms"] is None


def test_a_session_is_all_its_turns_in_order(controller):
    """Three traces of one conversation."""
    answer = ask(controller(12), "session", session_id="s1")
    assert [turn["trace_id"] for turn in answer["turns"]] == [f"{i:032x}" for i in (4, 5, 6)]
    assert answer["total"] == 3


def test_a_trace_of_30_000_spans_comes_in_pieces(controller, traffic, span_row):
    """No message is larger than half a megabyte, and all spans come."""
    store = traffic(0)
    trace = "f" * 32
    spans = [
        span_row(trace, f"{i:016x}", parent_span_id=f"{i // 8:016x}" if i else None, name=f"step {i % 40}")
        for i in range(30_000)
    ]
    store.load(spans=spans)
    browser = controller(store=store)
    tree = ask(browser, "trace", trace_id=trace)["tree"]
    seen, parents = len(tree["rows"]), [row[0] for row in tree["rows"]]
    while seen < tree["total"]:
        answer = ask(browser, "spans", trace_id=trace, start=seen)
        assert len(json.dumps(answer)) < 500_000
        seen += len(answer["tree"]["rows"])
        parents += [row[0] for row in answer["tree"]["rows"]]
    assert seen == 30_000
    assert all(parent < place for place, parent in enumerate(parents))


def test_long_texts_are_cut_and_counted(span_row):
    """A page never gets a gigabyte; what is left out is said."""
    from lmops.traces import Trace
    from lmops.widgets.traces import detail

    trace = Trace.from_rows([span_row("e" * 32, "1" * 16, input="x" * 900_000, output="y" * 10)])
    assert detail.span(trace.root, 0)["omitted"] == 840_000


@pytest.mark.parametrize(
    "message",
    [
        None, 3, "window", {}, {"kind": "sql", "query": "drop"}, {"kind": "window", "rev": 0, "start": -1, "count": 10},
        {"kind": "window", "rev": 0, "start": 0, "count": 10**9}, {"kind": "sort", "column": "status; drop"},
        {"kind": "summary", "rev": 0, "column": "nothing"}, {"kind": "filter", "column": "status", "value": {}},
        {"kind": "filter", "column": "latency_ms", "low": "0 or 1", "high": 2}, {"kind": "filter", "remove": 99},
        {"kind": "select", "cursor": "'; drop table x"}, {"kind": "select", "cursor": None, "marked": [1]},
        {"kind": "columns", "shown": []}, {"kind": "columns", "widths": {"status": float("nan")}},
        {"kind": "trace", "trace_id": "../etc"}, {"kind": "trace", "trace_id": "9" * 32},
        {"kind": "action", "name": "dataset"}, {"kind": "locate", "rev": 0, "ids": "abc"},
    ],
)  # fmt: skip  # cases that belong together share a line
def test_a_message_that_is_no_good_is_answered_with_an_error(controller, message):
    """Every parameter is checked; nothing is raised into the kernel."""
    browser = controller(5)
    (answer,) = browser.handle(message)
    assert answer["kind"] == "error"
    assert answer["message"]
    assert browser.where is None


class Shelf:
    """Stands in for ``ws.datasets``: remembers, numbers its versions, refuses one name."""

    def __init__(self):
        self.kept = {}

    def add_traces(self, name, traces):
        if "!" in name:
            raise UsageError(f"no dataset can be named {name!r}: use letters, digits and dashes")
        before = self.kept.setdefault(name, [])
        before.append(traces)
        return SimpleNamespace(ref=f"{name}@{len(before)}")

    def list(self):
        return {"name": list(self.kept)}


def with_datasets(controller, n=5):
    """Return (a browser that can add to datasets, what stands behind it)."""
    shelf = Shelf()
    return controller(n, actions={"dataset": add_to_dataset(shelf)}), shelf


def test_what_is_refused_says_why_and_what_is_missing_says_nothing(controller):
    """The page disables the one and does not show the other."""
    actions = unless_read_only({"dataset": add_to_dataset(Shelf())}, is_read_only=True)
    browser = controller(5, actions=actions)
    words = "this store is open read-only"
    found = [(one["name"], one["is_there"], one["hint"]) for one in ask(browser, "hello")["actions"]]
    assert found == [("dataset", False, words), ("labeling", False, "")]
    assert ask(browser, "action", name="dataset", value="x", ids=["1" * 32])["message"] == words
    assert "name" in ask(controller(5), "action", name="dataset", ids=[])["message"]


def test_traces_are_added_to_a_dataset_by_name(controller):
    """The names that exist are offered; the answer says what came of it, as the version that was made."""
    browser, shelf = with_datasets(controller)
    ids = [f"{i:032x}" for i in (1, 2, 3)]
    first = ask(browser, "hello")["actions"][0]
    assert (first["is_there"], first["asks"]) == (True, "dataset")
    assert ask(browser, "action", name="dataset", ids=ids, value="golden")["message"] == "added 3 traces to golden@1"
    found = ask(browser, "action", name="dataset", ids=ids[:1], value=" golden ")["message"]
    assert found == "added 1 trace to golden@2"
    assert ask(browser, "question", name="dataset")["choices"] == ["golden"]
    assert shelf.kept["golden"] == [ids, ids[:1]]


@pytest.mark.parametrize(
    ("ids", "value", "word"),
    [
        ([], "golden", "no trace"),
        (["1" * 32], " ", "name of the dataset"),
        (["1" * 32], "a!", "letters, digits"),
        ([1], "a", "trace ids"),
    ],
)
def test_an_action_that_fails_says_why_in_words(controller, ids, value, word):
    """The error of the phase is the answer; nothing is half done."""
    browser, shelf = with_datasets(controller)
    answer = ask(browser, "action", name="dataset", ids=ids, value=value)
    assert answer["kind"] == "error"
    assert word in answer["message"]
    assert shelf.kept == {}


def test_the_browser_of_a_workspace_adds_to_its_datasets(ws, conversation):
    """The real thing behind it: a new version with the traces, and its audit event."""
    pytest.importorskip("anywidget")
    ws.store.load(spans=[row for i in range(4) for row in conversation(i)])
    browser = ws.traces.browse()._controller
    ids = [f"{i:032x}" for i in (1, 2, 3)]
    assert ask(browser, "action", name="dataset", ids=ids, value="golden")["message"] == "added 3 traces to golden@1"
    assert sorted(one.trace_id for one in ws.datasets.get("golden").examples) == ids
    assert ask(browser, "question", name="dataset")["choices"] == ["golden"]
    again = ask(browser, "action", name="dataset", ids=ids, value="golden")["message"]
    assert again == "golden@1 had 3 traces already"
    assert ask(browser, "action", name="dataset", ids=["9" * 32], value="golden")["kind"] == "error"


@pytest.fixture
def labeling(ws, conversation):
    """Return (the browser of a workspace with five traces, the workspace)."""
    pytest.importorskip("anywidget")
    ws.store.load(spans=[row for i in range(5) for row in conversation(i)])
    return ws.traces.browse()._controller, ws


def send(browser, numbers, queue="review", **more):
    ids = [f"{i:032x}" for i in numbers]
    return ask(browser, "action", name="labeling", ids=ids, value=queue, **more)


def test_marked_traces_go_into_a_queue(labeling):
    """A new queue is asked by the default schema; the answer says how many are new."""
    browser, ws = labeling
    done = send(browser, (1, 2))
    assert done["message"] == "2 items added to new queue review, asked by pass-fail@1"
    assert list(ws.feedback.queues.items("review")["trace_id"]) == [f"{i:032x}" for i in (1, 2)]
    again = send(browser, (2, 3))["message"]
    assert again == "1 item added to queue review, asked by pass-fail@1; 1 was in it already"
    assert send(browser, (3,)) == {**done, **send(browser, (3,)), "undo": None}


def test_a_schema_is_picked_for_a_new_queue_only(labeling):
    """The question says the schemas, and which queue brings its own."""
    browser, ws = labeling
    ws.feedback.schemas.save("support", [{"name": "tone", "kind": "scale"}])
    assert send(browser, (1,), also="support")["message"].endswith("asked by support@1")
    assert send(browser, (2,), also="pass-fail")["message"].endswith("asked by support@1")
    question = ask(browser, "question", name="labeling")
    assert question["choices"] == ["review"]
    assert question["also"]["fixed"] == {"review": "support"}
    assert [value for value, _ in question["also"]["choices"]] == ["", "support"]
    assert "did you mean" in send(browser, (1,), queue="other", also="suport")["message"]


def test_all_of_the_list_goes_into_a_queue(labeling):
    """Without naming them: those of the filter, in their order; an older list is refused."""
    browser, ws = labeling
    browser.where = f"trace_id > '{3:032x}'"
    rev = ask(browser, "hello")["rev"]
    done = ask(browser, "action", name="labeling", value="late", all=True, rev=rev)
    assert done["message"].startswith("2 items added to new queue late")
    assert sorted(ws.feedback.queues.items("late")["trace_id"]) == [f"{i:032x}" for i in (4, 5)]
    browser.where = None
    assert ask(browser, "action", name="labeling", value="late", all=True, rev=rev)["kind"] == "error"
    browser.MAX_MARKED = 3
    rev = ask(browser, "hello")["rev"]
    assert "filter it" in ask(browser, "action", name="labeling", value="late", all=True, rev=rev)["message"]


def test_what_was_sent_to_labeling_is_taken_back_once(labeling):
    """Undo leaves what was there before; a second undo, and one after somebody labelled, is refused."""
    browser, ws = labeling
    send(browser, (1,))
    done = send(browser, (1, 2, 3))
    said = ask(browser, "undo", undo=done["undo"])["message"]
    assert said == "took 2 items out of queue review again: it has 1"
    assert list(ws.feedback.queues.items("review")["position"]) == [1]
    assert "taken back already" in ask(browser, "undo", undo=done["undo"])["message"]
    done = send(browser, (4,))
    ws.feedback.queues.label("review", 2, {"verdict": "pass"})
    assert "raters have worked on 1 of these 1" in ask(browser, "undo", undo=done["undo"])["message"]
    assert ws.feedback.queues.get("review").count == 2
    assert ws.audit.verify().ok


def test_a_queue_that_is_closed_says_so(labeling):
    """It is not offered, and what is sent to it by name comes back as words."""
    browser, ws = labeling
    send(browser, (1,))
    ws.feedback.queues.close("review")
    assert ask(browser, "question", name="labeling")["choices"] == []
    assert "is closed" in send(browser, (2,))["message"]
    assert send(browser, (2,), queue="a b!")["kind"] == "error"


def test_known_content_and_left_out_traces_are_said(controller):
    """What was there already is not called added."""
    report = SimpleNamespace(is_new=False, skipped=(("b", "it has no input"),))
    version = SimpleNamespace(ref="golden@1", report=report)
    action = add_to_dataset(SimpleNamespace(add_traces=lambda name, traces: version))
    assert action.run(["a", "b"], "golden") == "golden@1 had 1 trace already; 1 left out: it has no input"


def test_a_filter_that_is_no_text_is_refused(controller):
    """A mistake does not show everything."""
    browser = controller(5, where="status = 'error'")
    with pytest.raises(UsageError):
        browser.where = 5
    assert browser.where == "status = 'error'"


def test_an_empty_store_is_no_error(controller):
    """There is nothing to see, and it says so."""
    browser = controller(0)
    state = ask(browser, "hello")
    assert (state["total"], state["range"]["words"]) == (0, "no traces yet")
    for name in COLUMNS:
        assert ask(browser, "summary", rev=0, column=name)["kind"] == "summary"
    assert browser.df().empty


def test_columns_and_widths_are_kept_for_every_view(controller):
    """Chosen columns change the windows; widths stay in reason."""
    browser = controller(5)
    state = ask(browser, "columns", shown=["name", "status"], widths={"name": 5})
    assert state["shown"] == ["name", "status"]
    assert next(column for column in state["columns"] if column["name"] == "name")["width"] == 36
    answer = ask(browser, "window", rev=browser._rev, start=0, count=1)
    assert answer["rows"][0][1:] == ["support", "ok"]


def test_a_row_takes_at_most_200_bytes(controller):
    """The bar for the wire, with the columns shown at first."""
    browser = controller(100)
    answer = ask(browser, "window", rev=0, start=0, count=100)
    assert len(json.dumps(answer)) / 100 <= 200


def test_height_is_checked():
    """The widget says what it takes."""
    pytest.importorskip("anywidget")
    from lmops.widgets.traces.browser import TraceBrowser

    with pytest.raises(UsageError):
        TraceBrowser(None, height=10)


def test_the_logic_needs_no_widget():
    """The controller works where neither anywidget nor ipywidgets is installed."""
    code = "import sys, lmops.widgets.traces.controller; print({'anywidget', 'ipywidgets'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def votes(store, *votes):
    """Let users say something of traces, given as (number of the trace, value)."""
    from lmops.feedback._write import write
    from lmops.feedback.signals import make_signal

    with store.transaction() as con:
        said = [make_signal(trace_id=f"{n:032x}", value=value, comment=f"<b>{n}</b>") for n, value in votes]
        list(write(con, said, at_ns=1))


def test_what_users_said_is_a_column(controller, traffic):
    """With a summary of its values, once anybody said something; none before."""
    store = traffic(5)
    before = ask(controller(store=store), "hello")
    assert not {"thumb", "comments"} & {one["name"] for one in before["columns"]}
    votes(store, (1, "up"), (2, "down"), (3, "down"))
    browser = controller(store=store)
    state = ask(browser, "hello")
    assert "thumb" in state["shown"]
    place = state["shown"].index("thumb") + 1
    window = ask(browser, "window", rev=browser._rev, start=0, count=5)
    assert [row[place] for row in window["rows"]] == [None, None, "down", "down", "up"]
    top = ask(browser, "summary", rev=browser._rev, column="thumb")["top"]
    assert [(one["value"], one["count"]) for one in top] == [("down", 2), ("up", 1)]
    ask(browser, "filter", column="thumb", value="down")
    assert (browser.where, browser.total) == ("thumb = 'down'", 2)
    assert browser.df()["thumb"].tolist() == ["down", "down"]
    assert "down" in browser.bundle()["text/html"]


def test_what_users_say_later_is_a_column_after_a_refresh(controller, traffic):
    """It can be chosen then; before, it is refused."""
    store = traffic(3)
    browser = controller(store=store)
    refused = ask(browser, "columns", shown=["input", "thumb"])
    assert refused["kind"] == "error"
    votes(store, (1, "up"))
    ask(browser, "refresh")
    state = ask(browser, "columns", shown=["input", "comments"])
    assert state["shown"] == ["input", "comments"]


def test_a_call_opens_in_the_playground(controller):
    """Of a span that is a call of a model alone; the page is told which widget to show, and what opens it in a cell."""
    opened = []

    def try_call(span):
        opened.append(span.row["span_id"])
        return SimpleNamespace(widget=SimpleNamespace(model_id="m1"))

    browser = controller(1, try_call=try_call)
    trace_id = f"{1:032x}"
    kinds = {
        one["index"]: one["can_try"]
        for one in (ask(browser, "span", trace_id=trace_id, index=i)["span"] for i in range(4))
    }
    (index,) = (at for at, can_try in kinds.items() if can_try == "try this call")
    (search,) = (at for at, can_try in kinds.items() if can_try == "look into this search")
    assert ask(browser, "try", trace_id=trace_id, index=search)["code"].startswith("ws.retrieval.explore_span(")
    code = ask(browser, "try", trace_id=trace_id, index=index)
    assert (code["model"], opened) == (None, [])  # a page that can show none has none made
    found = ask(browser, "try", trace_id=trace_id, index=index, is_shown=True)
    assert (found["model"], found["code"]) == ("m1", f'ws.prompts.playground(span="{opened[0]}")')
    assert code["code"] == found["code"]
    assert "cannot be tried" in ask(controller(1), "try", trace_id=trace_id, index=index)["message"]
