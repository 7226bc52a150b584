"""One Chromium and one JupyterLab for all browser tests of a process.

A test of another widget takes ``stage(controller, name="prompts/diff")``: it mounts ``prompts/diff.js`` and ``.css``
on a page, with the controller's ``handle`` as the kernel. ``lab`` and ``notebook`` give the real page.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

_SPEC = importlib.util.spec_from_file_location("traffic", Path(__file__).parents[1] / "widgets" / "conftest.py")
_TRAFFIC = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_TRAFFIC)
#: the same stores as the tests of the controllers
span_row, conversation, traffic, controller = (
    getattr(_TRAFFIC, name) for name in ("span_row", "conversation", "traffic", "controller")
)

#: JupyterLab as ``python -m jupyterlab`` starts it
START_LAB = "import tests.quick, jupyterlab.labapp; jupyterlab.labapp.main()"
ARGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
CANDIDATES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")

FAILED = pytest.StashKey()

#: A page that stands in for JupyterLab: the widget's module with a model whose kernel is a Python function.
PAGE = """<!doctype html><meta charset="utf-8"><style>
body{margin:8px;font-family:sans-serif;--jp-brand-color1:#1976d2}
</style><div class="jp-Cell" tabindex="-1"><div id="here"></div></div>"""

START = """async ({esm, css, height}) => {
  window.sent = []; window.listeners = new Set(); window.connection = new Set();
  window.bytes = 0; window.delay = 0; window.isDead = false;
  window.waiting = 0;
  const style = document.createElement('style'); style.textContent = css; document.head.append(style);
  const url = URL.createObjectURL(new Blob([esm], {type: 'text/javascript'}));
  window.widget = await import(url);
  window.receive = (messages) => { for (const m of messages) for (const one of [...window.listeners]) one(m); };
  window.model = {
    get: (name) => ({_height: height})[name], set() {}, save_changes() {},
    on: (name, f) => (name === 'msg:custom' ? window.listeners : window.connection).add(f),
    off: (name, f) => (name === 'msg:custom' ? window.listeners : window.connection).delete(f),
    send: (message) => {
      if (window.isDead) throw new Error('Cannot send');
      window.sent.push(message);
      window.waiting += 1;
      const answer = (text) => { window.waiting -= 1; window.bytes += text.length; window.receive(JSON.parse(text)); };
      window.kernel(JSON.stringify(message))
        .then((text) => window.delay ? setTimeout(() => answer(text), window.delay) : answer(text));
    },
  };
  window.mount = (id) => {
    let el = document.getElementById(id);
    if (!el) { el = document.createElement('div'); el.id = id; document.body.append(el); }
    return window.widget.default.render({model: window.model, el});
  };
  window.cleanup = window.mount('here');
}"""


def unavailable():
    """Say why browser tests cannot run here; None when they can."""
    if importlib.util.find_spec("playwright") is None:
        return "playwright is not installed"
    if executable() is None:
        return "no chromium on PATH (set LMOPS_CHROMIUM to its path)"
    return None


def executable():
    """The browser to drive."""
    return os.environ.get("LMOPS_CHROMIUM") or next(filter(None, map(shutil.which, CANDIDATES)), None)


def pytest_collection_modifyitems(items):
    """Mark all browser tests."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)


class Browsers:
    """Chromium, and another one where it has died: the tests after the one that lost it are not lost as well."""

    def __init__(self, kind):
        self.kind = kind
        self.running = None
        self.sheets = []

    def __call__(self):
        if self.running is None or not self.running.is_connected():
            self.running = self.kind.launch(executable_path=executable(), args=ARGS)
            self.sheets = []
        return self.running

    def sheet(self, width):
        """Return an empty page: to open one takes ten times as long as to empty one."""
        self()
        found = self.sheets.pop() if self.sheets else Sheet(self().new_page())
        found.page.set_viewport_size({"width": width, "height": 800})
        return found

    def put_back(self, sheet):
        """Empty a page for the next who needs one."""
        sheet.empty()
        self.sheets.append(sheet)


class Sheet:
    """A page that speaks to one stage after the other."""

    def __init__(self, page):
        self.page = page
        self.stage = None
        page.set_default_timeout(30_000)
        page.on("pageerror", self._failed)
        page.expose_function("kernel", self._asked)

    def _asked(self, text):
        return self.stage.kernel(text) if self.stage else "{}"

    def _failed(self, error):
        if self.stage:
            self.stage.page_errors.append(str(error))

    def empty(self):
        """Leave nothing: no document, no pointer over it, nobody's wishes."""
        self.stage = None
        self.page.mouse.move(0, 0)
        self.page.emulate_media(media="null", color_scheme="light", reduced_motion="no-preference")
        self.page.goto("about:blank")


@pytest.fixture(scope="package")
def browsers():
    """What gives a running Chromium."""
    reason = unavailable()
    if reason is not None:
        if os.environ.get("LMOPS_REQUIRE_BROWSER") == "1":
            pytest.fail(f"LMOPS_REQUIRE_BROWSER=1, but {reason}")
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        found = Browsers(playwright.chromium)
        yield found
        if found.running is not None:
            found.running.close()


@pytest.fixture
def chromium(browsers):
    """A running Chromium."""
    return browsers()


class Stage:
    """One page with the widget in it, and the controller behind it."""

    def __init__(self, page, controller):
        self.page = page
        self.controller = controller
        self.messages = []
        self.page_errors = []

    def kernel(self, text):
        message = json.loads(text)
        self.messages.append(message)
        return json.dumps(self.controller.handle(message))

    def push(self, message):
        """Send what Python itself says, as the widget does."""
        self.page.evaluate("(message) => window.receive([message])", message)

    @property
    def root(self):
        return self.page.locator(".lm-root").first

    def data(self, name):
        return self.root.get_attribute(f"data-{name}")

    def ready(self):
        """Wait until the view has its state and, where it is a list, its first rows."""
        self.page.wait_for_selector(".lm-root[data-state=ready]")
        self.page.wait_for_function(
            "() => ['0', undefined].includes(document.querySelector('.lm-root').dataset.total) || "
            "document.querySelector('.lm-row:not(.lm-loading):not([hidden])')"
        )
        return self

    def press(self, *keys):
        for key in keys:
            self.page.keyboard.press(key)

    def quiet(self):
        """Wait until Python has answered everything, and what it said is drawn and has led to no question.

        What widgets put off until the reader pauses comes within 200 ms.
        """
        self.page.evaluate(
            """async () => {
              const frame = () => new Promise((done) => requestAnimationFrame(done));
              let since = performance.now();
              for (let still = 0; still < 3 || performance.now() - since < 250; ) {
                await frame();
                if (window.waiting) since = performance.now();
                still = window.waiting ? 0 : still + 1;
              }
            }"""
        )

    def until(self, check, timeout_s=30.0):
        """Wait until a Python condition holds."""
        end = time.monotonic() + timeout_s
        while not check():
            assert time.monotonic() < end, "waited in vain"
            self.page.wait_for_timeout(20)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    """Remember which tests failed: what their pages hold is not known."""
    report = yield
    item.stash[FAILED] = item.stash.get(FAILED, False) or report.failed
    return report


@pytest.fixture
def sheet(browsers, request):
    """Return a function that gives an empty page of a width, for as long as the test takes."""
    taken = []

    def take(width=1200):
        taken.append(browsers.sheet(width))
        return taken[-1]

    yield take
    for one in taken:
        if request.node.stash.get(FAILED, False):
            one.page.close()
        else:
            browsers.put_back(one)


@pytest.fixture
def stage(sheet):
    """Return a function that mounts a widget, by its file name, over a controller on a page of its own.

    With ``browser``, a browser's context, pages share what that keeps, as tabs do.
    """
    pages = []

    def mount(controller, *, name="traces/browser", height=520, width=1200, init="", browser=None):
        from lmops.widgets.kit.assets import script, style

        if browser is None:
            own = sheet(width)
        else:
            own = Sheet(browser.new_page())
            pages.append(own.page)
        page = own.page
        own.stage = found = Stage(page, controller)
        if browser is None:
            page.set_content(PAGE)
        else:  # a page that has an address has a storage
            page.route("http://localhost/**", lambda route: route.fulfill(body=PAGE, content_type="text/html"))
            page.goto("http://localhost/")
        if init:
            page.evaluate(init)
        page.evaluate(START, {"esm": script(f"{name}.js"), "css": style(f"{name}.css"), "height": height})
        controller.on_change = found.push
        return found.ready()

    yield mount
    for page in pages:
        page.close()


class Lab:
    """A JupyterLab server on a folder of its own."""

    def __init__(self, folder, *, theme="JupyterLab Light", windowing="none"):
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        settings = folder / "config" / "lab" / "user-settings" / "@jupyterlab"
        for name, value in {
            "notebook-extension/tracker": {"windowingMode": windowing},
            "apputils-extension/themes": {"theme": theme},
            "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
        }.items():
            path = settings / f"{name}.jupyterlab-settings"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(value))
        env = dict(os.environ) | {
            f"JUPYTER_{kind}_DIR": str(folder / kind.lower()) for kind in ("CONFIG", "DATA", "RUNTIME")
        }
        env |= {"IPYTHONDIR": str(folder / "ipython"), "PYTHONPATH": str(Path(__file__).parents[2])}
        env["JUPYTERLAB_SETTINGS_DIR"] = str(folder / "config" / "lab" / "user-settings")
        (folder / "work").mkdir()
        command = [
            sys.executable, "-c", START_LAB, "--no-browser", "--ip=127.0.0.1", f"--port={self.port}",
            "--ServerApp.port_retries=0", "--allow-root", "--IdentityProvider.token=", "--ServerApp.password=",
            f"--ServerApp.root_dir={folder / 'work'}", "--LabApp.extension_manager=readonly",
        ]  # fmt: skip  # items that belong together share a line
        with (folder / "lab.log").open("wb") as log:
            self.process = subprocess.Popen(command, env=env, stdout=log, stderr=log)
        self.wait()

    def wait(self):
        end = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(f"{self.url}/api", timeout=2).read()
            except OSError:
                assert self.process.poll() is None, (self.folder / "lab.log").read_text()[-2000:]
                assert time.monotonic() < end, "JupyterLab did not start"
                time.sleep(0.2)
            else:
                return

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@pytest.fixture(scope="package")
def lab(browsers, tmp_path_factory):
    """A running JupyterLab."""
    if importlib.util.find_spec("jupyterlab") is None:
        pytest.skip("jupyterlab is not installed")
    server = Lab(tmp_path_factory.mktemp("lab"))
    yield server
    server.close()


