"""Routes behind OpenFeature: a provider for applications that ask for flags and know nothing of lmops.

The flag is the name of a route, the targeting key is its key, the attributes of the evaluation context are what rules
look at. The variant is the arm; the value is its name (text) or all that it is (object).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from lmops.errors import LmopsError, MissingDependencyError, NotFoundError

try:
    from openfeature.exception import ErrorCode
    from openfeature.flag_evaluation import FlagResolutionDetails, Reason
    from openfeature.provider import AbstractProvider
    from openfeature.provider.metadata import Metadata
except ImportError as error:
    raise MissingDependencyError.of("openfeature-sdk", "openfeature") from error

if TYPE_CHECKING:
    from collections.abc import Callable

    from openfeature.evaluation_context import EvaluationContext

    from lmops.routing import Choice, Routing

T = TypeVar("T")


class LmopsProvider(AbstractProvider):
    """Answers flags by routes.

    Args:
        routing: ``ws.routing``.

    Example:
        from openfeature import api
        from lmops.routing.openfeature import LmopsProvider

        api.set_provider(LmopsProvider(ws.routing))
        arm = api.get_client().get_string_value("support", "current", EvaluationContext("user-1"))
    """

    def __init__(self, routing: Routing) -> None:
        super().__init__()
        self._routing = routing

    def get_metadata(self) -> Metadata:
        """Return the name of the provider."""
        return Metadata(name="lmops")

    def get_provider_hooks(self) -> list[Any]:
        """Return no hooks."""
        return []

    def resolve_string_details(
        self, flag_key: str, default_value: str, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[str]:
        """Return the name of the arm."""
        return self._resolved(flag_key, default_value, evaluation_context, lambda choice: choice.arm)

    def resolve_object_details(
        self, flag_key: str, default_value: Any, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[Any]:
        """Return all that the arm is: prompt, model, params, policy."""
        return self._resolved(flag_key, default_value, evaluation_context, _settings)

    def _mismatched(
        self, flag_key: str, default_value: T, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[T]:
        """Return the default: an arm is no number, and no yes or no."""
        del evaluation_context
        why = f"route {flag_key!r} names an arm: ask for a string or an object"
        return _failed(default_value, ErrorCode.TYPE_MISMATCH, why)

    resolve_boolean_details = resolve_integer_details = resolve_float_details = _mismatched

    def _resolved(
        self, flag: str, default: T, context: EvaluationContext | None, value: Callable[[Choice], T]
    ) -> FlagResolutionDetails[T]:
        key = None if context is None else context.targeting_key
        attributes = {} if context is None else {**context.attributes}
        try:
            found = self._routing.choose(flag, key or None, attributes)
        except NotFoundError as error:
            return _failed(default, ErrorCode.FLAG_NOT_FOUND, str(error))
        except LmopsError as error:  # switched off, or damaged
            return _failed(default, ErrorCode.GENERAL, str(error))
        reason = {"condition": Reason.TARGETING_MATCH, "killed": Reason.DISABLED}.get(found.reason, Reason.SPLIT)
        told: dict[str, Any] = {name: one for name, one in found.attributes.items() if one is not None}
        return FlagResolutionDetails(value=value(found), variant=found.arm, reason=reason, flag_metadata=told)


def _settings(found: Choice) -> Any:
    arm = found.settings
    return {"arm": arm.name, "prompt": arm.prompt, "model": arm.model, "params": {**arm.params}, "policy": arm.policy}


def _failed(default: T, code: ErrorCode, why: str) -> FlagResolutionDetails[T]:
    return FlagResolutionDetails(value=default, reason=Reason.ERROR, error_code=code, error_message=why)
