"""How monitors are filed: one YAML file a monitor, and back without loss."""

from __future__ import annotations

import difflib
import json
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, Final

from lmops.errors import UsageError
from lmops.monitors._versions import body_of, made, refuse_what_cannot_be_asked
from lmops.records import ContentFile, content_text, read_content, write_content
from lmops.text import plain_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lmops.monitors._records import Monitor
    from lmops.records import Change, Project, Versions

SUFFIX: Final = ".yaml"
_MAX_BYTES: Final = 200_000


def content_of(monitor: Monitor) -> dict[str, Any]:
    """Return the content of a version, as it is kept."""
    told = {"name", "version", "hash", "parent", "note", "author", "created_at"}
    content = {one.name: getattr(monitor, one.name) for one in fields(monitor) if one.name not in told}
    return {**content, "by": [*monitor.by]}


def lines_of(monitor: Monitor) -> list[str]:
    """Return the content of a version as lines that can be compared."""
    return [f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in content_of(monitor).items()]


class MonitorFiling:
    """Files ``NAME.yaml``.

    Args:
        project: The store that a monitor is asked of, and who acts.
        versions: The versions of monitors.
        defaults: What a file need not say.
    """

    suffix = SUFFIX
    max_bytes = _MAX_BYTES
    table = "monitor_files"

    def __init__(self, project: Project, versions: Versions[Monitor], defaults: Mapping[str, Any]) -> None:
        self._project = project
        self._versions = versions
        self._defaults = defaults

    def load(self, text: str) -> ContentFile:
        """Return what the text of a file says.

        Raises:
            UsageError: It is no monitor; the message has the line.
        """
        known = ("metric", *self._defaults)
        head, said, places = read_content(text, "monitor", known, example="metric: error_rate")
        if "metric" not in said:
            raise UsageError("line 1: a monitor says its metric: 'metric: error_rate'")
        try:
            body = body_of({**self._defaults, **said})
        except (UsageError, TypeError, AttributeError) as error:  # a value of a kind that nobody expected
            line = places[self._wrong(said)]
            raise UsageError(f"line {line}: {plain_line(str(error), 500)}") from error
        author, now = self._project.actor, self._project.now()
        one = made(body, name=head["monitor"] or "monitor", version=0, hash="", author=author, created_at=now)
        try:
            refuse_what_cannot_be_asked(self._project.store, one)
        except UsageError as error:
            line = places["where" if said.get("where") else "metric"]
            raise UsageError(f"line {line}: {plain_line(str(error), 500)}") from error
        return ContentFile(thing="monitor", name=head["monitor"], hash=head["hash"], note=head["note"], body=body)

    def _wrong(self, said: Mapping[str, Any]) -> str:
        """Return the first key of a file that is wrong by itself; else that of its method, which needs others."""
        for name in (name for name in said if name not in ("method", "limit")):
            try:
                body_of({**self._defaults, "metric": "error_rate", name: said[name]})
            except (UsageError, TypeError, AttributeError):
                return name
        return next(name for name in ("limit", "method", "metric") if name in said)

    def dump(self, version: Monitor) -> str:
        """Return a version as the text of its file."""
        return write_content("monitor", version, content_of(version))

    def kept(self, newest: Monitor, file: ContentFile) -> Monitor:
        """Return a version with the note of its file."""
        return replace(newest, note=file.note or newest.note)

    def save(self, change: Change, file: ContentFile, *, name: str, commit: str | None) -> tuple[Monitor, bool]:
        """Save what a file says as a version; return it and whether it is new. Its commit is in the report alone."""
        del commit
        row = {"body": content_text("monitor", file.body)}
        saved, is_new = self._versions.save(change, name, file.digest, lambda: row)
        return self._versions.kind.read(change.store, change.con, saved), is_new

    def difference(self, newest: Monitor, file: ContentFile) -> str:
        """Return what differs from the newest version to the file, as text."""
        told = {name: getattr(newest, name) for name in ("name", "version", "hash", "author", "created_at")}
        other = made(file.body, **told)
        lines = difflib.unified_diff(lines_of(newest), lines_of(other), newest.ref, "the file", n=0, lineterm="")
        return "\n".join(lines)
