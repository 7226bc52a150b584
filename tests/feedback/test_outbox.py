"""Pages that send what they have until it is acknowledged: whatever is lost, resent or restarted, it is there once."""

from __future__ import annotations

import itertools

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import lmops

ITEMS = [f"{number:032x}" for number in range(1, 7)]
NAMES = itertools.count()
STEPS = st.tuples(
    st.sampled_from(["a", "b"]),
    st.sampled_from(["label", "label", "skip", "note", "undo", "bulk", "bad", "send", "unheard", "twice", "restart"]),
    st.integers(1, len(ITEMS)),
    st.sampled_from(["pass", "fail"]),
)


class Page:
    """One page of the labeler: it numbers acts, keeps them until they are acknowledged, and knows what it did."""

    def __init__(self, client):
        self.client = client
        self.next = 1
        self.unsent = []
        self.stack = []
        self.refused = 0

    def add(self, **op):
        """Take an act as the page does."""
        self.unsent.append({"sequence": self.next, **op})
        self.next += 1
        return self.next - 1

    def act(self, what, at, verdict):
        """Do one thing; an undo names the act that it means."""
        if what == "undo":
            if self.stack:
                self.add(action="undo", of=self.stack.pop()[0])
            return
        positions = sorted({at, 1 + at % len(ITEMS)}) if what == "bulk" else [at]
        value = {"verdict": "perhaps" if what == "bad" else verdict}
        op = {"label": "label", "bulk": "label", "bad": "label"}.get(what, what)
        number = self.add(action=op, positions=positions, values=value, version=1, words="odd")
        if what != "bad":
            self.stack.append((number, op, positions, verdict if op == "label" else ""))

    def send(self, controller, *, is_heard=True):
        """Send what is there until nothing is left, or once where the answer is lost on its way."""
        while self.unsent:
            (answer,) = controller.handle({"kind": "ops", "id": "1", "client": self.client, "ops": self.unsent[:3]})
            assert answer["kind"] == "kept"
            if not is_heard:
                return
            done = {one["sequence"] for one in answer["done"]}
            self.unsent = [one for one in self.unsent if one["sequence"] not in done]
            if answer["stopped"]:
                assert answer["stopped"]["why"] == "refused"
                assert self.unsent[0]["sequence"] == answer["stopped"]["sequence"]
                self.unsent[0] = {"sequence": self.unsent[0]["sequence"], "action": "void"}
                self.refused += 1


def standing(ws, queue):
    """Return what the store has of acts that were not taken back: (client, number, action, positions, verdict)."""
    query = (
        "select client, sequence, action, list(position order by part), "
        "coalesce(any_value(json_extract_string(field_values, '$.verdict.value')), '') from label_history h "
        "where queue = ? and action <> 'undo' "
        "and not exists (select 1 from label_history u where u.undoes = h.seq) group by all"
    )
    return sorted(ws.sql(query, [queue]).fetchall())


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEPS, max_size=30))
def test_any_interleaving_of_two_pages_ends_in_what_they_did(tmp_path, steps):
    """Of one rater: acts, undos, bulk, refusals, lost answers, resends and restarts; each act once, in its place."""
    path, queue = tmp_path / ".lmops", f"q{next(NAMES)}"
    ws = lmops.open(path, actor="ann")
    ws.feedback.schemas.save("support")
    ws.feedback.queue(queue, ITEMS, schema="support")
    pages = {name: Page(f"{queue}-{name}") for name in ("a", "b")}
    for who, what, at, verdict in steps:
        page = pages[who]
        if what == "restart":
            ws.close()
            ws = lmops.open(path, actor="ann")
        elif what in ("send", "unheard", "twice"):
            controller = ws.feedback.label(queue)._controller
            page.send(controller, is_heard=what == "send")
            if what == "twice":
                page.send(controller)
        else:
            page.act(what, at, verdict)
    for page in pages.values():
        page.send(ws.feedback.label(queue)._controller)
    wanted = [(page.client, *one) for page in pages.values() for one in page.stack]
    assert standing(ws, queue) == sorted(wanted)
    numbers = ws.sql("select client, count(distinct sequence), max(sequence) from label_history where queue = ? "
                     "group by 1", [queue]).fetchall()  # fmt: skip  # one statement
    assert all(count == last for _, count, last in numbers)
    assert ws.audit.verify().ok
    ws.close()
