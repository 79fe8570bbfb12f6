"""Pivot coordinates mean what they say, and lead back to the parameters."""

import math

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from theory import laws
from theory.declaration import symbols as s
from theory.declaration.abstract_law import KERNEL
from theory.declaration.chart import LOSS, Kind
from theory.declaration.forward import ForwardLaw
from theory.declaration.law import Law
from theory.declaration.logdomain import value
from theory.declaration.symbols import C, D, Domain, N, Parameter, Role
from theory.declaration.terms import Generator, monomial_powers

ROUNDING = 1e-11
"""A share is a difference of logs up to about 100, whose rounding is about 1e-14, divided by an
exponent of at least 0.05 and then multiplied back."""

DIFFERENCE = 1e-7
"""Central differences with step 1e-4 err by about step^2 / 6 and rounding / step."""

e, a, b, c = (
    s.floor(),
    s.amplitude("A", of=N),
    s.amplitude("B", of=D),
    s.amplitude("F", of=C),
)
alpha, beta, gamma = (s.exponent(n, of=r) for n, r in (("alpha", N), ("beta", D), ("gamma", C)))
THREE = Law(
    name="three",
    title="three resources",
    resources=(N, D, C),
    parameters=(e, a, b, c, alpha, beta, gamma),
    formula=e + a * N**-alpha + b * D**-beta + c * C**-gamma,
    floor=e,
    weights={N: alpha.symbol, D: beta.symbol, C: gamma.symbol},
    source="test",
    citation="test",
)

LAWS = [*laws.catalogue().values(), THREE]
FORMULAS = [law for law in LAWS if not isinstance(law, ForwardLaw)]
every = pytest.mark.parametrize("law", LAWS, ids=lambda law: law.name)

LINKED = 1e-10
"""A kernel is a difference from the floor, at most 99% of the loss, or a power of the loss."""

SINGULAR = {"ridgeless"}
"""Where the two limits are equal, share 1/2, the loss of these laws is infinite."""


def bounds(law, coordinate):
    """Where a coordinate may lie, and whether it is spread by its logarithm."""
    parameter = coordinate.parameter
    if coordinate.kind is Kind.LEVEL:
        # A bounded loss stays below its cap, which is at least 8.
        return (0.01, 20.0 if law.scale.cap is None else 7.0), False
    if parameter is None:
        return (0.01, 0.45 if law.name in SINGULAR else 0.99), False
    if parameter.domain is Domain.UNIT:
        return (0.01, 0.99), False
    if parameter.role is Role.CAP:
        return (8.0, 12.0), False
    if parameter.role is Role.POSITION:
        return (1e2, 1e20), True
    if parameter.typical is None or parameter.role is Role.EXPONENT:
        return (0.05, 3.0), False
    centre, spread = parameter.typical
    if parameter.domain is Domain.REAL:
        return (centre - spread / 2, centre + spread / 2), False
    return (centre * math.exp(-3 * spread), centre * math.exp(3 * spread)), True


def draw_coordinates(law, rng, size=()):
    drawn = {}
    for coordinate in law.chart.coordinates:
        (low, high), by_log = bounds(law, coordinate)
        drawn[coordinate.name] = (
            np.exp(rng.uniform(*np.log([low, high]), size))
            if by_log
            else rng.uniform(low, high, size)
        )
    return drawn


def draw_pivot(law, rng):
    return {
        r.name: float(rng.uniform(*np.log(r.typical)) if r.is_covariate else rng.uniform(5, 50))
        for r in law.resources
    }


def strategy(law, coordinate):
    (low, high), by_log = bounds(law, coordinate)
    return (
        st.floats(math.log(low), math.log(high)).map(math.exp) if by_log else st.floats(low, high)
    )


def natural(law, parameters):
    positive = {p.name for p in law.parameters if p.domain.is_positive}
    return {n: np.exp(v) if n in positive else v for n, v in parameters.items()}


