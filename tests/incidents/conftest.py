"""A store in which a prompt broke an application, and a check found it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lmops.incidents import Incidents
from lmops.monitors import Monitors
from lmops.prompts import Prompts
from tests.monitors.traffic import add, day, sessions

BAD = lambda number: number % 2 == 0  # noqa: E731  # every other session
PLAN = {"prompt": "answer"}


def broken(ws):
    """Write five good days, a new prompt, half a day in which every other session fails, and the alert of it."""
    add(
        ws,
        sessions(day(0), day(5), prompt_name="answer", prompt_version="1"),
        sessions(
            day(5), day(5, 12), bad=BAD, name="b", prompt_name="answer", prompt_version="2", user_id="u1", input="when?"
        ),
    )
    at = [day(0)]
    project = replace(ws.project, actor="jonas", now=lambda: at[0])
    prompts = Prompts(project)
    for number, hour in ((1, day(0)), (2, day(5))):
        at[0] = hour
        prompts.save("answer", f"answer {number} {{{{ q }}}}")
        prompts.promote("answer", number, to="production", reason=f"release {number}")
    at[0] = day(5, 12)
    Monitors(project).save("errors", metric="error_rate", severity="page")
    assert Monitors(project).check(at=day(5, 12)).outcome == "firing"


@pytest.fixture
def broken_ws(made_once):
    with made_once(broken) as ws:
        yield ws


@pytest.fixture
def incidents(broken_ws, clock):
    """The incidents of that store, at noon of the day on which it broke."""
    clock.at = day(5, 12)
    return Incidents(replace(broken_ws.project, actor="mara", now=clock))


@pytest.fixture
def opened(incidents):
    """The incident of the alert."""
    return incidents.open(1, reason="it pages")


@pytest.fixture
def rolled_back(incidents, opened):
    """The incident after the prompt was rolled back at noon."""
    incidents.act(1, "roll_back", PLAN, dry_run=False, reason="half of the answers fail")
    return incidents.get(opened.incident)
