"""What ``import lmops`` costs: modules beyond a bare interpreter, and time beside ``import json``."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time


def seconds(code: str, repeats: int = 7) -> float:
    """Return the median wall time of an interpreter that runs ``code``."""
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def main() -> None:
    """Print the number of modules and the times."""
    count = "import sys; before = set(sys.modules); import lmops; print(len(set(sys.modules) - before))"
    modules = subprocess.run([sys.executable, "-c", count], check=True, capture_output=True, text=True).stdout.strip()
    bare, light = seconds("import json"), seconds("import lmops")
    opened = seconds("import lmops; lmops.open(':memory:').sql('select count(*) from traces')")
    print(f"import lmops            {modules:>5} modules (bar 100)   {(light - bare) * 1000:6.0f} ms above import json")
    print(f"open, and a first query {'':>5}                     {(opened - bare) * 1000:6.0f} ms above import json")


if __name__ == "__main__":
    main()
