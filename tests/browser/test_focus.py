"""The focus stays in a view whatever key or button is pressed: what it hides, disables or replaces never loses it."""

from __future__ import annotations

import pytest

from tests.widgets.prompt_samples import saved

#: press what is meant, and say where the focus is then; "" within the view
ASIDE = """async (name) => {
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  const active = document.activeElement, root = document.querySelector('.lm-root');
  return root.contains(active) && active.checkVisibility() && !active.disabled ? '' : name;
}"""
#: the keys that the view itself lists
LISTED = """() => {
  const named = { PgUp: 'PageUp', PgDn: 'PageDown', Del: 'Delete', space: ' ' };
  for (const [sign, way] of Object.entries({ Down: '\u2193', Up: '\u2191', Right: '\u2192', Left: '\u2190' }))
    named[way] = `Arrow${sign}`;
  const all = [...document.querySelectorAll('.lm-help kbd')].map((el) => named[el.textContent] ?? el.textContent);
  return all.filter((key) => /^([!-~ ]|Arrow.*|Page.*|Enter|Delete|Backspace)$/.test(key));
}"""
#: give the focus to one of what Tab reaches, of many alike the first; its words, null after the last
REACHED = """(at) => {
  const all = [...document.querySelectorAll('.lm-root :is(button, select, summary)')];
  const kinds = new Map();
  for (const el of all.filter((one) => one.checkVisibility() && !one.disabled).reverse())
    kinds.set(`${el.parentElement.className} ${el.ariaLabel ?? el.className}`, el);
  const [words, el] = [...kinds][at] ?? [null];
  el?.focus();
  return words;
}"""


@pytest.fixture
def ws(tmp_path, conversation):
    import lmops

    with lmops.open(tmp_path / ".lmops", actor="ada") as found:
        found.store.load(spans=[row for i in range(12) for row in conversation(i)])
        yield found


def browser(ws):
    return ws.traces.browse()._controller


def diff(ws):
    from lmops.prompts import Prompts
    from lmops.widgets.prompts.diff_controller import PromptDiffController

    return PromptDiffController(saved(ws).prompts, Prompts.diff(ws.prompts, "support-answer", 1, 3))


def compare(ws):
    from lmops.prompts import Prompts
    from lmops.widgets.prompts.compare_controller import PromptCompareController

    return PromptCompareController(saved(ws).prompts, Prompts.compare(ws.prompts, "support-answer", [1, 2]))


def playground(ws):
    from lmops.widgets.prompts.playground_controller import PlaygroundController

    async def refuse(*_args, **_more):
        raise ConnectionError("no route")

    made = PlaygroundController(saved(ws).prompts, "support-answer", complete=refuse, inputs=[{"question": "My dog?"}])
    made.on_change = lambda _message: None
    return made


def explorer(ws):
    from tests.widgets.eval_samples import evaluated

    return ws.evals._explorer(list(evaluated(ws)))


def labeler(ws):
    ws.feedback.schemas.save("support", criteria="Would a customer be helped?")
    ws.feedback.queue("q", [f"{i + 1:032x}" for i in range(5)], schema="support")
    return ws.feedback.label("q", rater="ann")._controller


def themes(ws):
    from lmops.widgets.feedback.themes_controller import ThemesController
    from tests.feedback.notes import noted

    made = noted(ws)
    made.make("invents fares", made.df()["note"].tolist()[:3])
    return ThemesController(made)


def button(ws):
    return ws.feedback.button(f"{1:032x}", user=None)._controller


def incident(_ws):
    from lmops.widgets.incidents.controller import IncidentController
    from tests.widgets.incident_samples import Board

    return IncidentController(Board())


def dashboard(_ws):
    from lmops.widgets.monitors.controller import DashboardController
    from tests.widgets.monitor_samples import full

    return DashboardController(full())


def desk(_ws):
    from lmops.widgets.tools.controller import DeskController
    from tests.widgets.desk_samples import Board

    return DeskController(Board())


def rankings(ws):
    from tests.retrieval.asked import explored

    return explored(ws)._controller


VIEWS = {
    "traces/browser": browser,
    "prompts/diff": diff,
    "prompts/compare": compare,
    "prompts/playground": playground,
    "evals/explorer": explorer,
    "feedback/labeler": labeler,
    "feedback/themes": themes,
    "feedback/button": button,
    "incidents/view": incident,
    "monitors/dashboard": dashboard,
    "tools/desk": desk,
    "retrieval/explorer": rankings,
}


@pytest.mark.parametrize("name", VIEWS)
def test_no_key_and_no_button_loses_the_focus(stage, ws, name):
    """Each key twice: it opens and shuts. Each button by Enter, as a click leaves it with the button."""
    s = stage(VIEWS[name](ws), name=name)
    s.quiet()
    found = []
    keys = s.page.evaluate(LISTED)
    for key in keys:
        s.root.focus()
        for _ in range(2):
            s.press(key)
            found.append(s.page.evaluate(ASIDE, f"key {key}"))
    for at in range(150):
        s.root.focus()
        s.press("Escape")
        s.root.focus()
        label = s.page.evaluate(REACHED, at)
        if label is None:
            break
        s.press("Enter")
        found.append(s.page.evaluate(ASIDE, label))
    assert len(keys) > 4
    assert [one for one in found if one] == []
