"""Every row of the bad-input table that concerns reading: one test or more, with its sentence."""

import gzip
import io
import os
import pickle
import re
import warnings

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest

import bayescale.runs.table
from bayescale.errors import LimitError, RunsError, RunsWarning, UsageError
from bayescale.runs.identifiable import require_identifiable
from bayescale.runs.table import Runs, read_runs

PACKAGE = os.path.dirname(bayescale.runs.table.__file__)
GOOD = "N,D,loss\n1e6,1e8,3.5\n1e7,1e8,3.1\n1e6,1e9,3.2\n1e7,1e9,2.8\n3e7,3e9,2.5\n4e7,1e9,2.6\n"


def write(tmp_path, content, name="runs.csv"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def refusal(source, **options):
    """Return the message of the refusal, after checking that it is one sentence or few."""
    with pytest.raises(RunsError) as caught:
        read_runs(source, **options)
    message = str(caught.value)
    assert "\n" not in message
    assert message.endswith(".")
    return message


def with_losses(*losses):
    rows = [f"{10 ** (6 + i / 4):.6g},1e9,{loss}" for i, loss in enumerate(losses)]
    return io.StringIO("N,D,loss\n" + "\n".join(rows) + "\n")


def frame(n=12, **columns):
    i = np.arange(n)
    table = {
        "N": 10.0 ** (6 + i % 4 / 2),
        "D": 10.0 ** (8 + i // 4 / 2),
        "loss": 3.5 - 0.05 * i,
    }
    return pd.DataFrame({**table, **columns})


# --- what a good table gives


def test_a_clean_table_is_read_without_a_warning(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        runs = read_runs(write(tmp_path, GOOD))
    assert len(runs) == 6
    assert runs.name == "runs"
    assert runs.resources == ("N", "D", "C")
    assert list(runs.table.columns) == ["N", "D", "C", "loss", "run"]
    assert runs.notes == ("C computed as 6 N D.",)
    assert runs.table["run"].tolist()[:2] == ["row 1", "row 2"]
    np.testing.assert_array_equal(runs.column("C"), 6 * runs.column("N") * runs.column("D"))
    assert repr(runs).startswith("Runs('runs', 6 runs, N 1e+06..4e+07, ")


def test_tokens_are_computed_from_compute_and_the_notes_say_so():
    runs = read_runs(pd.DataFrame({"N": [1e6, 2e6], "C": [6e14, 12e15], "loss": [3.0, 2.0]}))
    np.testing.assert_allclose(runs.column("D"), [1e8, 1e9], rtol=1e-15)
    assert runs.notes == ("D computed as C / (6 N).",)


def test_columns_are_mapped_and_others_kept_untouched(tmp_path):
    text = "Model Size,tokens,val,N,seed,who,blank\n1e6,1e8,3.5,7,0,a,\n2e6,1e8,3.4,8,1,b,\n"
    runs = read_runs(
        write(tmp_path, text),
        columns={"N": "Model Size", "D": "tokens", "loss": "val", "group": "who"},
    )
    assert runs.column("N").tolist() == [1e6, 2e6]
    assert runs.column("seed").tolist() == [0, 1]
    assert runs.column("group").tolist() == ["a", "b"]
    assert runs.column("N_in_file").tolist() == [7, 8]
    assert any("kept as 'N_in_file'" in note for note in runs.notes)


@pytest.mark.parametrize("resource", ["N", "D", "C"])
def test_a_table_of_one_resource_is_legal(resource):
    runs = read_runs(pd.DataFrame({resource: [1e8, 1e9], "loss": [3.0, 2.5]}))
    assert runs.resources == (resource,)
    assert runs.notes == ()


def test_csv_gzip_parquet_frame_stream_and_stdin_agree(tmp_path, monkeypatch):
    table = pd.read_csv(io.StringIO(GOOD))
    pa.parquet.write_table(pa.Table.from_pandas(table), tmp_path / "runs.parquet")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(GOOD.encode())))
    sources = [
        write(tmp_path, GOOD),
        str(write(tmp_path, gzip.compress(GOOD.encode()), "runs.csv.gz")),
        tmp_path / "runs.parquet",
        table,
        table[["loss", "D", "N"]],
        io.StringIO(GOOD),
        io.BytesIO(GOOD.encode()),
        "-",
    ]
    assert len({read_runs(source).data_hash for source in sources}) == 1


def test_the_data_hash_sees_any_change_of_a_number_or_a_run():
    base = read_runs(frame()).data_hash
    assert len(base) == 64
    nudged = frame()
    nudged.loc[3, "loss"] += 1e-12
    assert read_runs(nudged).data_hash != base
    assert read_runs(frame(run=[f"r{i}" for i in range(12)])).data_hash != base
    assert read_runs(frame(seed=range(12))).data_hash == base


def test_the_frame_given_is_not_changed():
    given = frame()
    before = given.copy()
    read_runs(given)
    pd.testing.assert_frame_equal(given, before)


def test_a_selection_takes_a_mask_or_a_function():
    runs = read_runs(frame())
    small = runs.select(runs.table["N"] < 5e6, note="Small models only.")
    assert len(small) == 6
    assert small.notes[-1] == "Small models only."
    assert small.data_hash == runs.select(lambda table: table["N"] < 5e6).data_hash
    assert runs.drop_highest_losses(2).loss.max() == runs.loss[2]
    assert len(runs.drop_highest_losses(0)) == 12
    with pytest.raises(UsageError, match="one True or False a row"):
        runs.select(np.arange(3))


def test_an_absent_column_is_named_with_those_found():
    runs = read_runs(pd.DataFrame({"N": [1e6, 2e6], "c4_tokens": [1, 2], "loss": [3.0, 2.0]}))
    with pytest.raises(RunsError, match=r"no column 'D'.*Likely: 'c4_tokens'"):
        runs.column("D")


# --- rows 1, 2 and 4: missing and non-finite values


@pytest.mark.parametrize("cell", ["nan", "inf", "-inf", "NaN", "-", "NULL", "", "N/A", "Infinity"])
def test_rows_1_2_4_a_loss_that_is_not_finite_is_dropped_with_a_warning(cell):
    source = with_losses(3.5, 3.4, 3.3, cell, 3.1, 3.0)
    with pytest.warns(RunsWarning, match=r"'loss' has 1 non-finite value \(row 4\)") as caught:
        runs = read_runs(source)
    assert not caught[0].filename.startswith(PACKAGE)  # it points at the caller
    assert runs.loss.tolist() == [3.5, 3.4, 3.3, 3.1, 3.0]
    assert "row 4" not in runs.table["run"].tolist()
    assert "row 5" in runs.table["run"].tolist()
    assert any("They were dropped" in note for note in runs.notes)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, None])
