"""The stand-in for a language model: deterministic rules, no intelligence, and it says so.

It knows one thing: the help desk of Tidelark Ferries, a company that does not exist (:mod:`lmops.standin.content`).
``"standin:ferry-1"`` answers questions from sources, ``"standin:rewrite-1"`` turns a question into a search query,
``"standin:judge-1"`` judges by words in common; see :mod:`lmops.standin.model` for their rules and faults.
"""

from __future__ import annotations

from lmops.base.chat import Message, ToolCall, Usage
from lmops.base.public import only
from lmops.standin.chat import ChatModel, ChatRequest, Completion
from lmops.standin.model import chat_model

__all__ = ["ChatModel", "ChatRequest", "Completion", "Message", "ToolCall", "Usage", "chat_model"]
__dir__ = only(__all__)
