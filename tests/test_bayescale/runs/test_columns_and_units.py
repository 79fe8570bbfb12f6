"""Which column is taken for what, what its numbers count in, and the notices and choices asked."""

import io
import json
import math
import re
import shlex
import warnings

import pandas as pd
import pytest

from bayescale.errors import RunsError, RunsWarning, UsageError
from bayescale.runs.table import Runs, read_runs
from bayescale.runs.units import declared
from bayescale.runs.vocabulary import CANONICAL, figure, fits


def text(header: str, *rows: str) -> io.StringIO:
    return io.StringIO("\n".join((header, *rows)) + "\n")


def refusal(source, kind=RunsError, **options) -> str:
    with pytest.raises(kind) as caught:
        read_runs(source, **options)
    message = str(caught.value)
    assert "\n" not in message
    assert message.endswith(".")
    return message


def noticed(source, **options) -> tuple[Runs, str]:
    """The runs and the one warning."""
    with pytest.warns(RunsWarning) as caught:
        runs = read_runs(source, **options)
    (one,) = caught
    assert str(one.message) in runs.notes
    return runs, str(one.message)


def suggested(message: str) -> dict:
    """The options of `read_runs` that a message prints."""
    found = re.findall(r"(columns|units)=(\{.*?\})", message)
    return {name: json.loads(stated) for name, stated in found}


def quietly(source, **options) -> Runs:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return read_runs(source, **options)


# --- names


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        (
            "N",
            "params n_params nParams num_params Params parameters Model\tSize model_size N_total n "
            "n_parameters total_params non_embedding_params params_no_embed trainable-parameters "
            "parameter_count number\tof\tparameters #params active_params N_no_emb",
        ),
        (
            "D",
            "tokens n_tokens train_tokens Training\tTokens num_tokens tokens_seen total_tokens "
            "dataset_size d examples tokens_processed train/tokens Tokens consumed_tokens",
        ),
        (
            "C",
            "flops train_flops Training\tFLOP total_flops FLOPs compute training_compute c "
            "trainingFlops",
        ),
        (
            "loss",
            "val_loss eval/loss eval_loss test_loss train_loss final_loss Loss validation\tloss "
            "valid/loss loss/val cross_entropy val/nll lm\tloss loss_(nats) final/train/loss",
        ),
        ("run", "run_id run_name Run RunName runid wandb_run_id"),
    ],
)
def test_a_column_fits_one_name(name, columns):
    for column in columns.split(" "):
        column = column.replace("\t", " ")
        assert [one for one in CANONICAL if fits(one, column)] == [name], column


@pytest.mark.parametrize(
    "column",
    [
        *("tokens_per_second", "tokens per param", "unique_tokens", "batch_tokens", "n_embd"),
        *("flops_per_token", "mfu", "tflops/s", "loss_se", "loss_scale", "aux_loss", "runtime"),
        *("run_time", "run group", "lr", "step", "seed", "n_embed", "n_layer", "name", "id", ""),
        *("d_model", "c4_loss", "perplexity", "size", "batch size", "n" * 60 + "loss", "accuracy"),
        *("embedding_params", "loss_ratio")[1:],
    ],
)
def test_a_column_of_something_else_fits_no_name(column):
    assert [one for one in CANONICAL if fits(one, column)] == []


def test_columns_are_taken_with_one_notice_that_says_how_to_set_them():
    rows = ("70e6,1.4e9,5.9e17,3.5,x", "1e9,2e10,1.2e20,2.9,y")
    source = text("n_params,train_tokens,train_flops,eval/loss,run_id", *rows)
    runs, notice = noticed(source)
    assert notice.startswith(
        "stream: N is 'n_params', D is 'train_tokens', C is 'train_flops', loss is 'eval/loss', "
        "run is 'run_id', by the names of the columns; to say so yourself, pass columns={"
    )
    assert '--column loss="eval/loss"' in notice
    assert runs.column("C").tolist() == [5.9e17, 1.2e20]
    assert runs.table["run"].tolist() == ["x", "y"]
    source.seek(0)
    again = quietly(source, **suggested(notice), guess=False)
    assert again.data_hash == runs.data_hash


