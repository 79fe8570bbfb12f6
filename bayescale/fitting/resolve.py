"""From a law and options to a model: the one rule of every verb that fits.

A law, its name or a formula becomes a model with default priors scaled to the table. A `Model` is
taken as it is: its likelihood is its own, so that ``likelihood=`` beside it is refused, while
``prior=`` replaces its priors by name and ``drift=`` its drift. What is not given stays as it is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from bayescale.distributions.prior import Prior
from bayescale.errors import UsageError
from bayescale.models.drift_reference import REFERENCE, Drifting, drift_of
from bayescale.models.likelihood import AbstractLikelihood
from bayescale.models.model import Model
from bayescale.runs.identifiable import require_domain, require_identifiable
from bayescale.runs.table import Runs
from theory.declaration.abstract_law import AbstractLaw

Fittable = str | AbstractLaw | Model
"""What can be fitted: a law, its name, a formula, or a whole model."""


def resolve(
    law: Fittable,
    runs: Runs,
    *,
    likelihood: str | AbstractLikelihood | None = None,
    prior: Mapping[str, Prior | float] | None = None,
    drift: Drifting = REFERENCE,
) -> Model:
    """The model of one table.

    Parameters
    ----------
    law
        A law, its name, a formula, or a model.
    runs
        The table, to which default priors are scaled.
    likelihood
        A likelihood or its name; None for the model's own, or for a law the default.
    prior
        Parameter of the law, coordinate or noise parameter -> `Prior`, in place of the one there;
        a number fixes it (`Model.stating`).
    drift
        What the law may be wrong by beyond the runs; None takes the law as exact. A model's own
        stays unless another is given.

    Raises
    ------
    UsageError
        If a name is unknown, or a likelihood is given beside a model.
    """
    if isinstance(law, Model):
        if likelihood is not None:
            raise UsageError(
                f"likelihood={likelihood!r} was given beside a model, which has its own "
                f"('{law.likelihood.name}'); build the model with the likelihood you want."
            )
        model = law.stating(prior or {})
        if drift == REFERENCE:
            return model
        return replace(model, drift=drift_of(model.law, drift))
    noise = {} if likelihood is None else {"likelihood": likelihood}
    return Model.for_runs(law, runs, prior=prior, drift=drift, **noise)


def resolve_each(
    law: Fittable | Sequence[Model],
    tables: Sequence[Runs],
    *,
    likelihood: str | AbstractLikelihood | None = None,
    prior: Mapping[str, Prior | float] | None = None,
    drift: Drifting = REFERENCE,
) -> list[Model]:
    """The model of each of several tables, by the rule of `resolve`.

    Parameters
    ----------
    law
        One for all tables, or one model a table.
    tables
        The tables.
    likelihood, prior, drift
        As for `resolve`, for every table.

    Raises
    ------
    UsageError
        If there is not one model a table, and as `resolve` does.
    """
    laws = [law] * len(tables) if isinstance(law, Fittable) else list(law)
    if len(laws) != len(tables):
        raise UsageError(
            f"there are {len(tables)} tables but {len(laws)} models; give one a table."
        )
    return [
        resolve(one, runs, likelihood=likelihood, prior=prior, drift=drift)
        for one, runs in zip(laws, tables, strict=True)
    ]


def require_options(
    *, seed: int, chains: int | None = None, draws: int | None = None, least_chains: int = 1
) -> None:
    """Refuse numbers of chains and draws, and seeds, that no engine can use.

    Raises
    ------
    UsageError
        If one is too small.
    """
    for name, number, least in (
        ("chains", chains, least_chains),
        ("draws", draws, 4),
        ("seed", seed, 0),
    ):
        if number is not None and number < least:
            raise UsageError(f"{name} must be at least {least}; got {number}.")


def require_usable(runs: Runs, model: Model) -> None:
    """Refuse a table that does not identify a law, or has sizes where it is not defined.

    Raises
    ------
    RunsError
        If the table cannot be used.
    """
    free = [name for name in model.alone().free if name in model.chart.names]
    require_identifiable(runs, [r.name for r in model.law.resources], len(free))
    _require_floor_below(runs, model)
    require_domain(runs, model.law.domain, model.law.name)


def _require_floor_below(runs: Runs, model: Model) -> None:
    """Refuse a floor that is stated to lie above the smallest loss.

    Raises
    ------
    UsageError
        If no law with such a floor reaches the loss of a run.
    """
    name = "" if model.law.floor is None else model.law.floor.name
    prior = model.priors.table.get(name)
    if prior is not None and prior.bounds[0] >= (least := float(runs.loss.min())):
        told = "fixed at" if prior.is_fixed else "stated to be at least"
        raise UsageError(
            f"{runs.name}: {name} is {told} {prior.bounds[0]:.6g}, but the smallest loss is "
            f"{least:.6g}, and the irreducible loss lies below every loss; state a smaller one."
        )
