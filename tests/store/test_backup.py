"""A backup is whole or is none, a restored store shows what the first showed, an export has all of every text."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import nbformat
import pytest
from click.testing import CliRunner

import lmops
from lmops.cli import main
from lmops.errors import DamagedStoreError, NotFoundError, UsageError
from lmops.store import DamagedSegmentWarning, Store, described, restore, view_names

from .helpers import START, llm, run, trace_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

LONG = "word " * 80_000


def fill(ws: lmops.Workspace) -> None:
    """Put something into every room: segments, an inbox, a blob, records."""
    ws.store.load([*trace_of("t"), llm("long", "c", output=LONG, kind="tool", tool_name="find")])
    ws.store.append_many({"spans": trace_of("late", start=START + 1)})
    ws.prompts.save("p", "Say {{ input }}")
    ws.prompts.promote("p", 1, to="production", reason="first")
    ws.models.set_price("m", input_usd_per_mtok=1, output_usd_per_mtok=2)
    ws.datasets.save("d", [{"input": "a", "expected": "A"}])
    found = ws.evals.run(str.upper, "d", ["exact_match"], progress=False)
    ws.store.pack_results(least=1, wait=True)
    ws.evals.gate(found, criteria={"scorers": {"exact_match": {"min": 0.5}}})


@pytest.fixture
def full(
    made_once: Callable[[Callable[[lmops.Workspace], None]], AbstractContextManager[lmops.Workspace]],
    warm_kernels: None,
) -> Iterator[lmops.Workspace]:
    """A workspace with something in every room, and a run of a runbook, whose place the store knows."""
    with made_once(fill) as ws:
        path = ws.store.path.parent / "n.ipynb"
        nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 + 1")]), path)
        ws.runbooks.run(path, progress=False)
        yield ws


def everything(store: Store) -> dict[str, list[str]]:
    """Return all rows of every view."""
    views = {name: store.sql(f"select * from {name}").to_arrow_table().to_pylist() for name in view_names()}
    return {name: sorted(map(repr, rows)) for name, rows in views.items()}


def victim(store: Store) -> Path:
    """Return the largest file of spans."""
    return max((store.path / "segments" / "spans").rglob("*.parquet"), key=lambda path: path.stat().st_size)


def test_a_restored_store_shows_in_every_view_what_the_first_one_showed(full: lmops.Workspace, tmp_path: Path) -> None:
    """Backup, restore elsewhere, and the first one gone: facts, records, long texts and notebooks are there."""
    before, run_before = everything(full.store), full.runbooks.runs(limit=1)[0]
    whole = full.traces.get(full.sql("select trace_id from spans where name = 'c' and kind = 'tool'").fetchall()[0][0])
    report = restore(full.store.backup(tmp_path / "copy"), tmp_path / "new")
    full.close()
    full.store.path.parent.rename(tmp_path / "gone")
    assert (report.records["prices"], report.notes) == (1, ())
    with lmops.open(tmp_path / "new") as ws:
        assert everything(ws.store) == before
        assert ws.store.check().ok
        assert ws.audit.verify().ok
        assert ws.traces.get(whole.trace_id).spans[0].output == whole.spans[0].output == LONG
        run_now = ws.runbooks.runs(limit=1)[0]
        assert run_now.notebook_path.is_file()
        assert run_now.run_id == run_before.run_id


def test_a_backup_says_what_it_holds_and_the_audit_chain_that_it_was_made(
    full: lmops.Workspace, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Files, rows, records, the head of the chain; what is set aside is named and not copied."""
    aside = full.store.path / "quarantine" / "x.parquet"
    aside.parent.mkdir()
    aside.write_bytes(b"x")
    path = full.store.backup(tmp_path / "copy")
    report = described(path)
    assert "quarantine/x.parquet (1 bytes)" in report.notes[0]
    assert "quarantine/x.parquet" in caplog.text
    assert (report.rows["results"], report.rows["scores"], report.records["prompt_versions"]) == (1, 1, 1)
    query = "select subject from audit where action = 'store.backup'"
    assert full.sql(query).fetchall() == [(str(tmp_path / "copy"),)]
    assert full.audit.verify(anchor=report.head).ok


