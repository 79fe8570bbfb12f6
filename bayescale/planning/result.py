"""A plan: what is recommended at each budget, how sure it is, and what it would cost to differ."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from bayescale.cost import AbstractCost, Hardware, critical_batch, extra_compute, extra_steps
from bayescale.diagnosis import Diagnosis, Result
from bayescale.errors import UsageError
from bayescale.planning.budget_line import BudgetLine
from bayescale.planning.frontier import QUANTILES, Frontier
from bayescale.planning.objectives import AbstractObjective
from bayescale.planning.present_plan import Present
from bayescale.planning.targets import Targets
from bayescale.planning.valley import valley
from bayescale.posteriors.abstract import AbstractPosterior

FLAT = 0.01
"""Share of extra compute that defines the valley by default."""


@dataclass(frozen=True, eq=False, repr=False)
class Plan(Result):
    """The compute-optimal allocation at each budget.

    Parameters
    ----------
    compute
        Budgets in FLOP, serving included; none where no budget reaches a target.
    resources
        Resource -> optimal size, draw by draw.
    loss
        Loss at that optimum, in nats per token, draw by draw.
    recommended
        One row a budget: the one choice of resources that the objective recommends, and the
        posterior median of the loss there.
    diagnosis
        The posterior's verdict together with that on these quantities.
    exponent_draws
        Universal exponents of the optimum (`theory.optimum`), draw by draw; none for a law
        without weights, and where limits or another cost decide.
    convergence
        Summary of ``log R*`` and ``log L*`` at each budget with their R-hat and ESS.
    frontier
        The optimum of every draw of each law, with the posterior, the cost and the limits.
    objective
        What the recommended choice minimises.
    far
        Multiple of the largest run at which the recommended one lies, at each budget
        (`bayescale.posteriors.distance`); None without runs.
    hardware
        Chips and their price; None where neither was given.
    inference_tokens
        Tokens to be served.
    batch
        Tokens a batch; None where not given.
    targets
        What targets take, where targets were given.
    present
        The user's own plan, where one was given.
    """

    compute: Float[np.ndarray, " budget"]
    resources: Mapping[str, Float[np.ndarray, "draw budget"]]
    loss: Float[np.ndarray, "draw budget"]
    recommended: pd.DataFrame
    diagnosis: Diagnosis
    exponent_draws: Mapping[str, np.ndarray]
    convergence: pd.DataFrame
    frontier: Frontier = field(repr=False)
    objective: AbstractObjective
    far: Float[np.ndarray, " budget"] | None
    hardware: Hardware | None = None
    inference_tokens: float = 0.0
    batch: float | None = None
    targets: Targets | None = None
    present: Present | None = None

    def __repr__(self) -> str:
        told = "no budget"
        if self.compute.size:
            row = self.recommended.iloc[0]
            sizes = ", ".join(f"{name} {row[name]:.3g}" for name in row.index)
            told = f"{self.compute[0]:.4g} FLOP: {sizes}"
        if self.compute.size > 1:
            told += f"; and {self.compute.size - 1} more"
        return f"Plan({told}; diagnostics {self.diagnosis.status})"

    @property
    def figure(self) -> str:
        """The kind of figure that `plot` draws by default."""
        return "valley" if self.targets is None else "target"

    @property
    def source(self) -> AbstractPosterior:
        """The posterior or stack that was planned with."""
        return self.frontier.source

    @property
    def line(self) -> BudgetLine:
        """Cost and limits."""
        return self.frontier.line

    @property
    def cost(self) -> AbstractCost:
        """Cost model."""
        return self.line.cost

    def summary(self) -> pd.DataFrame:
        """The 10, 50 and 90% quantiles of each quantity, and what is recommended.

        The quantiles are of the optimum of each draw, as if the law were known; the recommended
        choice is one for all draws.

        Returns
        -------
        pandas.DataFrame
            Index: compute (FLOP), quantity (each resource, D/N, loss in nats per token).
        """
        blocks = [pd.DataFrame.from_dict(self._at(j), orient="index") for j in self._budgets]
        if not blocks:
            empty = pd.MultiIndex.from_arrays([[], []], names=["compute", "quantity"])
            return pd.DataFrame(columns=[*QUANTILES, "recommended"], index=empty, dtype=float)
        return pd.concat(blocks, keys=self.compute, names=["compute", "quantity"])

    def exponents(self) -> pd.DataFrame:
        """How the optimum moves with compute, ``R* ~ C^a``, whatever the form of the law.

        Returns
        -------
        pandas.DataFrame
            Index: resource, and ``kernel`` for the rate at which the reducible loss falls.
            Columns: the 10, 50 and 90% quantiles. Empty for a law without weights.
        """
        rows = {
            name: {key: float(np.quantile(values, level)) for key, level in QUANTILES.items()}
            for name, values in self.exponent_draws.items()
        }
        table = pd.DataFrame.from_dict(rows, orient="index", columns=list(QUANTILES))
        return table.rename_axis("resource")

    def valley(self, extra: float = FLAT) -> pd.DataFrame:
        """The range of N that costs less than a share `extra` of more compute, at each budget.

        A choice in the range reaches the risk that the recommended choice has at
        ``compute/(1 + extra)``. The objective ``median`` is judged by its expected loss.

        Parameters
        ----------
        extra
            Share of compute; 1% by default.

        Returns
        -------
        pandas.DataFrame
            Index: compute. Columns: N_low, N (the recommended), N_high, D_low (with N_high),
            D_high (with N_low), extra.

        Raises
        ------
        UsageError
            If `extra` is not positive, or the cost is not one of N and D.
        """
        self._require_line("a valley in N")
        log_size = np.log(self.recommended["N"].to_numpy())
        return valley(self.frontier, self.objective, log_size, extra)

    @cached_property
    def regret(self) -> Float[np.ndarray, "draw budget"]:
        """Loss of the recommended choice above the optimum of each draw, by the law alone: nats.

        Raises
        ------
        UsageError
            If the cost is not one of N and D.
        """
        self._require_line("the regret")
        log_size = np.log(self.recommended["N"].to_numpy())
        return np.exp(self.frontier.losses(log_size, drift=False)) - self.frontier.least

    def laws(self) -> pd.DataFrame:
        """What each law of a stack would say: how much the form matters.

        Returns
        -------
        pandas.DataFrame
            Index: compute, law. Columns: weight, and the medians of each resource and the loss.
        """
        rows: dict[tuple[float, str], dict[str, float]] = {}
        shares = self.source.weights
        for j, compute in enumerate(self.compute):
            for name, one in self.frontier.optima.items():
                medians = {r: np.exp(np.median(a[:, j])) for r, a in one.logs.items()}
                medians["loss"] = np.exp(np.median(one.log_drifted[:, j]))
                told = {key: float(number) for key, number in medians.items()}
                rows[(float(compute), name)] = {"weight": float(shares[name]), **told}
        table = pd.DataFrame.from_dict(rows, orient="index")
        return table.rename_axis(["compute", "law"]) if rows else table

    def bill(self) -> pd.DataFrame:
        """What the recommended choice takes.

        Returns
        -------
        pandas.DataFrame
            Index: compute. Columns: training and serving (FLOP); where known gpu_hours, hours and
            money (of training), epochs, and of a batch: critical_batch (tokens, at the loss
            reached), extra_compute and extra_steps over the least.

        Raises
        ------
        UsageError
            If the cost is not one of N and D.
        """
        self._require_line("a bill")
        size, data = self.recommended["N"].to_numpy(), self.recommended["D"].to_numpy()
        token = np.exp(self.cost.log_token(np.log(size)))
        training = token * data
        table = {"training": training, "serving": token * self.inference_tokens / 3}
        hardware = self.hardware
        if hardware is not None:
            table["gpu_hours"] = np.array([hardware.gpu_hours(float(c)) for c in training])
            if hardware.gpus is not None:
                table["hours"] = table["gpu_hours"] / hardware.gpus
            if hardware.price is not None:
                table["money"] = table["gpu_hours"] * hardware.price
        if np.isfinite(self.line.unique):
            table["epochs"] = data / self.line.unique
        if self.batch is not None:
            critical = critical_batch(self.recommended["loss"].to_numpy())
            table["critical_batch"] = critical
            table["extra_compute"] = extra_compute(self.batch, critical)
            table["extra_steps"] = extra_steps(self.batch, critical)
        return pd.DataFrame(table, index=pd.Index(self.compute, name="compute"))

    def advice(self) -> tuple[str, ...]:
        """Sentences: how flat the choice is, and how it compares with the present plan."""
        out = []
        if not self.line.spends_size_and_data:
            return ()
        for compute, row in self.valley().iterrows():
            out.append(
                f"at {compute:.4g} FLOP any N between {row['N_low']:.3g} and {row['N_high']:.3g} "
                f"costs less than {FLAT:.0%} extra compute."
            )
        if self.present is not None:
            for j, compute in enumerate(self.compute):
                waste = float(np.median(self.present.waste[:, j]))
                out.append(
                    f"the present plan (N {self.present.size[j]:.3g}, D "
                    f"{self.present.data[j]:.3g}) takes {waste:.3g} times the compute that its "
                    f"loss needs (median); the recommended plan at {compute:.4g} FLOP has the "
                    f"lower loss with probability {self.present.worse[j]:.2f}."
                )
        return tuple(out)

    def to_dict(self) -> dict[str, Any]:
        """As plain data, for JSON."""
        plans = []
        for j in self._budgets:
            rows = self._at(j)
            names = (*self.resources, "loss")
            entry = {name: {key: rows[name][key] for key in QUANTILES} for name in names}
            recommended = {name: rows[name]["recommended"] for name in names}
            plans.append({"compute": float(self.compute[j]), **entry, "recommended": recommended})
        out = {
            "plans": plans,
            "objective": self.objective.name,
            "exponents": self.exponents().to_dict(orient="index"),
            "extrapolation": None if self.far is None else [float(far) for far in self.far],
        }
        if self.line.spends_size_and_data:
            out["valley"] = _records(self.valley())
            out["regret"] = [float(r) for r in self.regret.mean(axis=0)]
            out["bill"] = _records(self.bill())
        if len(self.source.members) > 1:
            out["laws"] = _records(self.laws())
        if self.targets is not None:
            out["targets"] = _records(self.targets.summary())
        if self.present is not None:
            out["present"] = self.present.to_dict()
        return out | {
            "cost": self.cost.name,
            **self.verdict(),
        }

    @property
    def _budgets(self) -> range:
        return range(len(self.compute))

    def _require_line(self, what: str) -> None:
        if not self.line.spends_size_and_data:
            told = ", ".join(r.name for r in self.cost.resources)
            raise UsageError(
                f"{what} is known for costs in N and D; cost '{self.cost.name}' is one in {told}."
            )

    def _at(self, budget: int) -> dict[str, dict[str, float]]:
        """Quantiles and recommendation of each quantity at one budget."""
        draws = {name: array[:, budget] for name, array in self.resources.items()}
        recommended = dict(self.recommended.iloc[budget])
        if {"N", "D"} <= set(draws):
            draws["D/N"] = draws["D"] / draws["N"]
            recommended["D/N"] = recommended["D"] / recommended["N"]
        draws["loss"] = self.loss[:, budget]
        return {
            name: {key: float(np.quantile(values, level)) for key, level in QUANTILES.items()}
            | {"recommended": float(recommended[name])}
            for name, values in draws.items()
        }


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return table.reset_index().to_dict(orient="records")
