"""Intrinsic dimension against samples of its own model, and manifolds of known dimension."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats
from sklearn.datasets import load_digits, make_swiss_roll

from theory.learning.geometry.dimension import (
    ESTIMATORS,
    bracketed,
    decimated_distances,
    intrinsic_dimension,
    levina_bickel,
    two_nn,
)
from theory.learning.geometry.sample import GeometryError, draw_sample, neighbour_distances


def cube(d: int, rng: np.random.Generator, count: int = 2000) -> np.ndarray:
    return rng.uniform(size=(count, d))


def sphere(d: int, rng: np.random.Generator, count: int = 2000) -> np.ndarray:
    points = rng.normal(size=(count, d + 1))
    return points / np.linalg.norm(points, axis=1, keepdims=True)


def roll(d: int, rng: np.random.Generator, count: int = 2000) -> np.ndarray:
    return make_swiss_roll(count, random_state=int(rng.integers(2**31)))[0]


MANIFOLDS = [(cube, d) for d in range(1, 11)] + [(sphere, d) for d in range(1, 11)] + [(roll, 2)]
Draw = Callable[[int, np.random.Generator, int], np.ndarray]


@pytest.mark.parametrize("d", [0.7, 3.0, 12.0])
def test_two_nn_is_the_conjugate_posterior_of_pareto_ratios(d: int) -> None:
    """Against the likelihood on a grid, with the largest tenth known only to exceed the rest."""
    ratios = np.sort(stats.pareto(d).rvs(200, random_state=np.random.default_rng(1)))
    found = two_nn(np.column_stack([np.ones(200), ratios]), censored=0.1, prior=(2.0, 0.3))
    grid = d * np.linspace(0.3, 2, 4001)
    log_density = (
        stats.pareto.logpdf(ratios[:180, None], grid).sum(axis=0)
        + 20 * stats.pareto.logsf(ratios[179], grid)
        + stats.gamma(2.0, scale=1 / 0.3).logpdf(grid)
    )
    density = np.exp(log_density - log_density.max())
    density /= np.trapezoid(density, grid)
    expected = stats.gamma(found.shape, scale=1 / found.rate).pdf(grid)
    np.testing.assert_allclose(expected, density, atol=1e-6 * density.max())
    assert found.mean == pytest.approx(np.trapezoid(grid * density, grid), rel=1e-6)


def test_two_nn_covers_the_dimension_of_its_model() -> None:
    rng = np.random.default_rng(2)
    inside = []
    for _ in range(400):
        found = two_nn(np.column_stack([np.ones(100), stats.pareto(4).rvs(100, random_state=rng)]))
        low, high = stats.gamma(found.shape, scale=1 / found.rate).ppf([0.05, 0.95])
        inside.append(low < 4 < high)
    # Three standard errors of a share of 400.
    assert abs(np.mean(inside) - 0.9) < 3 * math.sqrt(0.09 / 400)


def test_levina_bickel_is_unbiased_for_its_model() -> None:
    """Distances ``(j-th of k uniforms)^(1/d)``; a Gamma's mean exceeds by 1/shape only."""
    rng = np.random.default_rng(3)
    distances = np.sort(rng.uniform(size=(4000, 8)), axis=1) ** (1 / 5)
    found = levina_bickel(distances)
    assert found.shape == 4000 * 7
    assert abs(found.mean - 5) < 4 * found.sd


def test_levina_bickel_of_two_neighbours_is_two_nn() -> None:
    distances = neighbour_distances(np.random.default_rng(4).normal(size=(300, 3)), 2)
    both = levina_bickel(distances), two_nn(distances, censored=0.0)
    assert both[0].shape == both[1].shape
    assert both[0].rate == pytest.approx(both[1].rate, rel=1e-12)


def _coverage(draw: Draw, d: int, repeats: int, count: int) -> float:
    rng = np.random.default_rng([d, 5])
    found = [intrinsic_dimension(draw(d, rng, count)) for _ in range(repeats)]
    errors = [abs(one.mu - math.log(d)) / one.sigma for one in found]
    return float(np.mean(np.array(errors) < stats.norm.ppf(0.95)))


