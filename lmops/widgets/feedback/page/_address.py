"""Where a page is found."""

from __future__ import annotations

import ipaddress
import socket
from typing import Final

from lmops.errors import UsageError

_BACKLOG: Final = 128


def bound(family: socket.AddressFamily, address: str, port: int, *, others: bool) -> socket.socket:
    """Return a socket that listens on an address.

    Args:
        family: Of the address.
        address: To bind.
        port: 0 for any.
        others: Whether another port will do.

    Raises:
        UsageError: It cannot be bound.
    """
    try:
        found = socket.create_server((address, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        if others:
            return bound(family, address, 0, others=False)
        message = f"cannot listen on {address}:{port}: {error.strerror}; give a free port, or 0 for any"
        raise UsageError(message) from error
    found.setblocking(False)
    return found


def url_of(address: str, port: int) -> str:
    """Return what visitors open: by the name of this machine, where every address of it is bound."""
    is_any = ipaddress.ip_address(address.partition("%")[0]).is_unspecified
    name = socket.gethostname() if is_any else address
    return f"http://{f'[{name}]' if ':' in name else name}:{port}/"
