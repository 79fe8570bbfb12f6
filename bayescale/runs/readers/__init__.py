"""The file formats of a table of runs: each module is one, its class ``Reader``."""

from bayescale.registry import Folder
from bayescale.runs.reader import AbstractReader, Source

__all__ = ["READERS", "AbstractReader", "Source"]

READERS: Folder[AbstractReader] = Folder(__name__, lambda module: module.Reader())
"""File formats by name; each is the class ``Reader`` of the module of that name."""
