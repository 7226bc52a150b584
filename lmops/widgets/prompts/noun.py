"""``ws.prompts``: the prompts with the views of their records, and the playground."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from lmops.prompts import Prompts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lmops.datasets import Datasets
    from lmops.models import Models
    from lmops.prompts.comparisons import PromptComparison
    from lmops.prompts.diffs import PromptDiff
    from lmops.records import Project
    from lmops.widgets.prompts.compare import PromptCompareView
    from lmops.widgets.prompts.diff import PromptDiffView
    from lmops.widgets.prompts.playground import PromptPlayground

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


class BrowsablePrompts(Prompts):
    """The prompts with their views: bound here, so that no phase imports one."""

    def __init__(self, host: Host) -> None:
        super().__init__(host.project)
        self._host = host

    def playground(
        self,
        name: str,
        *,
        versions: Sequence[int | str] | None = None,
        inputs: Sequence[Mapping[str, Any]] | str | None = None,
        height: int = 620,
    ) -> PromptPlayground:
        """Return the playground: inputs tried on versions and models side by side, a draft to edit and to save.

        What is done in it is a Python value: ``.value``, ``.df()``, ``.saved``; ``.run()`` runs it from Python.

        Args:
            name: Name of the prompt.
            versions: Numbers or aliases; by default the one in production and the newest one (or the one before).
            inputs: Variables by name, one mapping a row; or the name of a dataset, of which the first five are taken;
                by default the latest that traces of this prompt remember.
            height: Height in pixels.

        Raises:
            NotFoundError: There is no such prompt, version, alias or dataset.
        """
        from lmops.widgets.prompts.playground import PromptPlayground
        from lmops.widgets.prompts.playground_controller import PlaygroundController

        models = self._host.models
        controller = PlaygroundController(
            self,
            name,
            complete=models.acomplete,
            versions=versions,
            inputs=self._inputs(name, inputs) if inputs is None or isinstance(inputs, str) else inputs,
            models=functools.partial(_names_of, models),
        )
        return PromptPlayground(controller, height=height)

    def _with_view(self, found: _Viewed, *, height: int) -> _Viewed:
        make: Any = {"PromptDiff": _diff_view, "PromptComparison": _comparison_view}[type(found).__name__]
        return found.viewed_by(functools.partial(make, self, found, height))

    def _inputs(self, name: str, dataset: str | None) -> list[dict[str, Any]]:
        """Return the first inputs of a dataset (a text is the prompt's last variable), or the latest real ones."""
        from lmops.prompts.playground import recent_inputs

        variables = self.get(name).variables
        if dataset is None:
            return recent_inputs(self._store, name, variables)
        return [
            dict(one.input) if isinstance(one.input, dict) else dict.fromkeys(variables[-1:], one.input)
            for one in self._host.datasets.get(dataset).examples[:5]
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
