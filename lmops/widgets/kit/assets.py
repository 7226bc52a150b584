"""The front end of a widget: plain modules, put together here as anywidget modules cannot import each other.

A file is named from the folder of all widgets, with its noun: ``"traces/browser.js"``.
"""

from __future__ import annotations

import base64
import gzip
import posixpath
import re
from functools import cache
from importlib.resources import files
from typing import Final

_IMPORT: Final = re.compile(r'^import \{[^}]*\} from "(?P<name>\.{1,2}/[\w/]+\.js)";\n', re.MULTILINE)
_EXPORT: Final = re.compile(r"^export (?!default)", re.MULTILINE)
_COMMENT: Final = re.compile(r"^ *(//.*|/\*\*? [^*]*(\*(?!/)[^*]*)*\*/)\n", re.MULTILINE)
_LAST_COMMENT: Final = re.compile(r"(?<=[;{},)]) // .*$", re.MULTILINE)
_SHEET: Final = re.compile(r'^@import "\.\./(?P<name>kit/\w+\.css)";\n', re.MULTILINE)
_ROOT: Final = re.compile(r"\.lm-root(?![\w-])")
_INDENT: Final = re.compile(r"^[ \n]+", re.MULTILINE)

#: a line of code without templates and patterns; in it a string, or spaces that mean nothing (around + they may)
_PLAIN_LINE: Final = re.compile(r"^[^'`/\\\n]+$", re.MULTILINE)
_JS_SPACE: Final = re.compile(r'("[^"]*")| *(=>|===|!==|&&|\|\||\?\?|[{}(),;=<>?:]) *')
#: a line break that means nothing; an address is no comment, but a line that has one is left alone
_JS_BREAK: Final = re.compile(r"^((?:(?!//).)*[;{,])\n(?=.)", re.MULTILINE)
#: a module that is another one, unpacked by the page; {} is what was packed
_UNPACK: Final = """const bytes = Uint8Array.from(atob("{}"), (one) => one.charCodeAt(0));
const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
const url = URL.createObjectURL(new Blob([await new Response(stream).arrayBuffer()], {{ type: "text/javascript" }}));
const unpacked = await import(url);
URL.revokeObjectURL(url);
export default unpacked.default;
"""
#: spaces that mean nothing in our style sheets (those around + and - and before : in selectors do)
_CSS_SPACE: Final = re.compile(r" *([{};,]) *|(:) +")


@cache
def script(name: str) -> str:
    """Return one module with everything that it imports, each file once, in the order of need.

    Comments, indents and most white space are left out: the text is stored in every notebook that saves the state of
    its widgets. So a template literal stays on one line; a test holds that.
    """
    parts: dict[str, str] = {}
    _collect(name, parts)
    return "".join(parts.values())


@cache
def packed(name: str) -> str:
    """Return :func:`script` as a module that unpacks it: a notebook that saves its widgets stores a third of it."""
    return _UNPACK.format(base64.b64encode(gzip.compress(script(name).encode(), mtime=0)).decode("ascii"))


def _collect(name: str, parts: dict[str, str]) -> None:
    if name in parts:
        return
    text = text_of(name)
    for found in _IMPORT.finditer(text):
        _collect(posixpath.normpath(posixpath.join(posixpath.dirname(name), found["name"])), parts)
    lean = _lean(_EXPORT.sub("", _IMPORT.sub("", text)))
    parts[name] = _JS_BREAK.sub(r"\1", _PLAIN_LINE.sub(lambda line: _JS_SPACE.sub(r"\1\2", line[0]), lean))


@cache
def style(name: str) -> str:
    """Return the style sheet of one widget, after what all widgets share, with the sheets of the kit that it imports.

    Style sheets act on the whole notebook. So what is the widget's own is nested in its root, for which it says
    ``.lm-root``: widgets use the same words for different things. The root of ``traces/browser.css`` is
    ``[data-lm="trace-browser"]``, the noun with the name of the file.
    """
    own = _ROOT.sub("&", _SHEET.sub(lambda found: text_of(found["name"]), text_of(name)))
    noun, file = name.removesuffix(".css").split("/")
    root = f"{noun.removesuffix('s')}-{file}"
    text = _lean(f'{text_of("kit/skin.css")}{text_of("kit/base.css")}[data-lm="{root}"] {{\n{own}}}').replace("\n", " ")
    return _CSS_SPACE.sub(r"\1\2", text).replace(";}", "}")


def _lean(text: str) -> str:
    return _INDENT.sub("", _LAST_COMMENT.sub("", _COMMENT.sub("", text)))


def text_of(name: str) -> str:
    """Return the text of one file."""
    return files("lmops.widgets").joinpath(name).read_text("utf-8")
