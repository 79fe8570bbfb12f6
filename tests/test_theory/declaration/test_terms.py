"""A law's kernel is read as terms with one amplitude each, put together by its split."""

import mpmath
import numpy as np
import pytest
import sympy

from theory import laws
from theory.admissibility.sampling import draw_log_resources, draw_parameter, draw_parameters
from theory.declaration import symbols as s
from theory.declaration.abstract_law import KERNEL
from theory.declaration.forward import ForwardLaw
from theory.declaration.law import Law
from theory.declaration.symbols import D, N, experts
from theory.declaration.terms import (
    Contour,
    Decomposition,
    Generator,
    decompose,
    monomial_powers,
    read_terms,
)
from theory.errors import LawError

CATALOGUE = list(laws.catalogue().values())
FORMULAS = [law for law in CATALOGUE if not isinstance(law, ForwardLaw)]
every = pytest.mark.parametrize("law", CATALOGUE, ids=lambda law: law.name)

ROUNDING = 1e-12
"""A few dozen roundings of logs up to about 100."""

e, a, b = s.floor(), s.amplitude("A", of=N), s.amplitude("B", of=D)
alpha, beta = s.exponent("alpha", of=N), s.exponent("beta", of=D)
q = s.shape("q", "a test")


def read(kernel, *parameters, resources=(N, D)):
    return decompose(sympy.sympify(kernel), resources=resources, parameters=parameters)


def put_together(split):
    """The expression that the terms make, in the resources, parameters and the kernel."""
    terms = [term.expression for term in split.terms]
    if isinstance(split, Generator):
        return terms[0] * split.generator.subs(split.ratio, terms[1] / terms[0])
    return sympy.Add(*terms) ** (split.outer if isinstance(split, Decomposition) else 1)


def draw_point(law, rng):
    """A value of every symbol in the kernel, of order one unless the law expects another."""
    point = {KERNEL: mpmath.mpf(rng.uniform(0.5, 3))}
    for r in law.resources:
        point[r.symbol] = mpmath.mpf(rng.uniform(*(r.typical or (0.2, 3))))
    for p in law.parameters:
        drawn = draw_parameter(p, rng) if p.of is None else rng.uniform(0.2, 3)
        point[p.symbol] = mpmath.mpf(drawn)
    return point


@pytest.mark.parametrize("law", FORMULAS, ids=lambda law: law.name)
def test_the_terms_put_together_again_are_the_kernel(law):
    rng = np.random.default_rng(0)
    point = draw_point(law, rng)
    again = sympy.lambdify(list(point), put_together(law.split), "mpmath")
    want = sympy.lambdify(list(point), law.relation, "mpmath")
    for _ in range(3):
        values = draw_point(law, rng).values()
        # 40 digits leave at least 30 after the powers.
        with mpmath.workdps(40):
            assert abs(again(*values) / want(*values) - 1) < 1e-30


@every
def test_each_term_holds_its_one_amplitude(law):
    amplitudes = [p for p in law.parameters if p.role is s.Role.AMPLITUDE]
    assert sorted(t.amplitude.name for t in law.split.terms) == sorted(p.name for p in amplitudes)
    labels = [term.label for term in law.split.terms]
    assert len(set(labels)) == len(labels)
    for term in law.split.terms:
        assert term.amplitude.symbol not in term.rest.free_symbols
        assert law.split.whole


@every
def test_each_term_falls_with_its_resources_at_its_orders(law):
    for term in law.split.terms:
        for resource in law.resources:
            rate = -resource.symbol * sympy.diff(sympy.log(term.rest), resource.symbol)
            expected = sympy.sympify(term.orders.get(resource, 0))
            # What stands in a term otherwise than as a power is said to be loose.
            power = sympy.simplify(rate - expected) == 0
            assert power == (resource not in term.loose), (term.label, resource.name)


