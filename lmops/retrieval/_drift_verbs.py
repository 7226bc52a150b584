"""The verbs that find what changed in retrieval."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lmops.retrieval._measure_verbs import WithMeasures

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from lmops.retrieval._drift_records import RetrievalDrift
    from lmops.retrieval.contract import Searchable


class WithDrift(WithMeasures):
    """Measured indexes with the verbs that find changes in production."""

    def drift(
        self,
        *,
        last: str | None = None,
        since: str | datetime | None = None,
        until: str | datetime | None = None,
        before: str | tuple[str | datetime, str | datetime] | None = None,
        where: str | None = None,
        golden: str | None = None,
        canaries: str | Sequence[str] | None = None,
        index: str | Searchable | None = None,
        k: int = 10,
        answers: int = 100,
        level: float = 0.95,
    ) -> RetrievalDrift:
        """Return what changed in retrieval between two periods of traffic, from traces alone.

        Four causes are told apart, and all that hold are named:

        - **settings**: a fingerprint of settings stands on retrievals of a source that none had before; or its share
          moved by .1 or more, with limits of 99.9 % that leave out 0; or chunks have another text under the same
          fingerprints of settings and documents (they are cut otherwise); or the probe on spans says under the same
          settings that the chunker library cuts otherwise.
        - **corpus**: the same of fingerprints of documents. Where none stand on spans: chunks of one id have another
          text under the same settings; or queries under the same settings are ranked otherwise more often than their
          repeats before were, by .05 or more and p <= .001 (Fisher's exact test, 10 queries or more).
        - **questions**: the words of queries are others: Cramer's V of .1 or more (256 kinds of words, corrected for
          chance) and p <= .001 when people are dealt to the periods again at random.
        - **model**: a model that is asked in both calls itself otherwise (name or system fingerprint) and took over
          half of its calls or is too frequent to be new by chance (p <= .001); or a model is asked that was not.

        Nothing changed when none of these holds, both periods have 20 retrievals or more, retrievals say what they
        searched (or 10 queries of both are ranked alike), and neither recall on golden questions, empty results,
        documents found nor first scores moved (p <= .001). Otherwise it cannot be told, and the conclusion says why.

        Args:
            last: Length of the period after, such as "7d", up to now or the newest trace; "7d" by default.
            since: Begin of it instead.
            until: Its end; now by default.
            before: The period before: a length that ends where the other begins, or two times; by default the same
                length, and at least a day.
            where: As for ``ws.traces.search``: only what these traces retrieved.
            golden: Data set of questions with ``relevant`` documents or ``source_ids`` in their metadata; by default
                ``golden`` where there is one. Traffic is golden where its query, or what its user asked, is the text of
                one, but for case, spaces and punctuation.
            canaries: Queries that are asked again, or a data set of them; by default, with an index, the 50 that
                were asked most before.
            index: What they are asked of, or its name.
            k: Places of rankings that count.
            answers: Traces a period whose answers are held against their documents, drawn at random; 0: none.
            level: Of all limits.

        Raises:
            UsageError: A time, length, k or level is none; canaries cannot be asked again.
            NotFoundError: There is no such data set or index.
        """
        from lmops.retrieval import drifting

        found = drifting.periods_meant(self._project.store, last, since, until, before)
        asked = self.index(index) if isinstance(index, str) else index
        return drifting.drift(
            self._host,
            found,
            where=where,
            golden=golden,
            canaries=canaries,
            index=asked,
            k=k,
            answers=answers,
            level=level,
        )
