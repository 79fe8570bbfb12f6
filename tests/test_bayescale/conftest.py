"""Posteriors that several tests share."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

import bayescale as bs
from bayescale.cli.app import app
from bayescale.diagnosis import Diagnosis


@pytest.fixture(scope="session")
def ladder() -> bs.Posterior:
    """Sixty runs simulated from the additive law, fitted by the Laplace engine."""
    model = bs.Model.at("chinchilla", pivot={"N": 1e8, "D": 1e10})
    rng = np.random.default_rng(0)
    design = {
        "N": 1e8 * np.exp(rng.uniform(-3, 3, 60)),
        "D": 1e10 * np.exp(rng.uniform(-3, 3, 60)),
    }
    at = {"sigma": 0.003, "nu": 6.0, "alpha": 0.34, "beta": 0.3, "floor_fraction": 0.6}
    runs = model.simulate(design, seed=0, coordinates=at).runs
    return bs.fit(runs, model, engine="laplace", seed=0)


@pytest.fixture(scope="session")
def refused(ladder: bs.Posterior) -> bs.Posterior:
    """The same posterior as if the importance weights had failed."""
    reason = "the Laplace approximation does not cover the posterior (Pareto k 0.93)."
    return replace(ladder, diagnosis=Diagnosis(refusals=(reason,)))


@pytest.fixture(scope="session")
def shared_folder() -> Path:
    """Reference values beside the checkout."""
    folder = Path(__file__).resolve().parents[3] / "shared"
    if not folder.is_dir():
        pytest.skip("the folder of reference values is not beside the checkout")
    return folder


# --- for the command line

COLUMNS = ("--column", "N=Model Size", "--column", "C=Training FLOP")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="session")
def table(tmp_path_factory: pytest.TempPathFactory, ladder: bs.Posterior) -> Path:
    """Sixty simulated runs under somebody's own column names."""
    assert ladder.runs is not None
    frame = ladder.runs.reset_index(drop=True)
    frame["Training FLOP"] = 6 * frame["N"] * frame["D"]
    path = tmp_path_factory.mktemp("cli") / "runs.csv"
    frame.rename(columns={"N": "Model Size"})[["Model Size", "Training FLOP", "loss"]].to_csv(
        path, index=False
    )
    return path


@pytest.fixture(scope="session")
def saved(table: Path) -> Path:
    path = table.parent / "fit.nc"
    result = run("fit", table, *COLUMNS, "--engine", "laplace", "--law", "chinchilla", "-o", path)
    assert result.exit_code == 0, result.output
    return path


@pytest.fixture(scope="session")
def other(table: Path) -> Path:
    """The same runs under another law."""
    path = table.parent / "other.nc"
    result = run("fit", table, *COLUMNS, "--engine", "laplace", "--law", "share", "-o", path)
    assert result.exit_code == 0, result.output
    return path


@pytest.fixture(scope="session")
def untrusted(refused: bs.Posterior, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return refused.save(tmp_path_factory.mktemp("cli") / "refused.nc")
