"""The board of failure modes in Chromium: keys, dragging, forms, two views, narrow, a dead kernel, hostile notes."""

from __future__ import annotations

import pytest

from tests.browser.test_hostile import HOSTILE, nothing_ran
from tests.feedback.notes import noted


@pytest.fixture
def ws():
    """A workspace with notes on the items of a queue."""
    import lmops

    with lmops.open(":memory:", actor="ada") as found:
        yield found


@pytest.fixture
def themes(ws):
    """Six notes, the first three of them in a mode."""
    made = noted(ws)
    made.make("invents fares", made.df()["note"].tolist()[:3])
    return made


def opened(stage, themes, **options):
    """The board on a page, with the focus in it."""
    from lmops.widgets.feedback.themes_controller import ThemesController

    s = stage(ThemesController(themes), name="feedback/themes", **options)
    s.root.focus()
    return s


def holds(themes):
    """How many notes each mode has, by name."""
    frame = themes.modes()
    return dict(zip(frame["name"], frame["notes"], strict=True))


def test_notes_are_sorted_by_keys(stage, themes):
    """Moved by number and by name, marked, made a mode of, taken off, and everything taken back."""
    s = opened(stage, themes)
    s.press("1", "1")
    s.until(lambda: holds(themes) == {"invents fares": 5})
    s.press("z", "z")
    s.until(lambda: holds(themes) == {"invents fares": 3})
    s.press("x", "j", "x", "n")
    s.page.locator(".lm-theme-form [name=words]").fill("rude")
    s.press("Enter")
    s.until(lambda: holds(themes) == {"invents fares": 3, "rude": 2})
    s.press("m")
    s.page.locator(".lm-theme-choice", has_text="rude").click()
    s.until(lambda: holds(themes) == {"invents fares": 3, "rude": 3})
    s.page.wait_for_selector(".lm-theme-open .lm-theme-empty")
    s.press("l", "0")
    s.until(lambda: sorted(holds(themes).values()) == [2, 3])
    assert s.data("said").startswith("1 note in no mode")
    assert not s.page_errors


def test_modes_are_renamed_described_merged_split_and_removed_by_keys(stage, themes):
    """Each by a form; what is refused stays open and says why."""
    themes.make("rude", themes.df()["note"].tolist()[3:5])
    s = opened(stage, themes)
    s.press("l", "r")
    form = s.page.locator(".lm-theme-form")
    form.locator("[name=words]").fill("rude")
    s.press("Enter")
    form.locator(".lm-theme-why", has_text="has the name").wait_for()
    form.locator("[name=words]").fill("made-up fares")
    s.press("Enter")
    s.until(lambda: set(holds(themes)) == {"made-up fares", "rude"})
    s.press("c")
    form.locator("textarea").fill("No source has the price.")
    form.locator(".lm-main-button").click()
    s.page.locator(".lm-theme-criteria", has_text="No source has the price.").wait_for()
    s.press("x", "s")
    form.locator("[name=words]").fill("other fares")
    s.press("Enter")
    s.until(lambda: holds(themes) == {"made-up fares": 2, "rude": 2, "other fares": 1})
    s.press("g")
    form.locator(".lm-theme-choice", has_text="rude").click()
    s.until(lambda: holds(themes) == {"rude": 4, "other fares": 1})
    s.page.wait_for_function("() => document.querySelectorAll('.lm-theme-mode').length === 2")
    s.page.locator(".lm-theme-mode[data-mode='2'] .lm-theme-card").first.click()
    s.press("Delete")
    s.until(lambda: holds(themes) == {"other fares": 1})
    assert not s.page_errors


def drag(s, source, target):
    """Drag with the mouse from the middle of one thing to another."""
    a, b = source.bounding_box(), target.bounding_box()
    s.page.mouse.move(a["x"] + a["width"] / 2, a["y"] + 14)
    s.page.mouse.down()
    s.page.mouse.move(a["x"] + a["width"] / 2 + 20, a["y"] + 30, steps=3)
    s.page.mouse.move(b["x"] + b["width"] / 2, b["y"] + 20, steps=5)
    s.page.mouse.up()


