"""What retrieval needs of a workspace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from lmops.evals import Evals
    from lmops.records import Project


class Host(Protocol):
    """A workspace, as far as it is needed: its nouns come when they are asked for."""

    @property
    def project(self) -> Project:
        """Its store, and who acts."""

    @property
    def datasets(self) -> Any:
        """Its data sets."""

    @property
    def models(self) -> Any:
        """Its models."""

    @property
    def traces(self) -> Any:
        """Its traces."""

    @property
    def evals(self) -> Evals:
        """Its evaluations."""

    @property
    def feedback(self) -> Any:
        """What people label."""
