"""Kernel learning curves against closed forms, known smoothness, direct regression, and digits."""

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special
from sklearn.datasets import load_digits
from threadpoolctl import threadpool_limits

from theory.learning.geometry.kernels import KERNELS, radial_kernel
from theory.learning.geometry.learning_curve import kernel_exponent, variance_curve
from theory.learning.geometry.sample import GeometryError

RNG = np.random.default_rng(0)
LINE, SQUARE, BALL = (RNG.uniform(size=(n, d)) for n, d in ((600, 1), (800, 2), (800, 3)))


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Threads of BLAS that wait for each other on shared cores take twice the processor time."""
    with threadpool_limits(1, "blas"):
        yield


@pytest.mark.parametrize(("name", "nu"), [("laplace", 0.5), ("matern32", 1.5), ("matern52", 2.5)])
def test_matern_kernels_are_the_general_formula(name: str, nu: float) -> None:
    """``2^(1-nu)/Gamma(nu) s^nu K_nu(s)``, s = sqrt(2 nu) r; near 0 it bends as ``r^(2 nu)``."""
    r = np.geomspace(1e-3, 8, 50)[None]
    s = np.sqrt(2 * nu) * r
    expected = 2 ** (1 - nu) / special.gamma(nu) * s**nu * special.kv(nu, s)
    np.testing.assert_allclose(radial_kernel(name).of_distance(r), expected, rtol=1e-9)
    assert radial_kernel(name).smoothness == 2 * nu


@pytest.mark.parametrize("name", KERNELS)
def test_every_kernel_is_one_at_zero_and_definite(name: str) -> None:
    distances = np.abs(LINE[:60] - LINE[:60].T)
    gram = radial_kernel(name).of_distance(distances)
    np.testing.assert_allclose(np.diagonal(gram), 1.0, rtol=1e-14)
    assert np.linalg.eigvalsh(gram).min() > -1e-12


def test_the_variance_is_that_of_a_regression_at_every_size() -> None:
    gram = radial_kernel("matern32").of_distance(np.abs(LINE[:80] - LINE[:80].T))
    curve, jitter = variance_curve(gram, 50)
    for size in (1, 7, 50):
        held, cross = gram[50:, :size], gram[:size, :size] + jitter * np.eye(size)
        expected = np.mean(1 - np.einsum("ij,ji->i", held, np.linalg.solve(cross, held.T)))
        # Jitter over the smallest eigenvalues is what the two orders of elimination differ by.
        assert curve[size - 1] == pytest.approx(expected, rel=1e-5)


def test_the_variance_is_the_error_on_teachers_from_the_prior() -> None:
    """Monte Carlo: kernel regression on 4000 draws of labels from the Gaussian process."""
    points = np.sort(RNG.uniform(0, 3, size=(60, 1)), axis=0)[RNG.permutation(60)]
    gram = radial_kernel("laplace").of_distance(np.abs(points - points.T))
    labels = np.linalg.cholesky(gram + 1e-12 * np.eye(60)) @ RNG.normal(size=(60, 4000))
    guess = gram[40:, :40] @ np.linalg.solve(gram[:40, :40], labels[:40])
    error = np.mean((guess - labels[40:]) ** 2)
    # 20 related points by 4000 draws: at least 4000 independent squares, of relative sd sqrt(2).
    assert variance_curve(gram, 40)[0][-1] == pytest.approx(error, rel=4 * np.sqrt(2 / 4000))


def test_the_exponential_kernel_on_a_line_has_a_closed_curve() -> None:
    """Between two neighbours at s and g - s the variance is ``2 s (g - s)/(g l)``; gaps of D random
    points are exponential, so the mean is ``2/(3 l) * D E[g^2]/2 = 2/(3 l D)``."""
    line = np.random.default_rng(1).uniform(size=(1200, 1))
    curve = kernel_exponent(line, length_scale=0.5, repeats=2)
    # Gaps beyond the ends, and the random choice of 300 points: a few percent.
    assert curve.variances[-1] == pytest.approx(2 / (3 * 0.5 * curve.sizes[-1]), rel=0.08)
    assert curve.alpha == pytest.approx(1.0, abs=max(0.05, 2 * curve.standard_error))


@pytest.mark.parametrize(
    ("inputs", "kernel", "exponent"),
    [
        (LINE, "laplace", 1.0),
        (LINE, "matern32", 3.0),
        (SQUARE, "laplace", 1 / 2),
        (SQUARE, "matern32", 3 / 2),
        (BALL, "laplace", 1 / 3),
        (BALL, "matern32", 1.0),
    ],
)
def test_the_exponent_is_smoothness_over_dimension(
    inputs: np.ndarray, kernel: str, exponent: float
) -> None:
    curve = kernel_exponent(inputs, kernel)
    assert exponent == radial_kernel(kernel).smoothness / inputs.shape[1]
    # Boundaries and few points add up to an eighth.
    assert curve.alpha == pytest.approx(exponent, rel=0.13)


def test_the_digits_have_the_exponents_of_eight_dimensions() -> None:
    """By a separate program with its own choice of D: .151, .377, .872 (here D = 84 to 1348)."""
    digits = load_digits().data
    for kernel, expected in (("laplace", 0.151), ("matern32", 0.377), ("rbf", 0.872)):
        curve = kernel_exponent(digits, kernel, repeats=2)
        assert curve.alpha == pytest.approx(expected, rel=0.03)
        assert curve.sizes[-1] > 15 * curve.sizes[0]


def test_a_function_is_a_kernel_of_the_rows_as_they_are() -> None:
    """The neural tangent kernel of one ReLU layer in closed form, on a sphere, from JAX."""
    points = np.random.default_rng(2).normal(size=(800, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)

    def tangent_kernel(x: np.ndarray, y: np.ndarray) -> jax.Array:
        cosine = jnp.clip(jnp.asarray(x) @ jnp.asarray(y).T, -1, 1)
        angle = jnp.arccos(cosine)
        return cosine * (jnp.pi - angle) / jnp.pi

    curve = kernel_exponent(points, tangent_kernel)
    assert curve.kernel == "tangent_kernel"
    assert curve.length_scale is None
    # Its first odd term is the angle, like Laplace's, on a two-dimensional set; the smooth part
    # still adds at these sizes, and ever less.
    assert curve.alpha == pytest.approx(1 / 2, rel=0.15)
    assert curve.drift < 0


def test_single_precision_is_enough_for_a_rough_kernel() -> None:
    def rough(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        distances = np.linalg.norm(x[:, None] - y[None], axis=2)
        return np.exp(-distances / 0.5).astype(np.float32)

    double = kernel_exponent(SQUARE[:400], "laplace", length_scale=0.5)
    assert kernel_exponent(SQUARE[:400], rough).alpha == pytest.approx(double.alpha, rel=0.01)


def test_a_smooth_curve_stops_before_rounding_and_says_so() -> None:
    curve = kernel_exponent(BALL, "rbf")
    assert curve.sizes[-1] < 600
    assert min(curve.variances) > 1e-9
    assert curve.remarks[-1].startswith(f"D above {curve.sizes[-1]} is left out")


def test_the_standard_error_is_the_spread_between_data() -> None:
    """Independent data, against the error each claims from its overlapping subsets."""
    rng = np.random.default_rng(3)
    found = [kernel_exponent(rng.uniform(size=(200, 2)), seed=seed) for seed in range(8)]
    spread = np.std([curve.alpha for curve in found], ddof=1)
    claimed = np.mean([curve.standard_error for curve in found])
    # Subsets share rows, so it is too small, as its description says, but of the right size.
    assert 0.25 * spread < claimed < 1.5 * spread


def test_seeds_repeat() -> None:
    first, again, other = (kernel_exponent(BALL, rows=200, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first.alpha != other.alpha


def _negative(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return -np.exp(-np.abs(x[:, :1] - y[:, :1].T))


def _indefinite(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return 1 - 6 * np.abs(x[:, :1] - y[:, :1].T)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kernel": "laplce"}, "no kernel called 'laplce'. Did you mean 'laplace'?"),
        ({"length_scale": 0.0}, "length_scale must be finite and positive; got 0.0"),
        ({"length_scale": np.nan}, "length_scale must be finite and positive; got nan"),
        ({"repeats": 1}, "repeats must be 2 or more"),
        ({"rows": 10_000}, "rows=10000 needs 3.0 GiB .* pass 8192 or fewer"),
        ({"kernel": _negative, "length_scale": 1.0}, "leave it out for a function"),
        ({"kernel": _negative}, "'_negative' has a diagonal that is not positive"),
        ({"kernel": lambda x, y: np.ones((3, 2))}, r"shape \(3, 2\) for 600 and 600 rows"),
        ({"kernel": lambda x, y: np.full((600, 600), np.nan)}, "values that are not finite"),
        ({"kernel": lambda x, y: np.triu(np.ones((600, 600)))}, "is not symmetric"),
        ({"kernel": "rbf"}, "falls to the size of rounding before D = 450"),
        ({"kernel": _indefinite}, "the kernel is not positive definite on 450 of the rows"),
    ],
)
def test_what_has_no_learning_curve_is_refused(arguments: dict, message: str) -> None:
    with pytest.raises(GeometryError, match=message) as caught:
        kernel_exponent(LINE, **arguments)
    assert str(caught.value).endswith(".")
