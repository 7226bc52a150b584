"""Calls of tools as policies are asked about them."""

from datetime import UTC, datetime

from lmops.tools import CallContext, ToolVersion


def tool(name="refund", **more):
    """Return a tool that is registered."""
    told = {"version": 1, "hash": "sha256:0", "author": "ann", "created_at": datetime(2026, 3, 1, tzinfo=UTC)}
    return ToolVersion(name=name, description="", **{**told, "parameters": {}, **more})


def context(**more):
    """Return what is known of a call."""
    return CallContext(**{"run_id": "r1", "role": "agent", **more})
