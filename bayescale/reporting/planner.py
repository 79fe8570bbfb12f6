"""`planner`: a page whose sliders plan, from a posterior's draws, without a server."""

import os
from pathlib import Path

from bayescale.errors import UsageError
from bayescale.planning.result import Plan
from bayescale.posteriors.abstract import AbstractPosterior
from bayescale.reporting.blocks import PlannerBlock
from bayescale.reporting.framed import FramedPage
from bayescale.reporting.page import Written, render, require_page, write_page
from bayescale.reporting.planner_data import DRAWS, planner_data
from bayescale.reporting.report import lead_of
from bayescale.reporting.subject import Subject

__all__ = ["planner"]


def planner(
    posterior: AbstractPosterior,
    plan: Plan | None = None,
    path: str | os.PathLike = "planner.html",
    *,
    draws: int = DRAWS,
    force: bool = False,
) -> Path:
    """Write a planner as one HTML file, which needs no network and no server.

    Sliders for the budget, the target loss and its confidence, tokens to be served, unique tokens
    and the price of a GPU hour; what `bayescale.plan` would say follows them, computed from thinned
    draws. The address of the page keeps the sliders, so that a link holds them.

    Parameters
    ----------
    posterior
        A posterior of a law of the share family (additive, share and their kin), or a stack of
        such.
    plan
        What `bayescale.plan` gave for it: the sliders begin with its budget, target, limits and
        price.
    path
        Where to; an existing file is replaced.
    draws
        Most draws in the page, from 1 on; 200 to 1,000 are quick on a telephone.
    force
        Write it even where the gate refuses; the page then says so first.

    Returns
    -------
    pathlib.Path
        The path, which a notebook shows as the page itself, in a frame.

    Raises
    ------
    DiagnosticsRefused
        If the gate refuses and `force` is not given.
    UsageError
        If the law or the cost is not one that the page can compute, or the posterior is of several
        groups.
    OutputError
        If the file cannot be written.
    """
    require_page(Path(path))
    subject = Subject.of(posterior, plan)
    subject.diagnosis.require(force=force)
    if subject.groups is not None:
        raise UsageError(
            "the planner page is of one group; pass one group's posterior, such as "
            f"post.group('{subject.groups.groups[0]}') (--group)."
        )
    block = PlannerBlock(planner_data(subject.posterior, plan, draws))
    section = Written("planner", "What to train with a budget, and for a target", [block])
    text = render(f"Planner: {subject.table}", lead_of(subject), subject.diagnosis, [section])
    return FramedPage(write_page(text, path))