def test_a_mapping_given_and_exact_names_have_no_notice():
    header, row = "Model Size,tokens,val_loss,N_total,D,loss,params", "1e6,7,8,9,1e8,3,5"
    runs = quietly(text(header, row), columns={"N": "Model Size"})
    assert runs.column("N").tolist() == [1e6]
    assert runs.column("D").tolist() == [1e8]
    assert runs.loss.tolist() == [3]


def test_an_exact_name_wins_over_names_that_fit():
    runs = quietly(text("N,params,D,loss,train_loss,val_loss", "1e6,2e6,1e8,3,4,5"))
    assert (runs.column("N")[0], runs.loss[0]) == (1e6, 3)


@pytest.mark.parametrize(
    ("header", "both", "name", "choice"),
    [
        ("N,D,train_loss,val_loss", "'train_loss' and 'val_loss' both", "loss", "val_loss"),
        ("N,D,loss_val,Loss", "'loss_val' and 'Loss' both", "loss", "loss_val"),
        ("params,params_no_embed,D,loss", "'params' and 'params_no_embed' both", "N", "params"),
        ("N_total,N_active,D,loss", "'N_total' and 'N_active' both", "N", "N_total"),
        ("N,tokens,total tokens,loss", "'tokens' and 'total tokens' both", "D", "tokens"),
        ("N,flops,compute,loss", "'flops' and 'compute' both", "C", "flops"),
        (
            "val/loss,test/loss,eval/loss,N",
            "'val/loss', 'test/loss' and 'eval/loss' all",
            "loss",
            "val/loss",
        ),
    ],
)
def test_where_two_columns_fit_one_must_be_chosen(header, both, name, choice):
    row = ",".join(["1e9", "1e10", "3", "3"])
    message = refusal(text(header, row))
    assert f"{both} could be {'the loss' if name == 'loss' else name}; choose one" in message
    assert f'--column {name}="{choice}"' in message
    assert suggested(message) == {"columns": {name: choice}}
    assert ("--no-guess" in message) == (name != "loss")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        read_runs(text(header, row), columns={name: choice}, on_bad_rows="drop")


def test_of_two_computes_none_is_taken_where_it_is_not_needed_and_a_note_says_so():
    runs = quietly(text("N,D,flops_total,train_flops,loss", "1e6,1e8,1,2,3"))
    assert runs.column("C").tolist() == [6e14]
    assert "'flops_total' and 'train_flops' both could be C, so none is taken" in runs.notes[0]


def test_without_guessing_nothing_is_taken_and_the_mapping_suggested_works():
    source = text("params,tokens,val_loss", "1e6,1e8,3")
    message = refusal(source, guess=False)
    assert "no column 'loss'" in message
    assert 'columns={"loss": "val_loss"}' in message
    source.seek(0)
    columns = {"N": "params", "D": "tokens", "loss": "val_loss"}
    assert quietly(source, guess=False, columns=columns).resources == ("N", "D", "C")


def test_a_compute_that_was_taken_and_does_not_match_says_how_to_leave_it():
    message = refusal(text("N,D,flops,val_loss", "1e6,1e8,3e9,3"))
    assert "C was taken from column 'flops'" in message
    assert "pass guess=False (command line: --no-guess) and columns=" in message
    runs = quietly(text("N,D,flops,val_loss", "1e6,1e8,3e9,3"), guess=False, **suggested(message))
    assert runs.column("C").tolist() == [6e14]


@pytest.mark.parametrize(
    "column", ['val "loss"', "val 'loss'", "val $loss", "val `loss`", "val loss!"]
)
def test_the_option_that_is_printed_survives_a_shell(column):
    message = refusal(pd.DataFrame({column: [3.0], "train_loss": [3.1], "N": [1e6]}))
    option = message.partition("(command line: ")[2].rpartition(")")[0]
    assert shlex.split(option) == ["--column", f"loss={column}"]


def test_control_characters_of_a_header_do_not_reach_the_terminal():
    frame = pd.DataFrame({"val_loss\x1b[": [3.0], "train_loss": [3.1], "N": [1e6]})
    message = refusal(frame)
    assert message.isprintable()
    assert "'val_loss\\x1b['" in message


# --- units of headers


