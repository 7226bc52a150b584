"""From the name of a model to where it answers; the names that a store knows."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from lmops.errors import NotFoundError, UsageError
from lmops.models._records import Endpoint

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lmops.records import Project

OPENAI_URL: Final = "https://api.openai.com/v1"
TIMEOUT_S: Final = 120.0
CONCURRENCY: Final = 256
STANDINS: Final = (
    "standin:ferry-1",
    "standin:ferry-1@2",
    "standin:rewrite-1",
    "standin:judge-1",
    "standin:agent-1",
    "standin:embed-1",
)
_NAME: Final = re.compile(r"[A-Za-z0-9][\w.-]{0,99}", re.ASCII)
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,199}", re.ASCII)
_HEADER: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}", re.ASCII)
#: Headers that carry a secret.
_SECRET: Final = re.compile(r"auth|api[-_]?key|token|secret|cookie|password|credential|signature", re.IGNORECASE)
_LOOKS_SECRET: Final = re.compile(r"\A(?:bearer|basic)\s|\Ask-|[A-Za-z0-9+/_=-]{32,}", re.IGNORECASE)
#: Hosts -> OpenTelemetry's name of the provider.
_PROVIDERS: Final = {
    "api.openai.com": "openai",
    "openai.azure.com": "azure.ai.openai",
    "api.mistral.ai": "mistral_ai",
    "api.anthropic.com": "anthropic",
    "api.deepseek.com": "deepseek",
    "api.groq.com": "groq",
    "api.x.ai": "x_ai",
    "openrouter.ai": "openrouter",
    "generativelanguage.googleapis.com": "gcp.gemini",
    "api.together.xyz": "together",
    "api.fireworks.ai": "fireworks",
    "api.cohere.com": "cohere",
    "api.perplexity.ai": "perplexity",
}


class Endpoints:
    """The registered endpoints of a store, and the way from any name to an endpoint."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._fixed: dict[str, Endpoint] = {}

    def resolve(self, spec: str) -> Endpoint:
        """Return where a model answers.

        Raises:
            NotFoundError: No such name; the nearest ones are in the message.
            UsageError: It is no name.
            DamagedStoreError: The endpoint is not what was registered; registering it again puts it right.
        """
        found = self._fixed.get(spec)
        if found is not None:
            return found
        if not isinstance(spec, str) or not spec.strip():
            raise UsageError(f"{spec!r} is not the name of a model; write 'openai:MODEL' or a registered name")
        kind, separator, model = spec.partition(":")
        if not separator:
            return self._registered(spec)
        if kind == "openai" and model:
            return _openai(spec, model)
        if kind == "litellm" and model:
            found = Endpoint(spec=spec, kind="litellm", model=model, provider=model.partition("/")[0])
        elif spec in STANDINS:
            name, _, revision = model.partition("@")
            found = Endpoint(spec=spec, kind="standin", model=name, provider="standin", revision=int(revision or 1))
        else:
            raise self._unknown(spec)
        self._fixed[spec] = found
        return found

    def count(self) -> int:
        """Return how many are registered."""
        with self._project.reading() as con:
            return int(con.execute("select count(*) from model_endpoints").fetchone()[0])

    def rows(self) -> list[dict[str, Any]]:
        """Return the registered endpoints by name; one that is not what was registered is left out, with a warning."""
        with self._project.reading() as con:
            return [dict(row) for row in self._project.store.records(con, "model_endpoints")[0]]

    def register(self, name: str, values: Mapping[str, Any], *, reason: str | None) -> Endpoint:
        """Keep an endpoint under a name, replacing what the name stood for."""
        row = {**_checked(name, values), "name": name}
        after = {key: value for key, value in row.items() if key != "name"}
        with self._project.change(reason=reason) as change:
            old = change.con.execute("select * from model_endpoints where name = ?", (name,)).fetchone()
            before = {key: old[key] for key in after} if old is not None else None
            if before != after:
                change.replace("model_endpoints", {**row, "actor": change.actor, "registered_ns": change.at_ns})
                change.say("model.register", name, before=before, after=after)
        return _endpoint(row)

    def unregister(self, name: str, *, reason: str | None, dry_run: bool = False) -> None:
        """Forget a name; a dry run only finds out whether it is known."""
        if dry_run:
            self._registered(name)
            return
        with self._project.change(reason=reason) as change:
            old = change.con.execute("select * from model_endpoints where name = ?", (name,)).fetchone()
            if old is None:
                known = [row[0] for row in change.con.execute("select name from model_endpoints")]
                raise NotFoundError.of("registered model", str(name), known)
            change.delete("model_endpoints", name)
            before = {key: value for key, value in dict(old).items() if key not in {"name", "actor", "registered_ns"}}
            change.say("model.unregister", name, before=before)

    def _registered(self, name: str) -> Endpoint:
        with self._project.reading() as con:
            row = self._project.store.record(con, "model_endpoints", name)
        if row is None:
            raise self._unknown(name)
        return _endpoint(dict(row))

    def _unknown(self, spec: str) -> NotFoundError:
        registered = [row["name"] for row in self.rows()]
        known = [*registered, *STANDINS, "openai:MODEL", "litellm:PROVIDER/MODEL"]
        short = spec if len(spec) <= 60 else spec[:57] + "..."
        hint = ""
        if ":" not in spec:
            register = f"ws.models.register({short!r}, base_url=..., model=...)"
            hint = f"an OpenAI model is 'openai:{short}'; {register} gives an endpoint a name"
        return NotFoundError.of("model", spec, known, hint=hint)


