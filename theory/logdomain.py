"""Evaluate a positive SymPy expression as a logarithm: sums become logaddexp, powers products.

One walk serves every array library: `ops` is a namespace with ``exp``, ``logaddexp``,
``maximum`` and ``minimum`` (`numpy`, `jax.numpy`, ...). Positive symbols enter as logarithms, so
a law stays finite where its terms would overflow.
"""

import math
from collections.abc import Callable, Mapping
from functools import reduce
from types import ModuleType
from typing import Any

import sympy

from theory.errors import LawError

Environment = Mapping[str, Any]
"""Name -> array: the logarithm of each positive symbol, the value of every other."""


def log_value(expr: sympy.Expr, env: Environment, ops: ModuleType) -> Any:
    """Logarithm of a positive expression.

    Parameters
    ----------
    expr
        Built from sums, products, powers, `Max`, `exp` and `log` of declared symbols.
    env
        Logarithms of positive symbols, values of others; arrays that broadcast together.
    ops
        Array namespace.

    Returns
    -------
    Array of the broadcast shape of the symbols in `expr`.

    Raises
    ------
    LawError
        If a part of `expr` is not positive, or uses a function that is not in the table.
    """
    return _dispatch(_LOG, expr)(expr, env, ops)


def value(expr: sympy.Expr, env: Environment, ops: ModuleType) -> Any:
    """Value of an expression in the same environment as `log_value`; used for exponents."""
    return _dispatch(_VALUE, expr)(expr, env, ops)


Rule = Callable[[Any, Environment, ModuleType], Any]


def _dispatch(table: Mapping[type, Rule], expr: sympy.Expr) -> Rule:
    for kind in type(expr).__mro__:
        if kind in table:
            return table[kind]
    known = ", ".join(sorted(kind.__name__ for kind in table))
    raise LawError(
        f"'{expr}' uses {type(expr).__name__}, which has no log-domain rule; known are {known}."
    )


def _log_number(expr: Any, env: Environment, ops: ModuleType) -> float:
    if not expr.is_positive:
        raise LawError(
            f"the constant {expr} is not positive, so its logarithm is undefined; "
            "write the law as a sum of positive terms."
        )
    return math.log(float(expr))


def _log_symbol(expr: Any, env: Environment, ops: ModuleType) -> Any:
    if not expr.is_positive:
        raise LawError(f"'{expr}' may be negative, so it cannot stand as a factor of a loss term.")
    return env[expr.name]


_LOG: dict[type, Rule] = {
    sympy.Number: _log_number,
    sympy.NumberSymbol: _log_number,
    sympy.Symbol: _log_symbol,
    sympy.Add: lambda e, env, ops: reduce(ops.logaddexp, [log_value(a, env, ops) for a in e.args]),
    sympy.Mul: lambda e, env, ops: sum(log_value(a, env, ops) for a in e.args),
    sympy.Pow: lambda e, env, ops: value(e.exp, env, ops) * log_value(e.base, env, ops),
    sympy.Max: lambda e, env, ops: reduce(ops.maximum, [log_value(a, env, ops) for a in e.args]),
    sympy.Min: lambda e, env, ops: reduce(ops.minimum, [log_value(a, env, ops) for a in e.args]),
    sympy.exp: lambda e, env, ops: value(e.args[0], env, ops),
}

_VALUE: dict[type, Rule] = {
    sympy.Number: lambda e, env, ops: float(e),
    sympy.NumberSymbol: lambda e, env, ops: float(e),
    sympy.Symbol: lambda e, env, ops: ops.exp(env[e.name]) if e.is_positive else env[e.name],
    sympy.Add: lambda e, env, ops: sum(value(a, env, ops) for a in e.args),
    sympy.Mul: lambda e, env, ops: math.prod(value(a, env, ops) for a in e.args),
    sympy.Pow: lambda e, env, ops: ops.exp(log_value(e, env, ops)),
    sympy.Max: lambda e, env, ops: reduce(ops.maximum, [value(a, env, ops) for a in e.args]),
    sympy.Min: lambda e, env, ops: reduce(ops.minimum, [value(a, env, ops) for a in e.args]),
    sympy.exp: lambda e, env, ops: ops.exp(value(e.args[0], env, ops)),
    sympy.log: lambda e, env, ops: log_value(e.args[0], env, ops),
}
