"""Commands out of the verbs of the nouns: their signature, annotations and docstring, and a small table of words.

An argument of a verb that has no default is an argument of the command; every other is an option: a flag when it is a
bool, repeated when it takes several, with the default of the verb. A new argument of a verb is offered by its command
at once. What reads better otherwise in a shell is said as a :class:`~lmops.cli.words.Word`.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import operator
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import click

from lmops.cli.opening import ask_first, end, end_like_an_interrupt, interruptible, workspace
from lmops.cli.printing import print_frame, print_record
from lmops.cli.words import ACTOR, COMMON, JSON, QUIET, STORE, YES, Word

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

#: Not for a shell: who acts is asked for every command that changes something, the others are of notebooks.
_LEFT_OUT: Final = frozenset(("self", "actor", "height", "progress", "grace_s", "now_ns"))
#: What stands for a number, by click's name of its type.
_METAVARS: Final = {"integer": "N", "float": "NUMBER"}
_LITERAL: Final = re.compile(r"""["']([^"']+)["']""")
_ARGUMENT: Final = re.compile(r" {4}(?P<name>\w+): (?P<text>.*)")


class Noun(click.Group):
    """A group whose commands are made when they are first asked for, so that ``lmops --help`` loads no room.

    Args:
        name: Name of the group.
        place: Where its commands are, ``module:NAME``.
        help: Its sentence.
    """

    def __init__(self, name: str, place: str, help: str) -> None:  # click's name for it
        self._place = place
        self._made: dict[str, click.Command] | None = None
        super().__init__(name=name, help=help)

    @property
    def commands(self) -> dict[str, click.Command]:
        """The commands by their names."""
        if self._made is None:
            module, _, name = self._place.partition(":")
            said: list[click.Command | Verb] = getattr(importlib.import_module(module), name)
            made = [one.command() if isinstance(one, Verb) else one for one in said]
            self._made = {str(one.name): one for one in made}
        return self._made

    @commands.setter
    def commands(self, _given: object) -> None:  # click's constructor sets it
        return


@dataclass(frozen=True, kw_only=True)
class Verb:
    """One verb of a noun, and what its command says of it.

    Args:
        noun: The attribute of the workspace that has the verb, such as "prompts" or "feedback.queues".
        verb: The method.
        name: Of the command; that of the verb by default.
        help: What it does, and the exit codes beside 0 and 2.
        example: A command that somebody would type.
        words: How its arguments are written, where :data:`COMMON` and the verb itself do not say it.
        of: The argument of what makes the noun, where it is made for one thing; it comes first.
        leave_out: Arguments that are not offered.
        acts: It changes something: ``--actor`` says who.
        makes_store: It makes a store where there is none.
        takes_long: It can be interrupted, and shows how far it is where the verb can.
        empty: It returns a frame; what is said when that has no row.
        plan: It removes what cannot be had again: what is printed of its dry run. The command asks then, or needs
            ``--yes``.
        text: What is printed of what the verb returns.
        data: What ``--json`` prints of it; its fields by default.
        code: The exit code that follows from it.
    """

    noun: str = field(kw_only=False)
    verb: Callable[..., Any] = field(kw_only=False)
    name: str | None = field(default=None, kw_only=False)
    help: str
    example: str = ""
    words: Mapping[str, Word] = field(default_factory=dict)
    of: str | None = None
    leave_out: Collection[str] = ()
    acts: bool = False
    makes_store: bool = False
    takes_long: bool = False
    empty: str | None = None
    plan: Callable[[Any], str] | None = None
    text: Callable[[Any], str] = repr
    data: Callable[[Any], Any] | None = None
    code: Callable[[Any], int] = lambda _found: 0

    def command(self) -> click.Command:
        """Return its command."""
        documented = _arguments(self.verb)
        name = self.name or self.verb.__name__.replace("_", "-")
        epilog = f"Example: {self.example}" if self.example else None
        made = click.command(name=name, help=self.help, epilog=epilog)(self._run)
        made.params = [] if self.of is None else [click.Argument([self.of], metavar=self.of.upper())]
        made.params += [_parameter(one, self._word(one), documented.get(one.name, "")) for one in self._shown()]
        progress = (QUIET,) if self._shows_progress() else ()
        sure = (YES,) if self.plan else ()
        for one in (*sure, *progress, *((ACTOR,) if self.acts else ()), STORE, JSON):
            made = one(made)
        return made

    def _run(
        self,
        store: str | None,
        as_json: bool,
        *,
        acting: str | None = None,
        quiet: bool = False,
        yes: bool = False,
        **given: Any,
    ) -> None:
        if self.takes_long:
            end_like_an_interrupt()
        with workspace(store, as_json=as_json, must_exist=not self.makes_store, actor=acting) as ws:
            taken = {one.name: _read(one, self._word(one), given[one.name]) for one in self._shown()}
            if self._shows_progress():
                taken["progress"] = not (quiet or as_json)
            noun = operator.attrgetter(self.noun)(ws)
            noun = noun if self.of is None else noun(given[self.of])
            method = functools.partial(getattr(noun, self.verb.__name__), **taken)
            if self.plan is not None and not (yes or taken["dry_run"]):
                ask_first(self.plan(method(dry_run=True)))
            found = interruptible(method, as_json=as_json) if self.takes_long else method()
            if self.empty is not None:
                print_frame(found, as_json=as_json, empty=self.empty)
            else:
                text = self.plan if self.plan is not None and taken["dry_run"] else self.text
                print_record(found, as_json=as_json, text=text, data=self.data)
            end(self.code(found))

    def _shown(self) -> list[inspect.Parameter]:
        """Return the arguments of the verb that its command has."""
        hidden = {*self.leave_out, *(_LEFT_OUT - set(self.words))}
        return [one for one in inspect.signature(self.verb).parameters.values() if one.name not in hidden]

    def _word(self, one: inspect.Parameter) -> Word:
        return self.words.get(one.name) or COMMON.get(one.name) or Word()

    def _shows_progress(self) -> bool:
        return self.takes_long and "progress" in inspect.signature(self.verb).parameters


def _parameter(one: inspect.Parameter, word: Word, documented: str) -> click.Parameter:
    """Return the argument or option of one argument of a verb."""
    kinds = {part.strip() for part in str(one.annotation).split("|")}
    several = any(kind.startswith(("Sequence", "Iterable")) for kind in kinds)
    is_many = several if word.is_many is None else word.is_many
    is_needed = word.is_needed or one.default is one.empty
    if word.is_argument or (one.default is one.empty and one.kind is one.POSITIONAL_OR_KEYWORD and not word.flags):
        default = {} if is_needed or is_many else {"default": one.default}
        return click.Argument(
            [one.name], nargs=-1 if is_many else 1, required=is_needed, metavar=word.metavar, type=word.type, **default
        )
    written = one.name.replace("_", "-")
    flags = word.flags or (f"--{written.removesuffix('s') if is_many else written}",)
    options: dict[str, Any] = {"help": word.help or documented, "metavar": word.metavar}
    if "bool" in kinds:
        flags = word.flags or (f"--{'no-' if one.default is True else ''}{written}",)
        is_on = one.default is not True
        return click.Option([*flags, one.name], is_flag=True, default=not is_on, flag_value=is_on, **options)
    value = None if one.default is one.empty else one.default if word.default is ... else word.default
    if is_many:
        return click.Option([*flags, one.name], multiple=True, required=is_needed, **options)
    checked = word.type or _type(kinds, str(one.annotation))
    options["metavar"] = word.metavar or _METAVARS.get(getattr(checked, "name", "").removesuffix(" range"))
    return click.Option(
        [*flags, one.name],
        type=checked,
        required=is_needed,
        default=value,
        show_default=value not in (None, ""),
        **options,
    )


def _type(kinds: set[str], annotation: str) -> click.ParamType[Any] | None:
    """Return what checks a value: one word of several, a whole number, a number, else any text."""
    if annotation.startswith("Literal"):
        return click.Choice(_LITERAL.findall(annotation))
    if "int" in kinds and "str" not in kinds:
        return click.INT
    if "float" in kinds and not any(kind.startswith("Mapping") for kind in kinds):
        return click.FLOAT
    return None


def _read(one: inspect.Parameter, word: Word, value: Any) -> Any:
    """Return what a verb takes for what was typed; its own default for several that were not given."""
    if value == () and one.default is not one.empty:
        return one.default
    return value if word.read is None or value is None else word.read(value)


def _arguments(verb: Callable[..., Any]) -> dict[str, str]:
    """Return the first sentence on each argument out of a docstring."""
    said: dict[str, str] = {}
    name = ""
    for line in (inspect.getdoc(verb) or "").partition("\nArgs:\n")[2].partition("\n\n")[0].splitlines():
        found = _ARGUMENT.match(line)
        name = found["name"] if found else name
        said[name] = f"{said.get(name, '')} {line.strip()}".strip() if not found else found["text"]
    return {name: f"{text.partition('. ')[0].rstrip('.')}.".replace("``", "") for name, text in said.items()}
