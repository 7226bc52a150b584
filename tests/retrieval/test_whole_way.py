"""From settings to production: measured on an index, gated, promoted by that verdict and by no other."""

from __future__ import annotations

import pytest

from lmops.errors import RefusedError
from tests.retrieval.asked import TEXTS, judged


def test_settings_go_to_production_by_the_verdict_on_their_own_index(ws):
    """Measuring notes which settings a run is of; the verdict on other settings is refused, and nothing moves."""
    ws.retrieval.save("docs", chunker={"name": "sentences", "size": 80})
    ws.retrieval.save("docs", chunker={"name": "sentences", "size": 160})
    ws.retrieval.protect("docs")
    asked = ws.retrieval.qrels("asked", judged(), documents=TEXTS)
    verdicts = {}
    for ref in ("docs@1", "docs@2"):
        ws.retrieval.build("help", TEXTS, ref)
        found = ws.retrieval.measure("help", asked, k=3, name=ref.replace("@", "-"), progress=False)
        verdicts[ref] = ws.retrieval.gate(found, min_recall=0.01)
        assert ws.sql(
            f"select settings || '@' || version from retrieval_runs where run_id = '{found.run_id}'"
        ).fetchall() == [(ref,)]
    assert {one.exit_code for one in verdicts.values()} == {0}
    with pytest.raises(RefusedError):
        ws.retrieval.promote("docs", 2, to="production")
    with pytest.raises(RefusedError, match="docs@1"):
        ws.retrieval.promote("docs", 2, to="production", evidence=verdicts["docs@1"])
    ws.retrieval.promote("docs", 2, to="production", evidence=verdicts["docs@2"], reason="longer chunks")
    assert ws.retrieval.get("docs@production").ref == "docs@2"
