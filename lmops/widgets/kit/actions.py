"""What a list can do with its rows beside showing them; each phase that can gives it an action."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

from lmops.errors import UsageError
from lmops.widgets.kit.planned import LOOKED_AT, Plan, mapping_of, plan_of
from lmops.widgets.kit.static import is_for_visitors

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

#: action -> its label; one that nobody gave is not shown
KNOWN: Final = {"dataset": "dataset", "labeling": "label"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What came of an action.

    Args:
        message: One sentence for the status line.
        undo: Takes it back, and returns a sentence; None where there is nothing to take back.
    """

    message: str
    undo: Callable[[], str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Also:
    """A second question, answered by one of a few words.

    Args:
        asks: What for, such as "schema".
        choices: Answer -> what it says on the page; the first one is meant where nothing is chosen.
        fixed: First answer -> the answer that it brings with it, so that nothing is chosen.
    """

    asks: str
    choices: Mapping[str, str]
    fixed: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """Something to do with the rows that are marked, with the one that is open, or with all of the list.

    Args:
        run: Takes rows and what was answered, one answer or both; returns what came of it; what it raises is shown.
        asks: What the reader is asked for first, such as "dataset"; empty when nothing is asked.
        choices: Answers to offer, asked for when the question is shown.
        also: What is asked beside it.
        plan: Takes rows and a mapping as it was typed; returns what would be done, before anything is asked.
        maps: Whether fields can be taken from places that the reader names; ``run`` then takes what was typed, last.
        takes: What the rows are in a view of cases: the ids of their traces, of their examples, or the cases as records
            with run_id, example_id, repeat and trace_id.
        refused: Why it cannot be done here, such as in a store that is open read-only; empty where it can.
    """

    run: Callable[..., str | Done]
    asks: str = ""
    choices: Callable[[], Sequence[str]] = tuple
    also: Callable[[], Also] | None = None
    plan: Callable[[list[Any], str], Plan] | None = None
    maps: bool = False
    takes: Literal["traces", "examples", "cases"] = "traces"
    refused: str = ""


def refusal(*, is_read_only: bool, is_named: bool = False) -> str:
    """Return why nothing can be changed here; "" where it can.

    Args:
        is_read_only: The store is open for reading alone.
        is_named: Who visits a page says who they are, so that they may.
    """
    if is_for_visitors() and not is_named:
        return "this page is for reading"
    return "this store is open read-only" if is_read_only else ""


def unless_read_only(actions: Mapping[str, Action], *, is_read_only: bool) -> dict[str, Action]:
    """Return the actions: refused in a store that is open for reading alone, none on a page for visitors."""
    if is_for_visitors():
        return {}
    why = refusal(is_read_only=is_read_only)
    return {name: replace(action, refused=why) for name, action in actions.items()}


class _Version(Protocol):
    @property
    def ref(self) -> str: ...


class Datasets(Protocol):
    """What adding to a dataset needs: ``ws.datasets``."""

    def add_traces(self, name: str, traces: list[str], /, *, map: Mapping[str, str] | None = ...) -> _Version:
        """Return the version of the dataset that has these traces as well."""

    def made_of(
        self, traces: list[str], /, *, map: Mapping[str, str] | None = ...
    ) -> tuple[Sequence[Any], Sequence[tuple[str, str]]]:
        """Return the examples that traces make, and the traces that make none with the reason."""

    def add(self, name: str, data: list[Any], /) -> _Version:
        """Return the version of the dataset that has these examples as well."""

    def list(self) -> Any:
        """Return a frame with the ``name`` of each dataset."""


def add_examples(datasets: Datasets, find: Callable[[str], Any]) -> Action:
    """Return the action that copies examples, with all they have, into a dataset whose name the reader gives.

    Args:
        datasets: Where it is.
        find: Returns the example with an id; None where its dataset is gone.
    """

    def found_of(example_ids: list[str]) -> list[Any]:
        missing = [one for one in example_ids if find(one) is None]
        if missing:
            shown = f"{missing[0]!r:.100}{f' and {len(missing) - 1:,} more' if missing[1:] else ''}"
            raise UsageError(f"there is no example to copy for {shown}: the dataset of these runs is not here")
        return [find(one) for one in example_ids]

    def plan(example_ids: list[str], _map: str) -> Plan:
        return plan_of(found_of(example_ids), asked=len(example_ids))

    def run(example_ids: list[str], name: str) -> str:
        version = datasets.add(name, found_of(example_ids))
        count = f"{len(example_ids):,} example{'' if len(example_ids) == 1 else 's'}"
        report = getattr(version, "report", None)
        is_new = report is None or report.is_new
        return f"added {count} to {version.ref}" if is_new else f"{version.ref} had {count} already"

    return Action(run=run, asks="dataset", choices=lambda: _names(datasets), plan=plan, takes="examples")


def _names(datasets: Datasets) -> list[str]:
    return [str(name) for name in datasets.list()["name"]]


def add_to_dataset(datasets: Datasets) -> Action:
    """Return the action that adds traces to a dataset whose name the reader gives."""

    def plan(trace_ids: list[str], map: str) -> Plan:
        places = mapping_of(map)
        found, skipped = datasets.made_of(trace_ids[:LOOKED_AT], map=places)
        why = f"{len(skipped):,} left out: {skipped[0][1]}" if skipped else ""
        return plan_of(found, asked=len(trace_ids) - len(skipped), left_out=why, places=places or {})

    def run(trace_ids: list[str], name: str, map: str = "") -> str:
        places = mapping_of(map)
        version = datasets.add_traces(name, trace_ids, **({"map": places} if places else {}))
        report = getattr(version, "report", None)
        left_out = () if report is None else report.skipped
        added = len(trace_ids) - len(left_out)
        count = f"{added:,} trace{'' if added == 1 else 's'}"
        why = f"; {len(left_out):,} left out: {left_out[0][1]}" if left_out else ""
        is_new = report is None or report.is_new
        return f"{f'added {count} to {version.ref}' if is_new else f'{version.ref} had {count} already'}{why}"

    return Action(run=run, asks="dataset", choices=lambda: _names(datasets), plan=plan, maps=True)


class Queues(Protocol):
    """What sending to labeling needs: ``ws.feedback``."""

    def queue(self, name: str, items: list[Any], /, *, schema: str | None) -> Any:
        """Return the queue that has these items as well, with how many are new."""

    @property
    def queues(self) -> Any:
        """The queues: ``list`` is a frame with name, status and schema, ``withdraw`` takes items out again."""

    @property
    def schemas(self) -> Any:
        """The label schemas: ``list`` is a frame with the ``name`` of each, ``save`` makes one."""


#: The schema that is made where none is picked: the default one, of this name.
DEFAULT_SCHEMA: Final = "pass-fail"


def send_to_labeling(feedback: Callable[[], Queues], *, takes: Literal["traces", "cases"] = "traces") -> Action:
    """Return the action that puts rows into a queue whose name the reader gives; a new one asks by a schema.

    Args:
        feedback: Returns where the queues are; asked when it is needed.
        takes: What the items are in a view of cases.
    """

    def run(items: list[Any], name: str, schema: str = "") -> Done:
        of = feedback()
        is_new = name not in _queues(of)
        if is_new and not schema:
            schema = DEFAULT_SCHEMA if DEFAULT_SCHEMA in _schemas(of) else of.schemas.save(DEFAULT_SCHEMA).name
        made = of.queue(name, items, schema=schema if is_new else None)
        known = len(items) - made.added
        count = f"{made.added:,} item{'' if made.added == 1 else 's'}"
        said = f"{count} added to {'new ' if is_new else ''}queue {name}, asked by {made.schema_ref}"
        said += f"; {known:,} {'was' if known == 1 else 'were'} in it already" if known else ""

        def undo() -> str:
            left = of.queues.withdraw(made)
            return f"took {count} out of queue {name} again: it has {left.count:,}"

        return Done(message=said, undo=undo if made.added else None)

    def also() -> Also:
        of = feedback()
        default = {"": f"{DEFAULT_SCHEMA}: pass or fail, with a critique"}
        names = {one: one for one in _schemas(of) if one != DEFAULT_SCHEMA}
        return Also(asks="schema", choices={**default, **names}, fixed=_queues(of))

    return Action(run=run, asks="queue", choices=lambda: list(_queues(feedback())), also=also, takes=takes)


def _schemas(feedback: Queues) -> list[str]:
    return [str(name) for name in feedback.schemas.list()["name"]]


def _queues(feedback: Queues) -> dict[str, str]:
    """Return the queues that take items, with the name of their schema."""
    frame = feedback.queues.list()
    rows = zip(frame["queue"], frame["status"], frame["schema"], strict=True)
    return {str(name): str(schema) for name, status, schema in rows if status == "open"}
