"""Every text and every edge of a control can be seen, in JupyterLab's light and dark theme: WCAG 2.2 AA.

On a telephone nothing of the heads and feet of a view is cut.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from plotly.offline import get_plotlyjs

from lmops.charts._drawing import drawing
from lmops.charts._ink import NOTEBOOK
from lmops.widgets.incidents.controller import IncidentController
from lmops.widgets.kit.assets import style
from lmops.widgets.monitors.controller import DashboardController
from lmops.widgets.tools.controller import DeskController
from tests.page_themes import THEMES
from tests.test_charts_drawing import FIGURES
from tests.widgets import desk_samples
from tests.widgets.incident_samples import Board
from tests.widgets.monitor_samples import full
from tests.widgets.prompt_samples import saved

AUDIT = Path(__file__).with_name("contrast.js").read_text("utf-8")
#: one of each kind: a legend, panels, marks with names beside them, lines with a band
CHARTS = ("groups", "panels", "sideways", "lines")


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


#: texts of bars, heads and feet that are cut, or stand beside their view; those that may be long end in an ellipsis
CUT = """() => {
  const { right } = document.querySelector('.lm-root').getBoundingClientRect();
  const all = [...document.querySelectorAll('.lm-root :is(.lm-bar-top, .lm-bar, .lm-diff-heads, .lm-foot) *')];
  return all.filter((el) => el.firstChild?.nodeType === 3 && el.checkVisibility()).filter((el) => {
    const box = el.getBoundingClientRect();
    for (let around = el; !around.matches('.lm-root'); around = around.parentElement) {
      const outer = around.getBoundingClientRect(), style = getComputedStyle(around);
      if (style.textOverflow === 'ellipsis' && !around.closest('.lm-foot')) return false;
      if (style.overflowX !== 'visible' && (box.right > outer.right + 1 || box.bottom > outer.bottom + 1)) return true;
    }
    return box.right > right + 1;
  }).map((el) => el.outerHTML.slice(0, 120));
}"""


def clear(s):
    for theme in THEMES:
        assert faint(s.page, theme) == {}, theme
    s.page.add_style_tag(content=style("feedback/themes.css"))  # another view on the page changes nothing in this one
    s.page.set_viewport_size({"width": 390, "height": 800})
    s.quiet()
    assert s.page.evaluate(CUT) == []


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
    assert s.root.bounding_box()["height"] < 200


def test_an_incident(stage):
    """Every kind of moment, what was done, and a dry run with its reason."""
    s = stage(IncidentController(Board()), name="incidents/view", width=1400)
    s.root.focus()
    s.press("j", "a", *"prompt=support-answer", "Enter")
    s.page.wait_for_selector("[data-act=planned]")
    clear(s)


def test_the_desk(stage):
    """A call with text that a document said, and the reason of a yes."""
    s = stage(DeskController(desk_samples.Board()), name="tools/desk", width=1400)
    s.page.wait_for_selector(".lm-desk-args")
    s.root.focus()
    s.press("y")
    clear(s)


def test_the_dashboard(stage):
    """Alerts, and tiles of every state."""
    s = stage(DashboardController(full()), name="monitors/dashboard", width=1400)
    s.root.focus()
    s.press("j", "w")
    clear(s)


def test_charts(chromium):
    """Every text of every chart, as plotly shows it and as it is drawn where no plotly is."""
    page = chromium.new_page(viewport={"width": 900, "height": 700})
    page.set_content("<body class=lm-root style='color: var(--jp-ui-font-color1)'>")
    page.add_script_tag(content=get_plotlyjs())
    for made in (FIGURES[name]() for name in CHARTS):
        page.evaluate(
            """([figure, svg]) => {
              const [live, drawn] = [0, 1].map(() => document.body.appendChild(document.createElement('div')));
              drawn.innerHTML = svg;
              return Plotly.newPlot(live, figure.data, figure.layout);
            }""",
            [json.loads(made._on_page(NOTEBOOK).to_json()), drawing(made.to_plotly_json())],
        )
    assert page.locator(".js-plotly-plot text").count() > 5 * len(CHARTS)
    for theme in THEMES:
        assert faint(page, theme) == {}, theme
    page.close()
