"""The labeler in Chromium: every key is a decision that is kept once, whatever happens to kernel, page and disk."""

from __future__ import annotations

import json
import random

import pytest

from tests.browser.conftest import START

ITEMS = 30


@pytest.fixture
def ws(tmp_path, conversation):
    """A workspace with a queue of thirty traces."""
    import lmops

    with lmops.open(tmp_path / ".lmops", actor="ann") as found:
        found.store.load(spans=[row for i in range(ITEMS) for row in conversation(i)])
        found.feedback.schemas.save("support", criteria="Would a customer be helped?")
        found.feedback.queue("q", [f"{i + 1:032x}" for i in range(ITEMS)], schema="support")
        yield found


@pytest.fixture
def tab(stage, ws, chromium):
    """Return a function that opens the labeler in one more tab of one browser."""
    browsers = {}

    def open_it(rater="ann", queue="q", *, browser="one", width=1200):
        if browser not in browsers:
            browsers[browser] = chromium.new_context(viewport={"width": width, "height": 800})
        controller = ws.feedback.label(queue, rater=rater)._controller
        found = stage(controller, name="feedback/labeler", browser=browsers[browser], height=600)
        found.page.wait_for_selector(".lm-root[data-saved]")
        return found

    yield open_it
    for one in browsers.values():
        one.close()


def shown(s, position=None):
    """Wait until a case is drawn, a certain one where it is said; return its position."""
    at = "" if position is None else f"[data-position='{position}']"
    s.page.wait_for_selector(f".lm-root{at}:has(.lm-role-answer, .lm-missing-case)")
    s.root.focus()
    return int(s.data("position"))


def saved(s):
    """Wait until everything is acknowledged."""
    s.page.wait_for_selector(".lm-root[data-unsaved='0']", timeout=20_000)


def labels(ws, queue="q"):
    """Return what the store has: (rater, position) -> verdict."""
    rows = ws.sql("select rater, position, field_values from labels where queue = ?", [queue]).fetchall()
    return {(who, at): json.loads(values)["verdict"]["value"] for who, at, values in rows}


def acts(ws):
    """Return the acts of the store in their order."""
    return ws.sql("select action, position from label_history order by seq").fetchall()


def reload(s):
    """Load the page anew, with what the browser kept."""
    from lmops.widgets.kit.assets import script, style

    s.page.goto("http://localhost/")
    s.page.evaluate(START, {"esm": script("feedback/labeler.js"), "css": style("feedback/labeler.css"), "height": 600})
    s.page.wait_for_selector(".lm-root[data-saved]")


def test_one_key_labels_and_goes_on(tab, ws):
    """The key stands on the choice; the case is as the user saw it; the bar counts."""
    s = tab()
    first = shown(s)
    assert s.page.locator(".lm-choice kbd").all_inner_texts() == ["p", "f", "c"]
    assert "How do I take my dog?" in s.page.locator(".lm-role-user").first.inner_text()
    assert s.page.locator(".lm-sources mark").count() == 0
    assert s.page.locator(".lm-fold:has-text('lookup')").first.get_attribute("open") is None
    s.press("p")
    second = shown(s, first + 1)
    s.press("f")
    shown(s)
    saved(s)
    assert labels(ws) == {("ann", first): "pass", ("ann", second): "fail"}
    assert s.page.locator(".lm-progress-text").inner_text() == f"2 of {ITEMS}"
    assert s.page.locator(".lm-saved").inner_text() == "saved"
    assert not s.page_errors


