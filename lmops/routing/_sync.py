"""How routes are filed: one YAML file a route, and back without loss."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from lmops.errors import NotFoundError, UsageError
from lmops.records import ContentFile, ContentFiling, read_content
from lmops.routing._records import RouteVersion
from lmops.routing._versions import SAID, body_of, content_of, layout_of, made
from lmops.text import plain_line

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lmops.records import Change, Row, Versions


class RouteFiling(ContentFiling[RouteVersion]):
    """Files ``NAME.yaml``.

    Args:
        versions: The versions of routes.
        row: Makes the columns of a new version.
        check: Refuses arms whose prompt or model is not there.
    """

    table = "route_files"
    thing = "route"

    def __init__(
        self,
        versions: Versions[RouteVersion],
        *,
        row: Callable[[Change, str, Mapping[str, Any]], dict[str, Any]],
        check: Callable[[Mapping[str, Any]], None],
    ) -> None:
        super().__init__(versions)
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

    def content(self, version: RouteVersion) -> Mapping[str, Any]:
        """Return the content of a version as its file says it."""
        return content_of(version)

    def made(self, body: Mapping[str, Any], told: Mapping[str, Any], newest: RouteVersion) -> RouteVersion:
        """Return a content as a version: as few keys move as can be."""
        return made(body, layout_of(body, newest), **told)

    def row(self, change: Change, name: str, body: Mapping[str, Any]) -> Row:
        """Return the columns of a new version."""
        return self._row(change, name, body)

    def lines(self, version: RouteVersion) -> list[str]:
        """Return the content of a version as lines that can be compared."""
        content = content_of(version)
        arms = content.pop("arms")
        found = {f"arms.{arm}.{part}": one for arm, said in arms.items() for part, one in said.items()} | content
        return [f"{name}: {json.dumps(value, ensure_ascii=False, sort_keys=True)}" for name, value in found.items()]
