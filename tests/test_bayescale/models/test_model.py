"""Models hold no data, simulate runs, and travel as plain data."""

import json
import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from bayescale.distributions.prior import Prior
from bayescale.errors import UsageError
from bayescale.models import likelihoods
from bayescale.models.likelihoods import LIKELIHOODS
from bayescale.models.model import Model, geometric_mean
from bayescale.models.noise import Noise
from bayescale.runs.table import read_runs
from theory import laws
from theory.declaration import symbols as s
from theory.declaration.law import Law
from theory.declaration.symbols import D, N
from theory.errors import UnknownLaw

PIVOT = {"N": 1e8, "D": 5e9}
ROUNDING = 1e-12
"""A dozen operations in double precision."""

TRUTH = {
    "L_pivot": 3.2,
    "floor_fraction": 0.55,
    "share_N": 0.45,
    "alpha": 0.33,
    "beta": 0.29,
    "sigma": 0.02,
    "nu": 5.0,
}


def design(rows=12, seed=0):
    rng = np.random.default_rng(seed)
    return {"N": 10 ** rng.uniform(6.5, 9.5, rows), "D": 10 ** rng.uniform(8.5, 11, rows)}


def chinchilla_by_hand(n, d):
    """Loss at the true coordinates, written out."""
    reducible = 3.2 * 0.45
    terms = 0.45 * (n / PIVOT["N"]) ** -0.33 + 0.55 * (d / PIVOT["D"]) ** -0.29
    return 3.2 * 0.55 + reducible * terms


# --- making one


def test_a_model_takes_pivot_and_level_from_the_runs_and_nothing_else():
    table = pd.DataFrame({**design(5), "loss": [3.0, 2.9, 3.4, 3.1, 2.5]})
    model = Model.for_runs("chinchilla", read_runs(table))
    assert model.priors.pivot["N"] == pytest.approx(stats.gmean(table["N"]), rel=ROUNDING)
    assert model.priors.pivot["D"] == pytest.approx(stats.gmean(table["D"]), rel=ROUNDING)
    assert model.priors.table["L_pivot"].scipy().median() == pytest.approx(3.0, rel=ROUNDING)
    assert model == Model.at("chinchilla", pivot=model.priors.pivot, level=3.0)


def test_law_and_likelihood_go_by_name_or_as_they_are():
    by_name = Model.at("share", pivot=PIVOT, likelihood="normal")
    assert by_name == Model.at(laws.share, pivot=PIVOT, likelihood=likelihoods.get("normal"))
    assert by_name.law is laws.share
    assert Model.at("share", pivot=PIVOT).likelihood == likelihoods.get("studentt")


def test_unknown_names_are_refused():
    with pytest.raises(UnknownLaw, match=r"Did you mean 'share'\?"):
        Model.at("shares", pivot=PIVOT)
    with pytest.raises(UsageError, match=r"^no likelihood called 'cauchy'\."):
        Model.at("share", pivot=PIVOT, likelihood="cauchy")
    with pytest.raises(UsageError, match=r"^no prior can be set on 'F', only on parameters"):
        Model.at("share", pivot=PIVOT, prior={"F": 1.7})
    with pytest.raises(UsageError, match=r"^no prior can be set on 'nu'"):
        Model.at("share", pivot=PIVOT, likelihood="normal", prior={"nu": 4.0})


def test_a_number_fixes_a_coordinate_and_the_rest_is_free():
    model = Model.at("share", pivot=PIVOT, prior={"q": 1, "nu": 4.0, "alpha": Prior.around(0.5, 1)})
    assert model.fixed == {"q": 1.0, "nu": 4.0}
    assert model.free == ("L_pivot", "floor_fraction", "share_N", "alpha", "beta", "sigma")
    assert model.priors.table["alpha"] == Prior.around(0.5, 1)


def test_parameters_come_from_coordinates_at_the_pivot():
    model = Model.at("chinchilla", pivot=PIVOT)
    got = {name: math.exp(v) for name, v in model.parameters(TRUTH, np).items()}
    expected = {
        "E": 3.2 * 0.55,
        "A": 3.2 * 0.45 * 0.45 * 1e8**0.33,
        "B": 3.2 * 0.45 * 0.55 * 5e9**0.29,
        "alpha": 0.33,
        "beta": 0.29,
    }
    assert got == pytest.approx(expected, rel=ROUNDING)


