"""The contract of every law in the catalogue, and what the named laws must equal."""

import math

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
import sympy

from theory import laws
from theory.errors import UnknownLaw
from theory.law import Law
from theory.symbols import Domain, Role

CATALOGUE = list(laws.catalogue().values())
CLOSED = [law for law in CATALOGUE if isinstance(law, Law)]

ROUNDING = 1e-12
"""A log loss is a few dozen roundings of numbers up to about 100 (logs of sizes to 1e30)."""

SLOPE_ROUNDING = 1e-10
"""A gradient passes through a few softmax weights; each costs some units in the last place."""

RANGES = {
    Role.FLOOR: (0.5, 3.0),
    Role.AMPLITUDE: (1.0, 1e15),
    Role.EXPONENT: (0.05, 1.0),
    Role.SHAPE: (0.5, 4.0),
}


def every(cases):
    return pytest.mark.parametrize("law", cases, ids=lambda law: law.name)


def draw_parameters(law, rng):
    """Natural parameters, log-uniform over the range of their role; reals are standard normal."""
    drawn = {}
    for parameter in law.parameters:
        low, high = np.log(RANGES[parameter.role])
        positive = parameter.domain is Domain.POSITIVE
        drawn[parameter.name] = float(np.exp(rng.uniform(low, high)) if positive else rng.normal())
    return drawn


def logs_of(law, natural):
    positive = {p.name for p in law.parameters if p.domain is Domain.POSITIVE}
    positive |= {r.name for r in law.resources}
    return {name: np.log(v) if name in positive else v for name, v in natural.items()}


def split(law, logs):
    resources = {r.name: logs[r.name] for r in law.resources}
    return {n: v for n, v in logs.items() if n not in resources}, resources


def high_precision(law):
    """The formula as a function of natural values, for mpmath."""
    quantities = (*law.resources, *law.parameters)
    function = sympy.lambdify([q.symbol for q in quantities], law.formula, "mpmath")
    return lambda natural: function(*(mpmath.mpf(natural[q.name]) for q in quantities))


def weight(law, resource, natural):
    symbols = {p.symbol: natural[p.name] for p in law.parameters}
    return float(sympy.sympify(law.weights[resource]).subs(symbols))


# --- the contract of the whole catalogue


def test_the_catalogue_holds_the_laws_of_the_field_under_their_own_names():
    known = laws.catalogue()
    assert {"power", "power_D", "power_C", "chinchilla", "kaplan", "share"} <= set(known)
    assert all(law.name == name for name, law in known.items())
    assert all(getattr(laws, name) is law for name, law in known.items())
    assert all(laws.get(name) is law for name, law in known.items())


def test_no_two_laws_have_the_same_formula():
    texts = [law.formula_text() for law in CATALOGUE]
    assert len(set(texts)) == len(texts)


@every(CLOSED)
def test_a_formula_uses_exactly_the_declared_symbols(law):
    declared = {q.symbol for q in (*law.resources, *law.parameters)}
    assert law.formula.free_symbols == declared


@every(CATALOGUE)
def test_a_law_says_what_it_is_and_where_it_comes_from(law):
    assert law.latex().startswith("L = ")
    assert "<" not in law.latex()
    assert law.title
    assert law.source
    assert law.citation
    assert set(law.weights) == set(law.resources)
    for quantity in (*law.resources, *law.parameters):
        assert quantity.meaning
        assert quantity.unit


@every(CATALOGUE)
def test_numpy_and_jax_give_the_same_log_loss(law):
    rng = np.random.default_rng(1)
    parameters = logs_of(law, draw_parameters(law, rng))
    resources = {r.name: rng.uniform(0, 70, 50) for r in law.resources}
    in_numpy = law.log_loss(parameters, resources, np)
    in_jax = law.log_loss(
        {n: jnp.asarray(v) for n, v in parameters.items()},
        {n: jnp.asarray(v) for n, v in resources.items()},
        jnp,
    )
    assert in_numpy.shape == in_jax.shape == (50,)
    assert in_jax.dtype == np.float64
    np.testing.assert_allclose(in_jax, in_numpy, rtol=0, atol=ROUNDING)


@every(CLOSED)
def test_log_loss_agrees_with_50_digit_arithmetic_at_resources_from_1_to_1e30(law):
    rng = np.random.default_rng(2)
    exact = high_precision(law)
    sizes = [1.0, 1e30, *10 ** rng.uniform(0, 30, 8)]
    for _ in range(10):
        natural = draw_parameters(law, rng)
        for _ in range(10):
            natural |= {r.name: float(rng.choice(sizes)) for r in law.resources}
            got = law.log_loss(*split(law, logs_of(law, natural)), np)
            with mpmath.workdps(50):
                want = float(mpmath.log(exact(natural)))
            assert np.isfinite(got)
            assert abs(got - want) <= ROUNDING * max(1.0, abs(want))


