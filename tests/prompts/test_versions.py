"""Versions: saved once by content, never changed, found by number, alias or hash; bad input is said in words."""

import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmops.errors import NotFoundError, UsageError
from lmops.prompts._versions import insert
from lmops.prompts.content import from_body, make

CHAT = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "{{ question }}"}]
LETTERS = st.text(st.characters(exclude_categories=["Cs"]))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | LETTERS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(LETTERS, inner, max_size=3),
    max_leaves=8,
)


def test_a_version_is_its_content(ws):
    """The same content is the same version; anything else of it makes a new one."""
    first = ws.prompts.save("greet", "Hi {{ name }}", note="first", tags=["b", "a"])
    again = ws.prompts.save("greet", "Hi {{ name }}", note="another note", params={})
    assert (first.is_new, again.is_new, again.ref, again.note) == (True, False, "greet@1", "first")
    assert "nothing new" in repr(again)
    changes = [
        {"model": "openai:m"},
        {"params": {"temperature": 0}},
        {"response_schema": {"type": "object"}},
        {"tools": ["t"]},
    ]
    for number, change in enumerate(changes, start=2):
        assert ws.prompts.save("greet", "Hi {{ name }}", **change).version == number
    assert ws.prompts.save("greet", [{"role": "user", "content": "Hi {{ name }}"}]).version == 6
    assert ws.audit.verify().events == 6


def test_a_save_that_was_undone_is_not_remembered(ws):
    """Its number goes to what is saved next."""

    def undone():
        with ws.project.change() as change:
            insert(ws.prompts._versions, change, "p", make("undone"), tags=(), parent=None, commit=None)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        undone()
    ws.prompts.save("p", "kept")
    assert ws.prompts.get("p@1").template == "kept"


def test_line_ends_and_whole_numbers_do_not_make_versions(ws):
    """A file that came from another system has the same content; so has 0.0 for 0."""
    one = ws.prompts.save("p", "a\r\nb\rc", params={"temperature": 0.0, "extra_body": {"top": [1.0]}})
    assert one.template == "a\nb\nc"
    assert ws.prompts.save("p", "a\nb\nc", params={"extra_body": {"top": [1]}, "temperature": 0}).is_new is False
    assert ws.prompts.save("p", "a\nb\nc ", params={"extra_body": {"top": [1]}, "temperature": 0}).version == 2


def test_what_was_saved_comes_back(ws):
    """Every part, by every kind of reference."""
    given_ = {"model": "openai:m", "params": {"n": 1}, "response_schema": {"type": "object"}, "tools": [{"name": "t"}]}
    saved = ws.prompts.save("chat", CHAT, note="why", tags=["x"], commit="abc", actor="ada", **given_)
    ws.prompts.promote("chat", 1, to="production")
    for ref in ("chat", "chat@1", "chat@latest", "chat@production", f"chat@{saved.hash[:14]}", " chat@1 "):
        assert ws.prompts.get(ref) == saved
    assert (saved.author, saved.parent, saved.commit, saved.tags) == ("ada", None, "abc", ("x",))
    assert saved.variables == ("question",)
    assert ws.prompts.versions("chat")["hash"].tolist() == [saved.hash]
    assert ws.prompts.aliases("chat") == {"production": 1}
    assert ws.prompts.list().loc[0, ["name", "newest", "aliases"]].tolist() == ["chat", 1, "production=1"]


def test_what_a_caller_does_to_a_version_stays_with_the_caller(ws):
    """Versions are handed out as copies."""
    ws.prompts.save("chat", CHAT, params={"stop": ["a"]})
    got = ws.prompts.get("chat")
    got.params["stop"].append("b")
    got.messages[0]["content"] = "x"
    assert ws.prompts.get("chat").params == {"stop": ["a"]}
    assert ws.prompts.get("chat").messages[0]["content"] == "Be brief."


def test_versions_can_be_kept_in_sets(ws):
    """A version is a value."""
    ws.prompts.save("chat", CHAT, params={"n": 1})
    assert len({ws.prompts.get("chat"), ws.prompts.get("chat@1")}) == 1


def test_parents(ws):
    """The newest version is the parent unless another one is named."""
    for text in ("a", "b", "c"):
        ws.prompts.save("p", text)
    assert ws.prompts.get("p@3").parent == 2
    assert ws.prompts.save("p", "d", parent=1).parent == 1
    with pytest.raises(NotFoundError, match="parent=9: p has no version 9"):
        ws.prompts.save("p", "e", parent=9)


@given(
    text=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="{")),
    params=st.dictionaries(st.text("abc"), JSON),
)
def test_the_canonical_form_holds_everything(text, params):
    """What is stored gives the content back, and the content gives the same bytes again."""
    content = make(text + "x", params=params)
    back = from_body(content.body)
    assert back == content
    assert (back.body, back.hash) == (content.body, content.hash)
    assert make(back.template, params=back.params).hash == content.hash


