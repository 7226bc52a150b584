"""Scorers that compare with a reference, a pattern, a schema, a number, and by words."""

import pytest

from lmops import scorers
from lmops.errors import UsageError
from lmops.scorers import ScoreInput, _normalise
from lmops.scorers._normalise import words
from lmops.scorers._numbers import numbers


def value(made, output, expected=None, **more):
    """Return the value, or the status where there is none."""
    found = made.score(ScoreInput(output=output, expected=expected, **more))
    return found.value if found.is_value else found.status


@pytest.mark.parametrize(
    ("options", "output", "expected", "value_"),
    [
        ({}, " Yes\n", "yes", True),
        ({"ignore_case": False}, "Yes", "yes", False),
        ({"ignore_space": False}, "a  b", "a b", False),
        ({"ignore_punctuation": True}, "9.50 euro!", "9.50 euro", True),
        ({"ignore_punctuation": True}, "9.50 euro!", "950 euro", False),
        ({"ignore_articles": True}, "the dog", "a dog", True),
        ({}, "\uff11", "1", True),  # a full-width digit
        ({}, "b", ["a", "b"], True),
        ({}, {"a": [1]}, {"a": [1]}, True),
        ({}, {"a": 1}, '{"a": 1}', True),
        ({}, 5, [4, 5], True),
        ({}, [4, 5], [4, 5], True),
        ({}, "x", None, "unmeasured"),
    ],
)
def test_exact_match(options, output, expected, value_):
    """In NFKC, with what is ignored as options."""
    assert value(scorers.exact_match(**options), output, expected) == value_


@pytest.mark.parametrize(
    ("output", "expected", "value_"),
    [("It costs 9 Euro.", "9 euro", True), ("a\n b", "a b", True), ("x", ["y", "x"], True), ("x", "y", False),
     ("x", None, "unmeasured")],
)  # fmt: skip  # cases that belong together share a line
def test_contains(output, expected, value_):
    """The text that was given, or the expected value."""
    assert value(scorers.contains(), output, expected) == value_
    assert value(scorers.contains("9 euro"), "It costs 9 euro.") is True


def test_contains_all_counts_facts():
    """A fact that is part of a longer number is not there."""
    facts = {"example": {"metadata": {"facts": ["9 euro", "two dogs"]}}}
    assert value(scorers.contains_all(), "19 euro for Two Dogs", **facts) == 0.5
    assert value(scorers.contains_all(), "9 euro, two dogs", **facts) == 1.0
    assert value(scorers.contains_all(["a", "b"]), "a") == 0.5
    assert value(scorers.contains_all(), "x") == "unmeasured"


def test_regex():
    """Search, whole match and absence; a bad pattern is an error at once."""
    assert value(scorers.regex(r"TL-\d{4}"), "see TL-1234") is True
    assert value(scorers.regex(r"TL-\d{4}", full=True), "see TL-1234") is False
    assert value(scorers.regex("password", absent=True, ignore_case=True), "The Password") is False
    with pytest.raises(UsageError, match="no regular expression"):
        scorers.regex("(")


def test_json_schema():
    """JSON in a fence counts; NaN is not JSON; problems are named."""
    made = scorers.json_schema({"type": "object", "required": ["a"], "properties": {"a": {"type": "integer"}}})
    assert value(made, '```json\n{"a": 1}\n```') is True
    assert value(made, {"a": 1}) is True
    assert value(made, '{"a": NaN}') is False
    found = made.score(ScoreInput(output='{"a": "x"}'))
    assert (found.value, "a: 'x' is not of type 'integer'" in found.rationale) == (False, True)
    with pytest.raises(UsageError, match="no JSON schema"):
        scorers.json_schema({"type": "objekt"})


