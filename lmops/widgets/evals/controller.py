"""What the eval explorer knows and does, without any widget: which cases are shown, one in full, what is marked."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from lmops.errors import LmopsError, NotFoundError, UsageError, did_you_mean
from lmops.evals.boards import frame
from lmops.text import plain, plain_line
from lmops.widgets.evals import case as detail
from lmops.widgets.evals import rows
from lmops.widgets.evals import view as arithmetic
from lmops.widgets.evals.static import bundle
from lmops.widgets.evals.steps import read, words
from lmops.widgets.evals.view import CODES, OUTCOMES, Filter
from lmops.widgets.kit.actions import Done
from lmops.widgets.kit.list_controller import ListController
from lmops.widgets.kit.protocol import as_json, finite, integer, one_of, string
from lmops.widgets.traces import detail as traces

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from lmops.evals import Comparison
    from lmops.evals.boards import Board, Case, CaseSource, ScorerFacts
    from lmops.traces import Trace
    from lmops.widgets.kit.actions import Action
    from lmops.widgets.kit.protocol import Message

MAX_WINDOW: Final = 200
MAX_ID: Final = 2_000
MAX_SPANS: Final = 300
_PREVIEW: Final = 160
_WORDS: Final = 300
_MAX_SLICES: Final = 200


class EvalExplorerController(ListController):
    """Runs by cases: a list with cursor, marks and actions, and what all cases say together.

    Args:
        source: One to five runs.
        scorer: The scorer to look at first; by default the one with the largest loss, or the first.
        pass_at: From which value on a score passes, by scorer; the middle of its scale by default.
        actions: Name ("dataset", "labeling") -> what to do with trace ids; what is missing is shown as not there.
        trace: Returns a trace by its id.
        comparison: The first run against the second, where it is known already.
    """

    NOUN = "case"
    MAX_MARKED = 20_000

    def __init__(
        self,
        source: CaseSource,
        *,
        scorer: str | None = None,
        pass_at: Mapping[str, float] | None = None,
        actions: Mapping[str, Action] | None = None,
        trace: Callable[[str], Trace] | None = None,
        comparison: Comparison | None = None,
    ) -> None:
        super().__init__(actions)
        self._source = source
        self._trace = trace
        self._pass_at: dict[str, float | None] = dict(pass_at or {})
        self._comparisons: dict[tuple[int, int], Comparison | str] = {} if comparison is None else {(0, 1): comparison}
        self._read()
        for name in self._pass_at:
            self._check_scorer(name)
        if scorer is not None:
            self._check_scorer(scorer)
        b = 1 if len(self.board.runs) > 1 else None
        self._filter = Filter(scorer="", b=b)
        self._show(self._with_scorer(self._filter, self._first() if scorer is None else scorer))

    def __repr__(self) -> str:
        """Say what is shown."""
        return f"<EvalExplorerController {self.total:,} of {len(self.board.ids):,} cases, {self.words}>"

    def _read(self) -> None:
        """Read the runs, and what is known of their examples."""
        self.board: Board = self._source.board()
        self._place = {example_id: row for row, example_id in enumerate(self.board.ids)}
        examples = self._source.examples
        self._examples = [examples.get(example_id) for example_id in self.board.ids]
        self._previews = [detail.preview_of(None if one is None else one.input)[:2_000] for one in self._examples]
        self._haystack = [f"{one} {text}".lower() for one, text in zip(self.board.ids, self._previews, strict=True)]
        self._groups = arithmetic.groups_of(self._examples)
        self._labels = arithmetic.labels_of(self._examples)
        clusters = [None if one is None else one.cluster for one in self._examples]
        self._clusters = clusters if any(one is not None for one in clusters) else None
        self._scorers = {one.name: one for one in self.board.scorers}
        self._outputs: dict[str, dict[str, tuple[str | None, str | None]]] | None = None
        self._called: dict[str, dict[str, str | None]] | None = None
        self._said: tuple[object, frozenset[str]] | None = None

    # -- Python's side ---------------------------------------------------------------------------------------------

    @property
    def total(self) -> int:
        """How many cases are shown."""
        return len(self.order)

    @property
    def filter(self) -> Filter:
        """Which cases are shown, and how."""
        return self._filter

    @property
    def where(self) -> dict[str, Any]:
        """The filter as a plain record; give a part of one to change what is shown."""
        return self._filter.as_dict([run.label for run in self.board.runs])

    @where.setter
    def where(self, where: Mapping[str, Any]) -> None:
        if not isinstance(where, dict):
            raise UsageError(f"where: give a record such as {{'regressions': True}}; this is {type(where).__name__}")
        self._show(self._changed(dict(where)))
        self.on_change(self.state("filter"))

    @property
    def words(self) -> str:
        """The runs and the filter in words."""
        chosen = self._filter
        a = self.board.runs[chosen.a].label
        said = [a if chosen.b is None else f"{a} against {self.board.runs[chosen.b].label}"]
        said += [f"by {chosen.scorer}"] if chosen.scorer else []
        said += ["only regressions"] if chosen.regressions else []
        said += ["only flips"] if chosen.flips else []
        said += [f"{chosen.slice[0]} = {chosen.slice[1]}"] if chosen.slice else []
        if chosen.cell:
            which, row, column = chosen.cell
            told = {"runs": f"{row} before, {column} now", "run": column}
            said.append(told.get(which, f"{which} {row}, judged {column}"))
        said += [f"with {chosen.text!r}"] if chosen.text else []
        said += [f"answers or reasons with {chosen.said!r}"] if chosen.said else []
        worst = "worst regressions first" if chosen.b is not None else "worst first"
        said += [worst] if chosen == arithmetic.worst_first(chosen, self._scorer) else []
        return plain_line(", ".join(said), _WORDS)

    @property
    def comparison(self) -> Comparison | None:
        """Run a against run b, with intervals and verdicts; None for one run, or where nothing can be compared."""
        found = self._compared()
        return found if found is not None and not isinstance(found, str) else None

    @property
    def selected(self) -> Case | None:
        """The case under the cursor; None when no row was chosen."""
        return None if self.cursor is None else self._source.case(self.cursor)

    @property
    def shown_runs(self) -> list[int]:
        """The places of the runs from left to right: what is compared with first, what is judged last."""
        ends = [one for one in (self._filter.b, self._filter.a) if one is not None]
        others = [place for place in range(len(self.board.runs)) if place not in ends]
        return [*ends[:-1], *others, ends[-1]]

    def preview(self, place: int) -> str:
        """Return the start of the input of a row of the board."""
        return self._previews[place]

    def output(self, run: int, example_id: str) -> str:
        """Return what a run answered to an example the first time; the error where it failed."""
        if self._outputs is None:
            self._outputs = self._source.outputs()
        output, error = self._outputs[self.board.runs[run].run_id].get(example_id, (None, None))
        return output if output is not None else f"failed: {error}" if error else ""

    def steps(self, place: int) -> str:
        """Return the calls of tools of a row of the board in a line: those of run a beside those of run b."""
        if self._called is None:
            self._called = self._source.called()
        chosen, called, example_id = self._filter, self._called, self.board.ids[place]
        made = [
            None if at is None else called[self.board.runs[at].run_id].get(example_id) for at in (chosen.b, chosen.a)
        ]
        return words(read(made[0]), read(made[1]))

    def df(self) -> pd.DataFrame:
        """Return the cases shown in their order: input, expected, scores and outputs by run, change, flip."""
        chosen, places = self._filter, self.order.tolist()
        ids = [self.board.ids[place] for place in places]
        examples = [self._examples[place] for place in places]
        made: dict[str, list[Any]] = {
            "example_id": ids,
            "input": [None if one is None else one.input for one in examples],
            "expected": [None if one is None else one.expected for one in examples],
        }
        for run in self.shown_runs:
            label = self.board.runs[run].label
            if chosen.scorer:
                made[label] = self.board.scores[chosen.scorer][places, run].tolist()
        if chosen.b is not None:
            made["change"] = self.columns.change[places].tolist()
            made["flip"] = [self.columns.word(place) for place in places]
        for run in self.shown_runs:
            made[f"output {self.board.runs[run].label}"] = [self.output(run, one) or None for one in ids]
        return frame(made)

    def bundle(self) -> dict[str, str]:
        """Return the static forms by their media types."""
        return bundle(self)

    # -- the page's side -------------------------------------------------------------------------------------------

    def state(self, reason: str) -> Message:
        """Return everything a view needs to show the same as the others."""
        chosen, seen = self._filter, self.columns
        state: Message = as_json(
            {
                "kind": "state",
                **self._selection(),
                "rev": self._rev,
                "reason": reason,
                "runs": rows.run_rows(self.board),
                "shown": self.shown_runs,
                "scorers": [self._scorer_row(one) for one in self.board.scorers],
                **{
                    name: getattr(chosen, name)
                    for name in (
                        "scorer",
                        "a",
                        "b",
                        "pass_at",
                        "regressions",
                        "flips",
                        "text",
                        "said",
                        "sort",
                        "descending",
                    )
                },
                "cell": None if chosen.cell is None else list(chosen.cell),
                "slice": None if chosen.slice is None else list(chosen.slice),
                "total": self.total,
                "all": len(self.board.ids),
                "worse": int(seen.is_worse.sum()),
                "lower": int((seen.change < 0).sum()),
                "better": int((seen.change > 0).sum()),
                "lost": int((seen.flip < 0).sum()),
                "gained": int((seen.flip > 0).sum()),
                "is_verdict": rows.is_verdict(self.board, chosen.scorer),
                "actions": self._action_rows(),
            }
        )
        return state

    def _scorer_row(self, scorer: ScorerFacts) -> Message:
        chosen = self._with_scorer(self._filter, scorer.name)
        seen = arithmetic.columns(self.board, chosen, scorer)
        return rows.scorer_row(self.board, scorer, seen, [] if chosen.b is None else [chosen.a, chosen.b])

    def _on_window(self, message: Message) -> Message:
        self._check_rev(message)
        start, count = integer(message, "start", 0, 2**53), integer(message, "count", 1, MAX_WINDOW)
        places = self.order[start : start + count].tolist()
        return {"kind": "window", "rev": self._rev, "start": start, "rows": [self._row(place) for place in places]}

    def _row(self, place: int) -> list[Any]:
        """Return [id, start of the input, a cell per run, change]; a cell is a number, or why there is none.

        The change is [a - b, flip, whether one run alone has a score, whether it is a loss].
        """
        seen = self.columns
        alone, is_worse = int(seen.alone[place]), bool(seen.is_worse[place])
        change = [rows.rounded(float(seen.change[place])), int(seen.flip[place]), alone, is_worse]
        is_pair = self._filter.b is not None
        cells = rows.cells(self.board, self._filter.scorer, place, self.shown_runs)
        return [
            self.board.ids[place],
            plain_line(self._previews[place], _PREVIEW),
            *cells,
            *([change] if is_pair else []),
        ]

    def _on_filter(self, message: Message) -> Message:
        change: dict[str, Any] = {name: message[name] for name in _PARTS if name in message}
        if "clear" in message:
            change = {"regressions": False, "flips": False, "cell": None, "slice": None, "text": "", "said": ""}
        self._show(self._changed(change))
        return self.state("filter")

    def _on_case(self, message: Message) -> Message:
        chosen, runs = self._filter, self.board.runs
        case = self._source.case(string(message, "case_id", MAX_ID))
        b = None if chosen.b is None else runs[chosen.b].run_id
        found = detail.message(case, runs[chosen.a].run_id, b, integer(message, "repeat", 0, 2**31))
        return {**found, "rev": self._rev}

    def _on_panels(self, message: Message) -> Message:
        """Return the matrices and slices of the cases that match everything but the cell or slice itself."""
        self._check_rev(message)
        chosen, seen = self._filter, self.columns
        matrices = []
        keep = self._matching("cell")
        if chosen.b is not None:
            matrices.append({"name": "runs", "counts": arithmetic.matrix(seen.passes_b, seen.passes_a, keep)})
        else:
            matrices.append({"name": "run", "counts": arithmetic.matrix(seen.passes_a, seen.passes_a, keep)})
        for name, said in self._labels.items():
            counts = arithmetic.matrix(said, seen.passes_a, keep)
            rates = arithmetic.agreement(said[keep], seen.passes_a[keep])
            matrices.append({"name": f"label:{name}", "counts": counts, "rates": rates})
        is_pair = chosen.b is not None
        parts = arithmetic.slices(seen, self._groups, self._matching("slice"), self._clusters, is_pair=is_pair)
        recorded = self.board.runs[chosen.a].task_kind == "recorded"
        return {
            "kind": "panels",
            "rev": self._rev,
            "matrices": matrices if chosen.pass_at is not None else [],
            "slices": [list(part) for part in parts[:_MAX_SLICES]],
            "labels_fit": recorded,
            "differences": rows.difference_rows(self.comparison),
            "notes": [plain(one, 1_000) for one in self.notes],
            "means": [] if is_pair else rows.mean_rows(self._source.summary(chosen.a)),
        }

    def _on_trace(self, message: Message) -> Message:
        if self._trace is None:
            raise UsageError("traces cannot be read here")
        found = self._trace(string(message, "trace_id", 64))
        tree = found.tree[:MAX_SPANS]
        return {
            "kind": "trace",
            "head": traces.head(found),
            "tree": traces.rows(tree, found.start_ns, 0),
            "depths": [span.depth for span in tree],
            "left_out": len(found) - len(tree),
        }

    def _act(self, action: Action, ids: list[str], answers: tuple[str, ...]) -> str | Done:
        """Do something with cases of the judged run, with their examples, or with the traces that there are of them."""
        run = self.board.runs[self._filter.a]
        if action.takes == "examples":
            return action.run(ids, *answers)
        if action.takes == "cases":
            return action.run(self._source.cases(run.run_id, ids), *answers)
        found = self._source.trace_ids(run.run_id, ids)
        if not found:
            raise UsageError(
                f"run {run.run_id} has no traces of these cases: ws.evals.run(..., tracing=True) makes some"
            )
        missing = len(ids) - len(found)
        rest = f"; {missing:,} without a trace left out" if missing else ""
        done = action.run([found[one] for one in ids if one in found], *answers)
        return replace(done, message=done.message + rest) if isinstance(done, Done) else done + rest

    # -- inside ----------------------------------------------------------------------------------------------------

    @property
    def _scorer(self) -> ScorerFacts | None:
        return self._scorers.get(self._filter.scorer)

    def _check_scorer(self, name: str) -> None:
        if name not in self._scorers:
            raise NotFoundError.of("scorer of these runs", name, list(self._scorers))

    def _first(self) -> str:
        """Return the scorer with the largest share of losses, the first one where none lost."""
        names = list(self._scorers)
        if not names or self._filter.b is None:
            return names[0] if names else ""
        losses = {
            name: int(arithmetic.columns(self.board, self._with_scorer(self._filter, name), one).is_worse.sum())
            for name, one in self._scorers.items()
        }
        return max(names, key=lambda name: losses[name])

    def _with_scorer(self, chosen: Filter, name: str) -> Filter:
        """Return a filter that looks at another scorer; a cell or order of the old one would mean something else."""
        scorer = self._scorers.get(name)
        if scorer is None:
            return replace(chosen, scorer="", pass_at=None)
        return arithmetic.worst_first(replace(chosen, scorer=name, pass_at=self._mark(scorer), cell=None), scorer)

    def _mark(self, scorer: ScorerFacts) -> float | None:
        """Return from which value on a score passes: as it was said, else as its scale has it."""
        name = scorer.name
        return self._pass_at[name] if name in self._pass_at else arithmetic.threshold(self.board, scorer)

    def _changed(self, change: dict[str, Any]) -> Filter:
        """Return the filter with some parts changed, all of them checked."""
        for name in change:
            if name not in _PARTS:
                raise UsageError(did_you_mean("part of the filter", str(name), _PARTS))
        chosen = self._with_pair(self._filter, change)
        if "scorer" in change and change["scorer"] != chosen.scorer:
            one_of(change, "scorer", self._scorers)
            chosen = self._with_scorer(chosen, change["scorer"])
        if "pass_at" in change:
            value = None if change["pass_at"] is None else float(finite(change, "pass_at"))
            self._pass_at[chosen.scorer] = value
            chosen = replace(chosen, pass_at=value, cell=None, flips=chosen.flips and value is not None)
        check: dict[str, Callable[[Any], Any]] = {
            "regressions": bool,
            "flips": bool,
            "descending": bool,
            "cell": self._cell,
            "slice": self._slice,
            "text": lambda _: string(change, "text", 1_000).strip(),
            "said": lambda _: string(change, "said", 1_000).strip(),
            "sort": lambda _: one_of(change, "sort", self._orders),
        }
        chosen = replace(chosen, **{name: look(change[name]) for name, look in check.items() if name in change})
        needs_pair = [name for name in ("regressions", "flips") if getattr(chosen, name)]
        if chosen.b is None and needs_pair:
            raise UsageError(f"{needs_pair[0]}: there is one run only; ws.evals.explore(run, baseline) shows two")
        if chosen.pass_at is None and chosen.flips:
            raise UsageError(
                f"flips: {chosen.scorer or 'nothing'} has no value from which on a case passes; give pass_at"
            )
        return chosen

    @property
    def _orders(self) -> list[str]:
        return ["change", "case", *(f"run:{place}" for place in range(len(self.board.runs)))]

    def _with_pair(self, chosen: Filter, change: dict[str, Any]) -> Filter:
        """Return a filter of another pair of runs, the worst cases first."""
        if "a" not in change and "b" not in change:
            return chosen
        a, b = (self._run_of(change[name]) if name in change else getattr(chosen, name) for name in ("a", "b"))
        if a is None or a == b:
            raise UsageError("choose two runs: a is judged, b is what it is compared with")
        return arithmetic.worst_first(replace(chosen, a=a, b=b, cell=None), self._scorer)

    def _run_of(self, asked: object) -> int | None:
        """Return the place of a run that is named by place, id or label."""
        runs = self.board.runs
        if asked is None:
            return None
        if isinstance(asked, int) and not isinstance(asked, bool) and 0 <= asked < len(runs):
            return asked
        for place, run in enumerate(runs):
            if asked in (run.run_id, run.label):
                return place
        raise NotFoundError.of("run that is shown", str(asked), [run.label for run in runs])

    def _cell(self, asked: object) -> tuple[str, str, str] | None:
        if asked is None:
            return None
        known = ["run" if self._filter.b is None else "runs"] + [f"label:{name}" for name in self._labels]
        if not isinstance(asked, list | tuple) or len(asked) != 3 or asked[0] not in known:
            raise UsageError(f"cell: give [matrix, row, column], the matrix one of {', '.join(known) or 'none'}")
        if asked[1] not in CODES or asked[2] not in CODES:
            raise UsageError(f"cell: rows and columns are {', '.join(OUTCOMES.values())}")
        return (asked[0], asked[1], asked[2])

    def _slice(self, asked: object) -> tuple[str, str] | None:
        if asked is None:
            return None
        pair = next(iter(asked.items()), ("", "")) if isinstance(asked, dict) else asked
        if not isinstance(pair, list | tuple) or len(pair) != 2:
            raise UsageError("slice: give {key: value}, such as {'language': 'de'}")
        key, value = str(pair[0]), str(pair[1])
        if key not in self._groups:
            raise NotFoundError.of("key to slice by", key, list(self._groups))
        if value not in self._groups[key]:
            raise NotFoundError.of(f"value of {key}", value, list(self._groups[key]))
        return (key, value)

    def _matching(self, without: str = "") -> NDArray[np.bool_]:
        return arithmetic.matching(
            self.board,
            self._filter,
            self.columns,
            groups=self._groups,
            labels=self._labels,
            haystack=self._haystack,
            saying=self._saying(),
            without=without,
        )

    def _saying(self) -> frozenset[str] | None:
        """Return the examples of which the runs that are looked at say the words; None where none are asked for."""
        chosen = self._filter
        words = tuple(chosen.said.lower().split())
        if not words:
            return None
        runs = [self.board.runs[place].run_id for place in (chosen.a, chosen.b) if place is not None]
        asked = (words, tuple(runs))
        if self._said is None or self._said[0] != asked:
            self._said = (asked, self._source.saying(words, runs))
        return self._said[1]

    def _show(self, chosen: Filter) -> None:
        """Put a new list in the place of the old one."""
        import numpy as np

        self._filter = chosen
        self.columns = arithmetic.columns(self.board, chosen, self._scorer)
        self.order = arithmetic.ordered(self.board, chosen, self.columns, self._matching())
        self._rank = np.full(len(self.board.ids), -1)
        self._rank[self.order] = np.arange(len(self.order))
        self._rev += 1

    def _refresh(self) -> None:
        self._comparisons.clear()
        self._read()
        self._marked = {one: None for one in self._marked if one in self._place}
        self.cursor = self.cursor if self.cursor in self._place else None
        scorer = self._scorer
        self._show(self._filter if scorer is None else replace(self._filter, pass_at=self._mark(scorer)))

    def _place_of(self, example_id: str) -> int | None:
        row = self._place.get(example_id)
        return None if row is None or self._rank[row] < 0 else int(self._rank[row])

    @property
    def _found_by(self) -> object:
        return replace(self._filter, sort="", descending=False)

    def _all_ids(self) -> list[str]:
        return [self.board.ids[place] for place in self.order.tolist()]

    def _is_id(self, value: object) -> bool:
        return isinstance(value, str) and len(value) <= MAX_ID

    def _is_known(self, example_id: str) -> bool:
        return example_id in self._place

    def _compared(self) -> Comparison | str | None:
        """Return the comparison of the pair, or why there is none; made when it is first asked for."""
        chosen = self._filter
        if chosen.b is None:
            return None
        pair = (chosen.a, chosen.b)
        if pair not in self._comparisons:
            try:
                self._comparisons[pair] = self._source.compare(*pair)
            except LmopsError as error:
                self._comparisons[pair] = str(error)
        return self._comparisons[pair]

    @property
    def notes(self) -> list[str]:
        """What a reader has to know: of the comparison, and of judges that nobody compared."""
        found = self._compared()
        if found is None or isinstance(found, str):
            notes = self._source.doubts()
        else:  # what only one run scored stands beside its scorer
            notes = [note for note in found.notes if note not in found.alone]
        if isinstance(found, str):
            notes.insert(0, found)
        datasets = {run.dataset for run in self.board.runs}
        if len(datasets) > 1 and len(self.board.runs) > 2:
            notes.append(f"the runs are on different datasets: {', '.join(sorted(datasets))}")
        return notes


_PARTS: Final = (
    "scorer",
    "a",
    "b",
    "pass_at",
    "regressions",
    "flips",
    "cell",
    "slice",
    "text",
    "said",
    "sort",
    "descending",
)
