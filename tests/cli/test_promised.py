"""The commands that were released keep their names, arguments, options and defaults; new ones may come."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from lmops.cli import main

PROMISED = Path(__file__).with_name("promised.txt").read_text(encoding="utf-8").splitlines()


def commands(group=main, path=()):
    """Yield the path of every command and the command."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


def written(parameter):
    """Return the words by which a parameter is promised: ``NAME``, ``[NAME]``, ``NAME...``, ``--opt``, ``--flag?``."""
    many = "..." * (parameter.nargs == -1 or parameter.multiple)
    if isinstance(parameter, click.Argument):
        name = parameter.make_metavar(click.Context(main)).strip("[].")
        return [f"{name}{many}" if parameter.required else f"[{name}{many}]"]
    kind = "?" if parameter.is_flag else "!" if parameter.required else many
    default = parameter.to_info_dict()["default"]
    said = "" if default in (None, ()) or parameter.is_flag or parameter.required else f"={default}"
    return [f"{name}{kind}{said}" for name in [*parameter.opts, *parameter.secondary_opts]]


def line_of(path, command):
    """Return a command as one line of the list: its path, arguments, options, and the exit codes its help names."""
    arguments = [p for p in command.params if isinstance(p, click.Argument)]
    options = [p for p in command.params if isinstance(p, click.Option)]
    words = [word for one in arguments for word in written(one)]
    codes = re.findall(r"(?<![\w@.-])[13](?![\w.%])", command.help)
    return " ".join([path, "|", *words, *sorted(word for one in options for word in written(one)), *sorted({*codes})])


@pytest.mark.parametrize("line", PROMISED, ids=lambda line: line.partition(" |")[0])
def test_a_command_is_as_it_was_promised(line):
    """Every argument in its place and every option under its name, as often, needed or not, with its default."""
    path = line.partition(" |")[0]
    command = dict(commands())[path]
    assert is_kept(line, line_of(path, command)), line_of(path, command)


def is_kept(promised, found):
    """Return whether what was promised is there: the same arguments, at least the options and exit codes."""
    named = [{word for word in line.split() if word[0] in "-13"} for line in (promised, found)]
    others = [[word for word in line.split() if word[0] not in "-13"] for line in (promised, found)]
    return others[0] == others[1] and named[0] <= named[1]


@pytest.mark.parametrize(
    "found",
    ["a | [X] --y 1", "a | X --z 1", "a | X --y? 1", "a | X --y=2 1", "a | X W --y 1", "a | X --y 3"],
)
def test_what_is_not_kept_is_seen(found):
    """An argument that is no longer needed, an option that is gone or is a flag, another exit code: not the same."""
    assert is_kept("a | X --y 1", "a | X --new --y 1 3")
    assert not is_kept("a | X --y 1", found)
