"""The formats of logs: each module is one, its class ``Format``."""

from bayescale.logs.format import AbstractFormat
from bayescale.logs.run_log import RunLog
from bayescale.registry import Folder

__all__ = ["FORMATS", "AbstractFormat", "RunLog"]

FORMATS: Folder[AbstractFormat] = Folder(__name__, lambda module: module.Format())
"""Formats of logs by name; each is the class ``Format`` of the module of that name."""
