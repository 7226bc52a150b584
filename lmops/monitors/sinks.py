"""``ws.monitors.sinks``: who is told of alerts, and how."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final, get_args
from urllib.parse import urlsplit

from lmops.base.kinds import refuses_wrong_kinds
from lmops.errors import NotFoundError, UsageError
from lmops.monitors import _outbox
from lmops.monitors._delivering import sent
from lmops.monitors._payloads import SEVERITIES, time_text
from lmops.monitors._sink_records import Deliveries, Sink, SinkKind, sink_of
from lmops.redact import mask_keys

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    import pandas as pd

    from lmops.monitors._payloads import AlertLike
    from lmops.records import Project, Row

PAGERDUTY_URL: Final = "https://events.pagerduty.com/v2/enqueue"
_NAME: Final = re.compile(r"[A-Za-z0-9][\w.-]{0,99}", re.ASCII)
_VARIABLE: Final = re.compile(r"[A-Z_][A-Z0-9_]{0,99}", re.ASCII)
_MAIL: Final = re.compile(r"[^\s@<>,;]{1,100}@[^\s@<>,;]{1,200}")
#: A stretch of an address that nobody would type: long, and letters and digits by turns.
_LONG: Final = re.compile(r"[A-Za-z0-9_-]{20,}")
_TURN: Final = re.compile(r"[A-Za-z](?=[0-9])|[0-9](?=[A-Za-z])")
_MOST_TURNS: Final = 2
#: Whose addresses are secrets as a whole.
_SECRET_HOSTS: Final = ("hooks.slack.com", "discord.com", "discordapp.com", "webhook.office.com")
#: What a sink says, and nothing of when and by whom.
_SAID: Final = ("kind", "url", "url_env", "secret_env", "min_severity", "monitors", "has_text", "mail")


@refuses_wrong_kinds
class Sinks:
    """Who is told of alerts: ``ws.monitors.sinks``."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._store = project.store

    def __repr__(self) -> str:
        return f"<Sinks: {len(self.list()):,}>"

    def save(
        self,
        name: str,
        *,
        kind: SinkKind,
        url: str | None = None,
        url_env: str | None = None,
        secret_env: str | None = None,
        min_severity: str = "ticket",
        monitors: Sequence[str] | None = None,
        with_text: bool = False,
        sender: str | None = None,
        to: Sequence[str] = (),
        user: str | None = None,
        reason: str | None = None,
    ) -> Sink:
        """Save somebody who is told of alerts from now on, in place of what the name meant before.

        Secrets are never stored: they are read from the environment of the process that tells.

        Args:
            name: Of the sink.
            kind: "webhook" (JSON as an Alertmanager sends it, signed), "slack" (a text, which others take as well),
                "alertmanager" (its API, version 2), "pagerduty" (its Events API, version 2) or "email".
            url: Where to: http or https; of e-mail ``smtp://HOST:PORT`` (with STARTTLS) or ``smtps://HOST:PORT``.
            url_env: Name of the variable of the environment that has the address, where that is a secret.
            secret_env: Name of the variable that has the secret: the key by which a webhook is signed, the token of an
                Alertmanager, the routing key of PagerDuty, the password of e-mail.
            min_severity: The least that is told: "note", "ticket", "urgent" or "page".
            monitors: The monitors that are told of; all by default.
            with_text: Tell the first words of questions and answers of example traces as well.
            sender: Of e-mail: from whom.
            to: Of e-mail: to whom.
            user: Of e-mail: the name by which one logs in.
            reason: Why, for the audit chain.

        Raises:
            UsageError: Something is missing, is no name or address, or may be a secret.
        """
        if not _NAME.fullmatch(name):
            raise UsageError(f"save({name!r}): a name has letters, digits, '.', '-' and '_'")
        row = {
            "kind": kind,
            "url": PAGERDUTY_URL if kind == "pagerduty" and url is None and url_env is None else url,
            "url_env": url_env,
            "secret_env": secret_env,
            "min_severity": min_severity,
            "monitors": None if monitors is None else json.dumps([*monitors]),
            "has_text": int(with_text),
            "mail": json.dumps({"sender": sender, "to": [*to], "user": user}) if kind == "email" else None,
        }
        _check(name, row, has_mail=bool(sender or to or user))
        with self._project.change(reason=reason) as change:
            old = change.con.execute("select * from alert_sinks where name = ?", (name,)).fetchone()
            before = None if old is None else {one: old[one] for one in _SAID}
            if before != row:
                told = {"actor": change.actor, "saved_ns": change.at_ns}
                change.replace("alert_sinks", {"name": name, **row, **told})
                _outbox.recover(change, name)
                change.say("sink.save", name, before=before, after=row)
        return sink_of({"name": name, **row})

    def get(self, name: str) -> Sink:
        """Return a sink.

        Args:
            name: Of the sink.

        Raises:
            NotFoundError: There is no such sink.
            DamagedStoreError: It is not what was saved; saving it again puts it right.
        """
        with self._project.reading() as con:
            row = self._store.record(con, "alert_sinks", name)
            if row is None:
                raise _unknown(con, name)
        return sink_of(dict(row))

    def list(self) -> pd.DataFrame:
        """Return one row a sink, by name.

        Returns:
            name, kind, address (without what may be secret), min_severity, monitors (None: all), waiting (notices that
            it was not told yet), failures (NA: it does not fail), failing_since_at (UTC), said (why it failed last).
        """
        import pandas as pd

        frame: pd.DataFrame = self._store.sql(
            "select s.name, s.kind, s.url, s.url_env, s.min_severity, s.monitors, "
            "(select count(*) from alert_deliveries d where d.sink = s.name and d.status = 'waiting') as waiting, "
            "s.failures, s.failing_since_at, s.said from alert_sinks s order by s.name"
        ).df()
        with self._project.reading() as con:
            known = {row["name"]: sink_of(dict(row)) for row in self._store.records(con, "alert_sinks")[0]}
        frame = frame[frame["name"].isin([*known])].reset_index(drop=True)
        addresses = pd.Series([known[name].address for name in frame["name"]], dtype="str")
        frame.insert(2, "address", addresses)
        frame["failures"] = frame["failures"].astype("Int64")
        shown: pd.DataFrame = frame.drop(columns=["url", "url_env"])
        return shown

    def remove(self, name: str, *, reason: str | None = None) -> Sink:
        """Tell a sink nothing any more, also not what waits for it, and return what it was.

        Args:
            name: Of the sink.
            reason: Why, for the audit chain.

        Raises:
            NotFoundError: There is no such sink.
        """
        with self._project.change(reason=reason) as change:
            row = change.con.execute("select * from alert_sinks where name = ?", (name,)).fetchone()
            if row is None:
                raise _unknown(change.con, name)
            dropped = _outbox.drop(change, name)
            change.delete("alert_sinks", name)
            before = {one: row[one] for one in _SAID}
            change.say("sink.remove", name, before=before, after={"dropped": dropped} if dropped else None)
        return sink_of(dict(row))

    def tell(self, name: str, about: AlertLike, *, transition: str = "firing") -> None:
        """Tell a sink of something that is like an alert, with what waits for it next; whatever its least severity.

        Args:
            name: Of the sink.
            about: What it is told; one that is no alert has a negative number.
            transition: What it becomes: "firing" or "resolved".

        Raises:
            NotFoundError: There is no such sink.
        """
        sink = self.get(name)
        with self._project.change() as change:
            _outbox.write(change, about, transition, [sink])

    def test(self, name: str) -> Deliveries:
        """Tell a sink of an alert that is made up, and return what became of it; one that takes it fails no more.

        Args:
            name: Of the sink.

        Raises:
            NotFoundError: There is no such sink.
        """
        sink = self.get(name)
        times = dict.fromkeys(("at", "since_at", "opened_at"), time_text(self._project.now()))
        made_up = {**_MADE_UP, **times, "key": "test-0-1-firing"}
        reply = sent(self._project, sink, [made_up])
        if reply.is_taken and sink.kind in ("alertmanager", "pagerduty"):  # there it would stay open
            ended = {"transition": "resolved", "resolved_at": made_up["at"], "key": "test-0-2-resolved"}
            reply = sent(self._project, sink, [{**made_up, **ended}])
        with self._project.change() as change:
            if reply.is_taken:
                _outbox.recover(change, name)
            change.say("sink.test", name, after={"is_taken": reply.is_taken, "said": reply.said})
            (waiting,) = change.con.execute(
                "select count(*) from alert_outbox where status = 'waiting' and sink = ?", (name,)
            ).fetchone()
        failed = {} if reply.is_taken else {name: reply.said}
        return Deliveries(sent=int(reply.is_taken), superseded=0, waiting=waiting, failed=failed)


