"""`collapse`: what a table says of the scaling function itself, before a form is chosen.

Two views that need no form. Local slopes of log loss give the elasticities at every run, and the
scaling equation says that ``e_N/alpha_N + e_D/alpha_D = 1`` there. And the semi-parametric law
gives the posterior of ``w(v) = ln W``, on which all runs collapse: each named form is one curve,
inside its band or not.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from bayescale.diagnosis import Diagnosis, Result
from bayescale.errors import RunsError
from bayescale.fitting.fit import fit
from bayescale.models.thinning import at_most
from bayescale.posteriors.posterior import Posterior
from bayescale.posteriors.verdict import QUESTIONS
from bayescale.progress import Progress, shown
from bayescale.runs.table import Runs, read_runs
from theory import laws
from theory.declaration import crossover
from theory.declaration.abstract_law import AbstractLaw
from theory.declaration.links import Identity
from theory.declaration.symbols import D, N, Role

LAW = "crossover"
"""The semi-parametric law."""

NEIGHBOURS, LEAST = 0.2, 15
"""Fraction of the runs, and least number, from which a local slope is taken."""

WORST_CONDITION = 30.0
"""Neighbours that lie nearly on a line give no two slopes."""

REPLICATES, PRIOR_DRAWS, GRID = 400, 8000, 81
"""Posterior and prior draws used, and points at which the scaling function is drawn."""

BAND = (0.05, 0.5, 0.95)
ERRORS, PARTS = 2.0, 8
"""A form is excluded where its gap grew by more than so many Monte Carlo standard errors, estimated
from so many parts of the draws: of 400 draws alone the verdict came and went with the seed."""

MATTERS = 0.01
"""Least distance in log loss, about a percent, by which a form must miss a band."""

SMALL_P = 0.05


@dataclass(frozen=True, eq=False, repr=False)
class Collapse(Result):
    """A table collapsed on its scaling function.

    Parameters
    ----------
    posterior
        Of the semi-parametric law.
    elasticities
        One row a run: N, D; local ``e_N`` and ``e_D`` of the reducible loss with standard errors
        ``se_N``, ``se_D``; their scaled ``sum`` and its ``sum_sd``, local noise and posterior of
        the exponents together; NaN where the neighbours give no two slopes. What a plane misses
        of a curved loss is estimated from simulated tables and taken out of the sum.
    points
        One row a run: ``v = ln(l_D/l_N)`` and ``excess = ln((L - E)/max(l_N, l_D))`` at the
        posterior medians, NaN where L < E.
    band
        Over the range of v: quantiles of ``excess = w(v) - max(0, v)``.
    forms
        One row a named form: the largest ``gap`` in log loss between it and the 90% band of all
        posterior curves at once, that of the prior, and from these whether the table excludes it
        (the gap grew) and whether it is inside.
    scaling_p
        Posterior predictive p-value of the scaling equation: small where the sums have a trend in
        log N and log D (a quadratic, root mean square) beyond that of tables simulated from the
        posterior with the scatter of the runs around local planes.
    """

    posterior: Posterior
    elasticities: pd.DataFrame
    points: pd.DataFrame
    band: pd.DataFrame
    forms: pd.DataFrame
    scaling_p: float

    @property
    def figure(self) -> str:
        """The kind of figure that `plot` draws by default."""
        return "collapse"

    @property
    def tells_apart(self) -> bool:
        """Whether the table excludes at least one named form."""
        return bool(self.forms["excluded"].any())

    @property
    def diagnosis(self) -> Diagnosis:
        """The posterior's verdict, and a warning where there is no one scaling equation."""
        found = self.posterior.diagnosis
        if self.scaling_p >= SMALL_P:
            return found
        return found + Diagnosis(
            warnings=(
                "the table does not obey one scaling equation (posterior predictive p "
                f"{_p(self.scaling_p)}), so no law that does describes all of its runs; look for "
                "runs of another kind among them.",
            )
        )

    def advice(self) -> tuple[str, ...]:
        """What the table says, in sentences."""
        excluded, inside = self._names("excluded"), self._names("inside")
        unreached = [name for name in self.forms.index if name not in (*excluded, *inside)]
        total = self.elasticities["sum"]
        scaling = (
            f"local slopes give e_N/alpha_N + e_D/alpha_D = {total.median():.2f} at the median of "
            f"{total.notna().sum()} runs (posterior predictive p {_p(self.scaling_p)})"
        )
        agrees = self.scaling_p >= SMALL_P
        scaling += "." if agrees else ": the table does not obey one scaling equation."
        out_of_reach = f" The prior of the form hardly reaches {', '.join(unreached)}."
        beyond = out_of_reach if unreached else ""
        rest = ", ".join(inside) or "no named form"
        if not excluded:
            return (
                scaling,
                f"the table cannot tell the forms {rest} apart: its runs leave the scaling "
                "function free between them; compare their plans, or add runs where one resource "
                f"is much the scarcer.{beyond}",
                QUESTIONS["collapse"],
            )
        verb = "stay" if len(inside) > 1 else "stays"
        sentence = f"the table excludes {', '.join(excluded)}; {rest} {verb} inside.{beyond}"
        return (scaling, sentence, QUESTIONS["collapse"])

    def _names(self, column: str) -> list[str]:
        return [str(name) for name, holds in self.forms[column].to_dict().items() if holds]

    def summary(self) -> pd.DataFrame:
        """The named forms: by how much each misses posterior and prior, excluded, inside."""
        return self.forms

    def to_dict(self) -> dict[str, Any]:
        """As plain data, for JSON."""
        return {
            "forms": self.forms.reset_index().to_dict(orient="records"),
            "tells_apart": self.tells_apart,
            "scaling_p": self.scaling_p,
            "advice": list(self.advice()),
            "band": self.band.to_dict(orient="records"),
            "seed": self.posterior.seed,
            **self.verdict(),
        }

    def __repr__(self) -> str:
        excluded = ", ".join(self._names("excluded")) or "no form"
        told = (
            f"{len(self.points)} runs exclude {excluded}; scaling equation p {_p(self.scaling_p)}"
        )
        return f"Collapse({told}; diagnostics {self.diagnosis.status})"

    def __str__(self) -> str:
        return "\n".join([f"Collapse of {len(self.points)} runs", *self.advice()])