@pytest.mark.parametrize(
    ("ref", "words"),
    [
        ("suport-answer", "did you mean 'support-answer'"),
        ("support-answer@prod", "did you mean 'production'"),
        ("support-answer@9", "versions 1 to 2"),
        ("support-answer@0", "versions 1 to 2"),
        ("support-answer@sha256:0000", "no version of support-answer has a hash"),
        ("other@sha256:0000", "no prompt named 'other'"),
    ],
)
def test_what_is_not_there_is_named_with_its_neighbours(ws, ref, words):
    """Unknown prompt, alias, version, hash."""
    for text in ("a", "b"):
        ws.prompts.save("support-answer", text)
    ws.prompts.promote("support-answer", 1, to="production")
    with pytest.raises(NotFoundError, match=words):
        ws.prompts.get(ref)


@pytest.mark.parametrize(
    "name", ["", "../x", "a/b", "A", "a b", "-a", ".a", "a" * 129, "a@1", "a\n", "a..b", "a.", "é", None, 3, "<b>"]
)
def test_hostile_names_are_refused(ws, name):
    """A name is never a path, markup or a reference."""
    with pytest.raises(UsageError, match="cannot be the name"):
        ws.prompts.save(name, "x")
    assert ws.sql("select count(*) from audit").fetchall() == [(0,)]


@pytest.mark.parametrize("ref", ["a@", "a@b@c", "a@sha256:xyz", "a@Prod", 3, None, "@1", ""])
def test_references_of_another_form_are_refused(ws, ref):
    """Refused, with an example of one."""
    ws.prompts.save("a", "x")
    with pytest.raises(UsageError):
        ws.prompts.get(ref)


@pytest.mark.parametrize(
    ("template", "more", "words"),
    [
        ("", {}, "empty"),
        ("  \n", {}, "empty"),
        ([], {}, "empty"),
        (7, {}, "not int"),
        (b"x", {}, "not bytes"),
        (["x"], {}, "message 1 is str"),
        ([{"role": "usr", "content": "x"}], {}, "did you mean 'user'"),
        ([{"role": "user", "content": 7}], {}, "must be text, not int"),
        ([{"role": "user", "content": "x", "name": "n"}], {}, "key 'name'"),
        ("x" * 1_000_001, {}, "the most is 1,000,000"),
        ("\ud800", {}, "lone surrogate"),
        ("x", {"params": {"t": float("nan")}}, "nan, which is no JSON number"),
        ("x", {"params": {1: 2}}, "keys are text"),
        ("x", {"params": {"t": object()}}, "params.t is object"),
        ("x", {"params": [1]}, "must be a dict"),
        ("x", {"tools": "t"}, "must be a list"),
        ("x", {"tools": [3]}, "number 1 is int"),
        ("x", {"model": " "}, "give the name of a model"),
        ("x", {"note": 3}, "note must be text"),
        ("x", {"note": "n" * 10_001}, "the most is 10,000"),
        ("x", {"tags": "tag"}, "list of words"),
        ("a\n{{ x", {}, "line 2: not a valid template"),
        ([*CHAT, {"role": "user", "content": "a\n{% if %}"}], {}, r"message 3 \(user\), line 2"),
        ("{{ ''.__class__ }}", {}, "line 1: refused, it asks for '__class__'"),
        ("\n{% include 'x' %}", {}, "line 2: refused, it uses {% include %}"),
    ],
)
def test_content_that_cannot_be_a_prompt_is_refused(ws, template, more, words):
    """Each with what is wrong and where; nothing is saved."""
    with pytest.raises(UsageError, match=words):
        ws.prompts.save("p", template, **more)
    assert ws.sql("select count(*) from prompt_versions").fetchall() == [(0,)]


def test_versions_are_immutable_in_the_database_and_changes_past_that_are_found(ws):
    """Triggers refuse; with the triggers gone, every derived hash tells."""
    for text in ("a", "b", "c"):
        ws.prompts.save("p", text)
    assert ws.prompts.verify() == ()
    with sqlite3.connect(ws.store.path / "meta.sqlite") as con:
        for statement in ("update prompt_versions set note = 'x'", "delete from prompt_versions"):
            with pytest.raises(sqlite3.IntegrityError, match="never"):
                con.execute(statement)
        con.execute("drop trigger prompt_versions_no_update")
        con.execute("drop trigger prompt_versions_no_delete")
        con.execute("update prompt_versions set body = replace(body, '\"a\"', '\"z\"') where version = 1")
        con.execute("delete from prompt_versions where version = 2")
    con.close()
    problems = "; ".join(ws.prompts.verify())
    assert "p@1: its content is not what was saved" in problems
    assert "p@2 is missing" in problems


def test_the_views_show_the_registry(ws):
    """SQL sees prompts, versions and moves."""
    ws.prompts.save("chat", CHAT, model="openai:m")
    ws.prompts.promote("chat", 1, to="production", reason="r")
    assert ws.sql("select name, versions, aliases from prompts").fetchall() == [("chat", 1, '{"production":1}')]
    found = ws.sql("select ref, model, json_extract_string(messages, '$[0].role') from prompt_versions").fetchall()
    assert found == [("chat@1", "openai:m", "system")]
    history = ws.sql("select alias, from_version, to_version, reason, is_forced from prompt_history").fetchall()
    assert history == [("production", None, 1, "r", False)]
