"""Options of the command line: likelihoods, datasets of several tables, groups, drift."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import typer
from typer.testing import CliRunner, Result

import bayescale as bs
from bayescale.cli.app import app
from bayescale.diagnosis import Diagnosis
from bayescale.engines import ENGINES
from bayescale.fitting import groups as groups_module
from bayescale.models.draws import Draws
from bayescale.models.likelihoods import LIKELIHOODS
from bayescale.posteriors.groups import GroupPosterior
from bayescale.posteriors.labelled import record_of, to_tree
from bayescale.posteriors.posterior import Posterior
from bayescale.runs import datasets as datasets_module

COLUMNS = ("--column", "N=Model Size", "--column", "C=Training FLOP")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


# --- the options of fit


def help_of(command: str, option: str) -> str:
    found = typer.main.get_command(app).get_command(None, command)  # type: ignore[attr-defined]
    (text,) = [p.help for p in found.params if p.name == option]
    return text


def test_the_help_names_every_likelihood_and_engine() -> None:
    for command in ("fit", "calibrate"):
        assert set(LIKELIHOODS) <= set(re.findall(r"\w+", help_of(command, "likelihood")))
        assert "rounded(step=0.01)" in help_of(command, "likelihood")
    assert all(name in help_of("fit", "engine") for name in ENGINES)


def test_without_drift_the_law_is_taken_as_exact(saved: Path, table: Path, tmp_path: Path) -> None:
    far = ("--N", "1e13", "--D", "1e15", "--json", "--force")
    with_drift = json.loads(run("predict", saved, *far).stdout)["points"][0]
    without = json.loads(run("predict", saved, *far, "--no-drift").stdout)["points"][0]
    assert without["sd"] < 0.9 * with_drift["sd"]
    exact = tmp_path / "exact.nc"
    options = ("--engine", "laplace", "--law", "chinchilla", "--no-drift", "-o", exact)
    fitted = run("fit", table, *COLUMNS, *options)
    assert fitted.exit_code == 0, fitted.output
    assert json.loads(run("predict", exact, *far).stdout)["points"][0] == without


def test_a_dataset_s_table_is_chosen_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {}

    def load(name: str, **options: object) -> bs.Runs:
        asked[name] = options
        return bs.read_runs(pd.DataFrame({"N": [1e8], "D": [1e10], "loss": [3.0]}))

    monkeypatch.setattr(datasets_module, "load", load)
    result = run("fit", "gadre_overtrain", "--table", "rpj/c4_val")
    assert result.exit_code == 3  # one run is too few, which is said after it was loaded
    assert asked == {"gadre_overtrain": {"table": "rpj/c4_val", "columns": None}}


def test_datasets_says_how_many_tables_each_has() -> None:
    found = {d["name"]: d for d in json.loads(run("datasets", "--json").stdout)["datasets"]}
    assert "rpj/c4_val" in found["gadre_overtrain"]["tables"]
    assert found["tiny_lm"]["tables"] == []
    lines = {line.split()[0]: line for line in run("datasets").stdout.splitlines() if line.strip()}
    assert f" {len(found['gadre_overtrain']['tables'])} " in lines["gadre_overtrain"]
    assert " 1 " in lines["tiny_lm"]


@pytest.fixture(scope="module")
def grouped() -> GroupPosterior:
    """Draws for two groups, made and not fitted."""
    rng = np.random.default_rng(0)
    model = bs.Model.at("power_D", pivot={"D": 1e10}).pooled("corpus", ("a", "b"))
    design = {"D": 1e10 * np.exp(rng.uniform(-3, 3, 20)), "corpus": np.repeat(["a", "b"], 10)}
    runs = model.simulate(pd.DataFrame(design), seed=1).runs
    sites = {
        name: rng.uniform(0.2, 0.4, (2, 100, 2) if shape else (2, 100))
        for name, shape in model.shapes.items()
    }
    record = record_of(runs, engine="numpyro", seed=5, draws=Draws(sites, {}))
    tree = to_tree(model, runs, Draws(sites, {}))
    return GroupPosterior(Posterior(model.law, model, tree, Diagnosis(), record))


def test_groups_are_fitted_printed_and_saved(
    grouped: GroupPosterior, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {}

    def fit_groups(runs: bs.Runs, law: str, **options: object) -> GroupPosterior:
        asked.update(options, law=law)
        return grouped

    monkeypatch.setattr(groups_module, "fit_groups", fit_groups)
    table, saved = tmp_path / "runs.csv", tmp_path / "groups.nc"
    table.write_text("D,loss,corpus,half\n1e9,3.1,a,x\n2e9,3.0,b,y\n")
    options = ("--law", "power_D", "--groups", "corpus", "--groups", "half", "--seed", "5")
    result = run("fit", table, *options, "--json", "-o", saved)
    assert result.exit_code == 0, result.output
    assert asked["groups"] == ["corpus", "half"]
    assert (asked["law"], asked["seed"], asked["engine"]) == ("power_D", 5, "numpyro")
    assert "drift" not in asked
    answer = json.loads(result.stdout)
    assert answer["schema_version"] == 1
    assert (answer["law"], answer["n_runs"], answer["trusted"]) == ("power_D", 20, True)
    ours = grouped.summary(groups=True)
    assert answer["groups"]["b"]["alpha"]["q95"] == ours.loc[("b", "alpha"), "q95"]
    assert answer["population"]["alpha_spread"]["mean"] == pytest.approx(
        grouped.summary().loc["alpha_spread", "mean"]
    )
    assert json.loads(run("summary", saved, "--json").stdout) == answer
    text = run("summary", saved).stdout
    assert "2 groups by corpus" in text
    assert "alpha_spread" in text


def test_one_group_predicts(grouped: GroupPosterior, tmp_path: Path, saved: Path) -> None:
    path = grouped.save(tmp_path / "groups.nc")
    result = run("predict", path, "--group", "b", "--D", "3e10", "--no-drift", "--json")
    assert result.exit_code == 0, result.output
    (point,) = json.loads(result.stdout)["points"]
    want = grouped.group("b").predict(D=3e10, drift=False).draws.mean()
    assert point["mean"] == pytest.approx(want)
    wrong = run("predict", path, "--group", "bb", "--D", "3e10")
    assert wrong.exit_code == 2
    assert "no group called 'bb'" in wrong.stderr
    alone = run("predict", saved, "--group", "b", "--N", "1e9", "--D", "1e10")
    assert alone.exit_code != 0
    assert "without groups" in alone.stderr