def test_rows_1_2_hold_for_frames_too(value):
    table = frame().astype({"loss": object})
    table.loc[[4, 7], "loss"] = value
    with pytest.warns(RunsWarning, match=r"2 non-finite values \(rows 5, 8\)"):
        assert len(read_runs(table)) == 10


def test_rows_1_2_more_than_a_fifth_bad_is_an_error():
    message = refusal(with_losses(3.5, "nan", 3.3, "nan", 3.1))
    assert "2 non-finite values (rows 2, 4)" in message
    assert "40% of the rows and at most 20%" in message
    with pytest.warns(RunsWarning):
        read_runs(with_losses(3.5, "nan", 3.3, "nan", 3.1), max_bad_fraction=0.5)


def test_rows_1_2_bad_rows_raise_or_are_dropped_quietly_when_asked():
    message = refusal(with_losses(3.5, 3.4, "nan", 3.3, 3.2), on_bad_rows="raise")
    assert message.endswith('(row 3). Drop them or pass on_bad_rows="drop".')
    runs = read_runs(with_losses(3.5, 3.4, "nan", 3.3, 3.2), on_bad_rows="drop")
    assert "row 3" in runs.notes[0]


def test_many_bad_rows_are_counted_and_the_first_five_shown():
    table = frame(60)
    table.loc[10:19, "N"] = np.nan
    with pytest.warns(RunsWarning, match=r"10 non-finite values \(rows 11, .*15, \.\.\. \(10 in"):
        read_runs(table)


