"""`report`: everything that a posterior and its plan say, in one page to hand over."""

import os
import warnings
from collections.abc import Sequence
from pathlib import Path

from bayescale.designing.design import Design
from bayescale.errors import DiagnosticsWarning
from bayescale.planning.result import Plan
from bayescale.posteriors.abstract import AbstractPosterior
from bayescale.posteriors.groups import GroupPosterior
from bayescale.reporting.page import Written, render, require_page, write_page
from bayescale.reporting.sections import in_order
from bayescale.reporting.subject import Subject
from bayescale.validation.calibrate import Calibration

__all__ = ["report"]


def report(
    posterior: AbstractPosterior | GroupPosterior,
    plan: Plan | None = None,
    path: str | os.PathLike = "report.html",
    *,
    design: Design | None = None,
    calibration: Calibration | None = None,
    commands: Sequence[str] = (),
    force: bool = False,
) -> Path:
    """Write a report as one HTML file, which needs no network.

    The answer comes first, in two sentences; then the plan with its valley and regret, a planner,
    the frontier, the fit and its residuals, what the gate and the audit say, forms compared,
    outliers by name, the next runs, provenance, and a glossary. What was not made is said so in a
    sentence. The file prints, and reads on a telephone, in light and in dark.

    Parameters
    ----------
    posterior
        A posterior, a stack of several laws, or a posterior of groups.
    plan
        What `bayescale.plan` gave for it.
    path
        Where to; an existing file is replaced.
    design
        What `bayescale.design` gave: the next runs.
    calibration
        What `bayescale.calibrate` gave for the same table.
    commands
        Lines that repeat the plan and the report, shown beside the fit's.
    force
        Report even where the gate refuses; the page then says so first.

    Returns
    -------
    pathlib.Path
        The path.

    Raises
    ------
    DiagnosticsRefused
        If the gate refuses and `force` is not given.
    UsageError
        If an argument is something else.
    OutputError
        If the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> import bayescale as bs
    >>> published = {"E": 1.8172, "A": 482.01, "B": 2085.43, "alpha": 0.3478, "beta": 0.3658}
    >>> post = bs.Posterior.from_draws("chinchilla", published)
    >>> plan = bs.plan(post, compute=5.76e23)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     page = bs.report(post, plan, f"{folder}/report.html").read_text("utf-8")
    >>> "With 5.76e23 FLOP, train N = 72.2B" in page
    True
    """
    require_page(Path(path))
    subject = Subject.of(posterior, plan, design=design, calibration=calibration, commands=commands)
    subject.diagnosis.require(force=force)
    return write_page(_page(subject), path)


def _page(subject: Subject) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DiagnosticsWarning)  # the page says them
        sections = [
            Written(name, section.title, blocks)
            for name, section in in_order().items()
            if (blocks := section.write(subject))
        ]
    return render(f"Scaling report: {subject.table}", lead_of(subject), subject.diagnosis, sections)


def lead_of(subject: Subject) -> str:
    """What was fitted, in a line."""
    record = subject.posterior.first.record
    laws = ", ".join(f"{n} ({w:.2f})" for n, w in subject.posterior.weights.items())
    told = f"stack of {laws}" if subject.several else f"law {subject.posterior.first.law.name}"
    runs = f"{record['n_runs']} runs of " if "n_runs" in record else ""
    made = f"engine {record.get('engine')}, seed {subject.posterior.seed}"
    return f"{runs}{subject.table}; {told}; {made}."
