"""What a rater reads of an item: as the user saw it, with what lay behind it, and nothing from outside."""

from __future__ import annotations

import base64
import json

import pytest

import lmops
from lmops.traces.media import LONGEST, media_of
from lmops.widgets.feedback.used import marked, stems

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(40)).decode()
WAV = base64.b64encode(b"RIFF" + bytes(40)).decode()


@pytest.fixture
def read(conversation):
    """Return a function that reads the case of some spans as the page gets it."""

    opened = []

    def of(spans=None, **item):
        ws = lmops.open(":memory:", actor="ann")
        opened.append(ws)
        ws.store.load(spans=spans or conversation(0))
        ws.feedback.schemas.save("support")
        ws.feedback.queue("q", [{"trace_id": f"{1:032x}", **item}], schema="support")
        controller = ws.feedback.label("q")._controller
        (found,) = controller.handle({"kind": "ahead", "id": "1", "n": 1, "have": []})
        return found["items"][0]["case"], controller

    yield of
    for one in opened:
        one.close()


def test_a_case_is_what_the_user_said_and_got(read):
    """With its sources and tools; what the model was given stands apart."""
    case, _ = read()
    assert [(one["role"], one["content"]) for one in case["conversation"]] == [("user", "How do I take my dog? (0)")]
    assert case["output"] == "Book a pet cabin."
    assert [one["role"] for one in case["behind"]] == ["system", "user", "assistant", "tool"]
    assert [(one["name"], one["result"]) for one in case["tools"]] == [("lookup", '{"cabins": 4}')]
    assert case["documents"][0]["parts"] == [["Dogs travel in the pet cabins.", False]]


def test_raw_is_all_but_the_judges(read, span_row, conversation):
    """Whatever was evaluated within the trace, its verdict is no part of what is read before the choice."""
    judge = span_row(f"{1:032x}", "e" * 16, parent_span_id="a" * 16, name="judge", kind="evaluator", output="fail")
    _, controller = read([*conversation(0), judge])
    (found,) = controller.handle({"kind": "raw", "id": "1", "position": 1})
    assert [one["name"] for one in found["spans"]] == ["booking", "search", "chat", "execute"]
    (found,) = controller.handle({"kind": "session", "id": "1", "position": 1})
    assert (found["total"], found["turns"][0]["is_this"]) == (1, True)


def test_a_failure_is_shown_in_the_place_of_the_answer(read, conversation):
    """With its type and message."""
    rows = [row | {"trace_id": f"{1:032x}"} for row in conversation(3)]
    case, _ = read(rows)
    assert case["error"] == ["TimeoutError", "no answer within 5 s"]


def test_a_trace_that_is_gone_is_said(read):
    """It can be skipped; nothing else is lost."""
    case, _ = read(trace_id=f"{9:032x}")
    assert "no trace whose id" in case["missing"]


def test_sentences_that_the_answer_draws_on_are_marked():
    """By words and numbers that both have; joined, the parts are the source as it was."""
    source = "Dogs travel free. Cats pay 12 euro\nper crossing! The office is in Skarholm."
    parts = marked(source, stems("A cat pays 12 euro for each crossing."))
    assert "".join(text for text, _ in parts) == source
    assert [text.strip() for text, is_used in parts if is_used] == ["Cats pay 12 euro"]
    assert marked("", frozenset()) == []


@pytest.mark.parametrize(
    ("part", "mime"),
    [
        ({"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}, "image/png"),
        ({"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": PNG}}, "image/jpeg"),
        ({"type": "blob", "modality": "image", "mime_type": "image/webp", "content": PNG}, "image/webp"),
        ({"inline_data": {"mime_type": "image/png", "data": PNG}}, "image/png"),
        ({"type": "input_audio", "input_audio": {"data": WAV, "format": "wav"}}, "audio/wav"),
        ({"type": "image_url", "image_url": {"url": "https://x.test/a.png"}}, None),
        ({"type": "image_url", "image_url": {"url": f"data:image/svg+xml;base64,{PNG}"}}, None),
        ({"type": "image_url", "image_url": {"url": "data:image/png;base64,<b>"}}, None),
        ({"type": "text", "text": "data"}, None),
    ],
)
def test_images_and_sounds_come_out_of_the_trace_itself(read, conversation, part, mime):
    """In whatever form; what is elsewhere, runs something or is no base64 is left alone."""
    root, *others = conversation(0)
    messages = json.dumps([{"role": "user", "content": [part]}])
    case, _ = read([root | {"attributes": json.dumps({"gen_ai.input.messages": messages})}, *others])
    assert [one["mime"] for one in case["media"]] == ([mime] if mime else [])


def test_one_picture_is_shown_once_and_a_large_one_is_only_named(conversation):
    """Jupyter's server cuts off what sends more."""
    from lmops.traces import Trace

    large = "A" * (LONGEST + 4)
    held = [f"data:image/png;base64,{one}" for one in (PNG, PNG, large)]
    rows = [row | {"attributes": json.dumps({"output.value": json.dumps(held)})} for row in conversation(0)]
    found = media_of(Trace.from_rows(rows))
    assert [(one.facts["is_shown"], one.facts["is_answer"]) for one in found] == [(True, True), (False, True)]


def test_a_case_of_an_evaluation_has_input_output_and_what_was_expected():
    """The scorers' opinion is asked for apart, and answered after the choice only."""
    with lmops.open(":memory:", actor="ann") as ws:
        ws.datasets.save("dogs", [{"example_id": "e1", "input": {"question": "A dog?"}, "expected": "free"}])
        run = ws.evals.run(lambda question: f"{question} free", "dogs", ["exact_match"], progress=False)
        ws.feedback.schemas.save("support")
        ws.feedback.queue("q", run, schema="support")
        controller = ws.feedback.label("q")._controller
        (found,) = controller.handle({"kind": "ahead", "id": "1", "n": 1, "have": []})
        case = found["items"][0]["case"]
        assert (case["output"], case["expected"]) == ("A dog? free", "free")
        assert "A dog?" in json.dumps([case["input"], case["conversation"]])
        ws.feedback.queues.label("q", 1, {"verdict": "pass"})
        (after,) = controller.handle({"kind": "after", "id": "1", "position": 1})
        assert [(one["name"], one["value"], one["by"]) for one in after["opinions"]] == [("exact_match", "0", "scorer")]