@pytest.mark.parametrize(
    ("label", "name", "factor"),
    [
        *(("Params (M)", "N", 1e6), ("Params(M)", "N", 1e6), ("params [B]", "N", 1e9)),
        *(("params_millions", "N", 1e6), ("params_in_billions", "N", 1e9), ("params_M", "N", 1e6)),
        *(("Model Size (B params)", "N", 1e9), ("Params (in millions)", "N", 1e6)),
        *(("million params", "N", 1e6), ("paramsB", "N", 1e9), ("N (M)", "N", 1e6)),
        *(("Tokens (B)", "D", 1e9), ("tokens_b", "D", 1e9), ("Tokens (T)", "D", 1e12)),
        *(("Billions of tokens", "D", 1e9), ("Tokens (1e9)", "D", 1e9), ("Tokens, B", "D", 1e9)),
        *(("FLOPs (1e18)", "C", 1e18), ("FLOPs (10^18)", "C", 1e18), ("FLOP (x1e21)", "C", 1e21)),
        *(("compute (EFLOPs)", "C", 1e18), ("PFLOPs", "C", 1e15), ("total_gflops", "C", 1e9)),
        *(("zettaFLOP", "C", 1e21), ("trainTFLOPs", "C", 1e12), ("PF-days", "C", 8.64e19)),
        *(("petaflop/s-days", "C", 8.64e19), ("Tokens (1000000)", "D", 1e6)),
        *(("loss (bits)", "loss", math.log(2)), ("val_loss_bits", "loss", math.log(2))),
    ],
)
def test_a_header_says_what_its_column_counts_in(label, name, factor):
    rest, found = declared(label, name)
    assert found == factor
    assert fits(name, rest)


@pytest.mark.parametrize(
    ("label", "name"),
    [
        *(("params", "N"), ("Params (non-embedding)", "N"), ("n_params", "N"), ("N", "N")),
        *(("tokens", "D"), ("Tokens (seen)", "D"), ("FLOPs", "C"), ("flop", "C"), ("n_b", "N")),
        *(("loss", "loss"), ("loss (nats)", "loss"), ("model size", "N"), ("train_compute", "C")),
    ],
)
def test_a_header_without_a_unit_has_none(label, name):
    assert declared(label, name)[1] is None


@pytest.mark.parametrize("name", ["N", "C", "loss"])
def test_a_header_of_a_million_letters_is_no_unit(name):
    label = " _-" * 400_000 + "bits"
    assert declared(label, name) == (label.strip(), None)


def test_units_of_headers_are_in_the_one_notice_and_exact():
    source = text("Params (M),Tokens (B),val_loss", "70,1.4,3.1", "0.07,0.003,3.9")
    runs, notice = noticed(source)
    assert "N is 'Params (M)' times 1e6, D is 'Tokens (B)' times 1e9, loss is 'val_loss'" in notice
    assert "--unit N=1e6 --unit D=1e9" in notice
    assert runs.column("N").tolist() == [70e6, 70e3]
    assert runs.column("D").tolist() == [1.4e9, 3e6]
    source.seek(0)
    assert quietly(source, guess=False, **suggested(notice)).data_hash == runs.data_hash


def test_the_unit_of_a_header_holds_for_a_column_mapped_by_hand_and_for_a_frame():
    frame = pd.DataFrame({"Params (M)": [70, 350], "D": [1e9, 2e9], "loss": [3.5, 3.0]})
    runs, notice = noticed(frame, columns={"N": "Params (M)"})
    assert "N is 'Params (M)' times 1e6" in notice
    assert runs.column("N").tolist() == [70e6, 350e6]
    stated = quietly(frame, columns={"N": "Params (M)"}, units={"N": 1e6})
    assert stated.data_hash == runs.data_hash


def test_without_guessing_the_unit_of_a_header_must_be_stated():
    frame = pd.DataFrame({"Params (M)": [70, 350], "D": [1e9, 2e9], "loss": [3.5, 3.0]})
    message = refusal(frame, columns={"N": "Params (M)"}, guess=False)
    assert "the header 'Params (M)' says that N counts in 1e6" in message
    assert suggested(message) == {"units": {"N": 1e6}}


