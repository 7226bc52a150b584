"""The page of a queue for people without a notebook, as they open it: a server, its kernels, Chromium."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from tornado.websocket import websocket_connect

from tests.browser.conftest import _TRAFFIC
from tests.browser.test_hostile import HOSTILE, hostile_rows, nothing_ran
from tests.feedback.test_page_messages import framed
from tests.forked import Program

VISITORS = 10
#: Each page holds some ahead.
ITEMS = 80
#: A kernel starts on a machine that does other things as well.
PATIENCE_MS = 300_000
NAME = "<img src=x onerror=\"window.__xss='name'\"> O'Hara"
#: ignored where a shell starts something in its background
START = "import runpy, signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); runpy.run_module('lmops')"
#: the same in a process that was forked, whose kernels are forked too
WARM = f"""import json, os, sys, tempfile
os.environ.update(json.loads(sys.argv.pop(1)))
os.environ.pop("LMOPS_STATIC", None)
tempfile.tempdir = None
os.chdir(os.environ["TMPDIR"])
os.dup2(os.open("../label.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND), 2)
from tests import warm
warm.use_here()
{START}"""


class Server:
    """``lmops label q`` on a store, in a process of its own; what says how kernels begin or end takes it cold."""

    def __init__(self, store, *options, folder, is_cold=False):
        self.log = folder / "label.log"
        self.folder = folder / "temporary"
        self.folder.mkdir(exist_ok=True)
        words = ["label", "q", "--store", str(store), "--json", "--port", "0", *options]
        own = {"TMPDIR": str(self.folder), "IPYTHONDIR": str(folder / "ipython")}
        self.process = self._cold(words, own) if is_cold else Program(WARM, json.dumps(own), *words)
        line = self.process.stdout.readline()
        assert line, self.log.read_text()
        self.url = json.loads(line)["url"]
        self.port = int(self.url.rstrip("/").rpartition(":")[2])

    def _cold(self, words, own):
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), **own}
        environment.pop("LMOPS_STATIC", None)
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-c", START, *words],
                env=environment,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=self.folder.parent,
                text=True,
            )

    def processes(self):
        """Return the processes of a cold server that were started for visitors."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def kernels(self):
        """Return the files by which the kernels of visitors are reached."""
        return [*self.folder.rglob("kernel-*.json")]

    def get(self, path, method="GET", **headers):
        """Return status and body of one request."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        found = answer.status, answer.read().decode()
        connection.close()
        return found

    def end(self, number=signal.SIGINT):
        """Send a signal; return what it ended with."""
        self.process.send_signal(number)
        try:
            return self.process.wait(60)
        finally:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()


def is_kernel(process):
    """Return whether a process that was started for a visitor is the one that speaks to the page."""
    with contextlib.suppress(psutil.Error):
        return "ipykernel_launcher" in process.cmdline()
    return False


def has_voila():
    """Skip where the extra is not installed."""
    if importlib.util.find_spec("voila") is None:
        pytest.skip("voila is not installed")


def filled(path):
    """Make a store with a queue of hostile traces."""
    import lmops

    has_voila()
    with lmops.open(path, actor="owner") as ws:
        for start in range(0, ITEMS, 10):
            ws.store.load(spans=hostile_rows(lambda i, start=start, **more: _TRAFFIC._conversation(start + i, **more)))
        ws.feedback.schemas.save("support", criteria=HOSTILE)
        ws.feedback.queue("q", [f"{i + 1:032x}" for i in range(ITEMS)], schema="support")
    return path


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A store that its page must not name."""
    return filled(tmp_path_factory.mktemp("label") / "secret-place" / ".lmops")


@pytest.fixture(scope="module")
def server(browsers, store, tmp_path_factory):
    """A server of its queue."""
    found = Server(store, folder=tmp_path_factory.mktemp("server"))
    yield found
    found.end()


class Visit:
    """One page of one visitor."""

    def __init__(self, context, url):
        self.page = context.new_page()
        self.page.set_default_timeout(PATIENCE_MS)
        self.asked = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(url, wait_until="commit")

    def sit(self, name):
        """Say a name, as it is asked for."""
        self.page.locator(".lm-name-form input").fill(name)
        self.page.keyboard.press("Enter")
        return self

    def case(self):
        """Wait for a case and return its position."""
        self.page.wait_for_selector(".lm-root[data-saved][data-position]:not([data-position='']):has(.lm-role)")
        return int(self.page.locator(".lm-root").get_attribute("data-position"))

    def press(self, key):
        """Press a key and wait for another case."""
        before = self.case()
        self.page.keyboard.press(key)
        self.page.wait_for_selector(f".lm-root:not([data-position='{before}'])")

    def saved(self):
        """Wait until everything is in the store."""
        self.page.wait_for_selector(".lm-root[data-saved=yes][data-unsaved='0']")


@pytest.fixture
def visit(chromium):
    """Return a function that opens a page in a browser of its own."""
    contexts = []

    def open_it(url):
        contexts.append(chromium.new_context(viewport={"width": 1100, "height": 800}))
        return Visit(contexts[-1], url)

    yield open_it
    for one in contexts:
        one.close()


def labels(store):
    """Return who said what of which item."""
    import lmops

    with lmops.open(store, read_only=True) as ws:
        rows = ws.sql("select rater, position, field_values from labels").fetchall()
    return {(who, at): json.loads(values)["verdict"]["value"] for who, at, values in rows}


def test_an_expert_labels_by_key_and_says_a_name_once(server, store, visit):
    """A label is in the store; a page that is loaded anew knows who it is and goes on; others get other work."""
    ann = visit(server.url).sit(NAME)
    first = ann.case()
    ann.press("p")
    ann.saved()
    assert labels(store)[NAME, first] == "pass"
    ann.page.reload(wait_until="commit")
    mine = ann.case()
    assert ann.page.locator(".lm-rater").inner_text() == NAME
    assert ann.page.locator(".lm-name-form").count() == 0
    assert visit(server.url).sit("bob").case() not in {first, mine}
    nothing_ran(ann.page)
    assert all(one.startswith((server.url, "data:", "blob:", "ws://127.0.0.1:")) for one in ann.asked)
    said = ann.page.content() + ann.page.evaluate("() => JSON.stringify(localStorage)")
    assert not [word for word in ("secret-place", "lmops.open", "label.ipynb") if word in said]


def test_ten_who_come_at_once_label_beside_each_other(visit, tmp_path):
    """They are let in one after the other; every label is there once, and everybody had other work."""
    store = filled(tmp_path / ".lmops")
    server = Server(store, folder=tmp_path)
    try:
        raters = {f"rater {i}": visit(server.url) for i in range(VISITORS)}
        said = [one.page.locator(".opening").inner_text() for one in raters.values()]
        for name, one in raters.items():
            one.sit(name)
        for _ in range(3):
            for one in raters.values():
                one.press("p")
        for one in raters.values():
            one.saved()
        assert len(server.kernels()) == VISITORS
    finally:
        server.end()
    found = labels(store)
    assert sorted(who for who, _ in found) == sorted(3 * list(raters))
    assert len({at for _, at in found}) == 3 * VISITORS
    assert [one for one in said if "before you" in one]


def test_a_page_says_what_is_wrong_with_a_name(server, visit):
    """In words beside the field, which keeps what was typed."""
    found = visit(server.url)
    for name, words in (("", "say your name"), ("x" * 101, "at most 100 characters"), ("a\u202eb", "cannot be seen")):
        found.sit(name)
        found.page.wait_for_selector(f".lm-name-form [role=alert]:has-text('{words}')")
        assert found.page.locator(".lm-name-form input").input_value() == name
    assert found.sit("cleo").case()


LOST = """if (!sessionStorage.getItem('lmops:tries')) addEventListener('DOMContentLoaded', () => {
  const lost = Object.assign(document.createElement('div'), {className: 'jupyter-widgets'});
  lost.textContent = 'Error displaying widget: model not found';
  document.body.append(lost);
});"""


def test_a_page_that_lost_its_widget_opens_itself_again(server, visit):
    """Beside many others a kernel may answer too late; whoever waits sees the name asked for, and no error."""
    found = visit("about:blank")
    found.page.add_init_script(LOST)
    found.page.goto(server.url, wait_until="commit")
    found.page.wait_for_function("() => performance.getEntriesByType('navigation')[0].type === 'reload'")
    found.page.wait_for_selector(".lm-name-form")
    assert found.page.get_by_text("Error displaying widget").count() == 0


CHANNEL = """async ({kernel, messages, text, framed}) => {
  const url = `ws://${location.host}/api/kernels/${kernel}/channels?session_id=s${Math.random()}`;
  const socket = new WebSocket(url, framed ? ['v1.kernel.websocket.jupyter.org'] : []);
  socket.binaryType = 'arraybuffer';
  await new Promise((ready, failed) => { socket.onopen = ready; socket.onerror = failed; });
  const heard = [];
  socket.onmessage = ({data}) => heard.push(typeof data === 'string' ? data : new TextDecoder().decode(data));
  for (const one of text) socket.send(one);
  for (const one of messages) socket.send(new Uint8Array(one));
  for (let i = 0; i < 600 && framed && !heard.some((one) => one.includes('kernel_info_reply')); i++)
    await new Promise((later) => setTimeout(later, 100));
  socket.close();
  return heard;
}"""


def test_a_visitor_who_speaks_to_the_kernel_runs_nothing(server, visit, tmp_path):
    """Neither over the channels nor in the older form: what comes after it is answered, and it never ran."""
    found = visit(server.url)
    found.page.wait_for_selector(".lm-name-form")
    marks = [tmp_path / name for name in ("shell", "control", "older")]
    codes = [{"code": f"open({str(one)!r}, 'w').close()", "silent": False} for one in marks]
    older = {
        "channel": "shell",
        "header": {"msg_id": "x", "msg_type": "execute_request", "username": "", "session": "s"},
    }
    send = {
        "kernel": json.loads(found.page.locator("#jupyter-config-data").text_content())["kernelId"],
        "messages": [
            list(framed("execute_request", codes[0])),
            list(framed("execute_request", codes[1], channel="control")),
            list(framed("kernel_info_request")),
        ],
        "text": [json.dumps({**older, "parent_header": {}, "metadata": {}, "content": codes[2]})],
    }
    found.page.evaluate(CHANNEL, {**send, "framed": False})
    heard = found.page.evaluate(CHANNEL, {**send, "framed": True})
    assert [one for one in heard if "kernel_info_reply" in one]
    assert not [one for one in heard if "execute_reply" in one]
    assert not [one for one in marks if one.exists()]
    assert found.sit("dora").case()


@pytest.mark.parametrize(
    "path",
    ["/api/contents", "/api/kernels", "/api/sessions", "/api/terminals", "/api/kernelspecs", "/voila/files/label.ipynb",
     "/label.ipynb", "/voila/tree", "/voila/render/label.ipynb", "/voila/api/contents", "/lab", "/terminals/1",
     "/voila/templates/../../x", "/voila/static/%2e%2e/%2e%2e/app.py"],
)  # fmt: skip  # cases that belong together share a line
def test_nothing_else_of_a_notebook_server_is_there(server, path):
    """No files, no list of kernels, no terminals, no other notebooks."""
    status, body = server.get(path)
    assert status in {403, 404}
    assert "Traceback" not in body
    assert "secret-place" not in body


def test_files_whose_names_hold_their_hash_are_kept_for_ever(server, visit):
    """Other files for an hour, the page itself never."""
    found = visit("about:blank")
    kept = {}
    found.page.on("response", lambda one: kept.update({one.url: one.headers.get("cache-control")}))
    found.page.goto(server.url, wait_until="commit")
    found.page.wait_for_selector(".lm-name-form")
    parts = (r"/voila\.js", r"/voila-style\.js", r"remoteEntry\.[0-9a-f]{16,}\.")
    of = {part: value for part in parts for url, value in kept.items() if re.search(part, url)}
    assert of == dict(zip(parts, ("max-age=3600", "max-age=3600", "max-age=31536000, immutable"), strict=True))
    assert kept[server.url] == "no-store"


def gone(server):
    """Wait until no kernel is there."""
    end = time.monotonic() + PATIENCE_MS / 1000
    while server.kernels():
        assert time.monotonic() < end
        time.sleep(0.1)


@contextlib.contextmanager
def opened(server):
    """Take the place of a visitor; yield the answer as it begins, and what reads the rest and says its kernel."""
    asking = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE_MS / 1000)
    asking.request("GET", "/")
    answer = asking.getresponse()
    with contextlib.closing(asking), contextlib.closing(answer):
        yield answer, lambda: re.search(r'"kernelId": ?"([0-9a-f-]{36})"', answer.read().decode())[1]


def test_whoever_comes_when_all_places_are_taken_is_told(tmp_path):
    """Also while the last one is still being let in; a page that nobody looks at makes room, an open one does not."""
    server = Server(filled(tmp_path / ".lmops"), "--visitors", "1", "--idle", "2", folder=tmp_path)

    async def look(kernel):
        url = f"ws://127.0.0.1:{server.port}/api/kernels/{kernel}/channels?session_id=s"
        page = await websocket_connect(url)
        await asyncio.sleep(6)  # longer than it takes to end one that nobody looks at
        assert len(server.kernels()) == 1
        page.close()

    try:
        with opened(server) as (answer, kernel):
            status, said = server.get("/")
            assert (answer.status, status) == (200, 503)
            assert "as many people label here as there is room for" in said
            with ThreadPoolExecutor() as apart:  # the driver of the browser keeps a loop in this thread
                apart.submit(asyncio.run, look(kernel())).result()
        gone(server)
        with opened(server) as (answer, _):
            assert answer.status == 200
    finally:
        server.end()


def test_who_leaves_before_the_turn_takes_no_kernel(visit, tmp_path):
    """Nobody waits behind somebody who has gone."""
    server = Server(filled(tmp_path / ".lmops"), folder=tmp_path)
    try:
        pages = [visit(server.url) for _ in range(8)]
        for one in pages[4:7]:
            one.page.close()
        for one in (*pages[:4], pages[7]):
            one.page.wait_for_selector(".lm-name-form")
        assert len(server.kernels()) == 5
    finally:
        assert server.end() == 0


def test_only_pages_of_this_machine_are_answered(server):
    """A name that was made to mean this machine is refused, and so is a page from elsewhere; a kernel is not ended."""
    assert server.get("/", Host="evil.example")[0] == 403
    assert server.get("/", Origin="http://evil.example")[0] == 403
    kernel = "/api/kernels/00000000-0000-0000-0000-000000000000"
    assert server.get(kernel, "DELETE")[0] in {403, 405}
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "eA==",
    }
    assert server.get(f"{kernel}/channels", Origin="http://localhost:1", **upgrade)[0] in {403, 404}


