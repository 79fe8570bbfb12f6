"""The commands that judge by runs left out: compare and calibrate."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner, Result

import bayescale as bs
from bayescale.cli.app import app
from bayescale.validation import calibrate as calibrate_module
from bayescale.validation import compare as compare_module
from bayescale.validation.calibrate import Calibration
from bayescale.validation.forecast import Forecast
from bayescale.validation.leave_future_out import Cut, Outlook

COLUMNS = ("--column", "N=Model Size", "--column", "C=Training FLOP")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


# --- compare


def test_compare_ranks_saved_posteriors_under_the_names_of_their_laws(
    saved: Path, other: Path
) -> None:
    result = run("compare", saved, other, "--by", "loo", "--json")
    assert result.exit_code == 0, result.output
    answer = json.loads(result.stdout)
    assert (answer["schema_version"], answer["by"], answer["trusted"]) == (1, "loo", True)
    named = {"chinchilla": bs.Posterior.load(saved), "share": bs.Posterior.load(other)}
    table = bs.compare(named, by="loo")
    assert [row["posterior"] for row in answer["posteriors"]] == list(table.index)
    assert [row["elpd"] for row in answer["posteriors"]] == list(table["elpd"])
    text = run("compare", saved, other, "--by", "loo").stdout
    assert "chinchilla" in text
    assert "share" in text


def test_posteriors_of_one_law_go_by_the_names_of_their_files(
    saved: Path, other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[str]] = []

    def compare(posteriors: dict, by: str, **options: object) -> pd.DataFrame:
        assert by == "lfo"
        seen.append(list(posteriors))
        found = pd.DataFrame({"elpd": [0.0]}, index=pd.Index(["x"], name="posterior"))
        found.attrs["question"] = "Which?"
        return found

    monkeypatch.setattr(compare_module, "compare", compare)
    second = saved.parent / "again.nc"
    folder = saved.parent / "folder"
    folder.mkdir()
    for copy in (second, folder / "fit.nc"):
        copy.write_bytes(saved.read_bytes())
    run("compare", saved, other, second)
    run("compare", saved, folder / "fit.nc")
    assert seen == [["fit", "share", "again"], [str(saved), str(folder / "fit.nc")]]


def test_compare_refuses_a_refused_posterior_unless_forced(
    ladder: bs.Posterior, untrusted: Path, tmp_path: Path
) -> None:
    good = ladder.save(tmp_path / "good.nc")
    refused = run("compare", good, untrusted)
    assert refused.exit_code == 5
    forced = run("compare", good, untrusted, "--by", "loo", "--force")
    assert forced.exit_code == 0
    assert "NOT TRUSTED" in forced.stdout
    answer = json.loads(run("compare", good, untrusted, "--by", "loo", "--force", "--json").stdout)
    assert answer["trusted"] is False
    assert {row["posterior"] for row in answer["posteriors"]} == {"good", "refused"}


def test_compare_says_which_rows_are_not_reliable(
    saved: Path, other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compare_module, "MAX_PARETO_K", -1.0)
    result = run("compare", saved, other, "--by", "loo", "--json")
    assert result.exit_code == 0
    assert "warning: leaving one run out changes the posterior too much" in result.stderr
    assert not any(row["reliable"] for row in json.loads(result.stdout)["posteriors"])


# --- calibrate


@pytest.mark.slow
def test_calibrate_forecasts_the_larger_runs_of_a_file(tmp_path: Path) -> None:
    model = bs.Model.at("power_D", pivot={"D": 1e10})
    at = {"sigma": 0.005, "nu": 20.0, "alpha": 0.3, "floor_fraction": 0.5, "L_pivot": 2.7}
    made = model.simulate({"D": np.geomspace(1e8, 1e11, 14)}, seed=2, coordinates=at).runs
    table, picture = tmp_path / "runs.csv", tmp_path / "plot.png"
    made.table.rename(columns={"D": "Data"})[["Data", "loss"]].to_csv(table, index=False)
    options = ("--law", "power_D", "--cut", "9e9", "--column", "D=Data", "--seed", "3")
    result = run("calibrate", table, *options, "-o", picture, "--json")
    assert result.exit_code == 0, result.output
    answer = json.loads(result.stdout)
    assert (answer["schema_version"], answer["seed"]) == (1, 3)
    (row,) = answer["table"]
    ahead = int(np.sum(made.column("D") >= 9e9))
    assert (row["law"], row["cut"], row["n_future"]) == ("power_D", 9e9, ahead)
    assert row["n_past"] == 14 - ahead
    (sentence,) = answer["advice"]
    assert f"of {ahead} forecasts of larger runs" in sentence
    assert set(answer["drifts"]) == {"power_D"}
    assert picture.stat().st_size > 10_000


def test_calibrate_gives_people_means_and_reasons(
    table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    runs = bs.read_runs(pd.DataFrame({"D": [1e8, 1e9, 1e10], "loss": [3.0, 2.8, 2.6]}))
    future = np.array([False, True, True])
    one = Forecast(np.zeros(2), rng.normal(0.0, 1.0, (200, 2)), np.full(2, -1.0))
    outlook = Outlook(runs, (Cut(1e9, ~future, future, 100.0),), {}, {"a": (one,), "b": (one,)})
    weights = pd.DataFrame({"cut": [1e9], "a": [0.5], "b": [0.5]}).set_index("cut")
    asked = {}

    def calibrate(runs: bs.Runs, law: object, **options: object) -> Calibration:
        asked.update(options, law=law)
        return Calibration(outlook, (one,), weights, {}, 0)

    monkeypatch.setattr(calibrate_module, "calibrate", calibrate)
    options = (*COLUMNS, "--cut", "1e18", "--cut", "1e19", "--likelihood", "normal")
    options += ("--engine", "laplace")
    result = run("calibrate", table, *options)
    assert result.exit_code == 0, result.output
    assert asked["law"] == ("chinchilla", "share")
    assert (asked["cuts"], asked["likelihood"]) == ([1e18, 1e19], "normal")
    assert asked["engine"] == "laplace"
    lines = result.stdout.splitlines()
    assert [line.split()[0] for line in lines if line.split()[:1] in (["a"], ["b"], ["stack"])]
    assert lines[-4:-1] == [
        f"{name}: 90% intervals covered 100% of 2 forecasts of larger runs; the intervals are "
        "wider than they need be."
        for name in ("a", "b", "stack")
    ]
    assert lines[-1].startswith("This asks whether intervals of larger runs held")
    answer = json.loads(run("calibrate", table, *options, "--law", "x", "--json").stdout)
    assert asked["law"] == ["x"]
    assert answer["weights"] == [{"cut": 1e9, "a": 0.5, "b": 0.5}]
