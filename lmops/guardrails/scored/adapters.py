"""Packages of others as rails: presidio for personal data, detect-secrets for secrets; neither goes online."""

from __future__ import annotations

import functools
import importlib.util
import re
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from lmops.errors import MissingDependencyError, UsageError
from lmops.guardrails.contract import Finding, Given, rail

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

_EXTRA: Final = "guardrails"
#: They call every plain word a secret.
_ENTROPY: Final = frozenset({"Base64HighEntropyString", "HexHighEntropyString"})
#: Longer texts would take minutes.
_MAX_CHARS: Final = 100_000
_MAX_S: Final = 2.0
#: Characters of a line that are read at once, and how many of them stand in the next piece as well.
_PIECE: Final = 512
_OVERLAP: Final = 160
#: Nothing so short holds a secret in quotes with its name.
_LEAST: Final = 6
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


def _loaded(*, language: str = "en", **_options: Any) -> None:
    """Refuse what is not installed, and load the rest: seconds that the first text would be late by."""
    _needs("presidio_analyzer", "presidio-analyzer")()
    _analyzer(language)


@rail(action="redact", is_score=True, check=_loaded)
def presidio(
    given: Given, *, entities: Sequence[str] | None = None, language: str = "en", threshold: float = 0.4
) -> Iterable[Finding]:
    """Personal data by presidio's patterns, without a model (no names, no places), in up to 100,000 characters."""
    _refuse_long(given.text)
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
    """Secrets by the detectors of detect-secrets, without those that only measure entropy, in up to 100,000 characters.

    Lines are read in pieces of 512 characters, because some of its expressions take time that is quadratic in a line.
    What takes more than 2 seconds all the same is an error.
    """
    _refuse_long(given.text)
    try:
        from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
        from detect_secrets.core.scan import get_plugins, scan_line
        from detect_secrets.settings import transient_settings
    except ImportError as error:
        raise MissingDependencyError.of("detect-secrets", _EXTRA) from error
    names = [one.__name__ for one in get_mapping_from_secret_type_to_class().values()]
    used = [{"name": name} for name in names if name not in _ENTROPY]
    found: dict[tuple[int, int, str], Finding] = {}
    with _settings, transient_settings({"plugins_used": used}):
        detectors, until = get_plugins(), time.monotonic() + _MAX_S
        for at, piece in _pieces(given.text):
            if time.monotonic() > until:
                raise UsageError(f"it took longer than {_MAX_S:g} s")
            # Its own scan sets up anew what it leaves out: only where there is something that is needed.
            if not any(any(True for _ in one.analyze_string(piece)) for one in detectors):
                continue
            for secret in scan_line(piece):
                start, end = _place(given.text, at, piece, secret.secret_value)
                kind = secret.type.lower().replace(" ", "_")
                found[start, end, kind] = Finding(start, end, kind)
    return [found[key] for key in sorted(found)]


def _refuse_long(text: str) -> None:
    """Refuse what would take a package of others long."""
    if len(text) > _MAX_CHARS:
        raise UsageError(f"it reads texts of up to {_MAX_CHARS:,} characters, not {len(text):,}")


def _pieces(text: str) -> Iterator[tuple[int, str]]:
    """Return the lines of a text with their places; long ones in pieces that overlap by more than a secret needs."""
    at = 0
    for line in text.splitlines(keepends=True):
        for start in range(0, max(len(line) - _OVERLAP, 1), _PIECE - _OVERLAP):
            piece = line[start : start + _PIECE]
            if len(piece) > _LEAST:
                yield at + start, piece
        at += len(line)


def _place(text: str, at: int, piece: str, secret: str | None) -> tuple[int, int]:
    """Return where a secret of a piece stands, with the rest of a token of which only the beginning was named."""
    found = re.compile(re.escape(secret) + _REST).search(text, at) if secret else None
    return found.span() if found else (at, at + len(piece.rstrip()))
