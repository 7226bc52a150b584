"""The search language for traces: one SQL boolean expression, compiled to a safe condition on ``traces t``.

What a name means:

- a column of ``traces`` (``status``, ``latency_ms``, ``name``, ``input``, ``models``, ...) is that column;
- ``model`` is any model that answered a call of the trace (an element of ``models``);
- any other column of ``spans`` (``kind``, ``tool_name``, ``provider``, ...) is that column of *some span* of the trace;
- ``attributes['k']`` (or ``attributes.k``; likewise ``resource``) is that attribute of some span. It is text, and a
  number where it meets a number: ``attributes['retry.count'] > 3``. An attribute that was not sent is NULL, never "";
- ``any_span.x`` is column ``x`` of some span, also where ``traces`` has a column of the same name;
- ``span.x`` is the same, but all ``span.`` comparisons joined by one AND are about *one and the same* span:
  ``span.kind = 'tool' and span.status = 'error'``;
- ``trace.x`` is column ``x`` of ``traces``;
- ``score.x`` is what scorer ``x`` said of the trace, a number; ``score."kind:polite"`` where the name is no word.

A text is searched whole, also where the row keeps only its beginning: the ``input`` and ``output`` of a trace beyond
their preview, long texts of spans out of their blobs.

A comparison on spans is true when some span satisfies it. The word NOT denies it for all: ``not kind = 'tool'``,
``tool_name not in ('a', 'b')`` and ``attributes['k'] is null`` hold when no span does; ``!=`` is a comparison.

The text is parsed by DuckDB's own parser; the tree is checked against closed lists of nodes, functions and types, and
the condition is written anew from it. Nothing of the text itself reaches the query.
"""

from __future__ import annotations

import functools
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from lmops.errors import QueryError, did_you_mean
from lmops.store import in_memory
from lmops.traces._predicate_sql import FUNCTIONS, Kind, Level, Node, Writer, quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import duckdb


MAX_LENGTH: Final = 20_000
MAX_DEPTH: Final = 60

#: JSON columns whose keys can be asked for.
_JSON_COLUMNS: Final = frozenset({"attributes", "resource"})
_COMPARISONS: Final = {
    "COMPARE_EQUAL": "=",
    "COMPARE_NOTEQUAL": "<>",
    "COMPARE_LESSTHAN": "<",
    "COMPARE_GREATERTHAN": ">",
    "COMPARE_LESSTHANOREQUALTO": "<=",
    "COMPARE_GREATERTHANOREQUALTO": ">=",
    "COMPARE_DISTINCT_FROM": "is distinct from",
    "COMPARE_NOT_DISTINCT_FROM": "is not distinct from",
}
_PAIRS: Final = (("=", "<>"), ("<", ">="), (">", "<="), ("is distinct from", "is not distinct from"))
_OPPOSITE: Final = dict([*_PAIRS, *((b, a) for a, b in _PAIRS)])
_ARITHMETIC: Final = frozenset({"+", "-", "*", "/", "//", "%"})
#: Operators that arrive as functions: name -> SQL. Their arguments are text.
_TEXT_OPERATORS: Final = {"~~": "like", "~~*": "ilike", "~~~": "glob", "||": "||"}
#: Negated operators: name -> the operator that NOT is put before.
_NEGATED: Final = {"!~~": "~~", "!~~*": "~~*", "not_like_escape": "like_escape", "not_ilike_escape": "ilike_escape"}
#: type names a cast may name -> (SQL type, kind)
_TYPES: Final[dict[str, tuple[str, Kind]]] = {
    **dict.fromkeys(("tinyint", "smallint", "integer", "int", "bigint", "int4", "int8", "long"), ("BIGINT", "number")),
    **dict.fromkeys(("hugeint",), ("HUGEINT", "number")),
    **dict.fromkeys(("float", "real", "double", "float4", "float8", "decimal", "numeric"), ("DOUBLE", "number")),
    **dict.fromkeys(("varchar", "text", "string", "char", "bpchar"), ("VARCHAR", "text")),
    **dict.fromkeys(("boolean", "bool", "logical"), ("BOOLEAN", "bool")),
    "date": ("DATE", "time"),
    "time": ("TIME", "time"),
    "timestamp": ("TIMESTAMP", "time"),
    "datetime": ("TIMESTAMP", "time"),
    **dict.fromkeys(("timestamptz", "timestamp with time zone"), ("TIMESTAMPTZ", "time")),
    "interval": ("INTERVAL", "time"),
}
_BEFORE: Final = "select 1 from t where "
_CLOCK: Final = frozenset({"current_timestamp", "current_date"})
#: A column that the caller makes of a scorer's name; the name is as :func:`lmops.scorers.checked_name` has it.
SCORE: Final = "score."
_SCORER: Final = re.compile(r"[\w.:/-]{1,80}")
_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_SHOWN: Final = 120  # characters of a search that a message repeats
_HINT: Final = "see the columns with ws.sql('describe traces') and ws.sql('describe spans')"


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledPredicate:
    """A checked condition, to stand after WHERE in a query over ``traces`` under the alias ``t``."""

    #: a complete boolean SQL expression, safe to put between AND and OR
    sql: str
    trace_columns: frozenset[str]
    span_columns: frozenset[str]
    #: whether previews that are cut are looked up in the spans
    reads_whole: bool = False

    @property
    def touches_spans(self) -> bool:
        """Whether the condition reads the spans (dearer than reading only the traces)."""
        return self.reads_whole or bool(self.span_columns)