@pytest.mark.parametrize(
    ("options", "output", "expected", "value_"),
    [
        ({}, "That is 1,234.5 euro", 1234.5, True),
        ({}, "from 3 to \u22124", "-4", True),
        ({"tolerance": 0.1}, "3.05", 3, True),
        ({"tolerance": 0.01}, "3.05", 3, False),
        ({"relative": 0.1}, "95", 100, True),
        ({"pick": "first"}, "3 of 4", 3, True),
        ({"pick": "only"}, "3 of 4", 4, False),
        ({}, "none", 3, False),
        ({}, "3", "none", "error"),
        ({}, 0.1 + 0.2, 0.3, True),
        ({}, "45 %", 45, True),
    ],
)
def test_numeric(options, output, expected, value_):
    """Numbers as people write them."""
    assert value(scorers.numeric(**options), output, expected) == value_


@pytest.mark.parametrize(
    ("text", "found"),
    [
        # both marks: the last is the decimal mark
        ("1.234,50", [1234.5]), ("1,234.50", [1234.5]), ("\u20ac 1.234,56", [1234.56]), ("1.000.000,00", [1e6]),
        # one mark: groups when it parts threes more than once, or is a comma before three
        ("1.234.567", [1234567]), ("1,234,567", [1234567]), ("1,234", [1234]), ("1.234", [1.234]), ("3,000.", [3000]),
        ("12,5 %", [12.5]), ("0,125", [0.125]), ("1,23,456", [123456]), ("1,2e3", [1200]),
        # other marks of groups
        ("1 234.50", [1234.5]), ("1\u202f234,50", [1234.5]), ("5\u00a0000\u00a0\u20ac", [5000]),
        ("12 345 678", [12345678]),
        ("1_000", [1000]), ("CHF 1'234.50", [1234.5]), ("1\u2019234", [1234]), ("in 2024 100 people", [2024, 100]),
        # fractions, powers
        ("3/4", [0.75]), ("1 1/2 cups", [1.5]), ("\u00bd", [0.5]), ("2\u00bd", [2.5]), ("-1/2", [-0.5]),
        ("1/0", [1, 0]),
        ("5/12/2024", [5, 12, 2024]), ("1e3", [1000]), ("2 x 10^3", [2000]), ("1.2e-3", [0.0012]),
        # signs: brackets mean minus around money only
        ("(5)", [5]), ("($5)", [-5]), ("($1,234.50)", [-1234.5]), ("$-5", [-5]), ("\u20135", [-5]), ("5 -10", [5, -10]),
        # marks of no number
        ("1,2,3", [1, 2, 3]), ("[1,2]", [1, 2]), ("1.5.2", [1, 5, 2]), ("07:40", [7, 40]), ("five", []),
    ],
)  # fmt: skip  # cases that belong together share a line
def test_numbers_as_they_are_written_in_many_places(text, found):
    """By one rule, and never half of one."""
    assert numbers(text) == pytest.approx(found)


def test_the_decimal_mark_can_be_said():
    """Where "1.234" and "1,5" may mean two things."""
    assert (numbers("1.234", ","), numbers("1,234", ","), numbers("1,234.5", ".")) == ([1234], [1.234], [1234.5])
    assert value(scorers.numeric(decimal=","), "Es kostet 1.234 Euro", 1234) is True
    assert value(scorers.numeric(), "Es kostet 1.234,50 Euro", 1234.5) is True


def test_numeric_refuses_bad_options():
    """At once."""
    for options in ({"tolerance": -1}, {"pick": "best"}, {"decimal": "comma"}):
        with pytest.raises(UsageError):
            scorers.numeric(**options)


@pytest.mark.parametrize(
    ("output", "expected", "f1"),
    [("the cat sat", "a cat sat down", 0.8), ("x", "y", 0.0), ("", "", 1.0), ("", "x", 0.0), ("b", ["a", "b"], 1.0)],
)
def test_token_f1(output, expected, f1):
    """2 of 2 words and 2 of 3 give 0.8."""
    assert value(scorers.token_f1(), output, expected) == pytest.approx(f1)


def test_rouge_l_known_answer():
    """The example of Lin (2004): S2 has ROUGE-L 3/4, S3 2/4."""
    reference = "police killed the gunman"
    assert value(scorers.rouge_l(), "police kill the gunman", reference) == pytest.approx(0.75)
    assert value(scorers.rouge_l(), "the gunman kill police", reference) == pytest.approx(0.5)
    assert value(scorers.rouge_l(), "", reference) == 0.0