@pytest.mark.parametrize("harm", ["missing", "flipped", "cut"])
def test_of_a_damaged_store_there_is_no_backup_and_no_export(full: lmops.Workspace, tmp_path: Path, harm: str) -> None:
    """The file is named, nothing is left that looks like a backup, and the commands end with 1."""
    path = victim(full.store)
    content = path.read_bytes()
    middle = len(content) // 2
    path.unlink()
    if harm != "missing":
        path.write_bytes(
            content[:middle] + (bytes([content[middle] ^ 4]) + content[middle + 1 :]) * (harm == "flipped")
        )
    with pytest.raises(DamagedStoreError, match=path.name):
        full.store.backup(tmp_path / "copy")
    for name in ("out.duckdb", "out"):
        with pytest.raises(DamagedStoreError, match=path.name):
            full.store.export(tmp_path / name)
    runner = CliRunner()
    for command in ("backup", "export"):
        done = runner.invoke(main, ["store", command, str(tmp_path / "copy"), "--store", str(full.store.path)])
        assert (done.exit_code, path.name in done.stderr) == (1, True)
    assert list(tmp_path.iterdir()) == []


def test_a_blob_that_was_changed_stops_a_backup(full: lmops.Workspace, tmp_path: Path) -> None:
    """Its name is the hash of what it holds."""
    (blob,) = (full.store.path / "blobs").glob("*/*")
    blob.write_bytes(b"other")
    with pytest.raises(DamagedStoreError, match=blob.name):
        full.store.backup(tmp_path / "copy")


