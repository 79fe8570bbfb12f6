"""Declaring a law: the refusals, evaluation in the user's units, and what a declaration gives."""

import math

import numpy as np
import pytest
import sympy

from bayescale.distributions.prior import Prior
from bayescale.models.model import Model
from theory import laws
from theory.admissibility.sampling import draw_parameters
from theory.declaration import symbols as s
from theory.declaration.abstract_law import KERNEL
from theory.declaration.contour import ContourLaw
from theory.declaration.law import Law
from theory.declaration.links import Identity, Odds
from theory.declaration.symbols import C, D, Domain, N, Parameter, Role
from theory.errors import LawError

ROUNDING = 1e-12
"""A dozen operations in double precision."""

e, a, b = s.floor(), s.amplitude("A", of=N), s.amplitude("B", of=D)
alpha, beta = s.exponent("alpha", of=N), s.exponent("beta", of=D)

POINT = {"N": 1e9, "D": 2e10, "E": 1.7, "A": 400.0, "B": 410.0, "alpha": 0.34, "beta": 0.28}


def declare(**changes):
    declaration = {
        "name": "test",
        "title": "a test",
        "resources": (N, D),
        "parameters": (e, a, b, alpha, beta),
        "formula": e + a * N**-alpha + b * D**-beta,
        "floor": e,
        "weights": {N: alpha.symbol, D: beta.symbol},
        "source": "test",
        "citation": "test",
    }
    return Law(**{**declaration, **changes})


def implicit(**changes):
    declaration = {
        "name": "test",
        "title": "a test",
        "resources": (N, D),
        "parameters": (e, a, b, alpha),
        "contour": a * N**-alpha / KERNEL + (b / (D * KERNEL)) ** 2,
        "floor": e,
        "source": "test",
        "citation": "test",
    }
    return ContourLaw(**{**declaration, **changes})


# --- refusals


def test_a_symbol_of_the_formula_must_be_declared():
    with pytest.raises(LawError) as caught:
        declare(parameters=(e, a, b, alpha))
    assert str(caught.value) == (
        "law 'test': beta must stand both in the formula and among the declared resources and "
        "parameters."
    )


def test_a_declared_quantity_must_stand_in_the_formula():
    with pytest.raises(LawError, match=r"^law 'test': C must stand both"):
        declare(resources=(N, D, C))


def test_a_symbol_of_the_same_name_with_another_domain_is_not_the_declared_one():
    real = sympy.Symbol("beta", real=True)
    with pytest.raises(LawError, match=r"^law 'test': beta, beta must stand both"):
        declare(formula=e + a * N**-alpha + b * D.symbol**-real)


def test_the_floor_must_have_the_role_of_one():
    with pytest.raises(LawError, match=r"^law 'test': floor A must have role FLOOR\.$"):
        declare(floor=a)


def test_the_floor_must_be_that_of_the_link():
    other = s.floor("E_0")
    with pytest.raises(LawError, match=r"^law 'test': floor E is not that of its link, E_0\.$"):
        declare(parameters=(e, other, a, b, alpha, beta), link=Identity(other))


@pytest.mark.parametrize("given", [{}, {"kernel": a * N**-alpha, "formula": a * N**-alpha}])
def test_a_law_is_given_by_its_formula_or_by_its_kernel(given):
    changes = {"formula": sympy.S.NaN, **given}
    with pytest.raises(LawError, match=r"^law 'test': give either formula= or kernel= with its"):
        declare(**changes)


def test_a_name_is_declared_once():
    with pytest.raises(LawError, match=r"^law 'test': E is declared twice\.$"):
        declare(parameters=(e, e, a, b, alpha, beta))


def test_a_parameter_of_the_link_must_be_declared():
    with pytest.raises(LawError, match=r"^law 'test': L_0 must stand both"):
        declare(formula=sympy.S.NaN, kernel=a * N**-alpha + b * D**-beta, link=Odds(e, s.cap()))


def test_a_contour_must_use_what_is_declared():
    with pytest.raises(LawError, match=r"^law 'test': beta must stand both"):
        implicit(parameters=(e, a, b, alpha, beta))


def test_every_term_of_a_contour_must_fall_with_the_kernel():
    with pytest.raises(LawError, match=r"^law 'test': the term '.*' of the contour must have a"):
        implicit(contour=a * N**-alpha / KERNEL + b / D)


