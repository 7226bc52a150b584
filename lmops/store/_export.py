"""The public views as files that other tools read, with a copy of the records for a rescue: whole, or not there."""

from __future__ import annotations

import contextlib
import functools
from typing import TYPE_CHECKING, Any, Final

from lmops.base.endings import Undone
from lmops.errors import DamagedStoreError, StoreError, StoreFullError, UsageError, full_message
from lmops.store._backup import undone
from lmops.store._duck import in_memory, literal
from lmops.store._filesystem import make_store_folder, remove_file
from lmops.store._long import KEY, LONG_COLUMNS, resolve
from lmops.store._views import AROUND_VIEW, derived_views, view_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import duckdb
    import pyarrow as pa

    from lmops.store._blobs import Blobs
    from lmops.store._engine import Engine
    from lmops.store._meta import Meta

    #: Called with what was done, where to and how much it is.
    Note = Callable[[str, Path, dict[str, Any]], None]

#: What the system says of a disk, a quota or a file that can hold no more, as DuckDB passes it on.
_FULL: Final = ("No space left", "File too large", "quota exceeded")
#: The database of the store as it was: what a rescue takes the records from.
RECORDS: Final = "records.sqlite"
#: What is written has this ending until all of it is.
_UNFINISHED: Final = ".unfinished"


def records_of(target: Path) -> Path:
    """Return where the records of an export are: in its folder, or beside its file."""
    return target.with_suffix(f".{RECORDS}") if target.suffix == ".duckdb" else target / RECORDS


def export(engine: Engine, blobs: Blobs, meta: Meta, target: Path, note: Note) -> Path:
    """Write every public view into one DuckDB file (``*.duckdb``) or into a folder of Parquet files.

    Args:
        engine: Answers the views.
        blobs: The long texts.
        meta: The records.
        target: Where to.
        note: Called with "export", where to and how much it is, before it is there under its name.

    Raises:
        UsageError: There is something at ``target``.
        DamagedStoreError: Something of the store cannot be read; nothing is left at ``target``.
    """
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise UsageError(f"{target} is there already; name a new file or an empty folder for the export")
    beside = records_of(target)
    if beside.exists():
        raise UsageError(f"{beside} is there already, the records of another export; name a new file")
    problems = engine.problems()
    if problems:
        more = f"; and {len(problems) - 1} more" if len(problems) > 1 else ""
        raise DamagedStoreError(f"the store is not whole, so that nothing was exported: {problems[0]}{more}")
    write = _write_file if target.suffix == ".duckdb" else _write_folder
    with _in_words(target):
        write(engine, blobs, meta, target, note)
    return target


def _write_file(engine: Engine, blobs: Blobs, meta: Meta, target: Path, note: Note) -> None:
    """Write the views into one file of DuckDB, with the records beside it."""
    beside = records_of(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(target.name + _UNFINISHED)
    unfinished.unlink(missing_ok=True)
    with Undone(functools.partial(remove_file, beside)), Undone(functools.partial(remove_file, unfinished)):
        with contextlib.closing(in_memory()) as out:
            # The oldest DuckDB that is supported must be able to read it.
            out.execute(f"attach {literal(unfinished)} as target (storage_version 'v1.5.0')")
            rows = _write(engine, blobs, out, lambda name: (f"create table target.{name} as", "", f"target.{name}"))
            out.execute("detach target")
        meta.copy_to(beside)
        note("export", target, {"files": 2, "rows": rows, "records": str(beside.absolute())})
        unfinished.rename(target)


def _write_folder(engine: Engine, blobs: Blobs, meta: Meta, target: Path, note: Note) -> None:
    """Write a file of Parquet a view into a folder, with the records among them."""
    with undone(target), contextlib.closing(in_memory()) as out:
        make_store_folder(target)
        files = {name: target / f"{name}.parquet{_UNFINISHED}" for name in view_names()}
        rows = _write(
            engine,
            blobs,
            out,
            lambda name: (
                "copy (",
                f") to {literal(files[name])} (format parquet, compression zstd)",
                f"read_parquet({literal(files[name])})",
            ),
        )
        meta.copy_to(records_of(target))
        note("export", target, {"files": len(files) + 1, "rows": rows})
        for file in files.values():
            file.rename(file.with_name(file.name.removesuffix(_UNFINISHED)))


@contextlib.contextmanager
def _in_words(target: Path) -> Iterator[None]:
    """Turn what DuckDB says of a file that it cannot write into an error of ours."""
    import duckdb

    try:
        yield
    except duckdb.Error as error:
        if any(word in str(error) for word in _FULL):
            raise StoreFullError(full_message(target)) from error
        raise StoreError(f"{target} cannot be written: {str(error).splitlines()[0]}; it is not whole") from error


def _write(engine: Engine, blobs: Blobs, out: duckdb.DuckDBPyConnection, words: Any) -> int:
    """Write every view and return the rows of all.

    ``words`` gives what stands before and after a query, and how to read what was written.
    """
    rows = 0
    snapshot = engine.snapshot()
    out.execute("set global TimeZone='UTC'")
    for name in view_names():
        before, after, written = words(name)
        derived = derived_views().get(name)
        if derived is not None:
            # From what was written, in which long texts are whole.
            rows += _count(out.execute(f"{before} {derived.sql} {after}"))
            continue
        with engine.view_reader(snapshot, name) as reader:
            out.register("source", _whole(reader, blobs) if name == "spans" else reader)
            rows += _count(out.execute(f"{before} select * from source {after}"))
            out.unregister("source")
        if any(name in one.bases for one in derived_views().values()):
            out.execute(f"create temp view {name} as select * from {written}")
        if name == "spans":
            out.execute(AROUND_VIEW)
    return rows


def _count(written: duckdb.DuckDBPyConnection) -> int:
    """Return the rows that a statement wrote, which DuckDB answers with."""
    (row,) = written.fetchall()
    return int(row[0])


def _whole(reader: pa.RecordBatchReader, blobs: Blobs) -> pa.RecordBatchReader:
    """Return the same rows with the texts that are kept in blobs put back."""
    import pyarrow as pa

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in reader:
            yield _resolved(batch, blobs)

    return pa.RecordBatchReader.from_batches(reader.schema, batches())


def _resolved(batch: pa.RecordBatch, blobs: Blobs) -> pa.RecordBatch:
    import pyarrow as pa
    import pyarrow.compute as pc

    marked = [name for name in LONG_COLUMNS if pc.any(pc.match_substring(batch[name], KEY)).as_py()]
    if not marked:
        return batch
    rows = [resolve(row, blobs) for row in batch.select([*LONG_COLUMNS, "span_id"]).to_pylist()]
    for name in marked:
        place = batch.schema.get_field_index(name)
        values = pa.array([row[name] for row in rows], batch.schema.field(name).type)
        batch = batch.set_column(place, batch.schema.field(name), values)
    return batch
