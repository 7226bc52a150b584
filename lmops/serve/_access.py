"""Who may ask: addresses that are bound, tokens, and names under which this machine is called."""

from __future__ import annotations

import base64
import binascii
import hmac
import ipaddress
import os
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from lmops.errors import UsageError
from lmops.serve._messages import Refusal

if TYPE_CHECKING:
    from lmops.serve._messages import Headers

_LOCAL_NAMES: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_TOKEN_CHARACTERS: Final = 4096


@dataclass(frozen=True, slots=True)
class Access:
    """Who may ask a server.

    Args:
        token: required as ``Authorization: Bearer TOKEN``; None serves this machine alone, under its own names.
        name: the address that is bound.
    """

    token: str | None
    name: str

    def check(self, headers: Headers, *, is_open: bool = False) -> None:
        """Let a request pass, or refuse it.

        Raises:
            Refusal: 401 without the token, unless what it asks for is open; 403 for what a web page may have sent.
        """
        if self.token is None:
            _refuse_web_pages(headers, self.name)
        elif not is_open and not _is_authorised(headers.get("Authorization", ""), self.token):
            message = "send the header 'Authorization: Bearer TOKEN' with the token of this server"
            raise Refusal(401, message, headers={"WWW-Authenticate": "Bearer"})


def _refuse_web_pages(headers: Headers, bound: str) -> None:
    """Refuse, where no token is asked, what a page in a browser of this machine may have sent.

    A page says where it comes from in Origin. One whose name was made to mean 127.0.0.1 passes as the same origin,
    and is known by the name in Host.
    """
    hosts = [_name_of(f"//{host}") for host in headers.get_all("Host") or []]
    origins = [_name_of(origin) for origin in headers.get_all("Origin") or []]
    if any(name not in _LOCAL_NAMES and name != bound for name in origins):
        raise Refusal(403, "requests from web pages need a token")
    if any(name not in _LOCAL_NAMES and name != bound for name in hosts):
        raise Refusal(403, "the Host is not this machine: without a token only localhost and 127.0.0.1 are served")


def _name_of(address: str) -> str | None:
    """Return the name of the host in an address; None when there is none."""
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None


def _is_authorised(header: str, token: str) -> bool:
    """Return whether the header carries the token, as Bearer or as the password of Basic.

    Langfuse's SDK can only send Basic: its user sets LANGFUSE_SECRET_KEY to the token.
    """
    scheme, _, credentials = header.partition(" ")
    given = credentials.strip().encode("utf-8", "replace")
    if scheme.lower() == "basic":
        try:
            given = base64.b64decode(given, validate=True).partition(b":")[2]
        except binascii.Error:
            return False
    elif scheme.lower() != "bearer":
        return False
    return hmac.compare_digest(given, token.encode())


def token_from(token: str | None, file: str | os.PathLike[str] | None, *, variable: str) -> str | None:
    """Return the token that was given, or the first line of the file that holds it, or the variable's.

    Args:
        token: as given; None for none.
        file: for secrets that are mounted as files; None for none.
        variable: of the environment, where neither is given.

    Raises:
        UsageError: there are two, or the file holds none.
    """
    if file is None:
        return token or os.environ.get(variable) or None
    if token is not None:
        raise UsageError("give the token or the file that holds it, not both")
    try:
        with open(file, encoding="utf-8") as lines:  # noqa: PTH123 - as the path was given
            found = lines.readline(_TOKEN_CHARACTERS).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"the token cannot be read from {os.fspath(file)}: {error}") from None
    if not found:
        raise UsageError(f"the first line of {os.fspath(file)} is empty; it must be the token")
    return found


def resolve(host: str, port: int, *, has_token: bool, hint: str) -> tuple[socket.AddressFamily, tuple[str, int]]:
    """Return the address to bind; refuse one that others can reach when there is no token.

    Args:
        host: a name or an address; "" for every one of this machine.
        port: 0 for any.
        has_token: whether a token is asked of everybody.
        hint: what others could do without one, and how to give one.

    Raises:
        UsageError: there is no such address, or others can reach it and there is no token.
    """
    try:
        found = socket.getaddrinfo(host or "0.0.0.0", port, type=socket.SOCK_STREAM)  # noqa: S104 - what "" means
    except (OSError, OverflowError, UnicodeError) as error:
        raise UsageError(f"cannot listen on {host!r}, port {port}: {error}") from error
    family, _, _, _, address = found[0]
    bound = str(address[0])
    if not has_token and not ipaddress.ip_address(bound.partition("%")[0]).is_loopback:
        raise UsageError(f"{host or bound!r} can be reached by others{hint}, or bind 127.0.0.1")
    return family, (bound, int(address[1]))
