"""Tables as people have them: data frames of any library, columns, rows, JSON, TSV, dialects."""

import csv
import gzip
import io
import json
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import bayescale as bs
from bayescale.errors import DatasetError, LimitError, RunsError, RunsWarning, UsageError
from bayescale.runs.dialect import Dialect
from bayescale.runs.table import read_runs

COLUMNS = {
    "N": [1e6, 1e7, 3e7],
    "D": [1e8, 1e9, 2e9],
    "loss": [3.5, 3.1, 2.75],
    "run": ["a", "b", "c"],
}
FRAME = pd.DataFrame(COLUMNS)
RECORDS = FRAME.to_dict(orient="records")


def duckdb_relation():
    frame = FRAME  # noqa: F841 (DuckDB finds it by its name)
    return duckdb.sql("select * from frame")


SOURCES = {
    "pandas": FRAME,
    "polars": pl.DataFrame(COLUMNS),
    "polars lazy": pl.LazyFrame(COLUMNS),
    "arrow table": pa.table(COLUMNS),
    "arrow batch": pa.RecordBatch.from_pydict(COLUMNS),
    "columns": COLUMNS,
    "columns of arrays": {name: np.array(cells) for name, cells in COLUMNS.items()},
    "columns of series": {name: FRAME[name] for name in COLUMNS},
    "records": RECORDS,
    "tuple of records": tuple(RECORDS),
    "csv": io.StringIO(FRAME.to_csv(index=False)),
    "JSON records": io.StringIO(FRAME.to_json(orient="records")),
    "JSON lines": io.StringIO(FRAME.to_json(orient="records", lines=True)),
    "JSON columns": io.StringIO(FRAME.to_json(orient="columns")),
    "JSON lists": io.StringIO(json.dumps(COLUMNS)),
    "JSON split": io.StringIO(FRAME.to_json(orient="split")),
    "JSON table": io.StringIO(FRAME.to_json(orient="table", index=False)),
    "JSON under a name": io.StringIO(json.dumps({"runs": RECORDS})),
}


def write(tmp_path, content, name):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def refusal(source, kind=RunsError, **options):
    with pytest.raises(kind) as caught:
        read_runs(source, **options)
    message = str(caught.value)
    assert "\n" not in message
    assert message.endswith(".")
    return message


# --- the same table from everywhere


@pytest.mark.parametrize("kind", SOURCES)
def test_the_same_table_is_read_from(kind):
    source = SOURCES[kind]
    assert read_runs(source).data_hash == read_runs(FRAME).data_hash


def test_a_duckdb_relation_is_evaluated_and_its_decimals_are_numbers():
    assert read_runs(duckdb_relation()).data_hash == read_runs(FRAME).data_hash
    decimals = duckdb.sql("select 1e6::bigint N, 12345.25::decimal(18,2) D, 3.5::float loss")
    assert read_runs(decimals).column("D").tolist() == [12345.25]


def test_polars_strings_categories_and_nulls_are_read():
    table = pl.DataFrame(
        {"N": ["70B", "1.5B", "7B"], "D": [1e12, None, 2e12], "loss": [2.0, 3, 2.5]}
    )
    table = table.with_columns(pl.col("N").cast(pl.Categorical))
    with pytest.warns(RunsWarning, match="3 cells such as '70B'"):
        runs = read_runs(table, on_bad_rows="drop", max_bad_fraction=0.5)
    assert runs.column("N").tolist() == [70e9, 7e9]
    assert runs.column("D").tolist() == [1e12, 2e12]


@pytest.mark.parametrize("ending", ["tsv", "tab", "tsv.gz", "json", "json.gz", "jsonl", "ndjson"])
def test_the_ending_of_a_file_says_its_format(tmp_path, ending):
    text = {"t": FRAME.to_csv(index=False, sep="\t")}.get(
        ending[0], FRAME.to_json(orient="records", lines=ending in ("jsonl", "ndjson"))
    )
    content = text.encode() if not ending.endswith("gz") else gzip.compress(text.encode())
    runs = read_runs(write(tmp_path, content, f"mine.{ending}"))
    assert runs.name == "mine"
    assert runs.data_hash == read_runs(FRAME).data_hash


