"""Options of scorers: what is no such thing is refused, never computed as something else."""

import pytest

from lmops import scorers
from lmops.errors import UsageError

BAD = [
    ("contains", {"ignore_case": "false"}, "give True or False"),
    ("contains", {"text": 5}, "give a text or None"),
    ("contains_all", {"facts": "9 euro"}, "give a list of texts or None"),
    ("exact_match", {"ignore_space": 0}, "give True or False"),
    ("regex", {"pattern": "a", "absent": "no"}, "give True or False"),
    ("numeric", {"tolerance": float("nan")}, "give a number"),
    ("numeric", {"relative": "5%"}, "give a number"),
    ("retrieval", {"k": 2.5}, "give a whole number or None"),
    ("source_support", {"enough": 70}, "a share from 0 to 1"),
    ("rouge_l", {"beta": -1}, "above 0"),
    ("latency", {"max_ms": "500"}, "give a number or None"),
    ("cost", {"max_usd": -0.01}, "0 or more"),
    ("length", {"min": 9, "max": 2}, "nothing can keep within"),
    ("refusal", {"wanted": "yes"}, "give True or False or None"),
    ("citation", {"pattern": "("}, "no regular expression"),
    ("json_schema", {"schema": "object"}, "as a dict"),
    ("judge", {"criteria": "c", "model": "m", "scale": 5}, "use 'binary'"),
    ("judge", {"criteria": "c", "model": "m", "params": "temperature=0"}, "give a dict"),
    ("judge", {"criteria": "c", "model": "m", "few_shot": "x"}, "give a list of dicts"),
]


@pytest.mark.parametrize(("name", "options", "says"), BAD)
def test_an_option_of_another_kind_is_refused(name, options, says):
    """Where the scorer is made, with what would do."""
    first = {"name": "j"} if name == "judge" else {}
    with pytest.raises(UsageError, match=says):
        getattr(scorers, name)(**first, **options)


def test_a_language_that_nobody_knows_is_refused():
    """No output could ever be in it."""
    pytest.importorskip("py3langid")
    with pytest.raises(UsageError, match="no language named 'eng'"):
        scorers.language("eng")
    assert scorers.language("en").name == "language"
