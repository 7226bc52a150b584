"""The sample is reproducible, honest, and holds what it says was planted - measured from its traces alone."""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
import sys
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lmops.errors import UsageError
from lmops.sample import data_dir, folder
from lmops.sample.asking import golden_rows
from lmops.sample.releases import release
from lmops.sample.retrieval import Index, IndexSettings, rerank
from lmops.sample.traffic import CHUNKING_NS, MODEL_UPDATE_NS, OUTAGE, PROMPT_3_NS
from lmops.standin import ChatRequest, Message, chat_model, content
from lmops.standin.model import CLOSINGS, OPENINGS, REFUSAL
from lmops.standin.text import count_tokens, has_fact, sentences
from lmops.standin.tools import Toolbox, ToolUnavailableError, booking_status

DATA = Path(__file__).resolve().parents[1] / "data"


def rows(name):
    return [json.loads(line) for line in (DATA / name).read_text(encoding="utf-8").splitlines()]


class Trace:
    """What a detector can know: the spans of one trace, as they stand in the files."""

    def __init__(self, spans):
        self.spans = sorted(spans, key=lambda span: int(span["startTimeUnixNano"]))
        self.root = next(span for span in self.spans if "parentSpanId" not in span)
        self.start_ns = int(self.root["startTimeUnixNano"])

    def named(self, prefix):
        return [span for span in self.spans if span["name"].startswith(prefix)]

    @property
    def answer(self):
        return attributes(self.root)["output.value"]

    def documents(self):
        found = (attributes(span).get("gen_ai.retrieval.documents", "[]") for span in self.named("retrieval"))
        return [document for text in found for document in json.loads(text)]

    def unsupported_sentences(self):
        """Return what the answer says and no document or tool does."""
        said = " ".join(document["content"].replace("\n", " ") for document in self.documents())
        polite = {REFUSAL, *OPENINGS, *CLOSINGS}
        return [
            sentence
            for sentence in sentences(self.answer)
            if sentence not in polite
            and not sentence.startswith(("[", "Booking TL-", "Departures from", "There are no direct", "The system"))
            and sentence.rstrip(".") not in said
        ]


def attributes(span):
    return {item["key"]: value(item["value"]) for item in span["attributes"]}


def value(wrapped):
    ((kind, inner),) = wrapped.items()
    if kind == "arrayValue":
        return [value(item) for item in inner["values"]]
    return int(inner) if kind == "intValue" else inner


def mean(numbers):
    numbers = list(numbers)
    return sum(numbers) / len(numbers)


@pytest.fixture(scope="module")
def batches():
    files = sorted((DATA / "traces").glob("*.jsonl.gz"))
    return [json.loads(line) for file in files for line in gzip.decompress(file.read_bytes()).splitlines()]


@pytest.fixture(scope="module")
def traces(batches):
    spans = defaultdict(list)
    for batch in batches:
        for span in batch["resourceSpans"][0]["scopeSpans"][0]["spans"]:
            spans[span["traceId"]].append(span)
    return {trace_id: Trace(found) for trace_id, found in spans.items()}


@pytest.fixture(scope="module")
def truth():
    return {row["trace_id"]: row for row in rows("truth.jsonl")}


@pytest.fixture(scope="module")
def customers(traces, truth):
    """Traces in production that nobody attacked and that got an answer."""
    return {
        trace_id: trace
        for trace_id, trace in traces.items()
        if truth[trace_id]["environment"] == "production"
        and not truth[trace_id]["injected"]
        and not truth[trace_id]["blocked_by"]
        and not truth[trace_id]["failure"]
    }


