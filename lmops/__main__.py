"""``python -m lmops``."""

from lmops.cli import main

main()
