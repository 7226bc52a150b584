"""``lmops retrieval ...``: indexes."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from lmops.base.units import counted
from lmops.cli.build import Verb
from lmops.cli.printing import finite
from lmops.cli.words import AT_LEAST_1, Word, pair
from lmops.retrieval import Retrieval

if TYPE_CHECKING:
    import click

    from lmops.retrieval import Index, IndexRecord, Ranking


def record_data(found: IndexRecord) -> dict[str, Any]:
    """Return a record of an index as ``--json`` prints it."""
    return {**asdict(found), "built_at": found.built_at.isoformat()}


def index_data(found: Index) -> dict[str, Any]:
    """Return an index as ``--json`` prints it, with what the build did."""
    return {**record_data(found.record), "work": None if found.work is None else asdict(found.work)}


def ranking_data(found: Ranking) -> dict[str, Any]:
    """Return a ranking as ``--json`` prints it."""
    hits = [
        {
            "rank": hit.rank,
            "score": finite(hit.score),
            "id": hit.chunk.id,
            **asdict(hit.chunk),
            "parts": dict(hit.parts),
            "terms": dict(hit.terms),
        }
        for hit in found.hits
    ]
    fingerprints = {"index_fingerprint": found.index_fingerprint, "corpus_fingerprint": found.corpus_fingerprint}
    return {"query": found.query, **fingerprints, "took_ms": found.took_ms, "hits": hits}


def _filters(given: tuple[str, ...]) -> dict[str, list[str]] | None:
    """Return what NAME=VALUE ask of metadata: one of the values of each name."""
    found: dict[str, list[str]] = {}
    for one in given:
        name, value = pair(one, "a filter")
        found.setdefault(name, []).append(value)
    return found or None


COMMANDS: list[click.Command | Verb] = [
    Verb(
        "retrieval",
        Retrieval.build,
        acts=True,
        makes_store=True,
        takes_long=True,
        help="Build index NAME of the files of a folder, a file of JSON lines or a data set; only what changed is cut "
        "and embedded again.",
        example="lmops retrieval build docs pages/ --settings docs@production",
        words={
            "documents": Word(is_argument=True, metavar="FOLDER|FILE.jsonl|DATASET"),
            "settings": Word(("--settings",), "A version of settings.", "NAME[@N]", is_needed=True),
        },
        leave_out=("tracing",),
        text=lambda found: found.text,
        data=index_data,
    ),
    Verb(
        "retrieval",
        Retrieval.search,
        help="Print the best chunks that index NAME has for QUERY.",
        example="lmops retrieval search docs 'when is a refund paid' -k 3",
        words={
            "k": Word(("-k", "--k"), "How many at most; as many as its settings say by default.", "N", AT_LEAST_1),
            "filters": Word(
                ("--filter",), "What metadata must be; may be repeated.", "NAME=VALUE", read=_filters, is_many=True
            ),
        },
        leave_out=("tracing",),
        text=lambda found: found.text,
        data=ranking_data,
    ),
    Verb("retrieval", Retrieval.indexes, help="List the indexes.", empty="no indexes; lmops retrieval build makes one"),
    Verb(
        "retrieval",
        Retrieval.drop,
        acts=True,
        help="Remove index NAME with its files; documents and settings stay.",
        plan=lambda found: f"{counted(found.chunks, 'chunk')} of {counted(found.documents, 'document')} go",
        text=lambda found: f"dropped {found.name}",
        data=record_data,
    ),
]
