"""The law of the dynamics against the solver behind it, on contours of another kind."""

import numpy as np
import pytest

from theory import laws
from theory.laws.solved import dynamics
from theory.learning import dmft
from theory.learning.spectrum import PowerLaw

UNITS = {"N_1": 1.0, "D_1": 1.0, "t_1": 1.0}
SIZES = {
    "N": np.array([20.0, 300.0, 5000.0, 150.0]),
    "D": np.array([500.0, 80.0, 150.0, 1e4]),
    "t": np.array([3.0, 50.0, 2e3, 7e4]),
}


@pytest.mark.parametrize("modes", [None, 700])
def test_the_law_is_the_loss_of_the_dynamics(modes: int | None) -> None:
    law = laws.dmft if modes is None else dynamics("dmft_700", modes=modes)
    got = law.loss(**SIZES, A=2.0, a_1=0.6, b_1=0.4, noise=0.03, **UNITS)
    sizes = {"N": SIZES["N"], "P": SIZES["D"], "t": SIZES["t"]}
    want = 2.0 * dmft.loss(PowerLaw(a=1.6, b=1.4, modes=modes), noise=0.03, **sizes).value
    np.testing.assert_allclose(got, want, rtol=2e-5)  # the law's stated accuracy is 4e-6


def test_the_units_of_size_data_and_time_are_scales() -> None:
    point = {"A": 1.0, "a_1": 0.5, "b_1": 0.3, "noise": 0.1}
    want = laws.dmft.loss(**SIZES, **point, **UNITS)
    wide = {name: factor * SIZES[name] for name, factor in (("N", 7.0), ("D", 100.0), ("t", 0.5))}
    got = laws.dmft.loss(**wide, **point, N_1=7.0, D_1=100.0, t_1=0.5)
    np.testing.assert_allclose(got, want, rtol=1e-12)
