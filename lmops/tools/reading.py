"""Tools that others describe: the list of an MCP server, and documents of OpenAPI 3.0 and 3.1.

Nothing is fetched: a ``$ref`` that leads out of a document is an error, and one that leads into itself stays
a reference.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson

from lmops.errors import NotFoundError, UsageError, system_in_words
from lmops.text import plain_line

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Sequence

_VERBS: Final = ("get", "put", "post", "delete", "patch", "head", "options")
_READS: Final = ("get", "head", "options")
_REPEATS: Final = (*_READS, "put", "delete")
_MAX_BYTES: Final = 20_000_000
_MAX_TOOLS: Final = 2_000
_MAX_REFS: Final = 2_000
_LONGEST: Final = 64
#: What OpenAPI says of a schema beside JSON schema.
_NOT_OF_JSON_SCHEMA: Final = ("xml", "discriminator", "nullable", "example", "externalDocs")
_LEGAL: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_POINTER: Final = re.compile(r"#/(.*)")


class Described(NamedTuple):
    """A tool as a document describes it.

    Args:
        name: A name that every provider takes.
        content: What a version is made of.
        renamed: What it is called there, where that is no name of a tool; None where it is.
    """

    name: str
    content: dict[str, Any]
    renamed: str | None


def read(given: str | os.PathLike[str] | Mapping[str, Any] | list[Any]) -> list[Described]:
    """Return the tools of a document.

    Args:
        given: A file of JSON or YAML, or what it says: the answer of MCP's ``tools/list``, its list of tools, or an
            OpenAPI document.

    Raises:
        UsageError: It is none of them, a tool is there twice, or a schema leads out of it.
    """
    said = given if isinstance(given, Mapping | list) else _loaded(Path(given))
    if isinstance(said, Mapping) and isinstance(said.get("result"), Mapping):
        said = said["result"]  # as JSON-RPC answers
    if isinstance(said, Mapping) and ("openapi" in said or "paths" in said):
        found = [*_openapi(said)]
    elif isinstance(said, Mapping) and "swagger" in said:
        raise UsageError("it is a Swagger 2.0 document; OpenAPI 3.0 and 3.1 are read: convert it first")
    else:
        listed = said.get("tools") if isinstance(said, Mapping) else said
        if not isinstance(listed, list):
            raise UsageError(
                "it is neither an MCP list ({'tools': [...]}) nor an OpenAPI document ({'openapi': '3.1.0'})"
            )
        found = [*_mcp(listed)]
    if len(found) > _MAX_TOOLS:
        raise UsageError(f"it has {len(found):,} tools; {_MAX_TOOLS:,} is the most")
    return _told_apart(found)


def chosen(found: list[Described], only: Sequence[str] | None) -> list[Described]:
    """Return the tools that somebody wants.

    Args:
        found: All of them.
        only: Names, or what they are called there; None: all.

    Raises:
        NotFoundError: One is not there.
    """
    if only is None:
        return found
    by_name = {one.renamed or one.name: one for one in found} | {one.name: one for one in found}
    for name in only:
        if name not in by_name:
            raise NotFoundError.of("tool of the document", str(name), by_name)
    return list({by_name[name].name: by_name[name] for name in only}.values())


def _loaded(path: Path) -> Any:
    if not path.is_file():
        raise UsageError(f"{plain_line(path, 200)} is no file; give one, or what it says")
    with system_in_words(path):
        size = path.stat().st_size
        if size > _MAX_BYTES:
            raise UsageError(f"{path} has {size:,} bytes; {_MAX_BYTES:,} is the most")
        text = path.read_text(encoding="utf-8")
    try:
        return orjson.loads(text)
    except ValueError:
        pass  # then it is YAML, or nothing that can be read
    import yaml

    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as error:
        raise UsageError(f"{path}: it is neither JSON nor YAML: {plain_line(str(error), 200)}") from error


def _mcp(listed: list[Any]) -> Iterator[Described]:
    for place, one in enumerate(listed):
        if not isinstance(one, Mapping) or not isinstance(one.get("name"), str):
            raise UsageError(f"tools[{place}]: a tool is a mapping with a name")
        hints = one.get("annotations") if isinstance(one.get("annotations"), Mapping) else {}
        assert isinstance(hints, Mapping)
        is_read_only = hints.get("readOnlyHint") is True
        content: dict[str, Any] = {
            "description": str(one.get("description") or one.get("title") or ""),
            "parameters": one.get("inputSchema", one.get("input_schema")) or {"type": "object", "properties": {}},
            "returns": one.get("outputSchema"),
            # What a server says of its own tools is a hint, and is held as one.
            "is_idempotent": is_read_only or hints.get("idempotentHint") is True,
            "is_read_only": is_read_only,
            "source": "mcp",
        }
        yield _described(one["name"], content, {})


def _openapi(said: Mapping[str, Any]) -> Iterator[Described]:
    paths = said.get("paths")
    if not isinstance(paths, Mapping):
        raise UsageError("the OpenAPI document has no paths")
    for path, item in paths.items():
        common = item.get("parameters", []) if isinstance(item, Mapping) else []
        for verb, one in (item if isinstance(item, Mapping) else {}).items():
            if verb not in _VERBS or not isinstance(one, Mapping):
                continue
            name = one.get("operationId") or f"{verb}_{path}"
            where = f"{verb.upper()} {plain_line(path, 100)}"
            parameters, places = _arguments(said, [*common, *one.get("parameters", [])], one.get("requestBody"), where)
            content: dict[str, Any] = {
                "description": str(one.get("description") or one.get("summary") or ""),
                "parameters": parameters,
                "is_idempotent": verb in _REPEATS,
                "is_read_only": verb in _READS,
                "source": "openapi",
            }
            yield _described(str(name), content, {"method": verb.upper(), "path": path, "in": places})


def _arguments(
    document: Mapping[str, Any], parameters: list[Any], body: Any, where: str
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return one schema of all that an operation is given, and where each argument goes."""
    properties: dict[str, Any] = {}
    places: dict[str, str] = {}
    needed: list[str] = []
    refs = _References(document, where)
    for given in parameters:
        one = refs.found(given)
        name, place = one.get("name"), one.get("in")
        if not isinstance(name, str) or place not in ("path", "query", "header", "cookie"):
            raise UsageError(f"{where}: a parameter has no name, or is nowhere")
        schema = refs.within(one.get("schema") or {})
        properties[name] = {**({"description": one["description"]} if one.get("description") else {}), **schema}
        places[name] = place
        if (one.get("required") is True or place == "path") and name not in needed:
            needed.append(name)
    if body is not None:
        found = refs.found(body)
        kinds = found.get("content") or {}
        media: Mapping[str, Any] = kinds.get("application/json") or next(iter(kinds.values()), {})
        name = "body" if "body" not in properties else "request_body"
        properties[name] = refs.within(media.get("schema") or {})
        places[name] = "body"
        if found.get("required") is True:
            needed.append(name)
    schema = {"type": "object", "properties": properties, "required": needed, "additionalProperties": False}
    return ({**schema, "$defs": refs.defined} if refs.defined else schema), places