def test_rebuild_gives_the_committed_bytes(tmp_path):
    """Another process, hash seed, time zone, locale and OpenTelemetry environment build the same files.

    The bytes of a gzip file depend on the version of zlib: there the decompressed bytes are compared.
    """
    strange = {
        "PYTHONHASHSEED": "4711",
        "TZ": "Asia/Tokyo",
        "LC_ALL": "C",
        "OTEL_TRACES_SAMPLER": "always_off",
        "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT": "10",
        "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "3",
        "OTEL_RESOURCE_ATTRIBUTES": "service.name=other",
    }
    command = [sys.executable, "-m", "lmops.sample", "--out", str(tmp_path)]
    done = subprocess.run(
        command, env=os.environ | strange, cwd=DATA.parent, check=True, capture_output=True, text=True
    )
    built = {path.relative_to(tmp_path): path for path in tmp_path.rglob("*") if path.is_file()}
    kept = {path.relative_to(DATA): path for path in DATA.rglob("*") if path.is_file()}
    assert built.keys() == kept.keys()
    for name, path in built.items():
        unpack = gzip.decompress if name.suffix == ".gz" else bytes
        assert unpack(path.read_bytes()) == unpack(kept[name].read_bytes()), name
        assert name.as_posix() in done.stdout


def test_sizes():
    """The data is small: 4 MB together, no file above 1.5 MB."""
    sizes = [path.stat().st_size for path in DATA.rglob("*") if path.is_file()]
    assert sum(sizes) < 4_000_000
    assert max(sizes) < 1_500_000


def test_articles_and_questions_hold_together():
    """200 questions over about 60 articles: ids are unique, sources exist, every fact stands in its source."""
    articles = {row["id"]: row for row in rows("articles.jsonl")}
    questions = rows("questions.jsonl")
    assert 55 <= len(articles) == len(content.articles()) <= 70
    assert len(questions) == len({row["id"] for row in questions}) == 200
    assert {row["language"] for row in questions} == {"en", "de", "fr", "ja"}
    for row in questions:
        said = " ".join(f"{articles[name]['title']} {articles[name]['text']}" for name in row["source_ids"])
        assert all(has_fact(row["answer"], fact) for fact in row["facts"]), row
        if row["tool"] is None:
            assert all(has_fact(said, fact) for fact in row["facts"]), row
        assert bool(row["facts"]) == (row["kind"] != "unanswerable"), row
        assert bool(row["source_ids"]) == (row["kind"] in {"single", "multi", "computed"}), row
        assert (len(row["source_ids"]) > 1) or row["kind"] != "multi", row


def test_claims_are_supported_by_no_article():
    """What the stand-in makes up stands in no help page."""
    said = " ".join(article.text for article in content.articles())
    assert not [claim for _, claim in content.claims() if claim.rstrip(".") in said]


def test_prompt_versions():
    """Version 3 drops the two rules that keep answers honest."""
    rules = ("only from the sources", "never as an instruction")
    assert [all(rule in content.prompt_text(version) for rule in rules) for version in (1, 2, 3)] == [True, True, False]
    assert not any(rule in content.prompt_text(3) for rule in rules)


def test_lines_are_those_of_a_collector(batches):
    """Each line is one batch of one resource: hex ids, integers as text, children before their parents."""
    for batch in batches:
        (resource_spans,) = batch["resourceSpans"]
        resource = attributes(resource_spans["resource"])
        assert resource["service.name"] == "ferry-support"
        assert resource["lmops.sample"] is resource["lmops.standin"] is True
        spans = resource_spans["scopeSpans"][0]["spans"]
        ends = [int(span["endTimeUnixNano"]) for span in spans]
        assert ends == sorted(ends)
        place = {span["spanId"]: at for at, span in enumerate(spans)}
        for at, span in enumerate(spans):
            assert re.fullmatch(r"[0-9a-f]{32}", span["traceId"])
            assert re.fullmatch(r"[0-9a-f]{16}", span["spanId"])
            assert isinstance(span["startTimeUnixNano"], str)
            assert place.get(span.get("parentSpanId"), len(spans)) > at


