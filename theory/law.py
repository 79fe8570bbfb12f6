"""What a scaling law is: one declaration from which everything else follows.

`AbstractLaw` is what the rest of the code talks to. `Law` is a law given by a closed formula;
laws given by a contour ``Phi(R, L) = 0`` or by a forward model are further final classes that
fill in the same two methods, `log_loss` and `chart`.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import ModuleType
from typing import Any, final

import numpy as np
import sympy

from theory.chart import Chart, pivot_chart
from theory.errors import LawError
from theory.logdomain import log_value
from theory.symbols import Domain, Parameter, Resource, Role
from theory.terms import Decomposition, decompose


@dataclass(frozen=True, kw_only=True)
class AbstractLaw(ABC):
    """A loss as a function of resources and parameters.

    Parameters
    ----------
    name
        Name in the catalogue.
    title
        A few words for tables.
    resources
        What the loss depends on, in the order in which it is written.
    parameters
        The unknowns, each with role, domain, unit and meaning.
    floor
        The parameter that is the irreducible loss, or None where the law has none.
    weights
        Resolution-limited exponent of each resource, ``L - E -> (kappa/R)^weight`` when every
        other resource is infinite; this is ``c/a`` of the scaling equation in the gauge c = 1.
    source
        Where the law comes from, with the equation number where known.
    citation
        Key in ``references.bib``.
    """

    name: str
    title: str
    resources: tuple[Resource, ...]
    parameters: tuple[Parameter, ...]
    floor: Parameter | None
    weights: Mapping[Resource, Any] = field(hash=False)
    source: str
    citation: str

    @abstractmethod
    def log_loss(
        self, parameters: Mapping[str, Any], log_resources: Mapping[str, Any], ops: ModuleType
    ) -> Any:
        """Logarithm of the loss in the log domain.

        Parameters
        ----------
        parameters
            Logarithm of each positive parameter, value of each other, by name.
        log_resources
            Logarithm of each resource, by name; arrays that broadcast with the parameters.
        ops
            Array namespace (`numpy` or `jax.numpy`).

        Returns
        -------
        Array of log loss (loss in nats per token).
        """

    @property
    @abstractmethod
    def chart(self) -> Chart:
        """Pivot coordinates, in which the law is sampled."""

    @abstractmethod
    def latex(self) -> str:
        """The formula in LaTeX, without dollar signs."""

    @abstractmethod
    def formula_text(self) -> str:
        """The formula in one line of text; two laws with the same text are the same law."""

    def loss(self, **values: Any) -> np.ndarray:
        """Loss at given resources and parameters, in the user's own units.

        Parameters
        ----------
        **values
            Every resource and every parameter by name; numbers or arrays that broadcast.

        Returns
        -------
        numpy.ndarray of loss in nats per token.

        Raises
        ------
        LawError
            If a name is missing, unknown, or a positive quantity is not positive.

        Examples
        --------
        >>> from theory import laws
        >>> float(laws.power.loss(N=1e9, E=1.5, A=100.0, alpha=0.25).round(4))
        2.0623
        """
        logs = self.logs(values)
        resources = {r.name: logs.pop(r.name) for r in self.resources}
        return np.asarray(np.exp(self.log_loss(logs, resources, np)))

    def logs(self, values: Mapping[str, Any], *, parameters_only: bool = False) -> dict[str, Any]:
        """Values by name -> what `log_loss` takes: logarithms where positive."""
        positive = {p.name: p.domain is Domain.POSITIVE for p in self.parameters}
        if not parameters_only:
            positive |= {r.name: True for r in self.resources}
        if set(values) != set(positive):
            missing = ", ".join(n for n in positive if n not in values) or "none"
            unknown = ", ".join(n for n in values if n not in positive) or "none"
            raise LawError(
                f"law '{self.name}' takes {', '.join(positive)}; "
                f"missing here: {missing}; not known: {unknown}."
            )
        out = {}
        for name, is_positive in positive.items():
            array = np.asarray(values[name], dtype=np.float64)
            if not np.all(np.isfinite(array)) or (is_positive and np.any(array <= 0)):
                allowed = "finite and positive" if is_positive else "finite"
                raise LawError(f"{name} of law '{self.name}' must be {allowed}; got {array}.")
            out[name] = np.log(array) if is_positive else array
        return out

    def values(self, parameters: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """Parameters as `log_loss` takes them -> values in the user's units, by name."""
        return {
            p.name: np.asarray(
                np.exp(parameters[p.name]) if p.domain is Domain.POSITIVE else parameters[p.name]
            )
            for p in self.parameters
        }


@final
@dataclass(frozen=True, kw_only=True)
class Law(AbstractLaw):
    r"""A law given by a closed formula.

    Parameters
    ----------
    formula
        SymPy expression in the resources and parameters.

    Raises
    ------
    LawError
        If the formula and the declared names do not match.

    Examples
    --------
    >>> from theory import laws
    >>> laws.chinchilla.latex()
    'L = E + A N^{- \\alpha} + B D^{- \\beta}'
    """

    formula: sympy.Expr = field(hash=False)

    def __post_init__(self) -> None:
        declared = {q.symbol for q in (*self.resources, *self.parameters)}
        found = self.formula.free_symbols
        if declared != found:
            wrong = ", ".join(sorted(str(s) for s in declared ^ found))
            raise LawError(
                f"law '{self.name}': {wrong} must stand both in the formula and among the "
                "declared resources and parameters."
            )
        if self.floor is not None and self.floor.role is not Role.FLOOR:
            raise LawError(f"law '{self.name}': floor {self.floor.name} must have role FLOOR.")

    @cached_property
    def decomposition(self) -> Decomposition:
        """The law as floor + (sum of monomials)^outer."""
        return decompose(
            self.formula,
            floor=self.floor,
            resources=self.resources,
            parameters=self.parameters,
        )

    @cached_property
    def chart(self) -> Chart:
        """Pivot coordinates, derived from the formula."""
        return pivot_chart(self.decomposition, floor=self.floor, parameters=self.parameters)

    def log_loss(
        self, parameters: Mapping[str, Any], log_resources: Mapping[str, Any], ops: ModuleType
    ) -> Any:
        """Logarithm of the loss; see `AbstractLaw.log_loss`."""
        return log_value(self.formula, {**parameters, **log_resources}, ops)

    def latex(self) -> str:
        """The formula in LaTeX, floor first, then the terms in the order of the resources."""
        return f"L = {self._ordered(sympy.latex)}"

    def formula_text(self) -> str:
        """The formula in one line, floor first, then the terms in the order of the resources."""
        return self._ordered(sympy.sstr)

    def _ordered(self, show: Any) -> str:
        rank: dict[sympy.Basic, int] = {p.symbol: -1 for p in self.parameters if p is self.floor}
        rank |= {r.symbol: i for i, r in enumerate(self.resources)}
        parts = sorted(
            sympy.Add.make_args(self.formula),
            key=lambda part: min(rank.get(s, len(rank)) for s in part.free_symbols),
        )
        return show(sympy.Add(*parts, evaluate=False), order="none")
