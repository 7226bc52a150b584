"""The page on adding a room works as it is written: a test follows it, step by step, in a copy of the package."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lmops.store._shape import migrations

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "add_a_room.md"
MAX_LINES = 150
#: after which line of a file a step adds its lines; at the end where none is named
AFTER = {
    "lmops/nouns.py: imports": "from lmops.runbooks import Runbooks\n",
    "lmops/nouns.py: Nouns": "",
    "lmops/cli/__init__.py: nouns": '    ("store", "store", "Look after the store."),\n',
}
USED = """
import json, sqlite3, sys
import lmops

with lmops.open(sys.argv[1], actor="mara") as ws:
    ws.notes.save("refunds", "within <b>14</b> days", reason="ticket 42")
    ws.notes.promote("refunds", 1, to="house")
    ws.notes.save("refunds", "within 30 days")
    ws.notes.promote("refunds", 2, to="house")
    found = {
        "again": ws.notes.save("refunds", "within 30 days").ref, "versions": len(ws.notes.versions("refunds")),
        "back": ws.notes.rollback("refunds", alias="house", reason="too long").to_version,
        "text": ws.notes.get("refunds@house").text, "html": ws.notes.get("refunds@1")._repr_html_(),
        "view": ws.sql("select words from notes").fetchall(), "ok": ws.audit.verify().ok and not ws.notes.verify(),
        "event": ws.sql("select actor, action, reason from audit where event_id in (1, 5)").fetchall(),
        "alias": ws.sql("select kind, name, alias, version from aliases").fetchall(),
        "static": ws.notes.board()._repr_html_(), "script": len(ws.notes.board().widget._esm) > 0,
        "answer": ws.notes.board()._controller.handle({"kind": "hello", "id": "1"}),
        "export": [path.name for path in ws.store.export(sys.argv[1] + "-copy").glob("notes*")],
    }
    ws.notes.save("trips", "Mrs Tibbs (u-7) asked again")
    found["would"] = ws.erase(words="u-7").records
    ws.erase(words="u-7", reason="asked for", dry_run=False)
    found["left"] = [ws.notes.get(ref).text for ref in ("refunds@1", "trips@1")]
    found["still"] = ws.audit.verify().ok
    with sqlite3.connect(sys.argv[1] + "/meta.sqlite") as con:
        con.execute("update notes set words = 'wrong'")
    con.close()
    found["edited"] = ws.audit.verify().ok
    try:
        ws.notes.get("refunds@house")
    except lmops.errors.DamagedStoreError as error:
        found["refused"] = "notes" in str(error)
print(json.dumps(found, default=str))
"""


def blocks() -> list[tuple[str, str]]:
    """Return the steps of the page: the file that each names in its first line, and its lines."""
    pattern = re.compile(r"^```\w+\n(?:#|//|/\*) (lmops/.*?)(?: \*/)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    number = f"migrations={{{migrations()[-1][0] + 1}:"
    return [(name, text.replace("migrations={10:", number)) for name, text in pattern.findall(PAGE.read_text())]


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A copy of the package in which every step was taken."""
    folder = tmp_path_factory.mktemp("copy")
    shutil.copytree(ROOT / "lmops", folder / "lmops", ignore=shutil.ignore_patterns("__pycache__"))
    for name, text in blocks():
        path = folder / name.partition(":")[0]
        if name in AFTER:
            there = path.read_text()
            assert AFTER[name] in there
            at = there.index(AFTER[name]) + len(AFTER[name]) if AFTER[name] else len(there)
            path.write_text(f"{there[:at]}{'' if AFTER[name] else chr(10)}{text}{there[at:]}")
        else:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
    return folder


def run(folder, *arguments):
    """Return what a process of its own prints that imports the copy."""
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    made = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stderr
    return made.stdout


def test_a_room_is_few_lines():
    """What it does not say, it has from what is there."""
    lines = [line for _, text in blocks() for line in text.splitlines() if line.strip()]
    assert 50 < len(lines) < MAX_LINES


def test_the_room_of_the_page_works(copy):
    """Its records are audited, shown, exported, asked for in SQL and erased; what was changed elsewise is refused."""
    found = json.loads(run(copy, "-c", USED, str(copy / "store")))
    assert found.pop("answer")[0]["notes"] == [["refunds", "within 30 days"]]
    assert "within 30 days" in found.pop("static")
    assert found == {
        "again": "refunds@2",
        "versions": 2,
        "back": 1,
        "text": "refunds@1: within <b>14</b> days (mara)",
        "html": "<p><b>refunds@1</b> within &lt;b&gt;14&lt;/b&gt; days</p>",
        "view": [["within <b>14</b> days"], ["within 30 days"]],
        "event": [["mara", "note.save", "ticket 42"], ["mara", "note.rollback", "too long"]],
        "alias": [["note", "refunds", "house", 1]],
        "ok": True,
        "script": True,
        "export": ["notes.parquet"],
        "would": {"notes": 1},
        "left": ["refunds@1: within <b>14</b> days (mara)", "trips@1: [erased] (mara)"],
        "still": True,
        "edited": False,
        "refused": True,
    }


def test_the_room_of_the_page_has_commands(copy):
    """They are made from its verbs; those of versions and aliases come with them."""
    store = str(copy / "by-command")
    run(copy, "-m", "lmops", "note", "save", "refunds", "within 14 days", "--actor", "mara", "--store", store)
    run(copy, "-m", "lmops", "note", "promote", "refunds", "1", "--to", "house", "--store", store)
    listed = json.loads(run(copy, "-m", "lmops", "note", "list", "--json", "--store", store))
    found = [(row["name"], row["words"], row["author"], row["aliases"]) for row in listed]
    assert found == [("refunds", "within 14 days", "mara", "house=1")]
