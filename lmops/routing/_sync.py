"""How routes are filed: one YAML file a route, and back without loss."""

from __future__ import annotations

import difflib
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from lmops.errors import NotFoundError, UsageError, did_you_mean
from lmops.records import text_hash
from lmops.routing._versions import SAID, body_of, content_of, layout_of, made, text_of_body
from lmops.text import plain_line

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lmops.records import Change, Versions
    from lmops.routing._records import RouteVersion

SUFFIX: Final = ".yaml"
_MAX_BYTES: Final = 200_000
_HEAD: Final = ("route", "version", "hash", "note")


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteFile:
    """What a file says."""

    name: str | None
    hash: str | None
    note: str | None
    body: Mapping[str, Any]

    @property
    def digest(self) -> str:
        """The hash of the content that it has."""
        return text_hash(text_of_body(self.body))


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

    def load(self, text: str) -> RouteFile:
        """Return what the text of a file says.

        Raises:
            UsageError: It is no route; the message has the line.
        """
        said, places = _mapping(text)
        known = (*_HEAD, *SAID)
        for name in said:
            if name not in known:
                raise UsageError(f"line {places[name]}: {did_you_mean('key', name, known)}")
        head = {name: None if said.get(name) is None else str(said[name]) for name in _HEAD}
        try:
            body = body_of({name: said[name] for name in SAID if name in said}, name=head["route"] or "route")
            self._check(body)
        except (UsageError, NotFoundError) as error:
            raise UsageError(f"line {places.get('arms', 1)}: {plain_line(str(error), 500)}") from error
        return RouteFile(name=head["route"], hash=head["hash"], note=head["note"], body=body)

    def dump(self, version: RouteVersion) -> str:
        """Return a version as the text of its file."""
        import yaml

        head = {"route": version.name, "version": version.version, "hash": version.hash}
        head |= {"note": version.note} if version.note else {}
        text: str = yaml.safe_dump({**head, **content_of(version)}, sort_keys=False, allow_unicode=True, width=120)
        return text

    def kept(self, newest: RouteVersion, file: RouteFile) -> RouteVersion:
        """Return a version with the note of its file."""
        return replace(newest, note=file.note or newest.note)

    def save(self, change: Change, file: RouteFile, *, name: str, commit: str | None) -> tuple[RouteVersion, bool]:
        """Save what a file says as a version; return it and whether it is new. Its commit is in the report alone."""
        del commit
        saved, is_new = self._versions.save(change, name, file.digest, lambda: self._row(change, name, file.body))
        return self._versions.kind.read(change.store, change.con, saved), is_new

    def difference(self, newest: RouteVersion, file: RouteFile) -> str:
        """Return what differs from the newest version to the file, as text."""
        told = {name: getattr(newest, name) for name in ("name", "version", "hash", "author", "created_at")}
        other = made(file.body, layout_of(file.body, newest), **told)
        lines = difflib.unified_diff(lines_of(newest), lines_of(other), newest.ref, "the file", n=0, lineterm="")
        return "\n".join(lines)


def _mapping(text: str) -> tuple[dict[str, Any], dict[str, int]]:
    """Return what a file says, and the line of each of its keys."""
    import yaml

    try:
        said, node = yaml.safe_load(text), yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = 1 if mark is None else mark.line + 1
        raise UsageError(f"line {line}: it is no YAML: {plain_line(str(error), 300)}") from error
    if not isinstance(said, dict):
        raise UsageError("line 1: a route is a mapping: 'arms: ...'")
    return said, {str(key.value): key.start_mark.line + 1 for key, _ in node.value}