def _check(name: str, row: Row, *, has_mail: bool) -> None:
    """Refuse a sink that could not be told, or that holds what may be a secret."""
    kind = row["kind"]
    if kind not in get_args(SinkKind):
        raise UsageError(f"save({name!r}): kind={kind!r} is none of {', '.join(get_args(SinkKind))}")
    if row["min_severity"] not in SEVERITIES:
        raise UsageError(f"save({name!r}): min_severity={row['min_severity']!r} is none of {', '.join(SEVERITIES)}")
    if (row["url"] is None) == (row["url_env"] is None):
        raise UsageError(f"save({name!r}): give url=, or url_env= where the address is a secret, and not both")
    for argument in ("url_env", "secret_env"):
        value = row[argument]
        if value is not None and (not _VARIABLE.fullmatch(value) or _is_secret(value)):
            # Not shown: it may be the secret itself.
            raise UsageError(
                f"save({name!r}): {argument} is the NAME of an environment variable, such as 'OPS_SECRET', and never "
                "what it holds; what was given is not a name, and was not stored"
            )
    if row["url"] is not None:
        _check_url(name, kind, row["url"])
    if kind == "pagerduty" and row["secret_env"] is None:
        raise UsageError(f"save({name!r}): PagerDuty needs secret_env=, the name of the variable with the routing key")
    if kind == "slack" and row["secret_env"] is not None:
        raise UsageError(f"save({name!r}): of Slack the address is the secret: give url_env= and no secret_env=")
    if kind != "email" and has_mail:
        raise UsageError(f"save({name!r}): sender, to and user are of kind='email'")
    if kind == "email":
        _check_mail(name, json.loads(row["mail"]), row["secret_env"])