def test_cards_and_modes_are_dragged(stage, themes):
    """A card, those that are marked, onto a new mode; a mode onto another one; Escape lets go."""
    themes.make("rude")
    s = opened(stage, themes)
    column = s.page.locator
    drag(s, column(".lm-theme-open .lm-theme-card").first, column("[data-mode='2']"))
    s.until(lambda: holds(themes)["rude"] == 1)
    s.page.wait_for_selector("[data-mode='2'] .lm-theme-card")
    s.press("x", "j", "x")
    drag(s, column(".lm-theme-open .lm-theme-card").last, column("[data-mode='2']"))
    s.until(lambda: holds(themes)["rude"] == 3)
    s.page.wait_for_selector(".lm-theme-open .lm-theme-empty")
    drag(s, column("[data-mode='2'] .lm-theme-card").first, column(".lm-theme-new"))
    s.page.locator(".lm-theme-form [name=words]").fill("curt")
    s.press("Enter")
    s.until(lambda: holds(themes) == {"invents fares": 3, "rude": 2, "curt": 1})
    s.page.wait_for_selector("[data-mode='3']")
    drag(s, column("[data-mode='3'] .lm-theme-head"), column("[data-mode='2']"))
    s.until(lambda: holds(themes) == {"invents fares": 3, "rude": 3})
    box = column("[data-mode='1'] .lm-theme-card").first.bounding_box()
    s.page.mouse.move(box["x"] + 40, box["y"] + 14)
    s.page.mouse.down()
    s.page.mouse.move(box["x"] - 200, box["y"] + 40, steps=4)
    assert s.page.locator(".lm-theme-ghost").inner_text() == "1 note"
    s.press("Escape")
    s.page.mouse.up()
    assert s.page.locator(".lm-theme-ghost").count() == 0
    assert holds(themes) == {"invents fares": 3, "rude": 3}
    assert not s.page_errors


def test_suggestions_wait_until_they_are_accepted(stage, ws, themes):
    """Dashed columns; one becomes a mode under the name that it is given; then they are put away."""
    s = opened(stage, themes)
    s.press("f")
    s.page.wait_for_selector(".lm-theme-group")
    acts = "select count(*) from failure_history where action <> 'make'"
    assert (ws.sql(acts).fetchall(), holds(themes)) == ([(0,)], {"invents fares": 3})
    s.press("l", "a")
    field = s.page.locator(".lm-theme-form [name=words]")
    assert "rude" in field.input_value()
    field.fill("bad tone")
    s.press("Enter")
    s.until(lambda: holds(themes) == {"invents fares": 3, "bad tone": 2})
    s.page.wait_for_function("() => !document.querySelector('.lm-theme-group')")
    s.press("f")
    s.until(lambda: s.data("said").startswith("suggestions put away"))


def test_two_views_show_the_same(stage, themes):
    """What is done in one is drawn in the other; each has a cursor of its own."""
    s = opened(stage, themes)
    s.page.evaluate("() => { window.second = window.mount('there'); }")
    s.page.wait_for_selector("#there .lm-root[data-state=ready]")
    s.press("1")
    s.page.wait_for_function("() => document.querySelectorAll(\"#there [data-mode='1'] .lm-theme-card\").length === 4")
    s.press("l")
    assert s.page.locator("#there .lm-root").get_attribute("data-column") == "open"
    s.page.evaluate("() => window.second()")
    s.press("z")
    s.until(lambda: holds(themes) == {"invents fares": 3})
    assert not s.page_errors


def test_keys_that_come_fast_act_in_their_order(stage, themes):
    """Each waits for the one before: with a kernel that takes its time no note goes astray."""
    s = opened(stage, themes)
    s.page.evaluate("window.delay = 60")
    s.press("1", "1", "z", "1", "1")
    s.until(lambda: holds(themes) == {"invents fares": 6})
    s.page.wait_for_selector(".lm-theme-open .lm-theme-empty")
    assert themes.df()["mode"].notna().all()


def test_what_is_typed_after_a_form_waits_for_it(stage, themes):
    """With a slow kernel: the number of a new mode finds it; what follows a refusal is dropped."""
    s = opened(stage, themes)
    s.page.evaluate("window.delay = 150")
    s.press("n")
    s.page.keyboard.type("rude")
    s.press("Enter", "2", "2")
    s.until(lambda: holds(themes) == {"invents fares": 3, "rude": 3})
    s.quiet()
    s.page.evaluate("window.delay = 1500")
    s.press("l", "n")
    s.page.keyboard.type("rude")
    s.press("Enter", "0", "0")
    s.page.locator(".lm-theme-why", has_text="has the name").wait_for()
    s.quiet()
    assert s.page.locator(".lm-theme-form [name=words]").input_value() == "rude"
    assert holds(themes) == {"invents fares": 3, "rude": 3}


def test_a_dead_kernel_is_said(stage, themes):
    """What is there can be read."""
    s = opened(stage, themes)
    s.quiet()
    s.page.evaluate("window.isDead = true")
    s.press("1")
    s.page.wait_for_selector(".lm-root[data-state=dead]")
    assert s.page.locator(".lm-theme-card").count() == 6
    s.press("l", "Enter")
    assert s.page.locator(".lm-theme-card.lm-whole").count() == 1


def test_on_a_phone_columns_stand_below_each_other(stage, themes):
    """Nothing is wider than the page, and notes are moved by their buttons."""
    s = opened(stage, themes, width=390)
    tops = [box["y"] for box in (one.bounding_box() for one in s.page.locator(".lm-theme-column").all())]
    assert tops == sorted(tops)
    assert len(set(tops)) == len(tops)
    assert s.page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    assert s.page.evaluate(
        "() => { const b = document.querySelector('.lm-theme-board'); return b.scrollWidth <= b.clientWidth; }"
    )
    for number in (0, 2):
        s.page.get_by_label("mark", exact=True).nth(number).click()
    s.page.locator(".lm-theme-bar [aria-label=move]").click()
    s.page.locator(".lm-theme-choice").click()
    s.until(lambda: holds(themes) == {"invents fares": 5})
    s.until(lambda: s.data("marked") == "0")
    s.page.locator(".lm-theme-bar [aria-label='new mode']").click()
    box = s.page.locator(".lm-theme-form").bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 390


