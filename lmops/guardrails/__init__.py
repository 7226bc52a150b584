"""Guardrails: rails that say what they find, in policies that say what is done about it.

A policy is an artefact like a prompt: its versions never change, the alias production says which is live, every move is
in the audit chain and can be undone. A rail that does harm is switched off everywhere within a second.
"""

from __future__ import annotations

import functools
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from lmops.base.kinds import refuses_wrong_kinds
from lmops.base.public import only
from lmops.errors import NotFoundError, StoreError
from lmops.guardrails import _show as _show
from lmops.guardrails import _show_cards as _show_cards
from lmops.guardrails import scored as scored
from lmops.guardrails._card_verbs import WithCards
from lmops.guardrails._live import SWITCHES, RailSwitch, live_policies, switches_of
from lmops.guardrails._records import Decision, Verdict
from lmops.guardrails._spans import attributes_of
from lmops.guardrails._sync import PolicyFiling
from lmops.guardrails._versions import KIND, RUNS, body_of
from lmops.guardrails.cards import Calibrated, Card, measured
from lmops.guardrails.checking import Checker, check
from lmops.guardrails.contract import Action, Finding, Given, Rail, RailKind, Stage, available, made, rail
from lmops.guardrails.guarding import Guard
from lmops.guardrails.ingesting import Redaction
from lmops.guardrails.policy import Policy, RailSpec
from lmops.guardrails.rails import MARKS_SAY, marked
from lmops.records import Filed, Kind, Versioned, seen_at_once, switch_reason

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    import pandas as pd

    from lmops.models import Models
    from lmops.records import Project

    #: A rail by its name, or a mapping of rail, name, action, on_error, timeout_s and its options.
    Said = str | Mapping[str, Any]

__all__ = [
    "MARKS_SAY",
    "Action",
    "Calibrated",
    "Card",
    "Checker",
    "Decision",
    "Finding",
    "Given",
    "Guard",
    "Guardrails",
    "Policy",
    "Rail",
    "RailKind",
    "RailSpec",
    "RailSwitch",
    "Stage",
    "Verdict",
    "attributes_of",
    "available",
    "check",
    "made",
    "marked",
    "rail",
]
__dir__ = only(__all__)

_log = logging.getLogger(__name__)


