"""Drawn models against step-by-step training, published Monte Carlo, and the theory."""

import json
import math
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from theory.errors import TheoryError
from theory.learning import simulate
from theory.learning.dmft.dynamics import GradientDescent, GradientFlow, HeavyBall, Ridge, Schedule
from theory.learning.dmft.evaluate import loss_at
from theory.learning.dmft.sgd import StochasticGradientDescent
from theory.learning.simulate import averaged, spectral
from theory.learning.simulate.averaged import summarise
from theory.learning.simulate.experiment import Arrays, residuals
from theory.learning.simulate.spectral import decompose, draw_projection, draw_samples
from theory.learning.spectrum import Measured, PowerLaw

ROUNDING = 1e-9
"""Of a few thousand steps, or of singular values."""

ERRORS = 4.0
"""Standard errors: a deviation beyond has a probability of 6e-5."""

SMALL = PowerLaw(1.6, 1.3, modes=40)


def drawn(N, P, modes=40, seed=3):
    """Projection and white samples of one draw, with the spectrum of `SMALL`."""
    first, second = jax.random.split(jax.random.key(seed))
    k = jnp.arange(1.0, modes + 1)
    return draw_projection(first, N, modes), draw_samples(second, P, modes), k**-1.3, k**-1.6


# --- one draw against training it, teacher by teacher


def step_by_step(A, Z, eigenvalues, powers, noise, update, steps):
    """Test and train loss after so many steps, averaged over teacher and noise one axis a time.

    Every teacher ``w* = sqrt(p_k/lambda_k) e_k`` and every noise ``sigma e_i`` is trained by
    itself; the mean over independent components is the sum of their losses.
    """
    inputs = np.asarray(Z) * np.sqrt(eigenvalues)
    P, modes = inputs.shape
    projection = np.eye(modes) if A is None else np.asarray(A)
    features = inputs @ projection.T
    teachers = np.concatenate([np.diag(np.sqrt(powers / eigenvalues)), np.zeros((P, modes))])
    noises = np.concatenate([np.zeros((modes, P)), math.sqrt(noise) * np.eye(P)])
    test, train = noise, 0.0
    for teacher, kick in zip(teachers, noises, strict=True):
        labels = inputs @ teacher + kick
        weights = update(features, labels, steps)
        test += np.sum(eigenvalues * (teacher - weights @ projection) ** 2)
        train += np.mean((labels - features @ weights) ** 2)
    return float(test), float(train)


def momentum_steps(features, labels, steps, rates, momentum=0.0):
    weights = last = np.zeros(features.shape[1])
    for step in range(steps):
        push = rates[step] / len(labels) * features.T @ (labels - features @ weights)
        weights, last = weights + push + momentum * (weights - last), weights
    return weights


def ridge_weights(features, labels, _, penalty):
    P, n = features.shape
    return np.linalg.solve(features.T @ features + P * penalty * np.eye(n), features.T @ labels)


RATES = np.linspace(0.6, 0.1, 25)
METHODS = {
    "descent": (
        GradientDescent(0.4),
        lambda f, y, n: momentum_steps(f, y, n, np.full(25, 0.4)),
    ),
    "heavy ball": (
        HeavyBall(0.3, 0.7),
        lambda f, y, n: momentum_steps(f, y, n, np.full(25, 0.3), 0.7),
    ),
    "schedule": (Schedule(RATES), lambda f, y, n: momentum_steps(f, y, n, RATES)),
    "ridge": (Ridge(0.02), lambda f, y, n: ridge_weights(f, y, n, 0.02)),
}


OTHER_SHAPES = [(20, 8), (60, 50), (None, 12)]


@pytest.mark.parametrize(
    ("method", "N", "P"),
    [*((method, 8, 20) for method in METHODS), *(("descent", N, P) for N, P in OTHER_SHAPES)],
)
def test_one_draw_is_training_it_step_by_step(method, N, P):
    dynamics, update = METHODS[method]
    A, Z, eigenvalues, powers = drawn(N, P)
    want = step_by_step(A, Z, eigenvalues, powers, 0.3, update, 25)
    arrays = Arrays(eigenvalues, powers, jnp.asarray(0.3), jnp.array([25.0]), dynamics)
    model = decompose(eigenvalues, powers, A, Z)
    r = residuals(model, arrays)
    test = spectral.test_loss(model, model, (r, r), powers, arrays.noise, same_samples=True)
    train = spectral.train_loss(model, r, powers, arrays.noise)
    assert (float(test[0]), float(train[0])) == pytest.approx(want, rel=ROUNDING)


