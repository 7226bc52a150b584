"""Judges in versions: saved by content, found by reference, named where a scorer is, and theirs the calibrations."""

from __future__ import annotations

import json

import pytest

import lmops
from lmops.errors import DamagedStoreError, NotFoundError, RefusedError, UsageError
from lmops.scorers import ScoreInput, build, judge, panel, with_examples
from tests.forked import run

SHOTS = (
    {"input": "Dogs?", "output": "Buy now!", "verdict": "fail", "rationale": "It sells."},
    {"input": "Cats?", "output": "On deck four.", "verdict": "pass", "rationale": "It answers."},
)
CONFIGS = (
    {},
    {"scale": "1-5", "params": {"temperature": 0.5, "top_p": 0.9}},
    {"scale": {"good": 1, "so-so": 0.5, "bad": 0}, "rubric": {"good": "kind", "bad": "rude"}, "may_abstain": True},
    {"few_shot": SHOTS, "reference": False, "documents": True},
)


def polite(**options):
    return judge("polite", "Is it polite?", model="standin:judge-1", **options)


async def _kept(sent, model, messages, **options):
    sent.append([model, messages, options["params"], options["response_schema"]])
    return '{"rationale": "r", "verdict": "pass"}'


def asked(scorer):
    """Return the bytes of what a judge sends."""
    sent = []

    async def complete(model, messages, **options):
        return await _kept(sent, model, messages, **options)

    documents = [{"id": "d", "content": "the source"}]
    scorer.score(ScoreInput(output="Hi.", example={"input": "Hello?"}, documents=documents, complete=complete))
    return json.dumps(sent)


@pytest.mark.parametrize("options", CONFIGS)
def test_what_comes_back_is_the_judge(ws, options):
    """Of the same version, and it sends the same bytes."""
    made = polite(**options)
    saved = ws.judges.save(made)
    back = ws.judges.get("polite@1").scorer
    assert (saved.ref, back.version, back.range) == ("polite@1", made.version, made.range)
    assert asked(back) == asked(made)
    assert ws.judges.get("polite") == saved
    assert not saved.is_reworded


def test_another_process_sends_the_same_bytes(tmp_path):
    """What was saved is all that a judge is, whoever loads it."""
    made = polite(few_shot=SHOTS, rubric={"pass": "kind", "fail": "rude"})
    with lmops.open(tmp_path / "store") as ws:
        ws.judges.save(made)
    code = (
        f"import lmops\nfrom tests.judges.test_judges import asked\n"
        f"with lmops.open({str(tmp_path / 'store')!r}) as ws: print(asked(ws.judges.get('polite').scorer))"
    )
    assert run(code).stdout.strip() == asked(made)


def test_the_same_judge_is_the_same_version(ws):
    """By content: the order of verdicts is part of it, saving again is not."""
    assert [ws.judges.save(one).version for one in (polite(), polite(), with_examples(polite(), SHOTS))] == [1, 1, 2]
    turned = [polite(scale=dict(pairs)) for pairs in ([("a", 1), ("b", 0)], [("b", 0), ("a", 1)])]
    assert [ws.judges.save(one).version for one in turned] == [3, 4]
    assert ws.sql("select ref, parent, json_array_length(few_shot) from judge_versions").fetchall() == [
        ("polite@1", None, 0), ("polite@2", 1, 4), ("polite@3", 2, 0), ("polite@4", 3, 0)
    ]  # fmt: skip  # one row each
    assert ws.judges.verify() == ()
    assert ws.audit.verify().ok


def test_what_is_no_judge_is_refused(ws):
    """A function, a panel, a judge whose fields were changed."""
    function = build(lambda output: output > "a", name="later")
    for wrong in (function, panel("two", [polite(), polite().named("b")]), "polite"):
        with pytest.raises(UsageError, match=r"give a judge that lmops\.scorers\.judge made"):
            ws.judges.save(wrong)
    with pytest.raises(NotFoundError, match="polite"):
        ws.judges.get("polite@3")


