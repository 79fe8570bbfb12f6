"""The gate: whether a posterior may be used, with a sentence for every doubt.

R-hat, ESS, BFMI and Pareto k are ArviZ's; the thresholds and what follows from them are here.
"""

import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from bayescale.errors import DiagnosticsRefused, DiagnosticsWarning, UsageError
from bayescale.notebook import Shown, verdict_html

MAX_RHAT = 1.01
MIN_ESS = 400.0
MAX_DIVERGENT = 0.001
MIN_BFMI = 0.3
MAX_PARETO_K = 0.7
"""Thresholds of the gate: Vehtari et al. 2021 and 2024; Betancourt 2016 for BFMI."""

CHANCE = 2
"""So many divergent draws of thousands may be chance: a warning of the first one came and went with
the seed and the instruction set."""

TAIL_PROB = (0.05, 0.95)
"""The tail ESS is the smaller of those of these two quantiles."""


class Status(StrEnum):
    """What the gate says."""

    OK = "ok"
    WARN = "warn"
    REFUSE = "refuse"


@dataclass(frozen=True, repr=False)
class Diagnosis:
    """The gate's verdict and its reasons, each a sentence with what to do.

    Parameters
    ----------
    refusals
        Why the posterior must not be used.
    warnings
        What to keep in mind when it is.
    notes
        What was found and is no reason for doubt.
    """

    refusals: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

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
        return Diagnosis(
            self.refusals + other.refusals,
            self.warnings + other.warnings,
            self.notes + other.notes,
        )

    def labelled(self, label: str) -> "Diagnosis":
        """The same verdict, each reason with a label before it."""
        return Diagnosis(
            *(
                tuple(f"{label}: {sentence}" for sentence in sentences)
                for sentences in (self.refusals, self.warnings, self.notes)
            )
        )

    def warn(self, *, stacklevel: int) -> None:
        """Warn with all reasons, by `DiagnosticsWarning`, where the status is not ``ok``."""
        if self.reasons:
            sentence = f"diagnostics: {self.status}. {' '.join(self.reasons)}"
            # Beside the level, so that the line of the user's is named however a verb is wrapped.
            warnings.warn(
                sentence,
                DiagnosticsWarning,
                stacklevel=stacklevel,
                skip_file_prefixes=(str(Path(__file__).parent),),
            )

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
        told = {"status": str(self.status), "reasons": list(self.reasons)}
        return told | ({"notes": list(self.notes)} if self.notes else {})

    def __repr__(self) -> str:
        counts = {"refusal": self.refusals, "warning": self.warnings, "note": self.notes}
        told = [f"{len(s)} {n}{'s' * (len(s) > 1)}" for n, s in counts.items() if s]
        return f"Diagnosis({', '.join([str(self.status), *told])})"

    def _repr_html_(self) -> str:
        return verdict_html(self)

    def __str__(self) -> str:
        reasons = [f"- {reason}" for reason in self.reasons]
        return "\n".join([str(self.status), *reasons, *(f"- note: {n}" for n in self.notes)])


class Result(Shown, ABC):
    """What a verb gives: a table, plain data, and the gate's verdict on both.

    Attributes
    ----------
    diagnosis
        The gate's verdict.
    """

    diagnosis: Diagnosis

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why the gate refuses or warns: refusals, then warnings."""
        return self.diagnosis.reasons

    @property
    def trusted(self) -> bool:
        """False where the gate refused and was forced."""
        return not self.diagnosis.refusals

    @abstractmethod
    def summary(self) -> pd.DataFrame:
        """The result as a table."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """As plain data, for JSON, with what `verdict` gives."""

    @property
    def figure(self) -> str:
        """The kind of figure that `plot` draws unless another is asked for; empty where none is."""
        return ""

    def plot(self, kind: str | None = None, **options: Any) -> Any:
        """Draw this, through pyplot: ``plt.show()`` and notebooks show it.

        Parameters
        ----------
        kind
            A name in ``bs.plots.FIGURES``; by default the one that says most of this.
        **options
            Keywords of that figure. A posterior draws every kind: what the kind needs is made from
            it, as in ``post.plot("valley", compute=1e24)``.

        Returns
        -------
        matplotlib.figure.Figure
            Close it with ``plt.close(figure)`` where many are made; `bayescale.plots` has the same
            figures of which pyplot knows nothing.

        Raises
        ------
        UsageError
            If there is no such kind, it does not draw this, or an option is unknown or missing.
        DiagnosticsRefused
            If the gate refuses and ``force=True`` is not among the options.
        """
        chosen = kind or self.figure
        if not chosen:
            raise UsageError(
                f"of a {type(self).__name__} there is no figure; its table is .summary()."
            )
        # By name, because drawings stand on a floor above what they draw.
        plots: Any = import_module("bayescale.plots")
        return plots.draw(self, chosen, pyplot=True, **options)

    def verdict(self) -> dict[str, Any]:
        """The gate's part of the plain data: ``diagnostics`` and ``trusted``."""
        return {"diagnostics": self.diagnosis.to_dict(), "trusted": self.trusted}


def beside(value: float, threshold: float, decimals: int) -> str:
    """A number as text, with as many decimals as show on which side of a threshold it lies.

    Parameters
    ----------
    value, threshold
        The number, and what it is compared with.
    decimals
        Decimals to begin with.

    Examples
    --------
    >>> beside(1.0100004, 1.01, 3), beside(1.0132, 1.01, 3), beside(399.6, 400.0, 0)
    ('1.0100004', '1.013', '399.6')
    """
    side = np.sign(value - threshold)
    for more in range(decimals, 18):
        text = f"{value:.{more}f}"
        if np.sign(float(text) - threshold) == side:
            return text
    return repr(float(value))


