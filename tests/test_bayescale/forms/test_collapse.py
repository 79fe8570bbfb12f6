"""`collapse`: what a table says of its scaling function, against tables of known form."""

import warnings

import numpy as np
import pandas as pd
import pytest

import bayescale as bs
from bayescale.errors import DiagnosticsWarning, RunsError
from bayescale.forms.collapse import LEAST, Collapse, form_curve, local_planes, named_forms
from theory import laws

PIVOT = {"N": 3e8, "D": 1e10}


def table(law: str, *, count: int = 120, reach: float = 3.5, seed: int = 0, **at: float):
    model = bs.Model.at(law, pivot=PIVOT, likelihood="normal")
    rng = np.random.default_rng(seed)
    design = {n: p * np.exp(rng.uniform(-reach, reach, count)) for n, p in PIVOT.items()}
    at = {"sigma": 0.004, "floor_fraction": 0.5, "share_N": 0.5, **at}
    return model.simulate(design, seed=seed, coordinates=at).runs


@pytest.fixture(scope="module")
def additive() -> Collapse:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DiagnosticsWarning)  # one divergent draw is a warning
        return bs.collapse(table("chinchilla", alpha=0.34, beta=0.36))


def test_local_slopes_of_a_plane_are_its_slopes():
    rng = np.random.default_rng(1)
    n, d = rng.uniform(0, 5, 60), rng.uniform(0, 4, 60)
    slopes = local_planes(n, d)[1:] @ (1.0 - 0.3 * n + 0.7 * d)
    np.testing.assert_allclose(slopes[0], -0.3, atol=1e-10)
    np.testing.assert_allclose(slopes[1], 0.7, atol=1e-10)


def test_runs_along_a_line_have_no_two_slopes():
    n = np.linspace(0, 5, 40)
    assert np.isnan(local_planes(n, 2 * n + 1e-6 * n**2)).all()


def test_the_true_form_stays_inside_and_others_are_excluded(additive: Collapse):
    assert not additive.forms.loc["chinchilla", "excluded"]
    assert additive.forms.loc["maximum", "excluded"]
    assert additive.forms.loc["kaplan_floor", "excluded"]
    assert additive.tells_apart
    assert "chinchilla stays inside" in additive.advice()[1]


def test_a_homogeneous_table_obeys_the_scaling_equation(additive: Collapse):
    assert additive.scaling_p > 0.05
    total = additive.elasticities["sum"].dropna()
    assert abs(total.median() - 1) < 0.1
    # Two standard deviations cover most of the local sums.
    far = (additive.elasticities["sum"] - 1).abs() > 2 * additive.elasticities["sum_sd"]
    assert far.mean() < 0.2


def test_local_elasticities_are_those_of_the_truth(additive: Collapse):
    # Exact elasticities of the additive law at its posterior medians, run by run.
    middle = additive.posterior.summary()["q50"]
    rows = additive.elasticities.dropna()
    first = middle["A"] * rows["N"] ** -middle["alpha"]
    second = middle["B"] * rows["D"] ** -middle["beta"]
    exact = middle["alpha"] * first / (first + second)
    assert np.median(np.abs(rows["e_N"] - exact)) < 0.03


@pytest.mark.slow
def test_a_table_that_is_not_homogeneous_is_noticed():
    # A data exponent that depends on model size has no single scaling equation.
    rng = np.random.default_rng(3)
    n, d = (p * np.exp(rng.uniform(-3.5, 3.5, 150)) for p in PIVOT.values())
    rate = 0.35 + 0.07 * np.log(n / PIVOT["N"])
    loss = 1.6 + 0.5 * (n / PIVOT["N"]) ** -0.3 + 0.6 * (d / PIVOT["D"]) ** -rate
    loss *= np.exp(0.003 * rng.standard_normal(150))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = bs.collapse(bs.read_runs(pd.DataFrame({"N": n, "D": d, "loss": loss})))
    assert result.scaling_p < 0.05
    assert "does not obey one scaling equation" in result.advice()[0]


@pytest.mark.slow
def test_a_noisy_narrow_table_says_that_it_cannot_tell():
    runs = table("chinchilla", count=30, reach=0.5, alpha=0.34, beta=0.36, sigma=0.1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = bs.collapse(runs)
    assert not result.tells_apart
    assert result.forms.loc[["chinchilla", "kaplan_floor"], "inside"].all()
    assert result.advice()[1].startswith("the table cannot tell the forms chinchilla")
    # What the prior keeps away from is not what the table excludes.
    assert "The prior of the form hardly reaches maximum." in result.advice()[1]


def test_the_named_forms_are_the_laws_without_a_shape_of_their_own():
    assert set(named_forms()) == {
        "chinchilla",
        "harmonic",
        "kaplan_floor",
        "maximum",
        "width_limited",
    }
    v = np.linspace(-3, 3, 13)
    additive = form_curve(laws.chinchilla, 0.3, 0.4, v)
    np.testing.assert_allclose(additive, np.log1p(np.exp(-np.abs(v))), atol=1e-9)
    kaplan = form_curve(laws.kaplan_floor, 0.3, 0.4, v)
    np.testing.assert_allclose(kaplan, 0.4 * np.log1p(np.exp(-np.abs(v) / 0.4)), atol=1e-9)


def test_too_few_runs_are_refused():
    runs = table("chinchilla", count=LEAST - 1)
    with pytest.raises(RunsError, match=r"14 runs are too few for local slopes; at least 15"):
        bs.collapse(runs)


def test_the_plot_shows_every_run_the_band_and_every_form(additive: Collapse):
    figure = bs.plots.collapse(additive)
    above, below = figure.axes
    assert (above.get_label(), below.get_label()) == ("collapse", "equation")
    drawn = {line.get_gid() for line in above.get_lines()}
    assert {f"form {name}" for name in additive.forms.index} <= drawn
    shown = sum(
        len(c.get_offsets()) for c in above.collections if c.get_gid() in ("runs", "runs beyond")
    )
    assert shown == additive.points["excess"].notna().sum()


def test_the_json_repeats_the_verdict(additive: Collapse):
    data = additive.to_dict()
    assert data["tells_apart"] is True
    assert data["advice"] == list(additive.advice())
    assert {row["law"] for row in data["forms"]} == set(additive.forms.index)


@pytest.mark.slow
def test_exponents_are_covered_whatever_the_form():
    """Twenty tables of each of three forms; the figures are those of the benchmark."""
    import importlib.util
    from pathlib import Path

    path = Path(__file__).parents[2] / "benchmarks" / "crossover_coverage.py"
    spec = importlib.util.spec_from_file_location("crossover_coverage", path)
    benchmark = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(benchmark)
    results = benchmark.main(tables=20)
    mine = results[results["fitted with"] == "crossover"]
    assert (mine.groupby("truth")["covers"].mean() >= 0.8).all()
    assert results.groupby("fitted with")["covers"].mean()["wrong form"] < mine["covers"].mean()
