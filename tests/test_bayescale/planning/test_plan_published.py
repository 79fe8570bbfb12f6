"""Plans against published tables: Hoffmann, de Vries, Sardana, Muennighoff, the replication."""

import json
import tomllib
from pathlib import Path

import numpy as np
import pytest
from scipy import optimize

import bayescale as bs
from bayescale import cost as costs
from bayescale.posteriors.posterior import Posterior

FOLDER = Path(__file__).parents[2] / "reference" / "planning"
PUBLISHED = tomllib.loads((FOLDER / "published.toml").read_text("utf-8"))
COEFFICIENTS = {k: v for k, v in PUBLISHED["coefficients"].items() if k != "source"}


def point(name: str) -> Posterior:
    return Posterior.from_draws("chinchilla", {k: [v] for k, v in COEFFICIENTS[name].items()})


@pytest.fixture(scope="module")
def bootstrap() -> dict:
    return json.loads((FOLDER / "besiroglu_bootstrap.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def replication(bootstrap: dict) -> Posterior:
    """10,000 normal draws about the replication's estimate."""
    rng = np.random.default_rng(0)
    theta = rng.multivariate_normal(bootstrap["mean"], bootstrap["covariance"], 10_000)
    draws = {name: np.exp(theta[:, i]) for i, name in enumerate(("A", "B", "E"))}
    return Posterior.from_draws("chinchilla", draws | {"alpha": theta[:, 3], "beta": theta[:, 4]})


@pytest.fixture(scope="module")
def some(replication: Posterior) -> Posterior:
    """Four thousand of them."""
    values = {p.name: replication.draws[p.name].to_numpy() for p in replication.law.parameters}
    return Posterior.from_draws("chinchilla", {n: v.ravel()[:4000] for n, v in values.items()})


# --- the replication's planner table


def test_the_planner_table_of_the_replication_is_reproduced(
    bootstrap: dict, replication: Posterior
) -> None:
    rows = bootstrap["rows"]
    budgets = [row["C"] for row in rows]
    log_a, log_b, log_e, alpha, beta = bootstrap["mean"]
    centre = {"A": np.exp(log_a), "B": np.exp(log_b), "E": np.exp(log_e)}
    single = Posterior.from_draws("chinchilla", centre | {"alpha": alpha, "beta": beta})
    at_point, many = (bs.plan(post, compute=budgets) for post in (single, replication))
    for j, row in enumerate(rows):
        assert at_point.resources["N"][0, j] == pytest.approx(row["N"], rel=1e-6)
        assert at_point.resources["D"][0, j] == pytest.approx(row["D"], rel=1e-6)
        assert at_point.loss[0, j] == pytest.approx(row["L"], rel=1e-6)
        table = many.summary().loc[row["C"]]
        for name, key in (("N", "N80"), ("D", "D80"), ("loss", "L80"), ("D/N", "DN80")):
            got = table.loc[name, ["q10", "q50", "q90"]].to_numpy(float)
            np.testing.assert_allclose(got, row[key], rtol=1e-6)
    assert many.exponents().loc["N", "q10"] == pytest.approx(0.4864, abs=5e-5)
    assert many.exponents().loc["N", "q90"] == pytest.approx(0.5383, abs=5e-5)


def test_a_point_estimate_s_budget_is_far_below_that_of_a_confidence(some: Posterior) -> None:
    rows = PUBLISHED["targets"]["plug_in"]
    plan = bs.plan(some, target=[row[0] for row in rows], confidence=0.9)
    assert plan.targets is not None
    for (_, plug_in, factor), compute in zip(rows, plan.compute, strict=True):
        assert compute / plug_in == pytest.approx(factor, rel=0.1)
    table = plan.targets.summary()
    assert table.loc[1.9, "unreachable"] == pytest.approx(0.0009, abs=3e-4)
    # The plan reaches its target with the confidence asked, a point estimate's about half so often.
    for j, target in enumerate(plan.targets.loss):
        at = plan.recommended.iloc[j]
        hit = some.predict(N=at["N"], D=at["D"], drift=False).draws <= target
        assert hit.mean() == pytest.approx(0.9, abs=0.002)
        point_plan = bs.plan(some, compute=rows[j][1]).recommended.iloc[0]
        hit = some.predict(N=point_plan["N"], D=point_plan["D"], drift=False).draws <= target
        assert 0.38 < hit.mean() < 0.52


def test_a_target_below_the_floor_gets_its_probability_and_the_surest_plan(some: Posterior) -> None:
    plan = bs.plan(some, target=[1.8, 2.1])
    assert plan.targets is not None
    floors = np.exp(some.log_parameters["E"])
    never = np.mean(floors >= 1.8)
    assert plan.targets.unreachable[0] == pytest.approx(never, abs=1e-3)
    assert np.isinf(plan.targets.compute[0])
    # What was drawn elsewhere does not drift: the surest budget is the largest.
    assert plan.targets.reached[0] == pytest.approx(1 - never, abs=2e-3)
    np.testing.assert_array_equal(plan.compute, plan.targets.best)
    assert plan.targets.reached[1] == 0.9
    (sentence,) = [r for r in plan.diagnosis.warnings if "no budget within the range" in r]
    assert f"the highest is {plan.targets.reached[0]:.2g}, at" in sentence
    assert f"with probability {plan.targets.unreachable[0]:.3g}" in sentence


def test_the_wrong_law_wastes_more_than_any_objective_gains(some: Posterior) -> None:
    known = PUBLISHED["targets"]
    for compute, mean, high in known["wrong_law"]:
        theirs = float(bs.plan(point("rounded"), compute=compute).recommended["N"].iloc[0])
        present = bs.plan(some, compute=compute, present={"N": theirs}).present
        assert present is not None
        assert present.waste.mean() == pytest.approx(mean, rel=0.03)
        assert np.quantile(present.waste, 0.9) == pytest.approx(high, rel=0.03)
        assert present.worse[0] > 0.85
    budgets = [row[0] for row in known["value_of_information"]]
    plan = bs.plan(some, compute=budgets, objective="expected_loss")
    values = [row[1] for row in known["value_of_information"]]
    np.testing.assert_allclose(plan.regret.mean(axis=0), values, atol=1.2e-5)
    # Bayes and the median differ by less than the width of any valley.
    median = bs.plan(some, compute=budgets).recommended["N"]
    np.testing.assert_allclose(plan.recommended["N"], median, rtol=0.005)
    valley = plan.valley()
    assert np.all(valley["N_high"] / valley["N_low"] > 1.25)


# --- Hoffmann et al.


def test_hoffmann_s_table_a3_is_sensitive_to_printed_digits_and_has_a_misprint() -> None:
    table = PUBLISHED["hoffmann_a3"]
    sizes, compute, tokens = np.array(table["rows"]).T
    spent = np.exp(costs.get("6ND").log_cost({"N": np.log(sizes), "D": np.log(tokens)}))
    wrong = np.abs(np.log(spent / compute)) > np.log(1.1)
    assert list(sizes[wrong]) == [175e9]
    assert spent[wrong][0] / 10 == pytest.approx(compute[wrong][0], rel=0.01)
    for name, (low, high) in table["ratio"].items():
        post = point(name)
        ratios = []
        for size, printed in zip(sizes[~wrong], compute[~wrong], strict=True):

            def gap(log_c: float, post: Posterior = post, size: float = size) -> float:
                return float(np.log(bs.plan(post, np.exp(log_c)).resources["N"][0, 0] / size))

            root = optimize.brentq(gap, np.log(printed / 10), np.log(printed * 10), xtol=1e-6)
            ratios.append(float(np.exp(root)) / printed)
        assert min(ratios) == pytest.approx(low, abs=0.01)
        assert max(ratios) == pytest.approx(high, abs=0.01)


def test_two_digits_of_an_exponent_move_chinchilla_by_a_fifth() -> None:
    exact, rounded = (
        bs.plan(point(name), compute=5.76e23).recommended.iloc[0] for name in ("tex", "rounded")
    )
    assert exact["N"] == pytest.approx(40.36e9, rel=1e-3)
    assert exact["D"] / exact["N"] == pytest.approx(58.9, rel=1e-3)
    assert rounded["N"] == pytest.approx(32.2e9, rel=2e-3)
    assert rounded["D"] / rounded["N"] == pytest.approx(92.6, rel=2e-3)


# --- over-training and serving


def overhead(post: Posterior, share: float, compute: float = 1e22) -> float:
    """Extra compute of the best loss at a budget with a smaller model."""
    best = bs.plan(post, compute=compute)
    (row,) = best.recommended.to_dict(orient="records")
    small = bs.plan(post, target=row["loss"], limits=bs.Limits(N_max=share * row["N"]))
    return float(small.compute[0]) / compute - 1


@pytest.mark.parametrize("row", PUBLISHED["de_vries"]["rows"], ids=lambda row: str(row[0]))
def test_a_smaller_model_costs_what_de_vries_says(row: list[float]) -> None:
    share, exact, text = row
    assert overhead(point("de_vries"), share) == pytest.approx(exact, abs=6e-4)
    assert overhead(point("de_vries"), share, 1e25) == pytest.approx(exact, abs=6e-4)
    assert abs(exact - text) < 0.06


def test_the_replication_makes_small_models_dearer() -> None:
    for share, extra in PUBLISHED["de_vries"]["besiroglu"]:
        assert overhead(point("besiroglu"), share) == pytest.approx(extra, rel=5e-3)


@pytest.mark.parametrize("name", ["de_vries", "besiroglu"])
def test_below_a_share_of_the_optimal_size_no_data_make_up(name: str) -> None:
    smallest, post = PUBLISHED["de_vries"]["smallest"][name], point(name)
    theta = COEFFICIENTS[name]
    exact = (1 + theta["alpha"] / theta["beta"]) ** (-1 / theta["alpha"])
    assert exact == pytest.approx(smallest, abs=5e-4)
    (row,) = bs.plan(post, compute=1e22).recommended.to_dict(orient="records")
    for factor, reachable in ((0.98, False), (1.05, True)):
        plan = bs.plan(post, target=row["loss"], limits=bs.Limits(N_max=factor * exact * row["N"]))
        assert plan.compute.size == reachable


def test_llama_7b_s_compute_optimum_is_de_vries_s() -> None:
    known = PUBLISHED["de_vries"]["llama_7b"]
    (row,) = bs.plan(point("de_vries"), known["compute"]).recommended.to_dict(orient="records")
    assert row["N"] == pytest.approx(known["N"], rel=2e-3)
    assert row["D"] == pytest.approx(known["D"], rel=3e-3)


def served(name: str) -> tuple[dict[str, float], float]:
    """The plan of a 13B-quality model that is to be served, and the compute that it saves."""
    known, theta = PUBLISHED["sardana"], COEFFICIENTS[name]
    # alpha A N^-alpha = beta B D^-beta fixes the data of a compute-optimal model of that size.
    balance = theta["alpha"] * theta["A"] * known["N"] ** -theta["alpha"]
    data = (theta["beta"] * theta["B"] / balance) ** (1 / theta["beta"])
    post = point(name)
    loss = float(post.predict(N=known["N"], D=data).draws[0, 0])
    before = 6 * known["N"] * data + 2 * known["N"] * known["served"]
    plan = bs.plan(post, target=loss, inference_tokens=known["served"])
    return plan.recommended.iloc[0].to_dict(), 1 - float(plan.compute[0]) / before


def test_sardana_s_model_to_be_served_is_smaller_and_trained_longer() -> None:
    known = PUBLISHED["sardana"]
    row, saving = served("de_vries")
    assert row["N"] == pytest.approx(known["de_vries"]["N"], rel=1e-3)
    assert row["D"] == pytest.approx(known["de_vries"]["D"], rel=1e-3)
    assert saving == pytest.approx(known["de_vries"]["saving"], abs=6e-4)
    for name, expected in known["saving"].items():
        assert served(name)[1] == pytest.approx(expected, abs=6e-4), name


# --- repeated data, embeddings


def test_repeated_data_are_worth_what_muennighoff_says() -> None:
    law, known = PUBLISHED["muennighoff"]["law"], PUBLISHED["muennighoff"]["plan"]
    for epochs, effective in PUBLISHED["muennighoff"]["effective"]:
        theta = {"E": 1.87, "A": 520.8, "B": 1487.7, "alpha": 0.35, "beta": 0.35}
        there = bs.plan(
            Posterior.from_draws("chinchilla", theta),
            allocation={"N": 1e9, "D": epochs * known["unique"]},
            limits=bs.Limits(unique_tokens=known["unique"]),
        )
        assert there.present is not None
        assert "data repeat" in " ".join(there.diagnosis.warnings)
        loss = 1.87 + 520.8 * 1e9**-0.35 + 1487.7 * (effective * known["unique"]) ** -0.35
        assert there.present.loss[0, 0] == pytest.approx(loss, rel=1e-6)
    post = Posterior.from_draws("muennighoff", law)
    plan = bs.plan(post, compute=known["compute"], limits=bs.Limits(unique_tokens=known["unique"]))
    (row,) = plan.recommended.to_dict(orient="records")
    assert row["N"] == pytest.approx(known["N"], rel=2e-3)
    assert row["D"] == pytest.approx(known["D"], rel=2e-3)
    assert row["loss"] == pytest.approx(known["loss"], abs=1e-4)
    assert plan.bill()["epochs"].iloc[0] == pytest.approx(9.1, abs=0.05)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "exponent"), [("besiroglu", 0.78), ("tex", 0.74)])
