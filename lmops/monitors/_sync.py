"""How monitors are filed: one YAML file a monitor, and back without loss."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from lmops.errors import UsageError
from lmops.monitors._records import Monitor
from lmops.monitors._versions import body_of, made, refuse_what_cannot_be_asked
from lmops.records import ContentFile, ContentFiling, read_content
from lmops.text import plain_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lmops.records import Project, Versions


def content_of(monitor: Monitor) -> dict[str, Any]:
    """Return the content of a version, as it is kept."""
    told = {"name", "version", "hash", "parent", "note", "author", "created_at"}
    content = {one.name: getattr(monitor, one.name) for one in fields(monitor) if one.name not in told}
    return {**content, "by": [*monitor.by]}


class MonitorFiling(ContentFiling[Monitor]):
    """Files ``NAME.yaml``.

    Args:
        project: The store that a monitor is asked of, and who acts.
        versions: The versions of monitors.
        defaults: What a file need not say.
    """

    table = "monitor_files"
    thing = "monitor"

    def __init__(self, project: Project, versions: Versions[Monitor], defaults: Mapping[str, Any]) -> None:
        super().__init__(versions)
        self._project = project
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

    def content(self, version: Monitor) -> Mapping[str, Any]:
        """Return the content of a version as its file says it."""
        return content_of(version)

    def made(self, body: Mapping[str, Any], told: Mapping[str, Any], newest: Monitor) -> Monitor:
        """Return a content as a version."""
        del newest
        return made(body, **told)

    def lines(self, version: Monitor) -> list[str]:
        """Return the content of a version as lines that can be compared."""
        return [f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in content_of(version).items()]
