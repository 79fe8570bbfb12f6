"""Every declared regime against the solver and against sums over modes: slopes and amplitudes.

The tasks of a regime are those of its condition in which corrections to scaling are small at sizes
that can be reached; where they are not, the base point is what makes them so.
"""

import math
from dataclasses import dataclass
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sympy
from scipy import optimize

from theory import laws
from theory.declaration.symbols import D, N, t
from theory.errors import TheoryError
from theory.learning import regimes as limits
from theory.learning.dmft.evaluate import loss_curves
from theory.learning.mode_sums import resolvent, scale_of_rank, two_point
from theory.learning.regimes import NoSuchRegime, crossover, regime, regimes
from theory.learning.spectrum import PowerLaw

SLOPE, AMPLITUDE = 1e-3, 1e-3
"""Local slopes, and values relative to the amplitude's: what is left of corrections to scaling."""

OPTIMUM = 5e-3
"""Exponents at the compute-optimum, whose corrections fall slowest."""

NEAR = 0.02
"""Distance in log t for a slope: its square is the error, the solver's 1e-10 over it the noise."""

STEP = 1.2
"""Factor between the two points of a local slope."""


@cache
def modes(a, b):
    return PowerLaw(a, b, order=12)


@jax.jit
def sums_at_rank(task, rank):
    kappa = scale_of_rank(task, rank)[None]
    pair = two_point(task, kappa, kappa)
    return kappa[0], resolvent(task, kappa)[0], pair.S0[0], pair.df2[0]


@cache
def resolved(a, b, rank):
    """kappa, q, S0 and df2 at the scale that a rank resolves."""
    return tuple(float(x) for x in sums_at_rank(modes(a, b), jnp.asarray(float(rank))))


def at_infinite_time(a, b, N=math.inf, P=math.inf, noise=0.0):
    """THEORY: kappa^2 S0/(1 - df2/P) + kappa q P/(N - P) and so on, ridgeless."""
    kappa, q, S0, df2 = resolved(a, b, min(N, P))
    if P < N:
        fluctuation = 1 / (1 - df2 / P)
        more = 0.0 if N == math.inf else P / (N - P)
        return kappa**2 * S0 * fluctuation + kappa * q * more + noise * (fluctuation + more)
    return (kappa * q + noise) * (1.0 if P == math.inf else P / (P - N))


def mode_sum(a, b, function):
    task = modes(a, b)
    eigenvalues, powers, counts = (
        np.asarray(x) for x in (task.eigenvalues, task.powers, task.counts)
    )
    return float(np.sum(counts * function(eigenvalues, powers)))


def gradient_flow(a, b, t):
    return mode_sum(a, b, lambda x, p: p * np.exp(-2 * x * t))


@cache
def one_pass(a, b, t, learning_rate, batch):
    """The exact recursion of second moments over all modes."""
    task = modes(a, b)
    x, e, counts = (np.asarray(v) for v in (task.eigenvalues, task.powers, task.counts))
    shrink = 1 - 2 * learning_rate * x + learning_rate**2 * (1 + 1 / batch) * x**2
    kick = learning_rate**2 / batch * x**2
    for _ in range(round(t)):
        e = shrink * e + kick * (counts @ e)
    return float(counts @ e)


def plateau(a, b, learning_rate, batch, noise):
    def gain(x, p):
        return learning_rate / batch * x / (2 - learning_rate * (1 + 1 / batch) * x)

    return noise / (1 - mode_sum(a, b, gain)) - noise


def ensemble_ratio(a, b, N, members):
    kappa, q, S0, _ = resolved(a, b, N / members)
    bias = kappa**2 * S0
    return (bias + (kappa * q - bias) / members) / at_infinite_time(a, b, N=N)


@dataclass(frozen=True)
class Measured:
    """A quantity as a function of a task and the variables, and where its power is looked for."""

    function: object
    tasks: tuple[tuple[float, float], ...]
    at: dict[str, float]
    settings: dict[str, float]


