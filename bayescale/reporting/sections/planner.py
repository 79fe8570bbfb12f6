"""The planner: the reader's own budget, target and prices, computed in the page."""

from bayescale.errors import UsageError
from bayescale.reporting.blocks import Block, Paragraph, PlannerBlock
from bayescale.reporting.planner_data import planner_data
from bayescale.reporting.section import Section
from bayescale.reporting.subject import Subject


def write(subject: Subject) -> list[Block]:
    """The planner; a sentence for laws that the page cannot compute."""
    if subject.groups is not None:
        return [Paragraph("There is no planner for groups; make the report of one group.")]
    try:
        return [PlannerBlock(planner_data(subject.posterior, subject.plan))]
    except UsageError as error:
        return [Paragraph(f"There is no planner here: {error}")]


SECTION = Section(25, "Planner", write)
