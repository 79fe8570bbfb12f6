"""How every plot looks: font, palette, axes, and how numbers are written on them."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
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

GREEN, PURPLE, SKY = "#009e73", "#cc79a7", "#56b4e9"
DASHED, DOTTED = (0, (4, 2)), (0, (1, 1.2))
LOOKS: tuple[tuple[str, str, Any], ...] = (
    (BLUE, "o", "-"),
    (ORANGE, "s", DASHED),
    (GREEN, "^", DOTTED),
    (PURPLE, "v", (0, (6, 2, 1, 2))),
    (SKY, "P", (0, (3, 1, 1, 1, 1, 1))),
)
"""Colour (Okabe and Ito 2008), marker and dashes of each of several things, which are told apart
without colour too; with more they come round again."""

SHADE, SHADE_EDGE = "#f3f1ea", "#d8d4c4"
"""A range that is shaded, and its edge in a legend."""

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
    """A figure that shows itself once in a notebook, whether pyplot knows of it or not.

    Its layout is constrained, so that it may be resized: ``figure.set_size_inches(3.4, 3.0)``.
    """

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, bytes]:
        """The figure as PNG. What was shown as a value is not shown again at the cell's end."""
        pyplot = sys.modules.get("matplotlib.pyplot")
        if pyplot is not None:
            pyplot.close(self)  # for pyplot only: the figure itself stays as it is
        return {"image/png": self._repr_png_()}

    def _repr_png_(self) -> bytes:
        image = BytesIO()
        with styled():
            self.savefig(image, format="png", dpi=120)
        return image.getvalue()


_BY_PYPLOT: ContextVar[bool] = ContextVar("by pyplot", default=False)


@contextmanager
def by_pyplot() -> Iterator[None]:
    """Within this context new figures are pyplot's, so that ``plt.show()`` shows them.

    If drawing fails, what was begun is closed.
    """
    from matplotlib import pyplot

    before, token = set(pyplot.get_fignums()), _BY_PYPLOT.set(True)
    try:
        yield
    except BaseException:
        for begun in set(pyplot.get_fignums()) - before:
            pyplot.close(begun)
        raise
    finally:
        _BY_PYPLOT.reset(token)


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of a size in inches; of no global state but within `by_pyplot`."""
    options: dict[str, Any] = {"figsize": (width, height), "layout": "constrained"}
    if not _BY_PYPLOT.get():
        return Plot(**options)
    from matplotlib import pyplot

    return pyplot.figure(FigureClass=Plot, **options)


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
    # Where the multiples asked for give hardly a tick, as of decades within one decade, finer ones.
    for subs in (*multiples, *MULTIPLES):
        ticks = np.asarray(LogLocator(subs=subs, numticks=1000).tick_values(low, high))
        ticks = ticks[(ticks >= low * (1 - 1e-9)) & (ticks <= high * (1 + 1e-9))]
        if (3 if subs in multiples else 2) <= len(ticks) <= most:
            break
    ticks = ticks[:: max(-(-len(ticks) // most), 1)]
    if len(ticks) < 3:
        ticks = np.asarray(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high))
        ticks = ticks[(ticks >= low) & (ticks <= high)]
    return ticks


def padded(values: np.ndarray, by: float = 0.04) -> tuple[float, float]:
    """Ends of a logarithmic axis with room around positive `values`."""
    low, high = np.log(np.min(values)), np.log(np.max(values))
    room = by * max(high - low, 0.1)
    return float(np.exp(low - room)), float(np.exp(high + room))


def frame(
    figure: Figure,
    title: str,
    handles: Sequence[Any],
    *,
    refused: bool,
    columns: int = 2,
) -> None:
    """Put a title above all axes and a legend below them, where neither covers data.

    Parameters
    ----------
    figure
        The figure.
    title
        What is drawn, of which table, how many runs and which law; wrapped at the figure's width.
    handles
        One for every kind of mark; none leaves the legend out.
    refused
        Whether a red note stands above the title.
    columns
        Columns of the legend.
    """
    head = figure.suptitle(
        f"\n{title}" if refused else title,
        x=0.012,
        ha="left",
        fontsize=9,
        wrap=True,
        parse_math=False,
        gid="title",
    )
    if refused:  # on the empty first line of the title, wherever the layout puts that
        note = figure.axes[0].annotate(
            REFUSED, (0, 1), xycoords=head, va="top", ha="left", annotation_clip=False, **NOTE
        )
        note.set_in_layout(False)
    if handles:
        figure.legend(
            handles=handles,
            loc="outside lower left",
            ncols=columns,
            frameon=False,
            alignment="left",
            borderaxespad=0.3,
            borderpad=0.2,
            columnspacing=1.2,
            handlelength=1.8,
            handletextpad=0.5,
        )