@pytest.mark.parametrize("name", ["meta.sqlite", "segments", "runs", "blobs", "backup.json"])
def test_a_backup_that_was_changed_is_not_restored(full: lmops.Workspace, tmp_path: Path, name: str) -> None:
    """Every file is compared; nothing is left at the new place."""
    copy = full.store.backup(tmp_path / "copy")
    file = copy / name
    if file.is_dir():
        file = next(path for path in sorted(file.rglob("*")) if path.is_file())
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(DamagedStoreError, match=r"not what was written|damaged|missing|format|leads out"):
        restore(copy, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_backup_cannot_name_files_outside_of_it(full: lmops.Workspace, tmp_path: Path) -> None:
    """A listing can come from anywhere."""
    copy = full.store.backup(tmp_path / "copy")
    listing = json.loads((copy / "backup.json").read_text())
    for name in ("../x", "/etc/passwd", "segments/../../x"):
        (copy / "backup.json").write_text(json.dumps(listing | {"files": {name: {"bytes": 1, "sha256": "x"}}}))
        with pytest.raises(DamagedStoreError, match="leads out"):
            restore(copy, tmp_path / "new")


def test_a_place_that_is_taken_is_refused(full: lmops.Workspace, tmp_path: Path) -> None:
    """Neither a backup nor a restored store goes into a folder with something in it."""
    copy = full.store.backup(tmp_path / "copy")
    with pytest.raises(UsageError, match="is there already"):
        full.store.backup(copy)
    with pytest.raises(UsageError, match="is there already"):
        restore(copy, full.store.path)
    with pytest.raises(NotFoundError, match="no finished backup"):
        restore(full.store.path, tmp_path / "new")


def test_a_backup_that_was_cut_short_is_none(tmp_path: Path) -> None:
    """Killed anywhere, what is there is a finished backup or is refused as one."""
    template = tmp_path / "store"
    with Store.open(template) as store:
        store.load(trace_of("t"))
        store.append_many({"spans": trace_of("late")})
    finished = 0
    for line in run("crash", template, "backup", 6).splitlines():
        copy = Path(line.rsplit(" ", 1)[0]) / "copy"
        if not (copy / "backup.json").is_file():
            with pytest.raises(NotFoundError, match="no finished backup"):
                restore(copy, tmp_path / "new")
            continue
        finished += 1
        report = restore(copy, tmp_path / f"new-{copy.parent.name}")
        with Store.open(report.path) as store:
            assert store.sql("select count(*) from spans").fetchall() == [(16,)]
            assert store.check().ok
    assert finished


@pytest.mark.parametrize("name", ["out.duckdb", "out"])
def test_an_export_has_the_whole_of_every_text(full: lmops.Workspace, tmp_path: Path, name: str) -> None:
    """Also of texts that the store keeps beside its rows, in every view that shows them."""
    target = full.store.export(tmp_path / name)
    con = duckdb.connect(str(target), read_only=True) if target.suffix else duckdb.connect()

    def ask(query: str, view: str) -> list[Any]:
        return con.sql(query.format(view if target.suffix else f"'{target}/{view}.parquet'")).fetchall()

    assert ask("select max(length(output)) from {}", "spans") == [(len(LONG),)]
    assert ask("select max(length(result)) from {}", "tool_calls") == [(len(LONG),)]
    for view in view_names():
        shown = full.sql(f"select * from {view}").to_arrow_table().num_rows
        # The event of the export was written when all of it was.
        assert ask("select count(*) from {}", view) == [(shown - (view == "audit"),)]
    con.close()


def test_an_answer_says_what_it_lacks(full: lmops.Workspace) -> None:
    """A missing file: a warning, the frame's attributes, the text, and the JSON and exit code of a command."""
    whole = full.sql("select * from spans").df()
    assert whole.attrs == {}
    path = victim(full.store)
    path.unlink()
    with pytest.warns(DamagedSegmentWarning, match=path.name):
        found = full.sql("select span_id from spans")
    left = len(whole) - len(found)
    frame = found.filter("span_id is not null").df()
    assert path.name in frame.attrs["left_out"][0]
    assert (left > 1, len(frame), "span_id" in found) == (True, len(found), True)
    assert "left out: segments/spans/" in repr(found)
    assert "<p>left out: segments/spans/" in found._repr_html_()
    assert full.sql("select 1 as n").df().attrs == {}
    command = ["sql", "select count(*) as n from spans", "--json", "--store", str(full.store.path)]
    with pytest.warns(DamagedSegmentWarning, match=path.name):
        done = CliRunner().invoke(main, command)
    said = json.loads(done.stdout)
    assert (done.exit_code, said["rows"], said["left_out"]) == (1, [{"n": len(found)}], frame.attrs["left_out"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert full.traces.search(limit=None).attrs.get("left_out") in (None, frame.attrs["left_out"])


def test_the_commands_back_up_and_restore(full: lmops.Workspace, tmp_path: Path) -> None:
    """One command each; JSON says what is in it."""
    runner = CliRunner()
    made = runner.invoke(main, ["store", "backup", str(tmp_path / "copy"), "--store", str(full.store.path), "--json"])
    assert (made.exit_code, json.loads(made.stdout)["records"]["prices"]) == (0, 1)
    back = runner.invoke(main, ["store", "restore", str(tmp_path / "copy"), str(tmp_path / "new")])
    assert (back.exit_code, "spans" in back.stdout) == (0, True)
    again = runner.invoke(main, ["store", "restore", str(tmp_path / "copy"), str(tmp_path / "new"), "--json"])
    assert (again.exit_code, json.loads(again.stdout)["status"]) == (2, "error")


def test_a_backup_says_what_was_received_and_is_in_no_segment(tmp_path: Path) -> None:
    """Rows that all wait in the database are in the backup, and it says so."""
    with Store.open(tmp_path / ".lmops") as store:
        store.append_many({"spans": trace_of("t")})
        assert "8 received rows in no segment yet" in described(store.backup(tmp_path / "copy")).line
    with Store.open(tmp_path / "empty") as store:
        assert "no traces, " in described(store.backup(tmp_path / "other")).line
