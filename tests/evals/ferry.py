"""The golden questions of the sample with the sources that its retrieval finds, and its three prompts."""

from __future__ import annotations

from functools import cache

from lmops.sample.retrieval import Index, IndexSettings, rerank
from lmops.standin.content import articles, prompt_text, questions


@cache
def golden(kinds=("single", "multi", "computed", "unanswerable")):
    """Return the English golden questions of these kinds as rows of a dataset."""
    index = Index(articles(), IndexSettings())
    rows = []
    for one in questions():
        if one.language != "en" or one.kind not in kinds:
            continue
        hits = rerank(one.question, index.search(one.question, top_k=8), top_k=4)
        sources = "\n".join(f"[{hit.chunk.id}] {hit.chunk.content}" for hit in hits)
        rows.append({
            "example_id": one.id,
            "input": {"question": one.question, "sources": sources},
            "expected": one.answer,
            "metadata": {"topic": one.topic, "kind": one.kind, "source_ids": list(one.source_ids)},
            "split": one.split,
            "documents": [
                {"id": hit.chunk.id, "content": hit.chunk.content, "score": hit.score, "rank": rank}
                for rank, hit in enumerate(hits, start=1)
            ],
        })  # fmt: skip
    return rows


def save_prompts(ws):
    """Save the three versions of the sample's prompt: rules for the system, sources and question for the user."""
    for version in (1, 2, 3):
        rules, _, rest = prompt_text(version).partition("\nSources:\n")
        user = "Sources:\n" + rest.replace("{sources}", "{{ sources }}").replace("{question}", "{{ question }}")
        ws.prompts.save(
            "support-answer",
            [{"role": "system", "content": rules.strip()}, {"role": "user", "content": user.strip()}],
            model="standin:ferry-1",
            params={"temperature": 0.2},
        )
