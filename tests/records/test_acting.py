"""``ws.acting_as("mara")``: every verb of every noun is hers, on the same store."""

import nbformat
import pytest

import lmops
from lmops.errors import UsageError


def act(ws, folder):
    """Change something through every noun."""
    ws.prompts.save("p", "Answer {{ input }}")
    ws.prompts.promote("p", 1, to="production")
    ws.prompts.protect("p")
    ws.prompts.sync(folder / "prompts")
    ws.datasets.save("d", [{"input": "a", "expected": "A"}])
    ws.datasets.tag("d", ws.datasets.get("d").ids, add=["x"])
    ws.datasets.promote("d", 1, to="golden")
    ws.datasets.protect("d", "golden")
    ws.models.register("house", base_url="http://127.0.0.1:9/v1", model="m")
    ws.models.unregister("house")
    ws.models.set_price("m", input_usd_per_mtok=1, output_usd_per_mtok=2)
    ws.models.complete("standin:ferry-1", "hello", cache=True)
    ws.models.clear_cache()
    run = ws.evals.run(str.upper, "d", ["exact_match"], progress=False)
    ws.evals.gate(run, criteria={"scorers": {"exact_match": {"min": 0.5}}})
    notebook = folder / "n.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 + 1")]), notebook)
    ws.runbooks.run(notebook, progress=False)
    ws.audit.append(action="note", subject="this")
    ws.store.retain(days=1)
    ws.store.backup(folder / "backup")


def test_every_verb_of_every_noun_says_who_acts_and_why(tmp_path, warm_kernels):
    """Actor and reason are said once, and stand in each event; the workspace itself goes on as before."""
    with lmops.open(tmp_path / ".lmops", actor="ann") as ws:
        mara = ws.acting_as(" mara ", reason="ticket 42")
        act(mara, tmp_path)
        ws.prompts.save("q", "Say {{ input }}")
        frame = ws.audit.events().set_index("action")
        assert ws.audit.verify().ok
    own = frame[frame["subject"] == "q@1"]
    assert own[["actor", "reason"]].fillna("").to_numpy().tolist() == [["ann", ""]]
    others = frame[frame["subject"] != "q@1"]
    assert len(set(others.index)) >= 15
    assert set(others["actor"]) == {"mara"}
    assert set(others["reason"]) == {"ticket 42"}


def test_rows_say_who_as_well(ws):
    """The author of a version, who set a price."""
    mara = ws.acting_as("mara")
    mara.prompts.save("p", "Answer {{ input }}")
    mara.models.set_price("m", input_usd_per_mtok=1, output_usd_per_mtok=2)
    assert ws.prompts.get("p").author == "mara"
    assert ws.models.prices()["actor"].tolist() == ["mara"]
    assert (ws.actor == "mara", mara.actor) == (False, "mara")


def test_an_argument_says_it_for_one_call(ws):
    """It wins over the workspace."""
    saved = ws.acting_as("mara", reason="ticket 42").prompts.save("p", "Answer {{ input }}", actor="bob", note="better")
    assert (saved.author, saved.note) == ("bob", "better")
    assert ws.sql("select actor, reason from audit").fetchall() == [("bob", "better")]


def test_a_store_in_memory_lives_as_long_as_somebody_acts_on_it():
    """The workspace that it was opened by may go."""
    mara = lmops.open(":memory:").acting_as("mara")
    mara.prompts.save("p", "Answer {{ input }}")
    assert mara.prompts.get("p").version == 1
    mara.close()


@pytest.mark.parametrize("actor", ["", "  ", None, 7])
def test_nobody_is_refused(ws, actor):
    """An event without a name says nothing."""
    with pytest.raises(UsageError, match="give the name of who acts"):
        ws.acting_as(actor)
