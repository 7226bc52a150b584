"""``ws.evals``: the evaluations with their explorer, which every comparison is shown by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lmops.evals import Evals

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lmops.evals import Comparison, Run
    from lmops.widgets.evals.controller import EvalExplorerController
    from lmops.widgets.evals.explorer import EvalExplorer


class BrowsableEvals(Evals):
    """The evaluations with their view: bound here, so that no phase imports one."""

    def explore(
        self,
        run: Run | str,
        *others: Run | str,
        scorer: str | None = None,
        pass_at: float | Mapping[str, float] | None = None,
        height: int = 640,
    ) -> EvalExplorer:
        """Return the eval explorer: runs by cases, what became worse, outputs side by side; press ? for the keys.

        What is done in it is a Python value: ``.selected``, ``.selected_ids``, ``.df()``, ``.where``. The
        examples of marked cases go into a dataset by the key a, the cases into a queue by the key l. In a runbook, in
        an exported or untrusted notebook and without anywidget the same call shows a table, the worst regressions
        first.

        Args:
            run: The run that is judged, its id, or the name of its experiment.
            others: Up to four runs that it is compared with, the baseline first.
            scorer: The scorer to look at first; by default the one by which most cases became worse.
            pass_at: From which score on a case passes, one for all scorers or by name; by default the middle of the
                scale.
            height: Height in pixels.

        Raises:
            NotFoundError: There is no such run or scorer.
            UsageError: A run is given twice, or there are more than five.
        """
        from lmops.widgets.evals.explorer import EvalExplorer

        runs = [self._as_run(one) for one in (run, *others)]
        return EvalExplorer(self._explorer(runs, scorer=scorer, pass_at=pass_at), height=height)

    def _with_view(self, found: Comparison) -> Comparison:
        def make() -> EvalExplorer:
            from lmops.widgets.evals.explorer import EvalExplorer

            return EvalExplorer(self._explorer([found.a, found.b], comparison=found), height=640)

        return found.viewed_by(make)

    def _explorer(
        self,
        runs: Sequence[Run],
        *,
        scorer: str | None = None,
        pass_at: float | Mapping[str, float] | None = None,
        comparison: Comparison | None = None,
    ) -> EvalExplorerController:
        from lmops.evals.boards import CaseSource
        from lmops.widgets.evals.controller import EvalExplorerController
        from lmops.widgets.kit.actions import add_examples, send_to_labeling, unless_read_only

        datasets, source = self._host.datasets, CaseSource(self._store, self._host.datasets, runs)
        names = {name for one in runs for name in one.scorers}
        return EvalExplorerController(
            source,
            scorer=scorer,
            comparison=comparison,
            pass_at=dict.fromkeys(names, pass_at) if isinstance(pass_at, int | float) else pass_at,
            trace=self._host.traces.get,
            actions=unless_read_only(
                {
                    "dataset": add_examples(datasets, source.examples.get),
                    "labeling": send_to_labeling(lambda: self._host.feedback, takes="cases"),
                },
                is_read_only=self._store.is_read_only,
            ),
        )
