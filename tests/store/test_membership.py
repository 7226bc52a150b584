"""Which file holds which id: nothing that is there is overlooked, and what is in no file is told apart quickly."""

from __future__ import annotations

import random

import pytest

from lmops.store._membership import Membership, _hashes, _Sieve
from lmops.store._overlay import Overlay
from lmops.store._segments import Segment, Written


def segment(path):
    """A traces segment of which nothing but its path matters here."""
    return Segment(
        segment_id=0, tbl="traces", path=path, rows=0, bytes=0, raw_bytes=0, min_ns=0, max_ns=0, sha256="",
        schema_version=1,
    )  # fmt: skip  # arguments that belong together share a line


def learn(members, path, ids):
    """Let a file be remembered with these trace ids."""
    file = Written(
        tbl="traces", path=path, rows=0, bytes=0, raw_bytes=0, min_ns=0, max_ns=0, sha256="", schema_version=2
    )
    members.learn([file], Overlay(traces=[{"trace_id": name} for name in ids]))


@pytest.fixture
def files():
    """Ids by file: many files, some ids in two of them."""
    rng = random.Random(7)
    ids = [f"{rng.getrandbits(128):032x}" for _ in range(120_000)]
    return {f"f{number}": ids[number * 5_000 : number * 5_000 + 5_500] for number in range(20)}


def test_every_id_is_found_in_its_files_and_no_other(files, tmp_path):
    """Also after more ids than there was room for at first."""
    members = Membership(tmp_path)
    for path, ids in files.items():
        learn(members, path, ids)
        members.containing([segment(path)], ids[:1])  # asked between the writes, as an ingest does
    segments = [segment(path) for path in files]
    for path, ids in files.items():
        holding, held = members.containing(segments, ids)
        assert path in {one.path for one in holding}
        assert held == ids
    strangers = [f"{number:032x}" for number in range(10_000)]
    assert members.containing(segments, strangers) == ([], [])


def test_files_that_are_gone_hold_nothing(files, tmp_path):
    """What is forgotten is not found, what stays is."""
    members = Membership(tmp_path)
    for path, ids in files.items():
        learn(members, path, ids)
    members.forget({"f3"})
    assert len(members) == 1
    assert members.containing([segment("f3")], files["f9"]) == ([], [])
    assert members.containing([segment("f3")], files["f3"])[1] == files["f3"]


def test_an_id_in_two_files_names_both(tmp_path):
    """The rows of a trace may be in several files."""
    members = Membership(tmp_path)
    learn(members, "a", ["1", "2"])
    learn(members, "b", ["2", "3"])
    holding, held = members.containing([segment("a"), segment("b")], ["2", "4"])
    assert [one.path for one in holding] == ["a", "b"]
    assert held == ["2"]


def test_nothing_is_in_no_file(tmp_path):
    """A new store has no files."""
    assert Membership(tmp_path).containing([], ["1"]) == ([], [])


def test_hardly_any_id_that_is_in_no_file_gets_through_the_sieve(files):
    """All that is in a file does; of the rest so few that looking for them in each file costs nothing."""
    sieve = _Sieve([_hashes(ids) for ids in files.values()])
    assert sieve.may_hold(_hashes(files["f5"])).all()
    assert sieve.may_hold(_hashes([f"{number:032x}" for number in range(10_000)])).mean() < 0.1
    assert not sieve.is_full
