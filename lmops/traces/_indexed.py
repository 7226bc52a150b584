"""Indexed keys: ``p.0.a.b`` and ``p.1.a.b`` are a list of objects, written as attributes of a span."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from lmops.traces._json import structure

if TYPE_CHECKING:
    from collections.abc import Iterable

#: One key: as it is written, its index, the steps below the index.
Key = tuple[str, int, tuple[str, ...]]

_INDEX_DIGITS: Final = 6
_MESSAGE_STEPS: Final = frozenset({"role", "content", "finish_reason"})


class Indexed(NamedTuple):
    """The keys below one prefix; worked out once for all spans that carry the same keys."""

    keys: tuple[Key, ...]
    #: for each item in order the step that all its keys begin with ("" for none), and its (name, key), where each item
    #: is one object of plain values; else None
    items: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] | None
    #: the keys of role and text of each message in order, where the messages say nothing else; else None
    messages: tuple[tuple[str, str], ...] | None


def indexed_keys(keys: Iterable[str]) -> dict[str, Indexed]:
    """Return the indexed ones of these keys by their prefix, which ends in a dot."""
    found: dict[str, list[Key]] = {}
    for key in keys:
        steps = key.split(".")
        for place, step in enumerate(steps):
            if step.isdecimal() and step.isascii() and place:
                if len(step) <= _INDEX_DIGITS:
                    prefix = ".".join(steps[:place]) + "."
                    found.setdefault(prefix, []).append((key, int(step), tuple(steps[place + 1 :])))
                break
    made = {}
    for prefix, below in found.items():
        items = _items(below)
        made[prefix] = Indexed(tuple(below), items, None if items is None else _messages(items))
    return made


def _items(keys: Iterable[Key]) -> tuple[tuple[str, tuple[tuple[str, str], ...]], ...] | None:
    by_place: dict[int, tuple[str, dict[str, str]]] = {}
    for key, place, steps in keys:
        if not 1 <= len(steps) <= 2:
            return None
        around, given = by_place.setdefault(place, (steps[0] if len(steps) == 2 else "", {}))
        if around != (steps[0] if len(steps) == 2 else "") or steps[-1] in given:
            return None
        given[steps[-1]] = key
    return tuple((around, tuple(given.items())) for _, (around, given) in sorted(by_place.items()))


def _messages(items: Iterable[tuple[str, tuple[tuple[str, str], ...]]]) -> tuple[tuple[str, str], ...] | None:
    result = []
    for around, pairs in items:
        given = dict(pairs)
        if around not in ("", "message") or not {"role", "content"} <= given.keys() <= _MESSAGE_STEPS:
            return None
        result.append((given["role"], given["content"]))
    return tuple(result)


def unflatten(attributes: dict[str, object], indexed: Indexed | None) -> list[object]:
    """Return the items of indexed keys in order: ``p.0.a.b``, ``p.1.a.b`` -> [{"a": {"b": ...}}, ...]."""
    if indexed is None:
        return []
    if indexed.items is not None:
        found = [(around, {name: attributes[key] for name, key in pairs}) for around, pairs in indexed.items]
        return [{around: given} if around else given for around, given in found]
    items: dict[int, object] = {}
    for key, place, steps in indexed.keys:
        value = attributes[key]
        if not steps:
            items.setdefault(place, structure(value))
            continue
        node = items.get(place)
        if node is None:
            node = items[place] = {}
        for step in steps[:-1]:
            if not isinstance(node, dict):
                break
            below = node.get(step)
            if below is None:
                below = node[step] = {}
            node = below
        if isinstance(node, dict) and not isinstance(node.get(steps[-1]), dict):
            node[steps[-1]] = value
    return [items[place] for place in sorted(items)]
