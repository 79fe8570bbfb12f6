"""Drawings of plans: the valley at a budget, and the risk of a target."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

import bayescale as bs
from bayescale import plots
from bayescale.errors import UsageError
from bayescale.posteriors.posterior import Posterior


@pytest.fixture(scope="module")
def post() -> Posterior:
    rng = np.random.default_rng(0)
    centre = {"E": 1.8, "A": 480.0, "B": 2085.0, "alpha": 0.35, "beta": 0.37}
    values = {n: v * np.exp(0.01 * rng.standard_normal(300)) for n, v in centre.items()}
    return Posterior.from_draws("chinchilla", values)


def only(figure: Figure, panel: str, gid: str) -> Any:
    (axes,) = [axes for axes in figure.axes if axes.get_label() == panel]
    found = [artist for artist in axes.get_children() if artist.get_gid() == gid]
    assert len(found) == 1, f"{len(found)} of {gid}"
    return found[0]


def test_the_valley_marks_the_recommended_and_the_present_plan(
    post: Posterior, tmp_path: Path
) -> None:
    plan = bs.plan(post, compute=[1e20, 1e24], present={"N": 4e10})
    figure = plots.valley(plan)
    size = float(plan.recommended["N"].iloc[1])
    for panel in ("loss", "regret"):
        assert only(figure, panel, "recommended").get_xdata()[0] == pytest.approx(size)
        assert only(figure, panel, "present").get_xdata()[0] == pytest.approx(4e10)
    ends = only(figure, "regret", "valley").get_extents().get_points()
    assert ends[0, 0] < ends[1, 0]
    x, regret = only(figure, "regret", "median").get_data()
    assert x[np.argmin(regret)] == pytest.approx(size, rel=0.1)
    assert min(regret) >= 0
    plots.save(figure, tmp_path / "valley.svg")
    grid = plots.valley(bs.plan(post, compute=1e22, limits=bs.Limits(sizes=(1e9, 3e9, 1e10, 3e10))))
    assert len(only(grid, "loss", "median").get_xdata()) == 4
    with pytest.raises(UsageError, match="the plan holds 2 budgets; there is no number 2"):
        plots.valley(plan, 2)


def test_the_risk_of_a_target_passes_the_confidence_at_its_budget(
    post: Posterior, tmp_path: Path
) -> None:
    plan = bs.plan(post, target=2.0, confidence=0.8)
    figure = plots.target(plan)
    x, reached = only(figure, "probability", "probability").get_data()
    assert np.interp(np.log(plan.compute[0]), np.log(x), reached) == pytest.approx(0.8, abs=0.03)
    assert np.all(np.diff(reached) >= -1e-12)
    assert only(figure, "loss", "target").get_ydata()[0] == 2.0
    plots.save(figure, tmp_path / "target.svg")
    with pytest.raises(UsageError, match="this plan has no target"):
        plots.target(bs.plan(post, compute=1e22))
    with pytest.raises(UsageError, match="no budget reaches any of these targets"):
        plots.target(bs.plan(post, target=1.0))
