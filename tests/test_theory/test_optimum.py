"""Compute-optimal allocation against closed forms, SciPy, and universality."""

import math
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sympy
from scipy import optimize

from theory import laws
from theory.admissibility.sampling import draw_parameters
from theory.declaration import symbols as s
from theory.declaration.law import Law
from theory.declaration.logdomain import value
from theory.declaration.symbols import B, C, D, N, S, t
from theory.errors import TheoryError
from theory.laws.solved import dynamics
from theory.optimum import (
    NoInteriorOptimum,
    closed_form_allocation,
    crossover_quantile,
    has_closed_form,
    solve_allocation,
    universal_exponents,
)

ROUNDING = 1e-12
"""A handful of logs of sizes up to e^70."""

FLAT = 1e-5
"""A minimum found from values alone is known to the square root of a double's precision over the
curvature in log N, which is at least 1e-3 for these laws."""

SOLVED = 1e-8
"""The root of the slope: its rounding 1e-16 over a curvature of at least 1e-3, with room."""

NEWTON = 1e-6
"""A stationary point of slope 1e-7 at most, over curvatures of about 0.1."""

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


TWO_SIZES = [
    law
    for law in laws.catalogue().values()
    if len(law.resources) == 2 and law.sizes == law.resources
]
CLOSED = [law for law in TWO_SIZES if has_closed_form(law, dict.fromkeys(law.sizes, 1))]


def test_the_closed_form_serves_sums_links_and_contours():
    assert {law.name for law in CLOSED} == {
        *("chinchilla", "kaplan", "kaplan_floor", "share", "droppo", "gadre", "quantization"),
        *("bounded", "rosenfeld", "share_free", "harmonic", "width_limited"),
        *("batch_contour", "kaplan_steps"),
    }


@pytest.mark.parametrize("law", CLOSED, ids=lambda law: law.name)
def test_the_closed_form_is_where_the_solver_finds_the_optimum(law):
    rng = np.random.default_rng(0)
    orders = dict.fromkeys(law.sizes, 1)
    draws = [draw_parameters(law, rng).parameters for _ in range(4)]
    parameters = {name: np.array([d[name] for d in draws])[:, None] for name in draws[0]}
    # The pivots of the draws are e^20 of either size.
    budgets = np.array([[36.0, 40.0, 44.0]])
    closed = closed_form_allocation(law, parameters, budgets, orders)
    solved = solve_allocation(law, parameters, budgets, orders)
    for size in law.sizes:
        np.testing.assert_allclose(solved[size.name], closed[size.name], rtol=SOLVED)


def test_the_closed_form_of_a_contour_weighs_its_shares_by_cost_and_exponent():
    # Harmonic law: N_min/N = m_N/(m_N + m_D), since both terms fall as 1/R.
    law, orders = laws.harmonic, {N: 1, D: 2}
    logs = law.logs(
        {"E": 1.0, "N_c": 1e8, "D_c": 1e9, "alpha_N": 0.34, "alpha_D": 0.28}, parameters_only=True
    )
    at = closed_form_allocation(law, logs, 60.0, orders)
    log_kernel = law.log_kernel(logs, at, np)
    share = np.exp(logs["N_c"] - at["N"] - log_kernel / 0.34)
    assert share == pytest.approx(1 / 3, rel=1e-10)


# --- universality (THEORY_LAWS.md, 1.5): the form of the law enters the prefactors only

BUDGETS = np.log(np.logspace(18, 26, 20) / 6)
UNIVERSAL = 1e-6
"""Solved optima are known to 1e-8, and successive budgets are 0.97 apart in logs."""

EXPONENTS = {"alpha": 0.34, "beta": 0.28}
SIZED = {"A": 406.4, "B": 410.7, **EXPONENTS}
CRITICAL = {
    **{"N_c": 406.4 ** (1 / 0.34), "D_c": 410.7 ** (1 / 0.28)},
    **{"alpha_N": 0.34, "alpha_D": 0.28},
}
FORMS = {
    "share, q = 1": ("share", {**SIZED, "E": 1.69, "q": 1.0}),
    "share, q = 1.3": ("share", {**SIZED, "E": 1.69, "q": 1.3}),
    "share, q = 3": ("share", {**SIZED, "E": 1.69, "q": 3.0}),
    "kaplan_floor": ("kaplan_floor", {**CRITICAL, "E": 1.69}),
    "harmonic": ("harmonic", {**CRITICAL, "E": 1.69}),
    "width_limited": ("width_limited", {**CRITICAL, "E": 1.69}),
    "share_free": ("share_free", {**SIZED, "E": 1.69, "rho_N": 0.7, "rho_D": 0.4}),
    "crossover": (
        "crossover",
        {**SIZED, "E": 1.69, "q": 1.5, "spread": 0.6, "weight_1": 0.2, "weight_2": 0.7},
    ),
    "bounded": ("bounded", {**SIZED, "E": 1.69, "L_0": 11.0}),
}
"""Nine forms with the same two single-resource losses of the kernel, hence the same exponents."""

