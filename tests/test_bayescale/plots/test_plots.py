"""The plots, tested by what is in them: artists, labels, limits; never by pixels."""

import subprocess
import sys
from dataclasses import replace
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import bayescale as bs
from bayescale import plots
from bayescale.diagnosis import Diagnosis
from bayescale.errors import DiagnosticsRefused, OutputError, UsageError
from bayescale.models.draws import Draws
from bayescale.plots import style
from bayescale.posteriors.labelled import to_tree

PLANTED = (7, 23)
"""Runs of `planted` whose loss was raised by a fifth."""

REFUSED = "diagnostics refused: not to be trusted"


def grid(sizes: int = 6, data: int = 6) -> pd.DataFrame:
    """A ladder of small models, as in `tiny_lm`."""
    n, d = np.meshgrid(np.geomspace(2e3, 1e6, sizes), np.geomspace(1e5, 3e7, data))
    return pd.DataFrame({"N": n.ravel(), "D": d.ravel()})


def made(law: str, runs: bs.Runs, model: bs.Model, at: dict[str, float]) -> bs.Posterior:
    """Draws scattered around the truth, without fitting: enough to draw and fast."""
    rng = np.random.default_rng(0)
    coordinates = {
        name: np.full((2, 300), at[name]) * np.exp(0.02 * rng.standard_normal((2, 300)))
        for name in model.priors.table
    }
    tree = to_tree(model, runs, Draws(coordinates, {}))
    return bs.Posterior(model.law, model, tree, Diagnosis(), {"engine": "made", "seed": 0})


def simulated(law: str) -> bs.Posterior:
    """A posterior of a law on the ladder."""
    design = grid().assign(C=lambda table: 6 * table["N"] * table["D"])
    model = bs.Model.at(law, pivot={"N": 4e4, "D": 2e6, "C": 5e11}, level=1.8)
    simulation = model.simulate(design, seed=1, coordinates={"sigma": 0.005, "nu": 8.0})
    return made(law, simulation.runs, model, dict(simulation.coordinates))


@pytest.fixture(scope="session")
def planted() -> bs.Posterior:
    """The additive law fitted to 36 runs of which two are outliers."""
    model = bs.Model.at("chinchilla", pivot={"N": 4e4, "D": 2e6}, level=1.8)
    at = {"floor_fraction": 0.5, "alpha": 0.3, "beta": 0.35, "sigma": 0.004, "nu": 50.0}
    table = model.simulate(grid(), seed=1, coordinates=at).runs.table.copy()
    table.loc[list(PLANTED), "loss"] *= 1.2
    return bs.fit(bs.read_runs(table), "chinchilla", engine="laplace", seed=0)


@pytest.fixture(scope="session", params=["kaplan", "share"])
def two_resources(request: pytest.FixtureRequest) -> bs.Posterior:
    """A law without a floor, and one with a shape."""
    return simulated(request.param)


@pytest.fixture(scope="session")
def fit_figure(planted: bs.Posterior) -> Figure:
    return plots.fit(planted)


@pytest.fixture(scope="session")
def exponents_figure(planted: bs.Posterior) -> Figure:
    return plots.exponents(planted)


@pytest.fixture(scope="session")
def frontier_figure(planted: bs.Posterior) -> Figure:
    return plots.frontier(planted)


def panel(figure: Figure, label: str) -> Axes:
    return next(axes for axes in figure.axes if axes.get_label() == label)


def found(axes: Axes | Figure, gid: str) -> list[Any]:
    return axes.findobj(lambda artist: artist.get_gid() == gid)


def only(axes: Axes | Figure, gid: str) -> Any:
    (artist,) = found(axes, gid)
    return artist


def starting(axes: Axes, gid: str) -> list[Any]:
    return axes.findobj(lambda artist: str(artist.get_gid()).startswith(gid))


def legend_texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def compute(posterior: bs.Posterior) -> np.ndarray:
    assert posterior.runs is not None
    return 6 * posterior.runs["N"].to_numpy() * posterior.runs["D"].to_numpy()


def test_the_fit_shows_every_run_at_its_compute_and_loss(
    planted: bs.Posterior, fit_figure: Figure
) -> None:
    above = panel(fit_figure, "loss")
    assert planted.runs is not None
    points = only(above, "runs").get_offsets()
    np.testing.assert_allclose(points[:, 0], compute(planted))
    np.testing.assert_allclose(points[:, 1], planted.runs["loss"])


