"""What the page on retrieval says runs as it stands: on clients shaped like those of four stores, and on real ones."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from lmops.standin.embed import embedding

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "retrieval.md").read_text()
TEXTS = {"cats#1": "Cats purr.", "dogs#1": "Dogs bark."}
FIRST = PAGE[PAGE.index("## Settings in versions") : PAGE.index("## Fingerprints")]


class Sql:
    """A connection, as psycopg has."""

    def execute(self, sql, given):
        """Answer with rows."""
        assert sql.count("%s") == len(given)
        return SimpleNamespace(fetchall=lambda: [("cats#1", "Cats purr.", 0.1), ("dogs#1", "Dogs bark.", 0.6)])


class Collection:
    """A collection, as Chroma has."""

    def query(self, *, query_embeddings, n_results):
        """Answer query by query."""
        assert (len(query_embeddings), n_results) == (1, 10)
        return {"ids": [[*TEXTS]], "distances": [[0.1, 0.6]], "documents": [[*TEXTS.values()]]}


class Table:
    """A table, as LanceDB has."""

    def search(self, _vector):
        """Begin a query."""
        return self

    def limit(self, k):
        """Take k."""
        assert k == 10
        return self

    def to_list(self):
        """Answer with rows."""
        return [{"id": "cats#1", "text": "Cats purr.", "_distance": 0.1}, {"id": "dogs#1", "text": "", "_distance": 1}]


class Client:
    """A client, as Elasticsearch has."""

    def search(self, *, index, query, size):
        """Answer with hits."""
        assert (index, size, query["match"]["text"]) == ("docs", 10, "cats that purr")
        return {"hits": {"hits": [{"_id": "cats#1", "_score": 3.2, "_source": {"text": "Cats purr."}}]}}


def block(store):
    """Return the lines of a store."""
    return re.search(rf"<!-- {store} -->\n```python\n(.*?)```", PAGE, re.DOTALL)[1]


def searched(ws, store, **names):
    """Run the lines of a store, search, and return the row of the span."""
    ws.retrieval.save("docs")
    ws.retrieval.promote("docs", 1, to="production")
    ws.traces.instrument(clients=False)
    known = {"ws": ws, "fp": "c1", "embed": lambda text: [*embedding(text)], **names}
    exec(block(store), known)
    known["search"]("cats that purr")
    ws.traces.stop_instrumentation()
    columns = "query, k, documents->0->>'id', settings, corpus_fingerprint, documents->0->>'content'"
    return ws.sql(f"select {columns} from retrievals").fetchall()


EXPECTED = [("cats that purr", 10, "cats#1", "docs@1", "c1", "Cats purr.")]


def test_settings_of_the_page(ws, tmp_path):
    """The blocks and the file."""
    found = {"ws": ws}
    for one in re.findall(r"```python\n(.*?)```", FIRST, re.DOTALL):
        exec(one, found)
    assert (found["changed"], found["first"].fingerprint != found["second"].fingerprint) == (
        "chunker.size 800 -> 400",
        True,
    )
    (text,) = re.findall(r"```yaml\n(.*?)```", FIRST, re.DOTALL)
    (tmp_path / "docs.yaml").write_text(text)
    (entry,) = ws.retrieval.sync(tmp_path, take={"docs": "file"}).entries
    assert entry.action == "saved", entry.detail


def test_an_index_is_built_and_measured_as_the_page_says(ws, tmp_path, monkeypatch):
    """Block by block, on two short pages; one question has no limits, and none are shown."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "pets.md").write_text("May my dog come? Dogs travel for free. " * 5)
    (tmp_path / "pages" / "trips.md").write_text("The ferry leaves at nine. A refund is paid within two weeks. " * 5)
    found = {"ws": ws}
    built = PAGE[PAGE.index("## An index of your own") : PAGE.index("## What changed")]
    for one in re.findall(r"```python\n(.*?)```", built, re.DOTALL):
        exec(one, found)
    assert found["report"]["ndcg"].n == 1
    assert found["both"].a.searched == "docs-new"
    assert "nan" not in repr(found["both"]) + found["both"].text + found["both"]._repr_html_()


@pytest.mark.parametrize(
    ("store", "names"),
    [
        ("pgvector", {"connection": Sql()}),
        ("chromadb", {"collection": Collection()}),
        ("lancedb", {"table": Table()}),
        ("elasticsearch", {"client": Client()}),
    ],
)
def test_four_lines_stamp_a_store(ws, store, names):
    """On clients shaped like theirs."""
    assert len(block(store).splitlines()) <= 4
    assert searched(ws, store, **names) == EXPECTED


def test_the_lines_run_on_chroma(ws, monkeypatch):
    """The real one, in memory, where it is installed: .ci/run installs it."""
    monkeypatch.setenv("ANONYMIZED_TELEMETRY", "False")  # it would tell its makers
    chromadb = pytest.importorskip("chromadb", reason="chromadb is not installed")
    collection = chromadb.EphemeralClient().get_or_create_collection("lmops-docs")
    vectors = [[*embedding(one)] for one in TEXTS.values()]
    collection.upsert(ids=[*TEXTS], documents=[*TEXTS.values()], embeddings=vectors)
    assert searched(ws, "chromadb", collection=collection) == EXPECTED


def test_the_lines_run_on_lancedb(ws, tmp_path):
    """The real one, in a folder."""
    import lancedb

    rows = [{"id": name, "text": text, "vector": [*embedding(text)]} for name, text in TEXTS.items()]
    table = lancedb.connect(tmp_path / "lance").create_table("docs", rows)
    assert searched(ws, "lancedb", table=table) == EXPECTED
