"""Asking git leaves a folder as it is and runs nothing of it."""

from __future__ import annotations

import subprocess

import pytest

from lmops.git import repository


def git(folder, *arguments, **more):
    done = subprocess.run(["git", "-C", folder, *arguments], check=True, capture_output=True, text=True, **more)
    return done.stdout.strip()


def new_repository(folder):
    """Make a repository with one commit of two files."""
    subprocess.run(["git", "init", "-q", folder], check=True)
    git(folder, "config", "user.email", "t@t")
    git(folder, "config", "user.name", "t")
    (folder / "a.txt").write_text("a")
    (folder / "b.txt").write_text("b")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "a")
    return folder


def everything(folder):
    """Ask all that is ever asked."""
    with repository(folder) as found:
        if found is None:
            return None
        changed = found.changes("--untracked-files=no"), found.changes("--ignored", "--", "a.txt")
        return found.head, *changed, (found.ask("rev-list", "-1", "HEAD", "--", "a.txt") or "").strip()


def test_what_git_says(tmp_path):
    """The commit, what differs from it, and the last commit of a file."""
    folder = new_repository(tmp_path / "repo")
    first = git(folder, "rev-parse", "HEAD")
    assert everything(folder) == (first, "", "", first)
    (folder / "b.txt").write_text("changed")
    git(folder, "commit", "-qam", "b")
    (folder / "a.txt").write_text("changed")
    assert everything(folder) == (git(folder, "rev-parse", "HEAD"), " M a.txt\n", " M a.txt\n", first)


def test_below_the_top_and_in_a_linked_worktree(tmp_path):
    """A folder below the top is asked by its own paths; a worktree has a directory elsewhere."""
    folder = new_repository(tmp_path / "repo")
    (folder / "below").mkdir()
    (folder / "below/a.txt").write_text("x")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "b")
    git(folder, "worktree", "add", "-q", tmp_path / "other")
    head = git(folder, "rev-parse", "HEAD")
    assert everything(folder / "below") == everything(tmp_path / "other/below") == (head, "", "", head)


def test_a_clone_without_its_history(tmp_path):
    """As CI services make them: the commit is known although the one before it is not there."""
    folder = new_repository(tmp_path / "repo")
    (folder / "a.txt").write_text("b")
    git(folder, "commit", "-qam", "b")
    git(tmp_path, "clone", "-q", "--depth=1", folder.as_uri(), "shallow")
    head = git(folder, "rev-parse", "HEAD")
    assert everything(tmp_path / "shallow") == (head, "", "", head)


def test_outside_of_a_repository_it_says_nothing(tmp_path):
    """None, not an error; also for a folder that is not there, and before the first commit."""
    assert everything(tmp_path / "none") is None
    assert everything(tmp_path) is None
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    assert everything(tmp_path)[0] is None


def test_what_the_environment_names_is_not_used(tmp_path, monkeypatch):
    """Inside of a hook git names its own repository to every program; ours asks about the folder."""
    folder, other = new_repository(tmp_path / "repo"), new_repository(tmp_path / "other")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    (other / "a.txt").write_text("changed")
    assert everything(folder)[1] == ""


# -- hostile repositories ----------------------------------------------------------------------------------------------


def fsmonitor(folder, script):
    git(folder, "config", "core.fsmonitor", script)


def clean_filter(folder, script):
    git(folder, "config", "filter.x.clean", script)
    (folder / ".git/info/attributes").write_text("* filter=x\n")


def process_filter(folder, script):
    git(folder, "config", "filter.x.process", script)
    (folder / ".gitattributes").write_text("* filter=x\n")


def smudge_filter_in_worktree_config(folder, script):
    git(folder, "config", "extensions.worktreeConfig", "true")
    git(folder, "config", "--worktree", "filter.x.clean", script)
    git(folder, "config", "--worktree", "filter.x.smudge", script)
    (folder / ".gitattributes").write_text("* filter=x\n")


def include(folder, script):
    (folder / "more").write_text(f'[filter "x"]\nclean = {script}\n[core]\nfsmonitor = {script}\n')
    git(folder, "config", "include.path", folder / "more")
    (folder / ".gitattributes").write_text("* filter=x\n")


def include_if(folder, script):
    (folder / "more").write_text(f'[filter "x"]\nclean = {script}\n')
    git(folder, "config", f"includeIf.gitdir:{folder}/.path", folder / "more")
    (folder / ".gitattributes").write_text("* filter=x\n")


