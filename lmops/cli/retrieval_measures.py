"""``lmops retrieval ...``: measures; exit code 0 pass, 1 fail or worse, 2 usage or refused, 3 inconclusive."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from lmops.cli.build import Verb
from lmops.cli.printing import finite
from lmops.cli.words import AT_LEAST_1, Word
from lmops.retrieval import Recorded, Retrieval

if TYPE_CHECKING:
    from lmops.retrieval import Pool, RankingComparison, RankingReport

_SHARE: Final = click.FloatRange(0, 1)
_CODES: Final = {"worse": 1, "inconclusive": 3}


def searched(text: str) -> Recorded | str:
    """Return what a word means: the name of an index, a run, or a run file of TREC."""
    path = Path(text)
    return Recorded(path.stem, path) if path.is_file() else text


def _row(one: Any) -> dict[str, Any]:
    return {name: finite(value) for name, value in asdict(one).items()}


def report_data(found: RankingReport) -> dict[str, Any]:
    """Return a report as ``--json`` prints it."""
    names = ("searched", "k", "ties", "queries", "without_relevant", "empty", "unknown", "repeated", "failed")
    return {
        "run_id": found.run_id,
        **{name: getattr(found, name) for name in names},
        "lacking": list(found.lacking),
        "measures": [_row(one) for one in found.measures],
        "reranked": [_row(one) for one in found.reranked],
    }


def comparison_data(found: RankingComparison) -> dict[str, Any]:
    """Return a comparison as ``--json`` prints it."""
    return {
        "a": found.a.run_id,
        "b": found.b.run_id,
        "measures": [_row(one) for one in found.differences],
        "won": found.won,
        "lost": found.lost,
        "notes": list(found.notes),
    }


def pool_data(found: Pool) -> dict[str, Any]:
    """Return a pool as ``--json`` prints it."""
    return _row(found)


def _text(found: Any) -> str:
    return str(found.text)


_INDEX: Final = Word(metavar="INDEX", read=searched)
_SIDES: Final = {
    "a": Word(metavar="A", read=searched),
    "b": Word(metavar="B", read=searched),
    "queries": Word(is_argument=True, metavar="DATASET"),
}
_TIES: Final = Word(
    help="How equal scores stand: as ranked, or as trec_eval orders them.", type=click.Choice(["rank", "trec"])
)
_K: Final = Word(help="Chunks that count.", metavar="N", type=AT_LEAST_1)

COMMANDS: list[click.Command | Verb] = [
    Verb(
        "retrieval",
        Retrieval.qrels,
        help="Save the judgements of FILE (rows, or a qrels file of TREC) as data set NAME.",
        example="lmops retrieval qrels asked qrels.jsonl",
        acts=True,
        makes_store=True,
        words={
            "judgements": Word(metavar="FILE"),
            "queries": Word(("--queries",), "A file of 'id TAB text', where rows have ids only.", "FILE"),
            "note": Word(help="Why there is a new version.", metavar="TEXT"),
        },
        leave_out=("documents",),
        text=repr,
        data=lambda found: {"ref": found.ref, "queries": len(found)},
    ),
    Verb(
        "retrieval",
        Retrieval.measure,
        help="Measure INDEX (or a run file of TREC) by the judgements of DATASET.",
        example="lmops retrieval measure docs asked --k 10",
        acts=True,
        takes_long=True,
        words={
            "searchable": _INDEX,
            "queries": Word(metavar="DATASET"),
            "k": _K,
            "ties": _TIES,
            "name": Word(help="Name of the experiment.", metavar="NAME"),
            "limit": Word(help="Only the first so many queries.", metavar="N", type=AT_LEAST_1),
            "retries": Word(help="Further attempts at a query.", type=click.IntRange(min=0)),
            "level": Word(help="Of the limits.", metavar="SHARE", type=_SHARE),
        },
        text=_text,
        data=report_data,
        code=lambda found: 1 if found.failed else 0,
    ),
    Verb(
        "retrieval",
        Retrieval.compare,
        help="Compare A with B (indexes, runs, run files of TREC), query by query.\n\nEnds with 0 better or not worse, "
        "1 worse, 3 inconclusive.",
        example="lmops retrieval compare docs-new docs asked --margin 0.02",
        acts=True,
        takes_long=True,
        words={
            **_SIDES,
            "k": _K,
            "ties": _TIES,
            "margin": Word(help="The largest acceptable loss of nDCG.", metavar="SHARE", type=_SHARE),
            "level": Word(help="Of the limits.", metavar="SHARE", type=_SHARE),
        },
        text=_text,
        data=comparison_data,
        code=lambda found: _CODES.get(found["ndcg"].outcome, 0),
    ),
    Verb(
        "retrieval",
        Retrieval.gate,
        help="Judge RUN of 'lmops retrieval measure' and keep the verdict: 0 pass, 1 fail, 3 inconclusive.",
        example="lmops retrieval gate retrieval-docs-new --baseline retrieval-docs --max-loss 0.02",
        acts=True,
        words={
            "baseline": Word(("--baseline",), "What losses are measured against.", "RUN"),
            "min_ndcg": Word(help="Least nDCG.", metavar="SHARE", type=_SHARE),
            "min_recall": Word(help="Least recall.", metavar="SHARE", type=_SHARE),
            "max_loss": Word(help="The largest acceptable loss against the baseline.", metavar="SHARE", type=_SHARE),
            "criteria": Word(help="YAML or JSON, in place of the three.", metavar="FILE"),
        },
        text=_text,
        data=lambda found: json.loads(found.to_json()),
        code=lambda found: int(found.exit_code),
    ),
    Verb(
        "retrieval",
        Retrieval.pool,
        help="Put what A and B found and nobody judged into a queue of labels.",
        example="lmops retrieval pool docs-new docs asked --queue to-judge",
        acts=True,
        takes_long=True,
        words={
            **_SIDES,
            "queue": Word(("--queue",), "The queue; made where there is none.", "NAME"),
            "k": _K,
            "raters": Word(("--rater",), "Who may label; may be repeated.", "NAME", is_many=True),
            "schema": Word(help="What raters are asked, with a scale named grade.", metavar="NAME[@N]"),
        },
        text=_text,
        data=pool_data,
    ),
    Verb(
        "retrieval",
        Retrieval.judged,
        help="Take the labels of QUEUE into the judgements of DATASET.",
        acts=True,
        words={
            "dataset": Word(is_argument=True, metavar="DATASET"),
            "field": Word(help="The scale in the schema.", metavar="NAME"),
        },
        text=repr,
        data=lambda found: {"ref": found.ref, "queries": len(found)},
    ),
]
