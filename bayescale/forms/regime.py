"""`regime`: what limits each run, as posterior probabilities.

The kernel k of a law (for most laws ``L - E``) falls with a resource R as ``R^-alpha_R`` where R is
the bottleneck, and by the scaling equation the shares

    share_R = -(d ln k/d ln R)/alpha_R

add up to 1 over resources. The excess of R is what infinitely much of it would take away,
``k(R) - k(R -> inf)``. Bahri et al. 2021 (arXiv:2102.06701) tell regimes by how fast it falls: with
``alpha_R`` where R is resolution-limited, and with a variance-limited exponent, 1 for most models,
where another resource is the bottleneck. In each draw a run is, in R,

    at the floor        where the excess of the loss is below a share `negligible` of the loss,
    variance-limited    otherwise, where the share of R is below 1/2 and the local exponent of the
                        excess is nearer to the variance-limited one than to alpha_R,
    resolution-limited  otherwise.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from bayescale.errors import UsageError
from bayescale.models.thinning import at_most
from bayescale.posteriors.abstract import AbstractPosterior
from bayescale.posteriors.posterior import Posterior
from bayescale.posteriors.prediction import QUANTILES, points_of
from bayescale.runs.table import Runs
from theory.declaration.abstract_law import AbstractLaw
from theory.declaration.logdomain import value

KINDS = ("resolution", "variance", "floor")
"""Regimes by their code in `Regimes.kinds`."""

INFINITE = 1e4
"""E-folds at which a resource counts as infinite."""

STEP = 1e-4
"""Of the central difference in the log of a resource; its error is about the square."""

HALF = 0.5 - 1e-6
"""Share below which another resource is the bottleneck; a tie, but for rounding, is not below."""

ALIKE, FIXED = 0.1, 1e-3
"""Distance of exponents that count as alike, and of those that a law holds equal by its form."""


@final
@dataclass(frozen=True, eq=False)
class Regimes:
    """What limits each run, draw by draw.

    Parameters
    ----------
    runs
        Resources of each run.
    kinds
        Resource -> regime of each run in each draw, as a position in `KINDS`.
    exponents
        Resource -> local exponent of the excess; NaN where the run is at the floor of it.
    shares
        Resource -> local exponent of the kernel over alpha: above 1/2 where it is the bottleneck.
    floor
        Irreducible share of the loss.
    resolution
        Resource -> resolution-limited exponent alpha; the same for all runs unless it depends on a
        covariate.
    variance
        Resource -> variance-limited exponent that was asked for.
    negligible
        Share of the loss below which an excess is at the floor.
    notes
        Sentences: what this posterior cannot tell.
    trusted
        False where the gate refused and was forced.
    """

    runs: pd.DataFrame
    kinds: Mapping[str, Int[np.ndarray, "draw run"]]
    exponents: Mapping[str, Float[np.ndarray, "draw run"]]
    shares: Mapping[str, Float[np.ndarray, "draw run"]]
    floor: Float[np.ndarray, "draw run"]
    resolution: Mapping[str, Float[np.ndarray, "draw run"]]
    variance: Mapping[str, float]
    negligible: float
    notes: tuple[str, ...]
    trusted: bool

    def probability(self, resource: str, kind: str) -> Float[np.ndarray, " run"]:
        """Posterior probability that each run is in a regime of a resource."""
        return np.mean(self.kinds[resource] == KINDS.index(kind), axis=0)

    def table(self) -> pd.DataFrame:
        """One row a run and resource.

        Returns
        -------
        pandas.DataFrame
            Index: run, resource. Columns: size; the probabilities of the regimes, ``resolution``,
            ``variance`` and ``floor``; ``regime``, the most probable; ``share`` (median); the 5, 50
            and 95% quantiles of the excess's local exponent over draws not at the floor (NaN if all
            are);
            ``irreducible``, the median share of the loss that no resource removes.
        """
        blocks = {}
        for name in self.kinds:
            odds = {kind: self.probability(name, kind) for kind in KINDS}
            best = np.argmax(np.stack(list(odds.values())), axis=0)
            blocks[name] = pd.DataFrame(
                {
                    "size": self.runs[name].to_numpy(),
                    **odds,
                    "regime": np.array(KINDS)[best],
                    "share": np.median(self.shares[name], axis=0),
                    **_quantiles(self.exponents[name]),
                    "irreducible": np.median(self.floor, axis=0),
                },
                index=self.runs.index,
            )
        table = pd.concat(blocks, names=["resource", "run"]).swaplevel()
        return table.sort_index(level="run", sort_remaining=False, kind="stable")

    def summary(self) -> pd.DataFrame:
        """One row a resource.

        Returns
        -------
        pandas.DataFrame
            Index: resource. Columns: the share of runs in each regime (posterior mean) with the 5
            and 95% quantiles of that share as ``..._q05`` and ``..._q95``; the median local
            exponent over runs and draws not at the floor (NaN if all are); and the quantiles of the
            resolution-limited exponent ``alpha``.
        """
        rows = {}
        for name, kinds in self.kinds.items():
            row: dict[str, float] = {}
            for code, kind in enumerate(KINDS):
                share = np.mean(kinds == code, axis=1)
                row[kind] = float(share.mean())
                low, high = np.quantile(share, (0.05, 0.95))
                row |= {f"{kind}_q05": float(low), f"{kind}_q95": float(high)}
            seen = self.exponents[name][np.isfinite(self.exponents[name])]
            row["exponent"] = float(np.median(seen)) if seen.size else float("nan")
            alpha = {
                f"alpha_{key}": float(np.quantile(self.resolution[name], level))
                for key, level in QUANTILES.items()
            }
            rows[name] = row | alpha
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("resource")

    def advice(self) -> tuple[str, ...]:
        """The result in words: a sentence a resource, one on the floor, and what is not told."""
        out, count = [], len(self.runs)
        table = self.table().reset_index()
        for name in self.kinds:
            most = table.loc[table["resource"] == name, "regime"].value_counts()
            alpha = np.quantile(self.resolution[name], list(QUANTILES.values()))
            out.append(
                f"{name}: of {count} runs {most.get('resolution', 0)} are most probably "
                f"resolution-limited (exponent {alpha[1]:.3g}, 90% interval {alpha[0]:.3g} to "
                f"{alpha[2]:.3g}), {most.get('variance', 0)} variance-limited (exponent "
                f"{self.variance[name]:g}) and {most.get('floor', 0)} at the floor, where more of "
                f"it takes away less than {self.negligible:.2g} of the loss."
            )
        low, middle, high = np.quantile(np.median(self.floor, axis=0), (0.0, 0.5, 1.0))
        out.append(
            f"the irreducible part is {middle:.0%} of the loss at the median run ({low:.0%} to "
            f"{high:.0%} over runs)."
        )
        return (*out, *self.notes)

    def to_dict(self) -> dict[str, Any]:
        """As plain data, for JSON; NaN is given as None."""
        return {
            "summary": _plain(self.summary().reset_index()),
            "runs": _plain(self.table().reset_index()),
            "variance": dict(self.variance),
            "negligible": self.negligible,
            "advice": list(self.advice()),
            "trusted": self.trusted,
        }


def regime(
    posterior: AbstractPosterior,
    runs: Runs | pd.DataFrame | None = None,
    *,
    variance: float | Mapping[str, float] = 1.0,
    negligible: float = 0.01,
    draws: int = 1000,
    force: bool = False,
) -> Regimes:
    """Say in which regime each run is, for each size of the law.

    Parameters
    ----------
    posterior
        A posterior or a stack of posteriors; of a stack each law enters with its weight.
    runs
        Where to ask; by default the runs that were fitted.
    variance
        The variance-limited exponent, one or by resource: 1 for the number of examples and for
        width; ``{"N": 0.5, "D": 1.0}`` where N counts the parameters of a deep network of fixed
        depth, ``N ~ width^2``. Resources that are not named have 1.
    negligible
        Share of the loss, above 0 and below 1: a run whose excess is smaller is at the floor.
    draws
        Most draws of each law that are used, evenly thinned.
    force
        Go on even where the gate refuses; the result is then marked.

    Returns
    -------
    Regimes

    Raises
    ------
    UsageError
        If there are no runs, a resource is missing, an argument is out of range, a law declares no
        resolution-limited exponents, or the laws of a stack have different sizes.
    DiagnosticsRefused
        If the gate refuses and `force` is not given.

    Examples
    --------
    >>> from bayescale.posteriors.posterior import Posterior
    >>> law = {"N_c": [1e9], "D_c": [1e10], "alpha_N": [0.3], "alpha_D": [0.3]}
    >>> post = Posterior.from_draws("kaplan", law)
    >>> found = regime(post, pd.DataFrame({"N": [1e7, 1e7], "D": [1e8, 1e9]}))
    >>> found.table()["regime"].tolist()
    ['resolution', 'resolution', 'resolution', 'variance']
    """
    if not 0 < negligible < 1:
        raise UsageError(
            f"negligible is a share of the loss, above 0 and below 1; got {negligible}."
        )
    if draws < 1:
        raise UsageError(f"draws must be a whole number of at least 1; got {draws}.")
    posts = posterior.members
    posterior.diagnosis.require(force=force)
    sizes = _sizes({name: post.law for name, post in posts.items()})
    wanted = _exponents(variance, sizes)
    points = _points(posts, posterior.runs if runs is None else runs)
    parts = {
        name: _Part.of(post, points, sizes, wanted, negligible, draws)
        for name, post in posts.items()
    }

    def joined(what: str, size: str) -> np.ndarray:
        return posterior.mix({name: getattr(part, what)[size] for name, part in parts.items()})

    kinds, exponents, shares, resolution = (
        {size: joined(what, size) for size in sizes}
        for what in ("kinds", "exponents", "shares", "resolution")
    )
    return Regimes(
        runs=points,
        kinds=kinds,
        exponents=exponents,
        shares=shares,
        floor=posterior.mix({name: part.floor for name, part in parts.items()}),
        resolution=resolution,
        variance=wanted,
        negligible=negligible,
        notes=tuple(note for part in parts.values() for note in part.notes(wanted)),
        trusted=not posterior.diagnosis.refusals,
    )


@dataclass(frozen=True, eq=False)
class _Part:
    """What one law says; arrays as of `Regimes`."""

    law: AbstractLaw
    kinds: Mapping[str, np.ndarray]
    exponents: Mapping[str, np.ndarray]
    shares: Mapping[str, np.ndarray]
    floor: np.ndarray
    resolution: Mapping[str, np.ndarray]

    @classmethod
    def of(
        cls,
        post: Posterior,
        points: pd.DataFrame,
        sizes: tuple[str, ...],
        variance: Mapping[str, float],
        negligible: float,
        draws: int,
    ) -> "_Part":
        law, given = post.law, post.log_parameters
        total = len(next(iter(given.values())))
        kept = at_most(total, draws)
        columns = {name: array[kept, None] for name, array in given.items()}
        logs = {r.name: np.log(points[r.name].to_numpy(float))[None, :] for r in law.resources}
        shape = (len(kept), len(points))

        def log_kernel(**moved: Any) -> np.ndarray:
            return np.broadcast_to(law.log_kernel(columns, logs | moved, np), shape)

        here, log_loss = log_kernel(), np.broadcast_to(law.log_loss(columns, logs, np), shape)
        kinds, exponents, shares, resolution = {}, {}, {}, {}
        for resource in law.sizes:
            name, log_size = resource.name, logs[resource.name]
            far = {name: np.full_like(log_size, INFINITE)}
            removed = -np.expm1(log_kernel(**far) - here)
            least = np.broadcast_to(law.log_loss(columns, logs | far, np), shape)
            excess = -np.expm1(least - log_loss)
            rise = log_kernel(**{name: log_size + STEP}) - log_kernel(**{name: log_size - STEP})
            assert law.weights is not None
            alpha = np.broadcast_to(value(law.weights[resource], columns | logs, np), shape)
            _require_finite(law, name, removed, excess, rise)
            falls, open_ = -rise / (2 * STEP), excess > negligible
            local = np.where(open_, falls / np.where(open_, removed, 1), np.nan)
            shares[name] = falls / alpha
            nearer = np.abs(local - variance[name]) < np.abs(local - alpha)
            limited = np.where(nearer & (shares[name] < HALF), 1, 0)  # as in KINDS
            kinds[name] = np.where(open_, limited, KINDS.index("floor"))
            exponents[name], resolution[name] = local, np.array(alpha)
        floor = np.zeros(shape)
        if law.floor is not None:
            irreducible = law.values(columns)[law.floor.name]
            floor = np.broadcast_to(irreducible, shape) / np.exp(log_loss)
        return cls(law, kinds, exponents, shares, floor, resolution)

    def notes(self, variance: Mapping[str, float]) -> list[str]:
        """What this law cannot tell."""
        out = []
        for name, local in self.exponents.items():
            alpha = self.resolution[name]
            if abs(float(np.median(alpha)) - variance[name]) < ALIKE:
                out.append(
                    f"law '{self.law.name}': the resolution-limited exponent of {name} is "
                    f"{np.median(alpha):.3g}, too near to the variance-limited {variance[name]:g} "
                    "to tell the two regimes apart by exponent."
                )
                continue
            gap = np.abs(local - alpha)
            if np.isfinite(gap).any() and np.nanmax(gap) < FIXED:
                out.append(
                    f"law '{self.law.name}' gives the excess in {name} one exponent everywhere, so "
                    "it cannot show a variance-limited regime; fit a law with a crossover, such as "
                    "'kaplan', 'random_features' or 'share_free', to ask."
                )
        return out


def _sizes(laws: Mapping[str, AbstractLaw]) -> tuple[str, ...]:
    for law in laws.values():
        if law.weights is None:
            raise UsageError(
                f"law '{law.name}' declares no resolution-limited exponents, so its regimes are "
                "not defined; fit one that does, such as 'chinchilla', 'kaplan' or 'share_free'."
            )
    found = {name: tuple(r.name for r in law.sizes) for name, law in laws.items()}
    if len({frozenset(names) for names in found.values()}) > 1:
        told = "; ".join(f"{name}: {', '.join(names)}" for name, names in found.items())
        raise UsageError(f"the laws of the stack must have the same sizes; got {told}.")
    return next(iter(found.values()))


def _exponents(variance: float | Mapping[str, float], sizes: tuple[str, ...]) -> dict[str, float]:
    given = variance if isinstance(variance, Mapping) else dict.fromkeys(sizes, variance)
    if unknown := set(given) - set(sizes):
        raise UsageError(
            f"variance names {', '.join(sorted(unknown))}; the sizes are {', '.join(sizes)}."
        )
    out = {name: float(given.get(name, 1.0)) for name in sizes}
    for name, exponent in out.items():
        if not 0 < exponent < np.inf:
            raise UsageError(
                f"the variance-limited exponent of {name} must be finite and positive; got "
                f"{exponent}."
            )
    return out


def _points(posts: Mapping[str, Posterior], runs: Runs | pd.DataFrame | None) -> pd.DataFrame:
    """Resources of every run that some law needs."""
    if runs is None:
        raise UsageError("these draws came without runs; pass runs= with the resources to ask at.")
    frame = runs.table if isinstance(runs, Runs) else runs
    if not len(frame):
        raise UsageError("there are no runs to ask at; pass at least one.")
    columns: dict[str, np.ndarray] = {}
    for post in posts.values():
        names = [r.name for r in post.law.resources]
        if missing := [name for name in names if name not in frame]:
            raise UsageError(
                f"law '{post.law.name}' needs {', '.join(names)}; the runs lack "
                f"{', '.join(missing)}."
            )
        found = points_of(post.law, {name: frame[name].to_numpy() for name in names})
        columns |= {name: found[name].to_numpy() for name in names}
    return pd.DataFrame(columns, index=pd.Index(frame.index, name="run"))


def _require_finite(law: AbstractLaw, name: str, *arrays: np.ndarray) -> None:
    bad = sum(int((~np.isfinite(array)).any(axis=0).sum()) for array in arrays)
    if bad:
        raise UsageError(
            f"law '{law.name}' has no finite limit for infinite {name} at some of these runs, so "
            "its excess is not defined; choose another law."
        )


def _quantiles(draws: Float[np.ndarray, "draw run"]) -> dict[str, np.ndarray]:
    """Over the finite draws of each run; NaN where there are none."""
    out = {key: np.full(draws.shape[1], np.nan) for key in QUANTILES}
    some = np.isfinite(draws).any(axis=0)
    if some.any():
        found = np.nanquantile(draws[:, some], list(QUANTILES.values()), axis=0)
        for key, row in zip(out, found, strict=True):
            out[key][some] = row
    return {f"exponent_{key}": row for key, row in out.items()}


def _plain(table: pd.DataFrame) -> list[dict[str, Any]]:
    rows = table.astype(object).where(table.notna(), None).to_dict(orient="records")
    return [{str(key): cell for key, cell in row.items()} for row in rows]
