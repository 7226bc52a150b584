"""The probe of a chunker: how it cuts texts that never change, so that a library that cuts otherwise is seen."""

from __future__ import annotations

import functools
import hashlib
import warnings
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from lmops.base.endings import Caught
from lmops.base.shown import Shown
from lmops.errors import LmopsError, UsageError
from lmops.retrieval._said import library_version
from lmops.retrieval.chunking import cut
from lmops.retrieval.settings import Chunker
from lmops.text import plain_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lmops.retrieval.settings import Settings

#: An application's own chunker: the chunks of a text, or where they start and end.
Cut = Callable[[str], Iterable[str] | Iterable[tuple[int, int]]]
_BYTES: Final = 8
#: Never changed: another text is another probe.
TEXTS: Final[Mapping[str, str]] = {
    "languages": (
        "The ferry leaves at nine. Tickets are sold on board, e.g. for bicycles; dogs travel free!\n"
        "Die Fähre fährt um 9 Uhr ab. Fahrkarten gibt es z. B. an Bord.  Hunde fahren umsonst mit?\n"
        "Le bac part à neuf heures… Les billets se vendent à bord (vélos compris). Merci !\n"
        "フェリーは九時に出発します。切符は船内で買えます。犬は無料です\uff01自転車はどうですか\uff1f\n"
        "العبّارة تغادر في التاسعة. تباع التذاكر على متنها؟ نعم.\n"
    )
    * 6,
    "code": (
        "def fare(age, *, is_return=False):\n    if age < 6:\n        return 0.0\n"
        "    base = 12.50 if age >= 16 else 6.25\n\n    return base * (1.8 if is_return else 1.0)\n\n\n"
        "class Ticket:\n    def __init__(self, fare): self.fare = fare  # in euro\n\n"
    )
    * 8,
    "markdown": (
        "# Fares\n\nChildren under *six* travel free.\n\n"
        "| who | fare |\n|---|---|\n| adult | 12.50 |\n| child | 6.25 |\n\n"
        "## Refunds\n\n1. Ask within 14 days.\n2. Give the number of the ticket, such as `FE-2041`.\n"
        "   - or the [booking](#booking)\n\n> No refund after departure.\n\n---\n\n"
    )
    * 8,
    "long words": 12 * "Donaudampfschifffahrtsgesellschaftskapitänsmütze "
    + 3000 * "x"
    + " end.\r\n\r\n\tTab\u00a0wide.",
    "no spaces": 120 * "渡船九点开船船票在船上出售狗免费"
    + 700 * "ab"
    + 60 * "\U0001f6a2\U0001f469\U0001f3fd\u200d\u2708\ufe0fe\u0301",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe(Shown):
    """How a chunker cuts the texts of the probe now, beside how it did when the settings were saved.

    Args:
        settings: The version, such as docs@3.
        library: What cuts.
        version_then: Of the library as the settings say it; None where it is lmops itself, or not known.
        version_now: Of the library that is installed.
        changed: The texts that are cut otherwise now, by name.
        problem: Why it cannot be told; None where it can.
    """

    settings: str
    library: str
    version_then: str | None
    version_now: str | None
    changed: tuple[str, ...] = ()
    problem: str | None = None

    @property
    def is_changed(self) -> bool | None:
        """Whether the same settings cut otherwise than when they were saved; None where it cannot be told."""
        return None if self.problem else bool(self.changed)


def hashes_of(chunker: Mapping[str, Any], by: Cut | None = None) -> dict[str, str]:
    """Return the hash of the chunks of each text of the probe, by its name; {} where this chunker cannot cut here.

    Args:
        chunker: As settings keep it.
        by: An application's own chunker: returns the chunks of a text, or where they start and end.

    Raises:
        UsageError: ``by`` returns something else, or fails.
    """
    if by is not None:
        return {name: _hash(text, _cut_by(by, text)) for name, text in TEXTS.items()}
    try:
        return dict(_hashes(Chunker(**chunker)))
    except LmopsError:  # an application's own, or its library is not here
        return {}


def mark_of(hashes: Mapping[str, str]) -> str | None:
    """Return one hash of a probe, which stands on spans: it moves when a library cuts otherwise; None of no probe."""
    if not hashes:
        return None
    return hashlib.blake2b(repr(sorted(hashes.items())).encode(), digest_size=_BYTES).hexdigest()


def probed(settings: Settings, by: Cut | None = None) -> Probe:
    """Return how the chunker of settings cuts now.

    Args:
        settings: The version.
        by: An application's own chunker.

    Raises:
        UsageError: ``by`` returns no chunks, or fails.
    """
    now = hashes_of(asdict(settings.chunker), by)
    problem = None
    if not settings.probe:
        problem = "no probe was kept with the version: its chunker could not cut where it was saved; save(..., cut=...)"
    elif not now:
        problem = "this chunker cannot cut here: install its package, or give your own with cut="
    return Probe(
        settings=settings.ref,
        library=settings.chunker.name,
        version_then=settings.chunker.version,
        version_now=library_version(settings.chunker.name),
        changed=() if problem else tuple(name for name, one in now.items() if settings.probe.get(name) != one),
        problem=problem,
    )


def warn_changed(settings: Settings) -> None:
    """Warn where unchanged settings cut otherwise than when they were saved.

    Args:
        settings: The version.
    """
    if not settings.probe or not (now := hashes_of(asdict(settings.chunker))) or dict(settings.probe) == now:
        return
    warnings.warn(f"{words_of(probed(settings))}: build the index anew", UserWarning, stacklevel=4)


def words_of(found: Probe) -> str:
    """Return what a probe says, in a line."""
    then, now = found.version_then, found.version_now
    moved = f" ({found.library} {then or 'of lmops'} then, {now or 'of lmops'} now)" if then or now else ""
    if found.problem:
        return f"{found.settings}: it cannot be told whether it cuts as it did: {found.problem}"
    if not found.changed:
        return f"{found.settings} cuts as it did{moved}"
    return f"{found.settings} cuts otherwise than when it was saved{moved}: {', '.join(found.changed)}"


@functools.lru_cache(maxsize=64)
def _hashes(chunker: Chunker) -> Mapping[str, str]:
    return {name: _hash(text, [text[start:end] for start, end in cut(text, chunker)]) for name, text in TEXTS.items()}


def _hash(text: str, chunks: Iterable[str]) -> str:
    made = hashlib.blake2b(str(len(text)).encode(), digest_size=_BYTES)
    for chunk in chunks:
        data = chunk.encode("utf-8", "surrogatepass")
        made.update(len(data).to_bytes(8, "big"))
        made.update(data)
    return made.hexdigest()


def _cut_by(by: Cut, text: str) -> list[str]:
    found: list[Any] = []
    with Caught(Exception) as caught:  # somebody else's code
        found = [*by(text)]
    if (error := caught.error) is not None:
        raise UsageError(f"cut= fails: {type(error).__name__}: {plain_line(str(error), 200)}") from error
    chunks = []
    for one in found:
        match one:
            case str():
                chunks.append(one)
            case (int(start), int(end)):
                chunks.append(text[start:end])
            case _:
                raise UsageError(f"cut= returns {plain_line(repr(one), 80)}: give texts, or pairs of start and end")
    return chunks
