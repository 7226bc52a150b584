"""How policies are filed: one YAML file a policy, and back without loss."""

from __future__ import annotations

import difflib
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from lmops.errors import NotFoundError, UsageError
from lmops.guardrails._versions import SAID, body_of, filed, made_of, rails_of
from lmops.guardrails.cards import refuse_unmeasured
from lmops.records import ContentFile, content_text, read_content, write_content
from lmops.text import plain_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lmops.guardrails.policy import Policy
    from lmops.records import Change, Versions

SUFFIX: Final = ".yaml"
_MAX_BYTES: Final = 500_000


def lines_of(version: Policy) -> list[str]:
    """Return the content of a version as lines that can be compared: one a rail."""
    said = filed(version)
    rails = {stage: said.pop(stage) for stage in version.stages}
    found = {f"{stage}.{one.get('name', one['rail'])}": one for stage, some in rails.items() for one in some}
    return [f"{name}: {json.dumps(one, ensure_ascii=False, sort_keys=True)}" for name, one in (found | said).items()]


def diff_of(one: Policy, two: Policy, *, called: str) -> str:
    """Return what changed from one content to another, line by line; "" for nothing."""
    return "\n".join(difflib.unified_diff(lines_of(one), lines_of(two), one.ref, called, n=0, lineterm=""))


class PolicyFiling:
    """Files ``NAME.yaml``.

    Args:
        versions: The versions of policies.
    """

    suffix = SUFFIX
    max_bytes = _MAX_BYTES
    table = "guardrail_files"

    def __init__(self, versions: Versions[Policy]) -> None:
        self._versions = versions

    def load(self, text: str) -> ContentFile:
        """Return what the text of a file says.

        Raises:
            UsageError: It is no policy; the message has the line.
        """
        head, said, places = read_content(text, "policy", SAID, example="input: [secrets]")
        lines = _rail_lines(text)

        def where(part: str, place: int | None) -> str:
            line = places.get(part, 1) if place is None else lines.get((part, place), places.get(part, 1))
            return f"line {line}: "

        try:
            body = body_of(said, where=where)
        except (UsageError, NotFoundError) as error:
            words = plain_line(str(error), 500)
            raise UsageError(words if words.startswith("line ") else f"line 1: {words}") from error
        return ContentFile(thing="policy", name=head["policy"], hash=head["hash"], note=head["note"], body=body)

    def dump(self, version: Policy) -> str:
        """Return a version as the text of its file."""
        return write_content("policy", version, filed(version))

    def kept(self, newest: Policy, file: ContentFile) -> Policy:
        """Return a version with the note of its file."""
        return replace(newest, note=file.note or newest.note)

    def save(self, change: Change, file: ContentFile, *, name: str, commit: str | None) -> tuple[Policy, bool]:
        """Save what a file says as a version; return it and whether it is new. Its commit is in the report alone."""
        del commit
        refuse_unmeasured(change, rails_of(file.body))
        saved, is_new = self._versions.save(change, name, file.digest, lambda: row_of(file.body))
        return self._versions.kind.read(change.store, change.con, saved), is_new

    def difference(self, newest: Policy, file: ContentFile) -> str:
        """Return what differs from the newest version to the file, as text."""
        told = {name: getattr(newest, name) for name in ("name", "version", "hash", "author", "created_at")}
        return diff_of(newest, made_of(file.body, **told), called="the file")


def row_of(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns of a new version."""
    return {"body": content_text("policy", body)}


def _rail_lines(text: str) -> dict[tuple[str, int], int]:
    """Return the line of each rail in the text of a file, by its stage and place."""
    import yaml

    node = yaml.compose(text, Loader=yaml.SafeLoader)
    return {
        (str(key.value), place): one.start_mark.line + 1
        for key, rails in node.value
        if isinstance(rails, yaml.SequenceNode)
        for place, one in enumerate(rails.value)
    }
