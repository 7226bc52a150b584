"""Versions: read, compared, selected, shared, exported, and written by two processes at once."""

import json
import multiprocessing

import pytest

import lmops
from lmops.datasets import Example
from lmops.errors import NotFoundError, ReadOnlyError, UsageError
from lmops.text import unescape

HOSTILE = '<img src=x onerror="alert(1)">'


def rows(count, **more):
    return [
        {"id": f"e{n}", "input": f"question {n}", "expected": str(n), "topic": f"t{n % 4}", **more}
        for n in range(count)
    ]


@pytest.fixture
def golden(ws):
    return ws.datasets.save("golden", rows(40), cluster="topic")


def test_refs_name_versions(ws, golden):
    """A name means what was saved last."""
    ws.datasets.save("golden", rows(3))
    assert [len(ws.datasets.get(ref)) for ref in ("golden", "golden@latest", "golden@1", "golden@2")] == [3, 3, 40, 3]


@pytest.mark.parametrize(
    ("ref", "error", "message"),
    [
        ("goldn", NotFoundError, "did you mean 'golden'"),
        ("golden@7", NotFoundError, "golden has no version 7: there is version 1 only"),
        ("golden@x", NotFoundError, r"no alias of golden named 'x'.*ws.datasets.promote\('golden', 1, to='x'\)"),
        ("golden@", UsageError, "write 'name', 'name@3', 'name@production' or 'name@sha256:ab12'"),
    ],
)
def test_refs_that_mean_nothing(ws, golden, ref, error, message):
    """The message has the nearest valid choice."""
    with pytest.raises(error, match=message):
        ws.datasets.get(ref)


def test_a_version_is_found_by_its_hash(ws, golden):
    """By the same grammar as a prompt's; the start of it is enough where it is the only one."""
    other = ws.datasets.save("golden", rows(3))
    assert ws.datasets.get(f"golden@sha256:{other.hash[:12]}").version == 2
    assert ws.datasets.get(f"golden@sha256:{golden.hash}").version == 1
    with pytest.raises(NotFoundError, match="no version of golden has a hash that starts with sha256:0000"):
        ws.datasets.get("golden@sha256:0000")
    with pytest.raises(UsageError, match="4 to 64 hex digits"):
        ws.datasets.get("golden@sha256:xyz")
    with pytest.raises(UsageError, match="is a version and never changes"):
        ws.datasets.tag(f"golden@sha256:{other.hash[:12]}", ["a"])


def test_a_diff_names_the_fields(ws, golden):
    """Added, removed and changed examples, as text and as rows."""
    changed = rows(40)
    changed[3]["expected"] = "other"
    changed[4]["topic"] = "new"
    ws.datasets.save("golden", [*changed[1:], {"id": "n", "input": "new one"}], cluster="topic")
    found = ws.datasets.diff("golden@1", "golden@2")
    assert found.summary == "golden@1 -> golden@2: 1 added, 1 removed, 2 changed, 37 unchanged"
    assert [(one.example_id, one.fields) for one in found.changed] == [("e3", ("expected",)), ("e4", ("cluster",))]
    assert "expected - 3\n             + other" in found.text
    assert found.df()["change"].tolist() == ["added", "removed", "changed", "changed"]
    assert not found.is_empty
    assert ws.datasets.diff("golden@1", "golden@1").is_empty


def test_a_diff_sees_what_python_calls_equal(ws):
    """1, 1.0 and True are different values of a column."""
    first, second, third = (ws.datasets.save("d", [{"id": "a", "input": value}]) for value in (1, True, 1.0))
    assert [len(ws.datasets.diff(first, other).changed) for other in (second, third, first)] == [1, 1, 0]


def test_inputs_of_many_parts_are_shown_as_json(ws):
    """In the table of a version, in a diff and in one line; a number of examples agrees with its word."""
    first, second = (
        ws.datasets.save("d", [{"id": "a", "input": {"q": "Why?", "is_new": one}}]) for one in (True, None)
    )
    found = ws.datasets.diff(first, second)
    for shown in (repr(first[0]), unescape(first._repr_html_()), found.text, unescape(found._repr_html_())):
        assert '{"is_new": true, "q": "Why?"}' in shown
    assert "1 example<" in first._repr_html_()


