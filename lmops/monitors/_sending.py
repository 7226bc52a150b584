"""One message to one sink; a file of its own because the clients are slow to load."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import smtplib
import ssl
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from lmops.base.posting import Deadline, Reply, post
from lmops.monitors import _payloads
from lmops.redact import mask_keys, without
from lmops.text import plain_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from lmops.monitors._payloads import Facts
    from lmops.monitors._sink_records import Sink

#: So long a sink has to take what it is told, in seconds.
TIMEOUT_S: Final = 5.0
#: So long all of a mail may take: a server may speak slowly, and never end.
MAIL_S: Final = 20.0
_LOCAL: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_ALERTS: Final = "/api/v2/alerts"


def send(sink: Sink, told: Sequence[Facts], texts: Mapping[str, Mapping[str, str]], *, at: datetime) -> Reply:
    """Tell a sink, and return what became of that; no secret is in what is returned.

    Args:
        sink: Who is told.
        told: Facts, each with its "key".
        texts: What may be shown of traces: id to question and answer.
        at: When it is sent.
    """
    missing = [name for name in (sink.url_env, sink.secret_env) if name and not os.environ.get(name, "").strip()]
    if missing:
        return Reply(None, f"{' and '.join(missing)} is not set in the environment")
    url = sink.url or os.environ[sink.url_env or ""].strip()
    secret = os.environ[sink.secret_env].strip() if sink.secret_env else None
    if urlsplit(url).scheme not in (("smtp", "smtps") if sink.kind == "email" else ("http", "https")):
        return Reply(None, f"{sink.url_env} holds no address")
    if sink.kind == "email":
        reply = _mailed(sink, url, secret, told, texts, at)
    else:
        path, body, headers = _request(sink, secret, told, texts, at)
        reply = post(
            url.rstrip("/") + path if path and not url.endswith(path) else url,
            body,
            headers=headers,
            timeout_s=TIMEOUT_S,
        )
    hidden = {one for one in (secret, url if sink.url_env else None) if one}
    return reply._replace(said=mask_keys(without(reply.said, hidden)))


def _request(
    sink: Sink, secret: str | None, told: Sequence[Facts], texts: Mapping[str, Mapping[str, str]], at: datetime
) -> tuple[str, bytes, dict[str, str]]:
    """Return what is added to the address, the body and its headers."""
    keys = [one["key"] for one in told]
    named = {"Idempotency-Key": keys[0] if len(keys) == 1 else hashlib.sha256("\n".join(keys).encode()).hexdigest()}
    if sink.kind == "alertmanager":
        until = _payloads.time_text(at + _payloads.HOLDS)
        headers = {"Authorization": f"Bearer {secret}"} if secret else {}
        return _ALERTS, _bytes(_payloads.alertmanager(told, until)), headers
    if sink.kind == "pagerduty":
        return "", _bytes(_payloads.pagerduty(told[0], secret or "")), named
    if sink.kind == "slack":
        return "", _bytes(_payloads.slack(told, texts)), named
    body, timestamp = _bytes(_payloads.webhook(told, sink.name, texts)), int(at.timestamp())
    if secret:
        named |= {
            "Lmops-Timestamp": str(timestamp),
            "Lmops-Signature": f"v1={_payloads.signature(secret, timestamp, body)}",
        }
    return "", body, named


def _bytes(body: Any) -> bytes:
    return json.dumps(body).encode()


def _mailed(
    sink: Sink,
    url: str,
    password: str | None,
    told: Sequence[Facts],
    texts: Mapping[str, Mapping[str, str]],
    at: datetime,
) -> Reply:
    """Send a mail: over TLS, unless the server is this machine."""
    parts = urlsplit(url)
    name, is_secure = parts.hostname or "", parts.scheme == "smtps"
    subject, text = _payloads.mail(told, texts)
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sink.mail["sender"], ", ".join(sink.mail["to"]), subject
    message["Date"], message["Message-ID"] = format_datetime(at), make_msgid(domain="lmops")
    message["X-Lmops-Key"] = told[0]["key"]
    message.set_content(text)
    context, deadline = ssl.create_default_context(), Deadline(MAIL_S)
    try:
        with (
            contextlib.closing(deadline),
            _SecureMail(deadline, name, parts.port or 465, timeout=TIMEOUT_S, context=context)
            if is_secure
            else _Mail(deadline, name, parts.port or 587, timeout=TIMEOUT_S) as server,
        ):
            if not is_secure and name not in _LOCAL:
                server.starttls(context=context)
            if sink.mail.get("user"):
                server.login(sink.mail["user"], password or "")
            refused = server.send_message(message)
    except (OSError, smtplib.SMTPException) as error:
        if deadline.is_over:
            return Reply(None, f"no answer within {MAIL_S:g} s")
        return Reply(None, plain_line(error, 200) or type(error).__name__)
    return Reply(250, f"refused for {', '.join(refused)}" if refused else "")


class _Mail(smtplib.SMTP):
    """A connection to a mail server that a deadline watches, from before TLS begins."""

    def __init__(self, deadline: Deadline, *given: Any, **more: Any) -> None:
        self._deadline = deadline
        super().__init__(*given, **more)

    def _get_socket(self, *told: Any) -> Any:
        return self._deadline.watch(super()._get_socket(*told))  # type: ignore[misc]  # not in the stubs


class _SecureMail(smtplib.SMTP_SSL, _Mail):
    """The same over TLS."""

    def __init__(self, deadline: Deadline, *given: Any, **more: Any) -> None:
        self._deadline = deadline
        smtplib.SMTP_SSL.__init__(self, *given, **more)
