"""Draw the figures of the README and of the pages: ``python docs/draw.py``, some 20 CPU seconds.

The runs are those of `tiny_lm`, which ships with the project, so that no file has to be fetched.
"""

import warnings
from pathlib import Path

import bayescale as bs

ASSETS = Path(__file__).parent / "assets"


def draw() -> None:
    """Write fit, frontier and valley of `tiny_lm` under the default options."""
    post = bs.fit(bs.load("tiny_lm"), seed=0)
    plan = bs.plan(post, compute=[1e14, 1e15])
    figures = {
        "fit": bs.plots.fit(post),
        "frontier": bs.plots.frontier(post, plan),
        "valley": bs.plots.valley(plan),
    }
    for name, figure in figures.items():
        figure.savefig(ASSETS / f"{name}.png", dpi=130)


if __name__ == "__main__":
    warnings.simplefilter("ignore", bs.errors.BayescaleWarning)
    draw()
