"""Partial pooling: its algebra, its priors, and the coordinates the sampler moves in."""

import warnings

import numpy as np
import pytest
from scipy import stats

import bayescale as bs
from bayescale.engines.hierarchical import CentredDensity, find_start
from bayescale.errors import RunsError, UsageError
from bayescale.fitting.groups import group_model
from bayescale.models.density import Density
from bayescale.runs.table import Runs

PIVOT = {"N": 1e8, "D": 1e10}
GROUPS = ("a", "b", "c")


def _model() -> bs.Model:
    return bs.Model.at("chinchilla", pivot=PIVOT).pooled("corpus", GROUPS)


def _runs(model: bs.Model, count: int = 8) -> Runs:
    rng = np.random.default_rng(1)
    design = {
        "N": 1e8 * np.exp(rng.uniform(-3, 3, 3 * count)),
        "D": 1e10 * np.exp(rng.uniform(-3, 3, 3 * count)),
        "corpus": np.repeat(GROUPS, count),
    }
    return model.simulate(design, seed=0, coordinates={"sigma": 0.003}).runs


def test_a_group_scatters_around_the_population_on_the_real_line() -> None:
    model = _model()
    assert model.pooling is not None
    rng = np.random.default_rng(0)
    sites = {
        name: prior.sample(rng, (5, *(model.shapes[name] or (1,))))
        for name, prior in model.priors.table.items()
    }
    found = model.pooling.in_groups(sites, model.priors, np.arange(3), np)
    by_hand = np.log(sites["alpha"]) + sites["alpha_spread"] * sites["alpha_offset"]
    np.testing.assert_allclose(np.log(found["alpha"]), by_hand)
    logit = stats.logistic.ppf(sites["share_N"]) + sites["share_N_spread"] * sites["share_N_offset"]
    np.testing.assert_allclose(found["share_N"], stats.logistic.cdf(logit))
    assert found["nu"] is sites["nu"]
    assert not any("_spread" in name or "_offset" in name for name in found)


def test_a_new_group_scatters_as_the_groups_do() -> None:
    model = _model()
    assert model.pooling is not None
    sites = {n: np.full((1, 20_000), 0.3) for n, s in model.shapes.items() if not s}
    found = model.pooling.anew(sites, model.priors, np.random.default_rng(0))
    assert found["alpha"].shape == (1, 20_000)
    logs = np.log(found["alpha"] / 0.3)
    # Four standard errors of a standard deviation from 20,000 draws.
    assert logs.std() == pytest.approx(0.3, rel=4 / np.sqrt(2 * 20_000))


def test_alone_it_is_the_model_before_pooling() -> None:
    plain = bs.Model.at("chinchilla", pivot=PIVOT)
    assert plain.pooled("corpus", GROUPS).alone() == plain
    assert plain.alone() is plain


def test_a_separate_coordinate_has_its_own_prior_in_every_group() -> None:
    runs = _runs(_model())
    model = group_model(runs, "chinchilla", "corpus", separate=("alpha",))
    prior = model.priors.table
    assert model.fixed["alpha"] == pytest.approx(0.3)
    assert model.fixed["alpha_spread"] == pytest.approx(0.4, rel=1e-3)
    assert not prior["beta_spread"].is_fixed
    again = bs.Model.from_dict(model.to_dict())
    assert again == model
    rows = model.observe(runs)
    density = Density(model)
    assert np.isfinite(density.log_density(np.zeros((1, density.size)), rows, np)).all()


def test_a_run_of_an_unknown_group_is_named() -> None:
    model = _model()
    runs = _runs(model)
    table = runs.table.assign(corpus=["d", *runs.column("corpus")[1:]])
    with pytest.raises(RunsError, match="names the group d, but the model has a, b, c"):
        model.observe(Runs(table, "mine"))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"groups": ("a",)}, "names 1 group; pooling needs at least two"),
        ({"coordinates": ("alhpa",)}, "'alhpa' cannot differ between groups; choose among"),
    ],
)
def test_what_cannot_be_pooled_gets_its_sentence(options: dict, sentence: str) -> None:
    given = {"groups": GROUPS, **options}
    with pytest.raises(UsageError, match=sentence):
        bs.Model.at("chinchilla", pivot=PIVOT).pooled("corpus", **given)


# --- the coordinates of the sampler


def _numbers(model: bs.Model, low: float, high: float) -> tuple[tuple[float, ...], ...]:
    assert model.pooling is not None
    rng = np.random.default_rng(3)
    return tuple(tuple(rng.uniform(low, high, 3).tolist()) for _ in model.pooling.coordinates)


def test_centring_changes_the_position_and_not_the_posterior() -> None:
    model = _model()
    rows = model.observe(_runs(model))
    offsets, centred = (
        Density(model),
        CentredDensity(model, _numbers(model, 0, 50), _numbers(model, -9, 9)),
    )
    position = np.random.default_rng(0).normal(0, 0.3, (4, offsets.size))
    sites = centred.constrain(position)
    back = offsets.unconstrain(sites)
    np.testing.assert_allclose(centred.unconstrain(sites), position, atol=1e-12)
    # The two log densities differ by the log determinant of the map between the positions.
    step = 1e-6
    for at, there in zip(position, back, strict=True):
        moved = [
            offsets.unconstrain(centred.constrain(at + s))
            - offsets.unconstrain(centred.constrain(at - s))
            for s in step * np.eye(offsets.size)
        ]
        _, log_volume = np.linalg.slogdet(np.stack(moved) / (2 * step))
        ours = centred.log_density(at[None], rows, np)[0]
        theirs = offsets.log_density(there[None], rows, np)[0]
        assert ours == pytest.approx(theirs + log_volume, abs=1e-5)


def test_the_weights_are_one_where_runs_say_all_and_zero_where_they_say_nothing() -> None:
    model = bs.Model.at("chinchilla", pivot=PIVOT, likelihood="normal").pooled("corpus", GROUPS)
    runs = _runs(model, count=30)
    # Of group c one run is left.
    keep = (runs.column("corpus") != "c") | (np.arange(len(runs)) == 60)
    rows = model.observe(runs.select(keep))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        start = find_start(Density(model), rows, np.random.default_rng(0))
    assert min(start.weights["L_pivot"][:2]) > 0.9
    assert start.weights["beta"][2] < 0.3
    assert start.weights["floor_fraction"][2] < 0.3
    assert start.agreeing >= 1
    assert np.isfinite(start.density.log_density(start.centre[None], rows, np)).all()
