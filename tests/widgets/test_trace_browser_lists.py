"""The trace browser's lists without a browser: groups, the range over time, saved views, files, links, all marked."""

from __future__ import annotations

import json
import stat

import pytest

from lmops.errors import NotFoundError, QueryError, StoreError, UsageError
from lmops.traces.groups import GROUPABLE


def ask(controller, kind, **params):
    """Send one message and return its only answer."""
    (answer,) = controller.handle({"kind": kind, "id": "v1:1", "view": "v1", **params})
    json.dumps(answer, allow_nan=False)
    return answer


def window(controller, count=100):
    """Return the first rows of the list."""
    return ask(controller, "window", rev=controller._rev, start=0, count=count)["rows"]


@pytest.fixture
def browse(ws, conversation):
    """Return a function that opens the browser of a workspace with sixty traces."""
    ws.store.load(spans=[row for i in range(60) for row in conversation(i)])
    return ws.traces.browse


# -- groups ------------------------------------------------------------------------------------------------------------


def test_groups_are_rows_with_their_figures(controller):
    """Counts and failures add up to the list; the largest first; the frame has the same rows."""
    browser = controller(60)
    state = ask(browser, "group", column="user_id")
    assert (state["total"], state["traces"], state["group"]) == (5, 60, "user_id")
    rows = window(browser)
    assert [row[1] for row in rows] == ["u0", "u1", "u2", "u3", "u4"]
    assert (sum(row[2] for row in rows), sum(row[3] for row in rows)) == (60, 6)
    assert browser.df()["user_id"].tolist() == [row[1] for row in rows]
    assert browser.selected is None


@pytest.mark.parametrize("by", sorted(GROUPABLE))
def test_a_group_that_is_opened_has_as_many_traces_as_it_said(controller, traffic, conversation, by):
    """Whatever groups: a text, a number, a day, a list, nothing at all; and back are the groups again."""
    store = traffic(0)
    store.load(spans=[row for i in range(30) for row in conversation(i, text="night ferry" if i == 13 else None)])
    browser = controller(store=store)
    ask(browser, "group", column=by)
    for row in window(browser, 3):
        rev = browser._rev
        state = ask(browser, "open_group", rev=rev, trace_id=row[0])
        assert (state.get("message"), state["total"], state["group"]) == (None, row[2], None)
        assert ask(browser, "back")["group"] == by
        assert browser.where is None


def test_a_group_that_is_opened_keeps_the_filter(controller):
    """Going back takes away only what opened it."""
    browser = controller(60, where="status = 'error'")
    ask(browser, "group", column="user_id")
    state = ask(browser, "open_group", rev=browser._rev, trace_id=window(browser)[0][0])
    assert state["where"] == "status = 'error' and user_id = 'u3'"
    assert ask(browser, "back")["where"] == "status = 'error'"
    assert ask(browser, "back")["kind"] == "error"


def test_marked_groups_are_their_traces(controller):
    """What acts on groups acts on every trace in them, once."""
    browser = controller(60)
    ask(browser, "group", column="models")
    rows = window(browser)
    ask(browser, "select", cursor=rows[0][0], marked=[row[0] for row in rows])
    assert sorted(browser.selected_ids) == [f"{i + 1:032x}" for i in range(60)]
    ask(browser, "group", column=None)
    assert browser.selected_ids == []


def test_groups_sort_by_every_figure_and_are_taken_in_anew(controller, traffic, conversation):
    """The order stays when new traces come."""
    store = traffic(20)
    browser = controller(store=store)
    state = ask(browser, "group", column="user_id")
    for column in state["columns"]:
        ask(browser, "sort", column=column["name"], descending=False)
        assert [row[1] for row in window(browser)] == browser.df()["user_id"].tolist()
    ask(browser, "sort", column="value", descending=True)
    store.load(spans=conversation(24))
    ask(browser, "refresh")
    assert next(row[1:3] for row in window(browser)) == ["u4", 5]


def test_a_hostile_group_is_its_text(controller, traffic, span_row):
    """Quotes and markup are a value like any other: found by it, shown as it is."""
    text = "<img src=x onerror=alert(1)>'; drop table x; --"
    store = traffic(3)
    store.load(spans=[span_row("e" * 32, "1" * 16, user_id=text)])
    browser = controller(store=store)
    ask(browser, "group", column="user_id")
    row = next(row for row in window(browser) if row[1].startswith("<img"))
    assert ask(browser, "open_group", rev=browser._rev, trace_id=row[0])["total"] == 1
    ask(browser, "back")
    assert "<img" not in browser.bundle()["text/html"]


