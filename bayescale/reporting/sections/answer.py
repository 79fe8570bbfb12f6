"""The answer: what to do, and how far to believe it, in two sentences."""

import numpy as np

from bayescale.planning.frontier import QUANTILES
from bayescale.planning.result import Plan
from bayescale.plots.style import number
from bayescale.reporting.blocks import Block, Paragraph
from bayescale.reporting.section import Section
from bayescale.reporting.subject import Subject

LABELS = ("form: ", "belief: ", "next: ")
"""What `Posterior.advice` begins its sentences with, in their order."""


def write(subject: Subject) -> list[Block]:
    """The plan, or without one the form; and how far the forecast may be believed."""
    form, belief, following = (
        told.removeprefix(label)
        for told, label in zip(subject.carried_first.advice(), LABELS, strict=True)
    )
    plan = subject.plan
    first = _sentence(form) if plan is None else planned(plan)
    blocks = [first, _sentence(belief)]
    if subject.several:
        name = next(iter(subject.carried))
        blocks[1] = f"Of law '{name}', which carries most weight: {belief}"
    if plan is None:
        blocks.append(_sentence(following))
    return [Paragraph(" ".join(blocks))]


def planned(plan: Plan) -> str:
    """What a plan recommends at its last budget, or for its last target, in a sentence."""
    if not plan.compute.size:
        assert plan.targets is not None
        return _sentence(plan.targets.reasons()[-1])
    row, j = plan.recommended.iloc[-1], len(plan.compute) - 1
    low, high = QUANTILES["q10"], QUANTILES["q90"]
    sizes = []
    for name in plan.resources:
        ends = np.quantile(plan.resources[name][:, j], [low, high])
        sizes.append(f"{name} = {number(row[name])} ({number(ends[0])} to {number(ends[1])})")
    ends = np.quantile(plan.loss[:, j], [low, high])
    loss = f"loss of {row['loss']:.4g} ({ends[0]:.4g} to {ends[1]:.4g})"
    told = f"train {' and '.join(sizes)}, and expect a {loss}; in brackets are 80% intervals."
    budget = f"{number(plan.compute[-1])} FLOP"
    if plan.targets is None:
        return f"With {budget}, {told}"
    targets = plan.targets
    if np.isfinite(targets.compute[-1]):
        aim = f"a loss of {targets.loss[-1]:g} with probability {targets.confidence:g}"
        return f"To reach {aim}, spend {budget}: {told}"
    return f"{_sentence(targets.reasons()[-1])} There, {told}"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


SECTION = Section(10, "The answer", write)
