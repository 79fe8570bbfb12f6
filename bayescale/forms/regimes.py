"""What limits each run, as posterior probabilities: the result of `bayescale.regime`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from bayescale.diagnosis import Diagnosis, Result
from bayescale.posteriors.prediction import QUANTILES

KINDS = ("resolution", "variance", "floor")
"""Regimes by their code in `Regimes.kinds`."""


@final
@dataclass(frozen=True, eq=False, repr=False)
class Regimes(Result):
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
    diagnosis
        The posterior's verdict.
    origin
        Table, number of runs and law of the posterior.
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
    diagnosis: Diagnosis
    origin: str = ""

    def __repr__(self) -> str:
        shares = [
            f"{name} "
            + ", ".join(f"{np.mean(kinds == i):.0%} {KINDS[i]}" for i in range(len(KINDS)))
            for name, kinds in self.kinds.items()
        ]
        told = "; ".join(shares)
        return f"Regimes({len(self.runs)} runs: {told}; diagnostics {self.diagnosis.status})"

    def __str__(self) -> str:
        return "\n".join([f"Regimes of {len(self.runs)} runs", *self.advice()])

    @property
    def figure(self) -> str:
        """The kind of figure that `plot` draws by default."""
        return "regime"

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
            **self.verdict(),
        }


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
