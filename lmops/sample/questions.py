"""The golden questions as rows of a dataset, with the sources that the sample application would have retrieved."""

from __future__ import annotations

from functools import cache
from typing import Any

from lmops.sample.app import KEPT, RETRIEVED, REWRITE_MODEL
from lmops.sample.asking import golden_rows
from lmops.sample.retrieval import Index, IndexSettings, rerank
from lmops.standin import ChatRequest, Message, chat_model, content


def golden(*, tools: bool = False) -> list[dict[str, Any]]:
    """Return the golden questions as rows for ``ws.datasets.save("golden", lmops.sample.golden())``.

    Each row has ``id``; ``input`` with the variables of the prompt, ``question`` (a foreign one with its English form,
    as the application writes it) and ``sources`` (the text of the chunks that a reranker kept); ``expected``, the
    reference answer; ``documents``, the retrieved chunks, best first, ``is_kept`` for those in the sources; ``split``;
    ``cluster``, the topic; ``tags``, the kind of question; and as metadata ``facts`` (they stand literally in a right
    answer), ``source_ids``, ``kind``, ``language``, ``topic``, ``should_refuse``, and ``tool_calls`` of a tool
    question.

    Args:
        tools: With the questions that need a tool: the model has to be given the tools, so a prompt alone cannot
            answer them.

    Example:
        >>> from lmops.sample import golden
        >>> row = golden()[0]
        >>> row["input"]["question"], row["metadata"]["facts"]
        ('How many times can I move a Saver ticket to another date?', ['only once', '7 days'])
    """
    return [_row(row) for row in golden_rows() if tools or row["kind"] != "tool"]


def _row(row: dict[str, Any]) -> dict[str, Any]:
    question = str(row["question"])
    query = question if row["language"] == "en" else _english(question, str(row["language"]))
    found = _index().search(query, top_k=RETRIEVED)
    kept = rerank(query, found, top_k=KEPT)
    kept_ids = {hit.chunk.id for hit in kept}
    metadata = {name: row[name] for name in ("facts", "source_ids", "kind", "language", "topic")}
    metadata["should_refuse"] = row["kind"] == "unanswerable"
    if row["tool"] is not None:
        metadata["tool_calls"] = [row["tool"]]
    return {
        "id": row["id"],
        "input": {
            "question": question if query == question else f"{question}\n(in English: {query})",
            "sources": "\n".join(f"[{hit.chunk.id}] {hit.chunk.content}" for hit in kept),
        },
        "expected": row["answer"] or None,
        "documents": [
            {
                "id": hit.chunk.id,
                "rank": rank,
                "score": hit.score,
                "content": hit.chunk.content,
                "is_kept": hit.chunk.id in kept_ids,
            }
            for rank, hit in enumerate(found, start=1)
        ],
        "split": row["split"],
        "cluster": row["topic"],
        "tags": [row["kind"]],
        "metadata": metadata,
    }


@cache
def _index() -> Index:
    return Index(content.articles(), IndexSettings())


def _english(question: str, language: str) -> str:
    """Return the English search query of a foreign question, by the model that rewrites them."""
    asked = Message(role="user", content=f"{language}: {question}")
    request = ChatRequest(model=REWRITE_MODEL, messages=(asked,), temperature=0.0, max_tokens=80, seed=0)
    return chat_model("standin:rewrite-1").complete(request).content
