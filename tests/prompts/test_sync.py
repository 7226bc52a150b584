"""Files and registry: nothing is lost on the way, and nothing is overwritten that only one of them has."""

import contextlib
import os
import subprocess

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lmops.errors import UsageError
from lmops.models import check_params
from lmops.prompts.content import make
from lmops.prompts.files import dump, load
from lmops.records.files import write

LETTERS = st.text(st.characters(exclude_categories=["Cs"]))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | LETTERS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(LETTERS, inner, max_size=3),
    max_leaves=8,
)
#: Pieces that a file format trips over.
PIECES = st.lists(
    st.sampled_from([
        "---", "\n", "\n\n", " ", "  \n", "\t", "<!-- role: user -->", "\\<!-- role: user -->", "\\", "a: b", "é",
        "\r\n", "\r", "\u2028", "\x85", "\x0b", "\x00", "\ufeff", "# x", "```", "{{ a }}", "<!-- role: x --> y", "%",
    ])
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="{"), max_size=5),
    max_size=12,
).map("".join)  # fmt: skip  # arguments that belong together share a line
MESSAGES = st.lists(
    st.fixed_dictionaries({"role": st.sampled_from(["system", "developer", "user", "assistant"]), "content": PIECES}),
    min_size=1,
    max_size=4,
)


def content_of(template, **more):
    """Return content of any template; an empty one gets a letter, because it would be refused."""
    texts = [template] if isinstance(template, str) else [message["content"] for message in template]
    if not any(text.strip() for text in texts):
        template = template + "x" if isinstance(template, str) else [*template, {"role": "user", "content": "x"}]
    return make(template, **more)


def is_taken(params):
    """Return whether parameters are none that are refused, such as one that is nearly another's name."""
    with contextlib.suppress(UsageError):
        check_params(params)
        return True
    return False


@settings(deadline=None)
@given(
    template=PIECES | MESSAGES,
    model=st.none() | st.text("abc:-", min_size=1).filter(str.strip),
    params=st.dictionaries(LETTERS, JSON, max_size=3).filter(is_taken),
    schema=st.none() | st.dictionaries(LETTERS, JSON, max_size=3),
    tools=st.none() | st.lists(LETTERS | st.dictionaries(LETTERS, JSON, max_size=2), max_size=2),
    note=st.none() | LETTERS,
)
@example(template="---\nx\n---\n", model=None, params={}, schema=None, tools=None, note="---\n...\n")
@example(template="a\n\n", model="m", params={"yes": "no", "d": "2026-01-01", "e": 1e-7}, schema={}, tools=[], note=" ")
def test_a_file_holds_everything(template, model, params, schema, tools, note):
    """Any content, written and read, is the same content; through another system's line ends as well."""
    content = content_of(template, model=model, params=params, response_schema=schema, tools=tools)
    text = dump("name", content, version=3, note=note, tags=["a"])
    assert text.encode().decode() == text
    for one in (text, text.replace("\n", "\r\n")):
        back = load(one)
        assert back.content == content
        assert (back.content.hash, back.hash, back.name, back.tags) == (content.hash, content.hash, "name", ("a",))
    assert back.note == note


def test_a_file_reads_well(ws, tmp_path):
    """Front matter, then each message under its role."""
    ws.prompts.save(
        "greet",
        [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "{{ q }}\n\nThanks"}],
        model="openai:m",
        params={"temperature": 0},
        note="first\nline two",
        tags=["x"],
    )
    ws.prompts.sync(tmp_path / "prompts")
    lines = (tmp_path / "prompts" / "greet.prompt.md").read_text().splitlines()
    assert lines[:3] == ["---", "prompt: greet", "version: 1"]
    assert lines[3].startswith("hash: sha256:")
    assert lines[4:] == [
        "note: |-", "  first", "  line two", "author: tester", "tags:", "- x", "model: openai:m", "params:",
        "  temperature: 0", "---", "<!-- role: system -->", "Be brief.", "<!-- role: user -->", "{{ q }}", "", "Thanks",
    ]  # fmt: skip  # what is expected is read at a glance


