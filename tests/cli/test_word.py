"""Every word of ours is explained, in a page and by a command."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

import lmops
from lmops.cli import main
from lmops.cli.word import glossary

WIDGETS = Path(lmops.__file__).parent / "widgets"


def run(*words, code=0):
    done = CliRunner().invoke(main, ["word", *words])
    assert done.exit_code == code, done.output
    return done


@pytest.mark.parametrize(
    "name",
    [
        "stand-in",
        "cluster",
        "coverage",
        "unmeasured",
        "flip",
        "margin",
        "verdict",
        "evidence",
        "inbox",
        "segment",
        "drain",
        "anchor",
        "lease",
        "calibration",
        "alias",
        "queue",
        "stratum",
        "gold",
        "adjudicate",
        "corrected",
        "stale",
        "gate",
        "judge",
        "baseline",
        "drift",
        "unpriced",
        "dialect",
        "orphan",
        "head",
        "seal",
        "trust",
        "rescue",
        "retain",
        "erase",
        "inconclusive",
        "non-inferior",
        "lost",
        "regression",
        "one-sided",
        "pass mark",
        "slice",
        "waterfall",
        "p95",
        "saved view",
        "draft",
        "ppi",
    ],
)
def test_a_word_that_a_newcomer_meets_is_there(name):
    """With a sentence of its own."""
    assert len(glossary()[name].split()) > 3


def test_every_entry_is_read():
    """No line of the page is left out, and none is there twice."""
    page = (Path(__file__).resolve().parents[2] / "docs" / "glossary.md").read_text(encoding="utf-8")
    entries = re.findall(r"^- .*$", page, re.MULTILINE)
    assert len({*glossary().values()}) == len(entries)


def test_one_word_and_all_of_them():
    """In any case, as columns and outcomes are written, as JSON too; an unknown one says which is near."""
    assert run("Margin").stdout.startswith("margin: the largest loss")
    assert run("PPI").stdout.startswith("ppi: what people would find")
    assert run("non_inferior").stdout.startswith("non-inferior: ")
    assert json.loads(run("--json").stdout).keys() == glossary().keys()
    assert "did you mean 'verdict'" in run("verdct", code=2).stderr


def test_the_help_of_every_view_leads_there():
    """All of them make it in one place, which names the page and the command."""
    kit = (WIDGETS / "kit" / "dom.js").read_text(encoding="utf-8")
    assert "lmops word" in kit[kit.index("function keyHelp") :][:900]
    makes = [path for path in WIDGETS.rglob("*.js") if "this.help = " in path.read_text(encoding="utf-8")]
    assert makes
    assert [path.name for path in makes if "this.help = keyHelp(" not in path.read_text(encoding="utf-8")] == []