@pytest.mark.parametrize(
    ("draw", "d"), [(cube, 1), (cube, 3), (cube, 10), (sphere, 2), (sphere, 7), (roll, 2)]
)
def test_the_interval_covers_a_known_dimension(draw: Draw, d: int) -> None:
    assert _coverage(draw, d, repeats=10, count=1000) >= 0.8


@pytest.mark.slow
@pytest.mark.parametrize(("draw", "d"), MANIFOLDS)
def test_the_interval_covers_every_known_dimension(draw: Draw, d: int) -> None:
    share = _coverage(draw, d, repeats=50, count=2000)
    print(draw.__name__, d, share)  # noqa: T201 (shown by pytest -s)
    assert share >= 0.8


def test_the_statistical_error_alone_would_not_cover() -> None:
    """Why there is a bracket: the estimate in ten dimensions is far below, and the curve shows."""
    found = intrinsic_dimension(cube(10, np.random.default_rng(6)))
    for estimate in found.estimates:
        assert estimate.raw.mean + 3 * estimate.raw.sd < 10
        assert estimate.values[0] > estimate.values[-1]
        assert estimate.values[0] < math.exp(estimate.mu) < estimate.extrapolated


def test_decimation_falls_as_a_boundary_says() -> None:
    """In a cube the shortfall is proportional to ``n^(-1/d)``: 2 per halving for d = 3."""
    rng = np.random.default_rng(7)
    curves = [
        bracketed(decimated_distances(rng.uniform(size=(2048, 3))), "mle").values for _ in range(6)
    ]
    shortfall = 3 - np.mean(curves, axis=0)
    # Standard errors: 3 / sqrt(6 * 2048 * 9) = 0.009 of shortfalls from 0.07 to 0.16.
    np.testing.assert_allclose(shortfall[3] / shortfall[0], 2.0, rtol=0.35)


def test_columns_of_no_use_and_rotations_change_nothing() -> None:
    rng = np.random.default_rng(8)
    square = rng.uniform(size=(600, 2))
    turn = np.linalg.qr(rng.normal(size=(30, 30)))[0][:2]
    plain, turned = intrinsic_dimension(square), intrinsic_dimension(5 + 100 * square @ turn)
    assert turned.mu == pytest.approx(plain.mu, rel=1e-9)
    assert turned.sigma == pytest.approx(plain.sigma, rel=1e-6)


def test_the_digits_have_about_eight_dimensions() -> None:
    """Between 6 and 10 by either estimate; Levina and Bickel 6.5, TwoNN 8.9 by scikit-dimension."""
    found = intrinsic_dimension(load_digits().data)
    assert 6 < found.median < 10
    assert {e.estimator for e in found.estimates} == set(ESTIMATORS)
    assert all(6 < estimate.raw.mean < 10 for estimate in found.estimates)
    raw = {estimate.estimator: estimate.raw.mean for estimate in found.estimates}
    assert raw["two_nn"] == pytest.approx(8.91, abs=0.2)


def test_few_rows_and_lattices_are_refused() -> None:
    rng = np.random.default_rng(9)
    with pytest.raises(GeometryError, match="100 distinct points are too few to halve"):
        intrinsic_dimension(rng.normal(size=(100, 2)))
    lattice = np.stack(np.meshgrid(*[np.arange(16.0)] * 2), axis=-1).reshape(-1, 2)
    with pytest.raises(GeometryError, match="equally far, as on a lattice"):
        two_nn(neighbour_distances(draw_sample(lattice, rows=256, seed=0).points, 2))
    with pytest.raises(GeometryError, match="the 3 nearest neighbours are all equally far"):
        levina_bickel(np.ones((10, 3)))
    with pytest.raises(GeometryError, match=r"censored must be in \[0, 1\); got 1.0"):
        two_nn(np.ones((10, 2)), censored=1.0)
