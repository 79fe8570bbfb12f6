"""The solver against matrices in time, reference values, Monte Carlo, limits and differences."""

import json
import runpy
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from theory.learning import dmft
from theory.learning.dmft.contour_choice import compiled
from theory.learning.spectrum import Measured, PowerLaw

REFERENCE = Path(__file__).resolve().parents[4] / "shared" / "reference" / "dmft_reference.json"
oracles = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("dmft_oracles.py"))))

THEORY = 1e-6
"""Relative; the reference's own accuracy."""

TASK = PowerLaw(a=1.5, b=1.25)
OBSERVABLES = {
    "gf_test": "test",
    "gf_train": "train",
    "gf_cross_diffA_sameData": "same_data",
    "gf_cross_sameA_diffData": "same_projection",
    "gf_cross_diffA_diffData": "nothing_shared",
    "gd_gd": "test",
    "gd_hb": "test",
    "gd_gd_train": "train",
    "gd_hb_train": "train",
    "sgd_onepass_test": "test",
    "ridge_test": "test",
}


def reference(groups):
    if not REFERENCE.is_file():
        pytest.skip("the reference values are not beside the checkout")
    points = json.loads(REFERENCE.read_text("utf-8"))["points"]
    together = {}
    for point in points:
        kind = point["id"].split("-")[1]
        if point["group"] in groups and kind not in groups[point["group"]]:
            key = (kind, json.dumps(point["params"]))
            together.setdefault(key, []).append(point)
    return together


def dynamics_of(kind, settings):
    if "ridge" in settings:
        return dmft.Ridge(settings["ridge"])
    if "B" in settings:
        return dmft.StochasticGradientDescent(settings["eta"], settings["B"])
    if kind.startswith("gd_hb"):
        return dmft.HeavyBall(settings["eta"], settings["momentum"])
    return dmft.GradientDescent(settings["eta"]) if "eta" in settings else dmft.GradientFlow()


def agrees(groups):
    """Compare with every point of some groups, less the kinds named; how many they are."""
    count, kinds = 0, set()
    for (kind, text), points in reference(groups).items():
        at = json.loads(text)
        M, N, P = at["M"], float(at["N"]), float(at.get("P", np.inf))
        times = [np.inf if "ridge" in at else float(point["t"]) for point in points]
        found = dmft.loss(
            PowerLaw(at["a"], at["b"], modes=None if M == "inf" else M),
            N,
            P,
            times,
            noise=at["sigma2"],
            dynamics=dynamics_of(kind, at),
            observable=OBSERVABLES[kind],
        )
        kinds.add(kind)
        assert found.status == "ok"
        np.testing.assert_allclose(found.value, [p["theory"] for p in points], rtol=THEORY)
        for value, point in zip(found.value, points, strict=True):
            count += 1
            if point.get("mc_mean") is not None:
                # The mean over draws at finite size is above the theory by up to 3/min(N, P).
                allowed = 4 * point["mc_se"] + 3 * value / min(N, P)
                assert abs(point["mc_mean"] - value) <= allowed, point["id"]
    return count, kinds


@pytest.mark.slow
def test_some_reference_values_of_every_kind_are_met():
    some = {"A4": (), "D1": ("gd_gd_train", "gd_hb"), "S2": (), "R1": (), "I1": ()}
    count, kinds = agrees(some)
    assert count == 18 + 10 + 4 + 3 + 9
    assert kinds == set(OBSERVABLES) - {"gd_gd_train", "gd_hb"}


@pytest.mark.slow
def test_all_reference_values_are_met():
    groups = ("A1", "A2", "A3", "A4", "A5", "D1", "S1", "S2", "S3", "R1", "I1")
    assert agrees(dict.fromkeys(groups, ())) == (135, set(OBSERVABLES))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("steps", "modes"), [(48, 8), pytest.param(100, 12, marks=pytest.mark.slow)]
)
def test_gradient_descent_is_that_of_matrices_in_time(steps, modes):
    k = np.arange(1.0, modes + 1.0)
    lam, p = k**-1.25, k**-1.5
    want = oracles.time_domain(lam, p, N=5, P=8, noise=0.1, learning_rate=0.5, steps=steps)
    for observable, loss in zip(("test", "train"), want, strict=True):
        got = dmft.loss(
            PowerLaw(a=1.5, b=1.25, modes=modes), 5, 8, np.arange(steps + 1.0), noise=0.1,
            dynamics=dmft.GradientDescent(0.5), observable=observable, accuracy=1e-10,
        )  # fmt: skip
        np.testing.assert_allclose(got.value, loss, rtol=1e-9)


