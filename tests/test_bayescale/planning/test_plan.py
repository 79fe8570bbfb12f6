"""Compute-optimal plans from a posterior."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import optimize

import bayescale as bs
from bayescale.errors import DiagnosticsRefused, UsageError
from bayescale.planning import allocation as allocation_module
from bayescale.posteriors.stack import Stack
from theory.declaration.abstract_law import AbstractLaw
from theory.optimum import has_closed_form

SEARCH = 1e-6
"""Relative tolerance of an optimum found by a bounded scalar search in log N."""


def _draws(law: str, count: int = 5) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    centre = {
        "chinchilla": {"E": 1.8, "A": 480.0, "B": 2085.0, "alpha": 0.35, "beta": 0.37},
        "share": {"E": 1.8, "A": 480.0, "B": 2085.0, "alpha": 0.33, "beta": 0.34, "q": 1.25},
        "kaplan": {"N_c": 6.4e13, "D_c": 1.8e13, "alpha_N": 0.076, "alpha_D": 0.103},
    }[law]
    return {n: v * np.exp(0.02 * rng.standard_normal(count)) for n, v in centre.items()}


@pytest.mark.parametrize("law", ["chinchilla", "share", "kaplan"])
def test_every_draw_s_optimum_is_the_minimum_along_the_isocost_line(law: str) -> None:
    draws = _draws(law)
    post = bs.Posterior.from_draws(law, draws)
    plan = bs.plan(post, compute=[1e20, 1e24])
    for j, budget in enumerate(plan.compute):
        for i in range(5):
            theta = {name: float(values[i]) for name, values in draws.items()}

            def loss(log_n: float, theta: dict = theta, budget: float = budget) -> float:
                size = np.exp(log_n)
                return float(post.law.loss(N=size, D=budget / (6 * size), **theta))

            best = optimize.minimize_scalar(
                loss, bounds=(5, 45), method="bounded", options={"xatol": 1e-9}
            )
            assert plan.loss[i, j] == pytest.approx(best.fun, rel=1e-12)
            assert np.log(plan.resources["N"][i, j]) == pytest.approx(best.x, rel=SEARCH)


def test_the_budget_is_spent_exactly() -> None:
    plan = bs.plan(bs.Posterior.from_draws("share", _draws("share")), compute=[1e18, 1e26])
    spent = 6 * plan.resources["N"] * plan.resources["D"]
    np.testing.assert_allclose(spent, np.broadcast_to([1e18, 1e26], spent.shape), rtol=1e-12)
    recommended = plan.recommended
    np.testing.assert_allclose(6 * recommended["N"] * recommended["D"], [1e18, 1e26], rtol=1e-12)


def test_a_law_without_closed_form_is_solved_along_the_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    post = bs.Posterior.from_draws("share", _draws("share"))
    closed = bs.plan(post, compute=[1e20, 1e24])

    def never(law: AbstractLaw, orders: object) -> bool:
        return False

    assert has_closed_form(post.law, {r: 1.0 for r in post.law.resources})
    monkeypatch.setattr(allocation_module, "has_closed_form", never)
    solved = bs.plan(post, compute=[1e20, 1e24])
    np.testing.assert_allclose(solved.resources["N"], closed.resources["N"], rtol=1e-8)


def test_more_compute_never_hurts() -> None:
    plan = bs.plan(
        bs.Posterior.from_draws("chinchilla", _draws("chinchilla")),
        compute=np.geomspace(1e15, 1e28, 30),
    )
    assert np.all(np.diff(plan.loss, axis=1) < 0)
    assert np.all(np.diff(plan.resources["N"], axis=1) > 0)


def test_summary_and_json_hold_the_same_numbers() -> None:
    post = bs.Posterior.from_draws("chinchilla", _draws("chinchilla", 200))
    plan = bs.plan(post, compute=[1e20, 1e24])
    summary, plain = plan.summary(), plan.to_dict()
    assert list(summary.columns) == ["q10", "q50", "q90", "recommended"]
    for entry in plain["plans"]:
        for name in ("N", "D", "loss"):
            row = summary.loc[(entry["compute"], name)]
            assert entry[name] == {key: row[key] for key in ("q10", "q50", "q90")}
            assert entry["recommended"][name] == row["recommended"]
    ratio = plan.resources["D"] / plan.resources["N"]
    expected = np.quantile(ratio[:, 1], 0.9)
    assert summary.loc[(1e24, "D/N"), "q90"] == pytest.approx(expected)
    assert plain["trusted"] is True


def test_a_far_plan_says_how_far(ladder: bs.Posterior) -> None:
    runs = ladder.runs
    assert runs is not None
    largest = float((6 * runs["N"] * runs["D"]).max())
    near, far = bs.plan(ladder, compute=5 * largest), bs.plan(ladder, compute=200 * largest)
    assert near.diagnosis.warnings == ()
    assert far.far is not None
    assert f"{far.far[0]:.3g} times the largest run" in far.diagnosis.warnings[0]


def test_a_refused_posterior_makes_no_plan_unless_forced(refused: bs.Posterior) -> None:
    with pytest.raises(DiagnosticsRefused, match="not to be trusted"):
        bs.plan(refused, compute=1e22)
    forced = bs.plan(refused, compute=1e22, force=True)
    assert forced.trusted is False
    assert forced.to_dict()["trusted"] is False
    assert forced.to_dict()["diagnostics"]["status"] == "refuse"


def test_chains_that_disagree_on_the_optimum_are_refused() -> None:
    """Parameters may look mixed while the planned quantity is not; the plan asks for itself."""
    draws = {name: np.tile(values, (4, 200)) for name, values in _draws("chinchilla").items()}
    rng = np.random.default_rng(0)
    noise = 0.01 * rng.standard_normal((4, 1000))
    draws["alpha"] = draws["alpha"] * np.exp(noise)
    draws["A"] = draws["A"] * np.exp(np.array([0.0, 0.0, 0.0, 0.4])[:, None] + noise)
    post = bs.Posterior.from_draws("chinchilla", {n: v.ravel() for n, v in draws.items()})
    chains = {n: (("chain", "draw"), v) for n, v in draws.items()}
    post.data["posterior"] = post.data["posterior"].to_dataset().drop_dims("draw").assign(chains)
    with pytest.raises(DiagnosticsRefused, match=r"log N\* at 1e\+22 did not converge"):
        bs.plan(post, compute=1e22)


@pytest.mark.parametrize("compute", [0.0, -1e20, np.nan, np.inf, 6.0, [1e20, -1.0]])
def test_impossible_budgets_get_their_sentence(compute: object) -> None:
    post = bs.Posterior.from_draws("chinchilla", _draws("chinchilla"))
    with pytest.raises(UsageError, match="compute must be finite and above 6 FLOP"):
        bs.plan(post, compute=compute)  # pyright: ignore[reportArgumentType]


def test_a_law_in_one_resource_has_nothing_to_divide() -> None:
    post = bs.Posterior.from_draws("power_C", {"E": [1.5], "A": [100.0], "alpha": [0.2]})
    with pytest.raises(UsageError, match="divides a budget between N, D, but law 'power_C'"):
        bs.plan(post, compute=1e22)


def test_an_unknown_cost_model_is_named() -> None:
    post = bs.Posterior.from_draws("chinchilla", _draws("chinchilla"))
    with pytest.raises(UsageError, match=r"no cost model called '6NC'\. Did you mean '6ND'"):
        bs.plan(post, compute=1e22, cost="6NC")


def test_the_exponents_of_a_plan_are_those_of_its_optima(ladder: bs.Posterior) -> None:
    budgets = np.array([1e22, 1e24])
    # By the law alone: the tilt of each draw's drift moves the optimum beside its power of C.
    plan = bs.plan(ladder, compute=budgets, drift=False, force=True)
    # Slopes between two budgets, draw by draw; the law is homogeneous, so they are exact.
    for name in ("N", "D"):
        logs = np.log(plan.resources[name])
        slope = (logs[:, 1] - logs[:, 0]) / np.log(100.0)
        np.testing.assert_allclose(slope, plan.exponent_draws[name], rtol=1e-9)
    table = plan.exponents()
    assert table.loc["N", "q50"] + table.loc["D", "q50"] == pytest.approx(1.0, abs=1e-3)
    assert set(plan.to_dict()["exponents"]) == {"N", "D", "kernel"}


def test_a_stack_says_what_each_law_would_and_reaches_targets_by_its_mixture() -> None:
    posts = {law: bs.Posterior.from_draws(law, _draws(law, 200)) for law in ("chinchilla", "share")}
    scores = pd.DataFrame(index=pd.Index(list(posts), name="law"))
    both = Stack(posts, {"chinchilla": 0.5, "share": 0.5}, scores, "equal")
    plan = bs.plan(both, compute=1e24, objective="expected_loss", present={"N": 1e10})
    assert plan.present is not None
    table = plan.laws().loc[1e24]
    alone = {n: bs.plan(p, 1e24, objective="expected_loss").recommended for n, p in posts.items()}
    sizes = sorted(float(one["N"].iloc[0]) for one in alone.values())
    assert sizes[0] < plan.recommended["N"].iloc[0] < sizes[1]
    assert list(table["weight"]) == [0.5, 0.5]
    assert plan.present.waste.shape == plan.loss.shape
    assert np.all(plan.regret >= -1e-12)
    target = float(plan.recommended["loss"].iloc[0])
    found = bs.plan(both, target=target, confidence=0.9)
    losses = {n: p.predict(**found.recommended[["N", "D"]].iloc[0]).draws for n, p in posts.items()}
    assert np.mean(both.mix(losses) <= target) == pytest.approx(0.9, abs=0.01)


@pytest.mark.slow
def test_the_distance_beyond_the_runs_widens_a_target_s_budget(ladder: bs.Posterior) -> None:
    exact = replace(ladder, model=replace(ladder.model, drift=None))  # type: ignore[type-var]
    runs = ladder.runs
    assert runs is not None
    far = bs.plan(exact, compute=1e3 * float((6 * runs["N"] * runs["D"]).max()))
    target = float(far.recommended["loss"].iloc[0])
    drifting, sure = (bs.plan(post, target=target, force=True) for post in (ladder, exact))
    assert drifting.compute.size == 0 or drifting.compute[0] > 1.05 * sure.compute[0]
    assert sure.far is not None
    assert sure.far[0] > 1e3
