"""What the prompt playground knows and does, without any widget: columns, inputs, a draft, and answers as they come."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from lmops.base.endings import Caught, Logged
from lmops.base.loops import Beside
from lmops.base.sheet import framed
from lmops.base.units import duration, money
from lmops.errors import LmopsError, UsageError
from lmops.prompts.content import make
from lmops.prompts.playground import Candidate, Trial, as_frame, try_versions
from lmops.prompts.rendering import analyse
from lmops.text import plain, plain_line
from lmops.widgets.kit.protocol import answer, as_json, handlers_of, integer, one_of, optional_string, string
from lmops.widgets.kit.static import MAX_ROWS
from lmops.widgets.prompts import moves
from lmops.widgets.prompts.playground_static import (
    MAX_COLUMNS,
    MAX_INPUTS,
    MAX_TEXT,
    SHOWN,
    Column,
    Draft,
    Input,
    draft_of,
    draft_of_call,
    find,
    in_words,
    lenient_params,
    needed,
    params_of,
    shown,
    template_of,
    typed,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import pandas as pd

    from lmops.prompts import Prompts, PromptVersion
    from lmops.prompts.calls import Call
    from lmops.prompts.playground import Complete
    from lmops.widgets.kit.protocol import Message

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Job:
    """A run in a thread of its own, so that neither the kernel nor its messages wait for a model."""

    total: int
    done: int = 0
    is_stopping: bool = False
    work: Beside[None] | None = None


class PlaygroundController:
    """The state of one playground.

    Args:
        prompts: The registry.
        name: Name of the prompt; None for a call of none, which is named when it is saved.
        complete: The call of a model, ``ws.models.acomplete``.
        versions: What the columns show; by default the version in production and the newest one, or the newest two.
        inputs: Variables by name, one mapping a row; by default one empty row.
        of_inputs: Where they are from, in a few words.
        call: A call to try again: its messages, model and parameters are the draft.
        models: Names of models to offer, asked for when they are shown.
    """

    def __init__(
        self,
        prompts: Prompts,
        name: str | None,
        *,
        complete: Complete,
        versions: Sequence[int | str] | None = None,
        inputs: Sequence[Mapping[str, Any]] = (),
        of_inputs: str = "",
        call: Call | None = None,
        models: Callable[[], Iterable[str]] = tuple,
    ) -> None:
        self._prompts = prompts
        self.name = name
        self._complete = complete
        self._models = models
        self._versions: dict[int, PromptVersion] = {}
        self._read_versions()
        self._of_inputs = of_inputs
        self._lock = threading.RLock()
        self._seq = self._next = 0
        self._draft: Draft | None = None
        self._trials: dict[tuple[int, int], tuple[Trial, tuple[int, int]]] = {}
        self._job: _Job | None = None
        self._ran: Beside[None] | None = None
        self.saved: PromptVersion | None = None
        #: called with every message that Python itself causes; from the thread of a run too
        self.on_change: Callable[[Message], None] = lambda _message: None
        if len(inputs) > MAX_INPUTS:
            raise UsageError(f"{len(inputs):,} inputs: a playground takes {MAX_INPUTS}; ws.evals.run takes any number")
        self._inputs = [Input(self._id(), dict(one)) for one in inputs] or [Input(self._id(), {})]
        self._columns: list[Column] = []
        if call is None:
            self._columns = [self._column(number) for number in self._first(versions)]
        else:
            self._take_call(call)

    def __repr__(self) -> str:
        return f"<PlaygroundController {self.words}>"

    @property
    def words(self) -> str:
        """What is tried on what."""
        labels = ", ".join(self._label(column) for column in self._columns)
        return f"{self.name or 'a call'}: {labels} on {len(self._inputs)} input{'' if len(self._inputs) == 1 else 's'}"

    # -- Python's side ---------------------------------------------------------------------------------------------

    @property
    def trials(self) -> list[Trial]:
        """The answers that are there, in the order of inputs and columns."""
        with self._lock:
            keys = [(column.ident, row.ident) for row in self._inputs for column in self._columns]
            return [self._trials[key][0] for key in keys if key in self._trials]

    @property
    def is_running(self) -> bool:
        """Whether answers are still awaited."""
        return self._job is not None

    def df(self) -> pd.DataFrame:
        """Return one row an answer."""
        return as_frame(self.trials)

    def run(self) -> list[Trial]:
        """Try every column on every input and return the answers when all are there."""
        work = self._begun(self._columns, self._inputs)
        self.on_change(self.state("run"))  # before the first answer can be told
        work.start()
        try:
            work.wait()
        except KeyboardInterrupt:
            self.cancel()
            work.wait()
            raise
        return self.trials

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until a run has ended and was told; return whether it has."""
        return self._ran is None or self._ran.wait(timeout_s)

    def cancel(self) -> None:
        """Stop the run; answers that are there stay."""
        with self._lock:
            job = self._job
            if job is None:
                return
            job.is_stopping = True
            if job.work is not None:
                job.work.cancel()

    def bundle(self) -> dict[str, str]:
        """Return the static forms by their media types."""
        heads = ["input", *(f"{self._label(column)} on {column.model or 'no model'}" for column in self._columns)]
        rows = [
            [in_words(row.given), *(self._words(column, row) for column in self._columns)]
            for row in self._inputs[:MAX_ROWS]
        ]
        note = "" if self._trials else "Nothing was run: .run() asks the models."
        lines = [f"playground {self.words}"]
        for row in rows:
            lines += ["", f"input: {plain_line(row[0], 300)}"]
            lines += [
                f"  {plain_line(head, 80)}: {plain_line(cell, 600)}"
                for head, cell in zip(heads[1:], row[1:], strict=True)
            ]
        return {
            "text/plain": "\n".join([*lines, *([note] if note else [])]),
            "text/html": framed(f"playground {self.words}", heads, rows, note=note),
        }

    # -- the page's side -------------------------------------------------------------------------------------------

    def handle(self, message: object) -> list[Message]:
        """Return the answers to one message of the page; what goes wrong is an answer of kind ``error``."""
        with self._lock:
            return answer(self, _HANDLERS, message)

    def state(self, reason: str, *, said: str = "") -> Message:
        """Return everything a view needs to show the same as the others."""
        with self._lock:
            self._seq += 1
            aliases = {} if self.name is None else self._prompts.aliases(self.name)
            needs = {name for column in self._columns for name in self._needed(column)}
            job = self._job
            state: Message = as_json(
                {
                    "kind": "state",
                    "seq": self._seq,
                    "reason": reason,
                    "name": self.name,
                    "refused": moves.refused(self._prompts),
                    "versions": [
                        [number, sorted(alias for alias, at in aliases.items() if at == number), plain(one.note, 200)]
                        for number, one in sorted(self._versions.items(), reverse=True)
                    ],
                    "models": self._model_names(),
                    "columns": [self._column_row(column) for column in self._columns],
                    "inputs": [
                        {"id": row.ident, "values": shown(row.given), "missing": sorted(needs - row.given.keys())}
                        for row in self._inputs
                    ],
                    "of_inputs": plain(self._of_inputs, 200),
                    "variables": self._variables(),
                    "draft": self._draft_row(),
                    "trials": [
                        self._trial_row(column, row)
                        for row in self._inputs
                        for column in self._columns
                        if (column.ident, row.ident) in self._trials
                    ],
                    "job": None
                    if job is None
                    else {"done": job.done, "total": job.total, "is_stopping": job.is_stopping},
                    "said": said,
                }
            )
            return state

    def _on_hello(self, _message: Message) -> Message:
        return self.state("hello")

    def _on_column(self, message: Message) -> Message:
        change = one_of(message, "op", ("add", "set", "remove"))
        if change == "add":
            if len(self._columns) >= MAX_COLUMNS:
                raise UsageError(f"at most {MAX_COLUMNS} columns fit side by side")
            shown = {column.version for column in self._columns}
            known = sorted(self._versions, reverse=True)
            if not known:
                raise UsageError("there is no version yet: save the draft as a prompt first")
            self._columns.append(self._column(next((n for n in known if n not in shown), known[0])))
            return self.state("column")
        column = find(self._columns, integer(message, "column", 0, 2**53))
        if change == "remove":
            if len(self._columns) == 1:
                raise UsageError("one column stays")
            self._columns.remove(column)
            return self.state("column")
        if "version" in message:
            number = message["version"]
            if number is None and self._draft is None:
                raise UsageError("there is no draft: edit a version first")
            column.version = None if number is None else self._known(integer(message, "version", 1, 2**53))
        if "model" in message:
            column.model = optional_string(message, "model", 300)
        column.rev += 1
        return self.state("column")

    def _on_input(self, message: Message) -> Message:
        change = one_of(message, "op", ("add", "set", "remove"))
        if change == "add":
            if len(self._inputs) >= MAX_INPUTS:
                raise UsageError(f"at most {MAX_INPUTS} inputs: ws.evals.run takes any number")
            last = self._inputs[-1].given
            self._inputs.append(Input(self._id(), dict(last) if message.get("copy") is True else {}))
            return self.state("input")
        row = find(self._inputs, integer(message, "input", 0, 2**53))
        if change == "remove":
            if len(self._inputs) == 1:
                raise UsageError("one input stays")
            self._inputs.remove(row)
            return self.state("input")
        name = string(message, "name", 1_000)
        if name not in self._variables():
            raise UsageError(f"no version that is shown has a variable {plain_line(name, 60)!r}")
        row.given[name] = string(message, "value", MAX_TEXT)
        row.rev += 1
        return self.state("input")

    def _on_draft(self, message: Message) -> Message:
        change = one_of(message, "op", ("open", "set", "discard"))
        if change == "open":
            self._open(self._versions[self._known(integer(message, "base", 1, 2**53))])
        elif change == "discard":
            self._drop_draft()
        else:
            self._edit(message)
        return self.state("draft")

    def _on_run(self, message: Message) -> Message:
        column, row = message.get("column"), message.get("input")
        columns = self._columns if column is None else [find(self._columns, integer(message, "column", 0, 2**53))]
        inputs = self._inputs if row is None else [find(self._inputs, integer(message, "input", 0, 2**53))]
        self._begun(columns, inputs).start()
        return self.state("run")

    def _on_cancel(self, _message: Message) -> Message:
        self.cancel()
        return self.state("cancel")

    def _on_save(self, message: Message) -> Message:
        draft = self._draft
        if draft is None:
            raise UsageError("there is no draft to save: edit a version first")
        note = optional_string(message, "note", 10_000)
        name = self.name or string(message, "name", 200).strip()
        if not name:
            raise UsageError("give the prompt a name to save it under")
        column = next((one for one in self._columns if one.version is None), None)
        base = self._base(draft)
        found = self._prompts.save(
            name,
            template_of(draft),
            model=(column.model if column else None) or (base.model if base else None),
            params=params_of(draft),
            response_schema=base.response_schema if base else None,
            tools=base.tools if base else None,
            note=note,
            parent=draft.base,
        )
        self.saved, self.name = found, name
        self._read_versions()
        for one in self._columns:
            if one.version is None:
                one.version = found.version
        self._draft = None
        said = f"saved as {found.ref}" if found.is_new else f"{found.ref} has exactly this content already"
        return self.state("saved", said=said)

    # -- runs ------------------------------------------------------------------------------------------------------

    def _begun(self, columns: Sequence[Column], inputs: Sequence[Input]) -> Beside[None]:
        """Note a run and return its work, for the caller to start."""
        with self._lock:
            if self._job is not None:
                raise UsageError("a run is going on: wait for it or stop it")
            candidates = [self._candidate(column) for column in columns]
            keys = [[(column.ident, row.ident, column.rev, row.rev) for column in columns] for row in inputs]
            for line in keys:
                for column_id, input_id, *_ in line:
                    self._trials.pop((column_id, input_id), None)
            values = [dict(row.given) for row in inputs]
            job = _Job(total=len(candidates) * len(inputs))

            def on_trial(trial: Trial) -> None:
                self._take(job, trial, keys[trial.input][trial.candidate])

            work = Beside(lambda: self._work(job, candidates, values, on_trial), name="lmops-playground")
            job.work = work
            self._job, self._ran = job, work
        return work

    async def _work(self, job: _Job, candidates: Any, values: Any, on_trial: Callable[[Trial], None]) -> None:
        said = ""
        try:
            # whatever it is, the page is told and goes on
            with Caught(Exception) as caught:
                await try_versions(candidates, values, complete=self._complete, on_trial=on_trial)
            if caught.error is not None:
                log.error("a run of the playground failed", exc_info=caught.error)
                said = f"{type(caught.error).__name__}: {caught.error}"
        except asyncio.CancelledError:
            said = f"stopped after {job.done} of {job.total} answers"
        finally:
            with self._lock:
                self._job = None
            self._push(self.state("done", said=said))

    def _take(self, job: _Job, trial: Trial, key: tuple[int, int, int, int]) -> None:
        with self._lock:
            column_id, input_id, *revs = key
            job.done += 1
            column = next((one for one in self._columns if one.ident == column_id), None)
            row = next((one for one in self._inputs if one.ident == input_id), None)
            if column is None or row is None:
                return
            self._trials[column_id, input_id] = (trial, (revs[0], revs[1]))
            message = {
                "kind": "trial",
                "trial": self._trial_row(column, row),
                "job": {"done": job.done, "total": job.total, "is_stopping": job.is_stopping},
            }
        self._push(as_json(message))

    def _push(self, message: Message) -> None:
        # A page that is gone must not end the run.
        with Logged(log, "an answer of the playground could not be sent", level=logging.ERROR):
            self.on_change(message)

    # -- inside ----------------------------------------------------------------------------------------------------

    def _id(self) -> int:
        self._next += 1
        return self._next

    def _first(self, versions: Sequence[int | str] | None) -> list[int]:
        if versions is None:
            known = sorted(self._versions)
            production = self._prompts.aliases(self.name or "").get("production", known[-1])
            return [production, known[-1]] if production != known[-1] else known[-2:]
        if isinstance(versions, str) or not 1 <= len(versions) <= MAX_COLUMNS:
            raise UsageError(f"versions={versions!r}: give a list of 1 to {MAX_COLUMNS} numbers or aliases")
        return [self._prompts.get(f"{self.name}@{one}").version for one in versions]

    def _read_versions(self) -> None:
        if self.name is not None:
            self._versions = {one.version: one for one in moves.all_versions(self._prompts, self.name)}

    def _take_call(self, call: Call) -> None:
        """Show a call as the draft, beside the version that it was made of where that is known."""
        number = int(call.prompt[1]) if call.prompt and call.prompt[1].isdecimal() else None
        base = number if number in self._versions else None
        self._draft = draft_of_call(call, base)
        if base is not None:
            self._columns.append(Column(self._id(), base, call.model))
        self._columns.append(Column(self._id(), None, call.model))

    def _column(self, version: int) -> Column:
        return Column(self._id(), version, self._versions[version].model)

    def _known(self, number: int) -> int:
        if number not in self._versions:
            self._read_versions()
        if number not in self._versions:
            raise UsageError(f"{self.name} has no version {number}")
        return number

    def _label(self, column: Column) -> str:
        return "draft" if column.version is None else f"{self.name}@{column.version}"

    def _candidate(self, column: Column) -> Candidate:
        if column.version is not None:
            return Candidate.of(self._versions[column.version], model=column.model)
        draft = self._draft
        if draft is None:
            raise UsageError("there is no draft: edit a version first")
        base = self._base(draft)
        return Candidate(
            label="draft",
            messages=[dict(one) for one in draft.messages],
            model=column.model,
            params=params_of(draft) or {},
            tools=base.tools if base else None,
            response_schema=base.response_schema if base else None,
        )

    def _base(self, draft: Draft) -> PromptVersion | None:
        return None if draft.base is None else self._versions[draft.base]

    def _needed(self, column: Column) -> list[str]:
        if column.version is not None:
            return needed(analyse(self._versions[column.version].messages))
        return [] if self._draft is None else self._draft.needed

    def _variables(self) -> list[str]:
        """Return the variables of what is shown, and those that have a value already."""
        found: dict[str, None] = {}
        for column in self._columns:
            if column.version is None and self._draft is not None:
                found |= dict.fromkeys(self._draft.variables)
            elif column.version is not None:
                found |= dict.fromkeys(self._versions[column.version].variables)
        for row in self._inputs:
            found |= dict.fromkeys(row.given)
        return list(found)

    def _model_names(self) -> list[str]:
        used = [*(one.model for one in self._versions.values()), *(one.model for one in self._columns), *self._models()]
        return [plain(name, 200) for name in dict.fromkeys(used) if name][:100]

    def _open(self, version: PromptVersion) -> None:
        if self._draft is not None and self._is_changed(self._draft):
            raise UsageError("there is an unsaved draft: save it or discard it first")
        self._draft = draft_of(version)
        if all(column.version is not None for column in self._columns) and len(self._columns) < MAX_COLUMNS:
            self._columns.append(Column(self._id(), None, version.model))

    def _drop_draft(self) -> None:
        if not self._versions:
            raise UsageError("the draft is all there is here: change it, or save it as a prompt")
        base = None if self._draft is None else self._draft.base
        self._draft = None
        kept = [column for column in self._columns if column.version is not None]
        self._columns = kept or [self._column(base or max(self._versions))]

    def _is_changed(self, draft: Draft) -> bool:
        base = self._base(draft)
        if base is None:
            return True
        return [dict(one) for one in base.messages] != draft.messages or base.params != lenient_params(draft)

    def _edit(self, message: Message) -> None:
        """Take what was typed, however wrong, and say what is wrong with it."""
        draft = self._draft
        if draft is None:
            raise UsageError("there is no draft: edit a version first")
        draft.messages = typed(message.get("messages"))
        draft.is_text = draft.is_text and len(draft.messages) == 1 and draft.messages[0]["role"] == "user"
        draft.params = string(message, "params", 100_000)
        try:
            make(template_of(draft), params=params_of(draft))
            draft.read()
            draft.error = None
        except LmopsError as error:
            draft.error = str(error)
        for column in self._columns:
            column.rev += column.version is None

    def _column_row(self, column: Column) -> Message:
        version = None if column.version is None else self._versions[column.version]
        params = (
            (self._draft.params if self._draft else "{}")
            if version is None
            else json.dumps(version.params, ensure_ascii=False)
        )
        tools = [] if version is None else [tool for tool in version.tools or () if isinstance(tool, str)]
        return {
            "id": column.ident,
            "version": column.version,
            "model": column.model,
            "params": plain(params, 300),
            "note": f"tools by name are not offered here: {', '.join(tools)}" if tools else "",
        }

    def _draft_row(self) -> Message | None:
        draft = self._draft
        if draft is None:
            return None
        return {
            "base": draft.base,
            "messages": [[one["role"], one["content"]] for one in draft.messages],
            "params": draft.params,
            "error": draft.error and plain(draft.error, 1_000),
            "variables": draft.variables,
            "is_changed": self._is_changed(draft),
            "needs_name": self.name is None,
        }

    def _trial_row(self, column: Column, row: Input) -> Message:
        trial, revs = self._trials[column.ident, row.ident]
        return {
            "column": column.ident,
            "input": row.ident,
            "is_stale": revs != (column.rev, row.rev),
            "output": None if trial.output is None else plain(trial.output, SHOWN),
            "calls": [[plain(name, 200), plain(arguments, SHOWN)] for name, arguments in trial.tool_calls],
            "error": None if trial.error is None else plain(trial.error, 2_000),
            "error_kind": trial.error_kind,
            "model": plain(trial.model, 200),
            "latency_ms": trial.latency_ms,
            "input_tokens": trial.input_tokens,
            "output_tokens": trial.output_tokens,
            "cost_usd": trial.cost_usd,
            "finish_reason": trial.finish_reason,
            "is_cached": trial.is_cached,
            "trace_id": trial.trace_id,
        }

    def _words(self, column: Column, row: Input) -> str:
        found = self._trials.get((column.ident, row.ident))
        if found is None:
            return ""
        trial = found[0]
        if trial.error is not None:
            return f"error: {trial.error}"
        said = (
            trial.output
            if trial.output is not None
            else ", ".join(f"{name}({args})" for name, args in trial.tool_calls)
        )
        facts = [
            duration(trial.latency_ms),
            "" if trial.input_tokens is None else f"{trial.input_tokens:,} tokens in",
            "" if trial.output_tokens is None else f"{trial.output_tokens:,} out",
            money(trial.cost_usd),
        ]
        return f"{said} ({', '.join(fact for fact in facts if fact)})"


_HANDLERS: Final = handlers_of(PlaygroundController)
