"""Which of several posteriors predicts runs better that it has not seen."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bayescale.aliases import with_aliases
from bayescale.diagnosis import MAX_PARETO_K
from bayescale.errors import DiagnosticsWarning, UsageError
from bayescale.models import pointwise
from bayescale.posteriors.checks import leave_one_out
from bayescale.posteriors.checks.leave_one_out import LeaveOneOut
from bayescale.posteriors.posterior import Posterior
from bayescale.posteriors.verdict import QUESTIONS
from bayescale.validation.leave_future_out import future_scores, outlook_of, refused
from theory.errors import did_you_mean

WEIGHTS = {"stacking": "stacking", "pseudo-bma": "BB-pseudo-BMA"}
"""How weights are computed -> ArviZ's name of it."""


@with_aliases
def compare(
    posteriors: Mapping[str, Posterior],
    by: str = "lfo",
    *,
    weights: str = "stacking",
    cuts: Sequence[float] | None = None,
    seed: int = 0,
    force: bool = False,
) -> pd.DataFrame:
    """Compare posteriors of the same runs by how well each predicts runs left out.

    Parameters
    ----------
    posteriors
        Two or more by name, fitted to one table, by any laws, priors and likelihoods of the loss.
    by
        ``"lfo"``, as for `stack`, leaves the future out, which is what an extrapolation is: the
        laws are fitted again to the runs below several cuts of compute, and every run above a cut
        counts once for it. Runs beyond one cut err together, so the standard errors are too small.
        ``"loo"``: each run in turn is left out, by Pareto smoothed importance sampling (Vehtari et
        al. 2017), without a fit. A run is all rows of one name and all rows that depend on each
        other in any of the posteriors.
    weights
        ``"stacking"`` (Yao et al. 2018) or ``"pseudo-bma"`` (pseudo-BMA+, with a Bayesian
        bootstrap), by ArviZ.
    cuts, seed
        Sizes at which to cut, and seed of the fits, for ``"lfo"``.
    force
        Compare even posteriors that the gate refuses.

    Returns
    -------
    pandas.DataFrame
        Index: name; the best first. Columns: ``elpd`` (sum over runs of the log predictive density
        of log loss) and its ``se``, ``difference`` to the best and its ``se_difference``,
        ``weight``, ``reliable`` and ``status`` (what the gate says of the posterior). For
        ``"lfo"`` also ``rmse`` and ``coverage_90``, and a row is not reliable where the gate
        refuses a fit below a cut. For ``"loo"`` also ``p_loo`` (effective number of parameters)
        and ``pareto_k`` (the worst run's), and a row is not reliable where that is above 0.7:
        leaving the run out changes the posterior too much to be computed from it, and the number is
        then too high as a rule; fit again without the run to know. ``attrs["question"]`` says what
        was asked and what follows.

    Raises
    ------
    UsageError
        If there are fewer than two, they are of different tables, one has no likelihood, or `by`
        or `weights` is unknown.
    DiagnosticsRefused
        If the gate refuses one and `force` is not given.

    Warns
    -----
    DiagnosticsWarning
        If a row is not reliable.
    """
    for option, given, known in (("by", by, BY), ("weights", weights, WEIGHTS)):
        if given not in known:
            raise UsageError(
                f"{option} is '{given}'; it must be one of {', '.join(known)}."
                f"{did_you_mean(given, known)}"
            )
    require_comparable(posteriors)
    for posterior in posteriors.values():
        posterior.diagnosis.require(force=force)
    table = BY[by](posteriors, WEIGHTS[weights], Options(cuts, seed))
    table = table.assign(status=[str(posteriors[n].diagnosis.status) for n in table.index])
    table.attrs["question"] = QUESTIONS[by]
    return table


@dataclass(frozen=True)
class Options:
    """What a way to compare may need: cuts and seed of refits."""

    cuts: Sequence[float] | None
    seed: int


def require_comparable(posteriors: Mapping[str, Posterior]) -> None:
    """Refuse posteriors of different tables, or whose likelihoods do not compare.

    Raises
    ------
    UsageError
        If they do not compare, or there are fewer than two.
    """
    if len(posteriors) < 2:
        raise UsageError(f"there are {len(posteriors)} posteriors; comparing takes two or more.")
    hashes: dict[str, list[str]] = {}
    measures: dict[str, list[str]] = {}
    for name, posterior in posteriors.items():
        measures.setdefault(_measure(posterior), []).append(name)
        hashes.setdefault(str(posterior.record.get("data_hash")), []).append(name)
    if len(hashes) > 1:
        one, other = (names[0] for names in list(hashes.values())[:2])
        raise UsageError(
            f"'{one}' and '{other}' were fitted to different tables; fit both to the same runs."
        )
    if len(measures) > 1:
        interval, point = measures["probability"][0], measures["density"][0]
        raise UsageError(
            f"'{interval}' gives the probability of an interval and '{point}' the density of a "
            "loss, which do not compare; give both the same kind of likelihood."
        )


