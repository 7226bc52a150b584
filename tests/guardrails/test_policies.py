"""Policies in versions: saved, promoted, rolled back, compared, switched."""

from __future__ import annotations

import pickle

import pytest

from lmops.errors import MissingDependencyError, NotFoundError, RefusedError, UsageError
from lmops.guardrails import rail
from lmops.scorers import scorer
from lmops.store import DamagedSegmentWarning

NEXT = {"input": [{"rail": "word", "word": "attack", "on_error": "open", "timeout_s": 2}]}


def test_the_same_content_is_the_same_version(guarded):
    """What is not said is what the kind says; another content is another version, and a draft."""
    first = guarded.guardrails.get("support")
    again = {
        stage: [{"rail": one.rail, "name": one.name, **one.options} for one in specs]
        for stage, specs in first.stages.items()
    }
    assert guarded.guardrails.save("support", **again, blocked_text="Not that.").ref == "support@1"
    second = guarded.guardrails.save("support", **NEXT, budget_ms=50, reason="shorter")
    spec = second.stages["input"][0]
    assert (spec.name, spec.action, spec.on_error, spec.timeout_s) == ("word", "block", "open", 2.0)
    assert (second.ref, second.parent, second.budget_ms) == ("support@2", 1, 50.0)
    assert guarded.guardrails.get("support@production").version == 1
    assert guarded.guardrails.list()["rails"].tolist() == ["input: word"]


def test_a_dry_run_keeps_nothing(guarded):
    """It checks everything, and what it returns checks as well."""
    found = guarded.guardrails.save("other", **NEXT, dry_run=True)
    assert (found.ref, found.check("input", "attack").action) == ("other@1", "block")
    with pytest.raises(NotFoundError, match="other"):
        guarded.guardrails.get("other")


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({}, "lets everything pass"),
        ({"input": "mail"}, "give a list of rails"),
        ({"input": ["mial"]}, r"input\[0\]: no rail named 'mial'; did you mean 'mail'"),
        ({"input": ["mail", "word"]}, r"input\[1\]: rail 'word' needs word"),
        ({"input": [{"rail": "mail", "words": 1}]}, "no option named 'words'"),
        ({"input": ["mail", "mail"]}, "two rails are called 'mail'"),
        ({"input": [{"rail": "mail", "action": "stop"}]}, "no action named 'stop'"),
        ({"input": [{"rail": "mail", "on_error": "ajar"}]}, "no on_error named 'ajar'"),
        ({"input": [{"rail": "mail", "timeout_s": 0}]}, "above 0"),
        ({"input": [{"name": "x"}]}, "a rail is a name or a mapping"),
        ({"input": [{"rail": "word", "word": object}]}, "cannot be saved"),
        ({"input": [{"rail": "word", "word": "half \ud800"}]}, "cannot be saved"),
        ({"input": ["mail"], "budget_ms": -1}, "budget_ms"),
        ({"input": ["mail"], "blocked_text": " "}, "words of who is blocked"),
    ],
)
def test_what_is_no_policy_is_refused(ws, rails, said, words):
    """With the place; nothing is kept."""
    with pytest.raises((UsageError, NotFoundError), match=words):
        ws.guardrails.save("support", **said)
    assert len(ws.guardrails.list()) == 0


def test_a_rail_whose_package_is_absent_is_refused_when_it_is_saved(ws, rails):
    """With the line that installs it; what was saved where it is there fails here, and says so."""

    def absent(**_options):
        raise MissingDependencyError.of("ears", "guardrails")

    said = {"rail": "hears", "action": "flag"}
    rail(name="hears")(lambda _given: ())
    held = ws.guardrails.save("support", input=[said])
    rail(name="hears", check=absent)(lambda _given: ())
    with pytest.raises(MissingDependencyError, match=r"input\[0\]: ears is not installed: pip install"):
        ws.guardrails.save("support", input=[said])
    found = held.checker().check("input", "hello")
    assert (found.action, "pip install" in found.errors["hears"]) == ("block", True)


