"""Serve over HTTP on this machine: one base for whatever listens.

A room says its routes (method, path, handler, the content types of the bodies that it takes) and what it does with a
request; the base holds the limits, asks the token, refuses what a web page may have sent, reads and decompresses
bodies with bounds and deadlines, answers errors, stops cleanly. It knows no store. ``Access``, ``Admission`` and
``Ticket``, ``Body`` and ``stop_signals`` know no socket either: a server of another kind takes them as they are.
"""

from __future__ import annotations

from lmops.base.public import only
from lmops.serve._access import Access, resolve, token_from
from lmops.serve._admission import Admission, Ticket
from lmops.serve._body import Body
from lmops.serve._limits import MEGABYTE, Limits
from lmops.serve._messages import JSON, Answer, Refusal, Request, Route
from lmops.serve._server import Server
from lmops.serve._signals import stop_signals

__all__ = [
    "JSON",
    "MEGABYTE",
    "Access",
    "Admission",
    "Answer",
    "Body",
    "Limits",
    "Refusal",
    "Request",
    "Route",
    "Server",
    "Ticket",
    "resolve",
    "stop_signals",
    "token_from",
]
__dir__ = only(__all__)
