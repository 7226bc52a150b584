"""What a notebook, a terminal and pytest show of an error of ours."""

import pickle
import re
import subprocess
import sys
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell

import lmops
from lmops.errors import LmopsError, ModelError, StoreFullError, UsageError, did_you_mean


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


def test_what_led_to_it_inside_is_not(shell, capsys):
    """The message says it; DuckDB's own words hold a query that nobody typed."""
    found = shown(shell, capsys, "import lmops\nlmops.open(':memory:').sql('select nothing from spans')")
    assert found.startswith("QueryError: no column named 'nothing'")
    assert "explain" not in found


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


READERS = """
import lmops

ws = lmops.open(":memory:")
def count():
    return ws.sql("select nothing from spans")
try:
    {}["key"]
except KeyError:
    count()
"""


def ended(tmp_path, *options):
    """Return what Python says of a program that ends with an error of ours."""
    file = tmp_path / "reader.py"
    file.write_text(READERS, encoding="utf-8")
    done = subprocess.run([sys.executable, *options, file], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    return done.stderr


def test_python_shows_the_readers_frames_alone(tmp_path):
    """The error is the last line, where a terminal is read first; what the reader was handling is told before."""
    said = ended(tmp_path)
    files = re.findall(r'File "([^"]+)"', said)
    assert [Path(file).name for file in files] == ["reader.py"] * 3
    assert said.startswith("Traceback (most recent call last):")
    assert "KeyError: 'key'" in said
    assert "BinderException" not in said
    assert said.splitlines()[-1].startswith("lmops.errors.QueryError: no column named 'nothing'")


def test_python_in_development_mode_shows_all(tmp_path):
    """Somebody who works on lmops wants its frames."""
    assert "_planner.py" in ended(tmp_path, "-X", "dev")


def test_an_excepthook_of_the_application_stays():
    """Only Python's own is replaced, and only what is of ours is shown otherwise."""
    code = """
import sys
sys.excepthook = mine = lambda kind, error, found: print("mine", error)
import lmops
assert sys.excepthook is mine
lmops.UsageError
raise lmops.UsageError("x")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "mine x\n"


def test_pytest_leaves_out_our_frames():
    """Of an error of ours and of what led to it inside; a fault of ours keeps them."""
    with lmops.open(":memory:") as ws, pytest.raises(LmopsError) as caught:
        ws.sql("select nothing from spans")
    assert {Path(entry.path).name for entry in caught.traceback.filter(caught)} == {"test_errors.py"}
    cause = pytest.ExceptionInfo.from_exception(caught.value.__cause__)
    assert list(cause.traceback.filter(cause)) == []
    with pytest.raises(TypeError) as fault:
        did_you_mean("column", "a", 1)
    assert {Path(entry.path).name for entry in fault.traceback.filter(fault)} == {"test_errors.py", "errors.py"}


def test_errors_survive_pickling():
    """Processes hand them to each other."""
    for error in (UsageError("x"), StoreFullError("full"), ModelError("gone", kind="auth")):
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), str(again)) == (type(error), str(error))