@pytest.mark.parametrize(
    "message",
    [
        {"kind": "group", "column": "x; drop"},
        {"kind": "open_group", "rev": 0, "trace_id": "g1"},
        {"kind": "back"},
        {"kind": "export", "format": "exe"},
        {"kind": "export"},
        {"kind": "view", "name": "none"},
        {"kind": "save"},
        {"kind": "remove", "name": 3},
        {"kind": "over_time", "rev": 99},
    ],
)
def test_a_message_that_is_no_good_changes_nothing(controller, message):
    """It is answered with words."""
    browser = controller(5)
    assert ask(browser, **{"kind": message.pop("kind"), **message})["kind"] == "error"
    assert (browser.total, browser.where) == (5, None)


# -- all of the filter -------------------------------------------------------------------------------------------------


def test_all_that_the_filter_finds_are_marked_without_their_ids(controller):
    """Those that are left out are named; another filter ends it, another order does not."""
    browser = controller(300)
    answer = ask(browser, "select", cursor=None, marked=[f"{7:032x}"], is_all=True, rev=browser._rev)
    assert (answer["is_all"], len(answer["marked"])) == (True, 1)
    assert len(browser.selected_ids) == 299
    assert ask(browser, "sort", column="latency_ms", descending=True)["is_all"]
    assert not ask(browser, "filter", text="status = 'error'")["is_all"]
    assert browser.selected_ids == []


def test_all_of_an_older_list_are_not_marked(controller):
    """A page that has not heard of another filter does not mark what that finds."""
    browser = controller(20)
    rev = browser._rev
    ask(browser, "filter", text="status = 'error'")
    assert "has changed" in ask(browser, "select", cursor=None, marked=[], is_all=True, rev=rev)["message"]


# -- over time ---------------------------------------------------------------------------------------------------------


def test_a_range_is_set_beside_the_one_before_it(controller):
    """As long, and ending where it begins; the bars cover the range and every trace is in one."""
    browser = controller(60, since="2025-10-09T09:13:20+00:00", until="2025-10-09T09:33:20+00:00")
    found = ask(browser, "over_time", rev=browser._rev)
    assert (found["now"]["traces"], found["before"]["traces"]) == (20, 20)
    assert sum(bar["count"] for bar in found["bars"]) == 20
    low, high = found["error_change"]
    assert low < 0 < high
    assert found["now"]["p50_ms"] > 0
    assert found["now"]["unpriced_calls"] == 2


def test_a_range_without_a_start_has_none_before_it(controller):
    """Nothing is made up; an empty list has no bars."""
    browser = controller(20)
    assert ask(browser, "over_time", rev=browser._rev)["before"] is None
    ask(browser, "filter", text="status = 'none'")
    found = ask(browser, "over_time", rev=browser._rev)
    assert (found["bars"], found["now"]["traces"], found["now"]["cost_usd"]) == ([], 0, None)


def test_releases_are_marks(browse, ws, conversation):
    """Where an alias was moved, and where another version of a prompt came into the traffic."""
    controller = browse()._controller
    found = ask(controller, "over_time", rev=controller._rev)
    assert [mark["words"] for mark in found["marks"]] == ["answer@2 first seen"]
    ws.prompts.save("answer", "Be brief: {{ question }}")
    ws.prompts.promote("answer", 1, to="production", reason="first")
    now = ws.sql('select epoch_ns("at") from prompt_history').fetchall()[0][0]
    ws.store.load(spans=conversation(70, spread_ns=(now - 1_760_000_000_000_000_000) // 69))
    controller = browse()._controller
    marks = ask(controller, "over_time", rev=controller._rev)["marks"]
    assert marks[-1]["words"] == "answer@production became 1"


# -- saved views and links ---------------------------------------------------------------------------------------------


def test_what_is_shown_is_saved_and_shown_again(browse, ws):
    """Filter, range, columns, order and grouping; the record is in SQL and in the audit chain."""
    browser = browse("latency_ms > 900", last="30m")
    controller = browser._controller
    ask(controller, "columns", shown=["input", "cost_usd"])
    ask(controller, "sort", column="cost_usd", descending=True)
    assert "browse(view='slow')" in ask(controller, "save", name="slow")["message"]
    again = browse(view="slow")
    assert again.view == browser.view == ws.traces.views.get("slow")
    assert again.df().equals(browser.df())
    row = ws.sql("select filter, last, sort, author from trace_views").fetchall()
    assert row == [("latency_ms > 900", "30m", "cost_usd desc", "tester")]
    assert ws.audit.verify().ok


def test_a_grouping_is_saved_too(browse, ws):
    """With the order of its figures; the page lists the names."""
    ws.traces.views.save("by-user", group="user_id", sort="errors desc")
    controller = browse()._controller
    assert ask(controller, "views")["views"] == ["by-user"]
    state = ask(controller, "view", name="by-user")
    assert (state["group"], state["link"]) == ("user_id", "by-user")
    assert window(controller)[0][1] == "u3"
    assert ask(controller, "remove", name="by-user")["kind"] == "done"
    assert ws.traces.views.names() == []


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"name": "a b"}, UsageError),
        ({"where": "latencyms > 1"}, QueryError),
        ({"last": "soon"}, UsageError),
        ({"columns": ["nix"]}, UsageError),
        ({"columns": []}, UsageError),
        ({"group": "cost_usd"}, UsageError),
        ({"sort": "nix desc"}, UsageError),
        ({"last": "1d", "since": "2026-01-01"}, UsageError),
    ],
)
def test_a_view_that_cannot_be_shown_is_not_saved(ws, given, error):
    """The error says what would be."""
    with pytest.raises(error):
        ws.traces.views.save(**{"name": "v", **given})
    assert ws.traces.views.names() == []


