r"""Random features: the model of Bahri et al. in which all four scaling regimes can be computed.

A teacher ``y = w . F(x)`` in features F with covariance eigenvalues ``lambda_k`` is learnt by a
student that sees ``features`` random projections of F and ``examples`` samples. Its losses follow
from one function of a rank, `unresolved`. In the letters of the papers:

    here                 Bahri et al. 2021    `theory.learning.dmft`
    features             P                    N
    examples             D                    P
    power p_k            lambda_k/S           p_k

`loss` is the learning curve at finite size, without ridge or with a given one; `optimal_ridge`
tunes the ridge, and `scaling_function` is the closed form that then joins the two limits. The
exponents of the regimes, and bounds on them from dimension and smoothness, are declared in
`exponents`. Draws of the model are in `theory.learning.simulate`.

Source: Bahri et al. 2021, arXiv:2102.06701; deterministic equivalents as in `theory.learning.dmft`.
"""

from theory.learning.random_features.exponents import EXPONENTS, Exponent, exponent, in_parameters
from theory.learning.random_features.learning_curve import (
    RandomFeaturesError,
    asymptote,
    double_descent,
    isotropic,
    loss,
    unresolved,
)
from theory.learning.random_features.optimal_ridge import OptimalRidge, optimal_ridge
from theory.learning.random_features.scaling_function import (
    log_scaling_function,
    scaling_function,
)

__all__ = [
    "EXPONENTS",
    "Exponent",
    "OptimalRidge",
    "RandomFeaturesError",
    "asymptote",
    "double_descent",
    "exponent",
    "in_parameters",
    "isotropic",
    "log_scaling_function",
    "loss",
    "optimal_ridge",
    "scaling_function",
    "unresolved",
]
