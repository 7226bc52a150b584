"""Scorers: what calling one adds to the function itself, and how well source_support finds unsupported answers.

The corpora of other projects are read from a folder beside the checkout when it is there; they do not belong to it.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from pathlib import Path

import lmops
from lmops.calc.intervals import wilson
from lmops.sample import data_dir
from lmops.scorers import ScoreInput, get, scorer, source_support

CORPORA = Path(__file__).parents[3] / "shared" / "data"
ITEMS = 20_000
BAR_US = 30.0


def per_item(work, items):
    start = time.perf_counter()
    for item in items:
        work(item)
    return (time.perf_counter() - start) / len(items) * 1e6


def overhead():
    def same(output, expected):
        return output == expected

    made = scorer(name="bench_same", range=(0, 1))(same)
    items = [
        ScoreInput(output=f"answer {n}", expected=f"answer {n % 7}", example={"input": "q", "metadata": {}})
        for n in range(ITEMS)
    ]
    bare = min(per_item(lambda item: same(item.output, item.expected), items) for _ in range(3))
    scored = min(per_item(made.score, items) for _ in range(3))
    print(f"scorers, {ITEMS:,} items")
    print(f"  the function itself   {bare:6.2f} us")
    print(f"  as a scorer           {scored:6.2f} us   overhead {scored - bare:.2f} us (bar {BAR_US:g} us)")
    for name in ("exact_match", "token_f1", "rouge_l"):
        print(f"  {name:<21} {per_item(get(name).score, items):6.2f} us")


def report(name, pairs):
    """Print precision and recall of (found unsupported, is unsupported) pairs."""
    hits = sum(found and true for found, true in pairs)
    found, true = sum(pair[0] for pair in pairs), sum(pair[1] for pair in pairs)
    shown = []
    for word, n in (("precision", found), ("recall", true)):
        low, high = (float(end) for end in wilson(hits, n))
        shown.append(f"{word} {hits / n:.3f} [{low:.3f}, {high:.3f}] of {n:,}")
    print(f"  {name:<12} n={len(pairs):,}, {true:,} unsupported: {', '.join(shown)}")


def sample_pairs():
    """Return the pairs of the sample's traffic; an answer that claims nothing counts as supported."""
    truth = {row["trace_id"]: row for row in map(json.loads, (data_dir() / "truth.jsonl").read_text().splitlines())}
    made, pairs, kinds = source_support(), [], defaultdict(lambda: [0, 0])
    with lmops.open(":memory:") as ws:
        ws.traces.ingest(str(data_dir() / "traces" / "*.jsonl.gz"), progress=False)
        version = ws.datasets.add_traces("all", ws.traces.search(limit=None))
    for example in version:
        row = truth[example.trace_id]
        if row["blocked_by"] or row["output_blocked"] or row["failure"]:
            continue
        given = ScoreInput(
            output=example.output,
            documents=example.documents,
            tool_calls=example.metadata.get("tool_calls"),
            example=example.as_dict(),
        )
        score = made.score(given)
        is_found = score.is_value and score.value < 1
        pairs.append((is_found, row["unsupported"]))
        for kind in row["unsupported_kinds"]:
            kinds[kind][0] += is_found
            kinds[kind][1] += 1
    return pairs, kinds


def corpus_pairs(rows):
    """Return the pairs of (sources, question, answer, is unsupported) rows."""
    made = source_support()
    for sources, question, answer, true in rows:
        given = ScoreInput(output=answer, documents=[{"id": "s", "content": sources}], example={"input": question})
        score = made.score(given)
        if score.is_value:
            yield score.value < 1, true


def halueval():
    for row in map(json.loads, (CORPORA / "halueval_qa" / "dev.jsonl").read_text().splitlines()):
        yield row["knowledge"], row["question"], row["right_answer"], False
        yield row["knowledge"], row["question"], row["hallucinated_answer"], True


def qags():
    for row in map(json.loads, (CORPORA / "qags_cnndm" / "rows.jsonl").read_text().splitlines()):
        yield row["source"], None, row["summary"], row["consistency"] < 1


def main():
    overhead()
    print("source_support finds unsupported answers (95 % Wilson intervals)")
    pairs, kinds = sample_pairs()
    report("sample", pairs)
    print(
        "               found by kind:", ", ".join(f"{name} {hit} of {n}" for name, (hit, n) in sorted(kinds.items()))
    )
    if CORPORA.is_dir():
        report("HaluEval QA", list(corpus_pairs(halueval())))
        report("QAGS CNN/DM", list(corpus_pairs(qags())))


if __name__ == "__main__":
    main()
