"""Sums over modes from few nodes: against sums over all of them, and their derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import zeta

from theory.learning.mode_sums import (
    divided_differences,
    effective_dimension,
    one_point,
    resolvent,
    scale_of_rank,
    two_point,
    two_point_pairs,
)
from theory.learning.spectrum import Measured, PowerLaw, SpectrumError

KAPPAS = np.array([1e-2 * np.exp(2.3j), 1e-4 * np.exp(1j), 1e-5])


@pytest.mark.parametrize(
    ("b", "order", "tolerance"), [(1.25, 4, 1e-5), (1.25, 6, 2e-8), (2.0, 6, 1e-6), (2.0, 8, 1e-7)]
)
def test_sums_over_a_power_law_are_those_over_its_modes(b, order, tolerance):
    k = np.arange(1.0, 300_001.0)
    lam, p = k**-b, k**-1.5
    task = PowerLaw(a=1.5, b=b, modes=len(k), order=order)
    inv = [1 / (lam + kappa) for kappa in KAPPAS]
    got = effective_dimension(task, jnp.asarray(KAPPAS)), resolvent(task, jnp.asarray(KAPPAS))
    np.testing.assert_allclose(got[0], [(lam * x).sum() for x in inv], rtol=tolerance)
    np.testing.assert_allclose(got[1], [(p * x).sum() for x in inv], rtol=tolerance)


def test_the_tail_of_infinitely_many_modes_is_exact():
    task = PowerLaw(a=1.1, b=1.25, reach=2**12)
    assert float(jnp.sum(task.counts * task.powers)) == pytest.approx(zeta(1.1), rel=1e-9)
    assert float(jnp.sum(task.counts * task.eigenvalues)) == pytest.approx(zeta(1.25), rel=1e-9)
    kappa = jnp.asarray([30 * 2.0 ** (-12 * 1.25) * np.exp(2.3j)])
    far = PowerLaw(a=1.1, b=1.25, reach=2**40)
    for f in (effective_dimension, resolvent):
        np.testing.assert_allclose(f(task, kappa), f(far, kappa), rtol=1e-9)


def test_measured_spectra_of_any_powers_are_compressed_within_the_stated_error():
    rng = np.random.default_rng(0)
    lam = np.exp(rng.uniform(-14, 0, 20_000))
    p = lam * rng.standard_normal(20_000) ** 2
    task = Measured(lam, p)
    assert len(task.eigenvalues) < 400
    for kappa in KAPPAS:
        got = resolvent(task, jnp.asarray([kappa]))[0]
        assert abs(got / (p / (lam + kappa)).sum() - 1) < 1e-7
        got = effective_dimension(task, jnp.asarray([kappa]))[0]
        assert abs(got / (lam / (lam + kappa)).sum() - 1) < 1e-7


def test_divided_differences_are_the_sums_over_pairs_on_and_off_the_diagonal():
    task = PowerLaw(a=1.5, b=1.25)
    kappa = jnp.asarray([0.1 + 0.2j, 0.03 + 0.1j, 0.5 + 0.01j])
    one = one_point(task, kappa)
    got, all_pairs = divided_differences(one, one), two_point_pairs(task, kappa, kappa)
    for i in range(3):
        for j in range(3):
            want = two_point(task, kappa[i : i + 1], kappa[j : j + 1])
            for x, z, y in zip(got, all_pairs, want, strict=True):
                np.testing.assert_allclose(x[i, j], y[0], rtol=1e-12)
                np.testing.assert_allclose(z[i, j], y[0], rtol=1e-13)


def test_the_scale_of_a_rank_has_that_effective_dimension():
    ranks = jnp.asarray([1.0, 30.0, 499.0])
    task = PowerLaw(a=1.5, b=0.8, modes=500)
    kappa = scale_of_rank(task, ranks)
    np.testing.assert_allclose(effective_dimension(task, kappa), ranks, rtol=1e-12)
    assert scale_of_rank(task, jnp.asarray([500.0, jnp.inf])).tolist() == [0.0, 0.0]
    far = scale_of_rank(PowerLaw(a=1.5, b=1.5), jnp.asarray(1e7))
    exact = (np.pi / (1.5 * np.sin(np.pi / 1.5)) / 1e7) ** 1.5  # df1 = pi/(b sin(pi/b)) kappa^-1/b
    assert float(far) == pytest.approx(exact, rel=1e-6)


def test_derivatives_of_the_scale_of_a_rank_are_those_of_differences():
    def scale(b, rank):
        return jnp.log(scale_of_rank(PowerLaw(a=1.5, b=b, reach=2**14), rank))

    slope, curvature = jax.jit(jax.grad(scale, argnums=(0, 1))), jax.jit(jax.hessian(scale))
    scale = jax.jit(scale)
    h = 1e-5
    for i, at in enumerate(((1.25, 50.0), (1.25, 50.0))):
        up, down = list(at), list(at)
        up[i], down[i] = at[i] + h, at[i] - h
        want = (scale(*up) - scale(*down)) / (2 * h)
        assert float(slope(*at)[i]) == pytest.approx(float(want), rel=1e-7)
    want = (slope(1.25 + h, 50.0)[0] - slope(1.25 - h, 50.0)[0]) / (2 * h)
    assert float(curvature(1.25, 50.0)) == pytest.approx(float(want), rel=1e-6)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: PowerLaw(a=1.0, b=1.5), "exponent a must exceed 1"),
        (lambda: PowerLaw(a=1.5, b=0.9), "exponent b must exceed 1"),
        (lambda: PowerLaw(a=np.nan, b=1.5), "finite number"),
        (lambda: PowerLaw(a="1.5", b=1.5), "finite number"),
        (lambda: PowerLaw(a=-1.0, b=1.5, modes=9), "must not be negative"),
        (lambda: PowerLaw(a=1.5, b=1.5, modes=0), "modes must be"),
        (lambda: PowerLaw(a=1.5, b=1.5, order=1), "order from 2 to 24"),
        (lambda: Measured([1.0, 2.0], [1.0]), "one length"),
        (lambda: Measured([1.0, -2.0], [1.0, 1.0]), "mode 1 has -2.0"),
        (lambda: Measured([0.0], [1.0]), "every eigenvalue is zero"),
        (lambda: Measured([1.0], [1.0], order=99), "order must be from 0"),
    ],
)
def test_a_spectrum_no_task_has_is_refused(make, says):
    with pytest.raises(SpectrumError, match=says):
        make()