@refuses_wrong_kinds
class Guardrails(WithCards):
    """The policies of a workspace: ``ws.guardrails``."""

    KIND: ClassVar[Kind[Policy]] = KIND

    def __init__(self, project: Project, *, models: Callable[[], Models] | None = None) -> None:
        super().__init__(project, models=models)
        self._live = live_policies(project, self._versions, self._asked)

    # -- versions ----------------------------------------------------------------------------------------------------

    def save(
        self,
        name: str,
        *,
        input: Sequence[Said] = (),
        retrieval: Sequence[Said] = (),
        tool_call: Sequence[Said] = (),
        tool_result: Sequence[Said] = (),
        output: Sequence[Said] = (),
        blocked_text: str | None = None,
        budget_ms: float | None = None,
        reason: str | None = None,
        dry_run: bool = False,
    ) -> Policy:
        """Save a policy as a version of its name and return it; the same content again is the same version.

        Args:
            name: Of the policy.
            input: Rails of what users write: names such as "secrets", or mappings such as {"rail": "pii", "action":
                "redact", "kinds": ["card"]} with name, action (flag, redact, block), on_error ("closed" blocks when the
                rail fails or is late, "open" lets pass), timeout_s and the options of its kind.
            retrieval: Rails of documents that were found.
            tool_call: Rails of the arguments of tools that a model calls.
            tool_result: Rails of what tools return.
            output: Rails of answers.
            blocked_text: What somebody reads whose text is blocked.
            budget_ms: Most milliseconds for the checks of one request; what has not answered by then fails as it says.
            reason: Why, for the audit chain.
            dry_run: Check everything and change nothing; the version that is returned is not kept.

        Raises:
            UsageError: A part cannot be used.
            NotFoundError: There is no such kind of rail.
            MissingDependencyError: A rail needs a package that is not installed.
            RefusedError: A rail that scores is to block, and no card says what it wrongly stops.
        """
        said = {
            "input": input,
            "retrieval": retrieval,
            "tool_call": tool_call,
            "tool_result": tool_result,
            "output": output,
            "blocked_text": blocked_text,
            "budget_ms": budget_ms,
        }
        return self.save_content(name, said, reason=reason, dry_run=dry_run)

    @seen_at_once
    def save_content(
        self, name: str, content: Mapping[str, Any], *, reason: str | None = None, dry_run: bool = False
    ) -> Policy:
        """Save a policy out of one mapping, as its file says it; see :meth:`save`.

        Args:
            name: Of the policy.
            content: input, retrieval, tool_call, tool_result, output, blocked_text, budget_ms.
            reason: Why, for the audit chain.
            dry_run: Check everything and change nothing; the version that is returned is not kept.

        Raises:
            UsageError: A part cannot be used.
            NotFoundError: There is no such kind of rail.
            RefusedError: A rail that scores is to block, and no card says what it wrongly stops.
        """
        self.KIND.check_name(name)
        version = self._put(name, body_of(content), reason=reason, dry_run=dry_run)
        return version if dry_run else self._bound(version, version.ref)

    def get(self, ref: str) -> Policy:
        """Return a policy; one of a name or an alias goes on to check by what that means at each check.

        Args:
            ref: "support@production", "support" (the newest), "support@3".

        Raises:
            NotFoundError: There is no such policy, version or alias; the message names the nearest ones.
            DamagedStoreError: It is not what the audit chain says was saved.
        """
        return self._bound(super().get(ref), ref)

    promote = seen_at_once(Versioned.promote)
    rollback = seen_at_once(Versioned.rollback)
    sync = seen_at_once(Filed.sync)

    # -- switches ----------------------------------------------------------------------------------------------------

    @seen_at_once
    def switch_off(self, policy: str, rail: str, *, reason: str, dry_run: bool = False) -> RailSwitch:
        """Leave out a rail of a policy, in all its versions and in every process within a second; return the switch.

        Args:
            policy: Name of the policy.
            rail: Name of the rail in it; in each of its stages.
            reason: Why, for the audit chain.
            dry_run: Check everything and change nothing.

        Raises:
            NotFoundError: There is no such policy, or none of its versions has such a rail.
            UsageError: There is no reason.
        """
        return self._switch(policy, rail, is_off=True, reason=reason, dry_run=dry_run)

    @seen_at_once
    def switch_on(self, policy: str, rail: str, *, reason: str, dry_run: bool = False) -> RailSwitch:
        """Ask a rail again that was switched off; return the switch.

        Args:
            policy: Name of the policy.
            rail: Name of the rail in it.
            reason: Why, for the audit chain.
            dry_run: Check everything and change nothing.

        Raises:
            NotFoundError: There is no such policy or rail.
            UsageError: There is no reason.
        """
        return self._switch(policy, rail, is_off=False, reason=reason, dry_run=dry_run)

    def switched_off(self, policy: str) -> tuple[RailSwitch, ...]:
        """Return the rails of a policy that are switched off.

        Args:
            policy: Name of the policy.

        Raises:
            NotFoundError: There is no such policy.
        """
        self.KIND.check_name(policy)
        with self._project.reading() as con:
            self._versions.resolve(con, self._versions.parse(policy))
            return tuple(one for one in switches_of(self._project, con, policy) if one.is_off)

    # -- use ---------------------------------------------------------------------------------------------------------

    def check(self, ref: str, stage: Stage, text: str, *, context: Mapping[str, Any] | None = None) -> Decision:
        """Return what a policy decides on a text; nothing is read from the disk for it, and no model is called.

        Args:
            ref: As for :meth:`get`.
            stage: Where it was met: input, retrieval, tool_call, tool_result or output.
            text: The text.
            context: What rails may know beside it: question, documents, system_prompt, tool, arguments, cost_usd.

        Raises:
            NotFoundError: There is no such policy.
            UsageError: It is no text, or no stage.
        """
        return self.guard(ref).check(stage, text, context=context)

    def guard(self, ref: str) -> Guard:
        """Return what checks by a policy, as it is at the moment of each check: ``ws.models.complete`` asks for it.

        Args:
            ref: As for :meth:`get`.

        Raises:
            NotFoundError: There is no such policy.
        """
        self._checker(ref)
        return Guard(functools.partial(self._checker, ref))

    def redaction(self, ref: str) -> Redaction:
        """Return a policy as what masks texts before they are kept: ``ws.traces.redact_with`` takes it.

        What any of its rails redacts, at whatever stage, gives way to a word that stands for it.

        Args:
            ref: As for :meth:`get`; of an alias or a name what it means at each text.

        Raises:
            NotFoundError: There is no such policy.
            UsageError: None of its rails redacts.
        """
        return Redaction(functools.partial(self._checker, ref), ref)

    def rails(self) -> pd.DataFrame:
        """Return the kinds of rails that policies can name.

        Returns:
            rail, stages, action (unless a policy says otherwise), options, does.
        """
        from lmops.base.frames import Frame
        from lmops.guardrails.describing import kinds

        return Frame(kinds(), columns=["rail", "stages", "action", "options", "does"])

    def rates(
        self,
        *,
        by: Sequence[str] = ("policy", "version", "stage", "rail"),
        last: str | None = None,
        since: str | datetime | None = None,
        until: str | datetime | None = None,
        level: float = 0.95,
        evaluations: bool = False,
    ) -> pd.DataFrame:
        """Return how often checks flagged, redacted and blocked, with intervals.

        Without "rail" among ``by`` a check counts once, by the gravest of its rails.

        Args:
            by: What is told apart: policy, version, stage, rail, kind, rule, day, hour.
            last: "24h", "7d", ...: back from ``until``, else from now, or from the newest trace where all are older.
            since: Start; ISO time or datetime, UTC without a zone.
            until: End.
            level: Of the intervals (Wilson's), 0 to 1.
            evaluations: Count what evaluations and red teams made policies check as well.

        Returns:
            The columns of ``by``, checks, blocked, redacted, flagged, errors (checks in which a rail could not decide),
            and of block, redact and flag the rate with low and high, fractions.

        Raises:
            UsageError: A column or a time that cannot be used.
        """
        from lmops.guardrails.rating import rates

        return rates(self._store, by=by, last=last, since=since, until=until, level=level, evaluations=evaluations)

    def note_run(self, run: Any, ref: str, *, reason: str | None = None) -> Policy:
        """Note that an evaluation run was made under a policy, so that verdicts on it are evidence for that version.

        Args:
            run: The run, or its id.
            ref: The policy; an alias means what it means now.
            reason: Why, for the audit chain.

        Raises:
            NotFoundError: There is no such run or policy.
            UsageError: The run is noted under another version.
        """
        version = super().get(ref)
        with self._project.change(reason=reason) as change:
            RUNS.note(change, run, version)
        return self._bound(version, version.ref)

    # -- inside ------------------------------------------------------------------------------------------------------

    def _filing(self) -> PolicyFiling:
        return PolicyFiling(self._versions)

    def _bound(self, version: Policy, ref: str) -> Policy:
        rails = [one for made in version.rails.values() for one in made]
        guard = Guard(functools.partial(self._checker, ref), asked=self._asked)
        return replace(version, bound=guard, measured=measured(self._project, rails))

    def _checker(self, ref: str) -> Checker:
        """Return the rails that a reference means now; while the store cannot be read, those that it meant before."""
        try:
            return self._live.get(ref)
        except StoreError:
            known = self._live.known(ref)
            if known is None:
                raise
            _log.warning("the store cannot be read: %s checks as it did before", known.policy, exc_info=True)
            return known

    def _switch(self, policy: str, rail: str, *, is_off: bool, reason: str, dry_run: bool) -> RailSwitch:
        words = switch_reason(reason)
        self.KIND.check_name(policy)
        with self._project.change(reason=words, dry_run=dry_run) as change:
            self._refuse_unknown_rail(change.con, policy, rail)
            return SWITCHES.turn(change, {"policy": policy, "rail": rail}, is_off=is_off, dry_run=dry_run)

    def _refuse_unknown_rail(self, con: sqlite3.Connection, policy: str, rail: str) -> None:
        """Refuse a rail that no version of a policy has."""
        self._versions.resolve(con, self._versions.parse(policy))
        loaded = (self._versions.load(con, policy, row["version"]) for row in self._versions.rows(con, policy))
        names = {spec.name for version in loaded for specs in version.stages.values() for spec in specs}
        if rail not in names:
            raise NotFoundError.of(f"rail of policy {policy}", rail, names)
