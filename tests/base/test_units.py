"""One form for every number, the same in Python and in the widgets."""

from __future__ import annotations

import doctest
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from lmops.base import units

DOM = Path(units.__file__).parents[1] / "widgets" / "kit" / "dom.js"

MONEY = [
    (None, ""), (0.0, "$0"), (4.8e-8, "<$0.000001"), (0.000012, "$0.000012"), (0.0021, "$0.002100"),
    (0.0123, "$0.0123"), (0.66, "$0.6600"), (1.5, "$1.50"), (1234.5, "$1,234.50"), (-0.25, "-$0.2500"),
]  # fmt: skip  # items that belong together share a line
DURATIONS = [
    (None, ""), (0.0, "0 ms"), (0.25, "0.25 ms"), (812.4, "812 ms"), (999.4, "999 ms"), (2_310, "2.31 s"),
    (12_345, "12.3 s"), (75_000, "1 m 15 s"), (185_000, "3 m 05 s"), (7.3e6, "2.0 h"), (7e8, "8.1 d"),
]  # fmt: skip  # items that belong together share a line


@pytest.mark.parametrize(("usd", "said"), MONEY)
def test_money(usd, said):
    """Two decimals from a dollar on, four from a cent on, six below; never nothing for something."""
    assert units.money(usd) == said


@pytest.mark.parametrize(("ms", "said"), DURATIONS)
def test_durations(ms, said):
    """In the unit that suits them."""
    assert units.duration(ms) == said


@pytest.mark.parametrize(
    ("rate", "signed", "said"),
    [
        (None, False, ""),
        (0.0, False, "0.0 %"),
        (0.5, False, "50.0 %"),
        (0.0004, False, "0.04 %"),
        (0.02, True, "+2.0 pp"),
    ],
)
def test_shares(rate, signed, said):
    """In per cent; a difference in percentage points."""
    assert units.share(rate, signed=signed) == said


def test_tokens_and_counts():
    """What is not known is a question mark, and one thing has no plural."""
    assert units.tokens(None, None) == ""
    assert units.tokens(1204, None) == "1,204 → ? tok"
    assert (units.counted(1, "span"), units.counted(1200, "span")) == ("1 span", "1,200 spans")


def test_the_examples_in_the_docstrings_run():
    """As written."""
    assert doctest.testmod(units).failed == 0


def test_the_widgets_say_the_same(tmp_path):
    """``dollars`` and ``duration`` of the front end agree with ours on the whole table."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed; the front end's own forms are tested in the browser")
    (tmp_path / "dom.mjs").write_text(DOM.read_text("utf-8"))
    table = json.dumps([[usd for usd, _ in MONEY], [ms for ms, _ in DURATIONS]])
    code = f"import {{ dollars, duration }} from './dom.mjs'; const [a, b] = {table};"
    code += "console.log(JSON.stringify([a.map(dollars), b.map(duration)]));"
    said = subprocess.run(
        [node, "--input-type=module", "-e", code], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60
    )
    assert json.loads(said.stdout) == [[said for _, said in MONEY], [said for _, said in DURATIONS]]
