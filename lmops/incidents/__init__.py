"""Incidents: from an alert to a verified recovery."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lmops.base.kinds import refuses_wrong_kinds
from lmops.base.public import only
from lmops.errors import NotFoundError, RefusedError, UsageError
from lmops.incidents import _doing, _escalating, _following, _life, _timeline
from lmops.incidents import _show as _show
from lmops.incidents._affected import affected, condition_checked
from lmops.incidents._postmortem import Known, Postmortem, written
from lmops.incidents._records import Act, Affected, Escalated, Escalation, Incident, Verified
from lmops.incidents._verifying import last_check, verify
from lmops.incidents.actions import ACTIONS, Action, Planned, Stand
from lmops.monitors import Alert, Monitors
from lmops.records import check_words
from lmops.times import to_ns
from lmops.traces import seconds

if TYPE_CHECKING:
    import builtins
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    import pandas as pd

    from lmops.records import Change, Project

__all__ = [
    "ACTIONS",
    "Act",
    "Action",
    "Affected",
    "Escalated",
    "Escalation",
    "Incident",
    "Incidents",
    "Planned",
    "Postmortem",
    "Stand",
    "Verified",
]
__dir__ = only(__all__)

_SEVERITIES: Final = (1, 2, 3, 4)


@refuses_wrong_kinds
class Incidents:
    """The incidents of a workspace: ``ws.incidents``."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._store = project.store

    def __repr__(self) -> str:
        states = self.list()["status"]
        return f"<Incidents: {len(states):,}, {states.isin(['open', 'mitigated']).sum():,} of them unresolved>"

    def open(
        self,
        what: int | str | Alert,
        *,
        title: str | None = None,
        severity: int | None = None,
        owner: str | None = None,
        where: str | None = None,
        since: str | datetime | None = None,
        explain: bool = True,
        reason: str | None = None,
    ) -> Incident:
        """Open an incident from an alert or by hand, and return it; the same cause is the same incident.

        An alert belongs to the incident that it was linked to; to one that is not closed of whose change the same
        accounted for most, such as a version of a prompt, however it came about; or to one that is not closed of the
        same series of its monitor, unless something else is known to account for each of the two. What was resolved is
        open again then. By hand the title is the cause.

        Args:
            what: The number of an alert, an alert, or a title.
            title: Of one that is opened from an alert; what the alert says by default.
            severity: 1 (page) to 4 (note); that of the alert by default, else 3.
            owner: Who looks after it.
            where: Which traces are affected, in the SQL of a search; those of its alerts by default.
            since: When it began; when the alert says so by default, else now.
            explain: Look for what accounts for the change, which may take some seconds.
            reason: Why, for the audit chain.

        Raises:
            NotFoundError: There is no such alert.
            UsageError: There is no title, or it is no severity.
            QueryError: The condition cannot be read.
        """
        if severity is not None and severity not in _SEVERITIES:
            raise UsageError(f"severity={severity!r}: give 1 (page), 2 (urgent), 3 (ticket) or 4 (note)")
        told: dict[str, Any] = {
            "title": None if title is None else _life.checked_title(title),
            "severity": severity,
            "in_charge": _person(owner),
            "condition": condition_checked(where),
            "since_ns": None if since is None else to_ns(since),
            "explained": None,
            "cause": None,
        }
        is_number = isinstance(what, int) or (isinstance(what, str) and what.isdigit())
        if isinstance(what, str) and not is_number:
            told["title"] = _life.checked_title(title or what)
            with self._project.change(reason=reason) as change:
                return self._read(change, _life.by_hand(change, told))
        alert = what if isinstance(what, Alert) else self.monitors.alert(int(what))
        if explain:
            told |= self._explained(alert)
        with self._project.change(reason=reason) as change:
            return self._read(change, _life.of_alert(change, alert, told))

    def get(self, incident: int) -> Incident:
        """Return an incident as it is now.

        Args:
            incident: Its number.

        Raises:
            NotFoundError: There is no such incident.
            DamagedStoreError: It was changed past the audit chain.
        """
        with self._project.reading() as con:
            return _life.read(self._store, con, incident)

    def list(self, *, status: str | None = None) -> pd.DataFrame:
        """Return one row an incident, the newest first.

        Args:
            status: "open", "mitigated", "resolved", "closed", or "unresolved" for the first two.

        Returns:
            The columns of the view ``incidents``: incident, title, severity, status, in_charge, since_at, ...

        Raises:
            UsageError: It is no status.
        """
        return _life.listed(self._store, status)

    def note(self, incident: int, text: str) -> Incident:
        """Note something on an incident, for its timeline; the same note by the same person again adds nothing.

        Args:
            incident: Its number.
            text: What is noted.

        Raises:
            NotFoundError: There is no such incident.
            UsageError: There are no words.
        """
        words = check_words(text, "note")
        if not words:
            raise UsageError(f"the note on incident {incident} is empty")
        with self._project.change() as change:
            known = _life.rows_of(self._store, change.con, "incident_notes", incident)
            row = {"kind": "note", "text": words, "ref": None}
            if not any((one["text"], one["actor"]) == (words, change.actor) for one in known):
                _life.STATES.row(change, incident)
                _life.add(change, "incident_notes", incident, row, said="note", after={"characters": len(words)})
            return self._read(change, incident)

    def own(self, incident: int, owner: str | None = None, *, reason: str | None = None) -> Incident:
        """Take an incident on, or give it to somebody; that acknowledges it.

        Args:
            incident: Its number.
            owner: Who looks after it; whoever acts by default.
            reason: Why, for the audit chain.

        Raises:
            NotFoundError: There is no such incident.
        """
        with self._project.change(reason=reason) as change:
            before = _life.STATES.row(change, incident)
            acknowledged = before["acknowledged_ns"] or change.at_ns
            told = {"in_charge": _person(owner) or change.actor, "acknowledged_ns": acknowledged}
            _life.tell(change, incident, "own", told)
            return self._read(change, incident)

    def grade(self, incident: int, severity: int, *, reason: str | None = None) -> Incident:
        """Say how severe an incident is.

        Args:
            incident: Its number.
            severity: 1 (page) to 4 (note).
            reason: Why, for the audit chain.

        Raises:
            NotFoundError: There is no such incident.
            UsageError: It is no severity.
        """
        if severity not in _SEVERITIES:
            raise UsageError(f"severity={severity!r}: give 1 (page), 2 (urgent), 3 (ticket) or 4 (note)")
        with self._project.change(reason=reason) as change:
            _life.tell(change, incident, "grade", {"severity": severity})
            return self._read(change, incident)

    def mitigate(self, incident: int, *, reason: str) -> Incident:
        """Say that an incident is stopped by something that was done elsewhere; an action says so by itself.

        Args:
            incident: Its number.
            reason: What was done.

        Raises:
            NotFoundError: There is no such incident.
            UsageError: It is resolved or closed already.
        """
        with self._project.change(reason=_needed(reason, "mitigate")) as change:
            before = _life.STATES.row(change, incident)
            told = {"mitigated_ns": change.at_ns, "acknowledged_ns": before["acknowledged_ns"] or change.at_ns}
            _life.STATES.move(change, incident, to="mitigated", action="mitigate", row=told)
            return self._read(change, incident)

    def resolve(self, incident: int, *, reason: str | None = None, force: bool = False) -> Incident:
        """Resolve an incident whose recovery was verified on traffic after what was done.

        Args:
            incident: Its number.
            reason: Why, for the audit chain.
            force: Resolve what was not verified; that needs a reason, and the incident says so for good.

        Raises:
            NotFoundError: There is no such incident.
            RefusedError: Its recovery was not verified since something was done last, or since it came back.
            UsageError: It is closed, or there is no reason for the force.
        """
        words = check_words(reason, "reason")
        if force and not words:
            raise UsageError("force=True needs a reason, which the incident keeps: reason='not verified: ...'")
        with self._project.change(reason=words) as change:
            before = _life.STATES.row(change, incident)
            check = last_check(self._store, change.con, before)
            is_verified = check is not None and check["state"] == "recovered"
            if before["status"] in ("open", "mitigated") and not (is_verified or force):
                said = "nothing was verified since something was done last" if check is None else check["words"]
                raise RefusedError(
                    f"incident {incident} is not known to be over: {said}. "
                    f"ws.incidents.verify({incident}) looks again; force=True with a reason resolves it all the same"
                )
            told = {"resolved_ns": change.at_ns, "is_verified": int(is_verified)}
            _life.STATES.move(change, incident, to="resolved", action="resolve", row=told)
            found = self._read(change, incident)
            if before["status"] != "resolved":
                _escalating.end(change, self._project, self.monitors, found)
            return found

    def close(self, incident: int, *, reason: str | None = None) -> Incident:
        """Close a resolved incident: whatever comes of its cause from then on is another one.

        Args:
            incident: Its number.
            reason: Why, for the audit chain.

        Raises:
            NotFoundError: There is no such incident.
            UsageError: It is not resolved.
        """
        with self._project.change(reason=reason) as change:
            _life.STATES.move(change, incident, to="closed", action="close", row={"closed_ns": change.at_ns})
            return self._read(change, incident)

    def reopen(self, incident: int, *, reason: str) -> Incident:
        """Open an incident again that came back, or was not stopped.

        Args:
            incident: Its number.
            reason: Why.

        Raises:
            NotFoundError: There is no such incident.
        """
        with self._project.change(reason=_needed(reason, "reopen")) as change:
            _life.reopen(change, incident, why=None)
            return self._read(change, incident)

    def affected(self, incident: int, *, until: str | datetime | None = None) -> Affected:
        """Return how many traces and users an incident is about, and the query of these traces.

        They are those that its alerts are about (what failed, or is beyond the baseline) until each was over, or that
        its own condition finds, from its beginning until it was stopped.

        Args:
            incident: Its number.
            until: Traces before it count; by default when it was mitigated or resolved, else now.

        Raises:
            NotFoundError: There is no such incident.
        """
        found = self.get(incident)
        end = to_ns(until) if until is not None else None
        return affected(self._project, self.monitors, found, until_ns=end)

    def actions(self) -> dict[str, str]:
        """Return what can be done about an incident: the name of each action, what it does and its arguments."""
        return ACTIONS.describe(lambda one: f"{one.words} ({', '.join(one.params) or 'no arguments'})")

    def act(
        self,
        incident: int,
        action: str,
        params: Mapping[str, Any] | None = None,
        *,
        dry_run: bool = True,
        seen: str | None = None,
        reason: str | None = None,
    ) -> Act:
        """Return what an action would do about an incident; with ``dry_run=False`` do it, once.

        A real run reads what stands, changes it and writes down both in one transaction: all of it happens, or nothing.
        What was done already and still stands is not done again. It mitigates an incident that is open.

        Args:
            incident: Its number.
            action: One of ``ws.incidents.actions()``, such as "roll_back".
            params: Its arguments, such as {"prompt": "support-answer"}.
            dry_run: Only say what would be done.
            seen: What the dry run that you decided on says it has seen; by default what stands when this call starts.
            reason: Why, for the audit chain; a real run needs one.

        Raises:
            NotFoundError: There is no such incident, action, or what the action is about.
            UsageError: An argument is missing or unknown, or a real run has no reason.
            RefusedError: It cannot be done.
            ConflictError: What it is about was moved since the dry run; nothing was changed.
        """
        given = dict(params or {})
        if dry_run:
            return _doing.planned(self._project, incident, action, given)
        words = _needed(reason, f"act({incident}, {action!r}, ..., dry_run=False)")
        with self._project.change(reason=words, evidence=[f"incident-{incident}"]) as change:
            return _doing.act(change, self._project, incident, action, given, seen)

    def acts(self, incident: int) -> builtins.list[Act]:
        """Return what was done about an incident by actions, in the order in which it was done.

        Args:
            incident: Its number.

        Raises:
            NotFoundError: There is no such incident.
        """
        with self._project.reading() as con:
            _life.read(self._store, con, incident)
            return _doing.acts(self._store, con, incident)

    def verify(
        self,
        incident: int,
        *,
        since: str | datetime | None = None,
        until: str | datetime | None = None,
        within: float | None = None,
    ) -> Verified:
        """Return whether an incident is over, by sessions that began after what was done; it is written down.

        The test of each alert (``ws.monitors.recovered``) may be looked at after every session. The incident has
        recovered when all of its alerts have. An alert that was over, and was followed by one of the same series that
        is not of the incident, is not tested any more: how that series is since then is another matter.

        Args:
            incident: Its number.
            since: Sessions from then on count; when something was done last by default.
            until: And before then; now by default.
            within: How much of what went beyond the edge may be left, as a share; none by default.

        Raises:
            NotFoundError: There is no such incident.
            UsageError: Nothing was done about it yet, and it is not said since when.
        """
        since_ns = None if since is None else to_ns(since)
        until_ns = None if until is None else to_ns(until)
        return verify(
            self._project, self.monitors, self.get(incident), since_ns=since_ns, until_ns=until_ns, within=within
        )

    def follow_up(
        self,
        incident: int,
        *,
        dataset: str | None = None,
        monitor: str | None = None,
        text: str | None = None,
        limit: int = 50,
        reason: str | None = None,
    ) -> Incident:
        """Say what follows from an incident: its traces as examples of a dataset, a monitor, or something to be done.

        Args:
            incident: Its number.
            dataset: The newest affected traces become examples of it, tagged with the incident.
            monitor: Name of a monitor that watches for it from now on.
            text: What is to be done, by whom and until when.
            limit: Examples at most.
            reason: Why, for the audit chain.

        Raises:
            NotFoundError: There is no such incident or monitor.
            UsageError: It is not exactly one of the three, or no trace is affected.
        """
        words = check_words(text, "text")
        if [dataset, monitor, words].count(None) != 2 or limit < 1:
            raise UsageError(
                f"follow_up({incident}, ...): give one of dataset=, monitor= and text=, and limit= of 1 up"
            )
        ref, found = None, self.affected(incident)
        if words is None:
            words, ref = _following.follow_up(
                self._project, self.monitors, found, dataset=dataset, monitor=monitor, limit=limit
            )
        _following.write(self._project, incident, words, ref, reason=reason)
        return self.get(incident)

    def postmortem(self, incident: int) -> Postmortem:
        """Return the post-mortem of an incident out of its record: what is not known is an open question in it.

        Args:
            incident: Its number.

        Returns:
            A record with ``markdown``, ``notebook`` (for ``json.dump`` into an .ipynb) and ``questions``.

        Raises:
            NotFoundError: There is no such incident.
        """
        found, affected_by = self.get(incident), self.affected(incident)
        with self._project.reading() as con:
            acts = _doing.acts(self._store, con, incident)
            checks, notes = (
                _life.rows_of(self._store, con, table, incident) for table in ("incident_checks", "incident_notes")
            )
        return written(Known(found, affected_by, self.timeline(incident), acts, checks, notes))

    def policy(self) -> pd.DataFrame:
        """Return who is told when nobody acts, one row a rule: severity, after, who, sink, unless."""
        from lmops.base.frames import Frame

        with self._project.reading() as con:
            return Frame(_escalating.policy(self._store, con), columns=list(_escalating.Rule._fields))

    def set_policy(self, rules: Sequence[Mapping[str, Any]], *, reason: str | None = None) -> pd.DataFrame:
        """Say who is told when nobody acts, in the place of what was said before; return it.

        Args:
            rules: One mapping each: severity (incidents at least so severe), after (how long after it was detected,
                such as "15m"), who, sink (the name of one of ``ws.monitors.sinks``), and unless ("acknowledged" by
                default, "mitigated" or "resolved": what ends the rule). [] ends the policy.
            reason: Why, for the audit chain.

        Raises:
            UsageError: A rule is none, or names no sink.
        """
        known = self.monitors.sinks.list()["name"].tolist()
        found = _escalating.rules_of(rules, known)
        with self._project.change(reason=reason) as change:
            _escalating.save(change, found)
        return self.policy()

    def escalate(self, *, at: str | datetime | None = None) -> Escalated:
        """Tell whoever is to be told of incidents that nobody acts on, each once; for a scheduler, however often.

        Args:
            at: As of when; now by default.

        Raises:
            ReadOnlyError: The store was opened read-only.
        """
        at_ns = to_ns(self._project.now() if at is None else at)
        return _escalating.escalate(self._project, self.monitors, at_ns=at_ns)

    def checked(self, incident: int) -> tuple[str, str] | None:
        """Return what the last verification of an incident said: its state, and why; None without one.

        Args:
            incident: Its number.

        Raises:
            NotFoundError: There is no such incident.
        """
        with self._project.reading() as con:
            _life.read(self._store, con, incident)
            rows = _life.rows_of(self._store, con, "incident_checks", incident)
        return (rows[-1]["state"], rows[-1]["words"]) if rows else None

    def timeline(self, incident: int, *, lead: str = "6h") -> pd.DataFrame:
        """Return what happened around an incident, put together from what was written of it elsewhere.

        Args:
            incident: Its number.
            lead: So long before its beginning is looked at as well, for what may have caused it.

        Returns:
            at (UTC), source (change, alert, prompt, route, ..., runbook, release, incident), what, who, why, evidence
            (an event of the audit chain, an alert, a run, a trace), behind_s (by so many seconds the clock of whoever
            wrote it was behind one before it in the chain; NA: it was not). Until it was resolved, else until now.

        Raises:
            NotFoundError: There is no such incident.
        """
        found = self.get(incident)
        since_ns, until_ns = _timeline.window(found, lead_s=seconds(lead), now_ns=to_ns(self._project.now()))
        return _timeline.timeline(self._store, found, since_ns=since_ns, until_ns=until_ns)

    @property
    def monitors(self) -> Monitors:
        """The monitors that watch what incidents are about."""
        return Monitors(self._project)

    def _read(self, change: Change, incident: int) -> Incident:
        return _life.read(self._store, change.con, incident)

    def _explained(self, alert: Alert) -> dict[str, str]:
        """Return what accounts for most of the change that an alert found, and what tells it apart; nothing if none."""
        try:
            found = self.monitors.explain(alert.alert)
        except NotFoundError:  # its monitor is gone
            return {}
        clear = [one for one in found.accounts if one.is_clear and found.state == "explained"]
        return {"explained": f"{clear[0].title}: {clear[0].words}", "cause": clear[0].key} if clear else {}


def _person(name: str | None) -> str | None:
    words = check_words(name, "owner", limit=200)
    return None if words is None else " ".join(words.split())


def _needed(reason: str | None, call: str) -> str:
    words = check_words(reason, "reason")
    if not words:
        raise UsageError(f"{call} needs a reason, which the audit chain shows: reason='...'")
    return words
