"""What a version of settings is in the store."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from lmops.errors import DamagedStoreError
from lmops.records import Kind, NotedRuns, check_word, content_text, text_hash, told
from lmops.retrieval.fingerprints import content_fingerprint
from lmops.retrieval.settings import PARTS, Chunker, Embedder, Settings

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

    from lmops.records import Row
    from lmops.store import Store

#: Evaluation runs that were made with an index of a version.
RUNS: Final = NotedRuns("settings", "retrieval_runs", "settings")


def made_of(body: Mapping[str, Any], **_told: Any) -> Settings:
    """Return settings of their content and what is told of their version."""
    said = {name: body[name] for name in PARTS}
    embedder = None if said["embedder"] is None else Embedder(**said["embedder"])
    return Settings(**{**said, "chunker": Chunker(**said["chunker"]), "embedder": embedder}, **_told)


def row_of(body: Mapping[str, Any], probe: Mapping[str, str]) -> dict[str, Any]:
    """Return the columns of a new version.

    Args:
        body: Its content.
        probe: What its chunker makes of the texts of the probe.
    """
    return {
        "body": content_text("settings", body),
        "fingerprint": content_fingerprint(body),
        "probe": content_text("probe", probe),
    }


def _read(_store: Store, _con: sqlite3.Connection, row: Row) -> Settings:
    try:
        return made_of(json.loads(row["body"]), probe=json.loads(row["probe"]), **told(row))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DamagedStoreError(f"{row['name']}@{row['version']}: they are no settings") from error


def _problem(row: Row) -> str | None:
    if text_hash(row["body"]) != row["hash"]:
        return "its content is not what was saved"
    if content_fingerprint(json.loads(row["body"])) != row["fingerprint"]:
        return "its fingerprint is not that of its content"
    return None


def summary_of(row: Row) -> str:
    """Return what settings of their row are, in words: what cuts, what ranks, how many are found."""
    return words_of(json.loads(row["body"]))


def words_of(body: Mapping[str, Any]) -> str:
    """Return what settings are, in a few words, such as ``sentences 800, exact wordllama:256, k 10``."""
    cut, embedder = body["chunker"], body["embedder"]
    size = f" {cut['size']}" if cut["size"] else ""
    size += "" if cut["unit"] == "characters" else f" {cut['unit']}"
    size += f" overlap {cut['overlap']}" if cut["overlap"] else ""
    by = "" if embedder is None else f" {embedder['model']}"
    said = [f"{cut['name']}{size if cut['size'] else ''}", f"{body['kind']}{by}", f"k {body['k']}"]
    said += [] if body["reranker"] is None else [f"reranked by {body['reranker']['model']}"]
    return ", ".join(said)


KIND: Final = Kind(
    name="settings",
    noun="retrieval",
    table="retrieval_versions",
    read=_read,
    own={"fingerprint": lambda row: row["fingerprint"], "settings": summary_of},
    check_name=lambda name: check_word(name, "settings"),
    proof=RUNS.proof("ws.retrieval.gate(run, baseline), of a run with an index of this version"),
    problem=_problem,
)