class _References:
    """What the references of one operation lead to: kept once each, so that one that leads to itself ends.

    Args:
        document: The whole document.
        where: The operation, for messages.
    """

    def __init__(self, document: Mapping[str, Any], where: str) -> None:
        self._document = document
        self._where = where
        self.defined: dict[str, Any] = {}
        self._names: dict[str, str] = {}

    def found(self, given: Any) -> Mapping[str, Any]:
        """Return what stands here, or what it leads to."""
        seen = 0
        while isinstance(given, Mapping) and isinstance(given.get("$ref"), str):
            given, seen = self._at(given["$ref"]), seen + 1
            if seen > _MAX_REFS:
                raise UsageError(f"{self._where}: a $ref leads to itself")
        if not isinstance(given, Mapping):
            raise UsageError(f"{self._where}: there is a {type(given).__name__} where a mapping is meant")
        return given

    def within(self, schema: Any) -> Any:
        """Return a schema whose references lead into ``defined``."""
        if isinstance(schema, list):
            return [self.within(one) for one in schema]
        if not isinstance(schema, Mapping):
            return schema
        ref = schema.get("$ref")
        if isinstance(ref, str):
            rest = {key: one for key, one in schema.items() if key == "description"}
            return {"$ref": f"#/$defs/{self._named(ref)}", **rest}
        found: dict[str, Any] = {}
        for key, one in schema.items():
            if key in ("properties", "patternProperties") and isinstance(one, Mapping):
                found[key] = {name: self.within(part) for name, part in one.items()}  # their names are no keywords
            elif key not in _NOT_OF_JSON_SCHEMA:
                found[key] = self.within(one)
        if schema.get("nullable") is True and isinstance(found.get("type"), str):  # as 3.0 says it
            found["type"] = [found["type"], "null"]
        return found

    def _named(self, ref: str) -> str:
        if ref in self._names:
            return self._names[ref]
        if len(self._names) >= _MAX_REFS:
            raise UsageError(f"{self._where}: it refers to more than {_MAX_REFS:,} schemas")
        name = re.sub(r"[^A-Za-z0-9_.-]", "_", ref.rpartition("/")[2])[:_LONGEST] or "schema"
        taken = {*self._names.values()}
        name = next(one for one in (name, *(f"{name}_{n}" for n in range(2, _MAX_REFS + 2))) if one not in taken)
        self._names[ref] = name
        self.defined[name] = {}
        self.defined[name] = self.within(self._at(ref))
        return name

    def _at(self, ref: str) -> Any:
        found: Any = self._document
        pointer = _POINTER.fullmatch(ref)
        if pointer is None:
            raise UsageError(
                f"{self._where}: $ref {plain_line(ref, 100)!r} leads out of the document; nothing is fetched"
            )
        for part in pointer[1].split("/"):
            key = part.replace("~1", "/").replace("~0", "~")
            if not isinstance(found, Mapping) or key not in found:
                raise UsageError(f"{self._where}: $ref {plain_line(ref, 100)!r} leads nowhere")
            found = found[key]
        return found


def _described(name: str, content: dict[str, Any], origin: dict[str, Any]) -> Described:
    legal = name if _LEGAL.fullmatch(name) else re.sub(r"[^A-Za-z0-9_-]+", "_", name).strip("_")[:_LONGEST] or "tool"
    return Described(legal, {**content, "origin": origin}, name if legal != name else None)


def _told_apart(found: list[Described]) -> list[Described]:
    """Return tools whose names differ; two that a document itself calls the same are refused.

    Names that became the same when they were made legal get a number.
    """
    original = [one.renamed or one.name for one in found]
    twice = sorted({name for name in original if original.count(name) > 1})
    if twice:
        said = ", ".join(repr(plain_line(name, 60)) for name in twice[:5])
        raise UsageError(f"it has {len(twice)} names more than once: {said}; which one is meant nobody can tell")
    taken: set[str] = set()
    told = []
    for one, called in zip(found, original, strict=True):
        name, n = one.name, 1
        while name.casefold() in taken:
            n += 1
            name = f"{one.name[: _LONGEST - 5]}_{n}"
        taken.add(name.casefold())
        renamed = called if called != name else None
        origin = one.content["origin"] | ({} if renamed is None else {"name": renamed})
        told.append(Described(name, {**one.content, "origin": origin}, renamed))
    return told