CLOSED = {
    "time_limited": Measured(gradient_flow, ((1.5, 1.25), (1.3, 2.0), (3.5, 1.5)), {"t": 1e7}, {}),
    "features_limited": Measured(
        lambda a, b, N: at_infinite_time(a, b, N=N),
        ((1.5, 1.25), (1.3, 2.0), (1.7, 1.5)),
        {"N": 1e6},
        {},
    ),
    "features_limited_easy": Measured(
        lambda a, b, N: at_infinite_time(a, b, N=N),
        ((3.0, 1.25), (4.5, 1.5), (4.0, 1.25)),
        {"N": 1e6},
        {},
    ),
    "samples_limited": Measured(
        lambda a, b, P: at_infinite_time(a, b, P=P),
        ((1.5, 1.25), (2.0, 1.5), (2.5, 1.25)),
        {"P": 1e6},
        {},
    ),
    "samples_limited_easy": Measured(
        lambda a, b, P: at_infinite_time(a, b, P=P),
        ((5.0, 1.25), (5.0, 1.5), (4.5, 1.25)),
        {"P": 1e5},
        {},
    ),
    "interpolated_noise": Measured(
        lambda a, b, noise: (
            at_infinite_time(a, b, P=1e5, noise=noise) - at_infinite_time(a, b, P=1e5)
        ),
        ((1.5, 1.25), (3.0, 2.0), (2.0, 1.5)),
        {},
        {"noise": 1.0},
    ),
    "early_noise": Measured(
        lambda a, b, t, P, noise: noise / P * mode_sum(a, b, lambda x, p: np.expm1(-x * t) ** 2),
        ((1.5, 1.25), (3.0, 2.0)),
        {"t": 1e7, "P": 1e9},
        {"noise": 0.5},
    ),
    "features_variance": Measured(
        lambda a, b, N, P: at_infinite_time(a, b, N=N, P=P) - at_infinite_time(a, b, P=P),
        ((1.5, 1.25), (1.3, 2.0), (1.7, 1.5)),
        {"N": 1e9, "P": 1e5},
        {},
    ),
    "features_variance_easy": Measured(
        lambda a, b, N, P: at_infinite_time(a, b, N=N, P=P) - at_infinite_time(a, b, P=P),
        ((4.5, 1.5), (4.0, 1.25)),
        {"N": 1e9, "P": 1e5},
        {},
    ),
    "features_variance_noise": Measured(
        lambda a, b, N, P, noise: (
            at_infinite_time(a, b, N=N, P=P, noise=noise)
            - at_infinite_time(a, b, P=P, noise=noise)
            - at_infinite_time(a, b, N=N, P=P)
            + at_infinite_time(a, b, P=P)
        ),
        ((1.5, 1.25), (4.5, 1.5)),
        {"N": 1e8, "P": 1e4},
        {"noise": 2.0},
    ),
    "samples_variance": Measured(
        lambda a, b, N, P: at_infinite_time(a, b, N=N, P=P) - at_infinite_time(a, b, N=N),
        ((1.5, 1.25), (1.3, 2.0), (1.7, 1.5)),
        {"P": 1e9, "N": 1e5},
        {},
    ),
    "samples_variance_easy": Measured(
        lambda a, b, N, P: at_infinite_time(a, b, N=N, P=P) - at_infinite_time(a, b, N=N),
        ((4.5, 1.5), (4.0, 1.25)),
        {"P": 1e9, "N": 1e5},
        {},
    ),
    "samples_variance_noise": Measured(
        lambda a, b, N, P, noise: (
            at_infinite_time(a, b, N=N, P=P, noise=noise)
            - at_infinite_time(a, b, N=N, noise=noise)
            - at_infinite_time(a, b, N=N, P=P)
            + at_infinite_time(a, b, N=N)
        ),
        ((1.5, 1.25), (4.5, 1.5)),
        {"P": 1e8, "N": 1e4},
        {"noise": 2.0},
    ),
    "sgd_time_limited": Measured(
        one_pass, ((1.5, 1.25), (2.0, 2.0)), {"t": 2e4}, {"learning_rate": 0.5, "batch": 2000}
    ),
    "sgd_noise_limited": Measured(
        one_pass, ((5.0, 1.5), (8.0, 2.0)), {"t": 2e4}, {"learning_rate": 0.5, "batch": 50}
    ),
    "sgd_plateau": Measured(
        plateau, ((1.5, 1.25), (3.0, 2.0)), {}, {"learning_rate": 0.8, "batch": 2, "noise": 0.3}
    ),
    "ensemble": Measured(
        lambda a, b, members: ensemble_ratio(a, b, 1e7, members),
        ((1.5, 1.25), (1.3, 2.0), (1.7, 1.5)),
        {},
        {"members": 4},
    ),
    "ensemble_easy": Measured(
        lambda a, b, members: ensemble_ratio(a, b, 1e6, members),
        ((4.5, 1.5), (4.0, 1.25)),
        {},
        {"members": 4},
    ),
}

# --- at finite times, from the solver


@jax.jit
def _flow(task, N, P, t, noise):
    # A window's contour loses less to rounding than a point's, which differences need.
    value, _ = loss_curves(task, N[None], P[None], t[None, None], noise, nodes=30, accuracy=1e-15)
    return value[0, 0]


def flow(a, b, t, N=math.inf, P=math.inf, noise=0.0):
    return float(_flow(modes(a, b), *(jnp.asarray(float(x)) for x in (N, P, t, noise))))


