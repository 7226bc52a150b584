"""Models: where they answer, how they are called, and what they cost.

A model is named by one text: ``"openai:gpt-5-mini"``, ``"litellm:PROVIDER/MODEL"``, a name that was registered here,
or ``"standin:ferry-1"``, which needs no key and no network. Calls wait as long as endpoints ask, slow down when they
are overloaded, and are spans with usage and cost. Keys are read from the environment at the call; no key is ever
stored, shown or traced.
"""

from __future__ import annotations

import dataclasses
import functools
import os
from datetime import timedelta
from random import Random
from typing import TYPE_CHECKING, Any, Final

from lmops.base.chat import ToolCall, Usage
from lmops.base.public import only
from lmops.base.twins import takes_as
from lmops.errors import UsageError
from lmops.models import _limits
from lmops.models import _show as _show
from lmops.models._endpoints import STANDINS, Endpoints
from lmops.models._guards import Guarded, guard_of
from lmops.models._loop import BACKGROUND
from lmops.models._moderation import Moderation, Moderations
from lmops.models._params import check_params
from lmops.models._prices import Price, Pricer, Prices, Rates, Row
from lmops.models._records import Call, Completion, Embeddings, Endpoint
from lmops.models._reranking import Reranking
from lmops.models._stopwatch import timed
from lmops.models._streams import AsyncStream, Stream
from lmops.redact import refuse_keys
from lmops.times import to_ns, utc_now

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    import pandas as pd

    from lmops.models._cache import ResponseCache
    from lmops.models._calls import Calls
    from lmops.models._guards import Guard, Guarding
    from lmops.models._streams import Pump
    from lmops.records import Project
    from lmops.store import PendingChange

    Messages = str | Sequence[Mapping[str, Any]]
    Prompt = tuple[str, str | int] | Any

__all__ = [
    "Completion",
    "Embeddings",
    "Endpoint",
    "Models",
    "Moderation",
    "Moderations",
    "Price",
    "Pricer",
    "Rates",
    "Reranking",
    "Row",
    "ToolCall",
    "Usage",
    "check_params",
    "timed",
]
__dir__ = only(__all__)

MAX_WAIT_S: Final = 60.0


