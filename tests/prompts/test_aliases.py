"""Aliases: moves with a history, the way back, evidence for protected ones, and what was there at a time."""

import itertools
import sqlite3

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lmops.errors import ConflictError, NotFoundError, RefusedError, UsageError
from lmops.prompts import Prompts
from lmops.records import Project
from lmops.store import append_event, chain_end

NAME = "support-answer"
NUMBERS = itertools.count()


@pytest.fixture
def prompts(ws, clock):
    """Four versions, and a clock that stands still."""
    registry = Prompts(Project(store=ws.store, actor="ada", now=clock))
    for number in range(1, 5):
        registry.save(NAME, f"version {number}")
    return registry


def go(prompts, *versions):
    for version in versions:
        prompts.promote(NAME, version, to="production")


def test_a_promotion_moves_and_is_remembered(prompts, ws):
    """The move, the history and the audit event say the same."""
    verdict(ws, "verdict-1", "pass", f"{NAME}@2")
    move = prompts.promote(NAME, 2, to="production", reason="shorter", evidence="verdict-1")
    assert (move.from_version, move.to_version, move.is_moved, move.actor) == (None, 2, True, "ada")
    again = prompts.promote(NAME, 3, to="production", actor="bob")
    assert "2 -> 3" in repr(again)
    history = prompts.history(NAME)
    assert history["to"].tolist() == [2, 3]
    assert history.loc[0, ["action", "alias", "actor", "reason", "forced"]].tolist() == [
        "promote",
        "production",
        "ada",
        "shorter",
        False,
    ]
    assert history["evidence"].tolist() == [["verdict-1"], []]
    row = ws.sql(f"select action, subject, before, after from audit where event_id = {again.event_id}").fetchall()[0]
    assert row[:3] == ("prompt.promote", f"{NAME}@production", '{"version":2}')
    assert '"version":3' in row[3]
    assert ws.audit.verify().ok


def test_a_promotion_to_where_it_is_does_nothing(prompts, ws):
    """Safe to run twice; the chain shows one event."""
    go(prompts, 2)
    before = ws.audit.verify().events
    assert prompts.promote(NAME, 2, to="production", expected=1).is_moved is False
    assert ws.audit.verify().events == before


@pytest.mark.parametrize("version", [2, "2", "support-answer@2", "latest", "staging"])
def test_a_version_is_named_in_any_way(prompts, version):
    """Number, reference or another alias."""
    prompts.promote(NAME, 2, to="staging")
    expected = 4 if version == "latest" else 2
    assert prompts.promote(NAME, version, to="production").to_version == expected


@pytest.mark.parametrize("version", [True, 1.0, None, "other@1", "x y"])
def test_a_version_of_a_wrong_type_is_refused(prompts, version):
    """With what to give."""
    with pytest.raises((UsageError, NotFoundError)):
        prompts.promote(NAME, version, to="production")


@pytest.mark.parametrize("alias", ["7", "latest", "sha256", "Prod", "a/b", ""])
def test_an_alias_is_a_word(prompts, alias):
    """What means a version cannot be the name of an alias."""
    with pytest.raises(UsageError, match="cannot be the name of an alias"):
        prompts.promote(NAME, 1, to=alias)


def test_a_rollback_is_an_undo(prompts):
    """Each one walks one version further back; a promotion starts from where it leads."""
    go(prompts, 1, 2, 3)
    back = [prompts.rollback(NAME, reason="bad") for _ in range(2)]
    assert [(one.from_version, one.to_version) for one in back] == [(3, 2), (2, 1)]
    with pytest.raises(RefusedError, match="nothing to roll back to"):
        prompts.rollback(NAME, reason="bad")
    go(prompts, 4)
    assert prompts.rollback(NAME, reason="bad").to_version == 1


