"""The trace browser in JupyterLab: what only the real page can show."""

# ruff: noqa: E501 - scripts of the page stand on one line
from __future__ import annotations

import pytest

OPEN = """import lmops
ws = lmops.open('../traffic', read_only=True)
b = ws.traces.browse(height=420)
b"""
ASK = "print(b.where, b.selected.trace_id if b.selected else None, b.selected_ids, len(b.df()))"
ROOT = ".lm-root[data-state=ready]"
ROW = f"{ROOT} .lm-row:not(.lm-loading)"
INSIDE = "() => document.activeElement.closest('.lm-root') !== null"


@pytest.fixture
def store(lab, conversation):
    """A store beside the notebooks."""
    from lmops.store import Store

    if not (lab.folder / "traffic").exists():
        with Store.open(lab.folder / "traffic") as found:
            found.load(spans=[row for i in range(400) for row in conversation(i)])


def opened(notebook, name, *cells):
    """Run the first cell and wait for rows."""
    nb = notebook(name, OPEN, *cells)
    nb.run(0)
    nb.page.wait_for_selector(ROW)
    return nb


def cells_of(nb):
    """Count the cells of the notebook on the page."""
    return nb.page.locator(".jp-Notebook .jp-Cell").count()


def test_what_is_done_in_the_widget_is_a_value_in_the_next_cell(store, notebook):
    """Open, filter, sort, select; then Python has all of it, and Python's filter is shown."""
    nb = opened(notebook, "values.ipynb", ASK, "b.where = \"model = 'gpt-5'\"", "b.where = 'nonsense('")
    page = nb.page
    page.click(".lm-th[data-column=status] .lm-top-error")
    page.wait_for_selector(f"{ROOT}[data-total='40'] .lm-row:not(.lm-loading)")
    page.click(".lm-th[data-column=latency_ms] .lm-sort")
    page.wait_for_selector(".lm-th[data-column=latency_ms][aria-sort=descending]")
    page.wait_for_selector(ROW)
    page.locator(".lm-row[data-index='1'] .lm-cell").nth(3).click()
    page.wait_for_selector(".lm-peek:not([hidden])")
    chosen = page.get_attribute(ROOT, "data-selected")
    nb.run(1)
    assert nb.text(1).strip() == f"status = 'error' {chosen} ['{chosen}'] 40"
    nb.run(2)
    page.wait_for_selector(f"{ROOT}[data-total='100']")
    nb.run(3)
    assert "QueryError" in nb.text(3)
    assert page.get_attribute(ROOT, "data-total") == "100"


def test_keys_stay_in_the_widget_and_ctrl_s_saves(store, notebook):
    """No key of JupyterLab's command mode fires; the notebook is saved; Escape gives the focus back."""
    nb = opened(notebook, "keys.ipynb", ASK)
    page = nb.page
    page.locator(ROOT).focus()
    keys = "b d d x m y 1 0 0 i i j j k o o l v z c h Shift+M Shift+L Enter r s s p p [ ] e t ? ? a b"
    for key in keys.split():
        page.keyboard.press(key)
        assert page.evaluate(INSIDE), key
    page.locator(f"{ROOT} [aria-label=live]").focus()
    for key in ("b", "a", "d", "d", "Shift+M"):
        page.keyboard.press(key)
        assert page.evaluate(INSIDE), key
    page.locator(ROOT).focus()
    page.wait_for_timeout(200)
    assert cells_of(nb) == 2
    nb.idle()
    outputs = nb.save()["cells"][0]["outputs"]
    assert set(outputs[0]["data"]) == {"application/vnd.jupyter.widget-view+json", "text/html", "text/plain"}
    for _ in range(5):  # one for each thing that is open
        page.keyboard.press("Escape")
        page.wait_for_timeout(200)
        if not page.evaluate(INSIDE):
            break
    page.keyboard.press("b")
    page.locator(".jp-Notebook .jp-Cell").nth(2).wait_for()
    assert cells_of(nb) == 3


def test_two_views_in_one_notebook_agree(store, notebook):
    """The same widget displayed twice shows one state; in a field keys are text."""
    nb = opened(notebook, "views.ipynb", "b", ASK)
    page = nb.page
    page.locator(ROOT).focus()
    page.keyboard.press("/")
    page.keyboard.type("status = 'error'")
    page.keyboard.press("Enter")
    page.wait_for_selector(f"{ROOT}[data-total='40']")
    page.keyboard.press("j")
    page.wait_for_selector(".lm-row.lm-cursor")
    nb.run(1)
    second = page.locator(".jp-Notebook .jp-Cell").nth(1)
    second.locator(".lm-row.lm-cursor").wait_for()
    assert second.locator(".lm-root").get_attribute("data-where") == "status = 'error'"
    second.locator(".lm-chip-close").click()
    page.locator(".jp-Notebook .jp-Cell").nth(0).locator(".lm-root[data-total='400']").wait_for()
    assert cells_of(nb) == 3
    follows_the_theme(page)


