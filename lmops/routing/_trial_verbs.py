"""The verbs of trials: what arms are worth, what it takes to tell, how a canary goes on, which arm is to be had."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from lmops.base.kinds import refuses_wrong_kinds
from lmops.errors import UsageError, did_you_mean
from lmops.records import Filed
from lmops.routing._records import RouteVersion
from lmops.routing._versions import reweighed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from lmops.prompts import Prompts
    from lmops.routing import advising
    from lmops.routing._trial_records import Advice, ArmComparison, CanaryStatus, CanaryStep, ExperimentPower

#: Pairs of users at which intervals are tightest: 1,000 users at half and half.
_TIGHTEST: Final = 250


@refuses_wrong_kinds
class WithTrials(Filed[RouteVersion]):
    """Routes with the verbs of trials."""

    def compare(
        self,
        name: str,
        metric: str | Mapping[str, Any],
        *,
        arms: Sequence[str] | None = None,
        guards: Sequence[str] | Mapping[str, float | None] | None = None,
        margin: float | None = None,
        since: str | datetime | None = None,
        until: str | datetime | None = None,
        by: str = "user_id",
        level: float = 0.95,
        tightest_at: float = _TIGHTEST,
    ) -> ArmComparison:
        """Return how two arms differ, by user, with intervals that hold however often one looks.

        A request counts for the arm that had its key, whoever answered it. Only what happened under the same shares is
        held together, and only versions in which both arms were what they are now. Where users did not come in the
        shares that were meant, nothing is said. Users who were there before the trial are held against what they were
        like then, which makes intervals narrower.

        Args:
            name: Of the route.
            metric: As monitors watch it: "latency_p95", "error_rate", "cost_per_query", "thumbs_down_rate",
                "score.NAME", or a mapping of your own.
            arms: The arm that is asked about and the one that it is held against. None: of a route with two arms the
                one with the smaller share against the other.
            guards: Metrics that must not get worse: names, or names with the largest acceptable loss of each, in its
                unit. None: error_rate, latency_p95 and cost_per_query.
            margin: The largest acceptable loss of the metric, in its unit; None: none is.
            since: Decisions from then on count; None: all.
            until: Decisions before it count; None: all.
            by: Whose requests belong together: "user_id" (else the key), or "key".
            level: Of the intervals, in (0, 1).
            tightest_at: Where intervals are tightest, in pairs of users n_a n_b/(n_a + n_b); say it before you look.

        Raises:
            NotFoundError: There is no such route.
            UsageError: There is no such metric, arm or guard, or there are more than two arms and nobody said which.
        """
        from lmops.routing import comparing

        trial = comparing.trial_of(*self._known(name), arms, since=since, until=until, by=by)
        comparing.check_margin(margin, str(metric))
        comparing.check_numbers(level=level, tightest_at=tightest_at)
        watched = comparing.guards_of(guards)
        return comparing.compared(
            self._store, trial, metric, watched, margin=margin, level=level, tightest_at=tightest_at
        )

    def power(
        self,
        name: str,
        metric: str | Mapping[str, Any],
        *,
        effect: float | None = None,
        arms: Sequence[str] | None = None,
        shares: Sequence[float] | None = None,
        power: float = 0.8,
        level: float = 0.95,
        tightest_at: float = _TIGHTEST,
    ) -> ExperimentPower:
        """Return how many users it takes to tell a difference: at one look that is planned, and at any look.

        What users vary by is known from the traffic of the route, or from all traffic before it has any.

        Args:
            name: Of the route.
            metric: As for :meth:`compare`.
            effect: The difference that is to be told, or the margin, in the unit of the metric; None: a tenth of what
                the metric is.
            arms: As for :meth:`compare`.
            shares: That the two arms would have; None: those that they have.
            power: With which it is to be told, in (0, 1).
            level: Of the interval, in (0, 1).
            tightest_at: As for :meth:`compare`.

        Raises:
            NotFoundError: There is no such route.
            UsageError: There is no such metric or arm, an arm has no share, or there is no traffic to plan by.
        """
        from lmops.routing import comparing

        comparing.check_numbers(level=level, power=power, tightest_at=tightest_at)
        trial = comparing.trial_of(*self._known(name), arms)
        return comparing.powered(
            self._store,
            trial,
            metric,
            effect=effect,
            shares=comparing.two_shares(shares),
            power=power,
            level=level,
            tightest_at=tightest_at,
        )

    def canary(self, name: str) -> CanaryStatus:
        """Return how the canary of a route stands, under bounds that hold however often one looks.

        The plan is a part of the route: ``{"arm": "next", "control": "current", "steps": [{"share": 0.05, "n": 200},
        {"share": 0.25, "n": 500}], "primary": "score.support", "margin": 0.02, "guards": {"error_rate": 0.02},
        "automatic": False}``. What is worse stops it at any step. A step is done after n users of the arm. After the
        last one the arm is promoted when each metric with a margin is not worse by it, and a primary one without a
        margin is better; until then it waits and says how many users it takes.

        Args:
            name: Of the route.

        Raises:
            NotFoundError: There is no such route.
            UsageError: It has no plan, or a part of it cannot be used.
        """
        from lmops.routing import canary

        return canary.status_of(self._store, *self._known(name))

    def step(self, name: str, *, act: bool | None = None, reason: str | None = None) -> CanaryStep:
        """Look at the canary of a route and move its shares, or say how they would be moved; safe to do again.

        Args:
            name: Of the route.
            act: Move them; False: only say. None: as the plan says, whose ``automatic`` is False unless it says so.
            reason: Why, for the audit chain, which has the evidence beside it.

        Raises:
            NotFoundError: There is no such route.
            UsageError: It has no plan, or a part of it cannot be used.
            ConflictError: Somebody else moved the route meanwhile; nothing was changed.
            RefusedError: The alias production is protected.
        """
        with self._project.reading() as con:
            seen = self._versions.aliases.seen(con, name, "production")
        return self._stepped(name, self._known(name), seen, act=act, reason=reason)

    def _stepped(
        self,
        name: str,
        known: tuple[RouteVersion, list[RouteVersion]],
        seen: int | None,
        *,
        act: bool | None,
        reason: str | None,
    ) -> CanaryStep:
        """Return what becomes of a step that is decided by the versions that were seen."""
        from lmops.routing import canary
        from lmops.routing._trial_records import CanaryStep

        status = canary.status_of(self._store, *known)
        is_acting = status.is_automatic if act is None else act
        if not is_acting or status.weights is None:
            return CanaryStep(status=status, is_moved=False, version=status.version)
        words = canary.move_words(status, reason)
        moved = self._set(
            name,
            reweighed(known[0], status.weights),
            to="production",
            expected=seen or 0,
            reason=words,
            step=canary.evidence_of(status),
        )
        return CanaryStep(status=status, is_moved=True, version=moved.version)

    def weigh(
        self,
        name: str,
        weights: Mapping[str, float],
        *,
        expected: int | str | RouteVersion | None = None,
        reason: str | None = None,
        dry_run: bool = False,
    ) -> RouteVersion:
        """Give the arms of a route other shares, keep all else of it, and return the version that is live then.

        Args:
            name: Of the route.
            weights: Share by arm; arms that are not named get none.
            expected: As for :meth:`set`.
            reason: Why, for the audit chain.
            dry_run: Check everything and change nothing.

        Raises:
            NotFoundError: There is no such route.
            UsageError: There is no such arm, or the shares do not add up to 1.
            ConflictError: Somebody else moved the route first; nothing was changed.
            RefusedError: The alias production is protected.
        """
        body = reweighed(self.live(name), weights)
        return self.set(name, body, expected=expected, reason=reason, dry_run=dry_run)

    def advise(
        self,
        name: str,
        quality: str,
        *,
        margin: float,
        source: Literal["traffic", "evals"] = "traffic",
        cost: str = "cost_per_query",
        dataset: str | None = None,
        level: float = 0.95,
        tightest_at: float = _TIGHTEST,
    ) -> Advice:
        """Return the cheapest arm whose quality is not worse than that of the best by a margin, as a proposal.

        A route stands for what its arms are all asked to do: what is to be held against each other is an arm of it, of
        no share where only evals are to speak of it. It changes nothing. Where that cannot be told yet it says how many
        users, or examples, it takes.

        Args:
            name: Of the route.
            quality: A metric of traffic, such as "score.source_support", or the name of a scorer of runs.
            margin: The largest acceptable loss of quality, in its unit.
            source: "traffic": what users of the arms met, held against each other as :meth:`compare` does. "evals": the
                newest finished runs of the prompt, model and params of each arm on one dataset, example by example.
            cost: The metric of traffic that is to be low.
            dataset: Of the runs; None: the one that runs of most arms are on.
            level: Of all that is compared together, in (0, 1).
            tightest_at: As for :meth:`compare`.

        Raises:
            NotFoundError: There is no such route.
            UsageError: There is no such metric, fewer than two arms have a share, or fewer than two have runs.
        """
        from lmops.routing import advising, comparing

        comparing.check_margin(margin, quality)
        comparing.check_numbers(level=level, tightest_at=tightest_at)
        live, versions = self._known(name)
        if source == "evals":
            wanted = self._wanted(live)
            return advising.by_evals(self._store, live, wanted, quality, dataset=dataset, margin=margin, level=level)
        if source != "traffic":
            raise UsageError(did_you_mean("source of advice", source, ("traffic", "evals")))
        return advising.by_traffic(
            self._store, live, versions, quality, cost=cost, margin=margin, level=level, tightest_at=tightest_at
        )

    def _wanted(self, live: RouteVersion) -> dict[str, advising.Wanted]:
        """Return what runs of each arm are of."""
        from lmops.routing.advising import Wanted

        found = {}
        for name, arm in live.arms.items():
            prompt = None if arm.prompt is None else self._prompts.get(arm.prompt)
            model = arm.model or (None if prompt is None else prompt.model)
            params = {**((prompt.params if prompt is not None else None) or {}), **arm.params}
            found[name] = Wanted(None if prompt is None else prompt.ref, model, params)
        return found

    def _known(self, name: str) -> tuple[RouteVersion, list[RouteVersion]]:
        """Return the version of a route that is live, and all."""
        live = self.live(name)
        with self._project.reading() as con:
            numbers = [row["version"] for row in self._versions.rows(con, name)]
            return live, [self._versions.load(con, name, one) for one in sorted(numbers)]

    if TYPE_CHECKING:  # the noun's own
        _prompts: Prompts

        def live(self, name: str) -> RouteVersion: ...

        def set(
            self,
            name: str,
            route: Mapping[str, Any],
            *,
            to: str | None = "production",
            expected: int | str | RouteVersion | None = None,
            reason: str | None = None,
            dry_run: bool = False,
        ) -> RouteVersion: ...

        def _set(
            self,
            name: str,
            route: Mapping[str, Any],
            *,
            to: str | None,
            expected: int | str | RouteVersion | None,
            reason: str | None,
            step: Mapping[str, Any] | None = None,
        ) -> RouteVersion: ...
