"""One scaling regime: a power of what limits the loss, with its condition and its source.

Regimes are declared in `theory.learning.regimes`; here is what one of them can be asked.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import cast, final

import mpmath
import sympy
from sympy.logic.boolalg import Boolean

from theory.declaration.namespace import Numeric
from theory.errors import TheoryError

a, b = sympy.symbols("a b", positive=True)
"""Exponents of the task."""


class NoSuchRegime(TheoryError):
    """No regime of that name is declared, or it does not hold for the task."""


@final
@dataclass(frozen=True)
class Regime:
    """One limit: ``quantity ~ amplitude * prod_i x_i^-exponents[x_i]``.

    Parameters
    ----------
    name
        How it is looked up.
    quantity
        What follows the power, in words or symbols; what is not named is infinite, and the label
        noise is zero unless it appears.
    exponents
        By variable (t, N, P or C); positive where the quantity falls. Empty of a constant.
    amplitude
        In a, b and the settings; None where only the exponents are known.
    condition
        On a and b.
    source
        Paper, or derivation.
    published
        The exponents as printed in the source, where they differ from the exact ones.
    """

    name: str
    quantity: str
    exponents: Mapping[sympy.Symbol, sympy.Expr]
    amplitude: sympy.Expr | None
    condition: Boolean
    source: str
    published: Mapping[sympy.Symbol, sympy.Expr] = field(default_factory=dict)

    def holds(self, task_a: float, task_b: float) -> bool:
        """Whether the condition is met by a task with these exponents.

        Examples
        --------
        >>> from theory.learning.regimes import regime
        >>> regime("features_limited").holds(1.5, 1.25), regime("features_limited").holds(3.5, 1.25)
        (True, False)
        """
        return bool(self.condition.subs({a: task_a, b: task_b}))

    def exponents_at(self, task_a: float, task_b: float) -> dict[str, float]:
        """Exponents of a task, by the name of the variable.

        Raises
        ------
        NoSuchRegime
            If the condition is not met.
        """
        self._require(task_a, task_b)
        at = {a: task_a, b: task_b}
        return {
            x.name: float(sympy.sympify(e, strict=True).subs(at)) for x, e in self.exponents.items()
        }

    def value(self, task_a: float, task_b: float, **settings: float) -> float:
        """``amplitude * prod x_i^-exponent``.

        Parameters
        ----------
        task_a, task_b
            Exponents of the task.
        **settings
            The variables, and what the amplitude needs beside.

        Raises
        ------
        NoSuchRegime
            If the condition is not met, or no amplitude is known.
        TheoryError
            If a variable or setting is missing or superfluous.

        Examples
        --------
        >>> from theory.learning.regimes import regime
        >>> round(regime("time_limited").value(1.5, 1.25, t=1e4), 6)
        0.033781
        """
        self._require(task_a, task_b)
        if self.amplitude is None:
            raise NoSuchRegime(
                f"of regime '{self.name}' the exponents are known but not the amplitude."
            )
        power = sympy.Mul(*(x**-e for x, e in self.exponents.items()))
        formula = sympy.sympify(self.amplitude, strict=True) * power
        symbols = cast(set[sympy.Symbol], formula.free_symbols)
        needed = {x.name for x in symbols | set(self.exponents)} - {"a", "b"}
        if needed != set(settings):
            raise TheoryError(
                f"regime '{self.name}' is a formula in {', '.join(sorted(needed)) or 'nothing'}; "
                f"got {', '.join(sorted(settings)) or 'nothing'}."
            )
        names = {x: settings[x.name] for x in symbols if x.name in settings}
        return _evaluate(formula, {a: task_a, b: task_b, **names})

    def _require(self, task_a: float, task_b: float) -> None:
        if not self.holds(task_a, task_b):
            raise NoSuchRegime(
                f"regime '{self.name}' holds for {sympy.sstr(self.condition)}; got a={task_a}, "
                f"b={task_b}."
            )


def _evaluate(formula: sympy.Expr, numbers: Mapping[sympy.Symbol, float]) -> float:
    """A formula at numbers; its infinite sums by extrapolation."""
    series = {}
    for total in formula.atoms(sympy.Sum):
        ((index, low, _),) = total.limits
        term = sympy.lambdify([index, *numbers], total.function, "mpmath")
        series[total] = sympy.Float(
            mpmath.nsum(partial(_at_index, term, numbers), [int(low), mpmath.inf])
        )
    plain = formula.xreplace(series)
    return float(sympy.lambdify(list(numbers), plain, "mpmath")(*numbers.values()))


def _at_index(
    term: Callable[..., Numeric], numbers: Mapping[sympy.Symbol, float], index: Numeric
) -> Numeric:
    return term(index, *numbers.values())


def crossover(first: Regime, second: Regime, of: sympy.Symbol) -> sympy.Expr:
    """Where two regimes are equal: the value of one variable as a formula in the others.

    Parameters
    ----------
    first, second
        With amplitudes.
    of
        The variable to solve for.

    Raises
    ------
    NoSuchRegime
        If an amplitude is unknown, or both regimes fall alike in the variable.

    Examples
    --------
    >>> from theory.learning.regimes import N, regime, t
    >>> place = crossover(regime("time_limited"), regime("features_limited"), of=t)
    >>> sympy.simplify(sympy.powdenest(place.as_independent(N)[1], force=True))
    N**b
    """
    if first.amplitude is None or second.amplitude is None:
        raise NoSuchRegime(
            f"the crossover of '{first.name}' and '{second.name}' needs both amplitudes."
        )
    gap = sympy.cancel(first.exponents.get(of, 0) - second.exponents.get(of, 0))
    if gap == 0:
        raise NoSuchRegime(
            f"'{first.name}' and '{second.name}' depend alike on {of}, so they do not cross in it."
        )
    ratio = first.amplitude / second.amplitude
    place = ratio ** (1 / gap)
    for x in {*first.exponents, *second.exponents} - {of}:
        power = second.exponents.get(x, 0) - first.exponents.get(x, 0)
        place = place * x ** sympy.cancel(power / gap)
    return place
