"""Homogeneity as dimensional analysis, against Euler's theorem and against rescaling itself."""

import mpmath
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from theory.declaration.degrees import homogeneity, solve_degrees, vanishes

n, d, g = sympy.symbols("n d g", positive=True)
a, b, c = sympy.symbols("a b c", positive=True)
A, B = sympy.symbols("A B", positive=True)
W = sympy.Function("W")
ONE, TWO, FIVE = (sympy.Integer(k) for k in (1, 2, 5))

exponents = st.fractions(min_value=-3, max_value=3, max_denominator=6).map(
    lambda q: sympy.Rational(q.numerator, q.denominator)
)


def euler(expr, degrees):
    """``sum_s d_s s df/ds / f``: the degree, if there is one, by Euler's theorem."""
    return sympy.Add(*(k * s * sympy.diff(expr, s) for s, k in degrees.items())) / expr


def test_a_product_of_powers_has_the_sum_of_the_degrees_of_its_factors():
    found = homogeneity(3 * n**a * d**-b * g, {n: TWO, d: FIVE})
    assert found.conditions == ()
    assert sympy.expand(found.degree - (2 * a - 5 * b)) == 0
    assert found.holds(2 * a - 5 * b)
    assert not found.holds(2 * a)


def test_a_sum_has_a_degree_where_its_terms_share_one_and_only_there():
    law = A * n**a + B * d**b
    assert homogeneity(law, {n: 1 / a, d: 1 / b}).holds(1)
    assert not homogeneity(law, {n: 1 / a, d: 1 / a}).holds(1)
    assert not homogeneity(law + 1, {n: 1 / a, d: 1 / b}).holds(1)


def test_a_power_multiplies_and_the_degree_may_hang_on_nested_powers():
    kaplan = (n ** (a / b) + d) ** b
    assert homogeneity(kaplan, {n: 1 / a, d: 1 / b}).holds(1)
    assert homogeneity(kaplan**c, {n: 1 / a, d: 1 / b}).holds(c)


def test_the_larger_of_two_terms_scales_as_they_do():
    for larger in (sympy.Max, sympy.Min):
        assert homogeneity(larger(n**a, d**b), {n: 1 / a, d: 1 / b}).holds(1)
        assert not homogeneity(larger(n**a, d**b), {n: ONE, d: ONE}).holds(1)


@pytest.mark.parametrize("function", [sympy.exp, sympy.log, W], ids=str)
def test_a_function_scales_only_where_its_argument_is_invariant(function):
    degrees = {n: a, d: b}
    assert homogeneity(n * function(d / n ** (b / a)), degrees).holds(a)
    assert not homogeneity(n * function(d), degrees).holds(a)


def test_an_exponent_must_be_invariant():
    assert homogeneity(n ** (g * a), {n: ONE}).holds(g * a)
    assert not homogeneity(g**n, {n: ONE}).holds(0)
    assert not homogeneity(n**n, {n: ONE}).holds(n)


def test_what_does_not_scale_has_degree_zero():
    assert homogeneity(A + sympy.log(B), {n: ONE}).holds(0)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 9), exponents), min_size=1, max_size=4),
    exponents.filter(lambda q: q != 0),
    exponents.filter(lambda q: q != 0),
    exponents,
    exponents,
)
def test_rescaling_a_generated_law_multiplies_it_by_the_power_that_is_its_degree(
    terms, scale_n, scale_d, degree, outer
):
    # Every term k n^p d^q with p scale_n + q scale_d = degree, then a power of the sum.
    law = sympy.Add(*(k * n ** ((degree - q * scale_d) / scale_n) * d**q for k, q in terms))
    law = law**outer
    found = homogeneity(law, {n: scale_n, d: scale_d})
    assert found.holds(degree * outer)
    function = sympy.lambdify([n, d], law, "mpmath")
    with mpmath.workdps(50):
        factor, at_n, at_d = mpmath.mpf(7) / 3, mpmath.mpf(13) / 10, mpmath.mpf(17) / 10
        power = [mpmath.mpf(int(q.p)) / int(q.q) for q in (scale_n, scale_d, degree * outer)]
        moved = function(at_n * factor ** power[0], at_d * factor ** power[1])
        want = function(at_n, at_d) * factor ** power[2]
        assert abs(moved / want - 1) < mpmath.mpf(10) ** -45


@settings(max_examples=60, deadline=None)
@given(exponents, exponents, exponents, exponents)
def test_a_sum_of_two_monomials_is_homogeneous_exactly_where_euler_says_so(p, q, scale_n, scale_d):
    law = n**p * d**q + n * d
    degrees = {n: scale_n, d: scale_d}
    degree = scale_n + scale_d
    solves = sympy.simplify(euler(law, degrees) - degree) == 0
    assert homogeneity(law, degrees).holds(degree) == solves


def test_a_rational_expression_that_is_zero_after_cancelling_vanishes():
    assert vanishes(a / (1 + a) + 1 / (1 + a) - 1)
    assert not vanishes(a / (1 + a) + 1 / (1 + b) - 1)


def test_the_degrees_of_an_additive_law_are_solved_for():
    solved = solve_degrees(A * n**-a + B * d**-b, [n, d], 1, {})
    assert solved is not None
    assert solved.degrees == {n: -1 / a, d: -1 / b}
    assert solved.free == ()


def test_the_degrees_of_amplitudes_absorb_a_change_of_unit():
    solved = solve_degrees(A * n**-a + B * d**-b, [A, B], 0, {n: ONE})
    assert solved is not None
    assert solved.degrees == {A: a, B: 0}


def test_a_law_with_a_scale_of_its_own_has_no_degrees():
    assert solve_degrees(A * (1 + n) ** -a, [n], 1, {}) is None
    assert solve_degrees(n**-a + n**-b, [n], 1, {}) is None
    assert solve_degrees(n**-a * sympy.log(n), [n], 1, {}) is None


def test_a_degree_that_the_law_leaves_open_is_reported_and_set_to_zero():
    solved = solve_degrees(A * n**-a * d**-b, [n, d], 1, {})
    assert solved is not None
    assert solved.free == (d,)
    assert solved.degrees == {n: -1 / a, d: 0}
