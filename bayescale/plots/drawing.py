"""From a kind of figure and a result to the figure: what the results' ``plot`` and the CLI call.

A kind is a module of `bayescale.plots.figures`. Its function, called after the module, draws the
type of its first parameter. Where that is not a posterior, the module's ``subject`` makes it from
one, so that a posterior draws every kind; ``beside`` says what else of the posterior is shown. The
options of a kind are the keywords of these functions: nothing lists them again.
"""

import inspect
import sys
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any, get_type_hints

from matplotlib.figure import Figure

from bayescale.errors import UsageError
from bayescale.plots import FIGURES, style
from bayescale.plots.subjects import Fitted
from theory.errors import did_you_mean


def draw(thing: Any, kind: str, *, pyplot: bool = False, **options: Any) -> Figure:
    """Draw a result as a kind of figure.

    Parameters
    ----------
    thing
        A posterior, of which every kind is drawn that can be made from one, or the result that the
        kind draws.
    kind
        A name in ``bs.plots.FIGURES``.
    pyplot
        Whether ``matplotlib.pyplot`` is told of the figure, so that ``plt.show()`` shows it.
    **options
        Keywords of the figure, and of what is made for it.

    Raises
    ------
    UsageError
        If there is no such kind, it does not draw this, or an option is unknown or missing.
    """
    plot = figure_of(kind)
    made, shown = thing, options
    if not isinstance(thing, takes(plot)):
        make = _from_posterior(thing, kind, plot)
        own = {name: value for name, value in options.items() if name in _keywords(make)}
        shown = {name: value for name, value in options.items() if name not in own}
        _require(kind, {**_keywords(make), **_keywords(plot)}, options)
        made = make(thing, **own)
        beside = getattr(sys.modules[plot.__module__], "beside", None)
        shown = (beside(thing) if beside else {}) | shown
    else:
        _require(kind, _keywords(plot), options)
    with style.by_pyplot() if pyplot else nullcontext():
        return plot(made, **shown)


def figure_of(kind: str) -> Callable[..., Figure]:
    """The function that draws a kind.

    Raises
    ------
    UsageError
        If there is none.
    """
    if kind not in FIGURES:
        raise UsageError(f"no figure called '{kind}'.{did_you_mean(kind, FIGURES)}")
    return FIGURES[kind]


def takes(plot: Callable[..., Figure]) -> Any:
    """Type of what a figure draws: a class, or a union of some."""
    first = next(iter(inspect.signature(plot).parameters), None)
    return () if first is None else get_type_hints(plot)[first]


def kinds_of(thing: Any) -> list[str]:
    """Kinds of figure that are drawn of a result, or of what is made from it."""
    made = isinstance(thing, Fitted)
    return [
        name
        for name, plot in FIGURES.items()
        if isinstance(thing, takes(plot)) or (made and _subject(plot) is not None)
    ]


def _subject(plot: Callable[..., Figure]) -> Callable[..., Any] | None:
    """What makes the subject of a figure from a posterior, where that can be made."""
    return getattr(sys.modules[plot.__module__], "subject", None)


def _from_posterior(thing: Any, kind: str, plot: Callable[..., Figure]) -> Callable[..., Any]:
    """As `_subject`, of a posterior only."""
    make = _subject(plot)
    if make is not None and isinstance(thing, Fitted):
        return make
    named = type(thing).__name__
    own = ", ".join(kinds_of(thing)) or "no figure"
    raise UsageError(f"figure '{kind}' is not drawn of a {named}; of that there is {own}.")


def _keywords(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """Options of a function: its parameters but the first."""
    return dict([*inspect.signature(function).parameters.items()][1:])


def _require(kind: str, known: Mapping[str, inspect.Parameter], given: Mapping[str, Any]) -> None:
    """Refuse options that are unknown or missing."""
    if unknown := [name for name in given if name not in known]:
        told = did_you_mean(unknown[0], known) if known else " It takes none."
        raise UsageError(f"figure '{kind}' has no option '{unknown[0]}'.{told}")
    needed = [n for n, one in known.items() if one.default is one.empty and n not in given]
    if needed:
        told = " and ".join(f"{name}= (--{name.replace('_', '-')})" for name in needed)
        raise UsageError(f"figure '{kind}' of a posterior needs {told}; give it too.")
