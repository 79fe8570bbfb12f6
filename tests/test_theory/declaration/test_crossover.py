"""Law, scaling function and crossover distribution are three views of one thing."""

import mpmath
import numpy as np
import pytest
import sympy

from theory import laws
from theory.admissibility import evidence
from theory.admissibility.admissible import check
from theory.admissibility.verdict import Status
from theory.declaration import symbols as s
from theory.declaration.cdf import logistic, mixture
from theory.declaration.crossover import crossover, dual, generator, log_generator
from theory.declaration.law import Law
from theory.declaration.symbols import D, Domain, N
from theory.declaration.terms import limit
from theory.errors import LawError, TheoryError

x = sympy.Symbol("x", positive=True)
u = sympy.Symbol("u", real=True)
E = s.floor()
A, B = s.amplitude("A", of=N), s.amplitude("B", of=D)
alpha, beta = s.exponent("alpha", of=N), s.exponent("beta", of=D)

DIFFERENCE = 1e-6
"""A central difference of step 1e-4 of a logarithm: h^2 and rounding 1e-14/h are below 1e-8."""


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def numeric_crossover(law, values, log_ratio):
    """F(v) = w'(v), by finite differences of the compiled law."""
    logs = law.logs(values, parameters_only=True)
    h = 1e-4
    ends = [log_generator(law, logs, log_ratio + by) for by in (h, -h)]
    return (ends[0] - ends[1]) / (2 * h)


RATIOS = np.linspace(-6, 6, 25)

VALUES = {
    "kaplan": {"N_c": 8.0, "D_c": 3.0, "alpha_N": 0.4, "alpha_D": 0.25},
    "chinchilla": {"E": 1.5, "A": 8.0, "B": 3.0, "alpha": 0.4, "beta": 0.25},
    "share": {"E": 1.5, "A": 8.0, "B": 3.0, "alpha": 0.4, "beta": 0.25, "q": 1.7},
}
SHARPNESS = {"kaplan": 1 / 0.25, "chinchilla": 1.0, "share": 1.7}


@pytest.mark.parametrize("name", VALUES)
def test_the_crossover_is_logistic_in_the_log_ratio_with_the_sharpness_of_the_power_mean(name):
    # In v = alpha_2 u: Kaplan logistic(u) = logistic(v/alpha_D), Chinchilla logistic(v).
    found = numeric_crossover(laws.get(name), VALUES[name], RATIOS)
    np.testing.assert_allclose(found, sigmoid(SHARPNESS[name] * RATIOS), atol=DIFFERENCE)


@pytest.mark.parametrize("name", VALUES)
def test_the_crossover_by_symbols_is_logistic_up_to_a_shift(name):
    law = laws.get(name)
    values = VALUES[name]
    found = crossover(law, u).subs({p.symbol: values[p.name] for p in law.parameters})
    alpha_2 = values["alpha_D" if name == "kaplan" else "beta"]
    at = np.linspace(-10, 10, 9)
    got = np.array([float(sympy.N(found.subs(u, p))) for p in at])
    log_odds = np.log(got / (1 - got))
    slope, shift = np.polyfit(at, log_odds, 1)
    assert slope == pytest.approx(SHARPNESS[name] * alpha_2, rel=1e-8)
    np.testing.assert_allclose(got, sigmoid(slope * at + shift), atol=1e-10)


def test_kaplans_crossover_is_the_logistic_function_of_u_itself():
    unit = {laws.kaplan.parameters[0].symbol: 1, laws.kaplan.parameters[1].symbol: 1}
    found = crossover(laws.kaplan, u).subs(unit)
    assert sympy.simplify(found - 1 / (1 + sympy.exp(-u))) == 0


def test_the_scaling_function_of_a_law_is_read_off_at_one():
    assert generator(laws.chinchilla, x) == A.symbol + B * x**beta.symbol
    n_c, d_c, _, alpha_D = (p.symbol for p in laws.kaplan.parameters)
    ratio = laws.kaplan.parameters[2].symbol / alpha_D
    assert sympy.simplify(generator(laws.kaplan, x) - (n_c**ratio + d_c * x) ** alpha_D) == 0


