"""The prompt playground as a view: what Python can ask of :class:`PlaygroundController`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lmops.widgets.kit.live import Live

if TYPE_CHECKING:
    import pandas as pd

    from lmops.prompts import PromptVersion
    from lmops.prompts.playground import Trial
    from lmops.widgets.prompts.playground_controller import PlaygroundController


class PromptPlayground(Live):
    """Inputs tried on versions and models side by side, and a draft to edit and save; press ? for the keys.

    What is done in it is a Python value: ``.value``, ``.df()``, ``.saved``.

    Args:
        controller: What it shows.
        height: Height in pixels, from 240 to 4,000.
        refused: Why nothing can be tried here; empty where it can.
    """

    _place = "prompts/playground"
    _controller: PlaygroundController

    def __repr__(self) -> str:
        """Say what is tried on what."""
        return f"<PromptPlayground {self._controller.words}>"

    @property
    def value(self) -> list[Trial]:
        """The answers that are there, in the order of inputs and columns."""
        return self._controller.trials

    @property
    def saved(self) -> PromptVersion | None:
        """The version that was saved from here last; None when none was."""
        return self._controller.saved

    @property
    def is_running(self) -> bool:
        """Whether answers are still awaited."""
        return self._controller.is_running

    def df(self) -> pd.DataFrame:
        """Return one row an answer: input, prompt, model, output, error, latency_ms, tokens, cost_usd, variables."""
        return self._controller.df()

    def run(self) -> list[Trial]:
        """Try every column on every input and return the answers when all are there."""
        return self._controller.run()

    def cancel(self) -> None:
        """Stop the run; answers that are there stay."""
        self._controller.cancel()
