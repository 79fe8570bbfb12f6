"""Dynamics of the randomly projected linear model, solved in closed form on contours.

A student ``f = w . A psi/sqrt(N)`` with a random projection A to N features learns
``y = w* . psi + sigma eps`` from P examples for a time t (Bordelon, Atanasov, Pehlevan 2024, arXiv
2402.01092). In the limit of large sizes its loss follows from the dynamical mean-field theory, here
reduced to one scalar equation for the renormalised scale kappa and double contour integrals.

`loss`, `ensemble_loss`, `cross_loss`, `mode_response`, `correlation`, `response` and
`stability_edge` check their input and return numbers; `log_loss_at`, `loss_at` and `loss_curves`
are pure functions for JAX.
"""

from theory.learning.dmft.correlations import correlation, mode_response, response
from theory.learning.dmft.dynamics import GradientDescent, GradientFlow, HeavyBall, Ridge, Schedule
from theory.learning.dmft.edge import stability_edge
from theory.learning.dmft.ensembles import cross_loss, ensemble_loss
from theory.learning.dmft.evaluate import log_loss_at, loss_at, loss_curves
from theory.learning.dmft.losses import loss
from theory.learning.dmft.projection import Aligned, Gaussian, Orthogonal
from theory.learning.dmft.sgd import StochasticGradientDescent
from theory.learning.dmft.solution import DynamicsError, Solution, Statistics, Status

__all__ = [
    "Aligned",
    "DynamicsError",
    "Gaussian",
    "GradientDescent",
    "GradientFlow",
    "HeavyBall",
    "Orthogonal",
    "Ridge",
    "Schedule",
    "Solution",
    "Statistics",
    "Status",
    "StochasticGradientDescent",
    "correlation",
    "cross_loss",
    "ensemble_loss",
    "log_loss_at",
    "loss",
    "loss_at",
    "loss_curves",
    "mode_response",
    "response",
    "stability_edge",
]
