"""Request bodies: sized or chunked, plain or compressed, never more than the limit in memory."""

from __future__ import annotations

import string
import zlib
from typing import TYPE_CHECKING, Final

from lmops.collector._answer import Refusal

if TYPE_CHECKING:
    import io
    from collections.abc import Callable, Iterator
    from email.message import Message

_PIECE_BYTES: Final = 64 * 1024
_LINE_BYTES: Final = 1024
_TRAILER_LINES: Final = 64
#: Digits of a length that is still a number of bytes.
_LENGTH_DIGITS: Final = 16
_HEX_DIGITS: Final = frozenset(string.hexdigits)
ENCODINGS: Final = ("identity", "gzip", "deflate")


def encoding_of(headers: Message[str, str]) -> str:
    """Return identity, gzip or deflate; refuse another Content-Encoding with 415."""
    encoding = (headers.get("Content-Encoding") or "identity").strip().lower()
    encoding = "gzip" if encoding == "x-gzip" else encoding
    if encoding not in ENCODINGS:
        msg = f"Content-Encoding {encoding[:40]!r} is not supported; use one of {', '.join(ENCODINGS)}"
        raise Refusal(415, msg)
    return encoding


def length_of(headers: Message[str, str]) -> int | None:
    """Return the Content-Length, or None for a chunked body; refuse what is neither, or both."""
    lengths = headers.get_all("Content-Length") or []
    transfer = (headers.get("Transfer-Encoding") or "").strip().lower()
    if transfer:
        if lengths:
            # Two lengths are how one request is smuggled inside another.
            raise Refusal(400, "a request has either a Content-Length or a Transfer-Encoding, not both")
        if transfer != "chunked":
            raise Refusal(501, "the only supported Transfer-Encoding is chunked")
        return None
    if not lengths:
        raise Refusal(411, "send a Content-Length or a chunked body")
    if len(set(lengths)) > 1 or not (lengths[0].isascii() and lengths[0].isdigit()) or len(lengths[0]) > _LENGTH_DIGITS:
        raise Refusal(400, "the Content-Length is not a number of bytes")
    return int(lengths[0])


def read_body(
    source: io.BufferedIOBase, headers: Message[str, str], *, limit: int, reserve: Callable[[int], None]
) -> bytes:
    """Return the whole body, decompressed.

    Args:
        source: the connection, positioned after the headers.
        headers: of the request.
        limit: most bytes of the body, as sent and as decompressed; above it 413.
        reserve: called with the number of bytes about to be held; raises to refuse them.

    Raises:
        Refusal: too large, truncated, or not in the encoding that the headers say.
    """
    length = length_of(headers)
    if length is not None and length > limit:
        raise _too_large(limit)
    encoding = encoding_of(headers)
    sent = _chunks(source, limit) if length is None else _sized(source, length)
    pieces: list[bytes] = []
    held = 0
    for piece in sent if encoding == "identity" else _inflate(sent, encoding):
        held += len(piece)
        if held > limit:
            raise _too_large(limit)
        reserve(len(piece))
        pieces.append(piece)
    return b"".join(pieces)


def _too_large(limit: int) -> Refusal:
    return Refusal(413, f"the body is larger than {limit} bytes; send smaller batches or raise max_body_mb")


def _sized(source: io.BufferedIOBase, length: int) -> Iterator[bytes]:
    while length:
        piece = source.read1(min(length, _PIECE_BYTES))
        if not piece:
            raise Refusal(400, f"the body ended {length} bytes early")
        length -= len(piece)
        yield piece


def _chunks(source: io.BufferedIOBase, limit: int) -> Iterator[bytes]:
    total = 0
    while True:
        size_text = _line(source).split(b";", 1)[0].strip().decode("latin-1")
        if not size_text or len(size_text) > _LENGTH_DIGITS or not _HEX_DIGITS.issuperset(size_text):
            raise Refusal(400, "the chunked body has a chunk without a size")
        size = int(size_text, 16)
        total += size
        if total > limit:
            raise _too_large(limit)
        if size == 0:
            break
        yield from _sized(source, size)
        if _line(source) != b"\r\n":
            raise Refusal(400, "a chunk of the body is longer than its size")
    for _ in range(_TRAILER_LINES):
        if _line(source) in {b"\r\n", b"\n"}:
            return
    raise Refusal(400, "the chunked body has too many trailers")


def _line(source: io.BufferedIOBase) -> bytes:
    line = source.readline(_LINE_BYTES)
    if not line.endswith(b"\n"):
        raise Refusal(400, "the chunked body ended early, or a line of it is too long")
    return line


def _inflate(sent: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    """Yield the decompressed body in pieces of bounded size, so that a bomb is met piece by piece."""
    window = 31 if encoding == "gzip" else 15
    inflater = zlib.decompressobj(window)
    is_first = True
    for piece in sent:
        data = piece
        while data:
            if inflater.eof:
                # gzip allows several members one after the other.
                inflater = zlib.decompressobj(window)
            try:
                out = inflater.decompress(data, _PIECE_BYTES)
            except zlib.error as error:
                if not (is_first and encoding == "deflate"):
                    raise Refusal(400, f"the body is not {encoding}: {error}") from None
                # "deflate" means zlib, yet some clients send the bare stream.
                window, is_first = -15, False
                inflater = zlib.decompressobj(window)
                continue
            is_first = False
            data = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
            if out:
                yield out
    # The inflater may hold output back after its input ended; flush() would return all of it at once.
    while not inflater.eof and (out := inflater.decompress(b"", _PIECE_BYTES)):
        yield out
    if not inflater.eof:
        raise Refusal(400, f"the {encoding} body is truncated")