def test_hostile_notes_and_names_are_text(stage, ws):
    """Words, raters, versions, models, names, criteria, forms, errors, suggestions."""
    written = [(number, "fail", f"{HOSTILE} {number}") for number in range(1, 5)]
    themes = noted(ws, written=written)
    ws.feedback.queues.note("q", 1, HOSTILE, rater=HOSTILE[:90])
    name = HOSTILE[:100]
    themes.make(name, themes.df()["note"].tolist()[:2], criteria=HOSTILE)
    themes.make(HOSTILE[100:190])
    s = opened(stage, themes)
    nothing_ran(s.page)
    beside = """(all) => all.filter((one) => one.getBoundingClientRect().right
      > one.closest('.lm-theme-card').getBoundingClientRect().right).length"""
    assert s.page.locator(".lm-theme-marker").evaluate_all(beside) == 0
    s.press("f")
    s.until(lambda: s.data("said") != "")
    s.press("l", "m")
    nothing_ran(s.page)
    s.press("Escape")
    s.page.locator(".lm-theme-mode .lm-theme-card").first.click()
    for key in ("r", "c", "g", "m"):
        s.press(key)
        nothing_ran(s.page)
        s.press("Escape")
    s.press("Enter")
    s.press("r")
    s.page.locator(".lm-theme-form [name=words]").fill(HOSTILE[:150])
    s.press("Enter")
    s.page.locator(".lm-theme-why", has_text="img").wait_for()
    nothing_ran(s.page)
    assert "<img src" in s.page.locator(".lm-theme-mode b").first.inner_text()
    assert not s.page_errors


def test_a_column_of_many_notes_is_drawn_in_parts(stage, ws):
    """More come when they are asked for."""
    themes = noted(ws, written=[(number, "fail", f"note {number}") for number in range(1, 91)])
    s = opened(stage, themes)
    assert s.page.locator(".lm-theme-card").count() == 60
    s.page.get_by_label("30 more").click()
    s.page.wait_for_function("() => document.querySelectorAll('.lm-theme-card').length === 90")


OPEN = "import lmops\nws = lmops.open('../notes', actor='ada')\nws.feedback.themes('q', height=420)"


def test_in_a_notebook_the_kernel_may_end_and_what_was_done_is_kept(lab, notebook):
    """Notes are moved by keys that JupyterLab has shortcuts for; after a restart they are where they were put."""
    import lmops

    with lmops.open(lab.folder / "notes", actor="ada") as ws:
        made = noted(ws)
        made.make("invents fares", made.df()["note"].tolist()[:3])
    nb = notebook("themes.ipynb", OPEN)
    cell = nb.run(0)
    nb.page.wait_for_selector(".lm-root[data-state=ready]")
    nb.page.locator(".lm-root").focus()
    for key in ("1", "x"):
        nb.page.keyboard.press(key)
    nb.page.wait_for_selector(".lm-root[data-marked='1']")
    assert cell.locator("[data-mode='1'] .lm-theme-card").count() == 4
    nb.page.click(
        '[data-command="notebook:restart-kernel"], [title^="Restart the kernel"], [data-jp-item-name="restart"] *'
    )
    nb.page.locator(".jp-Dialog .jp-mod-accept").click()
    nb.page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status=idle]")
    nb.page.wait_for_timeout(800)
    nb.page.locator(".lm-root").focus()
    nb.page.keyboard.press("1")
    nb.page.wait_for_selector(".lm-root[data-state=dead], .lm-root[data-state=slow]", timeout=20_000)
    assert cell.locator(".lm-theme-card").count() == 6
    nb.run(0)
    nb.page.wait_for_selector(".lm-root[data-state=ready]")
    assert cell.locator("[data-mode='1'] .lm-theme-card").count() == 4
    nb.page.locator(".lm-root").focus()
    nb.page.keyboard.press("z")
    nb.page.wait_for_function("() => document.querySelectorAll(\"[data-mode='1'] .lm-theme-card\").length === 3")


def test_exported_it_reads_offline(chromium, themes):
    """As tables in a notebook that nbconvert exports, and in one that was saved live."""
    from tests.browser.test_archived import a_notebook, exported, offline

    live, _ = themes._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in live
    page = offline(chromium, exported(a_notebook(live)))
    text = page.locator("body").inner_text()
    assert "failure modes of q: 6 notes, 3 in no mode" in text
    assert "invents fares" in text
    assert "rude tone towards the customer" in text
    assert page.locator("table").count() == 2
    page.close()
