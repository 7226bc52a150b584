"""What a model wrote as Markdown, in archives."""

from __future__ import annotations

import html
import re

import pytest

from lmops.base.markdown import markdown_html


def shown(text):
    """The HTML without its styles."""
    return re.sub(r' style="[^"]*"', "", markdown_html(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# Hi\none\ntwo", "<div>Hi</div><p>one<br>two</p>"),
        ("- a\n  - b\n- c", "<ul><li>a<ul><li>b</li></ul></li><li>c</li></ul>"),
        ("3. a\n4. b\n\n   more", '<ol start="3"><li>a</li><li>b<p>more</p></li></ol>'),
        ("> q\n> > r", "<blockquote><p>q</p><blockquote><p>r</p></blockquote></blockquote>"),
        (
            "|a|b|\n|--|--:|\n|1|2|",
            "<table><thead><tr><th>a</th><th>b</th></tr></thead><tbody><tr><td>1</td><td>2</td></tr></tbody></table>",
        ),
        ("```py\na < b\n```\nend", "<pre>a &lt; b</pre><p>end</p>"),
        ("---", "<hr>"),
        ("**b *c* d** `x*y` ~~n~~", "<p><strong>b <em>c</em> d</strong> <code>x*y</code> <del>n</del></p>"),
        ("__s__ _e_", "<p><strong>s</strong> <em>e</em></p>"),
        ("a * b, snake_case_name, \\*no\\*, **open", "<p>a * b, snake_case_name, *no*, **open</p>"),
        ("", ""),
    ],
)
def test_markdown_means_what_it_means_in_the_widgets(text, expected):
    """Headings, lists in lists, quotes, tables, code, rules, emphasis; what is not closed stays text."""
    assert shown(text) == expected


def test_links_and_images_are_words_and_nothing_acts():
    """Each address is shown; nothing is fetched, nothing leads anywhere, HTML is text."""
    found = shown(
        "[x](javascript:alert(1)) ![i](http://spy.invalid/a.png) <img src=x onerror=alert(1)> [http://y](http://y)"
    )
    assert set(re.findall(r"<(/?\w+)", found)) == {"p", "/p"}
    words = html.unescape(found)
    for part in ("x (javascript:alert(1))", "image i (http://spy.invalid/a.png)", "<img src=x onerror=alert(1)>"):
        assert part in words
    assert words.count("http://y") == 1


@pytest.mark.parametrize("piece", ["[", "[](", "*a ", "_a", "` `` ", "~~a", "> ", "- ", "1. ", "|a", "**a*", "\\", "#"])
def test_hostile_markdown_is_bounded(piece):
    """Whatever repeats, all of its letters are there and tags are not in each other without end."""
    text = piece * (8_000 // len(piece))
    found = markdown_html(text)
    assert re.sub("<[^>]+>", "", found).count("a") == text.count("a")
    assert max(found.count(tag) for tag in ("<blockquote>", "<ul", "<ol")) <= 6
