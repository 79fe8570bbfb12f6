"""Random features: exact finite-size averages, duality, simulation, and published simulations."""

import csv
import math

import numpy as np
import pytest

from bayescale.runs.datasets import cards
from theory.learning import dmft
from theory.learning import regimes as limits
from theory.learning.random_features import (
    EXPONENTS,
    Exponent,
    RandomFeaturesError,
    asymptote,
    double_descent,
    exponent,
    in_parameters,
    isotropic,
    loss,
    unresolved,
)
from theory.learning.random_features.exponents import NoSuchExponent, d
from theory.learning.simulate.random_features import ridge_path
from theory.learning.spectrum import Measured, PowerLaw

ERRORS, FINITE_SIZE = 3.0, 0.03
"""Standard errors, and the relative error of the deterministic equivalent, about 1/min(P, D)."""


# --- the factors of P and D are exact


def conditional(task, features, examples, noise, draws):
    """The loss by averages over one Gaussian matrix only, the other averaged by hand.

    Below, least squares on a Gaussian residual; above, the formula of the module for given Pi.
    """
    lam = np.asarray(task.given_eigenvalues)
    theta = np.asarray(task.given_powers) / lam
    rng, m = np.random.default_rng(0), min(features, examples)
    total = 0.0
    for _ in range(draws):
        h = np.sqrt(lam)[:, None] * rng.standard_normal((len(lam), m))
        q, _ = np.linalg.qr(h)
        out = np.eye(len(lam)) - q @ q.T
        if features < examples:  # h is Lambda^(1/2) A^T
            # w of the best linear student leaves Lambda^(1/2)(1 - Pi) Lambda^(1/2) w*
            left = np.sum((out * np.sqrt(theta * lam)[None, :]) ** 2)
            total += (left + noise) * (examples - 1) / (examples - features - 1)
        else:
            spread = 1 / (features - examples - 1)
            bias = np.sum((np.sqrt(lam)[:, None] * out * np.sqrt(theta)[None, :]) ** 2)
            rest = np.trace(lam[:, None] * out)
            inverse = np.linalg.inv(h.T @ h)
            shared = np.trace(inverse @ (h.T @ (lam[:, None] * h)) @ inverse)
            total += bias + rest * np.sum(theta * np.sum(q**2, axis=1)) * spread
            total += noise * (1 + shared + rest * np.trace(inverse) * spread)
    return total / draws


TASK = Measured(np.arange(1, 13) ** -1.5, np.arange(1, 13) ** -1.9)


@pytest.mark.parametrize(("features", "examples"), [(3, 6), (9, 4)])
def test_the_average_over_the_larger_matrix_is_exact(features, examples):
    found = ridge_path(TASK, features=features, examples=examples, noise=0.2, draws=1500)
    exact = conditional(TASK, features, examples, 0.2, 1500)
    # The second average has an error, too, of about the same size.
    assert abs(found.mean[0] - exact) < 4 * math.sqrt(2) * found.standard_error[0]


def test_features_and_examples_are_dual_draw_averages():
    task = isotropic(0.7, modes=40)
    one, other = (
        ridge_path(task, features=P, examples=D, draws=800) for P, D in ((5, 12), (12, 5))
    )
    error = math.hypot(one.standard_error[0], other.standard_error[0])
    assert abs(one.mean[0] - other.mean[0]) < ERRORS * error
    grid = np.array([[3.0, 40.0], [11.0, 1000.0], [80.0, math.inf]])
    np.testing.assert_allclose(loss(task, *grid.T), loss(task, *grid.T[::-1]), rtol=1e-9)


def test_the_loss_is_the_unresolved_part_times_double_descent():
    task = isotropic(0.5, modes=1500)
    sizes = [(20, 400), (400, 20), (100, 130), (7, math.inf)]
    for P, D in sizes:
        expected = unresolved(task, min(P, D)) * double_descent(P, D)
        assert loss(task, P, D) == pytest.approx(float(expected), rel=1e-9)
    assert double_descent(100.0, 111.0) == (111 - 1) / (111 - 100 - 1)


@pytest.mark.parametrize("task", [PowerLaw(1.5, 1.5), PowerLaw(1.8, 1.25), PowerLaw(3.5, 1.25)])
def test_large_sizes_are_the_end_of_training_of_the_dynamics(task):
    sizes = {"N": [3e4, 1e5, 1e6, math.inf], "P": [1e5, 3e4, math.inf, 1e6]}
    known = dmft.loss(task, **sizes, noise=0.1).value
    found = loss(task, sizes["N"], sizes["P"], noise=0.1)
    # D/(D - P) against (D - 1)/(D - P - 1).
    np.testing.assert_allclose(found, known, rtol=1e-4)
    ridge = dmft.loss(task, 300, 200, noise=0.1, dynamics=dmft.Ridge(0.01)).value
    np.testing.assert_allclose(loss(task, 300, 200, noise=0.1, penalty=0.01), ridge, rtol=1e-9)


