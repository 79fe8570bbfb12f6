"""Checkpoints of runs: a common effect, and noise that is correlated from one to the next."""

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from bayescale.distributions.prior import Prior
from bayescale.errors import RunsError
from bayescale.models.likelihood import NU, SIGMA, AbstractLikelihood, student_t
from bayescale.models.noise import Noise
from bayescale.models.observations import Observations
from bayescale.models.shared_effect import EFFECT, Markov, _labels, conditional, grouped, in_order
from bayescale.runs.numbers import positive_column
from bayescale.runs.table import Runs
from theory.declaration.namespace import ArrayNamespace, Environment, Numeric


@final
@dataclass(frozen=True)
class Curves(AbstractLikelihood):
    """Checkpoints of runs: an effect of the run, and residuals correlated along log step.

    Residuals of one run are ``u + v(log step)`` with ``u ~ Normal(0, effect)`` and v stationary
    with scale ``sigma`` and correlation ``exp(-|difference of log step|/span)``: a thousand
    checkpoints of five runs are not a thousand runs. Of a new run nothing is known of u.

    Parameters
    ----------
    along
        Column of the step, or of data seen.
    run
        Column that names the run.
    """

    name = "curves"
    dependent: ClassVar[bool] = True

    along: str = "D"
    run: str = "run"

    def priors(self) -> dict[str, Prior]:
        """``span ~ LogNormal(ln 0.3, 1)`` e-folds; the others as for a shared effect."""
        return {"sigma": SIGMA, "nu": NU, "effect": EFFECT, "span": Prior.around(0.3, 1.0)}

    def columns(self, runs: Runs) -> dict[str, np.ndarray]:
        """Runs in the order of their steps, and the gaps of log step."""
        run, time = _labels(runs, self.run), np.log(positive_column(runs, self.along))
        found = grouped(run, time)
        moved = time[found["order"]]
        gap = np.where(found["first"] == 1.0, 0.0, moved - moved[found["previous"]])
        if np.any(twice := (gap <= 0) & (found["first"] == 0.0)):
            row = int(found["order"][np.flatnonzero(twice)[0]])
            raise RunsError(
                f"{runs.name}: run '{run[row]}' has two rows with the same {self.along} (row "
                f"{row + 1}); keep one, or name in along= what tells its checkpoints apart."
            )
        return found | {"gap": gap}

    def noise(
        self, log_loss: Numeric, parameters: Environment, rows: Observations, ops: ArrayNamespace
    ) -> Noise:
        """Given earlier checkpoints of the run; for a new run both parts together."""
        sigma, effect = parameters["sigma"], parameters["effect"]
        if rows.log_loss is None:
            return student_t(log_loss, ops.sqrt(sigma**2 + effect**2), parameters)
        residual = in_order(rows.log_loss - log_loss, log_loss, rows)
        first, previous = rows.columns["first"], rows.columns["previous"]
        later, decay = 1.0 - first, rows.columns["gap"] / parameters["span"]
        carried = later * ops.exp(-decay) * residual[..., previous]
        # 1 - rho and 1 - rho^2, without loss of digits where rows are close
        fresh = first - later * ops.expm1(-decay)
        scale = in_order(sigma, log_loss, rows) * ops.sqrt(first - later * ops.expm1(-2.0 * decay))
        markov = Markov(carried, fresh, scale)
        return conditional(log_loss, rows, ops, markov=markov, parameters=parameters)