def test_the_fit_draws_as_many_curves_as_asked_each_with_its_band(planted: bs.Posterior) -> None:
    above = panel(plots.fit(planted, curves=3), "loss")
    assert len(starting(above, "median N=")) == 3
    assert len(starting(above, "band N=")) == 3
    chosen = panel(plots.fit(planted, curves=[5e3, 2e5]), "loss")
    gids = [line.get_gid() for line in starting(chosen, "median")]
    assert gids == ["median N=5k", "median N=200k"]


def test_a_curve_is_the_posterior_median_of_the_law(planted: bs.Posterior) -> None:
    line = only(panel(plots.fit(planted, curves=[5e3]), "loss"), "median N=5k")
    x, y = line.get_data()
    expected = planted.predict(N=5e3, D=x / 6 / 5e3).draws
    np.testing.assert_allclose(y, np.median(expected, axis=0))


def test_the_band_holds_new_runs_and_widens_with_the_level(planted: bs.Posterior) -> None:
    def width(level: float) -> float:
        figure = plots.fit(planted, curves=[5e3], level=level)
        vertices = only(panel(figure, "loss"), "band N=5k").get_paths()[0].vertices
        at_start = vertices[np.isclose(vertices[:, 0], vertices[:, 0].min()), 1]
        return float(np.ptp(at_start))

    law_alone = planted.predict(N=5e3, D=1e5).draws
    assert width(0.9) > np.ptp(np.quantile(law_alone, (0.05, 0.95)))
    assert width(0.99) > width(0.9) > width(0.5)


def test_exactly_the_planted_outliers_have_a_ring(
    planted: bs.Posterior, fit_figure: Figure
) -> None:
    rings = only(panel(fit_figure, "loss"), "outliers").get_offsets()
    np.testing.assert_allclose(np.sort(rings[:, 0]), np.sort(compute(planted)[list(PLANTED)]))
    assert "outlier (2)" in legend_texts(fit_figure)


def test_outliers_off_the_scale_of_the_residuals_are_triangles(fit_figure: Figure) -> None:
    below = panel(fit_figure, "residual")
    triangles = only(below, "off scale above").get_offsets()
    assert len(triangles) == 2
    assert len(only(below, "residuals").get_offsets()) == 34
    assert np.all(triangles[:, 1] < below.get_ylim()[1])
    assert "residual off scale (2)" in legend_texts(fit_figure)


def test_a_clean_table_has_no_rings_and_no_word_of_them(planted: bs.Posterior) -> None:
    assert planted.model is not None
    assert planted.runs is not None
    clean = planted.runs.drop(columns="loss")
    exact = planted.predict(**{name: clean[name].to_numpy() for name in ("N", "D")}).draws
    wiggle = 1 + 0.002 * np.cos(np.arange(len(clean)))
    tree = planted.data.copy()
    tree["observed_data"] = (
        planted.data["observed_data"]
        .to_dataset()
        .assign(loss=("run", np.median(exact, axis=0) * wiggle))
    )
    figure = plots.fit(replace(planted, data=tree))
    assert not found(figure, "outliers")
    assert len(legend_texts(figure)) == 3


def test_axes_are_labelled_with_units(fit_figure: Figure) -> None:
    assert panel(fit_figure, "loss").get_ylabel() == "loss (nats/token)"
    assert panel(fit_figure, "residual").get_ylabel() == "log residual\n(%)"
    assert panel(fit_figure, "residual").get_xlabel() == "training compute $C$ (FLOP)"
    assert panel(fit_figure, "size").get_ylabel() == "model size $N$ (parameters)"
    assert panel(fit_figure, "residual").get_xscale() == "log"


def test_laws_without_a_floor_and_with_a_shape_are_drawn(two_resources: bs.Posterior) -> None:
    names = {p.name for p in two_resources.law.parameters}
    figure = plots.exponents(two_resources)
    shown = {axes.get_label() for axes in figure.axes}
    assert ({"alpha", "beta", "q", "E"} if "q" in names else {"alpha_N", "alpha_D"}) <= shown
    assert len(starting(panel(plots.fit(two_resources), "loss"), "median N=")) == 5
    assert panel(plots.frontier(two_resources), "ratio").get_yscale() == "log"