@pytest.mark.slow
def test_dynamics_agree_where_they_are_the_same():
    task, t = PowerLaw(a=1.5, b=1.25, modes=300), [0.0, 1.0, 20.0, 60.0]
    ask = partial(dmft.loss, task, 40, t=t, noise=0.1, accuracy=1e-10)
    plain = ask(60, dynamics=dmft.GradientDescent(0.5))
    for same in (dmft.HeavyBall(0.5, 0.0), dmft.Schedule(np.full(60, 0.5))):
        found = ask(60, dynamics=same)
        np.testing.assert_allclose(found.value, plain.value, rtol=1e-8)
    batch = dmft.StochasticGradientDescent(0.5, 1e12)  # no noise of the gradient
    found = ask(np.inf, dynamics=batch)
    want = ask(np.inf, dynamics=dmft.GradientDescent(0.5))
    np.testing.assert_allclose(found.value, want.value, rtol=1e-6)


def test_the_end_of_training_is_the_limit_of_long_times_and_of_a_small_penalty():
    task = PowerLaw(a=1.5, b=1.25, modes=300)
    ask = partial(dmft.loss, task, noise=0.1)
    for N, P in ((40.0, 60.0), (60.0, 40.0), (np.inf, 40.0), (40.0, np.inf)):
        for observable in ("test", "train"):
            end = ask(N, P, np.inf, observable=observable).value
            small = ask(N, P, dynamics=dmft.Ridge(1e-11), observable=observable).value
            np.testing.assert_allclose(small, end, rtol=1e-5, atol=1e-12)
    late = ask(40.0, [60.0, 160.0], 1e7).value
    np.testing.assert_allclose(late, ask(40.0, [60.0, 160.0], np.inf).value, rtol=1e-6)


def test_infinite_sizes_and_times_are_exact():
    k = np.arange(1.0, 301.0)
    task = PowerLaw(a=1.5, b=1.25, modes=300)
    want = (k**-1.5 * np.exp(-2 * k**-1.25 * 7.0)).sum() + 0.1
    assert dmft.loss(task, t=7.0, noise=0.1).value == pytest.approx(want, rel=1e-14)
    assert dmft.loss(TASK, noise=0.1).value == 0.1  # all three at once
    near = dmft.loss(task, 1e12, 1e12, 7.0, noise=0.1).value
    assert near == pytest.approx(want, rel=1e-6)


def slope(f, x, step=0.05):
    return float((np.log(f(x * np.exp(step))) - np.log(f(x * np.exp(-step)))) / (2 * step))


def test_local_slopes_are_those_of_the_asymptotic_laws():
    near = dict(abs=1e-3)
    steep = PowerLaw(a=3.5, b=1.25)
    assert slope(lambda t: dmft.loss(TASK, t=t).value, 1e8) == pytest.approx(-0.4, **near)
    assert slope(lambda N: dmft.loss(TASK, N=N).value, 1e8) == pytest.approx(-0.5, **near)
    assert slope(lambda P: dmft.loss(TASK, P=P).value, 1e8) == pytest.approx(-0.5, **near)
    assert slope(lambda N: dmft.loss(steep, N=N).value, 1e8) == pytest.approx(-1.25, **near)
    noisy = dmft.loss(TASK, P=1e9, noise=1.0).value - dmft.loss(TASK, P=1e9).value
    assert noisy == pytest.approx(1.25, rel=2e-3)  # tempered overfitting: sigma^2 b


def at(x):
    a, b, noise, log_N, log_P = x
    return dmft.log_loss_at(a, b, log_N, log_P, np.log(30.0), noise, reach=2**10, nodes=12)


WHERE = jnp.asarray([1.5, 1.25, 0.1, np.log(40.0), np.log(70.0)])


@pytest.mark.slow
def test_first_and_second_derivatives_are_those_of_differences():
    # One program each for values and gradients at all shifted points.
    loss, gradient = jax.jit(jax.vmap(at)), jax.jit(jax.vmap(jax.grad(at)))
    forward, hessian = jax.jit(jax.jacfwd(at)), jax.jit(jax.jacfwd(jax.grad(at)))
    h, eye = 1e-4, jnp.eye(5)
    # Fourth order: the truncation is below the rounding.
    steps, weights = np.array([1, -1, 2, -2]), np.array([8, -8, -1, 1]) / 12
    where = (WHERE[None, None] + h * jnp.asarray(steps)[:, None, None] * eye[None]).reshape(20, 5)
    first = np.tensordot(weights, np.asarray(loss(where)).reshape(4, 5), 1) / h
    slopes = np.asarray(gradient(jnp.concatenate([where, WHERE[None]])))
    second = np.tensordot(weights, slopes[:20].reshape(4, 5, 5), 1) / h
    np.testing.assert_allclose(slopes[20], first, rtol=1e-7)
    np.testing.assert_allclose(forward(WHERE), slopes[20], rtol=1e-10)
    np.testing.assert_allclose(hessian(WHERE), second, rtol=1e-5, atol=1e-9)