def log_kernel_from_the_loss(law, parameters, log_sizes):
    """Log of the link's kernel of the loss, by SymPy's own evaluation of the link."""
    link = law.scale.kernel(LOSS)
    logs = {**parameters, LOSS.name: law.log_loss(parameters, log_sizes, np)}
    symbols = list(link.free_symbols)
    with mpmath.workdps(30):
        at = [mpmath.mpf(float(logs[symbol.name])) for symbol in symbols]
        at = [mpmath.exp(v) if s.is_positive else v for s, v in zip(symbols, at, strict=True)]
        return mpmath.log(sympy.lambdify(symbols, link, "mpmath")(*at))


@every
@given(data=st.data())
@settings(max_examples=12, deadline=None, derandomize=True)
def test_coordinates_survive_the_way_to_parameters_and_back(law, data):
    coordinates = {c.name: data.draw(strategy(law, c), c.name) for c in law.chart.coordinates}
    pivot = {
        r.name: data.draw(st.floats(*(np.log(r.typical) if r.is_covariate else (0, 70))), r.name)
        for r in law.resources
    }
    parameters = law.chart.to_parameters(coordinates, pivot, np)
    assert set(parameters) == {p.name for p in law.parameters}
    again = law.chart.to_coordinates(parameters, pivot, np)
    assert tuple(again) == law.chart.names
    for name, want in coordinates.items():
        assert again[name] == pytest.approx(want, rel=ROUNDING, abs=ROUNDING)


@every
def test_numpy_and_jax_give_the_same_parameters_of_arrays_of_draws(law):
    rng = np.random.default_rng(1)
    coordinates, pivot = draw_coordinates(law, rng, (7,)), draw_pivot(law, rng)
    in_numpy = law.chart.to_parameters(coordinates, pivot, np)
    in_jax = law.chart.to_parameters(
        {n: jnp.asarray(v) for n, v in coordinates.items()}, pivot, jnp
    )
    for name, array in in_numpy.items():
        assert array.shape == (7,)
        np.testing.assert_allclose(in_jax[name], array, rtol=ROUNDING)


@pytest.mark.parametrize("law", FORMULAS, ids=lambda law: law.name)
def test_the_loss_at_the_pivot_is_the_level(law):
    rng = np.random.default_rng(2)
    # The relation itself in 30 digits, beside `law.loss`: the kernel, or a contour that is 1.
    quantities = (*law.resources, *law.parameters)
    symbols = [KERNEL, *(q.symbol for q in quantities)]
    relation = sympy.lambdify(symbols, law.relation, "mpmath")
    link = sympy.lambdify(symbols, law.scale.kernel(LOSS).subs(LOSS, KERNEL), "mpmath")
    for _ in range(5):
        coordinates, pivot = draw_coordinates(law, rng), draw_pivot(law, rng)
        parameters = law.chart.to_parameters(coordinates, pivot, np)
        level = coordinates["L_pivot"]
        got = math.exp(law.log_loss(parameters, pivot, np))
        assert got == pytest.approx(level, rel=ROUNDING)
        with mpmath.workdps(30):
            logs = {n: mpmath.mpf(float(v)) for n, v in {**parameters, **pivot}.items()}
            values = [
                mpmath.exp(logs[q.name]) if q.symbol.is_positive else logs[q.name]
                for q in quantities
            ]
            kernel = link(mpmath.mpf(float(level)), *values)
            want = kernel if law.degree == 1 else 1
            gap = relation(kernel, *values) / want - 1
        assert abs(gap) < LINKED


@every
def test_the_floor_is_its_fraction_of_the_level(law):
    rng = np.random.default_rng(3)
    assert ("floor_fraction" in law.chart.names) == (law.floor is not None)
    if law.floor is None:
        return
    coordinates = draw_coordinates(law, rng, (20,))
    values = natural(law, law.chart.to_parameters(coordinates, draw_pivot(law, rng), np))
    want = coordinates["floor_fraction"] * coordinates["L_pivot"]
    np.testing.assert_allclose(values[law.floor.name], want, rtol=ROUNDING)


