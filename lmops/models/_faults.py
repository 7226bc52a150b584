"""Errors that endpoints put into answers that HTTP calls a success: what they say, and whether to send again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: Words of codes and types -> the status that they stand for; the first that is found counts.
_STATUSES: Final = (
    (("rate", "too_many", "throttl", "exhausted", "insufficient_quota", "quota"), 429),
    (("overload", "unavailable", "capacity"), 503),
    (("timeout", "timed_out", "deadline"), 408),
    (("authent", "unauthorized", "api_key", "permission", "forbidden"), 401),
    (("context_length", "content_filter", "invalid", "bad_request", "badrequest", "not_found", "unsupported"), 400),
    (("server", "internal", "bad_gateway", "api_error", "upstream"), 500),
)
#: Codes of MiniMax, which says of every answer how it went -> the status that they stand for.
_OF_BASE: Final = {
    1000: 500,
    1001: 408,
    1002: 429,
    1004: 401,
    1013: 500,
    1024: 500,
    1026: 400,
    1033: 500,
    1039: 429,
    2013: 400,
}
#: Limits that no waiting lifts.
FINAL: Final = frozenset({"insufficient_quota", "billing_hard_limit_reached"})
_CODES: Final = ("code", "status_code", "status", "type")


class Fault(NamedTuple):
    """An error that an endpoint reports in place of an answer."""

    message: str
    #: as the endpoint writes it; empty when it gives none
    code: str = ""
    #: the HTTP status that the code is or stands for
    status: int | None = None
    #: seconds that it asks to wait
    wait_s: float | None = None


def kind_of(status: int) -> tuple[str, bool]:
    """Return the kind of an error status, and whether the request may be sent again."""
    if status in {401, 403}:
        return "auth", False
    if status == 429:
        return "rate_limit", True
    if status == 408:
        return "timeout", True
    if status == 409 or status >= 500:
        return "server", True
    return "bad_request", False


def fault_in(body: object) -> Fault | None:
    """Return the error that a body of JSON, or one piece of a stream, reports; None when it is an answer.

    >>> fault_in({"error": {"message": "slow down", "code": 429}}).status
    429
    >>> fault_in({"choices": [{"message": {"content": "Hi."}, "finish_reason": "stop"}], "error": None})
    """
    if isinstance(body, list) and len(body) == 1:
        body = body[0]
    if not isinstance(body, dict):
        return None
    base = body.get("base_resp")
    if isinstance(base, dict) and base.get("status_code"):
        status = _OF_BASE.get(base["status_code"]) if isinstance(base["status_code"], int) else None
        return Fault(str(base.get("status_msg") or "no reason given"), str(base["status_code"]), status)
    choices = body.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    if isinstance(choice, dict):
        failed = choice.get("finish_reason") == "error"
        said = choice.get("error") or (failed and (body.get("error") or "the model ended with an error"))
        return fault_of(said) if said else None
    if body.get("error") and not body.get("data"):
        return fault_of(body["error"], body)
    is_error = body.get("object") == "error" or (choices is None and _status(body.get("code")) is not None)
    return fault_of(body) if is_error and not body.get("data") else None


def fault_of(error: object, beside: Mapping[str, Any] | None = None) -> Fault:
    """Return what an error object, or a bare text, says; ``beside`` may hold the code."""
    if not isinstance(error, dict):
        error = {"message": error}
    places: list[Any] = [error, beside or {}]
    said = next((str(error[name]) for name in ("message", "msg", "detail") if error.get(name)), "no reason given")
    codes = [place[name] for place in places for name in _CODES if isinstance(place.get(name), int | str)]
    found = next(((code, status) for code in codes if (status := _status(code)) is not None), None)
    code = found[0] if found else next((code for code in codes if code), "")
    return Fault(said, str(code), found[1] if found else None, _wait_s(error))


def _status(code: object) -> int | None:
    """Return the HTTP status of a code such as 429, "502" or "rate_limit_exceeded"."""
    if isinstance(code, bool) or not isinstance(code, int | str):
        return None
    if isinstance(code, int) or code.isdecimal():
        return int(code) if 400 <= int(code) <= 599 else None
    word = code.lower().replace(" ", "_").replace("-", "_")
    return next((status for words, status in _STATUSES if any(one in word for one in words)), None)


def _wait_s(error: Mapping[str, Any]) -> float | None:
    for place in _with_metadata(error):
        value = place.get("retry_after") or place.get("retry_after_seconds") or place.get("Retry-After")
        try:
            return max(float(value), 0.0) if value is not None else None
        except (TypeError, ValueError):
            continue
    return None


def _with_metadata(error: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield an error object and what relays put beside it: their metadata and its headers."""
    place: Any = error
    for name in ("metadata", "headers", ""):
        if not isinstance(place, dict):
            return
        if "retry_after" in place or "retry_after_seconds" in place or "Retry-After" in place or not name:
            yield place
        place = place.get(name)
