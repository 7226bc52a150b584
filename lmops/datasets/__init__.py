"""Datasets: examples to evaluate on, in versions that never change."""

from __future__ import annotations

from lmops.datasets._records import FIELDS, DatasetVersion, Example, SaveReport

__all__ = ["FIELDS", "DatasetVersion", "Example", "SaveReport"]
