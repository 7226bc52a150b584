"""An executed notebook as one HTML page that reads offline.

The page loads nothing and runs no script but its own: a content security policy with a fresh nonce says so, so that
markup in an output stays inert. Charts are kept in the notebook as plotly JSON (a few kB each); the page draws them
with one packed plotly.js, and has none when there is no chart.
"""

from __future__ import annotations

import base64
import copy
import gzip
import itertools
import json
import re
import secrets
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

from lmops.runbooks._decision import SIGNS
from lmops.runbooks._notebook import HEADING
from lmops.text import attribute, escape

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lmops.runbooks._decision import Answer

#: The tag of the cell whose chart stands at the head of the report.
ANSWER_TAG: Final = "answer"
#: The tag of a heading below which nothing stands; its rule is in the style sheet.
EMPTY_TAG: Final = "lmops-empty"
_HASHES: Final = re.compile(r"\s*(#{1,6})\s")
_FIGURE: Final = '<div class="lmops-figure">'
PLOTLY: Final = "application/vnd.plotly.v1+json"
#: The first form that an output has is the one shown.
_PRIORITY: Final = ("text/html", "image/svg+xml", "image/png", "image/jpeg", "text/markdown", "text/plain")


def page(notebook: Any, *, title: str, facts: Iterable[tuple[str, str, str]], answer: Answer | None = None) -> str:
    """Return the page: what was found, why, the chart that shows it, then all the rest, and where it comes from.

    Args:
        notebook: The executed notebook; it is not changed.
        title: Name of the runbook.
        facts: Rows of (name, value, class) below the cells; class is "ok", "bad" or "".
        answer: What was found.
    """
    shown = copy.deepcopy(notebook)
    figures = sum(_prepare(output) for cell in shown.cells for output in cell.get("outputs", []))
    chart = _taken_chart(shown)
    _drop_heading(shown)
    _mark_empty(shown)
    nonce = secrets.token_urlsafe(16)
    rows = "".join(
        f'<dt>{escape(name)}</dt><dd class="{attribute(style)}">{escape(value)}</dd>' for name, value, style in facts
    )
    policy = (
        f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'unsafe-inline'; img-src data: blob:; "
        "font-src data:; base-uri 'none'; form-action 'none'"
    )
    return "".join(
        (
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n',
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n',
            f"<title>{attribute(title)}</title>\n<style>{_style()}</style>\n</head>\n<body>\n",
            _head(title, answer),
            f'<section class="chart">{chart}</section>\n' if chart else "",
            '<label class="switch"><input type="checkbox" id="show-code"> show code</label>\n',
            f"<main>\n{_body(shown)}\n</main>\n",
            f'<footer><h2>Where this comes from</h2>\n<dl class="facts">{rows}</dl></footer>\n' if rows else "",
            _scripts(nonce) if figures else "",
            "</body>\n</html>\n",
        )
    )


def _prepare(output: Any) -> bool:
    """Keep of an output what a page can show; return whether it is a chart."""
    data = output.get("data")
    if not data:
        return False
    figure = data.get(PLOTLY)
    if figure is not None:
        # "<" as an escape: text of the chart can neither close the element nor open one
        text = json.dumps(figure).replace("<", "\\u003c")
        output["data"] = {"text/html": f'{_FIGURE}<script type="application/json">{text}</script></div>'}
        return True
    kept = {kind: data[kind] for kind in _PRIORITY if kind in data}
    output["data"] = kept or {"text/plain": "(an output without a form that a page can show)"}
    return False


def _head(title: str, answer: Answer | None) -> str:
    """Return the title, what was found in large letters, and why."""
    if answer is None:
        return f"<header><h1>{escape(title)}</h1></header>\n"
    why = f'<p class="why">{escape(answer.why)}</p>' if answer.why else ""
    word = f'<span aria-hidden="true">{SIGNS[answer.kind]}</span> {escape(answer.word)}'
    return f'<header class="answer {answer.kind}"><h1>{escape(title)}</h1><p class="outcome">{word}</p>{why}</header>\n'


def _taken_chart(notebook: Any) -> str:
    """Take the chart that shows the answer out of its cell and return it: of the cell tagged so, else the first one."""
    cells = sorted(notebook.cells, key=lambda cell: ANSWER_TAG not in cell.metadata.get("tags", []))
    for cell in cells:
        for output in cell.get("outputs", []):
            text = str(output.get("data", {}).get("text/html", ""))
            if text.startswith(_FIGURE):
                cell.outputs.remove(output)
                return text
    return ""


def _drop_heading(notebook: Any) -> None:
    """Drop the first heading: the page begins with it."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and HEADING.search(cell.source):
            cell.source = HEADING.sub("", cell.source, count=1)
            return


def _mark_empty(notebook: Any) -> None:
    """Mark the headings below which nothing stands, as in a dry run: the page shows them with the code only."""
    for place, cell in enumerate(notebook.cells):
        level = _level(cell)
        if level and not any(map(_has_content, _section(notebook.cells[place:], level))):
            cell.metadata["tags"] = [*cell.metadata.get("tags", []), EMPTY_TAG]


def _section(cells: list[Any], level: int) -> Iterator[Any]:
    """Yield the first cell, a heading of that level, and those before the next heading that is not below it."""
    yield cells[0]
    yield from itertools.takewhile(lambda one: not 0 < _level(one) <= level, cells[1:])


def _level(cell: Any) -> int:
    """Return the level of the heading that a cell begins with; 0 where it begins with none."""
    found = _HASHES.match(cell.source) if cell.cell_type == "markdown" else None
    return len(found[1]) if found else 0


def _has_content(cell: Any) -> bool:
    """Return whether a page shows anything of a cell besides its heading."""
    return bool(cell.outputs if cell.cell_type == "code" else HEADING.sub("", cell.source, count=1).strip())


def _body(notebook: Any) -> str:
    from nbconvert.exporters import HTMLExporter
    from traitlets.config import Config

    config = Config()
    config.NbConvertBase.display_data_priority = list(_PRIORITY)
    config.TagRemovePreprocessor.enabled = False
    exporter = HTMLExporter(
        config=config,
        template_name="basic",
        exclude_input_prompt=True,
        exclude_output_prompt=True,
        exclude_anchor_links=True,
    )
    body, _ = exporter.from_notebook_node(notebook)
    return str(body)


@cache
def _style() -> str:
    from pygments.formatters import HtmlFormatter

    light = HtmlFormatter(style="default").get_style_defs(".highlight")
    dark = HtmlFormatter(style="github-dark").get_style_defs(".highlight")
    return f"{_asset('_report.css')}\n{light}\n@media (prefers-color-scheme: dark) {{\n{dark}\n}}\n"


def _scripts(nonce: str) -> str:
    # inside our own script: an element of its own could be forged by markup in an output
    return f'<script nonce="{nonce}">const packed = "{_plotly_js()}";\n{_asset("_report.js")}</script>\n'


@cache
def _plotly_js() -> str:
    """Return plotly.js, gzipped, as base64: 1.9 MB instead of 4.8."""
    from plotly.offline import get_plotlyjs

    return base64.b64encode(gzip.compress(get_plotlyjs().encode(), 9, mtime=0)).decode()


@cache
def _asset(name: str) -> str:
    return resources.files("lmops.runbooks").joinpath(name).read_text(encoding="utf-8")