def best_time(a, b, low, high, C=math.inf, P=math.inf, noise=0.0):
    """Where the slope of log(L - noise) in log t vanishes, at N = infinity or at N = C/t."""

    def log_loss(log_t):
        t = math.exp(log_t)
        return math.log(flow(a, b, t, N=C / t, P=P, noise=noise) - noise)

    def slope(log_t):
        return log_loss(log_t + NEAR) - log_loss(log_t - NEAR)

    return math.exp(optimize.brentq(slope, math.log(low), math.log(high), xtol=1e-6))


@cache
def stopped(a, b, P, noise):
    return best_time(a, b, 1e2, 1e9, P=P, noise=noise)


@cache
def allocated(a, b, C):
    return best_time(a, b, 10.0, C / 1e3, C=C)


HARD, EASY = ((1.5, 1.25), (1.3, 2.0), (2.0, 1.5)), ((3.5, 1.5), (4.0, 1.25), (4.5, 1.5))
SOLVED = {
    "early_features": Measured(
        lambda a, b, t, N: flow(a, b, t, N=N) - flow(a, b, t),
        ((1.5, 1.25), (1.3, 2.0), (1.7, 1.5)),
        {"t": 1e7, "N": 1e11},
        {},
    ),
    "early_features_easy": Measured(
        lambda a, b, t, N: flow(a, b, t, N=N) - flow(a, b, t),
        ((3.2, 1.25), (4.5, 1.5)),
        {"t": 1e6, "N": 1e12},
        {},
    ),
    "early_samples": Measured(
        lambda a, b, t, P: flow(a, b, t, P=P) - flow(a, b, t),
        ((1.5, 1.25), (1.3, 2.0), (2.5, 1.25)),
        {"t": 1e7, "P": 1e11},
        {},
    ),
    "early_samples_easy": Measured(
        lambda a, b, t, P: flow(a, b, t, P=P) - flow(a, b, t),
        ((5.0, 1.25), (6.0, 1.5)),
        {"t": 1e5, "P": 1e9},
        {},
    ),
    "early_stopping_time": Measured(stopped, ((1.5, 1.25), (2.5, 1.5)), {"P": 1e9}, {"noise": 1.0}),
    "early_stopping_loss": Measured(
        lambda a, b, P, noise: flow(a, b, stopped(a, b, P, noise), P=P, noise=noise) - noise,
        ((1.5, 1.25), (2.5, 1.5)),
        {"P": 1e9},
        {"noise": 1.0},
    ),
}
for _name, _tasks in (("compute_optimal", HARD), ("compute_optimal_easy", EASY)):
    SOLVED |= {
        f"{_name}_time": Measured(allocated, _tasks, {"C": 1e14}, {}),
        f"{_name}_size": Measured(lambda a, b, C: C / allocated(a, b, C), _tasks, {"C": 1e14}, {}),
        f"{_name}_loss": Measured(
            lambda a, b, C: flow(a, b, allocated(a, b, C), N=C / allocated(a, b, C)),
            _tasks,
            {"C": 1e14},
            {},
        ),
    }


def slope(measured, task, variable):
    low, high = (
        measured.function(
            *task, **measured.at | {variable: measured.at[variable] * factor}, **measured.settings
        )
        for factor in (1 / STEP, STEP)
    )
    return math.log(high / low) / math.log(STEP**2)


MEASURED = {**CLOSED, **SOLVED}
CASES = [
    pytest.param(name, task, id=f"{name}, a={task[0]}, b={task[1]}")
    for name, measured in MEASURED.items()
    for task in measured.tasks
]


@pytest.mark.parametrize(("name", "task"), CASES)
def test_the_local_slopes_and_the_amplitude_are_the_declared_ones(name, task):
    measured, declared = MEASURED[name], regime(name)
    near = OPTIMUM if name.startswith(("compute_optimal", "early_stopping")) else SLOPE
    for variable, exponent in declared.exponents_at(*task).items():
        assert slope(measured, task, variable) == pytest.approx(-exponent, abs=near)
    if declared.amplitude is not None:
        got = measured.function(*task, **measured.at, **measured.settings)
        want = declared.value(*task, **measured.at, **measured.settings)
        assert got == pytest.approx(want, rel=near)


# --- the registry


def test_every_regime_is_measured_here_or_beside_the_trained_features():
    # Those with trained features are measured in test_feature_learning.py.
    rich = {name for name in regimes() if name.startswith("rich_")}
    assert set(MEASURED) | rich == set(regimes())
    assert len(regimes()) == len(limits.REGIMES)


