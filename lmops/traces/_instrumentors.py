"""Instrumentors of other libraries: finding the installed ones, switching them on, and saying which ones are missing.

OpenInference, OpenTelemetry and Traceloop announce theirs by the same entry point. Where several are installed for one
client only one is switched on, or each call would be several spans.
"""

from __future__ import annotations

import importlib.metadata
import logging
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from lmops.base.endings import Caught, Logged

if TYPE_CHECKING:
    from collections.abc import Iterable

_log = logging.getLogger(__name__)

GROUP: Final = "opentelemetry_instrumentor"
#: Parts of every application: their spans are for those who asked for them.
_GENERAL: Final = frozenset(
    {
        "aio-pika", "aiohttp-client", "aiohttp-server", "aiokafka", "aiopg", "asgi", "asyncclick", "asyncio", "asyncpg",
        "aws-lambda", "aws_lambda", "boto", "boto3", "boto3sqs", "botocore", "cassandra", "celery", "click",
        "confluent-kafka", "confluent_kafka", "dbapi", "django", "elasticsearch", "falcon", "fastapi", "flask", "grpc",
        "grpc_aio_client", "grpc_aio_server", "grpc_client", "grpc_server", "httpx", "httpx2", "jinja2", "kafka",
        "logging", "mysql", "mysqlclient", "pika", "psycopg", "psycopg2", "pymemcache", "pymongo", "pymssql", "pymysql",
        "pyramid", "redis", "remoulade", "requests", "sqlalchemy", "sqlite3", "starlette", "system_metrics",
        "threading", "tornado", "tortoiseorm", "urllib", "urllib3", "wsgi",
    }
)  # fmt: skip  # many words: packed, they are read at a glance
#: Whose spans say most, first.
_PREFERRED: Final = ("openinference.", "")
#: Module of a client -> the package whose instrumentor makes its spans.
_PACKAGES: Final = {
    "agno": "openinference-instrumentation-agno",
    "anthropic": "openinference-instrumentation-anthropic",
    "autogen_agentchat": "openinference-instrumentation-autogen-agentchat",
    "chromadb": "opentelemetry-instrumentation-chromadb",
    "claude_agent_sdk": "openinference-instrumentation-claude-agent-sdk",
    "cohere": "openinference-instrumentation-cohere",
    "crewai": "openinference-instrumentation-crewai",
    "dspy": "openinference-instrumentation-dspy",
    "google.adk": "openinference-instrumentation-google-adk",
    "google.genai": "openinference-instrumentation-google-genai",
    "groq": "openinference-instrumentation-groq",
    "haystack": "openinference-instrumentation-haystack",
    "instructor": "openinference-instrumentation-instructor",
    "langchain_core": "openinference-instrumentation-langchain",
    "litellm": "openinference-instrumentation-litellm",
    "llama_index": "openinference-instrumentation-llama-index",
    "mistralai": "openinference-instrumentation-mistralai",
    "ollama": "openinference-instrumentation-ollama",
    "openai": "openinference-instrumentation-openai",
    "pinecone": "opentelemetry-instrumentation-pinecone",
    "qdrant_client": "opentelemetry-instrumentation-qdrant",
    "replicate": "opentelemetry-instrumentation-replicate",
    "smolagents": "openinference-instrumentation-smolagents",
    "together": "openinference-instrumentation-together",
    "vertexai": "openinference-instrumentation-vertexai",
}


@dataclass(slots=True)
class Clients:
    """Which clients of this process are traced.

    Attributes:
        on: Client -> the package whose instrumentor makes its spans.
        failed: Client -> why its instrumentor could not be switched on.
        missing: Client that is imported and makes no spans -> the package to install.
    """

    on: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    _mine: list[Any] = field(default_factory=list)

    def __repr__(self) -> str:
        said = [f"traced: {', '.join(f'{name} ({package})' for name, package in self.on.items()) or 'no client'}"]
        said += [f"{name} is not: {why}" for name, why in self.failed.items()]
        said += [f"{name} is imported and not traced: pip install {package}" for name, package in self.missing.items()]
        return "; ".join(said)

    def switch_on(self, provider: object) -> None:
        """Switch on what is installed and not on yet; nothing is raised."""
        for name, point in _chosen(importlib.metadata.entry_points(group=GROUP)).items():
            # somebody else's code runs, and the application must go on
            with Caught(Exception) as caught:
                instrumentor = point.load()()
                if not instrumentor.is_instrumented_by_opentelemetry:
                    instrumentor.instrument(tracer_provider=provider)
                    if not instrumentor.is_instrumented_by_opentelemetry:
                        # It looked for its client and said in the log what it found.
                        continue
                    self._mine.append(instrumentor)
            if caught.error is None:
                self.on[name] = point.dist.name if point.dist is not None else point.value
                self.failed.pop(name, None)
            else:
                self.failed[name] = f"{type(caught.error).__name__}: {caught.error}"
                _log.warning("the instrumentor of %s could not be switched on: %s", name, caught.error)
        self.missing = {
            module: package
            for module, package in _PACKAGES.items()
            if module in sys.modules and _client(module) not in {_client(name) for name in self.on}
        }

    def switch_off(self) -> None:
        """Switch off what was switched on here."""
        while self._mine:
            with Logged(_log, "an instrumentor could not be switched off", level=logging.DEBUG):
                self._mine.pop().uninstrument()
        self.on.clear()


def _chosen(points: Iterable[importlib.metadata.EntryPoint]) -> dict[str, importlib.metadata.EntryPoint]:
    """Return the instrumentor to switch on for each client, by its name."""
    found: dict[str, importlib.metadata.EntryPoint] = {}
    ranked = sorted(
        (point for point in points if point.name not in _GENERAL),
        key=lambda point: (next(n for n, begin in enumerate(_PREFERRED) if point.value.startswith(begin)), point.name),
    )
    known: set[str] = set()
    for point in ranked:
        if _client(point.name) not in known:
            known.add(_client(point.name))
            found[point.name] = point
    return found


def _client(name: str) -> str:
    """Return one spelling of a client: langchain_core and langchain, openai-v2 and openai are one."""
    word = name.lower().replace("google.genai", "google-genai").replace(".", "_").replace("-", "_")
    for end in ("_v2", "_core", "_client", "ai_sdk"):
        word = word.removesuffix(end)
    return word.replace("_", "")
