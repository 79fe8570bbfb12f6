"""Compute-optimal allocation: the resources that minimise the loss at a given cost.

For a product cost ``C = k prod_i R_i^m_i`` and any law that obeys the scaling equation with
exponents alpha_i the optimum moves along a scaling orbit, so

    R_i* ~ C^(1/(alpha_i M)),   kernel* ~ C^(-1/M),   M = sum_j m_j/alpha_j,

whatever the form of the law: the form enters the prefactors only. With two sizes it does so
through the crossover distribution, ``F(u*) = alpha_1 m_2/(alpha_2 m_1 + alpha_1 m_2)``.

For a law whose terms are monomials ``t_i = c_i R_i^-rho_i`` in one size each, added or in a
contour, the optimum is closed: for the additive law it is Hoffmann et al. 2022, eq. (4). Any other
is solved along the isocost line, or by Newton's method on the isocost plane.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy

from theory.declaration.abstract_law import KERNEL, AbstractLaw
from theory.declaration.logdomain import log_value, value
from theory.declaration.namespace import Elementary, Environment, Numeric
from theory.declaration.symbols import Resource
from theory.declaration.terms import Contour, Decomposition, monomial_powers
from theory.errors import TheoryError

if TYPE_CHECKING:
    import jax

HALVINGS = 100
"""Halvings of the isocost line, which find its end to the last digits."""

NEWTON_STEPS, LONGEST, FLAT = 80, 4.0, 1e-7
"""Steps on an isocost plane, the longest in e-folds, and the slope that counts as none."""


class NoInteriorOptimum(TheoryError):
    """Along the isocost line the loss falls all the way to one end."""


@dataclass(frozen=True)
class UniversalExponents:
    """Exponents of the compute-optimal allocation that hold for every form of the law.

    Parameters
    ----------
    resources
        ``R_i* ~ C^(this)``.
    kernel
        The kernel at the optimum falls as ``C^-(this)``; for most laws it is L - E.
    """

    resources: Mapping[Resource, sympy.Expr]
    kernel: sympy.Expr


def universal_exponents(law: AbstractLaw, orders: Mapping[Resource, float]) -> UniversalExponents:
    """``R_i* ~ C^(1/(alpha_i M))`` and ``kernel* ~ C^(-1/M)`` with ``M = sum_j m_j/alpha_j``.

    Parameters
    ----------
    law
        A law with weights.
    orders
        ``m_i`` of each size that the cost names; all sizes of the law.

    Raises
    ------
    TheoryError
        If the law declares no weights, or the cost does not name its sizes.

    Examples
    --------
    >>> from theory import laws
    >>> from theory.declaration.symbols import D, N
    >>> universal_exponents(laws.chinchilla, {N: 1, D: 1}).resources[N]
    beta/(alpha + beta)
    """
    weights = _weights(law, orders)
    scale = sum(sympy.nsimplify(m, rational=True) / weights[r] for r, m in orders.items())
    return UniversalExponents(
        {r: sympy.cancel(1 / (weights[r] * scale)) for r in orders}, sympy.cancel(1 / scale)
    )


def crossover_quantile(law: AbstractLaw, orders: Mapping[Resource, float]) -> sympy.Expr:
    """``F(u*) = alpha_1 m_2/(alpha_2 m_1 + alpha_1 m_2)``: where the optimum lies in the crossover.

    The prefactor equation of a law in two sizes: the optimum ratio is that quantile of its
    crossover distribution.

    Raises
    ------
    TheoryError
        If the law has not exactly two sizes with weights.
    """
    weights = _weights(law, orders)
    if len(orders) != 2:
        raise TheoryError(f"law '{law.name}' has {len(orders)} sizes; the quantile is of two.")
    (first, m_1), (second, m_2) = orders.items()
    a_1, a_2 = weights[first] * m_2, weights[second] * m_1
    return sympy.cancel(sympy.nsimplify(a_1 / (a_1 + a_2), rational=True))


def _weights(law: AbstractLaw, orders: Mapping[Resource, float]) -> dict[Resource, sympy.Expr]:
    if law.weights is None:
        raise TheoryError(
            f"law '{law.name}' declares no weights, so its optimum follows no universal exponents."
        )
    if set(orders) != set(law.sizes):
        names = ", ".join(r.name for r in law.sizes)
        raise TheoryError(f"law '{law.name}' has the sizes {names}; the cost must name these.")
    return {r: sympy.sympify(law.weights[r], strict=True) for r in orders}


def has_closed_form(law: AbstractLaw, orders: Mapping[Resource, float]) -> bool:
    """Whether `closed_form_allocation` applies: one monomial to each resource of the cost."""
    if not law.has_chart or not isinstance(law.split, Decomposition | Contour):
        return False
    terms = law.split.terms
    if any(term.loose for term in terms):
        return False
    if isinstance(law.split, Contour) and any(
        KERNEL not in monomial_powers(term.rest) for term in terms
    ):
        return False
    single = [tuple(term.orders) for term in terms]
    return sorted(single, key=str) == sorted([(resource,) for resource in orders], key=str)


def closed_form_allocation(
    law: AbstractLaw,
    parameters: Environment,
    log_scaled_budget: Numeric,
    orders: Mapping[Resource, float],
    ops: Elementary = np,
) -> dict[str, Any]:
    """Optimal resources in closed form.

    For added terms ``log R_i = (log(rho_i c_i / m_i) - mu) / rho_i`` with the multiplier ``mu``
    from ``sum_i m_i log R_i = log(C/k)``; for a contour the shares at the optimum are
    ``p_i = (m_i/rho_i)/sum_j (m_j/rho_j)`` and the kernel takes the place of ``mu``.

    Parameters
    ----------
    law
        For which `has_closed_form` holds.
    parameters
        Logarithm of each positive parameter, value of each other; arrays that broadcast with the
        budget.
    log_scaled_budget
        ``log(C/k)``.
    orders
        ``m_i`` of each resource.
    ops
        Array namespace.

    Returns
    -------
    dict
        Log of each resource, by name.
    """
    at_one = {**parameters, **{resource.name: 0.0 for resource in law.resources}, KERNEL.name: 0.0}
    rates, offsets, falls = {}, {}, {}
    for term in law.split.terms:
        (resource,) = term.orders
        rates[resource] = value(term.orders[resource], at_one, ops)
        log_coefficient = value(term.power, at_one, ops) * parameters[term.amplitude.name]
        log_coefficient = log_coefficient + log_value(term.rest, at_one, ops)
        offsets[resource] = log_coefficient + ops.log(rates[resource] / orders[resource])
        # With the kernel l a term of a contour is c_i R_i^-rho_i l^-sigma_i.
        sigma = -monomial_powers(term.rest).get(KERNEL, sympy.Integer(-1))
        falls[resource] = value(sigma, at_one, ops)
    if isinstance(law.split, Contour):
        # sum_j p_j = 1 fixes the common factor of the shares m_i/rho_i
        log_norm = ops.log(sum(order / rates[r] for r, order in orders.items()))
        offsets = {r: offset + log_norm for r, offset in offsets.items()}
    spread = sum(order * falls[r] / rates[r] for r, order in orders.items())
    level = sum(order * offsets[r] / rates[r] for r, order in orders.items())
    multiplier = (level - log_scaled_budget) / spread
    return {r.name: (offsets[r] - falls[r] * multiplier) / rates[r] for r in orders}


def solve_allocation(
    law: AbstractLaw,
    parameters: Environment,
    log_scaled_budget: Numeric,
    orders: Mapping[Resource, float],
    fixed: Mapping[Resource, float] | None = None,
) -> dict[str, np.ndarray]:
    """Optimal resources of any law at a product cost.

    With two resources by bisection in the log of the first: along the isocost line the derivative
    of the log loss changes sign once for every law that is log-log convex, and 100 halvings locate
    it to the last digits. With more by damped Newton steps on the isocost plane.

    Parameters
    ----------
    law
        A law in exactly the resources of `orders` and those of `fixed`.
    parameters
        Logarithm of each positive parameter, value of each other; arrays that broadcast with
        `log_scaled_budget`.
    log_scaled_budget
        ``log(C/k)``.
    orders
        ``m_i`` of each resource.
    fixed
        Value of each resource that the cost does not spend, such as the examples at hand where the
        budget is model size times training time.

    Returns
    -------
    dict
        Log of each resource of `orders`, by name; float64.

    Raises
    ------
    NoInteriorOptimum
        If for some draw the loss falls towards an end where a resource is 1, or no stationary
        point is found.
    TheoryError
        If the resources are not those of the law, or there is only one.
    """
    import jax

    held = {resource.name: math.log(amount) for resource, amount in (fixed or {}).items()}
    if len(orders) < 2 or {*orders, *(fixed or {})} != set(law.resources):
        names = ", ".join(resource.name for resource in law.resources)
        raise TheoryError(
            f"law '{law.name}' in {names} cannot be allocated along one line; two resources that "
            "the cost names are needed, and a value of each other."
        )
    arrays = {name: np.asarray(array, dtype=np.float64) for name, array in parameters.items()}
    budget = np.asarray(log_scaled_budget, dtype=np.float64)
    shape = np.broadcast_shapes(budget.shape, *(array.shape for array in arrays.values()))
    flat = {name: np.broadcast_to(array, shape).ravel() for name, array in arrays.items()}
    budgets = np.broadcast_to(budget, shape).ravel()
    *first, last = orders
    with jax.enable_x64(True):
        method = _bisect if len(orders) == 2 else _newton
        by_name = {resource.name: float(order) for resource, order in orders.items()}
        logs, interior = jax.jit(jax.vmap(partial(method, law, by_name, held)))(flat, budgets)
        logs, interior = np.asarray(logs), np.asarray(interior)
    if not interior.all():
        ends = " or ".join(f"{resource.name} = 1" for resource in orders)
        raise NoInteriorOptimum(
            f"for {np.sum(~interior)} of {interior.size} draws the loss of law '{law.name}' falls "
            f"all the way to {ends} at this budget, so there is no balanced optimum; the data do "
            "not determine one of the exponents."
        )
    out = {r.name: logs[:, i].reshape(shape) for i, r in enumerate(first)}
    spent = sum(orders[r] * out[r.name] for r in first)
    return out | {last.name: (budget - spent) / orders[last]}


def _objective(
    law: AbstractLaw,
    orders: Mapping[str, float],
    held: Mapping[str, float],
    parameters: Environment,
    log_scaled_budget: "jax.Array",
) -> "Callable[[jax.Array], jax.Array]":
    """Log loss as a function of the logs of all resources but the last, (resource,)."""
    import jax.numpy as jnp

    *first, last = orders

    def log_loss(logs: "jax.Array") -> "jax.Array":
        spent = sum(orders[name] * logs[i] for i, name in enumerate(first))
        at: dict[str, Any] = dict(held) | {name: logs[i] for i, name in enumerate(first)}
        at[last] = (log_scaled_budget - spent) / orders[last]
        return law.log_kernel(parameters, at, jnp)

    return log_loss


def _bisect(
    law: AbstractLaw,
    orders: Mapping[str, float],
    held: Mapping[str, float],
    parameters: Environment,
    log_scaled_budget: "jax.Array",
) -> "tuple[jax.Array, jax.Array]":
    import jax
    import jax.numpy as jnp

    log_loss = _objective(law, orders, held, parameters, log_scaled_budget)
    slope = jax.grad(lambda log_first: log_loss(log_first[None]))
    (m_first, _) = orders.values()
    low, high = jnp.zeros_like(log_scaled_budget), log_scaled_budget / m_first
    interior = (slope(low) < 0) & (slope(high) > 0)

    def halve(_: object, bounds: "tuple[jax.Array, jax.Array]") -> "tuple[jax.Array, jax.Array]":
        low, high = bounds
        middle = 0.5 * (low + high)
        falling = slope(middle) < 0
        return jnp.where(falling, middle, low), jnp.where(falling, high, middle)

    low, high = jax.lax.fori_loop(0, HALVINGS, halve, (low, high))
    return 0.5 * (low + high)[None], interior


def _newton(
    law: AbstractLaw,
    orders: Mapping[str, float],
    held: Mapping[str, float],
    parameters: Environment,
    log_scaled_budget: "jax.Array",
) -> "tuple[jax.Array, jax.Array]":
    import jax
    import jax.numpy as jnp

    log_loss = _objective(law, orders, held, parameters, log_scaled_budget)
    slope, bend = jax.grad(log_loss), jax.hessian(log_loss)
    count = len(orders) - 1
    tries = 0.5 ** jnp.arange(12)

    def step(_: object, at: "jax.Array") -> "jax.Array":
        ridge = 1e-9 * jnp.eye(count)
        move = -jnp.linalg.solve(bend(at) + ridge, slope(at))
        move = move * jnp.minimum(1.0, LONGEST / jnp.linalg.norm(move))
        # The best of several lengths, none at all included.
        ends = jnp.concatenate([at[None], at[None] + tries[:, None] * move[None]])
        return ends[jnp.nanargmin(jax.vmap(log_loss)(ends))]

    start = jnp.full(count, log_scaled_budget / sum(orders.values()))
    found = jax.lax.fori_loop(0, NEWTON_STEPS, step, start)
    *first, last = orders.values()
    log_last = (log_scaled_budget - jnp.sum(jnp.array(first) * found)) / last
    inside = jnp.all(found > 0) & (log_last > 0)
    return found, inside & (jnp.linalg.norm(slope(found)) < FLAT)
