"""``lmops show``: a trace, or the list of a saved view; each says how a notebook shows it."""

import json

from click.testing import CliRunner

import lmops
from lmops.cli import main


def test_show_and_browse_name_each_other(tmp_path):
    """By the id of a trace and by the name of a view; JSON has the rows alone."""
    from tests.widgets.conftest import _conversation

    path = tmp_path / "store"
    with lmops.open(path) as ws:
        ws.store.load(spans=[row for i in range(12) for row in _conversation(i)])
        ws.traces.views.save("failed", "status = 'error'")

    def run(*words):
        found = CliRunner().invoke(main, ["show", *words, "--store", str(path)])
        assert found.exit_code == 0, found.output
        return found.output

    trace, view = run("0" * 31 + "4"), run("failed")
    assert f'ws.traces.browse(view="{4:032x}")' in trace
    assert view.startswith("1 trace: status = 'error'")
    assert 'lmops show failed, or in a notebook ws.traces.browse(view="failed")' in view
    assert [row["trace_id"] for row in json.loads(run("failed", "--json"))] == [f"{4:032x}"]
