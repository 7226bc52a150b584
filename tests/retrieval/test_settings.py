"""Settings of retrieval: versions of what decides which chunks a query finds."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from importlib.metadata import version

import pytest

from lmops.errors import RefusedError, UsageError
from lmops.retrieval import Chunker, Embedder, Settings


@pytest.fixture
def docs(ws):
    """A workspace with docs@1."""
    ws.retrieval.save("docs", chunker={"name": "sentences", "size": 800}, embedder="standin:embed-1", reason="first")
    return ws


def test_the_same_settings_are_the_same_version(docs):
    """However numbers are spelt, and whether a part is said or left out."""
    again = docs.retrieval.save(
        "docs",
        chunker=Chunker(size=800),
        embedder={"model": "standin:embed-1", "dim": 256.0, "is_normalised": True},
        kind="exact",
        params={},
        filters={},
    )
    assert (again.version, again.chunker.size, again.embedder) == (1, 800, Embedder(model="standin:embed-1", dim=256))
    other = docs.retrieval.save("docs", chunker={"size": 400}, embedder="standin:embed-1")
    assert (other.version, other.parent) == (2, 1)
    assert other.fingerprint != again.fingerprint
    assert docs.retrieval.get("docs@1").fingerprint == again.fingerprint


def test_a_diff_names_each_part_in_a_line(docs):
    """And is empty where nothing changed."""
    docs.retrieval.save("docs", chunker={"size": 400}, embedder="standin:embed-1", kind="hybrid", k=5, reranker="m")
    assert docs.retrieval.diff("docs", 1, "latest").splitlines() == [
        "chunker.size 800 -> 400",
        'kind "exact" -> "hybrid"',
        f'index_version none -> "{version("bm25s")}"',
        "k 10 -> 5",
        "params.b none -> 0.75",
        "params.k1 none -> 1.2",
        'params.language none -> "en"',
        "fusion.k none -> 60",
        'fusion.name none -> "rrf"',
        "reranker.candidates none -> 50",
        'reranker.model none -> "m"',
    ]
    assert docs.retrieval.diff("docs", 1, 1) == ""


def test_a_dry_run_keeps_nothing(docs):
    """It returns what would be saved."""
    drafted = docs.retrieval.save("docs", k=3, dry_run=True)
    assert (drafted.version, drafted.k) == (2, 3)
    assert len(docs.retrieval.versions("docs")) == 1


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"chunker": "sentence"}, "chunker: no chunker named 'sentence'; did you mean 'sentences'"),
        ({"chunker": {"sise": 3}}, "chunker: no part of a chunker named 'sise'; did you mean 'size'"),
        ({"chunker": {"size": 0}}, "chunker: size=0: give a whole number from 1"),
        ({"chunker": {"size": 80, "overlap": 80}}, "overlap=80: give less than size=80"),
        ({"chunker": {"unit": "tokens"}}, "'sentences' counts characters or words"),
        ({"chunker": {"name": "semantic-text-splitter", "unit": "tokens"}}, "tokenizer='tiktoken:gpt-4o'"),
        ({"chunker": {"name": "whole", "overlap": 3}}, "'whole' cuts nothing"),
        ({"cleaner": "html"}, "cleaner: no cleaner named 'html'; known: markdown, none, whitespace"),
        ({"embedder": "house"}, "how many numbers have vectors of house?"),
        ({"embedder": {"model": "house", "dim": float("nan")}}, "dim=nan: give a whole number"),
        ({"embedder": {"model": "hf:intfloat/multilingual-e5-small", "dim": 384}}, "'query_prefix': 'query: '"),
        ({"kind": "hnsw"}, "kind: no kind of index named 'hnsw'"),
        ({"kind": "exact"}, "'exact' compares vectors"),
        ({"kind": "bm25", "embedder": "standin:embed-1"}, "'bm25' compares words alone"),
        ({"params": {"k2": 1}}, "params: no param of 'bm25' named 'k2'"),
        ({"params": {"b": 1.5}}, "b=1.5: give a number from 0 to 1"),
        ({"k": 0}, "k=0: give a whole number from 1 to 10,000"),
        ({"k": True}, "k"),
        ({"filters": {"year": {"from": 2024}}}, "no limit of 'year' named 'from'"),
        ({"filters": {"year": []}}, "'year': give texts, numbers or truth values"),
        ({"fusion": "rrf"}, "'bm25' makes one ranking"),
        ({"kind": "hybrid", "embedder": "standin:embed-1", "fusion": "rff"}, "no fusion named 'rff'"),
        ({"reranker": {"model": "m", "candidates": 5}}, "candidates=5: a reranker chooses k=10"),
        ({"reranker": {"modl": "m"}}, "did you mean 'model'"),
    ],
)
def test_each_part_is_checked_by_itself(ws, said, words):
    """The message names the part and what would work; nothing is saved."""
    with pytest.raises(UsageError) as found:
        ws.retrieval.save("docs", **said)
    assert words in str(found.value)
    assert len(ws.retrieval.list()) == 0


def test_an_application_s_own_parts_have_their_names(ws):
    """With the version of its package where that is installed; params are its own."""
    found = ws.retrieval.save(
        "docs",
        chunker={"name": "pytest:Splitter", "size": 500},
        embedder={"model": "hf:e5-small", "dim": 384, "query_prefix": "query: ", "document_prefix": "passage: "},
        kind="pgvector:hnsw",
        params={"m": 16, "ef": [10, 20.0]},
    )
    assert (found.chunker.version, found.index_version, found.params) == (
        pytest.__version__,
        None,
        {"m": 16, "ef": [10, 20]},
    )
    with pytest.raises(UsageError, match="what JSON can say"):
        ws.retrieval.save("docs", kind="pgvector:hnsw", params={"m": object()})


def test_a_protected_alias_takes_verdicts_on_its_own_version_only(docs):
    """A verdict on a run of other settings is no evidence for these."""
    docs.retrieval.save("docs", k=3)
    docs.retrieval.protect("docs")
    docs.datasets.save("q", [{"input": f"a{number}", "expected": f"A{number}"} for number in range(40)])
    run = docs.evals.run(str.upper, "q", ["exact_match"], progress=False, name="up")
    verdict = docs.evals.gate(run, criteria={"scorers": {"exact_match": {"min": 0.5}}})
    with pytest.raises(RefusedError, match=r"ws\.retrieval\.gate"):
        docs.retrieval.promote("docs", 2, to="production", evidence=verdict)
    docs.retrieval.note_run(run, "docs@2")
    with pytest.raises(RefusedError, match="is about docs@2"):
        docs.retrieval.promote("docs", 1, to="production", evidence=verdict)
    with pytest.raises(UsageError, match="ran under docs@2"):
        docs.retrieval.note_run(run, "docs@1")
    outcome = docs.retrieval.promote("docs", 2, to="production", evidence=verdict)
    assert (outcome.to_version, docs.retrieval.get("docs@production").k) == (2, 3)


def test_what_was_changed_past_the_chain_is_refused(docs):
    """And named by verify."""
    with docs.store.transaction() as con:
        for (name,) in con.execute("select name from sqlite_master where type = 'trigger'").fetchall():
            con.execute(f"drop trigger {name}")
        con.execute("update retrieval_versions set fingerprint = 'other'")
    assert docs.retrieval.verify() == ("docs@1: its fingerprint is not that of its content",)


def test_the_view_has_what_was_saved(docs):
    """For questions in SQL."""
    saved = docs.retrieval.get("docs")
    query = "select ref, fingerprint, json_extract_string(body, '$.chunker.name'), note from retrieval_versions"
    assert docs.sql(query).fetchall() == [("docs@1", saved.fingerprint, "sentences", "first")]


def test_a_fingerprint_is_the_same_in_every_process_and_python():
    """Neither a name nor a note belongs to it; the reranker and k do."""
    code = (
        "from lmops.retrieval import *; from datetime import datetime, UTC\n"
        "told = dict(name='n', version=1, hash='h', author='a', created_at=datetime(2026, 1, 1, tzinfo=UTC))\n"
        "chunker, embedder = Chunker(), Embedder(model='wordllama:256', dim=256, version='0.4.0')\n"
        "print(Settings(chunker=chunker, **told).fingerprint)\n"
        "print(Settings(chunker=chunker, embedder=embedder, kind='exact', k=5, **told).fingerprint)\n"
        "print(corpus_fingerprint({'a': 'Cats purr.', 'é': '\\ud800'}), corpus_fingerprint([]))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    first, second, *corpora = done.stdout.split()
    assert (first, second) == ("d10823e8cc07c585a88841ecf07147f0", "9a992a5daac7fecfa287c078965545e0")
    assert corpora == ["77ac6a78277d50acbac38a79f7d67fca", "cae66941d9efbd404e4d88758ea67670"]
    canonical = (
        '{"chunker":{"name":"sentences","overlap":0,"size":800,"tokenizer":null,"unit":"characters","version":null},'
        '"cleaner":"none","embedder":null,"filters":{},"fusion":null,"index_version":null,"k":10,"kind":"bm25",'
        '"params":{},"reranker":null}'
    )
    assert hashlib.blake2b(canonical.encode(), digest_size=16).hexdigest() == first


def test_settings_show_what_they_are(docs):
    """Parts that say nothing are left out."""
    saved = docs.retrieval.get("docs")
    assert isinstance(saved, Settings)
    assert "embedder.model" in saved.text
    assert "reranker" not in saved.text
