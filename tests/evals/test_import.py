"""Answers and scores that were made elsewhere are runs: paired, clustered, with repeats, compared and gated."""

import json
from decimal import Decimal

import pandas as pd
import pytest

from lmops.errors import UsageError


def long_rows(systems=("small", "large"), count=40, **more):
    """Return one row a system and example: "large" is right three times of four, "small" every other time."""
    right = {"small": lambda n: n % 2, "large": lambda n: n % 4 != 0}
    return [
        {"id": f"e{n}", "question": f"q{n}", "ground_truth": "a", "who": system, "output": f"{system} {n}",
         "correct": bool(right[system](n)), "cost_usd": 0.01, "cluster": f"c{n // 4}", **more}
        for system in systems for n in range(count)
    ]  # fmt: skip  # one row is packed as it is read


def test_one_system_is_a_run(ws):
    """With its answers, scores, costs, clusters and the examples as a dataset."""
    rows = [{key: value for key, value in row.items() if key != "who"} for row in long_rows(["small"])]
    run = ws.evals.import_results(rows, name="theirs", model="m-1")
    assert (run.status, run.totals.cases, run.totals.errors, run.model) == ("finished", 40, 0, "m-1")
    assert run.totals.cost_usd == pytest.approx(0.4)
    assert list(run.scorers) == ["correct"]
    assert run.summary()[0].mean == 0.5
    assert run.df().loc[0, ["output", "cluster"]].tolist() == ["small 0", "c0"]
    assert run.df()["latency_ms"].isna().all()
    first = ws.datasets.get("theirs-examples")[0]
    assert (first.example_id, first.input, first.expected, first.cluster) == ("e0", "q0", "a", "c0")


def test_several_systems_are_compared_and_gated(ws):
    """As runs of one dataset, paired by id and clustered."""
    runs = ws.evals.import_results(pd.DataFrame(long_rows(count=200)), system="who", name="theirs")
    assert list(runs) == ["small", "large"]
    compared = ws.evals.compare(runs["small"], runs["large"])
    assert "correct" in compared.text
    assert ws.evals.gate(runs["large"], None, {"scorers": {"correct": {"min": 0.5}}}).outcome == "pass"
    assert ws.evals.gate(runs["small"], runs["large"], {"scorers": {"correct": {"max_loss": 0.01}}}).outcome != "pass"


def test_systems_side_by_side(ws, tmp_path):
    """One row an example: the answer and the scores of each system have its name."""
    rows = [
        {"id": n, "question": "q", "6b": "x", "6b_ft": "y", "6b_correct": n % 2, "6b_ft_correct": 1} for n in range(8)
    ]
    (tmp_path / "runs.jsonl").write_text("\n".join(map(json.dumps, rows)))
    runs = ws.evals.import_results(tmp_path / "runs.jsonl", systems=["6b", "6b_ft"])
    assert [run.summary()[0].mean for run in runs.values()] == [0.5, 1.0]
    assert runs["6b_ft"].df()["output"].unique().tolist() == ["y"]


@pytest.mark.parametrize("repeat", [None, "epoch"])
def test_repeats_are_repeats(ws, repeat):
    """Numbered from 0 or 1, or in their order."""
    rows = [{"id": f"e{n}", "input": "q", "acc": 1, "epoch": turn + 1} for turn in range(3) for n in range(4)]
    if repeat is None:
        rows = [{key: value for key, value in row.items() if key != "epoch"} for row in rows]
    run = ws.evals.import_results(rows, repeat=repeat, scores=["acc"])
    assert (run.repeats, run.totals.planned, run.totals.cases) == (3, 12, 12)
    assert sorted(run.df()["repeat"].unique()) == [0, 1, 2]


