"""The groups of a pooled fit: the population, and each group by itself."""

from bayescale.reporting.blocks import Block, Paragraph, Table
from bayescale.reporting.section import Section
from bayescale.reporting.sections.fit import of_one
from bayescale.reporting.subject import Subject

MOST = 6
"""Groups whose fit is drawn; the table has all."""


def write(subject: Subject) -> list[Block]:
    """Population and spreads, the parameters of each group, and the fit of the first few."""
    groups = subject.groups
    if groups is None:
        return []
    told = f"{len(groups.groups)} groups by '{groups.pooling.column}' were fitted together."
    blocks: list[Block] = [
        Paragraph(f"{told} A plan or planner is of one group: make the report of that group."),
        Table.of(groups.summary(), "The population, and the spreads between groups."),
        Table.of(
            groups.summary(groups=True).drop(columns=["r_hat", "ess_bulk", "ess_tail"]),
            "Each group's parameters.",
        ),
    ]
    for index, name in enumerate(groups.groups[:MOST]):
        blocks.append(Paragraph(f"Group '{name}':"))
        blocks += of_one(groups.group(name), f"group{index}", f"{subject.table}, group {name}")
    if len(groups.groups) > MOST:
        blocks.append(Paragraph(f"The fits of {len(groups.groups) - MOST} more are not drawn."))
    return blocks


SECTION = Section(45, "Groups", write)