def _p(value: float) -> str:
    """A p-value from a few hundred simulated tables."""
    return f"= {value:.2f}" if value >= 0.01 else "< 0.01"


def collapse(
    runs: Runs | pd.DataFrame | Any, *, seed: int = 0, progress: Progress | None = None
) -> Collapse:
    """Collapse a table of runs on the posterior of its scaling function.

    Parameters
    ----------
    runs
        A table with N, D and loss, or what `read_runs` reads.
    seed
        Seed of the fit and of the simulated tables.
    progress
        Called with a few words at each stage; by default what takes over 3 s shows itself on a
        terminal's standard error or in a notebook (`bayescale.progress`).

    Returns
    -------
    Collapse

    Raises
    ------
    RunsError
        If N or D is missing, or there are too few runs.
    DiagnosticsRefused
        If the semi-parametric posterior fails its diagnostics.
    """
    table = runs if isinstance(runs, Runs) else read_runs(runs)
    if len(table) < LEAST:
        raise RunsError(
            f"{table.name}: {len(table)} runs are too few for local slopes; at least {LEAST} are "
            "needed."
        )
    with shown(progress) as tell:
        posterior = fit(table, law=LAW, seed=seed, progress=tell)
        posterior.diagnosis.require()
        tell("local slopes of the loss")
        planes = local_planes(np.log(table.column("N")), np.log(table.column("D")))
        elasticities, p_value = _elasticities(posterior, table, planes, seed)
        points = _points(posterior, table)
        band = _band(posterior, points["v"].to_numpy())
        tell("the named forms")
        forms = _forms(posterior, band["v"].to_numpy())
    return Collapse(posterior, elasticities, points, band, forms, p_value)


def local_planes(
    log_n: Float[np.ndarray, " run"], log_d: Float[np.ndarray, " run"]
) -> Float[np.ndarray, "3 run run"]:
    """Linear maps from log losses to their local level and slopes in log N and log D at each run.

    A weighted least-squares plane through the nearest fifth of the runs (at least 15), with
    tricube weights; NaN where those lie nearly on a line.
    """
    place = np.column_stack([log_n, log_d])
    scaled = (place - place.mean(axis=0)) / place.std(axis=0)
    count = len(place)
    near = min(count, max(LEAST, int(NEIGHBOURS * count)))
    maps = np.full((3, count, count), np.nan)
    for j in range(count):
        distance = np.linalg.norm(scaled - scaled[j], axis=1)
        reach = np.sort(distance)[near - 1] * 1.0001 + 1e-12
        weight = np.clip(1 - (distance / reach) ** 3, 0, None) ** 3
        design = np.column_stack([np.ones(count), place - place[j]])
        root = np.sqrt(weight)[:, None]
        spread = np.column_stack([np.ones(count), scaled - scaled[j]]) * root
        if np.linalg.cond(spread / reach ** np.array([0, 1, 1])) > WORST_CONDITION:
            continue
        maps[:, j, :] = np.linalg.pinv(design * root) * root.T
    return maps