def has_a_term_to_itself(law, resource):
    """Whether the law is made of powers, and one of them, alone, is of this resource."""
    if law.weights is None or isinstance(law.split, Generator):
        return False
    own = [term for term in law.split.terms if resource.symbol in term.rest.free_symbols]
    powers = not any(
        KERNEL in base.free_symbols
        for term in law.split.terms
        for base in monomial_powers(term.rest)
        if base != KERNEL
    )
    alone = len(own) == 1 and own[0].label == resource.name
    return powers and alone and resource not in own[0].loose


MADE_OF_POWERS = [
    law for law in LAWS if len(law.resources) > 1 and has_a_term_to_itself(law, law.resources[0])
]


def test_shares_stand_for_elasticities_in_most_laws():
    assert {"chinchilla", "kaplan", "share", "share_free", "droppo", "rosenfeld", "three"} <= {
        law.name for law in MADE_OF_POWERS
    }
    assert len(MADE_OF_POWERS) >= 19
    for law in LAWS:
        if len(law.resources) == 1:
            assert not any(name.startswith("share") for name in law.chart.names)


@pytest.mark.parametrize("law", MADE_OF_POWERS, ids=lambda law: law.name)
def test_the_first_share_is_the_elasticity_of_the_kernel_over_the_weight(law):
    # e_i / alpha_i of THEORY_LAWS.md, section 0: for chinchilla A N0^-alpha / (L - E).
    rng = np.random.default_rng(4)
    first = law.resources[0]
    step = 1e-4
    for _ in range(5):
        coordinates, pivot = draw_coordinates(law, rng), draw_pivot(law, rng)
        parameters = law.chart.to_parameters(coordinates, pivot, np)
        kernels = [
            log_kernel_from_the_loss(law, parameters, {**pivot, first.name: pivot[first.name] + h})
            for h in (step, -step)
        ]
        elasticity = float(-(kernels[0] - kernels[1]) / (2 * step))
        weight = value(sympy.sympify(law.weights[first]), {**parameters, **pivot}, np)
        shares = {}
        left = 1.0
        for term in law.split.terms[:-1]:
            shares[term.label] = left * coordinates[f"share_{term.label}"]
            left -= shares[term.label]
        shares[law.split.terms[-1].label] = left
        # The terms of a contour fall with the kernel at rates of their own; of a sum, at one.
        falls = {
            term.label: value(
                -sympy.sympify(monomial_powers(term.rest).get(KERNEL, -1)), parameters, np
            )
            for term in law.split.terms
        }
        total = sum(falls[label] * share for label, share in shares.items())
        want = falls[first.name] * shares[first.name] / total
        assert elasticity / weight == pytest.approx(want, abs=10 * DIFFERENCE)


@pytest.mark.parametrize(
    "law", [law for law in LAWS if isinstance(law.split, Generator)], ids=lambda law: law.name
)
def test_the_share_of_a_generator_divides_its_two_limits(law):
    rng = np.random.default_rng(7)
    first, second = law.resources
    for _ in range(5):
        coordinates, pivot = draw_coordinates(law, rng), draw_pivot(law, rng)
        parameters = law.chart.to_parameters(coordinates, pivot, np)
        # e^5000 of the other is infinite to any exponent that is drawn.
        limits = [
            law.log_kernel(parameters, {**pivot, other.name: 5e3}, np) for other in (second, first)
        ]
        got = limits[0] - np.logaddexp(*limits)
        assert got == pytest.approx(math.log(coordinates[f"share_{first.name}"]), abs=ROUNDING)


def test_the_share_of_chinchilla_is_that_of_the_n_term():
    rng = np.random.default_rng(5)
    law, pivot = laws.chinchilla, {"N": math.log(3e8), "D": math.log(6e9)}
    coordinates = draw_coordinates(law, rng, (20,))
    p = natural(law, law.chart.to_parameters(coordinates, pivot, np))
    term_n, term_d = p["A"] * 3e8 ** -p["alpha"], p["B"] * 6e9 ** -p["beta"]
    np.testing.assert_allclose(term_n / (term_n + term_d), coordinates["share_N"], rtol=ROUNDING)
    level = p["E"] + term_n + term_d
    np.testing.assert_allclose(level, coordinates["L_pivot"], rtol=ROUNDING)


