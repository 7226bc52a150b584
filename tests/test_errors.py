"""What a notebook shows of an error of ours."""

import subprocess
import sys

import pytest
from IPython.core.interactiveshell import InteractiveShell

from lmops.errors import ModelError, UsageError


@pytest.fixture
def shell():
    """A running IPython."""
    yield InteractiveShell.instance()
    InteractiveShell.clear_instance()


def shown(shell, capsys, *cells):
    """Run cells and return what the last one printed, without colours."""
    for cell in cells:
        capsys.readouterr()
        shell.run_cell(cell, store_history=True)
    return capsys.readouterr().out.replace("\x1b[31m", "").replace("\x1b[39m", "")


def test_a_misspelt_column_is_named_in_the_first_line(shell, capsys):
    """Then comes the cell that said it, and no frame of ours."""
    found = shown(shell, capsys, "import lmops\nws = lmops.open(':memory:')", "1\nws.traces.search('modl = 1')")
    first, *rest = found.splitlines()
    assert first.startswith("QueryError: no column of traces or spans named 'modl'; did you mean 'model'")
    assert rest[1].startswith("Cell In[")
    assert "----> 2 ws.traces.search('modl = 1')" in rest
    assert "_search.py" not in found


def test_every_frame_is_there_for_who_asks(shell, capsys):
    """In IPython's verbose mode."""
    shell.run_line_magic("xmode", "Verbose")
    found = shown(shell, capsys, "import lmops\nlmops.open(':memory:').datasets.get('none')")
    assert len(found.splitlines()) > 25


def test_the_readers_function_that_failed_is_shown(shell, capsys):
    """What caused an error of ours is theirs."""
    code = "try:\n    1 / 0\nexcept Exception as e:\n    raise UsageError('no') from e"
    found = shown(shell, capsys, "from lmops.errors import UsageError", code)
    assert found.startswith("UsageError: no\n")
    assert "caused by ZeroDivisionError: division by zero" in found
    assert "----> 2     1 / 0" in found


def test_a_hostile_message_stays_text(shell, capsys):
    """What an endpoint says cannot act on a terminal."""
    found = "\n".join(ModelError("gone \x1b]0;x\x07")._render_traceback_())
    assert "\x1b]" not in found
    assert "gone [U+001B]]0;x[U+0007]" in found


def test_without_ipython_python_shows_it():
    """Nothing is imported to find out where it is shown."""
    code = "import sys; from lmops.errors import UsageError; UsageError('x'); print('IPython' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
    assert UsageError("x")._render_traceback_() == ["\x1b[31mUsageError\x1b[39m: x"]
