"""What imports what in the package, counted over its syntax trees: circles, private files, imports inside functions.

``python -m tests.imports`` prints the figures.
"""

from __future__ import annotations

import ast
import functools
import re
import tomllib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
#: How much is counted: what runs when a module is loaded; what a type checker reads as well; what functions import too.
LEVELS = ("module", "typing", "function")
#: Slow to load, or not on every system: beside what ruff bans at the top of a module, a function may import these.
SLOW = {
    "asyncio",
    "click",
    "filelock",
    "google",
    "importlib.metadata",
    "ipykernel",
    "jupyter_client",
    "jupyter_core",
    "lmops.scorers._judge_words",
    "nbclient",
    "orjson",
    "psutil",
    "pwd",
    "pygments",
    "pytz",
    "referencing",
    "traitlets",
    "urllib.request",
    "xml",
    "zmq",
}
#: A mark that ends its line, and a broad handler without a comment.
_BARE = re.compile(
    r"# (noqa(: [A-Z0-9, ]+)?|fmt: (skip|off)|type: ignore(\[[\w, -]+\])?)$"
    r"|^\s*except\b[^#]*\b(Base)?Exception\b[^#]*:$|^\s*except:$"
    r"|^\"(lmops|tests)/\S+\" = \[.*\]$"
)
#: What is loaded when a person asks for it, by a command or by a verb that shows something, or with an error: the last
#: of them is what ``import lmops`` itself loads.
LAZY = r"lmops\.(cli|_cli).*|lmops\.widgets\.\w+\.noun|lmops\.base\.absent"


@dataclass(frozen=True)
class Import:
    """One module that another one imports.

    Args:
        importer: The module that imports.
        imported: The module that is imported: a file where one is meant, else the package.
        level: Where the import stands, one of ``LEVELS``.
        line: The line of the import.
    """

    importer: str
    imported: str
    level: str
    line: int


@functools.cache
def tree(path):
    """Return the syntax tree of a file; it is not to be changed."""
    return ast.parse(path.read_text())


def modules(root=ROOT):
    """Return module name -> file of the package."""
    named = {}
    for path in sorted((root / "lmops").rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        named[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return named


def imports(root=ROOT):
    """Return every import of the package, those of other packages with their whole name."""
    known = modules(root)
    return [found for name, path in known.items() for found in _of_module(name, path, known)]


def circles(found, level):
    """Return the groups of modules that reach each other, counting imports up to a level."""
    arrows = _arrows(found, LEVELS[: LEVELS.index(level) + 1])
    reached = {name: _reach(name, arrows) for name in arrows}
    groups = {frozenset(other for other in reached[name] if name in reached.get(other, ())) for name in arrows}
    return sorted(sorted(group) for group in groups if group)


def private(found):
    """Return the imports of a file with an underscore from outside its package."""
    return [one for one in found if not _may_see(one)]


def needless(found, root=ROOT):
    """Return the imports inside functions that load nothing slow: they belong to the top of their module."""
    settings = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]["flake8-tidy-imports"]
    slow = SLOW | set(settings["banned-module-level-imports"])
    arrows = _arrows(found, ("module",))

    def loads(name):
        """Return what importing a module loads: itself, the packages around it, and what they import."""
        parts = name.split(".")
        around = {".".join(parts[:length]) for length in range(1, len(parts) + 1)} - {"lmops"}
        return around | {package for other in around for package in _reach(other, arrows)}

    inside = [one for one in found if one.level == "function" and not re.fullmatch(LAZY, one.importer)]
    return [
        one for one in inside if not any(name in slow or name.partition(".")[0] in slow for name in loads(one.imported))
    ]


def marks(root=ROOT):
    """Return how often the package asks to be excused: from a rule, from its form, from naming what can go wrong."""
    counted: Counter[str] = Counter()
    for path in modules(root).values():
        text = path.read_text()
        counted["noqa"] += len(re.findall(r"# noqa", text))
        counted["fmt: skip"] += text.count("fmt: skip")
        handlers = [node for node in ast.walk(tree(path)) if isinstance(node, ast.ExceptHandler)]
        counted["broad except"] += sum(
            node.type is None or bool(re.search(r"\b(Base)?Exception\b", ast.unparse(node.type))) for node in handlers
        )
    return counted


def statements(path):
    """Return the lines at which a file gives a statement to a connection of the records."""
    asked = r"(\w+\.)*_?(con|connection|cursor|db)\.execute(many|script)?"
    calls = [node for node in ast.walk(tree(path)) if isinstance(node, ast.Call)]
    return [node.lineno for node in calls if re.fullmatch(asked, ast.unparse(node.func))]


def unexplained(path):
    """Return the lines of a file that ask to be excused and give no reason, beside it or just above.

    In ``pyproject.toml`` these are the files that are let off a rule.
    """
    lines = path.read_text().splitlines()
    return [
        f"{path.name}:{number}"
        for number, line in enumerate(lines, 1)
        if _BARE.search(line) and not lines[number - 2].lstrip().startswith("#")
    ]


def _may_see(one):
    package, _, name = one.imported.rpartition(".")
    if not one.imported.startswith("lmops.") or not name.startswith("_") or name.startswith("__"):
        return True
    return one.importer == package or one.importer.startswith(f"{package}.")


def _arrows(found, levels):
    arrows: dict[str, set[str]] = {}
    for one in found:
        if one.level in levels and one.importer != one.imported:
            arrows.setdefault(one.importer, set()).add(one.imported)
    return arrows


def _reach(start, arrows):
    seen: set[str] = set()
    waiting = list(arrows.get(start, ()))
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting.extend(arrows.get(name, ()))
    return seen


def _of_module(name, path, known):
    found: list[Import] = []

    def walk(node, level):
        if isinstance(node, ast.Import | ast.ImportFrom):
            found.extend(Import(name, target, level, node.lineno) for target in _targets(node, known))
            return
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for part in node.body:
                walk(part, "typing" if level == "module" else level)
            for part in node.orelse:
                walk(part, level)
            return
        inner = "function" if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) else level
        for part in ast.iter_child_nodes(node):
            walk(part, inner)

    walk(tree(path), "module")
    return found


def _targets(node, known):
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return sorted(
        {
            f"{node.module}.{alias.name}" if f"{node.module}.{alias.name}" in known else node.module
            for alias in node.names
        }
    )


def main():
    """Print the figures."""
    found = imports()
    for level in LEVELS:
        groups = circles(found, level)
        print(f"modules in circles, {level:8} {sum(map(len, groups)):5}  {groups or ''}")
    inside = [one for one in found if one.level == "function"]
    print(f"private imports              {len(private(found)):5}")
    print(f"imports inside functions     {len(inside):5}")
    print(f"of these, of nothing slow    {len(needless(found)):5}")
    for name, count in marks().items():
        print(f"{name:28} {count:5}")
    files = modules()
    print(f"files                        {len(files):5}")
    print(f"files with an underscore     {sum(name.rpartition('.')[2].startswith('_') for name in files):5}")


if __name__ == "__main__":
    main()