@every
def test_the_split_gives_the_kernel_of_the_law(law):
    rng = np.random.default_rng(1)
    for _ in range(3):
        draw = draw_parameters(law, rng)
        resources = draw_log_resources(law, draw, rng, reach=3.0, count=5)
        env = {**draw.parameters, **resources}
        want = law.log_kernel(draw.parameters, resources, np)
        got = law.split.log_kernel(env, np)
        np.testing.assert_allclose(got, want, rtol=ROUNDING, atol=ROUNDING)
        if isinstance(law.split, Contour):
            log_terms = [t.log_value({**env, KERNEL.name: got}, np) for t in law.split.terms]
            np.testing.assert_allclose(np.exp(log_terms).sum(axis=0), 1.0, rtol=10 * ROUNDING)


@every
def test_shares_and_amplitudes_lead_to_each_other(law):
    rng = np.random.default_rng(2)
    draw = draw_parameters(law, rng)
    env = {**draw.parameters, **draw.log_pivot}
    log_kernel = law.split.log_kernel(env, np)
    log_shares = law.split.to_shares(log_kernel, env, np)
    assert np.exp(log_shares).sum() == pytest.approx(1.0, rel=ROUNDING)
    amplitudes = {term.amplitude.name for term in law.split.terms}
    bare = {name: v for name, v in env.items() if name not in amplitudes}
    again = law.split.to_amplitudes(log_kernel, log_shares, bare, np)
    assert set(again) == amplitudes
    for name, log_amplitude in again.items():
        # An amplitude is a term's root of degree down to 0.05.
        assert log_amplitude == pytest.approx(env[name], rel=20 * ROUNDING, abs=20 * ROUNDING)


def test_chinchilla_is_read_as_two_terms_in_the_order_of_the_resources():
    parts = laws.chinchilla.split
    assert parts.outer == 1
    assert [term.label for term in parts.terms] == ["N", "D"]
    assert [term.amplitude.name for term in parts.terms] == ["A", "B"]
    assert [term.power for term in parts.terms] == [1, 1]
    assert parts.terms[0].orders == {N: alpha.symbol}
    assert parts.terms[1].orders == {D: beta.symbol}


def test_kaplan_and_share_are_read_with_an_outer_power():
    alpha_n, alpha_d = sympy.symbols("alpha_N alpha_D", positive=True)
    kaplan = laws.kaplan.split
    assert kaplan.outer == alpha_d
    assert [term.power for term in kaplan.terms] == [alpha_n / alpha_d, 1]
    assert [term.orders for term in kaplan.terms] == [{N: alpha_n / alpha_d}, {D: 1}]
    share = laws.share.split
    assert share.outer == 1 / q
    assert [term.power for term in share.terms] == [q.symbol, q.symbol]
    assert [term.orders for term in share.terms] == [{N: alpha * q}, {D: beta * q}]


def test_a_term_in_two_resources_is_labelled_by_both():
    parts = read(a * N**-alpha * D**-beta, a, alpha, beta)
    (term,) = parts.terms
    assert term.label == "ND"
    assert term.orders == {N: alpha.symbol, D: beta.symbol}


def test_nested_powers_are_multiplied_out():
    parts = read((a * N**-alpha) ** q.symbol + b / D, a, b, alpha, q)
    first = parts.terms[0]
    assert first.power == q.symbol
    assert first.orders == {N: alpha * q}


def test_a_rising_term_has_a_negative_order():
    parts = read(a * N**-alpha + b * N**beta.symbol, a, b, alpha, beta, resources=(N,))
    assert {term.orders[N] for term in parts.terms} == {alpha.symbol, -beta.symbol}


def test_a_term_without_an_amplitude_is_refused():
    with pytest.raises(LawError, match=r"^the term 'D\*\*\(-beta\)' has 0 amplitudes, but pivot"):
        read(a * N**-alpha + D**-beta, a, alpha, beta)


def test_a_term_with_two_amplitudes_is_refused():
    with pytest.raises(LawError, match=r"has 2 amplitudes, .* declare the other factors with role"):
        read(a * b * N**-alpha, a, b, alpha)


def test_an_amplitude_that_stands_in_no_term_of_its_own_is_refused():
    with pytest.raises(LawError, match=r"^amplitude B is declared but stands in no term of"):
        read(a * N**-alpha, e, a, b, alpha)


def test_an_amplitude_that_stands_in_two_terms_is_refused():
    with pytest.raises(LawError, match=r"^amplitude A is declared but stands in several terms of"):
        read(a * N**-alpha + a * D**-beta, a, alpha, beta)