def test_the_sticks_of_three_terms_are_shares_that_sum_to_one():
    rng = np.random.default_rng(6)
    pivot = {"N": 18.0, "D": 22.0, "C": 43.0}
    coordinates = draw_coordinates(THREE, rng, (20,))
    p = natural(THREE, THREE.chart.to_parameters(coordinates, pivot, np))
    terms = [
        p[amplitude] * np.exp(-p[rate] * pivot[r])
        for amplitude, rate, r in (("A", "alpha", "N"), ("B", "beta", "D"), ("F", "gamma", "C"))
    ]
    reducible = coordinates["L_pivot"] * (1 - coordinates["floor_fraction"])
    np.testing.assert_allclose(sum(terms), reducible, rtol=ROUNDING)
    shares = [
        coordinates["share_N"],
        (1 - coordinates["share_N"]) * coordinates["share_D"],
        (1 - coordinates["share_N"]) * (1 - coordinates["share_D"]),
    ]
    np.testing.assert_allclose(sum(shares), 1.0, rtol=1e-15)
    for term, share in zip(terms, shares, strict=True):
        np.testing.assert_allclose(term / reducible, share, rtol=ROUNDING)
    sticks = [c for c in THREE.chart.coordinates if c.kind is Kind.SHARE]
    assert [(c.name, c.after) for c in sticks] == [("share_N", 2), ("share_D", 1)]


def test_the_chart_lists_each_coordinate_once_and_in_order():
    assert laws.share.chart.names == ("L_pivot", "floor_fraction", "share_N", "alpha", "beta", "q")
    assert laws.kaplan.chart.names == ("L_pivot", "share_N", "alpha_N", "alpha_D")
    assert laws.power.chart.names == ("L_pivot", "floor_fraction", "alpha")
    for law in LAWS:
        # As many coordinates as parameters: the chart is a change of variables.
        assert len(set(law.chart.names)) == len(law.chart.names) == len(law.parameters)
        assert all(coordinate.meaning for coordinate in law.chart.coordinates)


def test_a_real_parameter_stands_for_itself_with_its_sign():
    delta = Parameter("delta", Role.SHAPE, "a test", domain=Domain.REAL)
    law = Law(
        name="real",
        title="a test",
        resources=(N,),
        parameters=(e, a, alpha, delta),
        formula=e + a * N**-alpha * sympy.exp(delta.symbol),
        floor=e,
        weights={N: alpha.symbol},
        source="test",
        citation="test",
    )
    coordinates = {"L_pivot": 3.0, "floor_fraction": 0.6, "alpha": 0.3, "delta": -1.3}
    parameters = law.chart.to_parameters(coordinates, {"N": 18.0}, np)
    assert parameters["delta"] == -1.3
    assert law.loss(N=math.exp(18.0), **natural(law, parameters)) == pytest.approx(3.0)
    again = law.chart.to_coordinates(parameters, {"N": 18.0}, np)
    assert again == pytest.approx(coordinates, rel=ROUNDING)


def test_the_loss_is_differentiable_in_every_coordinate():
    law, pivot = laws.share, {"N": 18.0, "D": 22.0}
    coordinates = {
        "L_pivot": 3.0,
        "floor_fraction": 0.6,
        "share_N": 0.4,
        "alpha": 0.3,
        "beta": 0.35,
        "q": 1.3,
    }
    at = {"N": 20.0, "D": 21.0}

    def log_loss(where, ops):
        return law.log_loss(law.chart.to_parameters(where, pivot, ops), at, ops)

    gradient = jax.grad(lambda where: log_loss(where, jnp))(coordinates)
    for name, centre in coordinates.items():
        ends = [log_loss({**coordinates, name: centre + h}, np) for h in (1e-5, -1e-5)]
        assert gradient[name] == pytest.approx((ends[0] - ends[1]) / 2e-5, abs=DIFFERENCE)