def test_the_geometric_mean_survives_sizes_whose_product_overflows():
    assert geometric_mean(np.array([1e200, 1e250, 1e300])) == pytest.approx(1e250, rel=1e-10)


# --- simulating


def test_a_simulation_is_reproducible_and_moves_with_its_seed():
    model = Model.at("chinchilla", pivot=PIVOT)
    first, again, other = (model.simulate(design(), seed=seed) for seed in (7, 7, 8))
    np.testing.assert_array_equal(first.runs.loss, again.runs.loss)
    assert first.coordinates == again.coordinates
    assert first.parameters == again.parameters
    assert first.seed == 7
    assert np.all(first.runs.loss != other.runs.loss)
    assert all(first.coordinates[name] != other.coordinates[name] for name in model.free)


@pytest.mark.parametrize("likelihood", ["studentt", "normal"])  # the others: test_noise_models
def test_residuals_follow_the_noise_around_the_law(likelihood):
    model = Model.at("chinchilla", pivot=PIVOT, likelihood=likelihood)
    given = {name: TRUTH[name] for name in model.free}
    table = design(20_000, seed=1)
    simulated = model.simulate(table, seed=2, coordinates=given)
    assert simulated.coordinates == given
    # Rows keep their order, so that a residual belongs to its own run.
    np.testing.assert_array_equal(simulated.runs.column("N"), table["N"])
    mean = np.log(chinchilla_by_hand(table["N"], table["D"]))
    residual = (np.log(simulated.runs.loss) - mean) / 0.02
    expected = {"studentt": stats.t(5.0), "normal": stats.norm()}[likelihood]
    # The seed is fixed; the other noise model, or another nu, gives p below 1e-5 at 20,000 runs.
    assert stats.kstest(residual, expected.cdf).pvalue > 0.01


def test_the_reported_parameters_are_those_behind_the_losses():
    model = Model.at("chinchilla", pivot=PIVOT, likelihood="normal")
    table = design()
    simulated = model.simulate(table, seed=3, coordinates={"sigma": 1e-9})
    p = simulated.parameters
    by_hand = p["E"] + p["A"] * table["N"] ** -p["alpha"] + p["B"] * table["D"] ** -p["beta"]
    np.testing.assert_allclose(simulated.runs.loss, by_hand, rtol=1e-8)  # ten sigmas
    assert set(p) == {q.name for q in model.law.parameters}


def test_coordinates_that_are_not_given_are_drawn_from_the_prior():
    model = Model.at("chinchilla", pivot=PIVOT)
    drawn = [model.simulate(design(1), seed=seed, coordinates={"alpha": 0.4}) for seed in range(60)]
    assert {simulated.coordinates["alpha"] for simulated in drawn} == {0.4}
    beta = [simulated.coordinates["beta"] for simulated in drawn]
    # The seeds are fixed; the prior's own draws pass at any seed but one in a hundred.
    assert stats.kstest(beta, model.priors.table["beta"].scipy().cdf).pvalue > 0.01


@pytest.mark.parametrize("name", laws.catalogue())
def test_every_law_simulates_a_table_of_its_own_resources(name):
    law = laws.get(name)
    rng = np.random.default_rng(4)
    table = {r.name: 10 ** rng.uniform(7, 9, 6) for r in law.resources}
    simulated = Model.at(law, pivot={r.name: 1e8 for r in law.resources}).simulate(table, seed=5)
    assert len(simulated.runs) == 6
    assert np.all(simulated.runs.loss > 0)
    assert simulated.runs.name == f"simulated from {name}"


@pytest.mark.parametrize("name", laws.catalogue())
def test_a_fit_begins_with_a_law_through_the_middle_of_the_table(name):
    law = laws.get(name)
    pivot = {r.name: float(np.sqrt(np.prod(r.typical or (1e7, 1e9)))) for r in law.resources}
    if name == "ridgeless":  # its pole is where the shares are equal
        pytest.skip("the medians of its priors are its pole")
    start = Model.at(law, pivot=pivot, level=2.9).starting_point()
    assert set(start) == {p.name for p in law.parameters}
    assert law.loss(**pivot, **start) == pytest.approx(2.9, rel=1e-9)


