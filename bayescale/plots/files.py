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
    suffix = target.suffix.lower()
    if suffix not in METADATA:
        raise UsageError(
            f"the figure cannot be written to '{target}': its suffix is '{target.suffix}' and must "
            f"be one of {', '.join(METADATA)}."
        )
    image = BytesIO()
    with style.styled():
        figure.savefig(image, format=suffix[1:], dpi=DPI, metadata=METADATA[suffix])
    return write_whole(target, image.getvalue())
