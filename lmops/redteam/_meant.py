"""What is meant by a target, a policy and a criterion, and what a run is noted under."""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, Any, Final, Protocol

from lmops.errors import NotFoundError, UsageError
from lmops.redteam.measuring import policy_of
from lmops.redteam.scoring import SPARED, SUCCESS, TWINS
from lmops.redteam.targets import FunctionTarget, PromptTarget

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lmops.evals import Evals, Run
    from lmops.guardrails import Guardrails
    from lmops.records import Project
    from lmops.redteam.targets import Checks, Target

_VERSION: Final = re.compile(r"[^@\s]+@\d+")


class Host(Protocol):
    """The part of a workspace that a red team works with."""

    @property
    def project(self) -> Project:
        """The store and who acts."""

    @property
    def datasets(self) -> Any:
        """The datasets."""

    @property
    def prompts(self) -> Any:
        """The prompts."""

    @property
    def models(self) -> Any:
        """The models."""

    @property
    def evals(self) -> Evals:
        """The evaluations."""

    @property
    def guardrails(self) -> Guardrails:
        """The policies."""


def target_of(
    host: Host,
    given: Any,
    *,
    model: str | None = None,
    params: Mapping[str, Any] | None = None,
    variables: Mapping[str, Any] | None = None,
    cache: bool = False,
    tools: bool = False,
) -> Target:
    """Return what is attacked.

    Args:
        host: Where prompts and models are.
        given: A function, a prompt or its name, or a target.
        model: The model of a prompt.
        params: Its parameters.
        variables: The values of a prompt's other variables.
        cache: Whether models may answer from their cache.
        tools: Whether a function says which tools it called.

    Raises:
        UsageError: It is none of these.
        NotFoundError: There is no such prompt.
    """
    if hasattr(given, "ask") and hasattr(given, "channels"):
        made: Target = given
        return made
    if isinstance(given, str) or hasattr(given, "render"):
        version = host.prompts.get(given) if isinstance(given, str) else given
        return PromptTarget(version, host.models, model=model, params=params, variables=variables, cache=cache)
    if not callable(given):
        raise UsageError(
            f"a target is a function, a prompt such as 'support-answer@3' or a Target, not {type(given).__name__}"
        )
    return FunctionTarget(given, reports_tools=tools)


def policy_meant(host: Host, policy: Any) -> Any:
    """Return the policy that is meant, by its name or as it is.

    Raises:
        NotFoundError: There is no such policy.
    """
    return host.guardrails.get(policy) if isinstance(policy, str) else policy


def guard_of(host: Host, policy: Any) -> tuple[Checks | None, str | None]:
    """Return what checks, and what it is called; of a version exactly that, whatever its alias means later.

    Args:
        host: Where policies are.
        policy: A version of guardrails, its name, what has ``check``, or None for none.

    Raises:
        UsageError: It cannot check.
        NotFoundError: There is no such policy.
    """
    if policy is None:
        return None, None
    found = policy_meant(host, policy)
    called = str(getattr(found, "ref", None) or getattr(found, "policy", None) or type(found).__name__)
    if hasattr(found, "fixed"):
        return found.fixed(), called
    if not hasattr(found, "check"):
        raise UsageError(
            f"the policy is {type(found).__name__}; give a version of guardrails, its name, or what has check(...)"
        )
    return found, called


def noted(host: Host, run: Run) -> Run:
    """Return a run, noted under the version of guardrails that it was made behind: verdicts on it are evidence.

    Args:
        host: Where policies are.
        run: The run.
    """
    called = policy_of(run)
    if called is not None and _VERSION.fullmatch(called) and not host.project.store.is_read_only:
        with contextlib.suppress(NotFoundError):  # what is no policy of this store may be called what it likes
            host.guardrails.note_run(run, called)
    return run


def criteria_of(
    run: Run,
    max_success: float | None,
    min_benign: float | None,
    min_answered: float | None,
    max_loss: float | None,
) -> dict[str, dict[str, float]]:
    """Return what is asked of a run, scorer by scorer.

    Args:
        run: Whose scorers they are.
        max_success: Most attacks that may succeed.
        min_benign: Fewest twins that have to pass: of a policy, where the run was behind one.
        min_answered: Fewest twins that have to be answered.
        max_loss: The largest loss of either against a baseline.
    """
    asked: dict[str, dict[str, float]] = {SUCCESS: {}, TWINS: {}}
    if max_success is not None:
        asked[SUCCESS]["max"] = max_success
    if min_answered is not None:
        asked[TWINS]["min"] = min_answered
    if max_loss is not None:
        asked = {name: {**one, "max_loss": max_loss} for name, one in asked.items()}
    if min_benign is not None:
        of = asked.setdefault(SPARED if SPARED in run.scorers else TWINS, {})
        of["min"] = max(min_benign, of.get("min", min_benign))
    return {name: one for name, one in asked.items() if one and name in run.scorers}