def test_fast_keys_are_all_kept_in_their_places(tab, ws):
    """Three hundred keys as fast as they can be pressed, taken back and skipped among them: none lost or doubled."""
    s = tab()
    shown(s)
    keys = random.Random(7).choices("pfcsu", weights=[5, 4, 1, 1, 6], k=300)
    said, done, at = {}, [], 0
    for key in keys:
        if key == "u":
            if done:
                at, before = done.pop()
                said[at] = before
        elif at is not None:
            done.append((at, said.get(at)))
            said[at] = {"p": "pass", "f": "fail", "c": "cannot tell", "s": "skip"}[key]
            at = next((i for i in range(ITEMS) if said.get(i) is None), None)
    s.press(*keys)
    s.page.wait_for_function("() => document.querySelector('.lm-root').dataset.unsaved === '0'", timeout=60_000)
    s.quiet()
    order = list(dict.fromkeys(position for action, position in acts(ws) if action != "undo"))
    wanted = {("ann", order[i]): one for i, one in said.items() if one not in (None, "skip")}
    assert labels(ws) == wanted
    assert s.data("done") == str(len(wanted))
    numbers = ws.sql("select client, count(*), max(sequence) from label_history group by 1").fetchall()
    assert [count for _, count, _ in numbers] == [last for *_, last in numbers]


def test_a_key_that_is_held_down_decides_once(tab, ws):
    """And one that is pressed before the case is there waits for it."""
    s = tab()
    first = shown(s)
    for _ in range(5):
        s.page.keyboard.down("p")
    s.page.keyboard.up("p")
    shown(s, first + 1)
    saved(s)
    assert labels(ws) == {("ann", first): "pass"}


def test_a_killed_kernel_is_said_and_what_was_done_waits(tab, ws):
    """Cases at hand are labelled all the same; a new page of the same rater saves them, once."""
    s = tab()
    first = shown(s)
    s.page.wait_for_function("() => window.waiting === 0")
    s.page.evaluate("window.isDead = true")
    s.press("p", "F")
    s.page.keyboard.type("it names no source")
    s.page.wait_for_selector(".lm-root[data-state=dead][data-saved=no]", timeout=10_000)
    assert s.page.locator(".lm-saved").inner_text() == "1 unsaved"
    assert labels(ws) == {}
    again = tab()
    saved(again)
    assert labels(ws) == {("ann", first): "pass"}
    shown(again, first + 1)
    assert again.page.get_by_label("why, verdict").input_value() == "it names no source"
    s.page.wait_for_selector(".lm-root[data-unsaved='0']", timeout=10_000)
    assert len(acts(ws)) == 1


def test_a_reload_keeps_what_was_typed_and_what_was_not_sent(tab, ws):
    """The answers to acts are lost on their way, as when a tab is closed at once."""
    s = tab()
    first = shown(s)
    s.page.evaluate("window.receive = () => {}")
    s.press("f", "F")
    s.page.keyboard.type("no source")
    s.page.wait_for_function("() => window.waiting === 0")
    reload(s)
    saved(s)
    assert shown(s) == first + 1
    assert s.page.get_by_label("why, verdict").input_value() == "no source"
    s.page.get_by_label("why, verdict").focus()
    s.press("Control+Enter")
    shown(s, first + 2)
    saved(s)
    assert labels(ws) == {("ann", first): "fail", ("ann", first + 1): "fail"}
    assert [action for action, _ in acts(ws)] == ["label", "label"]


def test_undo_goes_on_after_a_restart(tab, ws):
    """To what was said before this page was there, as far back as there is something."""
    s = tab()
    first = shown(s)
    s.press("p", "F")
    s.page.keyboard.type("no source")
    s.press("Control+Enter")
    shown(s, first + 2)
    saved(s)
    reload(s)
    shown(s, first + 2)
    s.press("u")
    shown(s, first + 1)
    assert s.page.get_by_label("why, verdict").input_value() == "no source"
    s.press("Control+z")
    shown(s, first)
    saved(s)
    assert labels(ws) == {}
    s.press("Backspace")
    s.page.wait_for_selector(".lm-root[data-said='there is nothing to take back']")
    s.press("c")
    shown(s, first + 1)
    saved(s)
    assert labels(ws) == {("ann", first): "cannot tell"}


def test_two_tabs_of_one_rater_have_different_cases(tab, ws):
    """Each takes back what it did itself."""
    a, b = tab(), tab()
    of_a, of_b = shown(a), shown(b)
    assert of_a != of_b
    a.press("p")
    b.press("f")
    saved(a)
    saved(b)
    assert labels(ws) == {("ann", of_a): "pass", ("ann", of_b): "fail"}
    a.press("u")
    shown(a, of_a)
    saved(a)
    assert labels(ws) == {("ann", of_b): "fail"}


