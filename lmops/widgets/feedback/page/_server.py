"""Voila with as little as the page of one queue needs: one address to open, one websocket that reaches the widget."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import tempfile
from contextlib import ExitStack, suppress
from email.message import Message
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import nbformat
import tornado.web
from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_server.base.handlers import FileFindHandler
from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection
from jupyter_server.services.kernels.handlers import KernelHandler
from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager
from tornado.gen import sleep
from tornado.httpserver import HTTPServer
from tornado.ioloop import IOLoop, PeriodicCallback
from traitlets.config import Config
from voila.app import Voila
from voila.shutdown_kernel_handler import VoilaShutdownKernelHandler
from voila.static_file_handler import MultiStaticFileHandler, TemplateStaticFileHandler
from voila.tornado.handler import TornadoVoilaHandler

from lmops.base.kernels import ThisInterpreter, encryption
from lmops.serve import Access, Refusal
from lmops.widgets.feedback.page._line import Line
from lmops.widgets.feedback.page._messages import admitted

if TYPE_CHECKING:
    import queue as queues
    import socket
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from tornado.httputil import HTTPServerRequest

_TEMPLATE: Final = Path(__file__).parent
#: Whether a kernel's page is gone is looked at this often.
_LOOK_S: Final = 30
_POLL_MS: Final = 100
#: Pages that a machine opens at once: as many as it has cores; others wait for their turn.
_PLACES: Final = max(2, os.cpu_count() or 2)
#: A page that is not there after so many seconds may still come, but nobody waits for it.
_PATIENCE_S: Final = 60.0
#: A kernel that does not answer is waited for: what is slow comes in the end, what is dead says so.
_KERNEL_S: Final = 3600
#: How long a browser takes a file for what it was; a name that holds its hash stands for one file for ever.
_KEEP: Final = "max-age=3600"
_KEEP_HASHED: Final = "max-age=31536000, immutable"
_HASHED: Final = re.compile(r"(?:^|[./-])[0-9a-f]{16,}\.\w+$")
#: Of the template: what tells the kernel of a page, and that there is nothing to come to.
_FAILED: Final = 'role="alert"'
#: In its stead where the kernel ended before the page was there; what the page waits for is not coming.
_DIED: Final = """\
<p class="opening failed" role="alert">The program behind this page ended before it was there. Load the page again.</p>
"""
_KERNEL: Final = re.compile(r'"kernelId": ?"([0-9a-f-]{36})"')
#: What a kernel runs; a store that was taken away is not made anew.
_CELL: Final = """\
import lmops
from lmops.store import has_store

if not has_store({store!r}):
    raise FileNotFoundError({store!r})
