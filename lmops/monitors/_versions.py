"""What a version of a monitor is in the store, and whether what somebody asks for can be one."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple, get_args

from lmops.errors import QueryError, UsageError, did_you_mean
from lmops.metrics import items_sql, metric_of
from lmops.monitors._records import Direction, Method, Monitor, Severity
from lmops.records import Kind, check_word, text_hash, told
from lmops.text import plain_line
from lmops.times import from_ns, to_ns
from lmops.traces import seconds

if TYPE_CHECKING:
    import sqlite3

    from lmops.records import Row
    from lmops.store import Store

#: The baseline of the same hour of the week is of so long before.
WEEKS_S: Final = 28 * 86_400
_HOURS: Final = "same hour of the week"
_MOST: Final = 100  # series
#: What a limit is of each method that needs one, and what it is by itself.
_LIMITS: Final[dict[str, tuple[str, float | None]]] = {
    "detector": ("", None),
    "drift": ("how far the share of a part may move, such as 0.1", 0.1),
    "threshold": ("the limit, in the unit of the metric", None),
    "anomaly": ("how many robust standard deviations a query may be away", 5.0),
    "burn": ("what may be spent in 30 days: USD, or the share of failures", None),
    "silence": ("how many usual gaps it may be silent", 10.0),
}
_COLUMN: Final = re.compile(r"[a-z_][a-z0-9_]*")


class Baseline(NamedTuple):
    """What a monitor is held against, taken apart."""

    kind: str  # first, rolling, hours, pinned
    span_ns: int = 0
    since_ns: int = 0
    until_ns: int = 0


def baseline_of(words: str) -> Baseline:
    """Take a baseline apart.

    Raises:
        UsageError: It is none.
    """
    kind, _, rest = words.strip().partition(" ")
    if words.strip() == _HOURS:
        return Baseline("hours", span_ns=WEEKS_S * 10**9)
    if kind in ("first", "rolling") and rest:
        return Baseline(kind, span_ns=int(seconds(rest) * 1e9))
    if ".." in words:
        since, until = (to_ns(part) for part in words.split("..", 1))
        if since < until:
            return Baseline("pinned", span_ns=until - since, since_ns=since, until_ns=until)
    raise UsageError(
        f"baseline={plain_line(words, 80)!r}: write 'first 3d', 'rolling 7d', 'same hour of the week', or two times: "
        "'2026-10-01..2026-10-08'"
    )


def body_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of a monitor out of the arguments of ``save``, each checked by itself.

    Raises:
        UsageError: One cannot be used.
    """
    metric = metric_of(given["metric"])
    for name, kinds in (("method", Method), ("severity", Severity)):
        if given[name] not in get_args(kinds):
            raise UsageError(did_you_mean(name, str(given[name]), get_args(kinds)))
    direction = given["direction"] or metric.worse
    if direction not in get_args(Direction):
        raise UsageError(did_you_mean("direction", str(direction), get_args(Direction)))
    by = [given["by"]] if isinstance(given["by"], str) else [*(given["by"] or ())]
    if not all(isinstance(one, str) and _COLUMN.fullmatch(one) for one in by):
        raise UsageError(f"by={by!r:.80}: give names of columns of the view {metric.view}, such as 'service'")
    if given["method"] == "burn" and metric.kind == "quantile":
        raise UsageError(f"a percentile such as {metric.name} has no budget: burn is of a rate, or of a sum (a mean)")
    if metric.part is not None and given["method"] != "drift":
        raise UsageError(f"{metric.name} is a mix of kinds, which has no level: watch it with method='drift'")
    if metric.kind == "rate" and given["method"] == "drift":
        raise UsageError(f"{metric.name} is a rate, which has no distribution: watch it with method='detector'")
    seconds(given["window"])
    own = dict(given["metric"]) if isinstance(given["metric"], Mapping) else given["metric"]
    return {
        "metric": own,
        "by": by,
        "where": given["where"],
        "method": given["method"],
        "window": given["window"],
        "baseline": _baseline_words(given["baseline"]),
        "direction": direction,
        "limit": _limit(given["method"], given["limit"]),
        "margin": _number("margin", given["margin"], 0, 1),
        "every": _number("every", given["every"], 100, math.inf),
        "most": int(_number("most", given["most"], 1, _MOST)),
        "severity": given["severity"],
        "owner": given["owner"],
        "on": bool(given["on"]),
    }


def _baseline_words(given: object) -> str:
    words = f"{given['since']}..{given['until']}" if isinstance(given, Mapping) and len(given) == 2 else given
    if not isinstance(words, str):
        raise UsageError(f"baseline={words!r:.80}: give a text such as 'first 3d', or a mapping of since and until")
    baseline_of(words)
    return words.strip()


def _limit(method: str, limit: float | None) -> float | None:
    what, usual = _LIMITS[method]
    if not what and limit is not None:
        raise UsageError(f"method={method!r} has no limit: it is held against its baseline; give margin=")
    if what and limit is None and usual is None:
        raise UsageError(f"method={method!r} needs limit=: {what}")
    found = usual if limit is None else limit
    if found is not None and not (
        isinstance(found, int | float) and math.isfinite(found) and (method == "threshold" or found > 0)
    ):
        raise UsageError(f"limit={limit!r}: give {what}")
    return found


def _number(name: str, value: float, least: float, most: float) -> float:
    if not isinstance(value, int | float) or not least <= value <= most or not math.isfinite(value):
        end = "" if math.isinf(most) else f" and at most {most:g}"
        raise UsageError(f"{name}={value!r}: it is at least {least:g}{end}")
    return value


def refuse_what_cannot_be_asked(store: Store, monitor: Monitor) -> None:
    """Refuse a monitor whose metric, condition or columns the views do not have.

    Raises:
        UsageError: The store cannot answer it; the message has the store's words.
    """
    query = f"select * from ({items_sql(monitor.watched, by=monitor.by)}) limit 0"
    moment = from_ns(0)
    try:
        store.sql(query, {"since": moment, "until": moment}).fetchall()
    except QueryError as error:
        raise UsageError(
            f"monitor {monitor.name!r} cannot be asked of the view {monitor.watched.view}: "
            f"{plain_line(str(error), 400)}"
        ) from error


def made(body: Mapping[str, Any], **_told: Any) -> Monitor:
    """Return a monitor of its content and what is told of its version."""
    return Monitor(**{**body, "by": tuple(body["by"])}, **_told)


def _read(_store: Store, _con: sqlite3.Connection, row: Row) -> Monitor:
    return made(json.loads(row["body"]), **told(row))


def _problem(row: Row) -> str | None:
    return None if text_hash(row["body"]) == row["hash"] else "its content is not what was saved"


def _own(name: str) -> Any:
    return lambda row: json.loads(row["body"])[name]


def _metric(row: Row) -> str:
    return metric_of(json.loads(row["body"])["metric"]).name


KIND: Final = Kind(
    name="monitor",
    noun="monitors",
    table="monitor_versions",
    read=_read,
    own={"metric": _metric, **{name: _own(name) for name in ("method", "baseline", "severity", "owner", "on")}},
    check_name=lambda name: check_word(name, "a monitor"),
    problem=_problem,
)