@pytest.fixture
def folder(ws, tmp_path):
    """A folder in sync with one prompt."""
    ws.prompts.save("greet", "Hello {{ name }}", note="first")
    place = tmp_path / "prompts"
    assert actions(ws.prompts.sync(place)) == {"greet": "written"}
    return place


def actions(report):
    return {entry.name: entry.action for entry in report.entries}


def change(folder, old="Hello", new="Hi", name="greet"):
    path = folder / f"{name}.prompt.md"
    path.write_text(path.read_text().replace(old, new))


def test_in_sync_nothing_happens(ws, folder):
    """The bytes and the chain stay."""
    before, events = (folder / "greet.prompt.md").read_bytes(), ws.audit.verify().events
    report = ws.prompts.sync(folder)
    assert (actions(report), report.ok) == ({"greet": "same"}, True)
    assert (folder / "greet.prompt.md").read_bytes() == before
    assert ws.audit.verify().events == events


def test_a_changed_file_becomes_a_version(ws, folder):
    """Its number goes into the file; the old note does not stick to the new version."""
    change(folder)
    report = ws.prompts.sync(folder, actor="ada")
    assert (actions(report), report.entries[0].version) == ({"greet": "saved"}, 2)
    saved = ws.prompts.get("greet")
    assert (saved.template, saved.author, saved.parent, saved.note) == ("Hi {{ name }}", "ada", 1, None)
    assert "version: 2\n" in (folder / "greet.prompt.md").read_text()
    assert actions(ws.prompts.sync(folder)) == {"greet": "same"}


def test_a_new_version_is_written_out(ws, folder):
    """And a prompt that has no file gets one."""
    ws.prompts.save("greet", "Hey {{ name }}", note="second")
    ws.prompts.save("other", "x")
    assert actions(ws.prompts.sync(folder)) == {"greet": "written", "other": "written"}
    assert "Hey {{ name }}" in (folder / "greet.prompt.md").read_text()
    assert actions(ws.prompts.sync(folder)) == {"greet": "same", "other": "same"}


def test_a_new_file_becomes_a_prompt(ws, folder):
    """With or without front matter; the prompt has the file's name."""
    (folder / "bye.prompt.md").write_text("Bye {{ name }}\n")
    assert actions(ws.prompts.sync(folder)) == {"bye": "saved", "greet": "same"}
    assert ws.prompts.get("bye").template == "Bye {{ name }}"
    assert (folder / "bye.prompt.md").read_text().startswith("---\nprompt: bye\nversion: 1\n")


def test_when_both_changed_nothing_is_touched(ws, folder):
    """The difference is shown; whoever decides says which side to take."""
    change(folder)
    ws.prompts.save("greet", "Hey {{ name }}")
    before = (folder / "greet.prompt.md").read_bytes()
    report = ws.prompts.sync(folder)
    assert (actions(report), report.ok) == ({"greet": "conflict"}, False)
    assert "- 1    Hey {{ name }}" in report.text
    assert "+   1  Hi {{ name }}" in report.text
    assert (folder / "greet.prompt.md").read_bytes() == before
    assert len(ws.prompts.versions("greet")) == 2
    assert actions(ws.prompts.sync(folder, take={"greet": "file"})) == {"greet": "saved"}
    assert [ws.prompts.get(f"greet@{number}").template for number in (1, 2, 3)] == [
        "Hello {{ name }}",
        "Hey {{ name }}",
        "Hi {{ name }}",
    ]


def test_a_conflict_settled_for_the_registry(ws, folder):
    """The file gets the newest version."""
    change(folder)
    ws.prompts.save("greet", "Hey {{ name }}")
    assert actions(ws.prompts.sync(folder, take={"greet": "registry"})) == {"greet": "written"}
    assert load((folder / "greet.prompt.md").read_text()).content.template == "Hey {{ name }}"
    with pytest.raises(UsageError, match="'file' or 'registry'"):
        ws.prompts.sync(folder, take={"greet": "mine"})


def test_both_made_the_same_change(ws, folder):
    """That is no conflict."""
    change(folder)
    ws.prompts.save("greet", "Hi {{ name }}")
    assert actions(ws.prompts.sync(folder)) == {"greet": "refreshed"}
    assert "version: 2\n" in (folder / "greet.prompt.md").read_text()


