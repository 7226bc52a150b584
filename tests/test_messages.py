"""Messages that say the right thing, and results that are false when they are bad."""

from datetime import timedelta

import pytest

import lmops
from lmops.audit import Verification
from lmops.errors import NotFoundError, QueryError, UsageError, did_you_mean


def test_a_name_is_never_suggested_for_itself():
    """It is known elsewhere; what is near is something else."""
    assert "did you mean 'input'" not in did_you_mean("column", "input", ["input", "inputs"])
    assert "did you mean 'inputs'" in did_you_mean("column", "input", ["input", "inputs"])


def test_a_column_of_another_view_is_said_to_be_there(ws):
    """Not suggested as its own correction."""
    with pytest.raises(QueryError, match=r"no column named 'input' in what this query reads; it is one of .*traces"):
        ws.sql("select input from runs")
    with pytest.raises(QueryError, match="did you mean 'input'"):
        ws.sql("select inptu from traces")


@pytest.mark.parametrize("last", [7, timedelta(days=7), 7.5])
def test_a_duration_is_text(ws, last):
    """A number says no unit."""
    for ask in (ws.traces.search, ws.traces.stats):
        with pytest.raises(UsageError, match="write a number and a unit"):
            ask(last=last)
    with pytest.raises(UsageError, match="every=7"):
        ws.traces.stats(every=7)


def test_times_and_searches_of_another_kind_are_refused(ws):
    """In words rather than by what breaks inside."""
    with pytest.raises(UsageError, match="give ISO text"):
        ws.traces.search(since=7)
    with pytest.raises(UsageError, match="a search is text"):
        ws.traces.search(7)


@pytest.mark.parametrize("path", ["sqlite:///a.db", "postgresql://host/db", "https://example.com/store", "s3://b/k"])
def test_an_address_is_no_store(path):
    """Nothing is made under such a name."""
    with pytest.raises(UsageError, match="is an address: a store is a folder"):
        lmops.open(path)


def test_a_file_is_no_store(ws, tmp_path):
    """Nor is a folder below one; that of a store's own database is named."""
    (tmp_path / "notes.txt").write_text("x")
    for path in (tmp_path / "notes.txt", tmp_path / "notes.txt" / "store"):
        with pytest.raises(UsageError, match="is a file: a store is a folder"):
            lmops.open(path)
    with pytest.raises(UsageError, match="its store is"):
        lmops.open(ws.store.path / "meta.sqlite")


@pytest.fixture
def run(ws):
    return ws.evals.run(lambda question: question, [{"input": "a", "expected": "a"}], ["exact_match"], progress=False)


def test_criteria_in_the_place_of_the_baseline_are_told(ws, run, tmp_path):
    """As a mapping or a file."""
    (tmp_path / "gate.yaml").write_text("scorers: {exact_match: {min: 0.5}}")
    for criteria in ({"scorers": {"exact_match": {"min": 0.5}}}, tmp_path / "gate.yaml", str(tmp_path / "gate.yaml")):
        with pytest.raises(UsageError, match="criteria stand where the baseline run belongs"):
            ws.evals.gate(run, criteria)
    with pytest.raises(UsageError, match="a int is no run"):
        ws.evals.gate(7, None, {"scorers": {"exact_match": {"min": 0.5}}})
    with pytest.raises(NotFoundError):
        ws.evals.gate(run, "no such run", {"scorers": {"exact_match": {"min": 0.5}}})


def test_what_is_broken_or_did_not_pass_is_false(ws, run):
    """A verdict, the check of the chain, the check of the store."""
    asked = {"scorers": {"exact_match": {"min": 0.0}}}
    assert ws.evals.gate(run, None, asked)
    assert not ws.evals.gate(run, None, {"scorers": {"exact_match": {"min": 0.999}}})
    assert ws.audit.verify()
    assert not Verification(ok=False, events=1, first_broken=1, problem="x")
    assert ws.store.check()


def test_a_run_of_which_nothing_came_says_why(ws, run):
    """Every case failed, or every score of a scorer did."""

    def breaks(question):
        raise OSError("the disk is gone")

    def scorer(output):
        raise ValueError("no such page")

    failed = ws.evals.run(breaks, [{"input": "a"}], progress=False)
    assert "1 of 1 cases, 1 failed: OSError: the disk is gone>" in repr(failed)
    unscored = ws.evals.run(lambda question: question, [{"input": "a"}], [scorer], progress=False)
    assert "; scorer has no score: ValueError: no such page>" in repr(unscored)

    def silent(output):
        return None

    both = ws.evals.run(lambda question: question, [{"input": "a"}], [silent, scorer], progress=False)
    assert "; scorer has no score: ValueError: no such page (nor has silent)>" in repr(both)
    alone = ws.evals.run(lambda question: question, [{"input": "a"}], [silent], progress=False)
    assert "; silent has no score: the scorer returned None>" in repr(alone)
    assert repr(run).endswith("1 of 1 cases>")


def test_a_store_is_no_number():
    """What is neither a path nor nothing is refused by its kind."""
    with pytest.raises(UsageError, match="a int is no store"):
        lmops.open(3)
