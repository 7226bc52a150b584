"""How a run looks, as text and as HTML."""

from __future__ import annotations

from dataclasses import replace

from lmops.evals._show import _notes
from tests.widgets.eval_samples import evaluated


def test_what_is_to_be_known_of_all_scorers_is_said_once(ws):
    """Below the figures, and not in the row of each; of some it says which."""
    _, old = evaluated(ws, tracing=False)
    for page in (old.text, old._repr_html_()):
        assert page.count("5 clusters only: errors are themselves uncertain") == 1
    one, other = old.summary()
    flips, few = _notes([replace(one, flip_rate=0.25), other])
    assert flips == f"{one.scorer}: repeats differ in 25.0 % of pairs."
    assert few.startswith("5 clusters only")
