"""``lmops guardrails``: policies in a shell."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from lmops.cli import main
from tests.guardrails.words import words


@pytest.fixture
def run(ws, tmp_path):
    """Run a command; return its exit code and what it printed. There is support@1, out of a file."""

    def run_it(*arguments, given=None):
        done = CliRunner().invoke(main, ["guardrails", *arguments, "--store", str(ws.store.path)], input=given)
        return done.exit_code, done.output

    path = tmp_path / "support.yaml"
    path.write_text("policy: support\ninput:\n- mail\n- {rail: word, word: attack}\nblocked_text: Not that.\n")
    with words():
        assert run_it("save", "support", str(path), "--reason", "first")[0] == 0
        yield run_it


def test_a_policy_is_shown_listed_and_compared(run, tmp_path):
    """Out of a file; in words and as JSON."""
    assert "input: mail, word" in run("list")[1]
    assert 'word="attack"' in run("show", "support")[1]
    shown = json.loads(run("show", "support@1", "--json")[1])
    assert (shown["ref"], shown["stages"]["input"][0]["rail"], "bound" in shown) == ("support@1", "mail", False)
    path = tmp_path / "next.yaml"
    path.write_text("output: [mail]\n")
    assert run("save", "support", str(path))[0] == 0
    assert "+output.mail" in run("diff", "support", "1", "2")[1]
    assert "mail" in run("rails")[1]
    path.write_text("outputs: [mail]\n")
    assert run("save", "support", str(path))[0] == 2


def test_a_text_is_checked(run):
    """The exit code says whether it is blocked; what restores it is printed nowhere."""
    code, said = run("check", "support", "input", "-", given="I am a@b.eu")
    assert (code, "[EMAIL_1]" in said, "a@b.eu" in said) == (0, True, False)
    code, said = run("check", "support", "input", "attack", "--json")
    found = json.loads(said)
    assert (code, found["action"], found["text"]) == (1, "block", "Not that.")
    assert found["verdicts"][1]["findings"] == [{"start": 0, "end": 6, "kind": "word", "score": None}]
    assert run("check", "support", "inputs", "x")[0] == 2


def test_switches_moves_files_and_rates(run, tmp_path):
    """As for routes."""
    assert run("promote", "support", "1", "--to", "production")[0] == 0
    assert "is off" in run("switch-off", "support", "word", "--reason", "too strict")[1]
    assert run("check", "support@production", "input", "attack")[0] == 0
    assert "too strict" in run("switched-off", "support")[1]
    assert "is on" in run("switch-on", "support", "word", "--reason", "mended")[1]
    assert "written" in run("sync", str(tmp_path / "files"))[1]
    assert run("verify")[0] == 0
    assert "no checks" in run("rates", "--by", "rail")[1]


def test_a_model_is_asked_through_a_policy(ws, run):
    """Of what is blocked the policy's words are printed, and the exit code says so."""
    asked = ["model", "complete", "standin:ferry-1", "attack", "--guardrails", "support", "--store", str(ws.store.path)]
    done = CliRunner().invoke(main, asked)
    assert (done.exit_code, done.stdout) == (1, "Not that.\n")


def test_a_policy_is_measured(run, ws):
    """Its card is shown and listed; a rail is named as well; without one a policy says that it is unmeasured."""
    ws.datasets.save("attacks", [{"input": "attack", "expected": 1}, {"input": "hello", "expected": 0}])
    assert "unmeasured" in run("show", "support")[1]
    code, said = run("card", "support@1", "attacks", "--json", "--least", "block")
    found = json.loads(said)
    assert (code, found["recall"][0], found["fpr"][0], found["n"]) == (0, 1.0, 0.0, 2)
    assert run("card", "mail", "attacks", "--quiet")[0] == 0
    assert "mail" in run("cards")[1]
    assert "mail" not in run("cards", "--subject", "support@1")[1]
    assert run("calibrate", "mail", "attacks", "--quiet")[0] == 2


def test_what_was_blocked_is_listed(run):
    """Nothing was; and nobody has said anything of it."""
    assert run("blocked", "--policy", "support")[1].strip() == "nothing was blocked"
    code, said = run("labeled")
    assert (code, "right, wrong" in said) == (2, True)