@pytest.mark.parametrize(
    ("law", "label"),
    [
        ("power", "model size $N$ (parameters)"),
        ("power_D", "training data $D$ (tokens)"),
        ("power_C", "training compute $C$ (FLOP)"),
    ],
)
def test_a_law_in_one_resource_is_drawn_against_it_without_colours(law: str, label: str) -> None:
    posterior = simulated(law)
    figure = plots.fit(posterior)
    assert panel(figure, "residual").get_xlabel() == label
    assert [axes.get_label() for axes in figure.axes] == ["loss", "residual"]
    assert len(found(panel(figure, "loss"), "median all runs")) == 1
    assert len(only(panel(figure, "loss"), "runs").get_offsets()) == 36
    with pytest.raises(UsageError, match="between N and D"):
        plots.frontier(posterior)


def test_the_exponents_have_a_panel_each_and_one_a_pair(exponents_figure: Figure) -> None:
    labels = {axes.get_label() for axes in exponents_figure.axes}
    pairs = {"beta against alpha", "E against alpha", "E against beta"}
    assert labels == {"alpha", "beta", "E"} | pairs
    assert panel(exponents_figure, "E").get_xlabel() == "$E$ (nats/token)"
    assert panel(exponents_figure, "beta against alpha").get_ylabel() == r"$\beta$ (dimensionless)"
    assert all(
        len(found(panel(exponents_figure, name), "prior")) == 1 for name in ("alpha", "beta", "E")
    )
    assert all(len(found(panel(exponents_figure, name), "draws")) == 1 for name in pairs)


def test_a_title_gives_the_median_and_the_90_percent_interval(
    planted: bs.Posterior, exponents_figure: Figure
) -> None:
    row = planted.summary().loc["alpha"]
    title = panel(exponents_figure, "alpha").get_title()
    numbers = [float(part.strip("[], ")) for part in title.split("=")[1].split()]
    # Printed to at least two digits of the interval's width.
    unit = 0.1 * (row["q95"] - row["q05"])
    np.testing.assert_allclose(numbers, row[["q50", "q05", "q95"]], atol=unit)


def test_the_prior_of_a_coordinate_is_its_density(
    planted: bs.Posterior, exponents_figure: Figure
) -> None:
    assert planted.model is not None
    x, y = only(panel(exponents_figure, "beta"), "prior").get_data()
    np.testing.assert_allclose(y, planted.model.priors.table["beta"].scipy().pdf(x))


def test_the_prior_of_the_floor_is_estimated_from_draws(
    planted: bs.Posterior, exponents_figure: Figure
) -> None:
    assert planted.model is not None
    x, y = only(panel(exponents_figure, "E"), "prior").get_data()
    table, rng = planted.model.priors.table, np.random.default_rng(3)
    floors = table["L_pivot"].sample(rng, 100_000) * table["floor_fraction"].sample(rng, 100_000)
    share = np.mean((floors > x[0]) & (floors < x[-1]))
    # Two Monte Carlo estimates and a kernel's smoothing.
    assert np.trapezoid(y, x) == pytest.approx(share, rel=0.15)


def test_it_says_so_when_the_data_say_little(planted: bs.Posterior) -> None:
    assert planted.model is not None
    rng = np.random.default_rng(0)
    alpha = planted.model.priors.table["alpha"].sample(rng, planted.draws["alpha"].shape)
    tree = planted.data.copy()
    posterior = planted.draws.assign(alpha=(("chain", "draw"), alpha))
    tree["posterior"] = posterior
    figure = plots.exponents(replace(planted, data=tree))
    assert "the data say little" in panel(figure, "alpha").get_title()
    assert "the data say little" not in panel(figure, "beta").get_title()


