"""Orthogonal and aligned projections: against draws, and as limits of Gaussian ones."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from theory import dmft
from theory.dmft import DynamicsError
from theory.spectrum import PowerLaw

oracles = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("dmft_oracles.py"))))

K = np.arange(1.0, 301.0)
LAM, POWER = K**-1.25, K**-1.5
TASK = PowerLaw(a=1.5, b=1.25, modes=300)
TIMES = np.array([1.0, 10.0, 100.0])
ERRORS, BIAS = 4, 3
"""Standard errors of the mean over draws, and its bias in units of 1/min(N, P), as in the tables
of reference values."""


@pytest.mark.slow
def test_orthogonal_rows_give_what_draws_of_them_give():
    def haar(rng):
        q, _ = np.linalg.qr(rng.standard_normal((300, 150)))
        return q.T * np.sqrt(300)

    mean, error = oracles.draws(
        LAM, POWER, N=150, P=None, noise=0.0, times=TIMES, count=200, seed=0, rows=haar
    )
    found = dmft.loss(TASK, 150, t=TIMES, projection=dmft.Orthogonal()).value
    assert np.all(np.abs(mean - found) <= ERRORS * error + BIAS * found / 150)
    gaussian = dmft.loss(TASK, 150, t=TIMES).value
    assert np.all(np.abs(mean - found) < np.abs(mean - gaussian))


@pytest.mark.slow
def test_aligned_rows_give_what_draws_of_them_give():
    mean, error = oracles.draws(
        LAM, POWER, N=60, P=120, noise=0.1, times=TIMES, count=200, seed=0,
        rows=lambda rng: rng.standard_normal((60, 300)) * LAM**0.25,
    )  # fmt: skip
    found = dmft.loss(TASK, 60, 120, TIMES, noise=0.1, projection=dmft.Aligned(0.5)).value
    assert np.all(np.abs(mean - found) <= ERRORS * error + BIAS * found / 60)


def test_as_many_orthogonal_rows_as_modes_are_no_projection():
    found = dmft.loss(TASK, 300, t=TIMES, projection=dmft.Orthogonal()).value
    want = dmft.loss(TASK, t=TIMES).value
    np.testing.assert_allclose(found, want, rtol=1e-7)


def test_orthogonal_rows_end_where_gaussian_ones_end():
    found = dmft.loss(TASK, 60, projection=dmft.Orthogonal()).value
    assert found == pytest.approx(float(dmft.loss(TASK, 60).value), rel=1e-9)


def test_alignment_of_degree_0_is_none():
    found = dmft.loss(TASK, 60, 80, 5.0, projection=dmft.Aligned(0.0)).value
    assert found == dmft.loss(TASK, 60, 80, 5.0).value


@pytest.mark.parametrize(
    ("task", "ask", "says"),
    [
        (TASK, dict(N=9, P=20, projection=dmft.Orthogonal()), "infinitely many examples"),
        (TASK, dict(N=301, projection=dmft.Orthogonal()), "at most M = 300"),
        (PowerLaw(1.5, 1.25), dict(N=9, projection=dmft.Orthogonal()), "are Gaussian rows"),
        (TASK, dict(N=9, projection=dmft.Aligned(-1.0)), "degree must be"),
    ],
)
def test_a_projection_without_a_solution_is_refused(task, ask, says):
    with pytest.raises(DynamicsError, match=says):
        dmft.loss(task, **ask)
