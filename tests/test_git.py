"""Asking git leaves a folder as it is and runs nothing of it."""

from __future__ import annotations

import subprocess

from lmops.git import ask_git


def repository(folder):
    """Make a repository with one commit."""
    subprocess.run(["git", "init", "-q", folder], check=True)
    (folder / "a.txt").write_text("a")
    for command in (["add", "a.txt"], ["-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "a"]):
        subprocess.run(["git", "-C", folder, *command], check=True)
    return folder


def test_what_git_says(tmp_path):
    """The text it prints; a clean folder has no status."""
    folder = repository(tmp_path / "repo")
    assert len(ask_git(folder, "rev-parse", "HEAD").strip()) == 40
    assert ask_git(folder, "status", "--porcelain") == ""


def test_outside_of_a_repository_it_says_nothing(tmp_path):
    """None, not an error; also for a folder that is not there."""
    assert ask_git(tmp_path / "none", "status") is None
    assert ask_git(tmp_path, "--no-such-option") is None


def test_a_program_that_the_repository_names_is_not_run(tmp_path):
    """The monitor of somebody else's repository stays unused."""
    folder, proof = repository(tmp_path / "repo"), tmp_path / "ran"
    monitor = tmp_path / "monitor.sh"
    monitor.write_text(f"#!/bin/sh\ntouch {proof}\n")
    monitor.chmod(0o755)
    subprocess.run(["git", "-C", folder, "config", "core.fsmonitor", str(monitor)], check=True)
    assert ask_git(folder, "status", "--porcelain") == ""
    assert not proof.exists()
