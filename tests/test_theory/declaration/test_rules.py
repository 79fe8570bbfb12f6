"""Signs and log-log curvature by rules: what they claim is true, and all that they should."""

import mpmath
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from theory.declaration import symbols as s
from theory.declaration.rules import Curvature, Slope, shape, sign_of
from theory.declaration.symbols import D, Domain, N

x, y = N.symbol, D.symbol
A, B = s.amplitude("A", of=N), s.amplitude("B", of=D)
alpha, beta = s.exponent("alpha", of=N), s.exponent("beta", of=D)
p, q = (s.shape(name, "a fraction", domain=Domain.UNIT) for name in ("p", "q"))
z = s.shape("z", "any number", domain=Domain.REAL)
PARAMETERS = (A, B, alpha, beta, p, q, z)
SYMBOLS = [x, y]


def of(expr):
    return shape(expr, SYMBOLS, PARAMETERS)


def second_differences(expr, at_x, at_y):
    """Second differences of ``ln expr`` in 40 digits, along four directions of ``(ln x, ln y)``."""
    log = log_of(expr, at_x, at_y)
    with mpmath.workdps(40):
        h = mpmath.mpf(10) ** -8
        return [
            (log(h * a, h * b) - 2 * log(0, 0) + log(-h * a, -h * b)) / h**2
            for a, b in ((1, 0), (0, 1), (1, 1), (2, -1), (1, -3))
        ]


def log_of(expr, at_x, at_y):
    """``ln expr`` as a function of shifts of ``ln x`` and ``ln y``."""
    function = sympy.lambdify(SYMBOLS, expr, "mpmath")
    start = [mpmath.mpf(int(at.p)) / int(at.q) for at in (at_x, at_y)]
    return lambda u, v: mpmath.log(function(start[0] * mpmath.exp(u), start[1] * mpmath.exp(v)))


def slopes_at(expr, at_x, at_y):
    log = log_of(expr, at_x, at_y)
    with mpmath.workdps(40):
        h = mpmath.mpf(10) ** -12
        return [(log(h * a, h * b) - log(-h * a, -h * b)) / (2 * h) for a, b in ((1, 0), (0, 1))]


rational = st.fractions(min_value=-2, max_value=2, max_denominator=4).map(
    lambda r: sympy.Rational(r.numerator, r.denominator)
)
positive = st.integers(1, 9).map(sympy.Integer)
monomials = st.builds(lambda k, r1, r2: k * x**r1 * y**r2, positive, rational, rational)
posynomials = st.lists(monomials, min_size=1, max_size=3).map(lambda terms: sympy.Add(*terms))
convex = st.builds(
    lambda one, two, power: (one * two) ** power + one,
    posynomials,
    posynomials,
    rational.filter(lambda r: r > 0),
)
anything = st.one_of(
    posynomials,
    convex,
    st.builds(lambda one, two: one / two, posynomials, posynomials),
    st.builds(lambda one: one ** sympy.Rational(-1, 2), posynomials),
    st.builds(lambda one, two: sympy.exp(one - two), monomials, monomials),
    st.builds(lambda one, two: 1 / (1 / one + 1 / two), posynomials, posynomials),
)
places = st.tuples(st.integers(1, 30), st.integers(1, 30)).map(
    lambda at: (sympy.Rational(at[0], 5), sympy.Rational(at[1], 5))
)


@settings(max_examples=25, deadline=None)
@given(convex, places)
def test_a_generated_posynomial_is_proved_convex_and_its_second_differences_agree(expr, at):
    found = of(expr)
    assert found is not None
    assert found.is_convex
    assert min(second_differences(expr, *at)) >= -1e-12


@settings(max_examples=40, deadline=None)
@given(anything, places)
def test_whatever_the_rules_claim_of_a_generated_expression_is_true(expr, at):
    found = of(expr)
    if found is None:
        return
    bends = second_differences(expr, *at)
    if found.curvature in (Curvature.CONVEX, Curvature.AFFINE):
        assert min(bends) >= -1e-12
    if found.curvature in (Curvature.CONCAVE, Curvature.AFFINE):
        assert max(bends) <= 1e-12
    for got, symbol in zip(slopes_at(expr, *at), SYMBOLS, strict=True):
        claimed = found.slopes[symbol]
        if claimed is Slope.FLAT:
            assert abs(got) < 1e-12
        if claimed is Slope.RISING:
            assert got > -1e-12
        if claimed is Slope.FALLING:
            assert got < 1e-12