ONE_EXPONENT = {
    "random_features": ("random_features", {"E": 1.69, "A": 406.4, "B": 410.7} | {"alpha": 0.3})
}
ORDERS = {"share, q = 3": {N: 1.5, D: 0.7}, "harmonic": {N: 1, D: 2}}
"""Costs other than N D."""


CASES = [
    pytest.param(form, orders, id=f"{form}, {spelt(orders)}")
    for form in (*FORMS, *ONE_EXPONENT)
    for orders in (EQUAL, ORDERS.get(form))
    if orders is not None
]


@cache
def solved(form, orders):
    """The law of a form, its parameters, and its optima at all budgets; compiled once."""
    name, values = {**FORMS, **ONE_EXPONENT}[form]
    law = laws.get(name)
    parameters = law.logs(values, parameters_only=True)
    return law, parameters, solve_allocation(law, parameters, BUDGETS, dict(orders))


@pytest.mark.parametrize(("form", "orders"), CASES)
def test_the_exponents_are_universal_and_the_form_sets_the_quantile(form, orders):
    law, parameters, optimum = solved(form, tuple(orders.items()))
    want = universal_exponents(law, orders)
    step = np.diff(BUDGETS)
    for size in orders:
        exponent = value(want.resources[size], parameters, np)
        np.testing.assert_allclose(np.diff(optimum[size.name]) / step, exponent, atol=UNIVERSAL)
    slope = np.diff(law.log_kernel(parameters, optimum, np)) / step
    np.testing.assert_allclose(slope, -value(want.kernel, parameters, np), atol=UNIVERSAL)

    # The prefactor: the optimum ratio is a quantile of the crossover distribution F = e_D/alpha_D.
    def total(at):
        return jnp.sum(law.log_kernel(parameters, at, jnp))

    elasticity = -jax.grad(total)({name: jnp.asarray(v) for name, v in optimum.items()})["D"]
    share = elasticity / value(sympy.sympify(law.weights[D]), parameters, np)
    quantile = value(crossover_quantile(law, orders), parameters, np)
    np.testing.assert_allclose(share, quantile, atol=UNIVERSAL)


def test_the_same_exponents_come_with_different_prefactors():
    found = {form: solved(form, tuple(EQUAL.items()))[2]["N"][10] for form in FORMS}
    # Chinchilla on another scale is the same optimum; every other form has one of its own.
    assert found.pop("bounded") == pytest.approx(found["share, q = 1"], abs=UNIVERSAL)
    ordered = sorted(found.values())
    assert len(ordered) == 8
    assert np.diff(ordered).min() > 100 * UNIVERSAL


def test_the_maximum_is_optimal_where_its_limits_are_equal():
    # The crossover distribution is a step: every quantile is at the kink.
    law = laws.maximum
    parameters = law.logs({**SIZED, "E": 1.69}, parameters_only=True)
    optimum = solve_allocation(law, parameters, BUDGETS, EQUAL)
    first, second = (term.log_value({**parameters, **optimum}, np) for term in law.split.terms)
    np.testing.assert_allclose(first, second, rtol=0, atol=SOLVED)
    exponent = value(universal_exponents(law, EQUAL).resources[N], parameters, np)
    np.testing.assert_allclose(np.diff(optimum["N"]) / np.diff(BUDGETS), exponent, atol=UNIVERSAL)


SCALING = [law for law in laws.catalogue().values() if law.weights is not None]


@pytest.mark.parametrize("law", SCALING, ids=lambda law: law.name)
def test_the_universal_exponents_spend_the_budget_and_follow_one_kernel(law):
    rng = np.random.default_rng(3)
    orders = dict(zip(law.sizes, (1, 2, 0.5), strict=False))
    found = universal_exponents(law, orders)
    draw = draw_parameters(law, rng)
    env = {**draw.parameters, **draw.log_pivot}
    kernel = value(found.kernel, env, np)
    spent = 0.0
    for size, order in orders.items():
        exponent = value(found.resources[size], env, np)
        spent += order * exponent
        # Each size moves along the scaling orbit of the kernel.
        assert exponent * value(sympy.sympify(law.weights[size]), env, np) == pytest.approx(kernel)
    assert spent == pytest.approx(1.0, rel=ROUNDING)


