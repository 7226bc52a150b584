"""What changed between two versions."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmops.prompts._records import PromptVersion
from lmops.prompts.diffs import diff

AT = datetime(2026, 11, 1, tzinfo=UTC)
OLD = "You are the help desk of {{ company }}.\nAnswer only from the sources.\n\nQuestion: {{ question }}"
NEW = "You are the kind voice of {{ company }}.\n\nBe brief.\nQuestion: {{ question }} {{ tone }}"


def version(number, template, **more):
    """A version of the prompt "greet"."""
    messages = ({"role": "user", "content": template},) if isinstance(template, str) else template
    text = template if isinstance(template, str) else None
    return PromptVersion(
        name="greet", version=number, hash=f"sha256:{number}", messages=tuple(messages), template=text, author="mara",
        created_at=AT,
        **more,
    )  # fmt: skip  # arguments that belong together share a line


@pytest.fixture
def found():
    """A difference with something of everything."""
    return diff(
        version(1, OLD, model="a:x", params={"temperature": 0, "stop": ["x"]}),
        version(2, NEW, model="a:y", params={"temperature": 0.2, "seed": 1}, tools=[{"name": "lookup"}]),
    )


def test_lines_and_words_are_told_apart(found):
    """Changed, removed and added lines, with the words that changed."""
    rows = found.messages[0].rows
    assert [row.kind for row in rows] == ["changed", "removed", "same", "added", "changed"]
    assert [part.text for part in rows[0].left if part.is_changed] == ["help desk"]
    assert [part.text for part in rows[0].left if part.is_template] == ["{{ company }}"]
    assert found.stats == (1, 1, 2, 2, 5)
    assert found.summary == "2 lines changed, 1 line added, 1 line removed, 5 settings changed"


def test_settings_are_told_by_path(found):
    """Model, each parameter, and tools by their names."""
    assert [(change.path, change.kind, change.before, change.after) for change in found.changes] == [
        ("model", "changed", "a:x", "a:y"),
        ("params.temperature", "changed", 0, 0.2),
        ("params.stop", "removed", ["x"], None),
        ("params.seed", "added", None, 1),
        ("tools", "added", None, [{"name": "lookup"}]),
    ]
    assert found.variables == (("company", "same"), ("question", "same"), ("tone", "added"))


def test_a_schema_and_a_tool_are_compared_inside():
    """One type of one field, one description of one tool; a parameter that is null is not one that is missing."""
    one = version(
        1,
        "x",
        params={"stop": None},
        response_schema={"properties": {"a": {"type": "string"}}},
        tools=[{"type": "function", "function": {"name": "f", "description": "old"}}, {"name": "g"}],
    )
    two = version(
        2,
        "x",
        response_schema={"properties": {"a": {"type": "number"}, "b": {}}},
        tools=[{"name": "g"}, {"type": "function", "function": {"name": "f", "description": "new"}}],
    )
    assert [(change.path, change.kind) for change in diff(one, two).changes] == [
        ("params.stop", "removed"),
        ("response_schema.properties.a.type", "changed"),
        ("response_schema.properties.b", "added"),
        ("tools.f.function.description", "changed"),
    ]


def test_messages_are_aligned_by_content_then_by_role():
    """A system message put before, a role renamed, one taken away."""
    old = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}]
    new = [{"role": "system", "content": "s"}, {"role": "user", "content": "a"}, {"role": "developer", "content": "c"}]
    found = diff(version(1, old), version(2, new))
    assert [(one.title, one.kind) for one in found.messages] == [
        ("system", "added"),
        ("user", "same"),
        ("assistant", "removed"),
        ("user → developer", "changed"),
    ]


def test_the_text_reads_in_a_terminal(found):
    """Signs, numbers, settings, variables."""
    assert found.text == (
        "greet@1 -> greet@2: 2 lines changed, 1 line added, 1 line removed, 5 settings changed\n"
        '~ model: "a:x" -> "a:y"\n'
        "~ params.temperature: 0 -> 0.2\n"
        '- params.stop: was ["x"]\n'
        "+ params.seed: 1\n"
        '+ tools: [{"name": "lookup"}]\n'
        "+ variable tone\n"
        "\n"
        "~ [user]\n"
        "- 1    You are the help desk of {{ company }}.\n"
        "+   1  You are the kind voice of {{ company }}.\n"
        "- 2    Answer only from the sources.\n"
        "  3 2\n"
        "+   3  Be brief.\n"
        "- 4    Question: {{ question }}\n"
        "+   4  Question: {{ question }} {{ tone }}"
    )


def test_equal_versions_have_no_difference():
    """It says so, and nothing else."""
    found = diff(version(1, OLD), version(2, OLD))
    assert found.is_empty
    assert found.text == "greet@1 -> greet@2: no difference"


def test_long_unchanged_stretches_are_counted():
    """Three lines around a change are shown."""
    lines = [f"line {number}" for number in range(50)]
    found = diff(version(1, "\n".join(lines)), version(2, "\n".join([*lines[:25], "new", *lines[25:]])))
    assert found.text.count("unchanged lines") == 2
    assert len(found.text.splitlines()) == 12


def test_hostile_text_stays_text():
    """Controls are spelled out in text, markup is escaped in HTML."""
    found = diff(version(1, "a\x1b[31m"), version(2, "<img src=x onerror=alert(1)> \u202eb {% if x %}<b>{% endif %}"))
    assert "\x1b" not in found.text
    assert "[U+001B][31m" in found.text
    page = found._repr_html_()
    assert "<img" not in page
    assert "[U+202E]" in page


def test_two_thousand_lines_are_all_there():
    """Every line of a large prompt of which every line changed comes once, paired with its other."""
    old = "\n".join(f"rule {number}: answer question {number} with care" for number in range(2000))
    new = old.replace("with care", "with great care")
    found = diff(version(1, old), version(2, new))
    assert found.stats.changed == 2000
    assert len(found.df()) == 2000


@settings(deadline=None)
@given(st.text("ab{}\n ", max_size=80), st.text("ab{}\n ", max_size=80))
def test_both_texts_can_be_read_from_the_rows(old, new):
    """Nothing of either version is lost."""
    found = diff(version(1, old), version(2, new))
    rows = found.messages[0].rows
    assert "\n".join(row.left_text for row in rows if row.left is not None) == old
    assert "\n".join(row.right_text for row in rows if row.right is not None) == new