def test_a_killed_server_loses_nothing(visit, tmp_path):
    """The page says that it is offline and keeps what is decided; a server that is there again gets it, unasked."""
    store = filled(tmp_path / ".lmops")
    server = Server(store, folder=tmp_path, is_cold=True)
    try:
        ann = visit(server.url).sit("ann")
        ann.press("p")
        ann.saved()
        kernels = server.processes()
        server.process.kill()
        ann.press("f")
        ann.press("p")
        ann.page.wait_for_selector(".lm-root[data-saved=no]")
        assert ann.page.locator(".lm-saved").inner_text() == "2 unsaved"
        ann.page.wait_for_selector(".lm-said-error:has-text('kept in this browser')")
        assert not psutil.wait_procs(kernels, timeout=60)[1]
        server.end()
        server = Server(store, "--port", str(server.port), folder=tmp_path)
        ann.page.wait_for_event("framenavigated")
        ann.case()
        ann.saved()
    finally:
        server.end()
    assert sorted(labels(store).values()) == ["fail", "pass", "pass"]


def test_a_kernel_that_dies_while_it_starts_is_said(visit, tmp_path):
    """The page does not wait for it, and its place is free for the next one."""
    server = Server(filled(tmp_path / ".lmops"), folder=tmp_path, is_cold=True)
    try:
        found = visit(server.url)
        while not (kernels := [one for one in server.processes() if is_kernel(one)]):
            time.sleep(0.01)
        kernels[0].kill()
        found.page.wait_for_selector(".failed:has-text('ended before it was there')")
        assert visit(server.url).sit("ann").case()
    finally:
        server.end()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_every_process(visit, tmp_path, number):
    """The kernels of those who look and of those who left; nothing stays in the temporary folder."""
    server = Server(filled(tmp_path / ".lmops"), folder=tmp_path, is_cold=True)
    try:
        visit(server.url).page.wait_for_selector(".lm-name-form")
        kernels = server.processes()
        assert kernels
    finally:
        code = server.end(number)
    assert code == 0, server.log.read_text()
    assert not [one for one in kernels if one.is_running()]
    assert list(server.folder.iterdir()) == []