def test_a_named_pipe_is_read(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    text = FRAME.to_csv(index=False)
    writer = threading.Thread(target=lambda: (tmp_path / "pipe.csv").write_text(text))
    writer.start()
    assert len(read_runs(tmp_path / "pipe.csv")) == 3
    writer.join()


# --- row 48 and JSON


def test_row_48_nested_names_are_joined_and_missing_ones_are_missing():
    records = [
        {"N": 1e6, "D": 1e8, "loss": 3.5, "config": {"lr": 0.1, "betas": [0.9, 0.95]}},
        {"N": 1e7, "D": 1e8, "loss": 3.25, "config": {"opt": {"name": "adam"}}},
    ]
    for source in (records, io.StringIO("\n".join(map(json.dumps, records)))):
        table = read_runs(source).table
        assert table["config.lr"].tolist()[0] == 0.1
        assert pd.isna(table["config.lr"].tolist()[1])
        assert table["config.betas"].tolist()[0] == "[0.9, 0.95]"
        assert table["config.opt.name"].tolist()[1] == "adam"


def test_a_nested_column_is_mapped():
    records = [{"config": {"size": 1e6 * k}, "summary": {"l": 3 / k}, "D": 1e8} for k in (1, 2)]
    runs = read_runs(records, columns={"N": "config.size", "loss": "summary.l"}, guess=False)
    assert runs.loss.tolist() == [3, 1.5]


def test_a_last_line_cut_short_is_left_out_with_a_warning(tmp_path):
    text = "".join(json.dumps(one) + "\n" for one in RECORDS) + '{"N": 1e6, "D": 2e'
    with pytest.warns(RunsWarning, match="line 4, the last, is cut short and was left out; the 3"):
        runs = read_runs(write(tmp_path, text, "runs.jsonl"))
    assert len(runs) == 3
    assert "cut short" in runs.notes[0]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('{"N": 1}\n{"N": 2\n{"N": 3}\n', r"line 2 is not whole JSON .* repair or remove it"),
        ('[{"N": 1, "loss": 3', r"not whole JSON \(line 1: .*\); nothing was read from it"),
        ('{"N": 1, "N": 2, "loss": 3}', "a record has two values of 'N'; keep one"),
        ('{"a": {"b": 1}, "a.b": 2, "loss": 3}', "row 1 has two values of 'a.b'; keep one"),
        ("[1, 2]", "row 1 is an int; give each row as names with values"),
        ('[{"N": 1e6, "loss": 3}, null]', "row 2 is null; give each row"),
        ("[]", "the table has no rows; add the runs"),
        ('{"x": {"N": 1, "loss": 2}}', "is JSON but no table; give a list of records"),
        ('{"columns": ["N"], "data": [[1, 2]]}', "its rows do not match its columns"),
        ('{"N": [1, 2], "loss": [3]}', r"not equally long \('N' 2, 'loss' 1\); repair"),
        ('[{"N": [1e6], "loss": 3}]', r"column 'N', row 1: '\[1000000.0\]' is not a number"),
        ('[{"N": true, "loss": 3}]', "column 'N' holds bool, not numbers"),
    ],
)
def test_json_that_is_no_table_is_refused_with_what_is_wrong(tmp_path, text, sentence):
    assert re.search(sentence, refusal(write(tmp_path, text, "runs.json")))


def test_json_of_another_encoding_is_refused(tmp_path):
    assert "UTF-16" in refusal(write(tmp_path, json.dumps(RECORDS).encode("utf-16"), "runs.json"))
    assert "is empty; give a list" in refusal(write(tmp_path, " \n", "runs.json"))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[" * 100_000, "nested too deeply"),
        ('[{"N": ' + "9" * 5000 + "}]", "a number of thousands of digits"),
        (json.dumps([{f"c{i}": 1 for i in range(20_000)}]), "has 20000 columns"),
    ],
)
def test_json_that_would_exhaust_the_reader_is_refused(tmp_path, text, sentence):
    assert sentence in refusal(write(tmp_path, text, "runs.json"), LimitError)


def test_a_dict_nested_too_deeply_is_refused():
    record = {}
    for _ in range(100_000):
        record = {"a": record}
    assert "nested too deeply" in refusal([record], LimitError)


# --- row 38: dialects


@pytest.mark.parametrize("separator", [";", "|", " "])
def test_row_38_a_declared_dialect_is_read(separator):
    text = FRAME.to_csv(index=False, sep=separator, decimal=",")
    dialect = {"separator": separator, "decimal": ","}
    runs = read_runs(io.StringIO(text), dialect=dialect)
    assert runs.data_hash == read_runs(FRAME).data_hash
    again = read_runs(io.StringIO(text), dialect=Dialect(separator, ","))
    assert again.data_hash == runs.data_hash


