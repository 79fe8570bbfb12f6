"""Orthogonal and aligned projections: against draws, and as limits of Gaussian ones."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
import pytest

from theory.learning import dmft
from theory.learning.dmft import DynamicsError
from theory.learning.dmft.contour import point_hyperbola
from theory.learning.spectrum import PowerLaw

oracles = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("dmft_oracles.py"))))

K = np.arange(1.0, 301.0)
LAM, POWER = K**-1.25, K**-1.5
TASK = PowerLaw(a=1.5, b=1.25, modes=300)
TIMES = np.array([1.0, 10.0, 100.0])
ERRORS, BIAS = 4, 3
"""Standard errors of the mean over draws, and its bias in units of 1/min(N, P), as in the tables
of reference values."""


@pytest.mark.parametrize(
    ("modes", "count"), [(80, 80), pytest.param(240, 150, marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("finite", [True, False])
def test_orthogonal_rows_give_what_draws_of_them_give(modes, count, finite):
    # M = 2N: far from Gaussian rows.
    N, P = modes // 2, 3 * modes // 4 if finite else None

    def haar(rng):
        return np.linalg.qr(rng.standard_normal((modes, N)))[0].T * np.sqrt(modes)

    mean, error = oracles.draws(
        LAM[:modes], POWER[:modes], N=N, P=P, noise=0.1, times=TIMES, count=count, seed=0, rows=haar
    )
    task, P = PowerLaw(a=1.5, b=1.25, modes=modes), P or np.inf
    found = dmft.loss(task, N, P, TIMES, noise=0.1, projection=dmft.Orthogonal()).value
    assert np.all(np.abs(mean - found) <= ERRORS * error + BIAS * found / N)
    gaussian = dmft.loss(task, N, P, TIMES, noise=0.1).value
    assert np.all(np.abs(mean - found) < np.abs(mean - gaussian))


def test_orthogonal_rows_on_infinitely_many_examples_have_a_single_contour():
    # F Lambda can be symmetrised: sum p_k H_k(2t), with z = kappa (1 - df1/N)/(1 - df1/M).
    N, M, t = 60.0, 300.0, 7.0
    z, weight = (np.asarray(x)[:, None] for x in point_hyperbola(jnp.asarray(2.0 * t), 14))
    kappa = z
    for _ in range(2000):  # a contraction to the right of the spectrum
        df1 = (LAM / (LAM + kappa)).sum(1, keepdims=True)
        kappa = 0.5 * kappa + 0.5 * z * (1 - df1 / M) / (1 - df1 / N)
    transform = (kappa / z * POWER / (kappa + LAM)).sum(1, keepdims=True)
    want = 2 * (weight * np.exp(2 * t * z) * transform).sum().real
    found = dmft.loss(TASK, N, t=t, projection=dmft.Orthogonal(), accuracy=1e-9).value
    assert found == pytest.approx(want, rel=1e-7)


@pytest.mark.slow
def test_aligned_rows_give_what_draws_of_them_give():
    mean, error = oracles.draws(
        LAM, POWER, N=60, P=120, noise=0.1, times=TIMES, count=200, seed=0,
        rows=lambda rng: rng.standard_normal((60, 300)) * LAM**0.25,
    )  # fmt: skip
    found = dmft.loss(TASK, 60, 120, TIMES, noise=0.1, projection=dmft.Aligned(0.5)).value
    assert np.all(np.abs(mean - found) <= ERRORS * error + BIAS * found / 60)


@pytest.mark.parametrize(
    "observable",
    ["test", *(pytest.param(n, marks=pytest.mark.slow) for n in ("train", "same_projection"))],
)
def test_as_many_orthogonal_rows_as_modes_are_no_projection(observable):
    t = np.append(TIMES, np.inf)
    ask = dict(P=80, t=t, noise=0.1, observable=observable)
    found = dmft.loss(TASK, 300, projection=dmft.Orthogonal(), **ask).value
    np.testing.assert_allclose(found, dmft.loss(TASK, **ask).value, rtol=1e-6, atol=1e-12)


@pytest.mark.slow
def test_few_orthogonal_rows_of_many_modes_are_gaussian():
    task = PowerLaw(a=1.5, b=1.25, modes=10**9)
    ask = dict(N=20, P=30, t=TIMES, noise=0.1)
    found = dmft.loss(task, projection=dmft.Orthogonal(), **ask).value
    np.testing.assert_allclose(found, dmft.loss(task, **ask).value, rtol=1e-6)


@pytest.mark.slow
def test_all_dynamics_take_orthogonal_rows():
    ask = dict(N=40.0, t=[5.0, 60.0], noise=0.1, projection=dmft.Orthogonal())
    plain = dmft.loss(TASK, P=60, dynamics=dmft.GradientDescent(1e-3), **ask | {"t": [5000.0]})
    flow = dmft.loss(TASK, P=60, **ask).value
    assert plain.value == pytest.approx(flow[0], rel=2e-3)  # Euler's error
    quiet = dmft.loss(TASK, dynamics=dmft.StochasticGradientDescent(0.3, 1e12), **ask).value
    want = dmft.loss(TASK, dynamics=dmft.GradientDescent(0.3), **ask).value
    np.testing.assert_allclose(quiet, want, rtol=1e-6)


def test_orthogonal_rows_end_where_gaussian_ones_end():
    found = dmft.loss(TASK, 60, projection=dmft.Orthogonal()).value
    assert found == pytest.approx(float(dmft.loss(TASK, 60).value), rel=1e-9)


def test_alignment_of_degree_0_is_none():
    found = dmft.loss(TASK, 60, 80, 5.0, projection=dmft.Aligned(0.0)).value
    assert found == dmft.loss(TASK, 60, 80, 5.0).value


@pytest.mark.parametrize(
    ("task", "ask", "says"),
    [
        (TASK, dict(N=301, projection=dmft.Orthogonal()), "at most M = 300"),
        (TASK, dict(P=9, projection=dmft.Orthogonal()), "at most M = 300"),
        (TASK, dict(N=9, projection=dmft.Aligned(-1.0)), "degree must be"),
    ],
)
def test_a_projection_without_a_solution_is_refused(task, ask, says):
    with pytest.raises(DynamicsError, match=says):
        dmft.loss(task, **ask)
