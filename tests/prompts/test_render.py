"""Rendering: values in, text out; what is missing is named with its line; templates never get further than text."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmops.errors import UsageError
from lmops.prompts.rendering import analyse, render


def text(template, **values):
    return render([{"role": "user", "content": template}], values)[0]["content"]


def test_messages_are_rendered_with_one_set_of_variables(ws):
    """Keywords, a mapping, or both; ends of lines and spaces stay."""
    prompt = ws.prompts.save(
        "p", [{"role": "system", "content": "For {{ who }}.\n"}, {"role": "user", "content": "{{ question }}\n\n"}]
    )
    expected = [{"role": "system", "content": "For Ada.\n"}, {"role": "user", "content": "Why?\n\n"}]
    assert prompt.render(who="Ada", question="Why?") == expected
    assert prompt.render({"who": "Ada", "question": "Why?"}) == expected
    assert prompt.render({"who": "Bob", "question": "Why?"}, who="Ada") == expected


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_values_are_text_and_never_templates(value):
    """Whatever a user writes comes out as it went in."""
    assert text("<{{ x }}>", x=value) == f"<{value}>"
    assert text("<{{ x }}>", x=value + "{{ 7 * 7 }}{% raw %}") == f"<{value}{{{{ 7 * 7 }}}}{{% raw %}}>"


def test_markup_is_not_escaped_unless_asked():
    """A model reads text, not HTML; JSON keeps its letters."""
    assert text("{{ a }} {{ a | e }} {{ d | tojson }}", a="<é>", d={"k": "<é>"}) == '<é> &lt;é&gt; {"k": "<é>"}'


def test_everything_missing_and_unknown_is_named_at_once():
    """With the line of the template, what was given, and the nearest names."""
    with pytest.raises(UsageError) as caught:
        text("{{ sources }}\n\n{{ question }} {{ style }}", questoin="x", style="y")
    said = str(caught.value)
    assert "'sources' (line 1), 'question' (line 3)" in said
    assert "no variable named 'questoin'; did you mean 'question'?" in said
    assert "given: 'questoin', 'style'" in said


def test_optional_variables_may_be_left_out():
    """A template that asks whether a variable is there does without it."""
    template = "{{ a | default('none') }}{% if b is defined %}{{ b }}{% endif %}{{ c }}"
    assert text(template, c=1) == "none1"
    uses = analyse([{"role": "user", "content": template}])
    assert {name: use.is_optional for name, use in uses.items()} == {"a": True, "b": True, "c": False}


def test_what_is_missing_inside_a_value_is_named_with_its_line():
    """An attribute that is not there is an error, not an empty text."""
    with pytest.raises(UsageError, match=r"line 2: 'dict object' has no attribute 'titel'; given: 'doc'"):
        text("x\n{{ doc.titel }}", doc={"title": "t"})


def test_plain_data_of_all_kinds(ws):
    """Lists, dicts, and the numbers that come out of frames."""
    template = "{% for d in docs %}[{{ d.id }}] {{ d.n + 1 }}{{ '' if loop.last else ', ' }}{% endfor %}"
    assert text(template, docs=[{"id": np.str_("a"), "n": np.int64(1)}, {"id": "b", "n": 2}]) == "[a] 2, [b] 3"


@pytest.mark.parametrize("value", [object(), len, b"x", {1, 2}, [object()], {"k": {"k": print}}])
def test_objects_are_refused(value):
    """A template could call what an object offers."""
    with pytest.raises(UsageError, match="give text, numbers"):
        text("{{ x }}", x=value)


def test_data_is_reached_by_its_own_keys():
    """A key that is called like a method of dicts is a key; groups have their parts."""
    doc = {"update": "u", "items": ["i"], "copy": "c", "title": "t"}
    assert text("{{ d.update }}{{ d.items[0] }}{{ d.copy }}{{ d.title }}{{ d['update'] }}", d=doc) == "uictu"
    template = "{% for g in rows | groupby('k') %}{{ g.grouper }}:{{ g.list | length }} {% endfor %}"
    assert text(template, rows=[{"k": "a"}, {"k": "b"}, {"k": "a"}]) == "a:2 b:1 "
    assert text("{% for k, v in d.items() | sort %}{{ k }}={{ v }} {% endfor %}", d={"b": 1, "a": 2}) == "a=2 b=1 "
    assert text("{{ 'x' if q in ('a', 'b') and q not in ['c'] else 'y' }}{{ {'a': 1}[q] }}", q="a") == "x1"


HOSTILE = [
    "{{ ''.__class__ }}", "{{ x.__init__.__globals__ }}", "{{ x['__class__'] }}", "{{ x['__cl' ~ 'ass__'] }}",
    "{{ x | attr('__class__') }}", "{{ x.format }}", "{{ '{0.__class__}'.format(x) }}", "{{ x.encode() }}",
    "{{ [].append(1) }}", "{{ self._TemplateReference__context }}", "{{ range.__self__ }}", "{{ cycler }}",
    "{% include 'x' %}", "{% import 'x' as y %}", "{% extends 'x' %}", "{% block x %}{% endblock %}", "{{ x() }}",
    "{{ lipsum() }}", "{{ namespace.__init__ }}", "{{ dict.mro() }}", "{{ ().__class__.__bases__ }}",
]  # fmt: skip  # many words: packed, they are read at a glance


@pytest.mark.parametrize("template", HOSTILE)
def test_hostile_templates_are_refused(template):
    """No way from a template to Python, files or other templates."""
    with pytest.raises(UsageError):
        text(template, x="value")


def doubled(left, right):
    """Return a template that compares two things that double with every turn."""
    turn = "{% set n.x = " + left + " %}{% set n.y = " + right + " %}"
    return "{% set n = namespace(x=1, y=1) %}{% for i in range(60) %}" + turn + "{% endfor %}{{ n.x == n.y }}"


GREEDY = [
    "{% for i in range(10 ** 9) %}x{% endfor %}",
    "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
    "{{ 'a' * 10 ** 9 }}", "{{ [1] * 10 ** 9 }}", "{{ (2 ** 5000) ** 5000 }}", "{{ '%999999999d' % 1 }}",
    "{% set n = namespace(x='ab') %}{% for i in range(60) %}{% set n.x = n.x ~ n.x %}{% endfor %}",
    "{% set n = namespace(x='ab') %}{% for i in range(60) %}{% set n.x = n.x + n.x %}{% endfor %}",
    "{% set n = namespace(x=[1]) %}{% for i in range(60) %}{% set n.x = [n.x, n.x] %}{% endfor %}{{ n.x }}",
    "{% set n = namespace(x=99) %}{% for i in range(60) %}{% set n.x = n.x * n.x %}{% endfor %}",
    "{{ ('a' * 100000) | replace('a', 'b' * 100000) }}", "{{ ('a' * 100000).replace('a', 'b' * 100000) }}",
    "{{ range(100000) | join('b' * 100000) }}", "{{ 'a' | center(10 ** 9) }}", "{{ 'a' | indent(10 ** 9) }}",
    "{{ 1.5 | round(10 ** 9) }}", "{{ ([range(100000)] * 1000) | map('list') | list }}",
    "{% for i in range(100000) %}{{ range(100000) | sum }}{% endfor %}",
    "{% macro f() %}{{ f() }}{{ f() }}{% endmacro %}{{ f() }}",
    "{% set x %}{% for i in range(100000) %}" + "y" * 10_000 + "{% endfor %}{% endset %}",
    "{{ " + "(" * 5000 + " }}",
    doubled("[n.x, n.x]", "[n.y, n.y]"), doubled("dict(a=n.x, b=n.x)", "dict(a=n.y, b=n.y)"),
    "{% set n = namespace(x=1) %}{% for i in range(300) %}{% set n.x = [n.x] * 2 %}{% endfor %}{{ n.x }}",
    "{% set n = namespace(x=1) %}{% for i in range(300) %}{% set n.x = (n.x,) %}{% endfor %}{{ n.x }}",
    "{{ ('f' * 1000000) | int(0, 16) // 3 }}",
    "{{ x }}" * 100_000,
]  # fmt: skip  # items that belong together share a line


@pytest.mark.parametrize("template", GREEDY, ids=range(len(GREEDY)))
def test_greedy_templates_end_soon(template):
    """Loops, doubling, padding: refused before they cost memory; nothing hangs."""
    with pytest.raises(UsageError, match=r"refused|Range too big|RecursionError|not a valid template"):
        text(template)


def test_a_variable_of_any_name_does_not_disarm_the_guards():
    """What counts the turns is out of a template's reach."""
    template = "{% set tick = 1 %}{% set environment = 2 %}" + GREEDY[1]
    with pytest.raises(UsageError, match="refused, it takes"):
        text(template)


