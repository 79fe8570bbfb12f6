"""Pivot coordinates mean what they say, and lead back to the parameters."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from theory import laws
from theory import symbols as s
from theory.chart import Kind
from theory.law import Law
from theory.symbols import C, D, Domain, N, Parameter, Role

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
every = pytest.mark.parametrize("law", LAWS, ids=lambda law: law.name)

FRACTION = st.floats(0.01, 0.99)
RANGES = {
    Kind.LEVEL: st.floats(0.01, 20.0),
    Kind.FLOOR_FRACTION: FRACTION,
    Kind.SHARE: FRACTION,
    Kind.PARAMETER: st.floats(0.05, 3.0),
}


def draw_coordinates(law, rng, size=()):
    ranges = {Kind.LEVEL: (0.5, 8.0), Kind.PARAMETER: (0.05, 3.0)}
    return {
        c.name: rng.uniform(*ranges.get(c.kind, (0.02, 0.98)), size) for c in law.chart.coordinates
    }


def draw_pivot(law, rng):
    return {r.name: float(rng.uniform(5, 50)) for r in law.resources}


def natural(law, parameters):
    positive = {p.name for p in law.parameters if p.domain is Domain.POSITIVE}
    return {n: np.exp(v) if n in positive else v for n, v in parameters.items()}


@every
@given(data=st.data())
@settings(max_examples=50, deadline=None, derandomize=True)
def test_coordinates_survive_the_way_to_parameters_and_back(law, data):
    coordinates = {c.name: data.draw(RANGES[c.kind], c.name) for c in law.chart.coordinates}
    pivot = {r.name: data.draw(st.floats(0, 70), r.name) for r in law.resources}
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


@every
def test_the_loss_at_the_pivot_is_the_level(law):
    rng = np.random.default_rng(2)
    for _ in range(20):
        coordinates, pivot = draw_coordinates(law, rng), draw_pivot(law, rng)
        values = natural(law, law.chart.to_parameters(coordinates, pivot, np))
        sizes = {name: math.exp(log_size) for name, log_size in pivot.items()}
        # The formula itself in plain floats, beside `law.loss`.
        symbols = {q.symbol: {**values, **sizes}[q.name] for q in (*law.resources, *law.parameters)}
        assert law.loss(**values, **sizes) == pytest.approx(coordinates["L_pivot"], rel=ROUNDING)
        with_digits = float(law.formula.evalf(30, subs=symbols))
        assert with_digits == pytest.approx(coordinates["L_pivot"], rel=ROUNDING)


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


@every
def test_the_first_share_is_the_elasticity_of_the_reducible_loss_over_the_weight(law):
    # e_i / alpha_i of THEORY_LAWS.md, section 0: for chinchilla A N0^-alpha / (L - E).
    rng = np.random.default_rng(4)
    if len(law.resources) == 1:
        assert not any(name.startswith("share") for name in law.chart.names)
        return
    first = law.resources[0]
    step = 1e-4
    for _ in range(20):
        coordinates, pivot = draw_coordinates(law, rng), draw_pivot(law, rng)
        parameters = law.chart.to_parameters(coordinates, pivot, np)
        values = natural(law, parameters)
        floor = 0.0 if law.floor is None else values[law.floor.name]
        reducible = [
            math.log(
                math.exp(law.log_loss(parameters, {**pivot, first.name: pivot[first.name] + h}, np))
                - floor
            )
            for h in (step, -step)
        ]
        elasticity = -(reducible[0] - reducible[1]) / (2 * step)
        symbols = {p.symbol: values[p.name] for p in law.parameters}
        weight = float(sympy.sympify(law.weights[first]).subs(symbols))
        share = coordinates[f"share_{first.name}"]
        assert elasticity / weight == pytest.approx(share, abs=10 * DIFFERENCE)


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
