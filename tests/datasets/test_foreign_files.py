"""Data sets as other tools write them: read as what they mean, or refused with the reason."""

import json

import pytest

from lmops.errors import UsageError


def first(ws, data, **options):
    return ws.datasets.save("d", data, **options)[0]


@pytest.mark.parametrize(
    "row",
    [
        {"id": "1", "input": {"q": 1}, "expectedOutput": {"a": 1}, "metadata": None, "sourceTraceId": None},
        {"inputs": {"q": 1}, "outputs": {"a": 1}},
        {" Input": {"q": 1}, "Expected Output ": {"a": 1}},
        {"\ufeffquestion": {"q": 1}, "Ground-Truth": {"a": 1}},
        {"question": {"q": 1}, "answer": "of production", "ground_truth": {"a": 1}},
        {"inputs": {"q": 1}, "outputs": "of production", "reference_outputs": {"a": 1}},
        {"user_input": {"q": 1}, "response": "of production", "reference": {"a": 1}},
        {"inputs": {"q": 1}, "expectations": {"expected_response": {"a": 1}}},
        {"inputs": {"q": 1}, "expectations": {"a": 1}},
    ],
)
def test_a_reference_is_found_under_its_usual_names(ws, row):
    """In any spelling; what production answered beside it is the output."""
    found = first(ws, [row])
    assert (found.input, found.expected) == ({"q": 1}, {"a": 1})
    assert found.output in (None, "of production")


@pytest.mark.parametrize(
    "row",
    [
        {"input": "q", "Reference Label": "a"},
        {"input": "q", "answer_gold": "a"},
        {"input": "q", "expected": "a", "ground_truth": "b"},
        {"input": "q", "expected_result": "a"},
        {"input": "q", "Desired Output": "a"},
        {"prompt": "q", "completion": "a"},
        {"input": "q", "solution": "a"},
        {"input": "q", "bestAnswer": "a"},
        {"input": "q", "label": "a"},
        {"input": "q", "expected_sql": "a"},
        {"input": "q", "response": "of production", "gold_entities": "a"},
    ],
)
def test_a_reference_never_becomes_metadata_in_silence(ws, row):
    """Which one it is must be said; said so, the other is kept as metadata."""
    with pytest.raises(UsageError, match="reference"):
        first(ws, [row])
    column = list(row)[-1]
    assert first(ws, [row], expected=column).expected == row[column]


def test_a_label_beside_a_reference_or_an_answer_is_metadata(ws):
    """Only where nothing else can be the reference it must be said."""
    assert first(ws, [{"input": "q", "expected": "a", "label": "hard"}]).metadata == {"label": "hard"}
    assert first(ws, [{"input": "q", "expected": "a", "expected_tool": "t"}]).metadata == {"expected_tool": "t"}
    assert first(ws, [{"input": "q", "output": "a", "label": "good"}]).metadata == {"label": "good"}


def test_a_column_in_another_spelling_is_the_column(ws):
    """What is asked for by its clean name is found under the name that the file has."""
    assert first(ws, [{"in": "q", " Reply ": "a"}], input="in", expected="reply").expected == "a"
    with pytest.raises(UsageError, match="'A b' and 'a_b' are columns of one name"):
        first(ws, [{"input": "q", "A b": 1, "a_b": 2}], expected="a-b")


@pytest.mark.parametrize(
    "text",
    [
        "question;Expected Output;n\nHow, much?;9;1\n",
        "sep=;\nquestion;Expected Output;n\nHow, much?;9;1\n",
        "question|expected_output|n\nHow, much?|9|1\n",
        'question, expected_output, n\n"How, much?", 9, 1\n',
        'question;"expected, output";n\n"How, much?";9;1\n',
    ],
)
def test_csv_with_other_delimiters_and_padded_headers(ws, tmp_path, text):
    """The delimiter is the one that makes columns of the header."""
    (tmp_path / "a.csv").write_text(text)
    options = {"expected": "expected, output"} if "expected, output" in text else {}
    found = first(ws, tmp_path / "a.csv", **options)
    assert (found.input, found.expected, found.metadata) == ("How, much?", "9", {"n": "1"})