def test_a_version_that_was_rolled_back_is_not_returned_to(prompts):
    """1, 2, 3, back to 2, then 4: the way back from 4 is 2, not 3."""
    go(prompts, 1, 2, 3)
    prompts.rollback(NAME, reason="bad")
    go(prompts, 4)
    assert prompts.rollback(NAME, reason="worse").to_version == 2
    assert prompts.history(NAME)["action"].tolist() == ["promote"] * 3 + ["rollback", "promote", "rollback"]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.none() | st.integers(1, 4), max_size=12))
def test_moves_are_those_of_an_undo_list(prompts, steps):
    """Any sequence of promotions (a version) and rollbacks (None) against a plain list."""
    alias, undo = f"a{next(NUMBERS)}", []
    for step in steps:
        if step is None:
            if len(undo) > 1:
                assert prompts.rollback(NAME, alias=alias, reason="r").from_version == undo.pop()
            else:
                with pytest.raises((RefusedError, NotFoundError)):
                    prompts.rollback(NAME, alias=alias, reason="r")
        else:
            assert prompts.promote(NAME, step, to=alias).is_moved == (undo[-1:] != [step])
            undo += [step] if undo[-1:] != [step] else []
        assert prompts.aliases(NAME).get(alias) == (undo[-1] if undo else None)
    assert prompts.verify() == ()


def test_a_dry_run_changes_nothing(prompts, ws):
    """It says where the alias would go."""
    go(prompts, 1, 2)
    events = ws.audit.verify().events
    assert prompts.rollback(NAME, reason="r", dry_run=True).to_version == 1
    move = prompts.promote(NAME, 3, to="production", dry_run=True)
    assert (move.to_version, move.is_moved, move.is_dry_run) == (3, False, True)
    assert "dry run" in repr(move)
    assert prompts.get(f"{NAME}@production").version == 2
    assert ws.audit.verify().events == events


def test_rollback_says_what_is_missing(prompts):
    """A reason, an alias, a prompt."""
    with pytest.raises(UsageError, match="needs a reason"):
        prompts.rollback(NAME, reason=" ")
    with pytest.raises(NotFoundError, match="no alias of support-answer named 'production'"):
        prompts.rollback(NAME, reason="r")
    with pytest.raises(NotFoundError, match="no prompt named 'other'"):
        prompts.rollback("other", reason="r")


def test_one_of_two_who_decided_on_the_same_state_wins(prompts):
    """The other one is told who moved it, where to, when and why."""
    go(prompts, 1)
    prompts.promote(NAME, 2, to="production", expected=1, actor="bob", reason="hot fix")
    with pytest.raises(ConflictError, match=r"was at 1 when you decided and is at 2 now: bob moved it .* hot fix"):
        prompts.promote(NAME, 3, to="production", expected=1)
    with pytest.raises(ConflictError, match="bob"):
        prompts.rollback(NAME, reason="r", expected=1)
    with pytest.raises(ConflictError, match="was not there yet"):
        prompts.promote(NAME, 3, to="production", expected=0)
    assert prompts.get(f"{NAME}@production").version == 2


def test_a_move_between_look_and_write_is_a_conflict(prompts, ws, clock):
    """Even without ``expected`` nobody overwrites a move that was made meanwhile."""
    go(prompts, 1)
    other = Prompts(Project(store=ws.store, actor="bob", now=clock))

    class Late(Project):
        def change(self, **options):
            other.promote(NAME, 2, to="production")
            return super().change(**options)

    late = Prompts(Late(store=ws.store, actor="ada", now=clock))
    with pytest.raises(ConflictError, match="bob moved it from 1 to 2"):
        late.promote(NAME, 3, to="production")


