"""The next best runs: what a design keeps to, what it tells, and what it refuses."""

import math
import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import bayescale as bs
from bayescale import cost as costs
from bayescale.designing import candidates as candidate
from bayescale.designing.design import Design, design
from bayescale.designing.linearised import linearise
from bayescale.designing.value import ValueOfInformation
from bayescale.errors import DiagnosticsRefused, DiagnosticsWarning, UsageError
from bayescale.models.model import Model
from bayescale.models.noise import Noise
from bayescale.planning.budget_line import BudgetLine

BUDGET, TARGET = 1e20, 1e23
PIVOT = {"N": 1e8, "D": 1e10}


@pytest.fixture(scope="module")
def found(ladder: bs.Posterior) -> Design:
    return design(ladder, BUDGET, TARGET, single_law=True, draws=24)


def test_a_design_keeps_to_budget_cap_and_ratios(found: Design) -> None:
    table = found.table
    assert (table["cost"] * table["count"]).sum() == pytest.approx(found.table_cost)
    assert found.table_cost <= BUDGET
    assert table["cost"].max() <= BUDGET / 10 * (1 + 1e-9)
    assert table["count"].sum() <= 40
    np.testing.assert_allclose(6 * table["N"] * table["D"], table["cost"])
    assert table["D/N"].between(0.5 - 1e-9, 700 + 1e-9).all()
    assert len(found.runs()) == table["count"].sum()
    assert (table["gain"] > 0).all()


def test_a_design_tells_more_than_isoflop_grids_of_its_cost(found: Design) -> None:
    spread = found.summary()
    assert spread.loc["now", "gain"] == 0
    for way in ("isoFLOP", "wide isoFLOP"):
        assert spread.loc[way, "cost"] == pytest.approx(found.table_cost)
        assert spread.loc["this design", "gain"] > spread.loc[way, "gain"] > 0
        assert spread.loc["this design", "N"] < spread.loc[way, "N"] < spread.loc["now", "N"]


def test_the_spread_now_is_that_of_the_posterior(ladder: bs.Posterior, found: Design) -> None:
    plan = bs.plan(ladder, TARGET)
    sd = np.log(plan.resources["N"][:, 0]).std()
    # The local view has the Fisher information in place of the realised one.
    assert found.summary().loc["now", "N"] == pytest.approx(sd, rel=0.25)
    assert found.summary().loc["now", "loss"] == pytest.approx(
        np.log(plan.loss[:, 0]).std(), rel=0.35
    )


def test_what_is_predicted_of_a_batch_comes_true(ladder: bs.Posterior, found: Design) -> None:
    # Runs of the design are simulated from the posterior's own middle and fitted with the old.
    assert ladder.observed is not None
    assert ladder.model is not None
    middle = {n: float(np.median(v)) for n, v in ladder.sites.items()}
    new = ladder.model.simulate(found.runs()[["N", "D"]], seed=5, coordinates=middle).runs
    old = ladder.observed.table[["N", "D", "loss"]]
    both = pd.concat([old, new.table[["N", "D", "loss"]]], ignore_index=True)
    after = bs.fit(bs.read_runs(both, on_duplicates="keep"), ladder.model, engine="laplace", seed=2)
    got = np.log(bs.plan(after, TARGET).resources["N"][:, 0]).std()
    assert got == pytest.approx(found.summary().loc["this design", "N"], rel=0.35)


def test_the_slopes_are_those_of_the_law(ladder: bs.Posterior) -> None:
    import jax

    line = BudgetLine(costs.get("6ND"))
    (local,) = linearise(ladder, line, math.log(TARGET), draws=3, seed=0)
    points = {"N": np.log([1e8, 3e9]), "D": np.log([1e9, 4e10])}
    got = local.jacobian(points)[..., : len(local.coordinates)]
    assert ladder.model is not None

    def log_loss(position: jax.Array) -> jax.Array:
        sites = local.density.constrain(position, jax.numpy)
        parameters = ladder.model.parameters(sites, jax.numpy)
        return ladder.law.log_loss(parameters, points, jax.numpy)

    for draw, position in enumerate(local.positions):
        want = jax.jacfwd(log_loss)(jax.numpy.asarray(position))[:, list(local.coordinates)]
        np.testing.assert_allclose(got[draw], want, atol=1e-7)


