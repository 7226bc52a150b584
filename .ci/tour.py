"""What a newcomer does, with the interpreter that runs this: every step ends as it says, or this ends with 1.

``python .ci/tour.py base`` needs the bare wheel, ``runbooks`` its extra of that name, ``recorder`` only what
docs/install.md lists for an application. The working directory becomes the project: give ``base`` and ``recorder`` an
empty one; ``runbooks`` goes on where ``base`` stopped, as somebody does who was told of the extra.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from typing import TYPE_CHECKING

import lmops

if TYPE_CHECKING:
    from collections.abc import Callable

STORE = ".lmops-demo"
#: The most packages of the bare installation, without pip and its kind.
MOST = 75
#: What the demo says, with its report and without.
TOLD = (
    "incident 1: resolved",
    "since then   recovered",
    "recall",
    "audit chain: whole",
    "export LMOPS_STORE=",
    "lmops incident timeline 1",
)
#: By lane, one after the other: a runbook, values with which it does its work, the exit codes that the sample gives.
LANES = (
    (
        ("eval_gate", ["prompt_ref=support-answer@3", "baseline=support-answer@2", "limit=8", "dry_run=false"], {1, 3}),
        ("prompt_drift", ["scorers=refusal length", "limit=4", "repeats=2", "dry_run=false"], {0}),
    ),
    (
        ("prompt_release", ["version=2", "reason=tour", "dry_run=false"], {0}),
        ("prompt_rollback", ["reason=tour", "dry_run=false"], {0}),
        ("judge_calibration", [], {3}),
        ("feedback_digest", ["last=14d"], {0, 1}),
        ("tool_health", ["last=14d"], {1}),
        ("redteam", ["target=support-answer@3", "limit=20", "dry_run=false"], {1, 3}),
    ),
    (
        ("cost_report", [], {0, 1}),
        ("daily_monitor", ["init=true", "at=2026-10-31T00:00", "scorers=refusal"], {1}),
        ("drift_check", ["init=true", "at=2026-10-31T00:00"], {0, 1}),
        ("retrieval_check", ["since=2026-10-27", "until=2026-10-29T06:00", "before=7d", "answers=20"], {1}),
        ("canary_release", ["route=tour", "reason=tour", "dry_run=false"], {3}),
        ("incident_response", ["action=kill_arm", 'params={"route": "tour"}'], {0}),
    ),
)


def shell(*words: str, ends: frozenset[int] | set[int] = frozenset({0})) -> tuple[str, str]:
    """Run one command of lmops; return its output and what it said on the standard error."""
    done = subprocess.run([sys.executable, "-m", "lmops", *words], capture_output=True, text=True, check=False)
    is_clean = not any(word in done.stderr for word in ("Traceback", "Exception ignored", "KeyboardInterrupt"))
    if done.returncode not in ends or not is_clean:
        raise AssertionError(f"lmops {' '.join(words)} ended with {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done.stdout, done.stderr


def refused(ask: Callable[[], object], hint: str) -> None:
    """Hold that something needs a package that is not here, and that the error says how to get it."""
    found = ""
    try:
        ask()
    except lmops.MissingDependencyError as error:
        found = str(error)
    assert hint in found, f"{found!r} does not say {hint!r}"


def base() -> None:
    """The demo and what it says next; a trace, a prompt, an evaluation and SQL; what is absent says how to get it."""
    packages = {one.name for one in metadata.distributions()} - {"pip", "setuptools", "wheel"}
    assert len(packages) <= MOST, f"{len(packages)} packages: {sorted(packages)}"
    shown, _ = shell("demo")
    assert [words for words in TOLD if words not in shown] == []
    assert "pip install 'lmops[runbooks]'" in shown
    assert STORE in shell("search", ends={2})[1]
    assert json.loads(shell("search", "status = 'error' and latency_ms > 2000", "--json", "--store", STORE)[0])
    assert "pip install 'lmops[runbooks]'" in shell("runbook", "run", "traffic_report", "--store", STORE, ends={2})[1]
    with lmops.open(STORE) as ws:
        judged(ws)
        assert ws.sql("select count(*) from scores where value is not null").fetchall()[0][0]
        assert "support.answer" in ws.traces.browse().text  # the static form, where there are no widgets


def judged(ws: lmops.Workspace) -> None:
    """Run a small evaluation with a judge."""
    from lmops import scorers
    from lmops.sample import golden

    ws.datasets.save("golden", golden())
    judge = scorers.judge("supported", "Nothing is made up.", model="standin:judge-1")
    run = ws.evals.run("support-answer@2", "golden", ["source_support", judge], limit=8, progress=False)
    assert run.status == "finished", run.status


def released(ws: lmops.Workspace) -> None:
    """Begin a canary that nobody has asked yet."""
    arms = {"old": {"prompt": "support-answer@1", "weight": 0.9}, "new": {"prompt": "support-answer@2", "weight": 0.1}}
    plan = {"arm": "new", "steps": [{"share": 0.1, "n": 50}], "guards": {"error_rate": 0.05}}
    ws.routing.set("tour", {"arms": arms, "canary": plan})


def runbooks() -> None:
    """The demo again, now with its report, and every runbook."""
    shown, _ = shell("demo")
    assert [words for words in (*TOLD, "traffic_report.html") if words not in shown] == []
    with lmops.open(STORE) as ws:
        judged(ws)
        released(ws)
    names = {one["name"] for one in json.loads(shell("runbook", "list", "--json")[0])}
    assert names == {"traffic_report"} | {name for lane in LANES for name, _, _ in lane}, names
    with ThreadPoolExecutor(len(LANES)) as pool:
        list(pool.map(_lane, LANES))


def _lane(lane: tuple[tuple[str, list[str], set[int]], ...]) -> None:
    for name, values, ends in lane:
        given = [word for value in values for word in ("-p", value)]
        shown, _ = shell("runbook", "run", name, *given, "--quiet", "--store", STORE, ends=ends)
        assert f"of {name}: ok" in shown, shown


def recorder() -> None:
    """An application that records and renders with what is listed, and nothing that it need not load."""
    with lmops.open(STORE) as ws:
        ws.prompts.save("greeting", "Good {{ time }}")
        ws.traces.instrument(service="tour")

        @lmops.trace
        def answer(time: str) -> str:
            return str(ws.prompts.get("greeting").render(time=time))

        threads = [threading.Thread(target=answer, args=(time,)) for time in ("morning", "evening")]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
    with lmops.open(STORE) as ws:
        refused(lambda: ws.sql("select 1"), "pip install lmops")


if __name__ == "__main__":
    {"base": base, "runbooks": runbooks, "recorder": recorder}[sys.argv[1]]()
