"""Tables on the command line: what is suggested runs as printed, and every verb reads alike."""

import json
import re
import shlex
from pathlib import Path

import pandas as pd
import pytest
import typer
from typer.testing import CliRunner, Result

import bayescale as bs
from bayescale.cli.app import app
from bayescale.runs.datasets import cards

VERBS = ("fit", "calibrate", "collapse", "regime")
READING = ("column", "unit", "separator", "decimal", "no_guess", "part")
FIT = ("--law", "power", "--engine", "laplace", "--likelihood", "normal", "--json", "--force")


def run(*arguments: object, stdin: str | None = None) -> Result:
    return CliRunner().invoke(app, [str(one) for one in arguments], input=stdin)


def options_of(message: str) -> list[str]:
    """The options that a message prints for the command line."""
    return [
        word
        for found in re.findall(r"\(command line: (--.*?)\)(?=[,;.]|$| )", message)
        for word in shlex.split(found)
    ]


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    """Forty runs of a power law of N with a little scatter."""
    model = bs.Model.at("power", pivot={"N": 1e8})
    known = {"alpha": 0.3, "floor_fraction": 0.6, "sigma": 0.002, "nu": 10.0}
    sizes = {"N": [round(10 ** (7 + i / 12)) for i in range(40)]}
    return model.simulate(sizes, seed=1, coordinates=known).runs.table[["N", "loss"]]


@pytest.fixture(scope="module")
def right(frame: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> dict:
    """What `fit` prints of the table with our names."""
    path = tmp_path_factory.mktemp("right") / "runs.csv"
    frame.to_csv(path, index=False)
    return parameters(run("fit", path, *FIT))


def parameters(result: Result) -> dict:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)["params"]


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_that_takes_a_table_has_the_options_of_reading(verb: str) -> None:
    command = typer.main.get_command(app).get_command(None, verb)  # type: ignore[attr-defined]
    assert {*READING} <= {parameter.name for parameter in command.params}


def test_the_dialect_that_an_error_suggests_runs_as_printed(
    frame: pd.DataFrame, right: dict, tmp_path: Path
) -> None:
    frame.to_csv(tmp_path / "runs.csv", index=False, sep=";", decimal=",")
    refused = run("fit", tmp_path / "runs.csv", *FIT)
    assert refused.exit_code == 3
    options = options_of(refused.stderr)
    assert options == ["--separator", ";", "--decimal", ","]
    assert parameters(run("fit", tmp_path / "runs.csv", *FIT, *options)) == right


def test_the_column_that_an_error_suggests_runs_as_printed(
    frame: pd.DataFrame, right: dict, tmp_path: Path
) -> None:
    path = tmp_path / "runs.csv"
    frame.assign(**{"train loss": 1.0}).rename(columns={"loss": "val loss"}).to_csv(path)
    refused = run("fit", path, *FIT)
    assert refused.exit_code == 3
    assert options_of(refused.stderr) == ["--column", "loss=val loss"]
    assert parameters(run("fit", path, *FIT, *options_of(refused.stderr))) == right


def test_a_unit_in_header_and_cells_is_refused_and_the_suggestion_runs_as_printed(
    frame: pd.DataFrame, right: dict, tmp_path: Path
) -> None:
    path = tmp_path / "runs.csv"
    cells = [f"{n / 1e6!r}M" if i % 2 else repr(n / 1e6) for i, n in enumerate(frame["N"])]
    frame.assign(**{"Params (M)": cells}).drop(columns="N").to_csv(path, index=False)
    refused = run("fit", path, *FIT)
    assert refused.exit_code == 3
    assert options_of(refused.stderr) == ["--unit", "N=1e6"]
    assert parameters(run("fit", path, *FIT, *options_of(refused.stderr))) == right


def test_columns_and_units_are_taken_with_one_warning_whose_options_run_as_printed(
    frame: pd.DataFrame, right: dict, tmp_path: Path
) -> None:
    path = tmp_path / "runs.tsv"
    named = frame.assign(N=frame["N"] / 1e6)
    named = named.rename(columns={"N": "Params (M)", "loss": "eval/loss"})
    named.to_csv(path, index=False, sep="\t")
    taken = run("fit", path, *FIT)
    assert parameters(taken) == right
    (warning,) = [line for line in taken.stderr.splitlines() if "by the names" in line]
    assert warning.startswith("warning: runs.tsv: N is 'Params (M)' times 1e6, loss is 'eval/loss'")
    strict = run("fit", path, *FIT, "--no-guess")
    assert strict.exit_code == 3
    stated = run("fit", path, *FIT, "--no-guess", *options_of(warning))
    assert parameters(stated) == right
    assert "by the names" not in stated.stderr


