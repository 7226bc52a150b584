"""Runbooks as files: finding them by name, reading them, and the words shown for their cells."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

from lmops.base.sheet import html_table
from lmops.errors import MissingDependencyError, NotFoundError, RunbookRefusedError, UntrustedError
from lmops.owners import refuse_stranger
from lmops.runbooks import _parameters
from lmops.text import escape, plain_line

if TYPE_CHECKING:
    from collections.abc import Iterable

PARAMETERS_TAG: Final = "parameters"
#: The keys of a notebook and of its cells, as the format has them.
_NOTEBOOK: Final = {"cells", "metadata", "nbformat", "nbformat_minor"}
_TEXT: Final = {"cell_type", "id", "metadata", "source"}
_CODE: Final = {*_TEXT, "execution_count", "outputs"}
_CELL_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
HEADING: Final = re.compile(r"^#{1,6}\s+(.+?)\s*#*$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Runbook:
    """A notebook that can be run: its name, where it is, its title and the parameters it declares.

    ``problem`` says why it would be refused, and is "" when it can be run.
    """

    name: str
    path: Path
    title: str
    parameters: tuple[_parameters.Parameter, ...] = ()
    problem: str = ""

    def __repr__(self) -> str:
        below = [str(self.path), *([f"refused: {self.problem}"] if self.problem else []), *map(str, self.parameters)]
        return "\n  ".join(plain_line(line, 500) for line in (f"{self.name}: {self.title}", *below))

    def _repr_html_(self) -> str:
        rows = [(p.name, str(p.type), repr(p.default), p.doc) for p in self.parameters]
        problem = f"<p><b>refused:</b> {escape(self.problem)}</p>" if self.problem else ""
        table = html_table(("parameter", "type", "default", "unit and meaning"), rows)
        return f"<p><b>{escape(self.name)}</b>: {escape(self.title)}</p>{problem}{table}"


def shipped_folder() -> Path:
    """Return the folder of the runbooks that come with the package."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "_runbooks"
    # an editable install runs from the source tree, where they are beside the package
    return installed if installed.is_dir() else package.parent / "notebooks" / "runbooks"


def available(folders: Iterable[Path]) -> dict[str, Path]:
    """Return the path of every runbook by name; a name in an earlier folder hides the later one."""
    found: dict[str, Path] = {}
    for folder in folders:
        if folder.is_dir():
            for path in sorted(folder.glob("*.ipynb")):
                found.setdefault(path.stem, path)
    return found


def find(runbook: str | Path, folders: Iterable[Path]) -> Path:
    """Return the path of a runbook given by name or by path.

    Raises:
        NotFoundError: There is no such name or file.
    """
    text = str(runbook)
    if isinstance(runbook, Path) or text.endswith(".ipynb") or "/" in text or "\\" in text:
        path = Path(text).expanduser()
        if path.is_file():
            return path.resolve()  # whoever names a link has chosen it
        raise NotFoundError(f"no notebook at {text!r}")
    known = available(folders)
    if text not in known:
        raise NotFoundError.of("runbook", text, known, hint="a path ending in .ipynb works as well")
    return known[text].parent.resolve() / known[text].name