@pytest.mark.parametrize("cell", ["oops", "1.5B", "0x10", "1_000", "3.1.4", "1e", "#N/A!"])
def test_row_4_an_unknown_token_is_named_with_its_row_and_column(cell):
    message = refusal(with_losses(3.5, 3.4, cell))
    assert f"column 'loss', row 3: '{cell}' is not a number" in message


def test_row_4_text_in_a_frame_is_parsed_the_same():
    table = frame().astype({"loss": str})
    table.loc[2, "loss"] = " 3.4 "
    assert read_runs(table).loss[2] == 3.4
    table.loc[2, "loss"] = "three"
    assert "row 3: 'three'" in refusal(table)


def test_a_column_of_truth_values_is_not_numbers():
    assert "holds bool, not numbers" in refusal(frame(loss=[True, False] * 6))


# --- rows 3, 8, 9: values out of range


@pytest.mark.parametrize("value", [0, -1.5])
def test_row_3_a_loss_that_is_not_positive_is_an_error(value):
    message = refusal(with_losses(3.5, value, 3.0))
    assert f"column 'loss' is {value} in row 2" in message
    assert "reward" in message


@pytest.mark.parametrize("column", ["N", "D"])
@pytest.mark.parametrize("value", [0, -3e6, 0.07])
def test_rows_8_9_a_size_or_data_below_one_is_an_error(column, value):
    table = frame()
    table.loc[6, column] = value
    message = refusal(table)
    assert f"column '{column}' is {value:.6g} in row 7" in message
    assert "at least 1" in message


def test_row_numbers_still_count_from_the_file_after_rows_were_dropped():
    table = frame()
    table.loc[1, "loss"] = np.nan
    table.loc[5, "N"] = 0
    assert "in row 6;" in refusal(table)


# --- rows 5, 10, 12: units


def test_row_5_a_perplexity_is_suspected():
    with pytest.warns(RunsWarning, match=r"median of column 'loss' is .* perplexity"):
        read_runs(frame(loss=np.exp(frame()["loss"])))


@pytest.mark.parametrize(("column", "factor"), [("N", 1e-3), ("D", 1e-6), ("C", 1e-19)])
def test_rows_10_12_a_unit_that_breaks_six_n_d_is_an_error(column, factor):
    table = frame()
    table["C"] = 6 * table["N"] * table["D"]
    read_runs(table)
    table[column] *= factor
    assert "C / (6 N D) is" in refusal(table)


def test_row_10_sizes_in_millions_are_seen_when_tokens_are_computed():
    table = pd.DataFrame({"N": [70, 400], "C": [1e19, 1e21], "loss": [3.0, 2.5]})
    assert "D = C / (6 N) is" in refusal(table)


# --- row 14: missing columns


def test_row_14_no_resource_at_all_names_the_candidates_and_how_to_map_them():
    message = refusal(io.StringIO("params_m7,c4_tokens,loss\n1e6,1e8,3\n"))
    assert "no column N, D or C" in message
    assert "Columns found: 'params_m7', 'c4_tokens', 'loss'" in message
    assert "Likely: 'params_m7', 'c4_tokens'" in message
    assert 'columns={"N": "params_m7", "D": "c4_tokens"}' in message
    assert '--column N="params_m7" --column D="c4_tokens"' in message


def test_row_14_no_loss_names_the_candidates():
    message = refusal(io.StringIO("N,D,c4_loss\n1e6,1e8,3\n"))
    assert "no column 'loss'" in message
    assert 'columns={"loss": "c4_loss"}' in message


