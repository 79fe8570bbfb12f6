"""Next runs: what to train to know the optimum better."""

from bayescale import plots
from bayescale.plots.style import number
from bayescale.reporting.blocks import Block, Bullets, Paragraph, Table
from bayescale.reporting.pictures import drawn
from bayescale.reporting.section import Section
from bayescale.reporting.subject import Subject


def write(subject: Subject) -> list[Block]:
    """The design's runs and what they are worth; how to get one where there is none."""
    made = subject.design
    if made is None:
        return [
            Paragraph(
                "No budget for further runs was given; bayescale design fit.nc --budget 1e20 --at "
                "1e24, or --next-runs 1e20 of bayescale report, names those worth making."
            )
        ]
    alt = (
        "Candidates by model size and training data, coloured by what one run of each tells of "
        f"the optimum at {number(made.at)} FLOP; circles around those chosen."
    )
    caption = "What a run tells, in nats, and the runs that were chosen."
    return [
        Bullets("What they are worth", made.advice()),
        Table.of(made.table.rename_axis("run"), "The runs, cost in FLOP, gain in nats."),
        Table.of(made.summary(), "How well log N* and log L* are known now and after."),
        drawn(lambda: plots.design(made, subject.runs), 4.4, "design", alt, caption),
    ]


SECTION = Section(80, "Next runs", write)