def test_gradient_flow_is_descent_in_small_steps():
    fine = GradientDescent(1e-4)
    flow = simulate.loss(SMALL, N=8, P=12, t=[1.0, 5.0], noise=0.1, draws=3)
    descent = simulate.loss(SMALL, N=8, P=12, t=[1e4, 5e4], noise=0.1, draws=3, dynamics=fine)
    # Euler's error is x t times half the step.
    np.testing.assert_allclose(flow.mean, descent.mean, rtol=1e-3)


# --- identities


@pytest.mark.parametrize(("N", "P"), [(60, 12), (math.inf, 12), (8, math.inf)])
def test_before_training_the_loss_is_the_power_and_the_noise(N, P):
    found = simulate.loss(SMALL, N=N, P=P, t=0.0, noise=0.25, draws=3)
    k = np.arange(1, 41)
    np.testing.assert_allclose(found.mean, np.sum(k**-1.6) + 0.25, rtol=ROUNDING)
    np.testing.assert_allclose(found.standard_error, 0.0, atol=ROUNDING)


def test_with_fewer_modes_than_sizes_everything_is_learned():
    found = simulate.loss(SMALL, N=70, P=80, t=math.inf, draws=3)
    np.testing.assert_allclose(found.mean, 0.0, atol=ROUNDING)


def test_fewer_samples_than_features_are_interpolated():
    found = simulate.loss(SMALL, N=30, P=10, t=math.inf, noise=0.2, draws=3, observable="train")
    np.testing.assert_allclose(found.mean, 0.0, atol=ROUNDING)


def test_of_infinite_sizes_the_loss_is_the_sum_over_modes():
    times = [0.5, 20.0]
    found = simulate.loss(SMALL, N=math.inf, P=math.inf, t=times, draws=2)
    k = np.arange(1.0, 41)
    want = [np.sum(k**-1.6 * np.exp(-2 * k**-1.3 * t)) for t in times]
    np.testing.assert_allclose(found.mean, want, rtol=ROUNDING)
    assert not found.standard_error.any()


def test_the_gap_is_test_less_train():
    options = {"N": 10, "P": 15, "t": [1.0, 9.0], "noise": 0.1, "draws": 4}
    test, train, gap = (
        simulate.loss(SMALL, observable=o, **options).mean for o in ("test", "train", "gap")
    )
    np.testing.assert_allclose(gap, test - train, rtol=ROUNDING)


@pytest.mark.parametrize("P", [15, math.inf])
def test_a_member_crossed_with_itself_gives_the_loss(P):
    options = {"N": 10, "P": P, "t": [1.0, 9.0], "noise": 0.1, "draws": 4}
    crossed = simulate.cross_loss(SMALL, shared="everything", **options)
    np.testing.assert_allclose(crossed.mean, simulate.loss(SMALL, **options).mean, rtol=ROUNDING)


def test_many_samples_approach_the_population_gradient():
    at = {"N": 10, "t": [3.0, 30.0], "draws": 10}
    many = simulate.loss(SMALL, P=4000, **at)
    exact = simulate.loss(SMALL, P=math.inf, **at)
    # The projections of draw i are the same for every P.
    np.testing.assert_allclose(many.mean, exact.mean, rtol=0.02)


def test_the_square_of_the_responses_is_the_bias():
    # With nothing shared only what the mean model leaves is common: sum_k p_k H_k^2 (P = inf).
    at = {"N": 12, "t": [4.0], "draws": 600}
    responses = simulate.mode_response(SMALL, modes=range(1, 41), **at)
    crossed = simulate.cross_loss(SMALL, shared="nothing", **at)
    bias = np.sum(np.arange(1.0, 41) ** -1.6 * responses.mean[0] ** 2)
    assert bias == pytest.approx(float(crossed.mean[0]), abs=ERRORS * crossed.standard_error[0])


def test_a_measured_spectrum_is_drawn_mode_by_mode():
    k = np.arange(1.0, 41)
    at = {"N": 8, "P": 12, "t": [2.0], "draws": 3}
    measured = simulate.loss(Measured(k**-1.3, k**-1.6), **at)
    np.testing.assert_allclose(measured.mean, simulate.loss(SMALL, **at).mean, rtol=ROUNDING)


