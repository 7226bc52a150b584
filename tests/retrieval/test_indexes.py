"""Building an index: what is cut and embedded again, what stays, what is refused."""

from __future__ import annotations

import os
import signal

import numpy as np
import pandas as pd
import pytest

import lmops
from lmops.errors import (
    DamagedStoreError,
    MissingDependencyError,
    ModelError,
    NotFoundError,
    ReadOnlyError,
    RefusedError,
    StoreFullError,
    UsageError,
)
from lmops.retrieval import Document
from lmops.store import BusyError, restore
from tests import forked


def files(ws):
    """Return what lies in the folder of indexes."""
    return sorted(path.relative_to(ws.store.path).as_posix() for path in ws.store.path.glob("bundles/*/*"))


def test_only_what_changed_is_cut_and_embedded_again(docs, articles, embeds):
    """One document changed, one is new, one is gone: only the texts that are new are asked for."""
    docs.retrieval.save("house", chunker="whole", embedder={"model": "house", "dim": 4})
    first = docs.retrieval.build("help", articles, "house")
    assert (first.work.added, first.work.embedded, len(embeds.texts)) == (3, 3, 4)  # and one to know the model by
    del embeds.endpoint.asked[:]
    changed = {"pets": articles["pets"], "refund": "No refund.", "new": "Parking is free."}
    index = docs.retrieval.build("help", changed, "house", reason="more pages")
    assert sorted(embeds.texts) == [
        "No refund.",
        "Parking is free.",
        "Where can I read how my order is paid back when the ferry is cancelled?",
    ]
    work = index.work
    assert (work.added, work.changed, work.removed, work.kept, work.reused) == (1, 1, 1, 1, 1)
    fresh = docs.retrieval.build("fresh", changed, "house")
    assert [hit.score for hit in index.search("a", 9).hits] == [hit.score for hit in fresh.search("a", 9).hits]
    assert docs.audit.verify().ok
    said = docs.sql("select action, reason from audit where subject = 'help' order by event_id").fetchall()
    assert said == [("index.build", None), ("index.build", "more pages")]


def test_the_same_again_changes_nothing(docs, articles):
    """Neither a file nor a record; another metadata does."""
    one = docs.retrieval.build("help", articles, "vectors")
    before = files(docs)
    two = docs.retrieval.build("help", dict(reversed(articles.items())), "vectors")
    assert (two.work, files(docs), two.record) == (None, before, one.record)
    given = [Document(id=name, text=text, metadata={"area": "x"}) for name, text in articles.items()]
    assert docs.retrieval.build("help", given, "vectors").work.kept == 3


def test_other_settings_take_the_place_in_one_step(docs, articles):
    """Who has opened the old one goes on with it."""
    old = docs.retrieval.build("help", articles, "words")
    docs.retrieval.search("help", "ferry")
    docs.retrieval.build("help", articles, "vectors")
    assert docs.retrieval.index("help").settings.ref == "vectors@1"
    assert docs.retrieval.search("help", "ferry").hits[0].parts.keys() == {"vector"}
    assert old.search("ferry").hits[0].parts.keys() == {"bm25"}
    assert len([name for name in files(docs) if not name.endswith("lock")]) == 1


