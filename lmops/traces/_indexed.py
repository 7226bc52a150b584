"""Indexed keys: ``p.0.a.b`` and ``p.1.a.b`` are a list of objects, written as attributes of a span."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Final, NamedTuple

from lmops.traces._json import structure

if TYPE_CHECKING:
    from collections.abc import Iterable

#: One key: as it is written, its index, the steps below the index.
Key = tuple[str, int, tuple[str, ...]]

_INDEX_DIGITS: Final = 6
_MESSAGE_STEPS: Final = frozenset({("role",), ("content",), ("finish_reason",)})


class Indexed(NamedTuple):
    """The keys below one prefix; worked out once for all spans that carry the same keys."""

    keys: tuple[Key, ...]
    #: what to do to make the items out of ``size`` empty objects, of which ``roots`` are the items
    tree: Tree | None
    #: the keys of role and text of each message in order, where the messages say nothing else; else None
    messages: tuple[tuple[str, str], ...] | None


class Tree(NamedTuple):
    """Steps that put values and objects into objects: (into which object, under which name, object or -1, key)."""

    steps: tuple[tuple[int, str, int, str], ...]
    size: int
    roots: tuple[int, ...]


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
    return {prefix: Indexed(tuple(below), _tree(below), _messages(below)) for prefix, below in found.items()}


def _tree(keys: Iterable[Key]) -> Tree | None:
    """Return how to make the items; None where a key is a value and a place of values at once."""
    nodes: dict[tuple[int, tuple[str, ...]], int] = {}
    taken: set[tuple[int, tuple[str, ...]]] = set()
    made: list[tuple[int, str, int, str]] = []
    for key, place, steps in keys:
        for depth in range(len(steps)):
            path = place, steps[:depth]
            if path in taken:
                return None
            if path not in nodes:
                nodes[path] = len(nodes)
                if depth:
                    made.append((nodes[place, steps[: depth - 1]], steps[depth - 1], nodes[path], ""))
        if not steps or (place, steps) in taken or (place, steps) in nodes:
            return None
        taken.add((place, steps))
        made.append((nodes[place, steps[:-1]], steps[-1], -1, key))
    roots = tuple(nodes[place, ()] for place in sorted({place for _, place, _ in keys}))
    return Tree(tuple(made), len(nodes), roots)


def _messages(keys: Iterable[Key]) -> tuple[tuple[str, str], ...] | None:
    by_place: dict[int, dict[tuple[str, ...], str]] = {}
    for key, place, steps in keys:
        given = by_place.setdefault(place, {})
        if steps in given:
            return None
        given[steps] = key
    result = []
    for _, given in sorted(by_place.items()):
        around = ("message",) if ("message", "role") in given else ()
        if any(steps[:-1] != around or steps[-1:] not in _MESSAGE_STEPS for steps in given):
            return None
        role, content = given.get((*around, "role")), given.get((*around, "content"))
        if role is None or content is None:
            return None
        result.append((role, content))
    return tuple(result)


def unflatten(attributes: dict[str, object], indexed: Indexed | None) -> list[object]:
    """Return the items of indexed keys in order: ``p.0.a.b``, ``p.1.a.b`` -> [{"a": {"b": ...}}, ...]."""
    if indexed is None:
        return []
    if indexed.tree is None:
        return _piece_by_piece(attributes, indexed.keys)
    steps, size, roots = indexed.tree
    made: list[dict[str, object]] = [{} for _ in range(size)]
    for node, name, child, key in steps:
        made[node][name] = attributes[key] if child < 0 else made[child]
    return [made[root] for root in roots]


def _piece_by_piece(attributes: dict[str, object], keys: Iterable[Key]) -> list[object]:
    items: dict[int, object] = {}
    for key, place, steps in keys:
        value = attributes[key]
        # Spans share their values, and what is nested in one is put into below: into a copy.
        if not steps:
            items.setdefault(place, copy.deepcopy(structure(value)))
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
            node[steps[-1]] = copy.deepcopy(value)
    return [items[place] for place in sorted(items)]
