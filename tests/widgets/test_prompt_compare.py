"""What the comparison of prompt versions knows and answers, without a page."""

from __future__ import annotations

import json

import pytest

from tests.widgets.prompt_samples import saved


@pytest.fixture
def ws():
    """A workspace with the sample prompt, evaluated over two questions."""
    import lmops

    with lmops.open(":memory:", actor="ada") as found:
        saved(found)
        rows = [
            {"example_id": "a", "input": {"question": "Dogs?"}},
            {"example_id": "b", "input": {"question": "Cats?"}},
        ]
        found.datasets.save("golden", rows)
        for version, answers in (
            (2, {"Dogs?": "Free.", "Cats?": "Free."}),
            (3, {"Dogs?": "Free.", "Cats?": "Free, always."}),
        ):
            found.evals.run(
                lambda question, answers=answers: answers[question],
                "golden",
                prompt=f"support-answer@{version}",
                progress=False,
            )
        yield found


def ask(controller, kind, **more):
    """The answer to one message."""
    (answer,) = controller.handle({"kind": kind, "id": "v1:1", "view": "v1", **more})
    return answer


@pytest.fixture
def controller(ws):
    """Versions 2 and 3."""
    return ws.prompts.compare("support-answer", [2, 3]).view._controller


def test_hello_tells_measures_with_n_and_which_inputs_differ(controller):
    """What was not measured is null, with n 0."""
    state = ask(controller, "hello")
    assert [one["ref"] for one in state["versions"]] == ["support-answer@2", "support-answer@3"]
    names = [one[0] for one in state["measures"]]
    assert names[:2] == ["latency_p50_ms", "latency_p95_ms"]
    assert "error_rate" in names
    assert state["measures"][0][3] == [[None, None, None, 0, 0]] * 2
    assert (state["outputs"], state["different"]) == (2, [1])
    json.dumps(state, allow_nan=False)


def test_outputs_come_by_range_with_new_words_marked(controller):
    """The input reads as text; the first version is never marked."""
    rows = ask(controller, "outputs", start=0, count=50)["rows"]
    assert rows == [
        ["a", ["Dogs?"], [[["Free.", 0]], [["Free.", 0]]]],
        ["b", ["Cats?"], [[["Free.", 0]], [["Free", 0], [", always", 1], [".", 0]]]],
    ]
    assert ask(controller, "outputs", start=3, count=1)["kind"] == "error"
    assert ask(controller, "outputs", start=0, count=1_000)["kind"] == "error"


def test_an_input_of_several_members_is_shown_by_part(ws):
    """The question, by its name, before the pages that were found for it."""
    asked = {"sources": "[pets#1] Dogs travel free of charge on deck.", "question": "Dogs?"}
    ws.datasets.save("d", [{"example_id": "a", "input": asked}])
    for version in (2, 3):
        ws.evals.run(lambda question, sources: "Free.", "d", prompt=f"support-answer@{version}", progress=False)
    found = ws.prompts.compare("support-answer", [2, 3]).view._controller
    row = ask(found, "outputs", start=0, count=1)["rows"][0]
    assert row[1] == ["question: Dogs?", "sources: [pets#1] Dogs travel free of charge on deck."]


def test_a_version_can_be_promoted_from_here(controller, ws):
    """Planned, then moved."""
    assert ask(controller, "move", action="promote", alias="production", version=2)["kind"] == "plan"
    state = ask(controller, "move", action="promote", alias="production", version=2, dry_run=False, expected=3)
    assert state["versions"][0]["aliases"] == ["production"]
    assert ws.prompts.aliases("support-answer") == {"production": 2}


def test_the_widget_is_a_value_and_static_it_is_a_table(ws, monkeypatch):
    """Frame, outputs, caveats, text; no connection with LMOPS_STATIC=1."""
    monkeypatch.setenv("LMOPS_STATIC", "1")
    found = ws.prompts.compare("support-answer", [2, 3])
    assert found.view.widget.comm is None
    assert set(found.df()["version"]) == {"support-answer@2", "support-answer@3"}
    assert found.outputs["support-answer@3"].tolist() == ["Free.", "Free, always."]
    assert any("no trace" in caveat for caveat in found.caveats)
    data, _ = found._repr_mimebundle_()
    assert set(data) == {"text/html", "text/plain"}
    assert data["text/plain"] == found.text


def test_without_evaluations_there_are_no_outputs(ws):
    """Version 1 was not evaluated."""
    state = ask(ws.prompts.compare("support-answer", [1, 2]).view._controller, "hello")
    assert (state["has_outputs"], state["outputs"], state["different"]) == (False, 0, [])