def test_documents_of_everything_that_holds_them(docs, articles, tmp_path):
    """They are the same documents whatever they come in."""
    folder = tmp_path / "pages"
    folder.mkdir()
    for name, text in articles.items():
        (folder / name).write_text(text)
    (folder / ".hidden").write_bytes(b"\xff")
    rows = [{"id": name, "text": text} for name, text in articles.items()]
    lines = tmp_path / "pages.jsonl"
    lines.write_bytes(pd.DataFrame(rows).to_json(orient="records", lines=True).encode())
    docs.datasets.save("pages", [{"example_id": name, "input": text} for name, text in articles.items()])
    given = [articles, rows, iter(rows), pd.DataFrame(rows), folder, str(lines), "pages", docs.datasets.get("pages")]
    found = {docs.retrieval.build("help", one, "words").corpus_fingerprint for one in given}
    assert len(found) == 1
    frame = pd.DataFrame([{"id": 7, "text": "cats", "year": 2020, "area": None}])
    index = docs.retrieval.build("frame", frame, "words")
    assert index.document("7") == Document(id="7", text="cats", metadata={"year": 2020})
    first, *_, last = docs.retrieval.index("help").chunks_of("refund")
    assert (first.start, last.end) == (0, len(articles["refund"]))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], "no document"),
        ({}, "no document"),
        ({"a": "", "b": ""}, "no text in any"),
        ([{"id": "a", "text": "x"}, {"id": "a", "text": "y"}], "two documents have the id 'a'"),
        ([{"id": "", "text": "x"}], "document 1 has the id ''"),
        ([{"id": "x" * 600, "text": "x"}], "600 characters"),
        ([{"id": "a"}], "has no text"),
        ([{"id": "a", "text": b"x"}], "a bytes and not a text"),
        (b"bytes", "a bytes is not a corpus"),
        (7, "a int is not a corpus"),
        (["text"], "document 1 is a str"),
        ([{"id": "a", "text": "x", "metadata": {"b": [1]}}], "metadata 'b'"),
        ([{"id": "a", "text": "x", "metadata": {"b": 2**70}}], "64 bits"),
        (pd.DataFrame({"id": ["a"]}), "no column 'text'"),
    ],
)
def test_what_is_no_corpus_is_named(docs, given, said):
    """Nothing is built of it."""
    with pytest.raises(UsageError, match=said):
        docs.retrieval.build("help", given, "words")
    assert docs.retrieval.indexes().empty


def test_files_that_are_no_text_are_named(docs, tmp_path):
    """With the byte where it ends to be one."""
    (tmp_path / "a.pdf").write_bytes(b"%PDF\xff")
    with pytest.raises(UsageError, match=r"a\.pdf is no text in UTF-8 \(byte 4\)"):
        docs.retrieval.build("help", tmp_path, "words")
    (tmp_path / "b.jsonl").write_text('{"id": "a", "text": "x"}\n{')
    with pytest.raises(UsageError, match=r"b\.jsonl, line 2"):
        docs.retrieval.build("help", tmp_path / "b.jsonl", "words")
    with pytest.raises(NotFoundError, match="nothing at"):
        docs.retrieval.build("help", tmp_path / "nowhere", "words")


def test_hostile_documents_are_kept_as_they_are(docs):
    """Markup, controls, a NUL, halves of characters: what is found stands where it stood, and nothing acts."""
    given = {
        "<script>x</script>\n#1": "<img src=x onerror=alert(1)> ferry $5 and $6 \x00\x1b[31m nul",
        "half": "ferry \ud800 half",
        "../../etc/passwd": "ferry \u202e turned",
        "astral": "😀😀 ferry 🛳️. Two 😀.",
    }
    index = docs.retrieval.build("help", given, "both")
    found = index.search("ferry \ud800 \x00", 10)
    assert len(found.hits) == len(index)
    for hit in found.hits:
        whole = given[hit.chunk.document].replace("\ud800", "\ufffd")
        assert whole[hit.chunk.start : hit.chunk.end] == hit.chunk.text
    assert "<img" not in found._repr_html_()
    assert "\x1b" not in found.text
    assert "<script>" not in index._repr_html_()
    assert docs.store.check().ok


def test_one_document_of_50_mb(docs):
    """Is cut and found; a chunk that no embedder reads to its end is refused by name."""
    text = ("x" * 999_999 + " ") * 50
    docs.retrieval.save("large", chunker={"name": "words", "size": 100_000})
    index = docs.retrieval.build("help", {"all": text + "A zebra."}, "large")
    (hit,) = index.search("zebra", 1).hits
    assert hit.chunk.end == len(text) + 8
    docs.retrieval.save("whole", chunker="whole", embedder="standin:embed-1")
    with pytest.raises(UsageError, match="more than an embedder reads"):
        docs.retrieval.build("other", {"all": text}, "whole")


