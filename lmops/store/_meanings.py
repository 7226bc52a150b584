"""What the columns of the public views are: ``describe VIEW`` with a sentence for each."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from lmops.store._views import base_views, derived_views, view_names

if TYPE_CHECKING:
    from collections.abc import Iterable

_DESCRIBE: Final = re.compile(r"""\s*desc(?:ribe)?\s+(?P<quote>"?)(?P<view>\w+)(?P=quote)\s*;?\s*""", re.IGNORECASE)


def described_view(query: str) -> str | None:
    """Return the public view that a query asks to be described; None for every other question."""
    found = _DESCRIBE.fullmatch(query)
    name = found["view"].lower() if found else None
    return name if name in view_names() else None


def meanings(view: str) -> dict[str, str]:
    """Return what each column of a public view is; one made from others takes those of its first."""
    derived = derived_views().get(view)
    if derived is None:
        return {name: words for name, _, words in base_views()[view]}
    taken = {name: words for base in reversed(derived.bases) for name, words in meanings(base).items()}
    return taken | dict(derived.says)


def described_sql(view: str, columns: Iterable[tuple[str, str]]) -> str:
    """Return the query that answers with the columns of a view, each with its type and what it is."""
    said = meanings(view)
    rows = ", ".join(f"({_text(name)}, {_text(kind)}, {_text(said.get(name, ''))})" for name, kind in columns)
    return f"select * from (values {rows}) as described(column_name, column_type, meaning)"


def _text(words: str) -> str:
    return "'" + words.replace("'", "''") + "'"
