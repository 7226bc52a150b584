"""The names of a call's parameters: those that have an argument of their own, and those that are misspelt."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, Final

from lmops.errors import UsageError
from lmops.redact import refuse_keys
from lmops.text import plain_line

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Parameters that have an argument of their own, or that would change what comes back.
_TAKEN: Final = {
    "model": "the first argument names the model",
    "messages": "the second argument holds the messages",
    "tools": "pass tools=[...]",
    "stream": "call stream(...) or astream(...)",
    "timeout": "pass timeout_s=...",
    "extra_headers": "register the endpoint with headers=...",
}
#: What chat completions take by OpenAI's own description.
_KNOWN: Final = (
    "audio", "extra_body", "frequency_penalty", "function_call", "functions", "logit_bias", "logprobs",
    "max_completion_tokens", "max_tokens", "metadata", "modalities", "n", "parallel_tool_calls", "prediction",
    "presence_penalty", "prompt_cache_key", "reasoning_effort", "response_format", "safety_identifier", "seed",
    "service_tier", "stop", "store", "stream_options", "temperature", "tool_choice", "top_logprobs", "top_p", "user",
    "verbosity", "web_search_options",
)  # fmt: skip  # many words: packed, they are read at a glance
#: What other endpoints take and resembles one of those.
_FOREIGN: Final = frozenset(
    {
        "best_of", "format", "max_new_tokens", "max_output_tokens", "min_p", "min_tokens", "options", "prompt_logprobs",
        "random_seed", "reasoning", "repeat_penalty", "repetition_penalty", "stop_token_ids", "stops", "thinking",
        "tools", "top_a", "top_k", "typical_p", "users",
    }
)  # fmt: skip  # many words: packed, they are read at a glance
_SHORT: Final = {"temp": "temperature", "effort": "reasoning_effort", "max_token": "max_tokens", "t": "temperature"}


def check_params(params: Mapping[str, Any], *, has_schema: bool = False) -> None:
    """Refuse parameters of a call that say something twice, or that look like another one's name.

    Args:
        params: As given to a call.
        has_schema: Whether there is a response schema.

    Raises:
        UsageError: One of them; what is meant to be sent as it is goes into ``extra_body``.
    """
    if not params:
        return
    for name in params.keys() & _TAKEN.keys():
        raise UsageError(f"params[{name!r}]: {_TAKEN[name]}")
    refuse_keys(params)
    if params.get("n") not in (None, 1):
        raise UsageError(
            f"params['n'] = {params['n']!r}: one call gives one answer; make several with repeat=0, 1, ..."
        )
    if has_schema and "response_format" in params:
        raise UsageError("params['response_format'] and response_schema say the same thing; give one of them")
    for name in params:
        meant = _meant(str(name))
        if meant:
            shown = plain_line(name, 60)
            raise UsageError(
                f"params[{shown!r}]: no parameter named {shown!r}; did you mean {meant!r}? What an endpoint is to get "
                f"under exactly this name goes into params={{'extra_body': {{{shown!r}: ...}}}}"
            )


def _meant(name: str) -> str | None:
    """Return the parameter that an unknown name is nearly; None for a name of its own."""
    if name in _KNOWN or name in _FOREIGN:
        return None
    if name in _SHORT:
        return _SHORT[name]
    folded = {known.replace("_", ""): known for known in _KNOWN}
    near = difflib.get_close_matches(name.lower().replace("_", "").replace("-", ""), folded, n=1, cutoff=0.85)
    return folded[near[0]] if near else None
