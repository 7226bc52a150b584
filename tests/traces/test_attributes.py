"""Attributes that are read out of their bytes are what protobuf reads, however they are written."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans

from lmops.errors import IngestError
from lmops.traces import _attributes
from lmops.traces._attributes import attributes_of, span_attributes
from lmops.traces._indexed import indexed_keys, unflatten
from lmops.traces._json import structure
from lmops.traces._otlp import decode_traces_pb

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=200) | st.integers(0, 20_000).map("x".__mul__)
scalars = st.one_of(
    texts.map(lambda text: AnyValue(string_value=text)),
    st.integers(-(2**63), 2**63 - 1).map(lambda number: AnyValue(int_value=number)),
    st.floats().map(lambda number: AnyValue(double_value=number)),
    st.booleans().map(lambda flag: AnyValue(bool_value=flag)),
    st.binary(max_size=40).map(lambda data: AnyValue(bytes_value=data)),
    st.just(AnyValue()),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda found: AnyValue(array_value=ArrayValue(values=found))),
        st.dictionaries(texts, inner, max_size=3).map(
            lambda found: AnyValue(
                kvlist_value=KeyValueList(values=[KeyValue(key=key, value=value) for key, value in found.items()])
            )
        ),
    ),
    max_leaves=6,
)
pairs = st.builds(lambda key, value: KeyValue(key=key, value=value).SerializeToString(), texts, values)


def field(tag: int, data: bytes, *, padding: int = 0) -> bytes:
    """Return a field of bytes; ``padding`` more bytes in its length than it needs."""
    size, digits = len(data), bytearray()
    while size > 0x7F or padding:
        digits.append(size & 0x7F | 0x80)
        padding -= size <= 0x7F
        size >>= 7
    return bytes((tag, *digits, size)) + data


def by_protobuf(encoded: bytes) -> object:
    try:
        return attributes_of([KeyValue.FromString(encoded)])
    except Exception:  # noqa: BLE001 - protobuf's DecodeError has no stable base class
        return "unreadable"


def by_bytes(encoded: bytes) -> object:
    try:
        return span_attributes([encoded])
    except ValueError:
        return "unreadable"


@given(st.lists(pairs, max_size=5))
def test_every_value_is_what_protobuf_reads(encoded):
    expected = attributes_of([KeyValue.FromString(pair) for pair in encoded])
    for _ in range(2):  # the second time they are remembered
        assert repr(span_attributes(encoded)) == repr(expected)


@given(key=texts, text=texts, padding=st.integers(0, 2), cut=st.integers(0, 6), more=st.binary(max_size=4))
@settings(max_examples=300)
def test_unusual_encodings_are_what_protobuf_reads(key, text, padding, cut, more):
    name, said = key.encode(), text.encode()
    value = field(0x0A, said, padding=padding)
    usual = field(0x0A, name) + field(0x12, field(0x0A, said))
    forms = [
        usual,
        field(0x0A, name, padding=padding) + field(0x12, value, padding=padding),
        field(0x12, value) + field(0x0A, name),
        usual + usual,
        usual + field(0x12, field(0x0A, b"last")),
        field(0x0A, name) + field(0x12, value + field(0x0A, b"last")),
        field(0x0A, name) + field(0x12, field(0x0A, said + more)),
        usual + more,
        usual[: len(usual) - cut],
        field(0x0A, name),
        more,
    ]
    for encoded in (usual, *forms):
        assert by_bytes(encoded) == by_protobuf(encoded)


@given(st.binary(max_size=60))
def test_any_bytes_are_what_protobuf_reads(encoded):
    assert repr(by_bytes(encoded)) == repr(by_protobuf(encoded))


def test_the_last_of_equal_names_counts():
    encoded = [KeyValue(key="k", value=AnyValue(int_value=number)).SerializeToString() for number in (1, 2)]
    assert span_attributes(encoded) == {"k": 2}


def test_what_is_remembered_is_bounded(monkeypatch):
    monkeypatch.setattr(_attributes, "_REMEMBERED", 50)
    for number in range(300):
        name = f"name {number}"
        encoded = KeyValue(key=name, value=AnyValue(string_value="v" * number)).SerializeToString()
        assert span_attributes([encoded]) == {name: "v" * number}
        assert span_attributes([encoded]) == {name: "v" * number}
    assert all(len(kept) <= 50 for kept in (_attributes._SEEN, _attributes._NAMES, _attributes._HEADS))
    assert all(len(pair) <= _attributes._SHORT for pair in _attributes._SEEN)


def test_a_span_with_an_unreadable_attribute_does_not_hide_behind_one_that_can_be_read():
    message = ResourceSpans()
    span = message.scope_spans.add().spans.add(trace_id=b"t" * 16, span_id=b"s" * 8, start_time_unix_nano=1)
    span.attributes.add(key="k").value.string_value = "abcdef"
    good = field(0x0A, message.SerializeToString())
    (read,) = decode_traces_pb(good)
    assert read.attributes == {"k": "abcdef"}
    with pytest.raises(IngestError, match="not an OTLP trace message"):
        list(decode_traces_pb(good + good.replace(b"abcdef", b"ab\xff\xfeef")))


steps = st.sampled_from(["0", "1", "2", "01", "role", "content", "message", "a", "finish_reason"])
keys = st.lists(steps, min_size=1, max_size=4).map(lambda found: ".".join(["p", *found]))


def nested(attributes: dict[str, object]) -> list[object]:
    """Return what the keys below ``p.`` amount to, put together one by one."""
    items: dict[int, object] = {}
    for key, value in attributes.items():
        _, *rest = key.split(".")
        if not rest[0].isdigit():
            continue
        place, below = int(rest[0]), rest[1:]
        if not below:
            items.setdefault(place, structure(value))
            continue
        node = items.setdefault(place, {})
        for step in below[:-1]:
            node = node.setdefault(step, {}) if isinstance(node, dict) else node
        if isinstance(node, dict) and not isinstance(node.get(below[-1]), dict):
            node[below[-1]] = value
    return [items[place] for place in sorted(items)]


@given(st.dictionaries(keys, st.sampled_from(["user", "", "text", "{}"]), max_size=8))
@settings(max_examples=500)
def test_indexed_keys_are_the_objects_they_spell(attributes):
    indexed = indexed_keys(attributes).get("p.")
    assert unflatten(attributes, indexed) == nested(attributes)
    if indexed is not None and indexed.messages is not None:
        found = [item.get("message", item) for item in nested(attributes)]
        assert [(attributes[role], attributes[content]) for role, content in indexed.messages] == [
            (message["role"], message["content"]) for message in found
        ]
