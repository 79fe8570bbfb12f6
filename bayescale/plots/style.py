"""How every plot looks: font, palette, axes, and how numbers are written on them."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from io import BytesIO
from typing import Any, Literal, final

import numpy as np
from matplotlib import colormaps, rc_context
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullLocator

from theory.declaration.symbols import Parameter, Resource

INK = "#222222"
GREY = "#8c8c8c"
BLUE = "#0072b2"
ORANGE = "#d55e00"
RED = "#b00020"
"""Text and lines; runs; posterior; what is to be noticed; refusal (Okabe and Ito 2008)."""

SEQUENCE = ListedColormap(colormaps["viridis"](np.linspace(0.0, 0.88, 256)), "model size")
"""Perceptually uniform, without the yellow that white paper swallows."""

STYLE: dict[str, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": INK,
    "axes.facecolor": "white",
    "axes.formatter.use_mathtext": True,
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.labelsize": 8.5,
    "axes.linewidth": 0.7,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 8.5,
    "figure.facecolor": "white",
    "font.size": 8.5,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.5,
    "legend.fontsize": 8,
    "lines.linewidth": 1.3,
    "pdf.fonttype": 42,  # text stays text
    "svg.fonttype": "none",
    "svg.hashsalt": "bayescale",
    "text.color": INK,
    "xtick.color": INK,
    "xtick.direction": "out",
    "xtick.labelsize": 8,
    "xtick.minor.width": 0.5,
    "ytick.color": INK,
    "ytick.labelsize": 8,
    "ytick.minor.width": 0.5,
}
"""What the plots ask of Matplotlib, while they are drawn only."""

MULTIPLES = (
    (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8),
    (1, 1.5, 2, 3, 4, 5, 7),
    (1, 2, 5),
    (1, 3),
    (1,),
)
"""Multiples of powers of ten that look round, finest first."""

DECADES = ((1,),)
"""Powers of ten alone."""

REFUSED = "diagnostics refused: not to be trusted"
NOTE: dict[str, Any] = {"color": RED, "fontsize": 9, "fontweight": "bold", "gid": "refused"}
"""What is written on a forced figure, and how."""

SUFFIXES = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"))


def styled() -> AbstractContextManager[None]:
    """Within this context Matplotlib draws in `STYLE`; what the user set comes back after."""
    return rc_context(STYLE)  # pyright: ignore[reportArgumentType]


@final
class Plot(Figure):
    """A figure that shows itself in a notebook without pyplot.

    Its layout is constrained, so that it may be resized: ``figure.set_size_inches(3.4, 3.0)``.
    """

    def __init__(self, width: float, height: float) -> None:
        super().__init__(figsize=(width, height), layout="constrained")

    def _repr_png_(self) -> bytes:
        image = BytesIO()
        self.savefig(image, format="png", dpi=120)
        return image.getvalue()


def number(value: float) -> str:
    """A count as people say it: 950, 70M, 1.4T; from 1e15 on in powers of ten.

    Examples
    --------
    >>> number(70e6), number(1.4e12), number(2_000), number(5.76e23)
    ('70M', '1.4T', '2k', '5.76e23')
    """
    if value >= 1e15:
        mantissa, exponent = f"{value:.2e}".split("e")
        return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"
    for size, letter in SUFFIXES:
        if float(f"{value:.3g}") >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"


def power_of_ten(value: float) -> str:
    """A number on a compute axis, in mathtext."""
    exponent = int(np.floor(np.log10(value) + 1e-9))
    mantissa = value / 10.0**exponent
    factor = "" if round(mantissa, 3) == 1 else rf"{mantissa:.3g}\times"
    return rf"${factor}10^{{{exponent}}}$"


def resource_label(resource: Resource) -> str:
    """Meaning, symbol and unit of a resource, for an axis."""
    return f"{resource.meaning} ${resource.name}$ ({resource.unit})"


def parameter_label(parameter: Parameter) -> str:
    """Symbol and unit of a parameter, for an axis."""
    unit = "dimensionless" if parameter.unit == "1" else parameter.unit
    return f"{symbol(parameter)} ({unit})"


def symbol(parameter: Parameter) -> str:
    """Symbol of a parameter in mathtext."""
    from sympy import latex

    return f"${latex(parameter.symbol)}$"


def log_axis(
    axes: Axes,
    which: Literal["x", "y"],
    limits: tuple[float, float],
    write: Callable[[float], str],
    multiples: Sequence[tuple[float, ...]] = MULTIPLES,
) -> None:
    """Make an axis logarithmic, with a handful of ticks at round numbers whatever its span.

    Parameters
    ----------
    axes, which
        The axes, and which of its two.
    limits
        The ends.
    write
        What to write at a tick.
    multiples
        Of powers of ten, where ticks may stand; see `round_numbers`.
    """
    axes.set(**{f"{which}scale": "log", f"{which}lim": limits})
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_locator(FixedLocator(list(round_numbers(*limits, multiples))))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: write(value)))


def round_numbers(
    low: float, high: float, multiples: Sequence[tuple[float, ...]] = MULTIPLES, most: int = 8
) -> np.ndarray:
    """Between `low` and `high`, at most `most` numbers that look round on a logarithmic scale."""
    ticks = np.array([])
    for subs in multiples:
        ticks = np.asarray(LogLocator(subs=subs, numticks=1000).tick_values(low, high))
        ticks = ticks[(ticks >= low * (1 - 1e-9)) & (ticks <= high * (1 + 1e-9))]
        if len(ticks) <= most:
            break
    ticks = ticks[:: max(-(-len(ticks) // most), 1)]
    if len(ticks) < 3:
        ticks = np.asarray(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high))
        ticks = ticks[(ticks >= low) & (ticks <= high)]
    return ticks


def padded(values: np.ndarray, by: float = 0.04) -> tuple[float, float]:
    """Ends of a logarithmic axis with room around positive `values`."""
    low, high = np.log(np.min(values)), np.log(np.max(values))
    room = by * max(high - low, 0.1)
    return float(np.exp(low - room)), float(np.exp(high + room))


def legend_above(figure: Figure, handles: Sequence[Any], *, refused: bool) -> None:
    """Put a legend above all axes, where it covers no data, under a red note where refused."""
    legend = figure.legend(
        handles=handles,
        loc="outside upper left",
        ncols=2,
        frameon=False,
        alignment="left",
        borderaxespad=0.3,
        borderpad=0.2,
        columnspacing=1.2,
        handlelength=1.5,
        handletextpad=0.5,
    )
    if refused:
        legend.set_title(REFUSED)
        legend.get_title().set(**NOTE)


def title_refused(figure: Figure, *, refused: bool) -> None:
    """Put the red note above a figure without a legend there."""
    if refused:
        figure.suptitle(REFUSED, **NOTE)
