"""Retrievals of two periods with what is planted in the second: as arrays, or as spans of a store."""

from __future__ import annotations

import functools
import json

import numpy as np

from lmops.retrieval._drift_golden import Golden
from lmops.retrieval._drift_read import Call, Retrievals
from lmops.times import from_ns
from tests.store.helpers import DAY, START, llm, span

TOPICS = ("refund", "cabin", "luggage", "timetable")
SIDES = ("cost", "before", "children", "night", "lost", "change", "dog", "group", "island", "ticket")
QUERIES = [f"{topic} {side}" for topic in TOPICS for side in SIDES]
PLACES = 6


def asked(rng, mix, n):
    """Return queries of topics drawn by their share."""
    topics = rng.choice(len(TOPICS), size=n, p=mix or (0.25,) * 4)
    return (topics * len(SIDES) + rng.integers(len(SIDES), size=n)).tolist()


@functools.cache
def ranked(query, settings, corpus):
    """Return the documents that a query finds: settings turn the order, another corpus that of a fifth of them."""
    own = np.random.default_rng([query, settings, corpus if query % 5 == 0 else 0])
    found = own.permutation(30)[:PLACES].tolist()
    if settings == 1 or query % 3:
        found[0] = query % 30  # what answers it
    return list(dict.fromkeys(found))


def golden():
    """Return every second query as a golden question."""
    return [Golden(text, frozenset([f"doc{place % 30}"]), f"c{place % 8}") for place, text in enumerate(QUERIES)][::2]


def simulated(
    seed, *, n=200, settings=(1, 1), corpus=(1, 1), mixes=(None, None), model=("m1", "m1"), stamps=True, noise=0.0
):
    """Return (retrievals, calls of models) of two periods of ``n`` retrievals."""
    rng = np.random.default_rng(seed)
    rows, chunks, starts = [], [], [0]
    for side in (0, 1):
        units, turned = rng.integers(60, size=n).tolist(), (rng.random(n) < noise).tolist()
        for number, query in enumerate(asked(rng, mixes[side], n)):
            found = ranked(query, settings[side], corpus[side])
            found = [*found[:-2], *found[:-3:-1]] if turned[number] else found
            rows.append((side, query, units[number], START // 1000 + side * 10**9 + number * 10**6))
            chunks += found
            starts.append(len(chunks))
    side, query, unit, at = map(np.array, zip(*rows, strict=True))
    names = [f"doc{place}#1" for place in range(30)]
    given = {text: place for place, text in enumerate(one.text for one in golden())}
    place_of = np.array([given.get(text, -1) for text in QUERIES])
    zeros = np.zeros(len(rows), np.int64)
    found = Retrievals(
        at_us=at,
        is_after=side == 1,
        is_reranked=zeros > 0,
        source=zeros,
        settings=np.array(settings)[side] - 1 if stamps else zeros - 1,
        corpus=np.array(corpus)[side] - 1 if stamps else zeros - 1,
        probe=zeros - 1,
        query=query,
        key=query,
        unit=unit,
        trace=np.arange(len(rows)),
        golden=place_of[query],
        has_documents=zeros == 0,
        top_score=rng.normal(5, 1, len(rows)),
        starts=np.array(starts),
        chunks=np.array(chunks),
        texts=np.zeros(len(chunks), np.uint64),
        documents=np.array(chunks),
        names={
            "source": ["help"],
            "settings": ["s1", "s2"],
            "corpus": ["c1", "c2"],
            "probe": [],
            "query": QUERIES,
            "key": QUERIES,
            "chunk": names,
        },
        document_names=[name[:-2] for name in names],
    )
    times = [from_ns(START + side * 10**12) for side in (0, 1)]
    if model[0] == model[1]:
        calls = [Call("llm", "chat", model[0], None, n, n, times[0], times[1], 2 * n)]
    else:
        calls = [
            Call("llm", "chat", model[0], None, n, 0, times[0], times[0], 2 * n),
            Call("llm", "chat", model[1], None, 0, n, times[1], times[1], n),
        ]
    return found, calls


def stored(
    ws,
    *,
    days=(0, 2),
    name="t",
    settings="s1",
    corpus=None,
    probe=None,
    chunks=None,
    text=None,
    per_day=40,
    seed=0,
    **more,
):
    """Put traces with a retrieval and an answer each into a store."""
    rng = np.random.default_rng(seed)
    spans = []
    for day in range(*days):
        for number, query in enumerate(asked(rng, None, per_day)):
            at = START + day * DAY + number * (DAY // per_day)
            found = ranked(query, 1 if chunks is None else chunks, 1)
            documents = [
                {"rank": rank, "id": f"doc{place}#1", "score": 9.0 - rank, "content": text or f"text of {place}"}
                for rank, place in enumerate(found, start=1)
            ]
            attributes = {"gen_ai.data_source.id": "help"}
            if corpus:
                attributes["lmops.corpus.fingerprint"] = corpus
            if probe:
                attributes["lmops.index.probe"] = probe
            trace = f"{name}{day:02}{number:03}"
            spans.append(
                span(trace, "root", start=at, input=QUERIES[query], output="It is.", user_id=f"u{number % 20}")
            )
            spans.append(
                span(
                    trace,
                    "find",
                    "root",
                    start=at,
                    kind="retriever",
                    input=QUERIES[query],
                    index_fingerprint=settings,
                    documents=json.dumps(documents),
                    attributes=json.dumps(attributes),
                )
            )
            spans.append(llm(trace, "chat", "root", start=at, **({"model": "m1", "requested_model": "chat"} | more)))
    ws.store.load(spans=spans)
