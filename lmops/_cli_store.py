"""``lmops store``: look after the store."""

from __future__ import annotations

import dataclasses
import json

import click

from lmops._cli_options import ACTOR, JSON, STORE, echo, errors_in_words, print_record, to_json, workspace


@click.group()
def store() -> None:
    """Look after the store."""


@store.command(name="stats")
@STORE
@JSON
def store_stats(store: str | None, as_json: bool) -> None:
    """Print counts and sizes."""
    with workspace(store, as_json=as_json, must_exist=True) as ws:
        print_record(ws.store.stats(), as_json=as_json)


@store.command(name="check")
@click.option("--repair", is_flag=True, help="Keep what is whole of damaged files and set the files aside.")
@STORE
@JSON
def store_check(repair: bool, store: str | None, as_json: bool) -> None:
    """Verify the database, every file and every key; exit code 1 when something is wrong."""
    with workspace(store, as_json=as_json, must_exist=True) as ws:
        report = ws.store.check(repair=repair, actor=ws.actor)
        print_record(report, as_json=as_json)
    if not report.ok:
        raise SystemExit(1)


@store.command(name="rescue")
@click.option("--records", metavar="PATH", help="A backup to take records from; the newest that is found by default.")
@STORE
@ACTOR
@JSON
def store_rescue(records: str | None, store: str | None, actor: str | None, as_json: bool) -> None:
    """Build a lost, older or damaged database again: facts from the segments, records from the newest backup."""
    from lmops.store import rescue

    with errors_in_words(as_json=as_json):
        print_record(rescue(store, records=records, actor=actor), as_json=as_json)


@store.command(name="compact")
@STORE
def store_compact(store: str | None) -> None:
    """Drain the inbox and merge small segments."""
    with workspace(store, must_exist=True) as ws:
        echo(f"merged {ws.store.compact()} segments")


@store.command(name="retain")
@click.option("--days", required=True, type=float, help="Remove traces that started longer ago.")
@STORE
@JSON
def store_retain(days: float, store: str | None, as_json: bool) -> None:
    """Remove old traces, with all their spans."""
    with workspace(store, as_json=as_json, must_exist=True) as ws:
        removed = ws.store.retain(days=days, actor=ws.actor)
        text = f"removed {removed['traces']:,} traces, {removed['spans']:,} spans"
        echo(json.dumps(removed) if as_json else text)


@store.command(name="backup")
@click.argument("path")
@STORE
@JSON
def store_backup(path: str, store: str | None, as_json: bool) -> None:
    """Copy the store into the new folder PATH while others write, and verify the copy; exit code 1 if it is not whole.

    What is not in it (files that are set aside, notebooks outside of the store) is named on the standard error.
    """
    from lmops.store import described

    with workspace(store, as_json=as_json, must_exist=True) as ws:
        made = ws.store.backup(path)
        echo(to_json(dataclasses.asdict(described(made))) if as_json else str(made))


@store.command(name="restore")
@click.argument("backup")
@click.argument("target")
@JSON
def store_restore(backup: str, target: str, as_json: bool) -> None:
    """Make a store at the new folder TARGET of the folder BACKUP, verified before and after; exit code 1 if damaged."""
    from lmops.store import restore

    with errors_in_words(as_json=as_json):
        print_record(restore(backup, target), as_json=as_json)


@store.command(name="export")
@click.argument("path")
@STORE
def store_export(path: str, store: str | None) -> None:
    """Write all views to PATH: one file when it ends in .duckdb, else a folder of Parquet files."""
    with workspace(store, must_exist=True) as ws:
        echo(str(ws.store.export(path)))
