"""Loads what notebooks use: whoever is forked from a process that has imported this need not load it again."""

from __future__ import annotations

import genai_prices  # noqa: F401 - loaded before the kernels fork
import ipykernel.ipkernel
import ipykernel.kernelapp  # noqa: F401 - likewise
import nbformat  # noqa: F401 - likewise
import pandas as pd
import pyarrow.compute
import pyarrow.parquet  # noqa: F401 - likewise

import lmops.opening
import lmops.runbooks
import lmops.sample.release
import lmops.widgets.evals.noun
import lmops.widgets.prompts.noun
import lmops.widgets.traces.noun  # noqa: F401 - likewise
from lmops import charts

# plotly loads a part of itself with the first figure
charts.traffic(pd.DataFrame({"bucket": pd.to_datetime(["2026-01-01"], utc=True), "traces": [1]}))