class Models:
    """Models as a workspace sees them: ``ws.models``."""

    def __init__(
        self,
        project: Project,
        *,
        reprice: Callable[[PendingChange], int],
        seed: int | None = None,
        guard: Callable[[str], Guard] | None = None,
    ) -> None:
        self._project = project
        self._seed = seed
        self._guard = guard
        self._prices = Prices(project, reprice=reprice)

    def __repr__(self) -> str:
        """Say how many endpoints and prices are set."""
        return f"<Models: {self._endpoints.count()} registered, {self._prices.count()} own prices>"

    @functools.cached_property
    def _endpoints(self) -> Endpoints:
        return Endpoints(self._project)

    @functools.cached_property
    def _cache(self) -> ResponseCache:
        from lmops.models._cache import ResponseCache

        return ResponseCache(self._project)

    @functools.cached_property
    def _calls(self) -> Calls:
        from lmops.models._calls import Calls

        return Calls(prices=self._prices, cache=self._cache, random=Random(self._seed))

    # -- calls -----------------------------------------------------------------------------------------------------

    async def acomplete(
        self,
        model: str,
        messages: Messages,
        *,
        params: Mapping[str, Any] | None = None,
        tools: Sequence[Mapping[str, Any]] | None = None,
        response_schema: Mapping[str, Any] | None = None,
        repair: bool = False,
        cache: bool = False,
        repeat: int = 0,
        prompt: Prompt | None = None,
        timeout_s: float | None = None,
        max_wait_s: float = MAX_WAIT_S,
        guardrails: str | Guarding | None = None,
    ) -> Completion:
        """Return the answer of a model.

        Args:
            model: ``"openai:MODEL"``, ``"standin:ferry-1"``, ``"litellm:PROVIDER/MODEL"`` or a registered name.
            messages: Dicts with ``role`` and ``content`` as OpenAI has them; a text is one message of the user.
            params: temperature, max_tokens, seed, top_p, stop, ...; what the ``openai`` client does not know goes into
                the request as it is. The stand-in knows ``simulate_latency=True``.
            tools: Tools on offer, as OpenAI has them.
            response_schema: JSON schema of the answer; ``parsed`` then holds the object.
            repair: When the answer does not fit the schema, show the model why and ask once more.
            cache: Return the answer that the store has for exactly this request, and keep a new one. An answer from
                the cache has ``is_cached``, the usage of the call that filled it, and costs 0.0.
            repeat: Which repetition of the same request this is, from 0: each has an answer of its own in the cache.
            prompt: The prompt behind the messages, as (name, version) or a prompt version; its name goes on the span.
            timeout_s: Seconds for one attempt; the endpoint's own by default (120).
            max_wait_s: Most seconds to wait between attempts, in all.
            guardrails: The policy that the messages and the answer pass, such as "support@production". Of what it
                blocks the content is the policy's own text and ``finish_reason`` "content_filter"; the model is not
                asked what is blocked. ``decisions`` says what was decided.

        Raises:
            ModelError: No answer; ``kind`` says why.
            NotFoundError: No such model, or no such policy.
            UsageError: An argument that cannot be used.
        """
        call = self._call(
            model,
            messages,
            params=params,
            tools=tools,
            response_schema=response_schema,
            prompt=prompt,
            timeout_s=timeout_s,
            max_wait_s=max_wait_s,
        )
        call.can_repair, call.is_cacheable, call.repeat = repair, cache, repeat
        return await self._guarded(guardrails).complete(call)

    async def awarm(self, model: str) -> None:
        """Load what calls of a model need, seconds in a new process, so that a limit of time is of its answer alone.

        Args:
            model: As for :meth:`acomplete`.

        Raises:
            NotFoundError: No such model.
        """
        await self._calls.warmed(self._endpoints.resolve(model))

    @takes_as(acomplete)
    def complete(self, *_args: Any, **_options: Any) -> Completion:
        """Return the answer of a model, as :meth:`acomplete` does, without ``await``; also inside a running loop.

        Raises:
            ModelError: No answer; ``kind`` says why.
            NotFoundError: No such model.
            UsageError: An argument that cannot be used.

        Example:
            >>> import lmops
            >>> answer = lmops.open(":memory:").models.complete("standin:ferry-1", "When does the ferry leave?")
            >>> answer.provider, answer.finish_reason
            ('standin', 'stop')
        """
        return BACKGROUND.run(self.acomplete(*_args, **_options))

    def _call(
        self,
        model: str,
        messages: Messages,
        *,
        params: Mapping[str, Any] | None = None,
        tools: Sequence[Mapping[str, Any]] | None = None,
        response_schema: Mapping[str, Any] | None = None,
        prompt: Prompt | None = None,
        timeout_s: float | None = None,
        max_wait_s: float = MAX_WAIT_S,
    ) -> Call:
        """Return the call, checked."""
        endpoint = self._endpoints.resolve(model)
        if response_schema is not None:
            from lmops.models._answer_schema import check_schema

            check_schema(response_schema)
        if params:
            check_params(params, has_schema=response_schema is not None)
        return Call(
            endpoint=endpoint,
            messages=_checked_messages(messages),
            params=params or {},
            tools=tools or None,
            schema=response_schema,
            prompt=None if prompt is None else _prompt(prompt),
            timeout_s=_seconds(timeout_s, endpoint.timeout_s),
            max_wait_s=max_wait_s,
        )

    def _streamed(
        self,
        model: str,
        messages: Messages,
        *,
        params: Mapping[str, Any] | None = None,
        tools: Sequence[Mapping[str, Any]] | None = None,
        response_schema: Mapping[str, Any] | None = None,
        prompt: Prompt | None = None,
        timeout_s: float | None = None,
        max_wait_s: float = MAX_WAIT_S,
        guardrails: str | Guarding | None = None,
    ) -> tuple[Pump, str]:
        """Return what hands over the pieces of an answer, and the model: what :meth:`astream` takes."""
        call = self._call(
            model,
            messages,
            params=params,
            tools=tools,
            response_schema=response_schema,
            prompt=prompt,
            timeout_s=timeout_s,
            max_wait_s=max_wait_s,
        )
        return functools.partial(self._guarded(guardrails).stream, call), call.endpoint.spec

    def _guarded(self, guardrails: str | Guarding | None) -> Guarded:
        return Guarded(self._calls, guard_of(guardrails, self._guard))

    @takes_as(_streamed)
    def astream(self, *_args: Any, **_options: Any) -> AsyncStream:
        """Return the answer piece by piece: ``async for text in ws.models.astream(...)``; then ``.completion``.

        A stream that breaks off raises ModelError, whose ``text`` is what had come; it is sent again only as long as
        nothing had. ``timeout_s`` is for each piece. The other arguments are those of :meth:`acomplete`.
        """
        return AsyncStream(*self._streamed(*_args, **_options))

    @takes_as(_streamed)
    def stream(self, *_args: Any, **_options: Any) -> Stream:
        """Return the answer piece by piece, as :meth:`astream` does: ``for text in ws.models.stream(...)``."""
        return Stream(*self._streamed(*_args, **_options))

    async def aembed(
        self,
        model: str,
        texts: str | Sequence[str],
        *,
        params: Mapping[str, Any] | None = None,
        batch_size: int = 128,
        timeout_s: float | None = None,
        max_wait_s: float = MAX_WAIT_S,
    ) -> Embeddings:
        """Return the vectors of some texts, in their order.

        Args:
            model: As for :meth:`acomplete`; ``"standin:embed-1"`` hashes words and needs no network.
            texts: One text or several.
            params: dimensions, user, ...
            batch_size: Most texts in one request; requests go side by side.
            timeout_s: Seconds for one attempt.
            max_wait_s: Most seconds to wait between the attempts of one request, in all.

        Raises:
            ModelError: A request failed; ``kind`` says why.
            NotFoundError: No such model.
            UsageError: An argument that cannot be used.
        """
        endpoint = self._endpoints.resolve(model)
        refuse_keys(params or {})
        found = _texts(texts, "embed")
        if endpoint.kind == "standin" and endpoint.model != "embed-1":
            raise UsageError(f"{model!r} makes no vectors here; 'openai:MODEL' or 'standin:embed-1' do")
        if not isinstance(batch_size, int) or batch_size < 1:
            raise UsageError(f"embed(batch_size={batch_size!r}): give a whole number from 1")
        return await self._calls.embed(
            endpoint,
            found,
            params=params or {},
            batch_size=batch_size,
            timeout_s=_seconds(timeout_s, endpoint.timeout_s),
            max_wait_s=max_wait_s,
        )

    @takes_as(aembed)
    def embed(self, *_args: Any, **_options: Any) -> Embeddings:
        """Return the vectors of some texts, as :meth:`aembed` does, without ``await``."""
        return BACKGROUND.run(self.aembed(*_args, **_options))

    async def arerank(
        self,
        model: str,
        query: str,
        documents: Sequence[str],
        *,
        params: Mapping[str, Any] | None = None,
        timeout_s: float | None = None,
        max_wait_s: float = MAX_WAIT_S,
    ) -> Reranking:
        """Return how relevant some documents are to a query, in their order, asked under ``/rerank``.

        Args:
            model: One that answers there: Cohere, Jina, Voyage, vLLM; of TEI, registered with ``provider="tei"``.
            query: What is asked.
            documents: Texts, at least one; they are sent in one request.
            params: What the endpoint takes beside them, such as {"top_n": 10}.
            timeout_s: Seconds for one attempt.
            max_wait_s: Most seconds to wait between the attempts, in all.

        Raises:
            ModelError: The request failed, or the answer has no scores; ``kind`` says why.
            NotFoundError: No such model.
            UsageError: An argument that cannot be used, or a model that does not rerank.
        """
        endpoint = self._endpoints.resolve(model)
        refuse_keys(params or {})
        query, *found = _texts([query, *documents], "rerank")
        if endpoint.kind == "standin" or not found:
            raise UsageError(f"rerank({model!r}): give documents, and an endpoint that answers under /rerank")
        return await self._calls.rerank(
            endpoint,
            query,
            found,
            params=params or {},
            timeout_s=_seconds(timeout_s, endpoint.timeout_s),
            max_wait_s=max_wait_s,
        )

    @takes_as(arerank)
    def rerank(self, *_args: Any, **_options: Any) -> Reranking:
        """Return how relevant some documents are to a query, as :meth:`arerank` does, without ``await``."""
        return BACKGROUND.run(self.arerank(*_args, **_options))

    async def amoderate(
        self,
        model: str,
        texts: str | Sequence[str],
        *,
        params: Mapping[str, Any] | None = None,
        timeout_s: float | None = None,
        max_wait_s: float = MAX_WAIT_S,
    ) -> Moderations:
        """Return what a model that moderates says of some texts, in their order, asked under ``/moderations``.

        Args:
            model: As for :meth:`acomplete`, such as "openai:omni-moderation-latest".
            texts: One text or several; they are sent in one request.
            params: What the endpoint takes beside model and input.
            timeout_s: Seconds for one attempt.
            max_wait_s: Most seconds to wait between the attempts, in all.

        Raises:
            ModelError: The request failed, or the answer says not of every text whether it is flagged; ``kind`` says
                why.
            NotFoundError: No such model.
            UsageError: An argument that cannot be used, or a model that does not moderate.
        """
        endpoint = self._endpoints.resolve(model)
        refuse_keys(params or {})
        found = _texts(texts, "moderate")
        if endpoint.kind == "standin":
            raise UsageError(f"{model!r} moderates nothing; 'openai:omni-moderation-latest' does")
        return await self._calls.moderate(
            endpoint,
            found,
            params=params or {},
            timeout_s=_seconds(timeout_s, endpoint.timeout_s),
            max_wait_s=max_wait_s,
        )

    @takes_as(amoderate)
    def moderate(self, *_args: Any, **_options: Any) -> Moderations:
        """Return what a model says of some texts, as :meth:`amoderate` does, without ``await``."""
        return BACKGROUND.run(self.amoderate(*_args, **_options))

    # -- endpoints -------------------------------------------------------------------------------------------------

    def register(
        self,
        name: str,
        *,
        base_url: str,
        model: str,
        api_key_env: str | None = None,
        headers: Mapping[str, str] | None = None,
        provider: str | None = None,
        timeout_s: float = 120.0,
        max_concurrency: int = 256,
        reason: str | None = None,
    ) -> Endpoint:
        """Give an OpenAI-compatible endpoint a name in this store, for every process that uses it.

        Args:
            name: How calls name it; registering a name again replaces it.
            base_url: Address before ``/chat/completions``, such as ``http://127.0.0.1:8000/v1``.
            model: The endpoint's own name of the model.
            api_key_env: NAME of the environment variable that holds the key; None when the endpoint wants none.
            headers: Sent with each request; a secret is written ``$NAME``, the variable that holds it.
            provider: Who runs it, for prices and traces; known from the address, else the name.
            timeout_s: Seconds for one attempt.
            max_concurrency: Most requests at once from one process.
            reason: Why, for the audit chain.

        Raises:
            UsageError: An argument that cannot be used, or that holds a secret.
        """
        values = {
            "base_url": base_url,
            "model": model,
            "api_key_env": api_key_env,
            "headers": headers,
            "provider": provider,
            "timeout_s": timeout_s,
            "max_concurrency": max_concurrency,
        }
        return self._endpoints.register(name, values, reason=reason)

    def endpoint(self, model: str) -> Endpoint:
        """Return where a model answers, without asking it anything.

        Args:
            model: As for :meth:`acomplete`.

        Raises:
            NotFoundError: No such model.
            UsageError: It is no name of one.
        """
        return self._endpoints.resolve(model)

    def unregister(self, name: str, *, reason: str | None = None, dry_run: bool = False) -> None:
        """Forget a registered name.

        Args:
            name: The name.
            reason: Why, for the audit chain.
            dry_run: Only find out whether it can be forgotten.

        Raises:
            NotFoundError: It is not registered.
        """
        self._endpoints.unregister(name, reason=reason, dry_run=dry_run)

    def list(self) -> pd.DataFrame:
        """Return the registered endpoints and the stand-ins.

        Returns:
            name, model, provider, base_url, api_key_env, has_key (whether the variable is set now), timeout_s,
            max_concurrency, actor and registered_at; a stand-in has its name and model alone.
        """
        import pandas as pd

        from lmops.base.frames import Frame

        rows: list[dict[str, Any]] = []
        for row in self._endpoints.rows():
            variable = row["api_key_env"]
            at = pd.Timestamp(row.pop("registered_ns"), unit="ns", tz="UTC")
            has_key = None if variable is None else bool(os.environ.get(variable, "").strip())
            rows.append({**row, "has_key": has_key, "registered_at": at})
        rows += [{"name": name, "model": name.partition(":")[2], "provider": "standin"} for name in STANDINS]
        columns = [
            "name",
            "model",
            "provider",
            "base_url",
            "api_key_env",
            "has_key",
            "timeout_s",
            "max_concurrency",
            "actor",
            "registered_at",
        ]
        return Frame(rows, columns=columns)

    def limits(self) -> pd.DataFrame:
        """Return how many requests each endpoint gets at once from this process, now.

        Returns:
            endpoint, model, limit, max_concurrency, in_flight, waiting, paused_s, cuts, successes: one row for each
            endpoint that was called.
        """
        from lmops.base.frames import Frame

        found = _limits.limits(BACKGROUND.loop.time())
        columns = [field.name for field in dataclasses.fields(_limits.Limit)]
        return Frame([dataclasses.asdict(row) for row in found], columns=columns)

    def clear_cache(
        self,
        *,
        older_than: str | datetime | timedelta | None = None,
        reason: str | None = None,
        dry_run: bool = False,
    ) -> int:
        """Forget cached answers and return how many.

        Args:
            older_than: A time, or an age as a timedelta; all of them by default.
            reason: Why, for the audit chain.
            dry_run: Only say how many.
        """
        if isinstance(older_than, timedelta):
            older_than = utc_now() - older_than
        return self._cache.clear(None if older_than is None else to_ns(older_than), reason=reason, dry_run=dry_run)

    # -- prices ----------------------------------------------------------------------------------------------------

    def pricer(self) -> Pricer:
        """Return a pricer with the prices set up to now."""
        return self._prices.pricer()

    @takes_as(Prices.set)
    def set_price(self, *_args: Any, **_options: Any) -> int:
        """Set what a model costs from a time on, and put it on the calls already stored; return how many changed.

        A price is a dated entry and never an overwrite: calls before ``valid_from`` keep their cost. When the work on
        the stored calls is cut short, the price is set all the same and the next ``lmops.open`` finishes that work.

        Args:
            model: Name of the model as calls carry it.
            input_usd_per_mtok: US dollars per million input tokens.
            output_usd_per_mtok: US dollars per million output tokens.
            cached_input_usd_per_mtok: For input read from a cache; as input by default.
            cache_write_input_usd_per_mtok: For input written to a cache; as input by default.
            provider: Only for calls to this provider; any by default.
            valid_from: ISO time or datetime, UTC when it has no zone; for all time by default, which only the first
                price of a model may be.
            reason: Why, for the audit chain.
            actor: Who sets it; the workspace's actor by default.

        Raises:
            UsageError: A price that is negative or no number, or no ``valid_from`` where a price is set already.
        """
        return self._prices.set(*_args, **_options)

    def prices(self) -> pd.DataFrame:
        """Return the prices set here: the columns of the view ``prices``."""
        return self._prices.df()