def test_saving_the_same_again_is_no_change(ws):
    """Another content is one, and both are in the chain without their words."""
    for _ in range(2):
        ws.traces.views.save("v", "user_id = 'mara'")
    ws.traces.views.save("v", "user_id = 'ann'")
    events = ws.sql("select after from audit where action = 'trace_view.save'").fetchall()
    assert len(events) == 2
    assert "mara" not in str(events)


def test_a_view_that_names_an_erased_person_goes_with_them(browse, ws):
    """Others stay."""
    ws.traces.views.save("hers", "user_id = 'u1'")
    ws.traces.views.save("slow", "latency_ms > 900")
    ws.erase(user_id="u1", reason="she asked", dry_run=False)
    assert ws.traces.views.names() == ["slow"]


def test_a_link_is_a_view_or_a_trace(browse, ws, conversation):
    """What it shows says how to come back to it, in a shell and in a notebook."""
    pytest.importorskip("anywidget")
    trace = browse(view=f"{3:032x}")
    assert trace._controller.state("hello")["is_opened"]
    assert trace.selected.trace_id == f"{3:032x}"
    assert f"lmops show {3:032x}" in trace.text
    ws.traces.views.save("slow", "latency_ms > 900")
    shown = browse(view="slow")
    assert 'ws.traces.browse(view="slow")' in shown.text
    shown.where = None
    assert "view=" not in shown.text
    with pytest.raises(NotFoundError, match="saved views: slow"):
        browse(view="nix")
    with pytest.raises(UsageError, match="no condition"):
        browse("status = 'error'", view="slow")


# -- files -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_the_list_is_written_as_a_file(browse, ws, tmp_path, monkeypatch, form):
    """All of it in its order, into the working directory, for its owner; erasing tells of it."""
    import pandas as pd

    monkeypatch.chdir(tmp_path)
    browser = browse("status = 'error'")
    said = ask(browser._controller, "export", format=form)["message"]
    (path,) = tmp_path.glob(f"traces-*.{form}")
    assert said == f"6 traces written to {path}"
    frame = pd.read_csv(path) if form == "csv" else pd.read_parquet(path)
    assert frame["trace_id"].tolist() == browser.df()["trace_id"].tolist()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert browser.export(form) != path
    assert str(path) in ws.erase(user_id="u1").exports


def test_a_text_in_a_csv_is_no_formula(ws, span_row, tmp_path, monkeypatch):
    """A spreadsheet shows it; lists are text; Parquet has everything as it is."""
    import pandas as pd

    monkeypatch.chdir(tmp_path)
    ws.store.load(spans=[span_row("e" * 32, "1" * 16, input='=HYPERLINK("x")', user_id="-1+1")])
    browser = ws.traces.browse()
    row = pd.read_csv(browser.export("csv")).iloc[0]
    assert (row["input"], row["user_id"]) == ('\'=HYPERLINK("x")', "'-1+1")
    assert pd.read_parquet(browser.export()).iloc[0]["input"] == '=HYPERLINK("x")'


def test_a_folder_that_takes_no_file_says_so(browse, tmp_path, monkeypatch):
    """Nothing is left behind."""
    from lmops.traces import exports

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(exports.Path, "cwd", lambda: tmp_path / "gone")
    with pytest.raises(StoreError, match="cannot be written"):
        browse().export("csv")
    assert list(tmp_path.glob("*.csv")) == []


def test_groups_are_written_too(browse, tmp_path, monkeypatch):
    """The file is named by what its rows are."""
    import pandas as pd

    monkeypatch.chdir(tmp_path)
    browser = browse()
    ask(browser._controller, "group", column="user_id")
    path = browser.export("csv")
    assert path.name.startswith("groups-")
    assert pd.read_csv(path)["traces"].sum() == 60
