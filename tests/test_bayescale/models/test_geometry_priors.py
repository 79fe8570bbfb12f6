"""Priors of exponents from inputs: the arithmetic, the words, and a fit with them."""

import math

import numpy as np
import pandas as pd
import pytest

import bayescale as bs
from bayescale.distributions.prior import Prior
from bayescale.errors import UsageError
from bayescale.models.geometry_priors import (
    BOUND_SPREAD,
    DUALITY_SPREAD,
    SMOOTHNESS_SPREAD,
    prior_from_data,
)
from theory import laws
from theory.declaration.law import Law
from theory.declaration.symbols import D, N, Role, amplitude, floor
from theory.learning.geometry.dimension import intrinsic_dimension
from theory.learning.geometry.learning_curve import kernel_exponent
from theory.learning.geometry.sample import GeometryError

SQUARE = np.random.default_rng(0).uniform(size=(500, 2))


def median(prior: Prior) -> float:
    return math.exp(prior.arguments["mu"])


def test_the_exponent_is_smoothness_over_dimension() -> None:
    found = intrinsic_dimension(SQUARE, seed=0)
    for smoothness in (1.0, 2.0, 4.0):
        prior = prior_from_data(SQUARE, smoothness=smoothness)
        assert median(prior["beta"]) == pytest.approx(smoothness / found.median, rel=1e-12)
        assert prior["beta"].arguments["sigma"] == pytest.approx(
            math.hypot(found.sigma, BOUND_SPREAD), rel=1e-12
        )
        assert prior.dimension == found
        assert prior.curve is None


def test_unknown_smoothness_is_wider_and_covers_rough_and_smooth() -> None:
    prior = prior_from_data(SQUARE)
    sigma = prior["beta"].arguments["sigma"]
    assert sigma == pytest.approx(math.hypot(prior.dimension.sigma, SMOOTHNESS_SPREAD), rel=1e-12)
    low, high = prior["beta"].scipy().ppf([0.05, 0.95])
    assert low < 1 / 2
    assert high > 4 / 2


def test_model_size_follows_by_duality_with_more_spread() -> None:
    prior = prior_from_data(SQUARE, smoothness=2)
    beta, alpha = (prior[name].arguments for name in ("beta", "alpha"))
    assert alpha["mu"] == beta["mu"]
    assert alpha["sigma"] == pytest.approx(math.hypot(beta["sigma"], DUALITY_SPREAD), rel=1e-12)


def test_a_kernel_gives_its_own_exponent() -> None:
    prior = prior_from_data(SQUARE, kernel="laplace", law="power_D")
    curve = kernel_exponent(SQUARE, "laplace", seed=0)
    assert prior.curve == curve
    assert median(prior["alpha"]) == pytest.approx(curve.alpha, rel=1e-12)
    assert prior["alpha"].arguments["sigma"] >= BOUND_SPREAD
    assert "kernel 'laplace' with length scale" in prior.reasoning