def _openai(spec: str, model: str) -> Endpoint:
    """Return OpenAI's endpoint, or the one that OPENAI_BASE_URL names; read at each call, because it may change."""
    base_url = os.environ.get("OPENAI_BASE_URL", "").strip()
    if base_url:
        _check_url(base_url)
    return Endpoint(
        spec=spec,
        kind="openai",
        model=model,
        provider="openai",
        base_url=base_url or OPENAI_URL,
        api_key_env="OPENAI_API_KEY",
        needs_key=not base_url,
    )


def _endpoint(row: Mapping[str, Any]) -> Endpoint:
    host = (urlsplit(row["base_url"]).hostname or "").lower()
    listed = (name for end, name in _PROVIDERS.items() if host == end or host.endswith("." + end))
    return Endpoint(
        spec=row["name"],
        kind="openai",
        model=row["model"],
        provider=row["provider"] or next(listed, row["name"]),
        base_url=row["base_url"],
        api_key_env=row["api_key_env"],
        needs_key=row["api_key_env"] is not None,
        headers=tuple(sorted(json.loads(row["headers"]).items())),
        timeout_s=row["timeout_s"],
        max_concurrency=row["max_concurrency"],
    )


def _checked(name: str, values: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise UsageError(f"register({name!r}): a name has letters, digits, '.', '-' and '_' and no ':'")
    model, variable = values["model"], values["api_key_env"]
    if not isinstance(model, str) or not model.strip():
        raise UsageError(f"register({name!r}): model={model!r} is not the name that the endpoint has for its model")
    if variable is not None and not (isinstance(variable, str) and _VARIABLE.fullmatch(variable)):
        # Not shown: it may be the key itself.
        raise UsageError(
            f"register({name!r}): api_key_env is the NAME of an environment variable, such as 'HOUSE_KEY', and never "
            "the key itself; what was given is not a name, and was not stored"
        )
    timeout_s, most = values["timeout_s"], values["max_concurrency"]
    if not isinstance(timeout_s, int | float) or isinstance(timeout_s, bool) or not 0 < timeout_s <= 86_400:
        raise UsageError(f"register({name!r}): timeout_s={timeout_s!r} is not a number of seconds above 0")
    if not isinstance(most, int) or isinstance(most, bool) or not 1 <= most <= 10_000:
        raise UsageError(f"register({name!r}): max_concurrency={most!r} is not a whole number from 1 to 10,000")
    return {
        "base_url": _check_url(values["base_url"]),
        "model": model.strip(),
        "provider": values["provider"],
        "api_key_env": variable,
        "headers": json.dumps(_checked_headers(name, values["headers"] or {}), sort_keys=True),
        "timeout_s": float(timeout_s),
        "max_concurrency": most,
    }


def _checked_headers(name: str, headers: Mapping[str, str]) -> dict[str, str]:
    for header, value in headers.items():
        if not isinstance(header, str) or not isinstance(value, str) or not _HEADER.fullmatch(header):
            raise UsageError(f"register({name!r}): headers are texts by name")
        if value.startswith("$"):
            if not _VARIABLE.fullmatch(value[1:]):
                raise UsageError(f"register({name!r}): the header {header} names no environment variable after '$'")
        elif _SECRET.search(header) or _LOOKS_SECRET.search(value):
            raise UsageError(
                f"register({name!r}): the header {header} looks like a secret, and secrets are not stored: name the "
                f"environment variable that holds it, headers={{{header!r}: '$HOUSE_TOKEN'}}"
            )
        elif not value.isprintable() or not value.isascii():
            raise UsageError(f"register({name!r}): the header {header} has characters that headers cannot have")
    return dict(headers)


def _check_url(url: object) -> str:
    """Return an address that requests can go to, without the slash at its end."""
    example = "such as 'http://127.0.0.1:8000/v1'"
    if not isinstance(url, str):
        raise UsageError(f"base_url={url!r} is not an address {example}")
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if "@" in url:
        raise UsageError("base_url holds a user or a password, and secrets are not stored: use api_key_env")
    if (
        parts.scheme not in {"http", "https"}
        or not parts.hostname
        or port == 0
        or any(c.isspace() for c in url.strip())
    ):
        raise UsageError(f"base_url={url[:200]!r} is not an address {example}")
    if parts.query or parts.fragment:
        raise UsageError("base_url ends with its path, without '?' and '#'; pass parameters in extra_query")
    for ending in ("/chat/completions", "/completions", "/embeddings"):
        if parts.path.rstrip("/").endswith(ending):
            raise UsageError(f"base_url={url!r} names one call; give the part before {ending}")
    return url.strip().rstrip("/")
