"""Attributes of protobuf spans, read as what they are: nearly the same ones with every span.

protobuf makes two objects of each attribute before one can ask for its value, and that is most of what reading a span
costs. So spans are parsed by a schema of their own, with the same wire form, that leaves an attribute as its bytes. A
short one that came before is looked up; a text is cut out; what is written in any other way goes through protobuf.
"""

from __future__ import annotations

import base64
import math
from typing import TYPE_CHECKING, Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1 import trace_pb2

from lmops.traces._json import MAX_DEPTH, TOO_DEEP

if TYPE_CHECKING:
    from collections.abc import Iterable

    from opentelemetry.proto.common.v1.common_pb2 import AnyValue

_PLAIN_WORDS: Final = frozenset({"string_value", "int_value", "bool_value", "double_value"})
#: An attribute up to this size is remembered whole, and so many of them; they come from outside.
_SHORT: Final = 80
_REMEMBERED: Final = 20_000
_SEEN: Final[dict[bytes, tuple[str, Any]]] = {}
#: Names as they stand at the start of an attribute: tag, length, name.
_NAMES: Final[dict[bytes, str]] = {}
#: By the number of bytes after the name: what stands before a text that ends with them, and how long that is.
_HEADS: Final[dict[int, tuple[bytes, int]]] = {}
_KEY, _VALUE, _TEXT = 0x0A, 0x12, 0x0A


def _lean_types() -> tuple[Any, Any, Any]:
    """Return TracesData, ResourceSpans and Span whose attributes are bytes; all else is as in OTLP."""
    file = descriptor_pb2.FileDescriptorProto()
    trace_pb2.DESCRIPTOR.CopyToProto(file)
    given, own = f".{file.package}.", ".lmops.trace."
    file.name, file.package = "lmops/trace.proto", "lmops.trace"
    for message in file.message_type:
        for kind in (message, *message.nested_type):
            for field in kind.field:
                if field.type_name:
                    field.type_name = field.type_name.replace(given, own)
        if message.name == "Span":
            attributes = next(field for field in message.field if field.name == "attributes")
            attributes.type = descriptor_pb2.FieldDescriptorProto.TYPE_BYTES
            attributes.ClearField("type_name")
    pool = descriptor_pool.Default()
    pool.AddSerializedFile(file.SerializeToString())
    names = ("TracesData", "ResourceSpans", "Span")
    types = [message_factory.GetMessageClass(pool.FindMessageTypeByName(f"lmops.trace.{name}")) for name in names]
    return types[0], types[1], types[2]


TracesData, ResourceSpans, Span = _lean_types()


def span_attributes(encoded: Iterable[bytes]) -> dict[str, object]:
    """Return the attributes of a lean span; who reads them must not change the values, which spans share.

    Raises:
        ValueError: An attribute cannot be read.
    """
    attributes: dict[str, object] = {}
    seen = _SEEN
    for pair in encoded:
        if len(pair) <= _SHORT and (known := seen.get(pair)) is not None:
            attributes[known[0]] = known[1]
        else:
            key, value = _read(pair)
            attributes[key] = value
    return attributes


def _read(pair: bytes) -> tuple[str, object]:
    size = len(pair)
    end = pair[1] + 2 if size > 1 else 0
    key = _NAMES.get(pair[:end])
    if key is not None:
        head, length = _HEADS.get(size - end) or _head(size - end)
        if pair.startswith(head, end):
            try:
                found: tuple[str, object] = key, pair[end + length :].decode()
            except UnicodeDecodeError:
                raise ValueError(f"the text of {key[:80]!r} is not UTF-8") from None
            if size <= _SHORT:
                _remember(pair, found)
            return found
    found = _parsed(pair)
    name = found[0].encode()
    if pair[:end] == bytes((_KEY, len(name) & 0x7F)) + name:
        if len(_NAMES) >= _REMEMBERED:
            _NAMES.clear()
        _NAMES[pair[:end]] = found[0]
    if size <= _SHORT:
        _remember(pair, found)
    return found


def _remember(pair: bytes, found: tuple[str, object]) -> None:
    if len(_SEEN) >= _REMEMBERED:
        _SEEN.clear()
    _SEEN[pair] = found


def _parsed(pair: bytes) -> tuple[str, object]:
    try:
        message = KeyValue.FromString(pair)
    except DecodeError as error:
        raise ValueError(str(error)) from None
    return message.key, any_value(message.value)


def _head(rest: int) -> tuple[bytes, int]:
    """Return what stands before a text that ends with the ``rest`` bytes after a name, and its length."""
    head = b"no text is as long"
    for outer in range(1, 6):
        size = rest - 1 - outer
        for inner in range(1, 6):
            text = size - 1 - inner
            if text >= 0 and len(_varint(size)) == outer and len(_varint(text)) == inner:
                head = bytes((_VALUE,)) + _varint(size) + bytes((_TEXT,)) + _varint(text)
    if len(_HEADS) >= _REMEMBERED:
        _HEADS.clear()
    _HEADS[rest] = head, len(head)
    return _HEADS[rest]


def _varint(number: int) -> bytes:
    digits = bytearray()
    while number > 0x7F:
        digits.append(number & 0x7F | 0x80)
        number >>= 7
    digits.append(number)
    return bytes(digits)


def attributes_of(pairs: Iterable[KeyValue]) -> dict[str, object]:
    """Return attributes that protobuf has parsed: of a resource, an event, a log record."""
    return {pair.key: any_value(pair.value) for pair in pairs}


def any_value(value: AnyValue, depth: int = 0) -> object:
    """Return a value as JSON has it: bytes as base64, NaN and infinity as None, what is nested too deeply as a word."""
    # Asking for a field costs a fraction of asking which one is set.
    plain: object = value.string_value or value.int_value or value.bool_value
    if plain:
        return plain
    number = value.double_value
    if number:
        return number if math.isfinite(number) else None
    word = value.WhichOneof("value")
    if word in ("array_value", "kvlist_value"):
        return TOO_DEEP if depth >= MAX_DEPTH else _nested(value, word, depth)
    if word == "bytes_value":
        return base64.b64encode(value.bytes_value).decode()
    zero: object = getattr(value, word) if word in _PLAIN_WORDS else None
    return zero


def _nested(value: AnyValue, word: str, depth: int) -> object:
    if word == "array_value":
        return [any_value(item, depth + 1) for item in value.array_value.values]
    return {pair.key: any_value(pair.value, depth + 1) for pair in value.kvlist_value.values}