# --- seeds


def test_draws_do_not_depend_on_how_many_there_are_or_on_the_chunk(monkeypatch):
    at = {"N": 8, "P": 12, "t": [2.0, 20.0], "seed": 5}
    whole = simulate.losses_by_draw(SMALL, draws=7, **at)
    part = simulate.losses_by_draw(SMALL, draws=3, first=4, **at)
    np.testing.assert_allclose(part, whole[4:], rtol=ROUNDING)
    monkeypatch.setattr(averaged, "FLOATS", 1)
    np.testing.assert_allclose(simulate.losses_by_draw(SMALL, draws=7, **at), whole, rtol=ROUNDING)
    assert not np.allclose(simulate.losses_by_draw(SMALL, draws=7, **at | {"seed": 6}), whole)


def test_the_mean_and_its_error_are_those_of_the_draws():
    values = simulate.losses_by_draw(SMALL, N=8, P=12, t=3.0, draws=9)
    found = simulate.loss(SMALL, N=8, P=12, t=3.0, draws=9)
    assert found.mean == pytest.approx(values.mean())
    assert found.standard_error == pytest.approx(values.std(ddof=1) / 3)
    assert (found.mean.shape, found.draws, found.seed) == ((), 9, 0)


# --- one-pass stochastic gradient descent


@pytest.mark.parametrize("N", [6, math.inf])
def test_the_moment_recursion_is_the_mean_of_drawn_steps(N):
    method = StochasticGradientDescent(0.4, 3)
    task, at = PowerLaw(1.6, 1.3, modes=12), {"N": N, "t": [1, 4, 20], "noise": 0.1}
    exact = simulate.loss(task, dynamics=method, draws=200, **at)
    run = simulate.loss(task, dynamics=method, draws=2000, direct=True, **at)
    error = np.hypot(exact.standard_error, run.standard_error)
    assert (np.abs(exact.mean - run.mean) < ERRORS * error).all()


def test_large_batches_are_gradient_descent_on_the_population():
    at = {"N": 8, "t": [5, 50], "draws": 3}
    many = simulate.loss(SMALL, dynamics=StochasticGradientDescent(0.3, 10**9), **at)
    descent = simulate.loss(SMALL, dynamics=GradientDescent(0.3), **at)
    np.testing.assert_allclose(many.mean, descent.mean, rtol=1e-7)


# --- Monte Carlo by an independent program

REPOSITORY = Path(__file__).resolve().parents[3]
FOLDERS = (REPOSITORY / "tests" / "reference", REPOSITORY.parent / "shared" / "reference")


def _groups():
    """Points by setting; none, and then no test, where the file is not at hand."""
    groups = {}
    files = [folder / "dmft_reference.json" for folder in FOLDERS]
    found = next((file for file in files if file.exists()), None)
    for point in json.loads(found.read_text("utf-8"))["points"] if found else []:
        if "mc_mean" in point:
            settings = tuple(sorted(point["params"].items()))
            groups.setdefault((point["group"], settings, point["observable"]), []).append(point)
    return groups


GROUPS = _groups()
FAST = {("S3", "sgd_onepass_test"), ("A4", "gf_test"), ("A4", "gf_cross_diffA_sameData")}


def simulated(settings, observable, points, draws):
    task = PowerLaw(settings["a"], settings["b"], modes=settings["M"])
    at = {"N": settings["N"], "P": settings.get("P", math.inf), "noise": settings["sigma2"]}
    times = [0.0 if observable == "ridge_test" else float(p["t"]) for p in points]
    at |= {"t": times, "draws": draws, "seed": 11}
    shared = {"diffA_sameData": "data", "sameA_diffData": "projection", "diffA_diffData": "nothing"}
    kind, _, rest = observable.partition("_")
    if rest.startswith("cross_"):
        return simulate.cross_loss(task, shared=shared[rest.removeprefix("cross_")], **at)
    eta = settings.get("eta")
    methods = {
        "gf": lambda: GradientFlow(),
        "gd": lambda: HeavyBall(eta, settings["momentum"]),
        "sgd": lambda: StochasticGradientDescent(eta, settings["B"]),
        "ridge": lambda: Ridge(settings["ridge"]),
    }
    what = "train" if "train" in rest else "test"
    return simulate.loss(task, dynamics=methods[kind](), observable=what, **at)