def diagnose_chains(
    draws: Mapping[str, np.ndarray], sample_stats: Mapping[str, np.ndarray]
) -> Diagnosis:
    """Judge Markov chains by ArviZ's R-hat, ESS and BFMI, and by their divergences.

    Parameters
    ----------
    draws
        Quantity -> draws, (chain, draw) or (chain, draw, group).
    sample_stats
        ``diverging`` and ``energy``, (chain, draw), where they are known.

    Returns
    -------
    Diagnosis
        Refuses on R-hat above 1.01, bulk or tail ESS below 400, more than 0.1% divergences, or
        BFMI below 0.3; warns of more divergences than may be chance.
    """
    if len(next(iter(draws.values()))) < 2:
        return Diagnosis(("one chain cannot show that it converged; draw at least two.",))
    # A NaN is above no threshold.
    if broken := [name for name, values in draws.items() if not np.all(np.isfinite(values))]:
        return Diagnosis(
            (f"draws of {_list(broken)} are not finite; set a tighter prior on what they follow.",)
        )
    columns = [values.reshape(*values.shape[:2], -1) for values in draws.values()]
    rhat, ess = convergence(np.concatenate(columns, axis=2))
    owner = np.repeat([*draws], [values.shape[2] for values in columns])
    refusals, warned = [], []
    if np.any(bad := ~(rhat <= MAX_RHAT)):
        refusals.append(
            f"the chains disagree on {_list(dict.fromkeys(owner[bad]))} (R-hat up to "
            f"{beside(rhat.max(), MAX_RHAT, 3)}, at most {MAX_RHAT} is allowed); check the table "
            "for few or collinear runs, or set a prior."
        )
    if np.any(bad := ~(ess >= MIN_ESS)):
        refusals.append(
            f"too few effective draws of {_list(dict.fromkeys(owner[bad]))} (smallest ESS "
            f"{beside(ess.min(), MIN_ESS, 0)}, at least {MIN_ESS:.0f} is needed); raise draws=."
        )
    diverging = sample_stats.get("diverging")
    count, total = (0, 0) if diverging is None else (int(diverging.sum()), diverging.size)
    if count > min(CHANCE, MAX_DIVERGENT * total):
        sentence = (
            f"{count} of {total} draws diverged; the posterior may hide a corner that the "
            "sampler cannot enter, so compare with a simpler law or a tighter prior."
        )
        (refusals if count > MAX_DIVERGENT * total else warned).append(sentence)
    if "energy" in sample_stats and not (least := bfmi(sample_stats["energy"]).min()) >= MIN_BFMI:
        refusals.append(
            f"the tails are not explored (BFMI down to {beside(least, MIN_BFMI, 2)}, at least "
            f"{MIN_BFMI} is needed); set a tighter prior on the noise."
        )
    return Diagnosis(tuple(refusals), tuple(warned))


def diagnose_importance(facts: Mapping[str, Any]) -> Diagnosis:
    """Judge importance-resampled draws by Pareto k-hat and effective sample size."""
    pareto_k, ess = float(facts["pareto_k"]), float(facts["importance_ess"])
    refusals = []
    if not pareto_k <= MAX_PARETO_K:
        refusals.append(
            "the Laplace approximation does not cover the posterior (Pareto k "
            f"{beside(pareto_k, MAX_PARETO_K, 2)}, at most {MAX_PARETO_K} is allowed); use "
            "engine='numpyro'."
        )
    if not ess >= MIN_ESS:
        refusals.append(
            f"the importance weights leave {beside(ess, MIN_ESS, 0)} effective draws (at least "
            f"{MIN_ESS:.0f} are needed); use engine='numpyro'."
        )
    return Diagnosis(tuple(refusals))


def diagnose_starts(facts: Mapping[str, Any]) -> Diagnosis:
    """Judge the search for the posterior mode, of an engine that made one."""
    if "mode_starts" not in facts:
        return Diagnosis()
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


def convergence(
    draws: Float[np.ndarray, "chain draw quantity"],
) -> tuple[Float[np.ndarray, " quantity"], Float[np.ndarray, " quantity"]]:
    """R-hat of each quantity, and the smaller of its bulk and tail ESS."""
    from arviz_stats.base import array_stats

    stats: Any = array_stats  # what its functions return depends on the shape
    moved = np.moveaxis(draws, -1, 0)
    bulk, tail = stats.ess(moved), stats.ess(moved, method="tail", prob=TAIL_PROB)
    return np.atleast_1d(stats.rhat(moved)), np.atleast_1d(np.minimum(bulk, tail))


def worst_convergence(draws: np.ndarray) -> tuple[float, float]:
    """Largest R-hat and smallest bulk or tail ESS over draws (chain, draw, quantity)."""
    rhat, ess = convergence(draws)
    return float(np.max(rhat)), float(np.min(ess))


def bfmi(energy: Float[np.ndarray, "chain draw"]) -> Float[np.ndarray, " chain"]:
    """Estimated Bayesian fraction of missing information of each chain (Betancourt 2016)."""
    from arviz_stats.base import array_stats

    stats: Any = array_stats
    return np.asarray(stats.bfmi(energy))


def smooth_weights(log_ratio: np.ndarray) -> tuple[np.ndarray, float]:
    """Pareto smoothed importance weights (sum 1) and Pareto k-hat of log ratios (draw,)."""
    from arviz_stats.base import array_stats

    log_weights, pareto_k = array_stats.psislw(-log_ratio)  # it takes negated log ratios
    weights = np.exp(log_weights - np.max(log_weights))
    return weights / weights.sum(), float(pareto_k)


def _list(names: Iterable[str]) -> str:
    return ", ".join(map(str, names))
