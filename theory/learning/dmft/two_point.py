r"""The two-point functions of the model in closed form, at two scales kappa and kappa'.

With ``B, df2, S0, S1`` of `theory.learning.mode_sums.TwoPoint`, the label noise sigma^2, ``kk' =
kappa kappa'`` and a share ``o = P_o/(P P')`` of common examples (``1/P`` of one predictor with
itself),

    shared projection    chat = (sigma^2 + kk' [S0 + c B S1/R3]) / (1 - o [df2 + c kk' B^2/R3])
    own projections      chat = (sigma^2 + kk' S0) / (1 - o df2)

with ``c = 1/N`` and ``R3 = 1 - df2/N`` for Gaussian rows. The test loss of a linear spectral method
with residual filter r_t is the double contour integral of ``r_t(-z) r_t(-z') chat/(z z')``; over
common training examples there is a further ``R1(kappa) R1'(kappa')``, ``R1 = 1 - df1/P``.

Any projection with ``F = A^T A/N`` free of the spectrum, such as orthogonal rows, has the same
structure. Given A the data are those of a linear model on features of covariance
``A Lambda A^T/N``: with ``z = zeta R1`` and ``G(zeta) = tr w w^T Lambda (zeta + F Lambda)^-1``,

    chat = (sigma^2 + zeta zeta' (G - G')/(zeta' - zeta))
           / (1 - o (zeta' df1' - zeta df1)/(zeta' - zeta)),

because F Lambda can be symmetrised; and freeness gives ``zeta = kappa m(df1)``, ``zeta G = kappa
q``. For orthogonal rows ``m = (1 - df1/N)/(1 - df1/M)``, and the divided differences become the
first line with ``c = 1/N - 1/M`` and

    R3 = 1 - df2/N - [df2 + (kappa + kappa') B]/M + df1 df1'/(N M).

Bordelon, Atanasov, Pehlevan 2024 (arXiv 2402.01092), eqs. of the appendix on the two-point
functions, solved for the closed form; orthogonal rows and unequal predictors derived here.
"""

from collections.abc import Callable
from dataclasses import dataclass

from jaxtyping import Array

from theory.learning.mode_sums import OnePoint, TwoPoint


@dataclass(frozen=True)
class Setting:
    """What a kernel depends on besides sums over modes; each broadcasts against (*batch, 1, 1).

    Parameters
    ----------
    inverse_N, inverse_P
        ``1/N`` and ``1/P`` of the first predictor; N is that of a shared projection.
    noise
        sigma^2.
    overlap
        ``P_o/(P P')`` of two predictors that share P_o of their examples; ``1/P`` of one.
    inverse_P_prime
        ``1/P'`` of the second predictor.
    inverse_M
        ``1/M`` for orthogonal rows, 0 for Gaussian ones; a Python number.
    """

    inverse_N: Array
    inverse_P: Array
    noise: Array
    overlap: Array
    inverse_P_prime: Array
    inverse_M: float = 0.0


Kernel = Callable[[OnePoint, OnePoint, TwoPoint, Setting], Array]
"""From sums at kappa (.., at), at kappa' (.., at') and both to the kernel (.., at, at')."""


def _product(one: OnePoint, other: OnePoint) -> Array:
    return one.kappa[..., :, None] * other.kappa[..., None, :]


def _projected(one: OnePoint, other: OnePoint, two: TwoPoint, at: Setting) -> tuple[Array, Array]:
    """``R3`` and ``c`` of a shared projection."""
    R3 = 1 - two.df2 * at.inverse_N
    if at.inverse_M == 0:
        return R3, at.inverse_N
    total = one.kappa[..., :, None] + other.kappa[..., None, :]
    product = one.df1[..., :, None] * other.df1[..., None, :]
    R3 = R3 - (two.df2 + total * two.B) * at.inverse_M + product * (at.inverse_N * at.inverse_M)
    return R3, at.inverse_N - at.inverse_M


def test(one: OnePoint, other: OnePoint, two: TwoPoint, at: Setting) -> Array:
    """``chat`` of a shared projection: one predictor, or two with the share `overlap` of data."""
    kk = _product(one, other)
    R3, c = _projected(one, other, two, at)
    above = R3 * (at.noise + kk * two.S0) + kk * two.B * two.S1 * c
    below = (1 - two.df2 * at.overlap) * R3 - kk * two.B**2 * (c * at.overlap)
    return above / below


def train(one: OnePoint, other: OnePoint, two: TwoPoint, at: Setting) -> Array:
    """``R1 R1' chat``: the mean square over the training examples."""
    return _residual(one, other, at) * test(one, other, two, at)


def gap(one: OnePoint, other: OnePoint, two: TwoPoint, at: Setting) -> Array:
    """``(1 - R1 R1') chat``: test minus train, without the cancellation of a difference."""
    return (1 - _residual(one, other, at)) * test(one, other, two, at)


def _residual(one: OnePoint, other: OnePoint, at: Setting) -> Array:
    R1 = 1 - one.df1[..., :, None] * at.inverse_P
    return R1 * (1 - other.df1[..., None, :] * at.inverse_P_prime)


def same_data(one: OnePoint, other: OnePoint, two: TwoPoint, at: Setting) -> Array:
    """``(sigma^2 + kk' S0)/(1 - df2 P_o/(P P'))``: own projections, P_o shared examples."""
    return (at.noise + _product(one, other) * two.S0) / (1 - two.df2 * at.overlap)


def same_data_train(one: OnePoint, other: OnePoint, two: TwoPoint, at: Setting) -> Array:
    """``R1 R1'`` times `same_data`: over the shared training examples."""
    return _residual(one, other, at) * same_data(one, other, two, at)


def same_projection(one: OnePoint, other: OnePoint, two: TwoPoint, at: Setting) -> Array:
    """``sigma^2 + kk'[S0 + c B S1/R3]``: one projection, disjoint data."""
    R3, c = _projected(one, other, two, at)
    return at.noise + _product(one, other) * (two.S0 + two.B * two.S1 * c / R3)


def nothing_shared(one: OnePoint, other: OnePoint, two: TwoPoint, at: Setting) -> Array:
    """``sigma^2 + kk' S0``: own projections, disjoint data; bias and noise alone."""
    return at.noise + _product(one, other) * two.S0


KERNELS: dict[str, Kernel] = {
    "test": test,
    "train": train,
    "gap": gap,
    "same_data": same_data,
    "same_data_train": same_data_train,
    "same_projection": same_projection,
    "nothing_shared": nothing_shared,
}
