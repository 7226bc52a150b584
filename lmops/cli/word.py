"""``lmops word``: what the words of lmops mean."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import click

import lmops
from lmops.base.terminal import echo
from lmops.cli.opening import errors_in_words
from lmops.cli.printing import to_json
from lmops.cli.words import JSON
from lmops.errors import NotFoundError

_ENTRY: Final = re.compile(r"^- \*\*(?P<name>[^*]+)\*\*: (?P<meaning>.+)$", re.MULTILINE)
_INSIDE: Final = re.compile(r"\*\*([^*]+)\*\*")


def glossary() -> dict[str, str]:
    """Return the meaning of every word, in the order of the glossary; one that is explained with another has its."""
    package = Path(lmops.__file__).parent
    shipped = package / "_glossary.md"
    # an editable install runs from the source tree, where it is with the other pages
    path = shipped if shipped.is_file() else package.parent / "docs" / "glossary.md"
    found: dict[str, str] = {}
    for entry in _ENTRY.finditer(path.read_text(encoding="utf-8")):
        meaning = entry["meaning"]
        names = [*entry["name"].split(", "), *(name.lower() for name in _INSIDE.findall(meaning))]
        found |= dict.fromkeys(names, meaning.replace("**", "").replace("`", ""))
    return found


@click.command()
@click.argument("name", required=False)
@JSON
def word(name: str | None, as_json: bool) -> None:
    """Say what a word of lmops means, such as margin; without NAME, list all of them."""
    found = glossary()
    with errors_in_words(as_json=as_json):
        if name is not None:
            asked = name.lower().replace("_", "-")  # as an outcome or a column has it
            if asked not in found:
                raise NotFoundError.of("word", name, found)
            found = {asked: found[asked]}
    if as_json:
        echo(to_json(found))
        return
    for one, meaning in found.items():
        echo(f"{one}: {meaning}")
