"""How routes are filed: one YAML file a route, and back without loss."""

from __future__ import annotations

import difflib
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from lmops.errors import NotFoundError, UsageError
from lmops.records import ContentFile, read_content, write_content
from lmops.routing._versions import SAID, body_of, content_of, layout_of, made
from lmops.text import plain_line

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lmops.records import Change, Versions
    from lmops.routing._records import RouteVersion

SUFFIX: Final = ".yaml"
_MAX_BYTES: Final = 200_000


def lines_of(version: RouteVersion) -> list[str]:
    """Return the content of a version as lines that can be compared."""
    content = content_of(version)
    arms = content.pop("arms")
    found = {f"arms.{arm}.{part}": one for arm, said in arms.items() for part, one in said.items()} | content
    return [f"{name}: {json.dumps(value, ensure_ascii=False, sort_keys=True)}" for name, value in found.items()]


class RouteFiling:
    """Files ``NAME.yaml``.

    Args:
        versions: The versions of routes.
        row: Makes the columns of a new version.
        check: Refuses arms whose prompt or model is not there.
    """

    suffix = SUFFIX
    max_bytes = _MAX_BYTES
    table = "route_files"

    def __init__(
        self,
        versions: Versions[RouteVersion],
        *,
        row: Callable[[Change, str, Mapping[str, Any]], dict[str, Any]],
        check: Callable[[Mapping[str, Any]], None],
    ) -> None:
        self._versions = versions
        self._row = row
        self._check = check

    def load(self, text: str) -> ContentFile:
        """Return what the text of a file says.

        Raises:
            UsageError: It is no route; the message has the line.
        """
        head, said, places = read_content(text, "route", SAID, example="arms: ...")
        try:
            body = body_of({name: said[name] for name in SAID if name in said}, name=head["route"] or "route")
            self._check(body)
        except (UsageError, NotFoundError) as error:
            raise UsageError(f"line {places.get('arms', 1)}: {plain_line(str(error), 500)}") from error
        return ContentFile(thing="route", name=head["route"], hash=head["hash"], note=head["note"], body=body)

    def dump(self, version: RouteVersion) -> str:
        """Return a version as the text of its file."""
        return write_content("route", version, content_of(version))

    def kept(self, newest: RouteVersion, file: ContentFile) -> RouteVersion:
        """Return a version with the note of its file."""
        return replace(newest, note=file.note or newest.note)

    def save(self, change: Change, file: ContentFile, *, name: str, commit: str | None) -> tuple[RouteVersion, bool]:
        """Save what a file says as a version; return it and whether it is new. Its commit is in the report alone."""
        del commit
        saved, is_new = self._versions.save(change, name, file.digest, lambda: self._row(change, name, file.body))
        return self._versions.kind.read(change.store, change.con, saved), is_new

    def difference(self, newest: RouteVersion, file: ContentFile) -> str:
        """Return what differs from the newest version to the file, as text."""
        told = {name: getattr(newest, name) for name in ("name", "version", "hash", "author", "created_at")}
        other = made(file.body, layout_of(file.body, newest), **told)
        lines = difflib.unified_diff(lines_of(newest), lines_of(other), newest.ref, "the file", n=0, lineterm="")
        return "\n".join(lines)
