"""The checks of the audit: each module is one, its class ``Check``."""

from bayescale.auditing.check import AbstractCheck, Audited
from bayescale.auditing.finding import Finding, Severity
from bayescale.registry import Folder

__all__ = ["CHECKS", "AbstractCheck", "Audited", "Finding", "Severity"]

CHECKS: Folder[AbstractCheck] = Folder(__name__, lambda module: module.Check())
"""Checks by name; each is the class ``Check`` of the module of that name."""
