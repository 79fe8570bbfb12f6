"""The gate: whether a posterior may be used, with a sentence for every doubt.

R-hat, ESS, BFMI and Pareto k are ArviZ's; the thresholds and what follows from them are here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from bayescale.errors import DiagnosticsRefused

if TYPE_CHECKING:
    import xarray as xr

MAX_RHAT = 1.01
MIN_ESS = 400.0
MAX_DIVERGENT = 0.001
MIN_BFMI = 0.3
MAX_PARETO_K = 0.7
"""Thresholds of the gate: Vehtari et al. 2021 and 2024; Betancourt 2016 for BFMI."""

TAIL_PROB = (0.05, 0.95)
"""The tail ESS is the smaller of those of these two quantiles."""


class Status(StrEnum):
    """What the gate says."""

    OK = "ok"
    WARN = "warn"
    REFUSE = "refuse"


@dataclass(frozen=True)
class Diagnosis:
    """The gate's verdict and its reasons, each a sentence with what to do.

    Parameters
    ----------
    refusals
        Why the posterior must not be used.
    warnings
        What to keep in mind when it is.
    """

    refusals: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def status(self) -> Status:
        """`ok`, `warn` or `refuse`."""
        if self.refusals:
            return Status.REFUSE
        return Status.WARN if self.warnings else Status.OK

    @property
    def reasons(self) -> tuple[str, ...]:
        """Refusals, then warnings."""
        return self.refusals + self.warnings

    def __add__(self, other: "Diagnosis") -> "Diagnosis":
        return Diagnosis(self.refusals + other.refusals, self.warnings + other.warnings)

    def require(self, *, force: bool = False) -> None:
        """Raise where the gate refuses, unless forced.

        Raises
        ------
        DiagnosticsRefused
            With all reasons.
        """
        if self.status is Status.REFUSE and not force:
            raise DiagnosticsRefused(
                f"the posterior is not to be trusted: {' '.join(self.refusals)} "
                "Pass force=True (--force) to go on all the same; the result is then marked."
            )

    def to_dict(self) -> dict[str, Any]:
        """As plain data, for JSON."""
        return {"status": str(self.status), "reasons": list(self.reasons)}

    def __str__(self) -> str:
        return "\n".join([str(self.status), *(f"- {reason}" for reason in self.reasons)])


def diagnose_chains(tree: "xr.DataTree", names: Sequence[str]) -> Diagnosis:
    """Judge Markov chains by ArviZ's `diagnose`.

    Parameters
    ----------
    tree
        With groups ``posterior`` and, where known, ``sample_stats``.
    names
        Variables of the posterior to judge.

    Returns
    -------
    Diagnosis
        Refuses on R-hat above 1.01, bulk or tail ESS below 400, more than 0.1% divergences, or
        BFMI below 0.3; warns of any divergence.
    """
    from arviz_stats import diagnose

    sizes = tree["posterior"].sizes
    if sizes["chain"] < 2:
        return Diagnosis(("one chain cannot show that it converged; draw at least two.",))
    # A NaN is above no threshold, so ArviZ would pass it.
    draws = tree["posterior"].dataset
    if broken := [n for n in names if not np.all(np.isfinite(draws[n]))]:
        return Diagnosis(
            (f"draws of {_list(broken)} are not finite; set a tighter prior on what they follow.",)
        )
    _, found = diagnose(
        tree,
        var_names=list(names),
        rhat_max=MAX_RHAT,
        # The threshold on ESS itself is only printed; the one on its ratio is reported, for both
        # bulk and tail.
        ess_min_ratio=MIN_ESS / (sizes["chain"] * sizes["draw"]),
        bfmi_threshold=MIN_BFMI,
        show_diagnostics=False,
        return_diagnostics=True,
    )
    refusals, warnings = [], []
    if bad := found["rhat"]["bad_params"]:
        worst = max(float(v.max()) for v in found["rhat"]["rhat_values"].values())
        refusals.append(
            f"the chains disagree on {_list(bad)} (R-hat up to {worst:.3f}, at most "
            f"{MAX_RHAT} is allowed); check the table for few or collinear runs, or set a prior."
        )
    if bad := found["ess"]["bad_params"]:
        worst = min(float(v.min()) for v in found["ess"]["ess_values"].values())
        refusals.append(
            f"too few effective draws of {_list(bad)} (smallest ESS {worst:.0f}, at least "
            f"{MIN_ESS:.0f} is needed); raise draws=."
        )
    if divergent := found.get("divergent", {}).get("n_divergent", 0):
        total = found["divergent"]["total_samples"]
        sentence = (
            f"{divergent} of {total} draws diverged; the posterior may hide a corner that the "
            "sampler cannot enter, so compare with a simpler law or a tighter prior."
        )
        (refusals if divergent > MAX_DIVERGENT * total else warnings).append(sentence)
    if failed := found.get("bfmi", {}).get("failed_chains", []):
        refusals.append(
            f"{len(failed)} chains have BFMI below {MIN_BFMI}; the tails are not explored, so "
            "set a tighter prior on the noise."
        )
    return Diagnosis(tuple(refusals), tuple(warnings))


def diagnose_importance(facts: Mapping[str, Any]) -> Diagnosis:
    """Judge importance-resampled draws by Pareto k-hat and effective sample size."""
    pareto_k, ess = float(facts["pareto_k"]), float(facts["importance_ess"])
    refusals = []
    if not pareto_k <= MAX_PARETO_K:
        refusals.append(
            f"the Laplace approximation does not cover the posterior (Pareto k {pareto_k:.2f}, at "
            f"most {MAX_PARETO_K} is allowed); use engine='numpyro'."
        )
    if not ess >= MIN_ESS:
        refusals.append(
            f"the importance weights leave {ess:.0f} effective draws (at least {MIN_ESS:.0f} are "
            "needed); use engine='numpyro'."
        )
    return Diagnosis(tuple(refusals))


def diagnose_starts(facts: Mapping[str, Any]) -> Diagnosis:
    """Judge the search for the posterior mode, where every engine begins."""
    agreeing, starts = int(facts["mode_agreeing"]), int(facts["mode_starts"])
    if agreeing == 0:
        return Diagnosis(
            warnings=(
                "no posterior mode was found, so sampling began at the centre of the prior; "
                "compare with another seed.",
            )
        )
    if agreeing == 1 < starts:
        return Diagnosis(
            warnings=(
                f"only 1 of {starts} searches reached the best mode found, so there may be a "
                "better one; compare with another seed, or set a prior.",
            )
        )
    return Diagnosis()


def diagnose_attempts(found: Diagnosis, facts: Mapping[str, Any]) -> Diagnosis:
    """Say so where the sampler's second attempt was needed and did not help."""
    if not found.refusals or int(facts.get("attempts", 1)) < 2:
        return Diagnosis()
    return Diagnosis(
        (
            f"this was a second attempt, with {facts['warmup']} draws of warm-up and target "
            f"acceptance {facts['target_acceptance']:g}, after the first had failed too.",
        )
    )


def worst_convergence(draws: np.ndarray) -> tuple[float, float]:
    """Largest R-hat and smallest bulk or tail ESS over draws (chain, draw, quantity)."""
    from arviz_stats.base import array_stats

    stats: Any = array_stats  # what its functions return depends on the shape
    moved = np.moveaxis(draws, -1, 0)
    bulk, tail = stats.ess(moved), stats.ess(moved, method="tail", prob=TAIL_PROB)
    return float(np.max(stats.rhat(moved))), float(min(bulk.min(), tail.min()))


def smooth_weights(log_ratio: np.ndarray) -> tuple[np.ndarray, float]:
    """Pareto smoothed importance weights (sum 1) and Pareto k-hat of log ratios (draw,)."""
    from arviz_stats.base import array_stats

    log_weights, pareto_k = array_stats.psislw(-log_ratio)  # it takes negated log ratios
    weights = np.exp(log_weights - np.max(log_weights))
    return weights / weights.sum(), float(pareto_k)


def _list(names: Sequence[str]) -> str:
    return ", ".join(map(str, names))
