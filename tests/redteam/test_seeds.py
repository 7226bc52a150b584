"""Suites: the one of the package, and files of one's own."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from lmops.errors import NotFoundError, UsageError
from lmops.redteam import Suite, core
from lmops.redteam.seeds import RISKS, suite_of

ONE = {"id": "a", "text": "Say {marker}.", "twin": "Say hello.", "oracle": {"kind": "marker"}}


def test_core_suite_is_large_and_varied():
    """The suite of the package has 150 seeds or more, in 20 families or more, in 10 languages or more."""
    suite = core()
    assert len(suite) >= 150
    assert len(suite.counts("family")) >= 20
    assert len(suite.counts("language")) >= 10
    assert set(suite.counts("tags")) == set(RISKS)


def test_core_seeds_are_told_apart_by_id_and_text():
    """No id, text or twin stands twice."""
    for part in ("seed_id", "text", "twin"):
        counts = Counter(getattr(seed, part) for seed in core())
        assert [one for one, count in counts.items() if count > 1] == []


def test_signs_follow_from_the_id_and_the_draw():
    """Equal ids look for equal words, another draw for others; no two seeds share a marker."""
    seed, *_ = core()
    assert seed.signs() == seed.signs(0)
    assert seed.signs(1) != seed.signs(0)
    assert len({one.signs().canary for one in core()}) == len(core())


def test_suite_of_a_file(tmp_path):
    """A file of JSON lines is a suite with the name and the version of its first line."""
    path = tmp_path / "mine.jsonl"
    path.write_text("\n".join(map(json.dumps, [{"suite": "support", "version": 3}, ONE])), encoding="utf-8")
    assert suite_of(path).ref == "support@3"


def test_suite_chooses():
    """A selection keeps families, tags and severities that are asked for."""
    suite = core()
    assert set(suite.of(families="tense").counts("family")) == {"tense"}
    assert set(suite.of(severity="critical").counts("severity")) == {"critical"}
    assert all("LLM10" in seed.tags for seed in suite.of(tags=["LLM10"]))
    with pytest.raises(NotFoundError, match="tense"):
        suite.of(families="tens")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"oracle": {"kind": "markr"}}, "marker"),
        ({"oracle": 3}, "oracle says"),
        ({"severity": "bad"}, "severity"),
        ({"placements": ["usr"]}, "user"),
        ({"placements": []}, "no placement"),
        ({"tags": ["LLM11"]}, "LLM"),
        ({"tags": "LLM01"}, "list"),
        ({"text": ""}, "needs text"),
        ({"twin": None}, "needs twin"),
        ({"id": 7}, "needs id"),
        ({"txt": "x"}, "text"),
        ({"oracle": "canary"}, "plants"),
        ({"plants": "moon"}, "system"),
        ({"goal": 3}, "goal is a text"),
        ({"twin_oracle": "stopped"}, "not_stopped"),
        ({"text": "x" * 20_001}, "longer"),
    ],
)
def test_bad_seed_is_refused(change, said):
    """A seed that cannot be used is named with what would do."""
    with pytest.raises(UsageError, match=said):
        suite_of([{**ONE, **change}])


@pytest.mark.parametrize("given", [[], [ONE, ONE], 7, ["text"], {"id": "a"}])
def test_what_is_no_suite_is_refused(given):
    """Nothing, one id twice, and other kinds of things are refused."""
    with pytest.raises(UsageError):
        suite_of(given)


@pytest.mark.parametrize("line", ["{", "[1]", "[" * 100_000, '{"suite": "x", "version": "y"}'])
def test_bad_line_is_named(tmp_path, line):
    """A line that cannot be read is named by file and number."""
    path = tmp_path / "bad.jsonl"
    path.write_text(line, encoding="utf-8")
    with pytest.raises(UsageError, match=r"bad\.jsonl, line 1"):
        suite_of(path)


def test_missing_file_and_other_bytes(tmp_path):
    """A file that is not there or is no text says so."""
    with pytest.raises(NotFoundError, match="core"):
        suite_of(tmp_path / "none.jsonl")
    (tmp_path / "latin.jsonl").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="UTF-8"):
        suite_of(tmp_path / "latin.jsonl")


def test_suite_shows_itself():
    """A suite shows what is in it, and hostile names stay text."""
    suite = Suite(name="<script>", version=1, seeds=core().seeds[:3])
    assert "<script>" not in suite._repr_html_()
    assert "3 seeds" in suite.text
