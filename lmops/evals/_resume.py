"""A run made ready again from its record: the same dataset, prompt and scorers, or an error that says why not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lmops.errors import LmopsError, NotFoundError, UsageError
from lmops.evals._prepare import Host, Prepared, describe, make_task, selected, settings
from lmops.evals._records import Plan, resumed_by
from lmops.judges import scorers_meant
from lmops.scorers import get

if TYPE_CHECKING:
    from lmops.evals._runs import Run
    from lmops.scorers import Scorer
    from lmops.store import Store


def prepare_again(
    host: Host, run: Run, *, task: Any, scorers: Any, budget_usd: float | None, concurrency: int | None
) -> Prepared:
    """Return a run ready to go on.

    Raises:
        UsageError: Something is not what it was.
        NotFoundError: Something is not there any more.
    """
    record = run.record
    old = run.settings
    options = settings(
        concurrency=concurrency or old["concurrency"],
        timeout_s=old["timeout_s"],
        retries=old["retries"],
        budget_usd=budget_usd or old["budget_usd"],
        cache=old["cache"],
        tracing=old["tracing"],
    )
    examples = selected(host, run)
    found = _scorers(host, run, scorers)
    kind = record["task_kind"]
    if kind == "function":
        if not callable(task):
            call, name = resumed_by(record["task"]), record["task"].rpartition(":")[2]
            again = {"ws.redteam.resume": "target=...", "ws.retrieval.resume": "searchable=..."}.get(
                call, f"task={name}"
            )
            raise UsageError(
                f"run {run.run_id} is of the function {record['task']}; give it again: {call}({run.run_id!r}, {again})"
            )
        wanted: Any = task
    elif task is not None and task != record["task"]:
        raise UsageError(f"run {run.run_id} is of {record['task']}; resume it without task=")
    else:
        wanted = record["prompt_ref"] if kind == "prompt" else "recorded"
    made, version, _ = make_task(
        host,
        wanted,
        examples,
        prompt=None if kind == "prompt" else record["prompt_ref"],
        model=record["model"],
        params=old["given_params"],
        cache=options["cache"],
        seed=record["seed"],
    )
    if kind == "prompt" and version.hash != record["prompt_hash"]:
        raise UsageError(f"{record['prompt_ref']} is not what it was when run {run.run_id} began")
    names = Plan.__dataclass_fields__
    kept = {name: record[name] for name in names if name not in ("settings", "scorers")}
    plan = Plan(**kept, scorers=record["scorers"], settings={**old, **options})
    return Prepared(plan, made, examples, found)


def _scorers(host: Host, run: Run, given: Any) -> list[Scorer]:
    """Return the scorers of a run, from the caller or by their names."""
    recorded = run.record["scorers"]
    if given is None:
        found = []
        for one in recorded:
            try:
                found.append(get(one["name"], one["options"] or None))
            except LmopsError as error:
                raise UsageError(
                    f"scorer {one['name']!r} of run {run.run_id} cannot be found by its name ({error}); give them "
                    f"again: ws.evals.resume({run.run_id!r}, scorers=[...])"
                ) from error
    else:
        found = scorers_meant(host.project, given)
    names = [one["name"] for one in recorded]
    if [scorer.name for scorer in found] != names:
        by_name = {scorer.name: scorer for scorer in found}
        missing = [name for name in names if name not in by_name]
        if missing or len(by_name) != len(names):
            raise NotFoundError(f"run {run.run_id} has the scorers {', '.join(names)}; given: {', '.join(by_name)}")
        found = [by_name[name] for name in names]
    for scorer, one in zip(found, recorded, strict=True):
        if describe(scorer)["version"] != one["version"]:
            raise UsageError(
                f"scorer {scorer.name!r} has changed since run {run.run_id} began; half of its scores would mean "
                "something else. Start a new run"
            )
    return found


def has_more(store: Store, run: Run, *, retry_errors: bool) -> bool:
    """Return whether a run has cases left, or failed ones that are to be tried again."""
    # Counted, not remembered: a file of results may have been lost since.
    query = "select count(*) from results where run_id = ? and status <> 'not_run'"
    there = store.sql(query, [run.run_id]).fetchall()[0][0]
    progress = run.progress()
    is_finished = progress.status == "finished"
    has_stopped = run.settings.get("until") is not None and is_finished and not retry_errors
    is_whole = has_stopped or (is_finished and there == progress.totals.planned)
    return not is_whole or bool(retry_errors and progress.totals.errors)