def test_the_gradient_of_the_optimum_is_that_of_the_closed_form(ladder: bs.Posterior) -> None:
    import jax

    line = BudgetLine(costs.get("6ND"))
    (local,) = linearise(ladder, line, math.log(TARGET), draws=2, seed=0)
    assert ladder.model is not None

    def log_size(position: jax.Array) -> jax.Array:
        sites = local.density.constrain(position, jax.numpy)
        p = ladder.model.parameters(sites, jax.numpy)
        a, b = jax.numpy.exp(p["alpha"]), jax.numpy.exp(p["beta"])
        top = p["alpha"] + p["A"] - p["beta"] - p["B"] + b * math.log(TARGET / 6)
        return top / (a + b)  # Hoffmann et al. 2022, eq. (4)

    for draw, position in enumerate(local.positions):
        want = np.asarray(jax.grad(log_size)(jax.numpy.asarray(position)))
        got = local.gradient[draw, 0, : len(local.coordinates)]
        np.testing.assert_allclose(got, want[list(local.coordinates)], atol=1e-6)


def test_before_any_run_the_priors_decide() -> None:
    first = design(Model.at("share", pivot=PIVOT), 1e19, TARGET, seed=1, draws=24)
    again = design(Model.at("share", pivot=PIVOT), 1e19, TARGET, seed=1, draws=24)
    pd.testing.assert_frame_equal(first.table, again.table)
    spread = first.summary()
    assert spread.loc["this design", "N"] < 0.5 * spread.loc["now", "N"]
    # What is known least is the exponents, so sizes must differ widely.
    assert np.ptp(np.log10(first.table["N"])) > 1.5


def test_a_stack_asks_which_law_it_is(ladder: bs.Posterior) -> None:
    assert ladder.observed is not None
    with warnings.catch_warnings():
        # A wrong q on a table of the additive law: the gate sees the trend that is left.
        warnings.simplefilter("ignore", DiagnosticsWarning)
        other = bs.fit(ladder.observed, "share", engine="laplace", seed=1, prior={"q": 1.3})
    both = bs.stack({"chinchilla": ladder, "share": other}, by="equal")
    found = design(both, BUDGET, TARGET, draws=24)
    alone = design(ladder, BUDGET, TARGET, draws=24, single_law=True)
    # The laws differ at the target by more than either is unsure of.
    assert found.summary().loc["now", "loss"] > alone.summary().loc["now", "loss"]
    assert found.table_cost <= BUDGET
    assert not any("fixed form" in reason for reason in found.reasons)


def test_jobs_under_way_count_and_idle_ones_are_named(ladder: bs.Posterior) -> None:
    # By the law alone, whose table begins with a cheap run. Runs within the old ones do not learn
    # the drift: with it the table begins with a dear run, and what is left buys a better new one.
    exact = ladder.exact
    found = design(exact, BUDGET, TARGET, single_law=True, draws=24)
    best = found.table.iloc[0]
    # The first is nearly done and of the best kind; the second lies in the middle of the runs.
    jobs = pd.DataFrame({"N": [best["N"], 1e8], "D": [best["D"], 1e10], "remaining": [0.01, 1.0]})
    with_jobs = design(exact, BUDGET, TARGET, single_law=True, running=jobs, draws=24)
    assert with_jobs.running is not None
    assert list(with_jobs.running["advice"]) == ["go on", "stop"]
    assert with_jobs.summary().loc["now", "N"] < found.summary().loc["now", "N"]


