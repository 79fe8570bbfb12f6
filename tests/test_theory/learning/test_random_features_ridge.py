"""The tuned ridge: its closed form, its optimum against a search, and simulation."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sympy
from scipy import optimize

from theory import laws
from theory.learning.random_features import (
    RandomFeaturesError,
    asymptote,
    isotropic,
    log_scaling_function,
    loss,
    optimal_ridge,
    scaling_function,
)
from theory.learning.simulate.random_features import ridge_path
from theory.learning.spectrum import PowerLaw

x, alpha = sympy.symbols("x alpha", positive=True)


def test_the_scaling_function_is_one_plus_x_at_exponent_one():
    assert sympy.simplify(scaling_function(x, sympy.Integer(1)) - (1 + x)) == 0


def test_the_scaling_function_begins_as_one_plus_x_for_every_exponent():
    w = scaling_function(x, alpha)
    assert sympy.simplify(w.subs(x, 0)) == 1
    assert sympy.simplify(sympy.diff(w, x).subs(x, 0)) == 1


@pytest.mark.parametrize("exponent", [sympy.Rational(1, 2), sympy.Integer(2)])
def test_the_scaling_function_is_dual(exponent):
    there = scaling_function(1 / x, exponent) * x**exponent - scaling_function(x, exponent)
    for at in (sympy.Rational(1, 7), sympy.Integer(3)):
        assert abs(sympy.N(there.subs(x, at), 40)) < sympy.Float(10) ** -35


def test_numbers_of_the_scaling_function_are_those_of_the_formula_and_differentiable():
    exponents, at = jnp.array([0.2, 0.5, 1.0, 1.7])[:, None], jnp.array([0.01, 1.0, 30.0])[None, :]
    found = jnp.exp(log_scaling_function(exponents, jnp.log(at)))
    formula = sympy.lambdify([x, alpha], scaling_function(x, alpha))
    known = [[formula(float(b), float(a)) for b in at[0]] for a in exponents[:, 0]]
    np.testing.assert_allclose(found, known, rtol=1e-12)
    # d ln W/d ln x runs from 0 to alpha, through alpha/2 at x = 1.
    slope = jax.grad(lambda u: log_scaling_function(0.5, u))
    assert [slope(u) for u in (-30.0, 0.0, 30.0)] == pytest.approx([0, 0.25, 0.5], abs=1e-10)
    law = laws.get("random_features")
    kernel = law.loss(N=50.0, D=20.0, E=1.0, A=2.0, B=2.0, alpha=0.4) - 1
    assert kernel == pytest.approx(
        2 * 50**-0.4 * np.exp(log_scaling_function(0.4, np.log(50 / 20), np)), rel=1e-12
    )


@pytest.mark.parametrize("exponent", [0.2, 1.0, 2.0])
def test_the_tuned_loss_of_large_models_is_the_closed_form(exponent):
    P, D = np.array([1e5, 1e5, 3e6]), np.array([1e5, 3e5, 1e5])
    best, ratio = optimal_ridge(isotropic(exponent), P, D), P / D
    known = asymptote(exponent, P) * np.exp(log_scaling_function(exponent, np.log(ratio), np))
    np.testing.assert_allclose(best.loss, known, rtol=1e-4)
    gap = (1 - exponent) * (2 + exponent) / (exponent * (1 + exponent))
    s = 0.5 * ((1 + ratio) + np.sqrt((1 + ratio) ** 2 + 4 * gap * ratio))
    np.testing.assert_allclose(best.rank, P / s, rtol=1e-4)


@pytest.mark.parametrize("noise", [0.0, 0.5])
@pytest.mark.parametrize("task", [isotropic(0.5, modes=400), PowerLaw(3.0, 1.3, modes=400)])
def test_no_other_penalty_has_a_smaller_loss(task, noise):
    best = optimal_ridge(task, 40, 55, noise=noise)
    at = [float(loss(task, 40, 55, noise=noise, penalty=math.exp(u))) for u in np.arange(-30, 4)]
    assert float(best.loss) <= min(at) * (1 + 1e-9)
    if best.penalty > 0:
        assert best.loss == pytest.approx(
            float(loss(task, 40, 55, noise=noise, penalty=float(best.penalty))), rel=1e-7
        )
        found = optimize.minimize_scalar(
            lambda u: float(loss(task, 40, 55, noise=noise, penalty=math.exp(u))),
            bracket=(math.log(best.penalty) - 1, math.log(best.penalty) + 1),
        )
        assert float(best.loss) == pytest.approx(found.fun, rel=1e-8)


def test_tuning_removes_double_descent_and_needs_no_ridge_without_variance():
    task = isotropic(0.5, modes=400)
    sizes = np.array([20.0, 30.0, 39.0, 40.0, 41.0, 60.0, 200.0])
    tuned = optimal_ridge(task, sizes, 40).loss
    assert np.all(np.diff(tuned) < 0)
    far = optimal_ridge(task, 40, math.inf)
    assert (far.loss, far.penalty) == (pytest.approx(float(loss(task, 40)), rel=1e-6), 0.0)
    # All but hopeless labels: the best model learns almost nothing.
    assert optimal_ridge(task, 40, 40, noise=1e6).rank < 0.05


CASES = [(0.3, 30, 30), (0.3, 40, 100), (0.5, 30, 30), (0.5, 100, 40), (1.0, 30, 30), (1.0, 40, 90)]


@pytest.mark.parametrize(
    ("exponent", "P", "D"),
    [
        pytest.param(*case, marks=() if case == (0.5, 30, 30) else pytest.mark.slow)
        for case in CASES
    ],
)
def test_a_tuned_simulation_has_the_tuned_loss(exponent, P, D):
    task = isotropic(exponent, modes=600)
    best = optimal_ridge(task, P, D)
    factors = np.array([0.25, 0.5, 1.0, 2.0, 4.0])
    found = ridge_path(
        task, features=P, examples=D, penalties=factors * float(best.penalty), draws=150
    )
    assert found.mean.min() == pytest.approx(float(best.loss), rel=0.02)
    # The least is at the predicted penalty, or within a factor of two where the loss is flat.
    assert found.mean[2] <= found.mean.min() * 1.003


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"features": 0.5}, "features must be"),
        ({"noise": math.inf}, r"noise must be sigma\^2, a finite variance"),
        ({"features": [1, 2], "examples": [1, 2, 3]}, "must broadcast"),
    ],
)
def test_what_cannot_be_tuned_is_refused(options, message):
    with pytest.raises(RandomFeaturesError, match=message):
        optimal_ridge(isotropic(0.5, modes=20), **options)
