"""Many tables through one program, against single fits, other machines and known truth."""

import re
import warnings
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bayescale as bs
from bayescale.diagnosis import Diagnosis, Status
from bayescale.distributions.prior import Prior
from bayescale.engines import batch
from bayescale.errors import DiagnosticsRefused, DiagnosticsWarning, RunsError, UsageError
from bayescale.fitting.chunk import Chunk, Fitted
from bayescale.fitting.many import fit_many
from bayescale.fitting.resolve import resolve_each
from bayescale.models.density import Density, Numbers, form_of
from bayescale.models.draws import Draws
from bayescale.models.likelihoods import LIKELIHOODS
from bayescale.models.model import Model
from bayescale.posteriors.checks.gate import judge
from bayescale.runs.table import Runs, read_runs

PIVOT = {"N": 3e8, "D": 1e10}
TRUTH = {"sigma": 0.005, "nu": 6.0}


def table(seed: int, rows: int, law: str = "chinchilla") -> Runs:
    rng = np.random.default_rng(seed)
    design = pd.DataFrame(
        {"N": 10 ** rng.uniform(7, 9.5, rows), "D": 10 ** rng.uniform(9, 11, rows)}
    )
    return Model.at(law, pivot=PIVOT).simulate(design, seed=seed, coordinates=TRUTH).runs


@pytest.fixture(scope="module")
def tables() -> list[Runs]:
    return [table(seed, 30 + 5 * seed) for seed in range(6)]


@pytest.fixture(scope="module")
def fits(tables: list[Runs]) -> bs.Fits:
    with pytest.warns(DiagnosticsWarning, match=r"^the diagnostics of 6 tables warned of 1; "):
        return fit_many(tables, "chinchilla", seed=3)


def test_every_table_is_diagnosed(fits: bs.Fits, tables: list[Runs]) -> None:
    found = fits.diagnostics
    assert list(found["table"]) == [runs.name for runs in tables]
    assert (found["status"] != "refuse").all(), found
    assert (found["r_hat"] <= 1.01).all()
    assert (found["ess"] >= 400).all()
    assert set(found["attempts"]) <= {1, 2}
    assert repr(fits).startswith("Fits(6 tables, law 'chinchilla', diagnostics ")


@pytest.mark.slow
def test_posteriors_are_those_of_single_fits(fits: bs.Fits, tables: list[Runs]) -> None:
    for index in (0, 5):
        single = bs.fit(tables[index], seed=1).summary(coordinates=True)
        mine = fits[index].summary(coordinates=True)
        # Means of some 1000 effective draws each differ by .04 sd; sds by 3%.
        assert ((mine["mean"] - single["mean"]).abs() < 0.2 * single["sd"]).all()
        assert ((mine["sd"] / single["sd"] - 1).abs() < 0.2).all()


def test_an_item_is_a_posterior_that_predicts_and_plans(fits: bs.Fits) -> None:
    post = fits[2]
    assert post.record["engine"] == "batch"
    assert post.diagnose() == fits.fitted[2].diagnosis
    assert post.predict(N=1e9, D=1e10).summary()["q50"].between(0.5, 10).all()
    assert bs.plan(post, compute=1e21).trusted
    summary = fits.summary()
    for name in ("E", "A", "alpha", "sigma"):
        assert summary.loc[(2, name), "mean"] == pytest.approx(post.summary().loc[name, "mean"])
    assert len(fits[1:3]) == 2
    assert [p.record["n_runs"] for p in fits] == [30, 35, 40, 45, 50, 55]


def test_the_result_is_reproducible_and_rows_that_fill_up_change_nothing(
    tables: list[Runs], fits: bs.Fits
) -> None:
    # Alone, the first table is padded to other rows than among the others, and drawn from the
    # same stream: the same posterior, to rounding that trajectories have not blown up.
    model = Model.for_runs("chinchilla", tables[0])
    density = Density(model)
    bare = model.observe(tables[0])
    chunk = Chunk([model], [tables[0]], [0], 1, 64, 4, 0)
    lanes = chunk.lanes(1)
    filled = jax.tree.map(lambda leaf: leaf[0], lanes.observed)
    position = lanes.starts[0, 0]
    value, slope = jax.value_and_grad(density.log_density)(position, filled)
    want, want_slope = jax.value_and_grad(density.log_density)(position, bare)
    assert float(value) == pytest.approx(float(want), rel=1e-12)
    np.testing.assert_allclose(slope, want_slope, rtol=1e-9)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DiagnosticsWarning)
        again, other_seed = (fit_many(tables, "chinchilla", seed=seed) for seed in (3, 4))
    for one, other in zip(fits.fitted, again.fitted, strict=True):
        for name in one.coordinates:
            np.testing.assert_array_equal(one.coordinates[name], other.coordinates[name])
    one, other = (found.fitted[0].coordinates["alpha"] for found in (fits, other_seed))
    assert not np.array_equal(one, other)  # nor need they be as many: a lane may be tried again


