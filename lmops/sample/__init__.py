"""The sample project: a support assistant of a fictional ferry company, its content and two weeks of its traffic.

Tidelark Ferries does not exist; its help pages, questions and customers were written for this project. No language
model is involved: :mod:`lmops.standin.model` is a deterministic stand-in without intelligence, and every span that it
produces says so in its resource (``lmops.sample``, ``lmops.standin``).

``python -m lmops.sample`` rebuilds everything, and :func:`data_dir` says where it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lmops.base.public import later, only
from lmops.sample.folder import BuildReport, build, data_dir

if TYPE_CHECKING:
    from lmops.sample.after import as_of, released_route, traffic_after
    from lmops.sample.guardrail import policies
    from lmops.sample.questions import golden
    from lmops.sample.releases import release

__all__ = [
    "BuildReport",
    "as_of",
    "build",
    "data_dir",
    "golden",
    "policies",
    "release",
    "released_route",
    "traffic_after",
]
__dir__ = only(__all__)
#: What needs the application itself.
__getattr__ = later(
    __name__,
    {
        "lmops.sample.after": ("as_of", "released_route", "traffic_after"),
        "lmops.sample.guardrail": ("policies",),
        "lmops.sample.questions": ("golden",),
        "lmops.sample.releases": ("release",),
    },
)
