"""A page for each plot."""

import inspect
from pathlib import Path

from bayescale.plots import FIGURES
from docs.markdown import code, home, index, page, sentence, shown

TITLE, UNDER = "Plots", "Reference"

ASSETS = Path(__file__).parents[1] / "assets"


def pages() -> dict[str, str]:
    """One page a plot, and their list."""
    told = (
        "Each plot is a function that returns a Matplotlib figure; `bs.plots.save(figure, path)` "
        "writes it as PNG, SVG or PDF. Bands and legends are described on the page of each."
    )
    entries = {name: [sentence(plot)] for name, plot in FIGURES.items()}
    listed = index("Plots", told, ["name", "what is drawn"], entries)
    return {
        "plots/index.md": listed,
        **{f"plots/{name}.md": _page(name, plot) for name, plot in FIGURES.items()},
    }


def _page(name: str, plot: object) -> str:
    first = next(iter(inspect.signature(plot).parameters))  # pyright: ignore[reportArgumentType]
    drawn = (ASSETS / f"{name}.png").is_file()
    return page(
        f"`bs.plots.{name}`",
        code(f'figure = bs.plots.{name}({first})\nbs.plots.save(figure, "{name}.svg")'),
        f"![{sentence(plot)} Of the runs of tiny_lm.](../assets/{name}.png)" if drawn else "",
        shown(home(plot), show_root_heading=False),
    )
