"""Loads what programs and notebooks use: a process forked from one that has imported this need not load it again."""

from __future__ import annotations

import filelock  # noqa: F401 - loaded before the processes fork
import genai_prices  # noqa: F401 - likewise
import ipykernel.ipkernel
import ipykernel.kernelapp  # noqa: F401 - likewise
import nbformat  # noqa: F401 - likewise
import pandas as pd
import pyarrow.compute
import pyarrow.dataset
import pyarrow.parquet  # noqa: F401 - likewise

import lmops.opening
import lmops.runbooks
import lmops.sample.releases
import lmops.traces._attributes
import lmops.traces._formats
import lmops.traces._otlp
import lmops.widgets.evals.noun
import lmops.widgets.prompts.noun
import lmops.widgets.traces.noun  # noqa: F401 - likewise
from lmops import charts
from lmops.store.schema import schema

schema()

# plotly loads a part of itself with the first figure
charts.traffic(pd.DataFrame({"bucket": pd.to_datetime(["2026-01-01"], utc=True), "traces": [1]}))