def test_what_was_in_production_at_a_time(prompts, clock):
    """Times without a zone are UTC; before the first move there was nothing."""
    go(prompts, 1)
    clock.advance(hours=14, minutes=13)
    go(prompts, 2)
    clock.advance(hours=1)
    prompts.rollback(NAME, reason="r")
    asked = f"{NAME}@production"
    found = [
        prompts.at(asked, when).version for when in ("2026-03-02T02:12", "2026-03-02T02:13", "2026-03-02T04:13+01:00")
    ]
    assert found == [1, 2, 1]
    assert prompts.at(asked, clock()).version == 1
    with pytest.raises(
        NotFoundError, match="did not exist at 2026-03-01 11:59:00 UTC: it exists since 2026-03-01 12:00"
    ):
        prompts.at(asked, "2026-03-01T11:59")
    with pytest.raises(NotFoundError, match="did you mean 'production'"):
        prompts.at(f"{NAME}@prodction", "2026-03-02")
    with pytest.raises(UsageError, match="give an alias"):
        prompts.at(f"{NAME}@3", "2026-03-02")


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("update prompt_aliases set version = 4", "points to 4 and its last move led to 3"),
        ("delete from prompt_aliases", "points to nothing and its last move led to 3"),
        ("update prompt_moves set to_version = 4 where to_version = 3", "the audit chain tells another move"),
        ("update prompt_moves set actor = 'eve' where to_version = 2", "the audit chain tells another move"),
        ("update prompt_moves set from_version = 4 where to_version = 2", "does not start where the one before ended"),
        ("delete from prompt_moves where to_version = 2", "does not start where the one before ended"),
    ],
)
def test_a_pointer_or_a_move_that_was_edited_is_found(prompts, ws, statement, words):
    """Somebody with write access to the file cannot move production unseen."""
    go(prompts, 1, 2, 3)
    assert prompts.verify() == ()
    with sqlite3.connect(ws.store.path / "meta.sqlite") as con:
        con.execute(statement)
    con.close()
    assert words in "; ".join(prompts.verify())


# -- protected aliases -------------------------------------------------------------------------------------------------


def verdict(ws, name, outcome, ref, *, told=None):
    """Write a verdict as a gate does; ``told`` is what the audit chain says instead."""
    with ws.store.transaction() as con:
        after = {"verdict_id": name, "outcome": told or outcome, "prompt_ref": ref}
        con.execute(
            "insert into verdicts (verdict_id, run_id, prompt_ref, outcome, criteria, detail, created_ns, actor, "
            "event_id) values (?, 'run-1', ?, ?, '{}', '{}', 1, 'eva', ?)",
            (name, ref, outcome, chain_end(con)[0] + 1),
        )
        append_event(con, actor="eva", action="eval.gate", subject="run-1", after=after, rows=[("verdicts", name)])


def test_a_protected_alias_takes_what_passed(prompts, ws):
    """A verdict on exactly this version, as object, id or list; the audit event shows it."""
    assert prompts.protect(NAME, reason="since the incident") is True
    assert prompts.protect(NAME) is False
    verdict(ws, "verdict-1", "pass", f"{NAME}@2")
    move = prompts.promote(NAME, 2, to="production", evidence=["verdict-1"])
    assert move.is_forced is False
    after, evidence = ws.sql(f"select after, evidence from audit where event_id = {move.event_id}").fetchall()[0]
    assert evidence == '["verdict-1"]'
    assert '"outcome":"pass"' in after
    assert '"hash":"sha256:' in after
    assert '"forced":false' in after


@pytest.mark.parametrize(
    ("evidence", "words"),
    [
        (None, "none was given"),
        ("verdict-9", "'verdict-9' is no verdict of this store"),
        ("of-another-version", "of-another-version is about support-answer@1"),
        ("failed", "failed says fail"),
        ("unclear", "unclear says inconclusive"),
        (["passed", "failed"], "failed says fail"),
        ("altered", "altered is not what the audit chain says of it"),
        (["passed", "altered"], "altered is not what the audit chain says of it"),
    ],
)
def test_a_protected_alias_refuses_the_rest(prompts, ws, evidence, words):
    """What is wrong with each piece of evidence is said; nothing moves."""
    prompts.protect(NAME)
    verdict(ws, "of-another-version", "pass", f"{NAME}@1")
    verdict(ws, "passed", "pass", f"{NAME}@2")
    verdict(ws, "failed", "fail", f"{NAME}@2")
    verdict(ws, "unclear", "inconclusive", f"{NAME}@2")
    verdict(ws, "altered", "pass", f"{NAME}@2", told="fail")
    with pytest.raises(RefusedError, match=words):
        prompts.promote(NAME, 2, to="production", evidence=evidence)
    assert prompts.aliases(NAME) == {}


