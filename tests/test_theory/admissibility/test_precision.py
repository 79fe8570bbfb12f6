"""Arithmetic with any number of digits, against mpmath itself."""

import math

import mpmath
import numpy as np
import pytest
import sympy

from theory.admissibility.precision import DIGITS, Precise
from theory.declaration.logdomain import log_value, value

LAST_DIGITS = mpmath.mpf(10) ** -47
"""Fifty digits, of which a few operations may cost three."""

x, y, r = (sympy.Symbol(name, positive=True) for name in "xyr")
z = sympy.Symbol("z", real=True)


def close(got, want, tolerance=LAST_DIGITS):
    with mpmath.workdps(200):
        return abs(mpmath.mpf(got) - want) <= tolerance * max(1, abs(want))


def test_a_sum_of_exponentials_keeps_fifty_digits_even_where_one_is_tiny():
    ops = Precise()
    got = ops.logaddexp(ops.mpf(0), ops.mpf(-60))
    with mpmath.workdps(80):
        want = mpmath.log(1 + mpmath.exp(-60))
    assert close(got, want, mpmath.mpf(10) ** -70)  # relative to the tiny result


def test_a_sum_with_nothing_is_what_is_left():
    ops = Precise()
    assert ops.logaddexp(ops.mpf(3), ops.mpf("-inf")) == 3
    assert ops.logaddexp(ops.mpf("-inf"), ops.mpf("-inf")) == ops.mpf("-inf")


def test_the_logarithm_of_what_is_negative_is_not_a_number_as_in_numpy():
    ops = Precise()
    assert ops.context.isnan(ops.log(ops.mpf(-2)))
    assert ops.log(ops.mpf(0)) == ops.mpf("-inf")
    assert ops.context.isnan(ops.logaddexp(ops.log(ops.mpf(-2)), ops.mpf(1)))


@pytest.mark.parametrize(
    "number",
    [sympy.Rational(1, 3), sympy.pi, sympy.Integer(7), sympy.Float("0.1", 50), 0.1, 5],
    ids=str,
)
def test_a_number_arrives_with_all_its_digits(number):
    got = Precise().from_number(number)
    with mpmath.workdps(60):
        want = mpmath.mpf(sympy.N(sympy.sympify(number), 60)._mpf_)
    assert close(got, want, mpmath.mpf(10) ** -49)


def test_a_law_with_every_operation_is_evaluated_to_fifty_digits():
    expr = (x ** (y / 3) + sympy.Max(x, y) * sympy.exp(-r * z)) ** sympy.pi / (1 + sympy.log(x + 2))
    at = {"x": 2.5, "y": 7.25, "r": 0.5, "z": -0.75}
    ops = Precise()
    logs = {n: ops.log(ops.mpf(v)) if n != "z" else ops.mpf(v) for n, v in at.items()}
    function = sympy.lambdify([x, y, r, z], expr, "mpmath")
    with mpmath.workdps(60):
        want = function(*(mpmath.mpf(v) for v in at.values()))
        assert close(log_value(expr, logs, ops), mpmath.log(want))
        assert close(value(expr, logs, ops), want)


def test_a_difference_of_almost_equal_terms_keeps_the_digits_that_are_left():
    expr = x - y
    ops = Precise()
    logs = {"x": ops.mpf(1) + ops.mpf(10) ** -30, "y": ops.mpf(1)}
    with mpmath.workdps(80):
        want = mpmath.log(mpmath.exp(1 + mpmath.mpf(10) ** -30) - mpmath.exp(1))
    assert close(log_value(expr, logs, ops), want, mpmath.mpf(10) ** -18)  # 50 less 30 digits


@pytest.mark.parametrize(("order", "digits"), [(1, 30), (2, 22)])
def test_a_derivative_keeps_more_than_a_third_of_the_digits(order, digits):
    ops = Precise()
    got = ops.slope(lambda s: ops.exp(2 * s) + s**3, ops.mpf("0.3"), order)
    with mpmath.workdps(60):
        s = mpmath.mpf("0.3")
        exact = {1: 2 * mpmath.exp(2 * s) + 3 * s**2, 2: 4 * mpmath.exp(2 * s) + 6 * s}
        assert close(got, exact[order], mpmath.mpf(10) ** -digits)


def test_a_number_goes_to_sympy_and_back_with_all_its_digits():
    ops = Precise()
    third = ops.mpf(1) / 3
    there = ops.to_sympy(third)
    assert sympy.Abs(there - sympy.Rational(1, 3)) < sympy.Float(10, 60) ** -(DIGITS - 1)
    assert abs(ops.from_number(there) - third) < ops.mpf(10) ** -(DIGITS - 1)


def test_two_precisions_do_not_disturb_each_other_nor_mpmath():
    before = mpmath.mp.dps
    low, high = Precise(20), Precise(120)
    assert (low.context.dps, high.context.dps, mpmath.mp.dps) == (20, 120, before)
    with mpmath.workdps(130):
        assert close(high.log(high.mpf(2)), mpmath.log(2), mpmath.mpf(10) ** -118)
        assert not close(low.log(low.mpf(2)), mpmath.log(2), mpmath.mpf(10) ** -40)


@pytest.mark.parametrize("digits", [16, 50, 300])
def test_there_are_enough_newton_steps_to_double_up_to_all_digits(digits):
    # Four steps reach 1e-15 from the start of the share law (THEORY_LAWS 1.4), and each doubles.
    assert 15 * 2 ** (Precise(digits).newton_steps - 4) >= digits


def test_the_larger_and_the_smaller_are_those_of_two_numbers():
    ops = Precise()
    assert ops.maximum(ops.mpf(2), ops.mpf(3)) == 3
    assert ops.minimum(ops.mpf(2), ops.mpf(3)) == 2
    assert math.isclose(float(ops.expm1(ops.mpf("1e-30"))), 1e-30)
    assert math.isclose(float(ops.log1p(ops.mpf("1e-30"))), float(np.log1p(1e-30)))
