"""Synthetic traffic of a support assistant: eight spans a trace, two model calls, realistic texts."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from lmops.models import Pricer
from lmops.store._manifest import move_manifest
from lmops.store._tables import SPAN_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lmops.store import Store

Row = dict[str, Any]
START_NS = 1_794_000_000_000_000_000
DAYS = 14
MODELS = (("openai", "gpt-4o"), ("openai", "gpt-4o-mini"), ("openai", "gpt-5-mini"), ("anthropic", "claude-sonnet-4-5"))
WORDS = [
    "ferry",
    "ticket",
    "refund",
    "policy",
    "harbour",
    "timetable",
    "vehicle",
    "cabin",
    "departure",
    "boarding",
    "luggage",
    "weather",
    "delay",
    "customer",
    "support",
    "answer",
    "question",
    "passenger",
    "island",
    "crossing",
    "deck",
    "fare",
    "booking",
    "change",
    "cancel",
    "pet",
    "bicycle",
    "meal",
    "lounge",
]
#: name, kind, parent (index of a span before it)
SHAPE = (
    ("support", "chain", None), ("guard input", "guardrail", 0), ("retrieve", "retriever", 0), ("rank", "reranker", 0),
    ("agent", "agent", 0), ("chat", "llm", 4), ("tool", "tool", 4), ("chat", "llm", 4),
)  # fmt: skip  # items that belong together share a line
EMPTY: Row = {name: None for name, _, _ in SPAN_COLUMNS}


def traces(count: int, *, spread_over: int | None = None, seed: int = 1, services: int = 1) -> Iterator[list[Row]]:
    """Yield the span rows of ``count`` traces in order of time, evenly over two weeks; a session has one service."""
    rng = random.Random(seed)
    texts = [" ".join(rng.choices(WORDS, k=40)) for _ in range(500)]
    step = DAYS * 86_400_000_000_000 // (spread_over or count)
    pricer = Pricer()
    for number in range(count):
        rows = [_span(rng, texts, number, place, START_NS + number * step) for place in range(len(SHAPE))]
        trace_id = f"{rng.getrandbits(128):032x}"
        ids = [f"{rng.getrandbits(64):016x}" for _ in rows]
        failed = rng.random() < 0.03
        for place, row in enumerate(rows):
            row.update(service="support" if services == 1 else f"support-{number // 3 % services}")
            above = SHAPE[place][2]
            row.update(trace_id=trace_id, span_id=ids[place], parent_span_id=None if above is None else ids[above])
            if failed and place in (0, 4, 6):
                row.update(status="error", error_type="TimeoutError", error_message="the booking system did not answer")
        pricer.put_costs(rows)
        yield rows


def _span(rng: random.Random, texts: list[str], number: int, place: int, start_ns: int) -> Row:
    name, kind, _ = SHAPE[place]
    started = start_ns + place * 1_000_000
    ended = started + rng.randrange(1, 3000) * 1_000_000
    tier = "gold" if rng.random() < 0.02 else "free"
    row = {
        **EMPTY, "name": name, "kind": kind, "start_ns": started, "end_ns": ended,
        "latency_ms": (ended - started) / 1e6, "status": "ok", "service": "support", "environment": "production",
        "session_id": f"s{number // 3}", "user_id": f"u{number % 5000}", "events": "[]",
        "attributes": f'{{"app.tier":"{tier}","app.region":"eu","retry.count":{rng.randrange(3)},"http.status":200,'
                      f'"app.build":"2026.11.{number % 30}"}}',
        "resource": '{"service.name":"support","deployment.environment.name":"production"}',
        "dialect": "genai", "scope": "bench 1", "normaliser_version": 1,
    }  # fmt: skip  # keys that belong together share a line
    if kind == "llm":
        provider, model = MODELS[rng.randrange(4)]
        row.update(
            provider=provider, model=model, requested_model=model, prompt_name="support-answer",
            prompt_version=str(1 + number % 3), response_id=f"r{rng.getrandbits(64):x}", finish_reason="stop",
            input_tokens=rng.randrange(100, 3000), output_tokens=rng.randrange(10, 600), cached_input_tokens=0,
            input=f'[{{"role":"user","content":"{texts[rng.randrange(500)]}"}}]',
            output=f'[{{"role":"assistant","content":"{texts[rng.randrange(500)]}"}}]',
        )  # fmt: skip  # arguments that belong together share a line
    elif kind == "tool":
        row.update(tool_name=rng.choice(["refund", "lookup"]), input='{"order":"A-17"}', output=texts[0])
    elif kind in ("chain", "retriever"):
        row.update(input=texts[rng.randrange(500)], output=texts[rng.randrange(500)])
    return row


def fill(store: Store, spans: int, *, seed: int = 1, services: int = 1) -> None:
    """Load about ``spans`` synthetic spans, as ingests of 20,000 spans."""
    chunk: list[Row] = []
    for rows in traces(spans // len(SHAPE), seed=seed, services=services):
        chunk += rows
        if len(chunk) >= 20_000:
            store.load(chunk)
            chunk = []
    if chunk:
        store.load(chunk)
    store.compact(grace_s=0)


def rss_mb(pid: int | str = "self") -> float:
    """Return the resident memory of a process in MB."""
    from pathlib import Path

    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096 / 1e6


def peak_mb() -> float:
    """Return the most memory that this process had in MB; what it was forked from does not count."""
    from pathlib import Path

    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024


def folder_size(folder: Path) -> int:
    """Return the bytes of all files below a folder."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def multiply(store: Store, times: int) -> None:
    """Add copies of all that a store has, with ids of their own, until there is so many times as much.

    They are written as files of columns: rows of Python would take an hour for ten million spans.
    """
    import pyarrow.parquet as pq
    from pyarrow import compute as pc

    publisher, meta = store._publisher, store._meta  # there is no other way past rows
    listed = meta.connection().execute("select tbl, path from segments").fetchall()
    known = [(tbl, pq.read_table(store.path / path)) for tbl, path in listed]
    for copy in range(1, times):
        with publisher.files() as written:
            for tbl, table in known:
                for name in ("trace_id", "session_id", "response_id"):
                    if name in table.column_names:
                        at = table.column_names.index(name)
                        # ids of traces stay hexadecimal and as long as they are
                        rest = pc.utf8_slice_codeunits(table[name], 2 if name == "trace_id" else 0)
                        own = pc.binary_join_element_wise(rest, f"{copy:02x}", "")
                        table = table.set_column(at, table.schema.field(name), own)  # noqa: PLW2901
                written.append(publisher.write_file(tbl, table))
            with meta.write(durable=True) as con:
                for file in written:
                    file.insert(con)
                move_manifest(con)
