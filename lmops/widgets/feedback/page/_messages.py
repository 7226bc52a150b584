"""What a page may say to its kernel: to the widget that is there, and nothing that runs code or makes things."""

from __future__ import annotations

import itertools
import json
from typing import Any, Final

_PARTS: Final = range(6, 24)
_ASKED: Final = ("kernel_info_request", "comm_info_request", "comm_msg", "comm_close")
#: The one comm that a page opens: over it, it asks which widgets there are.
_OPENED: Final = "jupyter.widget.control"


def admitted(message: bytes | str) -> bytes | None:
    """Return a message of a page as it may go to the kernel; None for one that may not.

    Only the framed form is read. Header and content are written anew out of what was checked, so that the kernel cannot
    read something else in them.

    Args:
        message: As it came over the websocket.
    """
    parts = _unframed(message)
    if parts is None or parts[0] != b"shell":
        return None
    header, content = _object(parts[1]), _object(parts[4])
    if header is None or content is None:
        return None
    kind = header.get("msg_type")
    if kind not in _ASKED and (kind != "comm_open" or content.get("target_name") != _OPENED):
        return None
    parts[1], parts[4] = json.dumps(header).encode(), json.dumps(content).encode()
    return _framed(parts)


def _unframed(message: bytes | str) -> list[bytes] | None:
    """Return channel, header, parent, metadata, content and buffers of a message; None when it has another form.

    It begins with the number of offsets and the offsets, each of eight bytes, the first part behind them.
    """
    if not isinstance(message, bytes) or len(message) < 8:
        return None
    count = _number(message, 0)
    if count not in _PARTS:
        return None
    offsets = [_number(message, i + 1) for i in range(count)]
    if offsets != sorted(offsets) or offsets[0] != 8 * (count + 1) or offsets[-1] != len(message):
        return None
    return [message[start:end] for start, end in itertools.pairwise(offsets)]


def _framed(parts: list[bytes]) -> bytes:
    offsets = [8 * (len(parts) + 2)]
    for part in parts:
        offsets.append(offsets[-1] + len(part))
    return b"".join([one.to_bytes(8, "little") for one in (len(offsets), *offsets)] + parts)


def _number(message: bytes, index: int) -> int:
    return int.from_bytes(message[8 * index : 8 * index + 8], "little")


def _object(part: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(part)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
