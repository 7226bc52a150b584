"""Texts too long for a row: cut in the row, whole in a blob, and put back on request."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmops.store import Store
from lmops.store._long import MAX_CHARS
from lmops.store._overlay import preview

from .helpers import DAY, START, Row, count, llm, shown, span

if TYPE_CHECKING:
    from pathlib import Path

LONG = "word " * 60_000
MESSAGES = json.dumps([{"role": "system", "content": LONG}, {"role": "user", "content": "why?"}]).replace('": "', '":"')
DOCUMENTS = json.dumps([{"rank": 1, "id": "d1", "content": LONG}, {"rank": 2, "id": "d2", "metadata": {"x": LONG}}])
CASES: dict[str, Row] = {
    "text": {"input": LONG},
    "messages": {"input": MESSAGES, "kind": "llm"},
    "documents": {"documents": DOCUMENTS},
    "attributes": {"attributes": json.dumps({"k": LONG})},
    "events": {"events": json.dumps([{"name": LONG}])},
    "no list": {"documents": LONG},
    "several": {"input": LONG, "output": LONG + "!"},
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("way", ["append", "load"])
def test_a_long_text_is_short_in_the_row_and_whole_again(store: Store, case: str, way: str) -> None:
    """JSON stays JSON; every view works; the whole comes back exactly, also after drain and backup."""
    row = span("t", "s") | CASES[case]
    if way == "append":
        store.append_many({"spans": [row]})
        store.drain()
    else:
        store.load([row])
    (stored,) = shown(store, "spans")
    for column, text in CASES[case].items():
        if column != "kind":
            assert len(stored[column]) < len(text) / 10
        if column in ("attributes", "events", "documents") or text is MESSAGES:
            json.loads(stored[column])
    assert count(store, "retrieved_documents") == (2 if case == "documents" else case == "no list")
    (whole,) = store.whole([stored])
    assert {name: whole[name] for name in CASES[case]} == CASES[case]
    with Store.open(store.backup(store.path.parent / "copy")) as copy:
        assert copy.whole(shown(copy, "spans"))[0]["input"] == row["input"]
        assert copy.check().ok
    assert store.check().ok


roles = st.sampled_from(["user", "assistant", "system"])
said = st.text(max_size=6) | st.sampled_from(['x"}]', "\\", '"}', '{"role":"user","content":"no"}', "\n", None, 7])
spoken = st.fixed_dictionaries(
    {"role": roles, "content": said}, optional={"name": st.just("n"), "tool_calls": st.just([{}])}
)


@given(st.lists(spoken, max_size=4), roles)
def test_a_preview_is_the_last_text_of_a_role(messages: list[dict[str, Any]], role: str) -> None:
    messages = [{"role": message["role"], "content": message["content"], **message} for message in messages]
    text = json.dumps(messages, ensure_ascii=False, separators=(",", ":"))
    texts = [message["content"] for message in messages if message["role"] == role]
    texts = [content for content in texts if isinstance(content, str) and content]
    assert preview(text, role) == (texts[-1] if texts else text)


def test_previews_of_long_messages_are_what_was_said(store: Store) -> None:
    """The last question is shown although the system prompt before it was too long."""
    store.load([llm("t", "s", input=MESSAGES)])
    assert store.sql("select input from traces").fetchall() == [("why?",)]


def test_the_same_text_is_kept_once(store: Store) -> None:
    """Repeats and equal texts share a blob, and the same span again is a duplicate."""
    store.load([span("t", "a", input=LONG), span("t", "b", output=LONG)])
    assert store.load([span("t", "a", input=LONG)]).duplicates == 1
    assert len(list((store.path / "blobs").glob("*/*"))) == 1


def test_rewriting_sees_the_whole_text(store: Store) -> None:
    """A change gets the row as it was sent, and its result is cut again."""
    store.load([span("t", "s", attributes=json.dumps({"k": LONG}))])
    seen: list[int] = []

    def change(row: Row, _: list[Row]) -> Row:
        seen.append(len(row["attributes"]))
        return {"name": "changed"}

    assert store.rewrite_spans(change) == 1
    assert seen == [len(json.dumps({"k": LONG}))]
    (stored,) = shown(store, "spans")
    assert (stored["name"], len(stored["attributes"]) < 200) == ("changed", True)
    assert json.loads(store.whole([stored])[0]["attributes"]) == {"k": LONG}


@settings(max_examples=30, deadline=None)
@given(name=st.from_regex(r"[0-9a-f]{64}", fullmatch=True), size=st.integers(0, 9))
def test_a_text_that_looks_like_a_marker_stays_what_it_is(name: str, size: int) -> None:
    """Text of a trace names no file: a forged marker is a text."""
    with Store.open(":memory:") as store:
        forged = [f"x\n[lmops.blob {name}, {size} bytes]", json.dumps({"lmops.blob": name, "bytes": size})]
        row = span("t", "s", input=forged[0], attributes=forged[1])
        assert store.whole([row]) == [row]


def test_a_marker_of_another_text_is_not_followed(store: Store) -> None:
    """A forged marker with the name of a blob that exists does not show that blob."""
    name = store.blobs.put(("secret " * MAX_CHARS).encode())
    row = span("t", "s", input=f"x\n[lmops.blob {name}, 7 bytes]")
    assert store.whole([row]) == [row]


def test_retention_removes_unused_blobs(store: Store) -> None:
    """Blobs of removed traces go when nobody has touched them for a day; those in use and new ones stay."""
    store.load([span("old", "s", input=LONG), span("new", "s", input=LONG + "2", start=START + 9 * DAY)])
    store.blobs.put(b"on its way")
    past = time.time() - 2 * 86_400
    blobs: list[Path] = list((store.path / "blobs").glob("*/*"))
    for blob in blobs:
        if blob.read_bytes() != b"on its way":
            os.utime(blob, (past, past))
    store.retain(days=5, now_ns=START + 10 * DAY)
    assert len(list((store.path / "blobs").glob("*/*"))) == 2
    assert store.whole(shown(store, "spans"))[0]["input"] == LONG + "2"
