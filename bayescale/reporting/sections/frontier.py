"""The frontier: what is best at every budget."""

from bayescale import plots
from bayescale.plots.style import number
from bayescale.reporting.blocks import Block, Paragraph
from bayescale.reporting.pictures import drawn
from bayescale.reporting.section import Section
from bayescale.reporting.subject import Subject


def write(subject: Subject) -> list[Block]:
    """The frontier of the law that carries most weight."""
    name, post = next(iter(subject.carried.items()))
    plan = None if subject.several or subject.groups is not None else subject.plan
    if post.runs is None and (plan is None or not plan.compute.size):
        return [Paragraph("The runs are not known and no budget was given: there is no frontier.")]
    blocks: list[Block] = []
    if subject.several:
        blocks.append(Paragraph(f"Of law '{name}', which carries most weight in the stack."))
    if plan is not None and not plan.line.plain:
        blocks.append(Paragraph("The frontier is that without limits, serving and repeated data."))
    until = " in"
    if plan is not None and plan.compute.size:
        until = f" up to {number(plan.compute[-1])}"
    alt = (
        f"Compute-optimal model size, tokens per parameter, and loss against compute{until} FLOP, "
        "each the median with its 50% and 90% bands; the runs are points, beyond the largest of "
        "them the ground is shaded."
    )
    if plan is None or not plan.compute.size:
        figure = drawn(lambda: plots.frontier(post, force=True), 5.8, "frontier", alt, CAPTION)
    else:
        cost = plan.cost
        figure = drawn(
            lambda: plots.frontier(post, plan, cost=cost, force=True), 5.8, "frontier", alt, CAPTION
        )
    return [*blocks, figure]


CAPTION = (
    "What is best at every budget, by the law alone: what it may be wrong by beyond the runs is in "
    "the plan's intervals, not in these bands."
)
SECTION = Section(30, "The frontier", write)