@pytest.mark.parametrize("force", [False, True])
def test_evidence_that_does_not_exist_is_refused_on_every_alias(prompts, ws, force):
    """Protected or not, forced or not; also beside a verdict that passed."""
    verdict(ws, "passed", "pass", f"{NAME}@2")
    verdict(ws, "altered", "pass", f"{NAME}@2", told="fail")
    for alias in ("staging", "production"):
        if alias == "production":
            prompts.protect(NAME, alias)
        for evidence in (["verdict-9"], ["passed", "verdict-9"], ["passed", "altered"]):
            with pytest.raises(RefusedError, match=r"no verdict of this store|not what the audit"):
                prompts.promote(NAME, 2, to=alias, evidence=evidence, force=force, reason="on fire")
    assert prompts.aliases(NAME) == {}


def test_the_verdict_of_a_gate_is_evidence(ws):
    """From an evaluation of the version to production, with nothing in between."""
    ws.prompts.save("echo", "{{ question }}", model="standin:ferry-1")
    ws.prompts.protect("echo")
    rows = [{"id": f"q{number}", "input": {"question": "a"}, "expected": "a"} for number in range(30)]
    run = ws.evals.run(lambda question: question, rows, "exact_match", prompt="echo@1", progress=False)
    passed = ws.evals.gate(run, criteria={"scorers": {"exact_match": {"min": 0.5}}})
    failed = ws.evals.gate(run, criteria={"scorers": {"exact_match": {"max": 0.5}}})
    with pytest.raises(RefusedError, match="says fail"):
        ws.prompts.promote("echo", 1, to="production", evidence=failed)
    assert ws.prompts.promote("echo", 1, to="production", evidence=passed).evidence == (passed.verdict_id,)
    assert f"{passed.verdict_id} (pass)" in ws.audit.report(subject="echo").text


def test_force_needs_a_reason_and_is_shown(prompts, ws):
    """Whoever goes past the gate says why, and everybody can see it."""
    prompts.protect(NAME)
    with pytest.raises(UsageError, match="needs a reason"):
        prompts.promote(NAME, 2, to="production", force=True)
    move = prompts.promote(NAME, 2, to="production", force=True, reason="production is down")
    assert move.is_forced
    assert "FORCED" in repr(move)
    assert '"forced":true' in ws.sql(f"select after from audit where event_id = {move.event_id}").fetchall()[0][0]
    assert prompts.history(NAME)["forced"].tolist() == [True]


@pytest.mark.parametrize("option", ["force", "dry_run"])
def test_a_word_is_no_yes(prompts, option):
    """A "no" would be a yes otherwise."""
    with pytest.raises(UsageError, match=f"{option}='no': give True or False"):
        prompts.promote(NAME, 1, to="production", reason="r", **{option: "no"})
    assert prompts.aliases(NAME) == {}


def test_a_rollback_of_a_protected_alias_needs_no_evidence(prompts):
    """Nobody waits for an evaluation while production is on fire."""
    go(prompts, 1, 2)
    prompts.protect(NAME)
    assert prompts.rollback(NAME, reason="fire").to_version == 1


def test_protection_can_be_taken_away_and_both_are_events(prompts, ws):
    """Who opened the gate is in the chain as well."""
    prompts.protect(NAME)
    prompts.protect(NAME, on=False, reason="migration")
    go(prompts, 1)
    actions = ws.sql("select action from audit where subject like '%@production' order by event_id").fetchall()
    assert actions == [("prompt.protect",), ("prompt.unprotect",), ("prompt.promote",)]


@pytest.mark.parametrize("evidence", [3, "", {"a": 1}, object(), [[3]]])
def test_evidence_of_another_kind_is_refused(prompts, evidence):
    """A verdict, its id, or a list of them."""
    with pytest.raises(UsageError, match="evidence="):
        prompts.promote(NAME, 2, to="production", evidence=evidence)