def test_row_14_both_data_and_compute_absent_refuse_a_law_of_both():
    runs = read_runs(pd.DataFrame({"N": [1e6, 2e6], "c4_tokens": [1e8, 1e8], "loss": [3.0, 2.0]}))
    with pytest.raises(RunsError, match=r"no column 'D' and it cannot be computed as C / \(6 N\)"):
        require_identifiable(runs, ("N", "D"), 5)


def test_a_mapped_column_that_is_absent_is_an_error_with_a_suggestion():
    message = refusal(frame(), columns={"N": "Nn"})
    assert "no column 'Nn' to use as N. Did you mean 'N'?" in message
    table = frame().rename(columns={"N": "Model Size"})
    assert 'Write columns={"N": "Model Size"}' in refusal(table, columns={"Model Size": "N"})


def test_one_column_cannot_serve_two_names():
    with pytest.raises(UsageError, match="'D' for more than one name"):
        read_runs(frame(), columns={"N": "D", "D": "D"})


# --- row 17: nothing overflows


def test_row_17_compute_of_1e40_stays_finite():
    runs = read_runs(pd.DataFrame({"N": [1e16, 1e17], "C": [1e40, 1e40], "loss": [1.5, 1.4]}))
    assert np.isfinite(runs.column("D")).all()


# --- rows 18, 21, 22, 23, 24, 25: the design


def test_a_good_design_passes():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        require_identifiable(read_runs(frame()), ("N", "D"), 5)


def test_row_18_equal_losses_are_refused():
    runs = read_runs(frame(loss=[3.0] * 12))
    with pytest.raises(RunsError, match="all 12 rows have the loss 3"):
        require_identifiable(runs, ("N", "D"), 5)


def test_row_21_no_rows_is_an_error():
    assert "no rows" in refusal(frame().iloc[:0])
    runs = read_runs(frame())
    with pytest.raises(RunsError, match="there are no runs"):
        require_identifiable(runs.select(runs.loss > 99), ("N", "D"), 5)


def test_row_22_three_rows_are_too_few_for_five_parameters():
    with pytest.raises(RunsError, match="3 rows are too few for a law with 5 parameters"):
        require_identifiable(read_runs(frame(3)), ("N", "D"), 5)


@pytest.mark.parametrize(("column", "other"), [("N", "D"), ("D", "N")])
def test_rows_23_24_one_distinct_value_of_a_resource_is_refused(column, other):
    table = frame()
    table[column] = 1e9
    message = rf"all 12 rows have {column} = 1e\+09.*not identified.*'power' in {other}"
    with pytest.raises(RunsError, match=message):
        require_identifiable(read_runs(table), ("N", "D"), 5)
    require_identifiable(read_runs(table), (other,), 3)


def test_row_25_a_constant_ratio_is_warned_about():
    table = frame()
    table["D"] = 20 * table["N"]
    with pytest.warns(RunsWarning, match="D/N is the same in all rows"):
        require_identifiable(read_runs(table), ("N", "D"), 5)


# --- rows 26 and 29: rows that are not runs


def test_row_26_exact_duplicates_are_dropped_with_a_warning_or_kept():
    table = pd.concat([frame(seed=range(12)), frame(seed=range(12)).iloc[[2, 5]]])
    with pytest.warns(RunsWarning, match="rows 13, 14 repeat another row in every column"):
        assert len(read_runs(table)) == 12
    runs = read_runs(table, on_duplicates="keep")
    assert len(runs) == 14
    assert "were kept" in runs.notes[0]


def test_row_28_replicates_that_differ_in_any_column_are_kept():
    table = pd.concat([frame(seed=0), frame(seed=1)])
    assert len(read_runs(table)) == 24


def test_row_29_repeated_runs_are_warned_about():
    with pytest.warns(RunsWarning, match="checkpoints of one run are not independent"):
        runs = read_runs(frame(run=["a", "b", "c"] * 4))
    assert len(runs) == 12
    assert "only 3 distinct values of column 'run'" in runs.notes[0]


