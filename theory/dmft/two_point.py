r"""The two-point functions of the model in closed form, at two scales kappa and kappa'.

With ``B, df2, S0, S1`` of `theory.mode_sums.TwoPoint` and the label noise sigma^2 the solution of
the linear system of the DMFT is

    chat = [(1 - df2/N)(sigma^2 + kk' S0) + kk' (B/N) S1]
           / [(1 - df2/P)(1 - df2/N) - kk' B^2/(N P)],        kk' = kappa kappa',

and the test loss of a linear spectral method with residual filter r_t is the double contour
integral of ``r_t(-z) r_t(-z') chat/(z z')``; the train loss has a further ``R1(kappa) R1(kappa')``
with ``R1 = 1 - df1/P``. Predictors with other projections, or other data, have their own kernels.

Bordelon, Atanasov, Pehlevan 2024 (arXiv 2402.01092), eqs. of the appendix on the two-point
functions, solved for the closed form; the notation is that of the resolvent variable kappa.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from theory.mode_sums import OnePoint, TwoPoint


@dataclass(frozen=True)
class Setting:
    """What a kernel depends on besides sums over modes; each broadcasts against (*batch, 1, 1).

    Parameters
    ----------
    inverse_N, inverse_P
        ``1/N`` and ``1/P`` of the first predictor.
    noise
        sigma^2.
    overlap
        ``P_o/(P P')`` of two predictors that share P_o of their examples.
    """

    inverse_N: Any
    inverse_P: Any
    noise: Any
    overlap: Any = 0.0


Kernel = Callable[[OnePoint, OnePoint, TwoPoint, Setting], Any]
"""From sums at kappa (.., at), at kappa' (.., at') and both to the kernel (.., at, at')."""


def _product(one: OnePoint, other: OnePoint) -> Any:
    return one.kappa[..., :, None] * other.kappa[..., None, :]


def test(one: OnePoint, other: OnePoint, two: TwoPoint, at: Setting) -> Any:
    """``chat``: same projection, same data."""
    kk = _product(one, other)
    R3 = 1 - two.df2 * at.inverse_N
    above = R3 * (at.noise + kk * two.S0) + kk * two.B * two.S1 * at.inverse_N
    below = (1 - two.df2 * at.inverse_P) * R3 - kk * two.B**2 * (at.inverse_N * at.inverse_P)
    return above / below


def train(one: OnePoint, other: OnePoint, two: TwoPoint, at: Setting) -> Any:
    """``R1 R1' chat``: the mean square over the training examples."""
    return _residual(one, other, at) * test(one, other, two, at)


def gap(one: OnePoint, other: OnePoint, two: TwoPoint, at: Setting) -> Any:
    """``(1 - R1 R1') chat``: test minus train, without the cancellation of a difference."""
    return (1 - _residual(one, other, at)) * test(one, other, two, at)


def _residual(one: OnePoint, other: OnePoint, at: Setting) -> Any:
    return (1 - one.df1[..., :, None] * at.inverse_P) * (1 - other.df1[..., None, :] * at.inverse_P)


def same_data(one: OnePoint, other: OnePoint, two: TwoPoint, at: Setting) -> Any:
    """``(sigma^2 + kk' S0)/(1 - df2 P_o/(P P'))``: independent projections, P_o shared examples."""
    return (at.noise + _product(one, other) * two.S0) / (1 - two.df2 * at.overlap)


def same_projection(one: OnePoint, other: OnePoint, two: TwoPoint, at: Setting) -> Any:
    """``sigma^2 + kk'[S0 + (B/N) S1/(1 - df2/N)]``: one projection, disjoint data."""
    extra = two.B * two.S1 * at.inverse_N / (1 - two.df2 * at.inverse_N)
    return at.noise + _product(one, other) * (two.S0 + extra)


def nothing_shared(one: OnePoint, other: OnePoint, two: TwoPoint, at: Setting) -> Any:
    """``sigma^2 + kk' S0``: independent projections, disjoint data; bias and noise alone."""
    return at.noise + _product(one, other) * two.S0


KERNELS: dict[str, Kernel] = {
    "test": test,
    "train": train,
    "gap": gap,
    "same_data": same_data,
    "same_projection": same_projection,
    "nothing_shared": nothing_shared,
}
