"""Many processes promote and roll back at once: one line of moves, nothing lost, every move seen by the others."""

from __future__ import annotations

import json
import time

import lmops
from lmops.errors import ConflictError, RefusedError
from tests.forked import Program

NAME = "shared"


def work(path: str, number: int, rounds: int) -> None:
    """Save, promote and roll back as one of many; print what happened (run in a process of its own)."""
    import random

    chance, done = random.Random(number), {"moved": 0, "conflicts": 0, "saved": 0}
    with lmops.open(path, actor=f"worker-{number}") as ws:
        for turn in range(rounds):
            done["saved"] += bool(ws.prompts.save(NAME, f"text {(number * turn) % 20}").is_new)
            newest = len(ws.prompts.versions(NAME))
            try:
                if chance.random() < 0.6:
                    move = ws.prompts.promote(NAME, chance.randint(1, newest), to="production")
                else:
                    move = ws.prompts.rollback(NAME, reason=f"turn {turn}")
                done["moved"] += move.is_moved
            except ConflictError:
                done["conflicts"] += 1
            except RefusedError:
                pass
    print(json.dumps(done))


def start(code: str, *arguments: object) -> Program:
    """Start a process that runs code of this file."""
    return Program(f"import sys; from tests.prompts import test_concurrency as work; {code}", *arguments)


def test_eight_processes_promote_and_roll_back(ws):
    """Each move starts where the one before ended; saves of the same content meet; the chain holds."""
    ws.prompts.save(NAME, "text 0")
    ws.prompts.promote(NAME, 1, to="production")
    running = [start("work.work(sys.argv[1], int(sys.argv[2]), 25)", ws.store.path, n) for n in range(8)]
    done = [json.loads(process.communicate(timeout=300)[0]) for process in running]
    assert [process.returncode for process in running] == [0] * 8
    history = ws.prompts.history(NAME)
    assert len(history) == 1 + sum(one["moved"] for one in done)
    assert history["from"].tolist()[1:] == history["to"].tolist()[:-1]
    assert (history["from"].iloc[1:] != history["to"].iloc[1:]).all()
    assert history["at"].is_monotonic_increasing
    assert ws.prompts.get(f"{NAME}@production").version == history["to"].iloc[-1]
    versions = ws.prompts.versions(NAME)
    assert len(versions) == 1 + sum(one["saved"] for one in done)
    assert versions["hash"].is_unique
    assert (ws.audit.verify().ok, ws.prompts.verify()) == (True, ())
    assert ws.audit.verify().events == len(versions) + len(history)


def test_a_move_by_another_process_is_seen_at_the_next_get(ws):
    """Without a wait: the alias is looked up at each call."""
    for text in ("a", "b"):
        ws.prompts.save(NAME, text)
    ws.prompts.promote(NAME, 1, to="production")
    assert ws.prompts.get(f"{NAME}@production").version == 1
    code = "lmops = work.lmops; ws = lmops.open(sys.argv[1]); ws.prompts.promote(work.NAME, 2, to='production')"
    process = start(code, ws.store.path)
    process.communicate(timeout=120)
    assert process.returncode == 0
    assert ws.prompts.get(f"{NAME}@production").version == 2


def test_a_killed_promotion_is_there_whole_or_not_at_all(ws):
    """Kill a process in the middle of its work: alias, history and chain agree."""
    for number in range(6):
        ws.prompts.save(NAME, f"text {number}")
    ws.prompts.promote(NAME, 1, to="production")
    process = start("work.work(sys.argv[1], 1, 100000)", ws.store.path)
    begun = len(ws.prompts.history(NAME))
    for _ in range(600):
        if len(ws.prompts.history(NAME)) > begun + 3:
            break
        time.sleep(0.05)
    process.kill()
    process.communicate()
    history = ws.prompts.history(NAME)
    assert len(history) > begun + 3
    assert history["from"].tolist()[1:] == history["to"].tolist()[:-1]
    assert ws.prompts.get(f"{NAME}@production").version == history["to"].iloc[-1]
    assert ws.prompts.promote(NAME, 1 + history["to"].iloc[-1] % 2, to="production").is_moved
    assert ws.audit.verify().ok