def test_moves_and_differences(guarded):
    """A rollback undoes a promotion; a difference is a line a rail."""
    guarded.guardrails.save("support", **NEXT)
    assert guarded.guardrails.check("support@production", "input", "a@b.eu").action == "redact"
    guarded.guardrails.promote("support", 2, to="production", reason="shorter")
    assert guarded.guardrails.check("support@production", "input", "a@b.eu").policy == "support@2"
    guarded.guardrails.rollback("support", reason="addresses got through")
    assert guarded.guardrails.check("support@production", "input", "a@b.eu").policy == "support@1"
    said = guarded.guardrails.diff("support", 1, 2)
    assert ("-input.mail:" in said, "+input.word:" in said, "-output.leaks" in said) == (True, True, True)
    assert guarded.guardrails.diff("support", 1, 1) == ""
    assert guarded.guardrails.verify() == ()


def test_a_policy_of_an_alias_checks_by_what_it_means_now(guarded):
    """One of a number by that version, whatever was promoted since; neither is carried by a pickle."""
    followed, pinned = guarded.guardrails.get("support@production"), guarded.guardrails.get("support@1")
    guarded.guardrails.save("support", **NEXT)
    guarded.guardrails.promote("support", 2, to="production")
    assert (followed.check("input", "").policy, pinned.check("input", "").policy) == ("support@2", "support@1")
    assert pickle.loads(pickle.dumps(followed)).check("input", "").policy == "support@1"


def test_a_rail_is_switched_off_and_on(guarded):
    """In all versions, for everybody who holds the policy; with a reason, in the audit chain."""
    held = guarded.guardrails.get("support@1")
    said = guarded.guardrails.switch_off("support", "attacks", reason="stops orders")
    assert (said.is_off, held.check("input", "attack").action) == (True, "allow")
    assert [one.rail for one in guarded.guardrails.switched_off("support")] == ["attacks"]
    guarded.guardrails.switch_on("support", "attacks", reason="mended")
    assert (held.check("input", "attack").action, guarded.guardrails.switched_off("support")) == ("block", ())
    events = guarded.sql("select action, subject from audit where action like 'policy.switch%'").fetchall()
    assert events == [("policy.switch_off", "support/attacks"), ("policy.switch_on", "support/attacks")]
    with pytest.raises(NotFoundError, match="did you mean 'attacks'"):
        guarded.guardrails.switch_off("support", "attack", reason="x")
    with pytest.raises(UsageError, match="needs a reason"):
        guarded.guardrails.switch_off("support", "attacks", reason="")


def test_a_protected_policy_takes_a_verdict_on_a_run_under_it(guarded):
    """Of a run that was noted under exactly this version, and of no other."""

    @scorer
    def fine(output):
        """Say yes."""
        return True

    guarded.guardrails.save("support", **NEXT)
    guarded.guardrails.protect("support")
    guarded.datasets.save("attacks", [{"input": "attack"}] * 3)
    runs = [guarded.evals.run(str.upper, "attacks", [fine], progress=False, name=name) for name in "ab"]
    verdicts = [guarded.evals.gate(one, criteria={"scorers": {"fine": {"min": 0.1}}}) for one in runs]
    guarded.guardrails.note_run(runs[0], "support@2")
    with pytest.raises(RefusedError, match="about no policy"):
        guarded.guardrails.promote("support", 2, to="production", evidence=verdicts[1])
    with pytest.raises(UsageError, match="ran under support@2"):
        guarded.guardrails.note_run(runs[0], "support@1")
    moved = guarded.guardrails.promote("support", 2, to="production", evidence=verdicts[0])
    assert (moved.is_moved, moved.evidence) == (True, (verdicts[0].verdict_id,))


def test_a_policy_whose_rail_is_not_here_fails_as_it_says(guarded):
    """It can be read and shown, and nothing passes unseen."""
    from lmops.guardrails.contract import KINDS

    held = guarded.guardrails.get("support@1")
    del KINDS._known["mail"]
    found = held.checker().check("input", "hello")
    assert (found.action, "no rail named 'mail'" in found.errors["mail"]) == ("block", True)
    assert "mail" in held.text


def test_while_the_store_cannot_be_read_a_policy_checks_as_before(guarded):
    """Somebody edited a switch past the audit chain: no rail is off because of that."""
    guarded.guardrails.switch_off("support", "leaks", reason="noise")
    held = guarded.guardrails.get("support@production")
    assert held.check("input", "attack").action == "block"
    with guarded.store.transaction() as con:
        con.execute("update guardrail_switches set rail = 'attacks'")
    guarded.guardrails._live._looked = 0.0
    with pytest.warns(DamagedSegmentWarning, match="guardrail_switches"):
        assert held.check("input", "attack").action == "block"