def follows_the_theme(page):
    """Background and text are those of JupyterLab, light and dark, changed while it is open."""
    colours = (
        "() => { const s = getComputedStyle(document.querySelector('.lm-root')); return [s.backgroundColor, s.color]; }"
    )
    light = page.evaluate(colours)
    page.evaluate(
        """() => { const root = document.body; root.dataset.jpThemeLight = 'false';
          for (const [k, v] of Object.entries({'--jp-layout-color1': '#212121', '--jp-ui-font-color1': 'rgba(255, 255, 255, 0.87)'}))
            document.documentElement.style.setProperty(k, v); }"""
    )
    dark = page.evaluate(colours)
    assert light[0] == "rgb(255, 255, 255)"
    assert dark == ["rgb(33, 33, 33)", "rgba(255, 255, 255, 0.87)"]


def test_a_kernel_restart_is_said_and_a_new_run_goes_on(store, notebook):
    """What was loaded stays on the page, the state is clear, and running the cell again works."""
    nb = opened(notebook, "restart.ipynb", ASK)
    page = nb.page
    page.click(
        '[data-command="notebook:restart-kernel"], [title^="Restart the kernel"], [data-jp-item-name="restart"] *'
    )
    page.locator(".jp-Dialog .jp-mod-accept").click()
    page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status=idle]")
    page.wait_for_timeout(800)
    page.locator(".lm-root").focus()
    page.keyboard.press("j")
    page.wait_for_selector(".lm-root[data-state=dead], .lm-root[data-state=slow]", timeout=20_000)
    assert page.locator(".lm-row").count() > 5
    assert "kernel" in page.get_attribute(".lm-root", "data-said")
    nb.run(0)
    page.wait_for_selector(ROW)
    assert page.locator(".lm-root").count() == 1


@pytest.fixture(scope="module")
def dark_lab(browsers, tmp_path_factory):
    """A JupyterLab as people have it: only what is on screen is in the page; and dark."""
    from tests.browser.conftest import Lab

    server = Lab(tmp_path_factory.mktemp("dark"), theme="JupyterLab Dark", windowing="full")
    yield server
    server.close()


def test_a_widget_that_was_scrolled_away_is_where_it_was(dark_lab, chromium, conversation):
    """In a windowed notebook it leaves the page and comes back: scroll, cursor, open trace; and it is dark."""
    from lmops.store import Store
    from tests.browser.conftest import Notebook

    with Store.open(dark_lab.folder / "traffic") as found:
        found.load(spans=[row for i in range(400) for row in conversation(i)])
    filler = ["\n".join(f"line_{i}_{n} = {n}" for n in range(40)) for i in range(12)]
    page = chromium.new_page(viewport={"width": 1400, "height": 800})
    nb = Notebook(dark_lab, page, "windowed.ipynb").write(OPEN, *filler).open()
    nb.run(0)
    page.wait_for_selector(ROW)
    background = page.evaluate("() => getComputedStyle(document.querySelector('.lm-root')).backgroundColor")
    assert background == "rgb(33, 33, 33)"
    page.evaluate("() => { document.querySelector('.lm-scroll').scrollTop = 4800; }")
    page.locator(".lm-row[data-index='205']:not(.lm-loading):not([hidden]) .lm-cell").nth(4).click()
    page.keyboard.press("Enter")
    page.wait_for_selector(".lm-pane[data-ready=true]")
    chosen, top = (
        page.get_attribute(ROOT, "data-selected"),
        page.evaluate("() => document.querySelector('.lm-scroll').scrollTop"),
    )
    # JupyterLab guesses the heights of cells it has not shown and moves the page when it learns them: scroll until there.
    scroll = "const s = document.querySelector('.jp-WindowedPanel-outer'), r = document.querySelector('.lm-root');"
    page.wait_for_function(
        f"() => {{ {scroll} s.scrollTop = s.scrollHeight; return !r || r.getBoundingClientRect().bottom < -400; }}"
    )
    page.wait_for_timeout(1_000)
    page.wait_for_function(f"() => {{ {scroll} s.scrollTop = 0; return r && r.getBoundingClientRect().bottom > 0; }}")
    page.wait_for_selector(f".lm-pane[data-trace-id='{chosen}'][data-ready=true]")
    page.wait_for_selector(".lm-row.lm-cursor[data-index='205']:not([hidden])")
    page.wait_for_function("(top) => Math.abs(document.querySelector('.lm-scroll').scrollTop - top) < 2", arg=top)
    page.close()


def test_marked_traces_become_a_dataset(notebook, lab, conversation):
    """Mark two, press a, give a name: the next cell has the dataset."""
    from lmops.store import Store

    with Store.open(lab.folder / "kept") as found:
        found.load(spans=[row for i in range(20) for row in conversation(i)])
    nb = notebook(
        "dataset.ipynb",
        OPEN.replace("../traffic', read_only=True", "../kept'"),
        "print(ws.datasets.get('golden').count)",
    )
    nb.run(0)
    page = nb.page
    page.wait_for_selector(ROW)
    page.locator(ROOT).focus()
    for key in ("j", "Space", "j", "Space", "a"):
        page.keyboard.press(key)
    page.wait_for_selector(".lm-action:not([hidden])")
    page.keyboard.type("golden")
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.querySelector('.lm-root').dataset.said === 'added 2 traces to golden@1'")
    nb.run(1)
    assert nb.text(1).strip() == "2"