def test_a_header_that_would_make_every_run_absurd_is_unclear():
    source = text("Params (M),D,loss", "70e6,1e9,3", "1e9,1e10,2.5")
    message = refusal(source)
    assert "says that N counts in 1e6, but then no run has less than 7e13" in message
    source.seek(0)
    runs, _ = noticed(source, **suggested(message))
    assert runs.column("N").tolist() == [70e6, 1e9]


def test_a_unit_stated_scales_a_column_of_any_name():
    runs = quietly(text("N,D,loss", "70,1e9,3"), units={"N": 1e6, "loss": 0.5})
    assert (runs.column("N")[0], runs.loss[0]) == (70e6, 1.5)


@pytest.mark.parametrize(
    ("units", "sentence"),
    [
        ({"C": 1e6}, "units says what 'C' counts in, but this table has N, D, loss to count"),
        ({"lr": 1}, "units says what 'lr' counts in"),
        ({"N": 0}, "the unit of N is 0; it must be a positive number"),
        ({"N": math.inf}, "the unit of N is inf"),
        ({"N": math.nan}, "the unit of N is nan"),
    ],
)
def test_an_impossible_unit_is_refused(units, sentence):
    source = text("N,D,loss,lr", "70,1e9,3,1")
    assert sentence in refusal(source, UsageError, units=units)


@pytest.mark.parametrize(
    ("number", "shown"), [(1e6, "1e6"), (0.5, "0.5"), (1, "1"), (1e-9, "1e-09")]
)
def test_a_figure_is_brief_and_exact(number, shown):
    assert figure(number) == shown
    assert float(figure(math.log(2))) == math.log(2)


# --- units of cells


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        *(("70B", 70e9), ("1.4T", 1.4e12), ("350M", 350e6), ("12000k", 12e6), ("7 b", 7e9)),
        *(("0.07B", 70e6), ("124 million", 124e6), ("1.5 Bn", 1.5e9), ("3G", 3e9), (".5b", 5e8)),
        *(("300B tokens", 300e9), ("125M params", 125e6), ("1.3 billion parameters", 1.3e9)),
    ],
)
def test_cells_with_letters_are_read_with_one_notice(cell, value):
    runs, notice = noticed(text("N,D,loss", f"{cell},1e12,3", "1e9,20B,2.9"))
    assert runs.column("N").tolist() == [value, 1e9]
    assert runs.column("D").tolist() == [1e12, 20e9]
    assert f"2 cells such as '{cell}' in 'N', 'D' were read with k as 1e3" in notice


@pytest.mark.parametrize("cell", ["70X", "B", "7e9B", "1.2.3B", "7BB", "70 B 3", "1,400B"])
def test_other_letters_are_no_unit(cell):
    assert "is not a number" in refusal(
        text("N;D;loss", f"{cell};1e12;3"), dialect={"separator": ";"}
    )


def test_the_loss_has_no_letters_and_strict_reading_none_at_all():
    assert "'3k' is not a number" in refusal(text("N,loss", "1e6,3k"))
    assert "'70B' is not a number" in refusal(text("N,loss", "70B,3"), guess=False)


def test_numbers_without_a_letter_among_cells_with_letters_must_be_clear():
    source = text("N,D,loss", "70B,1e12,3", "7,1e12,3.1")
    message = refusal(source)
    assert "cells such as '70B' and cells without a letter such as 7 (row 2)" in message
    source.seek(0)
    runs, _ = noticed(source, **suggested(message))
    assert runs.column("N").tolist() == [70e9, 7e9]
    clear, _ = noticed(text("N,D,loss", "70B,1e12,3", "7000000,1e12,3.1"))
    assert clear.column("N").tolist() == [70e9, 7e6]


def test_a_unit_in_header_and_cells_at_once_is_refused_and_the_suggestion_works():
    source = text("Params (M),D,loss", "70M,1e9,3", "350,1e10,2.9")
    message = refusal(source)
    assert "has cells such as '70M', and its header says that it counts in 1e6" in message
    assert "--unit N=1e6), or 1 in its place" in message
    source.seek(0)
    with pytest.warns(RunsWarning):
        runs = read_runs(source, **suggested(message))
    assert runs.column("N").tolist() == [70e6, 350e6]