def _checked_messages(messages: Messages) -> Sequence[Mapping[str, Any]]:
    if isinstance(messages, str):
        return [{"role": "user", "content": messages}]
    if not isinstance(messages, list | tuple) or not messages:
        raise UsageError('messages is a text or a list such as [{"role": "user", "content": "..."}], and not empty')
    for place, message in enumerate(messages):
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            raise UsageError(f'message {place} is not a dict such as {{"role": "user", "content": "..."}}')
    return messages


def _prompt(prompt: Prompt) -> tuple[str, str]:
    if isinstance(prompt, tuple) and len(prompt) == 2:
        return str(prompt[0]), str(prompt[1])
    name, version = getattr(prompt, "name", None), getattr(prompt, "version", None)
    if name is None or version is None:
        raise UsageError(f"prompt={prompt!r:.80} is neither (name, version) nor a prompt version")
    return str(name), str(version)


def _texts(given: str | Sequence[str], verb: str) -> list[str]:
    """Return texts that were given as one or as several."""
    found = [given] if isinstance(given, str) else list(given)
    for place, text in enumerate(found):
        if not isinstance(text, str):
            raise UsageError(f"{verb}(texts): item {place} is a {type(text).__name__} and not a text")
    return found


def _seconds(given: float | None, default: float) -> float:
    if given is None:
        return default
    if not isinstance(given, int | float) or isinstance(given, bool) or not given > 0:
        raise UsageError(f"timeout_s={given!r} is not a number of seconds above 0")
    return float(given)
