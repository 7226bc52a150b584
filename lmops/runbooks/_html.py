"""An executed notebook as one HTML page that reads offline.

The page loads nothing and runs no script but its own: a content security policy with a fresh nonce says so, so that
markup in an output stays inert. Charts are kept in the notebook as plotly JSON (a few kB each); the page draws them
with one packed plotly.js, and has none when there is no chart.
"""

from __future__ import annotations

import base64
import copy
import gzip
import json
import secrets
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

from lmops.text import escape

if TYPE_CHECKING:
    from collections.abc import Iterable

PLOTLY: Final = "application/vnd.plotly.v1+json"
#: The first form that an output has is the one shown.
_PRIORITY: Final = ("text/html", "image/svg+xml", "image/png", "image/jpeg", "text/markdown", "text/plain")


def page(notebook: Any, *, title: str, facts: Iterable[tuple[str, str, str]]) -> str:
    """Return the page.

    Args:
        notebook: The executed notebook; it is not changed.
        title: Name of the runbook.
        facts: Rows of (name, value, class) above the cells; class is "ok", "bad" or "".
    """
    shown = copy.deepcopy(notebook)
    figures = sum(_prepare(output) for cell in shown.cells for output in cell.get("outputs", []))
    nonce = secrets.token_urlsafe(16)
    rows = "".join(
        f'<dt>{escape(name)}</dt><dd class="{escape(style)}">{escape(value)}</dd>' for name, value, style in facts
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
            f"<title>{escape(title)}</title>\n<style>{_style()}</style>\n</head>\n<body>\n",
            f'<dl class="facts">{rows}</dl>\n',
            '<label class="switch"><input type="checkbox" id="show-code"> show code</label>\n',
            f"<main>\n{_body(shown)}\n</main>\n",
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
        output["data"] = {
            "text/html": f'<div class="lmops-figure"><script type="application/json">{text}</script></div>'
        }
        return True
    kept = {kind: data[kind] for kind in _PRIORITY if kind in data}
    output["data"] = kept or {"text/plain": "(an output without a form that a page can show)"}
    return False


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
