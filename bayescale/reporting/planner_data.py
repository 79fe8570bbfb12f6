"""What the planner of a page computes with: thinned draws of laws, where the runs lie, its sliders.

`planner.js` knows one form, ``L = E + ((A N^-alpha)^q + (B D^-beta)^q)^(1/q)``; every law that is a
point of the share law by its own declaration (`AbstractLaw.nests`) is written so.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import sympy

from bayescale.cost import Hardware, ProductCost
from bayescale.cost import get as cost_model
from bayescale.errors import UsageError
from bayescale.models.thinning import at_most, whole_shares
from bayescale.planning.compute_multiplier import LARGEST
from bayescale.planning.limits import REPETITION
from bayescale.planning.result import Plan
from bayescale.posteriors.abstract import AbstractPosterior
from bayescale.posteriors.distance import REFUSE
from theory import laws
from theory.declaration.abstract_law import AbstractLaw
from theory.declaration.logdomain import log_value
from theory.declaration.symbols import D, N

DRAWS = 500
"""Draws that a page holds; more make it larger and slower, and the numbers no better to read."""

SHARE = "share"
"""The law whose points the planner knows."""

NOTHING = -1e4
"""Log of a floor of zero."""

DIGITS = 14
"""Significant digits of a draw: far below the 1e-6 to which the page agrees with Python."""

AROUND = 1e3
"""Factor around the budget that sliders span where the runs are not known."""

PRICE = 2.0
"""Money for a chip for an hour where no plan gives a price."""


def planner_data(
    posterior: AbstractPosterior, plan: Plan | None = None, draws: int = DRAWS
) -> dict[str, Any]:
    """Plain data for `planner.js`.

    Parameters
    ----------
    posterior
        A posterior or a stack of posteriors of laws in N and D.
    plan
        A plan of it, whose cost, budget, target and limits the sliders begin with.
    draws
        Most draws, shared out over the laws of a stack by their weights.

    Raises
    ------
    UsageError
        If a law is not a point of the share law, the cost not a product of powers with D once, or
        there are no draws.
    """
    if draws < 1:
        raise UsageError(f"a planner page holds at least one draw; got draws={draws}.")
    cost = cost_model("6ND" if plan is None else plan.cost)
    if not isinstance(cost, ProductCost) or set(cost.orders) != {N, D} or cost.orders[D] != 1:
        raise UsageError(
            f"the planner page knows costs k N^m D, and cost '{cost.name}' is none; plan with "
            "`bayescale.plan`."
        )
    held = posterior.kept()
    counts = [len(chosen) for chosen in held.values()]
    most = whole_shares(np.array(counts), min(draws, sum(counts)))
    chosen = {
        name: own[at_most(len(own), share)]
        for (name, own), share in zip(held.items(), most, strict=True)
        if share
    }
    data = {
        "laws": [_law(posterior.members[name], own) for name, own in chosen.items()],
        "names": list(chosen),
        "seen": _seen(posterior),
        "factor": cost.factor,
        "cost": {"log_factor": cost.log_factor, "order": float(cost.orders[N])},
        "repetition": REPETITION if plan is None else plan.line.repetition,
        "largest": LARGEST,
        "refuse": REFUSE,
    }
    chips = (None if plan is None else plan.hardware) or Hardware()
    data["hardware"] = {"chip": chips.chip, "utilisation": chips.utilisation, "rate": chips.rate}
    return data | _sliders(posterior, plan, cost, chips)


def in_share(law: AbstractLaw, columns: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Logs of E, A, B, alpha, beta and q of the share law that is a law at its parameters.

    Parameters
    ----------
    law
        The law.
    columns
        Its parameters as `AbstractLaw.log_loss` takes them.

    Raises
    ------
    UsageError
        If the law does not declare itself to be a point of the share law.
    """
    if law.name == SHARE and law == laws.get(SHARE):
        return dict(columns)
    for name in (SHARE, "chinchilla"):
        if name in law.nests:
            wider = laws.get(name)
            known = {p.name: law.nests[name].get(p.name) for p in wider.parameters}
            logs = {p: columns[p] if e is None else _log(e, columns) for p, e in known.items()}
            return in_share(wider, logs)
    raise UsageError(
        f"the planner page computes laws of the share family (additive, share and their kin) in "
        f"the browser, and law '{law.name}' is none; plan with `bayescale.plan`."
    )