def test_exponents_of_given_draws_have_no_prior() -> None:
    rng = np.random.default_rng(0)
    draws = {"E": 1.8 + 0.02 * rng.standard_normal(500), "A": np.full(500, 480.0)}
    draws |= {"B": np.full(500, 2100.0), "alpha": np.full(500, 0.34)}
    draws["beta"] = 0.37 + 0.01 * rng.standard_normal(500)
    posterior = bs.Posterior.from_draws("chinchilla", draws)
    figure = plots.exponents(posterior)
    # alpha does not vary, so it is left out.
    assert {axes.get_label() for axes in figure.axes} == {"beta", "E", "E against beta"}
    assert not found(figure, "prior")
    with pytest.raises(UsageError, match="hold no runs"):
        plots.fit(posterior)
    with pytest.raises(UsageError, match="say with compute="):
        plots.frontier(posterior)
    assert not found(plots.frontier(posterior, compute=1e21), "runs")


def test_nothing_free_to_draw_is_refused() -> None:
    fixed = {"E": 1.8, "A": 480.0, "B": 2100.0, "alpha": 0.34, "beta": 0.37}
    with pytest.raises(UsageError, match="no free exponent"):
        plots.exponents(bs.Posterior.from_draws("chinchilla", fixed))


def test_the_frontier_is_the_plan_at_every_budget(planted: bs.Posterior) -> None:
    # By the law alone: the drift so far out makes a median of half the draws err by a percent.
    exact = planted.exact
    figure = plots.frontier(exact, compute=1e16)
    x, size = only(panel(figure, "size"), "median").get_data()
    assert x[0] == pytest.approx(compute(planted).min())
    assert x[-1] == pytest.approx(1e16)
    plan = bs.plan(exact, x)
    # The figure's median is of every second draw: a Monte Carlo error far below the band's width.
    np.testing.assert_allclose(size, np.median(plan.resources["N"], axis=0), rtol=0.02)
    loss = only(panel(figure, "loss"), "median").get_ydata()
    np.testing.assert_allclose(loss, np.median(plan.loss, axis=0), rtol=0.01)
    for name in ("size", "ratio", "loss"):
        assert len(starting(panel(figure, name), "band")) == 2


def test_the_frontier_marks_the_largest_run_and_the_plan(planted: bs.Posterior) -> None:
    largest = compute(planted).max()
    plan = bs.plan(planted, [10 * largest, 100 * largest])
    figure = plots.frontier(planted, plan)
    for name in ("size", "ratio", "loss"):
        axes = panel(figure, name)
        assert only(axes, "largest run").get_xdata()[0] == pytest.approx(largest)
        lines = [line.get_xdata()[0] for line in found(axes, "plan")]
        np.testing.assert_allclose(lines, plan.compute)
        assert only(axes, "extrapolation").get_x() == pytest.approx(largest)
    recommended = only(panel(figure, "size"), "recommended").get_ydata()
    np.testing.assert_allclose(recommended, plan.recommended["N"])
    assert "extrapolation: 100 × the largest run" in legend_texts(figure)


def test_without_plan_or_budget_the_frontier_reaches_ten_times_the_largest_run(
    planted: bs.Posterior,
    frontier_figure: Figure,
) -> None:
    x = only(panel(frontier_figure, "loss"), "median").get_xdata()
    assert x[-1] == pytest.approx(10 * compute(planted).max())
    assert not found(frontier_figure, "plan")


def test_the_staircase_is_the_best_loss_so_far(
    planted: bs.Posterior, frontier_figure: Figure
) -> None:
    assert planted.runs is not None
    spent, best = only(panel(frontier_figure, "loss"), "best run so far").get_data()
    order = np.argsort(compute(planted), kind="stable")
    np.testing.assert_allclose(spent, compute(planted)[order])
    np.testing.assert_allclose(best, np.minimum.accumulate(planted.runs["loss"].to_numpy()[order]))


def test_the_frontier_is_labelled_with_units(frontier_figure: Figure) -> None:
    assert panel(frontier_figure, "size").get_ylabel() == "optimal $N$\n(parameters)"
    assert panel(frontier_figure, "ratio").get_ylabel() == "optimal $D/N$\n(tokens/parameter)"
    assert panel(frontier_figure, "loss").get_ylabel() == "optimal loss\n(nats/token)"
    assert panel(frontier_figure, "loss").get_xlabel() == "training compute $C$ (FLOP)"


