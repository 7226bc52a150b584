"""The examples in the docstrings run, and every statistic documents itself."""

from __future__ import annotations

import ast
import doctest
import importlib
import inspect
import pkgutil
import subprocess
import sys

import pytest

import lmops.calc

MODULES = [f"lmops.calc.{module.name}" for module in pkgutil.iter_modules(lmops.calc.__path__)]


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name):
    """Every example shows what the call returns."""
    assert doctest.testmod(importlib.import_module(name)).failed == 0


@pytest.mark.parametrize("name", MODULES)
def test_public_functions_are_documented(name):
    """Each says what it returns; one that draws at random takes a seed."""
    module = importlib.import_module(name)
    for function_name, function in inspect.getmembers(module, inspect.isfunction):
        if function_name.startswith("_") or function.__module__ != name:
            continue
        assert inspect.getdoc(function), function_name
        taken = inspect.signature(function).parameters
        assert len(taken) == 1 or "draws" not in taken or "seed" in taken, function_name


def test_the_overview_names_every_module():
    """The table in the package's docstring is complete."""
    public = {name for name in (module.rsplit(".", 1)[1] for module in MODULES) if not name.startswith("_")}
    named = {line.split()[0] for line in lmops.calc.__doc__.splitlines() if line.startswith("    ") and line.split()}
    assert public <= named


def test_only_numpy_is_loaded():
    """Importing the statistics loads neither scipy nor pandas."""
    code = f"import sys, {', '.join(MODULES)}\nprint([m for m in ('scipy', 'pandas', 'duckdb') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ast.literal_eval(done.stdout) == []
