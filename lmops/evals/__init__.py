"""Evaluations: runs that resume, comparisons a team can decide on, gates, and drift."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from lmops.base.kinds import refuses_wrong_kinds
from lmops.base.public import only
from lmops.base.twins import takes_as
from lmops.datasets.reading import rows_of
from lmops.errors import UsageError
from lmops.evals import _rows
from lmops.evals import _show as _show
from lmops.evals._calibrated import uncalibrated
from lmops.evals._comparison import Comparison, compare, sameness
from lmops.evals._criteria import Criteria, margins_of, read_criteria, read_pairs, refuse_as_baseline
from lmops.evals._decide import judge, judge_early, read_verdict, record
from lmops.evals._differences import Difference
from lmops.evals._drift import BASELINE_NAME, NAME, Drift, find_baseline, measure
from lmops.evals._journal import Journal
from lmops.evals._prepare import TIMEOUT_S, Asked, Host, Prepared, prepare, resolve_dataset, settings
from lmops.evals._provenance import code_version, environment
from lmops.evals._records import Plan, RunStatus, TaskResult, Totals
from lmops.evals._runs import Run, RunState, find_run, side_by_side, states
from lmops.evals._session import Session, Work
from lmops.evals._verdict import CriterionResult, Verdict, assert_gate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from os import PathLike

    import pandas as pd

__all__ = [
    "Comparison", "Criteria", "CriterionResult", "Difference", "Drift", "Evals", "Plan", "Run", "RunStatus",
    "TaskResult", "Totals", "Verdict", "assert_gate", "read_criteria", "read_pairs",
]  # fmt: skip  # many words: packed, they are read at a glance
__dir__ = only(__all__)


@refuses_wrong_kinds
class Evals:
    """The evaluations of a workspace: ``ws.evals``."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._project = host.project
        self._store = host.project.store

    def __repr__(self) -> str:
        with self._store.reading() as con:
            return f"<Evals: {_rows.count(con):,} runs>"

    # -- runs ------------------------------------------------------------------------------------------------------

    def _begin(
        self,
        task: Any,
        dataset: Any,
        scorers: Any = (),
        *,
        name: str | None = None,
        repeats: int = 1,
        concurrency: int = 16,
        prompt: Any = None,
        model: str | None = None,
        params: Mapping[str, Any] | None = None,
        limit: int | None = None,
        budget_usd: float | None = None,
        timeout_s: float | None = TIMEOUT_S,
        retries: int = 1,
        cache: bool = False,
        tracing: bool = False,
        progress: bool = True,
        seed: int | None = None,
        until: Criteria | Mapping[str, Any] | str | PathLike[str] | None = None,
        baseline: Run | str | None = None,
    ) -> Work:
        """Return the work on a new run: what :meth:`run` and :meth:`arun` take."""
        asked = Asked(
            name=name,
            repeats=repeats,
            prompt=prompt,
            model=model,
            params=params,
            limit=limit,
            seed=seed,
            settings=settings(
                concurrency=concurrency,
                timeout_s=timeout_s,
                retries=retries,
                budget_usd=budget_usd,
                cache=cache,
                tracing=tracing,
            ),
        )
        prepared = prepare(self._host, task, dataset, scorers, asked, until=self._until(until, baseline))
        journal = Journal.create(self._project, prepared.plan, code_version=code_version(), environment=environment())
        return Work(journal.run_id, self._session(prepared, journal, is_resumed=False), progress)

    @takes_as(_begin)
    def run(self, *_args: Any, **_options: Any) -> Run:
        """Ask every example of a dataset, score the answers, and return the run; works in a running loop as well.

        Every case that finishes is committed before its worker goes on. An interrupt (Ctrl+C, the stop button) keeps
        what is finished; so does a killed process. :meth:`resume` runs what is missing.

        Args:
            task: A function, sync or async, that gets the input of an example (or what else its parameters name:
                ``example``, ``repeat``, fields of the input) and returns a text, plain JSON, a Completion or a
                :class:`TaskResult`; a prompt such as "support-answer@3"; or "recorded" (or None), to score what the
                examples say was answered in production.
            dataset: A dataset version, its name, or rows (which are saved first).
            scorers: Names, scorers or functions.
            name: Of the experiment; the task's by default.
            repeats: Times that each example is asked; never served from one cache entry.
            concurrency: Cases at a time.
            prompt: The prompt version that a function uses, for the record; the task itself when ``task`` is None.
            model: The model to ask; that of the prompt by default.
            params: Parameters of the model, over those of the prompt.
            limit: Only the first so many examples.
            budget_usd: Start no case when so much is spent, judges included; the others are recorded as not run.
            timeout_s: Most seconds for one attempt at a case; None for no limit.
            retries: Further attempts after an error that may pass (a rate limit, a lost connection).
            cache: Whether models may answer from their cache.
            tracing: Whether every case becomes a trace, with its scores on it.
            progress: Show how far it is, with rate, cost so far and time left.
            seed: Sent to the model with the number of the repeat added, and recorded.
            until: Criteria of a gate: stop as soon as they are decided. Examples are asked in a random order that is
                fixed beforehand, and the bounds hold at every look, so that :meth:`gate` judges the run as validly as
                one that did not look. Where nothing is decided every example is asked.
            baseline: What a ``max_loss`` of ``until`` is measured against.

        Raises:
            UsageError: Something does not fit together; nothing was run.
            NotFoundError: A dataset, prompt or scorer that is not there.

        Example:
            >>> import lmops
            >>> ws = lmops.open(":memory:")
            >>> rows = [{"example_id": "a", "input": "2+2", "expected": "4"}]
            >>> ws.evals.run(lambda question: str(eval(question)), rows, ["exact_match"], name="sums")  # doctest: +SKIP
            <Run run-... sums on sums-examples@1: finished, 1 of 1 cases>
        """
        return Run(self._store, self._begin(*_args, **_options).run())

    @takes_as(_begin)
    async def arun(self, *_args: Any, **_options: Any) -> Run:
        """Do as :meth:`run` does, in the running loop; cancelling it keeps what is finished."""
        return Run(self._store, await self._begin(*_args, **_options).arun())

    def _begin_again(
        self,
        run_id: str,
        *,
        task: Any = None,
        scorers: Any = None,
        budget_usd: float | None = None,
        concurrency: int | None = None,
        retry_errors: bool = False,
        progress: bool = True,
    ) -> Work:
        """Return the work that is left on a run: what :meth:`resume` and :meth:`aresume` take."""
        import orjson

        from lmops.evals._resume import has_more, prepare_again

        run = self.get(run_id)
        if not has_more(self._store, run, retry_errors=retry_errors):
            return Work(run.run_id, None, progress)
        prepared = prepare_again(
            self._host, run, task=task, scorers=scorers, budget_usd=budget_usd, concurrency=concurrency
        )
        journal = Journal.resume(
            self._project,
            run.run_id,
            retry_errors=retry_errors,
            settings=orjson.dumps(prepared.plan.settings).decode(),
        )
        return Work(run.run_id, self._session(prepared, journal, is_resumed=True), progress)

    @takes_as(_begin_again)
    def resume(self, *_args: Any, **_options: Any) -> Run:
        """Run what is missing of a run that was interrupted, killed or out of money, and return it.

        Rows, tokens, cost and duration go on from where they were. A run that is complete is left as it is.

        Args:
            run_id: The run, or the start of its id.
            task: The function again, for a run of a function; prompts and recorded answers are taken from the record.
            scorers: The scorers again, when they cannot be found by their names.
            budget_usd: A new budget for the whole run; the recorded one by default.
            concurrency: Another number of cases at a time.
            retry_errors: Run the cases again that failed or ran out of time, or whose judge could not be reached.
            progress: Show how far it is.

        Raises:
            UsageError: Another process works on it, or the task, a scorer or the dataset is not what it was.
            NotFoundError: There is no such run.
        """
        return Run(self._store, self._begin_again(*_args, **_options).run())

    @takes_as(_begin_again)
    async def aresume(self, *_args: Any, **_options: Any) -> Run:
        """Do as :meth:`resume` does, in the running loop."""
        return Run(self._store, await self._begin_again(*_args, **_options).arun())

    def import_results(
        self,
        data: Any,
        *,
        name: str = "imported",
        dataset: Any = None,
        system: str | None = None,
        systems: Sequence[str] | None = None,
        scores: Sequence[str] | None = None,
        id: str | None = None,  # the field's name
        input: str | None = None,
        expected: str | None = None,
        output: str | None = None,
        cluster: str | None = None,
        repeat: str | None = None,
        higher_is_better: Mapping[str, bool] | None = None,
        prompt: Any = None,
        model: str | None = None,
    ) -> Run | dict[str, Run]:
        """Keep answers and scores that were made elsewhere as runs; they compare and gate as any other.

        A row is one answer. Columns are taken by their usual names: id, input, expected, output, cluster, repeat,
        system, error, cost_usd, latency_ms, tokens, model; every other column of numbers or truths is a score, also
        where a file of text (.csv) writes them. An answer without a score is unmeasured; an example that one of several
        systems did not answer was not run there.

        Args:
            data: Rows, a frame or the path of a file, as :meth:`lmops.datasets.Datasets.save` takes them.
            name: Of the experiment.
            dataset: The version that was asked; by default the examples of the rows are saved as ``NAME-examples``.
            system: The column that says which system answered.
            systems: Systems that answer side by side in one row: column ``small`` is the answer of "small" and
                ``small_correct`` its score "correct".
            scores: The columns of scores.
            id: The column of the ids, by which systems are paired.
            input: The column of the input.
            expected: The column of the reference.
            output: The column of the answer.
            cluster: The column of what examples belong to; examples of one cluster are not independent.
            repeat: The column of the number of the repeat; without one, answers to an example count as its repeats.
            higher_is_better: By score, where it is not so: ``{"toxicity": False}``.
            prompt: The prompt version that was used.
            model: The model that was asked.

        Returns:
            The run; with ``system`` or ``systems`` the runs by the names of the systems.

        Raises:
            UsageError: A column is not there, a score is no number, an example has two inputs, or a system answers
                twice as one repeat. Nothing was kept.
            NotFoundError: There is no such file, dataset or prompt.
        """
        from lmops.evals._import import Source, import_runs

        source = Source(
            id=id, input=input, expected=expected, output=output, cluster=cluster, repeat=repeat, system=system,
            systems=[systems] if isinstance(systems, str) else systems,
            scores=[scores] if isinstance(scores, str) else scores,
        )  # fmt: skip  # arguments that belong together share a line
        made = import_runs(
            self._host, rows_of(data), source, name=name, dataset=dataset, higher_is_better=higher_is_better or {},
            prompt=self._host.prompts.get(prompt) if isinstance(prompt, str) else prompt, model=model,
        )  # fmt: skip  # arguments that belong together share a line
        runs = {one: Run(self._store, run_id) for one, run_id in made.items()}
        return runs[name] if system is None and systems is None else runs

    def get(self, run_id: str) -> Run:
        """Return a run by its id, the start of its id, or the name of an experiment, whose newest run it is then.

        Raises:
            NotFoundError: There is no such run.
        """
        return find_run(self._store, run_id)

    def list(self, *, name: str | None = None, limit: int = 50) -> pd.DataFrame:
        """Return the newest runs, one row each.

        Args:
            name: Only those of this experiment.
            limit: The most rows.
        """
        found: pd.DataFrame = self._store.sql(
            "select run_id, name, status, task, dataset, prompt_ref, model, cases, examples * repeats as planned, "
            "errors, cost_usd, duration_s, started_at, actor from runs where name = ? or ? is null "
            "order by started_at desc limit ?",
            [name, name, limit],
        ).df()
        return found

    def latest(self, prompt: Any, dataset: Any, *, scorers: Sequence[str] = ()) -> Run | None:
        """Return the newest complete run of exactly this prompt version on exactly this dataset version, or None.

        Args:
            prompt: Such as "support-answer@production".
            dataset: Such as "golden".
            scorers: Names of scorers that the run has to have.

        Raises:
            NotFoundError: A prompt or a dataset that is not there.
        """
        version = self._host.prompts.get(prompt) if isinstance(prompt, str) else prompt
        examples = resolve_dataset(self._host, dataset, name=None)
        with self._store.reading() as con:
            ids = _rows.complete(con, prompt_hash=version.hash, dataset_hash=examples.hash, examples=len(examples))
        found = (Run(self._store, run_id) for run_id in ids)
        return next((run for run in found if set(scorers) <= set(run.scorers)), None)

    def summary(self, runs: Sequence[Run | str] | Run | str, *, level: float = 0.95) -> pd.DataFrame:
        """Return one row per run and scorer, to be shown side by side (``lmops.charts.scores``).

        Args:
            runs: Runs, their ids, or names of experiments; or one of these.
            level: Confidence level in (0, 1).

        Returns:
            Columns run_id, label (the prompt version, or the name), scorer, mean, low, high, n, coverage,
            cost_per_case_usd, p50_ms; missing values are NaN.
        """
        return side_by_side(states(self._store, runs), level=level)

    # -- decisions -------------------------------------------------------------------------------------------------

    def compare(
        self,
        a: Run | str,
        b: Run | str,
        *,
        scorers: Sequence[str] | None = None,
        margin: float | Mapping[str, float] | None = None,
        decide: Sequence[str] | None = None,
        slices: Sequence[str] = (),
        alpha: float = 0.05,
        correction: Literal["bh", "holm", "none"] = "bh",
        clustered: bool = True,
        allow_unmatched: bool = False,
        allow_changed: bool = False,
        seed: int = 0,
    ) -> Comparison:
        """Return run a against run b, paired by example, clustered when the examples have clusters, repeats used.

        Each scorer gets the difference a - b with its interval, an exact p-value (McNemar's mid-p for verdicts, else
        sign flips), what difference could have been found, and one word: better, worse, non_inferior or inconclusive.
        With several scorers "better" and "worse" are said after Holm's correction, so that a comparison without any
        difference raises a false alarm as seldom as ``alpha`` says, however many there are. Examples with a score on
        one side only are named, and an outcome that their worst case would change is inconclusive.

        Args:
            a: The run that is judged, such as the new one.
            b: What it is compared with, such as the baseline.
            scorers: Only these; all that both have by default.
            margin: The largest loss that is acceptable, in the unit of the scores; one for all scorers, or by name.
            decide: The scorers whose outcomes count; those with a margin by name, else all. The others are exploratory.
            slices: Compare within groups as well: "split", "tags", "cluster", keys of the metadata.
            alpha: Probability of a false alarm, in 0..0.5.
            correction: How p-values of slices are adjusted: "bh" to explore, "holm" to decide, "none".
            clustered: Take the clusters of the examples into account, when they have some.
            allow_unmatched: Compare the examples that both finished, although one has more.
            allow_changed: Compare although the dataset or a scorer is not the same version.
            seed: Of permutations and the bootstrap.

        Returns:
            A Comparison that shows itself: ``["exact_match"].outcome``, ``.df()`` (one row a scorer or measure),
            ``.slices()``, ``.cases()`` (example by example), ``.text``.

        Raises:
            UsageError: They cannot be compared; the message says why and what helps.
            NotFoundError: A run, a scorer or a slice that is not there.
        """
        one, two = states(self._store, [a, b])
        return self._with_view(compare(
            self._store, self._host.datasets, one, two, same=sameness(self._store, one.run, two.run), scorers=scorers,
            margin=margin, decide=decide, slices=slices, alpha=alpha, correction=correction, clustered=clustered,
            allow_unmatched=allow_unmatched, allow_changed=allow_changed, seed=seed,
        ))  # fmt: skip  # arguments that belong together share a line

    def gate(
        self,
        run: Run | str,
        baseline: Run | str | None = None,
        criteria: Criteria | Mapping[str, Any] | str | PathLike[str] | None = None,
        *,
        allow_unmatched: bool = False,
        allow_changed: bool = False,
        seed: int = 0,
    ) -> Verdict:
        """Return whether a run fulfils the criteria: pass, fail, or inconclusive with what would decide; and keep it.

        Args:
            run: The run that is judged.
            baseline: What its losses are measured against; needed when a criterion says ``max_loss``.
            criteria: A mapping, or the path of a YAML or JSON file: ``scorers`` with ``min``, ``max`` and ``max_loss``
                by scorer, ``min_coverage``, ``max_error_rate``, ``max_cost_usd``, ``max_latency_ms``, ``level``,
                ``clustered``, and ``missing`` ("worst" or "pairs"): examples with a score on one side only count as the
                worst that they can be (the default), or are left out. A run with ``until=`` is judged by those. What
                rests on a judge without a calibration that holds (``ws.feedback.calibrate``) is inconclusive, unless
                ``allow_uncalibrated`` is true.
            allow_unmatched: As for :meth:`compare`.
            allow_changed: As for :meth:`compare`.
            seed: As for :meth:`compare`.

        Raises:
            UsageError: The criteria cannot be used, or the runs cannot be compared.
            NotFoundError: A run, a scorer or the file is not there.
        """
        refuse_as_baseline(baseline)
        judged, *others = states(self._store, [run] if baseline is None else [run, baseline])
        if (until := judged.run.settings.get("until")) is not None:
            return self._gate_early(judged, others, criteria, until)
        asked = read_criteria(criteria)
        if not others:
            results = judge(judged, None, asked) + uncalibrated(self._store, judged.run.scorers, asked)
            return record(self._project, judged.run, None, asked, results)
        (against,) = others
        comparison, same = None, sameness(self._store, judged.run, against.run)
        if asked.needs_baseline:
            comparison = compare(
                self._store, self._host.datasets, judged, against, same=same, scorers=sorted(margins_of(asked)),
                margin=margins_of(asked), slices=(), alpha=1 - asked.level, correction="bh", clustered=asked.clustered,
                allow_unmatched=allow_unmatched, allow_changed=allow_changed, seed=seed,
            )  # fmt: skip  # arguments that belong together share a line
        if against.run.run_id == judged.run.run_id:
            raise UsageError(f"run {judged.run.run_id} is gated against itself: give another run as the baseline")
        results = judge(judged, comparison, asked, same=same) + uncalibrated(self._store, judged.run.scorers, asked)
        return record(self._project, judged.run, against.run, asked, results)

    def _gate_early(
        self, judged: RunState, others: Sequence[RunState], criteria: Any, until: Mapping[str, Any]
    ) -> Verdict:
        """Return the verdict of a run that was looked at while it ran: by its own criteria, at its own looks."""
        from lmops.evals._prepare import selected
        from lmops.evals._until import replayed, watch_of

        asked = read_criteria(until["criteria"])
        run = judged.run
        given = {one.run.run_id for one in others}
        if (criteria is not None and read_criteria(criteria) != asked) or given - {until["baseline"]}:
            raise UsageError(
                f"run {run.run_id} was looked at while it ran, by criteria of its own: judged by others it would pass "
                "too often. Gate it with those (or none), or run again without until="
            )
        against = others[0] if others else None
        if against is None and until["baseline"] is not None:
            (against,) = states(self._store, [until["baseline"]])
        watch = watch_of(until, selected(self._host, run), run.scorers, against)
        results = judge_early(judged, replayed(self._store, run.run_id, watch))
        results += uncalibrated(self._store, run.scorers, asked)
        return record(self._project, run, None if against is None else against.run, asked, results)

    def verdict(self, verdict_id: str) -> Verdict:
        """Return a verdict that was kept.

        Raises:
            NotFoundError: There is none of this id.
        """
        return read_verdict(self._store, verdict_id)

    def drift(
        self,
        prompt: Any,
        dataset: Any,
        scorers: Any = (),
        *,
        baseline: Run | str | None = None,
        rebase: bool = False,
        model: str | None = None,
        repeats: int = 3,
        margin: float | Mapping[str, float] | None = None,
        alpha: float = 0.05,
        concurrency: int = 16,
        limit: int | None = None,
        budget_usd: float | None = None,
        progress: bool = True,
        seed: int = 0,
    ) -> Drift:
        """Ask the same prompt the same examples again on today's model, and say what changed since the baseline.

        Tells a change of the model (it calls itself by another name or fingerprint) from noise, which is how much
        repeats of one run differ. The first time there is nothing to compare with: that run becomes the baseline.

        Args:
            prompt: A prompt version, such as "support-answer@production".
            dataset: The fixed set.
            scorers: Names, scorers or functions.
            baseline: The run to compare with; the stored baseline of this prompt and dataset by default.
            rebase: Compare with nothing and make today's run the baseline, when a change was looked into and accepted.
            model: The model to ask; that of the prompt by default.
            repeats: Times that each example is asked; from 2 on noise is known.
            margin: As for :meth:`compare`.
            alpha: Probability of a false alarm.
            concurrency: Cases at a time.
            limit: Only the first so many examples.
            budget_usd: Start no case when so much is spent.
            progress: Show how far it is.
            seed: Of the permutations.

        Raises:
            UsageError: The run did not finish, or cannot be compared with the baseline.
            NotFoundError: A prompt, a dataset, a scorer or the baseline is not there.
        """
        version = self._host.prompts.get(prompt) if isinstance(prompt, str) else prompt
        examples = resolve_dataset(self._host, dataset, name=None)
        known = None if baseline is None else self._as_run(baseline)
        if known is None and not rebase:
            found = find_baseline(self._store, ref=version.ref, prompt_hash=version.hash, dataset_hash=examples.hash)
            known = None if found is None else self.get(found)
        name = (BASELINE_NAME if known is None else NAME).format(version.ref)
        run = self.run(
            version, examples, scorers, name=name, repeats=repeats, concurrency=concurrency, model=model, limit=limit,
            budget_usd=budget_usd, progress=progress,
        )  # fmt: skip  # arguments that belong together share a line
        if not run.is_complete:
            raise UsageError(
                f"run {run.run_id} did not finish ({run.error or run.status}), so that nothing can be said about "
                f"drift; ws.evals.resume({run.run_id!r}) goes on"
            )
        drift = Drift(outcome="baseline_recorded", run=run)
        if known is not None:
            comparison = self.compare(run, known, margin=margin, alpha=alpha, seed=seed)
            drift = measure(self._store, run, known, comparison, alpha=alpha, seed=seed)
        evidence = [run.run_id, *([known.run_id] if known is not None else [])]
        with self._project.change(evidence=evidence) as change:
            change.say("eval.drift", version.ref, after={"outcome": drift.outcome, "model": run.model})
        return drift

    def _with_view(self, found: Comparison) -> Comparison:
        return found  # a workspace gives it a live view

    def _as_run(self, run: Run | str) -> Run:
        return run if isinstance(run, Run) else self.get(run)

    # -- steps -----------------------------------------------------------------------------------------------------

    def _until(self, until: Any, baseline: Run | str | None) -> tuple[Any, Run | None] | None:
        """Return the criteria that may stop a run, and the run that losses are measured against."""
        if until is None and baseline is not None:
            raise UsageError("baseline= is what a loss in until= is measured against: give until=criteria as well")
        return None if until is None else (until, None if baseline is None else self._as_run(baseline))

    def _session(self, prepared: Prepared, journal: Journal, *, is_resumed: bool) -> Session:
        options = prepared.plan.settings
        return Session(
            store=self._store, traces=self._host.traces if options["tracing"] else None,
            models=self._host.models, plan=prepared.plan, task=prepared.task, examples=prepared.examples,
            scorers=prepared.scorers, journal=journal, budget_usd=options["budget_usd"], is_resumed=is_resumed,
        )  # fmt: skip  # arguments that belong together share a line