def test_hostile_text_is_shown_as_text(ws):
    """In the HTML of a version and of a diff, and in a terminal."""
    first = ws.datasets.save("golden", [{"id": HOSTILE, "input": HOSTILE, "expected": "\x1b[31m"}], note=HOSTILE)
    second = ws.datasets.save("golden", [{"id": HOSTILE, "input": HOSTILE, "expected": HOSTILE}])
    for html in (first._repr_html_(), ws.datasets.diff(first, second)._repr_html_()):
        assert "<img" not in html
        assert "&lt;img" in html
    assert "\x1b" not in ws.datasets.diff(first, second).text + repr(first[0]) + repr(first)


def test_selections_say_what_they_are(golden):
    """They keep the ref of their version."""
    found = golden.filter(lambda one: one.example_id != "e4", ids=["e0", "e4", "e8"])
    assert (found.ids, found.ref, found.hash) == (["e0", "e8"], "golden@1", golden.hash)
    assert found.selection == "3 ids, where=<lambda>"
    assert golden.sample(5, seed=1).ids == golden.sample(5, seed=1).ids != golden.sample(5, seed=2).ids


def test_a_sample_changes_little_when_examples_are_added(ws, golden):
    """The draw follows from each id."""
    more = ws.datasets.save("golden", rows(44), cluster="topic")
    assert len(set(golden.sample(20).ids) & set(more.sample(20).ids)) >= 16


def test_a_stratified_sample_keeps_proportions(ws):
    """Largest remainders; nobody is drawn twice."""
    version = ws.datasets.save("d", [{"id": str(n), "input": "x", "kind": "a" if n < 30 else "b"} for n in range(40)])
    kinds = [one.metadata["kind"] for one in version.stratified(10, by="kind")]
    assert (kinds.count("a"), kinds.count("b")) == (8, 2) or (kinds.count("a"), kinds.count("b")) == (7, 3)
    assert len(version.stratified(100, by="kind")) == 40
    with pytest.raises(NotFoundError, match=r"did you mean 'kind'"):
        version.stratified(10, by="kinds")


@pytest.mark.parametrize("given", [{"split": "tset"}, {"tags": "x"}, {"ids": ["e99"]}])
def test_selecting_what_is_not_there_is_an_error(golden, given):
    """Not an empty selection."""
    with pytest.raises(NotFoundError):
        golden.filter(**given)


def test_splits_keep_clusters_whole_and_stay(ws, golden):
    """Examples that are added leave the others in their splits."""
    shares = {"dev": 0.5, "test": 0.5}
    first = ws.datasets.split("golden", shares)
    by_cluster = {}
    for one in first:
        by_cluster.setdefault(one.cluster, set()).add(one.split)
    assert all(len(found) == 1 for found in by_cluster.values())
    ws.datasets.add("golden", rows(50)[40:])
    second = ws.datasets.split("golden", shares, by=None)
    third = ws.datasets.split("golden", shares, by=None)
    assert second.hash == third.hash
    with pytest.raises(UsageError, match=r"add up to 0\.9"):
        ws.datasets.split("golden", {"dev": 0.9})


def test_tags_are_added_and_removed(ws, golden):
    """By id, as a new version."""
    ws.datasets.tag("golden", ["e1", "e2"], add=["hard"], note="looked at")
    found = ws.datasets.tag("golden", ["e2"], add=["odd"], remove=["hard"])
    assert (found.filter(tags="hard").ids, found.filter(tags="odd").ids) == (["e1"], ["e2"])
    with pytest.raises(NotFoundError, match="e99"):
        ws.datasets.tag("golden", ["e99"], add=["x"])


def test_a_version_cannot_be_changed_by_its_ref(ws, golden):
    """Changes make a new version of the dataset."""
    with pytest.raises(UsageError, match="'golden@1' is a version and never changes"):
        ws.datasets.split("golden@1", {"dev": 1.0})


def test_adding_rows_replaces_those_with_a_known_id(ws, golden):
    """The others keep their places."""
    found = ws.datasets.add("golden", [{"id": "e0", "input": "changed"}, {"id": "z", "input": "last"}])
    assert (found["e0"].input, found.ids[-1], len(found)) == ("changed", "z", 41)


def test_near_duplicates_are_found(ws):
    """Without case and punctuation, most alike first."""
    texts = [
        "How many dogs may I bring?",
        "how many dogs may i bring",
        "How many dogs can I bring?",
        "When is it open?",
    ]
    version = ws.datasets.save("d", [{"id": str(n), "input": text} for n, text in enumerate(texts)])
    found = version.duplicates(threshold=0.85)
    assert found[["a", "b"]].values.tolist() == [["0", "1"], ["0", "2"], ["1", "2"]]
    assert found.similarity[0] == 1.0
    with pytest.raises(UsageError, match=r"from 0\.5 to 1"):
        version.duplicates(threshold=0.1)