def test_two_raters_never_have_the_same_case(tab, ws):
    """One rater an item: each has its own, and what one holds too long goes to the other."""
    a, b = tab("ann"), tab("bob", browser="two")
    seen = {"ann": [], "bob": []}
    for _ in range(5):
        for who, s in (("ann", a), ("bob", b)):
            seen[who].append(shown(s))
            s.press("p")
    saved(a)
    saved(b)
    assert len({*seen["ann"], *seen["bob"]}) == 10
    assert labels(ws) == {(who, at): "pass" for who, at_all in seen.items() for at in at_all}


def test_a_label_after_the_lease_ran_out_is_kept(tab, ws):
    """Another rater has labelled the case meanwhile: both labels are there."""
    s = tab()
    first = shown(s)
    ws.feedback.queues.ahead("q", 0, rater="ann", lease_s=0)
    ws.feedback.queues.label("q", first, {"verdict": "fail"}, rater="bob")
    s.press("p")
    saved(s)
    assert labels(ws) == {("ann", first): "pass", ("bob", first): "fail"}


def test_criteria_that_change_are_shown_and_labels_keep_theirs(tab, ws):
    """What was chosen before they came is kept under the old version."""
    s = tab()
    first = shown(s)
    ws.feedback.schemas.save("support", [{"name": "verdict", "criteria": "Is it true?"}])
    ws.feedback.queues.use("q", "support@2")
    s.press("p")
    s.page.wait_for_selector(".lm-criteria:has-text('Is it true?')")
    assert "support@2" in s.data("said")
    s.press("f")
    shown(s)
    saved(s)
    found = ws.sql("select position, schema_version from labels order by 1").fetchall()
    assert found == [(first, 1), (first + 1, 2)]


def test_a_full_disk_is_said_and_nothing_is_lost(tab, ws):
    """It is tried again until there is room; until then the acts are kept in the browser."""
    resource = pytest.importorskip("resource")
    s = tab()
    first = shown(s)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    wal = ws.store.path / "meta.sqlite-wal"
    resource.setrlimit(resource.RLIMIT_FSIZE, (wal.stat().st_size, hard))
    try:
        s.press("p", "f")
        s.page.wait_for_selector(".lm-root[data-saved=no]")
        assert "no space left" in s.page.locator(".lm-said-error").inner_text()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    saved(s)
    assert labels(ws) == {("ann", first): "pass", ("ann", first + 1): "fail"}
    assert len(acts(ws)) == 2


def test_what_is_refused_is_said_and_is_there_as_it_was_chosen(tab, ws):
    """The acts after it are kept; one click leads back to it."""
    s = tab()
    first = shown(s)
    s.page.evaluate(
        """() => { const send = window.model.send; window.model.send = (given) => {
          const message = structuredClone(given);
          for (const op of message.ops ?? []) if (op.sequence === 1 && op.values) op.values = {verdict: 'perhaps'};
          send(message); }; }"""
    )
    s.press("p", "f")
    saved(s)
    shown(s, first + 2)
    assert labels(ws) == {("ann", first + 1): "fail"}
    assert "perhaps" in s.page.locator(".lm-refused").get_attribute("title")
    s.page.locator(".lm-refused").click()
    shown(s, first)
    assert s.page.locator(".lm-choice.lm-on").inner_text() == "p\npass"
    s.press("p")
    saved(s)
    assert labels(ws) == {("ann", first): "pass", ("ann", first + 1): "fail"}


def test_marked_rows_are_labelled_at_once_and_taken_back_at_once(tab, ws):
    """Keyboard only: list, marks, choice, undo."""
    s = tab()
    shown(s)
    s.press("L")
    s.page.wait_for_selector(".lm-list-row")
    s.press("ArrowDown", " ", "ArrowDown", "ArrowDown", " ")
    assert s.page.locator(".lm-form-title").inner_text() == "for 2 marked cases"
    s.press("f")
    saved(s)
    assert labels(ws) == {("ann", 2): "fail", ("ann", 4): "fail"}
    assert s.data("marked") == "0"
    s.press("u")
    saved(s)
    assert labels(ws) == {}
    assert [action for action, _ in acts(ws)] == ["label", "label", "undo", "undo"]


