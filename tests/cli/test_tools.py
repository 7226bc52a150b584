"""``lmops tool``: tools in a shell."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from lmops.cli import main

SHOP = 'def refund(order: str, amount: float = 5.0) -> str:\n    """Refund an order."""\n    return order\n'


@pytest.fixture
def run(ws, tmp_path, monkeypatch):
    """Run a command in a folder with a module; return its exit code and what it printed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "shop_of_tools.py").write_text(SHOP)

    def run_it(*arguments):
        done = CliRunner().invoke(main, ["tool", *arguments, "--store", str(ws.store.path)])
        return done.exit_code, done.output

    return run_it


def test_a_function_is_called_shown_and_offered(run):
    """Its version is kept; what does not fit is exit code 1."""
    code, text = run("call", "--from", "shop_of_tools:refund", '{"order": "A1"}')
    assert (code, "A1" in text) == (0, True)
    code, text = run("call", "--from", "shop_of_tools:refund", '{"x": 1}', "--json")
    assert (code, json.loads(text)["outcome"]) == (1, "invalid_arguments")
    assert run("call", "--from", "shop_of_tools:nothing")[0] == 2
    assert "Refund an order." in run("show", "refund")[1]
    assert json.loads(run("show", "refund@1", "--json")[1])["ref"] == "refund@1"
    assert "refund" in run("list")[1]
    assert json.loads(run("offered", "refund", "--dialect", "anthropic")[1])[0]["input_schema"]["required"] == ["order"]
    assert run("versions", "refund")[0] == run("verify")[0] == 0


def test_a_list_is_read_and_synced(run, tmp_path):
    """First to look, then to keep; two versions are compared."""
    path = tmp_path / "mcp.json"
    path.write_text(json.dumps({"tools": [{"name": "a", "description": "one"}]}))
    assert "yes" in run("read", str(path), "--dry-run")[1]
    assert "no tools" in run("list")[1]
    assert run("read", str(path))[0] == 0
    path.write_text(json.dumps({"tools": [{"name": "a", "description": "two"}]}))
    assert run("read", str(path))[0] == 0
    assert "+description: two" in run("diff", "a", "1", "2")[1]
    assert run("sync", str(tmp_path / "tools"))[0] == 0
    assert (tmp_path / "tools" / "a.yaml").exists()
    assert run("read", str(tmp_path / "none.json"))[0] == 2
