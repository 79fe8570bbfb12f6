"""Every engine against long runs of NUTS, `tests/reference/posteriors.json`, on real runs."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import bayescale as bs
from bayescale import engines
from bayescale.engines.engine import Sampling
from bayescale.models.draws import Draws
from bayescale.models.model import Model
from bayescale.runs.table import Runs

HERE = Path(__file__).resolve().parents[2] / "reference"
REFERENCE = json.loads((HERE / "posteriors.json").read_text("utf-8"))

ERRORS = 4.0
"""Estimates may differ by this many of their combined Monte Carlo standard errors."""


@pytest.fixture(scope="module")
def made_by() -> ModuleType:
    """The script that made the file, whose quantities and errors are compared."""
    spec = importlib.util.spec_from_file_location("posteriors", HERE / "posteriors.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def runs(fetched: Path) -> Runs:
    return bs.load(REFERENCE["made_by"]["dataset"])


@pytest.mark.parametrize("law", [*REFERENCE["posteriors"], "groups"])
def test_the_reference_converged(law: str) -> None:
    kept = {**REFERENCE["posteriors"], "groups": REFERENCE["groups"]}[law]
    assert kept["divergent"] == 0
    for name, row in kept["quantities"].items():
        assert row["r_hat"] < 1.005, name
        # The spread of alpha between six groups has tail draws worth 1455 independent ones.
        assert min(row["ess_bulk"], row["ess_tail"]) > (1400 if law == "groups" else 2000), name


def _independent(draws: np.ndarray, effective: float) -> dict[str, float]:
    """Summary of importance-resampled draws, with errors from their effective number."""
    flat = draws.ravel()
    count = 1.0 / (1.0 / effective + 1.0 / flat.size)  # the weights, and choosing by them
    out = {"mean": np.mean(flat), "mcse_mean": np.std(flat) / np.sqrt(count)}
    for name, level in (("q05", 0.05), ("q50", 0.5), ("q95", 0.95)):
        width = np.sqrt(level * (1 - level) / count)
        low, high = np.quantile(flat, np.clip([level - width, level + width], 0, 1))
        out |= {name: np.quantile(flat, level), f"mcse_{name}": (high - low) / 2}
    return {name: float(value) for name, value in out.items()}


def _sampled(engine: str, model: Model, runs: Runs) -> Draws:
    return engines.get(engine).sample(model, runs, Sampling(seed=1))


@pytest.mark.parametrize(
    ("law", "engine"),
    [
        *((law, engine) for law in ("chinchilla", "share") for engine in ("laplace", "numpyro")),
        ("chinchilla", "pymc"),
        pytest.param("share", "pymc", marks=pytest.mark.slow),
    ],
)
def test_an_engine_agrees_with_the_reference(
    law: str, engine: str, runs: Runs, made_by: ModuleType
) -> None:
    kept: dict[str, Any] = REFERENCE["posteriors"][law]
    model = Model.for_runs(law, runs)
    # A change of priors or likelihood asks for a new reference.
    now = json.loads(json.dumps(model.to_dict()))
    for part in ("formula", "likelihood", "priors", "pivot"):
        assert now[part] == kept["model"][part], part
    found = _sampled(engine, model, runs)
    quantities = made_by.quantities(model, dict(found.coordinates))
    assert set(quantities) == set(kept["quantities"])
    effective = found.facts["importance_ess"] if engine == "laplace" else None
    _compare(quantities, kept["quantities"], made_by, effective)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # the gate's, such as a few divergent draws
@pytest.mark.parametrize("engine", ["numpyro", "pymc"])
def test_an_engine_agrees_with_the_hierarchical_reference(
    engine: str, fetched: Path, made_by: ModuleType
) -> None:
    kept: dict[str, Any] = REFERENCE["groups"]
    post = bs.fit_groups(made_by.grouped(), groups=made_by.COLUMN, engine=engine, seed=1)
    now = json.loads(json.dumps(post.model.to_dict()))
    for part in ("formula", "likelihood", "priors", "pivot"):
        assert now[part] == kept["model"][part], part
    _compare(made_by.of_groups(post), kept["quantities"], made_by, None)


def _compare(
    quantities: dict[str, np.ndarray],
    reference: dict[str, Any],
    made_by: ModuleType,
    effective: float | None,
) -> None:
    """Means and quantiles within so many combined errors; `effective` draws if resampled."""
    assert set(quantities) == set(reference)
    for name, draws in quantities.items():
        want = reference[name]
        got = made_by.summary(draws) if effective is None else _independent(draws, effective)
        for statistic in ("mean", "q05", "q50", "q95"):
            error = np.hypot(got[f"mcse_{statistic}"], want[f"mcse_{statistic}"])
            gap = abs(got[statistic] - want[statistic])
            assert gap < ERRORS * error, (name, statistic, gap / error)