def test_edit_similarity():
    """kitten to sitting takes three edits of seven letters."""
    assert value(scorers.edit_similarity(), "kitten", "sitting") == pytest.approx(1 - 3 / 7)
    assert value(scorers.edit_similarity(), "", "") == 1.0


def test_semantic_similarity_takes_any_embedding():
    """A function, async or not; a model by its name through the run."""
    vectors = {"yes": [1, 0], "yep": [1, 1], "no": [0, 1], "zero": [0, 0]}

    def embed(texts):
        return [vectors[text] for text in texts]

    async def by_model(model, texts):
        assert model == "m"
        return embed(texts)

    assert value(scorers.semantic_similarity(embed), "yes", ["no", "yep"]) == pytest.approx(0.5**0.5)
    assert value(scorers.semantic_similarity("m"), "yes", "yes", embed=by_model) == pytest.approx(1)
    assert value(scorers.semantic_similarity("m"), "yes", "yes") == "unmeasured"
    assert value(scorers.semantic_similarity(embed), "yes", "zero") == "error"
    assert value(scorers.semantic_similarity(embed), " ", "yes") == "unmeasured"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("5-10 days", [5, 10]),
        ("297-348", [297, 348]),
        ("GPT-4 and x-1", [4, 1]),
        ("2026-01-02", [2026, 1, 2]),
        ("3%-4%", [3, 4]),
        ("the change is -0.864", [-0.864]),
        ("skew=-0.5, (-3), \u22127", [-0.5, -3, -7]),
        ("-$1,234.50", [-1234.5]),
        ("-.5", [-0.5]),
    ],
)
def test_a_hyphen_after_a_word_or_a_number_is_no_minus(text, found):
    """A sign stands where nothing ends."""
    assert numbers(text) == pytest.approx(found)


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ('{"a": "run ```ls``` now"}', True),
        ('```json\n{"a": "run ```ls``` now"}\n```', True),
        ('Here:\n```\n{"a": "```python\\nprint(1)\\n```"}\n```\nDone.', True),
        ('```json\n{"a": "x"}\n```\nand\n```json\n{"a": "y"}\n```', False),
        ("```ls```", False),
        ('~~~json\n{"a": "x"}\n~~~', True),
        ('````json\n{"a": "```ls```"}\n````', True),
    ],
)
def test_a_fence_inside_a_text_is_part_of_it(text, holds):
    """Only the one around the JSON is taken off."""
    assert value(scorers.json_schema({"required": ["a"]}), text) is holds


def test_vowel_signs_are_letters_and_scripts_without_spaces_are_split():
    """Boy and girl are two words in Hindi; Chinese, Japanese and Thai are compared letter by letter."""
    boy, girl = "\u0935\u0939 \u0932\u0921\u093c\u0915\u093e", "\u0935\u0939 \u0932\u0921\u093c\u0915\u0940"
    assert value(scorers.exact_match(ignore_punctuation=True), boy, girl) is False
    assert value(scorers.token_f1(), boy, girl) == 0.5
    assert len(words("\u6771\u4eac\u30bf\u30ef\u30fc")) == 5
    assert len(words("\u0e01\u0e34\u0e19")) == 2
    assert words("\uc548\ub155 \ud55c\uad6d") == ("\uc548\ub155", "\ud55c\uad6d")
    assert 0 < value(scorers.token_f1(), "\u6771\u4eac\u3078\u884c\u304f", "\u6771\u4eac\u304b\u3089") < 1


@pytest.mark.parametrize(
    "text", ["Fähre — 6,50 €", "Größe_x 1.2.3", "паром в 7:40", "e\u0301t\u00e9", "किताब und", "今日 a\u200cb"]
)
def test_the_quick_way_to_words_finds_the_same(text):
    """Texts without marks and without unspaced scripts are read faster, and not otherwise."""
    assert _normalise._words(text) == _normalise._word().findall(text)
    assert not any(map(_normalise._NO_MARKS.fullmatch, _normalise.marks()))