def test_candidates_of_the_user_are_the_only_ones(ladder: bs.Posterior) -> None:
    mine = pd.DataFrame({"N": [1e7, 1e8, 1e9], "D": [1e11, 1e10, 1e9], "cost": [1e18, 2e18, 3e18]})
    found = design(
        ladder, 1e19, TARGET, candidates=mine, single_law=True, repeats=False, max_cost=5e18
    )
    assert set(found.table["N"]) <= set(mine["N"])
    assert found.table["count"].max() == 1
    assert found.table_cost <= 6e18


def test_the_worth_is_the_regret_that_monte_carlo_finds(ladder: bs.Posterior) -> None:
    ladder = ladder.exact
    found = design(ladder, BUDGET, TARGET, single_law=True, draws=64)
    plan = bs.plan(ladder, TARGET)
    log_size = np.log(plan.resources["N"][:, 0])
    size = np.exp(log_size.mean())
    data = TARGET / 6 / size
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DiagnosticsWarning)  # it is far beyond the runs
        losses = ladder.predict(N=size, D=data, drift=False).draws[:, 0]
    at_best = np.array(
        [
            ladder.law.loss(
                N=n,
                D=TARGET / 6 / n,
                **{k: float(np.exp(v[i])) for k, v in ladder.log_parameters.items()},
            )
            for i, n in enumerate(np.exp(log_size[:100]))
        ]
    )
    regret = float(np.mean(losses[:100] - at_best))
    assert found.worth.regret == pytest.approx(regret, rel=0.4)
    assert found.worth.regret_after < found.worth.regret


def test_the_worth_says_whether_to_go_on() -> None:
    assert "pays for itself" in ValueOfInformation(1e-3, 1e-4, 1e22, 1e20).sentence(1e24)
    assert "stop here" in ValueOfInformation(1e-3, 1e-4, 1e19, 1e20).sentence(1e24)


OF_SIZE_AND_DATA = sorted(
    n for n in costs.COSTS if {r.name for r in costs.get(n).resources} == {"N", "D"}
)


@pytest.mark.parametrize("name", OF_SIZE_AND_DATA)
def test_candidates_cost_what_they_say(name: str) -> None:
    cost: Any = costs.get(name)
    if isinstance(cost, costs.ShapedCost):
        cost = cost.on(costs.ladder(range(2, 60)))
    if isinstance(cost, costs.ExpertsCost):
        cost = cost.on(37e9, 671e9)
    table = candidate.grid(cost, 1e20)
    spent = np.exp(cost.log_cost({n: np.log(table[n].to_numpy()) for n in ("N", "D")}))
    np.testing.assert_allclose(spent, table["cost"], rtol=1e-9)


