"""The demo from end to end, as a command: how long it takes, what it finds of what was planted, that it is told once.

python -m tests.bench.bench_story
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from typing import Any


def told(folder: str) -> tuple[dict[str, Any], float, float]:
    """Return what a demo says, and the seconds of the clock and of the processor that it took."""
    began, before = time.perf_counter(), os.times()
    command = [sys.executable, "-m", "lmops", "demo", "--store", f"{folder}/store", "--json"]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    after = os.times()
    spent = after.children_user - before.children_user + after.children_system - before.children_system
    return json.loads(said), time.perf_counter() - began, spent


def main() -> None:
    """Print all of it."""
    with tempfile.TemporaryDirectory() as folder:
        found, took, spent = told(folder)
        again, again_s, _ = told(folder)
    story = found["story"]
    (one,) = story["incidents"]
    print(f"demo from end to end: {took:.0f} s, {spent:.0f} s of a processor (bar 90 s); once more: {again_s:.0f} s")
    print(f"precision {story['precision']:.0%}, recall {story['recall']:.0%}")
    for planted in story["planted"]:
        delay = "missed" if planted["delay_h"] is None else f"after {planted['delay_h']:.1f} h"
        print(f"  {planted['name']:13} {delay}")
    done = ", ".join(act["action"] for act in one["done"])
    print(f"incident {one['incident']['incident']}: {done}; {one['state']}, {one['incident']['status']}")
    print(f"audit chain {'whole' if found['audit']['ok'] else 'BROKEN'}; told once: {again['audit'] == found['audit']}")


if __name__ == "__main__":
    main()
