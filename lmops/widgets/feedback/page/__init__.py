"""The labeler as a page for people without a notebook: ``lmops label QUEUE``.

Voila shows it: one kernel a visitor, of which the page reaches the widget alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lmops.base.public import only
from lmops.errors import MissingDependencyError, UsageError
from lmops.serve import resolve, stop_signals, token_from
from lmops.widgets.feedback.page._address import bound, url_of

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

__all__ = ["IDLE_S", "PORT", "VISITORS", "serve"]
__dir__ = only(__all__)

#: A browser keeps names and unsaved labels by the address of the page: the same one as long as it is free.
PORT: Final = 8866
VISITORS: Final = 24
IDLE_S: Final = 300
_HINT: Final = ", who could then label under any name: give a token (--token-file or LMOPS_LABEL_TOKEN)"


def serve(
    store: str,
    queue: str,
    *,
    host: str = "127.0.0.1",
    port: int | None = None,
    token: str | None = None,
    token_file: str | os.PathLike[str] | None = None,
    visitors: int = VISITORS,
    idle_s: int = IDLE_S,
    on_ready: Callable[[str], None] | None = None,
) -> None:
    """Serve the labeler of one queue until SIGTERM or SIGINT, then end every process that was started for it.

    Args:
        store: The store's folder.
        queue: The name of the queue.
        host: Address to bind. Any but a loopback address needs a token.
        port: 0 for any that is free; ``PORT`` by default, or any when that is taken.
        token: Asked of every visitor; default the environment's ``LMOPS_LABEL_TOKEN``, if any.
        token_file: A file whose first line is the token, for secrets that are mounted as files.
        visitors: The most at once, each with a kernel of about 200 MB.
        idle_s: After so many seconds a page that is gone makes room for another visitor.
        on_ready: Called once with the address when it is listening.

    Raises:
        MissingDependencyError: Voila is not installed.
        UsageError: The address is not a loopback address and there is no token, or it cannot be bound; the file holds
            no token, or there are two.
    """
    token = token_from(token, token_file, variable="LMOPS_LABEL_TOKEN")
    if token is not None and not token.strip():
        raise UsageError("the token is empty; give one, or none for a page on a loopback address")
    family, (address, wanted) = resolve(host, PORT if port is None else port, has_token=token is not None, hint=_HINT)
    try:
        from lmops.widgets.feedback.page import _server
    except ImportError as error:
        raise MissingDependencyError.of("voila", "label") from error
    listening = bound(family, address, wanted, others=port is None)
    url = url_of(address, listening.getsockname()[1])
    made = _server.Page(store, queue, listening, address=address, token=token, visitors=visitors, idle_s=idle_s)
    with made as page, stop_signals() as received:
        page.run(received, lambda: None if on_ready is None else on_ready(url))
