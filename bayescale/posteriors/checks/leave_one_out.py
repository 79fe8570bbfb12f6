"""Leave-one-run-out by Pareto smoothed importance sampling (Vehtari et al. 2017, 2024), by ArviZ.

What is left out is a run: all rows of one name, and all rows of a group that depend on each other,
so that the sum of their log likelihoods is a joint density and no row is predicted from the others
of its own run.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from bayescale.diagnosis import MAX_PARETO_K, Diagnosis, beside
from bayescale.models.model import Model
from bayescale.models.observations import Observations
from bayescale.posteriors.posterior import Posterior


class LeaveOneOut(NamedTuple):
    """Leave-one-out of each unit.

    Parameters
    ----------
    elpd
        Log predictive density of the unit given all others.
    p_loo
        How much lower that is than the log density given all: the effective number of parameters.
    pareto_k
        Above 0.7 the unit moves the posterior so much that the number is not to be trusted.
    """

    elpd: Float[np.ndarray, " unit"]
    p_loo: Float[np.ndarray, " unit"]
    pareto_k: Float[np.ndarray, " unit"]


def influence(posterior: Posterior) -> pd.DataFrame:
    """How much each run moves the posterior, by leaving it out (PSIS-LOO).

    Parameters
    ----------
    posterior
        Fitted to runs.

    Returns
    -------
    pandas.DataFrame
        Index: run (all rows of a name, or of a dependent group); the most influential first.
        Columns: ``rows``, ``elpd`` (log predictive density given the others), ``p_loo`` and
        ``pareto_k``, above 0.7 where the run alone moves the posterior so much that the other
        numbers are not reliable.

    Raises
    ------
    UsageError
        If the draws came without a likelihood or without runs.
    """
    log_likelihood = posterior.log_likelihood()
    codes, labels = units_of(posterior)
    efficiency = relative_efficiency(log_likelihood, posterior.draws.sizes["chain"])
    found = leave_one_out(log_likelihood, codes, r_eff=efficiency)
    table = pd.DataFrame({"rows": np.bincount(codes), **found._asdict()}, index=labels)
    return table.rename_axis("run").sort_values("pareto_k", ascending=False, kind="stable")


def units_of(posterior: Posterior) -> tuple[np.ndarray, list[str]]:
    """Which rows of a posterior's table are left out together; see `units`."""
    assert posterior.observed is not None
    names = posterior.observed.column("run").astype(str)
    return units(names, [posterior.fitted_model])


def units(
    names: np.ndarray, models: Sequence[tuple[Model, Observations]]
) -> tuple[Int[np.ndarray, " run"], list[str]]:
    """Which rows are left out together: the finest partition that all the models allow.

    Parameters
    ----------
    names
        Name of the run of each row.
    models
        Models with what each sees of the same rows.

    Returns
    -------
    codes
        Index of each row's unit.
    labels
        Name of the first run of each unit.
    """
    codes = pd.factorize(names)[0]
    for model, rows in models:
        if model.likelihood.dependent:
            codes = _joined(codes, _groups(rows))
    labels = [str(names[int(np.argmax(codes == unit))]) for unit in range(codes.max() + 1)]
    return codes, labels


def _groups(rows: Observations) -> np.ndarray:
    """Group of each row, from how a dependent likelihood orders them."""
    group = np.empty(len(rows.log_loss), dtype=int)
    group[rows.columns["order"]] = rows.columns["start"]
    return pd.factorize(group)[0]


def _joined(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The finest partition that is coarser than both."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    size = int(one.max()) + 1
    total = size + int(other.max()) + 1
    links = coo_matrix((np.ones(len(one)), (one, size + other)), shape=(total, total))
    return pd.factorize(connected_components(links, directed=False)[1][one])[0]


def leave_one_out(
    log_likelihood: Float[np.ndarray, "draw run"], codes: np.ndarray, *, r_eff: float = 1.0
) -> LeaveOneOut:
    """PSIS-LOO of each unit.

    Parameters
    ----------
    log_likelihood
        Of each run at each draw.
    codes
        Unit of each run.
    r_eff
        Effective draws per draw, which sets how many are in the tail that is smoothed.
    """
    from arviz_stats.base import array_stats

    stats: Any = array_stats  # what its functions return depends on the shape
    summed = log_likelihood
    if len(np.unique(codes)) < len(codes):
        order = np.argsort(codes, kind="stable")
        starts = np.flatnonzero(np.diff(codes[order], prepend=-1))
        summed = np.add.reduceat(log_likelihood[:, order], starts, axis=1)
    found = stats.loo(summed.T[:, None, :], r_eff=r_eff)
    elpd, pareto_k, p_loo = (np.asarray(part, dtype=np.float64) for part in found)
    return LeaveOneOut(elpd, p_loo, pareto_k)


def relative_efficiency(log_likelihood: Float[np.ndarray, "draw run"], chains: int) -> float:
    """Effective draws of the log likelihood of all runs, per draw."""
    from arviz_stats.base import array_stats

    stats: Any = array_stats
    total = log_likelihood.sum(axis=1).reshape(chains, -1)
    if total.shape[1] < 4 or np.ptp(total) == 0:
        return 1.0
    return float(min(stats.ess(total, relative=True), 1.0))


def judge_influence(found: LeaveOneOut, labels: Sequence[str]) -> Diagnosis:
    """Note the runs that alone move the posterior, at most three by name.

    Of real tables whose larger runs were forecast, as many that were forecast well had such runs as
    not (`tests/benchmarks/gate.py`), so they are no warning; `compare` says what they do to it.
    """
    order = np.argsort(-found.pareto_k, kind="stable")
    worst = [int(i) for i in order if not found.pareto_k[i] <= MAX_PARETO_K]
    if not worst:
        return Diagnosis()
    named = ", ".join(f"'{labels[i]}'" for i in worst[:3])
    more = f" and {len(worst) - 3} more" if len(worst) > 3 else ""
    verb = "moves" if len(worst) == 1 else "move"
    return Diagnosis(
        notes=(
            f"{named}{more} alone {verb} the posterior (Pareto k up to "
            f"{beside(found.pareto_k[worst[0]], MAX_PARETO_K, 2)}, above {MAX_PARETO_K}); check "
            "the table there, and fit again without to see what changes.",
        )
    )
