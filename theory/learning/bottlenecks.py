"""Exponents of the three bottlenecks of random features, from which regimes and laws take them.

For the power-law task ``lambda_k = k^-b``, ``p_k = k^-a`` (a, b > 1) the loss falls, in what limits
it while everything else is infinite, as

    t^-s,  s = (a - 1)/b;      N^-min(a - 1, b);      P^-min(a - 1, 2 b).

The first argument of each minimum holds on hard tasks, the second on easy ones. Source: Bordelon,
Atanasov, Pehlevan 2024, arXiv:2402.01092, section 4; there the exponent in N is printed as
min(a - 1, 2 b), while the exact one at infinitely many examples is min(a - 1, b).
"""

import sympy

from theory.learning.regime import a, b

TIME = (a - 1) / b
HARD = a - 1
EASY_FEATURES, EASY_SAMPLES = b, 2 * b
FEATURES, SAMPLES = sympy.Min(HARD, EASY_FEATURES), sympy.Min(HARD, EASY_SAMPLES)


def at(exponent: sympy.Expr, task: sympy.Expr, spectrum: sympy.Expr) -> sympy.Expr:
    """An exponent above in other symbols, ``a = 1 + task`` and ``b = 1 + spectrum``.

    Examples
    --------
    >>> at(FEATURES, *sympy.symbols("a_1 b_1", positive=True))
    Min(a_1, b_1 + 1)
    """
    return exponent.subs({a: 1 + task, b: 1 + spectrum}, simultaneous=True)
