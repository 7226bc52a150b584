import inspect
import pydoc

import pytest

from lmops.base.twins import takes_as
from lmops.evals import Evals
from lmops.models import Models


class Ferry:
    def _plan(self, port: str, *, cars: int = 0) -> tuple[str, int]:
        return port, cars

    @takes_as(_plan)
    def sail(self, *args, **options) -> str:
        """Sail to a port."""
        return repr(self._plan(*args, **options))

    @takes_as(_plan)
    async def asail(self, *args, **options) -> str:
        return self.sail(*args, **options)


def test_a_verb_has_the_parameters_of_another():
    """Help shows what it takes, and its own name, words and result."""
    assert str(inspect.signature(Ferry().sail)) == "(port: str, *, cars: int = 0) -> str"
    assert Ferry.sail.__name__ == "sail"
    assert Ferry.sail.__doc__ == "Sail to a port."
    assert Ferry().sail("Skarholm", cars=2) == "('Skarholm', 2)"
    assert inspect.iscoroutinefunction(Ferry.asail)
    with pytest.raises(TypeError, match="trucks"):
        Ferry().sail("Skarholm", trucks=1)


@pytest.mark.parametrize(
    ("noun", "verb", "twin"),
    [
        (Evals, "run", "arun"),
        (Evals, "resume", "aresume"),
        (Models, "complete", "acomplete"),
        (Models, "stream", "astream"),
        (Models, "embed", "aembed"),
    ],
)
def test_help_of_a_verb_and_of_its_twin_is_complete(noun, verb, twin):
    """Each shows every parameter by name, and none as ``*args``."""
    one, other = inspect.signature(getattr(noun, verb)), inspect.signature(getattr(noun, twin))
    assert one.parameters == other.parameters
    assert not {"args", "options"} & set(one.parameters)
    text = pydoc.plain(pydoc.render_doc(getattr(noun, verb)))
    assert all(name in text for name in one.parameters)