def test_parquet_maps_and_texts_of_json_are_objects(ws, tmp_path):
    """As the columnar exports of other tools have them, nested ones too."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    of_text = pa.map_(pa.string(), pa.string())
    table = pa.table(
        {
            "input": ['{"q": 1}'],
            "expected": ['["a", "b"]'],
            "metadata": ['{"tier": "gold"}'],
            "tags": ['["x", "y"]'],
            "extra": pa.array([[("k", "v")]], of_text),
            "deep": pa.array([{"m": [("k", "v")]}], pa.struct([("m", of_text)])),
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    for data in (tmp_path / "a.parquet",):
        found = first(ws, data)
        assert (found.input, found.expected, found.tags) == ({"q": 1}, ["a", "b"], ("x", "y"))
        assert found.metadata == {"tier": "gold", "extra": {"k": "v"}, "deep": {"m": {"k": "v"}}}
    assert first(ws, table).metadata == {"tier": "gold", "extra": {"k": "v"}, "deep": {"m": {"k": "v"}}}
    twice = pa.table({"input": ["q"], "extra": pa.array([[("k", "v"), ("k", "w")]], of_text)})
    with pytest.raises(UsageError, match="map"):
        first(ws, twice)


def test_maps_in_frames_are_objects(ws):
    """A frame has a map as a list of pairs."""
    import pandas as pd

    assert first(ws, pd.DataFrame({"input": ["q"], "metadata": [[("tier", "gold")]]})).metadata == {"tier": "gold"}


@pytest.mark.parametrize("key", ["data", "examples", "items"])
def test_a_list_of_rows_inside_an_object_is_read(ws, tmp_path, key):
    """As the interfaces of other tools answer."""
    (tmp_path / "a.json").write_text(json.dumps({key: [{"input": "q"}], "meta": {"page": 1}}))
    assert first(ws, tmp_path / "a.json").input == "q"


def test_integers_beyond_64_bits_keep_their_digits(ws, tmp_path):
    """As ids and as values they are text; a smaller one is a number."""
    (tmp_path / "a.jsonl").write_text('{"id": 100000000000000000001, "input": "q"}\n')
    assert first(ws, tmp_path / "a.jsonl").example_id == "100000000000000000001"
    (tmp_path / "a.jsonl").write_text(f'{{"input": "q", "expected": {10**22}}}\n')
    assert first(ws, tmp_path / "a.jsonl").expected == str(10**22)
    (tmp_path / "a.json").write_text(f'[{{"input": "q", "expected": [{10**22}]}}]')
    assert first(ws, tmp_path / "a.json").expected == [str(10**22)]
    (tmp_path / "a.jsonl").write_text('{"input": "q", "expected": 9223372036854775807}\n')
    assert first(ws, tmp_path / "a.jsonl").expected == 9223372036854775807


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_csv_of_spreadsheets_is_read_in_their_encodings(ws, tmp_path, encoding, end):
    """With a mark at the beginning or without, with every kind of line's end."""
    path = tmp_path / "sheet.csv"
    path.write_bytes(f'question;answer{end}"W\u00e4re; es 9 \u20ac?";ja{end}'.encode(encoding))
    assert (first(ws, path).input, first(ws, path).expected) == ("W\u00e4re; es 9 \u20ac?", "ja")


def test_another_encoding_is_refused_with_the_byte(ws, tmp_path):
    """Nothing is guessed."""
    path = tmp_path / "sheet.csv"
    path.write_bytes("question,answer\nf\u00fcr,x\n".encode("latin-1"))
    with pytest.raises(UsageError, match=r"is not UTF-8 \(byte 17\)"):
        first(ws, path)


@pytest.mark.parametrize(
    ("row", "given", "expected"),
    [
        ({"vars": {"question": "q"}, "assert": [{"type": "equals", "value": "a"}]}, "q", "a"),
        ({"vars": {"question": "q", "expected": "a"}}, "q", "a"),
        ({"vars": {"question": "q", "document": "d"}}, {"question": "q", "document": "d"}, None),
        ({"item": {"question": "q", "ground_truth": "a"}}, "q", "a"),
        ({"item": {"input": "q", "expected": "a"}, "sample": {"output_text": "z"}}, "q", "a"),
    ],
)
def test_fields_within_a_column_are_read(ws, row, given, expected):
    """As promptfoo and the evals of OpenAI have them."""
    ws.datasets.save("theirs", [row])
    example = ws.datasets.get("theirs")[0]
    assert (example.input, example.expected) == (given, expected)


def test_asserts_that_are_no_reference_are_refused(ws):
    """With the way to keep them."""
    row = {"vars": {"question": "q"}, "assert": [{"type": "javascript", "value": "output.length < 9"}]}
    with pytest.raises(UsageError, match=r"row 1: its 'assert' is not one reference \(javascript\)"):
        ws.datasets.save("theirs", [row])


def test_a_folder_is_no_file(ws, tmp_path):
    """Said as what it is."""
    with pytest.raises(UsageError, match="is a folder: give a file in it"):
        ws.datasets.save("theirs", tmp_path)
