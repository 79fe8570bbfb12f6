"""The plots of calibrations, tested by what is in them; from forecasts and ranks made by hand."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

import bayescale as bs
from bayescale import plots
from bayescale.diagnosis import Diagnosis
from bayescale.fitting.chunk import Fitted
from bayescale.fitting.many import Fits
from bayescale.models.draws import Draws
from bayescale.plots import style
from bayescale.plots.figures.calibration import NOMINAL
from bayescale.posteriors.labelled import to_tree
from bayescale.runs.cuts import Cut
from bayescale.validation.calibrate import Calibration
from bayescale.validation.forecast import Forecast
from bayescale.validation.leave_future_out import Outlook
from bayescale.validation.simulation_based import Ranks, ecdf_difference

CUTS = (3e18, 3e19)


def forecast(seen: np.ndarray, width: float, shift: float = 0.0) -> Forecast:
    """Normal predictive distributions around what was seen, the same for each run."""
    quantiles = stats.norm.ppf((np.arange(400) + 0.5) / 400)
    draws = (seen + shift)[None, :] + width * quantiles[:, None]
    density = stats.norm.logpdf(seen, seen + shift, width)
    return Forecast(seen, draws, density)


def made(count: int = 30, *, stack: bool = True, columns: tuple[str, ...] = ("N", "D", "C")) -> Any:
    """A calibration of two laws at two cuts: one whose errors are known, one that is worse."""
    n = np.geomspace(1e8, 1e10, count)
    frame = pd.DataFrame({"N": n, "D": 20 * n, "C": 120 * n**2, "loss": 2 + (n / 1e8) ** -0.3})
    runs = bs.read_runs(frame.filter(items=[*columns, "loss"]))
    size = frame["C"].to_numpy()
    cuts = tuple(Cut(at, size < at, size >= at, 9.0) for at in CUTS)
    forecasts: dict[str, list[Forecast]] = {"good": [], "poor": []}
    for cut in cuts:
        seen = np.log(runs.loss[cut.future])
        error = np.where(np.arange(len(seen)) % 4 == 0, 0.03, 0.005)
        near = forecast(seen, 0.01)
        forecasts["good"].append(
            Forecast(seen, near.draws - error, stats.norm.logpdf(error, 0, 0.01))
        )
        forecasts["poor"].append(forecast(seen, 0.01, shift=0.5))
    found = {name: tuple(each) for name, each in forecasts.items()}
    mixed = found["good"] if stack else ()
    weights = pd.DataFrame({"cut": CUTS, "good": 0.5, "poor": 0.5}).set_index("cut")
    return Calibration(Outlook(runs, cuts, {}, found), mixed, weights, {}, 0)


@pytest.fixture(scope="module")
def result() -> Calibration:
    return made()


@pytest.fixture(scope="module")
def figure(result: Calibration) -> Figure:
    return plots.calibration(result)


def panel(figure: Figure, label: str) -> Axes:
    return next(axes for axes in figure.axes if axes.get_label() == label)


def only(axes: Axes, gid: str) -> Any:
    (artist,) = axes.findobj(lambda artist: artist.get_gid() == gid)
    return artist


def legend_texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_coverage_is_that_of_the_forecasts_over_all_cuts(
    result: Calibration, figure: Figure
) -> None:
    left = panel(figure, "coverage")
    for name, forecasts in result.forecasts.items():
        x, y = only(left, f"coverage {name}").get_data()
        np.testing.assert_array_equal(x, NOMINAL)
        for level in (0.5, 0.9):
            hits = [one.coverage(level) * len(one.log_loss) for one in forecasts]
            expected = sum(hits) / sum(len(one.log_loss) for one in forecasts)
            assert y[np.argmin(abs(NOMINAL - level))] == pytest.approx(expected)
    assert only(left, "diagonal").get_xydata().tolist() == [[0, 0], [1, 1]]


def test_laws_are_told_apart_without_colour(figure: Figure) -> None:
    left = panel(figure, "coverage")
    lines = [only(left, f"coverage {name}") for name in ("good", "poor", "stack")]
    assert len({line.get_marker() for line in lines}) == 3
    assert len({line.get_color() for line in lines}) == 3
    told = [text.split(": 50% held")[0] for text in legend_texts(figure)]
    assert {"good", "poor", "stack"} <= set(told)


def test_the_band_is_binomial_in_the_runs_that_were_forecast(
    result: Calibration, figure: Figure
) -> None:
    trials = int(result.outlook.cuts[0].future.sum())  # later cuts forecast some of them again
    vertices = only(panel(figure, "coverage"), "band").get_paths()[0].vertices
    at_half = np.unique(vertices[np.isclose(vertices[:, 0], 0.5), 1])
    expected = np.array(stats.binom.interval(0.9, trials, 0.5)) / trials
    np.testing.assert_allclose(at_half[[0, -1]], expected)
    assert f"90% of {trials} independent runs" in legend_texts(figure)


def test_runs_of_the_best_law_stand_at_their_size_and_error(
    result: Calibration, figure: Figure
) -> None:
    right = panel(figure, "forecast")
    last, cut = result.outlook.forecasts["good"][-1], result.outlook.cuts[-1]
    points = np.concatenate([only(right, g).get_offsets() for g in ("inside", "outside")])
    points = points[np.argsort(points[:, 0])]
    np.testing.assert_allclose(points[:, 0], result.outlook.runs.column("C")[cut.future])
    np.testing.assert_allclose(points[:, 1], 100 * last.error, atol=1e-9)
    assert right.get_title() == "good, last cut"
    assert right.get_xscale() == "log"
    assert right.get_xlabel() == "training compute $C$ (FLOP)"
    assert only(right, "cut").get_xdata()[0] == cut.at


def test_intervals_are_about_the_median_and_those_outside_are_marked(
    result: Calibration, figure: Figure
) -> None:
    right, last = panel(figure, "forecast"), result.outlook.forecasts["good"][-1]
    ends = np.array([line[:, 1] for line in only(right, "intervals").get_segments()])
    low, high = last.interval(0.9)
    middle = np.median(last.draws, axis=0)
    np.testing.assert_allclose(ends[:, 0], 100 * (low - middle))
    np.testing.assert_allclose(ends[:, 1], 100 * (high - middle))
    missed = round((1 - last.coverage(0.9)) * len(last.log_loss))
    assert missed > 0
    assert len(only(right, "outside").get_offsets()) == missed
    assert f"outside ({missed})" in legend_texts(figure)


def test_one_law_has_one_line_and_no_stack() -> None:
    left = panel(plots.calibration(made(stack=False)), "coverage")
    assert not left.findobj(lambda artist: artist.get_gid() == "coverage stack")


@pytest.mark.parametrize(
    ("columns", "label"),
    [
        (("D",), "training data $D$ (tokens)"),
        (("N", "D"), "training compute $C$ (FLOP)"),
    ],
)
def test_the_size_axis_says_what_it_is(columns: tuple[str, ...], label: str) -> None:
    axes = panel(plots.calibration(made(columns=columns)), "forecast")
    assert axes.get_xlabel() == label


def test_of_many_runs_some_are_drawn_and_the_legend_says_so() -> None:
    figure = plots.calibration(made(count=3000))
    right = panel(figure, "forecast")
    drawn = sum(len(only(right, gid).get_offsets()) for gid in ("inside", "outside"))
    assert drawn == 400
    assert any(text.startswith("run (400 of ") for text in legend_texts(figure))


def test_a_refused_fit_is_said_in_red(result: Calibration) -> None:
    model = bs.Model.at("power_D", pivot={"D": 1e10})
    runs = model.simulate({"D": np.geomspace(1e9, 1e11, 5)}, seed=0).runs
    tree = to_tree(model, runs, Draws({n: np.full((1, 4), 0.5) for n in model.priors.table}, {}))
    posterior = bs.Posterior(model.law, model, tree, Diagnosis(refusals=("no.",)), {})
    parts = result.outlook
    refused = Outlook(parts.runs, parts.cuts, {"good": (posterior,) * 2}, parts.forecasts)
    figure = plots.calibration(Calibration(refused, result.stacked, result.weights, {}, 0))
    note = only(panel(figure, "coverage"), "refused")
    assert "not to be trusted" in note.get_text()
    assert note.get_color() == style.RED
    unmarked = panel(plots.calibration(result), "coverage")
    assert not [text for text in unmarked.texts if text.get_gid() == "refused"]


# --- simulation-based calibration


def ranks(count: int, refused: int = 0) -> Ranks:
    """Uniform ranks of `count` quantities, but for the last: piled up at both ends."""
    rng = np.random.default_rng(0)
    table = {f"q{index}": rng.uniform(size=80) for index in range(count - 1)}
    table["log N*"] = rng.beta(0.15, 0.15, 80)
    model = bs.Model.at("power_D", pivot={"D": 1e10})
    runs = model.simulate({"D": np.geomspace(1e9, 1e11, 5)}, seed=0).runs
    draws = Draws({name: np.full((1, 4), 0.5) for name in model.priors.table}, {})
    fitted = Fitted(draws, Diagnosis(), r_hat=1.0, ess=4.0, divergences=0, bfmi=1.0)
    fits = Fits([model] * 80, [runs] * 80, [fitted] * 80, 0)
    return Ranks(pd.DataFrame(table), fits, refused, 0)


def test_every_quantity_has_a_panel_with_its_ecdf_and_band() -> None:
    given = ranks(3)
    figure = plots.sbc(given)
    assert [axes.get_label() for axes in figure.axes] == ["q0", "q1", "log N*"]
    for name in given.ranks:
        axes = panel(figure, str(name))
        at, difference, low, high = ecdf_difference(given.ranks[name].to_numpy())
        x, y = only(axes, "difference").get_data()
        np.testing.assert_array_equal(x, at)
        np.testing.assert_array_equal(y, difference)
        heights = only(axes, "band").get_paths()[0].vertices[:, 1]
        assert (heights.min(), heights.max()) == pytest.approx((low.min(), high.max()))


def test_ranks_outside_the_band_are_marked_and_named() -> None:
    given = ranks(3, refused=2)
    figure = plots.sbc(given)
    assert not given.uniform
    titles = {axes.get_label(): axes.get_title() for axes in figure.axes}
    assert titles == {"q0": "q0", "q1": "q1", "log N*": "log N*: outside"}
    marked = only(panel(figure, "log N*"), "outside")
    at, difference, low, high = ecdf_difference(given.ranks["log N*"].to_numpy())
    beyond = (difference < low) | (difference > high)
    np.testing.assert_array_equal(marked.get_xdata(), at[beyond])
    assert "ranks of 80 tables (2 refused by the gate)" in legend_texts(figure)
    assert "99% simultaneous band" in legend_texts(figure)


def test_a_short_last_row_leaves_no_empty_panel() -> None:
    figure = plots.sbc(ranks(6))
    assert len(figure.axes) == 6
    labelled = [axes.xaxis.get_tick_params()["labelbottom"] for axes in figure.axes]
    assert labelled == [False, False, True, True, True, True]


def test_both_are_written_to_files(tmp_path: Any, figure: Figure) -> None:
    for name, drawn in (("calibration", figure), ("sbc", plots.sbc(ranks(5)))):
        assert plots.save(drawn, tmp_path / f"{name}.png").stat().st_size > 10_000
