"""Texts that come in pieces: the same verdict and the same text however they are cut."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmops.guardrails import Finding, made, rail
from lmops.guardrails.checking import Checker
from lmops.guardrails.guarding import Guard
from lmops.guardrails.streaming import BLOCK, Stream, held

KEY = "ghp_" + "a1" * 18
PROMPT = "You are the help desk of Tidelark Ferries and never promise a refund above fifty euro to anybody at all."
REDACTING = (("pii", {}), ("secrets", {}), ("links", {"allow": ["good.example"]}), ("hidden", {}))
BLOCKING = (("canaries", {"values": ["zebra-7731"]}), ("prompt_leak", {"prompt": PROMPT}))
PARTS = (
    "The ferry leaves at nine. ", "Write to ada@lovelace.example", ", card 4111 1111 1111 1111", f" key {KEY} ", "\n",
    "x" * 90,
    " +44 20 7946 0958 ", "[a](https://evil.example/?q=1)", "![b](https://evil.example/i.png)", "ig\u200bnore", "@",
    "1 2 3 ",
    "-----BEGIN PRIVATE KEY-----\n" + "Ab1/" * 300 + "\n-----END PRIVATE KEY-----", "na\u00efve \U0001f600 ",
    "a@b.co" * 3,
    "DE89370400440532013000 ", "word " * 40,
)  # fmt: skip  # many texts: packed, they are read at a glance


def checker(*rails, **options):
    return Checker({"output": [made(name, given) for name, given in rails]}, blocked_text="Not that.", **options)


def streamed(checker, pieces):
    """Return what was shown, and the decision."""
    stream = Stream(checker)
    shown = "".join([*map(stream.feed, pieces), stream.finish()])
    return shown, stream.decision


def cut(text, rng):
    """Return a text in pieces of chance."""
    places = sorted(rng.choices(range(len(text) + 1), k=rng.randrange(60)))
    return [text[start:end] for start, end in zip([0, *places], [*places, len(text)], strict=True)]


def told(decision):
    return decision.action, decision.text, [(one.rail, one.action, one.findings) for one in decision.verdicts]


def test_however_a_text_is_cut_it_is_redacted_as_a_whole_would_be():
    """The verdicts, with every place, and the text."""
    rng = random.Random(7)
    rails = checker(*REDACTING, *BLOCKING)
    for _ in range(20):
        text = "".join(rng.choices(PARTS, k=rng.randrange(1, 30)))
        whole = rails.check("output", text)
        for _ in range(5):
            shown, decision = streamed(rails, cut(text, rng))
            assert (shown, told(decision)) == (whole.text, told(whole))


@settings(max_examples=40, deadline=None)
@given(
    st.text(st.characters() | st.sampled_from("@.+-() 0123456789abc"), max_size=400), st.randoms(use_true_random=False)
)
def test_any_text_is_the_same_however_it_is_cut(text, rng):
    """Whatever is in it."""
    rails = checker(*REDACTING, *BLOCKING)
    assert streamed(rails, cut(text, rng))[0] == streamed(rails, [text])[0] == streamed(rails, list(text))[0]


@pytest.mark.parametrize("found", ["zebra-7731", PROMPT[8:]])
def test_what_blocks_is_not_shown(found):
    """What came before it is; then come the policy's words, and nothing more."""
    rails = checker(*REDACTING, *BLOCKING)
    before = "So far all is well. " * 60
    text = f"{before}{found} and more {'word ' * 300}"
    shown, decision = streamed(rails, list(text))
    assert shown == streamed(rails, [text])[0] == streamed(rails, cut(text, random.Random(1)))[0]
    assert decision.is_blocked
    assert shown.endswith("\nNot that.")
    assert found[:8] not in shown
    assert len(before) - BLOCK <= shown.index("\nNot that.") <= len(before)


def test_a_blocked_beginning_shows_the_words_alone():
    """Nothing was shown before."""
    assert streamed(checker(*BLOCKING), ["zebra", "-7731"])[0] == "Not that."


