"""Regimes of runs against closed forms of laws, recovery from simulated runs, and the drawing."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bayescale as bs
from bayescale import plots
from bayescale.errors import DiagnosticsRefused, UsageError
from bayescale.forms.regime import regime
from bayescale.forms.regimes import KINDS
from bayescale.posteriors.posterior import Posterior
from bayescale.posteriors.stack import Stack
from theory.laws import catalogue

DIFFERENCES = 1e-6
"""Relative, of central differences."""

KAPLAN = {"N_c": 8.8e13, "D_c": 5.4e13, "alpha_N": 0.076, "alpha_D": 0.095}


def given(law: str, count: int = 200, width: float = 0.02, **centre: float) -> Posterior:
    rng = np.random.default_rng(0)
    draws = {n: v * np.exp(width * rng.standard_normal(count)) for n, v in centre.items()}
    return Posterior.from_draws(law, draws)


@pytest.fixture(scope="module")
def grid() -> pd.DataFrame:
    size, data = np.meshgrid(np.geomspace(1e6, 1e10, 5), np.geomspace(1e8, 1e12, 5))
    return pd.DataFrame({"N": size.ravel(), "D": data.ravel()})


def test_kaplans_excess_has_the_closed_exponents(grid: pd.DataFrame) -> None:
    """``L = (n + d)^alpha_D``: the share of D is d/(n + d); the excess is L - n^alpha_D."""
    found = regime(given("kaplan", 1, 0.0, **KAPLAN), grid, negligible=1e-9)
    n = (KAPLAN["N_c"] / grid["N"].to_numpy()) ** (KAPLAN["alpha_N"] / KAPLAN["alpha_D"])
    d, a = KAPLAN["D_c"] / grid["D"].to_numpy(), KAPLAN["alpha_D"]
    np.testing.assert_allclose(found.shares["D"][0], d / (n + d), rtol=DIFFERENCES)
    np.testing.assert_allclose(found.shares["N"][0], n / (n + d), rtol=DIFFERENCES)
    exponent = a * d / (n + d) / -np.expm1(a * np.log(n / (n + d)))
    np.testing.assert_allclose(found.exponents["D"][0], exponent, rtol=DIFFERENCES)
    bottleneck = np.where(d >= n, "resolution", "variance")
    assert found.table().loc[(slice(None), "D"), "regime"].tolist() == bottleneck.tolist()
    np.testing.assert_allclose(found.floor, 0.0)


def test_where_one_resource_is_plentiful_regimes_are_those_of_bahri(grid: pd.DataFrame) -> None:
    post = given("kaplan", **KAPLAN)
    few = regime(post, pd.DataFrame({"N": [1e6], "D": [1e13]}), negligible=1e-8).table()
    assert few.loc[(0, "N"), "regime"] == "resolution"
    n, d = (8.8e13 / 1e6) ** 0.8, 5.4e13 / 1e13
    slow = 0.076 * n / (n + d) / (1 - (d / (n + d)) ** 0.095)  # what D limits is not yet small
    assert few.loc[(0, "N"), "exponent_q50"] == pytest.approx(slow, rel=0.03)
    assert few.loc[(0, "D"), "regime"] == "variance"
    assert few.loc[(0, "D"), "exponent_q50"] == pytest.approx(1.0, abs=0.01)
    # With so much data that it takes away less than 1%, the run is at the floor of D.
    assert (
        regime(post, pd.DataFrame({"N": [1e6], "D": [1e13]})).table().loc[(0, "D"), "regime"]
        == "floor"
    )
    table = regime(post, grid).table()
    np.testing.assert_allclose(table[list(KINDS)].sum(axis=1), 1.0)


def test_the_width_of_a_deep_network_has_half_the_exponent() -> None:
    centre = {"E": 1.0, "N_c": 1e9, "D_c": 1e10, "alpha_N": 0.2, "alpha_D": 0.2}
    runs = pd.DataFrame({"N": [1e12], "D": [1e8]})
    post = given("width_limited", **centre)
    found = regime(post, runs, variance={"N": 0.5}, negligible=1e-4)
    assert found.variance == {"N": 0.5, "D": 1.0}
    assert np.median(found.exponents["N"]) == pytest.approx(0.5, abs=0.03)
    assert found.probability("N", "variance")[0] == 1.0
    assert found.probability("D", "resolution")[0] == 1.0


def test_the_additive_law_cannot_show_a_variance_limited_run(ladder: bs.Posterior) -> None:
    found = regime(ladder)
    assert len(found.runs) == 60
    for name, exponent in (("N", "alpha"), ("D", "beta")):
        assert not np.any(found.kinds[name] == KINDS.index("variance"))
        local = found.exponents[name]
        assert np.nanmedian(local) == pytest.approx(
            np.median(np.exp(ladder.log_parameters[exponent])), rel=0.01
        )
    assert sum("one exponent everywhere" in sentence for sentence in found.advice()) == 2
    # Of added terms shares add up to 1, whatever the exponents.
    np.testing.assert_allclose(found.shares["N"] + found.shares["D"], 1.0, rtol=1e-6)
    loss = ladder.predict(N=found.runs["N"], D=found.runs["D"], drift=False).draws
    assert np.all((found.floor > 0) & (found.floor < 1))
    share = np.median(np.exp(ladder.log_parameters["E"])) / np.median(loss, axis=0)
    np.testing.assert_allclose(np.median(found.floor, axis=0), share, rtol=0.05)


def test_regimes_of_simulated_runs_are_recovered() -> None:
    model = bs.Model.at("harmonic", pivot={"N": 1e8, "D": 1e10})
    rng = np.random.default_rng(1)
    design = {
        "N": 1e8 * np.exp(rng.uniform(-4, 4, 80)),
        "D": 1e10 * np.exp(rng.uniform(-4, 4, 80)),
    }
    at = {"sigma": 0.003, "nu": 6.0, "alpha_N": 0.4, "alpha_D": 0.3, "floor_fraction": 0.4}
    simulated = model.simulate(design, seed=0, coordinates=at)
    post = bs.fit(simulated.runs, model, engine="laplace", seed=0)
    truth = {name: np.array([value]) for name, value in simulated.parameters.items()}
    known = regime(Posterior.from_draws("harmonic", truth), simulated.runs)
    found = regime(post)
    for name in ("N", "D"):
        right = found.kinds[name] == known.kinds[name]
        assert right.mean() > 0.93
        assert {0, 1} <= set(np.unique(known.kinds[name]))
    # Runs of which the posterior is sure are hardly ever wrong.
    sure = found.probability("D", "variance") > 0.95
    assert sure.sum() >= 5
    assert np.mean(known.kinds["D"][0, sure] == 1) >= 0.95


BOTH = [law for law in catalogue().values() if {r.name for r in law.sizes} == {"N", "D"}]


@pytest.mark.parametrize("law", BOTH, ids=lambda law: law.name)
def test_every_law_in_size_and_data_is_asked_or_refused_in_words(law, grid: pd.DataFrame) -> None:
    typical = {p.name: p.typical[0] if p.typical else 0.5 for p in law.parameters}
    scales = {"E": 1.7, "A": 400.0, "B": 400.0, "N_c": 1e9, "D_c": 1e10, "L_0": 10.0}
    centre = {name: scales.get(name, value) for name, value in typical.items()}
    others = {r.name: 1e9 for r in law.resources if r.name not in ("N", "D")}
    post, runs = given(law.name, 3, 0.001, **centre), grid.assign(**others)
    if law.weights is None:
        with pytest.raises(UsageError, match="declares no resolution-limited exponents"):
            regime(post, runs)
        return
    found = regime(post, runs)
    assert set(found.kinds) == {"N", "D"}
    for name in found.kinds:
        open_ = found.kinds[name] != KINDS.index("floor")
        assert np.all(np.isfinite(found.exponents[name][open_]))
    assert not found.table()[list(KINDS)].isna().any(axis=None)


def test_a_stack_asks_every_law_by_its_weight(grid: pd.DataFrame) -> None:
    posts = {
        "chinchilla": given("chinchilla", E=1.7, A=400.0, B=410.0, alpha=0.34, beta=0.28),
        "harmonic": given("harmonic", E=1.7, N_c=1e7, D_c=1e8, alpha_N=0.34, alpha_D=0.28),
    }
    both = Stack(posts, {"chinchilla": 0.25, "harmonic": 0.75}, pd.DataFrame(), "equal")
    found = regime(both, grid)
    parts = {name: regime(post, grid) for name, post in posts.items()}
    mixed = sum(
        both.weights[name] * part.probability("D", "variance") for name, part in parts.items()
    )
    np.testing.assert_allclose(found.probability("D", "variance"), mixed, atol=0.02)
    assert any("law 'chinchilla'" in note for note in found.notes)
    assert not any("law 'harmonic'" in note for note in found.notes)


def test_tables_words_and_plain_data_agree(grid: pd.DataFrame) -> None:
    found = regime(given("kaplan", **KAPLAN), grid)
    table, summary = found.table(), found.summary()
    assert list(table.index.names) == ["run", "resource"]
    assert len(table) == 50
    for name in ("N", "D"):
        mean = table.xs(name, level="resource")[list(KINDS)].mean()
        np.testing.assert_allclose(summary.loc[name, list(KINDS)].astype(float), mean)
    words = found.advice()
    count = (table.xs("N", level="resource")["regime"] == "resolution").sum()
    assert words[0].startswith(f"N: of 25 runs {count} are most probably resolution-limited")
    assert "irreducible part is 0% of the loss" in words[2]
    plain = found.to_dict()
    assert len(plain["runs"]) == 50
    assert plain["trusted"]
    floor = [row for row in plain["runs"] if row["floor"] == 1.0]
    assert all(row["exponent_q50"] is None for row in floor)


@pytest.mark.slow
def test_the_drawing_shows_every_run_once(grid: pd.DataFrame, tmp_path: Path) -> None:
    found = regime(given("kaplan", **KAPLAN), grid)
    figure = plots.regime(found)
    for axes in figure.axes:
        marks = [line for line in axes.lines if str(line.get_gid()).split()[0] in KINDS]
        marks = [line for line in marks if "exponent" not in str(line.get_gid())]
        assert sum(len(line.get_xdata()) for line in marks) == 25
        (dashed,) = [line for line in axes.lines if line.get_gid() == "variance exponent"]
        assert dashed.get_ydata()[0] == 1.0
    plots.save(figure, tmp_path / "regime.svg")


def test_a_refused_posterior_says_nothing_unless_forced(refused: bs.Posterior) -> None:
    with pytest.raises(DiagnosticsRefused):
        regime(refused)
    forced = regime(refused, force=True)
    assert not forced.trusted
    said = [text.get_text() for text in plots.regime(forced).axes[0].texts]
    assert "diagnostics refused: not to be trusted" in said


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"negligible": 0.0}, "negligible is a share of the loss"),
        ({"draws": 0}, "draws must be a whole number of at least 1; got 0"),
        ({"variance": {"U": 1.0}}, "variance names U; the sizes are N, D"),
        ({"variance": -1.0}, "exponent of N must be finite and positive; got -1.0"),
        ({"runs": None}, "these draws came without runs"),
        ({"runs": pd.DataFrame({"N": [1e6]})}, "needs N, D; the runs lack D"),
        ({"runs": pd.DataFrame({"N": [], "D": []})}, "there are no runs to ask at"),
        ({"runs": pd.DataFrame({"N": [-1.0], "D": [1e9]})}, "N must be positive and finite"),
    ],
)
def test_bad_questions_are_refused(options: dict, message: str, grid: pd.DataFrame) -> None:
    with pytest.raises(UsageError, match=message):
        regime(given("kaplan", 5, **KAPLAN), **{"runs": grid, **options})


def test_a_resolution_exponent_of_one_is_not_told_apart() -> None:
    post = given("harmonic", E=1.0, N_c=1e6, D_c=1e6, alpha_N=1.0, alpha_D=0.4)
    found = regime(post, pd.DataFrame({"N": [1e8], "D": [1e8]}))
    assert any("too near to the variance-limited 1" in note for note in found.notes)


def test_laws_of_other_sizes_are_not_stacked() -> None:
    posts = {
        "kaplan": given("kaplan", **KAPLAN),
        "power": given("power", E=1.0, A=100.0, alpha=0.2),
    }
    both = Stack(posts, {"kaplan": 0.5, "power": 0.5}, pd.DataFrame(), "equal")
    with pytest.raises(UsageError, match="must have the same sizes; got kaplan: N, D; power: N"):
        regime(both, pd.DataFrame({"N": [1e8], "D": [1e9]}))
