"""Arguments of a wrong kind are refused by name, before anything is read or written."""

import numpy as np
import pytest

from lmops.base.kinds import refuses_wrong_kinds
from lmops.errors import UsageError


@pytest.mark.parametrize(
    ("room", "verb", "args", "option", "value", "wanted"),
    [
        ("evals", "compare", ("a", "b"), "clustered", "no", "True or False"),
        ("evals", "gate", ("a", "b", {}), "allow_changed", "no", "True or False"),
        ("evals", "compare", ("a", "b"), "alpha", "5 %", "a number"),
        ("evals", "compare", ("a", "b"), "margin", "0.1", "a number or a mapping"),
        ("evals", "compare", ("a", "b"), "seed", 3.5, "a whole number"),
        ("evals", "import_results", ([],), "model", -1, "a text"),
        ("evals", "import_results", ([],), "scores", 3, "a list"),
        ("datasets", "save", ("d", []), "input", 3, "the name of a column, or a list of names"),
        ("datasets", "save", ("d", []), "drop_duplicates", "no", "True or False"),
    ],
)
def test_a_wrong_kind_is_refused(ws, room, verb, args, option, value, wanted):
    """And never taken as something else."""
    with pytest.raises(UsageError, match=f"{option}=.*: give {wanted}"):
        getattr(getattr(ws, room), verb)(*args, **{option: value})


def test_numbers_of_other_libraries_are_numbers():
    """A numpy.int64 is a whole number, True is none."""

    @refuses_wrong_kinds
    class Room:
        def verb(self, count: "int | None" = None) -> "int | None":
            return count

    assert Room().verb(np.int64(3)) == 3
    assert Room().verb() is None
    with pytest.raises(UsageError, match="count=True: give a whole number"):
        Room().verb(True)