def test_the_span_that_runs_is_marked(ws):
    """Every trace knows the prompt it was made with."""
    prompt = ws.prompts.save("greet", "Hi {{ name }}")
    ws.traces.instrument()
    from lmops import trace

    with trace("answer"):
        prompt.render(name="Ada")
    ws.traces.stop_instrumentation()
    found = ws.sql("select prompt_name, prompt_version, attributes->>'gen_ai.prompt.variable.name' from spans")
    assert found.fetchall() == [("greet", "1", "Ada")]
    assert ws.sql("select prompt_refs from traces").fetchall() == [(["greet@1"],)]


def test_without_a_span_nothing_happens(ws):
    """Rendering needs no tracing."""
    assert ws.prompts.save("greet", "Hi {{ name }}").render(name="Ada")[0]["content"] == "Hi Ada"


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{{ d.items }}", "it writes a builtin_function_or_method, which is no text"),
        ("{{ ['a'] | map('upper') }}", "it writes a generator, which is no text: call it, or use | list or | join"),
        ("{{ self }}", "belongs to the template language"),
        ("{{ [d] | map(attribute='foo') | list }}", "has no attribute 'foo'"),
        ("{{ [d.foo] }}", "has no attribute 'foo'"),
    ],
)
def test_what_is_no_text_is_never_written(template, words):
    """A forgotten join, a method that was not called, something undefined in a list: never an address in memory."""
    with pytest.raises(UsageError, match="line 1") as caught:
        render([{"role": "user", "content": template}], {"d": {"a": 1}} if "d" in template.replace("upper", "") else {})
    assert words in str(caught.value)