def test_row_38_with_a_decimal_comma_points_separate_thousands_everywhere():
    text = "N;D;loss;lr\n1.000.000;2.500;3,125;0,5\n2.000.000;3.500,5;3,25;0,25\n"
    runs = read_runs(io.StringIO(text), dialect={"separator": ";", "decimal": ","})
    assert runs.column("N").tolist() == [1e6, 2e6]
    assert runs.column("D").tolist() == [2500, 3500.5]
    assert runs.loss.tolist() == [3.125, 3.25]
    assert runs.table["lr"].tolist() == [0.5, 0.25]
    assert any("points in 2 cells of column 'N' were read as thousands" in n for n in runs.notes)


def test_row_39_a_declared_decimal_point_settles_what_a_comma_is():
    source = 'N,loss\n2e6,"3,125"\n1e6,"3,500"\n'
    message = refusal(io.StringIO(source))
    assert 'declare dialect={"decimal": "."} (command line: --decimal .)' in message
    with pytest.warns(RunsWarning, match="perplexity"):
        runs = read_runs(io.StringIO(source), dialect={"decimal": "."})
    assert runs.loss.tolist() == [3125, 3500]
    assert read_runs(io.StringIO(source), dialect={"decimal": ","}).loss.tolist() == [3.125, 3.5]


@pytest.mark.parametrize(
    ("separator", "called", "decimal"),
    [(";", "semicolons", ","), (";", "semicolons", "."), ("\t", "tabs", "."), ("|", "bars", ",")],
)
def test_row_38_the_dialect_that_an_error_suggests_works(tmp_path, separator, called, decimal):
    path = write(tmp_path, FRAME.to_csv(index=False, sep=separator, decimal=decimal), "runs.csv")
    message = refusal(path)
    assert f"separated by {called}, not commas" in message
    suggested = re.search(r"dialect=(\{.*?\})", message)
    assert suggested
    dialect = json.loads(suggested[1])
    assert ("decimal" in dialect) == (decimal == ",")
    assert read_runs(path, dialect=dialect).data_hash == read_runs(FRAME).data_hash


def test_a_tsv_with_commas_is_refused_with_the_dialect_that_works(tmp_path):
    path = write(tmp_path, FRAME.to_csv(index=False), "runs.tsv")
    message = refusal(path)
    assert 'not tabs; declare it with dialect={"separator": ","}' in message
    assert read_runs(path, dialect={"separator": ","}).data_hash == read_runs(FRAME).data_hash


def test_a_decimal_comma_that_was_not_declared_is_said_so():
    message = refusal(io.StringIO("N;loss\n1e6;3,5\n"), dialect={"separator": ";"})
    assert "'3,5' is not a number" in message
    assert 'declare it with dialect={"decimal": ","} (command line: --decimal \',\')' in message
    message = refusal(io.StringIO("N;loss\n1e6;3,5,5\n"), dialect=Dialect(";", ","))
    assert "write plain numbers with a decimal comma, as declared" in message


@pytest.mark.parametrize(
    ("dialect", "sentence"),
    [
        ({"separator": ";;"}, "the separator is ';;'; it must be one character"),
        ({"separator": "5"}, "the separator is '5'; it must be one character"),
        ({"separator": '"'}, "it must be one character"),
        ({"decimal": "x"}, "the decimal is 'x'; it must be '.' or ','"),
        ({"sep": ";"}, 'it must be like {"separator": ";", "decimal": ","}'),
    ],
)
def test_an_impossible_dialect_is_refused(dialect, sentence):
    assert sentence in refusal(io.StringIO("N;loss\n1;2\n"), UsageError, dialect=dialect)


def test_a_separator_of_what_has_none_is_refused(tmp_path):
    FRAME.to_parquet(tmp_path / "runs.parquet")
    message = refusal(tmp_path / "runs.parquet", UsageError, dialect={"separator": ";"})
    assert message == "the separator is ';', but Parquet has none; leave it out."
    assert (
        "a table in memory has none" in refusal(FRAME, UsageError, dialect={"separator": ";"}) or 1
    )


# --- row 76: what is no table


