"""A plan that someone already has, against the recommended one on the same draws."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from bayescale.errors import UsageError
from bayescale.planning.allocation import losses_at
from bayescale.planning.compute_multiplier import least_compute
from bayescale.planning.frontier import QUANTILES, Frontier


@dataclass(frozen=True, eq=False)
class Present:
    """The present plan at each budget.

    Parameters
    ----------
    size, data
        N and D of the present plan.
    compute
        What it takes, serving included, in FLOP.
    loss
        Its loss, in nats per token, draw by draw.
    regret
        Its loss above the optimum of each draw at the same compute, by the law alone: nats; below
        0 only where the present plan breaks a limit.
    waste
        Its compute over the least that reaches the same loss, draw by draw; below 1
        only where the present plan breaks a limit.
    worse
        Probability that the recommended plan has the lower loss, on common draws.
    """

    size: Float[np.ndarray, " budget"]
    data: Float[np.ndarray, " budget"]
    compute: Float[np.ndarray, " budget"]
    loss: Float[np.ndarray, "draw budget"]
    regret: Float[np.ndarray, "draw budget"]
    waste: Float[np.ndarray, "draw budget"]
    worse: Float[np.ndarray, " budget"]

    def summary(self) -> pd.DataFrame:
        """Mean and the 10, 50 and 90% quantiles of loss, regret and waste.

        Returns
        -------
        pandas.DataFrame
            Index: compute (FLOP), quantity. Columns: mean, q10, q50, q90, and N, D and
            P(recommended is better) of the present plan, repeated.
        """
        rows: dict[tuple[float, str], dict[str, float]] = {}
        for j, compute in enumerate(self.compute):
            for name in ("loss", "regret", "waste"):
                draws = getattr(self, name)[:, j]
                rows[(float(compute), name)] = (
                    {"mean": float(draws.mean())}
                    | {key: float(np.quantile(draws, level)) for key, level in QUANTILES.items()}
                    | {"N": float(self.size[j]), "D": float(self.data[j])}
                    | {"recommended is better": float(self.worse[j])}
                )
        table = pd.DataFrame.from_dict(rows, orient="index")
        return table.rename_axis(["compute", "quantity"])

    def to_dict(self) -> list[dict[str, Any]]:
        """As plain data, for JSON: one entry a budget."""
        table = self.summary()
        keys = ["mean", *QUANTILES]
        return [
            {
                "compute": float(compute),
                "N": float(self.size[j]),
                "D": float(self.data[j]),
                **{
                    name: {key: float(table.iloc[3 * j + k][key]) for key in keys}
                    for k, name in enumerate(("loss", "regret", "waste"))
                },
                "recommended_is_better": float(self.worse[j]),
            }
            for j, compute in enumerate(self.compute)
        ]


def compare_with(frontier: Frontier, present: Mapping[str, float], log_size: np.ndarray) -> Present:
    """Set a present plan against the recommended one.

    Parameters
    ----------
    frontier
        The optimum at the budgets of the plan.
    present
        N, and D; without D all that the budget leaves.
    log_size
        Log N that is recommended at each budget.

    Raises
    ------
    UsageError
        If N or D is missing, unknown or out of range, or the present plan cannot be trained.
    """
    source, line, log_budgets = frontier.source, frontier.line, frontier.log_budgets
    recommended = np.exp(frontier.losses(log_size, drift=True))
    size, data = sizes_of(present)
    log_size = np.full(log_budgets.shape, np.log(size))
    if data is None:
        with np.errstate(divide="ignore"):
            log_data = line.log_data(log_size, log_budgets)
        if np.any(log_data < 0):
            raise UsageError(
                f"the present plan of N = {size:g} cannot be trained for "
                f"{np.exp(log_budgets.min()):.3g} FLOP: nothing is left for data; give its D too."
            )
    else:
        log_data = np.full(log_budgets.shape, np.log(data))
    compute = np.array([line.spend(size, float(d)) for d in np.exp(log_data)])
    loss = np.exp(losses_at(source, line, log_size, log_data, drift=True))
    spent = np.log(compute)
    own = {}
    for name, post in source.members.items():
        own[name] = losses_at(post, line, log_size, log_data, drift=False)
    least = least_compute(source, line, own)
    bare = np.exp(losses_at(source, line, log_size, log_data, drift=False))
    same = np.allclose(spent, log_budgets, rtol=0, atol=1e-9)
    best = (frontier if same else frontier.at(spent)).least
    return Present(
        size=np.exp(log_size),
        data=np.exp(log_data),
        compute=compute,
        loss=loss,
        regret=bare - best,
        waste=np.exp(spent - least),
        worse=np.mean(recommended < loss, axis=0),
    )


def sizes_of(given: Mapping[str, float]) -> tuple[float, float | None]:
    """N and D of a plan that the user gave.

    Raises
    ------
    UsageError
        If N is missing, another name is given, or a number is not positive and finite.
    """
    if "N" not in given or not set(given) <= {"N", "D"}:
        told = ", ".join(given) or "nothing"
        raise UsageError(f"a plan is given by its N and D, such as {{'N': 7e9}}; got {told}.")
    for name, amount in given.items():
        if not 0 < amount < np.inf:
            raise UsageError(f"{name} of a plan must be positive and finite; got {amount:g}.")
    data = given.get("D")
    return float(given["N"]), None if data is None else float(data)