def test_a_missing_and_an_unknown_name_are_both_named():
    values = {**POINT, "gama": 1.0}
    del values["D"], values["alpha"]
    with pytest.raises(LawError) as caught:
        laws.chinchilla.loss(**values)
    message = str(caught.value)
    assert message.startswith("law 'chinchilla' takes E, A, B, alpha, beta, N, D; ")
    assert message.endswith("missing here: alpha, D; not known: gama.")


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, np.inf])
@pytest.mark.parametrize("name", ["N", "alpha"])
def test_a_positive_quantity_must_be_finite_and_positive(name, bad):
    pattern = rf"^{name} of law 'chinchilla' must be finite and positive; got {bad}\.$"
    with pytest.raises(LawError, match=pattern):
        laws.chinchilla.loss(**{**POINT, name: bad})


def test_one_bad_entry_of_an_array_is_enough():
    with pytest.raises(LawError, match=r"^D of law 'chinchilla' must be finite and positive"):
        laws.chinchilla.loss(**{**POINT, "D": [1e9, 0.0]})


def test_a_real_parameter_may_be_negative_but_not_infinite():
    delta = Parameter("delta", Role.SHAPE, "a test", domain=Domain.REAL, typical=(0.0, 1.0))
    law = declare(
        resources=(N,),
        parameters=(e, a, delta),
        formula=e + a * N**delta.symbol,
        weights={N: -delta.symbol},
    )
    values = {"N": 1e4, "E": 1.0, "A": 3.0}
    assert law.loss(**values, delta=-0.5) == pytest.approx(1.0 + 3.0 / 100, rel=ROUNDING)
    with pytest.raises(LawError, match=r"^delta of law 'test' must be finite; got inf\.$"):
        law.loss(**values, delta=np.inf)


# --- evaluation


def test_the_loss_broadcasts_and_is_an_array_even_for_one_point():
    sizes = np.array([[1e8], [1e9]])
    tokens = np.array([1e9, 1e10, 1e11])
    got = laws.chinchilla.loss(**{**POINT, "N": sizes, "D": tokens})
    by_hand = 1.7 + 400.0 / sizes**0.34 + 410.0 / tokens**0.28
    np.testing.assert_allclose(got, by_hand, rtol=ROUNDING)
    one = laws.chinchilla.loss(**POINT)
    assert isinstance(one, np.ndarray)
    assert one.shape == ()


def test_a_law_on_the_odds_lies_between_its_floor_and_its_cap():
    law = declare(
        formula=sympy.S.NaN,
        floor=None,
        parameters=(e, s.cap(), a, b, alpha, beta),
        kernel=a * N**-alpha + b * D**-beta,
        link=Odds(e, s.cap()),
    )
    # The floor is that of the link.
    assert law.floor == e
    kernel = 400.0 / 1e9**0.34 + 410.0 / 2e10**0.28
    want = (1.7 + 11.0 * kernel) / (1 + kernel)
    assert law.loss(**POINT, L_0=11.0) == pytest.approx(want, rel=ROUNDING)
    assert law.degree == 1
    assert law.relation == law.kernel


def test_an_implicit_law_is_solved_for_its_loss():
    # x/ell + (y/ell)^2 = 1: ell = (x + sqrt(x^2 + 4 y^2))/2.
    law = implicit()
    x, y = 3.0 / 1e4**0.5, 40.0 / 1e3
    want = 1.5 + (x + np.sqrt(x**2 + 4 * y**2)) / 2
    got = law.loss(N=1e4, D=1e3, E=1.5, A=3.0, B=40.0, alpha=0.5)
    assert got == pytest.approx(want, rel=ROUNDING)
    assert law.degree == 0
    assert law.relation == law.contour
    assert law.weights is None
    assert law.latex().startswith("L = E + \\ell, \\quad ")
    assert law.latex().endswith(" = 1")
    assert law.formula_text() == "E + ell, A/(N**alpha*ell) + B**2/(D**2*ell**2) = 1"


@pytest.mark.parametrize(
    "law", [laws.chinchilla, laws.kaplan_batch, implicit()], ids=lambda law: law.name
)
def test_the_elasticities_are_the_slopes_of_the_kernel(law):
    rng = np.random.default_rng(0)
    draw = draw_parameters(law, rng)
    at = draw.log_pivot
    log_kernel = law.log_kernel(draw.parameters, at, np)
    env = {**draw.parameters, **at, KERNEL.name: log_kernel}
    for resource, expression in law.elasticity_expressions().items():
        symbols = list(expression.free_symbols)
        got = sympy.lambdify(symbols, expression)(*(math.exp(env[s.name]) for s in symbols))
        ends = [
            law.log_kernel(draw.parameters, {**at, resource.name: at[resource.name] + h}, np)
            for h in (1e-4, -1e-4)
        ]
        # Central difference: error 1e-8.
        slope = -(ends[0] - ends[1]) / 2e-4
        assert got == pytest.approx(slope, abs=1e-6)


