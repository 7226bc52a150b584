"""Runbooks as files: finding them by name, reading them, and the words shown for their cells."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lmops.errors import NotFoundError, RunbookRefusedError, UntrustedError
from lmops.owners import refuse_stranger
from lmops.runbooks import _parameters
from lmops.text import escape, plain_line

if TYPE_CHECKING:
    from collections.abc import Iterable

PARAMETERS_TAG: Final = "parameters"
_HEADING: Final = re.compile(r"^#{1,6}\s+(.+?)\s*#*$", re.MULTILINE)


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
        rows = "".join(
            "<tr>"
            + "".join(f"<td>{escape(text)}</td>" for text in (p.name, str(p.type), repr(p.default), p.doc))
            + "</tr>"
            for p in self.parameters
        )
        problem = f"<p><b>refused:</b> {escape(self.problem)}</p>" if self.problem else ""
        head = "<tr><th>parameter</th><th>type</th><th>default</th><th>unit and meaning</th></tr>"
        return f"<p><b>{escape(self.name)}</b>: {escape(self.title)}</p>{problem}<table>{head}{rows}</table>"


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
        RunbookRefusedError: It is not a valid Python notebook, it is a link, or another user's who is not trusted.
    """
    import nbformat

    if path.is_symlink():
        raise RunbookRefusedError(f"{path} is a link and is not followed; name the notebook that it leads to")
    try:
        refuse_stranger(path, path.parent, what="the runbook")
    except UntrustedError as error:
        raise RunbookRefusedError(str(error)) from error
    try:
        notebook = nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)
        notebook = nbformat.v4.upgrade(notebook)
        nbformat.validate(notebook)
    except (OSError, ValueError, TypeError, AttributeError, KeyError, nbformat.ValidationError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise RunbookRefusedError(f"{path.name} is not a notebook: {reason}") from error
    language = notebook.metadata.get("kernelspec", {}).get("language", "python")
    if language != "python":
        raise RunbookRefusedError(f"{path.name} is a notebook for {language!r}; a runbook is Python")
    return notebook


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
        notebook = read(path)
        title = heading(notebook) or title
        declared = parameters(notebook, where=path.name)
    except RunbookRefusedError as error:
        return Runbook(name=path.stem, path=path, title=title, problem=str(error))
    return Runbook(name=path.stem, path=path, title=title, parameters=declared)


def heading(notebook: Any) -> str:
    """Return the first heading of a notebook, or ""."""
    texts = (cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    return next((match.group(1) for text in texts if (match := _HEADING.search(text))), "")


def cell_title(notebook: Any, index: int) -> str:
    """Return a short name for a cell: its leading comment, the heading above it, or its first line."""
    source = notebook.cells[index].source.strip()
    first = source.splitlines()[0] if source else ""
    if first.startswith("#"):
        return first.lstrip("# ").strip()[:80]
    for cell in reversed(notebook.cells[:index]):
        if cell.cell_type == "markdown" and (found := _HEADING.findall(cell.source)):
            return str(found[-1])[:80]
    return first[:80]
