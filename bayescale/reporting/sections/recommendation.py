"""The recommendation: the plan with its valley, its regret, what it takes, and the present plan."""

from bayescale import plots
from bayescale.planning.result import Plan
from bayescale.plots.style import number
from bayescale.reporting.blocks import Block, Paragraph, Table
from bayescale.reporting.pictures import drawn
from bayescale.reporting.section import Section
from bayescale.reporting.subject import Subject


def write(subject: Subject) -> list[Block]:
    """The plan's tables and figures; a sentence where there is no plan."""
    plan = subject.plan
    if plan is None:
        return [
            Paragraph(
                "No budget was given, so nothing is recommended; bayescale report fit.nc --compute "
                "1e24 plans one, --target 2.0 the budget of a loss."
            )
        ]
    blocks: list[Block] = []
    if plan.targets is not None:
        caption = "What each target takes, compute in FLOP; reached is the highest confidence."
        blocks.append(Table.of(plan.targets.summary(), caption))
        blocks.append(_target(plan))
    if not plan.compute.size:
        return blocks
    caption = (
        f"The optimum of every draw (10, 50 and 90% quantiles) and the one choice recommended, by "
        f"objective {plan.objective.name} and cost {plan.cost.name}."
    )
    blocks.append(Table.of(plan.summary(), caption))
    if plan.line.spends_size_and_data:
        blocks += _sized(plan)
    if plan.present is not None:
        caption = "The present plan: loss, regret (nats) and waste (its compute over the least)."
        blocks.append(Table.of(plan.present.summary(), caption))
    if len(plan.exponents()):
        caption = "How the optimum moves: resource* ~ compute^exponent, whatever the form."
        blocks.append(Table.of(plan.exponents(), caption))
    return blocks


def _target(plan: Plan) -> Block:
    assert plan.targets is not None
    goals = ", ".join(f"{loss:g}" for loss in plan.targets.loss)
    alt = (
        f"Above, the loss that a budget reaches with its 50% and 90% bands, and the targets "
        f"{goals} as lines; below, the probability of each target against compute."
    )
    return drawn(lambda: plots.target(plan), 4.8, "target", alt, "What a budget reaches.")


def _sized(plan: Plan) -> list[Block]:
    """What is known of costs in N and D only."""
    valley, regret = plan.valley(), plan.regret.mean(axis=0)
    row = valley.iloc[-1]
    told = (
        f"N hardly matters near the optimum: any N from {number(row['N_low'])} to "
        f"{number(row['N_high'])} costs less than {row['extra']:.0%} extra compute. The one choice "
        f"is expected to lie {regret[-1]:.2g} nats above the optimum that would be chosen if the "
        "law were known."
    )
    alt = (
        f"Loss and regret against model size at {number(plan.compute[-1])} FLOP, with 50% and 90% "
        f"bands; the valley from N {number(row['N_low'])} to {number(row['N_high'])} is shaded, "
        f"the recommended N {number(row['N'])} marked."
    )
    caption = "Loss and regret along the budget; shaded, what costs less than 1% extra compute."
    bill = Table.of(plan.bill(), "What the recommended choice takes; training and serving in FLOP.")
    return [Paragraph(told), drawn(lambda: plots.valley(plan), 4.6, "valley", alt, caption), bill]


SECTION = Section(20, "What to train", write)