lmops.open({store!r}).feedback.label({queue!r}, ask=True)
"""
#: Of JupyterLab: what draws widgets, and this one.
_EXTENSIONS: Final = ["@voila-dashboards/widgets-manager8", "@jupyter-widgets/jupyterlab-manager", "anywidget"]
#: What of Voila is served, by a part of its pattern: kernels are not listed, no other file and no notebook is read.
_SERVED: Final = ("/channels", "/voila/static/", "/voila/labextensions/")
_FILE: Final = re.compile(r"(lab|base)/static/[\w./-]+")
#: Nothing is fetched from elsewhere, whatever a trace says; JupyterLab's settings and anywidget compile what is ours.
_POLICY: Final = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; media-src data: blob:; font-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)


class Page:
    """A server of one queue, while it is entered.

    Args:
        store: The store's folder.
        queue: The name of the queue.
        listening: What it listens on.
        address: That it is bound to.
        token: Asked of every visitor; None for none.
        visitors: The most at once, each with a kernel.
        idle_s: A kernel whose page is gone ends after so many seconds.
    """

    def __init__(
        self,
        store: str,
        queue: str,
        listening: socket.socket,
        *,
        address: str,
        token: str | None,
        visitors: int,
        idle_s: int,
    ) -> None:
        self._store = store
        self._queue = queue
        self._listening = listening
        self._address = address
        self._token = token
        self._visitors = visitors
        self._idle_s = idle_s
        self._held = ExitStack()

    def __enter__(self) -> Self:
        self._held.callback(self._listening.close)
        folder = Path(self._held.enter_context(tempfile.TemporaryDirectory(prefix="lmops-label-")))
        self._app = _App(
            config=_config(self._idle_s),
            listening=self._listening,
            access=Access(self._token, self._address),
            queue=self._queue,
            visitors=self._visitors,
            token=self._token or "",
        )
        self._app.notebook_path = str(_notebook(folder, self._store, self._queue))
        self._app.connection_dir_root = str(folder)
        self._app.config_file_paths = []
        self._app.initialize([])
        return self

    def run(self, received: queues.SimpleQueue[int], on_ready: Callable[[], None]) -> None:
        """Serve until something is received, then end all kernels."""
        self._app.received = received
        self._app.on_ready = on_ready
        self._app.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self._held.close()


def _notebook(folder: Path, store: str, queue: str) -> Path:
    cell = nbformat.v4.new_code_cell(_CELL.format(store=store, queue=queue))
    kernel = {"name": "python3", "display_name": "python3", "language": "python"}
    path = folder / "label.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[cell], metadata={"kernelspec": kernel, "title": queue}), path)
    return path


def _config(idle_s: int) -> Config:
    config = Config()
    config.Voila.open_browser = False
    config.Voila.log_level = "ERROR"
    voila = config.VoilaConfiguration
    voila.allow_template_override = voila.allow_theme_override = "NO"
    voila.file_allowlist = []
    voila.extension_allowlist = _EXTENSIONS
    voila.kernel_spec_manager_class = ThisInterpreter
    voila.attempt_fix_notebook = False
    voila.multi_kernel_manager_class = _Kernels
    config.MappingKernelManager.cull_idle_timeout = idle_s
    config.MappingKernelManager.cull_interval = min(_LOOK_S, idle_s)
    config.MappingKernelManager.kernel_info_timeout = config.VoilaExecutor.startup_timeout = _KERNEL_S
    config.KernelManager.client_class = f"{__name__}.{_Client.__name__}"
    config.KernelManager.autorestart = False  # a page finds its widget in no other kernel than its own
    for name, value in encryption().items():
        config.KernelManager[name] = value
    return config


class _App(Voila):  # type: ignore[misc]  # untyped base
    """Voila, told what it serves and when it ends."""

    def __init__(self, *, listening: socket.socket, access: Access, queue: str, visitors: int, **options: Any) -> None:
        super().__init__(**options)
        self.listening = listening
        self.access = access
        self.queue = queue
        self.visitors = visitors
        self.received: queues.SimpleQueue[int] | None = None
        self.on_ready: Callable[[], None] = lambda: None

    def start(self) -> None:
        """Serve until something is received."""
        logging.getLogger("tornado").setLevel(logging.ERROR)  # it doubts Jupyter's pings at every websocket
        logging.getLogger("traitlets").addHandler(logging.StreamHandler())  # why a cell failed
        self.connection_dir = tempfile.mkdtemp(dir=self.connection_dir_root)
        self.app = _Guarded(self.access, **self.init_settings())
        self.app.add_handlers(".*$", self.init_handlers())
        self.listen()

    def setup_template_dirs(self) -> None:
        """Take the page from here and everything that it loads from Voila."""
        super().setup_template_dirs()
        self.template_paths.insert(0, str(_TEMPLATE))

    def init_settings(self) -> dict[str, Any]:
        """Return the settings of the application: a websocket that reaches the widget, headers that hold it here."""
        settings: dict[str, Any] = super().init_settings()
        settings["kernel_websocket_connection_class"] = _Widgets
        settings["headers"] = {"Content-Security-Policy": _POLICY, "Referrer-Policy": "same-origin"}
        settings["queue"] = self.queue
        settings["visitors"] = self.visitors
        settings["line"] = Line(_PLACES, patience_s=_PATIENCE_S)
        settings["compress_response"] = bool(self.token)  # visitors of this machine gain nothing by it
        settings["log_function"] = lambda _handler: None  # an address may hold the token
        settings["jinja2_env"].loader.searchpath.insert(0, str(_TEMPLATE))
        return settings

    def init_handlers(self) -> list[Any]:
        """Return what is served: the page under one address, and what it loads."""
        known: list[Any] = super().init_handlers()
        served: list[Any] = [one for one in known if any(part in one[0] for part in _SERVED)]
        kept = {FileFindHandler: _Extension, MultiStaticFileHandler: _Static}
        served = [(one[0], kept.get(one[1], one[1]), *one[2:]) for one in served]
        served += [(one[0], _TemplateFile) for one in known if one[1] is TemplateStaticFileHandler]
        served += [(one[0], _Kernel) for one in known if one[1] is KernelHandler]
        served += [(one[0], _Ending) for one in known if one[1] is VoilaShutdownKernelHandler]
        served += [("/", _Opening, one[2]) for one in known if one[1] is TornadoVoilaHandler]
        return served + (self.identity_provider.get_handlers() if self.token else [])

    def listen(self) -> None:
        """Serve until something is received, then end every kernel."""
        server = HTTPServer(self.app)
        server.add_sockets([self.listening])
        self.ioloop = IOLoop.current()
        PeriodicCallback(self._look, _POLL_MS).start()
        self.ioloop.add_callback(self.on_ready)
        try:
            self.ioloop.start()
        finally:
            server.stop()
            self.stop()

    def _look(self) -> None:
        if self.received is not None and not self.received.empty():
            self.ioloop.stop()


class _Kernels(AsyncMappingKernelManager):
    """Kernels of which those end whose page is gone, and none that begins."""

    async def cull_kernel_if_idle(self, kernel_id: str) -> None:
        """End a kernel that nobody needs; for one that begins, somebody waits."""
        if self._kernels[kernel_id].execution_state != "starting":
            await super().cull_kernel_if_idle(kernel_id)  # type: ignore[no-untyped-call]  # untyped base


class _Client(AsyncKernelClient):
    """Speaks to a kernel that opens a page."""

    async def wait_for_ready(self, *within: Any, **_within: Any) -> None:
        """Wait until it answers; that it died is left to the cell, whose end is awaited as nothing before it is."""
        with suppress(RuntimeError):
            await super().wait_for_ready(*within, **_within)


class _Guarded(tornado.web.Application):
    """Answers nobody whose page is not one of ours."""

    def __init__(self, access: Access, **settings: Any) -> None:
        super().__init__(**settings)
        self._access = access

    def find_handler(self, request: HTTPServerRequest, **_more: Any) -> Any:
        """Return what answers a request."""
        headers = Message()
        for name, value in request.headers.get_all():
            headers[name] = value
        try:
            self._access.check(headers, is_open=True)  # the token is asked by the handlers, which browsers can give it
        except Refusal as refusal:
            return self.get_handler_delegate(request, tornado.web.ErrorHandler, {"status_code": refusal.status})
        return super().find_handler(request, **_more)


class _Widgets(ZMQChannelsWebsocketConnection):
    """A websocket whose page speaks to its widget and asks the kernel for nothing else."""

    def nudge(self) -> asyncio.Future[None]:
        """Wait until what the kernel says reaches the page, also where it is busy now."""
        return asyncio.ensure_future(self._nudged())

    async def _nudged(self) -> None:
        while getattr(self.kernel_manager, "execution_state", None) == "busy":
            await sleep(_POLL_MS / 1000)  # nothing tells when it ends
        await super().nudge()

    def handle_incoming_message(self, incoming_msg: Any) -> None:
        """Pass on what a page may say; what it may not is answered by nothing."""
        found = admitted(incoming_msg) if self.subprotocol else None
        if found is not None:
            if b'"custom"' in found:  # the first that a labeler says of its own, once it is drawn
                self.websocket_handler.settings["line"].arrived(self.kernel_id)
            super().handle_incoming_message(cast("Any", found))  # it says text, and takes bytes


class _Kept(tornado.web.StaticFileHandler):
    """A file that browsers keep: for ever where its name holds its hash, else for a while."""

    def set_headers(self) -> None:
        """Say so, whatever else is said of it."""
        super().set_headers()
        self.set_header("Cache-Control", _KEEP_HASHED if _HASHED.search(self.path) else _KEEP)


class _Static(_Kept, MultiStaticFileHandler):  # type: ignore[misc]  # untyped base
    """A file of Voila."""


class _Extension(_Kept, FileFindHandler):
    """A file of what draws widgets."""


class _TemplateFile(_Kept, TemplateStaticFileHandler):  # type: ignore[misc]  # untyped base
    """A file that the page loads, and nothing under a path that is put together otherwise."""

    def parse_url_path(self, url_path: str) -> str:
        """Return the path of the file."""
        if _FILE.fullmatch(url_path) is None or ".." in url_path:
            raise tornado.web.HTTPError(404)
        return str(super().parse_url_path(url_path))


class _Kernel(KernelHandler):
    """Tells a page that knows the id of its kernel that it is there; ends none."""

    SUPPORTED_METHODS = ("GET",)


class _Ending(VoilaShutdownKernelHandler):  # type: ignore[misc]  # untyped base
    """Ends the kernel of a page that is left, which says so as it goes and knows the id; nobody else does."""

    def check_xsrf_cookie(self) -> None:
        """Refuse what comes from another page: a beacon has no other sign to give."""
        if not self.check_origin():
            raise tornado.web.HTTPError(403)

    async def post(self, kernel_id: str) -> None:
        """End it, and let the next one in where this one never came."""
        self.settings["line"].arrived(kernel_id)
        await super().post(kernel_id)


class _Opening(TornadoVoilaHandler):  # type: ignore[misc]  # untyped base
    """The page of one more visitor, which takes a kernel."""

    _turn: asyncio.Future[None] | None = None
    _is_gone = False

    @tornado.web.authenticated
    async def get(self, path: str | None = None) -> None:
        """Open it when it is its turn, unless there are as many as this machine is meant to bear."""
        line: Line = self.settings["line"]
        if line.count(self.kernel_manager.list_kernel_ids()) >= self.settings["visitors"]:
            raise tornado.web.HTTPError(503, reason="as many people label here as there is room for, try again later")
        self.set_header("Cache-Control", "no-store")
        self._say(self.render_template("opening.html", queue=self.settings["queue"]))
        self._turn = asyncio.ensure_future(line.turn(self._tell))
        try:
            await self._turn
        except asyncio.CancelledError:  # whoever waited has left
            return
        with line.place() as expect:
            kernel, is_awaited = await self._open(path)
            if kernel is not None:
                expect(kernel)
        if kernel is not None and not is_awaited:
            line.arrived(kernel)

    async def _open(self, path: str | None) -> tuple[str | None, bool]:
        """Send the page; return its kernel, where there is one, and whether somebody will come for it."""
        self._tell(-1)
        kernel = None
        is_failed = False
        async for html in self.get_generator(path=path):
            self._say(html)
            kernel = found[1] if (found := _KERNEL.search(html)) else kernel
            is_failed = is_failed or _FAILED in html
        is_dead = kernel is not None and not await self.kernel_manager.is_alive(kernel)
        if is_dead and not is_failed:
            self._say(_DIED)
        if kernel is not None and (self._is_gone or is_dead):
            await self.kernel_manager.shutdown_kernel(kernel)
            return None, False
        return kernel, not is_failed

    def on_connection_close(self) -> None:
        """Leave the line."""
        self._is_gone = True
        if self._turn is not None:
            self._turn.cancel()
        super().on_connection_close()

    def _tell(self, before: int) -> None:
        self._say(f"<script>told({before})</script>")

    def _say(self, html: str) -> None:
        self.write(html)
        self.flush()
