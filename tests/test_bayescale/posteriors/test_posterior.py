"""A posterior: summaries, predictions, files."""

import json
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats

import bayescale as bs
from bayescale.errors import (
    DiagnosticsRefused,
    DiagnosticsWarning,
    OutputError,
    PosteriorFileError,
    UsageError,
)
from bayescale.models import pointwise as pointwise_module
from bayescale.models.density import Density
from bayescale.models.noise import Noise
from theory import laws
from theory.declaration import symbols as s
from theory.declaration.law import Law
from theory.declaration.symbols import N

ROUNDING = 1e-12
"""Relative error of a few float64 operations."""


def _published(count: int = 400) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    centre = {"E": 1.8172, "A": 482.01, "B": 2085.43, "alpha": 0.3478, "beta": 0.3658}
    return {
        name: value * np.exp(0.01 * rng.standard_normal(count)) for name, value in centre.items()
    }


def test_predictions_are_the_formula_draw_by_draw() -> None:
    draws = _published()
    post = bs.Posterior.from_draws("chinchilla", draws)
    size, data = np.array([1e8, 7e10]), np.array([2e9, 1.4e12])
    a, b = draws["A"][:, None], draws["B"][:, None]
    alpha, beta = draws["alpha"][:, None], draws["beta"][:, None]
    by_hand = draws["E"][:, None] + a * size**-alpha + b * data**-beta
    ours = post.predict(N=size, D=data)
    np.testing.assert_allclose(ours.draws, by_hand, rtol=ROUNDING)
    summary = ours.summary()
    np.testing.assert_allclose(summary["mean"], by_hand.mean(axis=0), rtol=ROUNDING)
    np.testing.assert_allclose(summary["q95"], np.quantile(by_hand, 0.95, axis=0), rtol=ROUNDING)


def test_scalars_and_arrays_broadcast_to_points() -> None:
    post = bs.Posterior.from_draws("chinchilla", _published())
    assert post.predict(N=1e9, D=[1e10, 1e11, 1e12]).draws.shape == (400, 3)


def test_noise_widens_the_prediction_by_the_noise_scale(ladder: bs.Posterior) -> None:
    law_only = ladder.predict(N=1e9, D=1e10).draws[:, 0]
    new_run = ladder.predict(N=1e9, D=1e10, noise=True).draws[:, 0]
    scatter = np.log(new_run) - np.log(law_only)
    sigma = ladder.draws["sigma"].to_numpy().ravel()
    nu = ladder.draws["nu"].to_numpy().ravel()
    # The standardised scatter is Student-t given each draw; its quartiles are those of the mixture.
    rng = np.random.default_rng(1)
    oracle = rng.standard_t(nu, size=(200, nu.size))
    expected = np.quantile(np.abs(oracle), 0.5)
    assert np.quantile(np.abs(scatter / sigma), 0.5) == pytest.approx(expected, rel=0.1)


