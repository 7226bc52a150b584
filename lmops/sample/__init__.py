"""The sample project: a support assistant of a fictional ferry company, its content and two weeks of its traffic.

Tidelark Ferries does not exist; its help pages, questions and customers were written for this project. No language
model is involved: :mod:`lmops.standin.model` is a deterministic stand-in without intelligence, and every span that it
produces says so in its resource (``lmops.sample``, ``lmops.standin``).

``python -m lmops.sample`` rebuilds everything, and :func:`data_dir` says where it is.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

from lmops.base.public import only
from lmops.sample.folder import BuildReport, build, data_dir

if TYPE_CHECKING:
    from lmops.sample.questions import golden
    from lmops.sample.release import release

__all__ = ["BuildReport", "build", "data_dir", "golden", "release"]
__dir__ = only(__all__)

_LATER: Final = {"golden": "lmops.sample.questions", "release": "lmops.sample.release"}


def __getattr__(name: str) -> Any:
    """Load what needs the application itself when it is first used."""
    if name not in _LATER:
        raise AttributeError(f"module 'lmops.sample' has no attribute {name!r}")
    globals()[name] = getattr(importlib.import_module(_LATER[name]), name)
    return globals()[name]
