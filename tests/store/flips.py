"""A store with something in every file, harm done to it at random, and what is then said.

``python -m tests.store.flips 500`` does so much of it, one at a time to a copy each, and prints how it ended.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
import tempfile
import traceback
import warnings
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import lmops
from lmops.errors import LmopsError
from lmops.runbooks._schema import notebook_problem
from lmops.store import Store, append_event, file_sha256
from lmops.store._quarantine import keep
from lmops.store._results import case_seal

from .helpers import DAY, START, bodies, llm, log_of, span, trace_of

#: Views whose answers must be right or come with a word.
FACTS = ("spans", "traces", "llm_calls", "results", "scores")
RECORDS = (
    "prices", "prompts", "prompt_versions", "prompt_history", "model_endpoints", "datasets", "examples", "runs",
    "verdicts", "runbook_runs", "audit",
)  # fmt: skip  # many words: packed, they are read at a glance
VIEWS = (*FACTS, *RECORDS)


class Outcome(NamedTuple):
    """What came of one harm."""

    what: str
    #: the same answers without a word, the same with one, other answers or an error
    read: str
    is_said: bool
    is_in_check: bool
    is_raw: bool
    detail: str

    @property
    def is_good(self) -> bool:
        """Return whether nothing wrong went unsaid."""
        return not self.is_raw and (self.read == "same" or (self.is_said and self.is_in_check))


def template(path: Path) -> None:
    """Make a store with something in every file, and a log that was not checkpointed."""
    pid = os.fork()
    if pid:
        os.waitpid(pid, 0)
        return
    try:
        _fill(path)
    except BaseException:  # noqa: BLE001  # said, and the child ends here
        traceback.print_exc()
    os.kill(os.getpid(), signal.SIGKILL)


def _fill(path: Path) -> None:
    with lmops.open(path) as ws:
        _records(ws)
    store = Store.open(path, join_logs=bodies)
    _runs(store)
    for day in range(3):
        rows = [row for number in range(20) for row in trace_of(f"t{day}-{number}", start=START + day * DAY)]
        store.load(rows, [log_of(rows[day], "said")])
    store.load([span("t0-1", "late", "root"), span("t0-2", "long", "root", output="word " * 60_000)])
    store._meta.connection().execute("pragma wal_checkpoint(truncate)")
    for number in range(6):
        store.append_many({"spans": [*trace_of(f"tail{number}"), llm("t1-1", f"more{number}", "root")]})
    for number in range(3):
        store.spill({"spans": trace_of(f"spilled{number}")})
    keep(path, "segments/spans/old.parquet", b"PAR1" * 500)
    os.kill(os.getpid(), signal.SIGKILL)  # nothing is tidied up


def _records(ws: lmops.Workspace) -> None:
    for number in range(3):
        ws.models.set_price(f"m{number}", input_usd_per_mtok=number, output_usd_per_mtok=2)
        ws.models.register(f"e{number}", base_url="http://127.0.0.1:9/v1", model=f"m{number}")
        ws.prompts.save("greet", f"Say {number} words to {{{{ name }}}}. " * 20, note="why")
        ws.prompts.promote("greet", number + 1, to="staging", reason="try")
    ws.datasets.save("set", [{"input": f"question {n}", "expected": f"answer {n}"} for n in range(40)], note="first")


def _runs(store: Store) -> None:
    """Make cases of a run, packed ones too, its verdict, and a runbook's run with its executed notebook."""
    scores = json.dumps([["s", 1.0, "value", None, None, None]])
    given = {"run_id": "r", "repeat": 0, "output": "text", "output_is_json": 0, "scores": scores, "latency_ms": 1.5}
    columns = [row[1] for row in store._meta.connection().execute("pragma table_info(eval_results)")][:-1]
    insert = f"insert into eval_results ({', '.join(columns)}, seal) values ({', '.join('?' * len(columns))}, ?)"
    for first, last, status in ((0, 40, "ok"), (40, 50, "error"), (50, 70, "ok")):
        cases = [given | {"example_id": f"e{n}", "status": status, "started_ns": START + n} for n in range(first, last)]
        rows = [[case.get(name) for name in columns] for case in cases]
        with store.transaction() as con:
            con.executemany(insert, [(*row, case_seal(row)) for row in rows])
        if last == 40:
            store.pack_results(least=1, wait=True)
    notebook = store.path / "runs" / "book" / "b1.ipynb"
    notebook.parent.mkdir(parents=True)
    notebook.write_text(json.dumps({"cells": [{"cell_type": "markdown", "source": "word " * 500}]}))
    run = ("b1", "book", "book.ipynb", "ok", "{}", START, str(notebook), file_sha256(notebook), "me")
    with store.transaction() as con:
        con.execute(
            "insert into verdicts (verdict_id, run_id, outcome, criteria, detail, created_ns, actor) "
            "values ('v', 'r', 'pass', '{}', '{}', 1, 'me')"
        )
        con.execute(
            "insert into runbook_runs (run_id, name, notebook, status, parameters, started_ns, notebook_path, sha256, "
            "actor) values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            run,
        )
        append_event(con, actor="me", action="test", subject="runs", rows=(("verdicts", "v"), ("runbook_runs", "b1")))


