"""Rails: what rules wrongly stop and what they find, what they cost, and streams that are cut at random.

The corpora of other projects are read from a folder beside the checkout when it is there; they do not belong to it.
"""

from __future__ import annotations

import contextlib
import json
import random
import time
from pathlib import Path

import lmops
from lmops.calc.intervals import wilson
from lmops.errors import LmopsError
from lmops.guardrails import Checker, Given, made
from lmops.guardrails.streaming import Stream, held
from lmops.sample import data_dir
from tests.guardrails.test_hostile import OPTIONS, RAILS, SHAPES, given

ROOT = Path(__file__).parents[2]
CORPORA = ROOT.parent / "shared" / "data"
EIGHT = {
    "hidden": {}, "injection": {}, "secrets": {}, "pii": {}, "links": {"allow": ["ferries.example"]},
    "denied": {"phrases": ["competitor", "insider tip"]}, "limits": {"max_characters": 8000, "max_tokens": 4000},
    "repetition": {},
}  # fmt: skip  # many options: packed, they are read at a glance
FORMATTED = {"CREDIT_CARD", "EMAIL_ADDRESS", "IBAN_CODE", "IP_ADDRESS", "PHONE_NUMBER", "US_SSN"}
MEGABYTE = 1_000_000


def rows(place):
    """Return the rows of a corpus; none where it is not there."""
    path = CORPORA / place
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line] if path.is_file() else []


def rate(name, texts, bar=""):
    """Print which share of some texts the rules of injection find something in."""
    if not texts:
        print(f"  {name:<44} absent")
        return
    rail = made("injection")
    hits = sum(bool(rail.find(Given(text=text, stage="input"))) for text in texts)
    low, high = (float(end) for end in wilson(hits, len(texts)))
    print(f"  {name:<44} {hits / len(texts):6.1%} [{low:.1%}, {high:.1%}] of {len(texts):,}{bar}")


def injection():
    """Print what the rules wrongly stop, and what they find."""
    deepset, jailbreaks = rows("deepset_injections/train.jsonl"), rows("inthewild_jailbreaks/jailbreaks.jsonl")
    general = rows("halueval_general/rows.jsonl")
    print("injection by rules (95 % Wilson intervals); wrongly stopped:")
    rate("HaluEval, questions", [row["user_query"] for row in general], "   (bar 1 %)")
    rate("HaluEval, answers", [row["response"] for row in general])
    rate("deepset, ordinary", [row["text"] for row in deepset if not row["label"]], "   (bar 1 %)")
    rate("NotInject, one word", [row["text"] for row in rows("notinject/one.jsonl")], "   (bar 5 %)")
    pages = [
        path.read_text(encoding="utf-8")
        for path in sorted(ROOT.glob("docs/*.md"))
        if path.stem not in ("guardrails", "redteam")
    ]
    long = [part for page in pages for part in page.split("\n## ") if len(part) > 600]
    rate("chapters of our own docs", long, "   (bar 1 %)")
    rate("BIPIA, e-mails", [row["context"] for row in rows("bipia/email_contexts.jsonl")])
    print("found:")
    rate("deepset, attacks", [row["text"] for row in deepset if row["label"]])
    rate("jailbreaks", [row["text"] for row in jailbreaks])


