"""How large an answer may be: an endpoint that never stops sending, or sends a bomb, ends with an error of ours."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

#: Of one answer, or one stream. The vectors of 2,000 texts take 60 to 100 million bytes, a long answer one million.
MAX_ANSWER_BYTES: Final = 256_000_000


class TooLargeError(Exception):
    """An answer that is larger than any can be, or that hides how large it is."""


def new_transport(limit: int = MAX_ANSWER_BYTES) -> Any:
    """Return the HTTP client for the client of OpenAI that stops reading an answer at a limit.

    Args:
        limit: Bytes of one answer.
    """
    from openai import DefaultAsyncHttpxClient

    # The transport's package has had two names; what comes back must be a stream of its own kind.
    base = next(kind for kind in DefaultAsyncHttpxClient.__mro__ if kind.__name__ == "AsyncClient")
    package = base.__module__.partition(".")[0]
    stream_kind: Any = importlib.import_module(package).AsyncByteStream

    class Bounded(stream_kind):  # type: ignore[misc]  # one of two packages
        """The bytes of an answer, up to the limit."""

        def __init__(self, stream: Any) -> None:
            self._stream = stream

        async def __aiter__(self) -> AsyncIterator[bytes]:
            left = limit
            async for piece in self._stream:
                left -= len(piece)
                if left < 0:
                    raise TooLargeError(f"it is larger than {limit:,} bytes")
                yield piece

        async def aclose(self) -> None:
            await self._stream.aclose()

    async def bound(response: Any) -> None:
        encoding = response.headers.get("content-encoding", "identity").strip().lower()
        if encoding not in {"", "identity"}:
            # Unpacked it could be a thousand times larger, and the transport unpacks before anybody can count.
            raise TooLargeError(f"it is packed with {encoding[:20]!r} although that was not asked for")
        response.stream = Bounded(response.stream)

    return DefaultAsyncHttpxClient(headers={"Accept-Encoding": "identity"}, event_hooks={"response": [bound]})


def too_large(error: BaseException | None) -> TooLargeError | None:
    """Return the error of the bound that an error of the client came from."""
    while error is not None:
        if isinstance(error, TooLargeError):
            return error
        error = error.__cause__
    return None
