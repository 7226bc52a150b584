"""``lmops prompt`` and ``lmops audit``: what they print, and how they exit."""

import json

import pytest
from click.testing import CliRunner

import lmops
from lmops.cli import main


@pytest.fixture
def run(ws, monkeypatch):
    """Run a command on a store with three versions, the second in production."""
    for number in (1, 2, 3):
        ws.prompts.save("greet", f"Hello {{{{ name }}}}, take {number}", note=f"note {number}")
    for number in (1, 2):
        ws.prompts.promote("greet", number, to="production", reason=f"release {number}")
    monkeypatch.setenv("LMOPS_ACTOR", "ada")

    def run(*words, code=0, stdin=None):
        command = [str(word) for word in words] + ["--store", str(ws.store.path)]
        found = CliRunner().invoke(main, command, input=stdin)
        assert found.exit_code == code, (found.output, found.exception)
        return found.output

    return run


def test_list_show_and_history(run):
    """Tables for people, JSON for programs."""
    assert run("prompt", "list").splitlines()[1].split()[:3] == ["greet", "3", "production=2"]
    assert json.loads(run("prompt", "list", "--json"))[0]["newest"] == 3
    shown = run("prompt", "show", "greet@production")
    assert "version: 2\n" in shown
    assert shown.endswith("Hello {{ name }}, take 2\n")
    assert json.loads(run("prompt", "show", "greet", "--json"))["ref"] == "greet@3"
    lines = run("prompt", "history", "greet").splitlines()
    assert len(lines) == 3
    assert "release 2" in lines[2]
    assert [row["to"] for row in json.loads(run("prompt", "history", "greet", "--json"))] == [1, 2]
    assert "greet@2" in run("prompt", "at", "greet@production", "2099-01-01")


def test_diff_and_compare(run):
    """Words of the text and numbers of the traces."""
    assert "+   1  Hello {{ name }}, take 3" in run("prompt", "diff", "greet", "production", "3")
    assert json.loads(run("prompt", "diff", "greet", "1", "2", "--json"))["stats"]["changed"] == 1
    assert "no trace used greet@1" in run("prompt", "compare", "greet", "1", "2")
    assert len(json.loads(run("prompt", "compare", "greet", "1", "2", "--json"))["measures"]) == 14


def test_save_from_a_file_or_standard_input(run, ws, tmp_path):
    """A template, or a prompt file; options win."""
    (tmp_path / "t.txt").write_text("Hey {{ name }}\n")
    given = ["--model", "openai:m", "--param", "temperature=0", "--note", "why", "--tag", "x", "--actor", "bob"]
    assert "(new)" in run("prompt", "save", "greet", tmp_path / "t.txt", *given)
    saved = ws.prompts.get("greet")
    assert (saved.template, saved.model, saved.params, saved.author) == (
        "Hey {{ name }}",
        "openai:m",
        {"temperature": 0},
        "bob",
    )
    text = "---\nparams: {n: 1}\n---\n<!-- role: system -->\nBe brief.\n<!-- role: user -->\n{{ q }}\n"
    assert json.loads(run("prompt", "save", "chat", "-", "--json", stdin=text))["variables"] == ["q"]
    assert "nothing new" in run("prompt", "save", "chat", "-", stdin=text)
    assert "cannot be read" in run("prompt", "save", "chat", tmp_path / "none", code=2)
    assert "no JSON" in run("prompt", "save", "chat", "-", "--param", "a=b", code=2, stdin="x")
    assert "line 1: not a valid template" in run("prompt", "save", "chat", "-", code=2, stdin="{{ x")


def test_promote_and_roll_back(run, ws):
    """With the actor of the environment; a dry run first; conflicts exit with 1."""
    assert "dry run" in run("prompt", "promote", "greet", "3", "--to", "production", "--dry-run")
    assert "2 -> 3" in run("prompt", "promote", "greet", "3", "--to", "production", "--reason", "r", "--expected", "2")
    assert "is 3 already" in run("prompt", "promote", "greet", "latest", "--to", "production")
    assert "tester moved it" not in run(
        "prompt", "promote", "greet", "1", "--to", "production", "--expected", "2", code=1
    )
    moved = json.loads(run("prompt", "rollback", "greet", "--reason", "bad", "--json"))
    assert (moved["from_version"], moved["to_version"], moved["actor"]) == (3, 2, "ada")
    run("prompt", "rollback", "greet", "--reason", "bad", "--actor", "bob")
    assert "nothing to roll back to" in run("prompt", "rollback", "greet", "--reason", "bad", code=2)
    assert ws.prompts.history("greet")["actor"].tolist() == ["tester", "tester", "ada", "ada", "bob"]
    run("prompt", "rollback", "greet", code=2)


