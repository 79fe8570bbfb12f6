"""What a scaling law is: one declaration from which everything else follows.

`AbstractLaw` is what the rest of the code talks to. Laws given by a closed formula (`Law`), by a
contour (`ContourLaw`) or by a forward model (`ForwardLaw`) are final classes of few methods.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import sympy
from numpy.typing import ArrayLike

from theory.declaration.chart import Chart, pivot_chart
from theory.declaration.links import AbstractLink, Identity
from theory.declaration.logdomain import log_value
from theory.declaration.namespace import Elementary, Environment
from theory.declaration.symbols import Parameter, Resource, Role
from theory.declaration.terms import AbstractSplit
from theory.errors import LawError

KERNEL = sympy.Symbol("ell", positive=True)
"""The kernel (for most laws the reducible loss ``L - E``) in links and contours."""

ADMISSIBLE = ("A0", "A1", "A2", "A3")
"""What a law claims unless it says otherwise: scaling equation, limits, monotone, convex."""


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
        Resolution-limited exponent of each resource, ``kernel -> (kappa/R)^weight`` when every
        other resource is infinite; this is ``c/a`` of the scaling equation in the gauge c = 1,
        and infinite for a covariate. None where the law declares none.
    source
        Where the law comes from, with the equation number where known.
    citation
        Key in ``references.bib``; empty where there is none.
    link
        The scale on which the scaling equation acts; ``L - E`` by default.
    nests
        Name of a wider law -> values of its parameters (numbers, or expressions in this law's
        own) at which it is this law; a parameter of the same name stands for itself.
    claims
        Codes of the conditions of `theory.admissibility.admissible` that the law is meant to
        satisfy.
    by_construction
        Code -> the sentence that proves the condition from how the law was made.
    domain
        Relations between resources outside of which the law is not meant.
    verified
        Whether the formula was seen in the source, or the same in independent texts about it.
    written
        The formula as text and as LaTeX, where it is too long to be read as it is evaluated.
    """

    name: str
    title: str
    resources: tuple[Resource, ...]
    parameters: tuple[Parameter, ...]
    floor: Parameter | None = None
    weights: Mapping[Resource, sympy.Expr] | None = field(default=None, hash=False)
    source: str
    citation: str
    link: AbstractLink | None = None
    nests: Mapping[str, Mapping[str, sympy.Expr | float]] = field(default_factory=dict, hash=False)
    claims: tuple[str, ...] = ADMISSIBLE
    by_construction: Mapping[str, str] = field(default_factory=dict, hash=False)
    domain: tuple[sympy.Basic, ...] = ()
    verified: bool = True
    written: tuple[str, str] | None = None

    def __post_init__(self) -> None:
        if self.link is None:
            object.__setattr__(self, "link", Identity(self.floor))
        elif self.floor is None:
            object.__setattr__(self, "floor", self.link.floor)
        if self.floor is not None and self.floor.role is not Role.FLOOR:
            raise LawError(f"law '{self.name}': floor {self.floor.name} must have role FLOOR.")
        if self.floor != self.scale.floor:
            raise LawError(
                f"law '{self.name}': floor {_name(self.floor)} is not that of its link, "
                f"{_name(self.scale.floor)}."
            )
        names = [q.name for q in (*self.resources, *self.parameters)]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise LawError(f"law '{self.name}': {', '.join(twice)} is declared twice.")
        declared = {q.symbol for q in (*self.resources, *self.parameters)}
        found = self.relation.free_symbols - {KERNEL}
        found |= {p.symbol for p in self.scale.parameters}
        if declared != found:
            wrong = ", ".join(sorted(str(s) for s in declared ^ found))
            raise LawError(
                f"law '{self.name}': {wrong} must stand both in the formula and among the "
                "declared resources and parameters."
            )

    @property
    def scale(self) -> AbstractLink:
        """The link, never None."""
        assert self.link is not None
        return self.link

    @property
    def sizes(self) -> tuple[Resource, ...]:
        """The resources that are spent, without covariates."""
        return tuple(r for r in self.resources if not r.is_covariate)

    @property
    @abstractmethod
    def relation(self) -> sympy.Expr:
        """The expression that defines the kernel, for symbolic work; see `degree`."""

    @property
    @abstractmethod
    def degree(self) -> int:
        """Degree of `relation` under a scaling of sizes that scales the kernel by lambda.

        1 where `relation` is the kernel, 0 where it is a contour ``Phi(R, ell) = 1``.
        """

    @abstractmethod
    def log_kernel(
        self, parameters: Environment, log_resources: Environment, ops: Elementary
    ) -> Any:
        """Logarithm of the kernel in the log domain; see `log_loss`."""

    @abstractmethod
    def elasticity_expressions(self) -> dict[Resource, sympy.Expr]:
        """``e_i = -d ln kernel / d ln R_i`` of each resource (in `KERNEL` where implicit)."""

    @property
    @abstractmethod
    def split(self) -> AbstractSplit:
        """How the amplitudes set the kernel."""

    @abstractmethod
    def formula_text(self) -> str:
        """The formula in one line of text; two laws with the same text are the same law."""

    @abstractmethod
    def latex(self) -> str:
        """The formula in LaTeX, without dollar signs."""

    @cached_property
    def chart(self) -> Chart:
        """Pivot coordinates, in which the law is sampled."""
        return pivot_chart(self.split, link=self.scale, parameters=self.parameters)

    @property
    def has_chart(self) -> bool:
        """Whether pivot coordinates exist: every term has one amplitude."""
        try:
            return bool(self.chart.names)
        except LawError:
            return False

    def log_loss(self, parameters: Environment, log_resources: Environment, ops: Elementary) -> Any:
        """Logarithm of the loss in the log domain.

        Parameters
        ----------
        parameters
            Logarithm of each positive parameter, value of each other, by name.
        log_resources
            Logarithm of each resource, by name; arrays that broadcast with the parameters.
        ops
            Array namespace (`numpy` or `jax.numpy`), or `theory.admissibility.precision.Precise`.

        Returns
        -------
        Array of log loss (loss in nats per token).
        """
        log_kernel = self.log_kernel(parameters, log_resources, ops)
        return log_value(self.scale.loss(KERNEL), {**parameters, KERNEL.name: log_kernel}, ops)

    def loss(self, **values: ArrayLike) -> np.ndarray:
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

    def logs(
        self, values: Mapping[str, ArrayLike], *, parameters_only: bool = False
    ) -> dict[str, Any]:
        """Values by name -> what `log_loss` takes: logarithms where positive."""
        positive = {p.name: p.domain.is_positive for p in self.parameters}
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

    def values(self, parameters: Mapping[str, ArrayLike]) -> dict[str, np.ndarray]:
        """Parameters as `log_loss` takes them -> values in the user's units, by name."""
        return {
            p.name: np.asarray(
                np.exp(parameters[p.name]) if p.domain.is_positive else parameters[p.name]
            )
            for p in self.parameters
        }

    def _in_order(self, expr: sympy.Expr) -> list[sympy.Expr]:
        """Terms of a sum: the floor first, then in the order of the resources."""
        rank: dict[sympy.Basic, int] = {p.symbol: -1 for p in self.parameters if p is self.floor}
        rank |= {r.symbol: i for i, r in enumerate(self.resources)}
        return sorted(
            sympy.Add.make_args(expr),
            key=lambda part: min((rank.get(s, len(rank)) for s in part.free_symbols), default=0),
        )


def _name(parameter: Parameter | None) -> str:
    return "none" if parameter is None else parameter.name
