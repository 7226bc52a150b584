"""The rails that come with lmops: rules in plain Python, in time linear in the text, without a model or the network."""

from lmops.base.public import only
from lmops.guardrails.rails import canaries as canaries
from lmops.guardrails.rails import dictated as dictated
from lmops.guardrails.rails import hidden as hidden
from lmops.guardrails.rails import injection as injection
from lmops.guardrails.rails import language as language
from lmops.guardrails.rails import leak as leak
from lmops.guardrails.rails import limits as limits
from lmops.guardrails.rails import links as links
from lmops.guardrails.rails import marks as marks
from lmops.guardrails.rails import patterns as patterns
from lmops.guardrails.rails import phrases as phrases
from lmops.guardrails.rails import pii as pii
from lmops.guardrails.rails import repetition as repetition
from lmops.guardrails.rails import schemas as schemas
from lmops.guardrails.rails import secrets as secrets
from lmops.guardrails.rails import tools as tools
from lmops.guardrails.rails.marks import MARKS_SAY, marked

__all__ = ["MARKS_SAY", "marked"]
__dir__ = only(__all__)
