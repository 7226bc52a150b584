"""How policies are filed: one YAML file a policy, and back without loss."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from lmops.errors import NotFoundError, UsageError
from lmops.guardrails._versions import SAID, body_of, filed, made_of, rails_of
from lmops.guardrails.cards import refuse_unmeasured
from lmops.guardrails.policy import Policy
from lmops.records import ContentFile, ContentFiling, read_content
from lmops.text import plain_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lmops.records import Change


class PolicyFiling(ContentFiling[Policy]):
    """Files ``NAME.yaml``."""

    table = "guardrail_files"
    thing = "policy"

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

    def content(self, version: Policy) -> Mapping[str, Any]:
        """Return the content of a version as its file says it."""
        return filed(version)

    def made(self, body: Mapping[str, Any], told: Mapping[str, Any], newest: Policy) -> Policy:
        """Return a content as a version."""
        del newest
        return made_of(body, **told)

    def lines(self, version: Policy) -> list[str]:
        """Return the content of a version as lines that can be compared: one a rail."""
        said = filed(version)
        rails = {stage: said.pop(stage) for stage in version.stages}
        found = {f"{stage}.{one.get('name', one['rail'])}": one for stage, some in rails.items() for one in some}
        named = (found | said).items()
        return [f"{name}: {json.dumps(one, ensure_ascii=False, sort_keys=True)}" for name, one in named]

    def put(self, change: Change, name: str, body: Mapping[str, Any]) -> tuple[Policy, bool]:
        """Save a content as a version, unless a rail in it is to block that nobody has measured."""
        refuse_unmeasured(change, rails_of(body))
        return super().put(change, name, body)


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
