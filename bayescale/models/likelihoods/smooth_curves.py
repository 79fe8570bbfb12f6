"""Whole loss curves of single runs: each deviates from the law smoothly, and small runs more.

What one finite run does differently from the average of many (its initial weights, its examples)
moves its whole curve, and moves it smoothly: the increments between checkpoints look far more
exact than the curve is, and taken at face value they settle the exponents of the law wrongly. Here
the deviation of a run is, with ``r = log step``,

    S (u + s(r) (v(r) + noise of a single checkpoint)),

u a common effect, v a Gaussian process with the Matern-5/2 correlation (Rasmussen and Williams
2006, equation 4.17), S a power of the sizes, since larger runs average over more, and s a function
of the step. Each checkpoint is conditioned on the three before it (Vecchia 1988), for which the
correlations are solved in closed form; the common effect is integrated out by the chain rule of
`bayescale.models.likelihoods._dependent`.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, final

import numpy as np

from bayescale.distributions.prior import Prior
from bayescale.errors import UsageError
from bayescale.models.likelihood import NU, SIGMA, AbstractLikelihood, student_t
from bayescale.models.likelihoods.curves import Curves
from bayescale.models.noise import Noise
from bayescale.models.observations import Observations
from bayescale.models.shared_effect import EFFECT, Markov, conditional, in_order
from bayescale.runs.table import Runs
from theory.declaration.namespace import ArrayNamespace, Environment, Numeric

NEIGHBOURS = 3
"""Checkpoints before it on which one is conditioned; against the process itself that loses .01 to
.04 nats a checkpoint (tests/test_bayescale/models/test_smooth_curves.py)."""

LEAST_NOISE = 1e-8
"""Variance of a single checkpoint relative to that of v, at least: what keeps the correlations of
neighbours that nearly coincide solvable in double precision."""


@final
@dataclass(frozen=True)
class SmoothCurves(AbstractLikelihood):
    """Checkpoints of runs that deviate from the law smoothly along log step.

    The deviation of a run is ``z^trend (u + exp(tilt x + bend x^2) (v(x) + w))`` where z is the
    product of its sizes and x the logarithm of its step, both relative to the table's;
    ``u ~ Normal(0, effect)``, v has scale ``sigma`` and Matern-5/2 correlation over ``span``
    e-folds of the step, and w is the noise of a single checkpoint, of scale ``rough sigma``.
    Innovations are Student-t with ``nu`` degrees of freedom. Of a new run neither u nor v is known.

    Parameters
    ----------
    along
        The step: a resource of the law.
    run
        Column that names the run.
    over
        Resources on whose product the scales depend; all of the law's but `along` by default.
    size, time
        The product and the step where ``effect`` and ``sigma`` are meant; those of the table's
        geometric mean by default. `bayescale.fit_many` takes tables of unlike sizes only where both
        are given.
    """

    name = "smooth_curves"
    dependent: ClassVar[bool] = True

    along: str = "D"
    run: str = "run"
    over: tuple[str, ...] | None = None
    size: float | None = None
    time: float | None = None

    def __post_init__(self) -> None:
        for name, value in (("size", self.size), ("time", self.time)):
            if value is not None and not 0 < value < math.inf:
                raise UsageError(
                    f"likelihood 'smooth_curves' takes {name}=, the positive {name} where sigma is "
                    f"meant; got {value}."
                )

    def priors(self) -> dict[str, Prior]:
        """``span ~ LogNormal(ln 1, 1)``, ``rough ~ LogNormal(ln 0.1, 1)``; scale exponents Normal.

        ``trend`` and ``tilt ~ Normal(0, 0.5)``, per e-fold of the sizes and of the step, and ``bend
        ~ Normal(0, 0.1)``; the others as for `Curves`. A law of the step alone has no ``trend``.
        """
        spreads = {"trend": 0.5, "tilt": 0.5, "bend": 0.1}
        if self.over == ():
            del spreads["trend"]
        smooth = {"span": Prior.around(1.0, 1.0), "rough": Prior.around(0.1, 1.0)}
        powers = {name: Prior("Normal", mu=0, sigma=spread) for name, spread in spreads.items()}
        return {"sigma": SIGMA, "nu": NU, "effect": EFFECT} | smooth | powers

    def scaled_to(self, pivot: Mapping[str, float]) -> AbstractLikelihood:
        """Take sizes and step from the pivot of the law where they were not given."""
        over = tuple(n for n in pivot if n != self.along) if self.over is None else self.over
        if wrong := [name for name in (self.along, *over) if name not in pivot]:
            raise UsageError(
                f"noise 'smooth_curves' runs along '{self.along}' and varies over "
                f"'{'+'.join(over)}', but the law depends on {', '.join(pivot)}, not on "
                f"{', '.join(wrong)}; name one of these, as in "
                f"'smooth_curves(along={list(pivot)[-1]})'."
            )
        size = math.prod(pivot[name] for name in over)
        time = pivot[self.along]
        return replace(self, over=over, size=self.size or size, time=self.time or time)

    def columns(self, runs: Runs) -> dict[str, np.ndarray]:
        """Runs in the order of their steps, and how far back the checkpoints before lie."""
        found = Curves(self.along, self.run).columns(runs)
        position, row = np.cumsum(found.pop("gap")), np.arange(len(runs))
        del found["first"], found["previous"]
        for back in range(1, NEIGHBOURS + 1):
            known = row - back >= found["start"]
            before = np.where(known, row - back, row)
            lag = np.where(known, position - position[before], float(back))
            found |= {f"before_{back}": before, f"lag_{back}": lag, f"known_{back}": 1.0 * known}
        return found

    def noise(
        self, log_loss: Numeric, parameters: Environment, rows: Observations, ops: ArrayNamespace
    ) -> Noise:
        """Given earlier checkpoints of the run; for a new run all parts together."""
        sized, timed = self._log_scales(parameters, rows)
        common = parameters["effect"] * ops.exp(sized)
        single = parameters["sigma"] * ops.exp(sized + timed)
        if rows.log_loss is None:
            rough = 1.0 + parameters["rough"] ** 2
            return student_t(log_loss, ops.sqrt(single**2 * rough + common**2), parameters)
        residual = in_order(rows.log_loss - log_loss, log_loss, rows)
        scale = in_order(single, log_loss, rows)
        span = in_order(parameters["span"], log_loss, rows)
        nugget = in_order(parameters["rough"], log_loss, rows) ** 2 + LEAST_NOISE
        weights, left = _regression(rows.columns, span, nugget, ops)
        before = [rows.columns[f"before_{back}"] for back in range(1, NEIGHBOURS + 1)]
        # Of scales that change along the run, a neighbour is seen in its own.
        seen = [w * scale / scale[..., at] for w, at in zip(weights, before, strict=True)]
        carried = sum(w * residual[..., at] for w, at in zip(seen, before, strict=True))
        fresh = (1.0 - sum(seen)) * in_order(ops.exp(sized), log_loss, rows)
        markov = Markov(carried, fresh, scale * ops.sqrt(left))
        return conditional(log_loss, rows, ops, markov=markov, parameters=parameters)

    def _log_scales(self, parameters: Environment, rows: Observations) -> tuple[Any, Any]:
        """Logarithm of the factors of the scales by the sizes and by the step."""
        if self.over is None or self.size is None or self.time is None:
            raise UsageError(
                "noise 'smooth_curves' without a pivot needs over=, size= and time=: the sizes on "
                "whose product its scales depend, that product and the step where sigma is meant."
            )
        logs = rows.log_resources
        past = logs[self.along] - math.log(self.time)
        timed = parameters["tilt"] * past + parameters["bend"] * past**2
        if not self.over:
            return 0.0 * timed, timed
        size = sum(logs[name] for name in self.over) - math.log(self.size)
        return parameters["trend"] * size, timed


def _correlation(lag: Numeric, span: Numeric, ops: ArrayNamespace) -> Any:
    """Matern-5/2."""
    x = math.sqrt(5.0) * lag / span
    return (1.0 + x + x**2 / 3.0) * ops.exp(-x)


def _regression(
    columns: Mapping[str, Any], span: Numeric, nugget: Any, ops: ArrayNamespace
) -> tuple[Sequence[Any], Any]:
    """Weights of the neighbours in the mean of a checkpoint, and the variance that is left.

    Both for a process of variance 1 and noise of single checkpoints of variance `nugget`: the
    correlations of the neighbours are factorised by Cholesky, written out for the few of them.
    Neighbours that are not there have correlation zero and weight zero.
    """
    some = range(NEIGHBOURS)
    lag = [columns[f"lag_{back + 1}"] for back in some]
    known = [columns[f"known_{back + 1}"] for back in some]
    factor: list[list[Any]] = [[] for _ in some]
    reach: list[Any] = []
    for i in some:
        for j in range(i):
            between = known[i] * _correlation(lag[i] - lag[j], span, ops)
            explained = [factor[i][k] * factor[j][k] for k in range(j)]
            factor[i].append((between - sum(explained)) / factor[j][j])
        squares = sum(entry**2 for entry in factor[i])
        factor[i].append(ops.sqrt(1.0 + nugget - squares))
        here = known[i] * _correlation(lag[i], span, ops)
        through = sum(factor[i][k] * reach[k] for k in range(i))
        reach.append((here - through) / factor[i][i])
    weights: list[Any] = [0.0 for _ in some]
    for i in reversed(some):
        later = sum(factor[k][i] * weights[k] for k in range(i + 1, NEIGHBOURS))
        weights[i] = (reach[i] - later) / factor[i][i]
    return weights, 1.0 + nugget - sum(entry**2 for entry in reach)