class Notebook:
    """One notebook, open in one page."""

    def __init__(self, lab, page, name):
        self.lab = lab
        self.page = page
        self.path = lab.folder / "work" / name

    def write(self, *cells, outputs=None):
        """Write the notebook as a file; ``outputs`` by the index of the cell."""
        document = {
            "nbformat": 4, "nbformat_minor": 5,
            "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
            "cells": [
                {"id": f"c{i}", "cell_type": "code", "source": cell, "metadata": {}, "execution_count": None,
                 "outputs": (outputs or {}).get(i, [])}
                for i, cell in enumerate(cells)
            ],
        }  # fmt: skip  # keys that belong together share a line
        self.path.write_text(json.dumps(document), "utf-8")
        return self

    def idle(self):
        """Wait until the notebook's indicator says that its kernel is there and has nothing to do."""
        self.page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status=idle]", timeout=60_000)

    def open(self):
        self.page.goto(f"{self.lab.url}/doc/tree/{self.path.name}?reset")
        self.idle()
        self.page.wait_for_timeout(800)  # a cell run right after "idle" now and then gave no output
        return self

    def run(self, index, *, wait=True):
        """Run a cell and wait until the kernel is idle again."""
        cell = self.page.locator(".jp-Notebook .jp-Cell").nth(index)
        prompt = cell.locator(".jp-InputArea-prompt").first
        before = prompt.inner_text()
        for _ in range(10):  # a loaded machine now and then loses the first Ctrl+Enter
            prompt.click()
            self.page.keyboard.press("Control+Enter")
            end = time.monotonic() + 3
            while prompt.inner_text() == before and time.monotonic() < end:
                self.page.wait_for_timeout(30)
            if prompt.inner_text() != before:
                break
        if wait:
            self.page.wait_for_function(
                "(i) => { const c = document.querySelectorAll('.jp-Notebook .jp-Cell')[i]; "
                "return /\\[\\d+\\]/.test(c.querySelector('.jp-InputArea-prompt').textContent); }",
                arg=index,
                timeout=60_000,
            )
        return cell

    def text(self, index):
        """The text output of a cell."""
        return self.page.locator(".jp-Notebook .jp-Cell").nth(index).locator(".jp-OutputArea-output").last.inner_text()

    def save(self):
        """Save with Ctrl+S, and return the notebook once it is on the disk."""
        before = self.path.stat().st_mtime_ns
        self.page.keyboard.press("Control+s")
        self._until(lambda: self.path.stat().st_mtime_ns != before)
        return self.on_disk()

    def on_disk(self):
        """Return the notebook as saved; JupyterLab empties the file before it writes it, so wait for a whole one."""
        self._until(lambda: self.path.read_text("utf-8").endswith(("}", "}\n")))
        return json.loads(self.path.read_text("utf-8"))

    def _until(self, check, timeout_s=60.0):
        end = time.monotonic() + timeout_s
        while not check():
            assert time.monotonic() < end, "the notebook was not saved"
            self.page.wait_for_timeout(100)


@pytest.fixture
def notebook(lab, chromium):
    """Return a function that writes cells into a new notebook and opens it."""
    contexts = []

    def make(name, *cells, outputs=None):
        context = chromium.new_context(viewport={"width": 1500, "height": 950})
        contexts.append(context)
        found = Notebook(lab, context.new_page(), name)
        return found.write(*cells, outputs=outputs).open()

    yield make
    for context in contexts:
        context.close()
