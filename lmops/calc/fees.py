"""What an answer pays beside its tokens: the searches and other tools that the endpoint ran for it.

Each API says it in another place: as parts of the answer, as metadata of a candidate, or in the usage inside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lmops.calc.usage import read_usage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: Types of parts of the Responses API -> what a call pays for each, by the names of ``genai-prices``.
_CALLS: Final = {
    "web_search_call": "web_searches",
    "file_search_call": "storage_searches",
    "code_interpreter_call": "unpriced",
    "image_generation_call": "unpriced",
}
#: Tools that an endpoint runs, by name; who fetches a page, or asks a server of the caller's, pays tokens only.
_HOSTED: Final = {
    "web_search": "web_searches",
    "web_search_preview": "web_searches",
    "file_search": "storage_searches",
    "web_fetch": None,
    "url_context": None,
    "memory": None,
    "mcp": None,
}
_FREE: Final = ("mcp", "tool_search", "web_fetch")
#: Where the parts of an answer stand; what was said before it is not its own.
_HOLDERS: Final = (
    "output",
    "outputs",
    "content",
    "choices",
    "message",
    "candidates",
    "parts",
    "generations",
    "kwargs",
    "response",
    "anthropic",
    "google",
    "vertex",
    "googleVertex",
    "openai",
)
_GROUNDINGS: Final = ("groundingMetadata", "grounding_metadata")
_QUERIES: Final = (
    "webSearchQueries",
    "web_search_queries",
    "imageSearchQueries",
    "image_search_queries",
    "retrievalQueries",
    "retrieval_queries",
)
_CHUNKS: Final = ("groundingChunks", "grounding_chunks")
_USAGES: Final = ("usage", "usageMetadata", "usage_metadata")
_DEPTH: Final = 7


def fees(answer: object) -> dict[str, Any]:
    """Return what a call pays beside its tokens, and the units that the usage inside the answer tells.

    Args:
        answer: The answer as the endpoint gave it, or the list of its parts or messages.

    Example:
        >>> fees([{"type": "web_search_call", "action": {"type": "search"}}, {"type": "message"}])
        {'web_searches': 1}
    """
    found: dict[str, Any] = {}
    told: dict[str, Any] = {}
    for part in _dicts(answer, 0):
        for key in _USAGES:
            details = part.get(key)
            if isinstance(details, dict):
                told |= read_usage(details).get("units", {})
        for unit in _paid(part):
            found[unit] = found.get(unit, 0) + 1
    return found | told


def _dicts(value: object, depth: int) -> Iterator[Mapping[str, object]]:
    if isinstance(value, dict):
        yield value
        for key in _HOLDERS if depth < _DEPTH else ():
            inner = value.get(key)
            if isinstance(inner, (dict, list)):
                yield from _dicts(inner, depth + 1)
    elif isinstance(value, list) and depth < _DEPTH:
        for item in value:
            yield from _dicts(item, depth + 1)


def _paid(part: Mapping[str, object]) -> Iterator[str]:
    """Yield the unit of each fee that a part stands for."""
    if any(_is_grounded(part.get(key)) for key in _GROUNDINGS) or part.get("executed_tools"):
        yield "unpriced"
    word = part.get("type")
    if not isinstance(word, str) or part.get("status") == "failed":
        return
    if word in _CALLS:
        action = part.get("action")
        # To open a page that was found, or to look for a word in it, costs nothing.
        if not (isinstance(action, dict) and action.get("type", "search") != "search"):
            yield _CALLS[word]
    elif (
        word in ("server_tool_use", "server_tool_call", "tool.execution")
        or part.get("builtin") is True
        or part.get("providerExecuted") is True
    ) and not word.endswith(("response", "result")):
        unit = _of_tool(part)
        if unit is not None:
            yield unit


def _of_tool(part: Mapping[str, object]) -> str | None:
    inner = part.get("server_tool_call")
    said = inner.get("type") if isinstance(inner, dict) else None
    name = part.get("name") or part.get("toolName") or said
    if not isinstance(name, str):
        return "unpriced"
    return _HOSTED.get(name, None if name.startswith(_FREE) else "unpriced")


def _is_grounded(metadata: object) -> bool:
    """Return whether Google searched for an answer: by its queries, or by the places that it found on a map."""
    if not isinstance(metadata, dict):
        return False
    chunks = [chunk for key in _CHUNKS for chunk in _items(metadata.get(key)) if isinstance(chunk, dict)]
    return any(metadata.get(key) for key in _QUERIES) or any("maps" in chunk for chunk in chunks)


def _items(value: object) -> list[object]:
    return value if isinstance(value, list) else []


__all__ = ["fees"]