@pytest.mark.parametrize(
    "shape", [1 + x**beta.symbol, (1 + x) ** beta.symbol, 1 + x + x**2], ids=str
)
def test_the_dual_of_the_dual_is_the_scaling_function(shape):
    there = dual(shape, x, alpha.symbol, beta.symbol)
    # With the roles of the two sizes exchanged.
    back = dual(there, x, beta.symbol, alpha.symbol)
    at = {
        x: sympy.Rational(7, 3),
        alpha.symbol: sympy.Rational(2, 5),
        beta.symbol: sympy.Rational(1, 3),
    }
    assert abs(sympy.N((back - shape).subs(at), 40)) < 1e-30
    # L = n^alpha W(d/n^(alpha/beta)) = d^beta dual(n/d^(beta/alpha)).
    n, d = sympy.Rational(5, 7), sympy.Rational(11, 3)
    a, b = at[alpha.symbol], at[beta.symbol]
    left = n**a * shape.subs(at | {x: d / n ** (a / b)})
    right = d**b * there.subs(at | {x: n / d ** (b / a)})
    assert abs(sympy.N(left - right, 40)) < 1e-30


@pytest.mark.parametrize(
    ("name", "resource", "tail"),
    [
        ("kaplan", D, "1"),
        ("kaplan", N, "alpha_N/alpha_D"),
        ("share", N, "q*alpha"),
        ("share", D, "q*beta"),
    ],
)
def test_the_tails_of_the_crossover_are_the_variance_limited_exponents(name, resource, tail):
    law = laws.get(name)
    first, _ = evidence.approach(law, resource, seed=3).exponents
    witness = evidence.approach(law, resource, seed=3).witness
    named = sympy.sympify(tail, locals={q: sympy.Symbol(q) for q in witness})
    want = float(named.subs({q: witness[q.name] for q in named.free_symbols}))
    assert first == pytest.approx(want, rel=1e-8)
    # F ~ e^(rho_2 u), 1 - F ~ e^(-rho_1 u alpha_2/alpha_1), in v = alpha_2 u.
    values = VALUES[name]
    exponents = [
        values[q] for q in (("alpha_N", "alpha_D") if name == "kaplan" else ("alpha", "beta"))
    ]
    rho = float(named.subs({q: values[q.name] for q in named.free_symbols}))
    sign = 1 if resource == D else -1
    at = sign * np.array([-4.0, -3.0]) * (4 / SHARPNESS[name])
    found = numeric_crossover(law, values, at)
    small = found if resource == D else 1 - found
    rate = (np.log(small[1]) - np.log(small[0])) / abs(at[1] - at[0])
    assert rate == pytest.approx(rho / exponents[1 if resource == D else 0], rel=2e-3)


# --- laws from a crossover


def from_crossover(cdf, parameters=(), **changes):
    return Law.from_crossover(
        cdf,
        u,
        limits=(limit(A, alpha, N), limit(B, beta, D)),
        **{
            "name": "made",
            "title": "",
            "resources": (N, D),
            "parameters": (E, A, B, alpha, beta, *parameters),
            "floor": E,
            "source": "",
            "citation": "",
            **changes,
        },
    )


POINT = {"E": 1.5, "A": 8.0, "B": 3.0, "alpha": 0.4, "beta": 0.25}


@pytest.mark.parametrize(
    "cdf",
    [
        logistic(u),
        logistic(u / 2) / 4 + 3 * logistic(3 * u - 1) / 4,
        ((1 + sympy.tanh(u)) / 2).rewrite(sympy.exp),
        logistic(u) + logistic(u) * (1 - logistic(u)) / 2,
    ],
    ids=["logistic", "mixture", "tanh", "bent"],
)
def test_a_law_made_of_a_crossover_has_it(cdf):
    law = from_crossover(cdf)
    rng = np.random.default_rng(2)
    function = sympy.lambdify(u, cdf, "mpmath")
    for _ in range(4):
        N_, D_ = np.exp(rng.uniform(0, 12, 2))
        found = float(law.loss(N=N_, D=D_, **POINT)) - POINT["E"]
        first = POINT["A"] * N_ ** -POINT["alpha"]
        second = POINT["B"] * D_ ** -POINT["beta"]
        place = np.log(second / first) / POINT["beta"]
        # ln W = beta int_{-oo}^{ln x} F, by quadrature.
        area = (
            float(mpmath.quad(function, [-60, -20, -5, place]))
            if place > -5
            else float(mpmath.quad(function, [-80, -40, place]))
        )
        assert np.log(found / first) == pytest.approx(POINT["beta"] * area, abs=1e-9)


def test_only_a_mixture_of_rising_steps_is_proved_to_be_monotone_and_convex():
    proved = {v.code for v in check(from_crossover(logistic(u))) if v.status is Status.PROVED}
    assert {"A0", "A1", "A2", "A3"} <= proved
    assert "A2" in laws.crossover.by_construction
    # s + k s (1 - s)/2 rises only for k <= 2, which no sample of parameters shows.
    k = s.shape("k", "bend")
    step = logistic(u)
    bent = from_crossover(step + k.symbol / 2 * step * (1 - step), parameters=(k,))
    assert set(bent.by_construction) == {"A0"}
    weight = s.shape("p", "a fraction", domain=Domain.UNIT)
    mixed = from_crossover(
        weight * logistic(u) + (1 - weight.symbol) * logistic(2 * u), parameters=(weight,)
    )
    assert set(mixed.by_construction) == {"A0", "A1", "A2", "A3"}