def test_run_names_may_be_numbers_and_missing_ones_are_made():
    assert read_runs(frame(run=range(12))).table["run"].tolist()[:2] == ["0", "1"]
    runs = read_runs(io.StringIO("run,N,loss\na,1e6,3\n,1e7,2\n"))
    assert runs.table["run"].tolist() == ["a", "row 2"]
    assert "without a name" in runs.notes[0]


# --- rows 38 to 43: the text of the file


def test_row_39_unambiguous_thousands_separators_are_read_with_a_note():
    text = 'N,D,loss\n"1,000,000","1,234.5",3.5\n"500,000","2,000.0",3.6\n'
    runs = read_runs(io.StringIO(text))
    assert runs.column("N").tolist() == [1e6, 5e5]
    assert runs.column("D").tolist() == [1234.5, 2000]
    assert "commas in 2 cells of column 'N' were read as thousands separators" in runs.notes[0]


def test_row_39_an_ambiguous_comma_is_an_error():
    message = refusal(io.StringIO('N,loss\n2e6,"3,125"\n1e6,"3,500"\n'))
    assert "column 'loss', row 1: the comma in '3,125'" in message
    message = refusal(io.StringIO('N,loss\n2e6,3.1\n1e6,"3,5"\n'))
    assert "column 'loss', row 2: '3,5' is not a number" in message


@pytest.mark.parametrize(("row", "fields"), [("9,9,9,3.5", 4), ("9,3.5", 2)])
def test_row_40_a_ragged_row_is_an_error_that_names_it(tmp_path, row, fields):
    message = refusal(write(tmp_path, f"\nN,D,loss\n1e6,1e8,3.5\n\n{row}\n1e6,1e9,3\n"))
    assert f"row 2 has {fields} fields but the header names 3 columns: '{row}'" in message


def test_row_40_a_ragged_row_far_down_is_named_too(tmp_path):
    rows = f"{'x' * 2000},1e6,3.5\n" * 20_000  # 40 MB: several blocks
    message = refusal(write(tmp_path, "who,N,loss\n" + rows + "1,2,3,4\n"))
    assert "row 20001 has 4 fields" in message


def test_row_41_a_byte_order_mark_is_fine(tmp_path):
    assert len(read_runs(write(tmp_path, GOOD.encode("utf-8-sig")))) == 6


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (GOOD.encode("utf-16"), "UTF-16"),
        (GOOD.encode("utf-16-le"), "UTF-16"),
        (GOOD.replace("D", "é").encode("latin-1"), "Latin-1"),
        (("who," + GOOD[:9] + "José,1e6,1e8,3\n").encode("latin-1"), "Latin-1"),
    ],
)
def test_row_41_other_encodings_are_named(tmp_path, content, encoding):
    message = refusal(write(tmp_path, content))
    assert encoding in message
    assert "UTF-8" in message


def test_row_41_latin_1_far_down_is_named_with_its_row(tmp_path):
    head = "who,N,loss\n" + f"{'x' * 2000},1e6,3.5\n" * 20_000
    message = refusal(write(tmp_path, (head + "José,1e6,3\n").encode("latin-1")))
    assert "Latin-1" in message
    assert "row 20001, column 'who'" in message


@pytest.mark.parametrize("header", ["N,N,loss", "N,D,loss,loss", "N, N ,loss"])
def test_row_42_repeated_column_names_are_refused(header):
    cells = ",".join("1" for _ in header.split(","))
    assert "appears more than once" in refusal(io.StringIO(f"{header}\n{cells}\n"))


def test_row_42_holds_for_frames_and_parquet(tmp_path):
    table = frame()
    table.columns = ["N", "N", "loss"]
    assert "'N' appears more than once" in refusal(table)
    arrow = pa.table([[1.0], [2.0], [3.0]], names=["N", "N", "loss"])
    pa.parquet.write_table(arrow, tmp_path / "x.parquet")
    assert "'N' appears more than once" in refusal(tmp_path / "x.parquet")


