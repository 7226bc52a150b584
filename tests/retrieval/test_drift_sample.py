"""The chunk change of the sample is named from traces alone, with its day and what it costs; no day before is."""

from __future__ import annotations

import json

import numpy as np
import pytest

import lmops
from lmops.sample import data_dir, golden
from lmops.sample.traffic import NEW_INDEX, OLD_INDEX

FIRST, CHANGED, MODEL = "2026-10-19", "2026-10-27T05:00", "2026-10-29T06:00"
#: Days of traffic that are needed: up to the one on which the model changes.
DAYS = [f"2026-10-{day}" for day in range(19, 30)]


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """A workspace with eleven days of the sample, and its golden questions."""
    with lmops.open(tmp_path_factory.mktemp("sample") / ".lmops") as ws:
        ws.traces.ingest([str(data_dir() / "traces" / f"{day}.jsonl.gz") for day in DAYS], progress=False)
        ws.datasets.save("golden", golden())
        yield ws


@pytest.fixture(scope="module")
def found(sample):
    return sample.retrieval.drift(since="2026-10-27", until=MODEL, before=(FIRST, "2026-10-27"), answers=40)


def truth():
    """Return the mean recall of all retrievals before and after, as the sample knows it; nothing found is 0."""
    sides = ([], [])
    for line in (data_dir() / "truth.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if row["source_ids"] and row["blocked_by"] is None and row["start_at"] < MODEL:
            sides[row["start_at"] >= CHANGED].append(row["recall"] or 0.0)
    return [float(np.mean(side)) for side in sides]


def test_the_chunk_change_is_named(found):
    """Settings and nothing else, with both fingerprints and the time of the first span."""
    assert found.outcome == "changed"
    assert [one.kind for one in found.causes] == ["settings"]
    assert f"{found.causes[0].at:%Y-%m-%d %H}" == "2026-10-27 05"
    assert f"the settings changed: {OLD_INDEX.fingerprint} -> {NEW_INDEX.fingerprint}" in found.conclusion
    assert "recall on 60 golden questions" in found.conclusion


def test_the_loss_of_recall_is_that_of_the_truth(found):
    """Within its limits, which leave out 0."""
    before, after = truth()
    recall = found.df().set_index("name").loc["recall"]
    assert recall.low <= after - before <= recall.high < 0
    assert abs(recall.before - before) < 0.05


def test_what_went_with_it(found):
    """Answers lose their support, the reranker loses more, golden queries lose their documents."""
    rows = found.df().set_index("name")
    assert rows.loc["coverage"].change < 0
    assert rows.loc["recall_reranked"].change < rows.loc["recall"].change
    assert rows.loc["empty"].low > 0
    assert found.rankings.gold_lost >= 5
    assert "plug in the fridge" in found.text


@pytest.mark.parametrize("day", range(20, 27))
def test_the_days_before_are_clean(sample, day):
    """Wherever they are split: two prompts, an outage of tools and orders in questions are no change of retrieval."""
    found = sample.retrieval.drift(since=f"2026-10-{day}", until=CHANGED, before=(FIRST, f"2026-10-{day}"), answers=0)
    assert (found.outcome, found.causes) == ("nothing", ()), found.conclusion


def test_the_model_is_told_apart(sample):
    """After it was updated under its old name, that is what changed."""
    found = sample.retrieval.drift(since=MODEL, before=(CHANGED, MODEL), answers=0)
    assert [one.kind for one in found.causes] == ["model"]
    assert "fp_31041968a8" in found.conclusion
