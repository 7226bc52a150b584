"""What the trace browser can do with traces beside showing them; each phase that can gives it an action."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

#: action -> (label, what its tooltip says when nobody gave one, while the phase is not there)
KNOWN: Final = {
    "dataset": ("dataset", "datasets are not part of this installation"),
    "labeling": ("label", "labeling comes with a later version of lmops"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """Something to do with the traces that are marked, or with the one that is open.

    Args:
        run: Takes trace ids and what was answered, returns one sentence for the status line; what it raises is shown.
        asks: What the reader is asked for first, such as "dataset"; empty when nothing is asked.
        choices: Answers to offer, asked for when the question is shown.
        of_examples: In a view of cases, whether it takes the ids of examples in place of those of traces.
    """

    run: Callable[[list[str], str], str]
    asks: str = ""
    choices: Callable[[], Sequence[str]] = tuple
    of_examples: bool = False


class _Version(Protocol):
    @property
    def ref(self) -> str: ...


class Datasets(Protocol):
    """What adding to a dataset needs: ``ws.datasets``."""

    def add_traces(self, name: str, traces: list[str], /) -> _Version:
        """Return the version of the dataset that has these traces as well."""

    def add(self, name: str, data: list[Any], /) -> _Version:
        """Return the version of the dataset that has these examples as well."""

    def list(self) -> Any:
        """Return a frame with the ``name`` of each dataset."""


def add_examples(datasets: Datasets, find: Callable[[str], Any]) -> Action:
    """Return the action that copies examples, with all they have, into a dataset whose name the reader gives.

    Args:
        datasets: Where it is.
        find: Returns the example with an id.
    """

    def run(example_ids: list[str], name: str) -> str:
        version = datasets.add(name, [find(one) for one in example_ids])
        count = f"{len(example_ids):,} example{'' if len(example_ids) == 1 else 's'}"
        report = getattr(version, "report", None)
        is_new = report is None or report.is_new
        return f"added {count} to {version.ref}" if is_new else f"{version.ref} had {count} already"

    return Action(run=run, asks="dataset", choices=lambda: _names(datasets), of_examples=True)


def _names(datasets: Datasets) -> list[str]:
    return [str(name) for name in datasets.list()["name"]]


def add_to_dataset(datasets: Datasets) -> Action:
    """Return the action that adds traces to a dataset whose name the reader gives."""

    def run(trace_ids: list[str], name: str) -> str:
        version = datasets.add_traces(name, trace_ids)
        report = getattr(version, "report", None)
        left_out = () if report is None else report.skipped
        added = len(trace_ids) - len(left_out)
        count = f"{added:,} trace{'' if added == 1 else 's'}"
        why = f"; {len(left_out):,} left out: {left_out[0][1]}" if left_out else ""
        is_new = report is None or report.is_new
        return f"{f'added {count} to {version.ref}' if is_new else f'{version.ref} had {count} already'}{why}"

    return Action(run=run, asks="dataset", choices=lambda: _names(datasets))
