"""The progress line."""

from __future__ import annotations

import io

import pytest

from lmops.progress import Progress, _html, _Terminal


class Seconds:
    at = 0.0

    def __call__(self):
        return self.at


def test_it_is_silent_without_notebook_and_terminal(capsys):
    """In a pipe nothing is written."""
    with Progress("ingest", 3) as progress:
        progress.advance()
    assert capsys.readouterr() == ("", "")


def test_updates_are_throttled_and_the_last_is_shown():
    """Five lines a second at most, and the end in any case."""
    now, shown = Seconds(), []
    progress = Progress(
        "ingest",
        1000,
        unit="lines",
        now=now,
        show=lambda text, fraction, *, is_last: shown.append((text, fraction, is_last)),
    )
    for _ in range(1000):
        now.at += 0.001
        progress.advance()
    progress.close()
    assert len(shown) == 6
    assert shown[-1] == ("ingest: 1,000 of 1,000 lines (100%) 1.0 s", 1.0, True)


def test_the_html_is_escaped():
    """A note may hold text from a trace."""
    assert "<script>" not in _html("<script>", None)
    assert 'value="0.5000"' in _html("x", 0.5)


def test_a_terminal_line_is_rewritten_without_control_characters(monkeypatch):
    """A note cannot move the cursor of a terminal."""
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    show = _Terminal()
    show("a\x1b[2Jlong line", 0.1, is_last=False)
    show("b", 1.0, is_last=True)
    assert "\x1b" not in stream.getvalue()
    assert stream.getvalue().endswith("\n")


def test_an_error_ends_the_line_with_its_name():
    """The archived line says that the work stopped."""
    shown = []
    progress = Progress("ingest", show=lambda text, _fraction, *, is_last: shown.append(text))
    with pytest.raises(ZeroDivisionError), progress:  # noqa: PT012 - the error is raised inside the line's block
        progress.advance()
        1 / 0  # noqa: B018 - it raises
    assert shown[-1].endswith("stopped: ZeroDivisionError")


def test_work_that_is_cut_short_says_what_goes_on():
    """The call is there to be copied, in the last line that stays."""
    shown, goes_on = [], 'ws.evals.resume("run-1")'
    bar = Progress("eval", 9, resumed_by=goes_on, show=lambda text, _, **__: shown.append(text))
    bar.advance()
    bar.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert shown[-1].endswith(f"stopped: KeyboardInterrupt; {goes_on} goes on")
