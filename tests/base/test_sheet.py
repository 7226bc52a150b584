import re

from lmops.base.sheet import aligned, framed, html_table
from lmops.text import one_line


def test_numbers_stand_below_each_other_on_the_right():
    """A column of numbers is set to the right, its heading with it; no line ends in spaces."""
    assert aligned([("who", "n"), ("everybody", "1,024"), ("a", "7")], numbers=[1]) == [
        "who            n",
        "everybody  1,024",
        "a              7",
    ]


def test_every_cell_is_made_safe_and_has_the_style_of_its_column():
    """What a cell says never becomes markup, in a heading as little as below it."""
    found = html_table(["<b>"], [["<img>\u202e"], [7]], styles=["text-align:right"], heads=["font-weight:600"])
    assert found == (
        '<table class="lm-table"><thead><tr><th style="font-weight:600">&lt;b&gt;</th></tr></thead>'
        '<tbody><tr><td style="text-align:right">&lt;img&gt;[U+202E]</td></tr>'
        '<tr><td style="text-align:right">7</td></tr></tbody></table>'
    )


def test_numbers_are_set_to_the_right_and_prose_to_the_left():
    """Where nobody says it: what is not there is of either kind, a heading is where its column is; no number breaks."""
    rows = [("a", "0.5", "0.1 to 0.9", "60 cases have a score, one more than before"), ("b", "-", "-", "lost")]
    found = html_table(["name", "mean", "interval", "why"], rows)
    sides = re.findall(r"<t[hd][^>]*text-align:(\w+)", found)
    assert sides == ["left", "right", "right", "left"] * 3
    assert re.findall(r"<(t[hd])[^>]*nowrap[^>]*>([^<]*)", found) == [
        ("td", "0.5"), ("td", "0.1 to 0.9"), ("td", "-"), ("td", "-"),
    ]  # fmt: skip  # cells of a row share a line


def test_cells_are_cut_by_who_shows_them():
    """A long text takes no more room than the table gives it."""
    found = html_table(["a"], [["x" * 50]], show=lambda text: one_line(text, 10), compact=True)
    assert found.startswith('<table class="lm-table" style="border-collapse:collapse;font-size:12px">')
    assert "x" * 11 not in found


def test_a_framed_table_has_a_title_and_a_note():
    """It scrolls, names what it shows, and says what is left out; every text of it is safe."""
    found = framed("<traces>", ["id", "ms"], [["a", "<1>"]], numbers=[1], note="and 3 more")
    assert "<b>&lt;traces&gt;</b>" in found
    assert "text-align:right;white-space:nowrap;vertical-align:top" in found
    assert "&lt;1&gt;</td>" in found
    assert found.endswith('<p style="margin:4px 0 0">and 3 more</p></div>')
    assert "white-space" not in framed("t", ["id"], [["a"]], wraps=True)
    assert '<p style="margin:4px 0 0">' not in framed("t", ["id"], [])


def test_cells_of_a_wide_table_bring_their_headings_along():
    """A narrow page and a printed one lay out its rows as blocks: each value behind the name of its column."""
    narrow = html_table(["a", "b"], [[1, 2]])
    assert 'class="lm-table"' in narrow
    assert "data-label" not in narrow
    wide = html_table([f"<{i}>" for i in range(9)], [range(9)], styles=["color:red"] * 9)
    assert 'class="lm-table lm-blocks lm-wide"' in wide
    assert '<td data-label="&lt;8&gt;" style="color:red">8</td>' in wide