@pytest.mark.parametrize("declared", limits.REGIMES, ids=lambda r: r.name)
def test_a_regime_names_its_source_and_holds_somewhere(declared):
    assert declared.source
    assert declared.quantity
    tasks = [(a, b) for a in (1.3, 2.0, 4.5, 6.0) for b in (1.25, 1.5, 2.0)]
    assert any(declared.holds(*task) for task in tasks)
    assert not declared.holds(0.9, 1.5)


def test_the_width_exponent_is_the_exact_one_where_the_published_one_differs():
    # L = kappa q(kappa) with q bounded: b, where the paper prints min(a - 1, 2b).
    declared, task = regime("features_limited_easy"), (4.0, 1.25)
    at = {limits.a: task[0], limits.b: task[1]}
    printed = float(declared.published[limits.N].subs(at))
    measured = -slope(MEASURED["features_limited_easy"], task, "N")
    assert declared.exponents_at(*task)["N"] == pytest.approx(measured, abs=SLOPE)
    assert printed == 2.5
    assert abs(printed - measured) > 1.2


def test_for_b_above_1_no_ensemble_beats_one_wide_model_of_the_same_size():
    for a, b in (*HARD, *EASY):
        for members in (2, 8, 64):
            assert ensemble_ratio(a, b, 1e7, members) > 1


def test_the_balanced_allocation_is_the_table_of_closed_exponents():
    a, b = limits.a, limits.b
    table = {
        "compute_optimal_size": -1 / (1 + b),
        "compute_optimal_time": -b / (1 + b),
        "compute_optimal_loss": (a - 1) / (1 + b),
        "compute_optimal_easy_size": -(a - b) / a,
        "compute_optimal_easy_time": -b / a,
        "compute_optimal_easy_loss": (a - 1) / a,
    }
    for name, want in table.items():
        assert sympy.simplify(regime(name).exponents[limits.C] - want) == 0, name
    chi, s = limits.chi, limits.s
    rich = regime("rich_compute_optimal_loss").exponents[limits.C]
    for task in HARD:
        at = dict(zip((a, b), task, strict=True))
        assert float((rich - b * s * chi / (b * s + chi)).subs(at)) == pytest.approx(0, abs=1e-12)


def test_two_regimes_cross_where_their_values_are_equal():
    task, features, time = (1.5, 1.25), regime("features_limited"), regime("time_limited")
    place = crossover(time, features, of=limits.t)
    at = {limits.a: task[0], limits.b: task[1], limits.N: 1000.0}
    t = float(place.subs(at))
    assert time.value(*task, t=t) == pytest.approx(features.value(*task, N=1000.0))
    # t ~ N^b
    assert float(place.subs(at | {limits.N: 2000.0})) / t == pytest.approx(2**1.25)


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda: regime("feature_limited"), "Did you mean 'features_limited'"),
        (lambda: regime("features_limited").value(3.5, 1.25, N=10.0), "got a=3.5, b=1.25"),
        (lambda: regime("features_limited").exponents_at(3.5, 1.25), "holds for"),
        (lambda: regime("early_samples").value(1.5, 1.25, t=1.0, P=9.0), "not the amplitude"),
        (lambda: regime("time_limited").value(1.5, 1.25, N=3.0), "a formula in t; got N"),
        (lambda: regimes(task_a=1.5), "both exponents"),
        (
            lambda: crossover(regime("time_limited"), regime("early_samples"), of=limits.t),
            "needs both amplitudes",
        ),
        (
            lambda: crossover(regime("time_limited"), regime("sgd_time_limited"), of=limits.t),
            "depend alike on t",
        ),
    ],
)
def test_each_mistake_has_its_sentence(ask, words):
    with pytest.raises(TheoryError, match=words) as raised:
        ask()
    assert isinstance(raised.value, NoSuchRegime) or "formula in" in words or "both exp" in words


@pytest.mark.parametrize(("task_a", "task_b"), [(1.3, 1.5), (2.2, 1.7), (3.0, 1.2), (6.0, 1.5)])
def test_the_laws_exponents_are_those_of_the_bottlenecks(task_a: float, task_b: float) -> None:
    held = regimes(task_a, task_b)
    law = laws.get("dmft_tied")
    values = {"a_1": task_a - 1, "b_1": task_b - 1}
    point = {p.symbol: values[p.name] for p in law.parameters if p.name in values}
    for kinds, size in (
        (("features_limited", "features_limited_easy"), N),
        (("samples_limited", "samples_limited_easy"), D),
        (("time_limited",), t),
    ):
        (found,) = (held[kind] for kind in kinds if kind in held)
        (exponent,) = found.exponents_at(task_a, task_b).values()
        assert float(law.weights[size].subs(point)) == pytest.approx(exponent, rel=1e-12)
