"""What holds of every plan: balance, limits, closed form against search, units, objectives."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bayescale as bs
from bayescale import cost as costs
from bayescale.planning import allocation as allocation_module
from bayescale.planning import objectives
from bayescale.planning.allocation import losses_at, optimum
from bayescale.planning.budget_line import BudgetLine
from bayescale.planning.search import best_sizes
from bayescale.posteriors.posterior import Posterior
from theory.declaration.abstract_law import AbstractLaw

CLOSED = 1e-8
"""Relative agreement of search and closed form in N."""


def draws(count: int = 64, seed: int = 0, spread: float = 0.03) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    centre = {"E": 1.8, "A": 480.0, "B": 2085.0, "alpha": 0.35, "beta": 0.37}
    return {n: v * np.exp(spread * rng.standard_normal(count)) for n, v in centre.items()}


@pytest.fixture(scope="module")
def post() -> Posterior:
    return Posterior.from_draws("chinchilla", draws())


budget = st.floats(17, 28).map(lambda x: 10.0**x)
few = settings(max_examples=25, deadline=None)


@few
@given(compute=budget, seed=st.integers(0, 50))
def test_the_two_terms_balance_at_the_optimum(compute: float, seed: int) -> None:
    theta = draws(8, seed, spread=0.1)
    plan = bs.plan(Posterior.from_draws("chinchilla", theta), compute=compute)
    size, data = plan.resources["N"][:, 0], plan.resources["D"][:, 0]
    of_size = theta["alpha"] * theta["A"] * size ** -theta["alpha"]
    of_data = theta["beta"] * theta["B"] * data ** -theta["beta"]
    np.testing.assert_allclose(of_size, of_data, rtol=1e-9)


@few
@given(
    compute=budget,
    caps=st.tuples(st.floats(-2, 2), st.floats(-2, 2)),
    served=st.one_of(st.just(0.0), st.floats(9, 13).map(lambda x: 10.0**x)),
)
def test_limits_are_never_broken_and_more_compute_never_hurts(
    post: Posterior, compute: float, caps: tuple[float, float], served: float
) -> None:
    free = bs.plan(post, compute=compute).recommended.iloc[0]
    limits = {"N_max": free["N"] * 10 ** caps[0], "D_max": free["D"] * 10 ** caps[1]}
    budgets = compute * np.array([1.0, 3.0, 30.0])
    # A model served this much can be no larger than the budget lets it be.
    served = min(served, compute / (20 * free["N"]))
    plan = bs.plan(post, compute=budgets, inference_tokens=served, limits=bs.Limits(**limits))
    size, data = plan.resources["N"], plan.resources["D"]
    assert np.all(size <= limits["N_max"] * (1 + 1e-9))
    assert np.all(data <= limits["D_max"] * (1 + 1e-9))
    spent = 6 * size * data + 2 * size * served
    assert np.all(spent <= budgets * (1 + 1e-9))
    unlimited = (size < limits["N_max"] * (1 - 1e-6)) | (data < limits["D_max"] * (1 - 1e-6))
    wide = np.broadcast_to(budgets, spent.shape)
    np.testing.assert_allclose(spent[unlimited], wide[unlimited], rtol=1e-9)
    assert np.all(np.diff(plan.loss, axis=1) <= 1e-12)
    assert np.all(plan.regret >= -1e-12)


@few
@given(compute=budget, cap=st.floats(-1.5, 1.5), which=st.sampled_from(["none", "N", "D", "C"]))
def test_search_and_closed_form_agree(
    post: Posterior, compute: float, cap: float, which: str
) -> None:
    free = bs.plan(post, compute=compute)
    limit = {
        "none": {},
        "N": {"size_cap": float(np.median(free.resources["N"])) * 10**cap},
        "D": {"data_cap": float(np.median(free.resources["D"])) * 10**cap},
        "C": {"compute_cap": compute * 10**-0.5},
    }[which]
    line, rows = BudgetLine(costs.get("6ND"), **limit), np.log([[compute]])
    closed = optimum(post, line, rows).logs["N"]
    (piece,) = post.pieces()
    searched = best_sizes(piece, line, rows, line.span(rows))
    np.testing.assert_allclose(searched, closed, atol=CLOSED)


@pytest.mark.parametrize("law", ["chinchilla", "share", "kaplan"])
def test_a_search_replaces_a_closed_form_that_is_not_there(
    law: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    theta = {
        "chinchilla": draws(),
        "share": draws() | {"q": np.full(64, 1.25), "alpha": np.full(64, 0.33)},
        "kaplan": {"N_c": [6.4e13], "D_c": [1.8e13], "alpha_N": [0.076], "alpha_D": [0.103]},
    }[law]
    source = Posterior.from_draws(law, theta)
    closed = bs.plan(source, compute=[1e20, 1e25], inference_tokens=0.0)

    def never(law: AbstractLaw, orders: object) -> bool:
        return False

    monkeypatch.setattr(allocation_module, "has_closed_form", never)
    searched = bs.plan(source, compute=[1e20, 1e25])
    np.testing.assert_allclose(searched.resources["N"], closed.resources["N"], rtol=CLOSED)
    np.testing.assert_allclose(searched.loss, closed.loss, rtol=1e-13)


def test_the_least_mean_loss_is_the_least_mean_regret(post: Posterior) -> None:
    wide = Posterior.from_draws("chinchilla", draws(400, spread=0.1))
    budgets = [1e20, 1e23, 1e26]
    by_loss, by_regret = (
        bs.plan(wide, compute=budgets, objective=name).recommended["N"]
        for name in ("expected_loss", "expected_regret")
    )
    np.testing.assert_allclose(by_loss, by_regret, rtol=1e-7)
    # and no other size on a fine grid has a lower one
    plan = bs.plan(wide, compute=1e23, objective="expected_loss")
    best = float(plan.recommended["N"].iloc[0])
    sizes = np.log(best) + np.linspace(-1, 1, 201)
    losses = np.exp(losses_at(wide, plan.line, sizes, np.log(1e23 / 6) - sizes, drift=False))
    assert int(np.argmin(losses.mean(axis=0))) == 100


@pytest.mark.parametrize("name", ["quantile(0.9)", "cvar(0.9)", "expected_loss"])
def test_each_objective_is_lowest_where_it_says(name: str) -> None:
    wide = Posterior.from_draws("chinchilla", draws(400, spread=0.1))
    plan = bs.plan(wide, compute=1e24, objective=name)
    best = np.log(plan.recommended["N"].to_numpy())
    sizes = best + np.linspace(-1.5, 1.5, 121)
    losses = np.exp(losses_at(wide, plan.line, sizes, np.log(1e24 / 6) - sizes, drift=False))
    risks = objectives.get(name).risk(losses, losses, np)
    assert risks[60] <= risks.min() + 1e-6


@settings(max_examples=8, deadline=None)
@given(scale=st.floats(-6, 6), compute=budget)
def test_units_of_size_and_data_do_not_matter(scale: float, compute: float) -> None:
    """N in thousands or D in billions: the plan is the same plan."""
    unit, theta = 10.0**scale, draws(16)
    moved = theta | {"A": theta["A"] * unit ** -theta["alpha"]}
    plain = bs.plan(Posterior.from_draws("chinchilla", theta), compute=compute)
    # N/unit is what the law sees; a cost of 6 unit N D is the same compute.
    cost = costs.ProductCost("6ND in other units", "test", 6.0 * unit, dict(COST.orders))
    other = bs.plan(Posterior.from_draws("chinchilla", moved), compute=compute, cost=cost)
    np.testing.assert_allclose(other.resources["N"] * unit, plain.resources["N"], rtol=1e-9)
    np.testing.assert_allclose(other.loss, plain.loss, rtol=1e-12)
    np.testing.assert_allclose(other.valley()["N_high"] * unit, plain.valley()["N_high"], rtol=1e-6)


COST = costs.product("6ND")


def test_the_ends_of_the_valley_cost_just_what_they_may(post: Posterior) -> None:
    plan = bs.plan(post, compute=[1e21, 1e24], objective="expected_loss")
    for extra in (0.01, 0.1):
        valley = plan.valley(extra)
        poorer = bs.plan(post, compute=plan.compute / (1 + extra), objective="expected_loss")
        at = (np.log(poorer.recommended[name].to_numpy()) for name in ("N", "D"))
        at_less = np.exp(losses_at(post, plan.line, *at, drift=False)).mean(axis=0)
        for end, data in (("N_low", "D_high"), ("N_high", "D_low")):
            at = np.log(valley[end].to_numpy()), np.log(valley[data].to_numpy())
            loss = np.exp(losses_at(post, plan.line, *at, drift=False)).mean(axis=0)
            np.testing.assert_allclose(loss, at_less, rtol=1e-10)
    assert np.all(plan.valley(0.1)["N_low"] < plan.valley(0.01)["N_low"])


def test_a_present_plan_at_the_recommended_size_wastes_as_little(post: Posterior) -> None:
    plan = bs.plan(post, compute=1e23)
    same = {"N": float(plan.recommended["N"].iloc[0])}
    present = bs.plan(post, compute=1e23, present=same).present
    assert present is not None
    np.testing.assert_allclose(present.regret[:, 0], plan.regret[:, 0], atol=1e-12)
    assert np.all(present.waste >= 1 - 1e-9)
    assert present.worse[0] == 0.0
    # Waste by its definition: with compute/waste the draw's optimum has the same loss.
    far = bs.plan(post, compute=1e23, present={"N": same["N"] / 5}).present
    assert far is not None
    for i in (0, 7, 30):
        one = Posterior.from_draws("chinchilla", {n: [v[i]] for n, v in draws().items()})
        again = bs.plan(one, compute=1e23 / far.waste[i, 0])
        assert again.loss[0, 0] == pytest.approx(far.loss[i, 0], rel=1e-10)


def test_sizes_and_shapes_are_chosen_among_those_allowed(post: Posterior) -> None:
    sizes = [1e8, 3e8, 1e9, 3e9, 1e10, 3e10]
    plan = bs.plan(
        post, compute=[1e20, 1e22, 1e24], limits=bs.Limits(sizes=tuple(sizes), N_max=1e10)
    )
    assert set(np.unique(plan.resources["N"].round(3))) <= set(sizes[:-1])
    assert list(plan.recommended["N"].round(3)) == [1e9, 1e10, 1e10]
    shapes = costs.ladder(range(8, 49, 4))
    model = costs.get("kaplan").on(shapes)
    kaplan = bs.plan(post, compute=1e22, cost=model, objective="cvar(0.9)")
    (row,) = kaplan.recommended.to_dict(orient="records")
    (shape,) = [s for s in shapes if model.size(s) == pytest.approx(row["N"])]
    assert model.token(shape) * row["D"] == pytest.approx(1e22)
    assert kaplan.valley()["N_low"].iloc[0] <= row["N"] <= kaplan.valley()["N_high"].iloc[0]


def test_a_mixture_of_experts_is_limited_by_all_of_its_parameters(post: Posterior) -> None:
    experts = costs.get("moe").on(active=1e9, total=8e9)
    plan = bs.plan(post, compute=1e24, cost=experts, limits=bs.Limits(N_max=8e10))
    assert plan.recommended["N"].iloc[0] == pytest.approx(1e10)
    assert any("N_max = 8e+10 limits" in warning for warning in plan.diagnosis.warnings)


def test_money_and_hours_are_budgets(post: Posterior) -> None:
    hardware = bs.Hardware(chip="h100", utilisation=0.4, price=2.0, gpus=1000.0)
    by_money = bs.plan(post, money=1.404e6, hardware=hardware)
    bill = by_money.bill().iloc[0]
    assert bill["training"] == pytest.approx(1e24, rel=1e-3)
    assert bill["money"] == pytest.approx(1.404e6)
    by_time = bs.plan(post, hours=float(bill["hours"]), hardware=hardware)
    np.testing.assert_allclose(by_time.compute, by_money.compute, rtol=1e-12)
    short = bs.plan(post, compute=1e25, hours=float(bill["hours"]), hardware=hardware)
    assert short.bill()["hours"].iloc[0] == pytest.approx(bill["hours"])
    assert any("the hours limit" in warning for warning in short.diagnosis.warnings)
    # Serving at a fifth of the utilisation of training weighs five times as much in money.
    served = {
        "inference_tokens": 1e12,
        "hardware": replace(hardware, serving_utilisation=0.08),
    }
    loss = float(by_money.recommended["loss"].iloc[0])
    cheap, dear = (
        bs.plan(post, target=loss, objective=name, **served) for name in ("compute", "money")
    )
    assert dear.recommended["N"].iloc[0] < cheap.recommended["N"].iloc[0]
