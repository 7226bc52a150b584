"""Datasets: examples to evaluate on, in versions that never change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from lmops.base.kinds import refuses_wrong_kinds
from lmops.base.public import only
from lmops.datasets import _show as _show
from lmops.datasets import _table
from lmops.datasets._content import Encoded, encode, version_hash
from lmops.datasets._diff import Change, DatasetDiff, diff
from lmops.datasets._example import NAMED, Example
from lmops.datasets._export import export
from lmops.datasets._mapping import Columns, refuse_repeated_ids, to_examples
from lmops.datasets._records import DatasetVersion, SaveReport
from lmops.datasets._schema import FIELDS, held_examples
from lmops.datasets._select import repeated, split_names
from lmops.datasets._traces import examples_of as examples_of
from lmops.datasets._traces import merged as merged
from lmops.datasets._traces import recorded as recorded
from lmops.datasets._versions import KIND, checked_name, record
from lmops.datasets.reading import rows_of
from lmops.errors import NotFoundError, UsageError
from lmops.records import Kind, Ref, Versioned

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from lmops import records

__all__ = ["FIELDS", "Change", "DatasetDiff", "DatasetVersion", "Datasets", "Example", "SaveReport"]
__dir__ = only(__all__)

_Change = Callable[[tuple[Example, ...]], Sequence[Example]]


@refuses_wrong_kinds
class Datasets(Versioned[DatasetVersion]):
    """The datasets of a workspace: ``ws.datasets``."""

    KIND: ClassVar[Kind[DatasetVersion]] = KIND

    # -- in --------------------------------------------------------------------------------------------------------

    def save(
        self,
        name: str,
        data: Any,
        *,
        input: Columns = None,  # the field's name
        expected: Columns = None,
        id: str | None = None,
        cluster: str | None = None,
        split: str | None = None,
        tags: str | None = None,
        output: Columns = None,
        documents: str | None = None,
        metadata: Columns = None,
        drop_duplicates: bool = False,
        note: str = "",
    ) -> DatasetVersion:
        """Save rows as a version of a dataset and return it; the same content again is the same version.

        Columns are taken by name: ``input`` (or question, prompt, ...), ``expected`` (or answer, reference, ...),
        ``id``, ``split``, ``tags``, ``cluster``, ``trace_id``, ``output``, ``documents``, ``labels``; every other
        column goes into the metadata. NaN, NaT and NA are nothing.

        Args:
            name: The dataset: letters, digits, ``_``, ``-``, ``.``.
            data: A list of dicts or :class:`Example`, a DataFrame, an Arrow table, a version, or the path of a
                .jsonl, .json, .csv, .tsv or .parquet file.
            input: The column of the input; a list makes an object of several.
            expected: The column of the reference, likewise.
            id: The column of the ids; rows without one get an id made from their input.
            cluster: The column of what examples belong to (a session, a document).
            split: The column of the split.
            tags: The column of the tags: a list, or text with commas.
            output: The column of what production answered.
            documents: The column of the retrieved documents.
            metadata: The columns to keep as metadata; all others by default.
            drop_duplicates: Leave out examples that are equal to an earlier one but for their id. They are kept and
                reported by default.
            note: Why there is a new version.

        Returns:
            The version; its ``report`` says what was found: duplicates, inputs with several answers, made ids.

        Raises:
            UsageError: A column is not there, an id comes twice, a row has no input, a value cannot be stored, or
                there is no row. Nothing was saved.
            NotFoundError: There is no such file.
        """
        checked_name(name)
        chosen: dict[str, Columns] = {
            "input": input,
            "expected": expected,
            "example_id": id,
            "cluster": cluster,
            "split": split,
            "tags": tags,
            "output": output,
            "documents": documents,
            "metadata": metadata,
        }
        rows = rows_of(data)
        if not rows:
            raise UsageError(f"there is no row to save in {name!r}")
        mapped = to_examples(rows, chosen)
        encoded = [encode(example) for example in mapped.examples]
        report = SaveReport(rows=len(rows), is_new=True, derived_ids=mapped.derived_ids)
        with self._project.change(reason=note) as change:
            return self._put(change, name, encoded, report, drop=drop_duplicates, action="save")

    def add(self, name: str, data: Any, *, note: str = "") -> DatasetVersion:
        """Add rows to a dataset as a new version and return it; a row with a known id takes that example's place.

        Args:
            name: The dataset; made when there is none.
            data: As for :meth:`save`, columns taken by their default names.
            note: Why.

        Raises:
            UsageError: As for :meth:`save`.
        """
        checked_name(name)
        rows = rows_of(data)
        mapped = to_examples(rows, {})
        report = SaveReport(rows=len(rows), is_new=True, derived_ids=mapped.derived_ids)

        def change(before: tuple[Example, ...]) -> list[Example]:
            return list({one.example_id: one for one in (*before, *mapped.examples)}.values())

        return self._change(name, change, report, note=note or f"{len(rows)} rows added", action="add")

    def add_traces(
        self,
        name: str,
        traces: Any,
        *,
        labels: Mapping[str, Mapping[str, Any]] | None = None,
        map: Mapping[str, str] | None = None,  # the word that users look for
        split: str | None = None,
        tags: Sequence[str] = (),
        note: str = "",
    ) -> DatasetVersion:
        """Add traces to a dataset as a new version and return it; a trace that is there already stays one example.

        An example takes the input and output of the trace's root, the retrieved documents, the tool calls (in the
        metadata), and the session as its cluster; its id and ``trace_id`` are the trace's. The trace of a case of an
        evaluation adds the example that was evaluated, with what is expected where the frame says it.

        Args:
            name: The dataset; made when there is none.
            traces: Trace ids, the frame of ``ws.traces.search`` (its columns expected, split, tags, cluster, labels,
                feedback are taken along), or traces.
            labels: What people said, by trace id: ``{trace_id: {"value": "down", "comment": "..."}}``.
            map: Places in the trace by what they become, where the input is the JSON of a function's arguments:
                ``{"question": "input.question", "expected": "output.answer", "metadata.tier": "attributes.tier"}``.
                A name that is no field of an example is a field of its input; places begin with input, output,
                attributes, tool_calls, name, session_id or user_id.
            split: The split of the new examples.
            tags: Tags of the new examples.
            note: Why.

        Returns:
            The version; traces that make no example are in ``report.skipped``.

        Raises:
            NotFoundError: A trace is not in the store.
            UsageError: There is no trace to add, or a place of ``map`` is in none of them.
        """
        checked_name(name)
        found, skipped = self.made_of(traces, labels=labels, map=map)
        marked = [replace(one, split=split or one.split, tags=tuple(sorted({*one.tags, *tags}))) for one in found]
        report = SaveReport(rows=len(found), is_new=True, skipped=tuple(skipped))

        def change(before: tuple[Example, ...]) -> list[Example]:
            known = {one.trace_id or one.example_id: one for one in before}
            for one in marked:
                key = one.trace_id or one.example_id
                known[key] = merged(known[key], one) if key in known else one
            return list(known.values())

        return self._change(name, change, report, note=note or f"{len(found)} traces added", action="add")

    def made_of(
        self,
        traces: Any,
        *,
        labels: Mapping[str, Mapping[str, Any]] | None = None,
        map: Mapping[str, str] | None = None,  # the word that users look for
    ) -> tuple[Sequence[Example], Sequence[tuple[str, str]]]:
        """Return the examples that :meth:`add_traces` would add, and the traces that make none with the reason.

        Args:
            traces: As for :meth:`add_traces`.
            labels: As for it.
            map: As for it.

        Raises:
            NotFoundError: A trace is not in the store.
            UsageError: There is no trace to add, or a place of ``map`` is in none of them.
        """
        return examples_of(self._store, traces, labels, map, self._evaluated())

    def split(
        self, name: str, shares: Mapping[str, float], *, by: str | None = "cluster", seed: int = 0, note: str = ""
    ) -> DatasetVersion:
        """Give every example a split and return the new version.

        Who is where follows from the ids and the seed: examples that are added later leave the others in their splits.

        Args:
            name: The dataset.
            shares: Share of each split, such as ``{"dev": 0.8, "test": 0.2}``; they add up to 1.
            by: What must not be divided between splits: "cluster" or a key of the metadata; None for nothing.
            seed: Another seed, another assignment.
            note: Why.

        Raises:
            UsageError: The shares do not add up to 1.
            NotFoundError: There is no such dataset.
        """

        def change(before: tuple[Example, ...]) -> list[Example]:
            names = split_names(before, shares, by=by, seed=seed)
            return [replace(one, split=names[one.example_id]) for one in before]

        said = note or f"split {', '.join(f'{key} {share:g}' for key, share in shares.items())}, seed {seed}"
        return self._change(self._existing(name), change, None, note=said, action="split")

    def tag(
        self, name: str, ids: Iterable[str], *, add: Sequence[str] = (), remove: Sequence[str] = (), note: str = ""
    ) -> DatasetVersion:
        """Add tags to some examples, remove others, and return the new version.

        Raises:
            NotFoundError: There is no such dataset or example.
        """
        chosen = set(ids)

        def change(before: tuple[Example, ...]) -> list[Example]:
            for one in sorted(chosen - {example.example_id for example in before}):
                raise NotFoundError.of(f"example of {name}", one, [example.example_id for example in before[:NAMED]])
            return [
                replace(one, tags=tuple(sorted({*one.tags, *add} - set(remove)))) if one.example_id in chosen else one
                for one in before
            ]

        return self._change(self._existing(name), change, None, note=note, action="tag")

    # -- out -------------------------------------------------------------------------------------------------------

    def contents_of(self, examples: Sequence[str]) -> dict[str, set[tuple[int]]]:
        """Return the rows of the store that hold examples, by table, as erasing takes them.

        Args:
            examples: ``NAME/ID`` in every version, ``NAME@VERSION/ID`` in one.

        Raises:
            NotFoundError: There is no such example.
        """
        found: dict[str, set[int]] = {one: set() for one in examples}
        with self._project.reading() as con:
            for name, version, example_id, content_id in held_examples(con) if found else ():
                for asked in (f"{name}/{example_id}", f"{name}@{version}/{example_id}"):
                    if asked in found:
                        found[asked].add(content_id)
        missing = [one for one, held in found.items() if not held]
        if missing:
            raise NotFoundError(
                f"there is no example {missing[0]!r:.100}: name it as 'cases/ID', or 'cases@3/ID' as it is in version "
                "3; ws.datasets.get('cases').examples has the ids"
            )
        return {"example_contents": {(one,) for held in found.values() for one in held}} if found else {}

    def diff(self, before: str | DatasetVersion, after: str | DatasetVersion) -> DatasetDiff:
        """Return what changed between two versions, examples matched by id.

        Args:
            before: A version or its ref.
            after: Another.

        Raises:
            NotFoundError: There is no such version.
        """
        one, other = (self.get(ref) if isinstance(ref, str) else ref for ref in (before, after))
        return diff(one, other)

    def export(self, ref: str | DatasetVersion, path: str | os.PathLike[str]) -> Path:
        """Write a version to a .jsonl, .jsonl.gz or .parquet file that :meth:`save` reads back; return its path.

        The audit chain says that, where to and how many examples, unless the store is open read-only.

        Raises:
            NotFoundError: There is no such version.
            UsageError: Another kind of file.
        """
        version = self.get(ref) if isinstance(ref, str) else ref
        written = export(version, path)
        if not self._store.is_read_only:
            with self._project.change() as change:
                after = {"path": str(written.expanduser().absolute()), "rows": len(version)}
                change.say("dataset.export", version.ref, after=after)
        return written

    # -- steps -----------------------------------------------------------------------------------------------------

    def _evaluated(self) -> Callable[[Mapping[str, Any]], Example | None]:
        """Return what finds the example that a trace of an evaluation ran, by the attributes of its root."""
        versions: dict[str, DatasetVersion | None] = {}

        def find(attributes: Mapping[str, Any]) -> Example | None:
            ref, example_id = attributes.get("lmops.eval.dataset"), attributes.get("lmops.eval.example_id")
            if not isinstance(ref, str) or not isinstance(example_id, str):
                return None
            if ref not in versions:
                try:
                    versions[ref] = self.get(ref)
                except NotFoundError:  # of another store
                    versions[ref] = None
            version = versions[ref]
            return version.content.by_id.get(example_id) if version is not None else None

        return find

    def _existing(self, name: str) -> str:
        """Return the name of a dataset that there is."""
        asked = self._versions.parse(name)
        if asked != Ref(asked.name):
            raise UsageError(f"{name!r} is a version and never changes: give the name of the dataset")
        return self.get(asked.name).name

    def _change(
        self,
        name: str,
        change: _Change,
        report: SaveReport | None,
        *,
        note: str,
        action: str,
    ) -> DatasetVersion:
        """Read what a name means, change it and save it, in one transaction: two writers change one after the other."""
        with self._project.change(reason=note) as made:
            con, versions = made.con, self._versions
            known = versions.newest(con, name) and versions.resolve(con, Ref(name))
            after = change(versions.load(con, name, known).examples if known else ())
            refuse_repeated_ids(after)
            encoded = [encode(example) for example in after]
            found = report or SaveReport(rows=len(after), is_new=True)
            return self._put(made, name, encoded, found, drop=False, action=action)

    def _put(
        self,
        change: records.Change,
        name: str,
        encoded: Sequence[Encoded],
        report: SaveReport,
        *,
        drop: bool,
        action: str,
    ) -> DatasetVersion:
        kept, report = checked(encoded, report, drop=drop)
        saved, is_new = self._versions.save(
            change,
            name,
            version_hash(one.hash for one in kept),
            lambda: {**_table.keep(change.con, kept), "note": change.reason or ""},
            action=action,
        )
        found = record(saved, [one.texts for one in kept])
        return replace(found, report=replace(report, is_new=is_new))


def checked(encoded: Sequence[Encoded], report: SaveReport, *, drop: bool) -> tuple[Sequence[Encoded], SaveReport]:
    """Return the examples to keep and the report with what was found among them."""
    contents = ["\x1f".join(text or "" for text in one.texts[1:]) for one in encoded]
    ids = [one.texts[0] or "" for one in encoded]
    duplicates = repeated(contents, ids)
    equal = {name for group in duplicates for name in group[1:]}
    kept = [one for one in encoded if one.texts[0] not in equal]
    inputs = repeated([one.texts[1] or "" for one in kept], [one.texts[0] or "" for one in kept])
    answers = {one.texts[0]: one.texts[2] for one in kept}
    inputs = tuple(group for group in inputs if len({answers[name] for name in group}) > 1)
    report = replace(report, duplicates=duplicates, repeated_inputs=inputs, dropped=len(equal) if drop else 0)
    return (kept if drop else encoded), report
