"""Bytes of a source, read forward once with bounded memory, gzip or not, broken or not."""

from __future__ import annotations

import io
import zlib
from typing import TYPE_CHECKING, BinaryIO, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

CHUNK: Final = 256 * 1024
GZIP_MAGIC: Final = b"\x1f\x8b"
#: Telemetry becomes 5 to 60 times larger when it is unpacked. What grows far beyond that, and is large, is a bomb.
BOMB_RATIO: Final = 250
BOMB_BYTES: Final = 64 * 1024 * 1024


class Readable(Protocol):
    """Anything with ``read(size)``."""

    def read(self, size: int = -1, /) -> bytes:
        """Return up to ``size`` bytes, b"" at the end."""
        ...


class GunzipReader:
    """Decompressed bytes of a gzip source; what is readable before a break is kept, ``problem`` then says why."""

    def __init__(self, source: Readable, on_problem: Callable[[str], None]) -> None:
        """Read from ``source``; call ``on_problem`` once if it breaks."""
        self._source = source
        self._on_problem = on_problem
        self._inflate = zlib.decompressobj(wbits=31)
        self._rest = b""
        self._members = 0
        self._taken = self._given = 0
        self._ended = False

    def read(self, size: int = -1, /) -> bytes:
        """Return up to ``size`` bytes, at most one chunk."""
        wanted = CHUNK if size < 0 else min(size, CHUNK)
        while not self._ended:
            data = self._rest
            if not data:
                data = self._source.read(CHUNK)
                self._taken += len(data)
            self._rest = b""
            if not data:
                if self._members == 0 or self._started():
                    self._break("gzip data is cut off")
                self._ended = True
                break
            try:
                out = self._inflate.decompress(data, wanted)
            except zlib.error as error:
                if self._members and not self._started():
                    self._ended = True  # padding after the last member
                else:
                    self._break(f"gzip data is damaged: {error}")
                break
            self._rest = self._inflate.unconsumed_tail or self._inflate.unused_data
            if self._inflate.eof:
                self._members += 1
                self._inflate = zlib.decompressobj(wbits=31)
                self._fresh = True
            elif data:
                self._fresh = False
            self._given += len(out)
            if self._given > BOMB_BYTES and self._given > BOMB_RATIO * self._taken:
                self._break(f"gzip data grows more than {BOMB_RATIO} times: not read beyond {self._given:,} bytes")
                break
            if out:
                return out
        return b""

    _fresh = True

    def _started(self) -> bool:
        return not self._fresh

    def _break(self, why: str) -> None:
        self._ended = True
        self._on_problem(why)


class ByteStream:
    """A forward reader with look-ahead over any readable source."""

    def __init__(self, source: Readable | BinaryIO) -> None:
        """Read from ``source`` from where it stands."""
        self._source = source
        self._buffer: bytearray | bytes | memoryview = bytearray()
        self._at = 0
        self._ended = False
        self.offset = 0

    @classmethod
    def over(cls, data: bytes | memoryview) -> ByteStream:
        """Return a reader of bytes that are here already; they are not copied."""
        stream = cls(io.BytesIO())
        stream._buffer = data
        return stream

    def _fill(self, size: int) -> None:
        """Have ``size`` bytes ready if the source has them."""
        if not isinstance(self._buffer, bytearray):
            return
        if self._at > CHUNK:
            del self._buffer[: self._at]
            self._at = 0
        while not self._ended and len(self._buffer) - self._at < size:
            data = self._source.read(max(CHUNK, min(size, 8 * CHUNK)))
            if not data:
                self._ended = True
            self._buffer += data

    def peek(self, size: int) -> bytes:
        """Return the next bytes without moving; fewer at the end."""
        with self.view(size) as ahead:  # a slice of the buffer itself would be a second copy
            return bytes(ahead)

    def view(self, size: int) -> memoryview:
        """Return the next bytes without moving and without a copy; to be released before anything else is read."""
        self._fill(size)
        return memoryview(self._buffer)[self._at : self._at + size]

    def take(self, size: int) -> bytes:
        """Return the next bytes; fewer at the end."""
        data = self.peek(size)
        self._at += len(data)
        self.offset += len(data)
        return data

    def skip(self, size: int) -> bool:
        """Move on; False when the source ends before."""
        while size > 0:
            self._fill(min(size, CHUNK))
            gone = min(size, len(self._buffer) - self._at)
            if not gone:
                return False
            self._at += gone
            self.offset += gone
            size -= gone
        return True

    def varint(self) -> int | None:
        """Return one base-128 number; None at the end of the source or when it is not one."""
        if len(self._buffer) - self._at < 10:
            self._fill(10)
        result = shift = 0
        at, buffer = self._at, self._buffer
        while at < len(buffer) and shift < 70:
            byte = buffer[at]
            at += 1
            result |= (byte & 0x7F) << shift
            if byte < 0x80:
                self.offset += at - self._at
                self._at = at
                return result
            shift += 7
        return None

    def line(self, limit: int) -> bytes | None:
        """Return the next line without its end, None when no line end comes within ``limit`` bytes."""
        if isinstance(self._buffer, memoryview):
            self._buffer = bytes(self._buffer)
        scanned = 0
        while True:
            end = self._buffer.find(b"\n", self._at + scanned)
            if end >= 0:
                data = self.take(end - self._at + 1)
                return data[:-1]
            scanned = len(self._buffer) - self._at
            if self._ended:
                return self.take(scanned)
            if scanned > limit:
                return None
            self._fill(scanned + CHUNK)

    def read(self, size: int = -1, /) -> bytes:
        """Return up to ``size`` bytes, at most one chunk."""
        return self.take(CHUNK if size < 0 else min(size, CHUNK))

    @property
    def at_end(self) -> bool:
        """Whether nothing is left."""
        self._fill(1)
        return len(self._buffer) == self._at


class LineReader:
    """The rest of the current line of a stream, for lines too long to hold."""

    def __init__(self, stream: ByteStream) -> None:
        """Read from ``stream`` up to the next line end, which is consumed."""
        self._stream = stream
        self._ended = False

    def read(self, size: int = -1, /) -> bytes:
        """Return up to ``size`` bytes of the line."""
        if self._ended or size == 0:
            return b""
        data = self._stream.peek(CHUNK if size < 0 else min(size, CHUNK))
        end = data.find(b"\n")
        if end >= 0:
            self._ended = True
            self._stream.take(end + 1)
            return data[:end]
        self._stream.take(len(data))
        return data

    def finish(self) -> None:
        """Skip what is left of the line."""
        while self.read():
            pass