def test_a_design_may_be_runs_a_frame_or_a_mapping():
    model = Model.at("chinchilla", pivot=PIVOT)
    frame = pd.DataFrame(design())
    runs = read_runs(frame.assign(loss=np.linspace(4, 3, len(frame))))
    losses = [model.simulate(given, seed=6).runs.loss for given in (design(), frame, runs)]
    np.testing.assert_array_equal(losses[0], losses[1])
    np.testing.assert_array_equal(losses[0], losses[2])


def test_a_design_without_a_resource_is_refused_by_name():
    model = Model.at("chinchilla", pivot=PIVOT)
    with pytest.raises(UsageError) as caught:
        model.simulate({"N": [1e7, 1e8], "tokens": [1e9, 1e10]}, seed=0)
    assert str(caught.value) == (
        "the design has no column D; law 'chinchilla' needs N, D and the design has N, tokens."
    )


def test_an_unknown_coordinate_is_refused():
    model = Model.at("chinchilla", pivot=PIVOT)
    with pytest.raises(UsageError, match=r"^no prior can be set on 'alhpa'.*Did you mean 'alpha'"):
        model.simulate(design(), seed=0, coordinates={"alhpa": 0.3})


def test_noise_broadcasts_to_the_asked_shape():
    arguments = {"mu": np.array([0.0, 100.0]), "sigma": 1.0}
    draws = Noise("Normal", arguments).sample(np.random.default_rng(0), (500, 2))
    assert draws.shape == (500, 2)
    # Five standard errors of a mean of 500.
    np.testing.assert_allclose(draws.mean(axis=0), [0.0, 100.0], atol=5 / math.sqrt(500))


# --- as plain data


PAIRS = [(law, "studentt") for law in laws.catalogue()]
PAIRS += [(law, noise) for noise in LIKELIHOODS for law in ("chinchilla", "kaplan", "power_C")]


@pytest.mark.parametrize(("name", "likelihood"), PAIRS)
def test_a_model_survives_json(name, likelihood):
    pivot = {r.name: 3e8 for r in laws.get(name).resources}
    if likelihood == "smooth_curves":
        likelihood = f"smooth_curves(along={list(pivot)[-1]})"
    model = Model.at(name, pivot=pivot, level=2.2, likelihood=likelihood, prior={"sigma": 0.02})
    again = Model.from_dict(json.loads(json.dumps(model.to_dict())))
    assert again == model
    assert again.to_dict() == model.to_dict()
    assert again.free == model.free
    assert again.fixed == {**model.fixed, "sigma": 0.02}


def test_a_law_whose_formula_has_changed_is_refused():
    data = Model.at("chinchilla", pivot=PIVOT).to_dict()
    data["formula"] = "E + A/N**alpha"
    with pytest.raises(UsageError) as caught:
        Model.from_dict(data)
    message = str(caught.value)
    assert message.startswith("this was made with law 'chinchilla' = E + A/N**alpha, but the law")
    assert message.endswith("pass law= with the one it was made with.")


def test_a_law_of_the_users_own_is_passed_back_in():
    a, b, alpha = s.amplitude("A", of=N), s.amplitude("B", of=D), s.exponent("alpha", of=N)
    law = Law(
        name="mine",
        title="a test",
        resources=(N, D),
        parameters=(a, b, alpha),
        formula=a * N**-alpha + b * D**-alpha,
        floor=None,
        weights={N: alpha.symbol, D: alpha.symbol},
        source="test",
        citation="test",
    )
    data = Model.at(law, pivot=PIVOT).to_dict()
    assert Model.from_dict(data, law=law).law is law
    with pytest.raises(UnknownLaw, match=r"^no law called 'mine'\."):
        Model.from_dict(data)
    with pytest.raises(UsageError, match=r"pass law= with the one it was made with\.$"):
        Model.from_dict(data, law=laws.chinchilla)