def test_the_exponents_do_not_depend_on_the_draw():
    # Two forms, random parameters, one cost: the slopes follow each draw's own exponents.
    rng = np.random.default_rng(1)
    for law in (laws.crossover, laws.share_free):
        draws = [draw_parameters(law, rng).parameters for _ in range(5)]
        parameters = {name: np.array([d[name] for d in draws])[:, None] for name in draws[0]}
        budgets = np.array([[38.0, 42.0]])
        got = np.diff(solve_allocation(law, parameters, budgets, EQUAL)["N"], axis=1) / 4
        want = value(universal_exponents(law, EQUAL).resources[N], parameters, np)
        np.testing.assert_allclose(got, want, atol=UNIVERSAL)


def test_the_universal_exponents_are_those_of_chinchilla_and_of_a_weighted_cost():
    alpha, beta = (sympy.Symbol(name, positive=True) for name in ("alpha", "beta"))
    equal = universal_exponents(laws.chinchilla, EQUAL)
    assert equal.resources == {N: beta / (alpha + beta), D: alpha / (alpha + beta)}
    assert sympy.simplify(equal.kernel - alpha * beta / (alpha + beta)) == 0
    other = universal_exponents(laws.chinchilla, {N: 1, D: 2})
    assert sympy.simplify(other.resources[N] - beta / (2 * alpha + beta)) == 0
    assert sympy.simplify(other.resources[D] - alpha / (2 * alpha + beta)) == 0
    assert sympy.simplify(crossover_quantile(laws.chinchilla, EQUAL) - alpha / (alpha + beta)) == 0


def test_the_exponent_of_compute_adds_up_from_those_of_kaplan():
    # arXiv:2001.08361, section 6: 1/alpha_C = 1/alpha_S + 1/alpha_B + 1/alpha_N.
    kernel = universal_exponents(laws.kaplan_batch, {N: 1, S: 1, B: 1}).kernel
    published = {"alpha_N": 0.076, "alpha_S": 0.76, "alpha_B": 0.21}
    got = float(kernel.subs({sympy.Symbol(k, positive=True): v for k, v in published.items()}))
    assert 1 / got == pytest.approx(1 / 0.076 + 1 / 0.76 + 1 / 0.21, rel=ROUNDING)
    assert got == pytest.approx(0.0520, abs=5e-5)


def test_a_law_without_weights_has_no_universal_exponents():
    with pytest.raises(TheoryError, match=r"^law 'farseer' declares no weights"):
        universal_exponents(laws.farseer, EQUAL)


def test_a_cost_that_leaves_a_size_out_has_no_universal_exponents():
    with pytest.raises(TheoryError, match=r"^law 'dmft_terms' has the sizes N, D, t; the cost"):
        universal_exponents(laws.dmft_terms, EQUAL)


def test_the_quantile_is_of_two_sizes():
    with pytest.raises(TheoryError, match=r"^law 'dmft_terms' has 3 sizes; the quantile is of"):
        crossover_quantile(laws.dmft_terms, {N: 1, D: 1, t: 1})


# --- three sizes


@pytest.mark.parametrize(
    ("name", "powers"), [("dmft_terms", (1, 1, 1)), ("dmft_terms", (1, 2, 0.5)), ("tao", (1, 1, 1))]
)
def test_three_sizes_are_allocated_as_the_closed_form_says(name, powers):
    law = laws.get(name)
    orders = dict(zip(law.sizes, powers, strict=True))
    rng = np.random.default_rng(2)
    draws = [draw_parameters(law, rng).parameters for _ in range(4)]
    parameters = {p: np.array([d[p] for d in draws])[:, None] for p in draws[0]}
    # The pivots of the draws are e^20 of each size.
    budgets = 20.0 * sum(powers) + np.array([[-4.0, 0.0, 4.0]])
    assert has_closed_form(law, orders)
    closed = closed_form_allocation(law, parameters, budgets, orders)
    solved = solve_allocation(law, parameters, budgets, orders)
    want = universal_exponents(law, orders)
    for size in law.sizes:
        np.testing.assert_allclose(solved[size.name], closed[size.name], atol=NEWTON)
        slope = np.diff(solved[size.name], axis=1) / 4
        exponent = value(want.resources[size], parameters, np)
        np.testing.assert_allclose(slope, np.broadcast_to(exponent, slope.shape), atol=NEWTON)
    spent = sum(order * solved[size.name] for size, order in orders.items())
    np.testing.assert_allclose(spent, np.broadcast_to(budgets, spent.shape), rtol=ROUNDING)
    without = {**parameters, law.floor.name: np.full((4, 1), -1e9)}
    slope = np.diff(law.log_loss(without, closed, np), axis=1) / 4
    alpha_C = 1 / sum(m / value(law.weights[r], parameters, np) for r, m in orders.items())
    np.testing.assert_allclose(slope, np.broadcast_to(-alpha_C, slope.shape), rtol=1e-10)


