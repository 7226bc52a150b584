"""Every text and every edge of a control can be seen, in JupyterLab's light and dark theme: WCAG 2.2 AA."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.page_themes import THEMES
from tests.widgets.prompt_samples import saved

AUDIT = Path(__file__).with_name("contrast.js").read_text("utf-8")


def faint(page, theme):
    """Return what stands out too little: texts below 4.5, icons and edges of fields below 3."""
    page.evaluate(
        """([name, values]) => { for (const [key, value] of Object.entries(values))
        document.body.style.setProperty(`--${key}`, value);
        document.body.dataset.jpThemeLight = name === "light";
        document.body.style.background = values["jp-layout-color0"];
        document.body.style.colorScheme = name; }""",
        [theme, THEMES[theme]],
    )
    return page.evaluate(AUDIT)


def clear(s):
    for theme in THEMES:
        assert faint(s.page, theme) == {}, theme


@pytest.fixture
def ws(tmp_path, conversation):
    import lmops

    with lmops.open(tmp_path / ".lmops", actor="ada") as found:
        found.store.load(spans=[row for i in range(12) for row in conversation(i)])
        yield found


def test_traces(stage, controller):
    """The list with what is filtered and marked, and a trace."""
    s = stage(controller(), width=1400)
    s.root.focus()
    s.press("j", "m", "j", "Enter")
    s.page.wait_for_selector(".lm-pane[data-ready=true]")
    clear(s)


def test_the_playground(stage, ws):
    """Inputs, an error, a draft."""
    from lmops.widgets.prompts.playground_controller import PlaygroundController

    async def refuse(*_args, **_more):
        raise ConnectionError("no route")

    c = PlaygroundController(saved(ws).prompts, "support-answer", complete=refuse, inputs=[{"question": "My dog?"}])
    s = stage(c, name="prompts/playground")
    s.controller.on_change = lambda _message: None
    s.root.focus()
    s.press("e")
    s.page.wait_for_selector(".lm-draft-messages textarea")
    c.run()
    s.push(c.state("done"))
    s.page.wait_for_selector(".lm-play-error")
    clear(s)


def test_diff_and_comparison(stage, ws):
    from lmops.prompts import Prompts
    from lmops.widgets.prompts.compare_controller import PromptCompareController
    from lmops.widgets.prompts.diff_controller import PromptDiffController

    saved(ws)
    s = stage(PromptDiffController(ws.prompts, Prompts.diff(ws.prompts, "support-answer", 1, 3)), name="prompts/diff")
    s.page.wait_for_selector(".lm-diff-section[data-filled]")
    s.root.focus()
    s.press("n")
    s.page.get_by_label("roll back").click()
    clear(s)
    s = stage(
        PromptCompareController(ws.prompts, Prompts.compare(ws.prompts, "support-answer", [1, 2])),
        name="prompts/compare",
    )
    clear(s)


def test_evaluations(stage, ws):
    from tests.widgets.eval_samples import evaluated

    s = stage(ws.evals._explorer(list(evaluated(ws))), name="evals/explorer", width=1400)
    s.page.wait_for_selector(".lm-overview[data-rev]")
    clear(s)
    s.root.focus()
    s.press("j", "Enter")
    s.page.wait_for_selector(".lm-case[data-case]")
    clear(s)


def test_labeling(stage, ws):
    ws.feedback.schemas.save("support", criteria="Would a customer be helped?")
    ws.feedback.queue("q", [f"{i + 1:032x}" for i in range(5)], schema="support")
    s = stage(ws.feedback.label("q", rater="ann")._controller, name="feedback/labeler", height=640)
    s.page.wait_for_selector(".lm-role-answer")
    s.root.focus()
    s.press("L")
    s.page.wait_for_selector(".lm-list-row")
    clear(s)


def test_themes_and_the_button(stage, ws):
    from lmops.widgets.feedback.themes_controller import ThemesController
    from tests.feedback.notes import noted

    made = noted(ws)
    made.make("invents fares", made.df()["note"].tolist()[:3])
    s = stage(ThemesController(made), name="feedback/themes")
    clear(s)
    s = stage(ws.feedback.button(f"{1:032x}", user=None)._controller, name="feedback/button")
    clear(s)
