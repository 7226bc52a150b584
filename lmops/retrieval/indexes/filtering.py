"""Which documents may be found: what their metadata must be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def is_allowed(metadata: Mapping[str, Any], filters: Mapping[str, Any]) -> bool:
    """Return whether metadata of a document is as filters ask; what it does not say is not as they ask.

    Args:
        metadata: Of the document.
        filters: As settings have them: name -> values, or {"at_least": ..., "at_most": ...} of a number.

    Example:
        >>> is_allowed({"language": "en", "year": 2025}, {"language": ["en", "de"], "year": {"at_least": 2024}})
        True
    """
    return all(name in metadata and _is_wanted(metadata[name], wanted) for name, wanted in filters.items())


def _is_wanted(value: Any, wanted: Any) -> bool:
    if isinstance(wanted, Mapping):
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return bool(wanted.get("at_least", value) <= value <= wanted.get("at_most", value))
    return any(value == one and isinstance(value, bool) == isinstance(one, bool) for one in wanted)