def test_the_token_is_asked_of_everybody(visit, tmp_path):
    """Without it nothing opens and no kernel starts; with it in the address, or given when asked, the page opens."""
    (tmp_path / "token").write_text("s3cret token\n")
    options = ["--host", "0.0.0.0", "--token-file", str(tmp_path / "token")]
    server = Server(filled(tmp_path / ".lmops"), *options, folder=tmp_path)
    try:
        url = f"http://127.0.0.1:{server.port}/"
        assert server.get("/?token=wrong", Host="any.example")[0] == 302
        assert server.get("/api/kernels/00000000-0000-0000-0000-000000000000")[0] == 403
        found = visit(url)
        for given in ("wrong", "s3cret token"):
            assert not server.kernels()
            found.page.locator("#token").fill(given)
            found.page.keyboard.press("Enter")
            found.page.wait_for_selector("[role=alert]:has-text('not the token'), .lm-name-form")
        assert found.sit("ann").case()
        visit(f"{url}?token=s3cret%20token").page.wait_for_selector(".lm-name-form")
        assert "s3cret" not in server.log.read_text()
    finally:
        server.end()


def test_a_queue_that_cannot_be_opened_is_said_without_places(visit, tmp_path):
    """The reason is for whoever runs the server, in its log."""
    server = Server(filled(tmp_path / "secret-place" / ".lmops"), folder=tmp_path)
    try:
        (tmp_path / "secret-place").rename(tmp_path / "away")
        found = visit(server.url)
        found.page.wait_for_selector("[role=alert]:has-text('cannot be opened now')")
        content = found.page.content()
        assert not [word for word in ("secret-place", "Traceback", "FileNotFound", "lmops.open") if word in content]
        assert "secret-place" in server.log.read_text()
    finally:
        server.end()