def answers(path: Path) -> dict[str, list[Any]]:
    """Return all that a store answers about facts and records."""
    with Store.open(path, join_logs=bodies) as store:
        found: dict[str, list[Any]] = {}
        for view in VIEWS:
            rows = store.sql(f"select * from {view}").to_arrow_table().to_pylist()
            rows = store.whole(rows) if view == "spans" else rows
            for row in rows if view == "runbook_runs" else ():
                problem = notebook_problem(path / "runs" / "book" / "b1.ipynb", row["sha256"])
                if problem is not None:
                    warnings.warn(problem, stacklevel=1)
            found[view] = sorted(repr(sorted(row.items())) for row in rows)
        return found


def harm(path: Path, rng: random.Random, targets: list[str]) -> str:
    """Flip one bit of a file or cut its end; return what was done."""
    target = rng.choice(targets)
    files = sorted(file for file in path.glob(target) if file.is_file())
    file = rng.choice(files)
    content = bytearray(file.read_bytes())
    name = file.relative_to(path).as_posix()
    if not content or rng.random() < 0.2:
        size = rng.randrange(len(content)) if content else 0
        file.write_bytes(content[:size])
        return f"{name}: cut to {size} of {len(content)} bytes"
    at, bit = rng.randrange(len(content)), rng.randrange(8)
    content[at] ^= 1 << bit
    file.write_bytes(content)
    return f"{name}: bit {bit} of byte {at} of {len(content)}"


TARGETS = [
    "meta.sqlite", "meta.sqlite", "meta.sqlite", "meta.sqlite-wal", "meta.sqlite-wal", "segments/*/*/*.parquet",
    "segments/*/*/*.parquet", "blobs/*/*", "drain.lock", "segments.log", "runs/*/*", "spill/*/spans-*",
    "quarantine/**/*", "acknowledged",
]  # fmt: skip  # many words: packed, they are read at a glance


def outcome(origin: Path, copy: Path, seed: int, expected: dict[str, list[Any]]) -> Outcome:
    """Do one harm to a copy of a store, read everything, check, and return what was said."""
    shutil.copytree(origin, copy)
    what = harm(copy, random.Random(seed), TARGETS)
    is_said = is_in_check = is_raw = False
    read, detail = "same", ""
    try:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            found = answers(copy)
        is_said = bool(said)
        read = "same" if found == expected else "other"
        detail = str(said[0].message)[:150] if said else ""
        if read == "other":
            counts = {view: (len(found[view]), len(expected[view])) for view in VIEWS if found[view] != expected[view]}
            detail += f" {counts}"
    except LmopsError as error:
        is_said, read, detail = True, "error", str(error)[:150]
    except Exception as error:  # noqa: BLE001  # what must not come
        is_raw, read, detail = True, "error", f"{type(error).__name__}: {error}"[:300]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Store.open(copy, join_logs=bodies) as store:
                is_in_check = not store.check().ok
    except LmopsError:
        is_in_check = True
    except Exception as error:  # noqa: BLE001  # what must not come
        is_raw, detail = True, detail + f" check: {type(error).__name__}: {error}"[:300]
    shutil.rmtree(copy)
    return Outcome(what, read, is_said, is_in_check, is_raw, detail)


def main(count: int, first: int = 0) -> None:
    """Do so much harm and print what came of it."""
    root = Path(tempfile.mkdtemp(prefix="flips-"))
    try:
        template(root / "store")
        shutil.copytree(root / "store", root / "whole")
        expected = answers(root / "whole")
        print({view: len(rows) for view, rows in expected.items()})
        tally: Counter[str] = Counter()
        for seed in range(first, first + count):
            found = outcome(root / "store", root / "copy", seed, expected)
            kind = f"{found.read}{', said' if found.is_said else ''}{', in check' if found.is_in_check else ''}"
            tally[kind + (", RAW" if found.is_raw else "") + ("" if found.is_good else ": BAD")] += 1
            if not found.is_good:
                print(f"seed {seed}: {found}")
        for kind, number in tally.most_common():
            print(f"{number:5} {kind}")
    finally:
        shutil.rmtree(root)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
