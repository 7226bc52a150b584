"""What the tests of runbooks share."""

from __future__ import annotations

import nbformat
import pytest


@pytest.fixture
def book(tmp_path):
    """Write a notebook with the given code cells and return its path."""

    def write(*cells, name="demo"):
        path = tmp_path / f"{name}.ipynb"
        nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells]), path)
        return path

    return write


@pytest.fixture
def quiet(ws):
    """Run a notebook without progress and page."""
    return lambda path, **options: ws.runbooks.run(path, progress=False, html=False, **options)
