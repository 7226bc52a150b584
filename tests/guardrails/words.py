"""Kinds of rails for tests: any word that is said, and addresses."""

from __future__ import annotations

import contextlib
import re

from lmops.guardrails import Finding, rail
from lmops.guardrails.contract import KINDS


@contextlib.contextmanager
def words():
    """Register the kinds "word" and "mail", which are gone afterwards."""

    def word(given, *, word):
        """Find a word."""
        yield from (Finding(*one.span(), "word") for one in re.finditer(re.escape(word), given.text))

    def mail(given):
        """Find addresses."""
        yield from (Finding(*one.span(), "email") for one in re.finditer(r"\w+@\w+\.\w+", given.text))

    known = dict(KINDS._known)
    rail(action="block")(word)
    rail(action="redact")(mail)
    yield
    KINDS._known.clear()
    KINDS._known.update(known)