def test_a_removed_file_is_reported_and_the_registry_keeps_its_versions(ws, folder):
    """Time and again, until it is wanted back."""
    (folder / "greet.prompt.md").unlink()
    for _ in range(2):
        report = ws.prompts.sync(folder)
        assert (actions(report), report.ok) == ({"greet": "deleted"}, True)
    assert ws.prompts.get("greet").version == 1
    assert actions(ws.prompts.sync(folder, restore=True)) == {"greet": "written"}
    assert actions(ws.prompts.sync(folder)) == {"greet": "same"}


def test_a_dry_run_changes_nothing(ws, folder):
    """It says the same as the real one."""
    change(folder)
    ws.prompts.save("other", "x")
    before = sorted((path.name, path.read_bytes()) for path in folder.iterdir())
    report = ws.prompts.sync(folder, dry_run=True)
    assert actions(report) == {"greet": "saved", "other": "written"}
    assert "dry run" in repr(report)
    assert sorted((path.name, path.read_bytes()) for path in folder.iterdir()) == before
    assert len(ws.prompts.versions("greet")) == 1
    assert actions(ws.prompts.sync(folder)) == actions(report)


def test_a_store_that_never_saw_the_folder(ws, folder, tmp_path):
    """A colleague's clone: files become versions there, and the hash in the file says what they are based on."""
    import lmops

    with lmops.open(tmp_path / "clone" / ".lmops", actor="bob") as other:
        assert actions(other.prompts.sync(folder)) == {"greet": "saved"}
        assert other.prompts.get("greet").hash == ws.prompts.get("greet").hash
        change(folder)
        assert actions(other.prompts.sync(folder)) == {"greet": "saved"}
    assert actions(ws.prompts.sync(folder)) == {"greet": "saved"}
    assert ws.prompts.get("greet").template == "Hi {{ name }}"


def test_a_file_of_unknown_origin_is_a_conflict(ws, tmp_path):
    """A file that never met this registry does not replace what is there."""
    ws.prompts.save("greet", "a")
    ws.prompts.save("greet", "b")
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "greet.prompt.md").write_text("c\n")
    assert actions(ws.prompts.sync(tmp_path / "p")) == {"greet": "conflict"}
    (tmp_path / "p" / "greet.prompt.md").write_text("a\n")
    assert actions(ws.prompts.sync(tmp_path / "p")) == {"greet": "written"}


def git(folder, *arguments):
    identity = ["-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def test_a_version_remembers_the_commit_of_its_file(ws, folder):
    """Committed as it is: the commit; changed since: none, and the report says so."""
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "one")
    change(folder)
    report = ws.prompts.sync(folder)
    assert report.entries[0].commit is None
    assert "dirty" in report.entries[0].detail
    change(folder, "Hi", "Good day")
    git(folder, "commit", "-q", "-a", "-m", "two")
    head = git(folder, "rev-parse", "HEAD")
    assert ws.prompts.sync(folder).entries[0].commit == head
    assert ws.prompts.get("greet").commit == head
    assert ws.sql("select git_commit from prompt_versions order by version").fetchall() == [(None,), (None,), (head,)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"\xff\xfe", "not UTF-8"),
        (b"---\nprompt: greet\n", "does not end"),
        (b"---\nprompt: other\n---\nx\n", "says it is the prompt 'other'"),
        (b"---\nmodle: m\n---\nx\n", "did you mean 'model'"),
        (b"---\nnote: no\n---\nx\n", "note: False is bool"),
        (b"---\na: [\n---\nx\n", "front matter, line"),
        (b"---\nparams: &a {x: 1}\ntools: [*a]\n---\nx\n", "references"),
        (b"---\nnote: a\nnote: b\n---\nx\n", "there twice"),
        (b"---\nnote: !!python/object/apply:os.system [id]\n---\nx\n", "could not determine a constructor"),
        (b"---\n- a\n---\nx\n", "key: value"),
        (b"---\ntags: x\n---\nx\n", "list of words"),
        (b"", "empty"),
        (b"a\n<!-- role: user -->\nb\n", "line 2 of the template names a role"),
        (b"<!-- role: boss -->\nb\n", "no role named 'boss'"),
        (b"{{ ''.__class__ }}", "refused"),
        (b"x\n{% if %}", "line 2: not a valid template"),
        (b"x" * 2_000_001, "the most is 2,000,000"),
    ],
)
def test_files_that_cannot_be_read_are_named_and_the_others_go_on(ws, folder, text, words):
    """Nothing is saved of them and they stay as they are."""
    (folder / "bad.prompt.md").write_bytes(text)
    if words.startswith("says"):
        text = text.replace(b"greet", b"bad")
    change(folder)
    report = ws.prompts.sync(folder)
    assert actions(report) == {"bad": "problem", "greet": "saved"}
    assert words in report.entries[0].detail
    assert not report.ok
    assert (folder / "bad.prompt.md").read_bytes() == text


