"""Texts of a figure in the colour of the page it stands on: plotly itself takes one colour for every theme."""

from __future__ import annotations

import re
from typing import Any, Final

#: of marks and lines, and of texts in a picture
GREY: Final = "#777a80"
#: No one colour stands out 4.5 : 1 from white and from JupyterLab's dark; the text of a page around the figure has one
#: that does. plotly also makes a picture, which has no page around it: there the grey stands that is seen on both.
NOTEBOOK: Final = f"var(--jp-ui-font-color1, var(--vscode-foreground, {GREY}))"
PAGE: Final = "currentColor"
_END: Final = "</span>"
_AXIS: Final = re.compile(r"[xy]axis\d*")


def inked(figure: dict[str, Any], colour: str) -> dict[str, Any]:
    """Return a figure, as plotly's JSON has it, whose texts take their colour from the page around it.

    Boxes that come with the pointer keep theirs: they have a ground of their own. Where somebody gave the texts of the
    figure a colour or another template, that holds.

    Args:
        figure: Not changed.
        colour: ``NOTEBOOK`` or ``PAGE``.
    """
    layout = figure["layout"]
    template = layout.get("template", {}).get("layout", {}).get("meta")
    if template != "lmops" or "color" in layout.get("font", {}):
        return figure
    ink = f'<span style="color:{colour}">'
    axes = {"xaxis", "yaxis", *filter(_AXIS.fullmatch, layout)}
    made = {**layout, **{name: _axis(layout.get(name, {}), ink) for name in axes}}
    if "title" in layout:
        made["title"] = _with(layout["title"], "text", ink)
    if "annotations" in layout:
        made["annotations"] = [_with(note, "text", ink) for note in layout["annotations"]]
    return {**figure, "layout": made, "data": [_with(trace, "name", ink) for trace in figure["data"]]}


def _axis(given: dict[str, Any], ink: str) -> dict[str, Any]:
    made = {
        **given,
        "tickprefix": ink + given.get("tickprefix", ""),
        "ticksuffix": given.get("ticksuffix", "") + _END,
    }
    if "title" in given:
        made["title"] = _with(given["title"], "text", ink)
    if "ticktext" in given:  # plotly puts no prefix before these
        made["ticktext"] = [_own(text, ink) for text in given["ticktext"]]
    return made


def _with(part: dict[str, Any], name: str, ink: str) -> dict[str, Any]:
    return {**part, name: _own(part[name], ink)} if part.get(name) else part


def _own(text: object, ink: str) -> str:
    return f"{ink}{text}{_END}"
