"""Drawn inputs: exact kernels, kernel regression against theory, nearest neighbours, digits."""

import math

import jax
import numpy as np
import pytest
from scipy import special
from sklearn.datasets import load_digits

from theory.errors import TheoryError
from theory.learning.geometry.kernels import radial_kernel
from theory.learning.random_features import exponent, loss, unresolved
from theory.learning.simulate.inputs import Rows, Sphere, Torus
from theory.learning.simulate.kernels import feature_path, kernel_curve
from theory.learning.simulate.neighbours import neighbours
from theory.learning.simulate.random_features import ridge_path


def slope(sizes, values):
    return -np.polyfit(np.log(sizes), np.log(values), 1)[0]


# --- inputs


@pytest.mark.parametrize("torus", [Torus(1, 1.3, 6), Torus(2, 1.6, 3), Torus(3, 2.0, 2)])
def test_features_of_a_torus_are_orthonormal_waves_with_its_kernel(torus):
    count = 2 * torus.frequencies + 1
    axis = 2 * math.pi * np.arange(count) / count
    grid = np.stack(np.meshgrid(*[axis] * torus.dimension), -1).reshape(-1, torus.dimension)
    psi = np.asarray(torus.features(grid, torus.arrays))
    np.testing.assert_allclose(psi.T @ psi / len(grid), np.eye(psi.shape[1]), atol=1e-12)
    one, two = torus.kernels(grid[:5] + 0.1, torus.arrays)
    lam, k, _ = torus.arrays
    np.testing.assert_allclose(lam, (1 + (k**2).sum(axis=1)) ** -torus.smoothness)
    gap = (grid[:5, None] - grid[None, :5]) @ k.T
    np.testing.assert_allclose(one, np.cos(gap) @ lam, atol=1e-12)
    np.testing.assert_allclose(two, np.cos(gap) @ lam**2, atol=1e-12)


@pytest.mark.parametrize("dimension", [1, 2, 4])
def test_kernels_of_a_sphere_are_gegenbauer_sums(dimension):
    sphere = Sphere(dimension, dimension / 2 + 0.7, 6)
    points = sphere.draw(jax.random.key(0), 4, sphere.arrays)
    np.testing.assert_allclose(np.linalg.norm(points, axis=1), 1.0)
    t, (lam, counts) = np.asarray(points @ points.T), sphere.arrays
    if dimension == 1:
        zonal = [special.eval_chebyt(n, t) for n in range(7)]
    else:
        order = (dimension - 1) / 2
        zonal = [
            special.eval_gegenbauer(n, order, t) / special.eval_gegenbauer(n, order, 1.0)
            for n in range(7)
        ]
    for power, found in enumerate(sphere.kernels(points, sphere.arrays), start=1):
        known = sum(c * v**power * z for c, v, z in zip(counts, lam, zonal, strict=True))
        np.testing.assert_allclose(found, known, atol=1e-10)
    assert counts[:3].tolist() == {1: [1, 2, 2], 2: [1, 3, 5], 4: [1, 5, 14]}[dimension]


def test_the_circle_is_the_torus_of_one_dimension():
    circle, torus = Sphere(1, 1.2, 20), Torus(1, 1.2, 20)
    lam = torus.spectrum.given_eigenvalues
    np.testing.assert_allclose(circle.spectrum.given_eigenvalues, lam)
    one, other = (kernel_curve(inputs, [5, 10], draws=200) for inputs in (circle, torus))
    error = np.hypot(one.standard_error, other.standard_error)
    assert np.all(np.abs(one.mean - other.mean) < 3.5 * error)


# --- kernel regression


def test_the_curve_is_the_posterior_variance_of_direct_regression():
    """By solving on a fine grid of held-out points, whose mean is exact for a band-limited sum."""
    torus, draws = Torus(1, 1.4, 8), 3
    found = kernel_curve(torus, [2, 6], draws=draws, seed=4)
    axis = (2 * math.pi * np.arange(64) / 64)[:, None]
    known = np.zeros((draws, 2))
    for draw in range(draws):
        key = jax.random.fold_in(jax.random.key(4), draw)
        points = np.asarray(torus.draw(key, 6, torus.arrays))
        gram = np.asarray(torus.kernels(np.concatenate([points, axis]), torus.arrays)[0])
        for place, size in enumerate((2, 6)):
            held, cross = gram[6:, :size], gram[:size, :size]
            seen = np.einsum("ij,ji->i", held, np.linalg.solve(cross, held.T))
            known[draw, place] = np.mean(np.diagonal(gram)[6:] - seen)
    np.testing.assert_allclose(found.mean, known.mean(axis=0), rtol=1e-9)


CASES = [
    # inputs, examples, draws
    (Torus(1, 1.0, 600), (64, 128, 256), 40),
    (Torus(1, 1.5, 600), (48, 96, 192), 60),
    (Torus(2, 1.5, 16), (64, 128, 256), 20),
    (Torus(2, 2.0, 16), (64, 128, 256), 24),
    (Torus(3, 2.0, 6), (64, 128, 256), 12),
    (Torus(3, 3.0, 6), (64, 128, 256), 24),
    (Sphere(2, 1.5, 30), (64, 128, 256), 30),
]


@pytest.mark.slow
@pytest.mark.parametrize(("inputs", "examples", "draws"), CASES)
def test_measured_exponents_are_those_of_the_truncated_spectrum(inputs, examples, draws):
    found = kernel_curve(inputs, list(examples), draws=draws)
    theory = unresolved(inputs.spectrum, list(examples))
    assert slope(examples, found.mean) == pytest.approx(slope(examples, theory), abs=0.05)
    # Gaps between points fluctuate more than Gaussian features do: the amplitude is universal
    # in high dimension only.
    ratio = found.mean / theory
    assert np.all(ratio > 0.98)
    assert np.all(ratio < {1: 3.0, 2: 1.3, 3: 1.15}[inputs.dimension])


