"""Label schemas: what raters are asked, in versions, and what may be said in answer."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any, ClassVar, Final, get_args

from lmops.base.kinds import refuses_wrong_kinds
from lmops.errors import UsageError, did_you_mean
from lmops.feedback._label_records import FieldKind, LabelField, LabelSchema, Values
from lmops.records import Kind, Row, Versioned, check_word, check_words, text_hash, told
from lmops.text import plain_line

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence

    from lmops.store import Store

KINDS: Final = get_args(FieldKind)
#: What can be said of a question of pass or fail; who cannot tell says so.
VERDICTS: Final = ("pass", "fail", "cannot tell")
_KEYS: Final = {"pass": "p", "fail": "f", "cannot tell": "c"}
#: Keys that a labeler uses itself are not among them.
_FREE_KEYS: Final = "123456789abcdefghijklmopqrtvwxyz"
#: What is chosen where no option fits.
_OTHER: Final = "other"
_MOST_STEPS: Final = 101
_LONGEST: Final = 100_000
_DEFAULT: Final = ({"name": "verdict", "kind": "pass_fail"},)


def _field(given: LabelField | Mapping[str, Any], taken: set[str]) -> LabelField:
    """Return a field as it is kept, its keys chosen; they join those that are ``taken``.

    Raises:
        UsageError: It is none.
    """
    said = dataclasses.asdict(given) if isinstance(given, LabelField) else given
    known = [one.name for one in dataclasses.fields(LabelField)]
    if not hasattr(said, "keys"):
        raise UsageError(f"{plain_line(repr(given), 60)} is no field: {{'name': 'verdict', 'kind': 'pass_fail'}}")
    for name in said:
        if name not in known:
            raise UsageError(did_you_mean("part of a field", str(name), known))
    name, kind = check_word(said.get("name"), "a field"), said.get("kind", "pass_fail")
    if kind not in KINDS:
        raise UsageError(did_you_mean("kind of a field", str(kind), KINDS))
    options = _options(name, kind, said.get("options") or ())
    low, high = _scale(name, kind, said)
    return LabelField(
        name=name,
        kind=kind,
        criteria=check_words(said.get("criteria"), "criteria") or "",
        options=options,
        low=low,
        high=high,
        keys=_keys(name, _choices(kind, options, low, high), said.get("keys") or {}, taken),
        is_required=bool(said.get("is_required", kind == "pass_fail")),
    )


def _choices(kind: str, options: tuple[str, ...], low: int | None, high: int | None) -> tuple[str, ...]:
    """Return the values that have keys, in their order."""
    if low is not None and high is not None:
        return tuple(str(one) for one in range(low, high + 1))
    return VERDICTS if kind == "pass_fail" else options


def _options(name: str, kind: str, given: Sequence[object]) -> tuple[str, ...]:
    if kind not in ("category", "choices", "spans"):
        if given:
            raise UsageError(f"field {name!r}: a field of kind {kind} has no options")
        return ()
    options = () if isinstance(given, str) else tuple(check_words(one, f"option of {name}") or "" for one in given)
    if "" in options or len(set(options)) < len(options) or (kind != "spans" and len(options) < 2):
        raise UsageError(f"field {name!r}: options={given!r:.100}: give at least two different texts")
    return options


def _scale(name: str, kind: str, said: Mapping[str, Any]) -> tuple[int, int] | tuple[None, None]:
    low, high = said.get("low"), said.get("high")
    if kind != "scale":
        if low is not None or high is not None:
            raise UsageError(f"field {name!r}: only a scale has low and high")
        return None, None
    low, high = 1 if low is None else low, 5 if high is None else high
    if type(low) is not int or type(high) is not int or not 0 < high - low < _MOST_STEPS:
        raise UsageError(f"field {name!r}: low={low!r}, high={high!r}: give whole numbers, at most 100 apart")
    return low, high


def _keys(name: str, values: Sequence[str], given: Mapping[str, str], taken: set[str]) -> dict[str, str]:
    """Return a key for each value: the given one, the usual one, a digit its own, else the next that is free."""
    for value, key in given.items():
        if value not in values:
            raise UsageError(did_you_mean(f"value of field {name}", str(value), values, hint="keys={value: key}"))
        if not isinstance(key, str) or len(key) != 1 or not key.isprintable() or key.isspace():
            raise UsageError(f"field {name!r}: key {key!r:.40} of {plain_line(value, 40)!r}: give one character")
    if len(set(given.values())) < len(given):
        raise UsageError(f"field {name!r}: two values have the same key")
    taken.update(given.values())
    own = {value: value for value in values if len(value) == 1 and value.isdecimal() and value.isascii()}
    usual = {value: key for value, key in {**own, **_KEYS}.items() if value in values and key not in taken}
    free = (key for key in _FREE_KEYS if key not in {*taken, *usual.values(), *_KEYS.values()})
    found = {value: given.get(value) or usual.get(value) or next(free, "") for value in values}
    taken.update(found.values())
    return {value: key for value, key in found.items() if key}


def fields_of(given: Sequence[LabelField | Mapping[str, Any]]) -> tuple[LabelField, ...]:
    """Return the fields of a schema as they are kept.

    Raises:
        UsageError: There is none, one is no field, or two have the same name.
    """
    if not isinstance(given, list | tuple):
        raise UsageError("fields: give a list of fields, such as [{'name': 'verdict', 'kind': 'pass_fail'}]")
    fields = _in_keys(given)
    names = [field.name for field in fields]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice or not fields:
        raise UsageError(f"field {twice[0]!r} is there twice" if twice else "a schema needs a field")
    return fields


def _in_keys(given: Sequence[LabelField | Mapping[str, Any]]) -> tuple[LabelField, ...]:
    """Return the fields, no key chosen twice: those that have their own come first, then scales with their digits."""
    taken: set[str] = set()

    def later(place: int) -> tuple[bool, bool]:
        one = given[place]
        said = dataclasses.asdict(one) if isinstance(one, LabelField) else one if isinstance(one, dict) else {}
        return not said.get("keys"), said.get("kind") != "scale"

    found = {place: _field(given[place], taken) for place in sorted(range(len(given)), key=later)}
    return tuple(found[place] for place in range(len(given)))


def with_option(schema: LabelSchema, name: str, option: str, criteria: str) -> list[dict[str, Any]]:
    """Return the fields of a schema with one more option, which is added to the criteria; what is there stays.

    A field that there is not yet is made: a category of the option and "other".

    Raises:
        UsageError: The field has no options to choose from.
    """
    fields = [dataclasses.asdict(one) for one in schema.fields]
    told = f"{option}: {criteria}" if criteria else ""
    found = next((one for one in fields if one["name"] == name), None)
    if found is None:
        return [*fields, {"name": name, "kind": "category", "options": [option, _OTHER], "criteria": told}]
    if found["kind"] not in ("category", "choices"):
        raise UsageError(
            f"field {name!r} of {schema.ref} is of kind {found['kind']}: a mode is an option of a category or of "
            "choices; give another field="
        )
    if option not in found["options"]:
        rest = [one for one in found["options"] if one != _OTHER]
        found["options"] = [*rest, option, *(one for one in found["options"] if one == _OTHER)]
    if told and told not in found["criteria"].splitlines():
        found["criteria"] = "\n".join(line for line in (found["criteria"], told) if line)
    return fields


def checked_values(schema: LabelSchema, given: Mapping[str, Any]) -> Values:
    """Return what a rater said as it is kept; what was left empty is left out.

    Args:
        schema: Under which it was said.
        given: Field -> value.

    Raises:
        UsageError: A field is not in the schema, a value does not suit it, or one that is required is missing.
    """
    fields = {field.name: field for field in schema.fields}
    if not hasattr(given, "keys"):
        raise UsageError(
            f"values={given!r:.60}: give a value for each field, such as {{{schema.fields[0].name!r}: ...}}"
        )
    for name in given:
        if name not in fields:
            raise UsageError(did_you_mean(f"field of {schema.ref}", str(name), fields))
    found = {name: _value(fields[name], value) for name, value in given.items()}
    kept = {name: value for name, value in found.items() if value not in (None, "", [])}
    missing = [field.name for field in schema.fields if field.is_required and field.name not in kept]
    if missing or not kept:
        raise UsageError(f"{schema.ref} needs a value of {', '.join(missing) or 'at least one field'}")
    return kept


def _value(field: LabelField, value: Any) -> Any:
    if value is None:
        return None
    return _VALUES[field.kind](field, value)


def _refused(field: LabelField, value: object, wanted: str) -> UsageError:
    return UsageError(f"{field.name}={plain_line(repr(value), 60)}: {wanted}")


def _pass_fail(field: LabelField, value: Any) -> Any:
    said = value if isinstance(value, dict) else {"value": value}
    verdict = said.get("value")
    if isinstance(verdict, bool):
        verdict = "pass" if verdict else "fail"
    if verdict not in VERDICTS or said.keys() - {"value", "critique"}:
        raise _refused(field, value, f"give one of {', '.join(VERDICTS)}, or {{'value': ..., 'critique': ...}}")
    critique = _text(field, said.get("critique") or "")
    return {"value": verdict, "critique": critique} if critique else {"value": verdict}


def _one(field: LabelField, value: Any) -> str:
    if value not in field.options:
        raise _refused(field, value, f"give one of {', '.join(plain_line(one, 40) for one in field.options)}")
    return str(value)


def _number(field: LabelField, value: Any) -> int:
    low, high = field.low or 0, field.high or 0
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1 or not low <= value <= high:
        raise _refused(field, value, f"give a whole number from {low} to {high}")
    return int(value)


def _some(field: LabelField, value: Any) -> list[str]:
    given = [_one(field, one) for one in _list(field, value)]
    return [option for option in field.options if option in given]


def _tags(field: LabelField, value: Any) -> list[str]:
    words = [_text(field, one).strip() for one in _list(field, value)]
    return list(dict.fromkeys(word for word in words if word))


def _text(field: LabelField, value: Any) -> str:
    if not isinstance(value, str) or len(value) > _LONGEST:
        raise _refused(field, value, f"give a text of at most {_LONGEST:,} characters")
    check_words(value, field.name, limit=_LONGEST)
    return value


def _stretches(field: LabelField, value: Any) -> list[dict[str, Any]]:
    found = []
    for one in _list(field, value):
        start, end, name = (one.get(key) if isinstance(one, dict) else None for key in ("start", "end", "name"))
        if type(start) is not int or type(end) is not int or not 0 <= start < end:
            raise _refused(field, one, "give stretches as {'start': 0, 'end': 12}, in characters of the output")
        named = {} if name is None else {"name": _one(field, name) if field.options else _text(field, name)}
        found.append({"start": start, "end": end, **named})
    return sorted(found, key=lambda one: (one["start"], one["end"]))


def _list(field: LabelField, value: Any) -> Sequence[Any]:
    if not isinstance(value, list | tuple):
        raise _refused(field, value, "give a list")
    return value


_VALUES: Final = {
    "pass_fail": _pass_fail,
    "category": _one,
    "scale": _number,
    "choices": _some,
    "tags": _tags,
    "text": _text,
    "spans": _stretches,
}


def _read(_store: Store, _con: sqlite3.Connection, row: Row) -> LabelSchema:
    body = json.loads(row["body"])
    fields = tuple(_kept(one) for one in body["fields"])
    return LabelSchema(**told(row), fields=fields, criteria=body["criteria"])


def _kept(said: dict[str, Any]) -> LabelField:
    """Return a field as it was saved; JSON keeps keys by the alphabet, people read them in the order of the values."""
    options = tuple(said["options"])
    order = _choices(said["kind"], options, said["low"], said["high"])
    keys = {value: said["keys"][value] for value in order if value in said["keys"]}
    return LabelField(**{**said, "options": options, "keys": keys})


def _own_fields(row: Row) -> str:
    return ", ".join(f"{one['name']} ({one['kind']})" for one in json.loads(row["body"])["fields"])


@refuses_wrong_kinds
class LabelSchemas(Versioned[LabelSchema]):
    """The label schemas of a workspace: ``ws.feedback.schemas``."""

    KIND: ClassVar[Kind[LabelSchema]] = Kind(
        name="label_schema", noun="feedback.schemas", table="label_schemas", read=_read, own={"fields": _own_fields}
    )

    def save(
        self,
        name: str,
        fields: Sequence[LabelField | Mapping[str, Any]] = _DEFAULT,
        *,
        criteria: str = "",
        reason: str | None = None,
    ) -> LabelSchema:
        """Save what raters are asked as a version and return it; the same content again is the same version.

        Args:
            name: Of the schema.
            fields: Its questions, as :class:`LabelField` or as dicts of its parts; by default one of pass or fail with
                a critique.
            criteria: What raters are told of the whole.
            reason: Why there is a new version.

        Raises:
            UsageError: It is no name, or a field cannot be one.
        """
        self.KIND.check_name(name)
        said = {
            "fields": [dataclasses.asdict(one) for one in fields_of(fields)],
            "criteria": check_words(criteria, "criteria") or "",
        }
        body = json.dumps(said, ensure_ascii=False, sort_keys=True)
        with self._project.change(reason=reason) as change:
            return self._versions.keep(change, name, text_hash(body), lambda: {"body": body})[0]
