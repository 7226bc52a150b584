"""Request bodies: sized or chunked, plain or compressed, never more than the limit in memory."""

from __future__ import annotations

import string
import zlib
from typing import TYPE_CHECKING, Final

from lmops.serve._messages import Refusal

if TYPE_CHECKING:
    import io
    from collections.abc import Callable, Iterator

    from lmops.serve._messages import Headers

_PIECE_BYTES: Final = 64 * 1024
_LINE_BYTES: Final = 1024
_TRAILER_LINES: Final = 64
#: Digits of a length that is still a number of bytes.
_LENGTH_DIGITS: Final = 16
_HEX_DIGITS: Final = frozenset(string.hexdigits)
#: What has no window is not compressed; a window is a number of zlib's.
_WINDOWS: Final[dict[str, int | None]] = {"identity": None, "gzip": 31, "x-gzip": 31, "deflate": 15}
_BARE_WINDOW: Final = -15
_MAGIC_BYTES: Final = 2
#: gzip allows several members one after the other; of empty ones a small body could hold a million.
_MEMBERS: Final = 10_000


class Body:
    """One body as it arrives: decompressed piece by piece, and refused as soon as it is too much.

    Args:
        headers: of the request; they say how it is compressed.
        limit: most bytes of the body, as decompressed; above it 413.
        reserve: called with the number of bytes about to be held; raises to refuse them.

    Raises:
        Refusal: 415, of an unknown compression.
    """

    def __init__(self, headers: Headers, *, limit: int, reserve: Callable[[int], None]) -> None:
        encoding = (headers.get("Content-Encoding") or "identity").strip().lower()
        if encoding not in _WINDOWS:
            known = "identity, gzip, deflate"
            raise Refusal(415, f"Content-Encoding {encoding[:40]!r} is not supported; use one of {known}")
        window = _WINDOWS[encoding]
        self._inflater = None if window is None else _Inflater(encoding, window)
        self._limit = limit
        self._reserve = reserve
        self._pieces: list[bytes] = []
        self._held = 0

    def feed(self, piece: bytes) -> None:
        """Take the next bytes as they were sent.

        Raises:
            Refusal: too large, or not in the encoding that the headers say.
        """
        for held in (piece,) if self._inflater is None else self._inflater.feed(piece):
            self._hold(held)

    def end(self) -> bytes:
        """Return the whole body, decompressed.

        Raises:
            Refusal: it is too large, or truncated.
        """
        if self._inflater is not None:
            for held in self._inflater.end():
                self._hold(held)
        return b"".join(self._pieces)

    def _hold(self, piece: bytes) -> None:
        self._held += len(piece)
        if self._held > self._limit:
            raise too_large(self._limit)
        self._reserve(len(piece))
        self._pieces.append(piece)


class _Inflater:
    """Decompresses in pieces of bounded size, so that a bomb is met piece by piece."""

    def __init__(self, encoding: str, window: int) -> None:
        self._encoding = encoding
        self._window = window
        self._zlib = zlib.decompressobj(window)
        self._members = 1
        self._is_first = True
        self._start = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        if self._is_first:
            # What it is cannot be told from one byte.
            data, self._start = self._start + data, b""
            if len(data) < _MAGIC_BYTES:
                self._start = data
                return
        while data:
            if self._zlib.eof:
                self._next_member()
            try:
                out = self._zlib.decompress(data, _PIECE_BYTES)
            except zlib.error as error:
                if not (self._is_first and self._encoding == "deflate"):
                    raise Refusal(400, f"the body is not {self._encoding}: {error}") from None
                # "deflate" means zlib, yet some clients send the bare stream.
                self._window, self._is_first = _BARE_WINDOW, False
                self._zlib = zlib.decompressobj(self._window)
                continue
            self._is_first = False
            data = self._zlib.unused_data if self._zlib.eof else self._zlib.unconsumed_tail
            if out:
                yield out

    def end(self) -> Iterator[bytes]:
        # The inflater may hold output back after its input ended; flush() would return all of it at once.
        while not self._zlib.eof and (out := self._zlib.decompress(b"", _PIECE_BYTES)):
            yield out
        if not self._zlib.eof:
            raise Refusal(400, f"the {self._encoding} body is truncated")

    def _next_member(self) -> None:
        self._members += 1
        if self._members > _MEMBERS:
            raise Refusal(400, f"the {self._encoding} body is cut into more than {_MEMBERS:,} members")
        self._zlib = zlib.decompressobj(self._window)


def read_body(source: io.BufferedIOBase, headers: Headers, *, limit: int, reserve: Callable[[int], None]) -> bytes:
    """Return the whole body, decompressed.

    Args:
        source: the connection, positioned after the headers.
        headers: of the request.
        limit: most bytes of the body, as sent and as decompressed; above it 413.
        reserve: called with the number of bytes about to be held; raises to refuse them.

    Raises:
        Refusal: too large, truncated, or not in the encoding that the headers say.
    """
    length = _length_of(headers)
    if length is not None and length > limit:
        raise too_large(limit)
    body = Body(headers, limit=limit, reserve=reserve)
    for piece in _chunks(source, limit) if length is None else _sized(source, length):
        body.feed(piece)
    return body.end()


def too_large(limit: int) -> Refusal:
    """Return the refusal of a body above the limit, in bytes."""
    return Refusal(413, f"the body is larger than {limit} bytes; send less at a time, or raise the limit")


def _length_of(headers: Headers) -> int | None:
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
            raise too_large(limit)
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
