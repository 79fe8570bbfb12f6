"""Evaluate a positive SymPy expression as a logarithm: sums become logaddexp, powers products.

One walk serves every array library: `ops` is a namespace of `Elementary` functions (`numpy`,
`jax.numpy`, ...). Positive symbols enter as
logarithms, so a law stays finite where its terms would overflow. A difference ``a - b`` is
``log a + log(1 - exp(log b - log a))``: NaN where it is not positive.
"""

import math
from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any

import sympy

from theory.declaration.namespace import Elementary, Environment
from theory.errors import LawError


def log_value(expr: sympy.Expr, env: Environment, ops: Elementary) -> Any:
    """Logarithm of a positive expression.

    Parameters
    ----------
    expr
        Built from sums, products, powers, `Max`, `exp` and `log` of declared symbols.
    env
        Logarithms of positive symbols, values of others; arrays that broadcast together.
    ops
        Array namespace, or `theory.admissibility.precision.Precise` for any number of digits.

    Returns
    -------
    Array of the broadcast shape of the symbols in `expr`.

    Raises
    ------
    LawError
        If a part of `expr` is not positive, or uses a function that is not in the table.
    """
    return _dispatch(_LOG, expr)(expr, env, ops)


def value(expr: sympy.Expr, env: Environment, ops: Elementary) -> Any:
    """Value of an expression in the same environment as `log_value`; used for exponents."""
    return _dispatch(_VALUE, expr)(expr, env, ops)


Rule = Callable[[Any, Environment, Elementary], Any]


def _dispatch(table: Mapping[type, Rule], expr: sympy.Expr) -> Rule:
    for kind in type(expr).__mro__:
        if kind in table:
            return table[kind]
    known = ", ".join(sorted(kind.__name__ for kind in table))
    raise LawError(
        f"'{expr}' uses {type(expr).__name__}, which has no log-domain rule; known are {known}."
    )


def _log_number(expr: Any, env: Environment, ops: Elementary) -> Any:
    if not expr.is_positive:
        raise LawError(
            f"the constant {expr} is not positive, so its logarithm is undefined; "
            "write the law as a sum of positive terms."
        )
    exact = getattr(ops, "from_number", None)
    return math.log(float(expr)) if exact is None else ops.log(exact(expr))


def _number(expr: Any, env: Environment, ops: Elementary) -> Any:
    return getattr(ops, "from_number", float)(expr)


def _log_symbol(expr: Any, env: Environment, ops: Elementary) -> Any:
    if not expr.is_positive:
        raise LawError(f"'{expr}' may be negative, so it cannot stand as a factor of a loss term.")
    return env[expr.name]


def signed_terms(expr: sympy.Expr) -> tuple[list[sympy.Expr], list[sympy.Expr]]:
    """Terms of a sum, and those that are subtracted (without their sign)."""
    added, subtracted = [], []
    for term in sympy.Add.make_args(expr):
        negative = term.as_coeff_Mul()[0].is_negative
        (subtracted if negative else added).append(-term if negative else term)
    return added, subtracted


def _may_be_negative(factor: sympy.Expr) -> bool:
    is_real_symbol = isinstance(factor, sympy.Symbol) and not factor.is_positive
    return is_real_symbol or isinstance(factor, sympy.log)


def _log_sum(expr: Any, env: Environment, ops: Elementary) -> Any:
    if any(_may_be_negative(factor) for term in expr.args for factor in sympy.Mul.make_args(term)):
        return ops.log(value(expr, env, ops))
    added, subtracted = signed_terms(expr)
    if not added:
        raise LawError(f"'{expr}' is negative, so it has no logarithm.")
    log_added = reduce(ops.logaddexp, [log_value(term, env, ops) for term in added])
    if not subtracted:
        return log_added
    log_subtracted = reduce(ops.logaddexp, [log_value(term, env, ops) for term in subtracted])
    return log_added + ops.log(-ops.expm1(log_subtracted - log_added))


_LOG: dict[type, Rule] = {
    sympy.Number: _log_number,
    sympy.NumberSymbol: _log_number,
    sympy.Symbol: _log_symbol,
    sympy.Add: _log_sum,
    sympy.Mul: lambda e, env, ops: sum(log_value(a, env, ops) for a in e.args),
    sympy.Pow: lambda e, env, ops: value(e.exp, env, ops) * log_value(e.base, env, ops),
    sympy.Max: lambda e, env, ops: reduce(ops.maximum, [log_value(a, env, ops) for a in e.args]),
    sympy.Min: lambda e, env, ops: reduce(ops.minimum, [log_value(a, env, ops) for a in e.args]),
    sympy.exp: lambda e, env, ops: value(e.args[0], env, ops),
    sympy.log: lambda e, env, ops: ops.log(log_value(e.args[0], env, ops)),
}

_VALUE: dict[type, Rule] = {
    sympy.Number: _number,
    sympy.NumberSymbol: _number,
    sympy.Symbol: lambda e, env, ops: ops.exp(env[e.name]) if e.is_positive else env[e.name],
    sympy.Add: lambda e, env, ops: sum(value(a, env, ops) for a in e.args),
    sympy.Mul: lambda e, env, ops: math.prod(value(a, env, ops) for a in e.args),
    sympy.Pow: lambda e, env, ops: ops.exp(log_value(e, env, ops)),
    sympy.Max: lambda e, env, ops: reduce(ops.maximum, [value(a, env, ops) for a in e.args]),
    sympy.Min: lambda e, env, ops: reduce(ops.minimum, [value(a, env, ops) for a in e.args]),
    sympy.exp: lambda e, env, ops: ops.exp(value(e.args[0], env, ops)),
    sympy.log: lambda e, env, ops: log_value(e.args[0], env, ops),
}
