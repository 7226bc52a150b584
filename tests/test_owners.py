"""What somebody else made is not opened and not run until the user trusts it."""

from __future__ import annotations

import json
import os

import pytest
from click.testing import CliRunner

import lmops
from lmops.cli import main
from lmops.errors import NotFoundError, RunbookRefusedError, UntrustedError

STRANGER = 65_534


@pytest.fixture(autouse=True)
def settings(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    monkeypatch.delenv("LMOPS_TRUST", raising=False)
    monkeypatch.delenv("SUDO_UID", raising=False)
    return tmp_path / "settings" / "lmops" / "trusted"


@pytest.fixture
def give_away(monkeypatch):
    """Return a function that gives a folder to another user; without the right to, we become another one."""

    def give(folder):
        if os.geteuid() == 0:
            for path in (folder, *folder.rglob("*")):
                os.chown(path, STRANGER, STRANGER)
        else:
            me = os.geteuid()
            monkeypatch.setattr(os, "geteuid", lambda: me + 1)

    return give


@pytest.fixture
def store(tmp_path, give_away):
    """A store that belongs to somebody else."""
    folder = tmp_path / "project" / ".lmops"
    with lmops.open(folder) as ws:
        ws.prompts.save("p", "x")
    give_away(folder.parent)
    return folder


def test_a_store_of_somebody_else_is_not_opened(store, monkeypatch):
    """Neither named nor found upward, neither to write nor to read; the message says whose it is and what to do."""
    with pytest.raises(UntrustedError, match=r"its owner is .* lmops trust"):
        lmops.open(store)
    (store.parent / "work").mkdir()
    monkeypatch.chdir(store.parent / "work")
    with pytest.raises(UntrustedError):
        lmops.open(read_only=True)
    assert CliRunner().invoke(main, ["store", "stats"]).exit_code == 2


def test_trust_is_kept_for_the_folder_and_what_is_below(store, settings):
    """Once said it holds; the note is the user's alone."""
    lmops.trust(store.parent)
    lmops.trust(store.parent)
    with lmops.open(store) as ws:
        assert ws.prompts.get("p").template == "x"
    assert len(settings.read_text().splitlines()) == 1
    assert settings.stat().st_mode & 0o777 == 0o600


def test_the_command_trusts_and_lists(store):
    """``lmops trust PATH``, then without a path what is trusted."""
    run = CliRunner().invoke
    assert run(main, ["trust", str(store.parent / "nothing")]).exit_code == 2
    assert run(main, ["trust", str(store)]).exit_code == 0
    assert str(store) in run(main, ["trust"]).output
    assert run(main, ["store", "stats", "--store", str(store)]).exit_code == 0


@pytest.mark.parametrize("value", ["{}", "/nowhere:{}", "*"])
def test_a_container_trusts_by_its_environment(store, monkeypatch, value):
    """A list of paths, or all."""
    monkeypatch.setenv("LMOPS_TRUST", value.format(store))
    lmops.open(store).close()


def test_a_note_that_others_can_write_says_nothing(store, settings):
    """Otherwise whoever can write the settings decides what is trusted."""
    lmops.trust(store)
    settings.chmod(0o666)
    with pytest.raises(UntrustedError):
        lmops.open(store)


def test_a_damaged_note_trusts_nothing(store, settings):
    """It neither stops the program nor opens a door."""
    settings.parent.mkdir(parents=True)
    settings.write_text("no json\n")
    with pytest.raises(UntrustedError):
        lmops.open(store)


def test_trust_needs_something_to_trust(tmp_path):
    """A name that is not there yet could become anything."""
    with pytest.raises(NotFoundError):
        lmops.trust(tmp_path / "nothing")


def test_a_link_does_not_lend_its_owner(store, tmp_path):
    """A link of one's own to a store of somebody else is still a store of somebody else."""
    link = tmp_path / "mine"
    link.symlink_to(store)
    with pytest.raises(UntrustedError):
        lmops.open(link)


def test_who_uses_sudo_keeps_the_own_store(store, monkeypatch):
    """Root on behalf of a user opens what the user owns."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    monkeypatch.setenv("SUDO_UID", str(STRANGER))
    lmops.open(store).close()


def test_a_planted_runbook_does_not_run(tmp_path, monkeypatch, give_away):
    """A notebook of somebody else is listed as refused; its cells stay text."""
    books = tmp_path / "shared" / "notebooks" / "runbooks"
    books.mkdir(parents=True)
    cell = {"cell_type": "code", "id": "a", "metadata": {}, "execution_count": None, "outputs": [], "source": "1"}
    notebook = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (books / "traffic_report.ipynb").write_text(json.dumps(notebook))
    with lmops.open(tmp_path / "own") as ws:
        monkeypatch.chdir(tmp_path / "shared")
        give_away(tmp_path / "shared")
        with pytest.raises(RunbookRefusedError, match="its owner is"):
            ws.runbooks.run("traffic_report", progress=False)
        assert "owner" in ws.runbooks.show("traffic_report").problem


def test_a_runbook_that_is_a_link_is_refused(ws, monkeypatch):
    """What a link leads to is not what lies in the project."""
    books = ws.store.path.parent / "notebooks" / "runbooks"
    books.mkdir(parents=True)
    monkeypatch.chdir(books)
    (books / "traffic_report.ipynb").symlink_to("/elsewhere.ipynb")
    with pytest.raises(RunbookRefusedError, match="is a link"):
        ws.runbooks.run("traffic_report", progress=False)


def test_a_folder_of_prompts_of_somebody_else_is_not_synced(ws, tmp_path, give_away):
    """A prompt is an instruction: it does not come into the registry by itself."""
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "p.prompt.md").write_text("x")
    give_away(tmp_path / "prompts")
    with pytest.raises(UntrustedError):
        ws.prompts.sync(tmp_path / "prompts")
