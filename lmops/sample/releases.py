"""The releases of the sample's prompt: what was saved and promoted when, as the registry would have recorded it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from lmops.prompts import Prompts
from lmops.records import Project
from lmops.sample.traffic import PROMPT_2_NS, PROMPT_3_NS, STAGING_PROMPT_2_NS, STAGING_PROMPT_3_NS, START_NS
from lmops.standin import content
from lmops.times import from_ns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lmops.store import Store

#: Answers without a key; the traffic of the sample calls the same stand-in by the name of a real model.
MODEL: Final = "standin:ferry-1"
#: a version is saved 20 minutes before it is first promoted
_BEFORE_NS: Final = 1_200_000_000_000


class _Release(NamedTuple):
    version: int
    author: str
    note: str
    #: alias -> (when it was promoted, why)
    moves: dict[str, tuple[int, str]]


_RELEASES: Final = (
    _Release(1, "mara", "First version: answers from the sources, at most 4 sentences", {
        "staging": (START_NS, "first release"), "production": (START_NS, "first release"),
    }),
    _Release(2, "mara", "Shorter answers, and name the source", {
        "staging": (STAGING_PROMPT_2_NS, "try it with the staff"),
        "production": (PROMPT_2_NS, "staff liked the sources at the end"),
    }),
    _Release(3, "jonas", "A warmer voice; complete answers that leave nobody without help", {
        "staging": (STAGING_PROMPT_3_NS, "try it with the staff"),
        "production": (PROMPT_3_NS, "friendlier, as marketing asked"),
    }),
)  # fmt: skip  # a release is one paragraph


def messages(version: int) -> list[dict[str, str]]:
    """Return one version of the prompt as template messages for the registry."""
    system, _, user = content.prompt_text(version).strip().partition("\n\n")
    for name in ("sources", "question"):
        user = user.replace("{" + name + "}", "{{ " + name + " }}")
    return [{"role": "system", "content": system}, {"role": "user", "content": user}]


def release(store: Store) -> bool:
    """Save the three versions and their promotions at the times of the story; return False when they are there.

    A release that was interrupted goes on where it stopped.
    """
    is_changed, saved_as = False, dict[int, int]()
    for at_ns, version, alias, reason in sorted(_steps()):
        one = _RELEASES[version - 1]
        prompts = _at(store, at_ns, one.author)
        if alias is None:
            saved = prompts.save(
                content.PROMPT_NAME,
                messages(version),
                model=MODEL,
                params={"temperature": 0.2},
                note=one.note,
                tags=["sample"],
            )
            saved_as[version] = saved.version  # another number where the name was taken already
            is_changed |= bool(saved.is_new)
        elif saved_as[version] not in set(prompts.history(content.PROMPT_NAME, alias=alias)["to"]):
            prompts.promote(content.PROMPT_NAME, saved_as[version], to=alias, reason=reason)
            is_changed = True
    return is_changed


def _steps() -> Iterator[tuple[int, int, str | None, str]]:
    """Return what happened when: (time, version, alias, reason), without an alias for a save."""
    for one in _RELEASES:
        yield min(at_ns for at_ns, _ in one.moves.values()) - _BEFORE_NS, one.version, None, ""
        for alias, (at_ns, reason) in one.moves.items():
            yield at_ns, one.version, alias, reason


def _at(store: Store, at_ns: int, actor: str) -> Prompts:
    """Return the registry as somebody used it at a time of the story."""
    moment = from_ns(at_ns)
    return Prompts(Project(store=store, actor=actor, now=lambda: moment))
