"""Whoever is erased is erased from the feedback: what they said, and what was said of their traces."""

from __future__ import annotations

import lmops
from lmops.store import _grown as grown
from tests.feedback.notes import noted, trace
from tests.store.helpers import span


def holds(folder, word):
    """Return whether any file of a store holds a word."""
    return any(word.encode() in path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_a_person_is_erased_with_what_was_said(ws, monkeypatch):
    """In the table, in answers and in the file that copies it; others stay, and numbers are not given twice."""
    monkeypatch.setattr(grown, "KEEP_ROWS", 1)
    mine = span("mine", "root", user_id="ann-personal", response_id="answer-personal", kind="llm", model="m")
    other = span("other", "root", user_id="bob")
    ws.store.append_many({"spans": [mine, other]})
    ws.feedback.record(mine["trace_id"], value="up", user="bob")
    ws.feedback.record(response_id="answer-personal", value="up", user="carl")
    ws.feedback.record(other["trace_id"], value="down", user="ann-personal")
    ws.feedback.record(other["trace_id"], value="down", user="carl", comment="as ann-personal told me")
    ws.feedback.record(other["trace_id"], value="up", user="bob")
    assert len(ws.feedback.list()) == 5
    assert ws.erase(user_id="ann-personal").records["signals"] == 4
    assert ws.erase(user_id="ann-personal", reason="asked", dry_run=False).records["signals"] == 4
    assert ws.feedback.list(history=True)["user_id"].tolist() == ["bob"]
    assert (ws.audit.verify().ok, ws.store.check().ok) == (True, True)
    assert ws.feedback.record(other["trace_id"], value="up", user="dora").change == "new"
    assert ws.sql("select max(seq) from feedback_history").fetchall() == [(6,)]
    folder = ws.store.path
    ws.close()
    assert not holds(folder, "ann-personal")
    with lmops.open(folder) as again:
        assert again.feedback.list()["user_id"].tolist() == ["dora", "bob"]


def test_words_that_are_only_alike_are_listed(ws):
    """What another user said elsewhere in the same words stays."""
    text = "the ferry to Skarholm was late again and nobody told me"
    ws.store.append_many({"spans": [span("mine", "root", user_id="ann", input=text), span("other", "root")]})
    ws.feedback.record(span("other", "root")["trace_id"], value=text, name="why", kind="text", user="bob")
    report = ws.erase(user_id="ann")
    assert "signals" not in report.records
    assert report.alike == {"signals": ["signal 1"]}


def test_a_mode_that_quotes_somebody_is_erased(ws):
    """Its words go with the note that it quotes; the others and their places stay, and the chain holds."""
    words = "Maria Lopez of cabin 4711 was told an invented fare"
    themes = noted(ws, written=((1, "fail", words), (2, "fail", "rude tone"), (3, "fail", "wrong language")))
    themes.make(words, ["1/verdict.critique/ann"], criteria=f"As with this: {words}")
    themes.make("rude", ["2/verdict.critique/ann"])
    assert ws.erase(trace_ids=[trace(1)]).records["failure modes"] == 1
    ws.erase(trace_ids=[trace(1)], reason="asked", dry_run=False)
    assert themes.modes()[["name", "notes"]].to_numpy().tolist() == [["rude", 1], ["[erased]", 0]]
    assert (ws.audit.verify().ok, ws.store.check().ok) == (True, True)
    assert themes.undo() == "make of 1 note"
    folder = ws.store.path
    ws.close()
    assert not holds(folder, "Maria Lopez")
    assert not holds(folder, "4711")