@every(CLOSED)
def test_the_gradient_agrees_with_50_digit_central_differences(law):
    rng = np.random.default_rng(3)
    exact = high_precision(law)
    for _ in range(5):
        natural = draw_parameters(law, rng)
        natural |= {r.name: float(10 ** rng.uniform(2, 14)) for r in law.resources}
        logs = logs_of(law, natural)
        gradient = jax.grad(lambda at: law.log_loss(*split(law, at), jnp))(logs)
        with mpmath.workdps(50):
            step = mpmath.mpf(10) ** -15
            for name in logs:
                positive = logs[name] != natural[name]
                ends = []
                for sign in (1, -1):
                    here = mpmath.mpf(natural[name])
                    moved = here * mpmath.exp(sign * step) if positive else here + sign * step
                    ends.append(mpmath.log(exact({**natural, name: moved})))
                want = float((ends[0] - ends[1]) / (2 * step))
                assert abs(gradient[name] - want) <= SLOPE_ROUNDING * max(1.0, abs(want)), name


@every(CATALOGUE)
def test_the_loss_falls_with_every_resource(law):
    rng = np.random.default_rng(4)
    pivot = {r.name: 20.0 for r in law.resources}
    for _ in range(20):
        # Shares between 0.1 and 0.9 at the pivot, so that every fall is far above rounding.
        coordinates = {c.name: float(rng.uniform(0.1, 0.9)) for c in law.chart.coordinates}
        parameters = law.chart.to_parameters(coordinates, pivot, np)
        for resource in law.resources:
            ladder = {**pivot, resource.name: np.linspace(17.0, 23.0, 13)}
            assert np.all(np.diff(law.log_loss(parameters, ladder, np)) < 0)


@every(CATALOGUE)
def test_a_single_resource_sets_the_loss_with_its_weight_when_the_others_are_huge(law):
    rng = np.random.default_rng(5)
    for _ in range(5):
        natural = draw_parameters(law, rng)
        parameters = logs_of(law, natural)
        if law.floor is not None:
            parameters[law.floor.name] = -1e9  # no floor at all
        for resource in law.resources:
            # e^1e5 of everything else: its term is below the smallest double.
            others = {r.name: 1e5 for r in law.resources}
            low, high = (
                law.log_loss(parameters, {**others, resource.name: at}, np) for at in (20.0, 30.0)
            )
            want = weight(law, resource, natural)
            assert (low - high) / 10 == pytest.approx(want, rel=1e-11)


@every(CATALOGUE)
def test_the_reducible_loss_obeys_the_scaling_equation(law):
    # sum_i e_i / alpha_i = 1 with e_i = -d ln(L - E) / d ln R_i (THEORY_LAWS.md, section 0).
    rng = np.random.default_rng(6)
    step = 1e-4  # central difference: error step^2 ~ 1e-8
    for _ in range(10):
        natural = draw_parameters(law, rng)
        parameters = logs_of(law, natural)
        if law.floor is not None:
            parameters[law.floor.name] = -1e9
        at = {r.name: float(rng.uniform(5, 60)) for r in law.resources}
        total = 0.0
        for resource in law.resources:
            ends = [
                law.log_loss(parameters, {**at, resource.name: at[resource.name] + h}, np)
                for h in (step, -step)
            ]
            elasticity = -(ends[0] - ends[1]) / (2 * step)
            total += elasticity / weight(law, resource, natural)
        assert total == pytest.approx(1.0, abs=1e-7)


@every([law for law in CATALOGUE if law.floor is not None])
def test_the_floor_is_what_is_left_when_every_resource_is_infinite(law):
    natural = draw_parameters(law, np.random.default_rng(7))
    infinite = {r.name: 1e6 for r in law.resources}
    got = law.log_loss(logs_of(law, natural), infinite, np)
    assert got == pytest.approx(math.log(natural[law.floor.name]), abs=1e-15)


def test_an_unknown_law_is_refused_with_the_nearest_name():
    with pytest.raises(UnknownLaw) as caught:
        laws.get("chinchila")
    message = str(caught.value)
    assert message.startswith("no law called 'chinchila'. Did you mean 'chinchilla'? Known: ")
    assert all(name in message for name in laws.catalogue())


def test_a_name_near_to_nothing_gets_no_guess():
    with pytest.raises(UnknownLaw, match=r"^no law called 'zzz'\. Known: power,"):
        laws.get("zzz")


# --- the named laws


GRID = [g.ravel() for g in np.meshgrid(np.logspace(2, 16, 29), np.logspace(2, 16, 29))]
"""N and D over 14 decades each."""