def test_row_43_a_header_alone_has_no_rows():
    assert "has column names but no rows" in refusal(io.StringIO("N,D,loss,who\n"))


def test_row_43_a_missing_header_is_said_to_be_missing():
    message = refusal(io.StringIO("1e6,1e8,3.5\n1e7,1e8,3.1\n"))
    assert "the header is missing" in message
    assert "N,D,loss" in message


@pytest.mark.parametrize("content", ["", "\n\n", "  \n"])
def test_row_43_an_empty_file_is_said_to_be_empty(content):
    assert "empty" in refusal(io.StringIO(content))


# --- rows 46, 47, 56, 60, 62: the file itself


def test_row_46_a_cut_gzip_or_parquet_file_is_refused(tmp_path):
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"N": rng.uniform(1e6, 1e9, 20000), "loss": rng.uniform(2, 3, 20000)})
    packed = gzip.compress(table.to_csv(index=False).encode())
    message = refusal(write(tmp_path, packed[: len(packed) // 2], "runs.csv.gz"))
    assert "not a complete gzip file" in message
    assert "not a complete gzip file" in refusal(write(tmp_path, b"no gzip", "b.csv.gz"))
    table.to_parquet(tmp_path / "x.parquet")
    whole = (tmp_path / "x.parquet").read_bytes()
    assert "not a complete Parquet file" in refusal(write(tmp_path, whole[:-99], "y.parquet"))
    broken = whole[:4] + bytes(200) + whole[204:]
    assert "not a complete Parquet file" in refusal(write(tmp_path, broken, "z.parquet"))


def test_row_47_a_missing_file_a_directory_and_a_foreign_format_are_named(tmp_path):
    assert "there is no file" in refusal(tmp_path / "absent.csv")
    assert "is a directory" in refusal(tmp_path)
    assert "is a directory" in refusal(str(tmp_path))
    assert "files ending in .xlsx are not read" in refusal(tmp_path / "runs.xlsx")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_row_47_a_file_without_permission_is_refused(tmp_path):
    path = write(tmp_path, GOOD)
    path.chmod(0)
    assert "cannot be read: Permission denied" in refusal(path)


def test_row_47_stdin_is_supported_and_named(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(GOOD.encode())))
    assert read_runs("-").name == "stdin"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"")))
    assert "stdin: the file is empty" in refusal("-")


@pytest.mark.parametrize("suffix", [".pkl", ".pickle", ".joblib", ".npy", ".npz", ".pt", ".PTH"])
def test_row_56_files_that_can_run_code_are_refused_unopened(tmp_path, suffix):
    with pytest.raises(LimitError, match="can run code when opened"):
        read_runs(tmp_path / f"absent{suffix}")
    with pytest.raises(LimitError, match="can run code when opened"):
        read_runs(tmp_path / f"absent{suffix}.gz")


def test_row_56_a_disguised_pickle_is_not_unpickled(tmp_path):
    class Trap:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "sprung"),))

    path = write(tmp_path, pickle.dumps(Trap()))
    with pytest.raises(RunsError):
        read_runs(path)
    assert not (tmp_path / "sprung").exists()


def test_row_60_absurd_headers_and_cells_are_refused(tmp_path):
    with pytest.raises(LimitError, match="has 20000 columns"):
        read_runs(io.StringIO(",".join(f"c{i}" for i in range(20_000)) + "\n1\n"))
    with pytest.raises(LimitError, match="longer than"):
        read_runs(write(tmp_path, "N,loss\n1e6,3\n1e6," + "9" * (40 << 20)))


def test_options_are_checked():
    with pytest.raises(UsageError, match=re.escape("it must be in [0, 1)")):
        read_runs(frame(), max_bad_fraction=1.5)


def test_runs_are_frozen_and_compare_by_identity():
    runs = read_runs(frame())
    assert isinstance(runs, Runs)
    assert runs == runs
    with pytest.raises(AttributeError):
        runs.name = "other"
