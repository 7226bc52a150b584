"""A scorer: a function that takes what it names, made safe to call on a million outputs.

    @scorer(range=(0, 1))
    def mentions_price(output, expected):
        return expected["price"] in output

What a function may name is the closed set ``PARAMETERS``; a parameter that it names without a default has to be there,
or the score is unmeasured.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
import inspect
import json
import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Generic, ParamSpec, cast

from lmops.base.loops import waited
from lmops.errors import UsageError, did_you_mean
from lmops.scorers._options import check_options
from lmops.scorers._records import Score, ScoreInput
from lmops.text import plain_line

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

P = ParamSpec("P")

#: What a scorer may name, and what "it is missing" is called.
PARAMETERS: Final[dict[str, str]] = {
    "output": "an output",
    "expected": "an expected value",
    "input": "an input",
    "metadata": "metadata",
    "documents": "documents",
    "tool_calls": "tool calls",
    "latency_ms": "a latency",
    "cost_usd": "a known cost",
    "input_tokens": "known input tokens",
    "output_tokens": "known output tokens",
    "trace_id": "a trace",
    "example": "an example",
    "complete": "a way to call a language model (run it with ws.evals.run)",
    "embed": "a way to call an embedding model (run it with ws.evals.run)",
    "repeat": "a repetition",
}
_OF_EXAMPLE: Final = frozenset({"input", "metadata"})
_MAX_REASON: Final = 2000
#: Not a scorer's own failure: somebody stops the program or the task.
_STOP: Final = (KeyboardInterrupt, GeneratorExit, asyncio.CancelledError)
#: Values that can be part of a version.
_PLAIN: Final = (str, int, float, bool, list, dict, tuple, set, frozenset)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scorer:
    """A named way to score an output; call :meth:`score` or :meth:`ascore`, or the function itself.

    Args:
        name: Under which its scores are kept.
        function: What computes the value.
        parameters: What the function takes.
        needs: What has to be there; otherwise the score is unmeasured.
        range: Least and greatest value; a value outside is an error. None at an end: open.
        higher_is_better: Whether more is better.
        options: What it was made with.
        kind: "code" or "judge".
    """

    name: str
    function: Callable[..., Any] = field(repr=False)
    parameters: tuple[str, ...]
    needs: tuple[str, ...] = ()
    range: tuple[float | None, float | None] | None = None
    higher_is_better: bool = True
    options: Mapping[str, Any] = field(default_factory=dict)
    kind: str = "code"
    source: str = field(default="", repr=False)
    doc: str = field(default="", repr=False)
    is_async: bool = False

    @property
    def version(self) -> str:
        """A short hash of its source and options (a judge: of its prompt and model too): equal when it scores alike."""
        made = _canonical(
            {
                "source": self.source or _source(self.function),
                "options": self.options,
                "needs": self.needs,
                "range": self.range,
                "higher_is_better": self.higher_is_better,
            }
        )
        return hashlib.sha256(made.encode("utf-8", "surrogatepass")).hexdigest()[:16]

    def __call__(self, *args: Any, **_named: Any) -> Any:
        """Return what the function itself returns."""
        return self.function(*args, **_named)

    def __repr__(self) -> str:
        given = self.options if self.kind == "code" else {"model": self.options.get("model")}
        options = ", ".join(f"{key}={plain_line(value, 40)}" for key, value in given.items() if value is not None)
        return f"<Scorer {self.name}{f'({options})' if options else ''} {self.version}>"

    def named(self, name: str) -> Scorer:
        """Return the same scorer under another name, so that a run can hold it twice."""
        return replace(self, name=checked_name(name))

    def score(self, given: ScoreInput) -> Score:
        """Return the score of one output; whatever goes wrong is in it.

        A scorer that calls a model runs in a loop of its own; inside a running loop await :meth:`ascore` instead.
        """
        missing = self._missing(given)
        if missing is not None:
            return missing
        try:
            found = self.function(*self._arguments(given))
            if self.is_async:
                answer = found
                found = waited(lambda: answer, name="lmops-score")
            return self._as_score(found)
        except _STOP:
            raise
        except BaseException as error:  # a scorer that fails, or calls sys.exit, is a score that says so
            return self._raised(error)

    async def ascore(self, given: ScoreInput) -> Score:
        """Return the score of one output; whatever goes wrong is in it."""
        if not self.is_async:
            return self.score(given)
        missing = self._missing(given)
        if missing is not None:
            return missing
        try:
            return self._as_score(await cast("Awaitable[Any]", self.function(*self._arguments(given))))
        except _STOP:
            raise
        except BaseException as error:  # likewise
            return self._raised(error)

    def _arguments(self, given: ScoreInput) -> list[Any]:
        return [given.example.get(name) if name in _OF_EXAMPLE else getattr(given, name) for name in self.parameters]

    def _missing(self, given: ScoreInput) -> Score | None:
        for name in self.needs:
            value = given.example.get(name) if name in _OF_EXAMPLE else getattr(given, name)
            if value is None:
                return Score(name=self.name, status="unmeasured", reason=f"there is not {PARAMETERS[name]}")
        return None

    def _raised(self, error: BaseException) -> Score:
        said = plain_line(error, _MAX_REASON)
        return Score(name=self.name, status="error", reason=f"{type(error).__name__}{': ' if said else ''}{said}")

    def _as_score(self, found: Any) -> Score:
        if isinstance(found, dict):
            found = _from_dict(found)
        if isinstance(found, Score):
            made = _plain_score(found, self.name)
            if made.status != "value":
                return made
            value, rationale, detail = made.value, made.rationale, made.detail
        else:
            value, rationale, detail = found, None, None
        if value is None:
            return Score(name=self.name, status="unmeasured", reason="the scorer returned None", detail=detail)
        if type(value) is not bool:
            value, problem = self._number(value)
            if problem is not None:
                return Score(name=self.name, status="error", reason=problem, rationale=rationale, detail=detail)
        return Score(name=self.name, value=value, rationale=rationale, detail=detail)

    def _number(self, value: Any) -> tuple[float | bool | None, str | None]:
        """Return the value as a number, or what is wrong with it."""
        if type(value) is not float and type(value) is not int:
            item = getattr(value, "item", None)
            value = item() if item is not None and getattr(value, "ndim", 0) == 0 else value
            if isinstance(value, bool):
                return value, None
            if not isinstance(value, int | float):
                return None, (
                    f"the scorer returned {type(value).__name__} {plain_line(value, 80)!r}; "
                    "it has to return a number, True, False, None or a Score"
                )
        try:
            number = float(value)
        except OverflowError:
            return None, "the scorer returned a number that is too large"
        if not math.isfinite(number):
            return None, f"the scorer returned {number}"
        if self.range is not None:
            low, high = self.range
            if (low is not None and number < low - 1e-9) or (high is not None and number > high + 1e-9):
                return None, f"the scorer returned {number:g}, outside its range {_range_words(self.range)}"
        return number, None


class ScorerFactory(Generic[P]):
    """Makes scorers with options: ``regex("TL-[0-9]+")``. Without options its name alone will do: ``"exact_match"``."""

    def __init__(
        self,
        make: Callable[P, Callable[..., Any]],
        *,
        name: str,
        range: tuple[float | None, float | None] | None,
        higher_is_better: bool,
        needs: tuple[str, ...] | None,
        kind: str,
    ) -> None:
        functools.update_wrapper(self, make)
        self.name = name
        self._make = make
        self._range = range
        self._higher_is_better = higher_is_better
        self._needs = needs
        self._kind = kind
        self._signature = inspect.signature(make)

    def __repr__(self) -> str:
        options = str(self._signature).partition(" -> ")[0].replace("'", "")
        return f"<ScorerFactory {self.name}{options}>"

    def __call__(self, *args: P.args, **_named: P.kwargs) -> Scorer:
        """Return the scorer with these options."""
        try:
            bound = self._signature.bind(*args, **_named)
        except TypeError:
            self._make(*args, **_named)  # says better which option there is none of
            raise
        check_options(self.name, self._signature, bound.arguments)
        made = self._make(*args, **_named)
        if isinstance(made, Scorer):
            return made
        bound.apply_defaults()
        return build(
            made,
            name=self.name,
            range=self._range,
            higher_is_better=self._higher_is_better,
            needs=self._needs,
            options=dict(bound.arguments),
            kind=self._kind,
            source=_source(self._make),
            doc=inspect.getdoc(self._make) or "",
        )


def build(
    function: Callable[..., Any],
    *,
    name: str | None = None,
    range: tuple[float | None, float | None] | None = None,
    higher_is_better: bool = True,
    needs: Iterable[str] | None = None,
    options: Mapping[str, Any] | None = None,
    kind: str = "code",
    source: str = "",
    doc: str = "",
) -> Scorer:
    """Return the scorer of one function; it is not registered.

    Raises:
        UsageError: It takes something that no scorer is given, or its name, range or needs cannot be used.
    """
    if not callable(function):
        raise UsageError(f"a scorer is a function; this is {type(function).__name__} {plain_line(function, 60)!r}")
    called = checked_name(name or str(getattr(function, "__name__", "")))
    names, required = _parameters(function, called)
    wanted = tuple(required if needs is None else needs)
    for asked in wanted:
        if asked not in PARAMETERS:
            raise UsageError(f"scorer {called!r}, needs: " + did_you_mean("input", asked, PARAMETERS))
    low, high = range or (None, None)
    if low is not None and high is not None and not low < high:
        raise UsageError(f"scorer {called!r}: range={range}: give (least, greatest)")
    is_async = inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(function, "__call__", None)  # noqa: B004  # an object with an async __call__
    )
    return Scorer(
        name=called,
        function=function,
        parameters=names,
        needs=wanted,
        range=range,
        higher_is_better=higher_is_better,
        options=options or {},
        kind=kind,
        source=source,
        doc=doc or inspect.getdoc(function) or "",
        is_async=is_async,
    )


def checked_name(name: str) -> str:
    """Return a name that can be one: 1 to 80 letters, digits and ``_-.:/``."""
    if name == "<lambda>":
        raise UsageError("a scorer made of a lambda needs a name: lmops.scorers.build(function, name=...)")
    if not 0 < len(name) <= 80 or not all(sign.isalnum() or sign in "_-.:/" for sign in name):
        raise UsageError(f"{plain_line(name, 60)!r} cannot name a scorer: use up to 80 letters, digits and _-.:/")
    return name


def _parameters(function: Callable[..., Any], name: str) -> tuple[tuple[str, ...], list[str]]:
    """Return what the function takes, and what of it has no default."""
    names, required = [], []
    given = function.keywords if isinstance(function, functools.partial) else {}
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name in given:
            continue
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.KEYWORD_ONLY):
            raise UsageError(
                f"scorer {name!r} takes {parameter}: name the parameters it needs, out of {', '.join(PARAMETERS)}"
            )
        if parameter.name not in PARAMETERS:
            message = did_you_mean("input of a scorer", parameter.name, PARAMETERS)
            raise UsageError(f"scorer {name!r}: {message}; options belong to a factory (lmops.scorers.scorer_factory)")
        names.append(parameter.name)
        if parameter.default is parameter.empty and parameter.name not in {"metadata", "example", "repeat"}:
            required.append(parameter.name)
    return tuple(names), required


def _source(function: Callable[..., Any]) -> str:
    """Return the source of a function with the plain values that it uses; its byte code when there is no source."""
    if isinstance(function, functools.partial):
        return _source(function.func) + _canonical([function.args, function.keywords])
    if not (inspect.isfunction(function) or inspect.ismethod(function)):
        state = {key: value for key, value in getattr(function, "__dict__", {}).items() if isinstance(value, _PLAIN)}
        kind: Any = type(function)
        return _text(kind) + _canonical(state)
    try:
        used = inspect.getclosurevars(function)
    except ValueError:  # a cell that is still empty
        return _text(function)
    found = {**used.globals, **used.nonlocals}
    plain = {key: value for key, value in found.items() if isinstance(value, _PLAIN)}
    return _text(function) + (_canonical(plain) if plain else "")


@functools.lru_cache(maxsize=1024)
def _text(made: Any) -> str:
    """Return the source of a function or a class, its byte code or name where there is none."""
    try:
        return inspect.getsource(made)
    except (OSError, TypeError):
        code = getattr(made, "__code__", None)
        return f"{code.co_code.hex()} {code.co_consts!r} {code.co_names!r}" if code else repr(made)


def _canonical(value: Any) -> str:
    """Return values as one text, equal for equal values; by their repr when keys are no texts, or it holds itself."""
    try:
        return json.dumps(value, sort_keys=True, default=_identity)
    except (TypeError, ValueError, RecursionError):
        return _identity(value)


def _identity(value: Any) -> str:
    """Return what stands for a value in a version: never an address in memory."""
    version = getattr(value, "version", None)
    if isinstance(version, str):
        return version
    if isinstance(value, set | frozenset):
        return str(sorted(map(str, value)))
    if callable(value):
        return _source(value)
    if isinstance(value, bytes):
        return value.hex()
    text = repr(value)
    return type(value).__qualname__ if " at 0x" in text else text


def _from_dict(found: dict[str, Any]) -> Score:
    """Return the score that a dict spells out."""
    unknown = set(found) - {"value", "reason", "rationale", "detail", "status"}
    if unknown or ("value" not in found and "status" not in found):
        return Score.failed(
            f"the scorer returned a dict with {', '.join(map(repr, sorted(map(str, found)))) or 'no key'}; "
            "a dict spells out a Score: value, rationale, detail"
        )
    return Score(**found)


def _plain_score(found: Score, name: str) -> Score:
    """Return a score as it can be kept: a known status, a value only where there is one, words that are text."""
    value = found.value if found.status == "value" else None
    reason, rationale = (None if text is None else str(text) for text in (found.reason, found.rationale))
    if found.status not in ("value", "unmeasured", "error"):
        reason = f"the scorer returned a Score with the status {plain_line(found.status, 40)!r}"
        return Score(name=name, status="error", reason=reason, rationale=rationale)
    detail = found.detail if found.detail is None or isinstance(found.detail, dict) else {"detail": found.detail}
    return replace(found, name=name, value=value, reason=reason, rationale=rationale, detail=detail)


def _range_words(range: tuple[float | None, float | None]) -> str:
    low, high = ("" if end is None else f"{end:g}" for end in range)
    return f"{low}..{high}"