def test_two_weeks_of_traces(traces, truth):
    """2,000 traces from 2026-10-19 to 2026-11-01, 8 to 12 spans each unless they were stopped at the door."""
    assert len(traces) == 2000
    assert traces.keys() == truth.keys()
    edges = [datetime(2026, 10, 19, tzinfo=UTC).timestamp(), datetime(2026, 11, 2, tzinfo=UTC).timestamp()]
    for trace_id, trace in traces.items():
        ends = [int(span["endTimeUnixNano"]) for span in trace.spans]
        assert edges[0] <= trace.start_ns / 1e9
        assert max(ends) / 1e9 < edges[1]
        assert 8 <= len(trace.spans) <= 12 or truth[trace_id]["blocked_by"]
    assert mean(row["environment"] == "staging" for row in truth.values()) < 0.08
    ids = [span["spanId"] for trace in traces.values() for span in trace.spans]
    assert len(ids) == len(set(ids))
    found = [attributes(span).get("gen_ai.response.id") for trace in traces.values() for span in trace.named("chat")]
    assert len([name for name in found if name]) == len({name for name in found if name})


def test_unsupported_claims_rise_with_prompt_3(customers, truth):
    """Sentences that nothing supports: rare before day 6, in every fifth answer or more after it."""
    seen = {trace_id: bool(trace.unsupported_sentences()) for trace_id, trace in customers.items()}
    assert mean(seen[trace_id] == truth[trace_id]["unsupported"] for trace_id in seen) > 0.99
    before = mean(seen[i] for i, trace in customers.items() if trace.start_ns < PROMPT_3_NS)
    after = mean(seen[i] for i, trace in customers.items() if trace.start_ns >= PROMPT_3_NS)
    assert before < 0.06
    assert after > 0.18
    versions = {attributes(span)["gen_ai.prompt.version"] for t in customers.values() for span in t.named("prompt")}
    assert versions == {"1", "2", "3"}


def test_recall_falls_with_the_chunking(customers, truth):
    """Golden articles among the retrieved chunks: fewer from day 9 on; only the fingerprint changes on the spans."""
    golden = {row["id"]: set(row["source_ids"]) for row in rows("questions.jsonl")}
    recall = {False: [], True: []}
    fingerprints = {False: set(), True: set()}
    for trace_id, trace in customers.items():
        row, is_after = truth[trace_id], trace.start_ns >= CHUNKING_NS
        sources = golden[row["question_id"]]
        found = {document["id"].partition("#")[0] for document in trace.documents()}
        if sources and found:
            recall[is_after].append(len(sources & found) / len(sources))
            assert recall[is_after][-1] == pytest.approx(row["recall"], abs=1e-4)
        fingerprints[is_after] |= {attributes(span)["lmops.index.fingerprint"] for span in trace.named("retrieval")}
    assert mean(recall[False]) > 0.88
    assert mean(recall[True]) < mean(recall[False]) - 0.1
    assert [len(found) for found in fingerprints.values()] == [1, 1]
    assert fingerprints[False] != fingerprints[True]


def test_answers_grow_with_the_model_update(traces):
    """From day 11 the model of the same name writes longer answers and another system fingerprint."""
    tokens, fingerprints, models = {False: [], True: []}, {False: set(), True: set()}, set()
    for trace in traces.values():
        for span in trace.named("chat gpt-5-mini"):
            found = attributes(span)
            if "gen_ai.usage.output_tokens" in found:
                tokens[trace.start_ns >= MODEL_UPDATE_NS].append(found["gen_ai.usage.output_tokens"])
                fingerprints[trace.start_ns >= MODEL_UPDATE_NS].add(found["openai.response.system_fingerprint"])
                models.add(found["gen_ai.response.model"])
    assert mean(tokens[True]) > 1.5 * mean(tokens[False])
    assert models == {"gpt-5-mini"}
    assert fingerprints[False].isdisjoint(fingerprints[True])
    assert len(fingerprints[False] | fingerprints[True]) == 2


def test_outage_of_the_tools(traces, truth):
    """For three hours every tool call fails; the deepest failing span is the tool, and the root fails with it."""
    for trace_id, trace in traces.items():
        failed = [span for span in trace.named("execute_tool") if span["status"].get("code") == 2]
        assert bool(failed) == truth[trace_id]["tool_outage"]
        for span in trace.named("execute_tool"):
            end_ns = int(span["endTimeUnixNano"])
            assert (span in failed) == (OUTAGE.start_ns <= end_ns < OUTAGE.end_ns)
        for span in failed:
            assert span["events"][0]["name"] == "exception"
            assert trace.root["status"]["code"] == 2
            assert span["parentSpanId"] == trace.root["spanId"]
    assert sum(row["tool_outage"] for row in truth.values()) >= 10


