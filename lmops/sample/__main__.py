"""``python -m lmops.sample [--out DIR]``: build the sample data again."""

from __future__ import annotations

from pathlib import Path

import click

from lmops.base.terminal import echo
from lmops.sample.folder import build


@click.command()
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("data"),
    show_default=True,
    help="Folder to write to; files of the sample in it are replaced.",
)
def main(out: Path) -> None:
    """Build the articles, questions, prompts and two weeks of traffic of the sample, the same every time."""
    report = build(out)
    for name, size in report.sizes.items():
        echo(f"{size:>9,} B  {name}")
    total = sum(report.sizes.values())
    echo(f"{total:>9,} B  in {report.folder}")
    echo(f"{report.traces} traces, {report.spans} spans, {report.feedback} votes")


if __name__ == "__main__":
    main()
