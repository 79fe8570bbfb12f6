"""The fit: runs beside the law, residuals, and parameters; of a stack one law after the other."""

from bayescale import plots
from bayescale.posteriors.posterior import Posterior
from bayescale.posteriors.stack import CARRIES
from bayescale.reporting.blocks import Block, Paragraph, Table
from bayescale.reporting.pictures import drawn
from bayescale.reporting.section import Section
from bayescale.reporting.subject import Subject


def write(subject: Subject) -> list[Block]:
    """Figure and table of every law that carries weight."""
    if subject.groups is not None:
        return []  # each group has its own
    weights = subject.posterior.weights
    blocks: list[Block] = []
    for index, (name, post) in enumerate(subject.carried.items()):
        if weights[name] > CARRIES:
            if subject.several:
                blocks.append(Paragraph(f"Law '{name}', of weight {weights[name]:.2f}:"))
            blocks += of_one(post, f"fit{index}", subject.table)
    return blocks


def of_one(post: Posterior, name: str, table: str) -> list[Block]:
    """Formula, fit, residuals and parameters of one posterior.

    Parameters
    ----------
    post
        The posterior.
    name
        Letters that no other picture is called by.
    table
        What its runs are called.
    """
    blocks: list[Block] = [Paragraph(f"L = {post.law.formula_text()}, {post.law.title}.")]
    summary = post.summary()
    if post.runs is not None and post.model is not None:
        alt = (
            f"Loss against compute of the {len(post.runs)} runs of {table} beside the law "
            f"{post.law.name} with its 90% band, and below the residual of each run in percent."
        )
        caption = "Runs, the law and its 90% band of a new run; below, what is left over."
        blocks.append(drawn(lambda: plots.fit(post, force=True), 4.6, f"{name}-runs", alt, caption))
        alt = "Posterior and prior of the exponents, shapes and floor, one by one and in pairs."
        caption = "What the runs say of the exponents; dashed, what was believed before."
        blocks.append(
            drawn(lambda: plots.exponents(post, force=True), None, f"{name}-shape", alt, caption)
        )
    else:
        blocks.append(Paragraph("The draws were made elsewhere, so there are no runs to show."))
    blocks.append(Table.of(summary, "Parameters in the units of the table: posterior quantiles."))
    return blocks


SECTION = Section(40, "The fit and its residuals", write)
