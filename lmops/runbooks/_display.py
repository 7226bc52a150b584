"""One output in several forms: a notebook shows the richest, a plain script the text."""

from __future__ import annotations


def display_bundle(bundle: dict[str, object]) -> None:
    """Display the forms of one output; a plain script prints the text form."""
    from IPython import get_ipython  # type: ignore[attr-defined,unused-ignore]  # exported without a stub
    from IPython.display import display

    # outside IPython display() would print the whole bundle as a dict
    if get_ipython() is None:
        print(bundle["text/plain"])  # noqa: T201 - the text form is what a plain script shows
    else:
        display(bundle, raw=True)
