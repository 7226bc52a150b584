"""The answer to a question, which whoever waits for it can stop also while it is read."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final

from lmops.store._frames import frame_of
from lmops.store._limits import Asking
from lmops.text import escape, no_maths

if TYPE_CHECKING:
    import duckdb

#: In the ``attrs`` of a frame: the sentences that say what was left out.
LEFT_OUT: Final = "left_out"


class Answer:
    """A relation of DuckDB, with all that one can do; Ctrl+C and a time limit end it, and it says what it lacks.

    A relation is worked out when it is read, shown or converted, inside DuckDB, which looks for neither.
    """

    __slots__ = ("_cursor", "_relation", "_timeout_s", "left_out", "note")

    def __init__(
        self,
        relation: duckdb.DuckDBPyRelation,
        cursor: duckdb.DuckDBPyConnection,
        timeout_s: float | None,
        left_out: tuple[str, ...] = (),
        note: str = "",
    ) -> None:
        self._relation = relation
        self._cursor = cursor
        self._timeout_s = timeout_s
        #: what could not be read, one sentence each; frames have it in ``attrs["left_out"]``
        self.left_out = left_out
        #: what the question looked at in part only; frames have it in ``attrs["note"]``
        self.note = note

    def __getattr__(self, name: str) -> Any:  # what a relation has
        """Return what the relation has, stoppable and still an answer."""
        if name in Answer.__slots__ or name == "_repr_mimebundle_":
            raise AttributeError(name)  # a copy in the making; what a notebook shows is ``_repr_html_``
        if name == "shape":  # the one attribute that runs the query
            return self._do(getattr, self._relation, name)
        found = getattr(self._relation, name)
        if not callable(found):
            return self._still(found)

        @functools.wraps(found)
        def stoppable(*args: Any, **options: Any) -> Any:  # what the method takes
            return self._do(found, *map(_plain, args), **{key: _plain(value) for key, value in options.items()})

        return stoppable

    def df(self, *, date_as_object: bool = False) -> Any:  # a frame of pandas
        """Return all rows as a frame."""
        made = self._do(frame_of, self._relation)
        return self._do(self._relation.df, date_as_object=date_as_object) if made is None else made

    fetchdf = to_df = df

    def _do(self, call: Any, *args: Any, **options: Any) -> Any:  # any method of a relation
        with Asking(self._cursor, self._timeout_s, is_for_somebody=True):
            return self._still(call(*args, **options))

    def _still(self, found: Any) -> Any:  # anything that a relation gives
        """Return a relation as an answer, a frame of pandas as one that a notebook shows, anything else as it is."""
        if isinstance(found, type(self._relation)):
            if found is self._relation:
                return self
            return Answer(found, self._cursor, self._timeout_s, self.left_out, self.note)
        if isinstance(getattr(found, "attrs", None), dict):
            from lmops.base.frames import Frame

            found = Frame(found)
            if self.left_out:
                found.attrs[LEFT_OUT] = list(self.left_out)
            if self.note:
                found.attrs["note"] = self.note
        return found

    def __repr__(self) -> str:
        """Show the first rows, and say what is not among them."""
        shown = str(self._do(repr, self._relation))
        lacks = self._lacks()
        return "\n".join([shown.rstrip(), *lacks]) if lacks else shown

    def _repr_html_(self) -> str:
        """Show the first rows in a notebook, where "$" is no formula, and say what is not among them."""
        table = self._do(self._relation._repr_mimebundle_)["text/html"]  # what notebooks ask for
        return no_maths(table) + "".join(f"<p>{escape(words)}</p>" for words in self._lacks())

    def _lacks(self) -> list[str]:
        return [f"left out: {words}" for words in self.left_out] + ([f"note: {self.note}"] if self.note else [])

    def __len__(self) -> int:
        """Return the number of rows."""
        return int(self._do(len, self._relation))

    def __getitem__(self, name: str) -> Any:  # a relation
        """Return one column."""
        return self._do(self._relation.__getitem__, name)

    def __contains__(self, name: str) -> bool:
        """Return whether there is a column of this name."""
        return name in self._relation

    def __dir__(self) -> list[str]:
        """List what a relation has."""
        return ["left_out", "note", *dir(self._relation)]


def _plain(value: object) -> object:
    return value._relation if isinstance(value, Answer) else value  # noqa: SLF001  # the other one's half
