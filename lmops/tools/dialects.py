"""One schema of a tool, in the words of each provider: the schema that is kept is the only one, these are derived."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from lmops.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lmops.tools.contract import ToolVersion

Dialect = Literal["openai", "openai_strict", "responses", "responses_strict", "anthropic", "mcp"]
#: What strict mode of OpenAI refuses to be told.
_NOT_STRICT: Final = ("default", "minLength", "maxLength", "uniqueItems", "title", "examples")


def offered(version: ToolVersion, dialect: Dialect | str = "openai") -> dict[str, Any]:
    """Return a tool as a provider is told of it.

    Args:
        version: The tool.
        dialect: "openai" (chat completions), "responses" (OpenAI's responses), each also with "_strict" (every property
            is required and may be null instead, none has a default), "anthropic" (``input_schema``), "mcp"
            (``inputSchema``, with what it is allowed to do as hints).

    Raises:
        UsageError: There is no such dialect; or strict mode cannot say the schema.
    """
    if dialect not in _DIALECTS:
        raise UsageError(did_you_mean("dialect", str(dialect), _DIALECTS))
    return _DIALECTS[dialect](version)


def _openai(version: ToolVersion) -> dict[str, Any]:
    return {"type": "function", "function": _told(version, "parameters", version.parameters)}


def _openai_strict(version: ToolVersion) -> dict[str, Any]:
    return {"type": "function", "function": _told(version, "parameters", strict(version)) | {"strict": True}}


def _responses(version: ToolVersion) -> dict[str, Any]:
    # Without the word this interface makes a schema strict by itself.
    return {"type": "function", **_told(version, "parameters", version.parameters), "strict": False}


def _responses_strict(version: ToolVersion) -> dict[str, Any]:
    return {"type": "function", **_told(version, "parameters", strict(version)), "strict": True}


def _anthropic(version: ToolVersion) -> dict[str, Any]:
    return _told(version, "input_schema", version.parameters)


def _mcp(version: ToolVersion) -> dict[str, Any]:
    told = _told(version, "inputSchema", version.parameters)
    if version.returns and version.returns.get("type") == "object":
        told["outputSchema"] = dict(version.returns)
    return told | {"annotations": {"readOnlyHint": version.is_read_only, "idempotentHint": version.is_idempotent}}


def _told(version: ToolVersion, key: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": version.name, "description": version.description, key: dict(schema)}


_DIALECTS: Final[dict[str, Callable[[ToolVersion], dict[str, Any]]]] = {
    "openai": _openai,
    "openai_strict": _openai_strict,
    "responses": _responses,
    "responses_strict": _responses_strict,
    "anthropic": _anthropic,
    "mcp": _mcp,
}


def strict(version: ToolVersion) -> dict[str, Any]:
    """Return the schema of a tool as OpenAI's strict mode takes it.

    Raises:
        UsageError: It has a mapping of any keys, which strict mode cannot say.
    """
    found: dict[str, Any] = _strict(dict(version.parameters), version.name)
    return found


def unstrict(arguments: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments of a strict call as the tool takes them: null for what may be left out is left out.

    Args:
        arguments: As the model wrote them.
        schema: The schema that is kept.
    """
    needed, properties = schema.get("required", ()), schema.get("properties", {})
    return {
        name: one
        for name, one in arguments.items()
        if one is not None or name in needed or _takes_null(properties.get(name, {}))
    }


def _strict(schema: Any, name: str) -> Any:
    if isinstance(schema, list):
        return [_strict(one, name) for one in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: one for key, one in schema.items() if key not in _NOT_STRICT}
    for key, one in found.items():
        if key in ("properties", "$defs"):
            found[key] = {part: _strict(inner, name) for part, inner in one.items()}
        elif key not in ("enum", "const", "required"):
            found[key] = _strict(one, name)
    if found.get("type") == "object" or "properties" in found:
        if found.get("additionalProperties") not in (None, False):
            raise UsageError(f"tool {name!r}: strict mode takes no mapping of any keys; offer it in dialect 'openai'")
        needed = set(schema.get("required", ()))
        properties = found.get("properties", {})
        found["properties"] = {part: one if part in needed else _nullable(one) for part, one in properties.items()}
        found |= {"required": [*properties], "additionalProperties": False}
    return found


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema that null fits as well."""
    if _takes_null(schema):
        return schema
    if isinstance(schema.get("type"), str) and "enum" not in schema and "const" not in schema:
        return {**schema, "type": [schema["type"], "null"]}
    said = {key: one for key, one in schema.items() if key == "description"}
    return {**said, "anyOf": [{key: one for key, one in schema.items() if key != "description"}, {"type": "null"}]}


def _takes_null(schema: Mapping[str, Any]) -> bool:
    kind = schema.get("type")
    if kind == "null" or (isinstance(kind, list) and "null" in kind):
        return True
    return any(_takes_null(one) for one in schema.get("anyOf", ()) if isinstance(one, dict))