def test_what_is_missing_is_counted(ws):
    """An answer without a score is unmeasured, one with an error failed, an example without an answer was not run."""
    rows = [
        {"id": "a", "input": "q", "who": "x", "acc": 1.0},
        {"id": "b", "input": "q", "who": "x", "acc": None},
        {"id": "c", "input": "q", "who": "x", "acc": None, "error": "timed out"},
        {"id": "a", "input": "q", "who": "y", "acc": 0.0},
    ]
    runs = ws.evals.import_results(rows, system="who")
    assert runs["x"].df()["status"].tolist() == ["ok", "ok", "error"]
    assert runs["x"].scores()["status"].tolist() == ["value", "unmeasured", "unmeasured"]
    assert runs["y"].df()["status"].tolist() == ["ok", "not_run", "not_run"]
    assert runs["y"].totals.not_run == 2


def test_answers_to_a_dataset_that_is_there(ws):
    """Its examples are what was asked; an answer to none of them is refused."""
    ws.datasets.save("golden", [{"id": "a", "input": "q", "cluster": "c"}, {"id": "b", "input": "p"}])
    run = ws.evals.import_results([{"id": "a", "acc": 1}], dataset="golden")
    assert (run.dataset, run.totals.planned, run.totals.not_run) == ("golden@1", 2, 1)
    assert run.df().loc[0, "cluster"] == "c"
    with pytest.raises(UsageError, match="to no example of golden@1"):
        ws.evals.import_results([{"id": "z", "acc": 1}], dataset="golden")


@pytest.mark.parametrize(
    ("rows", "given", "words"),
    [
        ([], {}, "no row"),
        ([{"id": "a", "input": "q", "note": "good"}], {}, "no column holds scores"),
        ([{"id": "a", "input": "q", "acc": "good"}], {"scores": ["acc"]}, "give a number"),
        ([{"id": "a", "acc": 1}], {"scores": ["acd"]}, "did you mean 'acc'"),
        ([{"id": "a", "acc": 1}], {"systems": ["acd"]}, "column of a system"),
        ([{"id": "a", "acc": 1, "repeat": 0}] * 2, {}, "twice as repeat 0"),
        ([{"id": "a", "acc": 1, "input": "p"}, {"id": "a", "acc": 1, "input": "q"}], {}, "two values of input"),
        ([{"id": "a", "acc": 1, "system": "x"}, {"id": "a", "acc": 1, "system": "y"}], {}, "several systems"),
        ([{"acc": 1}], {}, "no id and no input"),
        ([{"id": "a", "acc": 1}], {"higher_is_better": {"tox": False}}, "no score named 'tox'"),
    ],
)
def test_what_cannot_be_a_run_is_refused(ws, rows, given, words):
    """In words, and nothing is kept."""
    with pytest.raises(UsageError, match=words):
        ws.evals.import_results(rows, **given)
    assert len(ws.evals.list()) == 0


def _rows(**more):
    return [{"id": f"e{n}", "input": "q", "output": "a", "acc": n % 2, **more} for n in range(4)]


@pytest.mark.parametrize(
    ("rows", "options", "said"),
    [
        (_rows(model="a") + _rows(model="b"), {}, "two models answer 'e0'"),
        (_rows(repeat=0) + _rows(repeat=10**7), {}, "a repeat has the number 10,000,000"),
        (_rows(who="a") + _rows(who=None), {"system": "who"}, "row 5 names no system"),
        (_rows(id=" "), {}, "row 1 has an empty id"),
        (_rows(), {"higher_is_better": {"acc": "no"}}, "'no'; give True or False"),
    ],
)
def test_what_is_not_clear_is_refused(ws, rows, options, said):
    """Never merged, guessed or filled up."""
    with pytest.raises(UsageError, match=said):
        ws.evals.import_results(rows, **options)


def test_scores_of_any_kind_of_number(ws):
    """Also decimals, as Parquet has them; one column may be named alone."""
    rows = [{**row, "acc": Decimal("0.25")} for row in _rows()]
    assert ws.evals.import_results(rows, scores="acc").summary()[0].mean == 0.25


