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

import numpy as np
import pandas as pd

from bayescale.errors import UsageError
from bayescale.forms.excess import Excess
from bayescale.forms.regimes import Regimes
from bayescale.posteriors.abstract import AbstractPosterior
from bayescale.posteriors.posterior import Posterior
from bayescale.posteriors.prediction import points_of
from bayescale.runs.table import Runs
from theory.declaration.abstract_law import AbstractLaw

__all__ = ["Regimes", "regime"]


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
        name: Excess.of(post, points, sizes, wanted, negligible, draws)
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
        diagnosis=posterior.diagnosis,
        origin=posterior.origin,
    )


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
