"""Run symbolic work under a time budget, on any thread and on any platform.

SymPy's `simplify`, `limit` and `expand` can hang on symbolic exponents, and a signal alarm works
only on the main thread of some platforms. Here the work runs in a thread of its own, which is
stopped from outside by an exception that CPython raises at its next bytecode.

An interrupted computation may leave half-made facts in the caches of the expressions it touched,
so it works on a copy in fresh symbols, and SymPy's cache is cleared afterwards.
"""

import ctypes
import threading
from collections.abc import Callable
from typing import Any

import sympy
from sympy.core.cache import clear_cache

TRIES = 20
"""How often a worker is told to stop before it is left behind; a daemon, it holds up no exit."""


class _OutOfTime(BaseException):
    """Raised inside the worker; not an `Exception`, so that SymPy does not swallow it."""


def within(
    seconds: float, work: Callable[[sympy.Expr], sympy.Expr], expr: sympy.Expr
) -> sympy.Expr | None:
    """``work(expr)``, or None where it does not end in time or SymPy gives up.

    Parameters
    ----------
    seconds
        The budget.
    work
        Pure symbolic work, such as `sympy.simplify`.
    expr
        What it is applied to.

    Examples
    --------
    >>> x = sympy.Symbol("x")
    >>> within(10.0, sympy.simplify, sympy.sin(x) ** 2 + sympy.cos(x) ** 2)
    1
    """
    there = {s: sympy.Dummy(s.name, **s._assumptions_orig) for s in expr.free_symbols}  # pyright: ignore[reportAttributeAccessIssue]
    back = {dummy: symbol for symbol, dummy in there.items()}
    copy: Any = expr.xreplace(there)
    found: list[Any] = []

    def run() -> None:
        try:
            found.append(work(copy))
        except (_OutOfTime, ArithmeticError, NotImplementedError, TypeError, ValueError):
            pass  # nothing was found

    worker = threading.Thread(target=run, daemon=True, name="symbolic work")
    worker.start()
    worker.join(seconds)
    if worker.is_alive():
        for _ in range(TRIES):
            _interrupt(worker)
            worker.join(0.05)
            if not worker.is_alive():
                break
        clear_cache()
        return None
    return found[0].xreplace(back) if found else None


def _interrupt(worker: threading.Thread) -> None:
    ident = ctypes.c_ulong(worker.ident or 0)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ident, ctypes.py_object(_OutOfTime))
