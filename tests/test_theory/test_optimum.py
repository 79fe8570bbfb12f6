"""Compute-optimal allocation against closed forms, SciPy, and universality."""

import math

import numpy as np
import pytest
from scipy import optimize

from theory import laws
from theory import symbols as s
from theory.errors import TheoryError
from theory.law import Law
from theory.optimum import (
    NoInteriorOptimum,
    closed_form_allocation,
    has_closed_form,
    solve_allocation,
)
from theory.symbols import C, D, N

ROUNDING = 1e-12
"""A handful of logs of sizes up to e^70."""

FLAT = 1e-5
"""A minimum found from values alone is known to the square root of a double's precision over the
curvature in log N, which is at least 1e-3 for these laws."""

SOLVED = 1e-8
"""The root of the slope: its rounding 1e-16 over a curvature of at least 1e-3, with room."""

EQUAL = {N: 1, D: 1}
HOFFMANN = {"E": 1.69, "A": 406.4, "B": 410.7, "alpha": 0.34, "beta": 0.28}
POINTS = {
    "chinchilla": HOFFMANN,
    "share": {**HOFFMANN, "q": 1.3},
    "kaplan": {"N_c": 6.4e13, "D_c": 1.8e13, "alpha_N": 0.076, "alpha_D": 0.103},
}
three = pytest.mark.parametrize("name", POINTS)


def spelt(orders):
    return " ".join(f"{resource.name}^{order}" for resource, order in orders.items())


def log_parameters(name):
    return {key: math.log(number) for key, number in POINTS[name].items()}


def scipy_optimum(law, parameters, budget, orders):
    """Log N at the least loss along the isocost line, from values of the loss alone."""

    def log_reducible(log_n):
        log_d = (budget - orders[N] * log_n) / orders[D]
        return float(law.log_loss(parameters, {"N": log_n, "D": log_d}, np))

    found = optimize.minimize_scalar(
        log_reducible,
        bounds=(0.0, budget / orders[N]),
        method="bounded",
        options={"xatol": 1e-9},
    )
    return found.x


def without_floor(law, parameters):
    # The floor moves no optimum; without it the minimum is as sharp as it can be.
    return parameters if law.floor is None else {**parameters, law.floor.name: -1e9}


def test_the_closed_form_is_equation_4_of_hoffmann():
    budget = np.logspace(18, 26, 9)
    a, b = 0.28 / 0.62, 0.34 / 0.62
    g = (0.34 * 406.4 / (0.28 * 410.7)) ** (1 / 0.62)
    got = closed_form_allocation(
        laws.chinchilla, log_parameters("chinchilla"), np.log(budget / 6), EQUAL
    )
    np.testing.assert_allclose(np.exp(got["N"]), g * (budget / 6) ** a, rtol=1e-11)
    np.testing.assert_allclose(np.exp(got["D"]), (budget / 6) ** b / g, rtol=1e-11)


def test_at_the_optimum_the_two_terms_are_in_balance():
    got = closed_form_allocation(laws.chinchilla, log_parameters("chinchilla"), 50.0, EQUAL)
    n, d = math.exp(got["N"]), math.exp(got["D"])
    assert 0.34 * 406.4 * n**-0.34 == pytest.approx(0.28 * 410.7 * d**-0.28, rel=ROUNDING)


@pytest.mark.parametrize(
    ("name", "orders"),
    # Few cases, because each compiles the solver anew.
    [*((name, EQUAL) for name in POINTS), ("kaplan", {N: 1, D: 2}), ("share", {N: 1.5, D: 0.7})],
    ids=lambda case: case if isinstance(case, str) else spelt(case),
)
def test_closed_form_solver_and_scipy_agree(name, orders):
    law = laws.get(name)
    parameters = without_floor(law, log_parameters(name))
    budgets = np.log([1e17, 1e21, 1e25])
    assert has_closed_form(law, orders)
    closed = closed_form_allocation(law, parameters, budgets, orders)
    solved = solve_allocation(law, parameters, budgets, orders)
    spent = orders[N] * closed["N"] + orders[D] * closed["D"]
    np.testing.assert_allclose(spent, budgets, rtol=ROUNDING)
    np.testing.assert_allclose(solved["N"], closed["N"], rtol=SOLVED)
    np.testing.assert_allclose(solved["D"], closed["D"], rtol=SOLVED)
    by_scipy = [scipy_optimum(law, parameters, budget, orders) for budget in budgets]
    np.testing.assert_allclose(closed["N"], by_scipy, rtol=FLAT)


def test_the_floor_moves_no_optimum():
    law, budget = laws.share, math.log(1e20)
    with_floor = solve_allocation(law, log_parameters("share"), budget, EQUAL)
    bare = without_floor(law, log_parameters("share"))
    without = closed_form_allocation(law, bare, budget, EQUAL)
    assert with_floor["N"] == pytest.approx(without["N"], rel=SOLVED)