def test_notes_skips_jumps_and_the_way_back(tab, ws):
    """A note is kept when its field is left; a skipped case can be found again and labelled."""
    s = tab()
    first = shown(s)
    s.press("n")
    s.page.keyboard.type("ask Mara")
    s.press("Escape", "s")
    shown(s, first + 1)
    s.press("/")
    s.page.keyboard.type("9")
    s.press("Enter")
    shown(s, 9)
    s.press("p", "/")
    s.page.keyboard.type(str(first))
    s.press("Enter")
    shown(s, first)
    assert s.page.get_by_label("note", exact=True).input_value() == "ask Mara"
    s.press("p")
    saved(s)
    assert labels(ws) == {("ann", first): "pass", ("ann", 9): "pass"}
    assert ("note", first) in acts(ws)


def test_the_end_is_said_and_more_is_looked_for(tab, ws):
    """Nothing is left for this rater; an item that is added is found."""
    ws.feedback.queue("short", [f"{1:032x}"], schema="support")
    s = tab(queue="short")
    shown(s)
    s.press("p")
    s.page.wait_for_selector(".lm-empty:has-text('Nothing is left for you here.')")
    s.press("p")
    ws.feedback.queue("short", [f"{2:032x}"])
    s.page.get_by_text("look again").click()
    shown(s, 2)
    saved(s)
    assert labels(ws, "short") == {("ann", 1): "pass"}


def test_a_page_that_sees_no_answer_within_a_second_says_so(tab):
    """An act that is on its way too long is unsaved, and it is counted."""
    s = tab()
    shown(s)
    s.page.evaluate("window.delay = 3000")
    s.press("p")
    s.page.wait_for_selector(".lm-root[data-saved=no][data-unsaved='1']", timeout=10_000)
    assert "no answer from the kernel yet" in s.page.locator(".lm-saved").get_attribute("title")
    s.page.evaluate("window.delay = 0")
    saved(s)


def test_without_a_storage_the_page_says_that_it_must_stay(stage, ws):
    """A page that may keep nothing works all the same."""
    s = stage(ws.feedback.label("q")._controller, name="feedback/labeler", height=600)
    shown(s)
    s.page.evaluate("window.delay = 2000")
    s.press("p")
    s.page.wait_for_selector(".lm-root[data-saved=no]")
    assert s.page.locator(".lm-saved").inner_text() == "1 unsaved, only here"
    s.page.evaluate("window.delay = 0")
    saved(s)
    assert len(labels(ws)) == 1


def test_images_of_the_trace_are_shown_and_nothing_is_fetched(stage, conversation, chromium):
    """As data that the trace itself carries; what it only names stays where it is."""
    import lmops

    png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    held = [f"data:image/png;base64,{png}", "https://elsewhere.test/a.png"]
    root, *others = conversation(0)
    with lmops.open(":memory:", actor="ann") as ws:
        ws.store.load(spans=[root | {"attributes": json.dumps({"input.value": json.dumps(held)})}, *others])
        ws.feedback.schemas.save("support")
        ws.feedback.queue("q", [f"{1:032x}"], schema="support")
        asked = []
        browser = chromium.new_context()
        browser.on("request", lambda request: asked.append(request.url.partition(":")[0]))
        s = stage(ws.feedback.label("q")._controller, name="feedback/labeler", browser=browser, height=600)
        s.page.wait_for_function("() => document.querySelector('.lm-picture img')?.naturalWidth === 1")
        assert s.page.locator(".lm-picture").count() == 1
        assert set(asked) <= {"http", "blob", "data"}
        browser.close()


