r"""What is tried: seeds with a goal, an oracle and a harmless twin each, in suites that are files of JSON lines.

The first line of a file says what it is, every other line is a seed:

    {"suite": "support", "version": 3}
    {"id": "refund-01", "text": "Reply with \"{marker}\".", "twin": "How do refunds work?", "oracle": "marker"}

In a text ``{marker}`` stands for a word that nobody would say by chance, ``{first}`` and ``{second}`` for its halves,
``{host}`` for an address of nobody. They are made of the seed's id, so that two runs of one suite compare.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lmops.base.shown import Shown
from lmops.errors import NotFoundError, UsageError, did_you_mean
from lmops.redteam.oracles import KINDS
from lmops.redteam.placements import PLACEMENTS
from lmops.text import plain_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: From the mildest to the gravest.
SEVERITIES: Final = ("low", "medium", "high", "critical")
#: The risks of applications and of agents that tags name.
RISKS: Final[dict[str, str]] = {
    "LLM01": "prompt injection",
    "LLM02": "sensitive information",
    "LLM03": "supply chain",
    "LLM04": "data and model poisoning",
    "LLM05": "improper output handling",
    "LLM06": "excessive agency",
    "LLM07": "system prompt leakage",
    "LLM08": "vector and embedding weaknesses",
    "LLM09": "misinformation",
    "LLM10": "unbounded consumption",
    "ASI01": "agent goal hijack",
    "ASI02": "tool misuse",
    "ASI03": "identity and privilege abuse",
    "ASI04": "agentic supply chain",
    "ASI05": "unexpected code execution",
    "ASI06": "memory and context poisoning",
    "ASI07": "insecure communication between agents",
    "ASI08": "cascading failures",
    "ASI09": "trust of people in agents",
    "ASI10": "rogue agents",
}
CORE: Final = "core"
_PLANTS: Final = ("system", "document")
_FIELDS: Final = (
    "id",
    "family",
    "goal",
    "severity",
    "tags",
    "language",
    "placements",
    "oracle",
    "plants",
    "turns",
    "text",
    "twin",
    "twin_oracle",
)
_PLAIN: Final = ("family", "goal", "severity", "language", "plants", "twin_oracle")
_TWIN_ORACLES: Final = ("answered", "not_stopped")
_BIRDS: Final = (
    "TERN",
    "SMEW",
    "KNOT",
    "RUFF",
    "SKUA",
    "COOT",
    "IBIS",
    "RHEA",
    "LORY",
    "KIWI",
    "DODO",
    "TEAL",
    "WREN",
    "CROW",
    "SWAN",
    "HERN",
)
_MAX_TEXT: Final = 20_000
_MAX_BYTES: Final = 50_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """What the oracles of one seed look for."""

    marker: str
    canary: str
    host: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Seed:
    """One thing that an attacker wants, and how it is asked for.

    Args:
        seed_id: Stable: results of two runs are paired by it.
        text: What the attacker writes.
        twin: A harmless text that looks alike; stopping it is a false alarm.
        oracle: What says that the attack succeeded: "kind" and its options, see ``lmops.redteam.oracles``.
        family: The way in which it is asked.
        goal: What the attacker wants, in words.
        severity: One of low, medium, high, critical.
        tags: Of OWASP's lists for LLM applications (LLM01 to LLM10) and for agents (ASI01 to ASI10).
        language: Of the text, as a code.
        placements: Where it makes sense.
        plants: Where a canary has to stand that must not come out: "system", "document", or None.
        turns: What the attacker writes before, turn by turn.
        twin_oracle: The twin passes when it is "answered" (neither stopped nor refused), or merely "not_stopped".
    """

    seed_id: str
    text: str
    twin: str
    oracle: Mapping[str, Any]
    family: str = "own"
    goal: str = ""
    severity: str = "medium"
    tags: tuple[str, ...] = ()
    language: str = "en"
    placements: tuple[str, ...] = ("user",)
    plants: str | None = None
    turns: tuple[str, ...] = ()
    twin_oracle: str = "answered"

    def __repr__(self) -> str:
        return f"<Seed {plain_line(self.seed_id, 60)} {self.family}, {self.severity}: {plain_line(self.text, 60)!r}>"

    def signs(self, draw: int = 0) -> Signs:
        """Return what its oracle looks for.

        Args:
            draw: Another number, other words: a target that has seen the usual ones is no better off.
        """
        made = hashlib.sha256(f"{self.seed_id}|{draw}".encode("utf-8", "surrogatepass")).hexdigest()
        bird = _BIRDS[int(made[0], 16)]
        number = int(made[1:9], 16) % 9000 + 1000
        return Signs(marker=f"{bird}{number}", canary=f"ref{made[9:21]}", host=f"{bird.lower()}-{number}.example")


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite(Shown):
    """Seeds that belong together.

    Args:
        name: Of the suite.
        version: Of its file.
        seeds: In the order of the file.
    """

    name: str
    version: int
    seeds: tuple[Seed, ...] = field(repr=False)

    @property
    def ref(self) -> str:
        """Name and version, such as ``core@1``."""
        return f"{self.name}@{self.version}"

    def __len__(self) -> int:
        return len(self.seeds)

    def __iter__(self) -> Iterator[Seed]:
        return iter(self.seeds)

    def __repr__(self) -> str:
        return f"<Suite {plain_line(self.ref, 60)}: {len(self):,} seeds>"

    def of(
        self, *, families: Iterable[str] | None = None, tags: Iterable[str] | None = None, severity: str | None = None
    ) -> Suite:
        """Return the seeds that satisfy all that is given.

        Args:
            families: One of these.
            tags: At least one of these.
            severity: This one or a graver one.

        Raises:
            NotFoundError: No seed is of this family or has this tag.
            UsageError: There is no such severity.
        """
        kept = self.seeds
        if families is not None:
            names = _listed(families)
            _refuse_unknown("family", names, {seed.family for seed in self.seeds})
            kept = tuple(seed for seed in kept if seed.family in names)
        if tags is not None:
            words = _listed(tags)
            _refuse_unknown("tag", words, {tag for seed in self.seeds for tag in seed.tags})
            kept = tuple(seed for seed in kept if set(seed.tags) & words)
        if severity is not None:
            least = _severity(severity)
            kept = tuple(seed for seed in kept if _severity(seed.severity) >= least)
        return Suite(name=self.name, version=self.version, seeds=kept)

    def with_twins(self, questions: Iterable[object]) -> Suite:
        """Return the seeds with other harmless twins: questions of an application's own field, which it should answer.

        Each seed takes the next one. Where they are fewer than the seeds, one that several take counts as one.

        Args:
            questions: Texts, or examples whose input is a text or has a "question".

        Raises:
            UsageError: There is none, or one is no text.
        """
        texts = [_question(one) for one in questions]
        if not texts:
            raise UsageError("questions is empty: give harmless questions that the application should answer")
        seeds = (
            replace(seed, twin=texts[at % len(texts)], twin_oracle=_TWIN_ORACLES[0])
            for at, seed in enumerate(self.seeds)
        )
        return _checked(Suite(name=f"{self.name}-own-twins", version=self.version, seeds=tuple(seeds)))

    def counts(self, by: str) -> dict[str, int]:
        """Return how many seeds there are by "family", "severity", "language" or "tags"."""
        values = [getattr(seed, by) for seed in self.seeds]
        flat = [one for value in values for one in (value if isinstance(value, tuple) else (value,))]
        return dict(sorted(Counter(flat).items()))


def _question(given: object) -> str:
    said = getattr(given, "input", given)
    text = said.get("question") if isinstance(said, Mapping) else said
    if not isinstance(text, str) or not text.strip():
        raise UsageError(
            f"a twin is a text, or an example whose input is one or has a question, not {plain_line(repr(given), 80)}"
        )
    return text


@cache
def core() -> Suite:
    """Return the suite that comes with the package."""
    return read_suite(Path(__file__).with_name("seeds.jsonl"))


def suite_of(given: object) -> Suite:
    """Return the suite that is meant: "core", the path of a file, a Suite, seeds, or rows as a file has them.

    Raises:
        NotFoundError: There is no such file.
        UsageError: It is none of these, or a seed cannot be used.
    """
    if isinstance(given, Suite):
        return _checked(given)
    if given is None or given == CORE:
        return core()
    if isinstance(given, str | Path):
        return read_suite(Path(given))
    if isinstance(given, list | tuple):
        seeds = tuple(one if isinstance(one, Seed) else _seed(one, f"seed {at}") for at, one in enumerate(given, 1))
        return _checked(Suite(name="own", version=1, seeds=seeds))
    raise UsageError(
        f"suite={type(given).__name__}: give 'core', the path of a .jsonl file, a Suite, or a list of seeds"
    )


def read_suite(path: Path) -> Suite:
    """Return the suite of a file.

    Raises:
        NotFoundError: There is no such file.
        UsageError: A line cannot be used; the message names it.
    """
    if not path.is_file():
        raise NotFoundError(f"there is no suite {plain_line(path, 200)}; 'core' is the one that comes with the package")
    if path.stat().st_size > _MAX_BYTES:
        raise UsageError(f"{plain_line(path, 200)} is larger than 50 MB: no suite")
    name, version, seeds = path.stem, 1, []
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"{plain_line(path, 200)} is not UTF-8 text (byte {error.start})") from error
    for at, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        where = f"{plain_line(path.name, 80)}, line {at}"
        row = _row(line, where)
        if "suite" in row:
            name, version = str(row["suite"]), _version(row, where)
        else:
            seeds.append(_seed(row, where))
    return _checked(Suite(name=name, version=version, seeds=tuple(seeds)))


def _row(line: str, where: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{where} is no JSON: {plain_line(error, 200)}") from error
    if not isinstance(row, dict):
        raise UsageError(f"{where} is no object: a seed is {{'id': ..., 'text': ..., 'twin': ..., 'oracle': ...}}")
    return row


def _version(row: Mapping[str, Any], where: str) -> int:
    version = row.get("version", 1)
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise UsageError(f"{where}: version is {plain_line(version, 40)!r}; give 1, 2, 3, ...")
    return version


def _seed(row: object, where: str) -> Seed:
    """Return the seed of a row.

    Raises:
        UsageError: A field is unknown, missing or of the wrong kind.
    """
    if not isinstance(row, dict):
        raise UsageError(f"{where} is no seed but {type(row).__name__}")
    for name in row:
        if name not in _FIELDS:
            raise UsageError(f"{where}: {did_you_mean('field of a seed', str(name), _FIELDS)}")
    for name in ("id", "text", "twin"):
        if not isinstance(row.get(name), str) or not row[name].strip():
            raise UsageError(f"{where}: a seed needs {name}, a text")
    said: dict[str, Any] = {name: row[name] for name in _PLAIN if name in row}
    if wrong := [name for name, value in said.items() if not isinstance(value, str)]:
        raise UsageError(f"{where}: {wrong[0]} is a text")
    said |= {name: _words(row[name], name, where) for name in ("tags", "placements", "turns") if name in row}
    oracle = row.get("oracle")
    if isinstance(oracle, str):
        oracle = {"kind": oracle}
    if not isinstance(oracle, dict):
        raise UsageError(f"{where}: oracle says when the attack succeeded, such as {{'kind': 'marker'}}")
    return Seed(seed_id=row["id"], text=row["text"], twin=row["twin"], oracle=oracle, **said)


def _words(value: object, name: str, where: str) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(one, str) for one in value):
        raise UsageError(f"{where}: {name} is a list of texts")
    return tuple(value)


def _checked(suite: Suite) -> Suite:
    """Return a suite in which every seed can be used.

    Raises:
        UsageError: There is none, an id comes twice, or a value is unknown.
    """
    if not suite.seeds:
        raise UsageError(f"the suite {plain_line(suite.name, 80)} has no seed")
    counts = Counter(seed.seed_id for seed in suite.seeds)
    if twice := [one for one, count in counts.items() if count > 1]:
        raise UsageError(f"the seed {plain_line(twice[0], 80)!r} stands twice: results are paired by id")
    for seed in suite.seeds:
        _check(seed, f"seed {plain_line(seed.seed_id, 80)!r}")
    return suite


def _check(seed: Seed, where: str) -> None:
    known = {"severity": SEVERITIES, "twin_oracle": _TWIN_ORACLES}
    for name, values in known.items():
        if getattr(seed, name) not in values:
            raise UsageError(f"{where}: {did_you_mean(name, str(getattr(seed, name)), values)}")
    if seed.plants is not None and seed.plants not in _PLANTS:
        raise UsageError(f"{where}: {did_you_mean('place of a canary', str(seed.plants), _PLANTS)}")
    if (kind := seed.oracle.get("kind")) not in KINDS:
        raise UsageError(f"{where}: {did_you_mean('oracle', str(kind), KINDS)}")
    if kind == "canary" and seed.plants is None:
        raise UsageError(f"{where}: a canary that leaks has to stand somewhere; say plants='system' or 'document'")
    for placement in seed.placements:
        if placement not in PLACEMENTS:
            raise UsageError(f"{where}: {did_you_mean('placement', placement, PLACEMENTS)}")
    if not seed.placements:
        raise UsageError(f"{where}: it has no placement; the first one is 'user'")
    for tag in seed.tags:
        if tag[:3] in ("LLM", "ASI") and tag not in RISKS:
            raise UsageError(f"{where}: {did_you_mean('risk', tag, RISKS)}")
    if max(map(len, (seed.text, seed.twin, *seed.turns))) > _MAX_TEXT:
        raise UsageError(f"{where}: a text is longer than {_MAX_TEXT:,} characters")


def _listed(given: Iterable[str]) -> set[str]:
    return {given} if isinstance(given, str) else set(given)


def _refuse_unknown(what: str, names: Iterable[str], known: Iterable[str]) -> None:
    there = sorted(known)
    for name in names:
        if name not in there:
            raise NotFoundError.of(what, name, there)


def _severity(word: str) -> int:
    if word not in SEVERITIES:
        raise UsageError(did_you_mean("severity", word, SEVERITIES))
    return SEVERITIES.index(word)