def test_an_amplitude_that_is_more_than_a_factor_is_refused():
    with pytest.raises(LawError, match=r"^amplitude A stands twice in the term"):
        read(a * N ** -(alpha * a), a, alpha)


def test_a_law_without_one_amplitude_to_a_term_has_no_chart_but_a_loss():
    law = Law(
        name="bare",
        title="a test",
        resources=(N, D),
        parameters=(e, a, alpha, beta),
        formula=e + a * N**-alpha + D**-beta,
        floor=e,
        source="test",
        citation="test",
    )
    assert not law.has_chart
    assert law.loss(N=1e4, D=1e2, E=1.0, A=2.0, alpha=0.5, beta=0.5) == pytest.approx(1.12)
    assert all(other.has_chart for other in CATALOGUE)


def test_a_resource_inside_a_sum_or_an_exponent_is_loose():
    rate = alpha + sympy.log(experts.symbol)
    (term,) = read(a * N.symbol**-rate, a, alpha, resources=(N, experts)).terms
    assert term.loose == {experts}
    assert term.orders == {N: rate}
    (term,) = read(a * (1 + N) ** -alpha.symbol / D, a, alpha).terms
    assert term.loose == {N}
    assert term.orders == {D: 1}


def test_terms_in_the_same_resources_are_labelled_by_their_amplitudes():
    c = s.amplitude("F", of=N)
    parts = read(a * N**-alpha + c * N**-beta + b * D**-beta, a, b, c, alpha, beta)
    assert [term.label for term in parts.terms] == ["N_A", "N_F", "D"]


def test_the_factors_of_a_product_are_told_with_their_powers():
    x, y = sympy.symbols("x y", positive=True)
    assert monomial_powers((x**2 / y) ** q.symbol * x) == {x: 2 * q + 1, y: -q}
    assert monomial_powers(sympy.sqrt(x * (1 + y))) == {x: sympy.S.Half, 1 + y: sympy.S.Half}


def test_the_harmonic_law_is_read_as_a_contour():
    split = laws.harmonic.split
    assert isinstance(split, Contour)
    assert [term.label for term in split.terms] == ["N", "D"]
    assert [term.orders for term in split.terms] == [{N: 1}, {D: 1}]


def test_a_contour_is_solved_for_terms_of_any_size():
    # (a/ell)^p + (b/ell)^p = 1 has the solution (a^p + b^p)^(1/p).
    c, d, p = sympy.symbols("c d p", positive=True)
    one, two = s.amplitude("c", of=N), s.amplitude("d", of=D)
    contour = (c / KERNEL) ** p + (d / KERNEL) ** p
    split = Contour(read_terms(contour, resources=(N, D), parameters=(one, two)), KERNEL)
    log_c = np.array([-300.0, -1.0, 0.0, 1.0, 500.0])[:, None]
    for power in (0.1, 1.0, 7.0):
        for log_d in (-50.0, 0.0, 0.5, 500.0):
            got = split.log_kernel({"c": log_c, "d": log_d, "p": np.log(power)}, np)
            want = np.logaddexp(power * log_c, power * log_d) / power
            np.testing.assert_allclose(got, want, rtol=ROUNDING, atol=ROUNDING)


def test_the_contour_of_kaplan_with_batch_size_is_solved_far_from_the_start():
    # B so small that the critical batch size, a power of the kernel, takes over the second term.
    law = laws.kaplan_batch
    logs = law.logs(
        {"N_c": 6.5e13, "S_c": 2100.0, "B_star": 2.1e8, "alpha_N": 0.077, "alpha_S": 0.76}
        | {"alpha_B": 0.21},
        parameters_only=True,
    )
    ends = np.array([0.0, 20.0, 40.0, 60.0])
    sizes = dict(zip("NSB", np.meshgrid(ends, ends, ends), strict=True))
    log_kernel = law.log_kernel(logs, sizes, np)
    terms = [t.log_value({**logs, **sizes, KERNEL.name: log_kernel}, np) for t in law.split.terms]
    np.testing.assert_allclose(np.logaddexp(*terms), 0.0, atol=1e-10)
    # A larger batch at the same number of steps never hurts.
    assert np.all(np.diff(log_kernel, axis=2) <= 0)