def pii():
    """Print the recall of formatted kinds, and what is taken for one in answers of the sample."""
    found = rows("presidio_pii/dev.jsonl")
    rail = made("pii")
    if found:
        there = hits = characters = 0
        began = time.process_time()
        for row in found:
            spans = rail.find(Given(text=row["text"], stage="output"))
            characters += len(row["text"])
            for one in row["spans"]:
                if one["type"] in FORMATTED:
                    there += 1
                    hits += any(span.start <= one["start"] and one["end"] <= span.end for span in spans)
        took = (time.process_time() - began) * 1e6 / characters
        low, high = (float(end) for end in wilson(hits, there))
        print(f"PII with a form: recall {hits / there:.3f} [{low:.3f}, {high:.3f}] of {there:,} (bar .90)")
        print(f"  {took:.2f} ms per 1,000 characters (bar 2)")
    else:
        print("PII with a form: absent")
    with lmops.open(":memory:") as ws:
        ws.traces.ingest(str(data_dir() / "traces" / "*.jsonl.gz"), progress=False)
        answers = ws.sql(
            "select distinct output from spans where parent_span_id is null and output is not null limit 1000"
        ).fetchall()
    wrong = [(one.kind, text[one.start : one.end]) for (text,) in answers
             for one in rail.find(Given(text=text, stage="output"))]  # fmt: skip  # one loop
    print(f"  found in {len(answers):,} answers of the sample: {len(wrong)} {wrong[:5] or ''}")


def cost():
    """Print what a policy of eight rails costs for one message."""
    checker = Checker({"input": [made(name, options) for name, options in EIGHT.items()]})
    rng = random.Random(3)
    words = ["I would like", "to know when", "the next ferry", "leaves", "and what it costs", "with a car", "please,"]
    texts = []
    for number in range(2000):
        text = " ".join(rng.choices(words, k=90))
        texts.append((text + f" My number is +44 20 7946 0{number:03}, booking TL-2026-00{number}. ")[-1000:])
    for clock in (time.perf_counter, time.process_time):
        took = []
        for text in texts:
            began = clock()
            checker.check("input", text)
            took.append((clock() - began) * 1000)
        took.sort()
        p50, p95 = took[len(took) // 2], took[int(len(took) * 0.95)]
        print(f"eight rails, 1,000 characters, {clock.__name__}: p50 {p50:.2f} ms, p95 {p95:.2f} ms (bar 1)")
    for name, options in EIGHT.items():
        rail = made(name, options)
        began = time.process_time()
        for text in texts[:500]:
            rail.find(Given(text=text, stage="input"))
        print(f"  {name:<12} {(time.process_time() - began) * 2:.3f} ms")


def hostile():
    """Print the slowest shape of a megabyte for each rail."""
    print("1 MB of hostile text, the slowest of", len(SHAPES), "shapes (each rail has 1 s)")
    for name in RAILS:
        rail, worst = made(name, OPTIONS.get(name)), (0.0, "")
        for shape in SHAPES:
            quarter = shape * (MEGABYTE // 4 // len(shape))
            began = time.process_time()
            with contextlib.suppress(LmopsError):  # so much is found that it ends there
                rail.find(given(name, quarter))
            worst = max(worst, (4 * (time.process_time() - began), shape))
        print(f"  {name:<12} {worst[0]:.2f} s  {worst[1]!r}")


def streaming():
    """Print whether texts that are cut at random end the same, and how long the first characters wait."""
    from tests.guardrails.test_streaming import BLOCKING, PARTS, REDACTING, checker, cut, told

    rails, rng = checker(*REDACTING, *BLOCKING), random.Random(11)
    texts = ["".join(rng.choices(PARTS, k=rng.randrange(1, 12))) for _ in range(200)]
    cuts = differing = unlike = characters = 0
    began = time.process_time()
    for text in texts:
        whole = rails.check("output", text)
        for _ in range(5):
            stream = Stream(rails)
            shown = "".join([*map(stream.feed, cut(text, rng)), stream.finish()])
            cuts += 1
            characters += len(text)
            unlike += shown != whole.text
            differing += told(stream.decision) != told(whole)
    took = (time.process_time() - began) * 1e6 / characters
    print(f"streams: {cuts:,} random cuts of {len(texts)} texts: {differing} other verdicts, {unlike} other texts")
    print(f"  {held(rails.runs('output'))} characters are held back; {took:.2f} ms per 1,000 characters for six rails")


def main():
    injection()
    pii()
    cost()
    hostile()
    streaming()


if __name__ == "__main__":
    main()
