"""What docs/alerts.md says of a webhook is what one is sent."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

from lmops.monitors import _payloads
from tests.monitors.listeners import NOON, Alert

TEXT = (Path(__file__).parents[2] / "docs" / "alerts.md").read_text()
BLOCKS = dict(re.findall(r"^```(\w+)\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE))


def test_the_json_of_the_docs_has_every_name():
    """Neither one more nor one less, at each level."""
    said = json.loads(BLOCKS["json"])
    sent = _payloads.webhook([{**_payloads.facts_of(Alert(), "firing", at=NOON), "key": "k"}], "ops", {})
    assert said.keys() == sent.keys()
    (one,), (other,) = said["alerts"], sent["alerts"]
    assert one.keys() == other.keys()
    assert one["lmops"].keys() == other["lmops"].keys()
    assert one["labels"].keys() == other["labels"].keys()


def test_the_code_of_the_docs_knows_what_is_signed():
    """It takes what we sign and nothing else, nor what is old."""
    room: dict[str, object] = {}
    exec(BLOCKS["python"], room)
    now, body = int(time.time()), b'{"a": 1}'
    signed = "v1=" + _payloads.signature("s3cret", now, body)
    headers = {"Lmops-Timestamp": str(now), "Lmops-Signature": signed}
    is_ours = room["is_ours"]
    assert is_ours(b"s3cret", headers, body)
    assert not is_ours(b"s3cret", headers, body + b" ")
    assert not is_ours(b"other", headers, body)
    old = {"Lmops-Timestamp": str(now - 999), "Lmops-Signature": "v1=" + _payloads.signature("s3cret", now - 999, body)}
    assert not is_ours(b"s3cret", old, body)
