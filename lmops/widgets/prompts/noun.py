"""``ws.prompts``: the prompts with the views of their records, and the playground."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from lmops.errors import UsageError
from lmops.prompts import Prompts
from lmops.prompts.playground import last_dataset

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lmops.datasets import Datasets
    from lmops.models import Models
    from lmops.prompts import PromptVersion
    from lmops.prompts.calls import Call
    from lmops.prompts.comparisons import PromptComparison
    from lmops.prompts.diffs import PromptDiff
    from lmops.records import Project
    from lmops.traces import Span, Traces
    from lmops.widgets.prompts.compare import PromptCompareView
    from lmops.widgets.prompts.diff import PromptDiffView
    from lmops.widgets.prompts.playground import PromptPlayground

#: So many examples of a dataset are tried at first.
_FIRST: Final = 5
_Viewed = TypeVar("_Viewed", "PromptDiff", "PromptComparison")


class Host(Protocol):
    """The part of a workspace that the views of prompts work with."""

    @property
    def project(self) -> Project:
        """The store and who acts."""

    @property
    def datasets(self) -> Datasets:
        """The datasets, for inputs to try."""

    @property
    def models(self) -> Models:
        """The models to ask."""

    @property
    def traces(self) -> Traces:
        """The traces, for a call to try again."""


class BrowsablePrompts(Prompts):
    """The prompts with their views: bound here, so that no phase imports one."""

    def __init__(self, host: Host) -> None:
        super().__init__(host.project)
        self._host = host

    def playground(
        self,
        name: str | None = None,
        *,
        versions: Sequence[int | str] | None = None,
        inputs: Sequence[Mapping[str, Any]] | str | None = None,
        span: Span | str | None = None,
        height: int = 620,
    ) -> PromptPlayground:
        """Return the playground: inputs tried on versions and models side by side, a draft to edit and to save.

        What is done in it is a Python value: ``.value``, ``.df()``, ``.saved``; ``.run()`` runs it from Python.

        Args:
            name: Name of the prompt, or one of its versions (``name@3``, ``name@production``), which is then the only
                column; of a span it is that of the span, where it is known here.
            versions: Numbers or aliases; by default the one in production and the newest one (or the one before).
            inputs: Variables by name, one mapping a row; or the name of a dataset, of which the first five are taken;
                by default the latest that traces of this prompt hold, else the first of the dataset it was evaluated
                on last.
            span: A call of a model to try again: a span of a trace, the id of one, or the id of a trace, whose last
                call is taken. Its messages, model and parameters are the draft, beside the version it was made of.
            height: Height in pixels.

        Raises:
            NotFoundError: There is no such prompt, version, alias, dataset or span.
            UsageError: Neither a name nor a span is given, the span is no call of a model, or the name says a version
                and versions are given as well.
        """
        from lmops.widgets.kit.actions import refusal
        from lmops.widgets.prompts.playground import PromptPlayground
        from lmops.widgets.prompts.playground_controller import PlaygroundController

        if name is not None and "@" in name:
            if versions is not None:
                raise UsageError(f"{name!r} says the version: give versions= the others beside it, and the name alone")
            only = self.get(name)
            name, versions = only.name, [only.version]
        models = self._host.models
        call = None if span is None else self._call(span)
        if call is not None and name is None:
            name = self._known_name(call)
        if name is None and call is None:
            raise UsageError("give the name of a prompt, or span= a call to try again: ws.prompts.list() has the names")
        rows, of_inputs = self._inputs(name, inputs, call)
        controller = PlaygroundController(
            self,
            name,
            complete=models.acomplete,
            versions=versions,
            inputs=rows,
            of_inputs=of_inputs,
            call=call,
            models=functools.partial(_names_of, models),
        )
        # a store that is read only can be tried on; visitors of a page would ask models at the cost of its owner
        return PromptPlayground(controller, height=height, refused=refusal(is_read_only=False))

    def _with_view(self, found: _Viewed, *, height: int) -> _Viewed:
        make: Any = {"PromptDiff": _diff_view, "PromptComparison": _comparison_view}[type(found).__name__]
        return found.viewed_by(functools.partial(make, self, found, height))

    def _call(self, span: Span | str) -> Call:
        from lmops.prompts.calls import call_of

        found = self._span(span) if isinstance(span, str) else span
        if found.row["kind"] != "llm":
            kind = found.row["kind"]
            raise UsageError(f"span {found.row['span_id']} is a {kind}: only a call of a model can be tried again")
        frame = self._host.models.list()
        return call_of(found, models=dict(zip(frame["name"], frame["model"], strict=True)))

    def _span(self, asked: str) -> Span:
        """Return a span by its id, or the last call of a model in the trace that has this id."""
        query = "select trace_id from spans where span_id = $id limit 1"
        rows = self._store.sql(query, {"id": asked.strip().lower()}).fetchall()
        trace = self._host.traces.get(str(rows[0][0]) if rows else asked)
        if rows:
            return trace.span(asked)
        calls = [span for span in trace.calls if span.row["kind"] == "llm"]
        if not calls:
            raise UsageError(f"trace {trace.trace_id} has no call of a model")
        return calls[-1]

    def _known_name(self, call: Call) -> str | None:
        return call.prompt[0] if call.prompt and call.prompt[0] in set(self.list()["name"]) else None

    def _inputs(
        self, name: str | None, given: Sequence[Mapping[str, Any]] | str | None, call: Call | None
    ) -> tuple[Sequence[Mapping[str, Any]], str]:
        """Return rows of variables, and where they are from."""
        from lmops.prompts.calls import recovered
        from lmops.prompts.playground import recent_inputs

        if given is not None and not isinstance(given, str):
            return given, ""
        if call is not None and given is None:
            known = {} if name is None else {str(row): row for row in self.versions(name)["version"]}
            made_of = known.get(call.prompt[1]) if call.prompt else None
            said = call.variables or (recovered(self.get(f"{name}@{made_of}").messages, call.sent) if made_of else None)
            return ([said], "of this call") if said else ((), "")
        if name is None:
            return (), ""
        version = self.get(name)
        rows = recent_inputs(self._store, version) if given is None else []
        if rows:
            return rows, "the latest from traces"
        dataset = given or self._last_dataset(name)
        return ((), "") if dataset is None else (self._first_of(dataset, version), f"the first of {dataset}")

    def _last_dataset(self, name: str) -> str | None:
        """Return the dataset that the prompt was evaluated on last, where it was a saved one."""
        found = last_dataset(self._store, name)
        saved = set(self._host.datasets.list()["name"]) if found else set()
        return found if found and found.partition("@")[0] in saved else None

    def _first_of(self, dataset: str, version: PromptVersion) -> list[dict[str, Any]]:
        """Return the first inputs of a dataset; a text is the prompt's last variable."""
        return [
            dict(one.input) if isinstance(one.input, dict) else dict.fromkeys(version.variables[-1:], one.input)
            for one in self._host.datasets.get(dataset).examples[:_FIRST]
        ]


def _diff_view(prompts: Prompts, found: PromptDiff, height: int) -> PromptDiffView:
    from lmops.widgets.prompts.diff import PromptDiffView
    from lmops.widgets.prompts.diff_controller import PromptDiffController

    return PromptDiffView(PromptDiffController(prompts, found), height=height)


def _comparison_view(prompts: Prompts, found: PromptComparison, height: int) -> PromptCompareView:
    from lmops.widgets.prompts.compare import PromptCompareView
    from lmops.widgets.prompts.compare_controller import PromptCompareController

    return PromptCompareView(PromptCompareController(prompts, found), height=height)


def _names_of(models: Models) -> list[str]:
    names: list[str] = models.list()["name"].tolist()
    return names