def test_an_endpoint_that_goes_down_at_half_way_is_not_asked_again(docs, embeds):
    """What it embedded is kept: the same call goes on behind it, and the old index answers until then."""
    docs.retrieval.save("house", chunker="whole", embedder={"model": "house", "dim": 4})
    docs.retrieval.build("help", {"old": "The old page."}, "house")
    del embeds.endpoint.asked[:]
    given = {f"{number:04d}": f"Page {number} of the ferry" for number in range(600)}
    embeds.fails_after = 3
    with pytest.raises(ModelError, match="of 601 texts are embedded and kept") as caught:
        docs.retrieval.build("help", given, "house")
    assert caught.value.status == 400
    assert docs.retrieval.index("help").record.documents == 1
    answered = {text for asked in embeds.endpoint.asked[:3] for text in asked.body["input"]}
    embeds.fails_after = None
    del embeds.endpoint.asked[:]
    index = docs.retrieval.build("help", given, "house")
    kept = index.work.reused
    assert kept >= 255
    assert len(embeds.texts) == 600 - kept + 1  # and the one that says whether it is still the same model
    assert answered.intersection(embeds.texts) <= answered
    assert index.record.documents == 600
    assert not any("unfinished" in name for name in files(docs))


def test_other_vectors_than_then_are_refused(docs, articles, embeds):
    """Of another dimension, and of another model behind the same name; the index stays."""
    docs.retrieval.save("house", chunker="whole", embedder={"model": "house", "dim": 4})
    docs.retrieval.build("help", articles, "house")
    embeds.turned = True
    with pytest.raises(RefusedError, match="house answers with other vectors than for the index 'help' of"):
        docs.retrieval.search("help", "cats")
    embeds.turned, embeds.dim = False, 3
    with pytest.raises(RefusedError, match="vectors of 3 numbers, and the settings say 4"):
        docs.retrieval.search("help", "cats")
    with pytest.raises(RefusedError, match="house"):
        docs.retrieval.build("other", articles, "house")
    embeds.dim = 4
    assert len(docs.retrieval.search("help", "cats").hits) == 3


def test_another_model_under_the_same_name_adds_nothing_to_an_index(docs, articles, embeds):
    """Neither to one that is there nor to a build that was cut short; said to be another version, it embeds all."""
    docs.retrieval.save("house", chunker="whole", embedder={"model": "house", "dim": 4})
    docs.retrieval.build("help", articles, "house")
    embeds.turned = True
    with pytest.raises(RefusedError, match="house answers with other vectors than for the vectors of the index"):
        docs.retrieval.build("help", {**articles, "new": "Parking is free."}, "house")
    assert docs.retrieval.index("help").record.documents == 3
    docs.retrieval.save("house", chunker="whole", embedder={"model": "house", "dim": 4, "version": "2"})
    found = docs.retrieval.build("help", {**articles, "new": "Parking is free."}, "house@2")
    assert (found.work.embedded, found.work.reused, len(found.search("cats", 9).hits)) == (4, 0, 4)
    many = {f"{number:04d}": f"Page {number} of the ferry" for number in range(300)}
    embeds.fails_after = len(embeds.endpoint.asked) + 2
    with pytest.raises(ModelError, match="256 of 301 texts are embedded and kept"):
        docs.retrieval.build("many", many, "house@2")
    embeds.fails_after, embeds.turned = None, False
    with pytest.raises(RefusedError, match="than for the part of this build that is done"):
        docs.retrieval.build("many", many, "house@2")
    embeds.turned = True
    assert docs.retrieval.build("many", many, "house@2").work.reused == 255


def test_wordllama_needs_no_network(docs, articles, monkeypatch):
    """Its weights lie in the package: no address is looked up, and the logging of the process stays as it was."""
    import logging
    import socket

    def refuse(*_args, **_options):
        raise AssertionError("something was looked up")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    before = logging.getLogger().level, list(logging.getLogger().handlers)
    docs.retrieval.save("offline", chunker="whole", embedder="wordllama:64", kind="hybrid")
    index = docs.retrieval.build("help", articles, "offline")
    assert index.search("may I bring my dog?").hits[0].chunk.document == "pets"
    assert np.linalg.norm(index._files.vectors[0]) == pytest.approx(1)
    assert (logging.getLogger().level, logging.getLogger().handlers) == before