def test_protected_aliases(run):
    """Refused without evidence: exit code 2; forced with a reason."""
    assert "greet@production is protected" in run("prompt", "protect", "greet")
    assert "needs evidence" in run("prompt", "promote", "greet", "3", "--to", "production", code=2)
    assert "FORCED" in run("prompt", "promote", "greet", "3", "--to", "production", "--force", "--reason", "r")
    assert json.loads(run("prompt", "protect", "greet", "--off", "--json"))["is_changed"] is True


def test_sync_render_and_verify(run, tmp_path):
    """A conflict exits with 1 and is settled by naming a side."""
    folder = tmp_path / "prompts"
    assert "written" in run("prompt", "sync", folder)
    path = folder / "greet.prompt.md"
    path.write_text(path.read_text().replace("Hello", "Hi"))
    run("prompt", "save", "greet", "-", stdin="Hey {{ name }}")
    assert "conflict" in run("prompt", "sync", folder, code=1)
    assert json.loads(run("prompt", "sync", folder, "--dry-run", "--json", code=1))["ok"] is False
    assert "saved" in run("prompt", "sync", folder, "--take", "greet=file")
    assert run("prompt", "render", "greet", "name=Ada") == "[user]\nHi Ada, take 3\n"
    assert json.loads(run("prompt", "render", "greet", "name=A=B", "--json"))[0]["content"] == "Hi A=B, take 3"
    assert "needs variable 'name'" in run("prompt", "render", "greet", code=2)
    assert "every version and alias is what was saved" in run("prompt", "verify")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("show", "gret"), "did you mean 'greet'"),
        (("show", "greet@prod"), "did you mean 'production'"),
        (("diff", "greet", "1", "9"), "versions 1 to 3"),
        (("promote", "greet", "9", "--to", "production"), "versions 1 to 3"),
        (("render", "greet", "name"), "write NAME=VALUE"),
        (("sync", "x", "--take", "greet"), "write NAME=VALUE"),
    ],
)
def test_what_is_not_there_exits_with_2(run, words, said):
    """One line that names the nearest choice; as JSON as well."""
    assert said in run("prompt", *words, code=2)
    assert said.replace("'", "'") in json.loads(run("prompt", *words, "--json", code=2))["error"]


def test_audit_commands(run, ws, tmp_path):
    """Verify, report, export, and the check of an export without a store."""
    head = run("audit", "head").strip()
    assert "5 events" in run("audit", "verify", "--anchor", head)
    assert "anchor" in run("audit", "verify", "--anchor", "x", code=2)
    assert "release 2" in run("audit", "report", "--subject", "greet", "--action", "prompt.promote")
    assert "| event |" in run("audit", "report", "--format", "markdown")
    assert "<table" in run("audit", "report", "--format", "html")
    assert len(json.loads(run("audit", "report", "--json"))["events"]) == 5
    path = tmp_path / "audit.jsonl"
    assert "5 events" in run("audit", "export", path)
    found = CliRunner().invoke(main, ["audit", "verify", "--export", str(path), "--anchor", head])
    assert (found.exit_code, "whole, 5 events" in found.output) == (0, True)
    path.write_text(path.read_text().replace("release 2", "release 9"))
    assert CliRunner().invoke(main, ["audit", "verify", "--export", str(path)]).exit_code == 1
    assert CliRunner().invoke(main, ["audit", "verify", "--export", str(tmp_path / "none")]).exit_code == 2


def test_commands_that_look_make_no_store(tmp_path):
    """In the wrong folder they say so."""
    for words in (["prompt", "list"], ["prompt", "rollback", "x", "--reason", "r"], ["audit", "report"]):
        found = CliRunner().invoke(main, [*words, "--store", str(tmp_path / "none")])
        assert (found.exit_code, "no store" in found.output) == (2, True)
    assert not (tmp_path / "none").exists()
    assert lmops.__version__