def test_sizes_are_what_is_spent():
    assert laws.krajewski.sizes == (N, D)
    assert laws.krajewski.resources[2].is_covariate
    assert laws.chinchilla.sizes == laws.chinchilla.resources


def test_logs_takes_the_logarithm_of_what_is_positive_and_values_leads_back():
    delta = Parameter("delta", Role.SHAPE, "a test", domain=Domain.REAL, typical=(0.0, 1.0))
    law = declare(
        resources=(N,),
        parameters=(e, a, delta),
        formula=e + a * N**delta.symbol,
        weights={N: -delta.symbol},
    )
    logs = law.logs({"E": 2.0, "A": 3.0, "delta": -0.5}, parameters_only=True)
    assert logs == {"E": np.log(2.0), "A": np.log(3.0), "delta": -0.5}
    again = law.values(logs)
    assert {name: float(array) for name, array in again.items()} == pytest.approx(
        {"E": 2.0, "A": 3.0, "delta": -0.5}, rel=ROUNDING
    )
    assert all(isinstance(array, np.ndarray) for array in again.values())
    logs = law.logs({"E": 2.0, "A": 3.0, "delta": -0.5, "N": 10.0})
    assert logs["N"] == np.log(10.0)


def test_the_formula_is_written_floor_first_and_then_in_the_order_of_the_resources():
    assert laws.chinchilla.formula_text() == "E + A/N**alpha + B/D**beta"
    assert declare(resources=(D, N)).formula_text() == "E + B/D**beta + A/N**alpha"


def test_the_same_declaration_gives_the_same_text_and_another_formula_another():
    again = declare(name="chinchilla")
    assert again.formula_text() == laws.chinchilla.formula_text()
    other = declare(formula=e + a * N**-alpha + b * D**-alpha * D**-beta)
    assert other.formula_text() != laws.chinchilla.formula_text()


# --- a new law, as a user declares one

c, gamma = s.amplitude("F", of=C), s.exponent("gamma", of=C)
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


def test_a_new_law_has_a_chart_priors_and_simulated_runs():
    assert THREE.chart.names == (
        *("L_pivot", "floor_fraction", "share_N", "share_D", "alpha", "beta", "gamma"),
    )
    model = Model.at(THREE, pivot={"N": 1e8, "D": 1e10, "C": 6e18}, level=3.0)
    assert set(model.priors.table) == {*THREE.chart.names, "sigma", "nu"}
    design = {"N": [1e7, 1e8, 1e9], "D": [1e9, 1e10, 1e11], "C": [6e16, 6e18, 6e20]}
    simulated = model.simulate(design, seed=0, coordinates={"sigma": 1e-9})
    p = simulated.parameters
    by_hand = [
        p["E"] + p["A"] * n ** -p["alpha"] + p["B"] * d ** -p["beta"] + p["F"] * k ** -p["gamma"]
        for n, d, k in zip(*design.values(), strict=True)
    ]
    # sigma = 1e-9; a Student-t residual of 1e5 sigmas has probability below 1e-4 at the seed's nu.
    np.testing.assert_allclose(simulated.runs.loss, by_hand, rtol=1e-4)


def test_a_new_law_with_a_real_parameter_is_simulated_in_its_own_units():
    delta = Parameter("delta", Role.SHAPE, "a test", domain=Domain.REAL, typical=(0.0, 1.0))
    law = declare(
        resources=(N,),
        parameters=(e, a, alpha, delta),
        formula=e + a * N**-alpha * sympy.exp(delta.symbol),
        weights={N: alpha.symbol},
    )
    model = Model.at(law, pivot={"N": 1e6})
    assert model.priors.table["delta"] == Prior("Normal", mu=0.0, sigma=1.0)
    simulated = model.simulate({"N": [1e5, 1e6]}, seed=0, coordinates={"delta": -0.7})
    assert simulated.coordinates["delta"] == -0.7
    assert simulated.parameters["delta"] == pytest.approx(-0.7, rel=ROUNDING)
