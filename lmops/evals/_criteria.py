"""The criteria of a gate, as a file under version control says them.

level: 0.95
min_coverage: 0.95
max_error_rate: 0.02
max_cost_usd: 0.01        # mean of a case
max_latency_ms: 4000      # 95th percentile
missing: worst            # what has a score on one side only, or failed, counts as the worst; or "pairs": left out
allow_uncalibrated: true  # criteria may rest on a judge without a fresh calibration
scorers:
  source_support: {min: 0.80, max_loss: 0.03}
  answer_length: {max: 120}
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lmops.errors import NotFoundError, UsageError, did_you_mean
from lmops.text import plain_line

if TYPE_CHECKING:
    from collections.abc import Mapping

_OF_SCORER: Final = ("min", "max", "max_loss")
_MISSING: Final = ("worst", "pairs")
_OF_RUN: Final = (
    "level",
    "clustered",
    "missing",
    "allow_uncalibrated",
    "min_coverage",
    "max_error_rate",
    "max_cost_usd",
    "max_latency_ms",
    "scorers",
)
_WORDS: Final = ("scorers", "clustered", "missing", "allow_uncalibrated")
_SHARES: Final = ("min_coverage", "max_error_rate")
_EXAMPLE: Final = "such as {'scorers': {'exact_match': {'min': 0.8, 'max_loss': 0.03}}}"
_MAX_BYTES: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Criteria:
    """What a run has to fulfil; None where nothing is asked.

    Args:
        scorers: By scorer: "min" and "max" of its mean, "max_loss" against the baseline; in the unit of the score.
        level: Confidence level of every interval.
        clustered: Whether differences are clustered when the examples have clusters.
        missing: How a loss counts examples with a score on one side only, and a level the cases that failed: "worst",
            as the worst they can be, so that nothing passes by what vanished; "pairs", not at all.
        min_coverage: Share of the cases that every scorer must have measured.
        max_error_rate: Share of the cases that may fail.
        max_cost_usd: Mean cost of a case.
        max_latency_ms: 95th percentile of the latency.
        allow_uncalibrated: Whether a criterion may rest on a judge without a calibration that holds.
    """

    scorers: dict[str, dict[str, float]] = field(default_factory=dict)
    level: float = 0.95
    clustered: bool = True
    missing: str = "worst"
    min_coverage: float | None = None
    max_error_rate: float | None = None
    max_cost_usd: float | None = None
    max_latency_ms: float | None = None
    allow_uncalibrated: bool = False

    @property
    def needs_baseline(self) -> bool:
        """Whether something is asked that only a comparison can tell."""
        return any("max_loss" in asked for asked in self.scorers.values())

    def as_dict(self) -> dict[str, Any]:
        """Return what is asked, as it can be written into a file."""
        found: dict[str, Any] = {name: getattr(self, name) for name in _OF_RUN if name != "scorers"}
        if self.clustered:
            del found["clustered"]
        if self.missing == _MISSING[0]:
            del found["missing"]
        if not self.allow_uncalibrated:
            del found["allow_uncalibrated"]
        return {name: value for name, value in found.items() if value is not None} | {"scorers": self.scorers}


def read_criteria(given: Any) -> Criteria:
    """Return criteria from a mapping, or from a YAML or JSON file by its path.

    Raises:
        NotFoundError: There is no such file.
        UsageError: Something in it is unknown or out of range; the message names it.
    """
    if isinstance(given, Criteria):
        return given
    if isinstance(given, str | Path):
        return _checked(_read(Path(given)), str(given))
    if given is None or not hasattr(given, "items"):
        raise UsageError(f"criteria are a mapping or the path of a YAML or JSON file, {_EXAMPLE}")
    return _checked(given, "criteria")


def refuse_as_baseline(baseline: object) -> None:
    """Raise when what was given as the baseline are criteria.

    Raises:
        UsageError: They are; the message says where they go.
    """
    is_file = isinstance(baseline, str | Path) and Path(baseline).suffix in (".yaml", ".yml", ".json")
    if is_file or isinstance(baseline, Criteria) or hasattr(baseline, "items"):
        raise UsageError(
            "criteria stand where the baseline run belongs: gate(run, criteria=...), or gate(run, baseline, criteria)"
        )


def _read(path: Path) -> Any:
    if not path.is_file():
        raise NotFoundError(f"there is no criteria file {path}; a criteria file is YAML or JSON, {_EXAMPLE}")
    if path.stat().st_size > _MAX_BYTES:
        raise UsageError(f"{path} is too large for a criteria file")
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 text (byte {error.start})") from error
    if path.suffix == ".json":
        try:
            return json.loads(text)
        except (json.JSONDecodeError, RecursionError) as error:
            raise UsageError(f"{path} is no JSON: {plain_line(error, 300)}") from error
    import yaml

    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise UsageError(f"{path} is no YAML: {plain_line(error, 300)}") from error


def _checked(given: Any, where: str) -> Criteria:
    if not hasattr(given, "items"):
        raise UsageError(f"{where}: a mapping is needed, {_EXAMPLE}; found {type(given).__name__}")
    for name in given:
        if name not in _OF_RUN:
            raise UsageError(f"{where}: {did_you_mean('criterion', str(name), _OF_RUN)}")
    plain = [name for name in _OF_RUN if name not in _WORDS and name in given]
    values = {name: _number(given[name], f"{where}: {name}") for name in plain}
    flags = {"clustered": given.get("clustered", True), "allow_uncalibrated": given.get("allow_uncalibrated", False)}
    for name, flag in flags.items():
        if not isinstance(flag, bool):
            raise UsageError(f"{where}: {name} is {plain_line(flag, 40)!r}; give true or false")
    missing = given.get("missing", _MISSING[0])
    if missing not in _MISSING:
        raise UsageError(f"{where}: missing is {plain_line(missing, 40)!r}; give 'worst' or 'pairs'")
    for name in (*_SHARES, "level"):
        if name in values and not 0 <= values[name] <= 1:
            raise UsageError(f"{where}: {name} is {values[name]:g}; give a share in 0..1")
    if not 0.5 < values.get("level", 0.95) < 1:
        raise UsageError(f"{where}: level is {values['level']:g}; give a confidence level such as 0.95")
    scorers = _scorers(given.get("scorers") or {}, where)
    if not scorers and len(values) == ("level" in values):
        raise UsageError(f"{where}: nothing is asked; name a criterion, {_EXAMPLE}")
    said: dict[str, Any] = {**flags, **values}
    return Criteria(scorers=scorers, missing=missing, **said)


def _scorers(given: Any, where: str) -> dict[str, dict[str, float]]:
    if not hasattr(given, "items"):
        raise UsageError(f"{where}: scorers is a mapping, {_EXAMPLE}")
    found: dict[str, dict[str, float]] = {}
    for name, asked in given.items():
        if not hasattr(asked, "items") or not asked:
            raise UsageError(f"{where}: scorers.{name} is a mapping of {', '.join(_OF_SCORER)}, {_EXAMPLE}")
        for key in asked:
            if key not in _OF_SCORER:
                raise UsageError(f"{where}: scorers.{name}: {did_you_mean('criterion', str(key), _OF_SCORER)}")
        found[str(name)] = {key: _number(value, f"{where}: scorers.{name}.{key}") for key, value in asked.items()}
        if found[str(name)].get("max_loss", 0.0) < 0:
            raise UsageError(f"{where}: scorers.{name}.max_loss is the largest acceptable loss, 0 or more")
    return found


def _number(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise UsageError(f"{where} is {plain_line(value, 60)!r}; give a number")
    return float(value)


def margins_of(criteria: Criteria) -> Mapping[str, float]:
    """Return the acceptable loss of each scorer that names one."""
    return {name: asked["max_loss"] for name, asked in criteria.scorers.items() if "max_loss" in asked}


def read_pairs(text: str) -> dict[str, float]:
    """Return what a text such as "source_support=0.03 refusal=0.05" says, for the parameters of a runbook.

    Raises:
        UsageError: A part is no NAME=NUMBER.

    Example:
        >>> read_pairs("source_support=0.03 refusal=0.05")
        {'source_support': 0.03, 'refusal': 0.05}
    """
    found: dict[str, float] = {}
    for part in text.replace(",", " ").split():
        name, _, value = part.rpartition("=")
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not name or not math.isfinite(number):
            raise UsageError(f"{plain_line(part, 60)!r}: give NAME=NUMBER, such as source_support=0.03")
        found[name] = number
    return found