def test_every_kind_of_field_is_filled_by_keyboard(tab, ws):
    """Choices, a scale, several, tags with completion, a text, marks with their bounds; kept as they were chosen."""
    kinds = [
        {"name": "verdict"},
        {"name": "tone", "kind": "scale", "low": 1, "high": 3},
        {"name": "cause", "kind": "category", "options": ["made up", "refused"]},
        {"name": "seen", "kind": "choices", "options": ["price", "place", "time"]},
        {"name": "tags", "kind": "tags"},
        {"name": "better", "kind": "text"},
        {"name": "marks", "kind": "spans", "options": ["unsupported"]},
    ]
    ws.feedback.schemas.save("rich", kinds)
    ws.feedback.queue("rich", [f"{i + 1:032x}" for i in range(5)], schema="rich")
    ws.feedback.queues.label("rich", 5, {"verdict": "pass", "tags": ["boats"]}, rater="bob")
    s = tab(queue="rich")
    first = shown(s)
    options = s.page.locator("datalist option").evaluate_all("(all) => all.map((one) => one.value)")
    keys = s.page.locator(".lm-choice kbd").all_inner_texts()
    assert options == ["boats"]
    assert len(set(keys)) == len(keys) == 12
    s.press("Enter")
    s.until(lambda: "choose first" in s.data("said"))
    s.press("F")
    s.page.keyboard.type("it says nothing")
    s.press("Escape", "2", "5", "6", "8", "]", keys[-1])
    tags, better = s.page.locator(".lm-field-name kbd").all_inner_texts()[:2]
    s.press(tags)
    s.page.keyboard.type("dogs")
    s.press("Enter", "Escape", better)
    s.page.keyboard.type("Dogs are free.")
    s.press("Control+Enter")
    shown(s, first + 1)
    saved(s)
    ((found,),) = ws.sql("select field_values from labels where rater = 'ann'").fetchall()
    assert json.loads(found) == {
        "better": "Dogs are free.",
        "cause": "refused",
        "marks": [{"end": 17, "name": "unsupported", "start": 0}],
        "seen": ["price", "time"],
        "tags": ["dogs"],
        "tone": 2,
        "verdict": {"critique": "it says nothing", "value": "fail"},
    }
    s.press("u")
    shown(s, first)
    assert s.page.get_by_label("better", exact=True).last.input_value() == "Dogs are free."
    assert s.page.locator("mark.lm-stretch").inner_text() == "Book a pet cabin."
    s.press("L", "ArrowDown", " ", "ArrowDown", " ", "p", "Control+Enter")
    saved(s)
    assert labels(ws, "rich") == {("ann", 2): "pass", ("ann", 3): "pass", ("bob", 5): "pass"}
    assert ws.sql("select field_values from labels where position = 2").fetchall() == [
        ('{"verdict": {"value": "pass"}}',)
    ]
    assert s.page.get_by_label("better", exact=True).last.input_value() == "Dogs are free."


def test_the_opinion_of_others_comes_after_the_own(tab, ws):
    """A user's thumb and another rater's label: nothing of them is on the page before."""
    ws.feedback.queue("two", [f"{1:032x}", f"{2:032x}"], schema="support", k=2)
    ws.feedback.queues.label("two", 1, {"verdict": {"value": "fail", "critique": "secret"}}, rater="bob")
    ws.feedback.record(f"{1:032x}", value="down", comment="secret")
    s = tab(queue="two")
    shown(s, 1)
    s.quiet()
    assert "secret" not in s.page.locator("body").inner_text()
    assert "secret" not in json.dumps([s.controller.handle(one) for one in s.messages if one["kind"] != "ops"])
    s.press("p")
    saved(s)
    s.press("ArrowLeft")
    s.page.wait_for_selector(".lm-opinions dd")
    assert s.page.locator(".lm-after").inner_text().count("secret") == 2


def test_two_views_of_one_labeler_agree(tab, ws):
    """Each is a page of its own over the same controller."""
    s = tab()
    first = shown(s)
    s.page.evaluate("() => { window.mount('there'); }")
    other = s.page.locator("#there .lm-root")
    s.page.wait_for_selector("#there .lm-root:has(.lm-role-answer)")
    assert other.get_attribute("data-position") != str(first)
    s.root.focus()
    s.press("p")
    other.focus()
    s.press("f")
    s.until(lambda: len(labels(ws)) == 2)
    assert sorted(labels(ws).values()) == ["fail", "pass"]


