"""What is whole of a damaged segment: each row group has its checksum in the footer."""

from __future__ import annotations

import json
import zlib
from typing import TYPE_CHECKING, Any, NamedTuple

from lmops.errors import DamagedStoreError, raise_if_of_process
from lmops.store._segments import (
    FOOTER_GENERATION,
    FOOTER_GROUPS,
    FOOTER_SCHEMA,
    FOOTER_STORE,
    FOOTER_TABLE,
    Written,
    arrow_schema,
    file_sha256,
)
from lmops.store._tables import STORED, filed

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa
    import pyarrow.parquet as pq


class Stored(NamedTuple):
    """A file as its footer describes it."""

    file: pq.ParquetFile
    tbl: str
    store_id: str | None
    generation: int
    #: (start, end, CRC-32) of each row group; None in files of older stores
    groups: list[tuple[int, int, int]] | None
    schema_version: int


def opened(path: Path) -> Stored:
    """Read the footer of a segment.

    Raises:
        DamagedStoreError: There is none that can be read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.is_file():
        raise DamagedStoreError(f"{path.name}: it is no file")  # a pipe would be waited for
    try:
        file = pq.ParquetFile(path)
        said = {key.decode(): value.decode() for key, value in (file.metadata.metadata or {}).items()}
        groups = json.loads(said[FOOTER_GROUPS]) if FOOTER_GROUPS in said else None
        if groups is not None:
            groups = [(int(start), int(end), int(crc)) for start, end, crc in groups]
        return Stored(
            file, said.get(FOOTER_TABLE, path.parent.parent.name), said.get(FOOTER_STORE),
            int(said.get(FOOTER_GENERATION, 0)), groups, int(said.get(FOOTER_SCHEMA, 1)),
        )  # fmt: skip  # arguments that belong together share a line
    except (OSError, ValueError, TypeError, UnicodeDecodeError, pa.ArrowException) as error:
        raise_if_of_process(error, path)
        raise DamagedStoreError(f"{path.name}: its footer cannot be read ({error})") from error


def salvage(path: Path, tbl: str) -> pa.Table | None:
    """Return the rows of a damaged segment that are as they were written; None when there are none.

    A row group counts when its bytes have the checksum of the footer and it can be read; in files of older stores,
    which have no checksums, when it can be read.
    """
    import pyarrow as pa

    try:
        stored = opened(path)
    except DamagedStoreError:
        return None
    kept = []
    with stored.file as file, path.open("rb") as handle:
        for place in range(file.num_row_groups):
            if stored.groups is not None:
                if place >= len(stored.groups):
                    break
                start, end, crc = stored.groups[place]
                handle.seek(max(start, 0))
                if end < start or zlib.crc32(handle.read(end - start)) != crc:
                    continue
            try:
                rows = file.read_row_group(place)
                rows.validate(full=True)
            except (OSError, ValueError, pa.ArrowException) as error:
                raise_if_of_process(error, path)
                continue
            kept.append(rows)
    if tbl in STORED:
        expected = arrow_schema(tbl)
        # A footer that names columns otherwise, or gives them another type, does not describe these rows.
        kept = [rows for rows in kept if rows.schema.equals(expected)]
    return pa.concat_tables(kept) if kept else None


def described(folder: Path, relative: str) -> Written:
    """Return the manifest record of a file from the file alone.

    Raises:
        DamagedStoreError: It is not whole.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    path = folder / relative
    stored = opened(path)
    metadata = stored.file.metadata
    if stored.tbl not in filed():
        raise DamagedStoreError(f"{relative}: it is no table of a store")
    columns = [filed()[stored.tbl].time, *(["rev"] if stored.tbl in STORED else [])]
    rows = salvage(path, stored.tbl)
    if rows is None or rows.num_rows != metadata.num_rows:
        whole = 0 if rows is None else rows.num_rows
        raise DamagedStoreError(f"{relative}: {whole} of its {metadata.num_rows} rows are whole")
    try:
        bounds: Any = pc.min_max(rows[columns[0]]).as_py()
        rev: Any = pc.max(rows["rev"]).as_py() if "rev" in columns else None
    except (KeyError, pa.ArrowException) as error:
        raise DamagedStoreError(f"{relative}: {error}") from error
    return Written(
        tbl=stored.tbl, path=relative, rows=metadata.num_rows, bytes=path.stat().st_size, raw_bytes=rows.nbytes,
        min_ns=bounds["min"], max_ns=bounds["max"], sha256=file_sha256(path), generation=stored.generation, rev=rev,
        schema_version=stored.schema_version,
    )  # fmt: skip  # arguments that belong together share a line
