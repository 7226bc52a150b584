"""The browser that the tests share."""

from __future__ import annotations


def test_after_a_browser_that_died_there_is_another(browsers):
    """One test is lost with it, and no more."""
    browsers().close()
    page = browsers().new_page()
    assert page.evaluate("1 + 1") == 2
    page.close()


def test_a_page_that_was_used_is_as_a_new_one(browsers):
    """What one test left on it, and where its pointer was, the next one does not meet."""
    first = browsers.sheet(700)
    page = first.page
    page.set_content("<title>old</title><style>p:hover { color: red }</style><p style='height: 800px'>old</p>")
    page.mouse.move(300, 300)
    page.emulate_media(reduced_motion="reduce", media="print", color_scheme="dark")
    page.evaluate("() => { window.left = 1; navigator.left = 1; }")
    browsers.put_back(first)
    page = browsers.sheet(1200).page
    page.set_content("<body><p style='height: 800px'>new</p>")
    asked = "(prefers-reduced-motion: reduce), print, (prefers-color-scheme: dark)"
    found = page.evaluate(
        """(asked) => [window.left, navigator.left, innerWidth, matchMedia(asked).matches,
          document.querySelectorAll('p:hover').length]""",
        asked,
    )
    assert page is first.page
    assert found == [None, None, 1200, False, 0]