@pytest.mark.parametrize(
    ("noise", "tolerance"),
    [
        (Noise("Normal", {"mu": 0.0, "sigma": np.array([0.3, 2.0])}), 1e-9),
        (
            Noise("StudentT", {"mu": 0.0, "sigma": np.array([0.3, 2.0]), "nu": np.array([1.5, 6])}),
            1e-3,
        ),
        (
            Noise(
                "Contaminated",
                {
                    "mu": 0.0,
                    "sigma": np.array([0.01, 0.01]),
                    "fraction": np.array([0.2, 0.05]),
                    "excess": np.array([0.05, 0.3]),
                },
            ),
            2e-2,
        ),
        (
            Noise(
                "GrossErrors",
                {
                    "mu": 0.0,
                    "nu": np.array([20.0, 2.0]),
                    "sigma": np.array([0.01, 0.02]),
                    "fraction": np.array([0.05, 0.3]),
                    "gross": np.array([0.3, 0.05]),
                },
            ),
            1e-3,
        ),
    ],
)
def test_the_information_of_a_run_is_the_variance_of_its_score(
    noise: Noise, tolerance: float
) -> None:
    from bayescale.models import likelihoods

    names = {"Normal": "normal", "StudentT": "studentt", "Contaminated": "contaminated"}
    names |= {"GrossErrors": "gross_errors"}
    likelihood = likelihoods.get(names[noise.family])
    got = likelihood.information(noise)
    x = noise.sample(np.random.default_rng(0), (400_000, 2))
    step = 1e-4 * noise.scale
    ahead, behind = (noise.shifted(sign * step).log_density(x, np) for sign in (1, -1))
    score = (ahead - behind) / (2 * step)
    error = (score**2).std(axis=0) / np.sqrt(len(x))
    assert np.all(np.abs((score**2).mean(axis=0) - got) < 4 * error + tolerance * got)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"budget": -1.0}, "budget must be a positive number of FLOP; got -1"),
        ({"at": math.nan}, "at must be a positive number of FLOP; got nan"),
        ({"max_runs": 0}, "max_runs must be at least 1; got 0"),
        ({"ratios": (5.0, 1.0)}, "ratios must be two positive numbers that ascend"),
        ({"single_law": False}, "law 'chinchilla' has a fixed form, .*pass a stack"),
        ({"N_max": 10.0}, "no run of at most .* has N up to 10 .*raise a cap"),
        ({"candidates": {"N": [1e9], "D": [1e10]}, "budget": 1e15}, "the cheapest candidate costs"),
        ({"candidates": {"N": [1e9]}}, "the candidates have no column D; they have N"),
        ({"candidates": {"N": [], "D": []}}, "there are no candidates"),
        (
            {"candidates": {"N": [1e8, "many"], "D": [1e9, 1e9]}},
            "column 'N' of the candidates must hold positive numbers; row 2 has 'many'",
        ),
        (
            {"running": {"N": [1e8], "D": [1e9], "remaining": [7.0]}},
            "column 'remaining' .* from 0 to 1; got 7",
        ),
        ({"cost": "9ND"}, "no cost model called '9ND'"),
    ],
)
def test_what_cannot_be_answered_gets_its_sentence(
    ladder: bs.Posterior, options: dict, message: str
) -> None:
    given = {"budget": BUDGET, "at": TARGET, "single_law": True} | options
    if "candidates" in given:
        given["candidates"] = pd.DataFrame(given["candidates"])
    with pytest.raises(UsageError, match=message):
        design(ladder, **given)


def test_a_single_law_warns_when_it_is_asked_for(found: Design) -> None:
    assert any("confidently wrong" in reason for reason in found.reasons)


def test_a_far_target_says_so(ladder: bs.Posterior) -> None:
    far = design(ladder, 1e18, 1e24, single_law=True, draws=8)
    assert any("times the largest run" in reason for reason in far.reasons)
    with pytest.raises(DiagnosticsRefused, match="no interval was ever checked"):
        design(ladder, 1e18, 1e27, single_law=True, draws=8)
    assert not design(ladder, 1e18, 1e27, single_law=True, draws=8, force=True).trusted


def test_draws_without_a_model_and_a_refused_posterior_are_refused(
    refused: bs.Posterior,
) -> None:
    given = bs.Posterior.from_draws(
        "chinchilla", {"E": 1.8, "A": 480.0, "B": 2085.0, "alpha": 0.348, "beta": 0.366}
    )
    with pytest.raises(UsageError, match="without a model, so"):
        design(given, BUDGET, TARGET, single_law=True)
    with pytest.raises(DiagnosticsRefused):
        design(refused, BUDGET, TARGET, single_law=True)
    assert not design(refused, BUDGET, TARGET, single_law=True, force=True, draws=8).trusted


def test_nothing_to_learn_is_said(ladder: bs.Posterior) -> None:
    assert ladder.model is not None
    model = replace(
        ladder.model,
        priors=ladder.model.priors.replace(
            {n: float(np.median(ladder.sites[n])) for n in ladder.law.chart.names}
        ),
    )
    with pytest.raises(UsageError, match=r"every coordinate of law .* is fixed"):
        design(model, BUDGET, TARGET, single_law=True)


def test_a_design_is_plain_data(found: Design) -> None:
    import json

    data = json.loads(json.dumps(found.to_dict()))
    assert data["at"] == TARGET
    assert len(data["runs"]) == len(found.table)
    assert data["trusted"]
