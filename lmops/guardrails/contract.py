"""What a rail is: a small function that reads a text and says what it found, and where.

    @rail(stages=("output",), action="block")
    def competitor(given, *, names):
        for name in names:
            at = given.text.find(name)
            if at >= 0:
                yield Finding(at, at + len(name), "competitor")

A rail finds; the policy it stands in says what is done about it. Nothing here calls a model or the network.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import itertools
import json
import operator
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, get_args

from lmops.base.registry import Registry
from lmops.errors import UsageError, did_you_mean
from lmops.guardrails.normal import Folded
from lmops.text import plain_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from types import ModuleType

Stage = Literal["input", "retrieval", "tool_call", "tool_result", "output"]
Action = Literal["allow", "flag", "redact", "block"]
OnError = Literal["open", "closed"]
STAGES: Final[tuple[Stage, ...]] = get_args(Stage)
#: From the mildest to the gravest: of several, the gravest counts.
ACTIONS: Final[tuple[Action, ...]] = get_args(Action)
#: What a rail finds beyond this in one text is no finding but a fault of its own.
MAX_FINDINGS: Final = 100_000
#: What rails take from: a change there may change what they find.
_OURS: Final = ("lmops.guardrails.normal", "lmops.guardrails.rails.", "lmops.redact")


class Finding(NamedTuple):
    """One thing that a rail found in a text.

    Args:
        start: Its first character in the original text, from 0.
        end: Behind its last one; equal to start for what concerns the text as a whole.
        kind: What it is, such as "card" or "override".
        score: 0 to 1, of rails that score; None for a rule.
        note: A word on it that holds nothing of the text itself.
    """

    start: int
    end: int
    kind: str
    score: float | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What a rail reads.

    Args:
        text: The text as it came.
        stage: Where it was met.
        context: What the caller says beside it: question, documents, system_prompt, tool, arguments, canaries,
            cost_usd.
    """

    text: str = field(repr=False)
    stage: Stage
    context: Mapping[str, Any] = field(default_factory=dict, repr=False)
    _folded: list[Folded] = field(default_factory=list, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse a context that is none."""
        context: object = self.context
        if not isinstance(context, Mapping):
            said = type(context).__name__
            raise UsageError(f"context is what rails may know by name, and not {said}: context={{'question': '...'}}")

    @property
    def folded(self) -> Folded:
        """The text as rules read it, folded once for all rails; ``folded.span`` leads back to the text as it came."""
        if not self._folded:
            self._folded.append(Folded(self.text))
        return self._folded[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class RailKind:
    """A kind of rail as its author wrote it; a policy makes rails of it.

    Args:
        name: Under which policies name it.
        function: Takes a ``Given`` and its options by name, and yields ``Finding``s.
        stages: Where it makes sense.
        action: What is done about a finding unless the policy says otherwise.
        window: Most characters that one finding may span, so that streams hold back no more; None reads a text whole.
        is_score: Whether it scores rather than decides: it may block only with a card.
        grows: Of one that reads a text whole, whether what it finds in its beginning it finds in all of it: a stream
            goes on while it is asked.
        check: Takes its options by name and raises a ``UsageError`` for what cannot be, before any text is read.
    """

    name: str
    function: Callable[..., Iterable[Finding]] = field(repr=False)
    stages: tuple[Stage, ...] = STAGES
    action: Action = "flag"
    window: int | None = None
    is_score: bool = False
    grows: bool = False
    check: Callable[..., None] | None = field(default=None, repr=False)

    @property
    def doc(self) -> str:
        """What it does, in its author's words."""
        return inspect.getdoc(self.function) or ""

    @property
    def options(self) -> dict[str, Any]:
        """The options it takes -> their defaults; ``inspect.Parameter.empty`` for one that has to be said."""
        return {
            name: one.default
            for name, one in inspect.signature(self.function).parameters.items()
            if one.kind is inspect.Parameter.KEYWORD_ONLY
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Rail:
    """A rail in a policy: a kind with its options, and what is done about what it finds.

    Args:
        kind: Of which it is one.
        name: In its policy and on its spans.
        options: By name; what is not said is the default of the kind.
        action: What is done about a finding.
        on_error: "closed" blocks when the rail fails or is late, "open" lets pass; either is seen.
        timeout_s: Seconds for one check.
    """

    kind: RailKind
    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    action: Action
    on_error: OnError = "closed"
    timeout_s: float = 1.0

    @property
    def config_hash(self) -> str:
        """A short hash of all that decides what it finds: kind, source, options; what is done about it is not in it."""
        said = {"kind": self.kind.name, "source": _source(self.kind.function), "options": self.options}
        return hashlib.sha256(json.dumps(said, sort_keys=True, default=repr).encode()).hexdigest()[:16]

    def find(self, given: Given) -> list[Finding]:
        """Return what it found, in the order of the text.

        Raises:
            UsageError: It finds without end, or something that is no finding.
        """
        found = [*itertools.islice(self.kind.function(given, **self.options), MAX_FINDINGS + 1)]
        if len(found) > MAX_FINDINGS:
            raise UsageError(f"it found more than {MAX_FINDINGS:,} things in one text")
        if others := [one for one in found if not isinstance(one, Finding)]:
            raise UsageError(f"it returned {type(others[0]).__name__} in the place of a Finding")
        return sorted(found, key=operator.itemgetter(0, 1))  # scores may be None


def made(name: str, options: Mapping[str, Any] | None = None, *, action: Action | None = None) -> Rail:
    """Return a rail of the kind of this name.

    Args:
        name: One of :func:`available`.
        options: What the kind takes, by name.
        action: What is done about a finding; the kind's own by default.

    Raises:
        NotFoundError: No kind has this name; the nearest are named.
        UsageError: An option is unknown or missing, or the package that offers the kind is broken.
    """
    kind = KINDS.get(name)
    given, known = dict(options or {}), kind.options
    for option in given:
        if option not in known:
            raise UsageError(f"rail {name!r}: {did_you_mean('option', option, known)}")
    if lacking := [one for one, default in known.items() if default is inspect.Parameter.empty and one not in given]:
        raise UsageError(f"rail {name!r} needs {', '.join(lacking)}")
    if kind.check is not None:
        kind.check(**given)
    return Rail(kind=kind, name=name, options=given, action=action or kind.action)


def available() -> dict[str, str]:
    """Return every known kind of rail: name -> what it does; a broken plugin says what is wrong with it."""
    return KINDS.describe(lambda kind: plain_line(kind.doc.partition("\n")[0], 200))


def rail(
    *,
    name: str | None = None,
    stages: Sequence[Stage] = STAGES,
    action: Action = "flag",
    window: int | None = None,
    is_score: bool = False,
    grows: bool = False,
    check: Callable[..., None] | None = None,
) -> Callable[[Callable[..., Iterable[Finding]]], Callable[..., Iterable[Finding]]]:
    """Make a function a kind of rail and register it; a later one of the same name takes its place.

    Args:
        name: The function's own by default.
        stages: Where it makes sense.
        action: What is done about a finding unless a policy says otherwise.
        window: Most characters that one finding may span; None reads a text whole.
        is_score: Whether it scores rather than decides.
        grows: Of one that reads a text whole, whether what it finds in its beginning it finds in all of it.
        check: Takes its options by name and raises a ``UsageError`` for what cannot be.

    Raises:
        UsageError: A stage or an action is none.
    """
    for stage in stages:
        if stage not in STAGES:
            raise UsageError(did_you_mean("stage", stage, STAGES))
    if action not in ACTIONS:
        raise UsageError(did_you_mean("action", action, ACTIONS))

    def registered(function: Callable[..., Iterable[Finding]]) -> Callable[..., Iterable[Finding]]:
        found = RailKind(
            name=name or function.__name__,
            function=function,
            stages=tuple(stages),
            action=action,
            window=window,
            is_score=is_score,
            grows=grows,
            check=check,
        )
        KINDS.register(found.name, found)
        return function

    return registered


def _accepted(name: str, offered: object) -> RailKind:
    """Return what a package offers, a kind or a plain function, as a kind."""
    if isinstance(offered, RailKind):
        return offered
    if not callable(offered):
        raise UsageError(f"rail {name!r}: give a function or a RailKind, not {type(offered).__name__}")
    return RailKind(name=name, function=offered)


@functools.lru_cache(maxsize=256)
def _source(function: Callable[..., Iterable[Finding]]) -> str:
    """Return a hash of what decides what a rail finds: its file, and the files of ours that its file takes from."""
    module = sys.modules.get(function.__module__)
    try:
        sources = [inspect.getsource(one) for one in _parts(module)] if module else []
    except (OSError, TypeError):  # of a notebook, or of no file at all
        sources = []
    try:
        sources = sources or [inspect.getsource(function)]
    except (OSError, TypeError):
        sources = [getattr(function, "__qualname__", type(function).__qualname__)]
    return hashlib.sha256("\0".join(sources).encode("utf-8", "surrogatepass")).hexdigest()


def _parts(module: ModuleType) -> list[ModuleType]:
    homes = {getattr(one, "__module__", None) for one in list(vars(module).values())}
    taken = sorted(str(home) for home in homes if str(home).startswith((*_OURS, f"{module.__name__}.")))
    return [module, *(sys.modules[home] for home in taken if home in sys.modules and home != module.__name__)]


#: Packages add kinds of rails under this group of entry points.
KINDS: Final = Registry[RailKind](
    "rail", group="lmops.guardrails", accept=_accepted, hint="lmops.guardrails.available() lists them"
)