_BOTH_SIDES = "<<<<<<< HEAD\nHello {{ x }}\n=======\nHi {{ x }}\n>>>>>>> other"


@pytest.mark.parametrize("text", [_BOTH_SIDES, f"---\nprompt: bad\n---\n{_BOTH_SIDES}", f"---\n{_BOTH_SIDES}\n---\nx"])
def test_a_merge_that_is_not_resolved_becomes_no_version(text):
    """The line is named."""
    with pytest.raises(UsageError, match=r"line [124] is a mark of a merge that is not resolved"):
        load(text)


def test_a_prompt_about_merges_is_a_prompt(ws, tmp_path):
    """Its file says by its hash that it is meant."""
    saved = ws.prompts.save("merge", _BOTH_SIDES)
    ws.prompts.sync(tmp_path / "prompts")
    assert actions(ws.prompts.sync(tmp_path / "prompts")) == {"merge": "same"}
    assert load((tmp_path / "prompts" / "merge.prompt.md").read_text()).content.hash == saved.hash


def test_links_and_strange_names_are_left_alone(ws, folder, tmp_path):
    """A link could lead anywhere; a name could be a path."""
    secret = tmp_path / "secret"
    secret.write_text("secret")
    (folder / "link.prompt.md").symlink_to(secret)
    (folder / "A B.prompt.md").write_text("x")
    (folder / "dir.prompt.md").mkdir()
    os.mkfifo(folder / "pipe.prompt.md")
    report = ws.prompts.sync(folder)
    assert actions(report) == {
        "link": "problem",
        "A B": "problem",
        "dir": "problem",
        "pipe": "problem",
        "greet": "same",
    }
    assert secret.read_text() == "secret"
    with pytest.raises(UsageError, match="no folder"):
        ws.prompts.sync(secret)
    with pytest.raises(UsageError, match="did you mean 'greet'"):
        ws.prompts.sync(folder, names=["gret"])


def test_a_link_in_the_place_of_a_file_that_is_to_be_written(ws, folder, tmp_path):
    """What it leads to is not overwritten."""
    target = tmp_path / "target"
    target.write_text("keep")
    (folder / "new.prompt.md").symlink_to(target)
    ws.prompts.save("new", "x")
    assert actions(ws.prompts.sync(folder))["new"] == "problem"
    assert target.read_text() == "keep"


def test_an_edit_during_a_sync_is_not_overwritten(tmp_path):
    """A file is replaced only while it holds what was read of it."""
    path = tmp_path / "a.prompt.md"
    path.write_bytes(b"edited meanwhile")
    with pytest.raises(UsageError, match="changed while it was synced"):
        write(path, b"new", before=b"read before", most=100)
    with pytest.raises(UsageError, match="changed while it was synced"):
        write(path, b"new", before=None, most=100)
    assert [(one.name, one.read_bytes()) for one in tmp_path.iterdir()] == [("a.prompt.md", b"edited meanwhile")]


def test_a_hostile_name_in_a_report_is_text(ws, folder):
    """A report shows, it does not act."""
    (folder / "\x1b[31m<b>.prompt.md").write_text("x")
    report = ws.prompts.sync(folder)
    assert "\x1b" not in report.text
    assert "<b>" not in report._repr_html_()
    assert report.df()["action"].tolist() == ["problem", "same"]
