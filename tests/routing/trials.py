"""Traffic of a route whose arms are as good as a test says."""

from __future__ import annotations

import json

import numpy as np

from tests.store.helpers import DAY, START, llm

MODEL = "openai:gpt-5-mini"
ARMS = {
    "current": {"model": MODEL, "weight": 0.5},
    "next": {"model": MODEL, "params": {"temperature": 0.5}, "weight": 0.5},
}
PLAN = {
    "arm": "next",
    "control": "current",
    "steps": [{"share": 0.1, "n": 40}, {"share": 0.5, "n": 100}],
    "guards": {"error_rate": 0.1},
}


def arms(share, **also):
    """Return a route whose arm "next" has a share."""
    made = {name: dict(one) for name, one in ARMS.items()}
    made["current"]["weight"], made["next"]["weight"] = 1 - share, share
    return {"arms": made, **also}


def traffic(ws, *, users, failing=None, day=1, seed=0, each=2, route="support", lost=(), **columns):
    """Let users ask a route on a day; some of an arm's requests fail, and others are lost from the record."""
    rng = np.random.default_rng(seed)
    failing = failing or {}
    rows = []
    for number, user in enumerate(np.repeat(np.arange(users), each).tolist()):
        choice = ws.routing.choose(route, key=f"u{user}")
        fails = rng.random() < failing.get(choice.assigned, 0.05)
        if choice.assigned in lost and rng.random() < 0.5:
            continue
        rows.append(
            llm(
                f"d{day}-{seed}-{number:05}",
                "root",
                start=START + day * DAY + number * 10_000_000_000,
                user_id=f"u{user}",
                status="error" if fails else "ok",
                attributes=json.dumps(choice.attributes),
                cost_usd=float(rng.lognormal(-7, 0.3)),
                end_ns=START + day * DAY + number * 10_000_000_000 + int(rng.lognormal(20, 0.4)),
                **{name: one(choice, number) if callable(one) else one for name, one in columns.items()},
            )
        )
    ws.project.store.append_many({"spans": rows})
