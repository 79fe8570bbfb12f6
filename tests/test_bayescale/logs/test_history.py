"""From records to a history: every value in its place, whatever loggers write."""

import math

import pyarrow as pa
import pytest

from bayescale.errors import LimitError
from bayescale.logs import history
from bayescale.logs.history import History
from bayescale.logs.json_values import JsonError, flat, parse, typed


def test_records_become_columns_with_null_where_a_metric_is_missing():
    made = History("log")
    made.record(3)
    made.put("loss", 2.5)
    made.put("name", "a")
    made.record(None)
    made.put("acc", True)
    made.put("loss", float("nan"))
    made.record(2**63)
    made.put("loss", 7)
    table = made.table()
    assert table.schema == pa.schema(
        {"step": pa.int64(), "loss": pa.float64(), "acc": pa.float64(), "name": pa.string()}
    )
    assert table["step"].to_pylist() == [3, None, None]
    first, second, third = table["loss"].to_pylist()
    assert (first, third) == (2.5, 7.0)
    assert math.isnan(second)
    assert table["acc"].to_pylist() == [None, 1.0, None]
    assert table["name"].to_pylist() == ["a", None, None]
    assert made.notes() == ()


def test_an_empty_history_has_a_step():
    assert History("log").table().schema == pa.schema({"step": pa.int64()})


def test_a_metric_of_numbers_and_text_keeps_both():
    made = History("log")
    for value in (1.5, "oops", 10**400, 2.5):
        made.record(0)
        made.put("loss", value)
    made.put("loss.text", "taken")
    table = made.table()
    assert table["loss"].to_pylist() == [1.5, None, None, 2.5]
    assert table["loss.text.text"].to_pylist() == [None, "oops", str(10**400), None]
    assert table["loss.text"].to_pylist() == [None, None, None, "taken"]
    (note,) = made.notes()
    assert "'loss' (2 times) is text in some records; see column 'loss.text.text'" in note


def test_what_is_not_kept_as_written_is_said():
    made = History("log")
    made.record(1)
    made.put("a", 1)
    made.put("a", 2)
    made.put("b", 2**53 + 1)
    made.put("step", 5)
    assert made.table().to_pylist() == [{"step": 1, "a": 2.0, "b": 2.0**53, "logged_step": 5.0}]
    step, doubled, inexact = made.notes()
    assert "a metric called 'step' is kept as 'logged_step'" in step
    assert "'a' (1 times) is written twice in one record" in doubled
    assert "'b' (1 times) is beyond 2^53" in inexact


def test_points_of_one_step_join_until_a_metric_comes_again():
    made = History("log")
    for step, name in [(1, "a"), (1, "b"), (1, "a"), (2, "step"), (2, "a"), (2, "step")]:
        made.point(step, name, 1, "time", 9)
    assert [
        {key for key, value in row.items() if value is not None} - {"step", "time"}
        for row in made.table().to_pylist()
    ] == [{"a", "b"}, {"a"}, {"logged_step", "a"}, {"logged_step"}]


def fill(made: History, records: int) -> None:
    for number in range(records):
        made.record(number)
        made.put(f"metric{number}", 1)


def test_too_many_cells_and_too_much_text_are_refused(monkeypatch):
    monkeypatch.setattr(history, "_MOST_CELLS", 5000)
    with pytest.raises(LimitError, match="at most 5000 cells"):
        fill(History("log"), 100)
    monkeypatch.setattr(history, "_MOST_CELLS", 10**8)
    monkeypatch.setattr(history, "_SPARSE_CELLS", 2000)
    monkeypatch.setattr(history, "_SPARSEST", 60)
    with pytest.raises(LimitError, match=r"58 records or more .* at most 3420 cells"):
        fill(History("log"), 100)  # the larger, the emptier
    monkeypatch.setattr(history, "_MOST_TEXT", 100)
    made = History("log")
    made.record(0)
    made.put("text", "x" * 100)
    with pytest.raises(LimitError, match="longer than 100 characters"):
        made.put("text", "x")


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ('{"a": {"b": 1, "c": null}, "d": [1, {"e": 2}]}', {"a.b": 1, "d": '[1, {"e": 2}]'}),
        ('{"a": {"": {"b": true}}}', {"a..b": True}),
        ("{}", {}),
    ],
)
def test_nested_values_are_flattened_by_dots(text, values):
    assert dict(flat(parse(text))) == values


def test_what_is_nested_deeper_is_kept_as_text():
    ((name, value),) = flat(parse('{"a": ' * 40 + "1" + "}" * 40))
    assert name == ".".join("a" * 32)
    assert value == '{"a": ' * 8 + "1" + "}" * 8


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"\xff", "not UTF-8"),
        ('"\\udc00"', "not UTF-8"),
        ("[" * 100_000, "nested too deep"),
        ("1 2", "Extra data"),
        (" " * (17 << 20), "longer than 16777216 characters"),
        ("9" * 5000, "Exceeds the limit"),
    ],
)
def test_what_is_no_json_is_refused(text, why):
    with pytest.raises(JsonError, match=why):
        parse(text)


def test_a_pair_of_halves_is_a_character():
    assert parse('"\\ud83d\\ude00"') == "\U0001f600"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("-0", 0),
        ("12", 12),
        ("-1.5", -1.5),
        ("1e400", float("inf")),
        ("True", True),
        ("true", "true"),
        ("0x10", "0x10"),
        ("1_000", "1_000"),
        (" 1", " 1"),
        ("\N{ARABIC-INDIC DIGIT ONE}", "\N{ARABIC-INDIC DIGIT ONE}"),
        ("nan", "nan"),
        ("9" * 500, "9" * 500),
    ],
)
def test_a_text_that_spells_a_number_is_one(text, value):
    found = typed(text)
    assert found == value
    assert type(found) is type(value)
