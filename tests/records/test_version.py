"""What every version tells of itself, whichever room keeps it."""

from lmops.records import Version
from lmops.records.kinds import COMMON
from lmops.records.versioned import Versioned


def _nouns(kind=Versioned):
    return {kind, *(one for below in kind.__subclasses__() for one in _nouns(below))}


def _record(noun):
    """Return the record of a noun, None of one that only adds views to another."""
    return next((made.__args__[0] for made in noun.__orig_bases__ if getattr(made, "__args__", None)), None)


def test_the_versions_of_all_rooms_say_the_common_things_once(ws):
    """The record of each noun is a Version and repeats no part of it."""
    ws.prompts.list(), ws.datasets.list(), ws.judges.list(), ws.monitors.list(), ws.feedback.schemas.list()
    records = {_record(noun) for noun in _nouns() if "KIND" in vars(noun)}
    assert len(records) >= 5
    for record in records:
        assert issubclass(record, Version)
        assert not {*COMMON, "ref", "created_at"} & {*vars(record).get("__annotations__", ()), *vars(record)}


def test_a_version_of_any_room_tells_what_it_was_made_from(ws):
    """Prompts, datasets and label schemas alike say the version before."""
    for number in (1, 2):
        ws.prompts.save("greet", f"Hello {number}")
        ws.datasets.save("golden", [{"id": "a", "input": str(number)}])
        ws.feedback.schemas.save("quality", criteria=f"read {number}")
    found = [ws.prompts.get("greet"), ws.datasets.get("golden"), ws.feedback.schemas.get("quality")]
    assert [(one.ref, one.parent) for one in found] == [("greet@2", 1), ("golden@2", 1), ("quality@2", 1)]
