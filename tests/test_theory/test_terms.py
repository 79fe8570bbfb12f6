"""Closed-form laws are read as floor + (sum of monomials)^outer."""

import numpy as np
import pytest
import sympy

from theory import laws
from theory import symbols as s
from theory.errors import LawError
from theory.law import Law
from theory.symbols import D, N
from theory.terms import decompose

CLOSED = [law for law in laws.catalogue().values() if isinstance(law, Law)]

e, a, b = s.floor(), s.amplitude("A", of=N), s.amplitude("B", of=D)
alpha, beta = s.exponent("alpha", of=N), s.exponent("beta", of=D)
q = s.shape("q", "a test")


def read(formula, *parameters, floor=None, resources=(N, D)):
    return decompose(
        sympy.sympify(formula), floor=floor, resources=resources, parameters=parameters
    )


@pytest.mark.parametrize("law", CLOSED, ids=lambda law: law.name)
def test_the_terms_put_together_again_are_the_formula(law):
    rng = np.random.default_rng(0)
    parts = law.decomposition
    total = sum(term.amplitude.symbol**term.power * term.rest for term in parts.terms)
    again = total**parts.outer + (law.floor.symbol if law.floor is not None else 0)
    for _ in range(3):
        point = {
            symbol: sympy.Float(rng.uniform(0.2, 3), 40) for symbol in law.formula.free_symbols
        }
        # 40 digits leave at least 30 after the powers.
        difference = (again / law.formula).subs(point).evalf(40) - 1
        assert abs(difference) < 1e-30


@pytest.mark.parametrize("law", CLOSED, ids=lambda law: law.name)
def test_each_term_falls_with_its_resources_at_its_orders(law):
    for term in law.decomposition.terms:
        for resource in law.resources:
            rate = -resource.symbol * sympy.diff(sympy.log(term.rest), resource.symbol)
            expected = sympy.sympify(term.orders.get(resource, 0))
            assert sympy.simplify(rate - expected) == 0


def test_chinchilla_is_read_as_two_terms_in_the_order_of_the_resources():
    parts = laws.chinchilla.decomposition
    assert parts.outer == 1
    assert [term.label for term in parts.terms] == ["N", "D"]
    assert [term.amplitude.name for term in parts.terms] == ["A", "B"]
    assert [term.power for term in parts.terms] == [1, 1]
    assert parts.terms[0].orders == {N: alpha.symbol}
    assert parts.terms[1].orders == {D: beta.symbol}


def test_kaplan_and_share_are_read_with_an_outer_power():
    alpha_n, alpha_d = sympy.symbols("alpha_N alpha_D", positive=True)
    kaplan = laws.kaplan.decomposition
    assert kaplan.outer == alpha_d
    assert [term.power for term in kaplan.terms] == [alpha_n / alpha_d, 1]
    assert [term.orders for term in kaplan.terms] == [{N: alpha_n / alpha_d}, {D: 1}]
    share = laws.share.decomposition
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
        read(e + a * N**-alpha, e, a, b, alpha, floor=e)
