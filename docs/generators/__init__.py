"""Pages that are made from the registries when the site is built: each module is one kind.

A module has a ``TITLE``, the section of the navigation ``UNDER`` which it stands, and a function
``pages`` from nothing to Markdown by path. A law, a likelihood, a subcommand or a public name that
is added to the code has its page at the next build, and a new kind of page is one file here.
"""

from types import ModuleType

from bayescale.registry import Folder

GENERATORS: Folder[ModuleType] = Folder(__name__, lambda module: module)
"""Every kind of page, by the name of its module."""


def every_page() -> dict[str, str]:
    """Markdown of every generated page, by its path in the site's sources."""
    return {path: text for kind in GENERATORS.values() for path, text in kind.pages().items()}
