"""Packages of others as rails: presidio for personal data, detect-secrets for secrets; neither goes online."""

from __future__ import annotations

import functools
import importlib.util
import re
import threading
from typing import TYPE_CHECKING, Any, Final

from lmops.errors import MissingDependencyError
from lmops.guardrails.contract import Finding, Given, rail

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

_EXTRA: Final = "guardrails"
#: They call every plain word a secret.
_ENTROPY: Final = frozenset({"Base64HighEntropyString", "HexHighEntropyString"})
#: Of some tokens it names the beginning only.
_REST: Final = r"[\w+/=-]*"
#: Its settings are of the whole process: one text at a time.
_settings = threading.Lock()


def _needs(module: str, package: str) -> Callable[..., None]:
    """Return what refuses a rail whose package is not installed, when a policy is saved and not when it is needed."""

    def check(**_options: Any) -> None:
        if importlib.util.find_spec(module) is None:
            raise MissingDependencyError.of(package, _EXTRA)

    return check


@rail(action="redact", is_score=True, check=_needs("presidio_analyzer", "presidio-analyzer"))
def presidio(
    given: Given, *, entities: Sequence[str] | None = None, language: str = "en", threshold: float = 0.4
) -> Iterable[Finding]:
    """Personal data by presidio's patterns, without a model: names and places it does not find."""
    analyzer = _analyzer(language)
    wanted = None if entities is None else list(entities)
    for one in analyzer.analyze(given.text, language=language, entities=wanted, score_threshold=threshold):
        yield Finding(one.start, one.end, one.entity_type.lower(), min(max(float(one.score), 0.0), 1.0))


@functools.lru_cache(maxsize=4)
def _analyzer(language: str) -> Any:
    """Return presidio's engine with an NLP engine that does nothing: by default it would fetch a model, or exit."""
    try:
        from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
        from presidio_analyzer.nlp_engine import NlpArtifacts, NlpEngine
        from tldextract import TLDExtract
    except ImportError as error:
        raise MissingDependencyError.of("presidio-analyzer", _EXTRA) from error
    registry = RecognizerRegistry(supported_languages=[language])
    registry.load_predefined_recognizers(languages=[language])
    suffixes = TLDExtract(suffix_list_urls=())
    for one in registry.recognizers:
        if "EMAIL_ADDRESS" in one.supported_entities:  # its own check would fetch the list of public suffixes
            one.validate_result = lambda text: suffixes(text).fqdn != ""
    return AnalyzerEngine(
        registry=registry, nlp_engine=_no_model(NlpEngine, NlpArtifacts, language), supported_languages=[language]
    )


def _no_model(base: type[Any], artifacts: type[Any], language: str) -> Any:
    """Return an NLP engine of presidio's that knows no words."""

    class NoModel(base):  # type: ignore[misc]  # a class of a package that may be absent
        def load(self) -> None:
            pass

        def is_loaded(self) -> bool:
            return True

        def process_text(self, text: str, language: str) -> Any:
            return artifacts([], [], [], [], self, language)

        def process_batch(self, texts: Any, language: str, **_more: Any) -> Any:
            return ((text, self.process_text(text, language)) for text in texts)

        def is_stopword(self, word: str, language: str) -> bool:
            return False

        def is_punct(self, word: str, language: str) -> bool:
            return False

        def get_supported_entities(self) -> list[str]:
            return []

        def get_supported_languages(self) -> list[str]:
            return [language]

    return NoModel()


@rail(action="redact", check=_needs("detect_secrets", "detect-secrets"))
def detect_secrets(given: Given) -> Iterable[Finding]:
    """Secrets by the detectors of detect-secrets, without those that only measure entropy."""
    try:
        from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
        from detect_secrets.core.scan import scan_line
        from detect_secrets.settings import transient_settings
    except ImportError as error:
        raise MissingDependencyError.of("detect-secrets", _EXTRA) from error
    names = [one.__name__ for one in get_mapping_from_secret_type_to_class().values()]
    used = [{"name": name} for name in names if name not in _ENTROPY]
    at = 0
    with _settings, transient_settings({"plugins_used": used}):
        for line in given.text.splitlines(keepends=True):
            for secret in scan_line(line):
                found = re.search(re.escape(secret.secret_value) + _REST, line) if secret.secret_value else None
                start, end = found.span() if found else (0, len(line.rstrip()))
                yield Finding(at + start, at + end, secret.type.lower().replace(" ", "_"))
            at += len(line)
