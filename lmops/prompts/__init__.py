"""Prompts as versioned artefacts: immutable versions by content, aliases with history, diff, compare, files under git.

A version is what its content is: saving the same content again returns the same version. An alias such as
"production" points to one version; every move of it is in the history and in the audit chain, and can be undone.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar

from lmops.base.public import only
from lmops.errors import UsageError
from lmops.prompts import _show as _show
from lmops.prompts import _show_version as _show_version
from lmops.prompts._names import check_name
from lmops.prompts._records import PromptVersion
from lmops.prompts._sync import PromptFiling
from lmops.prompts._versions import KIND, insert
from lmops.prompts.comparisons import PromptComparison, compare
from lmops.prompts.content import make
from lmops.prompts.diffs import PromptDiff, diff
from lmops.records import Kind, Move, Sync, Versioned, check_word, check_words

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    import pandas as pd

    from lmops.records import SyncReport

__all__ = ["Move", "PromptVersion", "Prompts"]
__dir__ = only(__all__)

_Viewed = TypeVar("_Viewed", "PromptDiff", "PromptComparison")


class Prompts(Versioned[PromptVersion]):
    """The registry as a workspace sees it: ``ws.prompts``."""

    KIND: ClassVar[Kind[PromptVersion]] = KIND

    # -- versions --------------------------------------------------------------------------------------------------

    def save(
        self,
        name: str,
        template: str | Sequence[Mapping[str, str]],
        *,
        model: str | None = None,
        params: Mapping[str, Any] | None = None,
        response_schema: Mapping[str, Any] | None = None,
        tools: Sequence[Any] | None = None,
        note: str | None = None,
        tags: Sequence[str] = (),
        parent: int | None = None,
        commit: str | None = None,
        actor: str | None = None,
    ) -> PromptVersion:
        r"""Save content as the next version and return it; content that was saved before is returned as it was.

        ``.is_new`` says which of the two happened. Line ends become ``\n``; nothing else of the text is touched.

        Args:
            name: Name of the prompt: a-z, 0-9, ".", "_", "-", at most 128.
            template: One jinja2 text (a user message), or messages: dicts of "role" (system, developer, user,
                assistant) and "content" (a jinja2 text).
            model: The model it is written for, such as "openai:gpt-5-mini".
            params: Parameters of the call, such as {"temperature": 0}.
            response_schema: JSON schema of the answer.
            tools: Definitions or names of the tools that are offered.
            note: Why this version; at most 10,000 characters.
            tags: Words to find it by.
            parent: The version it was made from; the newest by default.
            commit: The git commit it came from.
            actor: Who saves it; the workspace's actor by default.

        Raises:
            UsageError: A name, template or value that cannot be used, or more than 1 MB.
        """
        check_name(name)
        content = make(template, model=model, params=params, response_schema=response_schema, tools=tools)
        note, words = check_words(note, "note"), _tags(tags)
        with self._project.change(actor=actor, reason=note) as change:
            return insert(self._versions, change, name, content, tags=words, parent=parent, commit=commit)

    def list(self) -> pd.DataFrame:
        """Return one row a prompt: name, newest, aliases ("production=2"), model, note, author, changed_at."""
        found = super().list().rename(columns={"version": "newest", "created_at": "changed_at"})
        return found[["name", "newest", "aliases", "model", "note", "author", "changed_at"]]

    def diff(
        self, name: str, a: int | str | PromptVersion, b: int | str | PromptVersion, *, height: int = 560
    ) -> PromptDiff:
        """Return what changed from one version to another: ``.text``, ``.df()``, ``.changes``, ``.stats``.

        A notebook shows it side by side, by mouse and keyboard (press ? for the keys); ``.view`` is what is shown.

        Args:
            name: Name of the prompt.
            a: The old version: number, alias or record.
            b: The new version.
            height: Of the view, in pixels.

        Raises:
            NotFoundError: There is no such version.
        """
        return self._with_view(diff(*self._pair(name, a, b)), height=height)

    def compare(
        self,
        name: str,
        versions: Sequence[int | str | PromptVersion],
        *,
        last: str | None = None,
        since: str | datetime | None = None,
        until: str | datetime | None = None,
        environment: str | None = None,
        evaluations: bool = False,
        height: int = 620,
    ) -> PromptComparison:
        """Return how versions behaved in the traces that used them: ``.df()``, ``.text``, ``.outputs``, ``.caveats``.

        Latency p50 and p95, tokens, cost per query, error rate and votes of users, each with n and a 95 % interval, and
        the difference from the first version. A trace with a call of unknown price has no cost and counts as missing.
        A notebook shows it with the answers to the same inputs side by side; ``.view`` is what is shown.

        Args:
            name: Name of the prompt.
            versions: At least one: numbers, aliases or records; the first is what the others are compared with.
            last: Back from now, or from the newest trace of an archive: "24h", "7d".
            since: ISO time or datetime, UTC without a zone; not together with ``last``.
            until: Likewise.
            environment: Only traces of this environment, such as "production".
            evaluations: Count the traces of evaluations as well, which are left out otherwise.
            height: Of the view, in pixels.

        Raises:
            NotFoundError: There is no such version.
        """
        if isinstance(versions, str | PromptVersion) or not versions:
            raise UsageError(f"compare({name!r}, ...): give a list of versions, such as [1, 2]")
        with self._project.reading() as con:
            found = list(dict.fromkeys(self._versions.number(con, name, one) for one in versions))
        made = compare(
            self._store,
            name,
            found,
            last=last,
            since=since,
            until=until,
            environment=environment,
            evaluations=evaluations,
        )
        return self._with_view(made, height=height)

    # -- files -----------------------------------------------------------------------------------------------------

    def sync(
        self,
        folder: str | os.PathLike[str],
        *,
        names: Sequence[str] | None = None,
        take: Mapping[str, Literal["file", "registry"]] | None = None,
        restore: bool = False,
        dry_run: bool = False,
        actor: str | None = None,
    ) -> SyncReport:
        """Bring a folder of files ``NAME.prompt.md`` and the registry together, both ways; return what happened.

        A changed file becomes a new version that remembers its git commit; a new version is written to its file. When
        both changed, the difference is shown and neither is touched. A removed file is reported; the registry keeps
        its versions.

        Args:
            folder: Made when it is not there.
            names: Only these prompts; all by default.
            take: Settles conflicts: {"support-answer": "file"} or "registry".
            restore: Write the files again that were removed.
            dry_run: Say what would happen and change nothing.
            actor: Who saves; the workspace's actor by default.

        Raises:
            UsageError: It is no folder, or a name or a side that is not there.
        """
        chosen = names if names is None else [check_name(name) for name in _several(names)]
        return Sync(
            replace(self._project, actor=actor or self._project.actor),
            self._versions,
            PromptFiling(self._versions),
            Path(folder),
            take=take or {},
            is_dry_run=dry_run,
            restore=restore,
        ).run(chosen)

    # -- inside ----------------------------------------------------------------------------------------------------

    def _with_view(self, found: _Viewed, *, height: int) -> _Viewed:
        """Return a record with its live view; here there is none, a workspace knows one."""
        del height
        return found


def _several(names: Sequence[str]) -> Sequence[str]:
    if isinstance(names, str):
        raise UsageError(f"names={names!r}: give a list of names, such as [{names!r}]")
    return names


def _tags(tags: Sequence[str]) -> tuple[str, ...]:
    if isinstance(tags, str):
        raise UsageError(f"tags={tags!r}: give a list of words, such as [{tags!r}]")
    return tuple(sorted({check_word(tag, "a tag") for tag in tags}))
