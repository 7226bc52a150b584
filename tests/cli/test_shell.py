"""What an error says in a shell: the command that helps, where Python has a call."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

import lmops
from lmops.cli import main
from lmops.cli.shell import in_shell

SAID = {
    "ws.prompts.list() shows all": "lmops prompt list shows all",
    "ws.prompts.promote('greet', 2, to='house') makes it": "lmops prompt promote greet 2 --to house makes it",
    "give a verdict (ws.evals.gate(run, baseline))": "give a verdict (lmops eval gate RUN)",
    "see ws.sql('describe traces')": "see lmops sql 'describe traces'",
    "ws.traces.search(...) looks at the whole": "lmops search ... looks at the whole",
    "ws.traces.browse() shows them": "ws.traces.browse() shows them",
    "there is nothing": "there is nothing",
}


@pytest.mark.parametrize("said", SAID)
def test_a_call_that_has_a_command_is_said_as_that_command(said):
    """With its arguments as they are typed; a call without a command stays as it is."""
    assert in_shell(said, main) == SAID[said]


def test_no_error_of_the_package_names_a_call_that_a_shell_has():
    """Of all texts of the package that name a call, none does so in a shell where there is a command."""
    call = re.compile(r"\bws\.[a-z_.]+\((?:[^()\n]|\([^()\n]*\))*\)")
    sources = [path.read_text(encoding="utf-8") for path in Path(lmops.__file__).parent.rglob("*.py")]
    said = {found for source in sources for found in call.findall(source)}
    written = {one: in_shell(one, main) for one in said}
    assert sum(one != shown for one, shown in written.items()) > 20
    verbs = ("prompts.list", "prompts.promote", "evals.list", "evals.gate", "feedback.queues.reopen", "sql")
    left = [shown for shown in written.values() if shown.startswith(tuple(f"ws.{verb}(" for verb in verbs))]
    assert left == []


def test_a_command_that_fails_says_the_command_that_helps(tmp_path):
    """An unknown prompt is answered with the command that lists prompts, in text and in JSON."""
    store = str(tmp_path / ".lmops")
    with lmops.open(store) as ws:
        ws.prompts.save("greet", "Hello")
    for more in ((), ("--json",)):
        found = CliRunner().invoke(main, ["prompt", "show", "gret", "--store", store, *more])
        assert found.exit_code == 2
        assert "lmops prompt list shows all" in found.output
        assert "ws." not in found.output