def _check_url(name: str, kind: str, url: str) -> None:
    schemes = ("smtp", "smtps") if kind == "email" else ("http", "https")
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address or any(character.isspace() or not character.isprintable() for character in url):
        raise UsageError(
            f"save({name!r}): url is no address: it begins with {' or '.join(f'{one}://' for one in schemes)}"
        )
    is_hidden = (parts.hostname or "").endswith(_SECRET_HOSTS) and kind != "email"
    if is_hidden or "@" in parts.netloc or _is_secret(url, url.partition(parts.netloc)[2]):
        # Not shown: it may be the secret itself.
        raise UsageError(
            f"save({name!r}): the address seems to hold a secret, and was not stored: put it into a variable of the "
            "environment and give its name as url_env="
        )


def _is_secret(text: str, within: str | None = None) -> bool:
    """Return whether a text holds what has the look of a key; a long stretch of it is looked for within a part."""
    long = _LONG.findall(text if within is None else within)
    return mask_keys(text) != text or any(len(_TURN.findall(one)) > _MOST_TURNS for one in long)


def _check_mail(name: str, mail: Row, secret_env: str | None) -> None:
    wrong = [one for one in (mail["sender"] or "", *(mail["to"] or [""])) if not _MAIL.fullmatch(one)]
    if wrong:
        raise UsageError(
            f"save({name!r}): {wrong[0]!r} is no address of e-mail; give sender='lmops@house.example' and "
            "to=['ops@house.example']"
        )
    if (mail["user"] is None) != (secret_env is None):
        raise UsageError(f"save({name!r}): whoever logs in gives user= and secret_env=, the variable with the password")


def _unknown(con: sqlite3.Connection, name: str) -> NotFoundError:
    known = [row[0] for row in con.execute("select name from alert_sinks")]
    return NotFoundError.of("sink", name, known, hint="ws.monitors.sinks.save(...) makes one")


_MADE_UP: Final[dict[str, Any]] = {
    "alert": 0,
    "monitor": "lmops-test",
    "version": 1,
    "series": {},
    "metric": "error_rate",
    "direction": "above",
    "severity": "note",
    "words": "this is a test of the sink; nothing is wrong",
    "transition": "firing",
    "resolved_at": None,
    "n": None,
    "estimate": None,
    "low": None,
    "high": None,
    "baseline": None,
    "times_opened": 1,
    "actor": "lmops",
    "reason": None,
    "trace_ids": [],
    "fingerprint": "test",
}