@pytest.mark.parametrize("thing", [3, None, np.zeros((3, 3)), pd.Series([1.0]), pl.Series([1.0])])
def test_row_76_a_thing_of_another_kind_is_named(thing):
    message = refusal(thing, UsageError)
    assert message.endswith(f"or a list of mappings; got {type(thing).__name__}.")


def test_row_76_columns_that_are_no_table_are_refused():
    assert "column 'N' is a float; give each column as a list" in refusal({"N": 1e6, "loss": 3.0})
    assert "('N' 1, 'loss' 2)" in refusal({"N": [1e6], "loss": [3.0, 2.0]})
    assert "must have one value for each run" in refusal({"N": np.ones((2, 2)), "loss": [3.0, 2.0]})
    assert "'1' appears more than once" in refusal({1: [1e6], "1": [1e6], "loss": [3.0]})


def test_row_76_a_relation_that_cannot_be_evaluated_is_refused_in_one_sentence(tmp_path):
    FRAME.to_csv(tmp_path / "gone.csv", index=False)
    relation = duckdb.read_csv(str(tmp_path / "gone.csv"))
    (tmp_path / "gone.csv").unlink()
    assert "table could not be read (" in refusal(relation)


def test_row_76_load_and_read_runs_say_how_a_posterior_and_a_file_are_read(tmp_path):
    with pytest.raises(DatasetError, match=re.escape("read it with bs.Posterior.load('fit.nc')")):
        bs.load("fit.nc")
    assert "read it with bs.Posterior.load('fit.nc')" in refusal("fit.nc")
    with pytest.raises(DatasetError, match=re.escape("read it with bs.read_runs('runs.csv')")):
        bs.load("runs.csv")
    with pytest.raises(UsageError, match="load takes the name of a dataset; got DataFrame"):
        bs.load(FRAME)


def test_a_posterior_is_fitted_to_a_polars_frame_and_to_columns():
    model = bs.Model.at("power", pivot={"N": 1e8})
    known = {"alpha": 0.3, "floor_fraction": 0.6, "sigma": 0.002, "nu": 10.0}
    sizes = {"N": [10 ** (7 + i / 10) for i in range(30)]}
    runs = model.simulate(sizes, seed=1, coordinates=known).runs.table[["N", "loss"]]
    fits = [
        bs.fit(given, "power", engine="laplace", seed=0).summary()
        for given in (runs, pl.from_pandas(runs), {name: runs[name] for name in runs})
    ]
    pd.testing.assert_frame_equal(fits[0], fits[1])
    pd.testing.assert_frame_equal(fits[0], fits[2])


# --- row 67: rows swallowed by a quote


HEADER = "N,D,loss,who\n"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('1e6,1e8,3.5,"a\n2e6,1e8,3.4,b\n3e6,1e8,3.3,c\n', 2),  # to the end of the file
        ('1e6,1e8,3.5,a\n2e6,1e8,3.4,"b\n3e6,1e8,3.3,c"\n', 3),  # closed as if it were one cell
        ('1e6,1e8,3.5,"a\n2e6,1e8,3.4,"b"\n3e6,1e8,3.3,c\n', 2),  # to the next proper quote
        ('1e6,1e8,3.5,x\n\n1e6,1e8,3.5,"a\n2e6,1e8,3.4,"b"\n3e6,1e8,3.3,c\n', 4),
        ('1e6,1e8,3.5,"two\nlines"\n1e6,1e8,3.5,"a\n2e6,1e8,3.4,b\n3e6,1e8,3.3,c"\n', 4),
        ('1e6,1e8,3.5,"a\r\n2e6,1e8,3.4,b\r\n3e6,1e8,3.3,c"\r\n', 2),
    ],
)
def test_row_67_rows_swallowed_by_a_quote_are_refused_with_the_line(text, line):
    message = refusal(io.StringIO(HEADER + text, newline=""))
    assert f"(line {line} of the file), column 'who': a quote opens a cell that swallows" in message


def test_row_67_a_quote_in_the_first_column_swallows_too():
    message = refusal(io.StringIO('who,N,loss\n"a,1e6,3\n"b,2e6,3.1\nc,3e6,2.9\n'))
    assert "row 1 (line 2 of the file), column 'who'" in message


