"""Fixtures that every test may use."""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import shutil
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

importlib.import_module("tests.quick")  # before tests load anything

#: Where a folder in memory is, and the bytes that it must have to spare before tests write there.
IN_MEMORY, SPARE = "/dev/shm", 8 << 30


def pytest_configure():
    """Tests write in memory where there is room: what they hold does not wait for how fast a disk syncs."""
    if "TMPDIR" not in os.environ and os.access(IN_MEMORY, os.W_OK) and shutil.disk_usage(IN_MEMORY).free > SPARE:
        os.environ["TMPDIR"] = tempfile.tempdir = IN_MEMORY


gc.disable()  # until all tests are loaded: nothing that is made meanwhile is garbage


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers():
    """Tests wait for disks and kernels a part of their time: one process more than there are processors."""
    return 1 + (os.cpu_count() or 1)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    """Processes that begin together each begin elsewhere: what one has compiled the others then only load."""
    report = yield
    worker = getattr(collector.config, "workerinput", None)
    if worker is not None and isinstance(collector, pytest.Directory) and report.passed:
        place = int(worker["workerid"].removeprefix("gw")) * len(report.result) // worker["workercount"]
        report.result[:] = report.result[place:] + report.result[:place]
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Wherever a process began, it has the tests in the same order as the others."""
    items.sort(key=lambda item: item.path.parts)


def pytest_collection_finish():
    """What is loaded by now stays: collecting garbage need not go through it again and again."""
    gc.enable()
    gc.freeze()


def pytest_unconfigure():
    """At the end it is garbage as well: what stays would be reported as leaked."""
    gc.unfreeze()


@dataclass
class Clock:
    """A clock that moves when it is told to."""

    at: datetime = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def __call__(self):
        return self.at

    def advance(self, **by):
        self.at += timedelta(**by)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory):
    """A new store, to be copied: making its tables takes ten times as long as opening them."""
    import lmops

    folder = tmp_path_factory.mktemp("empty") / ".lmops"
    lmops.open(folder, actor="tester").close()
    return folder


@pytest.fixture
def ws(tmp_path, empty_store):
    """A workspace on a new store in a folder of its own."""
    import lmops

    folder = tmp_path / "project" / ".lmops"
    shutil.copytree(empty_store, folder)
    workspace = lmops.open(folder, actor="tester")
    yield workspace
    workspace.store.close()


@pytest.fixture(scope="module")
def made_once(tmp_path_factory):
    """Return what makes a store once for the tests of a file, and hands out a new copy each time."""
    import lmops

    made = {}

    @contextlib.contextmanager
    def copied(make):
        if make not in made:
            made[make] = tmp_path_factory.mktemp("made")
            with lmops.open(made[make] / ".lmops", actor="tester") as workspace:
                make(workspace)
        copy = tmp_path_factory.mktemp("copy") / "project"
        shutil.copytree(made[make], copy)
        with lmops.open(copy / ".lmops", actor="tester") as workspace:
            yield workspace

    return copied


@pytest.fixture
def warm_kernels(monkeypatch):
    """The notebooks of a test run in kernels that have everything loaded when they start."""
    from tests import warm

    warm.use(monkeypatch)


@pytest.fixture(autouse=True)
def no_store_from_outside(monkeypatch):
    """The store of the person who runs the tests is never touched."""
    for name in ("LMOPS_STORE", "LMOPS_STATIC", "LMOPS_RUN_ID"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def no_tracer_is_left():
    """A test that installs a tracer for the whole process leaves none to the tests after it."""
    yield
    import sys

    if "opentelemetry.trace" in sys.modules:
        from opentelemetry import trace as api
        from opentelemetry.util._once import Once

        for handle in getattr(api._TRACER_PROVIDER, "_lmops_instrumentations", {}).values():
            handle.clients.switch_off()
        api._TRACER_PROVIDER, api._TRACER_PROVIDER_SET_ONCE = None, Once()
