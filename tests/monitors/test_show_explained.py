"""How an explanation looks, also of hostile names, and what its command prints."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner

from lmops.cli import main
from lmops.monitors._explained import Account, Event, Explanation, Period, Tie, Together
from tests.monitors.planted import ALL, NOON, prompt, traces

EVIL = "<img src=x onerror=alert(1)>\u202e $x$ " + "long " * 400
AT = datetime(2026, 10, 2, 12, tzinfo=UTC)
ACCOUNT = Account(
    dimension="prompt", title="prompt version", also=(EVIL,), group="version", how="replaced",
    values=(EVIL, "b", "c", "d"), left=(EVIL,), accounts=0.2, low=0.1, high=0.3, share=1.0, share_low=0.5,
    share_high=1.5, mix=0.2, apart=0.0, p_value=0.001, is_clear=True, support=12, at=AT, gap_s=0.0, parts=(), merged=0,
)  # fmt: skip  # many fields: packed, they are read at a glance
UNCLEAR = replace(ACCOUNT, is_clear=False, share=-0.3)
SIDE = Period(since=AT, until=AT, n=100, clusters=50, estimate=0.1, low=0.05, high=0.2)
TIE = Tie(titles=("a", "b"), words=(EVIL, EVIL), gap_s=600.0, only=(3, 4), stays=None)
PAIR = Together(
    titles=("a", "b"), values=(EVIL, EVIL), accounts=0.1, low=0.0, high=0.2, share=0.5, n_before=40, n_after=50
)
MOVE = {"action": "prompt.promote", "subject": EVIL, "reason": EVIL, "of": "the metric", "gap_s": -720.0}
FOUND = Explanation(
    metric="error_rate", title=EVIL, unit="share", state="explained", before=SIDE, after=SIDE, change=0.2, low=0.1,
    high=0.3, level=0.95, at=AT, at_low=AT, at_high=AT, accounts=(ACCOUNT, UNCLEAR), ties=(TIE,), together=(PAIR,),
    events=(Event(event_id=1, at=AT, actor=EVIL, **MOVE),), notes=(EVIL,),
)  # fmt: skip  # likewise


def test_hostile_names_are_text():
    """Whatever prompts, values, people and reasons are called, nothing of it is markup, and lines stay short."""
    html, text = FOUND._repr_html_(), FOUND.text
    assert "<img" not in html
    assert "\u202e" not in html + text
    assert max(map(len, text.splitlines())) < 800
    assert "<img" not in str(FOUND.figure().to_plotly_json())


def test_it_says_what_accounts_and_never_what_caused():
    """The first in words, few items, what cannot be told apart, and how long before an alias moved."""
    text = FOUND.text
    assert "prompt version accounts for 100 % of the change" in text
    assert "12 (few)" in text
    assert "traffic cannot tell them apart (3 and 4 items" in text
    assert "12 minutes before the metric moved" in text
    assert "cause" not in text.lower().replace(EVIL.lower(), "")


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("no_change", "no change to explain: +20.0 pp [+10.0 pp, +30.0 pp]"),
        ("unexplained", "no dimension that is known accounts for it"),
        ("cannot_tell", "cannot tell yet, 7 more items needed"),
    ],
)
def test_each_state_has_its_words(state, said):
    """In text and in HTML."""
    found = replace(FOUND, state=state, needed=7, accounts=())
    assert said in found.text
    assert said in found._repr_html_()
    assert len(found.df()) == len(found.values()) == 0


def test_the_figure_has_a_mark_a_dimension():
    """What is not clear in a colour of its own; none without any."""
    assert [trace.name for trace in FOUND.figure().data] == ["clear", "not clear"]
    assert len(replace(FOUND, accounts=()).figure().data) == 0


@pytest.fixture
def store(ws, tmp_path):
    """The folder of a store in which a prompt took the place of another."""
    ws.store.load(traces(200, lambda _, is_after: {**prompt(1 + is_after), "output_tokens": 100 + 40 * is_after}))
    return str(tmp_path / "project" / ".lmops")


def test_the_command_prints_it(store):
    """As text and as JSON, with the exit code of its state."""
    asked = ["monitor", "explain", "output_tokens", "--since", NOON, "--before", "1d", "--store", store]
    done = CliRunner().invoke(main, asked)
    assert (done.exit_code, "answer@1 → answer@2" in done.output) == (0, True)
    told = json.loads(CliRunner().invoke(main, [*asked, "--json"]).output)
    assert (told["state"], told["accounts"][0]["dimension"]) == ("explained", "prompt")
    asked[4:5] = ["2026-10-03T23:00"]
    assert CliRunner().invoke(main, asked).exit_code == 3
    assert CliRunner().invoke(main, ["monitor", "explain", "output_tokens", "--store", store]).exit_code == 2


def test_an_alert_is_explained_by_its_number(ws):
    """What its monitor watches, in the series that moved, from when it moved."""

    def say(rng, is_after):
        service = str(rng.choice(["it's a", "b"]))
        failed = rng.random() < (0.9 if is_after and service != "b" else 0.02)
        return {**prompt(1 + is_after), "root": {"service": service, "status": "error" if failed else "ok"}}

    ws.store.load(traces(900, say))
    ws.monitors.save("failing", metric="error_rate", by="service", baseline="first 1d")
    ws.monitors.check(at="2026-10-04T00:00")
    alert = int(ws.monitors.alerts()["alert"][0])
    found = ws.monitors.explain(alert)
    assert found.accounts[0].dimension == "prompt"
    assert abs(found.after.since - AT).total_seconds() < 3 * 3600
    assert found.before.n < ws.monitors.explain("error_rate", **ALL).before.n
    assert ws.monitors.explain(str(alert)).accounts[0].dimension == "prompt"
