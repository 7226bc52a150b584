"""What comes after the two weeks: the application answers through a route, with the prompts and policies of the store.

Whoever rolls a prompt back, tightens a policy, gives an arm another share or switches it off sees it in this traffic.
What was there already is not made again.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lmops.routing import Routing
from lmops.sample.folder import written
from lmops.sample.guardrail import POLICY, live_checker, policies
from lmops.sample.releases import MODEL
from lmops.sample.traffic import (
    END_NS,
    FIRST_MODEL,
    START_NS,
    UPDATED_MODEL,
    Session,
    Stand,
    simulate_after,
)
from lmops.standin import content
from lmops.times import from_ns, to_ns

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from lmops.guardrails import Checker
    from lmops.routing import RouteVersion
    from lmops.workspace import Workspace

ROUTE: Final = "support"
#: Who looks after the application, as in the releases of its prompt.
OWNER: Final = "mara"
_SEED: Final = "tidelark after"


def as_of(ws: Workspace, moment: str | datetime) -> Workspace:
    """Return the workspace as whoever looks after the application used it at a time: what is done is written so.

    Args:
        ws: With the sample.
        moment: Such as "2026-11-02"; UTC without a zone.
    """
    at, other = from_ns(to_ns(moment)), ws.acting_as(OWNER)
    other.project = replace(other.project, now=lambda: at)
    return other


def released_route(ws: Workspace) -> RouteVersion:
    """Return the route of the sample, saved at the beginning of the story where there is none of its name.

    Its arm "current" answers with the prompt in production, its arm "careful" with the second version; it has no keys
    until somebody gives it a share, or the other one does not answer. Both have the policy of the sample, which is
    saved as well, in production the version of the two weeks.
    """
    if ROUTE in set(ws.routing.list()["name"]):
        return ws.routing.live(ROUTE)
    first = as_of(ws, from_ns(START_NS))
    policies(first)
    routing = Routing(first.project, models=lambda: ws.models)
    all_arms = {"model": MODEL, "policy": f"{POLICY}@production"}
    arms = {
        "current": {"prompt": f"{content.PROMPT_NAME}@production", **all_arms, "weight": 1.0},
        "careful": {"prompt": f"{content.PROMPT_NAME}@2", **all_arms},
    }
    return routing.set(ROUTE, {"arms": arms, "fallbacks": ["careful"]}, reason="everybody has what is in production")


def traffic_after(ws: Workspace, *, days: int = 1, mended: Collection[str] = ()) -> int:
    """Let the application answer for some days after the two weeks, and return how many traces came.

    Each request goes through the route that is live, is answered with the prompt of its arm and guarded by the policy
    of its arm, as those are in the store now; an arm without one by the policy in production, where there is one. The
    same days again add nothing.

    Args:
        ws: With the releases of the prompt.
        days: How many, from 2026-11-02 on.
        mended: Of "chunking" and "model-update" what somebody has taken back.
    """
    released_route(ws)
    if _count(ws):
        return 0

    guards: dict[str | None, Checker | None] = {None: live_checker(ws)}

    def stands(session: Session, _at_ns: int) -> Stand:
        choice = ws.routing.choose(ROUTE, session.user_id, {"language": session.language})
        prompt, policy = ws.prompts.get(choice.settings.prompt or content.PROMPT_NAME), choice.settings.policy
        if policy not in guards:
            guards[policy] = ws.guardrails.get(str(policy)).checker()
        return Stand(
            revision=FIRST_MODEL if "model-update" in mended else UPDATED_MODEL,
            is_rebuilt="chunking" not in mended,
            prompt_version=prompt.version,
            prompt=prompt,
            marks=choice.attributes,
            guard=guards[policy],
        )

    traffic = simulate_after(END_NS, days, seed=_SEED, stands=stands)
    with tempfile.TemporaryDirectory() as folder:
        ws.traces.ingest([str(Path(folder) / name) for name in written(traffic, Path(folder))], progress=False)
    ws.feedback.ingest(traffic.feedback)
    return _count(ws)


def _count(ws: Workspace) -> int:
    """Return how many traces came after the two weeks."""
    found = ws.sql("select count(*) from traces where start_at >= $since", {"since": from_ns(END_NS)}).fetchall()
    return int(found[0][0])
