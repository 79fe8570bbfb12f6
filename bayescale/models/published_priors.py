"""Published fits of scaling laws, and the prior that they are for the exponents of a new table."""

from collections.abc import Collection

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy import special

from bayescale.distributions.prior import Prior
from bayescale.errors import UsageError
from bayescale.runs.datasets import cards
from theory import laws
from theory.declaration.abstract_law import AbstractLaw
from theory.declaration.symbols import Role
from theory.errors import UnknownLaw, did_you_mean

LEAST_FITS = 3
"""Fewest tables from which a spread between tables is estimated."""


def published_fits(law: str | AbstractLaw | None = None, domain: str | None = None) -> pd.DataFrame:
    """Published fits of scaling laws, one row a parameter.

    Parameters
    ----------
    law
        Only the fits of this law.
    domain
        Only those of this domain, such as `"language"`.

    Returns
    -------
    DataFrame
        Columns `fit`, `group` (the table of runs fitted to), `preferred` (whether the fit stands
        for its group), `law`, `domain`, `parameter`, `value`, `standard_error`, `lower`, `upper`
        and `level` (an interval and its probability), `N_counts` (which parameters N counts),
        `method`, `source`, `year`, `arxiv`, `seen` (where the number was read, or that it is a
        refit).

    Raises
    ------
    UsageError
        No published fit is of that law or domain.

    Examples
    --------
    >>> fits = published_fits("chinchilla")
    >>> fits.pivot(index="fit", columns="parameter", values="value").loc["besiroglu", "alpha"]
    np.float64(0.34781)
    """
    fits = pd.read_csv(cards()["published_fits"].path(), dtype={"arxiv": "str"})
    wanted = {"law": None if law is None else _name(law), "domain": domain}
    for column, name in wanted.items():
        if name is None:
            continue
        if name not in (known := list(fits[column].unique())):
            raise UsageError(f"no published fits of {column} '{name}'.{did_you_mean(name, known)}")
        fits = fits.loc[fits[column] == name]
    return fits.reset_index(drop=True)


def prior_from_published(
    law: str | AbstractLaw, *, leave_out: Collection[str] = ()
) -> dict[str, Prior]:
    """Priors of a law's exponents: what published fits say about a table not seen yet.

    Each is a LogNormal, from the log exponents ``y_i`` of the k tables with a preferred fit and
    their variances ``v_i`` (0 where no error was published, which leaves more to the tables):

        mu = mean(y),   tau^2 = max(0, var(y) - mean(v)),   sigma^2 = tau^2 + (tau^2 + mean(v))/k

    so ``tau`` is the spread between tables and ``sigma`` that of a new table's exponent about the
    uncertain mean; being Normal, it disregards that ``tau`` is uncertain too.

    Parameters
    ----------
    law
        Name of a law, or the law.
    leave_out
        Tables whose fits are not used, by the name of the dataset or of one of its tables: above
        all the one to which the law will be fitted.

    Returns
    -------
    dict
        Parameter -> prior, for `fit(prior=...)`.

    Raises
    ------
    UsageError
        There are no fits of the law, too few tables, or no table of a name in `leave_out`.

    References
    ----------
    Hedges (1983), A random effects model for effect sizes, Psychological Bulletin 93, for the
    unweighted moment estimate of tau; Higgins, Thompson and Spiegelhalter (2009), A re-evaluation
    of random-effects meta-analysis, J. R. Statist. Soc. A 172, for the prediction of a new table.

    Examples
    --------
    >>> prior_from_published("chinchilla", leave_out=["steplaw"])["alpha"].family
    'LogNormal'
    """
    fits = published_fits(law)
    out = _left_out(list(fits["group"].unique()), leave_out)
    fits = fits.loc[fits["preferred"] & ~fits["group"].isin(out)]
    priors = {}
    for name in _exponents(law):
        found = fits.loc[fits["parameter"] == name]
        if len(found) < LEAST_FITS:
            raise UsageError(
                f"{name} of law '{_name(law)}' has published fits to {len(found)} tables of "
                f"runs, and a prior needs {LEAST_FITS} or more; give the prior yourself, such as "
                f'prior={{"{name}": Prior.around(0.3, 0.4)}}.'
            )
        mean, spread = predictive(np.log(found["value"].to_numpy()), _log_variances(found))
        priors[name] = Prior("LogNormal", mu=mean, sigma=spread)
    return priors


def predictive(
    estimates: Float[np.ndarray, " table"], variances: Float[np.ndarray, " table"]
) -> tuple[float, float]:
    """Mean and standard deviation of a new table's value, by random effects.

    Parameters
    ----------
    estimates, variances
        The value in each table, and the variance of its error.
    """
    within = float(np.mean(variances))
    between = max(0.0, float(np.var(estimates, ddof=1)) - within)
    return float(np.mean(estimates)), float(np.sqrt(between + (between + within) / len(estimates)))


def _name(law: str | AbstractLaw) -> str:
    return law if isinstance(law, str) else law.name


def _exponents(law: str | AbstractLaw) -> list[str]:
    try:
        law = laws.get(law) if isinstance(law, str) else law
    except UnknownLaw:
        raise UsageError(
            f"'{law}' has published fits but is not in the catalogue of laws, which says what the "
            f"exponents of a law are; take the values from published_fits('{law}')."
        ) from None
    return [parameter.name for parameter in law.parameters if parameter.role is Role.EXPONENT]


def _log_variances(fits: pd.DataFrame) -> Float[np.ndarray, " table"]:
    """Variance of the log value: from the standard error, or else the interval, or else 0."""
    value, error, lower, upper, level = (
        fits[name].to_numpy(dtype=np.float64)
        for name in ("value", "standard_error", "lower", "upper", "level")
    )
    by_interval = np.log(upper / lower) / (2 * special.ndtri((1 + level) / 2))
    spread = np.where(np.isfinite(error), error / value, by_interval)
    return np.nan_to_num(spread) ** 2


def _left_out(groups: list[str], names: Collection[str]) -> list[str]:
    """The groups that are a table that is named, or hold it, or are held by it."""
    out: list[str] = []
    for name in [names] if isinstance(names, str) else names:
        found = [g for g in groups if f"{g}/".startswith(f"{name}/") or name.startswith(f"{g}/")]
        if not found:
            raise UsageError(
                f"leave_out names '{name}', to which none of these fits was made."
                f"{did_you_mean(name, groups)}"
            )
        out += found
    return out
