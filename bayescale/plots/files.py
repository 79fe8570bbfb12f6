"""Write a figure to a file."""

import os
from io import BytesIO
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from bayescale.atomic_write import write_whole
from bayescale.errors import UsageError
from bayescale.plots import style

DPI = 200
"""Dots per inch of a PNG."""

METADATA: dict[str, dict[str, Any]] = {
    ".png": {},
    ".pdf": {"CreationDate": None},
    ".svg": {"Date": None},
}
"""Suffix -> metadata: without a date, the same figure gives the same file."""


def save(figure: Figure, path: str | os.PathLike) -> Path:
    """Write a figure in the format of the suffix; the file appears whole or not at all.

    Parameters
    ----------
    figure
        Any Matplotlib figure.
    path
        Where to; an existing file is replaced.

    Returns
    -------
    pathlib.Path
        The path.

    Raises
    ------
    UsageError
        If the suffix is none of `METADATA`.
    OutputError
        If the file cannot be written.
    """
    target = Path(path)
    require_suffix(target.suffix, target)
    return write_whole(target, drawn_bytes(figure, target.suffix))


def require_suffix(suffix: str, target: Path) -> None:
    """Refuse a suffix of which no figure is written.

    Raises
    ------
    UsageError
        If it is none of `METADATA`.
    """
    if suffix.lower() not in METADATA:
        raise UsageError(
            f"the figure cannot be written to '{target}': its suffix is '{suffix}' and must be one "
            f"of {', '.join(METADATA)}."
        )


def drawn_bytes(figure: Figure, suffix: str) -> bytes:
    """A figure as the bytes of a file of a suffix; the same figure gives the same bytes."""
    image, kind = BytesIO(), suffix.lower()
    with style.styled():
        figure.savefig(image, format=kind[1:], dpi=DPI, metadata=METADATA[kind])
    return image.getvalue()
