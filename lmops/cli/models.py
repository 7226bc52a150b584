"""``lmops model ...``: endpoints, prices, and one answer of a model."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

import click

from lmops.base.terminal import echo
from lmops.base.units import duration, money, tokens
from lmops.cli.build import Verb
from lmops.cli.opening import end, stop, workspace
from lmops.cli.printing import print_record
from lmops.cli.words import JSON, STORE, Word, option, pairs
from lmops.cli.words import params as read_params
from lmops.errors import ModelError
from lmops.models import Models

if TYPE_CHECKING:
    from lmops.models import Completion

#: What is printed of a registered endpoint.
_ENDPOINT: Final = ("spec", "model", "provider", "base_url", "api_key_env", "timeout_s", "max_concurrency")


@click.command(epilog="Example: lmops model complete openai:gpt-5-mini 'When does the ferry leave?' -p temperature=0")
@click.argument("model")
@click.argument("text")
@click.option("--system", metavar="TEXT", help="A message of the system before it.")
@option("params")
@option("cache", is_flag=True, help="Take the answer from the store's cache, or keep it there.")
@option("timeout_s")
@click.option(
    "--max-wait",
    "max_wait_s",
    default=60.0,
    show_default=True,
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="Most seconds to wait between attempts, in all; 0 for one attempt.",
)
@click.option("--guardrails", metavar="REF", help="The policy that text and answer pass, such as support@production.")
@STORE
@JSON
def complete(
    model: str,
    text: str,
    system: str | None,
    params: tuple[str, ...],
    cache: bool,
    timeout_s: float | None,
    max_wait_s: float,
    guardrails: str | None,
    store: str | None,
    as_json: bool,
) -> None:
    """Ask MODEL (standin:ferry-1, openai:gpt-5-mini, a registered name) one TEXT; - reads standard input.

    The answer is printed, what it took on the standard error; exit code 1 when there is none, or it is blocked.
    """
    asked = [{"role": "user", "content": sys.stdin.read() if text == "-" else text}]
    messages = [*([{"role": "system", "content": system}] if system else []), *asked]
    with workspace(store, as_json=as_json) as ws:
        try:
            found = ws.models.complete(
                model,
                messages,
                params=read_params(params),
                cache=cache,
                timeout_s=timeout_s,
                max_wait_s=max_wait_s,
                guardrails=guardrails,
            )
        except ModelError as error:
            stop(1, str(error), as_json=as_json)
    print_record(found, as_json=as_json, text=_answer)
    if not as_json:
        echo(_cost(found), err=True)
    end(1 if found.is_blocked else 0)


def _answer(found: Completion) -> str:
    calls = [f"{one.name}({one.arguments})" for one in found.tool_calls]
    return "\n".join([*([found.content] if found.content is not None else []), *calls])


def _cost(found: Completion) -> str:
    cost = "unpriced" if found.cost_usd is None else money(found.cost_usd)
    parts = [found.model, tokens(found.usage.input_tokens, found.usage.output_tokens), duration(found.latency_ms), cost]
    return ", ".join(part for part in parts if part)


def _changed(model_calls: int) -> str:
    return f"the price is set; {model_calls:,} stored calls cost something else now"


COMMANDS = [
    Verb("models", Models.list, help="List the registered endpoints and the stand-ins.", empty="no endpoints"),
    Verb(
        "models", Models.register,
        example="lmops model register mine --base-url http://127.0.0.1:8000/v1 --model llama --api-key-env MY_KEY",
        acts=True, makes_store=True,
        help="Give an OpenAI-compatible endpoint the name NAME, for every process that uses this store.",
        words={
            "base_url": Word(help="Address before /chat/completions, such as http://127.0.0.1:8000/v1.", metavar="URL"),
            "model": Word(help="The endpoint's own name of the model.", metavar="MODEL"),
            "api_key_env": Word(help="NAME of the environment variable that holds the key.", metavar="NAME"),
            "headers": Word(
                ("--header",), "Sent with each request; a secret is written $NAME, the variable that holds it; may be "
                "repeated.", "NAME=VALUE", read=pairs("a header"), is_many=True,
            ),
            "provider": Word(help="Who runs it, for prices and traces; known by its address.", metavar="NAME"),
            "max_concurrency": Word(help="Most requests at once from one process.", metavar="N"),
        },
        text=lambda made: f"{made.spec}: {made.model} at {made.base_url}",
        data=lambda made: {name: getattr(made, name) for name in _ENDPOINT},
    ),
    Verb(
        "models", Models.unregister, acts=True, help="Forget the registered name NAME.",
        plan=lambda _nothing: "the address and the settings of this name go",
        text=lambda _nothing: "forgotten", data=lambda _nothing: {"status": "ok"},
    ),
    Verb("models", Models.prices, help="List the prices that were set here.", empty="no prices of your own"),
    Verb(
        "models", Models.set_price,
        example="lmops model set-price llama --input-usd-per-mtok 0.2 --output-usd-per-mtok 0.6",
        acts=True, makes_store=True,
        help="Set what MODEL costs from a time on, and put it on the calls already stored.",
        words={
            "input_usd_per_mtok": Word(help="US dollars per million input tokens.", metavar="USD"),
            "output_usd_per_mtok": Word(help="US dollars per million output tokens.", metavar="USD"),
            "cached_input_usd_per_mtok": Word(
                help="For input read from a cache; as input by default.", metavar="USD"
            ),
            "cache_write_input_usd_per_mtok": Word(
                help="For input written to a cache; as input by default.", metavar="USD"
            ),
            "provider": Word(help="Only for calls to this provider; any by default.", metavar="NAME"),
            "valid_from": Word(
                help="ISO time, UTC without a zone; for all time by default, which only the first price of a model may "
                "be.", metavar="TIME",
            ),
        },
        text=_changed, data=lambda changed: {"calls": changed},
    ),
    complete,
    Verb(
        "models", Models.clear_cache, acts=True, help="Forget cached answers.",
        words={"older_than": Word(help="Only those from before this time.", metavar="TIME")},
        plan=lambda count: f"{count:,} cached answers go",
        text=lambda count: f"forgot {count:,} answers", data=lambda count: {"answers": count},
    ),
]  # fmt: skip  # a verb's row is short or long as it needs