def attributes_file(folder, script):
    (folder / "more").write_text("* filter=x diff=x\n")
    git(folder, "config", "core.attributesFile", folder / "more")
    git(folder, "config", "filter.x.clean", script)


def signature(folder, script):
    body = git(folder, "cat-file", "commit", "HEAD")
    head, _, message = body.partition("\n\n")
    signed = f"{head}\ngpgsig -----BEGIN PGP SIGNATURE-----\n \n iQ==\n -----END PGP SIGNATURE-----\n\n{message}\n"
    commit = git(folder, "hash-object", "-t", "commit", "-w", "--stdin", input=signed)
    git(folder, "reset", "-q", "--soft", commit)
    for name in ("gpg.program", "gpg.ssh.program", "gpg.x509.program"):
        git(folder, "config", name, script)
    git(folder, "config", "log.showSignature", "true")


def hooks(folder, script):
    (folder / "hooks").mkdir()
    for name in ("post-index-change", "fsmonitor-watchman", "reference-transaction", "post-checkout"):
        (folder / ".git/hooks" / name).symlink_to(script)
        (folder / "hooks" / name).symlink_to(script)
    git(folder, "config", "core.hooksPath", folder / "hooks")


def differ(folder, script):
    (folder / ".gitattributes").write_text("* diff=x\n")
    for name in ("diff.external", "diff.x.command", "diff.x.textconv", "interactive.diffFilter"):
        git(folder, "config", name, script)


def pager_and_aliases(folder, script):
    names = ("core.pager", "pager.status", "pager.rev-list", "core.editor", "sequence.editor", "core.askPass")
    for name in names:
        git(folder, "config", name, script)
    for name in ("status", "rev-list", "rev-parse", "config"):
        git(folder, "config", f"alias.{name}", f"!{script}")


def partial_clone(folder, script):
    git(folder, "config", "core.repositoryFormatVersion", "1")
    git(folder, "config", "extensions.partialClone", "origin")
    git(folder, "config", "remote.origin.promisor", "true")
    git(folder, "config", "remote.origin.url", f"ext::{script}")
    git(folder, "config", "protocol.ext.allow", "always")
    git(folder, "config", "core.sshCommand", script)
    git(folder, "config", "credential.helper", script)
    git(folder, "config", "remote.origin.uploadpack", script)
    for name in [git(folder, "rev-parse", kind) for kind in ("HEAD^{tree}", "HEAD:a.txt")]:
        (folder / ".git/objects" / name[:2] / name[2:]).unlink()


def submodule(folder, script):
    inner = new_repository(folder / "inner")
    git(folder, "add", "inner")
    git(folder, "commit", "-qm", "s")
    git(inner, "config", "core.fsmonitor", script)
    git(folder, "config", "status.submoduleSummary", "true")


HOSTILE = [
    fsmonitor, clean_filter, process_filter, smudge_filter_in_worktree_config, include, include_if, attributes_file,
    signature, hooks, differ, pager_and_aliases, partial_clone, submodule,
]  # fmt: skip  # items that belong together share a line


@pytest.mark.parametrize("arm", HOSTILE, ids=lambda arm: arm.__name__)
def test_a_program_that_the_repository_names_is_not_run(arm, tmp_path):
    """Whatever a repository of somebody else names for git to run stays unused."""
    folder, proof, script = new_repository(tmp_path / "repo"), tmp_path / "ran", tmp_path / "program.sh"
    script.write_text(f"#!/bin/sh\necho x >> {proof}\nexit 1\n")
    script.chmod(0o755)
    arm(folder, str(script))
    proof.unlink(missing_ok=True)
    for name in ("a.txt", "b.txt"):  # so that git has to look into them
        (folder / name).write_text("B" if name == "b.txt" else "A")
    everything(folder)
    assert not proof.exists()


def test_the_programs_would_run_otherwise(tmp_path):
    """The hostile repositories of these tests are hostile: plain git runs what they name."""
    folder, proof, script = new_repository(tmp_path / "repo"), tmp_path / "ran", tmp_path / "program.sh"
    script.write_text(f"#!/bin/sh\necho x >> {proof}\ncat\n")
    script.chmod(0o755)
    include_if(folder, str(script))
    (folder / "a.txt").write_text("A")
    git(folder, "status")
    assert proof.exists()