def test_noise_without_bounds_stays_within_the_range_of_numbers(
    ladder: bs.Posterior, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Student-t draws of few degrees of freedom reach e^1000."""
    far = np.array([-1e4, 1e4])
    monkeypatch.setattr(Noise, "sample", lambda noise, rng, shape: np.resize(far, shape))
    with np.errstate(all="raise"):
        draws = ladder.predict(N=[1e8, 1e9], D=1e10, noise=True).draws
    assert np.all(np.isfinite(draws) & (draws > 0))


def test_the_same_seed_predicts_the_same_noise(ladder: bs.Posterior) -> None:
    first = ladder.predict(N=1e9, D=1e10, noise=True, seed=3).draws
    again = ladder.predict(N=1e9, D=1e10, noise=True, seed=3).draws
    other = ladder.predict(N=1e9, D=1e10, noise=True, seed=4).draws
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_loaded_posterior_predicts_and_plans_identically(
    ladder: bs.Posterior, tmp_path: Path
) -> None:
    loaded = bs.Posterior.load(ladder.save(tmp_path / "fit.nc"))
    np.testing.assert_array_equal(
        loaded.predict(N=1e9, D=1e10, noise=True).draws,
        ladder.predict(N=1e9, D=1e10, noise=True).draws,
    )
    ours, theirs = bs.plan(ladder, compute=[1e21, 1e22]), bs.plan(loaded, compute=[1e21, 1e22])
    np.testing.assert_array_equal(ours.resources["N"], theirs.resources["N"])
    assert ours.to_dict() == theirs.to_dict()
    assert loaded.model == ladder.model
    assert loaded.record == json.loads(json.dumps(dict(ladder.record)))
    assert loaded.diagnose() == ladder.diagnose()
    assert loaded.summary().equals(ladder.summary())


def test_the_record_names_table_seed_versions_and_hash(ladder: bs.Posterior) -> None:
    record = ladder.record
    assert record["seed"] == 0
    assert record["n_runs"] == 60
    assert len(record["data_hash"]) == 64
    assert {"bayescale", "jax", "arviz-stats"} <= set(record["versions"])


def test_the_tree_is_arviz_s(ladder: bs.Posterior) -> None:
    import arviz_stats

    assert set(ladder.data["posterior"].dims) == {"chain", "draw"}
    table = arviz_stats.summary(ladder.data, var_names=["alpha"], round_to="none")
    assert float(table["mean"].iloc[0]) == pytest.approx(ladder.summary().loc["alpha", "mean"])


def test_a_refused_posterior_does_not_speak_unless_forced(refused: bs.Posterior) -> None:
    with pytest.raises(DiagnosticsRefused, match=r"not to be trusted: .*Pareto k"):
        refused.predict(N=1e9, D=1e10)
    assert refused.predict(N=1e9, D=1e10, force=True).trusted is False


def test_the_observed_runs_are_those_that_were_fitted(ladder: bs.Posterior, tmp_path: Path) -> None:
    loaded = bs.Posterior.load(ladder.save(tmp_path / "fit.nc"))
    for post in (ladder, loaded):
        assert post.observed is not None
        assert post.observed.data_hash == ladder.record["data_hash"]
        assert post.observed.name == ladder.record["table"]
    again = bs.fit(loaded.observed, ladder.model, engine="laplace", seed=0)
    np.testing.assert_array_equal(again.draws["alpha"], ladder.draws["alpha"])


def test_the_log_likelihood_is_the_density_of_every_run(ladder: bs.Posterior) -> None:
    runs = ladder.observed
    assert runs is not None
    found = ladder.log_likelihood()
    draws = {name: ladder.draws[name].to_numpy().ravel()[:, None] for name in ladder.draws}
    mean = np.log(ladder.predict(N=runs.column("N"), D=runs.column("D")).draws)
    expected = stats.t(draws["nu"], mean, draws["sigma"]).logpdf(np.log(runs.loss))
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_the_log_likelihood_in_chunks_is_the_same(
    ladder: bs.Posterior, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = ladder.log_likelihood()
    monkeypatch.setattr(pointwise_module, "CELLS", 60 * 333)
    np.testing.assert_array_equal(ladder.log_likelihood(), whole)


def test_dependent_rows_and_groups_survive_the_file(tmp_path: Path) -> None:
    """What the likelihood and the pooling read of the table is kept with the posterior."""
    sizes = np.repeat(np.geomspace(1e7, 1e9, 10), 3)
    design = pd.DataFrame(
        {"D": 20 * sizes, "order": np.tile([1, 2, 3], 10), "data": np.tile(["c", "d"], 15)}
    )
    model = bs.Model.at("power_D", pivot={"D": 2e9}, likelihood="shared(column=order)")
    model = model.pooled("data", ["c", "d"], ["L_pivot"])
    runs = model.simulate(design, seed=1).runs
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DiagnosticsWarning)
        post = bs.fit(runs, model, draws=100, chains=2, seed=0)
    loaded = bs.Posterior.load(post.save(tmp_path / "fit.nc"))
    assert post.sites["L_pivot_offset"].shape == (200, 2)
    np.testing.assert_allclose(loaded.log_likelihood(), post.log_likelihood(), rtol=1e-12)
    density = Density(model)
    expected = density.log_likelihood(post.sites, model.observe(runs), np)
    np.testing.assert_allclose(post.log_likelihood(), expected, rtol=1e-12)


def test_outliers_come_first_with_their_residual() -> None:
    model = bs.Model.at("power_D", pivot={"D": 1e10})
    at = {"sigma": 0.003, "nu": 30.0, "alpha": 0.3, "floor_fraction": 0.6}
    runs = model.simulate({"D": np.geomspace(1e8, 1e12, 40)}, seed=0, coordinates=at).runs
    shift = np.where(np.arange(40) == 17, 0.2, 0.0)
    runs = replace(runs, table=runs.table.assign(loss=runs.loss * np.exp(shift)))
    post = bs.fit(runs, model, engine="laplace", seed=0)
    assert any("'row 18' alone moves the posterior" in note for note in post.diagnosis.notes)
    assert any("row 18 lies up to" in note for note in post.diagnosis.notes)
    table = post.outliers()
    assert list(table.columns) == ["D", "loss", "fitted", "residual", "probability"]
    assert table.index[0] == "row 18"
    assert table.iloc[0]["probability"] > 0.99
    assert table.iloc[1]["probability"] < 0.4
    assert np.log(table.iloc[0]["loss"] / table.iloc[0]["fitted"]) == pytest.approx(0.2, abs=0.02)
    assert table.iloc[0]["residual"] > 20
    assert (table["probability"].diff().dropna() <= 0).all()


def test_given_draws_have_no_runs() -> None:
    post = bs.Posterior.from_draws("chinchilla", _published())
    assert post.observed is None
    for ask in (post.log_likelihood, post.outliers):
        with pytest.raises(UsageError, match="came without a likelihood or without runs"):
            ask()
    assert post.predict(N=1e30, D=1e30).reasons == ()  # nothing is known to be far


def test_far_predictions_say_so(ladder: bs.Posterior) -> None:
    largest = float((ladder.runs["N"] * ladder.runs["D"]).max())  # pyright: ignore
    scale = (largest / (ladder.runs["N"].max() * ladder.runs["D"].max())) ** 0.5  # pyright: ignore
    top = {name: scale * float(ladder.runs[name].max()) for name in ("N", "D")}  # pyright: ignore
    near = ladder.predict(**{name: 3.0 * size for name, size in top.items()})
    assert near.reasons == ()
    assert near.to_dict()["diagnostics"]["reasons"] == []
    with pytest.warns(DiagnosticsWarning, match="100 times the largest run") as caught:
        far = ladder.predict(N=[1e8, 10 * top["N"]], D=[1e10, 10 * top["D"]])
    assert far.reasons[0] in str(caught[0].message)
    assert far.trusted
    assert far.to_dict()["diagnostics"]["reasons"] == list(far.reasons)


def test_predictions_farther_than_was_ever_checked_are_refused_unless_forced(
    ladder: bs.Posterior,
) -> None:
    at = {"N": 1e13, "D": 1e15}
    with pytest.raises(DiagnosticsRefused, match="no interval was ever checked beyond 1e\\+04"):
        ladder.predict(**at)
    with pytest.warns(DiagnosticsWarning, match="times the largest run"):
        forced = ladder.predict(**at, force=True)
    assert not forced.trusted
    # In one size alone, too: the product of a huge model and few tokens is no larger than a run.
    with pytest.raises(DiagnosticsRefused):
        ladder.predict(N=1e15, D=1e5)


def test_every_verb_means_the_same_by_far(ladder: bs.Posterior) -> None:
    planned = bs.plan(ladder, compute=1e23)
    point = planned.recommended[["N", "D"]].iloc[0]
    with pytest.warns(DiagnosticsWarning, match="times the largest run"):
        predicted = ladder.predict(N=point["N"], D=point["D"])
    assert planned.far is not None
    assert f"{planned.far[0]:.3g} times the largest run" in predicted.reasons[0]
    assert predicted.reasons[0] in planned.diagnosis.warnings
    with pytest.raises(DiagnosticsRefused, match="no interval was ever checked"):
        bs.plan(ladder, compute=1e28)
    forced = bs.plan(ladder, compute=1e28, force=True)
    assert forced.to_dict()["trusted"] is False


def test_missing_parameters_are_named() -> None:
    draws = _published()
    del draws["beta"]
    with pytest.raises(UsageError, match="missing here: beta"):
        bs.Posterior.from_draws("chinchilla", draws)


def test_draws_of_unlike_shapes_are_refused() -> None:
    with pytest.raises(UsageError, match=r"one shape \(draw,\); got .*alpha \(3,\)"):
        bs.Posterior.from_draws("chinchilla", {**_published(), "alpha": np.full(3, 0.3)})


def test_parameters_out_of_their_domain_are_refused() -> None:
    with pytest.raises(UsageError, match="alpha of law 'chinchilla' must be finite and positive"):
        bs.Posterior.from_draws("chinchilla", {**_published(), "alpha": np.full(400, -0.1)})


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"N": 1e9}, "law 'chinchilla' predicts from N, D; got N"),
        ({"N": 1e9, "D": 1e10, "C": 1e20}, "got N, D, C"),
        ({"N": -1.0, "D": 1e10}, "N must be positive and finite"),
        ({"N": np.nan, "D": 1e10}, "N must be positive and finite"),
        ({"N": [1e9, 2e9], "D": [1e9, 2e9, 3e9]}, "do not broadcast together: N"),
    ],
)
def test_wrong_points_get_their_sentence(given: dict, sentence: str) -> None:
    post = bs.Posterior.from_draws("chinchilla", _published())
    with pytest.raises(UsageError, match=sentence):
        post.predict(**given)


def test_given_draws_have_no_noise_and_no_file(tmp_path: Path) -> None:
    post = bs.Posterior.from_draws("chinchilla", _published())
    with pytest.raises(UsageError, match="without a likelihood"):
        post.predict(N=1e9, D=1e10, noise=True)
    with pytest.raises(UsageError, match="no model to save"):
        post.save(tmp_path / "fit.nc")


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(PosteriorFileError, match=r"there is no file .*none\.nc"):
        bs.Posterior.load(tmp_path / "none.nc")


@pytest.mark.parametrize("content", [b"", b"not a netCDF file", b"\x89HDF\r\n\x1a\n truncated"])
def test_a_damaged_file_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.nc"
    path.write_bytes(content)
    with pytest.raises(PosteriorFileError, match="not a posterior saved by bayescale"):
        bs.Posterior.load(path)


def test_a_foreign_netcdf_file_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "foreign.nc"
    xr.Dataset({"x": ("y", np.arange(3.0))}).to_netcdf(path, engine="h5netcdf")
    with pytest.raises(PosteriorFileError, match="not a posterior saved by bayescale"):
        bs.Posterior.load(path)


def test_nothing_is_left_behind_when_writing_fails(ladder: bs.Posterior, tmp_path: Path) -> None:
    target = tmp_path / "folder"
    target.mkdir()
    with pytest.raises(OutputError, match="cannot be written: it is a folder"):
        ladder.save(target)
    assert list(tmp_path.iterdir()) == [target]


def test_a_law_outside_the_catalogue_must_be_given_to_load(
    ladder: bs.Posterior, tmp_path: Path
) -> None:
    e, a, alpha = s.floor(), s.amplitude("A", of=N), s.exponent("alpha", of=N)
    law = Law(
        name="mine",
        title="a law of my own",
        resources=(N,),
        parameters=(e, a, alpha),
        formula=e + 2 * a * N**-alpha,
        floor=e,
        weights={N: alpha.symbol},
        source="here",
        citation="mine",
    )
    model = bs.Model.at(law, pivot={"N": 1e8})
    simulation = model.simulate({"N": np.geomspace(1e6, 1e10, 30)}, seed=0)
    post = bs.fit(simulation.runs, law, engine="laplace")
    path = post.save(tmp_path / "mine.nc")
    with pytest.raises(PosteriorFileError, match="no law called 'mine'"):
        bs.Posterior.load(path)
    assert bs.Posterior.load(path, law=law).summary().equals(post.summary())
    with pytest.raises(PosteriorFileError, match="pass law= with the one"):
        bs.Posterior.load(path, law=laws.power)
