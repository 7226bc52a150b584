"""What git says of a folder, without changing anything in it and without running anything that it names.

A repository can name dozens of programs for git to run: filters, monitors, hooks, signature checkers, helpers of every
kind, in its configuration, in files that this one includes, in submodules. No list of settings to switch off stays
complete. So git is asked in a directory of our own that borrows only the objects and the index of the repository:
its configuration, hooks and attributes are not there to be read.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TIMEOUT_S: Final = 20
#: Settings of a repository that say how its files lie on this disk; their values are single words, checked below.
_ABOUT_FILES: Final = "filemode|symlinks|ignorecase|autocrlf|eol|precomposeunicode|trustctime|checkstat"
_SETTING: Final = re.compile(rf"core\.(?:{_ABOUT_FILES})\n[A-Za-z]{{1,12}}")
_FORMATS: Final = frozenset({"sha1", "sha256"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """A repository that is asked through a directory of our own."""

    folder: Path
    environment: Mapping[str, str]
    #: the commit that is checked out; None before the first one
    head: str | None

    def ask(self, *arguments: str) -> str | None:
        """Return what git prints in the folder; None when it fails or takes longer than ``TIMEOUT_S`` seconds."""
        return _run(self.folder, self.environment, *arguments)

    def changes(self, *arguments: str) -> str | None:
        """Return what differs from the commit, a line each, "" for nothing; the arguments are those of git status."""
        # Git would look into a submodule with the configuration of the submodule.
        return self.ask("status", "--porcelain=v1", "--ignore-submodules=all", *arguments)


@contextlib.contextmanager
def repository(folder: str | Path) -> Iterator[Repository | None]:
    """Yield the repository that a folder is in; None without git, outside of a repository, or when git refuses it."""
    found = _locate(Path(folder))
    if found is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="lmops-git-") as own:
        yield _borrow(Path(folder), Path(own), found)


def notes(folder: str | os.PathLike[str], *, ref: str) -> list[str] | None:
    """Return the notes under ``refs/notes/REF`` of a repository, whatever they are about; None without a repository."""
    with _noted(folder, ref) as found:
        if found is None:
            return None
        listed = found.ask("notes", f"--ref={ref}", "list") or ""
        return [found.ask("cat-file", "blob", line.partition(" ")[0]) or "" for line in listed.splitlines()]


def add_note(folder: str | os.PathLike[str], text: str, *, ref: str) -> str | None:
    """Add a text to the note of the present commit under ``refs/notes/REF``; return the commit, None when it failed.

    The note is made in the directory of our own; of the repository itself only the reference is moved, without hooks.
    """
    with _noted(folder, ref) as found:
        if found is None or found.head is None:
            return None
        before = found.ask("rev-parse", "--verify", "--quiet", f"refs/notes/{ref}") or ""
        if found.ask("notes", f"--ref={ref}", "append", "-m", text, found.head) is None:
            return None
        after = (found.ask("rev-parse", "--verify", "--quiet", f"refs/notes/{ref}") or "").strip()
        moved = _run(
            found.folder,
            _environment(),
            "-c",
            f"core.hooksPath={os.devnull}",
            "update-ref",
            f"refs/notes/{ref}",
            after,
            before.strip(),
        )
        return None if moved is None else found.head


@contextlib.contextmanager
def _noted(folder: str | os.PathLike[str], ref: str) -> Iterator[Repository | None]:
    """Yield a repository in which the notes of one reference are as they are in the real one."""
    with repository(Path(folder)) as found:
        if found is None:
            yield None
            return
        own = Path(found.environment["GIT_DIR"])
        place = own / "refs" / "notes" / ref
        place.parent.mkdir(parents=True)
        now = (
            _run(found.folder, _environment(), "rev-parse", "--verify", "--quiet", f"refs/notes/{ref}") or ""
        ).strip()
        if re.fullmatch("[0-9a-f]{40,64}", now):
            place.write_text(f"{now}\n")
        who = {f"GIT_{role}_{what}": "lmops" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        yield dataclasses.replace(found, environment={**found.environment, **who})


def _locate(folder: Path) -> list[str] | None:
    """Return format, folder of objects, index and top of the repository, and its own directory.

    Git's own guard against repositories of other users works here, with the exceptions that the user has made.
    """
    asked = (
        "rev-parse",
        "--path-format=absolute",
        "--show-object-format",
        "--git-path",
        "objects",
        "--git-path",
        "index",
        "--show-toplevel",
        "--git-dir",
    )
    told = (_run(folder, _environment(), *asked) or "").splitlines()
    return told if len(told) == 5 and told[0] in _FORMATS else None


def _borrow(folder: Path, own: Path, found: list[str]) -> Repository:
    object_format, objects, index, top, directory = found
    head = (_run(folder, _environment(), "rev-parse", "--verify", "--quiet", "HEAD") or "").strip()
    for name in ("objects", "refs"):
        (own / name).mkdir()
    (own / "HEAD").write_text(f"{head}\n" if re.fullmatch("[0-9a-f]{40,64}", head) else "ref: refs/heads/none\n")
    (own / "config").write_text(_config(folder, object_format))
    # A clone without its history says so in a file, an index in parts lies in several.
    for path in (Path(directory) / "shallow", *Path(directory).glob("sharedindex.*")):
        if path.is_file():
            (own / path.name).symlink_to(path)
    places = {"GIT_DIR": str(own), "GIT_WORK_TREE": top, "GIT_OBJECT_DIRECTORY": objects, "GIT_INDEX_FILE": index}
    nothing = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_ATTR_NOSYSTEM": "1"}
    return Repository(folder=folder, environment={**_environment(), **nothing, **places}, head=head or None)


def _config(folder: Path, object_format: str) -> str:
    """Return the configuration of our own directory: how files lie on the disk, and nothing that names a program."""
    asked = _run(folder, _environment(), "config", "-z", "--get-regexp", rf"^core\.({_ABOUT_FILES})$") or ""
    kept = [entry.partition("\n") for entry in asked.split("\0") if _SETTING.fullmatch(entry)]
    lines = ["[core]", "repositoryformatversion = 1", "bare = false", f"hooksPath = {os.devnull}"]
    lines += [f"{key.removeprefix('core.')} = {value}" for key, _, value in kept]
    return "\n".join([*lines, "[extensions]", f"objectFormat = {object_format}", ""])


def _environment() -> dict[str, str]:
    """Return the environment without what points git elsewhere; no pager, no prompt, no network."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    asked = {key: os.environ[key] for key in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM") if key in os.environ}
    return {
        **kept,
        **asked,
        "LC_ALL": "C",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_PAGER": "cat",
        # An object that is missing in a partial clone is not fetched: that would run what the repository names.
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_ALLOW_PROTOCOL": "none",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_LITERAL_PATHSPECS": "1",  # a file may be named ":(attr:x)"
    }


def _run(folder: Path, environment: Mapping[str, str], *arguments: str) -> str | None:
    command = ["git", "--no-pager", "-c", "core.fsmonitor=false", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(  # the git of the one who calls
            command,
            capture_output=True,
            text=True,
            errors="surrogateescape",
            timeout=TIMEOUT_S,
            check=False,
            stdin=subprocess.DEVNULL,
            env=dict(environment),
        )
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