@pytest.mark.parametrize("name", ["range", "dict", "namespace", "cycler", "loop", "caller", "name"])
def test_a_variable_may_be_named_like_a_function(name):
    """It is one where it is not called, whatever the language itself calls so."""
    messages = [{"role": "user", "content": f"Prices in the {{{{ {name} }}}}."}]
    assert list(analyse(messages)) == [name]
    assert render(messages, {name: "0-10"})[0]["content"] == "Prices in the 0-10."


def test_functions_that_are_called_are_no_variables():
    """Loops over numbers need nothing from outside."""
    text = "{% for i in range(2) %}{{ i }}{% endfor %}{% set n = namespace(x=1) %}{{ n.x }}{{ dict(a=2).a }}"
    messages = [{"role": "user", "content": text}]
    assert not analyse(messages)
    assert render(messages, {})[0]["content"] == "0112"


@pytest.mark.parametrize("value", [None, float("nan"), pd.NA, pd.NaT, float("inf")])
@pytest.mark.parametrize(
    "text", ["{{ x }}", "{{ x | upper }}", "{{ 'a' ~ x }}", "{{ [x] | join }}", "{{ x | trim }}", "{{ x | e }}"]
)
def test_nothing_is_never_written_as_a_word(text, value):
    """A model would read "None" and "nan" as they stand."""
    with pytest.raises(UsageError, match=r"default\('...'\)|infinite"):
        render([{"role": "user", "content": text}], {"x": value})


@pytest.mark.parametrize("value", [[None, "a"], {"tier": None}, {"a": {"b": [float("nan")]}}])
@pytest.mark.parametrize("text", ["{{ x }}", "{{ x | upper }}", "{{ 'a' ~ x }}", "{{ [x] | join }}", "{{ (x, 1) }}"])
def test_gaps_of_lists_and_objects_are_never_written_as_words(text, value):
    """As JSON they are what they are."""
    with pytest.raises(UsageError, match=r"name \| tojson"):
        render([{"role": "user", "content": text}], {"x": value})
    assert "null" in render([{"role": "user", "content": "{{ x | tojson }}"}], {"x": value})[0]["content"]


def test_a_template_may_say_what_stands_for_nothing():
    """With a default, a question, or as JSON."""
    text = "{{ x | default('-') }} {% if x is none %}none{% endif %} {{ x | tojson }}"
    for value in (None, float("nan")):
        assert render([{"role": "user", "content": text}], {"x": value})[0]["content"] == "- none null"
