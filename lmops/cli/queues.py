"""``lmops queue ...``: what people label, from a shell."""

from __future__ import annotations

import functools
import json
from typing import Any

from lmops.cli.build import Verb
from lmops.cli.printing import plain_data
from lmops.cli.words import Word, json_file, pairs
from lmops.feedback import Queues

_NOUN = "feedback.queues"


def _text(found: Any) -> str:
    return "nothing" if found is None else str(found.text)


def _value(given: str) -> Any:
    """Return a value: JSON, and what is none as text."""
    try:
        return json.loads(given)
    except ValueError:
        return given


def _item(given: str) -> int | str:
    """Return a position or an id; ids of traces have more digits than a queue has items."""
    return int(given) if given.isdigit() and len(given) < 16 else given


def _items(given: str | None) -> Any:
    """Return trace ids out of ``ID,ID``, or the name of a strategy."""
    if given is None or "," not in given:
        return [given] if given is not None and len(given) == 32 else given
    return [one.strip() for one in given.split(",") if one.strip()]


def _answers(given: str) -> Any:
    """Return known answers out of a JSON file, or the name of a queue with decisions."""
    return json_file(given) if given.endswith(".json") else given


_ITEM = Word(metavar="ITEM", read=_item, is_argument=True, is_many=False)
_RATER = Word(help="Who; --actor by default.", metavar="NAME")
_VALUES = Word(
    flags=("--value",),
    help="What is said of a field: FIELD=VALUE; may be repeated.",
    metavar="FIELD=VALUE",
    is_many=True,
    is_needed=True,
    read=pairs("a field", convert=_value),
)
_RETRY = ("client", "sequence", "at")
#: An act of a rater or on a queue: it shows what it made.
_act = functools.partial(Verb, _NOUN, acts=True, text=_text, data=plain_data)
COMMANDS = [
    _act(
        Queues.open,
        makes_store=True,
        help="Make a queue NAME of what is to be labelled, or add items to it.",
        example="lmops queue open triage stratified --by service --n 200 --schema support --overlap 0.2",
        words={
            "where": Word(help="Of strategies that draw: traces by a condition, as for search.", metavar="CONDITION"),
            "items": Word(metavar="[ITEMS]", is_argument=True, read=_items, is_many=False),
            "schema": Word(help="What raters are asked, as NAME or NAME@VERSION.", metavar="SCHEMA"),
            "raters": Word(flags=("--rater",), help="Who may label; may be repeated.", metavar="NAME", is_many=True),
        },
    ),
    Verb(_NOUN, Queues.list, help="List all queues, the newest first.", empty="there are no queues"),
    Verb(_NOUN, Queues.progress, text=_text, data=plain_data, help="Show how far NAME and each of its raters are."),
    _act(
        Queues.next,
        words={"rater": _RATER},
        help="Hand out the next item of NAME and hold it a while.",
    ),
    _act(
        Queues.label,
        leave_out=_RETRY,
        help="Keep what a rater says of ITEM, its position or id.",
        example="lmops queue label triage 12 --value verdict=fail --value tone=2 --rater ann",
        words={"item": _ITEM, "values": _VALUES, "rater": _RATER},
    ),
    _act(
        Queues.skip,
        leave_out=_RETRY,
        help="Pass ITEM by: another rater is asked.",
        words={"item": _ITEM, "rater": _RATER},
    ),
    _act(
        Queues.note,
        leave_out=_RETRY,
        help="Note WORDS on ITEM.",
        words={"item": _ITEM, "rater": _RATER},
    ),
    _act(
        Queues.undo,
        leave_out=_RETRY,
        help="Take back what a rater did last in NAME.",
        words={"rater": _RATER},
    ),
    Verb(
        _NOUN,
        Queues.disagreements,
        help="List the items of NAME of which raters said different things.",
        empty="raters agree, or somebody decided",
    ),
    _act(
        Queues.adjudicate,
        help="Decide what holds of ITEM, whatever raters said.",
        words={"item": _ITEM, "values": _VALUES},
    ),
    Verb(
        _NOUN,
        Queues.to_dataset,
        acts=True,
        text=repr,
        data=plain_data,
        help="Add the labelled traces of NAME to a data set as a new version that says what changed.",
        example="lmops queue to-dataset triage golden --shares dev=0.8 --shares test=0.2",
        words={
            "dataset": Word(is_argument=True, metavar="DATASET"),
            "shares": Word(
                flags=("--shares",),
                help="Share of a split; may be repeated.",
                metavar="SPLIT=SHARE",
                is_many=True,
                read=pairs("a share", convert=float),
            ),
        },
    ),
    _act(
        Queues.gold,
        help="Mix items whose answers are known into what raters of NAME are handed.",
        example="lmops queue gold triage known.json --share 0.05",
        words={"answers": Word(metavar="FILE", read=_answers)},
    ),
    Verb(_NOUN, Queues.accuracy, text=_text, data=plain_data, help="Show how often raters of NAME gave known answers."),
    _act(
        Queues.ask_again,
        help="Hand out again what was labelled in NAME under earlier versions of its schema.",
    ),
    _act(
        Queues.rebuild,
        text=lambda names: f"derived anew: {', '.join(names) or 'no queue'}",
        data=list,
        words={"name": Word(is_argument=True, metavar="[NAME]")},
        help="Derive anew from what raters did what holds of each item of NAME, of all queues by default.",
    ),
    _act(
        Queues.use,
        help="Show raters of NAME another version of its schema; labels keep theirs.",
    ),
    _act(
        Queues.close,
        help="Hand out no more items of NAME and take no more labels.",
    ),
    _act(Queues.reopen, help="Go on with NAME."),
    _act(Queues.archive, help="Put NAME away; its labels stay."),
]