def test_row_67_of_49_rows_none_is_lost_in_silence():
    rows = [f"{10 ** (6 + i / 10):.6g},1e9,{3.5 - i / 100},run {i}\n" for i in range(49)]
    rows[10], rows[30] = rows[10].replace("run", '"run'), rows[30].replace("run", '"run')
    assert "row 11 (line 12 of the file)" in refusal(io.StringIO(HEADER + "".join(rows)))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('1e6,1e8,"3".5,a\n', "line 2: a quote opens a cell and is not closed at its end"),
        ('1e6,1e8,3.5,"a"\n1e6,1e8,3.5,"b" c\n', "line 3: a quote opens a cell"),
        ('1e6,1e8,3.5,b\n1e6,1e8,3.5,"b', "line 3: a quote opens a cell"),
        ('1e6,1e8,"3.5,a\n2e6,1e8,3.5,a\n', "a quote in it is not closed on its line"),
        ('1e6,1e8,"3.5,a', "a quote in it has no partner"),
        ('1e6,1e8,3.5"7,a\n', "'3.5\"7' is not a number"),
    ],
)
def test_row_67_a_quote_that_is_out_of_place_is_refused(text, sentence):
    assert sentence in refusal(io.StringIO(HEADER + text))


@pytest.mark.parametrize(
    "cell",
    [
        '"two\nlines"',
        '"three, with\ncommas, and\nmore, of them"',
        '15" wide',
        '"said ""so"""',
        '"1\n2"',
    ],
)
def test_row_67_quotes_in_their_place_are_read(cell):
    runs = read_runs(io.StringIO(f"{HEADER}1e6,1e8,3.5,{cell}\n2e6,1e8,3.4,b\n"))
    (right,) = next(csv.reader(io.StringIO(cell, newline="")))
    assert runs.table["who"].tolist() == [right, "b"]


# --- rows 46 and 71: Parquet


def test_a_parquet_page_that_fails_its_checksum_is_refused(tmp_path):
    table = pa.table({"N": np.arange(1e6, 2e6, 1e3), "loss": np.linspace(3, 2, 1000)})
    options = {"compression": "none", "use_dictionary": False, "write_page_checksum": True}
    pa.parquet.write_table(table, tmp_path / "runs.parquet", **options)
    content = bytearray((tmp_path / "runs.parquet").read_bytes())
    assert len(read_runs(tmp_path / "runs.parquet")) == 1000
    content[1000] ^= 1  # within a number: nothing else could tell
    message = refusal(write(tmp_path, bytes(content), "runs.parquet"))
    assert "not a complete Parquet file" in message


# --- rows 62 and 71: size declared and size seen, within a bounded time and memory

MEASURED = """
import resource, sys
import numpy, pandas, pyarrow.csv, pyarrow.parquet
import bayescale as bs
from bayescale.runs.table import read_runs
def used():
    found = resource.getrusage(resource.RUSAGE_SELF)
    return found.ru_utime + found.ru_stime, found.ru_maxrss / 1024
before = used()
try:
    print(read_runs(sys.argv[1]))
except bs.errors.LimitError as error:
    print(error)
print(*(b - a for a, b in zip(before, used())))
"""


