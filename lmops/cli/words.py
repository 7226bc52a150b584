"""How arguments of verbs are written in a shell: the options that every command says in the same way, and readers."""

from __future__ import annotations

import importlib
import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import click

from lmops.errors import UsageError, system_in_words

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

STORE = click.option("--store", metavar="PATH", help="The store's folder; found upward from here by default.")
QUIET = click.option("--quiet", is_flag=True, help="Show no progress.")
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
YES = click.option("--yes", is_flag=True, help="Do not ask; needed where nobody can be asked.")
ACTOR = click.option("--actor", "acting", metavar="NAME", help="Who acts; LMOPS_ACTOR or the system's user by default.")
REASON = click.option("--reason", metavar="TEXT", help="Why, for the audit chain.")
REDACT = click.option(
    "--redact",
    multiple=True,
    metavar="NAME",
    help="Mask before anything is kept: 'keys' for keys of known shapes and this process's own, or a policy of "
    "guardrails such as support@production; may be repeated.",
)

_FUNCTION: Final = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")
NOT_NEGATIVE: Final = click.IntRange(min=0)
AT_LEAST_1: Final = click.IntRange(min=1)
POSITIVE: Final = click.FloatRange(min=0, min_open=True)


class Word(NamedTuple):
    """How one argument of a verb is written in a shell; what is not said follows from its signature and docstring.

    Args:
        flags: Names of the option, such as ``("-s", "--scorer")``; ``--name`` by default.
        help: Its sentence.
        metavar: What stands for its value.
        type: What click checks its value by.
        read: From what was typed to what the verb takes.
        is_argument: It has a place and no name.
        is_many: May be repeated.
        default: Where it is not that of the verb.
        is_needed: Must be given, although the verb has a default.
    """

    flags: tuple[str, ...] = ()
    help: str = ""
    metavar: str | None = None
    type: click.ParamType[Any] | None = None
    read: Callable[[Any], Any] | None = None
    is_argument: bool = False
    is_many: bool | None = None
    default: Any = ...
    is_needed: bool = False


def pair(given: str, what: str) -> tuple[str, str]:
    """Return the two sides of ``NAME=VALUE``.

    Args:
        given: What was typed.
        what: What it should be, for the error.

    Raises:
        UsageError: It has no name or no equals sign.
    """
    name, equals, value = given.partition("=")
    if not equals or not name:
        raise UsageError(f"{given!r} is not {what}: write NAME=VALUE")
    return name, value


def pairs(what: str, *, convert: Callable[[str], Any] = str) -> Callable[[Sequence[str]], dict[str, Any] | None]:
    """Return what reads ``NAME=VALUE`` that may be repeated into a dict; None when there is none."""

    def read(given: Sequence[str]) -> dict[str, Any] | None:
        found = {}
        for one in given:
            name, value = pair(one, what)
            try:
                found[name] = convert(value)
            except ValueError as error:
                raise UsageError(f"{one!r} is not {what}: {error}") from None
        return found or None

    return read


def params(given: Sequence[str]) -> dict[str, Any] | None:
    """Return parameters of a model: JSON, and what is none as text."""
    found: dict[str, Any] = {}
    for text in given:
        name, sign, value = text.partition("=")
        if not sign or not name:
            raise UsageError(f"--param {text}: give NAME=VALUE, such as temperature=0")
        try:
            found[name] = json.loads(value)
        except json.JSONDecodeError:
            found[name] = value
    return found or None


def scorers(given: Sequence[str]) -> list[Any]:
    """Return scorers by their names, or by JSON with their options."""
    found: list[Any] = []
    for text in given:
        if not text.lstrip().startswith("{"):
            found.append(text)
            continue
        try:
            found.append(json.loads(text))
        except json.JSONDecodeError as error:
            raise UsageError(f"--scorer {text}: no JSON: {error}") from error
    return found


def task(text: str) -> Any:
    """Return a function for ``module:name``, else the text itself.

    Args:
        text: What was typed.

    Raises:
        UsageError: There is no such function.
    """
    if "@" in text or not _FUNCTION.fullmatch(text):
        return text
    module, _, names = text.partition(":")
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, here)
    try:
        found: Any = importlib.import_module(module)
        for name in names.split("."):
            found = getattr(found, name)
    except (ImportError, AttributeError) as error:
        raise UsageError(f"the task {text} cannot be loaded: {error}; the working directory is on the path") from error
    return found


