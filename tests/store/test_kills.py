"""Whatever a process does when it is killed, what was acknowledged is there once and the totals are right."""

from __future__ import annotations

import pytest

from tests import forked


@pytest.mark.parametrize("first", [0, 15, 30, 45])
def test_kills_lose_nothing_and_double_nothing(first: int) -> None:
    """Fifteen kills over all kinds of work, one of each kind first, some while the one before is put right."""
    code = "import sys; from tests.store.kills import main; sys.exit(bool(main(15, int(sys.argv[1]))))"
    found = forked.run(code, first, timeout=600)
    assert found.returncode == 0, found.stdout + found.stderr
    assert "15 kills, 0 bad" in found.stdout
