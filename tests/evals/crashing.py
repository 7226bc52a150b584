"""Packs copies of a store, killed one statement later each time, until it is done; prints the copies.

python tests/evals/crashing.py TEMPLATE STEP
"""

from __future__ import annotations

import functools
import itertools
import os
import shutil
import sqlite3
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from lmops.store import Store
from tests.store.helpers import Crash


def main(template: str, step: str) -> None:
    """Do it."""
    import duckdb  # noqa: F401  # loaded before the forks
    import pyarrow.parquet  # noqa: F401 - likewise

    for at in itertools.count(1, int(step)):
        copy = Path(f"{template}-{at}")
        shutil.copytree(template, copy)
        pid = os.fork()
        if not pid:
            sqlite3.connect = functools.partial(Crash(at).connect)
            Store.open(copy).pack_results(least=1, wait=True)
            os._exit(0)
        _, status = os.waitpid(pid, 0)
        print(copy, os.WIFSIGNALED(status))
        if not os.WIFSIGNALED(status):
            raise SystemExit(os.WEXITSTATUS(status))


if __name__ == "__main__":
    main(*sys.argv[1:])
