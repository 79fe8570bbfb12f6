"""Pivot coordinates: the loss at a pivot, the floor's fraction of it, shares, exponents.

Amplitudes are nearly collinear with exponents far from the data; the value of each term at the
geometric mean of the data is not. With pivot sizes ``R0``, ``L = E + (sum_i t_i)^g`` becomes

    L_pivot        = L(R0)
    floor_fraction = E / L_pivot
    share_i        = t_i(R0) / sum_{j >= i} t_j(R0)     (the last share is what is left)

and every exponent and shape stands for itself. What the shares divide is told by the law's own
`AbstractSplit`: for two terms ``share_N`` is the share of the N term in the reducible loss (in the
power mean of the share law). On the 245 digitised Chinchilla runs this takes the condition number
of the Fisher matrix from 4e4 to about 1e2.

The floor and the amplitudes may be coordinates themselves, in place of as many of these
(`theory.declaration.stated_chart`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import sympy

from theory.declaration.links import AbstractLink
from theory.declaration.logdomain import log_value
from theory.declaration.namespace import Elementary, Environment
from theory.declaration.symbols import Parameter
from theory.declaration.terms import AbstractSplit

LOSS = sympy.Symbol("L", positive=True)
"""The loss, in the inverse of a link."""

_KERNEL, _FRACTION = (sympy.Symbol(name, positive=True) for name in ("ell", "fraction"))

LEVEL, FLOOR_FRACTION, REDUCIBLE = "L_pivot", "floor_fraction", "reducible_pivot"
"""Names of the coordinates that say how large the loss at the pivot is, and its floor."""


class Kind(StrEnum):
    """What a coordinate is; default priors are looked up by it."""

    LEVEL = "level"
    FLOOR_FRACTION = "floor fraction"
    SHARE = "share"
    PARAMETER = "parameter"
    KERNEL = "kernel"
    STATED = "stated"


@dataclass(frozen=True)
class Coordinate:
    """One unknown of the inference.

    Parameters
    ----------
    name
        ``L_pivot``, ``floor_fraction``, ``share_N``, ``reducible_pivot`` or the name of a
        parameter.
    kind
        What it is; a floor or an amplitude that is a coordinate itself is `Kind.STATED`.
    meaning
        Words for tables.
    parameter
        The law's parameter that it is, for the kinds `Kind.PARAMETER` and `Kind.STATED`.
    after
        For a share: how many terms divide what it leaves.
    """

    name: str
    kind: Kind
    meaning: str
    parameter: Parameter | None = None
    after: int = 0


@dataclass(frozen=True)
class Chart:
    """The map between pivot coordinates and a law's own parameters."""

    coordinates: tuple[Coordinate, ...]
    split: AbstractSplit
    link: AbstractLink

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the coordinates, in order."""
        return tuple(coordinate.name for coordinate in self.coordinates)

    def to_parameters(
        self, coordinates: Environment, log_pivot: Environment, ops: Elementary
    ) -> dict[str, Any]:
        """Parameters of the law from pivot coordinates.

        Parameters
        ----------
        coordinates
            Value of each coordinate; arrays of one shape.
        log_pivot
            Logarithm of the pivot of each resource.
        ops
            Array namespace (`numpy` or `jax.numpy`).

        Returns
        -------
        dict
            Logarithm of each positive parameter, value of each other, by name.
        """
        env = {
            c.name: ops.log(coordinates[c.name])
            if c.parameter.domain.is_positive
            else coordinates[c.name]
            for c in self.coordinates
            if c.parameter is not None
        }
        at_pivot = {**env, **log_pivot}
        log_kernel = self._log_kernel(env, coordinates, at_pivot, ops)
        if log_kernel is None:
            return self._from_amplitudes(env, coordinates, log_pivot, ops)
        log_shares, log_left = [], 0.0
        for term in self.split.terms[:-1]:
            share = coordinates[f"share_{term.label}"]
            log_shares.append(log_left + ops.log(share))
            log_left = log_left + ops.log1p(-share)
        log_shares.append(log_left)
        at_pivot = {**env, **log_pivot}
        return env | self.split.to_amplitudes(log_kernel, log_shares, at_pivot, ops)

    def _log_kernel(
        self, env: dict[str, Any], coordinates: Environment, at_pivot: Environment, ops: Elementary
    ) -> Any:
        """Log of the kernel at the pivot where it is told without amplitudes; else None.

        The floor is added to `env` where it follows from its fraction of the loss.
        """
        names, floor = self.names, self.link.floor
        if REDUCIBLE in names:
            return ops.log(coordinates[REDUCIBLE])
        log_fraction = ops.log(coordinates[FLOOR_FRACTION]) if FLOOR_FRACTION in names else None
        if LEVEL in names:
            log_level = ops.log(coordinates[LEVEL])
        elif floor is not None and floor.name in env and log_fraction is not None:
            log_level = env[floor.name] - log_fraction
        else:
            return None
        if floor is not None and floor.name not in env:
            env[floor.name] = log_level + log_fraction
        return log_value(self.link.kernel(LOSS), {**at_pivot, **env, LOSS.name: log_level}, ops)

    def _from_amplitudes(
        self, env: dict[str, Any], coordinates: Environment, log_pivot: Environment, ops: Elementary
    ) -> dict[str, Any]:
        """Parameters where an amplitude is a coordinate, so that its term sets the kernel."""
        at_pivot = {**env, **log_pivot}
        missing = [term for term in self.split.terms if term.amplitude.name not in env]
        if missing:
            log_terms = self._log_terms(coordinates, at_pivot, ops)
            for term in missing:
                log_term = log_terms[self.split.terms.index(term)]
                env[term.amplitude.name] = term.log_amplitude(log_term, at_pivot, ops)
        floor = self.link.floor
        if floor is not None and floor.name not in env:
            fraction = ops.log(coordinates[FLOOR_FRACTION])
            at_pivot = {**env, **log_pivot, _FRACTION.name: fraction}
            at_pivot[_KERNEL.name] = self.split.log_kernel(at_pivot, ops)
            loss = self.link.loss_at_fraction(_KERNEL, _FRACTION)
            assert loss is not None
            env[floor.name] = log_value(loss, at_pivot, ops) + fraction
        return env

    def _log_terms(
        self, coordinates: Environment, at_pivot: Environment, ops: Elementary
    ) -> list[Any]:
        """Log of every term at the pivot, from those whose amplitude is known and the shares.

        A share divides a term from the sum of those behind it; where one of the two is known, the
        share tells the other.
        """
        terms = self.split.terms
        logs: list[Any] = [
            term.log_value(at_pivot, ops) if term.amplitude.name in at_pivot else None
            for term in terms
        ]
        shares = [coordinates.get(f"share_{term.label}") for term in terms[:-1]]
        own = [None if share is None else ops.log(share) for share in shares]
        behind = [None if share is None else ops.log1p(-share) for share in shares]
        sums = [*logs]  # of a term and those behind it
        for k in reversed(range(len(terms) - 1)):
            if logs[k] is None:
                sums[k] = None if sums[k + 1] is None else sums[k + 1] - behind[k]
            elif sums[k + 1] is None:
                sums[k] = logs[k] - own[k]
            else:
                sums[k] = ops.logaddexp(logs[k], sums[k + 1])
        for k in range(len(terms) - 1):
            if logs[k] is None:
                logs[k] = sums[k] + own[k]
            if sums[k + 1] is None:
                sums[k + 1] = sums[k] + behind[k]
        return [*logs[:-1], sums[-1]]

    def to_coordinates(
        self, parameters: Environment, log_pivot: Environment, ops: Elementary
    ) -> dict[str, Any]:
        """Pivot coordinates from parameters; the inverse of `to_parameters`.

        `parameters` holds logarithms of positive parameters, as `to_parameters` returns them.
        """
        at_pivot = {**parameters, **log_pivot}
        log_kernel = self.split.log_kernel(at_pivot, ops)
        log_shares = self.split.to_shares(log_kernel, at_pivot, ops)
        log_level = log_value(self.link.loss(LOSS), {**at_pivot, LOSS.name: log_kernel}, ops)
        out: dict[str, Any] = {LEVEL: ops.exp(log_level), REDUCIBLE: ops.exp(log_kernel)}
        if self.link.floor is not None:
            out[FLOOR_FRACTION] = ops.exp(parameters[self.link.floor.name] - log_level)
        log_tail = log_shares[-1]
        for term, log_share in reversed(
            list(zip(self.split.terms[:-1], log_shares[:-1], strict=True))
        ):
            log_tail = ops.logaddexp(log_share, log_tail)
            out[f"share_{term.label}"] = ops.exp(log_share - log_tail)
        for coordinate in self.coordinates:
            if coordinate.parameter is not None:
                known = parameters[coordinate.name]
                positive = coordinate.parameter.domain.is_positive
                out[coordinate.name] = ops.exp(known) if positive else known
        return {name: out[name] for name in self.names}


def pivot_chart(
    split: AbstractSplit, *, link: AbstractLink, parameters: Sequence[Parameter]
) -> Chart:
    """Derive the pivot coordinates of a law from its split and link."""
    coordinates = [Coordinate(LEVEL, Kind.LEVEL, "loss at the pivot")]
    floor = link.floor
    if floor is not None:
        meaning = f"{floor.name} as a fraction of the loss at the pivot"
        coordinates.append(Coordinate(FLOOR_FRACTION, Kind.FLOOR_FRACTION, meaning))
    count = len(split.terms)
    for position, term in enumerate(split.terms[:-1], start=1):
        whole = split.whole if position == 1 else "what the shares before it leave"
        coordinates.append(
            Coordinate(
                f"share_{term.label}",
                Kind.SHARE,
                f"share of the {term.label} term in {whole} at the pivot",
                after=count - position,
            )
        )
    replaced = {term.amplitude for term in split.terms} | {floor}
    coordinates += [
        Coordinate(p.name, Kind.PARAMETER, p.meaning, parameter=p)
        for p in parameters
        if p not in replaced
    ]
    return Chart(tuple(coordinates), split, link)