def _thinned(posterior: Posterior) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Evenly spaced draws, and the law's parameters at them as columns."""
    count = next(iter(posterior.log_parameters.values())).size
    chosen = at_most(count, REPLICATES)
    return chosen, {n: v[chosen, None] for n, v in posterior.log_parameters.items()}


def _elasticities(
    posterior: Posterior, runs: Runs, planes: np.ndarray, seed: int
) -> tuple[pd.DataFrame, float]:
    """Local elasticities of the reducible loss, their scaled sum, and its predictive p-value."""
    chosen, parameters = _thinned(posterior)
    sizes: dict[str, Any] = {"N": runs.column("N"), "D": runs.column("D")}
    log_loss = np.log(runs.loss)
    mean = np.log(posterior.predict(**sizes).draws[chosen])
    natural = {name: np.exp(column) for name, column in parameters.items()}
    # e_i of L - E is that of L times L/(L - E), at the law's own loss.
    lift = np.exp(mean) / (np.exp(mean) - natural["E"])
    known = np.isfinite(planes[0]).all(axis=1)
    level, *slopes = np.where(np.isfinite(planes), planes, 0.0)
    # Scatter around local planes: what the noise is without any law, outliers included.
    residual = (log_loss - level @ log_loss)[known] / (1 - np.diag(level)[known])
    rng = np.random.default_rng(seed)
    again = mean + rng.choice(residual - np.median(residual), size=mean.shape)

    def sums(log_losses: np.ndarray) -> np.ndarray:
        e_n, e_d = (-np.atleast_2d(log_losses) @ slope.T for slope in slopes)
        return lift * (e_n / natural["alpha"] + e_d / natural["beta"])

    observed, replicated = sums(log_loss), sums(again)
    # What local planes miss of a curved loss, they miss in simulated tables as well.
    bias = np.mean(replicated, axis=0)
    trend = _trend(np.log(sizes["N"]), np.log(sizes["D"]), known)
    misses = [np.linalg.norm((s - bias)[:, known] @ trend, axis=1) for s in (observed, replicated)]
    noise = 1.4826 * np.median(np.abs(residual - np.median(residual)))
    middle = np.median(lift, axis=0)
    columns = dict(sizes)
    for name, slope in zip(("N", "D"), slopes, strict=True):
        columns[f"e_{name}"] = -middle * (slope @ log_loss)
        columns[f"se_{name}"] = middle * noise * np.linalg.norm(slope, axis=1)
    columns["sum"] = np.median(observed, axis=0) - (bias - 1.0)
    columns["sum_sd"] = np.std(observed - replicated, axis=0)
    table = pd.DataFrame(columns)
    table.loc[~known, [name for name in columns if name not in sizes]] = np.nan
    return table, float(np.mean(misses[1] >= misses[0]))