def test_pure_functions_agree_with_the_checked_one_and_map_over_parameters():
    t = np.geomspace(1.0, 100.0, 5)
    want = dmft.loss(TASK, [[40.0], [80.0]], 70.0, t, noise=0.1, accuracy=1e-9).value
    curves, code = jax.jit(partial(dmft.loss_curves, chunk=1))(
        TASK, jnp.asarray([40.0, 80.0]), 70.0, jnp.asarray(np.tile(t, (2, 1))), 0.1
    )
    assert code.tolist() == [0, 0]
    np.testing.assert_allclose(curves, want, rtol=1e-6)
    mapped = jax.jit(
        jax.vmap(lambda a: dmft.log_loss_at(a, 1.25, np.log(40.0), np.log(70.0), 0.0, 0.1))
    )
    found = mapped(jnp.asarray([1.5, 2.0]))
    assert float(jnp.exp(found[0])) == pytest.approx(want[0, 0], rel=1e-6)


def test_one_shape_is_compiled_once():
    ask = partial(dmft.loss, TASK, t=np.geomspace(1, 50, 7))
    ask(50.0, 90.0)
    before = compiled._cache_size()
    ask(51.0, 80.0, noise=0.2)
    ask(60.0, np.inf)
    assert compiled._cache_size() == before


def test_single_precision_follows_the_inputs():
    single = partial(jnp.asarray, dtype=jnp.float32)
    task = PowerLaw(single(1.5), single(1.25), reach=2**12)
    got = jax.jit(partial(dmft.loss_at, nodes=6))(
        task, single(40), single(70), single(30), single(0.1)
    )
    assert got.dtype == jnp.float32
    assert float(got) == pytest.approx(
        float(dmft.loss(TASK, 40, 70, 30.0, noise=0.1).value), rel=3e-4
    )


def test_a_measured_spectrum_gives_what_its_power_law_gives():
    k = np.arange(1.0, 301.0)
    measured = Measured(k**-1.25, k**-1.5)
    want = dmft.loss(PowerLaw(a=1.5, b=1.25, modes=300), 40, 70, [5.0, np.inf]).value
    np.testing.assert_allclose(dmft.loss(measured, 40, 70, [5.0, np.inf]).value, want, rtol=1e-6)
    # Modes keep the order in which they are given.
    turned = Measured(k[::-1] ** -1.25, k[::-1] ** -1.5)
    asked = dict(N=40, P=70, t=5.0)
    want = dmft.mode_response(PowerLaw(a=1.5, b=1.25, modes=300), [1, 10], **asked)
    np.testing.assert_allclose(dmft.mode_response(measured, [1, 10], **asked), want, rtol=1e-8)
    np.testing.assert_allclose(dmft.mode_response(turned, [300, 291], **asked), want, rtol=1e-8)


TASKS = [(1.2, 1.1), (2.5, 1.5), (1.3, 2.0), (3.5, 1.25), (4.5, 2.5), (2.0, 3.0)]


@pytest.mark.parametrize(
    ("tasks", "accuracies"),
    [
        pytest.param(((1.5, 1.25), (3.5, 1.25)), (1e-6,), id="two"),
        pytest.param(TASKS, (1e-3, 1e-6, 1e-8), id="all", marks=pytest.mark.slow),
    ],
)
def test_the_estimated_error_bounds_the_error_over_the_domain(tasks, accuracies):
    sizes = [20.0, 300.0, 1e4], [20.0, 310.0, 1e5], [0.1, 3.0, 100.0, 1e4, 1e6], [0.0, 0.01]
    N, P, t, noise = (x.ravel() for x in np.meshgrid(*sizes, indexing="ij"))
    for a, b in tasks:
        # Ten digits: other nodes of the spectrum, another contour.
        want = dmft.loss(PowerLaw(a, b), N, P, t, noise=noise, accuracy=1e-10).value
        for accuracy in accuracies:
            found = dmft.loss(PowerLaw(a, b), N, P, t, noise=noise, accuracy=accuracy)
            error = np.abs(found.value / want - 1)
            assert found.ok.all()
            assert error.max() <= found.stats.estimated_error <= accuracy
