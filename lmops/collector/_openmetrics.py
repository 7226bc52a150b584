"""The text form of OpenMetrics 1.0: families of samples, with labels that may hold anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

CONTENT_TYPE: Final = "application/openmetrics-text; version=1.0.0; charset=utf-8"
#: A longer value of a label is cut: it is a name, and whoever sends it chooses it.
_LABEL_CHARACTERS: Final = 120


class Exemplar(NamedTuple):
    """One of those that a sample counts: its trace, its value, and when it was, in seconds since 1970 UTC."""

    trace_id: str
    value: float
    at_s: float


class Sample(NamedTuple):
    """One line of a family.

    Args:
        value: The number.
        labels: Names and values; a value of None is left out.
        suffix: What follows the name of the family, such as "_total".
        exemplar: One of what is counted.
    """

    value: float
    labels: Mapping[str, str | None] = {}
    suffix: str = ""
    exemplar: Exemplar | None = None


class Family(NamedTuple):
    """What belongs together under one name.

    Args:
        name: Without a suffix; it ends with the unit where there is one.
        kind: How its samples are read.
        help: What it is.
        samples: Its lines.
        unit: Such as "seconds".
    """

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    samples: Iterable[Sample]
    unit: str | None = None


def render(families: Iterable[Family]) -> str:
    """Return the text of some families; one without samples says what it is all the same."""
    lines: list[str] = []
    for family in families:
        lines.append(f"# TYPE {family.name} {family.kind}")
        if family.unit is not None:
            lines.append(f"# UNIT {family.name} {family.unit}")
        lines.append(f"# HELP {family.name} {_escaped(family.help)}")
        lines += [_line(family.name, sample) for sample in family.samples]
    return "\n".join([*lines, "# EOF", ""])


def _line(name: str, sample: Sample) -> str:
    line = f"{name}{sample.suffix}{_labels(sample.labels)} {_number(sample.value)}"
    if sample.exemplar is None:
        return line
    found = sample.exemplar
    return f"{line} # {_labels({'trace_id': found.trace_id})} {_number(found.value)} {found.at_s:.3f}"


def _labels(labels: Mapping[str, str | None]) -> str:
    said = [f'{name}="{_escaped(label(value))}"' for name, value in labels.items() if value is not None]
    return f"{{{','.join(said)}}}" if said else ""


def label(value: str) -> str:
    """Return a text as a value of a label: cut, and without what UTF-8 does not have."""
    return value[:_LABEL_CHARACTERS].encode("utf-8", "replace").decode()


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(float(value))