def _trend(log_n: np.ndarray, log_d: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Orthonormal quadratics in log N and log D over the runs with known slopes, (run, 6)."""
    n, d = ((x - x.mean()) / x.std() for x in (log_n[known], log_d[known]))
    return np.linalg.qr(np.column_stack([np.ones_like(n), n, d, n * n, n * d, d * d]))[0]


def _points(posterior: Posterior, runs: Runs) -> pd.DataFrame:
    """Each run's place in the crossover and its loss over the larger limit, at the medians."""
    middle = {name: float(np.median(v)) for name, v in posterior.log_parameters.items()}
    limits = [
        middle[amplitude] - np.exp(middle[rate]) * np.log(runs.column(size))
        for amplitude, rate, size in (("A", "alpha", "N"), ("B", "beta", "D"))
    ]
    reducible = runs.loss - np.exp(middle["E"])
    with np.errstate(invalid="ignore", divide="ignore"):
        log_reducible = np.where(reducible > 0, np.log(np.abs(reducible)), np.nan)
    return pd.DataFrame(
        {
            "v": limits[1] - limits[0],
            "excess": log_reducible - np.maximum(*limits),
            "C": runs.column("C"),
        }
    )


def _band(posterior: Posterior, v: np.ndarray) -> pd.DataFrame:
    grid = np.linspace(v.min(), v.max(), GRID)
    _, parameters = _thinned(posterior)
    curves = crossover.log_generator(posterior.law, parameters, grid[None, :])
    excess = curves - np.maximum(grid, 0.0)
    low, middle, high = np.quantile(excess, BAND, axis=0)
    return pd.DataFrame({"v": grid, "q05": low, "q50": middle, "q95": high})


def named_forms() -> dict[str, AbstractLaw]:
    """Laws above a floor in N and D whose scaling function follows from the exponents alone."""
    return {
        name: law
        for name, law in laws.catalogue().items()
        if law.resources == (N, D)
        and law.weights is not None
        and {"A0", "A1", "A2"} <= set(law.claims)
        and law.scale == Identity(law.floor)
        and {p.role for p in law.parameters} == {Role.FLOOR, Role.AMPLITUDE, Role.EXPONENT}
        and len({str(w) for w in law.weights.values()} & {p.name for p in law.parameters}) == 2
    }


def form_curve(law: AbstractLaw, alpha: Any, beta: Any, v: np.ndarray) -> np.ndarray:
    """``w(v) - max(0, v)`` of a named form at exponents of shape () or (draw, 1)."""
    assert law.weights is not None
    parameters: dict[str, Any] = {p.name: 0.0 for p in law.parameters}
    parameters |= {str(law.weights[r]): np.log(e) for r, e in ((N, alpha), (D, beta))}
    return np.asarray(crossover.log_generator(law, parameters, v)) - np.maximum(v, 0.0)


def _forms(posterior: Posterior, v: np.ndarray) -> pd.DataFrame:
    """How far each named form lies outside the 90% band of its difference to the posterior."""
    rows = {}
    for name, law in named_forms().items():
        (gap, error), (prior_gap, prior_error) = (
            _gap_and_error(posterior.law, law, drawn, v)
            for drawn in (posterior.columns, _prior_draws(posterior))
        )
        excluded = gap > prior_gap + MATTERS + ERRORS * np.hypot(error, prior_error)
        rows[name] = {
            "form": law.title,
            "gap": gap,
            "prior_gap": prior_gap,
            "excluded": excluded,
            "inside": gap <= MATTERS,
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("law")


def _gap_and_error(
    law: AbstractLaw, form: AbstractLaw, parameters: dict[str, np.ndarray], v: np.ndarray
) -> tuple[float, float]:
    """The gap, and its Monte Carlo standard error from that of interleaved parts of the draws."""
    parts = [{n: a[i::PARTS] for n, a in parameters.items()} for i in range(PARTS)]
    spread = np.std([_gap(law, form, part, v) for part in parts], ddof=1)
    return _gap(law, form, parameters, v), float(spread / np.sqrt(PARTS))


def _gap(
    law: AbstractLaw, form: AbstractLaw, parameters: dict[str, np.ndarray], v: np.ndarray
) -> float:
    """Largest distance, in log loss, of a form from the 90% band of all curves at once.

    Each draw is compared with the form at its own exponents. The band is simultaneous: nine of ten
    curves stay within it everywhere.
    """
    curves = crossover.log_generator(law, parameters, v[None, :]) - np.maximum(v, 0.0)
    alpha, beta = (np.exp(parameters[name]) for name in ("alpha", "beta"))
    difference = form_curve(form, alpha, beta, v) - curves
    middle, sd = difference.mean(axis=0), difference.std(axis=0) + 1e-9
    reach = np.quantile(np.max(np.abs(difference - middle) / sd, axis=1), BAND[-1] - BAND[0])
    return max(float(np.max(np.abs(middle) - reach * sd)), 0.0)


def _prior_draws(posterior: Posterior) -> dict[str, np.ndarray]:
    """Parameters drawn from the prior, as columns: what the form may be before any run."""
    assert posterior.model is not None
    rng = np.random.default_rng(posterior.seed)
    table = posterior.model.priors.table
    drawn = {name: prior.sample(rng, (PRIOR_DRAWS, 1)) for name, prior in table.items()}
    return posterior.model.parameters(drawn, np)