@pytest.mark.parametrize("name", ["fit", "exponents", "frontier"])
def test_a_refused_posterior_is_drawn_only_when_forced_and_says_so_in_red(
    planted: bs.Posterior, name: str
) -> None:
    draw = getattr(plots, name)
    doubtful = replace(planted, diagnosis=Diagnosis(refusals=("it did not converge.",)))
    with pytest.raises(DiagnosticsRefused):
        draw(doubtful)
    note = only(draw(doubtful, force=True), "refused")
    assert (note.get_text(), note.get_color()) == (REFUSED, style.RED)
    assert not found(draw(planted), "refused")


@pytest.mark.parametrize(
    "options", [{"level": 1.0}, {"curves": 0}, {"curves": [-1.0]}, {"cost": "7ND"}]
)
def test_options_of_the_fit_out_of_range_are_refused(
    planted: bs.Posterior, options: dict[str, Any]
) -> None:
    with pytest.raises(UsageError):
        plots.fit(planted, **options)


def test_a_budget_that_is_not_positive_is_refused(planted: bs.Posterior) -> None:
    with pytest.raises(UsageError, match="positive number of FLOP"):
        plots.frontier(planted, compute=-1.0)


def test_nothing_global_is_touched(planted: bs.Posterior) -> None:
    before = dict(matplotlib.rcParams)
    plots.fit(planted)
    plots.exponents(planted)
    plots.frontier(planted)
    assert dict(matplotlib.rcParams) == before


def test_neither_matplotlib_nor_pyplot_is_imported_before_it_is_needed() -> None:
    code = (
        "import sys, bayescale, bayescale.plots\n"
        "assert 'matplotlib' not in sys.modules\n"
        "bayescale.plots.save\n"
        "assert 'matplotlib' in sys.modules\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_a_figure_shows_itself_in_a_notebook(exponents_figure: Figure) -> None:
    figure: Any = exponents_figure
    assert figure._repr_png_().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("suffix", "start"),
    [(".png", b"\x89PNG"), (".pdf", b"%PDF"), (".svg", b"<?xml"), (".PNG", b"\x89")],
)
def test_save_writes_the_format_of_the_suffix_and_leaves_nothing_else(
    tmp_path: Any, suffix: str, start: bytes
) -> None:
    figure = Figure(figsize=(2, 1))
    path = plots.save(figure, tmp_path / f"plot{suffix}")
    assert path.read_bytes().startswith(start)
    assert [file.name for file in tmp_path.iterdir()] == [f"plot{suffix}"]


@pytest.mark.parametrize("suffix", [".png", ".pdf", ".svg"])
def test_the_same_figure_gives_the_same_file(tmp_path: Any, suffix: str) -> None:
    first, second = (
        plots.save(plots.frontier(simulated("kaplan")), tmp_path / f"{name}{suffix}")
        for name in ("first", "second")
    )
    assert first.read_bytes() == second.read_bytes()


def test_save_refuses_an_unknown_suffix_and_an_absent_folder(tmp_path: Any) -> None:
    figure = Figure(figsize=(2, 1))
    with pytest.raises(UsageError, match=r"one of \.png, \.pdf, \.svg"):
        plots.save(figure, tmp_path / "plot.bmp")
    with pytest.raises(OutputError, match="cannot be written: there is no such folder"):
        plots.save(figure, tmp_path / "absent" / "plot.png")
    assert not list(tmp_path.iterdir())


def test_a_failed_save_leaves_the_old_file(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "plot.png"
    path.write_bytes(b"old")

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", full)
    with pytest.raises(OutputError, match="its disk is full"):
        plots.save(Figure(figsize=(2, 1)), path)
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["plot.png"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (950, "950"),
        (2e3, "2k"),
        (70e6, "70M"),
        (999.9e6, "1B"),
        (1.4e12, "1.4T"),
        (5.76e23, "5.76e23"),
    ],
)
def test_numbers_are_written_as_people_say_them(value: float, text: str) -> None:
    assert style.number(value) == text


@pytest.mark.parametrize("high", [1.05, 1.5, 3.0, 10.0, 1e3, 1e9, 1e30])
def test_an_axis_has_a_handful_of_ticks_whatever_its_span(high: float) -> None:
    ticks = style.round_numbers(1.0, high)
    assert 3 <= len(ticks) <= 9
    assert ticks.min() >= 1 - 1e-9
    assert ticks.max() <= high * (1 + 1e-9)
