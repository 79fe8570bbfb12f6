"""Links: a kernel and its loss are the same thing on two scales."""

import mpmath
import numpy as np
import pytest
import sympy

from theory.declaration import symbols as s
from theory.declaration.links import Envelope, Identity, Logistic, Odds, Power
from theory.declaration.symbols import Domain

E, L_0 = s.floor(), s.cap()
gamma = s.shape("gamma", "power")
slope = s.shape("slope", "steepness")
centre = s.shape("centre", "place", domain=Domain.REAL)

k, L = (sympy.Symbol(name, positive=True) for name in ("k", "L"))

LINKS = {
    "identity": Identity(E),
    "identity from 0": Identity(None),
    "odds": Odds(E, L_0),
    "odds from 0": Odds(None, L_0),
    "envelope": Envelope(E, L_0),
    "envelope from 0": Envelope(None, L_0),
    "power": Power(E, gamma),
    "power from 0": Power(None, gamma),
    "logistic": Logistic(E, L_0, slope, centre),
}

BY_HAND = {
    # kernel 2 at E = 3/2, L_0 = 10, gamma = 2, slope = 1/2, centre = -1/4.
    "identity": 3.5,
    "identity from 0": 2.0,
    "odds": (1.5 + 10 * 2) / 3,
    "odds from 0": 20 / 3,
    "envelope": 10 * np.sin(np.arctan(np.tan(np.arcsin(0.15)) + 2)),  # L = L_0 sin(angle)
    "envelope from 0": 20 / np.sqrt(5),
    "power": (np.sqrt(1.5) + 2) ** 2,
    "power from 0": 4.0,
    "logistic": 1.5 + 8.5 / (1 + np.exp(-0.25 - 1.0)),
}

VALUES = {
    "E": sympy.Rational(3, 2),
    "L_0": sympy.Integer(10),
    "gamma": sympy.Integer(2),
    "slope": sympy.Rational(1, 2),
    "centre": -sympy.Rational(1, 4),
}


def at(link, expr):
    return expr.subs({p.symbol: VALUES[p.name] for p in link.parameters})


def every(test):
    return pytest.mark.parametrize("name", LINKS)(test)


@every
def test_the_loss_of_a_kernel_is_the_one_computed_by_hand(name):
    link = LINKS[name]
    assert float(at(link, link.loss(k)).subs(k, 2)) == pytest.approx(BY_HAND[name], rel=1e-14)


@every
def test_the_kernel_of_the_loss_of_a_kernel_is_the_kernel_to_50_digits(name):
    link = LINKS[name]
    loss = sympy.lambdify(k, at(link, link.loss(k)), "mpmath")
    kernel = sympy.lambdify(L, at(link, link.kernel(L)), "mpmath")
    with mpmath.workdps(70):
        for text in ("0.001", "0.3", "1", "2.75", "17"):
            want = mpmath.mpf(text)
            assert abs(kernel(loss(want)) - want) < mpmath.mpf(10) ** -50


@every
def test_the_loss_rises_with_the_kernel_between_its_bounds(name):
    link = LINKS[name]
    loss = sympy.lambdify(k, at(link, link.loss(k)), "numpy")
    found = loss(np.geomspace(1e-6, 50, 200))
    assert np.all(np.diff(found) > 0)
    floor = 1.5 if link.floor else 0.0
    assert found[0] >= floor - 1e-12
    if link.cap is not None:
        assert found[-1] <= 10
        assert float(loss(1e12)) == pytest.approx(10, rel=1e-6)


@pytest.mark.parametrize("name", [name for name in LINKS if name != "logistic"])
def test_at_kernel_0_the_loss_is_the_floor(name):
    link = LINKS[name]
    assert at(link, link.loss(sympy.Integer(0))) == (VALUES["E"] if link.floor else 0)


def test_at_kernel_0_the_logistic_error_is_above_its_floor():
    link = LINKS["logistic"]
    at_zero = float(at(link, link.loss(sympy.Integer(0))))
    assert at_zero == pytest.approx(1.5 + 8.5 / (1 + np.exp(-0.25)), rel=1e-14)


def test_the_envelope_is_the_odds_on_the_square_of_the_loss():
    # h^2 = L^2/(L_0^2 - L^2): Rosenfeld's envelope without a floor.
    link = LINKS["envelope from 0"]
    squared = link.kernel(L) ** 2
    assert sympy.simplify(squared - L**2 / (L_0.symbol**2 - L**2)) == 0


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("identity", ["E"]),
        ("identity from 0", []),
        ("odds", ["E", "L_0"]),
        ("odds from 0", ["L_0"]),
        ("envelope", ["E", "L_0"]),
        ("power", ["E", "gamma"]),
        ("power from 0", ["gamma"]),
        ("logistic", ["E", "L_0", "slope", "centre"]),
    ],
)
def test_a_link_names_its_parameters(name, parameters):
    assert [p.name for p in LINKS[name].parameters] == parameters


def test_only_a_bounded_link_has_a_cap():
    bounded = {name for name, link in LINKS.items() if link.cap is not None}
    assert bounded == {"odds", "odds from 0", "envelope", "envelope from 0", "logistic"}


@every
def test_a_floor_that_is_a_fraction_of_the_loss_gives_back_the_kernel(name):
    link = LINKS[name]
    found = link.loss_at_fraction(k, sympy.Rational(2, 5))
    if found is None or link.floor is None:
        assert link.floor is None or name == "envelope"
        return
    at_loss = link.kernel(L).subs({link.floor.symbol: sympy.Rational(2, 5) * L})
    values = {p.symbol: VALUES[p.name] for p in link.parameters if p != link.floor}
    loss = found.subs(values).subs({k: sympy.Rational(3, 10)})
    assert float(at_loss.subs(values).subs({L: loss})) == pytest.approx(0.3, rel=1e-12)