def test_scores_without_answers_are_not_the_same_answers(ws):
    """Nothing is said of outputs that are not there."""
    rows = [{"id": n, "input": "q", "who": who, "acc": (n + at) % 2} for at, who in enumerate("ab") for n in range(9)]
    runs = ws.evals.import_results(rows, system="who")
    assert not any("outputs" in note for note in ws.evals.compare(runs["a"], runs["b"]).notes)


def test_a_csv_file_has_scores(ws, tmp_path):
    """Every cell of it is text: a column of numbers, or of true and false, is measured; ids and answers stay texts."""
    file = tmp_path / "answers.csv"
    file.write_text(
        "example_id,system,output,accuracy,is_short,repeat,cost_usd\n"
        "007,v1,1,1,true,0,0.01\n008,v1,2,0.5,False,0,0.02\n007,v2,1,,true,0,0.01\n008,v2,3,1e-1,true,0,\n"
    )
    runs = ws.evals.import_results(file, system="system")
    first = runs["v1"].df()
    assert first["example_id"].tolist() == ["007", "008"]
    assert first["output"].tolist() == ["1", "2"]
    means = {name: {one.scorer: one.mean for one in run.summary()} for name, run in runs.items()}
    assert means["v1"] == {"accuracy": 0.75, "is_short": 0.5}
    assert means["v2"] == {"accuracy": 0.1, "is_short": 1.0}


def test_texts_beside_numbers_are_no_scores(ws):
    """Where there are numbers a text is one only when it is named."""
    rows = [{"id": one, "output": "x", "right": 1, "year": "2024"} for one in ("a", "b")]
    assert [one.scorer for one in ws.evals.import_results(rows).summary()] == ["right"]
    named = ws.evals.import_results(rows, scores=["year"], name="named")
    assert [one.mean for one in named.summary()] == [2024.0]
    with pytest.raises(UsageError, match="give a number"):
        ws.evals.import_results([{"id": "a", "output": "x", "right": "1,5"}], scores=["right"])


@pytest.mark.parametrize("word", ["N/A", "n/a", "", "-", "null", "None", "nan", None])
@pytest.mark.parametrize("is_text", [True, False])
def test_a_score_that_was_not_measured_stays_a_score(ws, tmp_path, word, is_text):
    """One word for nothing among numbers is an unmeasured case, also beside other scores."""
    rows = [{"id": n, "input": "q", "acc": 1, "help": word if n == 3 else n % 3} for n in range(10)]
    file = tmp_path / "answers.csv"
    pd.DataFrame(rows).to_csv(file, index=False, na_rep="")
    run = ws.evals.import_results(file if is_text else rows)
    assert {one.scorer: (one.mean, one.n, one.unmeasured) for one in run.summary()}["help"] == (1.0, 9, 1)


@pytest.mark.parametrize(
    ("values", "said"),
    [([1, 0, "error"], "'error' in row 3"), (["85%"] * 3, "'85%' in row 1"), (["0,85"] * 3, "'0,85' in row 1")],
)
def test_a_column_that_is_nearly_numbers_is_never_left_out_silently(ws, values, said):
    """It is refused, also beside other scores, until the scores are named."""
    rows = [{"id": n, "input": "q", "acc": 1, "other": value} for n, value in enumerate(values)]
    with pytest.raises(UsageError, match=f"'other' holds numbers, and {said}"):
        ws.evals.import_results(rows)
    assert [one.scorer for one in ws.evals.import_results(rows, scores=["acc"]).summary()] == ["acc"]


def test_texts_beside_the_scores_of_systems_side_by_side(ws):
    """A rationale is no score; a score that is not there is named."""
    rows = [{"id": n, "a": "x", "b": "y", "a_acc": 1, "b_acc": 0, "a_why": "so", "b_why": "no"} for n in range(3)]
    runs = ws.evals.import_results(rows, systems=["a", "b"])
    assert [one.scorer for one in runs["b"].summary()] == ["acc"]
    with pytest.raises(UsageError, match="did you mean 'acc'"):
        ws.evals.import_results(rows, systems=["a", "b"], scores=["ac"])
