"""With what an agent that is a tool begins: its system prompt, as a text or out of the prompts, and the task."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, Protocol

from lmops.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    #: Returns the messages that an agent begins with on a task, and the prompt behind them.
    Begins = Callable[[str], tuple[list[dict[str, Any]], Any]]

#: No instruction is one word with an "@" in it.
_REF: Final = re.compile(r"[^\s@]+@[^\s@]+")


class Rendering(Protocol):
    """A version of a prompt."""

    @property
    def ref(self) -> str:
        """Its name and version."""

    @property
    def variables(self) -> Sequence[str]:
        """What must be given."""

    def render(self, variables: Mapping[str, Any] | None = None, /) -> Sequence[Any]:
        """Return its messages."""


def begun(system: str, prompt: Callable[[str], Rendering] | None) -> Begins:
    """Return what begins an agent's work.

    Args:
        system: A text, or a reference to a prompt.
        prompt: Returns the version of a prompt that a reference means now.

    Raises:
        UsageError: It is no text, or a reference where there are no prompts.
    """
    if not isinstance(system, str):
        raise UsageError(
            f"system is a text, or a reference such as 'support@production', not a {type(system).__name__}"
        )
    if not _REF.fullmatch(system):
        return lambda task: ([{"role": "system", "content": system}, _asked(task)], None)
    if prompt is None:
        raise UsageError(f"system={system!r}: there are no prompts here; open a workspace: lmops.open()")

    def rendered(task: str) -> tuple[list[dict[str, Any]], Any]:
        version = prompt(system)
        unknown = [name for name in version.variables if name != "task"]
        if unknown:
            raise UsageError(
                f"{version.ref} needs {', '.join(unknown)}: an agent has a task, and nothing else to put in"
            )
        found = [dict(one) for one in version.render({"task": task} if "task" in version.variables else {})]
        if len(found) == 1 and "task" not in version.variables:
            found[0]["role"] = "system"  # a prompt that is one text says who the agent is
        is_asked = any(one["role"] == "user" for one in found)
        return (found if is_asked else [*found, _asked(task)]), version

    return rendered


def _asked(task: str) -> dict[str, Any]:
    return {"role": "user", "content": task}
