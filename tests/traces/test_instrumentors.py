"""Instrumentors that are installed are found by their entry point and switched on, one for each client."""

import sys
from types import ModuleType

import pytest

CODE = """
class {name}:
    state = {{"on": False, "provider": None}}

    @property
    def is_instrumented_by_opentelemetry(self):
        return self.state["on"]

    def instrument(self, tracer_provider):
        {body}

    def uninstrument(self):
        self.state["on"] = False
"""
WORKS = 'self.state.update({"on": True, "provider": tracer_provider})'


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Install an instrumentor as a package does, and return its class."""
    monkeypatch.syspath_prepend(tmp_path)

    def install(client, package, module, body=WORKS):
        info = tmp_path / f"{package.replace('-', '_')}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[opentelemetry_instrumentor]\n{client} = {module}:Made\n")
        (tmp_path / f"{module}.py").write_text(CODE.format(name="Made", body=body))
        return lambda: sys.modules[module].Made.state["on"] if module in sys.modules else False

    yield install
    for name in [name for name in sys.modules if name.startswith("made_")]:
        del sys.modules[name]


def test_an_installed_instrumentor_is_switched_on_and_off(ws, installed):
    """The handle says so; with the last store that takes spans it goes off."""
    is_on = installed("parrot", "openinference-instrumentation-parrot", "made_parrot")
    assert ws.traces.instrument(clients=False).clients.on == {}
    handle = ws.traces.instrument()
    assert is_on()
    assert handle.clients.on["parrot"] == "openinference-instrumentation-parrot"
    assert "traced: " in repr(handle)
    assert "parrot (openinference-instrumentation-parrot)" in repr(handle)
    assert sys.modules["made_parrot"].Made.state["provider"] is handle.provider
    ws.traces.stop_instrumentation()
    assert not is_on()


def test_of_two_for_one_client_one_is_switched_on(ws, installed):
    """Otherwise each call would be two spans; parts of every application stay as they are."""
    first = installed("parrot-v2", "opentelemetry-instrumentation-parrot-v2", "made_otel")
    second = installed("parrot", "opentelemetry-instrumentation-parrot", "made_loop")
    general = installed("requests", "opentelemetry-instrumentation-requests", "made_requests")
    ws.traces.instrument()
    assert (first(), second(), general()) == (False, True, False)


def test_one_that_fails_is_named_and_stops_nothing(ws, installed, caplog):
    """The others are on, and the application goes on."""
    installed("broken", "opentelemetry-instrumentation-broken", "made_broken", body="raise OSError('no client')")
    is_on = installed("parrot", "opentelemetry-instrumentation-parrot", "made_parrot")
    handle = ws.traces.instrument()
    assert is_on()
    assert handle.clients.failed == {"broken": "OSError: no client"}
    assert "broken is not: OSError: no client" in repr(handle)


def test_a_client_that_is_imported_and_makes_no_spans_is_named(ws, monkeypatch):
    """With the package that would make them."""
    monkeypatch.setitem(sys.modules, "anthropic", ModuleType("anthropic"))
    handle = ws.traces.instrument()
    assert handle.clients.missing["anthropic"] == "openinference-instrumentation-anthropic"
    assert "anthropic is imported and not traced: pip install openinference-instrumentation-anthropic" in repr(handle)
    assert "openai" not in handle.clients.missing
