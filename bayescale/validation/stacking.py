"""Averaging over laws: a mixture of posteriors, weighted by how well each saw the future.

No single form is known to be right, and which one fits best says little of which one extrapolates
best. So weights are found by stacking (Yao et al. 2018) on forecasts of larger runs from smaller
ones, and the mixture predicts and plans: the uncertainty of the form reaches the plan.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from bayescale.aliases import with_aliases
from bayescale.errors import UsageError
from bayescale.posteriors.posterior import Posterior
from bayescale.posteriors.stack import Stack
from bayescale.progress import Progress
from bayescale.validation.compare import compare, require_comparable
from bayescale.validation.leave_future_out import future_scores, outlook_of
from theory.errors import did_you_mean

EVIDENCE = 4.0
"""How many independent observations the runs beyond one cut count as: their errors are common."""

PRIOR = 1.0
"""Pseudo-observations of the uniform prior on weights, shared among the laws."""

ITERATIONS = 2000

WAYS = ("lfo", "loo", "equal")


@with_aliases
def stack(
    posteriors: Mapping[str, Posterior],
    by: str = "lfo",
    *,
    cuts: Sequence[float] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Stack:
    """Average posteriors of one table with weights from how well each law predicts.

    ``by="lfo"`` leaves the future out: every law is fitted again to the runs below several cuts of
    compute, and the weights w maximise

        EVIDENCE sum_cuts mean_i log sum_k w_k p_k(log loss_i | runs below the cut)
            + PRIOR/K sum_k log w_k

    over the runs i beyond each cut (stacking of predictive distributions, Yao et al. 2018, in the
    direction of extrapolation). Runs beyond one cut err together, so they count as a few.

    Parameters
    ----------
    posteriors
        Two or more by name, fitted to one table.
    by
        ``"lfo"``, ``"loo"`` (leave one run out, by Pareto smoothed importance sampling) or
        ``"equal"``.
    cuts
        Sizes (compute) at which to cut, for ``"lfo"``; five quantiles of the runs by default.
    seed
        Seed of the fits.
    progress
        Called with a few words at each stage; by default what takes over 3 s shows itself on a
        terminal's standard error or in a notebook (`bayescale.progress`).

    Returns
    -------
    Stack

    Raises
    ------
    UsageError
        If there are fewer than two posteriors, they are of different tables, or `by` is unknown.
    RunsError
        If the table is too small to leave the future out.
    """
    if by not in WAYS:
        raise UsageError(f"no way to weigh laws called '{by}'.{did_you_mean(by, WAYS)}")
    require_comparable(posteriors)
    names = list(posteriors)
    if by == "equal":
        scores = pd.DataFrame(index=pd.Index(names, name="law"))
        weights = np.full(len(names), 1.0 / len(names))
    elif by == "loo":
        scores = compare(posteriors, by="loo").loc[names].rename_axis("law")
        weights = scores.pop("weight").to_numpy()
    else:
        outlook = outlook_of(posteriors, cuts=cuts, seed=seed, progress=progress)
        scores = future_scores(outlook)
        weights = stacking_weights([outlook.log_densities(name) for name in names])
    chosen = {name: float(w) for name, w in zip(names, weights, strict=True)}
    return Stack(dict(posteriors), chosen, scores, by)


def stacking_weights(log_densities: Sequence[Sequence[np.ndarray]]) -> np.ndarray:
    """Stacking weights by expectation maximisation; see `stack`.

    Parameters
    ----------
    log_densities
        For each law and each cut the log predictive densities of the runs beyond, (run,).

    Returns
    -------
    numpy.ndarray of shape (law,) with sum 1.
    """
    count = len(log_densities)
    cuts = [np.stack(parts) for parts in zip(*log_densities, strict=True)]  # (law, run) each
    weights = np.full(count, 1.0 / count)
    if not cuts:
        return weights
    joined = np.concatenate(cuts, axis=1)
    mass = np.concatenate([np.full(c.shape[1], EVIDENCE / c.shape[1]) for c in cuts])
    densities = np.exp(joined - joined.max(axis=0))
    for _ in range(ITERATIONS):
        parts = weights[:, None] * densities
        responsible = (parts / parts.sum(axis=0)) @ mass + PRIOR / count
        new = responsible / responsible.sum()
        if np.max(np.abs(new - weights)) < 1e-10:
            return new
        weights = new
    return weights
