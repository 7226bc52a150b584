"""How much a run may show."""

from __future__ import annotations

import nbformat
import pytest

from lmops.runbooks import MIMETYPE
from lmops.runbooks._output import CELL_CHARS, CELL_OUTPUTS, OutputLimit


def text_of(run, cell=0):
    outputs = nbformat.read(run.notebook_path, 4).cells[cell].outputs
    return "".join(one.get("text", "") for one in outputs)


def test_a_flood_is_cut_and_the_notebook_says_so(book, quiet, warm_kernels):
    """The beginning is kept, what is missing is counted, and the result still arrives."""
    result = "from lmops.runbooks import show_result; show_result('ok')"
    run = quiet(book("print('y' * 30_000_000)", "for _ in range(3): print('z' * 10)", result))
    assert run.status == "ok"
    assert run.result["decision"] == "ok"
    assert run.notebook_path.stat().st_size < 2 * CELL_CHARS
    assert text_of(run).startswith("yyyy")
    assert "28,000,001 more" in text_of(run)
    assert text_of(run, 1) == ("z" * 10 + "\n") * 3


def test_many_displays_are_cut(book, quiet, warm_kernels):
    """Outputs are counted as well as their characters; printed text counts once."""
    run = quiet(book("for i in range(1200): display(i)", "for i in range(1200): print(i, flush=True)"))
    first, second = nbformat.read(run.notebook_path, 4).cells
    assert len(first.outputs) == CELL_OUTPUTS + 1
    assert "200 outputs, were dropped" in first.outputs[-1].text
    assert len(second.outputs) == 1


def test_a_cell_that_clears_its_output_starts_anew(book, quiet, warm_kernels):
    """A progress display that clears itself is not a flood."""
    run = quiet(
        book(
            "from IPython.display import clear_output\nfor i in range(30):\n"
            "    clear_output()\n    print(str(i) * 100_000)"
        )
    )
    assert "dropped" not in text_of(run)
    assert text_of(run).startswith("2929")


def test_a_long_error_keeps_its_ends():
    """Both ends of an error are what a person reads."""
    content = {"ename": "E", "evalue": "a" * 10**6 + "end", "traceback": ["x" * 10**6]}
    kept = OutputLimit().admit(0, "error", content, is_new=True)
    assert kept["evalue"].endswith("end")
    assert len(kept["evalue"]) < 30_000
    assert "characters dropped" in kept["traceback"][0]


def test_the_result_is_kept_after_a_flood():
    """A notebook that is full still has its result, but not a thousand of them."""
    limit = OutputLimit()
    limit.admit(0, "display_data", {"data": {"text/plain": "x" * CELL_CHARS}}, is_new=True)
    result = {"data": {MIMETYPE: {"decision": "ok"}}}
    kept = [limit.admit(0, "display_data", result, is_new=True) for _ in range(100)]
    assert kept[0] == result
    assert kept[-1] is None
    assert limit.said(0).startswith("[lmops kept")
    assert limit.said(1) is None


@pytest.mark.parametrize("size", [CELL_CHARS, CELL_CHARS + 1])
def test_the_limit_is_exact(size):
    """What fits is whole; one character more is dropped and counted."""
    limit = OutputLimit()
    kept = limit.admit(0, "stream", {"name": "stdout", "text": "x" * size}, is_new=True)
    assert len(kept["text"]) == CELL_CHARS
    assert (limit.said(0) is None) == (size == CELL_CHARS)
