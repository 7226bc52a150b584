"""The condition that a checked search becomes: SQL over ``traces t``; see :mod:`lmops.traces._predicate`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from lmops.errors import QueryError
from lmops.store import LONG_COLUMNS, is_cut_sql, whole_sql

if TYPE_CHECKING:
    from collections.abc import Mapping

Kind = Literal["number", "text", "bool", "time", "list", "path", "any"]
Level = Literal["none", "trace", "model", "any_span", "span"]

#: Columns of ``traces`` that are previews of what a span says.
_PREVIEWS: Final = frozenset({"input", "output"})
#: Functions whose arguments are numbers as well.
NUMBER_FUNCTIONS: Final = frozenset(
    {"abs", "ceil", "ceiling", "floor", "round", "sign", "sqrt", "ln", "log10", "log2", "pow", "power", "trunc"}
)
#: kind of the result -> the functions a search may use; "any" is the kind of the arguments
_RESULTS: Final[dict[Kind, str]] = {
    "number": "abs ceil ceiling floor round sign sqrt ln log10 log2 pow power trunc length len strlen position instr "
    "strpos list_position year month day hour minute second dayofweek isodow dayofyear week date_part datepart "
    "date_diff datediff epoch epoch_ms levenshtein jaccard",
    "text": "lower upper lcase ucase trim ltrim rtrim substring substr left right replace concat concat_ws split_part "
    "reverse regexp_extract regexp_replace strftime dayname monthname strip_accents md5",
    "bool": "contains starts_with prefix suffix ends_with regexp_matches regexp_full_match like_escape ilike_escape "
    "list_contains list_has array_contains array_has list_has_any array_has_any list_has_all array_has_all isnan "
    "isinf isfinite",
    "time": "now today get_current_timestamp transaction_timestamp date_trunc datetrunc make_date make_timestamp "
    "time_bucket timezone to_years to_months to_weeks to_days to_hours to_minutes to_seconds to_milliseconds "
    "to_timestamp",
    "list": "list_value list_distinct list_sort",
    "any": "nullif greatest least ifnull coalesce if",
}
FUNCTIONS: Final[dict[str, Kind]] = {name: kind for kind, names in _RESULTS.items() for name in names.split(" ")}
_PLAIN_KEY: Final = re.compile(r"[A-Za-z0-9_.:-]+")


@dataclass(frozen=True, slots=True)
class Node:
    op: str
    kind: Kind
    children: tuple[Node, ...] = ()
    text: str = ""
    level: Level = "none"


class Writer:
    """Writes the condition: trace level as it is, each comparison on spans as "some span of the trace"."""

    def __init__(self, span_bounds_sql: str) -> None:
        self.bounds = f" and ({span_bounds_sql})" if span_bounds_sql else ""
        self.reads_whole = False

    def condition(self, node: Node) -> str:
        if node.op == "not":
            return f"(not {self.condition(node.children[0])})"
        if node.op == "or":
            return "(" + " or ".join(self.condition(child) for child in node.children) + ")"
        if node.op == "and":
            return "(" + " and ".join(self.conjuncts(node.children)) + ")"
        levels = _levels(node)
        if levels & {"span", "any_span"}:
            return self.some_span(node, levels)
        if "model" in levels:
            return self.some_model(node)
        previews = sorted(_previews(node)) if node.op != "present" else []
        return self.whole(node, previews) if previews else _sql(node)

    def whole(self, node: Node, previews: list[str]) -> str:
        """A condition on previews, which is asked of the whole text where one of them is cut."""
        self.reads_whole = True
        is_cut = {alias: " or ".join(is_cut_sql(f'{alias}."{name}"') for name in previews) for alias in ("t", "c")}
        aliases = dict(zip(previews, ("s", "s2"), strict=False))
        joins = "".join(f" join spans {alias} on {alias}.trace_id = c.trace_id" for alias in aliases.values())
        found = f"select c.trace_id from traces c{joins} where ({is_cut['c']}) and {_sql(_of_whole(node, aliases))}"
        return f"(case when {is_cut['t']} then t.trace_id in ({found}{self.bounds}) else {_sql(node)} end)"

    def conjuncts(self, children: tuple[Node, ...]) -> list[str]:
        """The parts of an AND; those that name only ``span.`` columns become one question about one span."""
        same = [child for child in children if _levels(child) - {"none"} == {"span"}]
        if len(same) < 2 or all(child.op == "not" for child in same):
            return [self.condition(child) for child in children]
        joined = Node("and", "bool", tuple(same))
        chosen = {id(child) for child in same}
        others = [self.condition(child) for child in children if id(child) not in chosen]
        return [*others, self.some_span(joined, frozenset({"span"}))]

    def some_span(self, node: Node, levels: frozenset[Level]) -> str:
        if "trace" in levels or "model" in levels:  # a comparison of a span with its trace
            source = "select 1 from spans s where s.trace_id = t.trace_id"
            if "model" in levels:
                raise QueryError("model beside a column of a span: write span.model or any_span.model instead")
            return f"exists ({source}{self.bounds} and {_sql(node)})"
        likely = "".join(f"{needle} and " for needle in _needles(node))
        return f"t.trace_id in (select s.trace_id from spans s where {likely}{_sql(node)}{self.bounds})"

    def some_model(self, node: Node) -> str:
        if node.op == "cmp" and node.text == "=":
            bare = [child for child in node.children if child.level == "model"]
            values = [child for child in node.children if child.op == "const" and child.kind == "text"]
            if bare and values:
                return f"coalesce(list_contains(t.models, {values[0].text}), false)"
        return f"coalesce(len(list_filter(t.models, lambda m: {_sql(node)})) > 0, false)"


def _sql(node: Node, want: Kind = "any") -> str:  # noqa: C901, PLR0911, PLR0912 - one branch per kind of node
    """Return the SQL of a node that is read on one row; ``want`` is the kind its place asks of an attribute."""
    if node.op == "const":
        return node.text
    if node.op == "column":
        if node.level == "model":
            return "m"
        return f't."{node.text}"' if node.level == "trace" else _span_column(node.text)
    if node.op == "raw":
        return node.text
    if node.op == "path":
        text = _span_column(node.children[0].text)
        value = f"json_extract_string({text}, {quoted(node.text)})" if node.text else text
        return f"try_cast({value} as double)" if want == "number" else value
    if node.op in {"and", "or"}:
        return "(" + f" {node.op} ".join(_sql(child) for child in node.children) + ")"
    if node.op == "not":
        return f"(not {_sql(node.children[0])})"
    if node.op == "present":
        of = node.children[0]
        # What is there is there in part as well.
        found = f's."{of.text}"' if of.op == "column" and of.level in {"span", "any_span"} else _sql(of)
        return f"({found} is not null)"
    if node.op == "cast":
        return f"try_cast({_sql(node.children[0])} as {node.text})"
    if node.op == "element":
        return f"{_sql(node.children[0])}[{_sql(node.children[1])}]"
    parts = _parts(node, want)
    if node.op == "in":
        return f"({parts[0]} in ({', '.join(parts[1:])}))"
    if node.op == "between":
        return f"({parts[0]} between {parts[1]} and {parts[2]})"
    if node.op == "case":
        checks = "".join(f" when {parts[i]} then {parts[i + 1]}" for i in range(0, len(parts) - 1, 2))
        return f"(case{checks} else {parts[-1]} end)"
    if node.op == "func":
        return f"{node.text}({', '.join(parts)})"
    if len(parts) == 1:  # -x, +x
        return f"({node.text}{parts[0]})"
    return f"({parts[0]} {node.text} {parts[1]})"


def _parts(node: Node, want: Kind) -> list[str]:
    """Return the SQL of the children; an attribute beside a number, or where a number is due, is read as a number."""
    children = node.children
    inner: Kind = "any"
    if node.op == "arith" or (node.op == "func" and node.text in NUMBER_FUNCTIONS):
        inner = "any" if node.kind == "time" else "number"
    elif node.op in {"cmp", "in", "between"}:
        inner = "number" if any(child.kind == "number" for child in children) else "any"
    elif node.op == "case" or (node.op == "func" and FUNCTIONS.get(node.text, "any") == "any"):
        inner = want
    if node.op == "cmp" and any(child.kind == "bool" for child in children):
        # true and false are sent as JSON, so an attribute compares with their names
        return [f"cast({_sql(c)} as varchar)" if c.op == "const" and _has_path(node) else _sql(c) for c in children]
    return [_sql(child, inner) for child in children]


def _needles(node: Node) -> list[str]:
    """Return cheap conditions that every matching row meets: its JSON text contains the name of the attribute.

    Looking for text is several times faster than parsing JSON. Only for nodes that are never true when the attribute
    is missing, and only for names that JSON writes as they are.
    """
    if node.op == "and":
        return [needle for child in node.children for needle in _needles(child)]
    if node.op not in {"cmp", "in", "between", "infix", "present"} or "distinct" in node.text:
        return []
    if any(child.op not in {"const", "column", "path"} for child in node.children):
        return []
    found = []
    for child in node.children:
        key = child.text[1:].split("/", maxsplit=1)[0] if child.op == "path" else ""
        if key and _PLAIN_KEY.fullmatch(key):
            needles = [f'"{key}"']
            if node.op == "cmp" and node.text == "=":
                texts = (other.text[1:-1] for other in node.children if other.op == "const" and other.kind == "text")
                needles += [text for text in texts if _PLAIN_KEY.fullmatch(text)]
            found += [f"contains({_span_column(child.children[0].text)}, {quoted(needle)})" for needle in needles]
    return found


def _span_column(name: str) -> str:
    column = f's."{name}"'
    return whole_sql(name, column) if name in LONG_COLUMNS else column


def _previews(node: Node) -> frozenset[str]:
    """Return the previews of a trace that a condition reads."""
    if node.op == "column":
        return frozenset({node.text} & _PREVIEWS if node.level == "trace" else ())
    return frozenset().union(*map(_previews, node.children))


def _of_whole(node: Node, aliases: Mapping[str, str]) -> Node:
    """Return a condition on ``traces t`` as one on ``traces c`` and the spans that its previews are of."""
    if node.op == "column":
        sql = f'c."{node.text}"'
        if node.text in aliases:
            sql = f"whole_said({aliases[node.text]}.\"{node.text}\", '{node.text}', {sql})"
        return Node("raw", node.kind, (), sql)
    return Node(node.op, node.kind, tuple(_of_whole(child, aliases) for child in node.children), node.text, node.level)


def _has_path(node: Node) -> bool:
    return any(child.kind == "path" for child in node.children)


def _levels(node: Node) -> frozenset[Level]:
    found: set[Level] = {node.level}
    for child in node.children:
        if node.op != "path":
            found |= _levels(child)
    return frozenset(found - {"none"}) or frozenset({"none"})


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
