"""What a rail is, and how one is made of its kind."""

import pytest

from lmops.errors import MissingDependencyError, NotFoundError, UsageError
from lmops.guardrails import Finding, Given, available, made, rail
from lmops.guardrails.rails import secrets


@pytest.fixture(scope="module", autouse=True)
def shouting():
    """A kind of rail of somebody's own."""

    @rail(name="shouting", stages=("input",), action="flag")
    def shouting(given, *, least, mark="!"):
        """Texts with many marks."""
        if given.text.count(mark) >= least:
            yield Finding(0, len(given.text), "shouting")

    return shouting


def test_a_rail_is_a_small_function():
    """Made by its name, with its options; what it does is said beside the others."""
    found = made("shouting", {"least": 2}).find(Given(text="No!!", stage="input"))
    assert found == [Finding(0, 4, "shouting")]
    assert available()["shouting"] == "Texts with many marks."
    assert {"pii", "secrets", "injection", "links"} <= set(available())


@pytest.mark.parametrize(
    ("name", "options", "error", "words"),
    [
        ("shoutin", {}, NotFoundError, "no rail named 'shoutin'; did you mean 'shouting'"),
        ("shouting", {}, UsageError, "rail 'shouting' needs least"),
        ("shouting", {"leas": 2}, UsageError, "no option named 'leas'; did you mean 'least'"),
        ("links", {"allow": "good.example"}, UsageError, "give a list of hosts"),
    ],
)
def test_what_cannot_be_made_is_refused(name, options, error, words):
    """Before any text is read."""
    with pytest.raises(error, match=words):
        made(name, options)


def test_a_missing_package_is_named_when_a_rail_is_made(monkeypatch):
    """And not to the user who asks first."""
    from lmops.scorers import _operational

    _operational._identifier.cache_clear()
    monkeypatch.setitem(__import__("sys").modules, "py3langid.langid", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'lmops\[scorers\]'"):
        made("language", {"allow": ["en"]})


def test_the_hash_is_of_what_a_rail_finds():
    """Its options and its files; what is done about it, and its name, are not in it."""
    one = made("shouting", {"least": 2})
    assert one.config_hash == made("shouting", {"least": 2}, action="block").config_hash
    assert one.config_hash != made("shouting", {"least": 3}).config_hash
    assert made("secrets").config_hash != made("hidden").config_hash


def test_a_change_of_a_file_changes_the_hash(monkeypatch):
    """Also of one that the file of a rail takes from."""
    from lmops.guardrails import contract

    before = made("secrets").config_hash
    contract._source.cache_clear()
    real = contract.inspect.getsource
    monkeypatch.setattr(contract.inspect, "getsource", lambda one: real(one) + "#" * (one.__name__ == "lmops.redact"))
    assert made("secrets").config_hash != before
    assert made("hidden").config_hash == made("hidden").config_hash
    contract._source.cache_clear()
    assert secrets.__name__ == "lmops.guardrails.rails.secrets"
