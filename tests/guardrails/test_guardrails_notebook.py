"""07_guardrails runs from end to end on the sample."""

from pathlib import Path

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "07_guardrails.ipynb"


def test_the_notebook_runs(ws, warm_kernels):
    """Both policies are measured, a score gets its threshold, the second one goes into production, and redacts."""
    run = ws.runbooks.run(NOTEBOOK, {}, progress=False, html=False).raise_for_status()
    assert run.status == "ok"
    cards = ws.guardrails.cards().set_index("subject")
    assert cards.loc["support@1", "recall"] < 0.5
    assert cards.loc["support@2", "recall"] > 0.9
    assert cards.loc["grounding", "recall"] > 0.9
    assert cards.loc["support@2", "fpr_high"] < 0.01
    assert ws.guardrails.aliases("support") == {"production": 2}
    assert ws.sql("select count(*) from spans where contains(input, '4111 1111')").fetchall() == [(0,)]
    assert ws.audit.verify().ok