def compile_predicate(
    where: str | None,
    *,
    trace_columns: Mapping[str, str],
    span_columns: Mapping[str, str],
    span_bounds_sql: str = "",
) -> CompiledPredicate:
    """Return the condition that a search expression stands for; for None or blank text it is always true.

    Args:
        where: one SQL boolean expression (see the module's text), at most 20,000 characters.
        trace_columns: name -> SQL type of the columns of ``traces``.
        span_columns: name -> SQL type of the columns of ``spans``.
        span_bounds_sql: a condition over ``spans s`` (such as a time range) that is added inside every subquery over
            spans. It is put into the query as it is, so it must come from code, never from input.

    Raises:
        QueryError: text that is not one boolean expression, an unknown column or function, or something that a
            search may not contain (a subquery, an aggregate, a parameter, ...).
    """
    if where is not None and not isinstance(where, str):
        raise QueryError(f"a search is text, such as \"status = 'error'\"; this is a {type(where).__name__}")
    if where is None or not where.strip():
        return CompiledPredicate(sql="true", trace_columns=frozenset(), span_columns=frozenset())
    builder = _Builder(where, trace_columns, span_columns)
    node = builder.node(_parse(where), 0)
    builder.check_condition(node)
    writer = Writer(span_bounds_sql)
    return CompiledPredicate(
        sql=writer.condition(node),
        trace_columns=frozenset(builder.trace_used),
        span_columns=frozenset(builder.span_used),
        reads_whole=writer.reads_whole,
    )


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "...")


@functools.lru_cache(maxsize=1)
def _parser() -> duckdb.DuckDBPyConnection:

    return in_memory()


def _parse(where: str) -> dict[str, Any]:
    """Return DuckDB's tree of one expression.

    The text is parsed bare and in parentheses; only a whole expression passes both. Bare, ``a) or (b`` fails; in
    parentheses ``a limit 1`` and ``a; select 1`` fail. The line break ends a trailing comment.
    """
    if len(where) > MAX_LENGTH:
        raise QueryError(f"the search has {len(where):,} characters; at most {MAX_LENGTH:,} are read")
    if "\0" in where:
        raise QueryError("the search contains a NUL character")
    cursor = _parser().cursor()
    try:
        texts = [f"{_BEFORE}{where}\n", f"{_BEFORE}({where}\n)"]
        answer = cursor.execute("select json_serialize_sql(?), json_serialize_sql(?)", texts).fetchone()
    finally:
        cursor.close()
    assert answer is not None
    bare, wrapped = (json.loads(tree) for tree in answer)
    for tree in (bare, wrapped):
        if tree["error"]:
            reason = str(tree.get("error_message", "")).split("\n", maxsplit=1)[0]
            reason = "give one condition, such as status = 'error'" if "Only SELECT" in reason else reason
            raise QueryError(f"cannot read the search {_shown(where)}: {reason}")
    condition: dict[str, Any] = bare["statements"][0]["node"]["where_clause"]
    return condition


