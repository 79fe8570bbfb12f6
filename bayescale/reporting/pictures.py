"""Figures as parts of a page: SVG whose names clash with no other's, text that stays text.

Matplotlib's SVG is written for a file of its own: it has a document type and addresses of name
spaces, metadata, a style for every element of the page, and names that another figure may use
too. Within HTML none of these may stay. A figure of very many marks becomes a PNG.
"""

import base64
import re
from collections.abc import Callable
from io import BytesIO
from xml.etree import ElementTree

from matplotlib.figure import Figure

from bayescale.errors import UsageError
from bayescale.plots import style
from bayescale.reporting.blocks import Block, Paragraph, Picture

WIDTH = 4.6
"""Inches: so that text can be read at the width of a telephone as on a desk."""

LEAST_WIDTH = 30
"""Width, in rem, below which a figure of its own size is scrolled and not made smaller."""

MOST_BYTES = 400_000
"""A larger SVG is drawn as a PNG."""

DPI = 160
"""Dots per inch of that PNG."""

DROPPED = ("metadata", "style")
"""Elements of Matplotlib's that mean nothing, or too much, within a page."""

_NAMED, _USED = re.compile(r"url\(#([^)]+)\)"), re.compile(r'href="#([^"]+)"')
"""How an element refers to another; names that nothing refers to are dropped."""


def picture(figure: Figure, height: float | None, name: str, alt: str, caption: str) -> Picture:
    """A figure as a block.

    Parameters
    ----------
    figure
        Any Matplotlib figure.
    height
        Inches, at the width of a page; None keeps the figure's own size.
    name
        Letters that no other picture of the page is called by.
    alt, caption
        What it shows, in words; what stands below it.
    """
    if height is not None:
        figure.set_size_inches(WIDTH, height)
    drawn = BytesIO()
    with style.styled():
        figure.savefig(drawn, format="svg", metadata={"Date": None, "Creator": None})
    if len(drawn.getvalue()) <= MOST_BYTES:
        least = 0 if height is not None else LEAST_WIDTH
        markup = inline_svg(drawn.getvalue(), name, alt, least)
        return Picture(markup, alt, caption, height is None)
    image = BytesIO()
    with style.styled():
        figure.savefig(image, format="png", dpi=DPI)
    return Picture(_img(image.getvalue(), alt), alt, caption)


def drawn(
    make: Callable[[], Figure], height: float | None, name: str, alt: str, caption: str
) -> Block:
    """A picture, or a paragraph that says why this one cannot be drawn; see `picture`."""
    try:
        return picture(make(), height, name, alt, caption)
    except UsageError as error:
        return Paragraph(f"No figure here: {error}")


def inline_svg(text: bytes, name: str, alt: str, least: int = 0) -> str:
    """SVG of a file as an element within HTML.

    Parameters
    ----------
    text
        What Matplotlib wrote.
    name
        Put before every name, so that two figures share none.
    alt
        The label of the element.
    least
        Least width in rem.
    """
    root = ElementTree.fromstring(text)
    for parent in root.iter():
        for child in [one for one in parent if _bare(one.tag) in DROPPED]:
            parent.remove(child)
    named = {*_NAMED.findall(text.decode()), *_USED.findall(text.decode())}
    for element in root.iter():
        element.tag = _bare(element.tag)
        own = {_bare(key): value for key, value in element.attrib.items()}
        if own.get("id") in named:
            own["id"] = f"{name}-{own['id']}"
        else:
            own.pop("id", None)
        if own.get("href", "").startswith("#"):
            own["href"] = f"#{name}-{own['href'][1:]}"
        element.attrib.clear()
        for key, value in own.items():
            element.set(key, _NAMED.sub(rf"url(#{name}-\1)", value))
    for key in ("width", "height", "version"):
        root.attrib.pop(key, None)
    root.set("role", "img")
    root.set("aria-label", alt)
    style_of_all = f"stroke-linejoin: round; stroke-linecap: butt; min-width: {least}rem"
    root.set("style", style_of_all)
    return ElementTree.tostring(root, encoding="unicode")


def _bare(name: str) -> str:
    """A name without its name space."""
    return name.rpartition("}")[2]


def _img(image: bytes, alt: str) -> str:
    from markupsafe import escape

    data = base64.b64encode(image).decode("ascii")
    return f'<img src="data:image/png;base64,{data}" alt="{escape(alt)}">'