def test_where_every_mode_is_seen_least_squares_is_left():
    task = isotropic(0.5, modes=20)
    # sigma^2 (D - 1)/(D - S - 1), however many features beyond S.
    for P in (20, 21, 60, 500):
        assert loss(task, P, 60, noise=0.3) == pytest.approx(0.3 * 59 / 39, rel=1e-9)
        assert loss(task, P, 60) == 0.0
    found = ridge_path(task, features=30, examples=60, noise=0.3, draws=200)
    assert abs(found.mean[0] - 0.3 * 59 / 39) < ERRORS * found.standard_error[0]
    assert unresolved(task, [19, 20, math.inf])[0] > 0
    assert unresolved(task, [20, math.inf]).tolist() == pytest.approx([0, 0], abs=1e-100)


@pytest.mark.parametrize("alpha", [0.3, 1.0, 2.0])
def test_the_unresolved_part_has_the_closed_asymptote(alpha):
    ranks = np.array([1e4, 1e6])
    ratio = unresolved(isotropic(alpha), ranks) / asymptote(alpha, ranks)
    # sum 1/(1 + kappa k^b) is C kappa^(-1/b) - 1/2: the next term is (1 + alpha)/(2 m).
    np.testing.assert_allclose(ratio, 1 - (1 + alpha) / (2 * ranks), rtol=1e-6)


# --- simulation, four regimes and three exponents on both sides


REGIMES = {
    "examples-variance": [(12, 60), (12, 200), (24, 80), (24, 400)],
    "width-variance": [(60, 12), (200, 12), (80, 24), (400, 24)],
    "examples-resolution": [(math.inf, 20), (math.inf, 80), (600, 40)],
    "features-resolution": [(20, math.inf), (80, math.inf), (40, 600)],
}
POINTS = [
    pytest.param(
        *(alpha, P, D),
        marks=() if (alpha, P, D) in ((0.5, 24, 80), (1.0, 80, 24)) else pytest.mark.slow,
    )
    for alpha in (0.3, 0.5, 1.0)
    for points in REGIMES.values()
    for P, D in points
]


@pytest.mark.parametrize(("alpha", "P", "D"), POINTS)
def test_simulated_losses_are_those_of_the_theory(alpha, P, D):
    task = isotropic(alpha, modes=800)
    found = ridge_path(task, features=P, examples=D, draws=40)
    expected = float(loss(task, P, D))
    assert abs(found.mean[0] - expected) < ERRORS * found.standard_error[0] + FINITE_SIZE * expected


def test_a_hard_and_an_easy_teacher_are_simulated_too():
    for a in (1.3, 3.0):
        task = PowerLaw(a, 1.4, modes=200)
        for P, D in ((30, 90), (90, 30)):
            found = ridge_path(task, features=P, examples=D, noise=0.01, draws=40)
            expected = float(loss(task, P, D, noise=0.01))
            bound = ERRORS * found.standard_error[0] + FINITE_SIZE * expected
            assert abs(found.mean[0] - expected) < bound


# --- published simulations


def published() -> list[tuple[float, float, float, float]]:
    """Sizes n, exponents, examples and losses of arXiv:2411.12925."""
    with cards()["rf_linear_sim"].path().open(encoding="utf-8") as rows:
        return [
            (float(r["n_features"]), float(r["beta"]), float(r["D"]), float(r["test_loss"]))
            for r in csv.DictReader(rows)
        ]


def closed_form(n, beta, D):
    """Of the same paper: the asymptote in infinitely many modes."""
    angle = math.pi / (1 + beta)
    half = angle / math.sin(angle) / (1 + n)
    return n * half ** (1 + beta) / (2 * (1 - n / D))


@pytest.mark.usefixtures("fetched")
def test_680_published_simulations_are_reproduced():
    n, beta, D, measured = np.array(published()).T
    assert len(n) == 680
    expected, known = np.empty_like(n), np.array(list(map(closed_form, n, beta, D)))
    for b in np.unique(beta):
        here = beta == b
        expected[here] = 0.5 * loss(isotropic(b, modes=1_200_000), n[here], D[here])
    gap, other = np.abs(measured / expected - 1), np.abs(measured / known - 1)
    for b in np.unique(beta):
        for size in np.unique(n):
            here = (beta == b) & (n == size)
            assert gap[here].mean() < 0.02, (b, size)
    # Single draws scatter most at alpha = 1, n = 600.
    calm = (beta < 1) | (n < 600)
    assert gap[calm].max() < 0.02
    cut = other > 0.02  # where the closed form misses the cut of the spectrum
    cut &= beta < 0.5
    assert cut.sum() > 300
    assert np.all(gap[cut] < other[cut])
    assert gap[cut].max() < 0.007


