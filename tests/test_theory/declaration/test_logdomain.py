"""The table of log-domain rules, its refusals, and its range."""

import math

import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
import sympy

from theory.declaration.logdomain import log_value, signed_terms, value
from theory.errors import LawError

x, y, z = sympy.symbols("x y z", positive=True)
r = sympy.Symbol("r", real=True)

ROUNDING = 1e-13
"""A dozen operations on numbers of order one to ten."""

POSITIVE = [
    x,
    sympy.Integer(7),
    sympy.Rational(2, 3),
    sympy.Float(1.69),
    sympy.pi,
    x + y,
    x + y + z + 3,
    2 * x * y / z,
    x**-r,
    x**y,
    (x + y) ** (z / 3),
    1 / (x + y),
    sympy.sqrt(x + 2 * y),
    sympy.Max(x, y),
    sympy.Max(x * y, z**r, 2) + x,
    sympy.exp(r),
    sympy.exp(-x),
    sympy.exp(sympy.log(x) * sympy.log(y) - r),
    x ** sympy.log(y + 1),
    x ** (r - 2 * y + sympy.exp(r) * sympy.pi),
    sympy.Min(x, y),
    sympy.Min(x * y, z**r, 2) + sympy.Max(x, 1 / z),
    7 + x - sympy.exp(-z),
    sympy.Max(x, y) - sympy.Min(x, y) / 2,
    1 - sympy.exp(-x / y),
    (x + y) / z - y / (2 * z),
    1 + sympy.log(1 + x),
    x**2 * sympy.log(1 + y) ** r,
    sympy.log(x) ** 2 + 5 + r,
]


def environment(rng):
    natural = {s.name: float(rng.uniform(0.2, 5.0)) for s in (x, y, z)} | {"r": rng.normal()}
    logs = {name: math.log(v) if name != "r" else v for name, v in natural.items()}
    return natural, logs


@pytest.mark.parametrize("expression", POSITIVE, ids=str)
def test_the_log_value_of_an_expression_agrees_with_50_digit_arithmetic(expression):
    rng = np.random.default_rng(0)
    exact = sympy.lambdify([x, y, z, r], expression, "mpmath")
    for _ in range(5):
        natural, logs = environment(rng)
        with mpmath.workdps(50):
            want = float(mpmath.log(exact(*(mpmath.mpf(natural[n]) for n in "xyzr"))))
        for ops in (np, jnp):
            assert log_value(expression, logs, ops) == pytest.approx(
                want, rel=ROUNDING, abs=ROUNDING
            )


@pytest.mark.parametrize(
    "expression",
    [*POSITIVE, r, -x, r - x * y, sympy.log(x), -sympy.pi, r * sympy.Min(x, y) - sympy.Max(r, -r)],
    ids=str,
)
def test_the_value_of_an_expression_may_have_either_sign(expression):
    rng = np.random.default_rng(1)
    exact = sympy.lambdify([x, y, z, r], expression, "mpmath")
    natural, logs = environment(rng)
    with mpmath.workdps(50):
        want = float(exact(*(mpmath.mpf(natural[n]) for n in "xyzr")))
    for ops in (np, jnp):
        assert value(expression, logs, ops) == pytest.approx(want, rel=10 * ROUNDING)


def test_arrays_broadcast_through_an_expression():
    env = {"x": np.zeros((3, 1)), "y": np.log([1.0, 3.0])}
    got = log_value(x + y, env, np)
    np.testing.assert_allclose(got, np.log([[2.0, 4.0]] * 3), rtol=ROUNDING)


def test_nothing_overflows_where_the_plain_formula_does():
    expression = (x**300 + y**300) ** sympy.Rational(1, 300)
    with np.errstate(over="ignore"):
        plain = (np.float64(1e10) ** 300 + np.float64(2e10) ** 300) ** (1 / 300)
    assert np.isinf(plain)
    logs = {"x": math.log(1e10), "y": math.log(2e10)}
    # log1p(2^-300) is far below one unit in the last place of log(2e10).
    assert log_value(expression, logs, np) == pytest.approx(math.log(2e10), rel=1e-15)