@three
@pytest.mark.parametrize("orders", [{N: 1, D: 1}, {N: 1, D: 2}], ids=spelt)
def test_the_exponents_of_the_optimum_are_universal(name, orders):
    # R_i* ~ C^((1/alpha_i)/M), L* - E ~ C^(-1/M), M = sum_j m_j / alpha_j (THEORY_LAWS.md, 1.5).
    law, point = laws.get(name), POINTS[name]
    alpha, beta = (
        point[key] for key in (("alpha_N", "alpha_D") if name == "kaplan" else ("alpha", "beta"))
    )
    parameters = without_floor(law, log_parameters(name))
    ends = np.array([40.0, 60.0])
    got = closed_form_allocation(law, parameters, ends, orders)
    total = orders[N] / alpha + orders[D] / beta
    assert np.diff(got["N"]) / 20 == pytest.approx(1 / alpha / total, rel=ROUNDING)
    assert np.diff(got["D"]) / 20 == pytest.approx(1 / beta / total, rel=ROUNDING)
    loss = law.log_loss(parameters, got, np)
    assert np.diff(loss) / 20 == pytest.approx(-1 / total, rel=1e-10)


def test_kaplan_balances_at_the_quantile_of_its_crossover():
    # Equal costs: x = d / n^(alpha_N/alpha_D) has F(ln x) = x/(1+x) = alpha_N/(alpha_N + alpha_D).
    got = closed_form_allocation(laws.kaplan, log_parameters("kaplan"), 45.0, EQUAL)
    x = 1.8e13 / math.exp(got["D"]) / (6.4e13 / math.exp(got["N"])) ** (0.076 / 0.103)
    assert x / (1 + x) == pytest.approx(0.076 / (0.076 + 0.103), rel=ROUNDING)


def test_draws_and_budgets_broadcast():
    rng = np.random.default_rng(0)
    central = log_parameters("chinchilla")
    draws = {key: v + 0.05 * rng.normal(size=(5, 1)) for key, v in central.items()}
    budgets = np.array([[40.0, 50.0, 60.0]])
    closed = closed_form_allocation(laws.chinchilla, draws, budgets, EQUAL)
    solved = solve_allocation(laws.chinchilla, draws, budgets, EQUAL)
    assert closed["N"].shape == solved["N"].shape == solved["D"].shape == (5, 3)
    np.testing.assert_allclose(solved["N"], closed["N"], rtol=SOLVED)
    for i in range(5):
        one = {key: float(array[i, 0]) for key, array in draws.items()}
        alone = closed_form_allocation(laws.chinchilla, one, 50.0, EQUAL)
        assert alone["N"] == pytest.approx(closed["N"][i, 1], rel=ROUNDING)


def coupled():
    """A law whose terms are not one to a resource: a monomial in both."""
    e, a, b, f = (
        s.floor(),
        s.amplitude("A", of=N),
        s.amplitude("B", of=D),
        s.amplitude("F", of=N),
    )
    alpha, beta = s.exponent("alpha", of=N), s.exponent("beta", of=D)
    return Law(
        name="coupled",
        title="a test",
        resources=(N, D),
        parameters=(e, a, b, f, alpha, beta),
        formula=e + a * N**-alpha + b * D**-beta + f * N ** -(alpha / 2) * D ** -(beta / 2),
        floor=e,
        weights={N: alpha.symbol, D: beta.symbol},
        source="test",
        citation="test",
    )


def test_a_law_with_a_cross_term_is_solved_where_no_closed_form_applies():
    law = coupled()
    assert not has_closed_form(law, EQUAL)
    parameters = {**without_floor(law, log_parameters("chinchilla")), "F": math.log(300.0)}
    budget = math.log(1e20)
    solved = solve_allocation(law, parameters, budget, EQUAL)
    assert solved["N"] == pytest.approx(scipy_optimum(law, parameters, budget, EQUAL), rel=FLAT)


def test_the_closed_form_is_not_offered_for_a_cost_in_other_resources():
    assert not has_closed_form(laws.chinchilla, {N: 1})
    assert not has_closed_form(laws.chinchilla, {N: 1, C: 1})
    assert not has_closed_form(laws.power, EQUAL)
    assert has_closed_form(laws.chinchilla, {D: 1, N: 1})


def test_a_law_that_needs_only_one_of_the_resources_has_no_interior_optimum():
    parameters = {key: np.full(4, v) for key, v in log_parameters("chinchilla").items()}
    parameters["B"][:3] = -100.0  # data do not matter: spend everything on N
    with pytest.raises(NoInteriorOptimum) as caught:
        solve_allocation(laws.chinchilla, parameters, math.log(1e20), EQUAL)
    message = str(caught.value)
    assert message.startswith("for 3 of 4 draws the loss of law 'chinchilla' falls all the way to ")
    assert "N = 1 or D = 1 at this budget" in message
    assert message.endswith("the data do not determine one of the exponents.")


@pytest.mark.parametrize("orders", [{N: 1}, {N: 1, C: 1}], ids=spelt)
def test_a_cost_that_does_not_name_both_resources_is_refused(orders):
    with pytest.raises(TheoryError, match=r"^law 'chinchilla' in N, D cannot be allocated along"):
        solve_allocation(laws.chinchilla, log_parameters("chinchilla"), 40.0, orders)


def test_a_law_in_one_resource_is_refused():
    with pytest.raises(TheoryError, match=r"two resources that the cost names are needed\.$"):
        solve_allocation(laws.power, {"E": 0.0, "A": 5.0, "alpha": -1.0}, 40.0, {N: 1})
