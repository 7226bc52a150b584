"""What a version of a policy is in the store, and whether what somebody asks for can be one."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, get_args

from lmops.errors import DamagedStoreError, MissingDependencyError, NotFoundError, UsageError, did_you_mean
from lmops.guardrails.checking import BLOCKED_TEXT
from lmops.guardrails.contract import ACTIONS, STAGES, OnError, Stage, made
from lmops.guardrails.policy import Policy, RailSpec
from lmops.records import Kind, NotedRuns, check_word, text_hash, told
from lmops.text import plain_line

if TYPE_CHECKING:
    import sqlite3

    from lmops.guardrails.contract import Rail
    from lmops.records import Row
    from lmops.store import Store

#: What a policy may say.
SAID: Final = (*STAGES, "blocked_text", "budget_ms")
_RAIL: Final = ("rail", "name", "action", "on_error", "timeout_s", "options")
_MAX_TIMEOUT_S: Final = 600.0
_MAX_BLOCKED: Final = 10_000
#: Where something stands, in words: of a stage, and of one of its rails.
Where = Callable[[str, int | None], str]


def _in_words(part: str, place: int | None) -> str:
    return f"{part}: " if place is None else f"{part}[{place}]: "


def body_of(said: Mapping[str, Any], *, where: Where = _in_words) -> dict[str, Any]:
    """Return the content of a policy out of what somebody said, each part checked by itself.

    Args:
        said: By stage the list of its rails, blocked_text and budget_ms.
        where: Begins a message with the place.

    Raises:
        UsageError: A part cannot be used.
        NotFoundError: There is no such kind of rail.
        MissingDependencyError: A rail needs a package that is not installed.
    """
    for name in said:
        if name not in SAID:
            raise UsageError(did_you_mean("stage or part of a policy", str(name), SAID))
    stages = {stage: _rails(said[stage], stage, where) for stage in STAGES if said.get(stage)}
    if not stages:
        raise UsageError("a policy without a rail lets everything pass: input=['secrets'], output=['links']")
    return {
        "stages": stages,
        "blocked_text": _blocked_text(said.get("blocked_text"), where),
        "budget_ms": _budget(said.get("budget_ms"), where),
    }


def _rails(given: object, stage: Stage, where: Where) -> list[dict[str, Any]]:
    if isinstance(given, str | Mapping) or not isinstance(given, Sequence):
        raise UsageError(
            f"{where(stage, None)}give a list of rails: ['secrets', {{'rail': 'pii', 'action': 'redact'}}]"
        )
    found: list[dict[str, Any]] = []
    for place, one in enumerate(given):
        try:
            rail = _rail(one, stage)
        except (UsageError, NotFoundError, MissingDependencyError) as error:
            raise type(error)(f"{where(stage, place)}{error}") from error
        if rail["name"] in {other["name"] for other in found}:
            raise UsageError(
                f"{where(stage, place)}two rails are called {rail['name']!r}: give one of them another name: "
                f"{{'rail': {rail['rail']!r}, 'name': '...'}}"
            )
        found.append(rail)
    return found


def _rail(given: object, stage: Stage) -> dict[str, Any]:
    said = {"rail": given} if isinstance(given, str) else given
    if not isinstance(said, Mapping) or not isinstance(said.get("rail"), str):
        raise UsageError(
            f"a rail is a name or a mapping with one: {{'rail': 'pii'}}, not {plain_line(repr(given), 80)}"
        )
    options = said.get("options") or {}
    if not isinstance(options, Mapping):
        raise UsageError(f"options: give a mapping, not {plain_line(repr(options), 80)}")
    options = {**options, **{name: one for name, one in said.items() if name not in _RAIL}}
    rail = made(said["rail"], options)
    if stage not in rail.kind.stages:
        raise UsageError(f"rail {rail.name!r} is not for {stage}: it is for {', '.join(rail.kind.stages)}")
    spec = RailSpec(
        rail=rail.name,
        name=check_word(said.get("name") or rail.name, "a rail"),
        options=options,
        action=_one_of(said.get("action") or rail.action, ACTIONS[1:], "action"),
        on_error=_one_of(said.get("on_error") or rail.on_error, get_args(OnError), "on_error"),
        timeout_s=_number(said.get("timeout_s", rail.timeout_s), "timeout_s", most=_MAX_TIMEOUT_S),
    )
    return {part: getattr(spec, part) for part in _RAIL}


def _one_of(given: object, known: Sequence[str], what: str) -> Any:
    if given not in known:
        raise UsageError(did_you_mean(what, plain_line(given, 80), known))
    return given


def _number(given: Any, what: str, *, most: float) -> float:
    if not isinstance(given, int | float) or isinstance(given, bool) or not 0 < given <= most or math.isnan(given):
        raise UsageError(f"{what}={plain_line(repr(given), 60)}: give a number above 0, at most {most:g}")
    return float(given)


def _blocked_text(given: object, where: Where) -> str:
    if given is None:
        return BLOCKED_TEXT
    if not isinstance(given, str) or not given.strip() or len(given) > _MAX_BLOCKED:
        raise UsageError(
            f"{where('blocked_text', None)}give the words of who is blocked, not {plain_line(repr(given), 80)}"
        )
    return given


def _budget(given: object, where: Where) -> float | None:
    try:
        return None if given is None else _number(given, "budget_ms", most=_MAX_TIMEOUT_S * 1000)
    except UsageError as error:
        raise UsageError(f"{where('budget_ms', None)}{error}") from error


def made_of(body: Mapping[str, Any], **_told: Any) -> Policy:
    """Return a policy of its content and what is told of its version."""
    stages = {stage: tuple(RailSpec(**one) for one in rails) for stage, rails in body["stages"].items()}
    return Policy(stages=stages, blocked_text=body["blocked_text"], budget_ms=body["budget_ms"], **_told)


def rails_of(body: Mapping[str, Any]) -> list[tuple[Stage, Rail]]:
    """Return the rails of the content of a policy, made, with their stages."""
    return [(stage, RailSpec(**one).made()) for stage, rails in body["stages"].items() for one in rails]


def content_of(version: Policy) -> dict[str, Any]:
    """Return the content of a version, as it is kept."""
    stages = {
        stage: [{part: getattr(one, part) for part in _RAIL} for one in specs]
        for stage, specs in version.stages.items()
    }
    return {"stages": stages, "blocked_text": version.blocked_text, "budget_ms": version.budget_ms}


def filed(version: Policy) -> dict[str, Any]:
    """Return the content of a version as it is said, in Python and in files; what is not said of a rail is left out."""
    body = content_of(version)
    found = {stage: [_short(one) for one in rails] for stage, rails in body.pop("stages").items()}
    return {**found, **{name: one for name, one in body.items() if one is not None}}


def _short(rail: Mapping[str, Any]) -> dict[str, Any]:
    """Return a rail without a name that is that of its kind, and without options where it has none."""
    left_out = {"name": rail["name"] == rail["rail"], "options": not rail["options"]}
    return {part: one for part, one in rail.items() if not left_out.get(part)}


def _read(_store: Store, _con: sqlite3.Connection, row: Row) -> Policy:
    try:
        return made_of(json.loads(row["body"]), **told(row))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DamagedStoreError(f"{row['name']}@{row['version']}: it is no policy") from error


def _problem(row: Row) -> str | None:
    return None if text_hash(row["body"]) == row["hash"] else "its content is not what was saved"


def rails_words(row: Row) -> str:
    """Return the rails of a version of its row, in words."""
    stages = json.loads(row["body"])["stages"]
    return "; ".join(f"{stage}: {', '.join(one['name'] for one in rails)}" for stage, rails in stages.items())


RUNS: Final = NotedRuns("policy", "guardrail_runs", "policy")
KIND: Final = Kind(
    name="policy",
    noun="guardrails",
    table="guardrail_versions",
    read=_read,
    own={"rails": rails_words},
    check_name=lambda name: check_word(name, "a policy"),
    proof=RUNS.proof("ws.redteam.gate(run), of a run under this version"),
    problem=_problem,
)
