"""Texts that are missing are found as missing, whatever else is in their column and whenever its file was written."""

from __future__ import annotations

import functools

import pytest

from lmops.store import Store, rescue
from lmops.store import _segments as segments
from tests.store.helpers import span

TEXTS = ("parent_span_id", "error_message", "input", "response_id")


def rows(start):
    """Two of five spans of each trace have texts, the same ones."""
    said = dict.fromkeys(TEXTS[1:], "no answer within 200 ms")
    return [
        span(f"t{i}", f"s{n}", "s0" if n in (1, 2) else None, **(said if n in (1, 2) else {}))
        for i in range(start, start + 4)
        for n in range(5)
    ]


@pytest.fixture(params=["as now", "as before", "both"])
def store(request, tmp_path, monkeypatch):
    """A store whose files have a page index, or have none, as earlier releases wrote them."""
    import pyarrow.parquet as pq

    with Store.open(tmp_path / "a {b} 'c'" / ".lmops") as made:
        if request.param != "as now":
            with monkeypatch.context() as before:
                before.setattr(pq, "ParquetWriter", functools.partial(bare, pq.ParquetWriter))
                before.setattr(segments, "SCHEMA_VERSION", 1)
                made.load(spans=rows(0))
        if request.param != "as before":
            made.load(spans=rows(4))
        yield made


def bare(writer, *args, write_page_index, **options):
    """Write a file without a page index."""
    assert write_page_index
    return writer(*args, **options)


@pytest.mark.parametrize("column", TEXTS)
def test_missing_texts_are_missing(store, column):
    """Also beside a text that is the same in all other rows: counted one by one, filtered, and compared."""
    total, known = store.sql(f"select count(*), count({column}) from spans").fetchall()[0]
    asked = {
        f"{column} is null": total - known,
        f"{column} is not null": known,
        f"coalesce({column}, '') = ''": total - known,
        f"{column} is distinct from 'other'": total,
        f"not ({column} is not null) and name = 's3'": total // 5,
    }
    found = {where: store.sql(f"select count(*) from spans where {where}").fetchall()[0][0] for where in asked}
    assert known == total * 2 // 5
    assert found == asked


def test_a_rescue_knows_files_of_before(store):
    """When the database is lost, the footers say which files have no page index."""
    path = store.path
    store.close()
    for file in path.glob("meta.sqlite*"):
        file.unlink()
    rescue(path)
    with Store.open(path) as made:
        total = made.sql("select count(*) from spans").fetchall()[0][0]
        asked = made.sql("select count(*) from spans where error_message is null").fetchall()[0][0]
    assert (total, asked) in {(20, 12), (40, 24)}
