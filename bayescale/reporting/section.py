"""What a section of a report is; each file of the folder `sections` is one."""

from collections.abc import Callable
from dataclasses import dataclass

from bayescale.reporting.blocks import Block
from bayescale.reporting.subject import Subject


@dataclass(frozen=True)
class Section:
    """A section of a report.

    Parameters
    ----------
    place
        Sections stand in the order of their places.
    title
        Its heading.
    write
        Its blocks for a subject; a section without any is left out.
    """

    place: int
    title: str
    write: Callable[[Subject], list[Block]]
