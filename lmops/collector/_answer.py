"""What the receiver answers: OTLP responses and statuses, in the content type of the request."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, Literal

from lmops.serve import JSON, Answer

if TYPE_CHECKING:
    from lmops.serve import Refusal

Signal = Literal["traces", "logs", "metrics"]

PROTOBUF: Final = "application/x-protobuf"

#: The name of the count of rejected records in the JSON form of each response.
_REJECTED: Final[dict[Signal, str]] = {
    "traces": "rejectedSpans",
    "logs": "rejectedLogRecords",
    "metrics": "rejectedDataPoints",
}
#: HTTP status -> google.rpc code, the code that an OTLP error body carries.
_RPC_CODES: Final[dict[int, int]] = {
    400: 3,
    401: 16,
    403: 7,
    404: 5,
    405: 12,
    408: 4,
    411: 3,
    413: 3,
    415: 3,
    429: 8,
    431: 3,
    500: 13,
    501: 12,
    503: 14,
}
_UNKNOWN: Final = 2
_SEVEN_BITS: Final = 0x7F


def success(signal: Signal, content_type: str, *, rejected: int = 0, message: str = "") -> bytes:
    """Return the body of a 200: an empty Export*ServiceResponse, or one with ``partial_success``."""
    if content_type == JSON:
        partial = {_REJECTED[signal]: str(rejected), "errorMessage": message}
        return json.dumps({"partialSuccess": partial} if rejected or message else {}).encode()
    if not rejected and not message:
        return b""
    partial_success = _number_and_text(rejected, message)
    return b"\x0a" + _varint(len(partial_success)) + partial_success


def failure(refusal: Refusal, content_type: str) -> Answer:
    """Return an error: a google.rpc.Status, in the content type of the request."""
    code = _RPC_CODES.get(refusal.status, _UNKNOWN)
    if content_type == PROTOBUF:
        return Answer(body=_number_and_text(code, refusal.message), content_type=content_type, status=refusal.status)
    body = json.dumps({"code": code, "message": refusal.message}).encode()
    return Answer(body=body, status=refusal.status)


def _number_and_text(number: int, text: str) -> bytes:
    """Return the protobuf message {1: int, 2: string}.

    google.rpc.Status and the three partial_success messages all have this shape, so that
    neither a generated module nor googleapis-common-protos is needed to answer.
    """
    encoded = text.encode("utf-8", "replace")
    first = b"\x08" + _varint(number) if number else b""
    return first + (b"\x12" + _varint(len(encoded)) + encoded if encoded else b"")


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > _SEVEN_BITS:
        out.append(number & _SEVEN_BITS | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
