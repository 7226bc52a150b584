"""``lmops dataset ...``: versions of examples, from files and from traces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from lmops.base.terminal import echo
from lmops.base.units import counted, size
from lmops.cli.aliases import alias_commands
from lmops.cli.build import Verb
from lmops.cli.opening import workspace
from lmops.cli.printing import bytes_at, plain_data, print_record, to_json
from lmops.cli.words import ACTOR, JSON, NOT_NEGATIVE, STORE, Word, option, pairs
from lmops.datasets import Datasets
from lmops.errors import UsageError
from lmops.text import plain_line

if TYPE_CHECKING:
    from lmops.datasets import DatasetVersion

_FILE: Final = Word(metavar="FILE")
_COLUMN: Final = Word(metavar="COLUMN")
_COLUMNS: Final = Word(metavar="COLUMN", is_many=True)


def _data(found: DatasetVersion) -> dict[str, Any]:
    names = ("ref", "name", "version", "hash", "count", "created_at", "author", "note")
    report = {} if found.report is None else {"report": plain_data(found.report)}
    return {name: getattr(found, name) for name in names} | report


def _saved(found: DatasetVersion) -> str:
    """Return a version and what saving it found."""
    left_out = () if found.report is None else found.report.skipped
    lines = [repr(found), *([] if found.report is None else [repr(found.report)])]
    return "\n".join([*lines, *(f"left out {one}: {why}" for one, why in left_out)])


def _examples(found: DatasetVersion, limit: int) -> str:
    lines = [repr(found), *([found.note] if found.note else []), ""]
    for one in found.examples[:limit]:
        expected = "" if one.expected is None else f"  -> {plain_line(one.expected, 60)}"
        lines.append(f"{plain_line(one.example_id, 40)}  {plain_line(one.input, 80)}{expected}")
    more = found.count - limit
    return "\n".join([*lines, *([f"... and {more:,} more: --limit"] if more > 0 else [])])


@click.command()
@click.argument("ref")
@option("limit", type=NOT_NEGATIVE, default=10, show_default=True, help="The most examples.")
@STORE
@JSON
def show(ref: str, limit: int, store: str | None, as_json: bool) -> None:
    """Show a version, such as golden@2 or (the newest) golden, with its first examples."""
    with workspace(store, as_json=as_json, must_exist=True) as ws:
        found = ws.datasets.get(ref)
        print_record(
            found,
            as_json=as_json,
            text=lambda one: _examples(one, limit),
            data=lambda one: _data(one) | {"examples": plain_data(one.examples[:limit])},
        )


@click.command(
    name="add-traces", epilog="Example: lmops dataset add-traces golden --where \"status = 'error'\" --last 7d"
)
@click.argument("name")
@click.argument("trace_ids", nargs=-1)
@click.option("--where", metavar="CONDITION", help="Traces by a condition, as for lmops search.")
@option("last")
@option("limit", default=100, show_default=True, help="The most traces of --where.")
@click.option(
    "--map",
    "places",
    multiple=True,
    metavar="FIELD=PLACE",
    help="What an example takes from where in the trace, such as question=input.question; may be repeated.",
)
@click.option("--split", metavar="NAME", help="The split of the new examples.")
@click.option("--tag", "tags", multiple=True, metavar="WORD", help="A tag of the new examples; may be repeated.")
@option("note")
@ACTOR
@STORE
@JSON
def add_traces(
    name: str,
    trace_ids: tuple[str, ...],
    where: str | None,
    last: str | None,
    limit: int,
    places: tuple[str, ...],
    split: str | None,
    tags: tuple[str, ...],
    note: str | None,
    acting: str | None,
    store: str | None,
    as_json: bool,
) -> None:
    """Add traces to dataset NAME as a new version: those of TRACE_IDS, or those that satisfy --where."""
    if bool(trace_ids) == (where is not None or last is not None):
        raise click.UsageError("give TRACE_IDS, or --where or --last")
    with workspace(store, as_json=as_json, must_exist=True, actor=acting) as ws:
        asked: Any = list(trace_ids) or ws.traces.search(where, last=last, limit=limit)
        if not len(asked):
            raise UsageError(f"no trace satisfies {where!r}")
        made = ws.datasets.add_traces(name, asked, map=pairs("--map")(places), split=split, tags=tags, note=note or "")
        print_record(made, as_json=as_json, text=_saved, data=_data)
    if not as_json and not trace_ids and asked.attrs["is_cut"]:
        echo(f"the newest {limit:,} traces; there are more: --limit", err=True)


@click.command()
@click.argument("ref")
@click.argument("path")
@STORE
@JSON
def export(ref: str, path: str, store: str | None, as_json: bool) -> None:
    """Write version REF to PATH (.jsonl, .jsonl.gz or .parquet), which lmops dataset save reads back."""
    with workspace(store, as_json=as_json, must_exist=True) as ws:
        version = ws.datasets.get(ref)
        written = ws.datasets.export(version, path)
    length = bytes_at(written)
    words = f"{written}: {counted(version.count, 'example')} of {version.ref}, {size(length)}"
    made = {"path": written, "ref": version.ref, "examples": version.count, "bytes": length}
    echo(to_json(made) if as_json else words)


COMMANDS = [
    Verb(
        "datasets", Datasets.list, help="List the datasets with their newest version.",
        empty="no datasets; lmops dataset save NAME FILE makes one",
    ),
    show,
    Verb(
        "datasets", Datasets.versions, help="List every version of dataset NAME, newest first.", empty="no versions",
    ),
    Verb(
        "datasets", Datasets.save,
        example="lmops dataset save golden questions.csv --input question --expected answer",
        acts=True, makes_store=True,
        help="Save the rows of FILE (.jsonl, .json, .csv, .tsv, .parquet) as a version of dataset NAME.\n\nColumns are "
        "taken by name: input (or question, prompt), expected (or answer, reference), id, split, tags, cluster, ...; "
        "every other column goes into the metadata. The same content again is the same version.",
        words={
            "data": _FILE,
            "input": _COLUMNS._replace(help="The column of the input; repeated, an object of several."),
            "expected": _COLUMNS._replace(help="The column of the reference, likewise."),
            "output": _COLUMNS._replace(help="The column of what production answered, likewise."),
            "metadata": _COLUMNS._replace(help="A column to keep as metadata; all others by default; may be repeated."),
            **dict.fromkeys(("id", "cluster", "split", "tags", "documents"), _COLUMN),
            "drop_duplicates": Word(help="Leave out examples that are equal to an earlier one but for their id."),
        },
        text=_saved, data=_data,
    ),
    Verb(
        "datasets", Datasets.add, acts=True, makes_store=True, words={"data": _FILE},
        help="Add the rows of FILE to dataset NAME as a new version; a row with a known id takes that example's place.",
        text=_saved, data=_data,
    ),
    add_traces,
    Verb(
        "datasets", Datasets.split,
        example="lmops dataset split golden dev=0.8 test=0.2",
        acts=True,
        help="Give every example of dataset NAME a split by SHARES, such as dev=0.8 test=0.2, as a new version.",
        words={
            "shares": Word(metavar="SHARES...", is_many=True, read=pairs("a share", convert=float)),
            "by": Word(help="What must not be divided: cluster, or a key of the metadata.", metavar="KEY"),
            "seed": Word(help="Another seed, another assignment.", metavar="N"),
        },
        data=_data,
    ),
    Verb(
        "datasets", Datasets.tag,
        example="lmops dataset tag golden q-17 q-18 --add hard",
        acts=True,
        help="Add tags to the examples IDS of dataset NAME, or remove some, as a new version.",
        words={
            "add": Word(help="A tag to add; may be repeated.", metavar="WORD"),
            "remove": Word(help="A tag to remove; may be repeated.", metavar="WORD"),
        },
        data=_data,
    ),
    Verb(
        "datasets", Datasets.diff, text=lambda found: found.text, data=lambda found: {
            "summary": found.summary, "is_empty": found.is_empty, "rows": plain_data(found.rows()),
        },
        help="Show what changed from version BEFORE (such as golden@1) to version AFTER; examples are matched by id.",
    ),
    *alias_commands("dataset", Datasets, example="golden", data=_data),
    export,
]  # fmt: skip  # a verb's row is short or long as it needs
