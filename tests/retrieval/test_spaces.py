"""Embedding spaces are not mixed, fingerprints of documents, and files of settings."""

from __future__ import annotations

import pytest

from lmops.errors import RefusedError, UsageError
from lmops.retrieval import Document, Embedder, corpus_fingerprint, refuse_mixed
from lmops.retrieval.spaces import refuse_other_width

E5 = Embedder(model="hf:e5", dim=384, query_prefix="query: ", document_prefix="passage: ")


@pytest.mark.parametrize(
    "other",
    [
        Embedder(model="wordllama:256", dim=256, version="0.4.0"),
        Embedder(model="hf:e5", dim=384),
        Embedder(model="hf:e5", dim=384, query_prefix="query: ", document_prefix="passage: ", is_normalised=False),
        None,
    ],
)
def test_two_spaces_are_refused_with_both_names(other):
    """Model, dimension, length, prefixes; and what would work. The same space is not refused."""
    refuse_mixed(E5, E5)
    refuse_mixed(other, other)
    with pytest.raises(RefusedError) as found:
        refuse_mixed(E5, other, index="index 'docs'")
    said = str(found.value)
    assert "index 'docs' holds hf:e5 (384 numbers of length 1, query prefix 'query: '" in said
    assert ("no vectors" if other is None else other.model) in said
    assert "ws.retrieval.build" in said


def test_vectors_of_another_width_are_refused():
    """By what came, beside what the settings say."""
    refuse_other_width(E5, 384)
    with pytest.raises(RefusedError, match="vectors of 768 numbers, and the settings say 384"):
        refuse_other_width(E5, 768)


def test_a_corpus_has_one_fingerprint_in_any_order():
    """Of ids and texts; metadata and order do not count, where an id ends does."""
    found = corpus_fingerprint({"a": "x", "b": "y"})
    documents = [Document(id="b", text="y", metadata={"n": 1}), Document(id="a", text="x")]
    assert corpus_fingerprint(one for one in documents) == corpus_fingerprint([("b", "y"), ("a", "x")]) == found
    others = [{"a": "y", "b": "x"}, {"a": "x"}, {"ax": "", "b": "y"}, [("a", "x"), ("a", "x"), ("b", "y")]]
    assert len({found, *map(corpus_fingerprint, others)}) == 5
    for wrong in (["a"], [("a", b"x")], [("a", "x", 1)], [{"id": "a"}]):
        with pytest.raises(UsageError, match="is no document"):
            corpus_fingerprint(wrong)


def test_a_file_is_written_changed_and_becomes_a_version(ws, tmp_path):
    """Nobody's settings are overwritten; a conflict shows the parts that differ."""
    ws.retrieval.save("docs", chunker={"size": 800}, embedder="standin:embed-1")
    path = tmp_path / "docs.yaml"

    def synced(**options):
        (entry,) = ws.retrieval.sync(tmp_path, **options).entries
        return entry

    assert [synced().action, synced().action] == ["written", "same"]
    path.write_text(path.read_text().replace("size: 800", "size: 400"))
    assert synced().action == "saved"
    assert ws.retrieval.diff("docs", 1, 2) == "chunker.size 800 -> 400"
    path.write_text(path.read_text().replace("size: 400", "size: 300"))
    ws.retrieval.save("docs", chunker={"size": 200})
    assert "chunker.size 200 -> 300" in synced().diff
    assert synced(take={"docs": "registry"}).action == "written"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("chunker: sentences\nembeder: x\n", "line 2: no key named 'embeder'"),
        ("k: 3\nchunker:\n  name: sentence\n", "line 2: chunker: no chunker named"),
        ("- chunker\n", "line 1: a settings is a mapping"),
        ("settings: other\nk: 3\n", "name the file after it"),
        ("k: [\n", "it is no YAML"),
        ("k: 3\nfilters: {day: 2026-01-01}\n", "line 2: filters:"),
    ],
)
def test_what_is_no_settings_is_a_problem_of_its_file(ws, tmp_path, text, said):
    """With its line."""
    (tmp_path / "docs.yaml").write_text(text)
    (entry,) = ws.retrieval.sync(tmp_path).entries
    assert (entry.action, said in entry.detail) == ("problem", True), entry.detail