def test_a_function_is_a_kernel() -> None:
    def linear_and_rough(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return x @ y.T + np.exp(-np.linalg.norm(x[:, None] - y[None], axis=2))

    prior = prior_from_data(SQUARE, kernel=linear_and_rough)
    assert "kernel 'linear_and_rough' on these inputs" in prior.reasoning


@pytest.mark.parametrize(
    ("law", "names"),
    [
        ("chinchilla", ["beta", "alpha"]),
        ("kaplan", ["alpha_D", "alpha_N"]),
        (laws.get("share"), ["beta", "alpha"]),
        ("power_D", ["alpha"]),
        ("power", ["alpha"]),
        ("random_features", ["alpha"]),
        ("E + A*N**-a + B*D**-b", ["b", "a"]),
    ],
)
def test_the_parameters_are_those_of_the_law(law: str | Law, names: list[str]) -> None:
    prior = prior_from_data(SQUARE, smoothness=2, law=law)
    assert list(prior) == names
    assert all(one.family == "LogNormal" for one in prior.values())
    assert len(prior) == len(names)
    for name in names:
        assert f"So {name} is " in prior.reasoning


@pytest.mark.parametrize("name", laws.catalogue())
def test_every_law_takes_its_priors_or_is_refused(name: str) -> None:
    law = laws.get(name)
    own = {p.symbol for p in law.parameters if p.role is Role.EXPONENT}
    weights = law.weights or {}
    solved = {"a_1", "b_1"} <= {p.name for p in law.parameters}
    if not solved and not own & {weights.get(D), weights.get(N)}:
        with pytest.raises(UsageError, match=f"law '{name}' has no parameter"):
            prior_from_data(SQUARE, smoothness=2, law=law)
        return
    prior = prior_from_data(SQUARE, smoothness=2, law=law)
    pivot = {resource.name: 2.0 for resource in law.resources}
    model = bs.Model.at(law, pivot=pivot, prior=prior)
    assert {key: model.priors.table[key] for key in prior} == dict(prior)


@pytest.mark.parametrize("law", ["dmft", "dmft_tied"])
def test_solved_dynamics_take_task_and_spectrum(law: str) -> None:
    plain, found = prior_from_data(SQUARE), intrinsic_dimension(SQUARE, seed=0)
    prior = prior_from_data(SQUARE, law=law)
    assert prior["a_1"] == plain["beta"]
    assert median(prior["b_1"]) == pytest.approx(1 / found.median, rel=1e-12)
    spread = math.hypot(found.sigma, SMOOTHNESS_SPREAD)
    assert prior["b_1"].arguments["sigma"] == pytest.approx(spread, rel=1e-12)
    assert "the tangent kernel of a ReLU network on them falls as k^-(1 + b_1)" in prior.reasoning
    assert list(prior_from_data(SQUARE, law=law, kernel="rbf")) == ["a_1"]


@pytest.mark.parametrize(("kernel", "nu"), [("laplace", 0.5), ("matern32", 1.5)])
def test_the_spectrum_of_a_kernel_falls_as_its_prior_says(kernel: str, nu: float) -> None:
    square = np.random.default_rng(3).uniform(size=(1500, 2))
    prior = prior_from_data(square, law="dmft_tied", kernel=kernel)
    distances = np.linalg.norm(square[:, None] - square[None], axis=-1) / 0.5
    r = math.sqrt(2 * nu) * distances
    matrix = np.exp(-r) * (1 + r if nu == 1.5 else 1)
    eigenvalues = np.linalg.eigvalsh(matrix / len(square))[::-1]
    ranks = np.arange(20, 150)
    slope = -np.polyfit(np.log(ranks), np.log(eigenvalues[ranks - 1]), 1)[0]
    assert median(prior["b_1"]) == pytest.approx(2 * nu / 2, rel=0.1)
    assert slope - 1 == pytest.approx(median(prior["b_1"]), rel=0.15)


def test_the_reasoning_says_how_and_what_it_does_not_know() -> None:
    data = np.column_stack([np.vstack([SQUARE, SQUARE[:5]]), np.ones(505)])
    words = prior_from_data(data, smoothness=4, rows=400, seed=2).reasoning
    for part in (
        "400 of 505 rows are used, drawn with seed 2.",
        "1 of 3 columns do not vary",
        "intrinsic dimension 1.9",
        "smoothness 4 (as given)",
        "falls at least as D^-(4/d)",
        "So beta is 2.",
        "the exponent in N, by duality with wider spread",
        "fixed features",
        "let the runs overrule it",
    ):
        assert part in words, words


def test_a_data_frame_and_a_list_will_do() -> None:
    expected = prior_from_data(SQUARE, smoothness=2)
    for data in (pd.DataFrame(SQUARE, columns=["x", "y"]), SQUARE.tolist()):
        assert dict(prior_from_data(data, smoothness=2)) == dict(expected)


def test_seeds_repeat() -> None:
    first, again, other = (prior_from_data(SQUARE, seed=seed) for seed in (1, 1, 2))
    assert dict(first) == dict(again)
    assert dict(first) != dict(other)


# Eight runs are few for the unknowns, which the gate says.
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::bayescale.errors.DiagnosticsWarning")
def test_a_fit_is_drawn_towards_the_priors() -> None:
    """A few noisy runs hardly tell the exponent, so it stays nearer to the prior that it has."""
    runs = pd.DataFrame({"D": np.geomspace(1e6, 1e8, 8)})
    clean = 0.1 + 1e3 * runs["D"] ** -0.6
    runs["loss"] = clean * np.exp(0.2 * np.random.default_rng(3).normal(size=8))
    fits = {}
    for kind, prior in (
        ("data", prior_from_data(SQUARE, smoothness=2, law="power_D")),
        ("default", None),
    ):
        posterior = bs.fit(runs, law="power_D", prior=prior, engine="numpyro", seed=0)
        fits[kind] = posterior.summary().loc["alpha", "mean"]
    assert fits["data"] > fits["default"] + 0.1


def test_it_foretells_the_exponents_of_the_teacher_student_runs() -> None:
    """The sphere's dimension is 4 and the runs' exponents in D and N are 0.75 and 0.82."""
    points = np.random.default_rng(4).normal(size=(2000, 5))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    prior = prior_from_data(points, law="share")
    assert abs(prior.dimension.median / 4 - 1) < 0.1
    for name, measured in (("beta", 0.75), ("alpha", 0.82)):
        low, high = prior[name].scipy().ppf([0.05, 0.95])
        assert low < measured < high
    # Where the smoothness of the teacher's kernel is known: 3/4.
    assert median(prior_from_data(points, smoothness=3)["beta"]) == pytest.approx(0.75, rel=0.1)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"smoothness": 2, "kernel": "rbf"}, UsageError, "give one of them"),
        ({"smoothness": 0}, UsageError, "smoothness must be finite and positive; got 0"),
        ({"smoothness": math.inf}, UsageError, "smoothness must be finite and positive; got inf"),
        ({"seed": -1}, UsageError, "seed must not be negative; got -1"),
        ({"law": "power_C"}, UsageError, "law 'power_C' has no parameter that is its exponent"),
        ({"law": "chinchila"}, ValueError, "Did you mean 'chinchilla'"),
        ({"kernel": "rfb"}, GeometryError, "no kernel called 'rfb'. Did you mean 'rbf'"),
        ({"X": SQUARE[:30]}, GeometryError, "30 distinct rows"),
        ({"X": pd.DataFrame({"text": ["a"] * 99})}, GeometryError, "matrix of real numbers"),
        ({"kernel": lambda x, y: np.eye(len(x))}, UsageError, "so it does not learn them"),
    ],
)
def test_what_gives_no_prior_is_refused(arguments: dict, error: type, message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        prior_from_data(**{"X": SQUARE, **arguments})
    assert str(caught.value).endswith(".")


def test_a_law_without_weights_is_refused() -> None:
    law = Law(
        name="bare",
        title="a law that says nothing of its exponents",
        source="made up",
        citation="none",
        resources=(D,),
        parameters=(floor(), amplitude("B", of=D)),
        formula=floor() + amplitude("B", of=D) / D,
        floor=floor(),
    )
    with pytest.raises(UsageError, match="law 'bare' has no parameter"):
        prior_from_data(SQUARE, law=law)
