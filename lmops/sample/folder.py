"""Writes the sample to a folder, the same bytes every time, and finds it again."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import tempfile
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lmops.sample.asking import golden_rows
from lmops.standin import content
from lmops.times import from_ns

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lmops.sample.traffic import Traffic

_STAMP: Final = "BUILT"


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildReport:
    """What was written where."""

    folder: Path
    #: path below the folder -> bytes
    sizes: dict[str, int]
    traces: int
    spans: int
    feedback: int


def build(folder: str | Path) -> BuildReport:
    """Write articles, questions, prompts, traces, truth and feedback below a folder, over what is there (5 s).

    The gzip files hold the same bytes on every machine; their own bytes may differ between versions of zlib.
    """
    from lmops.sample.traffic import simulate

    target = Path(folder)
    traffic = simulate()
    sizes = {name: _write(target / name, body) for name, body in sorted(_texts(traffic).items())}
    sizes |= written(traffic, target)
    return BuildReport(
        folder=target,
        sizes=sizes,
        traces=len(traffic.truth),
        spans=sum(len(telemetry.spans) for telemetry in traffic.telemetry.values()),
        feedback=len(traffic.feedback),
    )


def written(traffic: Traffic, folder: Path) -> dict[str, int]:
    """Write the spans of traffic below a folder, a file a day, and return the bytes of each by its path there."""
    return {
        name: _write(folder / name, _gzip("".join(f"{line}\n" for line in lines).encode()))
        for name, lines in sorted(_trace_files(traffic).items())
    }


def data_dir() -> Path:
    """Return the folder with the sample data: that of the checkout, else a cache that is built on first use (5 s).

    The cache lies in ``LMOPS_CACHE``, else ``XDG_CACHE_HOME``, else ``~/.cache``; it is built again when the sample
    of the installed package changes. Two processes that build at once both succeed: the folder appears whole.
    """
    checkout = Path(__file__).resolve().parents[2]
    if (checkout / "pyproject.toml").is_file() and any((checkout / "data" / "traces").glob("*.jsonl.gz")):
        return checkout / "data"
    base = os.environ.get("LMOPS_CACHE") or os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(base) / "lmops" / f"sample-{_source_hash()}"
    if not (folder / _STAMP).is_file():
        folder.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(dir=folder.parent, prefix="building-"))
        build(fresh)
        _write(fresh / _STAMP, b"")
        try:
            fresh.rename(folder)
        except OSError:  # another process was first: its folder is the same
            if not (folder / _STAMP).is_file():
                raise
    return folder


def _texts(traffic: Traffic) -> dict[str, bytes]:
    """Return the files that are not compressed, by path."""
    articles: list[dict[str, object]] = [
        {"id": page.id, "title": page.title, "topic": page.topic, "text": page.text} for page in content.articles()
    ]
    bodies = {
        "articles.jsonl": _jsonl(articles),
        "questions.jsonl": _jsonl(golden_rows()),
        "truth.jsonl": _jsonl(traffic.truth),
        "feedback.jsonl": _jsonl(traffic.feedback),
    }
    bodies["README.md"] = content.data_readme().encode()
    for version in content.PROMPT_VERSIONS:
        bodies[f"prompts/{content.PROMPT_NAME}.v{version}.txt"] = content.prompt_text(version).encode()
    return bodies


def _trace_files(traffic: Traffic) -> dict[str, list[str]]:
    """Return the lines of each day's file, in the order of their export."""
    from lmops.sample.telemetry import json_lines

    exported = sorted(line for telemetry in traffic.telemetry.values() for line in json_lines(telemetry.spans))
    days: dict[str, list[str]] = {}
    for at_ns, line in exported:
        days.setdefault(f"traces/{from_ns(at_ns):%Y-%m-%d}.jsonl.gz", []).append(line)
    return days


def _jsonl(rows: Iterable[dict[str, object]]) -> bytes:
    from lmops.sample.telemetry import compact

    return "".join(f"{compact(row)}\n" for row in rows).encode()


def _gzip(body: bytes) -> bytes:
    """Return the compressed body without name and time; gzip.compress writes another header in each Python."""
    packed = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=packed, mtime=0) as file:
        file.write(body)
    return packed.getvalue()


def _write(path: Path, body: bytes) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)
    return len(body)


@cache
def _source_hash() -> str:
    """Return a hash of the files that make the sample, so that another version of the package has another cache."""
    found = hashlib.sha256()
    for package in ("lmops.sample", "lmops.standin"):
        for item in sorted((Path(str(files(package)))).rglob("*")):
            if item.is_file() and item.suffix in {".py", ".md", ".txt"}:
                found.update(item.read_bytes())
    return found.hexdigest()[:12]