def test_cells_with_letters_json_on_stdin_and_lines_are_read(
    frame: pd.DataFrame, right: dict, tmp_path: Path
) -> None:
    records = frame.assign(N=[f"{n / 1e6!r}M" for n in frame["N"]])
    path = tmp_path / "runs.csv"
    records.to_csv(path, index=False)
    result = run("fit", path, *FIT)
    assert parameters(result) == right
    assert result.stderr.count("such as") == 1
    rows = [json.dumps(record) for record in records.to_dict(orient="records")]
    for text in ("\n".join(rows), f"[{', '.join(rows)}]"):
        assert parameters(run("fit", "-", *FIT, stdin=text)) == right


@pytest.mark.parametrize(
    ("text", "options", "code", "sentence"),
    [
        ('N,loss,who\n1e6,3,"a\n2e6,2.9,b\n3e6,2.8,c\n', (), 3, "(line 2 of the file)"),
        ("params,n_params,loss\n1e6,1e6,3\n", (), 3, "choose one with"),
        ("N,loss\n1e6,3\n", ("--unit", "N"), 2, "--unit takes NAME=VALUE"),
        ("N,loss\n1e6,3\n", ("--unit", "N=million"), 2, "--unit N takes a number; got 'million'"),
        ("N,loss\n1e6,3\n", ("--unit", "C=1e6"), 2, "units says what 'C' counts in"),
        ("N,loss\n1e6,3\n", ("--separator", ";;"), 2, "the separator is ';;'"),
        ("N,loss\n1e6,3\n", ("--decimal", "comma"), 2, "the decimal is 'comma'"),
    ],
)
def test_a_fault_is_one_sentence_and_an_exit_code(
    text: str, options: tuple[str, ...], code: int, sentence: str, tmp_path: Path
) -> None:
    (tmp_path / "runs.csv").write_text(text)
    result = run("fit", tmp_path / "runs.csv", *options)
    assert result.exit_code == code
    assert sentence in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("named", ["fit.nc", "folder/fit.nc"])
def test_row_76_a_posterior_given_as_a_table_is_said_to_be_one(named: str) -> None:
    result = run("fit", named)
    assert result.exit_code == 3
    assert f"bayescale summary '{named}'" in result.stderr


def test_options_of_reading_without_a_table_are_refused() -> None:
    result = run("regime", "fit.nc", "--unit", "N=1e6")
    assert result.exit_code == 2
    assert "how to read a table were given without --runs" in result.stderr


# --- the cards of datasets


@pytest.mark.parametrize("name", cards())
def test_the_card_of_a_dataset_says_what_it_is_and_how_to_load_it(name: str) -> None:
    card = cards()[name]
    result = run("datasets", name)
    assert result.exit_code == 0
    shown = " ".join(result.stdout.split())
    for part in (card.title, card.description, card.source, card.licence, *card.notes.values()):
        assert " ".join(str(part).split()) in shown
    assert f"tables ({len(card.tables)}): " in shown if card.tables else "tables (" not in shown
    answer = json.loads(run("datasets", name, "--json").stdout)
    assert answer["tables"] == list(card.tables)
    assert answer["columns"].keys() == card.columns.keys()


def test_the_table_that_a_card_names_is_one_of_its_tables() -> None:
    for name, card in cards().items():
        if not card.tables:
            continue
        line = run("datasets", name).stdout.strip().splitlines()[-1]
        option = shlex.split(line.partition(", or ")[2])
        assert option[:4] == ["bayescale", "fit", name, "--table"]
        assert option[4] in card.tables


def test_a_dataset_that_is_unknown_is_refused_with_those_known() -> None:
    result = run("datasets", "tiny_ml")
    assert result.exit_code == 3
    assert "Did you mean 'tiny_lm'?" in result.stderr


def test_a_dataset_of_several_tables_says_the_option_that_takes_one() -> None:
    result = run("fit", "gadre_overtrain")
    assert result.exit_code == 3
    assert options_of(result.stderr) == ["--table", "rpj/c4_val"]
