"""One output in several forms: a notebook shows the richest, a plain script the text."""

from __future__ import annotations

import sys


def display_bundle(bundle: dict[str, object]) -> None:
    """Display the forms of one output; a plain script prints the text form."""
    # display() would print the whole bundle as a dict there; where IPython runs, it has been loaded
    ipython = sys.modules.get("IPython")
    if ipython is None or ipython.get_ipython() is None:
        print(bundle["text/plain"])  # noqa: T201 - the text form is what a plain script shows
        return
    from IPython.display import display

    display(bundle, raw=True)
