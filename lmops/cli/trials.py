"""``lmops route compare|power|canary|step|advise``: what arms are worth, and how a release goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lmops.cli.build import Verb
from lmops.cli.printing import plain_data
from lmops.cli.words import Word, pairs
from lmops.errors import UsageError
from lmops.routing import Routing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lmops.routing import Advice, ArmComparison, CanaryStatus, CanaryStep

#: 0: good, 1: not good, 3: it cannot be told.
_VERDICTS: Final = {"better": 0, "non_inferior": 0, "worse": 1, "inconclusive": 3, "invalid": 3}
_NEXT: Final = {"stop": 1, "stopped": 1, "wait": 3}
_ENDS: Final = "Ends with 0 when it is better or not worse, 1 when it is worse, 3 when it cannot be told."


def _margins(given: Sequence[str]) -> dict[str, float | None] | None:
    """Return guards with their margins out of ``METRIC`` or ``METRIC=MARGIN``; None: the usual ones."""
    found: dict[str, float | None] = {}
    for one in given:
        name, equals, margin = one.partition("=")
        try:
            found[name] = float(margin) if equals else None
        except ValueError:
            raise UsageError(f"{one!r}: give METRIC=MARGIN, such as error_rate=0.02") from None
    return found or None


def _pair(given: Sequence[str]) -> tuple[str, ...] | None:
    """Return two arms out of an option that is given twice; None: those of a route with two."""
    return tuple(given) or None


def _shares(given: Sequence[str]) -> tuple[float, ...] | None:
    """Return two shares out of an option that is given twice; None: those that the arms have."""
    try:
        return tuple(map(float, given)) or None
    except ValueError:
        raise UsageError(f"--share {' '.join(given)}: give a number in (0, 1) each") from None


def _or_as_planned(given: bool) -> bool | None:  # what was typed
    """Return whether shares are moved; None: as the plan says."""
    return given or None


def comparison_data(found: ArmComparison) -> dict[str, Any]:
    """Return a comparison as ``--json`` prints it."""
    split = {"counts": dict(zip(found.arms, found.split.counts, strict=False)), "p_value": found.split.p_value}
    return {
        **{name: getattr(found, name) for name in ("route", "treatment", "control", "verdict", "level")},
        "since": None if found.since is None else found.since.isoformat(),
        "until": None if found.until is None else found.until.isoformat(),
        "metrics": plain_data(found.df().to_dict("records")),
        "split": {**split, "is_mismatch": found.split.is_mismatch},
        "users_in_two": found.users_in_two,
        "elsewhere": dict(found.elsewhere),
        "notes": list(found.notes),
    }


def canary_data(found: CanaryStatus) -> dict[str, Any]:
    """Return a canary as ``--json`` prints it."""
    told = ("route", "version", "arm", "control", "share", "step", "steps", "n", "n_wanted", "decision", "reason")
    return {
        **{name: getattr(found, name) for name in told},
        "weights": None if found.weights is None else dict(found.weights),
        "comparison": None if found.comparison is None else comparison_data(found.comparison),
        "is_automatic": found.is_automatic,
    }


def step_data(found: CanaryStep) -> dict[str, Any]:
    """Return a step as ``--json`` prints it."""
    return {"is_moved": found.is_moved, "version": found.version, "status": canary_data(found.status)}


def _advised(found: Advice) -> int:
    return 3 if found.arm is None else 0


_ARMS: Final = Word(
    help="The arm that is asked about, then the one it is held against; give it twice.",
    metavar="ARM",
    is_many=True,
    read=_pair,
)
_MARGIN: Final = Word(help="The largest loss that is acceptable, in the unit of the metric.", metavar="MARGIN")
_LEVEL: Final = Word(help="Of the intervals, such as 0.95.", metavar="LEVEL")
_WEIGHTS: Final = pairs("a share", convert=float)
_TIGHTEST: Final = Word(help="Pairs of users at which intervals are tightest.", metavar="N")

COMMANDS = [
    Verb(
        "routing",
        Routing.compare,
        help="Hold two arms of route NAME against each other by METRIC, by user, with intervals that hold at every "
        f"look.\n\n{_ENDS}",
        example="lmops route compare support score.source_support --margin 0.02 --guard error_rate=0.01",
        words={
            "metric": Word(is_argument=True, metavar="METRIC"),
            "arms": _ARMS,
            "guards": Word(
                help="A metric that must not get worse; may be repeated.",
                metavar="METRIC[=MARGIN]",
                is_many=True,
                read=_margins,
            ),
            "margin": _MARGIN,
            "by": Word(help="Whose requests belong together: user_id or key.", metavar="BY"),
            "level": _LEVEL,
            "tightest_at": _TIGHTEST,
        },
        text=lambda found: found.text,
        data=comparison_data,
        code=lambda found: _VERDICTS[found.verdict],
    ),
    Verb(
        "routing",
        Routing.power,
        help="Say how many users it takes to tell a difference of METRIC between two arms of route NAME.",
        example="lmops route power support error_rate --effect 0.01",
        words={
            "metric": Word(is_argument=True, metavar="METRIC"),
            "effect": Word(help="The difference, in the unit of the metric; a tenth by default.", metavar="NUMBER"),
            "arms": _ARMS,
            "shares": Word(
                help="That the two arms would have; give it twice.", metavar="SHARE", is_many=True, read=_shares
            ),
            "power": Word(help="With which it is to be told, such as 0.8.", metavar="SHARE"),
            "level": _LEVEL,
            "tightest_at": _TIGHTEST,
        },
        text=lambda found: found.text,
        data=plain_data,
    ),
    Verb(
        "routing",
        Routing.canary,
        help="Say how the canary of route NAME stands, and what is next.\n\nEnds with 0 when it goes on or is through, "
        "1 when it is to be stopped, 3 when it waits.",
        example="lmops route canary support",
        text=lambda found: found.text,
        data=canary_data,
        code=lambda found: _NEXT.get(found.decision, 0),
    ),
    Verb(
        "routing",
        Routing.step,
        acts=True,
        help="Move the canary of route NAME by one step, stop it or promote it, as the evidence says; safe to do "
        "again.\n\nEnds as lmops route canary does.",
        example="lmops route step support --act --reason 'as planned'",
        words={"act": Word(help="Move the shares, also where the plan only proposes.", read=_or_as_planned)},
        text=lambda found: found.text,
        data=step_data,
        code=lambda found: _NEXT.get(found.status.decision, 0),
    ),
    Verb(
        "routing",
        Routing.weigh,
        acts=True,
        help="Give the arms of route NAME other shares, and keep all else of it.",
        example="lmops route weigh support current=0.8 next=0.2 --reason 'looks good'",
        words={
            "weights": Word(is_argument=True, metavar="ARM=SHARE...", is_many=True, read=_WEIGHTS),
            "expected": Word(help="Where you saw the alias production; 0: it did not exist.", metavar="VERSION"),
        },
        text=lambda found: found.text,
        data=plain_data,
    ),
    Verb(
        "routing",
        Routing.advise,
        help="Name the cheapest arm of route NAME whose QUALITY is not worse than that of the best by a margin.\n\n"
        "Ends with 0 when there is one, 3 when it cannot be told yet.",
        example="lmops route advise support score.source_support --margin 0.02",
        words={
            "quality": Word(is_argument=True, metavar="QUALITY"),
            "margin": _MARGIN,
            "source": Word(help="traffic, or evals: the newest runs of each arm.", metavar="SOURCE"),
            "cost": Word(help="The metric that is to be low.", metavar="METRIC"),
            "dataset": Word(help="Of the runs.", metavar="DATASET"),
            "level": _LEVEL,
            "tightest_at": _TIGHTEST,
        },
        text=lambda found: found.text,
        data=plain_data,
        code=_advised,
    ),
]
