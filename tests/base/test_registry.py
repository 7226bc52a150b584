"""Things by their names: built in, registered, or offered by packages."""

from __future__ import annotations

import pytest

from lmops.base.registry import Registry
from lmops.errors import NotFoundError, UsageError


def accepted(name, offered):
    """Take functions only."""
    if not callable(offered):
        raise TypeError(f"{name} is no function")
    return offered


@pytest.fixture
def rails(monkeypatch, tmp_path):
    """A registry, and a package that offers something good, something broken and something else."""
    info = tmp_path / "plug-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plug\nVersion: 1.0\n")
    lines = ("good = rail_good:rail", "broken = rail_broken:rail", "odd = rail_good:VALUE", "own = rail_good:rail")
    (info / "entry_points.txt").write_text("\n".join(("[test.rails]", *lines)))
    (tmp_path / "rail_good.py").write_text("VALUE = 3\ndef rail():\n    return 'good'\n")
    (tmp_path / "rail_broken.py").write_text("raise RuntimeError('no licence')\n")
    monkeypatch.syspath_prepend(tmp_path)
    return Registry("rail", group="test.rails", accept=accepted, hint="rails() lists them")


def test_the_newest_of_a_name_counts(rails):
    """A cell of a notebook can be run again, and what is registered comes before what a package offers."""
    rails.register("own", lambda: "first")
    rails.register("own", lambda: "second")
    assert rails.get("own")() == "second"


def test_a_package_adds_what_it_offers(rails):
    """It is named without being loaded, and loaded when it is asked for."""
    assert list(rails) == ["broken", "good", "odd", "own"]
    assert rails.describe(lambda made: made())["good"] == "from the package plug"
    assert rails.get("good")() == "good"
    assert rails.describe(lambda made: made())["good"] == "good"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("broken", "rail 'broken' of the package plug is broken: RuntimeError: no licence"),
        ("odd", "rail 'odd' of the package plug is broken: TypeError: odd is no function"),
    ],
)
def test_a_broken_package_says_so_by_name_and_breaks_no_other(rails, name, message):
    """What is wrong with it is said when it is asked for and from then on in the list."""
    with pytest.raises(UsageError, match=message):
        rails.get(name)
    assert rails.describe(lambda made: made())[name] in message
    assert rails.get("good")() == "good"


def test_an_unknown_name_is_answered_with_the_nearest(rails):
    """What a package offers counts among the known names."""
    rails.register("length", len)
    with pytest.raises(NotFoundError, match=r"'gud'.*good.*rails\(\) lists them"):
        rails.get("gud")
