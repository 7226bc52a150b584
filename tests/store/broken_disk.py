"""Every verb on a disk that fails: what is said, and whether everything is there when the disk works again.

``python -m tests.store.broken_disk [VERB ...]`` tries all faults; the calls that fail are chosen by ``broken_disk.c``,
which is loaded before the C library.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import logging
import os
import pkgutil
import shutil
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import lmops
from lmops.errors import LmopsError
from lmops.store import restore
from tests.store.helpers import trace_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lmops.workspace import Workspace

ROOT = Path(__file__).parents[2]
ROWS = [*trace_of("a"), *trace_of("b")]
LINE = '{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"%s","spanId":"%s","name":"x"}]}]}]}'
#: What is done with an open store and a folder of its own.
VERBS: dict[str, Callable[[Workspace, Path], object]] = {
    "ask": lambda ws, _: ws.sql("select count(*), max(name) from spans").fetchall(),
    "get": lambda ws, _: ws.prompts.get("p").text,
    "ingest": lambda ws, _: ws.traces.ingest((LINE % ("7" * 32, "7" * 16)).encode(), format="jsonl", progress=False),
    "append": lambda ws, _: ws.store.append_many({"spans": trace_of("c")}),
    "drain": lambda ws, _: ws.store.drain(),
    "compact": lambda ws, _: ws.store.compact(grace_s=0),
    "save": lambda ws, _: ws.datasets.save("new", [{"input": "a"}]),
    "price": lambda ws, _: ws.models.set_price("m", input_usd_per_mtok=1, output_usd_per_mtok=1),
    "check": lambda ws, _: ws.store.check(),
    "repair": lambda ws, _: ws.store.check(repair=True),
    "backup": lambda ws, work: ws.store.backup(work / "backup"),
    "export": lambda ws, work: ws.store.export(work / "export"),
    "erase": lambda ws, _: ws.erase(user_id="nobody", reason="asked", dry_run=False),
    "open": lambda ws, _: lmops.open(ws.store.path).close(),
    "restore": lambda _, work: restore(work / "kept", work / "restored"),
}
#: Parts of paths, and the calls that fail on files whose path holds one.
PLACES = ("meta.sqlite", "/store/segments/", "/backup", "/export", "/restored", "/kept", "segments.log", "blobs/")
CALLS = ("read", "write", "sync")


class Tried(NamedTuple):
    """How one verb ended under one fault.

    Attributes:
        verb: What was done.
        place: Where calls failed.
        call: Which.
        said: "done", "ours: ..." or "raw: ...".
        left: What is wrong when the disk works again; "" for nothing.
    """

    verb: str
    place: str
    call: str
    said: str
    left: str

    @property
    def holds(self) -> bool:
        """Return whether it ended in words of ours, which blame the disk and no damage, and left everything whole."""
        blamed = any(word in self.said.lower() for word in ("input/output", "i/o error", "io error"))
        return not self.left and (self.said == "done" or (self.said.startswith("ours") and blamed))


def attempt(template: Path, work: Path, verb: str, place: str, call: str) -> Tried | None:
    """Do something with a copy of a store while calls fail; None when it made none of them."""
    switch = ctypes.CDLL(None).broken_disk
    shutil.copytree(template, work)
    said = "done"
    ws = lmops.open(work / "store")
    try:
        switch(place.encode(), call.encode())
        VERBS[verb](ws, work)
    except LmopsError as error:
        said = f"ours: {error}"
    except Exception as error:  # noqa: BLE001  # whatever it is, it is told
        said = f"raw: {type(error).__name__}: {error}"
    is_met = switch(b"", b"")
    ws.close()
    with lmops.open(work / "store") as again:
        found = again.sql("select count(*) from spans").fetchall()[0][0]
        report = again.store.check()
        is_whole = report.ok and found >= len(ROWS) and again.prompts.get("p").template == "Hello"
    shutil.rmtree(work)
    return Tried(verb, place, call, said, "" if is_whole else f"{found} spans, {report!r}") if is_met else None


def tried(faults: Sequence[tuple[str, str, str]], folder: Path) -> list[Tried]:
    """Try (verb, place, call) in a process of its own under a disk that can be broken; return those that met it."""
    library = folder / "broken_disk.so"
    source = Path(__file__).with_suffix(".c")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    environment = {**os.environ, "LD_PRELOAD": str(library), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "tests.store.broken_disk", "--inside", str(folder), json.dumps(faults)],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [Tried(*json.loads(line)) for line in done.stdout.splitlines()]


def inside(folder: Path, faults: Sequence[tuple[str, str, str]]) -> None:
    """Print a line for each fault that was met; under the library."""
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    for module in pkgutil.walk_packages(lmops.__path__, "lmops."):
        if "__main__" not in module.name:
            importlib.import_module(module.name)  # what is loaded when it is needed is there then
    with lmops.open(folder / "template" / "store") as ws:
        ws.prompts.save("p", "Hello")
        ws.store.load(ROWS[::2])
        ws.store.load(ROWS[1::4])
        ws.store.append_many({"spans": ROWS[3::4]})
        ws.store.backup(folder / "template" / "kept")
    for number, fault in enumerate(faults):
        found = attempt(folder / "template", folder / f"{number}", *fault)
        if found is not None:
            print(json.dumps(found), flush=True)


def main(*verbs: str) -> None:
    """Try everything and print what does not hold."""
    faults = [(verb, place, call) for verb in verbs or VERBS for place in PLACES for call in CALLS]
    with tempfile.TemporaryDirectory() as folder:
        found = tried(faults, Path(folder))
    wrong = [one for one in found if not one.holds]
    for one in wrong:
        print(*one, sep=" | ")
    print(f"{len(found)} faults met, {len(wrong)} do not hold")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--inside"]:
        inside(Path(sys.argv[2]), json.loads(sys.argv[3]))
    else:
        main(*sys.argv[1:])