def test_a_key_of_a_step_does_not_hide_its_value(tab, ws):
    """A step is said once where it is its own key."""
    scale = {"name": "clear", "kind": "scale", "low": 0, "high": 2, "keys": {"2": "y"}}
    ws.feedback.schemas.save("scaled", [{"name": "verdict"}, scale])
    ws.feedback.queue("scaled", [f"{1:032x}"], schema="scaled")
    s = tab(queue="scaled")
    shown(s)
    steps = s.page.locator(".lm-scale .lm-choice").all_inner_texts()
    assert [one.split() for one in steps] == [["0"], ["1"], ["y", "2"]]


def test_a_kernel_that_does_not_answer_is_said_to_who_is_at_work(tab):
    """Without a key more, and though nothing is unsaved; also that it answers again."""
    s = tab()
    shown(s)
    s.press("F")
    s.page.keyboard.type("it na")
    s.page.evaluate("window.delay = 2500")
    s.page.wait_for_selector(".lm-root[data-saved=waiting]:has-text('no answer')")
    assert s.data("unsaved") == "0"
    s.page.evaluate("window.delay = 0")
    s.page.wait_for_selector(".lm-root[data-saved=yes]")
    assert s.page.get_by_label("why, verdict").input_value() == "it na"


def test_what_others_say_is_not_cut_into_letters(tab, ws):
    """Names stand on one line beside what they say."""
    ws.feedback.queue("two", [f"{1:032x}"], schema="support", k=2)
    ws.feedback.queues.label("two", 1, {"verdict": "fail"}, rater="barbara")
    s = tab(queue="two")
    s.page.add_style_tag(content="dt { float: left; width: 20%; } dd { width: 80%; }")  # as JupyterLab has it
    shown(s)
    s.press("p")
    s.page.wait_for_selector(".lm-empty")
    s.press("ArrowLeft")
    names = s.page.locator(".lm-opinions dt span:first-child")
    names.first.wait_for()
    tall = names.evaluate_all("(all) => all.map((one) => [one.textContent, one.offsetHeight])")
    assert "barbara" in [name for name, _ in tall]
    assert all(0 < height < 24 for _, height in tall)


@pytest.mark.parametrize("width", [360, 270])
def test_at_360_pixels_everything_is_there(tab, ws, width):
    """Case above, choices below, nothing wider than the page; nor where a notebook leaves it less."""
    s = tab(width=width)
    shown(s)
    wide = s.page.evaluate("() => [document.documentElement.scrollWidth, innerWidth]")
    assert wide[0] <= wide[1]
    for name in (".lm-saved", ".lm-output", ".lm-choice", ".lm-main-button", "[aria-label=keys]", "[title='raw  R']"):
        box = s.page.locator(name).first.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
    s.press("L", " ", "ArrowDown", " ", "f")
    saved(s)
    assert list(labels(ws).values()) == ["fail", "fail"]


def test_what_a_key_leads_to_is_not_behind_the_buttons(tab):
    """The note, below all fields, comes above the line that stays at the bottom."""
    s = tab()
    shown(s)
    s.root.evaluate(
        """(root) => {
          const [form, note] = ['.lm-form', '.lm-note-field'].map((one) => root.querySelector(one));
          const over = form.getBoundingClientRect().bottom - note.getBoundingClientRect().bottom;
          root.style.height = `${root.offsetHeight - over}px`;
        }"""
    )
    s.press("n")
    note, tools = (s.page.locator(one).bounding_box() for one in (".lm-note-field textarea", ".lm-form-tools"))
    assert note["y"] + note["height"] <= tools["y"]


def test_a_closed_queue_keeps_what_comes_until_it_is_open(tab, ws):
    """It says who closed it; nothing that was decided is lost."""
    s = tab()
    first = shown(s)
    ws.feedback.queues.close("q")
    s.press("p")
    s.page.wait_for_selector(".lm-root[data-saved=no]")
    assert "queue q is closed by ann" in s.page.locator(".lm-said-error").inner_text()
    ws.feedback.queues.reopen("q")
    saved(s)
    assert labels(ws) == {("ann", first): "pass"}
