"""Compute-optimal allocation: the resources that minimise the loss at a given cost.

For a product cost ``C = k prod_i R_i^m_i`` and a law ``E + (sum_i t_i)^g`` whose terms are
monomials ``t_i = c_i R_i^-rho_i`` in one resource each, the Lagrange conditions
``rho_i t_i / m_i = const`` are linear in the logarithms, so the optimum is closed: for the
additive law it is Hoffmann et al. 2022, eq. (4). Any other law in two resources is solved along
the isocost line.
"""

from collections.abc import Mapping
from functools import partial
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from theory.errors import TheoryError
from theory.law import AbstractLaw, Law
from theory.logdomain import log_value, value
from theory.symbols import Resource

if TYPE_CHECKING:
    import jax


class NoInteriorOptimum(TheoryError):
    """Along the isocost line the loss falls all the way to one end."""


def has_closed_form(law: AbstractLaw, orders: Mapping[Resource, float]) -> bool:
    """Whether `closed_form_allocation` applies: one monomial to each resource of the cost."""
    if not isinstance(law, Law):
        return False
    single = [tuple(term.orders) for term in law.decomposition.terms]
    return sorted(single, key=str) == sorted([(resource,) for resource in orders], key=str)


def closed_form_allocation(
    law: Law,
    parameters: Mapping[str, Any],
    log_scaled_budget: Any,
    orders: Mapping[Resource, float],
    ops: ModuleType = np,
) -> dict[str, Any]:
    """Optimal resources in closed form.

    ``log R_i = (log(rho_i c_i / m_i) - mu) / rho_i`` with the multiplier ``mu`` from
    ``sum_i m_i log R_i = log(C/k)``.

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
    at_one = {**parameters, **{resource.name: 0.0 for resource in law.resources}}
    rates, offsets = {}, {}
    for term in law.decomposition.terms:
        (resource,) = term.orders
        rates[resource] = value(term.orders[resource], at_one, ops)
        log_coefficient = value(term.power, at_one, ops) * parameters[term.amplitude.name]
        log_coefficient = log_coefficient + log_value(term.rest, at_one, ops)
        offsets[resource] = log_coefficient + ops.log(rates[resource] / orders[resource])
    spread = sum(order / rates[r] for r, order in orders.items())
    level = sum(order * offsets[r] / rates[r] for r, order in orders.items())
    multiplier = (level - log_scaled_budget) / spread
    return {r.name: (offsets[r] - multiplier) / rates[r] for r in orders}


def solve_allocation(
    law: AbstractLaw,
    parameters: Mapping[str, Any],
    log_scaled_budget: Any,
    orders: Mapping[Resource, float],
) -> dict[str, np.ndarray]:
    """Optimal resources of any law in two resources, by bisection in the log of the first.

    Along the isocost line the derivative of the log loss changes sign once for every law that is
    log-log convex; 100 halvings locate it to the last digits.

    Parameters
    ----------
    law
        A law in exactly the two resources of `orders`.
    parameters
        Logarithm of each positive parameter, value of each other; arrays that broadcast with
        `log_scaled_budget`.
    log_scaled_budget
        ``log(C/k)``.
    orders
        ``m_i`` of each resource.

    Returns
    -------
    dict
        Log of each resource, by name; float64.

    Raises
    ------
    NoInteriorOptimum
        If for some draw the loss falls towards an end where a resource is 1.
    TheoryError
        If there are not exactly two resources.
    """
    import jax

    if len(orders) != 2 or set(orders) != set(law.resources):
        names = ", ".join(resource.name for resource in law.resources)
        raise TheoryError(
            f"law '{law.name}' in {names} cannot be allocated along one line; two resources that "
            "the cost names are needed."
        )
    arrays = {name: np.asarray(array, dtype=np.float64) for name, array in parameters.items()}
    budget = np.asarray(log_scaled_budget, dtype=np.float64)
    shape = np.broadcast_shapes(budget.shape, *(array.shape for array in arrays.values()))
    flat = {name: np.broadcast_to(array, shape).ravel() for name, array in arrays.items()}
    (first, m_first), (second, m_second) = orders.items()
    with jax.enable_x64(True):
        solve = jax.jit(jax.vmap(partial(_bisect, law, first.name, second.name, m_first, m_second)))
        log_first, interior = solve(flat, np.broadcast_to(budget, shape).ravel())
        log_first, interior = np.asarray(log_first), np.asarray(interior)
    if not interior.all():
        raise NoInteriorOptimum(
            f"for {np.sum(~interior)} of {interior.size} draws the loss of law '{law.name}' falls "
            f"all the way to {first.name} = 1 or {second.name} = 1 at this budget, so there is no "
            "balanced optimum; the data do not determine one of the exponents."
        )
    log_first = log_first.reshape(shape)
    return {first.name: log_first, second.name: (budget - m_first * log_first) / m_second}


def _bisect(
    law: AbstractLaw,
    first: str,
    second: str,
    m_first: float,
    m_second: float,
    parameters: "dict[str, jax.Array]",
    log_scaled_budget: "jax.Array",
) -> "tuple[jax.Array, jax.Array]":
    import jax
    import jax.numpy as jnp

    def log_loss(log_first: jax.Array) -> jax.Array:
        log_second = (log_scaled_budget - m_first * log_first) / m_second
        return law.log_loss(parameters, {first: log_first, second: log_second}, jnp)

    slope = jax.grad(log_loss)
    low, high = jnp.zeros_like(log_scaled_budget), log_scaled_budget / m_first
    interior = (slope(low) < 0) & (slope(high) > 0)

    def halve(_: Any, bounds: "tuple[jax.Array, jax.Array]") -> "tuple[jax.Array, jax.Array]":
        low, high = bounds
        middle = 0.5 * (low + high)
        falling = slope(middle) < 0
        return jnp.where(falling, middle, low), jnp.where(falling, high, middle)

    low, high = jax.lax.fori_loop(0, 100, halve, (low, high))
    return 0.5 * (low + high), interior
