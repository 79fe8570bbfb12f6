"""Calibration: whether forecasts of the table's larger runs from its smaller ones held."""

from bayescale import plots
from bayescale.reporting.blocks import Block, Bullets, Paragraph, Table
from bayescale.reporting.pictures import drawn
from bayescale.reporting.section import Section
from bayescale.reporting.subject import Subject


def write(subject: Subject) -> list[Block]:
    """What `bayescale.calibrate` gave; how to get it where it was not passed."""
    made = subject.calibration
    if made is None:
        return [
            Paragraph(
                "Not asked for. bayescale calibrate TABLE (bayescale.calibrate, passed as "
                "calibration=) cuts the table by compute, forecasts the larger runs from the "
                "smaller ones, and counts how often the intervals held."
            )
        ]
    cuts = len(made.outlook.cuts)
    alt = f"Coverage of intervals against their level, and forecasts at {cuts} cuts of the table."
    caption = "Whether intervals of larger runs held on this table."
    figure = drawn(lambda: plots.calibration(made), 4.8, "calibration", alt, caption)
    table = Table.of(made.summary(), f"Means over {cuts} cuts; widths and errors in log loss.")
    return [Bullets("What came of it", made.advice()), table, figure]


SECTION = Section(55, "Calibration on the table's own cuts", write)