# --- exponents


def test_the_four_exponents_are_those_of_the_regimes_of_the_dynamics():
    alpha = 0.6
    at = {"task_a": 1 + alpha, "task_b": 1 + alpha}
    pairs = {
        "features_resolution": ("features_limited", "N"),
        "examples_resolution": ("samples_limited", "P"),
        "width_variance": ("features_variance", "N"),
        "examples_variance": ("samples_variance", "P"),
    }
    for name, (known, size) in pairs.items():
        one = exponent(name)
        needs = {"alpha": alpha} if one.formula.free_symbols else {}
        assert one.value(**needs) == pytest.approx(limits.regime(known).exponents_at(**at)[size])


@pytest.mark.parametrize("alpha", [0.5, 1.0])
def test_local_slopes_of_the_loss_are_the_four_exponents(alpha):
    task, step = isotropic(alpha), 1.01

    def slope(values):
        return -math.log(values[1] / values[0]) / math.log(step)

    m, far = 1e3 * np.array([1, step]), 1e5 * np.array([1, step])
    for sizes in ((m, math.inf), (math.inf, m)):
        assert slope(loss(task, *sizes)) == pytest.approx(alpha, abs=0.002)
    for sizes in ((1e2, far), (far, 1e2)):
        excess = loss(task, *sizes) - loss(task, 1e2, math.inf)
        assert slope(excess) == pytest.approx(1, abs=0.003)


def test_every_exponent_is_declared_with_its_assumptions():
    values = {"alpha": 0.5, "dimension": 8.0, "smoothness": 3.0}
    for one in EXPONENTS:
        assert one.assumptions
        assert all(text.endswith(".") for text in one.assumptions)
        assert all((one.source, one.quantity, one.size))
        needed = {n: x for n, x in values.items() if one.symbols[n] in one.formula.free_symbols}
        assert 0 < one.value(**needed) <= 1
    assert len({one.name for one in EXPONENTS}) == len(EXPONENTS)
    squared, smooth = (exponent(n).formula for n in ("squared_examples", "smooth_examples"))
    assert (squared, smooth) == (2 / d, 4 / d)
    assert (
        in_parameters(exponent("width_variance").value()) == exponent("deep_width_variance").value()
    )


# --- messages


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: loss(TASK, 5, 5), "infinite at features=5 and examples=5"),
        (lambda: loss(TASK, 5, 6), "keep them more than 1 "),
        (lambda: double_descent(5, 4), "interpolation point"),
        (lambda: loss(TASK, 0, 6), "features must be a number of features of at least 1, or inf"),
        (lambda: loss(TASK, 5, "x"), "examples must be .*; got 'x'"),
        (lambda: loss(TASK, 5, 9, noise=-1.0), r"noise must be sigma\^2.*; got -1.0"),
        (lambda: loss(TASK, 5, 9, penalty=math.inf), "penalty must be a finite ridge"),
        (lambda: loss(TASK, 5, 9, penalty=[0.1, 0.2]), "penalty must be one number"),
        (lambda: loss(TASK, [5, 6], [9, 10, 11]), "must broadcast"),
        (lambda: loss(PowerLaw(np.array([1.5, 2.0]), 1.5), 5, 9), "is many tasks"),
        (lambda: unresolved(TASK, math.nan), "rank must be .*; got nan"),
        (lambda: isotropic(0.0), "must be finite and positive; got 0.0"),
    ],
)
def test_what_has_no_loss_is_refused(call, message):
    with pytest.raises(RandomFeaturesError, match=message):
        call()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: exponent("smooth"), "no exponent called 'smooth'. Did you mean 'smooth_"),
        (lambda: exponent("smooth_kernel").value(dimension=3), "in dimension, smoothness; got"),
        (lambda: exponent("cell_size").value(dimension=0), "must be finite and positive; got 0"),
        (lambda: in_parameters(1.0, power=0.0), "power, of parameters in the width"),
        (lambda: Exponent("x", "", "", d, "guess", (), ""), "kind 'guess'"),
    ],
)
def test_what_is_no_exponent_is_refused(call, message):
    with pytest.raises(NoSuchExponent, match=message):
        call()