@pytest.mark.parametrize(
    "likelihood",
    [
        name if name in ("studentt", "curves") else pytest.param(name, marks=pytest.mark.slow)
        for name in LIKELIHOODS
    ],
)
def test_numbers_as_data_give_the_density_of_the_model(likelihood: str) -> None:
    runs = table(1, 24)
    extra = {"loss_se": 0.01, "data_order": np.arange(24) % 3, "run": np.repeat(list("abcdef"), 4)}
    runs = replace(runs, table=runs.table.assign(**extra))
    model = Model.for_runs("share", runs, likelihood=likelihood, prior={"q": Prior.around(1, 0.2)})
    density, observed = Density(model), model.observe(runs)
    rng = np.random.default_rng(0)
    drawn = {n: model.priors.table[n].sample(rng) for n in model.free}
    position = density.unconstrain(drawn)
    want = float(density.log_density(position, observed))
    got = float(density.log_density(position, observed, numbers=Numbers.of(model)))
    assert got == pytest.approx(want, rel=1e-12)


def test_models_of_one_form_share_a_program(tables: list[Runs]) -> None:
    forms = [form_of(Model.for_runs("chinchilla", runs)) for runs in tables]
    assert len(set(forms)) == 1
    fixed = Model.for_runs("chinchilla", tables[0], prior={"alpha": 0.3})
    assert form_of(fixed) != forms[0]
    for likelihood in LIKELIHOODS:
        model = Model.at("share", pivot=PIVOT, likelihood=likelihood)
        assert form_of(model).free == model.free


class _Gaussian(Density):
    """A correlated Gaussian in place of a posterior: all its moments are known."""

    def log_density(self, position, observed, ops=None, numbers=None):
        return -0.5 * position @ (PRECISION @ position) + 0.0 * observed.log_loss.sum()


COVARIANCE = np.array([[1.0, 0.9, 0.0], [0.9, 1.0, 0.3], [0.0, 0.3, 4.0]])
PRECISION = np.linalg.inv(COVARIANCE)


@pytest.mark.slow
def test_the_sampler_draws_from_a_gaussian() -> None:
    model = Model.at("power", pivot={"N": 1e8}, likelihood="normal", prior={"sigma": 0.01})
    density = _Gaussian(model)
    assert density.size == 3
    rng = np.random.default_rng(0)
    lanes = batch.Lanes(
        observed=batch.stack(
            [model.observe(read_runs(pd.DataFrame({"N": [1e7, 1e8], "loss": [3.0, 2.5]})))] * 2
        ),
        numbers=batch.stack([Numbers.of(model)] * 2),
        starts=rng.standard_normal((2, batch.STARTS, 3)) * 3,
        keys=jax.random.split(jax.random.key(1), 2),
    )
    draws = batch.sample(density, lanes)
    assert draws.positions.shape == (2, 4, batch.FIRST.draws, 3)
    assert not draws.diverging.any()
    for one in draws.positions:
        flat = one.reshape(-1, 3)
        # 2000 draws, of which at least 700 count: sd of a mean is at most .04 of the sd.
        scale = np.sqrt(np.diag(COVARIANCE))
        assert np.all(np.abs(flat.mean(axis=0)) < 0.16 * scale)
        np.testing.assert_allclose(np.cov(flat.T), COVARIANCE, atol=0.8, rtol=0.25)
        p = stats.kstest((flat[::5] / scale)[:, 0], "norm").pvalue
        assert p > 1e-3


@pytest.mark.slow
def test_a_table_that_fails_is_tried_again_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = table(0, 40)
    monkeypatch.setattr(batch, "FIRST", batch.Effort(50, 0.5, (1, 1)))
    fits = fit_many([runs], seed=0)
    assert list(fits.diagnostics["attempts"]) == [2]
    assert fits[0].record["attempts"] == 2


@pytest.mark.parametrize(
    ("number", "failed"),
    [
        ({}, False),
        ({"r_hat": 1.0101}, True),
        ({"ess": 399.0}, True),
        ({"divergences": 1}, True),
        ({"bfmi": 0.29}, True),
        ({"r_hat": np.nan, "ess": np.nan}, True),
    ],
)
def test_a_failed_attempt_is_told_by_its_numbers(number: dict, failed: bool) -> None:
    draws = Draws({}, {"lp": np.zeros((4, 100))})
    fine = {"r_hat": 1.0, "ess": 900.0, "divergences": 0, "bfmi": 0.9}
    assert Fitted(draws, Diagnosis(), **{**fine, **number}).failed is failed