HOFFMANN = {"E": 1.69, "A": 406.4, "B": 410.7, "alpha": 0.34, "beta": 0.28}


def test_chinchilla_is_the_published_formula():
    # arXiv:2203.15556, eq. (10), at the size of Chinchilla itself.
    got = laws.chinchilla.loss(N=70e9, D=1.4e12, **HOFFMANN)
    assert got == pytest.approx(1.69 + 406.4 / 70e9**0.34 + 410.7 / 1.4e12**0.28, rel=ROUNDING)


def test_kaplan_with_its_published_values_is_the_published_formula():
    # arXiv:2001.08361, eq. (1.5) and table 2.
    published = {"N_c": 6.4e13, "D_c": 1.8e13, "alpha_N": 0.076, "alpha_D": 0.103}
    for n, d in [(1e6, 1e8), (1.5e9, 2.2e10), (1e12, 1e13)]:
        by_hand = ((6.4e13 / n) ** (0.076 / 0.103) + 1.8e13 / d) ** 0.103
        assert laws.kaplan.loss(N=n, D=d, **published) == pytest.approx(by_hand, rel=ROUNDING)


def test_share_at_q_1_is_chinchilla_over_14_decades():
    n, d = GRID
    got = laws.share.loss(N=n, D=d, q=1.0, **HOFFMANN)
    by_hand = 1.69 + 406.4 * n**-0.34 + 410.7 * d**-0.28
    np.testing.assert_allclose(got, by_hand, rtol=ROUNDING)
    np.testing.assert_allclose(got, laws.chinchilla.loss(N=n, D=d, **HOFFMANN), rtol=ROUNDING)


def test_share_at_its_kaplan_point_is_kaplan_over_14_decades():
    # q = 1/alpha_D and no floor: the kappas are A^(1/alpha), B^(1/beta).
    n, d = GRID
    alpha_n, alpha_d, n_c, d_c = 0.076, 0.103, 6.4e13, 1.8e13
    got = laws.share.loss(
        N=n,
        D=d,
        E=1e-300,
        A=n_c**alpha_n,
        B=d_c**alpha_d,
        alpha=alpha_n,
        beta=alpha_d,
        q=1 / alpha_d,
    )
    by_hand = ((n_c / n) ** (alpha_n / alpha_d) + d_c / d) ** alpha_d
    np.testing.assert_allclose(got, by_hand, rtol=ROUNDING)
    kaplan = laws.kaplan.loss(N=n, D=d, N_c=n_c, D_c=d_c, alpha_N=alpha_n, alpha_D=alpha_d)
    np.testing.assert_allclose(got, kaplan, rtol=ROUNDING)


def test_share_tends_to_the_larger_loss_as_q_grows():
    n, d = GRID
    larger = np.maximum(406.4 * n**-0.34, 410.7 * d**-0.28)
    for q in (10.0, 1e3, 1e5):
        got = laws.share.loss(N=n, D=d, q=q, **{**HOFFMANN, "E": 1e-300})
        # max <= (a^q + b^q)^(1/q) <= 2^(1/q) max
        excess = np.log(got) - np.log(larger)
        assert np.all(excess > -ROUNDING)
        assert np.all(excess < math.log(2) / q + ROUNDING)


def test_each_law_tends_to_the_term_of_one_resource_in_its_own_units():
    n, d, huge = 1e8, 1e9, 1e300
    tiny = {"E": 1e-300}
    chinchilla = laws.chinchilla.loss(N=n, D=huge, **{**HOFFMANN, **tiny})
    assert chinchilla == pytest.approx(406.4 * n**-0.34, rel=ROUNDING)
    share = laws.share.loss(N=huge, D=d, q=1.3, **{**HOFFMANN, **tiny})
    assert share == pytest.approx(410.7 * d**-0.28, rel=ROUNDING)
    scales = {"N_c": 6.4e13, "D_c": 1.8e13, "alpha_N": 0.076, "alpha_D": 0.103}
    assert laws.kaplan.loss(N=n, D=huge, **scales) == pytest.approx(
        (6.4e13 / n) ** 0.076, rel=ROUNDING
    )
    assert laws.kaplan.loss(N=huge, D=d, **scales) == pytest.approx(
        (1.8e13 / d) ** 0.103, rel=ROUNDING
    )


@pytest.mark.parametrize(("name", "resource"), [("power", "N"), ("power_D", "D"), ("power_C", "C")])
def test_the_power_law_is_written_in_its_own_resource(name, resource):
    got = laws.get(name).loss(**{resource: 1e7}, E=1.5, A=90.0, alpha=0.21)
    assert got == pytest.approx(1.5 + 90.0 * 1e7**-0.21, rel=ROUNDING)
