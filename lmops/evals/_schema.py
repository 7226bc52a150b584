"""The tables of evaluations: runs, their cases, verdicts; and the views over them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from lmops.store.schema import TIME, Becomes, Column, Erased, Packed, PackedView, Room, Table, View

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

    from lmops.store.schema import Keys

_CASE_KEY: Final = ("run_id", "example_id", "repeat")


def cases_over(con: sqlite3.Connection, rows: Keys) -> Iterable[tuple[Any, ...]]:
    """Yield (run, example) of the runs over versions of data sets that hold erased contents of examples."""
    contents = json.dumps([key[0] for key in rows.get("example_contents", ())])
    query = "select content_id, example_id from example_contents where content_id in (select value from json_each(?))"
    made = dict(con.execute(query, (contents,)).fetchall())
    if not made:
        return
    held: dict[int, list[str]] = {}
    for row in con.execute("select chunk_id, members from dataset_chunks"):
        if inside := [made[one] for one in json.loads(row["members"]) if one in made]:
            held[row["chunk_id"]] = inside
    examples: dict[str, set[str]] = {}
    for row in con.execute("select name, version, chunks from dataset_versions"):
        if found := {one for chunk in json.loads(row["chunks"]) for one in held.get(chunk, ())}:
            examples[f"{row['name']}@{row['version']}"] = found
    for row in con.execute("select run_id, dataset from eval_runs").fetchall():
        yield from ((row["run_id"], one) for one in examples.get(row["dataset"], ()))


TABLES: Final = (
    Table(
        "eval_runs",
        ("run_id",),
        moving=frozenset({
            "cases", "errors", "input_tokens", "output_tokens", "cost_usd", "scoring_cost_usd", "unpriced",
            "duration_s", "heartbeat_ns",
        }),
    ),
    Table(
        "eval_results", _CASE_KEY, held_by="one hash over all cases and scores of a run",
        erased=Erased(
            "cases of evaluations", traces=("trace_id",), texts=("output", "error"), kin=cases_over, spreads=True,
            left={
                "output": Becomes.ERASED, "output_is_json": False, "error": Becomes.ERASED, "documents": None,
                "tool_calls": None, "cluster": Becomes.WORD, "trace_id": None,
            },
        ),
    ),
    Table("verdicts", ("verdict_id",)),
)  # fmt: skip  # one line for each table where it fits
VIEWS: Final = (
    View(
        "runs",
        (
            ("run_id", "VARCHAR", "unique"),
            ("name", "VARCHAR", "name of the experiment"),
            ("status", "VARCHAR", "running, finished, interrupted, over_budget, failed, crashed"),
            ("task_kind", "VARCHAR", "function, prompt, recorded"),
            ("task", "VARCHAR", "what ran"),
            ("dataset", "VARCHAR", "name@version"),
            ("dataset_hash", "VARCHAR", "of its content"),
            ("prompt_ref", "VARCHAR", "name@version"),
            ("prompt_hash", "VARCHAR", "of its content"),
            ("model", "VARCHAR", "model asked for"),
            ("params", "VARCHAR", "JSON object"),
            ("scorers", "VARCHAR", "JSON list of name, version, kind, range, higher_is_better"),
            ("settings", "VARCHAR", "JSON object: concurrency, timeout_s, retries, budget_usd, ..."),
            ("examples", "BIGINT", "examples that it is over"),
            ("repeats", "BIGINT", "times each is asked"),
            ("cases", "BIGINT", "cases that are finished; examples x repeats in the end"),
            ("errors", "BIGINT", "of them, those that failed or ran out of time"),
            ("input_tokens", "BIGINT", "sum over its cases"),
            ("output_tokens", "BIGINT", "sum over its cases"),
            ("cost_usd", "DOUBLE", "sum over the cases whose cost is known"),
            ("scoring_cost_usd", "DOUBLE", "sum of what judges cost"),
            ("unpriced", "BIGINT", "cases whose cost is not known"),
            ("seed", "BIGINT", "given by the caller"),
            ("code_version", "VARCHAR", "commit of the caller's code, with + when it was changed since"),
            ("lmops_version", "VARCHAR", "version of lmops"),
            ("environment", "VARCHAR", "JSON object"),
            ("actor", "VARCHAR", "who ran it"),
            ("started_at", TIME, "start"),
            ("ended_at", TIME, "end"),
            ("duration_s", "DOUBLE", "working time in seconds, over all sessions"),
            ("sessions", "BIGINT", "1, and 1 for every time it was resumed"),
            ("error", "VARCHAR", "what stopped it"),
        ),
        "select run_id, name, status, task_kind, task, dataset, dataset_hash, prompt_ref, prompt_hash, model, params, "
        "scorers, settings, examples, repeats, cases, errors, input_tokens, output_tokens, cost_usd, scoring_cost_usd, "
        "unpriced, seed, code_version, lmops_version, environment, actor, started_ns, ended_ns, duration_s, sessions, "
        "error, pid, pid_started, host, heartbeat_ns from eval_runs order by started_ns",
        ("eval_runs",),
        gone="crashed",
    ),
    View(
        "verdicts",
        (
            ("verdict_id", "VARCHAR", "unique"),
            ("run_id", "VARCHAR", "the run that was judged"),
            ("baseline_run_id", "VARCHAR", "the run it was compared with"),
            ("prompt_ref", "VARCHAR", "the prompt version that ran"),
            ("outcome", "VARCHAR", "pass, fail, inconclusive"),
            ("criteria", "VARCHAR", "JSON, what was asked"),
            ("detail", "VARCHAR", "JSON, what was found"),
            ("created_at", TIME, "when"),
            ("actor", "VARCHAR", "who asked"),
            ("event_id", "BIGINT", "its audit event"),
        ),
        "select verdict_id, run_id, baseline_run_id, prompt_ref, outcome, criteria, detail, created_ns, actor, "
        "event_id from verdicts order by created_ns",
        ("verdicts",),
    ),
)
#: What is kept of one case, its scores aside.
RESULTS: Final[tuple[Column, ...]] = (
    ("run_id", "VARCHAR", "the run"),
    ("example_id", "VARCHAR", "the example; (run_id, example_id, repeat) is unique"),
    ("repeat", "BIGINT", "0, 1, 2, ..."),
    ("status", "VARCHAR", "ok, error, timeout, not_run (the budget was spent, or the run was stopped)"),
    ("output", "VARCHAR", "what the task returned: text, or JSON"),
    ("output_is_json", "BOOLEAN", "whether it is JSON"),
    ("error_type", "VARCHAR", "class of the exception"),
    ("error", "VARCHAR", "its message"),
    ("latency_ms", "DOUBLE", "of the attempt that counts, without scoring"),
    ("input_tokens", "BIGINT", "tokens in, cached ones included"),
    ("output_tokens", "BIGINT", "tokens out, reasoning included"),
    ("cached_input_tokens", "BIGINT", "tokens read from a cache"),
    ("reasoning_tokens", "BIGINT", "output tokens spent on reasoning"),
    ("cost_usd", "DOUBLE", "cost of the task; NULL when it is unknown"),
    ("scoring_cost_usd", "DOUBLE", "cost of judges; NULL when there were none"),
    ("model", "VARCHAR", "model that answered"),
    ("system_fingerprint", "VARCHAR", "of the model that answered"),
    ("finish_reason", "VARCHAR", "why it stopped"),
    ("is_cached", "BOOLEAN", "whether the answer came from the cache of models"),
    ("attempts", "BIGINT", "attempts of the task"),
    ("trace_id", "VARCHAR", "the trace of the case"),
    ("cluster", "VARCHAR", "cluster of the example"),
    ("documents", "VARCHAR", "JSON list of what was retrieved"),
    ("tool_calls", "VARCHAR", "JSON list of the tools called"),
    ("started_at", TIME, "start"),
)
SCORES: Final[tuple[Column, ...]] = (
    ("run_id", "VARCHAR", "the run"),
    ("example_id", "VARCHAR", "the example"),
    ("repeat", "BIGINT", "0, 1, 2, ..."),
    ("scorer", "VARCHAR", "(run_id, example_id, repeat, scorer) is unique"),
    ("value", "DOUBLE", "yes is 1, no is 0; NULL when there is none"),
    ("status", "VARCHAR", "value, unmeasured, error"),
    ("reason", "VARCHAR", "why there is no value"),
    ("rationale", "VARCHAR", "why the value is what it is"),
    ("detail", "VARCHAR", "JSON, what the value was made of"),
    ("trace_id", "VARCHAR", "the trace of the case"),
    ("started_at", TIME, "start of the case"),
)
CASES: Final = Packed(
    "eval_results",
    PackedView("results", RESULTS, _CASE_KEY, _CASE_KEY, 16_384),
    PackedView("scores", SCORES, (*_CASE_KEY, "scorer"), ("run_id", "scorer", "example_id", "repeat"), 65_536),
    own=("scorer", "value", "status", "reason", "rationale", "detail"),
    owner="run_id",
    old="select run_id from eval_runs where coalesce(ended_ns, heartbeat_ns, started_ns) < ? and run_id not in "
    "(select run_id from verdicts union select baseline_run_id from verdicts where baseline_run_id is not null)",
    owners=("eval_runs", "cases"),
    part_left={"rationale": Becomes.ERASED, "detail": None, "reason": Becomes.ERASED, "trace_id": None},
)
ROOM: Final = Room(TABLES, VIEWS, CASES)
