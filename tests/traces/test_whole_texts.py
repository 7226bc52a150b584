"""A search sees texts whole: beyond the preview of a trace, and in the blobs of long texts."""

import json
import subprocess
import sys

import pytest

from lmops.store._long import MAX_CHARS

from .otlp_builders import request_json, span_json

NEEDLE = 'a "needle"\nhere'


def store_of(ws, text, *, messages=True, key="input", **more):
    """Keep one trace whose root, no model call, says this."""
    role = "user" if key == "input" else "assistant"
    value = json.dumps([{"role": role, "content": text}]) if messages else text
    attributes = {f"gen_ai.{key}.messages": value} if messages else {f"{key}.value": value}
    ws.traces.ingest(json.dumps(request_json(span_json(attributes | more))).encode(), progress=False)


@pytest.mark.parametrize("size", [0, 999, 5_000, MAX_CHARS + 1])
@pytest.mark.parametrize("key", ["input", "output"])
@pytest.mark.parametrize("messages", [True, False])
def test_a_word_is_found_wherever_it_stands(ws, size, key, messages):
    """In a preview, beyond it, and in a blob; quotes and line breaks are what they were."""
    store_of(ws, "z" * size + NEEDLE, key=key, messages=messages)

    assert len(ws.traces.search(f"{key} like '%a \"needle\"\nhere%'")) == 1
    assert len(ws.traces.search(f"contains(lower({key}), 'a \"needle\"') and status <> 'error'")) == 1
    assert len(ws.traces.search(f"{key} like '%thread%'")) == 0
    assert len(ws.traces.search(f"{key} not like '%needle%'")) == 0
    assert len(ws.traces.search(f"length({key}) = {size + len(NEEDLE)}")) == 1
    assert len(ws.traces.search(f"span.{key} like '%needle%' and span.status <> 'error'")) == 1


def test_the_arguments_of_a_call_are_found_in_a_blob(ws):
    """An answer that only calls a tool has its words in the arguments, however long they are."""
    part = {"type": "tool_call", "id": "c", "name": "f", "arguments": {"a": "z" * (MAX_CHARS + 1) + "needle"}}
    answer = json.dumps([{"role": "assistant", "parts": [part]}])
    attributes = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m", "gen_ai.output.messages": answer}
    ws.traces.ingest(json.dumps(request_json(span_json(attributes))).encode(), progress=False)

    assert len(ws.traces.search("output like '%needle%'")) == 1
    assert len(ws.traces.search("output like '%lmops.blob%'")) == 0
    assert len(ws.traces.search("span.output like '%needle%'")) == 1


def test_what_is_cut_is_there(ws):
    """A text too long for its row is not missing."""
    store_of(ws, "z" * (MAX_CHARS + 1))

    assert len(ws.traces.search("input is not null and span.input is not null")) == 1
    assert len(ws.traces.search("input is null or span.input is null")) == 0


@pytest.mark.parametrize(
    ("query", "is_part"),
    [
        ("select count(*) from traces where input like '%needle%'", True),
        ("select count(*) from traces where not contains(lower(output), 'needle')", True),
        ("select count(*) from traces t where t.\"input\" not ilike '%needle%'", True),
        ("select count(*) from traces where regexp_matches(input, 'needle')", True),
        ("select count(*) from spans where input like '%needle%'", False),
        ("select count(*) from traces where name like '%input%'", False),
        ("select input from traces", False),
    ],
)
def test_a_question_that_looked_at_previews_says_so(ws, query, is_part):
    """SQL on traces sees the beginning of a text; the answer and its frame say it."""
    store_of(ws, "z" * 2_000 + "needle")
    found = ws.sql(query)

    assert ("first 1,000 characters" in found.note) == is_part
    assert found.df().attrs.get("note", "") == found.note
    assert ("note: " in repr(found)) == is_part
    assert "note" not in ws.traces.search("input like '%needle%'").attrs


def test_attributes_in_a_blob_are_found(ws):
    """Attributes too long for their row are found by name and by what they hold."""
    store_of(ws, "q", **{"app.dump": "z" * (MAX_CHARS + 1), "app.tier": "gold"})

    assert len(ws.traces.search("attributes['app.tier'] = 'gold'")) == 1
    assert len(ws.traces.search("attributes['app.tier'] = 'silver'")) == 0


def test_the_list_of_the_browser_looks_as_far(ws):
    """A listing finds what a search finds, and its query for ws.sql as well."""
    from lmops.store import Bounds
    from lmops.traces.listing import TraceSource

    store_of(ws, "z" * 5_000 + "needle")

    listing = TraceSource(ws.store).listing("input ilike '%needle%'", Bounds(None, None))
    assert (listing.total, len(ws.sql(listing.sql).df())) == (1, 1)


def test_a_process_that_searched_whole_texts_ends_silently(ws):
    """Neither the open store nor a result that is kept makes noise at the end of the interpreter."""
    store_of(ws, "z" * 5_000 + "needle")
    code = (
        f"import lmops; ws = lmops.open({str(ws.store.path)!r}); kept = ws.sql('select 1')\n"
        "print(len(ws.traces.search(\"input like '%needle%'\")))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("1\n", "")