@pytest.mark.parametrize(
    ("group", "draws"),
    [
        pytest.param(
            group,
            60 if (group[0], group[2]) in FAST else 600,
            marks=() if (group[0], group[2]) in FAST else pytest.mark.slow,
            id=f"{group[0]}-{group[2]}-{dict(group[1]).get('ridge', '')}",
        )
        for group in GROUPS
    ],
)
def test_the_reference_monte_carlo_is_reproduced(group, draws):
    points = GROUPS[group]
    found = simulated(dict(group[1]), group[2], points, draws)
    want, error = (np.array([p[key] for p in points]) for key in ("mc_mean", "mc_se"))
    assert (np.abs(found.mean - want) < ERRORS * np.hypot(error, found.standard_error)).all()


# --- theory


THEORY = jax.jit(loss_at)

BIAS = 3.0
"""The mean over draws of finite models lies above the theory by up to this over min(N, P)."""


@pytest.mark.parametrize(
    "scale", [pytest.param(1, id="small"), pytest.param(4, id="large", marks=pytest.mark.slow)]
)
@pytest.mark.parametrize(("a", "b"), [(1.4, 1.3), (2.2, 1.6)])
@pytest.mark.parametrize(("N", "P", "noise"), [(24, 40, 0.0), (40, 24, 0.2)])
def test_the_theory_is_the_limit_of_drawn_models(a, b, N, P, noise, scale):
    N, P, modes, draws = N * scale, P * scale, 150 * scale, 100 * scale
    times = np.array([2.0, 8.0, 25.0, 100.0, 500.0])
    task = PowerLaw(a, b, modes=modes)
    found = simulate.loss(task, N=N, P=P, t=times, noise=noise, draws=draws, seed=2)
    theory = np.asarray(THEORY(task, *np.broadcast_arrays(float(N), float(P), times, noise)))
    allowed = ERRORS * found.standard_error + BIAS * theory / min(N, P)
    assert (np.abs(found.mean - theory) < allowed).all()


# --- errors


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"N": 0}, "N must be a whole number of at least 1, or math.inf; got 0"),
        ({"P": 2.5}, "P must be a whole number"),
        ({"t": -1.0}, "t must hold times of at least 0; got -1.0"),
        ({"t": []}, "t must hold times"),
        ({"noise": -0.1}, "noise is a variance"),
        ({"noise": math.nan}, "noise is a variance"),
        ({"draws": 1}, "at least 2 draws"),
        ({"draws": 0}, "draws must be a whole number of at least 1"),
        ({"seed": -1}, "seed must be a whole number of at least 0"),
        ({"observable": "tset"}, "Did you mean 'test'"),
        ({"direct": True}, "every other method is evolved exactly"),
        ({"dynamics": GradientDescent(0.1), "t": 1.5}, "takes steps, so t must hold whole numbers"),
        ({"dynamics": GradientDescent(-0.1)}, "learning_rate must be"),
        ({"dynamics": StochasticGradientDescent(0.1, 4)}, "so P must be math.inf"),
        ({"task": PowerLaw(1.5, 1.25)}, "Give modes="),
        ({"dynamics": GradientDescent(9.0), "t": 5000.0}, "the dynamics diverged"),
    ],
)
def test_each_mistake_has_its_sentence(options, words):
    given = {"task": SMALL, "N": 8, "P": 12, "t": 1.0, "draws": 2} | options
    with pytest.raises(TheoryError, match=words):
        simulate.loss(given.pop("task"), **given)


def test_mistakes_of_crossings_and_responses_have_their_sentences():
    method = StochasticGradientDescent(0.1, 4)
    with pytest.raises(TheoryError, match="Did you mean 'data'"):
        simulate.cross_loss(SMALL, shared="date", N=8, t=1.0)
    with pytest.raises(TheoryError, match="full-batch methods only"):
        simulate.cross_loss(SMALL, shared="data", N=8, t=1.0, dynamics=method)
    with pytest.raises(TheoryError, match="full-batch methods only"):
        simulate.mode_response(SMALL, modes=[1], N=8, t=1.0, dynamics=method)
    with pytest.raises(TheoryError, match="from 1 to 40; got \\[41\\]"):
        simulate.mode_response(SMALL, modes=[41], N=8, t=1.0)
    with pytest.raises(TheoryError, match="first: draw 1 of seed 4"):
        summarise(np.array([[1.0], [math.inf], [2.0]]), seed=4)
