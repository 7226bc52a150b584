"""What a page may say to its kernel: to its widget, and nothing that runs code."""

from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmops.widgets.feedback.page._messages import admitted


def framed(kind, content=None, *, channel="shell", header=None, buffers=()):
    """Return a message as a browser sends it."""
    given_header = header if header is not None else json.dumps({"msg_id": "1", "msg_type": kind}).encode()
    parts = [channel.encode(), given_header, b"{}", b"{}", json.dumps(content or {}).encode(), *buffers]
    offsets = [8 * (len(parts) + 2)]
    for part in parts:
        offsets.append(offsets[-1] + len(part))
    return b"".join([one.to_bytes(8, "little") for one in (len(offsets), *offsets)] + parts)


@pytest.mark.parametrize(
    "message",
    [
        framed("comm_msg", {"comm_id": "a", "data": {"method": "custom"}}),
        framed("comm_msg", {"comm_id": "a"}, buffers=[b"\x00", b""]),
        framed("comm_info_request"),
        framed("kernel_info_request"),
        framed("comm_open", {"comm_id": "a", "target_name": "jupyter.widget.control"}),
    ],
    ids=itertools.count(),
)
def test_what_a_widget_needs_is_passed_on(message):
    """Unchanged, as it was already plain."""
    assert admitted(message) == message


@pytest.mark.parametrize(
    "message",
    [
        framed("execute_request", {"code": "1"}),
        framed("execute_request", {"code": "1"}, channel="control"),
        framed("comm_msg", {"comm_id": "a"}, channel="control"),
        framed("comm_msg", channel="stdin"),
        framed("input_reply", {"value": "1"}),
        framed("debug_request"),
        framed("shutdown_request"),
        framed("interrupt_request"),
        framed("complete_request", {"code": "import os; os."}),
        framed("inspect_request"),
        framed("history_request"),
        framed("comm_open", {"target_name": "jupyter.widget"}),
        framed("comm_open"),
        framed("", header=b"[]"),
        framed("", header=b'{"msg_type": ["comm_msg"]}'),
        framed("", header=b"[" * 100_000),
        json.dumps({"channel": "shell", "header": {"msg_type": "comm_msg"}, "content": {}}),
        b"",
        b"\xff" * 8,
        b"\xff" * 4_000,
        framed("comm_msg")[:-1],
    ],
    ids=itertools.count(),
)
def test_everything_else_is_not(message):
    """Neither other kinds and channels nor other forms, nor what is cut or lies about its length."""
    assert admitted(message) is None


def test_a_header_means_one_thing_to_everybody():
    """A kind that is said twice is said once to the kernel: as it was checked."""
    twice = framed("", header=b'{"msg_type": "execute_request", "msg_type": "comm_msg"}')
    assert b"execute_request" not in admitted(twice)
    assert admitted(framed("", header=b'{"msg_type": "comm_msg", "msg_type": "execute_request"}')) is None


@given(st.binary(max_size=300) | st.binary(max_size=200).map(lambda tail: framed("comm_msg")[:60] + tail))
def test_no_bytes_break_it(message):
    """What is passed on is a message that may be."""
    found = admitted(message)
    assert found is None or b"comm_" in found or b"kernel_info_request" in found
