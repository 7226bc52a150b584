"""``make bench``: every benchmark in turn, each in a process of its own so that none warms up another."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def main() -> int:
    """Run the benchmarks named on the command line, all by default; return the number that failed."""
    known = sorted(path.stem.removeprefix("bench_") for path in Path(__file__).parent.glob("bench_*.py"))
    asked = sys.argv[1:] or known
    unknown = set(asked) - set(known)
    if unknown:
        sys.stderr.write(f"no benchmark named {', '.join(sorted(unknown))}; known: {', '.join(known)}\n")
        return 2
    failed = 0
    for name in asked:
        sys.stdout.write(f"\n== {name}\n")
        sys.stdout.flush()
        failed += subprocess.run([sys.executable, "-m", f"tests.bench.bench_{name}"], check=False).returncode != 0
    return failed


if __name__ == "__main__":
    raise SystemExit(main())
