"""Versions as files that ``save`` reads back as the same content."""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lmops.datasets._content import JSON_FIELDS, dumps
from lmops.datasets._schema import FIELDS
from lmops.errors import UsageError, system_in_words

if TYPE_CHECKING:
    from lmops.datasets._records import DatasetVersion

#: In the metadata of a Parquet file: its text columns hold JSON.
MARK: Final = b"lmops.dataset"


def export(version: DatasetVersion, path: str | os.PathLike[str]) -> Path:
    """Write a version to .jsonl, .jsonl.gz or .parquet, over what is there; the file appears whole or not at all."""
    target = Path(path)
    name = target.name.lower()
    if not name.endswith((".jsonl", ".jsonl.gz", ".parquet")):
        raise UsageError(f"{target.name}: export to .jsonl, .jsonl.gz or .parquet")
    fresh = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    with system_in_words(target):
        _write(version, target, fresh)
    return target


def _write(version: DatasetVersion, target: Path, fresh: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    name = target.name.lower()
    try:
        if name.endswith(".parquet"):
            _parquet(version, fresh)
        else:
            body = b"".join(dumps(_short(example.as_dict()), example.example_id) + b"\n" for example in version)
            fresh.write_bytes(gzip.compress(body, mtime=0) if name.endswith(".gz") else body)
        fresh.replace(target)
    finally:
        fresh.unlink(missing_ok=True)


def _short(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row without what is not there; an empty object that a user gave stays."""
    left_out: dict[str, Any] = {"metadata": {}, "tags": ()}
    return {key: value for key, value in row.items() if value is not None and left_out.get(key) != value}


def _parquet(version: DatasetVersion, path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {}
    for name in FIELDS:
        values = [getattr(example, name) for example in version.examples]
        if name in JSON_FIELDS:
            values = [None if value is None else dumps(value, name).decode() for value in values]
        columns[name] = pa.array(values, pa.string())
    table = pa.table(columns).replace_schema_metadata({MARK: version.ref.encode()})
    pq.write_table(table, path, compression="zstd")