def test_a_judge_is_named_where_a_scorer_is(ws):
    """By alias, as in a criteria file, and as a version; a moved alias is another version, without a calibration."""
    first, second = (ws.judges.save(one) for one in (polite(), polite(few_shot=SHOTS)))
    ws.judges.promote("polite", 1, to="production")
    labels = [{"item": n, "label": n % 2, "verdict": n % 2} for n in range(20)]
    ws.feedback.calibrate("judge:polite@production", labels)
    rows = [{"input": "Hello?", "output": "Hi."}]

    def scored(wanted):
        run = ws.evals.run("recorded", rows, wanted, progress=False)
        return [one["version"] for one in run.record["scorers"]], run.uncalibrated()

    versions, doubts = scored(["judge:polite@production", {"scorer": "judge:polite@2", "name": "next"}])
    assert versions == [first.judge_version, second.judge_version]
    ws.judges.promote("polite", 2, to="production")
    versions, moved = scored("judge:polite@production")
    assert versions == scored(second)[0] == [second.judge_version]
    assert [*doubts] == ["next"]
    assert moved["polite"].startswith("stale: the judge's version was")
    listed = ws.judges.versions("polite").set_index("version")
    assert listed["calibration"].isna().to_dict() == {2: True, 1: False}
    assert listed["aliases"].to_dict() == {2: "production", 1: ""}
    assert ws.judges.list()["calibration"].isna().tolist() == [True]
    with pytest.raises(NotFoundError, match="no judge named"):
        ws.evals.run("recorded", rows, ["judge:rude"], progress=False)


def test_a_difference_says_lines(ws):
    """Criteria and examples, line by line, safe to show."""
    ws.judges.save(polite())
    other = judge("polite", "Is it polite?\nAnd <b>short\x1b[31m</b>?", model="standin:judge-1", few_shot=SHOTS[:1])
    ws.judges.save(other)
    found = ws.judges.diff("polite", 1, "latest")
    assert (found.a, found.b, found.is_same) == ("polite@1", "polite@2", False)
    assert "+   And <b>short[U+001B][31m</b>?" in found.text
    assert "<b>+   And &lt;b&gt;short" in found._repr_html_()
    assert set(found.df().kind) == {"same", "added"}
    assert ws.judges.diff("polite", 2, 2).is_same
    assert "example, user:" in ws.judges.get("polite").text
    assert "&lt;b&gt;short" in ws.judges.get("polite")._repr_html_()


def test_an_edited_judge_is_refused(ws):
    """Its body, and one of its examples."""
    ws.judges.save(polite(few_shot=SHOTS))
    with ws.store.transaction() as con:
        con.execute("update judge_examples set message = replace(message, 'Buy', 'Sell') where place = 1")
    with pytest.warns(UserWarning, match="judge_examples"), pytest.raises(DamagedStoreError, match="polite@1"):
        ws.judges.get("polite")
    assert not ws.audit.verify().ok


def test_who_is_erased_is_erased_from_examples(ws):
    """The message goes and the version judges no more; what else it says stays, and the chain holds."""
    ws.judges.save(polite(few_shot=({**SHOTS[0], "output": "Mrs Tibbs (u-7) is rude."}, SHOTS[1])))
    assert ws.erase(words="u-7").records == {"messages of judges' examples": 1}
    ws.erase(words="u-7", reason="asked for", dry_run=False)
    found = ws.judges.get("polite")
    assert (found.erased, found.version) == (1, 1)
    assert "example: [erased]" in found.text
    with pytest.raises(UsageError, match="polite@1 judges no more: 1 of the messages"):
        ws.evals.run("recorded", [{"input": "x", "output": "y"}], "judge:polite", progress=False)
    assert "u-7" not in str(ws.sql("select * from judge_versions").fetchall())
    assert ws.audit.verify().ok


def test_a_protected_alias_takes_a_judge_that_was_found_better(ws):
    """Evidence is the improvement, on exactly the version that it made."""
    ws.judges.save(polite())
    ws.judges.protect("polite")
    with pytest.raises(RefusedError, match=r"Get a verdict \(ws\.feedback\.improve\(judge\)\)"):
        ws.judges.promote("polite", 1, to="production")
    with pytest.raises(RefusedError, match="'improvement-9' is no verdict of this store"):
        ws.judges.promote("polite", 1, to="production", evidence="improvement-9")