def test_the_first_piece_is_shown_after_what_is_held():
    """And each later character no later than that."""
    rails = checker(*REDACTING)
    wait = held(rails.runs("output"))
    stream, shown = Stream(rails), 0
    for count in range(1, 2000):
        shown += len(stream.feed("a" if count % 7 else " "))
        assert count - shown <= wait + BLOCK
        assert (shown > 0) == (count >= wait)
    assert wait == 256 + BLOCK


def test_rails_that_read_a_text_whole_hold_it_back():
    """Unless they only flag, or find what grows."""
    whole = checker(("json_schema", {"schema": {"type": "object"}}))
    stream = Stream(whole)
    assert (held(whole.runs("output")), stream.feed('{"a": 1}' + " " * 5000)) == (None, "")
    assert stream.finish().startswith('{"a": 1}')
    flags = checker(("required", {"phrases": ["no advice"]}), ("pii", {}))
    shown, decision = streamed(flags, ["word " * 200])
    assert (held(flags.runs("output")), decision.action, shown) == (128 + BLOCK, "flag", "word " * 200)


def test_an_answer_that_grows_too_long_ends():
    """Soon after its limit, with what was shown."""
    rails = checker(("limits", {"max_characters": 1000}))
    shown, decision = streamed(rails, ["word "] * 2000)
    assert decision.is_blocked
    assert 700 < len(shown) < 1500
    assert shown == streamed(rails, ["word " * 2000])[0]


def test_a_rail_that_fails_blocks_or_is_seen():
    """As its policy says."""

    @rail(name="stream_fails", window=64)
    def fails(given):
        yield Finding(0, len(given.text) + 1, "nonsense")

    rails = Checker({"output": [made("stream_fails", action="block")]}, blocked_text="Not that.")
    waiting = streamed(rails, ["abc"])
    assert (waiting[0], waiting[1].verdicts[0].action) == ("Not that.", "block")
    assert "found something from 0 to 4" in waiting[1].errors["stream_fails"]


def test_no_rails_hold_nothing():
    """And an empty text is decided on as any other."""
    assert held(checker().runs("output")) == 0
    stream = Stream(checker())
    assert (stream.feed("a"), stream.feed(""), stream.finish()) == ("a", "", "")
    assert streamed(checker(*REDACTING), [])[1].action == "allow"


def test_a_streamed_answer_arrives_in_pieces():
    """And not in one at its end; what a rail found is redacted in it."""
    guard = Guard(lambda: checker(("pii", {})))

    @guard.wrap
    def answer(question):
        yield from ["Of course. "] * 60
        yield "Write to ada@love"
        yield "lace.example. " + "Bye. " * 60

    shown = list(answer("who?"))
    assert len(shown) > 4
    assert "".join(shown) == "Of course. " * 60 + "Write to [EMAIL_1]. " + "Bye. " * 60


def test_long_findings_are_waited_for():
    """A key without an end is held, and found once it has one."""
    text = "-----BEGIN PRIVATE KEY-----\n" + "Ab1/" * 3000
    rails = checker(("secrets", {}))
    stream = Stream(rails)
    assert [stream.feed(one) for one in (text[:40], text[40:], "\n-----END PRIVATE KEY----- ok")] == ["", "", ""]
    assert stream.finish() == "[PRIVATE_KEY_1] ok"


@pytest.mark.parametrize(
    ("output", "delay"),
    [([], 0), (["pii"], 128 + BLOCK), (["pii", "language"], None), ([{"rail": "json_schema", "schema": {}}], None)],
)
def test_a_policy_says_how_much_it_holds_back(ws, output, delay):
    """In characters; nothing says that it is all of it."""
    output = [{"rail": one, "allow": ["en"], "action": "block"} if one == "language" else one for one in output]
    assert ws.guardrails.save("support", input=["hidden"], output=output).stream_delay == delay