@pytest.mark.slow
def test_a_table_gets_the_verdict_of_a_single_fit() -> None:
    """The law does not hold on this table: every engine refuses it, in the same words."""
    runs = bs.load("tiny_lm")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DiagnosticsWarning)
        single = bs.fit(runs, "chinchilla", seed=0)
    with pytest.warns(DiagnosticsWarning, match=r"^the diagnostics of 1 tables refused 1; "):
        fits = fit_many([runs], "chinchilla")
    assert single.diagnosis.status is Status.REFUSE
    # Which does not look at each table's own larger runs: that would take as long as the fits.
    told = [r for r in _without_numbers(single.diagnosis) if "own larger runs" not in r]
    assert _without_numbers(fits[0].diagnosis) == told
    assert list(fits.diagnostics["status"]) == ["refuse"]
    assert "the residuals follow log N x log D" in fits.diagnostics["reasons"][0]


def _without_numbers(diagnosis: Diagnosis) -> list[str]:
    return [re.sub(r"[\d.]+(e-?\d+)?", "#", reason) for reason in diagnosis.reasons]


def test_a_posterior_judged_again_gets_the_same_verdict(fits: bs.Fits, tmp_path: Path) -> None:
    for index in (0, 3):
        loaded = bs.Posterior.load(fits[index].save(tmp_path / f"{index}.nc"))
        assert judge(loaded) == fits[index].diagnosis == fits.fitted[index].diagnosis


def test_options_beside_models_are_honoured_or_refused(tables: list[Runs]) -> None:
    pair = tables[:2]
    models = [Model.for_runs("chinchilla", runs) for runs in pair]
    with pytest.raises(UsageError, match=r"^likelihood='normal' was given beside a model"):
        fit_many(pair, models[0], likelihood="normal")
    with pytest.raises(UsageError, match=r"^likelihood='normal' was given beside a model"):
        fit_many(pair, models, likelihood="normal")
    with pytest.raises(UsageError, match="no prior can be set on 'alpa'"):
        fit_many(pair, models, prior={"alpa": 0.3})
    made = resolve_each(models, pair, prior={"alpha": 0.3}, drift=None)
    assert [model.fixed for model in made] == [{"alpha": 0.3}] * 2
    assert [model.drift for model in made] == [None, None]
    assert resolve_each("chinchilla", pair) == models


@pytest.mark.slow
def test_refused_tables_warn(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FIRST", "SECOND"):
        monkeypatch.setattr(batch, name, batch.Effort(50, 0.5, (1, 1)))
    with pytest.warns(DiagnosticsWarning, match=r"^the diagnostics of 1 tables refused 1; "):
        fits = fit_many([table(0, 40)], seed=0)
    with pytest.raises(DiagnosticsRefused):
        fits[0].predict(N=1e9, D=1e10)


def test_models_that_differ_in_form_are_not_fitted_together(tables: list[Runs]) -> None:
    pair = tables[:2]
    models = [Model.for_runs(law, r) for law, r in zip(("chinchilla", "share"), pair, strict=True)]
    with pytest.raises(UsageError, match=r"^the model of table 1 differs from that of table 0"):
        fit_many(pair, models)
    noise = "heteroscedastic"
    sized = [Model.at("chinchilla", pivot={"N": n, "D": 1e9}, likelihood=noise) for n in (1e7, 1e8)]
    with pytest.raises(UsageError, match=r"give the sizes where the noise is meant \(at= of het"):
        fit_many(pair, sized)
    with pytest.raises(UsageError, match=r"^there are 2 tables but 1 models; give one a table\.$"):
        fit_many(pair, models[:1])


def test_bad_input_is_named(tables: list[Runs]) -> None:
    with pytest.raises(UsageError, match=r"^there are no tables to fit; give at least one\.$"):
        fit_many([])
    with pytest.raises(UsageError, match=r"^chains must be at least 2; got 1\.$"):
        fit_many(tables, chains=1)
    few = tables[0].select(np.arange(len(tables[0])) < 3)
    with pytest.raises(RunsError, match=r"^table 1: .* rows are too few"):
        fit_many([tables[0], few])


@pytest.mark.slow
def test_devices_share_the_tables(tables: list[Runs]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DiagnosticsWarning)
        here = fit_many(tables[:2], seed=0, devices=jax.devices())
        there = fit_many(tables[:2], seed=0)
    for one, other in zip(here.fitted, there.fitted, strict=True):
        np.testing.assert_array_equal(one.coordinates["alpha"], other.coordinates["alpha"])