def test_nothing_underflows_where_the_plain_formula_does():
    logs = {"x": -1000.0, "y": -1001.0}
    assert math.exp(-1000.0) == 0.0
    want = -1000.0 + math.log1p(math.exp(-1.0))
    assert log_value(x + y, logs, np) == pytest.approx(want, rel=1e-15)


@pytest.mark.parametrize("ops", [np, jnp], ids=["numpy", "jax"])
def test_a_difference_of_nearly_equal_terms_keeps_its_digits(ops):
    # exp(y) - exp(x) with y = x + 1e-9; the plain formula loses nine of sixteen digits.
    got = log_value(y - x, {"x": 3.0, "y": 3.0 + 1e-9}, ops)
    step = (3.0 + 1e-9) - 3.0
    assert got == pytest.approx(3.0 + math.log(math.expm1(step)), rel=1e-15)


def test_a_difference_is_finite_where_its_terms_overflow():
    got = log_value(y - 2 * x, {"x": 1e4, "y": 1e4 + 5.0}, np)
    assert got == pytest.approx(1e4 + 5.0 + math.log1p(-2 * math.exp(-5.0)), rel=1e-15)


@pytest.mark.parametrize("ops", [np, jnp], ids=["numpy", "jax"])
def test_a_difference_is_nan_where_it_is_negative(ops):
    with np.errstate(invalid="ignore"):
        assert np.isnan(log_value(x - 2 * y, {"x": 0.0, "y": 0.0}, ops))


def test_a_sum_whose_terms_are_all_subtracted_is_refused_by_name():
    with pytest.raises(LawError, match=r"^'-x - 2\*y' is negative, so it has no logarithm\.$"):
        log_value(-x - 2 * y, {"x": 0.0, "y": 0.0}, np)


def test_a_negative_factor_is_refused_by_name():
    with pytest.raises(LawError, match=r"^the constant -2 is not positive, so its logarithm"):
        log_value(-2 * y, {"y": 0.0}, np)


def test_the_terms_of_a_sum_are_told_apart_by_their_signs():
    added, subtracted = signed_terms(x - 2 * y + 3 - sympy.sqrt(z))
    assert set(added) == {x, sympy.Integer(3)}
    assert set(subtracted) == {2 * y, sympy.sqrt(z)}
    assert signed_terms(-x) == ([], [x])


def test_zero_is_refused():
    with pytest.raises(LawError, match=r"^the constant 0 is not positive"):
        log_value(sympy.Integer(0), {}, np)


def test_a_factor_that_may_be_negative_is_refused_by_name():
    with pytest.raises(LawError, match=r"^'r' may be negative, so it cannot stand as a factor"):
        log_value(x * r, {"x": 0.0, "r": 1.0}, np)


@pytest.mark.parametrize("evaluate", [log_value, value])
def test_an_unknown_function_is_refused_with_the_known_ones(evaluate):
    with pytest.raises(LawError) as caught:
        evaluate(x + sympy.sin(y), {"x": 0.0, "y": 0.0}, np)
    message = str(caught.value)
    assert message.startswith("'sin(y)' uses sin, which has no log-domain rule; known are Add, ")
    assert "Mul" in message
    assert "Pow" in message
    assert "exp" in message


def test_a_logarithm_that_stands_as_a_factor_is_nan_where_it_is_negative():
    # x = e^2, and x = e^-2
    assert log_value(x * sympy.log(x), {"x": 2.0}, np) == pytest.approx(2.0 + math.log(2.0))
    with np.errstate(invalid="ignore"):
        assert np.isnan(log_value(x * sympy.log(x), {"x": -2.0}, np))


def test_a_sum_with_a_logarithm_of_either_sign_is_added_as_numbers():
    # 3 + log(x) at x = e^-2: positive although the logarithm is not.
    assert log_value(3 + sympy.log(x), {"x": -2.0}, np) == pytest.approx(0.0, abs=ROUNDING)
    assert log_value(3 - 2 * r, {"r": -1.0}, np) == pytest.approx(math.log(5.0), rel=ROUNDING)