@pytest.mark.parametrize(("package", "settings"), [("bm25s", "words"), ("wordllama", "llama"), ("usearch", "graph")])
def test_what_is_not_installed_is_named_with_its_extra(docs, articles, monkeypatch, package, settings):
    """Before anything is read or asked."""
    import sys

    from lmops.retrieval.indexes import embedding, lexical

    docs.retrieval.save("llama", embedder="wordllama:256")
    docs.retrieval.save("graph", embedder="standin:embed-1", kind="usearch")
    embedding._wordllama.cache_clear()
    lexical.words_of.cache_clear()
    for name in [name for name in sys.modules if name.split(".")[0] == package] or [package]:
        monkeypatch.setitem(sys.modules, name, None)
    extra = "ann" if package == "usearch" else "retrieval"
    with pytest.raises(MissingDependencyError, match=rf"{package} is not installed: pip install 'lmops\[{extra}\]'"):
        docs.retrieval.build("help", articles, settings)


STEPS = [
    ("lmops.retrieval.indexes.journal.Journal.append", True, False),
    ("lmops.store._bundles.Bundles.publish", False, False),
    ("lmops.store._bundles.Bundles.publish", True, False),
    ("lmops.store._bundles.Bundles.sweep", False, True),
]


@pytest.mark.parametrize(("step", "is_after", "is_new"), STEPS)
def test_killed_anywhere_one_index_is_whole(docs, articles, step, is_after, is_new):
    """SIGKILL before or after each step: the old one answers or the new one, and the same call ends the work."""
    docs.retrieval.build("help", articles, "both")
    path, changed = docs.store.path, {**articles, "pets": "Cats travel free."}
    code = f"""
import importlib, os, signal, lmops
module, _, name = {step!r}.rpartition(".")
module, _, owner = module.rpartition(".")
owner = getattr(importlib.import_module(module), owner)
real = getattr(owner, name)
def dying(*args, **kwargs):
    if {is_after}:
        real(*args, **kwargs)
    os.kill(os.getpid(), signal.SIGKILL)
setattr(owner, name, dying)
lmops.open({str(path)!r}, actor="tester").retrieval.build("help", {changed!r}, "both")
"""
    done = forked.run(code)
    assert done.returncode == -signal.SIGKILL, done.stderr
    with lmops.open(path, actor="tester") as other:
        assert other.store.check().ok
        text = other.retrieval.index("help").document("pets").text
        assert text == (changed if is_new else articles)["pets"]
        assert other.retrieval.search("help", "cats").hits
        again = other.retrieval.build("help", changed, "both")
        assert again.document("pets").text == "Cats travel free."
        assert (again.work is None) == is_new
        assert is_new or again.work.embedded == 0
        assert len([name for name in files(other) if not name.endswith("lock")]) == 1
        assert other.audit.verify().ok


def test_one_builds_at_a_time(docs, articles):
    """Another is told so, at once."""
    with docs.store.bundles.writing("help", what="it"), pytest.raises(BusyError, match="'help' is being written"):
        docs.retrieval.build("help", articles, "words")
    assert docs.retrieval.build("help", articles, "words").record.documents == 3


def test_a_store_that_is_read_only_is_searched_and_not_built_in(docs, articles):
    """Nothing is made in it."""
    docs.retrieval.build("help", articles, "words")
    with lmops.open(docs.store.path, read_only=True) as other:
        assert other.retrieval.search("help", "cats").hits
        for work in (lambda: other.retrieval.build("help", {"a": "b"}, "words"), lambda: other.retrieval.drop("help")):
            with pytest.raises(ReadOnlyError):
                work()


def test_a_full_disk_leaves_the_old_index(docs, articles):
    """In words; the same call makes it once there is room."""
    resource = pytest.importorskip("resource")
    docs.retrieval.build("help", articles, "vectors")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    given = {f"{number}": f"{number} " * 50 for number in range(3_000)}
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
    try:
        with pytest.raises(StoreFullError):
            docs.retrieval.build("help", given, "vectors")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    assert docs.retrieval.index("help").record.documents == 3
    assert docs.retrieval.search("help", "cats").hits