def _log(expression: sympy.Expr | float, columns: Mapping[str, np.ndarray]) -> np.ndarray:
    shape = next(iter(columns.values())).shape
    if expression == 0:
        return np.full(shape, NOTHING)
    expr = sympy.sympify(expression, strict=True)
    return np.broadcast_to(log_value(expr, columns, np), shape)


def _law(post: Any, chosen: np.ndarray) -> dict[str, Any]:
    """One law with some of its draws: columns of numbers."""
    own = in_share(post.law, {name: values[chosen] for name, values in post.columns.items()})
    tilt, top = post.tilt
    slope = np.zeros((post.count, 1)) if post.drifts is None else post.drifts.slope
    table = own | {"tilt": tilt[chosen], "slope": slope[chosen]}
    return {name: _numbers(values) for name, values in table.items()} | {"top": float(top)}


def _numbers(values: np.ndarray) -> list[float]:
    return [float(f"{value:.{DIGITS}g}") for value in np.ravel(values)]


def _seen(posterior: AbstractPosterior) -> dict[str, list[float]] | None:
    """Ends of the runs in log N, log D and log N D; None where the runs are not known."""
    seen = posterior.first.seen
    if seen is None:
        return None
    sides = {N.name: seen[N.name], D.name: seen[D.name], "product": seen[N.name] + seen[D.name]}
    return {name: [float(np.min(logs)), float(np.max(logs))] for name, logs in sides.items()}


def _sliders(
    posterior: AbstractPosterior, plan: Plan | None, cost: ProductCost, chips: Hardware
) -> dict[str, Any]:
    """The fields of the page with their ends, and the state that it begins with."""
    seen = _seen(posterior)
    budget = None
    if plan is not None and plan.compute.size:
        budget = float(plan.compute[-1])
    if seen is None:
        budget = 1e22 if budget is None else budget
        low, high = budget / AROUND, budget * AROUND
    else:
        spent = [math.exp(cost.log_factor + end) for end in seen["product"]]
        low, high = spent[0], spent[1] * REFUSE
        budget = spent[1] * 10 if budget is None else budget
    low, high = min(low, budget), max(high, budget)
    floor = float(np.median(np.exp(posterior.mix(_floors(posterior)))))
    runs = posterior.runs
    losses = np.array([floor + 3.0]) if runs is None else runs["loss"].to_numpy()
    worst, target = float(losses.max()), 0.5 * (floor + float(losses.min()))
    confidence = 0.9
    if plan is not None and plan.targets is not None:
        target, confidence = float(plan.targets.loss[-1]), plan.targets.confidence
    elif plan is not None and len(plan.recommended):
        target = float(plan.recommended["loss"].to_numpy()[-1])
    ends = min(target, floor + 1e-3 * (worst - floor)), max(target, worst)
    tokens = None if plan is None else plan.line.unique
    fields = {
        "compute": _slider("Budget", low, high, log=True, unit=" FLOP"),
        "target": _slider("Target loss", *ends, unit=" nats per token"),
        "confidence": _slider("Confidence of the target", 0.5, 0.99),
        "serving": _slider("Tokens to be served", 1e9, 1e16, log=True, none=True, unit=" tokens"),
        "unique": _slider("Unique tokens", 1e6, 1e15, log=True, none=True, unit=" tokens"),
        "price": _slider(f"Price of a GPU hour ({chips.chip})", 0.05, 50.0, log=True),
        "drift": {"label": "Include what the law may be wrong by beyond the runs", "flag": True},
    }
    if posterior.first.drifts is None:
        del fields["drift"]
    given = {
        "compute": budget,
        "target": target,
        "confidence": confidence,
        "serving": None if plan is None else plan.inference_tokens or None,
        "unique": None if tokens is None or math.isinf(tokens) else tokens,
        "price": chips.price or PRICE,
        "drift": posterior.first.drifts is not None,
    }
    return {"fields": fields, "given": given}


def _floors(posterior: AbstractPosterior) -> dict[str, np.ndarray]:
    return {name: in_share(post.law, post.columns)["E"] for name, post in posterior.members.items()}


def _slider(
    label: str, low: float, high: float, *, log: bool = False, none: bool = False, unit: str = ""
) -> dict[str, Any]:
    ends = {"low": low, "high": high, "log": log, "none": none}
    return {"label": label, "unit": unit, "flag": False, **ends}
