"""The probe: a chunker that cuts otherwise with unchanged settings is seen."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from lmops.cli import main
from lmops.errors import UsageError
from lmops.retrieval import probing
from lmops.retrieval.probing import hashes_of


@pytest.fixture
def upgraded(ws, monkeypatch):
    """A workspace with docs@1, whose chunker cuts at other places since."""
    ws.retrieval.save("docs")
    was = probing.cut

    def other(text, chunker):
        return [(0, 7), (7, len(text))] if "def fare" in text else was(text, chunker)

    probing._hashes.cache_clear()
    monkeypatch.setattr(probing, "cut", other)
    yield ws
    probing._hashes.cache_clear()


def test_what_our_own_chunkers_cut_stays_what_it_is():
    """Whoever changes how sentences or words are cut changes every index: this fails first."""
    assert hashes_of({"name": "sentences", "size": 800})["languages"] == "c81754f898c8f846"
    assert hashes_of({"name": "words", "size": 200, "unit": "words"})["markdown"] == "d48f9601e3ff2ef8"


def test_a_probe_of_what_did_not_change_is_silent(ws):
    """It says so."""
    ws.retrieval.save("docs")
    found = ws.retrieval.probe("docs")
    assert (found.is_changed, found.changed, "cuts as it did" in found.text) == (False, (), True)


def test_texts_that_are_cut_otherwise_are_named(upgraded):
    """On request and in a shell; whoever gets or stamps the settings is warned."""
    found = upgraded.retrieval.probe("docs")
    assert (found.is_changed, found.changed) == (True, ("code",))
    with pytest.warns(UserWarning, match=r"docs@1 cuts otherwise .*: code: build the index anew"):
        settings = upgraded.retrieval.get("docs")
    with pytest.warns(UserWarning, match="cuts otherwise"):
        stamp = upgraded.retrieval.stamp(settings)
    assert stamp.probe != probing.mark_of(settings.probe)
    done = CliRunner().invoke(main, ["retrieval", "probe", "docs", "--json", "--store", str(upgraded.store.path)])
    assert (done.exit_code, json.loads(done.output)["changed"]) == (1, ["code"])


def test_an_application_s_own_chunker_is_probed_by_itself(ws):
    """Texts or places; what fails is said, and what was never probed cannot be told."""
    ws.retrieval.save("docs", chunker="ours:lines", cut=str.splitlines)
    assert ws.retrieval.probe("docs", cut=str.splitlines).is_changed is False
    assert ws.retrieval.probe("docs", cut=lambda text: text.split("\n\n")).changed == (
        "languages", "code", "markdown", "long words",
    )  # fmt: skip  # names pack
    assert ws.retrieval.probe("docs", cut=lambda text: [(0, len(text))]).changed
    assert ws.retrieval.probe("docs").problem.startswith("this chunker cannot cut here")
    ws.retrieval.save("other", chunker="ours:lines")
    found = ws.retrieval.probe("other", cut=str.splitlines)
    assert (found.is_changed, "save(..., cut=...)" in found.text) == (None, True)
    for wrong in (lambda _text: [1], lambda _text: 1 / 0, lambda _text: None):
        with pytest.raises(UsageError, match="cut="):
            ws.retrieval.probe("docs", cut=wrong)
