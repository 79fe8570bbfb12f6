"""How well do a few isoFLOP minima forecast the largest budget, by prior of the exponent?

The 15 protocols of `porian_isoflop`: at each budget of four or more sizes, the lowest loss. The
law `power_C` is fitted to the smallest four or six of these and forecasts the largest. Priors are
the default and that of an exponent in one size, which `power_C` had before it was known to be one
in compute. Coverage, mean width and mean interval score (Gneiting and Raftery 2007, eq. (43)) of
90% intervals; the mean error of the median, in nats.

    python tests/benchmarks/frontiers.py
"""

import warnings

import pandas as pd

import bayescale as bs
from bayescale.models.priors import ROLE_PRIORS
from bayescale.runs.datasets import cards
from theory.declaration.symbols import Role

DATASET, SIZES, MINIMA = "porian_isoflop", 4, (4, 6)
PRIORS = {"compute": {}, "one size": {"alpha": bs.Prior.around(*ROLE_PRIORS[Role.EXPONENT])}}


def frontier(table: str) -> pd.Series:
    """Lowest loss a budget, by budget."""
    losses = bs.load(DATASET, table=table).table.groupby("C")["loss"]
    return losses.min()[losses.size() >= SIZES]


def forecast(minima: pd.Series, count: int, prior: dict[str, bs.Prior]) -> dict[str, float]:
    """The forecast of the largest budget, and how it did."""
    seen = minima.iloc[:count].rename_axis("C").reset_index(name="loss")
    post = bs.fit(seen, law="power_C", prior=prior, seed=0)
    largest, loss = minima.index[-1], minima.iloc[-1]
    found = post.predict(C=largest, noise=True, force=True).summary().iloc[0]
    low, middle, high = found[["q05", "q50", "q95"]]
    missed = max(low - loss, 0.0) + max(loss - high, 0.0)
    return {
        "coverage": low <= loss <= high,
        "width": high - low,
        "score": high - low + 20 * missed,
        "error": abs(middle - loss),
        "times": largest / seen["C"].max(),
        "alpha": post.summary().loc["alpha", "q50"],
    }


def main() -> None:
    """Print one row a number of minima and prior, averaged over the tables."""
    warnings.simplefilter("ignore")
    rows = [
        {"minima": count, "prior": name, **forecast(frontier(table), count, prior)}
        for count in MINIMA
        for table in cards()[DATASET].tables
        for name, prior in PRIORS.items()
    ]
    print(pd.DataFrame(rows).groupby(["minima", "prior"]).mean().round(3).to_string())


if __name__ == "__main__":
    main()
