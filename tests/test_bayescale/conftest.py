"""Posteriors that several tests share."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import bayescale as bs
from bayescale.diagnose import Diagnosis


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