def read(path: Path) -> Any:
    """Return the notebook at a path, upgraded to the newest form of version 4.

    Raises:
        MissingDependencyError: nbformat, which checks it, is not installed.
        RunbookRefusedError: It is not a valid Python notebook, it is a link, or another user's who is not trusted.
    """
    _refuse_link_and_stranger(path)
    try:
        import nbformat
    except ImportError as error:
        raise MissingDependencyError.of("nbformat", "runbooks") from error
    try:
        notebook = nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)
        notebook = nbformat.v4.upgrade(notebook)
        nbformat.validate(notebook)
    except (OSError, ValueError, TypeError, AttributeError, KeyError, nbformat.ValidationError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise RunbookRefusedError(f"{path.name} is not a notebook: {reason}") from error
    _refuse_language(notebook, path)
    return notebook


def _refuse_link_and_stranger(path: Path) -> None:
    if path.is_symlink():
        raise RunbookRefusedError(f"{path} is a link and is not followed; name the notebook that it leads to")
    try:
        refuse_stranger(path, path.parent, what="the runbook")
    except UntrustedError as error:
        raise RunbookRefusedError(str(error)) from error


def _refuse_language(notebook: Any, path: Path) -> None:
    language = notebook.metadata.get("kernelspec", {}).get("language", "python")
    if language != "python":
        raise RunbookRefusedError(f"{path.name} is a notebook for {language!r}; a runbook is Python")


def _glance(path: Path) -> Any:
    """Return the notebook at a path to look at, without loading what checks it (a third of a second) if it is plain.

    Raises:
        RunbookRefusedError: As for :func:`read`.
    """
    _refuse_link_and_stranger(path)
    notebook = _plain(path)
    if notebook is None:
        return read(path)
    _refuse_language(notebook, path)
    return notebook


def _plain(path: Path) -> SimpleNamespace | None:
    """Return a notebook in the form that runbooks are kept in, 4.5 without outputs; None for any other."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not (isinstance(found, dict) and found.keys() == _NOTEBOOK and isinstance(found["cells"], list)):
        return None
    if (found["nbformat"], found["nbformat_minor"]) != (4, 5) or not all(map(_is_plain, found["cells"])):
        return None
    if not isinstance(found["metadata"], dict) or not isinstance(found["metadata"].get("kernelspec", {}), dict):
        return None
    cells = [SimpleNamespace(**{**cell, "source": "".join(cell["source"])}) for cell in found["cells"]]
    is_whole = len({cell.id for cell in cells}) == len(cells)
    return SimpleNamespace(cells=cells, metadata=found["metadata"]) if is_whole else None


def _is_plain(cell: Any) -> bool:
    """Return whether one cell has the form of the format, and no output."""
    if not isinstance(cell, dict) or cell.keys() != (_CODE if cell.get("cell_type") == "code" else _TEXT):
        return False
    tags = cell["metadata"].get("tags", []) if isinstance(cell["metadata"], dict) else None
    source = cell["source"]
    return (
        cell["cell_type"] in {"code", "markdown", "raw"}
        and not cell.get("outputs")
        and cell.get("execution_count") is None
        and isinstance(tags, list)
        and (isinstance(source, str) or (isinstance(source, list) and all(isinstance(line, str) for line in source)))
        and _CELL_ID.fullmatch(str(cell["id"])) is not None
    )


def parameters(notebook: Any, *, where: str) -> tuple[_parameters.Parameter, ...]:
    """Return what the cell tagged ``parameters`` declares; none without such a cell.

    Raises:
        RunbookRefusedError: The cell cannot be read, or there is more than one.
    """
    tagged = [cell for cell in notebook.cells if PARAMETERS_TAG in cell.metadata.get("tags", [])]
    if len(tagged) > 1:
        raise RunbookRefusedError(f"{where} has {len(tagged)} cells tagged {PARAMETERS_TAG!r}; one is allowed")
    return _parameters.parse(tagged[0].source, where=where) if tagged else ()


def describe(path: Path) -> Runbook:
    """Return the runbook at a path; a broken one says so in ``problem``."""
    title = path.stem
    try:
        notebook = _glance(path)
        title = heading(notebook) or title
        declared = parameters(notebook, where=path.name)
    except (RunbookRefusedError, MissingDependencyError) as error:
        return Runbook(name=path.stem, path=path, title=title, problem=str(error))
    return Runbook(name=path.stem, path=path, title=title, parameters=declared)


def heading(notebook: Any) -> str:
    """Return the first heading of a notebook, or ""."""
    texts = (cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    return next((match.group(1) for text in texts if (match := HEADING.search(text))), "")


def cell_title(notebook: Any, index: int) -> str:
    """Return a short name for a cell: its leading comment, the heading above it, or its first line."""
    source = notebook.cells[index].source.strip()
    first = source.splitlines()[0] if source else ""
    if first.startswith("#"):
        return first.lstrip("# ").strip()[:80]
    for cell in reversed(notebook.cells[:index]):
        if cell.cell_type == "markdown" and (found := HEADING.findall(cell.source)):
            return str(found[-1])[:80]
    return first[:80]
