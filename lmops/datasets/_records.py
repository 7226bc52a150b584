"""A version of a dataset: examples that never change, and selections of them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from lmops.base.units import counted
from lmops.datasets._content import Listed
from lmops.datasets._example import NAMED
from lmops.datasets._select import filtered, near_duplicates, sampled, stratified
from lmops.errors import NotFoundError
from lmops.records import Version
from lmops.text import plain_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import pandas as pd

    from lmops.datasets._example import Example


class Content(Protocol):
    """The examples of one version, decoded when they are asked for."""

    @property
    def examples(self) -> tuple[Example, ...]:
        """All examples in order."""

    @property
    def by_id(self) -> dict[str, Example]:
        """All examples by id."""

    def df(self) -> pd.DataFrame:
        """All examples as a frame."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SaveReport:
    """What saving found.

    Args:
        rows: Rows that came in.
        is_new: False when a version with the same content was there already.
        duplicates: Groups of ids whose examples are equal but for their id.
        repeated_inputs: Groups of ids that share an input and differ elsewhere.
        dropped: Exact duplicates that were left out, because that was asked for.
        derived_ids: Rows that came without an id and got one from their input.
        skipped: What was left out, with the reason.
    """

    rows: int
    is_new: bool
    duplicates: tuple[tuple[str, ...], ...] = ()
    repeated_inputs: tuple[tuple[str, ...], ...] = ()
    dropped: int = 0
    derived_ids: int = 0
    skipped: tuple[tuple[str, str], ...] = ()

    def __repr__(self) -> str:
        facts = [f"{self.rows:,} rows", "a new version" if self.is_new else "known content"]
        if self.duplicates:
            facts.append(f"{sum(map(len, self.duplicates)):,} equal examples in {len(self.duplicates):,} groups")
        if self.repeated_inputs:
            facts.append(f"{len(self.repeated_inputs):,} inputs that come with different answers")
        if self.dropped:
            facts.append(f"{self.dropped:,} duplicates dropped")
        if self.derived_ids:
            facts.append(f"{self.derived_ids:,} ids made from inputs")
        if self.skipped:
            facts.append(f"{len(self.skipped):,} left out")
        return f"<SaveReport {', '.join(facts)}>"


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetVersion(Version):
    """One version of a dataset: never changed, known by its content.

    Iterating gives the examples; ``len`` counts them; ``.df()`` has them as a frame. A selection (``filter``,
    ``sample``, ...) keeps ``ref`` and ``hash`` of the version it was taken from and says in ``selection`` what it is.
    """

    count: int
    content: Content = field(repr=False, compare=False)
    selection: str | None = None
    report: SaveReport | None = field(default=None, repr=False, compare=False)

    @property
    def examples(self) -> tuple[Example, ...]:
        """The examples in their order."""
        return self.content.examples

    @property
    def ids(self) -> list[str]:
        """The ids of the examples in their order."""
        return [example.example_id for example in self.examples]

    def __len__(self) -> int:
        return self.count

    def __bool__(self) -> bool:
        return True  # an empty version is a version

    def __iter__(self) -> Iterator[Example]:
        return iter(self.examples)

    def __getitem__(self, key: str | int) -> Example:
        """Return one example by its id, or by its place."""
        if isinstance(key, int):
            return self.examples[key]
        found = self.content.by_id.get(key)
        if found is None:
            raise NotFoundError.of(f"example of {self.ref}", key, self.ids[:NAMED])
        return found

    def __repr__(self) -> str:
        selected = f", {plain_line(self.selection, 80)}" if self.selection else ""
        return f"<DatasetVersion {self.ref}: {counted(self.count, 'example')}{selected}, {self.hash[:12]}>"

    def df(self) -> pd.DataFrame:
        """Return one row per example, in order: the columns of an example, missing values as None."""
        return self.content.df()

    def splits(self) -> dict[str, int]:
        """Return how many examples each split has; those without one are counted under ""."""
        found: dict[str, int] = {}
        for example in self.examples:
            found[example.split or ""] = found.get(example.split or "", 0) + 1
        return found

    # -- selections ------------------------------------------------------------------------------------------------

    def filter(
        self,
        where: Callable[[Example], bool] | None = None,
        *,
        split: str | Sequence[str] | None = None,
        tags: str | Sequence[str] | None = None,
        ids: Iterable[str] | None = None,
    ) -> DatasetVersion:
        """Return the examples that satisfy all that is given, in their order.

        Args:
            where: Keeps the examples it returns True for.
            split: One of these splits.
            tags: All of these tags.
            ids: One of these ids; an unknown one is an error.

        Raises:
            NotFoundError: No example has this split, this tag or this id.
        """
        return self._select(*filtered(self.examples, self.ref, where=where, split=split, tags=tags, ids=ids))

    def sample(self, n: int, *, seed: int = 0) -> DatasetVersion:
        """Return ``n`` examples drawn without replacement, in their order; all when there are fewer.

        The draw depends on the ids and the seed alone: adding examples elsewhere changes few of those drawn.
        """
        return self._select(*sampled(self.examples, n, seed=seed))

    def stratified(self, n: int, *, by: str, seed: int = 0) -> DatasetVersion:
        """Return ``n`` examples with each stratum in proportion, in their order.

        Args:
            n: How many.
            by: A field ("split", "cluster") or a key of the metadata.
            seed: Another seed, another draw.
        """
        return self._select(*stratified(self.examples, self.ref, n, by=by, seed=seed))

    def duplicates(self, *, threshold: float = 0.9) -> pd.DataFrame:
        """Return pairs of examples whose inputs are nearly the same, most alike first.

        Inputs are compared without case, punctuation and repeated white space.

        Args:
            threshold: Least similarity, 0..1 (1: equal after normalising): matching characters in order, relative to
                the length of both.

        Returns:
            Columns similarity, a, b (ids), input_a, input_b.

        Raises:
            UsageError: More than 20,000 examples, or a threshold below 0.5.
        """
        return near_duplicates(self.examples, threshold=threshold)

    def _select(self, examples: Sequence[Example], words: str) -> DatasetVersion:
        said = f"{self.selection}; {words}" if self.selection else words
        return replace(self, content=Listed(tuple(examples)), count=len(examples), selection=said, report=None)