def test_versions_share_what_they_have_in_common(ws):
    """One changed example of 5,000 adds one content and one or two chunks."""

    def sizes():
        with ws.store.reading() as con:
            contents = con.execute("select count(*) from example_contents").fetchone()[0]
            return contents, con.execute("select sum(length(members)) from dataset_chunks").fetchone()[0]

    many = rows(5000)
    ws.datasets.save("big", many)
    before = sizes()
    ws.datasets.save("big", [*many[:2500], {"id": "new", "input": "between"}, *many[2500:]])
    after = sizes()
    assert after[0] == before[0] + 1
    assert after[1] - before[1] < before[1] / 2
    assert [one.example_id for one in ws.datasets.get("big@1")] == [row["id"] for row in many]


def test_views_show_datasets_and_their_current_examples(ws, golden):
    """Text as text, everything else as JSON."""
    ws.datasets.save(
        "golden", [{"id": "a", "input": {"q": 1}, "expected": "x"}, {"id": "b", "input": "t", "tags": ["u"]}]
    )
    versions = ws.sql("select ref, is_current, count from datasets order by version").fetchall()
    assert versions == [("golden@1", 0, 40), ("golden@2", 1, 2)]
    found = ws.sql("select position, example_id, input, expected, tags from examples order by position").fetchall()
    assert found == [(1, "a", '{"q":1}', "x", None), (2, "b", "t", None, '["u"]')]


def test_every_change_is_in_the_audit_chain(ws, golden):
    """Who, what, from which version to which."""
    ws.datasets.save("golden", rows(2), note="fewer")
    ws.datasets.save("golden", rows(40), cluster="topic")
    found = ws.sql("select actor, action, subject, reason, after from audit order by event_id").fetchall()
    assert [row[1:3] for row in found] == [
        ("dataset.save", "golden@1"),
        ("dataset.save", "golden@2"),
        ("dataset.restore", "golden@1"),
    ]
    assert (found[1][0], found[1][3], json.loads(found[1][4])["count"]) == ("tester", "fewer", 2)
    assert ws.audit.verify().ok


def test_stored_examples_cannot_be_changed(ws, golden):
    """The database refuses it."""
    for table in ("example_contents", "dataset_versions"):
        column = "input" if table == "example_contents" else "note"
        with pytest.raises(Exception, match="never changes"), ws.store.transaction() as con:
            con.execute(f"update {table} set {column} = 'x'")


def test_a_read_only_store_refuses(ws, golden):
    """And still reads."""
    with lmops.open(ws.store.path, read_only=True) as reader:
        assert len(reader.datasets.get("golden")) == 40
        with pytest.raises(ReadOnlyError):
            reader.datasets.save("golden", rows(1))


def test_an_empty_selection_is_still_a_version(golden):
    """Its frame has the columns."""
    empty = golden.filter(lambda _: False)
    assert (len(empty), bool(empty), list(empty.df().columns)[:2]) == (0, True, ["example_id", "input"])
    assert golden.df().shape == (40, 11)


def test_a_version_knows_its_examples_by_id_and_place(golden):
    """An unknown id names the nearest."""
    assert golden["e3"] is golden[3]
    assert isinstance(golden[0], Example)
    with pytest.raises(NotFoundError, match="did you mean"):
        golden["e333"]


def _add(path, worker):
    with lmops.open(path, actor=worker) as ws:
        for number in range(8):
            ws.datasets.add("shared", [{"id": f"{worker}{number}", "input": f"by {worker}"}])


def test_two_processes_add_one_after_the_other(ws):
    """Every addition is there, the versions are linear."""
    ws.datasets.save("shared", [{"id": "first", "input": "x"}])
    spawn = multiprocessing.get_context("spawn")
    workers = [spawn.Process(target=_add, args=(str(ws.store.path), name)) for name in "ab"]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0]
    found = ws.datasets.get("shared")
    assert (found.version, len(found)) == (17, 17)
    history = ws.datasets.versions("shared")
    assert history.version.tolist() == list(range(17, 0, -1))
    assert history.parent.tolist()[:-1] == list(range(16, 0, -1))
