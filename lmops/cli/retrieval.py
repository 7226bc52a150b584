"""``lmops retrieval ...``: settings in versions, indexes of them, measurements, and what changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lmops.cli.aliases import alias_commands, sync_command
from lmops.cli.build import Verb
from lmops.cli.printing import plain_data
from lmops.cli.retrieval_drift import COMMANDS as DRIFT
from lmops.cli.retrieval_indexes import COMMANDS as INDEXES
from lmops.cli.retrieval_measures import COMMANDS as MEASURES
from lmops.cli.words import Word, content_file
from lmops.retrieval import Retrieval

if TYPE_CHECKING:
    import click

    from lmops.retrieval import Settings


def version_data(found: Settings) -> dict[str, Any]:
    """Return a version as ``--json`` prints it."""
    told: dict[str, Any] = plain_data(found)
    return {"ref": found.ref, "fingerprint": found.fingerprint, **told}


SETTINGS: list[click.Command | Verb] = [
    Verb(
        "retrieval",
        Retrieval.save_content,
        "save",
        acts=True,
        makes_store=True,
        help="Save settings NAME out of a YAML or JSON FILE; the same content again is the same version.",
        example="lmops retrieval save docs docs.yaml --reason 'smaller chunks'",
        words={
            "content": Word(
                is_argument=True,
                metavar="FILE",
                read=content_file("settings", example="chunker: {name: sentences, size: 800}"),
            )
        },
        text=lambda found: found.text,
        data=version_data,
    ),
    Verb(
        "retrieval",
        Retrieval.list,
        help="List the settings with their newest version, their aliases and their fingerprints.",
        empty="no settings; lmops retrieval save NAME FILE makes some",
    ),
    Verb(
        "retrieval",
        Retrieval.get,
        "show",
        help="Show one version, such as docs@2: what cuts, embeds, ranks and reranks.",
        example="lmops retrieval show docs@production",
        text=lambda found: found.text,
        data=version_data,
    ),
    Verb(
        "retrieval", Retrieval.versions, help="List every version of settings NAME, newest first.", empty="no versions"
    ),
    Verb(
        "retrieval",
        Retrieval.get,
        "fingerprint",
        help="Print the fingerprint of settings REF alone: it stands on each span that retrieves by them.",
        example="lmops retrieval fingerprint docs@production",
        text=lambda found: found.fingerprint,
        data=lambda found: {"ref": found.ref, "fingerprint": found.fingerprint},
    ),
    Verb(
        "retrieval",
        Retrieval.diff,
        help="Show what changed in settings NAME from version A to version B, a line a part.",
        example="lmops retrieval diff docs 1 2",
        text=lambda found: found or "nothing changed",
    ),
    Verb(
        "retrieval",
        Retrieval.probe,
        leave_out=("cut",),
        help="Say whether the chunker of settings REF cuts as it did when they were saved. Ends with 1 when it cuts "
        "otherwise, 3 when it cannot be told.",
        example="lmops retrieval probe docs@production",
        text=lambda found: found.text,
        data=lambda found: {**plain_data(found), "is_changed": found.is_changed},
        code=lambda found: {True: 1, False: 0, None: 3}[found.is_changed],
    ),
    Verb(
        "retrieval",
        Retrieval.note_run,
        acts=True,
        help="Note that evaluation run RUN was made by settings REF: verdicts on it are evidence for that version.",
        text=lambda found: f"noted: the run was made by {found.ref}",
        data=version_data,
    ),
    *alias_commands("settings", Retrieval, example="docs", data=version_data, group="retrieval"),
    sync_command(
        "settings",
        Retrieval,
        Retrieval.sync,
        example="docs",
        files="NAME.yaml",
        there="the settings",
        group="retrieval",
    ),
]
COMMANDS: list[click.Command | Verb] = [*SETTINGS, *INDEXES, *MEASURES, *DRIFT]
