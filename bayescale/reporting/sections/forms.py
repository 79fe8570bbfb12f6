"""Forms compared: what each law would say, and how much the form matters."""

from bayescale.reporting.blocks import Block, Paragraph, Table
from bayescale.reporting.section import Section
from bayescale.reporting.subject import Subject


def write(subject: Subject) -> list[Block]:
    """Weights and scores of a stack, and the plan of each law alone."""
    if not subject.several:
        name = subject.posterior.first.law.name
        told = (
            f"One form was fitted, law '{name}', so this report does not know how much the form "
            "matters. Fit another and pass both: bayescale report one.nc other.nc."
        )
        return [Paragraph(told)]
    caption = "Weight of each law in the stack, and the scores that it rests on."
    blocks: list[Block] = [Table.of(subject.posterior.summary(), caption)]
    if subject.plan is not None and subject.plan.compute.size:
        blocks.append(
            Table.of(subject.plan.laws(), "What each law would recommend alone (medians).")
        )
    return blocks


SECTION = Section(60, "Forms compared", write)
