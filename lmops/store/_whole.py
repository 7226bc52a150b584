"""Functions of SQL that see a text whole where a row keeps only its beginning; searches use them.

``whole_text(text, 'input')`` is a long text of a span (column input, output, attributes, events or documents) out of
its blob, ``whole_said(text, 'input', shown)`` what a span says where ``shown``, the preview of its trace, is cut.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from lmops.store._long import KEY, resolve
from lmops.store._overlay import PREVIEW_CHARS, preview, said

if TYPE_CHECKING:
    from collections.abc import Container

    import duckdb

    from lmops.store._blobs import Blobs

#: A query without this word needs none of the functions.
WORD: Final = "whole_"
#: For plans, which read no row.
MACROS: Final = (
    "create macro whole_text(kept, of) as kept::VARCHAR",
    "create macro whole_said(kept, of, shown) as concat(kept::VARCHAR, shown::VARCHAR)",
)
_ROLES: Final = {"input": "user", "output": "assistant"}


#: A condition on what a text holds, of a column that is a preview in ``traces``.
_LOOKS: Final = re.compile(
    r"\b(?:input|output)\"?\s*\)*\s*(?:(?:not\s+)?(?:i?like|glob|similar\s+to)\b|!?~~?\*?|\^@)"
    r"|\b(?:contains|starts_with|ends_with|prefix|suffix|instr|position|strpos|regexp_\w+|like_escape|ilike_escape)\s*"
    r"\([^']*?\b(?:input|output)\b",
    re.IGNORECASE,
)
NOTE: Final = (
    f"input and output of traces hold the first {PREVIEW_CHARS:,} characters, and this looked at no more: "
    "ws.traces.search(...) looks at the whole, and so do input and output of spans"
)


def note_of(query: str, views: Container[str]) -> str:
    """Return the sentence that a question looked for a text in previews; "" for any other question."""
    is_part = "traces" in views and "spans" not in views and WORD not in query
    return NOTE if is_part and _LOOKS.search(query) else ""


def whole_sql(column: str, sql: str) -> str:
    """Return the SQL of a span's column as it was before it was shortened."""
    return f"case when contains({sql}, '{KEY}') then whole_text({sql}, '{column}') else {sql} end"


def is_cut_sql(sql: str) -> str:
    """Return the condition that a preview ends before its text, or is of a text whose long parts are in a blob."""
    is_short = f"length({sql}) = {PREVIEW_CHARS} and ends_with({sql}, '\u2026')"
    return f"coalesce({is_short} or contains({sql}, '{KEY}'), false)"


def teach(con: duckdb.DuckDBPyConnection, blobs: Blobs) -> None:
    """Make the functions known to a database."""
    from duckdb.func import FunctionNullHandling

    def whole_text(kept: str | None, of: str) -> str | None:
        return kept if kept is None or KEY not in kept else str(resolve({of: kept}, blobs)[of])

    def whole_said(kept: str | None, of: str, shown: str | None) -> str | None:
        text = whole_text(kept, of)
        if text is None or shown is None:
            return None
        found = said(text, _ROLES[of])
        is_shown = found.startswith(shown[: PREVIEW_CHARS - 1]) or shown == preview(kept, _ROLES[of])
        return found if is_shown else None

    con.create_function(
        "whole_text", whole_text, ["VARCHAR"] * 2, "VARCHAR", null_handling=FunctionNullHandling.SPECIAL
    )
    con.create_function(
        "whole_said", whole_said, ["VARCHAR"] * 3, "VARCHAR", null_handling=FunctionNullHandling.SPECIAL
    )