def test_a_backup_takes_indexes_along(docs, articles, tmp_path):
    """And what is restored of it answers the same; what is unfinished stays behind."""
    docs.retrieval.build("help", articles, "both")
    with docs.store.bundles.writing("other", what="it") as folder:
        (folder / "texts.txt").write_text("half")
    docs.store.backup(tmp_path / "backup")
    restore(tmp_path / "backup", tmp_path / "restored")
    assert not [*(tmp_path / "restored").rglob("unfinished/*")]
    with lmops.open(tmp_path / "restored") as other:
        assert other.store.check().ok
        ours = docs.retrieval.search("help", "cats")
        assert other.retrieval.search("help", "cats").hits == ours.hits


def test_a_check_names_what_is_missing_or_changed(docs, articles):
    """A search says so as well, and a build makes it anew as a whole."""
    docs.retrieval.build("help", articles, "words")
    (texts,) = docs.store.path.glob("bundles/help/*/texts.txt")
    texts.write_bytes(texts.read_bytes().replace(b"Cats", b"Rats"))
    assert "texts.txt is not what was written" in repr(docs.store.check())
    os.truncate(texts, 10)
    with lmops.open(docs.store.path) as other, pytest.raises(DamagedStoreError, match="makes it anew"):
        other.retrieval.index("help")
    docs.retrieval.build("help", {**articles, "new": "x"}, "words")
    assert docs.store.check().ok


def test_erasing_a_word_takes_the_index_that_shows_it(docs, articles):
    """Others stay, and no file holds the word any more; what only quotes an article is no reason."""
    docs.retrieval.build("help", articles, "words")
    docs.retrieval.build("people", {"a": "Mara Quill pays by card."}, "both")
    with docs.store.bundles.writing("people", what="it") as folder:
        (folder / "texts.txt").write_text("Mara Quill again")
        (folder / "embedded-1.bin").write_bytes(b"\x00")
    plan = docs.erase(words="Mara Quill")
    assert plan.records == {"indexes with all their chunks": 1}
    docs.erase(words="Mara Quill", reason="asked", dry_run=False)
    assert docs.retrieval.indexes()["name"].tolist() == ["help"]
    held = [path for path in docs.store.path.rglob("*") if path.is_file() and b"Quill" in path.read_bytes()]
    assert held == []
    assert not [*docs.store.path.glob("bundles/people/*/*")]
    assert docs.audit.verify().ok
    assert docs.store.check().ok


def test_dropped_it_is_gone_with_its_files(docs, articles):
    """A dry run says what would go; the message names those that are there."""
    docs.retrieval.build("help", articles, "words")
    assert docs.retrieval.drop("help", dry_run=True).documents == 3
    assert docs.retrieval.drop("help", reason="old").name == "help"
    assert [name for name in files(docs) if not name.endswith("lock")] == []
    docs.retrieval.build("helps", articles, "words")
    for work in (docs.retrieval.index, docs.retrieval.drop):
        with pytest.raises(NotFoundError, match="did you mean 'helps'"):
            work("help")
    assert docs.sql("select name, documents, bytes > 0 from retrieval_indexes").fetchall() == [("helps", 3, True)]
    assert docs.audit.verify().ok


def test_a_store_of_ones_own_is_not_built(docs, articles):
    """It is stamped."""
    docs.retrieval.save("theirs", kind="pgvector:hnsw", embedder="standin:embed-1")
    with pytest.raises(UsageError, match=r"ws\.retrieval\.stamp"):
        docs.retrieval.build("help", articles, "theirs")


def test_usearch_finds_about_the_same(docs):
    """The graph is asked, and what it finds is compared again."""
    given = {f"{number}": f"page {number} of {number % 7} ferries and {number % 11} cats" for number in range(300)}
    docs.retrieval.save("graph", chunker="whole", embedder="standin:embed-1", kind="usearch")
    docs.retrieval.save("exact", chunker="whole", embedder="standin:embed-1")
    graph, exact = (docs.retrieval.build(name, given, name) for name in ("graph", "exact"))
    ours, theirs = ([hit.chunk.id for hit in one.search("3 ferries and 4 cats", 20).hits] for one in (graph, exact))
    assert len(set(ours) & set(theirs)) >= 15
