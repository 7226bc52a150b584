"""What a module shows of itself, and when it loads the rest."""

import sys
import types

import pytest

from lmops.base.public import later, only


@pytest.fixture
def module(monkeypatch):
    """A module that finds ``sqrt`` when it is first used."""
    made = types.ModuleType("made_for_this")
    made.__getattr__ = later(made.__name__, {"math": ("sqrt",)})
    monkeypatch.setitem(sys.modules, made.__name__, made)
    return made


def test_a_name_is_loaded_when_it_is_first_used(module):
    """From then on the module has it itself."""
    assert "sqrt" not in vars(module)
    assert module.sqrt(9) == 3
    assert "sqrt" in vars(module)


def test_any_other_name_is_not_there(module):
    """Python's own words say so."""
    with pytest.raises(AttributeError, match="module 'made_for_this' has no attribute 'cbrt'"):
        _ = module.cbrt


def test_a_module_lists_the_names_it_is_told():
    """Sorted, and no others."""
    assert only(["b", "a"])() == ["a", "b"]