def test_the_exponent_of_a_square_is_smoothness_over_dimension():
    square, examples = Torus(2, 2.0, 7), [32, 96]
    found = kernel_curve(square, examples, draws=30)
    theory = unresolved(square.spectrum, examples)
    # Over a factor of three an excess of a tenth at one end moves the slope by a tenth; the slow
    # tests hold 0.05 over wider ranges.
    assert slope(examples, found.mean) == pytest.approx(slope(examples, theory), abs=0.15)
    bound = exponent("smooth_kernel").value(smoothness=2 * 2.0 - 2, dimension=2)
    assert square.alpha == bound == 1.0


@pytest.mark.slow
def test_random_features_of_a_torus_have_both_limits():
    square = Torus(2, 1.5, 5)
    for P, D in ((12, 40), (40, 12)):
        found = feature_path(square, features=P, examples=D, draws=40)
        assert found.mean[0] == pytest.approx(float(loss(square.spectrum, P, D)), rel=0.06)
    far = feature_path(square, features=math.inf, examples=12, draws=20)
    curve = kernel_curve(square, [12], draws=20)
    assert far.mean[0] == pytest.approx(curve.mean[0], rel=1e-6)  # one solution, the same draws


@pytest.mark.slow
def test_kernel_regression_on_digits_follows_their_own_spectrum():
    points = load_digits().data[:200]
    distance = np.sqrt(((points[:, None] - points[None]) ** 2).sum(-1))
    rows = Rows(radial_kernel("laplace").of_distance(distance / np.median(distance)))
    examples = [8, 16, 32]
    found = kernel_curve(rows, examples, draws=20)
    np.testing.assert_allclose(found.mean, unresolved(rows.spectrum, examples), rtol=0.05)
    features = feature_path(rows, features=12, examples=32, draws=20)
    assert features.mean[0] == pytest.approx(float(loss(rows.spectrum, 12, 32)), rel=0.08)


# --- neighbours


@pytest.mark.parametrize(
    ("dimension", "examples"),
    [(1, (200, 3200)), (2, (100, 1000)), (3, (200, 2000)), (5, (1000, 16000))],
)
def test_nearest_neighbours_are_as_far_as_the_root_of_their_density(dimension, examples):
    found = neighbours(dimension, list(examples), queries=1000, draws=20 // dimension + 4)
    sizes = found.examples
    ball = math.pi ** (dimension / 2) / special.gamma(1 + dimension / 2)
    # P(r > x) = (1 - V x^d)^D, up to balls that meet themselves.
    known = ball ** (-1 / dimension) * np.exp(
        special.gammaln(1 + 1 / dimension)
        + special.gammaln(sizes + 1)
        - special.gammaln(sizes + 1 + 1 / dimension)
    )
    tolerance = 4 * found.distance.standard_error / known + 1e-3
    assert np.all(np.abs(found.distance.mean / known - 1) < tolerance)
    slopes = found.exponents()
    near = exponent("neighbour_distance").value(dimension=dimension)
    assert slopes["distance"] == pytest.approx(near, abs=0.03)
    if dimension <= 3:  # in higher dimension the labels of neighbours are not yet close
        assert slopes["absolute"] == pytest.approx(near, abs=0.06)
        assert slopes["squared"] == pytest.approx(2 * near, abs=0.12)
    else:
        assert near - 0.1 < slopes["absolute"] < near + 0.03


# --- messages


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Torus(2, 0.9, 5), r"smoothness s must exceed d/2 = 1.*; got 0.9"),
        (lambda: Torus(0, 1.0, 5), "dimension must be a whole number of at least 1; got 0"),
        (lambda: Torus(5, 3.0, 9), "make 2476099 modes, above 100000"),
        (lambda: Sphere(2, 1.5, 0), "degrees must be a whole number"),
        (lambda: Sphere(9, 5.0, 30), "modes, above 100000"),
        (lambda: Rows(np.array([[1.0, 2.0], [0.0, 1.0]])), "must be symmetric and finite"),
        (lambda: Rows(np.array([[1.0, 2.0], [2.0, 1.0]])), "has the eigenvalue -0.5"),
        (lambda: kernel_curve(Rows(np.eye(3)), [4]), "4 examples .* and there are 3 points"),
        (lambda: kernel_curve(Torus(1, 1.0, 5), [0]), "examples must be a list of whole"),
        (lambda: kernel_curve(Torus(1, 6.0, 20), [20], draws=2), "falls to the size of rounding"),
        (lambda: feature_path(Sphere(2, 1.5, 3), features=2, examples=4), "features of Sphere are"),
        (lambda: feature_path(Rows(np.eye(3)), features=2, examples=4), "from 1 to 3; got 4"),
        (lambda: neighbours(0, [10]), "dimension must be a whole number of at least 1; got 0"),
        (lambda: neighbours(1, []), "examples must be a list of whole"),
        (
            lambda: ridge_path(Torus(1, 1.0, 5).spectrum, features=2, examples=4, penalties=[-1.0]),
            "penalties must be a list of finite numbers",
        ),
        (
            lambda: ridge_path(Torus(1, 1.0, 5).spectrum, features=2.5, examples=4),
            "features must be a whole number of at least 1, or math.inf; got 2.5",
        ),
        (
            lambda: ridge_path(Torus(1, 1.0, 5).spectrum, features=2, examples=4, noise=-1.0),
            "noise is a variance",
        ),
    ],
)
def test_what_cannot_be_drawn_is_refused(call, message):
    with pytest.raises(TheoryError, match=message):
        call()