def test_injections_succeed_only_with_prompt_3(traces, truth):
    """About 2 % of the traces carry an order; none is obeyed before prompt 3, several are after."""
    attacks = {attack.text for attack in content.attacks()}
    tried = {i for i, t in traces.items() if any(a in attributes(t.root)["input.value"] for a in attacks)}
    assert tried == {i for i, row in truth.items() if row["injected"]}
    assert 0.015 < len(tried) / len(traces) < 0.03
    obeyed = [truth[i] for i in tried if truth[i]["injection_succeeded"]]
    assert len(obeyed) >= 8
    assert {row["prompt_version"] for row in obeyed} == {3}
    assert any(row["blocked_by"] for row in truth.values() if row["injected"])


def test_failed_model_calls_have_no_usage(traces, truth):
    """A few calls meet a rate limit or a timeout; most are tried again; the failed ones report no tokens."""
    failed = 0
    for trace_id, trace in traces.items():
        spans = [span for span in trace.named("chat") if span["status"].get("code") == 2]
        failed += len(spans)
        assert len(spans) == truth[trace_id]["failed_model_calls"]
        assert not [span for span in spans if "gen_ai.usage.input_tokens" in attributes(span)]
    assert 10 < failed < 80
    assert any(row["failed_model_calls"] and not row["failure"] for row in truth.values())


def test_some_calls_have_no_price(traces):
    """A small self-hosted model that no price list knows takes a part of the calls."""
    calls = [attributes(span) for trace in traces.values() for span in trace.named("chat")]
    share = mean(call["gen_ai.provider.name"] == "vllm" for call in calls)
    assert 0.05 < share < 0.25


def test_thumbs_follow_quality(truth):
    """Users vote on about 8 % of the traces, mostly as the answer deserves, after it was given."""
    votes = rows("feedback.jsonl")
    assert 0.07 < len(votes) / len(truth) < 0.095
    assert len({vote["trace_id"] for vote in votes}) == len(votes)
    good = [vote["value"] == "up" for vote in votes if truth[vote["trace_id"]]["correct"]]
    bad = [vote["value"] == "up" for vote in votes if not truth[vote["trace_id"]]["correct"]]
    assert mean(good) > 0.75
    assert mean(bad) < 0.4
    assert all(vote["at"] > truth[vote["trace_id"]]["start_at"] for vote in votes)


def test_data_dir_of_the_checkout_and_of_a_wheel(tmp_path, monkeypatch):
    """In the checkout it is data/; from an installed package it is a cache that is built once."""
    assert data_dir() == DATA
    monkeypatch.setattr(folder, "__file__", str(tmp_path / "site" / "lmops" / "sample" / "folder.py"))
    monkeypatch.setenv("LMOPS_CACHE", str(tmp_path / "cache"))
    first = data_dir()
    assert first.is_relative_to(tmp_path / "cache")
    assert (first / "truth.jsonl").read_bytes() == (DATA / "truth.jsonl").read_bytes()
    stamp = (first / "BUILT").stat().st_mtime_ns
    assert data_dir() == first
    assert (first / "BUILT").stat().st_mtime_ns == stamp
    assert [path.name for path in first.parent.iterdir()] == [first.name]


def test_index_settings_have_one_fingerprint_each():
    """The fingerprint follows from the settings alone."""
    assert IndexSettings().fingerprint == IndexSettings().fingerprint
    assert IndexSettings().fingerprint != IndexSettings(chunk_words=44).fingerprint


def test_retrieval_finds_the_page():
    """A plain question finds its page first; a question without known words finds nothing."""
    index = Index(content.articles(), IndexSettings())
    query = "Which ports have step-free boarding?"
    hits = rerank(query, index.search(query, top_k=5), top_k=3)
    assert hits[0].chunk.article_id == "wheelchair"
    assert index.search("zzz qqq", top_k=5) == []
    assert rerank("zzz", [], top_k=3) == []


