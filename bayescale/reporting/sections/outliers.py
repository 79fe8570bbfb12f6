"""Outliers: the runs that the likelihood takes for faults, by name."""

import numpy as np

from bayescale.models.outliers import LIKELY
from bayescale.reporting.blocks import Block, Paragraph, Table
from bayescale.reporting.section import Section
from bayescale.reporting.subject import Subject

MOST, FEW = 20, 3
"""Outliers that are listed; runs that are where there is none."""


def write(subject: Subject) -> list[Block]:
    """Runs that are outliers more likely than not; the likeliest where none is."""
    post = subject.carried_first
    if post.model is None or post.runs is None:
        return [Paragraph("The runs are not known, so no outlier can be named.")]
    if subject.groups is not None:
        return [Paragraph("Outliers are told group by group: make the report of one group.")]
    table = post.outliers()
    count = int(np.sum(table["probability"] > LIKELY))
    law = f" by law '{post.law.name}'" if subject.several else ""
    if not count:
        told = f"No run is an outlier more likely than not{law}; the likeliest are these."
    else:
        what = "run is an outlier" if count == 1 else "runs are outliers"
        told = f"{count} {what} more likely than not{law}; look at how they were made."
        if count > MOST:
            told += f" The {MOST} likeliest are listed."
    shown = table.head(min(max(count, FEW), MOST))
    caption = "Loss, fitted loss, residual in noise scales, and probability of being an outlier."
    return [Paragraph(told), Table.of(shown, caption)]


SECTION = Section(70, "Outliers", write)