def test_compute_without_embeddings_explains_kaplan_s_exponent(name: str, exponent: float) -> None:
    model = costs.get("pearce_song")
    assert isinstance(model, costs.EmbeddingCost)
    ends = np.log([790.0, 1.58e9])
    log_n = np.linspace(*ends, 20)
    log_total = np.logaddexp(log_n, np.log(model.omega) + log_n / 3)

    def gap(log_c: float, want: float) -> float:
        plan = bs.plan(point(name), np.exp(log_c), cost="pearce_song")
        return float(np.log(plan.resources["N"][0, 0]) - want)

    found = [optimize.brentq(gap, 20, 60, args=(want,), xtol=1e-6) for want in log_total]
    slope = np.polyfit(found, log_n, 1)[0]
    assert slope == pytest.approx(exponent, abs=0.011)


@pytest.mark.filterwarnings("ignore::bayescale.errors.DiagnosticsWarning")
def test_a_drifting_target_says_what_is_drift(ladder: Posterior) -> None:
    law = bs.plan(ladder, target=[2.2], confidence=0.6, drift=False)
    assert law.targets is not None
    np.testing.assert_array_equal(law.targets.compute, law.targets.law_alone)
    # The confidence that a budget has is that of the losses planned for it.
    best = bs.plan(ladder, target=[1.55], confidence=0.99, force=True)
    assert best.targets is not None
    assert np.isinf(best.targets.compute[0])
    assert 0 < best.targets.reached[0] < 0.99
    (sentence,) = best.targets.reasons()
    assert "no budget within the range believed reaches a loss of 1.55" in sentence
    at = best.recommended.iloc[0]
    losses = ladder.predict(N=at["N"], D=at["D"], force=True).draws
    assert np.mean(losses <= 1.55) == pytest.approx(best.targets.reached[0], abs=0.05)
