"""What changed in retrieval: each cause is named when it is planted, all when there are several, and nothing else."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

import lmops
from lmops.cli import main
from lmops.errors import UsageError
from lmops.retrieval import _drift_figures as figures
from lmops.retrieval import _drift_marks as marks
from lmops.retrieval import _drift_rules as rules
from lmops.retrieval import drifting
from lmops.retrieval.contract import Chunk, Hit, Ranking
from lmops.times import from_ns
from tests.retrieval.drift_traffic import QUERIES, golden, simulated, stored
from tests.store.helpers import DAY, START, span

SHIFTED = (None, (0.7, 0.1, 0.1, 0.1))
PLANTED = {
    "settings": {"settings": (1, 2)},
    "corpus": {"corpus": (1, 2)},
    "questions": {"mixes": SHIFTED},
    "model": {"model": ("m1", "m2")},
}
SEEDS = range(20)
MIDDLE = from_ns(START + 2 * DAY)


def judged(seed, **planted):
    """Return the conclusion over simulated retrievals."""
    found, calls = simulated(seed, **planted)
    asked = golden()
    recalls = figures.recalls(found, asked, k=10)
    measured = drifting.measures(found, asked, recalls, level=0.95)
    return rules.concluded(drifting.evidence(found, measured, marks.models(calls), {}))


@pytest.mark.parametrize("cause", PLANTED)
def test_one_cause_is_named_and_no_other(cause):
    """In each of twenty simulations."""
    told = [judged(seed, **PLANTED[cause]) for seed in SEEDS]
    assert [[one.kind for one in found.causes] for found in told] == [[cause]] * len(SEEDS)
    assert all(found.outcome == "changed" for found in told)


def test_nothing_changed_is_said():
    """In each of twenty simulations."""
    told = [judged(seed) for seed in SEEDS]
    assert [found.outcome for found in told] == ["nothing"] * len(SEEDS)
    assert all(found.line.startswith("nothing changed: the same settings (s1), the same documents") for found in told)


def test_several_causes_are_all_named():
    """Settings first, the model last."""
    found = judged(1, settings=(1, 2), mixes=SHIFTED, model=("m1", "m2"))
    assert [one.kind for one in found.causes] == ["settings", "questions", "model"]
    assert "the settings changed: s1 -> s2, first seen" in found.line
    assert "'refund'" in found.line
    assert "the model changed: m1 -> m2, first seen" in found.line


def test_documents_are_seen_by_rankings_where_no_span_names_them():
    """Repeats before say how often that is chance: an index that is not exact is no other corpus."""
    told = []
    for noise, corpus in ((0.0, (1, 2)), (0.3, (1, 1))):
        found, calls = simulated(3, corpus=corpus, noise=noise)
        found.corpus[:] = -1
        told.append(rules.concluded(drifting.evidence(found, [], marks.models(calls), {})))
    assert [[one.kind for one in found.causes] for found in told] == [["corpus"], []]
    assert "queries are ranked otherwise under the same settings" in told[0].line


def test_without_fingerprints_rankings_that_hold_are_enough():
    """And rankings that do not hold are no cause that can be told."""
    assert judged(1, stamps=False).outcome == "nothing"
    found = judged(1, stamps=False, settings=(1, 2))
    assert found.outcome != "nothing"


def test_few_retrievals_say_nothing():
    """How many are needed is said."""
    found = judged(1, n=12)
    assert found.outcome == "unknown"
    assert "12 retrievals before and 12 after; 20 of each are needed" in found.line


def test_the_words_hold_the_numbers(ws):
    """From spans: which settings by name, when they were seen first, and what recall became of."""
    ws.datasets.save(
        "golden", [{"input": one.text, "metadata": {"source_ids": sorted(one.relevant)}} for one in golden()]
    )
    stored(ws)
    stored(ws, days=(2, 4), name="b", settings="s2", chunks=2, seed=1)
    found = ws.retrieval.drift(since=MIDDLE, until=from_ns(START + 4 * DAY), answers=5)
    assert found.outcome == "changed"
    assert [one.kind for one in found.causes] == ["settings"]
    assert found.causes[0].at == MIDDLE
    assert found.conclusion.startswith(f"the settings changed: s1 -> s2, first seen {MIDDLE:%Y-%m-%d %H:%M}; recall on")
    recall = found.df().set_index("name").loc["recall"]
    assert recall.before == 1.0
    assert recall.low <= recall.change <= recall.high < 0
    assert found.rankings.gold_lost
    assert found.queries().iloc[0].gold
    assert found.changes().query("value == 's2'").first_at.iloc[0] == MIDDLE
    assert {"settings", "model"} <= set(found.changes().kind)
    figure = found.figure()
    assert {one.name for one in figure.data} >= {"s1", "s2"}
    assert "Recall on golden questions" in found._repr_html_()


def test_chunks_with_another_text_under_the_same_settings(ws):
    """With the same documents they are cut otherwise; where no span names the documents, those changed."""
    for place, corpus in enumerate(("c1", None)):
        begin = 10 * place
        stored(ws, days=(begin, begin + 2), name=f"t{place}", corpus=corpus)
        stored(ws, days=(begin + 2, begin + 4), name=f"u{place}", corpus=corpus, text="cut otherwise", seed=1)
        times = [from_ns(START + day * DAY) for day in (begin + 2, begin + 4)]
        found = ws.retrieval.drift(since=times[0], until=times[1], answers=0)
        assert [one.kind for one in found.causes] == ["settings" if corpus else "corpus"]
        assert found.causes[0].at == times[0]
        assert ("under the same fingerprint" in found.conclusion) is bool(corpus)


class Index:
    """What finds the same as before, but for one query."""

    name, index_fingerprint, corpus_fingerprint = "help", "s1", None

    def search_many(self, queries, k=None):
        from tests.retrieval.drift_traffic import ranked

        rankings = []
        for query in queries:
            place = QUERIES.index(query)
            found = [29, 28, 27] if place == 0 else ranked(place, 1, 1)
            chunks = [Chunk(document=f"doc{one}", number=1, start=0, end=1, text="x") for one in found]
            hits = tuple(Hit(chunk=one, rank=rank, score=1 / rank) for rank, one in enumerate(chunks, start=1))
            rankings.append(Ranking(query=query, hits=hits, index_fingerprint="s1"))
        return rankings


def test_canaries_are_asked_again(ws):
    """Against what traffic found before, or what their data set says; one that lost its answer is named."""
    ws.datasets.save("golden", [{"input": QUERIES[0], "metadata": {"source_ids": ["doc0"]}}])
    stored(ws, days=(0, 4), per_day=150)
    when = {"since": MIDDLE, "until": from_ns(START + 4 * DAY), "answers": 0}
    asked = ws.retrieval.drift(index=Index(), canaries=QUERIES[:8], **when).replay
    assert (asked.of, asked.queries, asked.gold, asked.gold_lost) == ("replay", 8, 1, 1)
    assert asked.top1_changed == pytest.approx(1 / 8)
    assert (asked.differing[0].query, asked.differing[0].gold) == (QUERIES[0], ("doc0",))
    usual = ws.retrieval.drift(index=Index(), **when).replay
    assert usual.queries == len(QUERIES)
    with pytest.raises(UsageError, match="give index="):
        ws.retrieval.drift(canaries=["x"], **when)
    with pytest.raises(UsageError, match="none of 1 canaries has a ranking from before"):
        ws.retrieval.drift(canaries=["never asked"], index=Index(), **when)


def test_an_empty_store_cannot_tell(ws):
    """It says what is needed, and draws nothing."""
    found = ws.retrieval.drift(since="2026-10-27", before="7d", until="2026-10-28")
    assert found.outcome == "unknown"
    assert "0 retrievals before and 0 after" in found.conclusion
    assert found.df().empty or found.df().change.isna().all()
    assert found.queries().empty
    assert found.figure() is not None
    assert found.text
    assert found._repr_html_()


def test_bad_input_is_refused(ws):
    """With what would work."""
    with pytest.raises(UsageError, match="not both"):
        ws.retrieval.drift(last="2d", since="2026-10-27")
    with pytest.raises(UsageError, match="1 or more"):
        ws.retrieval.drift(k=0)
    with pytest.raises(ValueError, match="level"):
        ws.retrieval.drift(level=1.5)
    with pytest.raises(lmops.NotFoundError):
        ws.retrieval.drift(golden="goldn")


def test_hostile_texts_stay_texts(ws):
    """Of fingerprints, queries and documents."""
    bad = "<script>alert(1)</script>\x1b[31m"
    stored(ws)
    stored(ws, days=(2, 4), name="b", settings=bad, model=bad)
    found = ws.retrieval.drift(since=MIDDLE, until=from_ns(START + 4 * DAY), answers=0)
    assert found.outcome == "changed"
    assert "<script>" not in found._repr_html_()
    assert "\x1b" not in found.text
    assert "<script>" not in str(found.figure().to_json()).replace("\\u003c", "<")


def test_the_command_ends_by_the_outcome(ws):
    """0: nothing, 1: changed, 3: cannot tell; --json has what the record has."""
    stored(ws)
    stored(ws, days=(2, 4), name="b", seed=1)
    stored(ws, days=(4, 6), name="c", settings="s2", chunks=2, seed=2)
    path, ends = ws.store.path, {}
    for begin, code in ((2, 0), (4, 1), (9, 3)):
        since, until = (f"{from_ns(START + day * DAY):%Y-%m-%dT%H:%M:%S}" for day in (begin, begin + 2))
        words = ["retrieval", "drift", "--since", since, "--until", until, "--answers", "0", "--store", str(path)]
        done = CliRunner().invoke(main, [*words, "--json"])
        ends[begin] = json.loads(done.output)["outcome"]
        assert done.exit_code == code, (done.output, done.exception)
    assert ends == {2: "nothing", 4: "changed", 9: "unknown"}
    shown = CliRunner().invoke(main, words).output
    assert "20 of each are needed" in shown


def test_it_is_read_only(ws):
    """Nothing is written."""
    stored(ws)
    before = ws.sql("select count(*) from audit").fetchall()
    ws.retrieval.drift(since=MIDDLE, answers=0)
    assert ws.sql("select count(*) from audit").fetchall() == before


def test_a_library_that_cuts_otherwise_under_the_same_settings_is_named(ws):
    """By the probe on the spans; the texts that moved with it are no second cause."""
    stored(ws, corpus="c1", probe="p1", text="cut in one way")
    stored(ws, days=(2, 4), corpus="c1", probe="p2", text="cut in another")
    found = ws.retrieval.drift(since=MIDDLE, before="2d")
    assert [one.kind for one in found.causes] == ["settings"]
    assert "the setting (chunker library) of help by s1 changed: p1 -> p2, first seen" in found.conclusion
    assert {(one.kind, one.of) for one in found.marks} >= {("settings", "help"), ("chunker", "help by s1")}


def test_other_settings_cut_otherwise_and_that_is_no_other_library(ws):
    """One cause: the settings."""
    stored(ws, corpus="c1", probe="p1")
    stored(ws, days=(2, 4), corpus="c1", probe="p2", settings="s2")
    assert [one.words.split(" changed")[0] for one in ws.retrieval.drift(since=MIDDLE, before="2d").causes] == [
        "settings"
    ]


def test_judgements_of_spans_are_golden(ws):
    """As those of whole documents; what is none is said by its place."""
    stored(ws, days=(0, 4))
    rows = [
        {"query": one.text, "document": name, "start": 0, "end": 5, "grade": grade}
        for one in golden()
        for name, grade in ((next(iter(one.relevant)), 2), ("never", 0))
    ]
    ws.retrieval.qrels("golden", rows)
    spans = ws.retrieval.drift(since=MIDDLE, before="2d", answers=0).figures[0]
    ws.datasets.save("plain", [{"input": one.text, "metadata": {"source_ids": [*one.relevant]}} for one in golden()])
    plain = ws.retrieval.drift(since=MIDDLE, before="2d", golden="plain", answers=0).figures[0]
    assert spans.name == "recall"
    assert (spans.before, spans.after) == (plain.before, plain.after) == (1.0, 1.0)
    ws.datasets.save("wrong", [{"input": QUERIES[0], "metadata": {"relevant": True}}])
    with pytest.raises(UsageError, match=r"wrong@1: relevant documents are True"):
        ws.retrieval.drift(since=MIDDLE, before="2d", golden="wrong")


def test_a_retriever_in_a_retriever_counts_once(ws):
    """Directly, and through a chain between the two; one under a span that says no documents counts."""
    stored(ws, days=(0, 4))
    alone = ws.retrieval.drift(since=MIDDLE, before="2d")
    more = []
    for day in range(4):
        at = START + day * DAY
        more += [
            span(f"t{day:02}000", "inner", "find", start=at, kind="retriever", input="x", documents="[]"),
            span(f"t{day:02}000", "steps", "find", start=at, kind="chain"),
            span(f"t{day:02}000", "deep", "steps", start=at, kind="retriever", input="y", documents="[]"),
            span(f"t{day:02}000", "own", "root", start=at, kind="retriever", input="z", documents="[]"),
        ]
    ws.store.load(spans=more)
    found = ws.retrieval.drift(since=MIDDLE, before="2d")
    assert (found.n_before - alone.n_before, found.n_after - alone.n_after) == (2, 2)
