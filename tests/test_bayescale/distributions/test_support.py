"""The bijections with the real line."""

import math

import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

from bayescale.distributions.support import POSITIVE, REAL, UNIT, Support, above, interval

SUPPORTS = [REAL, POSITIVE, UNIT, interval(-3.0, 5.0), interval(2.0, 2.5), above(2.0)]
every = pytest.mark.parametrize("support", SUPPORTS, ids=lambda s: f"{s.lower:g}..{s.upper:g}")

EXACT = {
    (-math.inf, math.inf): lambda u: u,
    (0.0, math.inf): lambda u: mpmath.exp(u),
    (0.0, 1.0): lambda u: 1 / (1 + mpmath.exp(-u)),
    (-3.0, 5.0): lambda u: -3 + 8 / (1 + mpmath.exp(-u)),
    (2.0, math.inf): lambda u: 2 + mpmath.exp(u),
    (2.0, 2.5): lambda u: 2 + mpmath.mpf(1) / 2 / (1 + mpmath.exp(-u)),
}
"""The same maps written for 50 digits."""

ROUNDING = 1e-13
"""A few operations on numbers up to 20."""

REACH = np.linspace(-12.0, 12.0, 25)
"""Beyond, the distance to an end of an interval is lost in double precision."""

LOST = 1e-10
"""At 12, 1 - sigmoid(u) = 6e-6 keeps 11 digits, of which the logit keeps 10."""


@every
@pytest.mark.parametrize("ops", [np, jnp], ids=["numpy", "jax"])
def test_the_map_and_its_slope_agree_with_50_digit_arithmetic(support, ops):
    for u in REACH:
        with mpmath.workdps(50):
            point = mpmath.mpf(float(u))
            want = float(EXACT[support.lower, support.upper](point))
            slope = float(mpmath.log(mpmath.diff(EXACT[support.lower, support.upper], point)))
        at = ops.asarray(u)
        assert float(support.from_real(at, ops)) == pytest.approx(want, rel=ROUNDING)
        got = float(support.log_jacobian(at, ops))
        assert got == pytest.approx(slope, rel=ROUNDING, abs=ROUNDING)


@every
def test_the_way_there_and_back_is_the_identity(support):
    there = support.from_real(REACH, np)
    np.testing.assert_allclose(support.to_real(there, np), REACH, rtol=LOST, atol=LOST)


@pytest.mark.parametrize("u", [-700.0, -40.0, 40.0, 700.0])
def test_the_jacobian_is_finite_far_out(u):
    for support in SUPPORTS:
        assert np.isfinite(support.log_jacobian(np.asarray(u), np))


def test_an_interval_holds_exactly_its_numbers():
    support = interval(-3.0, 5.0)
    assert isinstance(support, Support)
    there = support.from_real(np.array([-30.0, 0.0, 30.0]), np)
    np.testing.assert_allclose(there, [-3.0, 1.0, 5.0], atol=1e-11)
    assert np.all((there > -3.0) & (there < 5.0))