def test_a_mixture_of_steps_is_recognized_and_anything_else_is_not():
    assert len(mixture(logistic(u) / 3 + 2 * logistic(u - 1) / 3, u)) == 2
    assert mixture(sympy.exp(-sympy.exp(-u)), u) is None


def test_a_function_that_falls_is_no_distribution():
    with pytest.raises(LawError, match=r"^F\(u\) = .* falls near u = .*; a CDF must not\.$"):
        from_crossover(1 - logistic(u))
    with pytest.raises(LawError, match="falls near"):
        from_crossover(2 * logistic(2 * u) - logistic(u))


@pytest.mark.parametrize(
    ("cdf", "ends"),
    [
        (logistic(u) / 2, "0 to 0.5"),
        ((1 + logistic(u)) / 2, "0.5 to 1"),
        (2 * logistic(u), "0 to 2"),
    ],
    ids=str,
)
def test_a_function_that_does_not_run_from_0_to_1_is_no_distribution(cdf, ends):
    with pytest.raises(LawError) as caught:
        from_crossover(cdf)
    assert " runs from " in str(caught.value)
    assert str(caught.value).endswith("; a CDF runs from 0 to 1.")
    assert f"to {ends.split()[-1]};" in str(caught.value)


def test_a_crossover_whose_integral_has_no_rule_is_refused():
    # The integral of a Gumbel distribution is an exponential integral.
    with pytest.raises(LawError, match=r"no log-domain rule|is not known"):
        from_crossover(sympy.exp(-sympy.exp(-u)))


@pytest.mark.parametrize("name", ["power", "repeated_data", "farseer", "krajewski"])
def test_a_law_that_is_not_homogeneous_in_two_sizes_has_no_scaling_function(name):
    law = laws.get(name)
    names = ", ".join(r.name for r in law.resources)
    with pytest.raises(TheoryError) as caught:
        generator(law, x)
    assert str(caught.value) == (
        f"law '{name}' in {names} has no scaling function W(x); a law in two sizes that obeys the "
        "scaling equation is needed."
    )


# --- random features at the optimal ridge


def w_rf(a, at):
    """W_RF by minimising the ridge as in THEORY_LAWS 3.3, written with mpmath alone."""
    beta_ = (1 - a) * (2 + a) / (1 + a)
    root = (1 + at + mpmath.sqrt((1 + at) ** 2 + 4 * beta_ / a * at)) / 2
    k = a / (1 + a)
    return root**a * (1 - k) / (1 - k * (1 + at) / root + (2 * k - 1) * at / root**2)


def generator_rf():
    found = generator(laws.random_features, x)
    law = laws.random_features
    ones = {p.symbol: 1 for p in law.parameters if p.name in ("A", "B")}
    return found.subs(ones), next(p.symbol for p in law.parameters if p.name == "alpha")


@pytest.mark.parametrize("exponent", ["0.1", "0.5", "1", "1.7"])
def test_the_random_feature_scaling_function_is_the_closed_form(exponent):
    found, symbol = generator_rf()
    function = sympy.lambdify([symbol, x], found, "mpmath")
    with mpmath.workdps(40):
        a = mpmath.mpf(exponent)
        for at in ("0.001", "0.4", "1", "20"):
            at = mpmath.mpf(at)
            assert abs(function(a, at) / w_rf(a, at) - 1) < mpmath.mpf(10) ** -35
            # Symmetric under duality: W(1/x) = x^-alpha W(x).
            assert abs(function(a, 1 / at) * at**a / function(a, at) - 1) < mpmath.mpf(10) ** -35


@pytest.mark.parametrize("exponent", ["0.1", "0.5", "1", "1.7"])
def test_the_random_feature_scaling_function_begins_as_1_plus_x(exponent):
    found, symbol = generator_rf()
    function = sympy.lambdify([symbol, x], found, "mpmath")
    with mpmath.workdps(60):
        a, tiny = mpmath.mpf(exponent), mpmath.mpf(10) ** -20
        assert abs(function(a, tiny**2) - 1) < mpmath.mpf(10) ** -38
        assert abs((function(a, tiny) - 1) / tiny - 1) < mpmath.mpf(10) ** -17


def test_the_random_feature_scaling_function_is_1_plus_x_at_exponent_1():
    found, symbol = generator_rf()
    assert sympy.simplify(found.subs(symbol, 1) - (1 + x)) == 0
