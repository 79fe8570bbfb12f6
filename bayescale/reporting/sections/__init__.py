"""Every section of a report is a module of this folder, which names it `SECTION`."""

from bayescale.registry import Folder
from bayescale.reporting.section import Section

SECTIONS: Folder[Section] = Folder(__name__, lambda module: module.SECTION)
"""Every section, by name."""


def in_order() -> dict[str, Section]:
    """Every section by name, in the order of their places."""
    return dict(sorted(SECTIONS.items(), key=lambda item: item[1].place))