@pytest.mark.parametrize(
    ("expr", "sign"),
    [
        (sympy.Integer(3), 1),
        (sympy.Integer(0), 0),
        (-alpha.symbol, -1),
        (alpha / (1 + alpha.symbol), 1),
        (1 - p.symbol, 1),
        (p - 1, -1),
        ((1 - p.symbol) * q, 1),
        (p - p**2, 1),
        (1 / p - 1, 1),
        (sympy.sqrt(1 - p.symbol), 1),
        (1 - 2 * p.symbol, None),
        (p - q.symbol, None),
        (alpha - beta.symbol, None),
        (1 - alpha.symbol, None),
        (z.symbol, None),
        (sympy.exp(z.symbol), 1),
        (z.symbol**2 + 1, 1),
        (sympy.Min(alpha.symbol, 1 + beta.symbol), 1),
    ],
    ids=str,
)
def test_the_sign_of_an_expression_in_parameters(expr, sign):
    assert sign_of(expr, PARAMETERS) == sign


def test_only_a_parameter_that_lives_between_0_and_1_is_less_than_1():
    plain = s.shape("p", "a positive number")
    assert sign_of(1 - plain.symbol, [plain]) is None
    assert sign_of(1 - p.symbol, [p]) == 1
    # Another power of the same claim: x^(1 - p) rises only for a fraction.
    assert shape(x ** (1 - p.symbol), SYMBOLS, [p]).slopes[x] is Slope.RISING
    assert shape(x ** (1 - p.symbol), SYMBOLS, [plain]).slopes[x] is Slope.UNKNOWN


@pytest.mark.parametrize(
    ("expr", "curvature", "in_x", "in_y"),
    [
        (A * x**-alpha * y**z.symbol, "affine", "FALLING", "UNKNOWN"),
        (A * x**-alpha + B * y**-beta, "convex", "FALLING", "FALLING"),
        ((A * x**-alpha + B * y**-beta) ** alpha.symbol, "convex", "FALLING", "FALLING"),
        (1 / (x + y), "concave", "FALLING", "FALLING"),
        (x * y / (x + y), "concave", "UNKNOWN", "UNKNOWN"),
        ((1 + x) / (1 + y), "unknown", "RISING", "FALLING"),
        (sympy.Max(x, y**2), "convex", "RISING", "RISING"),
        (sympy.Min(x, 1 / y), "concave", "RISING", "FALLING"),
        ((1 + x) ** z.symbol, "unknown", "UNKNOWN", "FLAT"),
        (x**z.symbol, "affine", "UNKNOWN", "FLAT"),
        ((1 + x) ** sympy.Integer(0) * y, "affine", "FLAT", "RISING"),
        (x**x, "unknown", "UNKNOWN", "UNKNOWN"),
        # exp: log exp(a) = a, with a a sum of signed monomials.
        (sympy.exp(x), "convex", "RISING", "FLAT"),
        (sympy.exp(A * x**-alpha), "convex", "FALLING", "FLAT"),
        (sympy.exp(-x), "concave", "FALLING", "FLAT"),
        (sympy.exp(x - y), "unknown", "RISING", "FALLING"),
        (sympy.exp(x + 1 / y), "convex", "RISING", "FALLING"),
        (sympy.exp(z.symbol) * x, "affine", "RISING", "FLAT"),
        (sympy.exp(z + x), "convex", "RISING", "FLAT"),
        (sympy.exp(z * x), "unknown", "UNKNOWN", "UNKNOWN"),
        (sympy.exp(z * sympy.log(x)), "unknown", "UNKNOWN", "UNKNOWN"),
        (1 + sympy.exp(A * x**-alpha) * y**-beta, "convex", "FALLING", "FALLING"),
    ],
    ids=str,
)
def test_the_shape_of_an_expression(expr, curvature, in_x, in_y):
    found = of(expr)
    assert found is not None
    assert found.curvature.value == curvature
    assert (found.slopes[x].name, found.slopes[y].name) == (in_x, in_y)


@pytest.mark.parametrize(
    "expr",
    [
        A * x**-alpha - B * y**-beta,
        1 - sympy.exp(-x),
        -x,
        z * x,
        sympy.log(x),
        x - x**2,
        (1 - x) ** alpha.symbol,
        x + z,
        sympy.sin(x),
        (x - y) * (x + y),
        1 / (x - y),
        sympy.Max(x - 1, y),
    ],
    ids=str,
)
def test_nothing_is_claimed_of_what_may_not_be_positive(expr):
    assert of(expr) is None


def test_a_sum_of_concave_functions_is_monotone_but_of_unknown_curvature():
    found = of(1 / (1 + x) + 1 / (1 + 1 / y))
    assert found.curvature is Curvature.UNKNOWN
    assert not found.is_convex
    assert (found.slopes[x], found.slopes[y]) == (Slope.FALLING, Slope.RISING)


def test_a_falling_function_of_a_falling_function_rises():
    found = of(1 / (1 + 1 / x))
    assert found.slopes[x] is Slope.RISING
    assert found.curvature is Curvature.CONCAVE
