"""No harm to any file of a store gives a wrong answer without a word."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from lmops.store import DamagedSegmentWarning, Store

from .flips import answers, outcome, template
from .helpers import bodies, count

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store whose process was killed, with something in every file."""
    path = tmp_path_factory.mktemp("flips") / "store"
    template(path)
    return path


@pytest.fixture(scope="module")
def expected(origin: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[object]]:
    """What the unharmed store answers."""
    copy = tmp_path_factory.mktemp("whole") / "store"
    shutil.copytree(origin, copy)
    return answers(copy)


@pytest.mark.parametrize("seed", range(60))
def test_harm_is_harmless_or_named(origin: Path, expected: dict[str, list[object]], tmp_path: Path, seed: int) -> None:
    """One bit flipped, or the end cut off: the answers are the same, or a word comes with them and check says so."""
    found = outcome(origin, tmp_path / "copy", seed, expected)
    assert found.is_good, found


def test_a_log_that_lost_its_end_is_told_until_it_is_settled(
    origin: Path, expected: dict[str, list[object]], tmp_path: Path
) -> None:
    """Acknowledged writes that are gone are named on every read, also after new ones; a repair notes them."""
    copy = tmp_path / "store"
    shutil.copytree(origin, copy)
    log = copy / "meta.sqlite-wal"
    log.write_bytes(log.read_bytes()[:-20_000])
    for _ in range(2):
        with Store.open(copy, join_logs=bodies) as store:
            with pytest.warns(DamagedSegmentWarning, match="acknowledged writes"):
                assert count(store) < len(expected["spans"])
            store.append_many({"spans": []})
            assert "acknowledged writes" in str(store.check().problems)
    with Store.open(copy, join_logs=bodies) as store:
        store.check(repair=True)
        assert store.check().ok
        newest = "select action from audit order by event_id desc limit 1"
        assert store.sql(newest).fetchall() == [("store.repair",)]
