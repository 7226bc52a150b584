"""``lmops store ...``: look after the store."""

from __future__ import annotations

import dataclasses

import click

from lmops.base.units import counted, size
from lmops.cli.build import Verb
from lmops.cli.opening import errors_in_words
from lmops.cli.printing import bytes_at, print_record
from lmops.cli.words import ACTOR, JSON, STORE, Word
from lmops.store import Store, described, view_names
from lmops.store import rescue as rescue_store
from lmops.store import restore as restore_store


@click.command()
@click.option("--records", metavar="PATH", help="A backup or export to take records from; the newest by default.")
@ACTOR
@STORE
@JSON
def rescue(records: str | None, acting: str | None, store: str | None, as_json: bool) -> None:
    """Build a lost or damaged database again: facts from the segments, records from the newest backup or export."""
    with errors_in_words(as_json=as_json):
        print_record(rescue_store(store, records=records, actor=acting), as_json=as_json)


@click.command()
@click.argument("backup")
@click.argument("target")
@JSON
def restore(backup: str, target: str, as_json: bool) -> None:
    """Make a store at the new folder TARGET of the folder BACKUP, verified before and after; exit code 1 if damaged."""
    with errors_in_words(as_json=as_json):
        print_record(restore_store(backup, target), as_json=as_json)


COMMANDS = [
    Verb("store", Store.stats, help="Print counts and sizes.", text=lambda found: found.text),
    Verb(
        "store", Store.check, acts=True,
        help="Verify the database, every file and every key; exit code 1 when something is wrong.",
        words={"repair": Word(help="Keep what is whole of damaged files and set the files aside.")},
        code=lambda found: 0 if found.ok else 1,
    ),
    rescue,
    Verb(
        "store", Store.compact, help="Drain the inbox and merge small segments.",
        text=lambda merged: f"merged {counted(merged, 'segment')}", data=lambda merged: {"segments": merged},
    ),
    Verb(
        "store", Store.retain, acts=True, help="Remove old traces, with all their spans.",
        example="lmops store retain --days 90 --yes",
        words={"days": Word(help="Remove traces that started longer ago.")},
        plan=lambda old: f"{old['traces']:,} traces with {old['spans']:,} spans and {old['cases']:,} cases of runs go",
        text=lambda removed: f"removed {removed['traces']:,} traces, {removed['spans']:,} spans",
    ),
    Verb(
        "store", Store.backup, acts=True,
        help="Copy the store into the new folder PATH while others write, and verify the copy; exit code 1 if it is "
        "not whole.\n\nWhat is not in it (files that are set aside, notebooks outside of the store) is named on the "
        "standard error.",
        text=lambda made: described(made).line, data=lambda made: dataclasses.asdict(described(made)),
    ),
    restore,
    Verb(
        "store", Store.export, help="Write all views to PATH: one file when it ends in .duckdb, else a folder of "
        "Parquet files.",
        text=lambda path: f"{path}: {len(view_names())} views, {size(bytes_at(path))}",
        data=lambda path: {"path": path, "views": len(view_names()), "bytes": bytes_at(path)},
    ),
]  # fmt: skip  # a verb's row is short or long as it needs