def measured(path: Path) -> tuple[str, float, float]:
    """What is said of a file by a process of its own, its CPU seconds and the MB it took."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, str(path)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.returncode == 0, done.stderr  # a thread that still reads would abort the process
    said, numbers = done.stdout.splitlines()
    seconds, megabytes = map(float, numbers.split())
    return said, seconds, megabytes


def endless_gzip(path: Path) -> None:
    block = gzip.compress(b"1e6,1e8,3.5\n" * 1_000_000)
    path.write_bytes(gzip.compress(b"N,D,loss\n") + 60 * block)


def one_cell(path: Path) -> None:
    path.write_bytes(gzip.compress(b"N,D,loss\n1e6,1e8," + 5 * 10**7 * b"3"))


def rows_by_the_million(path: Path) -> None:
    cells = pa.DictionaryArray.from_arrays(pa.array(np.zeros(1 << 20, np.int32)), pa.array([2.5]))
    batch = pa.table({"N": cells, "loss": cells})
    with pa.parquet.ParquetWriter(path, batch.schema) as writer:
        for _ in range(57):
            writer.write_table(batch)


def long_lists(path: Path) -> None:
    ends = pa.array(np.arange(61) * 1_000_000, pa.int32())
    lists = pa.ListArray.from_arrays(ends, pa.array(np.zeros(60_000_000)))
    table = {"N": np.arange(1, 61) * 1e6, "loss": np.linspace(3, 2, 60), "x": lists}
    pa.parquet.write_table(pa.table(table), path, compression="zstd")


def repeated_text(path: Path) -> None:
    """Thirty texts of ten million letters that the file keeps once, and says so of none."""
    table = {"N": [1e6, 2e6, 3e6] * 10, "loss": [3.0, 2.0, 1.0] * 10, "note": ["x" * 10**7] * 30}
    pa.parquet.write_table(pa.table(table), path, compression="zstd")


def nearly_empty(path: Path) -> None:
    names = {f"k{i}": 1 for i in range(9990)}
    first = json.dumps({**names, "N": 1e6, "loss": 3})
    path.write_text(first + "\n" + '{"N": 1e6, "loss": 3}\n' * 300_000, "utf-8")


def a_million_lines(path: Path) -> None:
    path.write_text("N,loss\n" + "1e6,3.5\n" * 1_000_001, "utf-8")


def a_million_records(path: Path) -> None:
    path.write_text('[{"N":1,"loss":3}' + ',{"N":1,"loss":3}' * 1_000_000 + "]", "utf-8")


BOMBS = {
    endless_gzip: ("csv.gz", "unpacks to more than 200 times its size and 244 MB"),
    one_cell: ("csv.gz", "a row is longer than 4 MB"),
    rows_by_the_million: ("parquet", "has 59768832 rows, and at most 1000000 are read"),
    long_lists: ("parquet", "unpacks to more than 200 times its size"),
    repeated_text: ("parquet", "unpacks to more than 200 times its size"),
    nearly_empty: ("jsonl", "nearly all empty, are refused"),
    a_million_lines: ("csv", "has more than 1000000 rows"),
    a_million_records: ("json", "has more than 1000000 rows"),
}


@pytest.mark.parametrize("bomb", BOMBS, ids=lambda bomb: bomb.__name__)
def test_rows_62_and_71_a_bomb_is_refused_in_little_time_and_memory(tmp_path, bomb):
    ending, sentence = BOMBS[bomb]
    path = tmp_path / f"x.{ending}"
    bomb(path)
    said, seconds, megabytes = measured(path)
    assert sentence in said
    assert seconds < 15  # below 5 on a quiet core; a neighbour's load has tripled it
    assert megabytes < 300


def test_more_rows_are_read_where_they_are_allowed(tmp_path):
    path = write(tmp_path, b"N,loss\n" + b"1e6,3.5\n2e6,3.4\n3e6,3.3\n", "x.csv")
    message = refusal_of_rows(path, 2)
    assert "allow more with max_rows=20 (command line: --max-rows 20)" in message
    assert len(read_runs(path, max_rows=3)) == 3
    frame = pd.DataFrame({"N": [1e6, 2e6, 3e6], "loss": [3.5, 3.4, 3.3]})
    for ending in ("parquet", "json", "jsonl"):
        kept = tmp_path / f"x.{ending}"
        if ending == "parquet":
            frame.to_parquet(kept)
        else:
            frame.to_json(kept, orient="records", lines=ending == "jsonl")
        assert "rows, and at most 2 are read" in refusal_of_rows(kept, 2)
        assert len(read_runs(kept, max_rows=3)) == 3
    assert len(read_runs(frame, max_rows=2)) == 3  # it fills the memory already


def refusal_of_rows(path: Path, most: int) -> str:
    with pytest.raises(LimitError) as error:
        read_runs(path, max_rows=most)
    return str(error.value)


@pytest.mark.parametrize("most", [0, -1, True])
def test_an_impossible_number_of_rows_is_refused(most):
    with pytest.raises(UsageError, match="it must be a positive whole number"):
        read_runs({"N": [1e6], "loss": [3]}, max_rows=most)


@pytest.mark.parametrize(
    ("head", "called"), [(b"BZh9", "packed by bzip2"), (b"PK\x03\x04", "a zip archive")]
)
def test_what_is_packed_in_another_way_is_named(tmp_path, head, called):
    message = refusal(write(tmp_path, head + b"\x00" * 50, "x.csv"))
    assert f"is {called}, which is not read; unpack it" in message


@pytest.mark.parametrize("padding", [b"", b"\x00" * 40])
def test_a_packed_text_of_several_members_is_read(tmp_path, padding):
    content = gzip.compress(b"N,loss\n1e6,3\n") + gzip.compress(b"2e6,2.9\n") + padding
    assert len(read_runs(write(tmp_path, content, "x.csv.gz"))) == 2
