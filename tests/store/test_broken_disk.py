"""A disk that fails is told from damage: in words that name it, and everything is there when it works again."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from lmops.errors import StoreError
from lmops.store import DamagedSegmentWarning, Store
from tests.rights import somebody_else

from .broken_disk import Tried, tried
from .helpers import count, trace_of

if TYPE_CHECKING:
    from pathlib import Path

#: What fails in the suite; ``python -m tests.store.broken_disk`` tries all.
FAULTS = [
    ("ask", "meta.sqlite", "read"),
    ("ask", "/store/segments/", "read"),
    ("append", "meta.sqlite", "write"),
    ("append", "meta.sqlite", "sync"),
    ("drain", "/store/segments/", "read"),
    ("drain", "/store/segments/", "sync"),
    ("compact", "/store/segments/", "read"),
    ("price", "/store/segments/", "read"),
    ("repair", "/store/segments/", "read"),
    ("backup", "/backup", "write"),
    ("restore", "/kept", "read"),
    ("open", "meta.sqlite", "read"),
]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str, str], Tried]:
    """How each of them ended."""
    if shutil.which("cc") is None:
        pytest.skip("there is no C compiler to break a disk with; the tests below need none")
    return {found[:3]: found for found in tried(FAULTS, tmp_path_factory.mktemp("disk"))}


@pytest.mark.parametrize("fault", FAULTS, ids=" ".join)
def test_a_disk_that_fails_is_named_and_loses_nothing(
    outcomes: dict[tuple[str, str, str], Tried], fault: tuple[str, str, str]
) -> None:
    """Reading, writing and syncing fail with EIO: an error of ours says so, and the store is whole afterwards."""
    assert outcomes[fault].holds, outcomes[fault]


@pytest.fixture
def hidden(tmp_path: Path) -> Path:
    """A store of which one file cannot be read by somebody else, with rows of its trace in the inbox."""
    with Store.open(tmp_path / "store") as store:
        store.load(trace_of("a")[::2])
        store.append_many({"spans": trace_of("a")[1::2]})
    for path in (tmp_path / "store", *(tmp_path / "store").rglob("*")):
        path.chmod(0o777 if path.is_dir() else 0o666)
    next((tmp_path / "store").glob("segments/spans/*/*")).chmod(0)
    return tmp_path / "store"


@pytest.mark.filterwarnings("ignore::lmops.store.DamagedSegmentWarning")
@pytest.mark.parametrize("verb", ["drain", "compact", "repair"])
def test_nothing_is_written_over_a_file_that_cannot_be_read_now(
    hidden: Path, verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is no damage: its rows would be there twice, or be set aside; read again, everything is whole."""
    monkeypatch.setenv("LMOPS_TRUST", "*")
    with somebody_else(hidden), Store.open(hidden) as store, pytest.raises(StoreError, match="nothing was changed"):
        store.check(repair=True) if verb == "repair" else getattr(store, verb)()
    with Store.open(hidden) as store:
        assert (count(store), count(store, "traces")) == (8, 1)


def test_a_file_that_can_be_read_again_is_read(hidden: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was said of it is not remembered, although it is the same file."""
    monkeypatch.setenv("LMOPS_TRUST", "*")
    (file,) = hidden.glob("segments/spans/*/*")
    with Store.open(hidden, read_only=True) as store:
        with somebody_else(hidden), pytest.warns(DamagedSegmentWarning, match="cannot be read"):
            assert count(store) == 4
        file.chmod(0o666)
        assert count(store) == 8
