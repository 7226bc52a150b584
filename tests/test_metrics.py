"""What can be watched."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

import lmops
from lmops.errors import UsageError
from lmops.metrics import METRICS, items_sql, metric_of

ALL = {"since": datetime(2000, 1, 1, tzinfo=UTC), "until": datetime(2100, 1, 1, tzinfo=UTC)}
OWN = {"view": "llm_calls", "value": "output_tokens > 1000", "kind": "rate"}


@pytest.mark.parametrize("name", METRICS)
def test_each_metric_is_asked_of_a_store_that_is_empty(name):
    """Every metric of the catalogue is SQL over the views."""
    with lmops.open(":memory:") as ws:
        assert ws.sql(items_sql(METRICS[name]), ALL).fetchall() == []


def test_a_metric_of_ones_own_says_what_it_counts():
    """View, value and kind are enough; a rate is a share."""
    found = metric_of(OWN)
    assert (found.name, found.unit, found.worse) == ("output_tokens > 1000", "share", "above")
    with lmops.open(":memory:") as ws:
        assert ws.sql(items_sql(found), ALL).fetchall() == []


def test_what_a_scorer_says_is_a_metric_that_is_worse_below():
    """The name of a scorer is data."""
    found = metric_of("score.it's fine")
    assert (found.worse, found.score) == ("below", "it's fine")
    assert found.where.startswith("scorer = 'it''s fine' and ")


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("latency_p59", "latency_p50"),
        ("score.", "score.NAME"),
        ({**OWN, "kind": "median"}, "rate, mean, quantile"),
        ({**OWN, "kind": "quantile"}, "0.95"),
        ({**OWN, "kind": "quantile", "level": 95}, "(0, 1)"),
        ({**OWN, "windw": "1d"}, "windw"),
        ({"view": "traces"}, "kind, value"),
    ],
)
def test_what_is_no_metric_is_refused_with_what_would_be(wanted, said):
    """The error names what was asked and what works."""
    with pytest.raises(UsageError, match=re.escape(said)):
        metric_of(wanted)