class _Builder:
    """Turns DuckDB's tree into checked nodes; every name and every construct passes here or is refused."""

    def __init__(self, where: str, trace_columns: Mapping[str, str], span_columns: Mapping[str, str]) -> None:
        self.where = where
        self.trace_columns = trace_columns
        self.span_columns = span_columns
        self.trace_used: set[str] = set()
        self.span_used: set[str] = set()
        self.by_class: dict[str, Callable[[dict[str, Any], int], Node]] = {
            "CONJUNCTION": self.conjunction,
            "COMPARISON": self.comparison,
            "BETWEEN": self.between,
            "OPERATOR": self.operator,
            "FUNCTION": self.function,
            "CAST": self.cast,
            "CASE": self.case,
        }

    def node(self, tree: dict[str, Any], depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise QueryError(f"the search is nested more than {MAX_DEPTH} levels deep: {_shown(self.where)}")
        what = tree["class"]
        if what == "CONSTANT":
            return self.constant(tree)
        if what == "COLUMN_REF":
            return self.column(tree["column_names"])
        build = self.by_class.get(what)
        if build is None:
            raise self.refused(what)
        return build(tree, depth + 1)

    def refused(self, what: str) -> QueryError:
        reasons = {
            "SUBQUERY": "a subquery is not allowed; use ws.sql(...) for a whole query",
            "PARAMETER": "a parameter (? or $1) is not allowed; write the value itself",
            "STAR": "* is not allowed",
            "WINDOW": "a window function is not allowed; use ws.sql(...) for a whole query",
            "LAMBDA": "a lambda is not allowed",
        }
        reason = reasons.get(what, f"{what.lower().replace('_', ' ')} is not allowed")
        return QueryError(f"in the search {_shown(self.where)} {reason}")

    def conjunction(self, tree: dict[str, Any], depth: int) -> Node:
        op = "and" if tree["type"] == "CONJUNCTION_AND" else "or"
        children = tuple(self.node(child, depth) for child in tree["children"])
        for child in children:
            self.check_condition(child)
        return Node(op, "bool", children)

    def comparison(self, tree: dict[str, Any], depth: int) -> Node:
        symbol = _COMPARISONS.get(tree["type"])
        if symbol is None:
            raise self.refused(tree["type"])
        sides = (self.node(tree["left"], depth), self.node(tree["right"], depth))
        self.check_kinds(sides)
        if self.was_negated(tree):
            return Node("not", "bool", (Node("cmp", "bool", sides, _OPPOSITE[symbol]),))
        return Node("cmp", "bool", sides, symbol)

    def was_negated(self, tree: dict[str, Any]) -> bool:
        """Whether DuckDB 1 made ``not a = b`` into ``a <> b``, which says something else here; 2 keeps the NOT.

        It leaves the place of the word NOT behind; a comparison as written has the place of its operator.
        """
        place = tree["query_location"] - len(_BEFORE)
        written = self.where.encode()[place : place + 4].lower()
        return "query_location_length" not in tree and written in {
            b"not ",
            b"not(",
            b"not\n",
            b"not\t",
            b"not/",
            b"not-",
        }

    def between(self, tree: dict[str, Any], depth: int) -> Node:
        parts = tuple(self.node(tree[name], depth) for name in ("input", "lower", "upper"))
        self.check_kinds(parts)
        return Node("between", "bool", parts)

    def operator(self, tree: dict[str, Any], depth: int) -> Node:
        kind = tree["type"]
        if kind == "ARRAY_EXTRACT":
            return self.element(tree["children"], depth)
        children = tuple(self.node(child, depth) for child in tree["children"])
        if kind == "OPERATOR_NOT":
            self.check_condition(children[0])
            return Node("not", "bool", children)
        if kind in {"OPERATOR_IS_NULL", "OPERATOR_IS_NOT_NULL"}:
            present = Node("present", "bool", children)
            return present if kind == "OPERATOR_IS_NOT_NULL" else Node("not", "bool", (present,))
        if kind in {"COMPARE_IN", "COMPARE_NOT_IN"}:
            self.check_kinds(children)
            inside = Node("in", "bool", children)
            return inside if kind == "COMPARE_IN" else Node("not", "bool", (inside,))
        if kind in {"OPERATOR_COALESCE", "OPERATOR_NULLIF"}:
            return Node("func", _common_kind(children), children, kind.removeprefix("OPERATOR_").lower())
        raise self.refused(kind)

    def function(self, tree: dict[str, Any], depth: int) -> Node:
        name = tree["function_name"].lower()
        if tree.get("distinct") or tree.get("filter"):
            raise self.refused("AGGREGATE")
        # DuckDB 2 has arguments, DuckDB 1 bare children
        given = [a["expression"] for a in tree["arguments"]] if "arguments" in tree else tree["children"]
        if name in {"->", "->>", "array_extract"}:
            return self.element(given, depth)
        children = tuple(self.node(child, depth) for child in given)
        if name in _NEGATED:
            return Node("not", "bool", (self.call(_NEGATED[name], children),))
        return self.call(name, children)

    def call(self, name: str, children: tuple[Node, ...]) -> Node:
        if name in _TEXT_OPERATORS:
            return Node("infix", "text" if name == "||" else "bool", children, _TEXT_OPERATORS[name])
        if name in _ARITHMETIC:
            is_time = any(child.kind == "time" for child in children)
            return Node("arith", "time" if is_time else "number", children, name)
        if name not in FUNCTIONS:
            hint = "a search may only use plain scalar functions"
            raise QueryError(did_you_mean("function", name, FUNCTIONS, hint=hint))
        kind = FUNCTIONS[name]
        return Node("func", _common_kind(children) if kind == "any" else kind, children, name)

    def cast(self, tree: dict[str, Any], depth: int) -> Node:
        spec = tree.get("type_expr") or tree["cast_type"]
        name = str(spec.get("type_name") or spec.get("id")).lower()
        if name not in _TYPES:
            raise QueryError(did_you_mean("type for a cast", name, _TYPES))
        sql_type, kind = _TYPES[name]
        return Node("cast", kind, (self.node(tree["child"], depth),), sql_type)

    def case(self, tree: dict[str, Any], depth: int) -> Node:
        parts: list[Node] = []
        for check in tree["case_checks"]:
            parts += [self.node(check["when_expr"], depth), self.node(check["then_expr"], depth)]
        parts.append(self.node(tree["else_expr"], depth))
        return Node("case", _common_kind((*parts[1:-1:2], parts[-1])), tuple(parts))

    def constant(self, tree: dict[str, Any]) -> Node:
        kind, text = _literal(tree)
        if kind in {"null", "bool"}:
            return Node("const", "bool", text=text) if kind == "bool" else Node("const", "any", text="NULL")
        if kind == "number":
            if not _NUMBER.fullmatch(text):
                raise QueryError(f"cannot read the number {_shown(text)}")
            return Node("const", "number", text=text)
        if kind == "text":
            if "\0" in text:
                raise QueryError("the search contains a NUL character")
            return Node("const", "text", text=quoted(text))
        raise self.refused(f"{kind}_CONSTANT")

    def element(self, children: list[dict[str, Any]], depth: int) -> Node:
        """``attributes['k']``, ``attributes['a']['b']``, ``models[1]``."""
        is_name = children[0]["class"] == "COLUMN_REF"
        of = self.column(children[0]["column_names"], want_element=True) if is_name else self.node(children[0], depth)
        index = self.node(children[1], depth)
        if of.op == "path" and index.op == "const" and index.kind == "text":
            key = index.text[1:-1].replace("''", "'")
            return Node("path", "path", of.children, of.text + _pointer(key), of.level)
        if of.op == "column" and of.kind == "list" and index.op == "const" and index.kind == "number":
            return Node("element", "any", (of, index))
        raise QueryError(
            f"in the search {_shown(self.where)}: [...] takes the name of an attribute as text, "
            "such as attributes['retry.count'], or the position in a list, such as models[1]"
        )

    def column(self, names: list[str], *, want_element: bool = False) -> Node:
        prefix, rest = "", list(names)
        if len(rest) > 1 and rest[0].lower() in {"span", "any_span", "trace"}:
            prefix, rest = rest[0].lower(), rest[1:]
        name = rest[0].lower()
        if not prefix and name == SCORE[:-1] and len(rest) > 1:
            return self.score(".".join(rest[1:]))
        if name in _JSON_COLUMNS and name in self.span_columns and prefix != "trace" and (want_element or rest[1:]):
            pointer = _pointer(".".join(rest[1:])) if rest[1:] else ""
            self.span_used.add(name)
            return Node("path", "path", (Node("column", "text", (), name),), pointer, _span_level(prefix))
        if len(rest) > 1:
            known = ["span.", "any_span.", "trace.", "score.", "attributes.", "resource."]
            raise QueryError(did_you_mean("prefix", f"{rest[0]}.", known, hint=f"in {'.'.join(names)}"))
        return self.plain_column(prefix, name)

    def score(self, name: str) -> Node:
        if not _SCORER.fullmatch(name):
            raise QueryError(f"{_shown(name)} cannot name a scorer: score.refusal is what the scorer refusal said")
        self.trace_used.add(SCORE + name)
        return Node("column", "number", (), SCORE + name, "trace")

    def plain_column(self, prefix: str, name: str) -> Node:
        if prefix in {"", "trace"} and name in self.trace_columns:
            self.trace_used.add(name)
            return Node("column", _kind_of(self.trace_columns[name]), (), name, "trace")
        if prefix == "" and name == "model" and "models" in self.trace_columns:
            self.trace_used.add("models")
            return Node("column", "text", (), "model", "model")
        if prefix != "trace" and name in self.span_columns:
            self.span_used.add(name)
            return Node("column", _kind_of(self.span_columns[name]), (), name, _span_level(prefix))
        if prefix == "" and name in _CLOCK:
            return Node("const", "time", text=name)
        known = {
            "": [*self.trace_columns, *self.span_columns],
            "trace": list(self.trace_columns),
        }.get(prefix, list(self.span_columns))
        hint = "text goes in single quotes; an attribute is attributes['name']; " + _HINT
        raise QueryError(did_you_mean(f"column of {prefix or 'traces or spans'}", name, known, hint=hint))

    def check_condition(self, node: Node) -> None:
        if node.kind not in {"bool", "any"}:
            kind = "value" if node.kind == "path" else node.kind
            raise QueryError(
                f"a search is made of conditions, such as status = 'error'; in {_shown(self.where)} "
                f"a {kind} stands alone: compare it, as in ... = 'x', ... > 3 or ... is not null"
            )

    def check_kinds(self, nodes: tuple[Node, ...]) -> None:
        """Refuse a number column beside text that is no number: it would fail only when the query runs."""
        column = next((node for node in nodes if node.op == "column" and node.kind == "number"), None)
        for node in nodes if column is not None else ():
            if node.op == "const" and node.kind == "text" and not _NUMBER.fullmatch(node.text[1:-1].strip()):
                raise QueryError(f"{column.text if column else ''} is a number; {node.text} is not")


def _common_kind(nodes: tuple[Node, ...]) -> Kind:
    kinds = {node.kind for node in nodes} - {"any", "path"}
    return kinds.pop() if len(kinds) == 1 else "any"


def _span_level(prefix: str) -> Level:
    return "span" if prefix == "span" else "any_span"


def _kind_of(sql_type: str) -> Kind:
    upper = sql_type.upper()
    if upper.endswith("[]"):
        return "list"
    if upper.startswith(("BIGINT", "INTEGER", "DOUBLE", "HUGEINT", "FLOAT", "DECIMAL", "SMALLINT", "UBIGINT")):
        return "number"
    if upper.startswith(("TIMESTAMP", "DATE", "TIME", "INTERVAL")):
        return "time"
    return "bool" if upper == "BOOLEAN" else "text" if upper == "VARCHAR" else "any"


def _pointer(key: str) -> str:
    """Return one step of a JSON pointer (RFC 6901)."""
    return "/" + key.replace("~", "~0").replace("/", "~1")


def _literal(tree: dict[str, Any]) -> tuple[str, str]:
    """Return (null | bool | number | text | other, text) of a constant, in DuckDB 2's form and DuckDB 1's."""
    if "literal" in tree:
        kind, text = tree["literal"]["kind"], tree["literal"]["text"]
        known = {"STRING": "text", "INTEGER": "number", "NUMERIC": "number", "BOOLEAN": "bool", "NULL_LITERAL": "null"}
        return known.get(kind, kind), text
    value, type_id = tree["value"].get("value"), tree["value"]["type"]["id"]
    if tree["value"]["is_null"]:
        return "null", ""
    if type_id == "DECIMAL":
        scale = tree["value"]["type"]["type_info"]["scale"]
        return "number", f"{value}e-{scale}"
    if type_id == "HUGEINT" and isinstance(value, dict):
        return "number", str((int(value["upper"]) << 64) + int(value["lower"]))
    if type_id in {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UBIGINT", "DOUBLE", "FLOAT"}:
        return "number", repr(value)
    if type_id == "VARCHAR":
        return "text", str(value)
    return ("bool", str(value).lower()) if type_id == "BOOLEAN" else (type_id, "")
