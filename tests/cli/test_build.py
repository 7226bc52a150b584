"""A command follows from the signature and the docstring of its verb."""

from __future__ import annotations

import contextlib
import json
import re
import shlex
from types import SimpleNamespace
from typing import TYPE_CHECKING

import click
import pytest
from click.testing import CliRunner

from lmops.cli import build, main
from lmops.cli.build import Verb
from lmops.cli.words import Word
from tests.cli.test_promised import commands

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Literal


class Boats:
    """A noun."""

    def sail(
        self,
        name: str,
        ports: Sequence[str],
        *,
        knots: float = 8.5,
        crew: int | None = None,
        flags: Sequence[str] = ("white",),
        rig: Literal["sloop", "ketch"] = "sloop",
        is_fast: bool = False,
        lights: bool = True,
        cargo: Mapping[str, str] | None = None,
        height: int = 560,
        actor: str | None = None,
    ) -> dict[str, object]:
        """Return what was asked.

        Args:
            name: The boat. Not said in a shell.
            ports: Where it
                calls.
            knots: Speed in ``knots``.
            crew: How many.
            flags: What it flies.
            rig: One of two.
            is_fast: Whether it hurries.
            lights: Whether it is lit.
            cargo: What it carries.
            height: Of a view.
            actor: Who sails.
        """
        del self, height
        return {key: value for key, value in locals().items() if key not in ("self", "height")} | {"code": crew}


@pytest.fixture
def sail(monkeypatch):
    """Return a function that runs the command of a verb."""

    @contextlib.contextmanager
    def opened(_store, *, actor, **_options):
        yield SimpleNamespace(boats=Boats(), actor=actor)

    monkeypatch.setattr(build, "workspace", opened)

    def run(*words, **options):
        made = Verb("boats", Boats.sail, help="Sail.", code=lambda found: found["code"] or 0, **options).command()
        return CliRunner().invoke(made, list(words))

    return run


def test_defaults_are_those_of_the_verb(sail):
    """What is not given is what the verb takes by itself."""
    found = json.loads(sail("Anna", "Skarholm", "--json").output)
    assert (found["name"], found["ports"], found["knots"], found["crew"]) == ("Anna", ["Skarholm"], 8.5, None)
    assert (found["flags"], found["rig"], found["is_fast"], found["lights"]) == (["white"], "sloop", False, True)


def test_options_follow_from_the_signature(sail):
    """Numbers, several, one of several, switches on and off."""
    words = (
        "--knots",
        "3",
        "--flag",
        "red",
        "--flag",
        "blue",
        "--rig",
        "ketch",
        "--is-fast",
        "--no-lights",
        "--crew",
        "3",
    )
    found = sail("Anna", "Skarholm", "Ulvoe", *words, "--json")
    said = json.loads(found.output)
    assert (said["ports"], said["knots"], said["flags"]) == (["Skarholm", "Ulvoe"], 3.0, ["red", "blue"])
    assert (said["rig"], said["is_fast"], said["lights"]) == ("ketch", True, False)
    assert found.exit_code == 3


@pytest.mark.parametrize("words", [("--rig", "raft"), ("--knots", "fast"), ("--crew", "1.5"), ("--height", "9"), ()])
def test_what_does_not_fit_is_refused(sail, words):
    """Another word, no number, an argument of views, an argument that is missing."""
    assert sail("Anna", *(["Skarholm", *words] if words else [])).exit_code == 2


def test_help_is_the_first_sentence_of_each_argument(sail):
    """Without the marks of code; defaults are said."""
    page = sail("--help").output
    assert "Speed in knots." in page
    assert "[default: 8.5]" in page
    assert "--height" not in page
    assert "--actor" not in page


def test_words_change_how_it_is_written(sail):
    """Another name, another sentence, a reader; the actor as a filter."""
    words = {
        "crew": Word(("-n", "--hands"), "Hands on deck."),
        "actor": Word(("--by",)),
        "cargo": Word(is_many=True, read=len),
    }
    found = json.loads(
        sail("A", "B", "-n", "0", "--by", "me", "--cargo", "x", "--cargo", "y", "--json", words=words).output
    )
    assert (found["crew"], found["actor"], found["cargo"]) == (0, "me", 2)


COMMANDS = [pytest.param(command, id=path) for path, command in commands()]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_speaks_of_the_shell(command):
    """Every option has a sentence, and none the words of Python."""
    texts = [str(one.help) for one in command.params if isinstance(one, click.Option)]
    for text in [command.help, *texts]:
        assert text.strip().endswith("."), text
        assert not re.search(r"``|:meth:|\bws\.|None|frame|a record|mapping|datetime|As for", text), text


EXAMPLES = [pytest.param(path, one, id=path) for path, one in commands() if one.epilog]


@pytest.mark.parametrize(("path", "command"), EXAMPLES)
def test_examples_can_be_typed(path, command):
    """An example names its own command, and every argument and option of it is there."""
    words = shlex.split(command.epilog.removeprefix("Example: "))
    begin = ["lmops", *path.split()]
    assert words[: len(begin)] == begin
    command.make_context(command.name, words[len(begin) :])


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_prints_json(command):
    """A program can read what any of them says."""
    assert "--json" in [flag for one in command.params for flag in one.opts]


def test_the_first_page_loads_no_room():
    """`lmops --help` is quick: commands of a noun are made when they are asked for."""
    import subprocess
    import sys

    code = "import sys\nfrom lmops.cli import main\ntry: main(['--help'])\nexcept SystemExit: print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "dataset" in done.stdout
    loaded = set(done.stdout.splitlines()[-1].split())
    assert loaded & {"lmops.prompts", "lmops.evals", "lmops.store", "lmops.workspace", "duckdb"} == set()


def test_every_noun_has_its_commands():
    """What hangs on a workspace can be asked from a shell."""
    assert set(main.commands) >= {"trace", "prompt", "dataset", "model", "eval", "runbook", "audit", "store"}