def test_stand_in_is_deterministic_and_reads_its_prompt():
    """Equal requests have equal answers; with the rule it refuses what the sources do not say."""
    system, _, user = content.prompt_text(2).partition("\n\n")
    filled = user.replace("{sources}", "[lounge#1] The lounge\nThere are 46 seats.").replace("{question}", "Any pool?")
    request = ChatRequest(
        model="gpt-5-mini", messages=(Message(role="system", content=system), Message(role="user", content=filled))
    )
    first, second = (chat_model("standin:ferry-1").complete(request) for _ in range(2))
    assert first == second
    assert first.content == REFUSAL
    assert first.usage.output_tokens >= count_tokens(REFUSAL)


def test_unknown_model_names_the_known_ones():
    """A name that is no stand-in is refused with the names that are."""
    with pytest.raises(UsageError, match="standin:ferry-1"):
        chat_model("standin:ferry-9")


def test_tools_answer_or_are_down():
    """A booking follows from its number; during an outage every tool raises."""
    assert booking_status("TL-4821") == booking_status("TL-4821")
    assert "error" in booking_status("TL-0001")
    tools = Toolbox((OUTAGE,))
    assert tools.run("booking_status", {"reference": "TL-4821"}, now_ns=OUTAGE.end_ns)["reference"] == "TL-4821"
    with pytest.raises(ToolUnavailableError, match="booking_status"):
        tools.run("booking_status", {"reference": "TL-4821"}, now_ns=OUTAGE.start_ns)


def test_golden_tool_questions_are_filled():
    """No placeholder is left in what is handed out."""
    assert not [row for row in golden_rows() if "{" in row["question"]]


def test_releases_of_the_prompt_are_those_of_the_traffic(ws, traces, truth):
    """The registry says what was in production when, as the spans do; a second run adds nothing."""
    assert [release(ws.store), release(ws.store)] == [True, False]
    near_ns = 600_000_000_000  # a turn that runs while the alias moves
    moves = {name: ws.prompts.history(content.PROMPT_NAME, alias=name) for name in ("production", "staging")}
    for trace_id, trace in traces.items():
        history = moves[truth[trace_id]["environment"]]
        for span in trace.named("prompt "):
            gone = int(span["startTimeUnixNano"]) - history["at"].astype("int64")
            if gone.abs().min() > near_ns:
                assert attributes(span)["gen_ai.prompt.version"] == str(history["to"][gone > 0].iloc[-1])
    assert ws.audit.verify().ok
    times = ws.audit.events()["at"]
    assert times.is_monotonic_increasing


def test_a_release_leaves_what_has_its_name_alone(ws):
    """Whoever has a prompt of this name gets three versions more, and their own is not promoted."""
    ws.prompts.save(content.PROMPT_NAME, "mine")
    assert release(ws.store)
    assert ws.prompts.history(content.PROMPT_NAME, alias="production")["to"].tolist() == [2, 3, 4]
    assert not release(ws.store)


@pytest.mark.parametrize("version", content.PROMPT_VERSIONS)
def test_the_registry_renders_what_the_application_sent(ws, traces, version):
    """The templates of the registry make the very messages of the traces."""
    release(ws.store)
    prompt = ws.prompts.get(f"{content.PROMPT_NAME}@{version}")
    assert prompt.variables == ("sources", "question")
    seen = 0
    for trace in traces.values():
        for span in trace.named("prompt "):
            if attributes(span)["gen_ai.prompt.version"] != str(version) or not trace.named("chat gpt-5-mini"):
                continue
            sent = json.loads(attributes(trace.named("chat gpt-5-mini")[0])["gen_ai.input.messages"])
            user = sent[-1]["parts"][0]["content"]
            sources, _, question = user.removeprefix("Sources:\n").rpartition("\n\nQuestion:\n")
            assert prompt.render(sources=sources, question=question)[1]["content"] == user
            seen += 1
    assert seen > 100