def _measure(posterior: Posterior) -> str:
    """What the log likelihood is the logarithm of."""
    model, rows = posterior.fitted_model
    noise = pointwise.noise_at(model, pointwise.take(posterior.sites, slice(0, 1)), rows)
    return "probability" if noise.is_probability else "density"


def _by_loo(posteriors: Mapping[str, Posterior], weights: str, options: Options) -> pd.DataFrame:
    """Leave-one-run-out by importance sampling."""
    first = next(iter(posteriors.values()))
    assert first.observed is not None
    names = first.observed.column("run").astype(str)
    codes, labels = leave_one_out.units(names, [p.fitted_model for p in posteriors.values()])
    found = {}
    for name, posterior in posteriors.items():
        log_likelihood = posterior.log_likelihood()
        efficiency = leave_one_out.relative_efficiency(
            log_likelihood, posterior.draws.sizes["chain"]
        )
        found[name] = leave_one_out.leave_one_out(log_likelihood, codes, r_eff=efficiency)
    table = ranked({name: each.elpd for name, each in found.items()}, weights)
    table.insert(4, "p_loo", [found[name].p_loo.sum() for name in table.index])
    table.insert(5, "pareto_k", [found[name].pareto_k.max() for name in table.index])
    table["reliable"] = table["pareto_k"] <= MAX_PARETO_K
    _warn_unreliable(found, labels)
    return table


def _by_lfo(posteriors: Mapping[str, Posterior], weights: str, options: Options) -> pd.DataFrame:
    """Leave the future out by fitting again below each cut."""
    outlook = outlook_of(posteriors, cuts=options.cuts, seed=options.seed, progress=None)
    elpd = {name: np.concatenate(outlook.log_densities(name)) for name in posteriors}
    table = ranked(elpd, weights)
    scores = future_scores(outlook).loc[table.index]
    table.insert(4, "rmse", scores["rmse"])
    table.insert(5, "coverage_90", scores["coverage_90"])
    table["reliable"] = [refused(outlook.posteriors[name]) == 0 for name in table.index]
    return table


def ranked(elpd: Mapping[str, np.ndarray], method: str) -> pd.DataFrame:
    """The best first: elpd, difference to it, and weights by ArviZ's `compare`.

    Parameters
    ----------
    elpd
        Log predictive density of each unit, arrays (unit,), by name.
    method
        ArviZ's name of the weights.
    """
    import arviz_stats
    import xarray as xr
    from arviz_stats.utils import ELPDDataLOO

    # ArviZ exponentiates; what all have in common cancels in weights and differences.
    common = np.max(np.stack(list(elpd.values())), axis=0)
    size = len(common)
    given = {
        name: ELPDDataLOO(
            elpd=float(np.sum(values - common)),
            se=float(np.sqrt(size * np.var(values - common))),
            p=0.0,
            n_samples=0,
            n_data_points=size,
            scale="log",
            warning=False,
            good_k=MAX_PARETO_K,
            elpd_i=xr.DataArray(values - common, dims="unit"),
        )
        for name, values in elpd.items()
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that many models may differ by chance
        ranked = arviz_stats.compare(given, method=method, round_to="none")
    rows = {
        name: {
            "elpd": float(elpd[name].sum()),
            "se": float(np.sqrt(size * np.var(elpd[name]))),
            "difference": float(row["elpd_diff"]),
            "se_difference": float(row["dse"]),
            "weight": float(row["weight"]),
        }
        for name, row in ranked.iterrows()
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("posterior")


def _warn_unreliable(found: Mapping[str, LeaveOneOut], labels: Sequence[str]) -> None:
    parts = []
    for name, each in found.items():
        if np.any(bad := ~(each.pareto_k <= MAX_PARETO_K)):
            worst = labels[int(np.argmax(each.pareto_k))]
            parts.append(f"'{name}' ({bad.sum()} of {len(bad)} runs, the worst '{worst}')")
    if parts:
        warnings.warn(
            f"leaving one run out changes the posterior too much to be computed from it for "
            f"{', '.join(parts)}: Pareto k is above {MAX_PARETO_K}; fit again without these runs "
            "before relying on the comparison.",
            DiagnosticsWarning,
            stacklevel=4,
        )


BY: dict[str, Callable[[Mapping[str, Posterior], str, Options], pd.DataFrame]] = {
    "lfo": _by_lfo,
    "loo": _by_loo,
}
"""How posteriors are compared, by name: from posteriors and ArviZ's kind of weights to a table."""