def margins(given: Sequence[str]) -> float | dict[str, float] | None:
    """Return one margin for all scorers, or one for each that is named."""
    named: dict[str, float] = {}
    for text in given:
        name, sign, value = text.rpartition("=")
        try:
            number = float(value)
        except ValueError as error:
            raise UsageError(f"--margin {text}: give a number, or SCORER=NUMBER") from error
        if not sign:
            if len(given) > 1:
                raise UsageError("--margin: give one number for all scorers, or SCORER=NUMBER for each")
            return number
        named[name] = number
    return named or None


#: What is written in the same way wherever a verb has it, by the name of the argument.
COMMON: Final = {
    "allow_changed": Word(help="Compare although dataset or scorers are not the same version."),
    "allow_unmatched": Word(help="Compare the examples that both runs finished."),
    "alpha": Word(help="Probability of a false alarm.", type=click.FloatRange(0, 0.5, min_open=True, max_open=True)),
    "budget_usd": Word(help="Stop when so much is spent.", metavar="USD", type=POSITIVE),
    "cache": Word(help="Let models answer from their cache."),
    "concurrency": Word(help="Cases at a time.", metavar="N", type=AT_LEAST_1),
    "dataset": Word(("-d", "--dataset"), "The dataset.", "NAME[@N]"),
    "dry_run": Word(help="Check everything and change nothing."),
    "environment": Word(help="Only traces of this environment, such as production.", metavar="NAME"),
    "evaluations": Word(help="Count the traces of evaluations as well."),
    "last": Word(help="Back from now, or from the newest trace of an archive.", metavar="7d"),
    "limit": Word(help="Only the first N examples.", metavar="N", type=AT_LEAST_1),
    "margin": Word(
        help="The largest acceptable loss; for all scorers, or for one.",
        metavar="[SCORER=]LOSS",
        read=margins,
        is_many=True,
    ),
    "model": Word(help="The model to ask; that of the prompt by default.", metavar="MODEL"),
    "note": Word(help="Why there is a new version.", metavar="TEXT"),
    "params": Word(
        ("-p", "--param"), "A parameter of the model; may be repeated.", "NAME=JSON", read=params, is_many=True
    ),
    "reason": Word(help="Why, for the audit chain.", metavar="TEXT"),
    "repeats": Word(help="Times each is asked.", type=AT_LEAST_1),
    "scorers": Word(
        ("-s", "--scorer"),
        'A scorer by its name, or as JSON with its options: \'{"scorer": "regex", "pattern": "TL-[0-9]+"}\'.',
        "NAME",
        read=scorers,
        is_many=True,
    ),
    "seed": Word(help="Another seed, other random draws.", metavar="N"),
    "since": Word(help="From this time on: ISO time, UTC without a zone.", metavar="TIME"),
    "tags": Word(("--tag",), "A word to find it by; may be repeated.", "WORD", is_many=True),
    "timeout_s": Word(("--timeout",), "Most seconds for one attempt.", "SECONDS", POSITIVE),
    "until": Word(help="Before this time: ISO time, UTC without a zone.", metavar="TIME"),
}


def option(name: str, **_more: Any) -> Callable[[Any], Any]:
    """Return the option of :data:`COMMON` for a command that is written by hand.

    Args:
        name: The name of the argument.
        _more: What is not as there, as for ``click.option``.
    """
    word = COMMON[name]
    flags = word.flags or (f"--{name.replace('_', '-')}",)
    said = {"help": word.help, "metavar": word.metavar, "type": word.type, "multiple": bool(word.is_many)}
    return click.option(*flags, name, **(said | _more))


def json_file(given: str) -> Any:
    """Return what a file of JSON holds."""
    with system_in_words(given):
        text = Path(given).read_text("utf-8")
    try:
        return json.loads(text)
    except ValueError as error:
        raise UsageError(f"{given} is no JSON: {error}") from None


def content_file(thing: str, *, example: str) -> Callable[[str], dict[str, Any]]:
    """Return what reads the content of a thing out of a YAML or JSON file, without what the file says of its version.

    Args:
        thing: What one is called, such as "policy".
        example: A line of such a file.
    """

    def read(given: str) -> dict[str, Any]:
        import yaml

        with system_in_words(given):
            text = Path(given).read_text(encoding="utf-8")
        try:
            said = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise UsageError(f"{given} is no YAML: {error}") from error
        if not isinstance(said, dict):
            raise UsageError(f"{given}: it holds no {thing}: {example!r}")
        return {str(part): one for part, one in said.items() if part not in (thing, "version", "hash", "note")}

    return read