KAPLAN_BATCH = {"N_c": 6.5e13, "S_c": 2100.0, "B_star": 2.1e8} | {
    **{"alpha_N": 0.077, "alpha_S": 0.76, "alpha_B": 0.21}
}


@pytest.mark.slow  # XLA takes half a minute over the Hessian of an unrolled contour
def test_three_sizes_in_a_contour_that_has_no_closed_form_follow_the_universal_exponents():
    # A batch that costs its square root: a cost with a balanced batch size.
    law, orders = laws.kaplan_batch, {N: 1, S: 1, B: 0.5}
    assert not has_closed_form(law, orders)
    parameters = law.logs(KAPLAN_BATCH, parameters_only=True)
    budgets = np.array([35.0, 40.0, 45.0])
    solved = solve_allocation(law, parameters, budgets, orders)
    want = universal_exponents(law, orders)
    for size in law.sizes:
        exponent = value(want.resources[size], parameters, np)
        np.testing.assert_allclose(np.diff(solved[size.name]) / 5, exponent, atol=NEWTON)


@pytest.mark.slow
def test_compute_alone_has_no_balanced_batch_size():
    # At a given number of tokens S B the smallest batch is best (Kaplan et al. 2020, section 5).
    parameters = laws.kaplan_batch.logs(KAPLAN_BATCH, parameters_only=True)
    with pytest.raises(NoInteriorOptimum, match=r"falls all the way to N = 1 or S = 1 or B = 1"):
        solve_allocation(laws.kaplan_batch, parameters, 45.0, {N: 1, S: 1, B: 1})


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
    with pytest.raises(
        TheoryError,
        match=r"cost names are needed, and a value of each other\.$",
    ):
        solve_allocation(laws.power, {"E": 0.0, "A": 5.0, "alpha": -1.0}, 40.0, {N: 1})


def test_model_size_and_time_share_a_budget_at_the_examples_at_hand() -> None:
    """``C = N t`` at fixed D: ``N* = (A r_N/(F r_t))^(1/(r_N + r_t)) C^(r_t/(r_N + r_t))``."""
    law, point = laws.get("dmft_terms"), {"E": 0.2, "A": 1.5, "B": 1.2, "F": 0.9}
    rates = {"r_N": 0.5, "r_D": 0.5, "r_t": 0.4}
    logs = {name: math.log(number) for name, number in (point | rates).items()}
    budgets = np.log([1e5, 1e6])
    found = solve_allocation(law, logs, budgets, {N: 1, t: 1}, {D: 1e4})
    scale = (1.5 * 0.5 / (0.9 * 0.4)) ** (1 / 0.9)
    expected = math.log(scale) + budgets * 0.4 / 0.9
    np.testing.assert_allclose(found["N"], expected, atol=SOLVED)
    np.testing.assert_allclose(found["t"], budgets - expected, atol=SOLVED)


def test_dynamics_are_allocated_where_a_grid_finds_the_optimum() -> None:
    law = dynamics("dmft_200", modes=200)
    units = {"N_1": 1.0, "D_1": 1.0, "t_1": 1.0}
    point = {"A": 1.0, "a_1": 0.5, "b_1": 0.25, "noise": 0.01, **units}
    logs = {name: math.log(number) for name, number in point.items()}
    found = solve_allocation(law, logs, np.log([1e4]), {N: 1, t: 1}, {D: 512.0})
    sizes = np.exp(found["N"] + np.linspace(-0.3, 0.3, 7))
    losses = law.loss(N=sizes, t=1e4 / sizes, D=512.0, **point)
    bend, slope, _ = np.polyfit(np.linspace(-0.3, 0.3, 7), losses, 2)
    assert bend > 0
    assert slope == pytest.approx(0, abs=2 * bend * 0.02)  # the optimum within 2% of size
