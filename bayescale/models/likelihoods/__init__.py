"""Noise models: the distribution of log loss around the law.

A likelihood names its own parameters with their priors and says, as data, how log loss is
distributed; the engines translate that through `bayescale.distributions.families.FAMILIES`. A new
one is one file here, with one class.
"""

import re
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from bayescale.errors import UsageError
from bayescale.models.likelihood import AbstractLikelihood
from bayescale.registry import Folder, defined
from theory.errors import did_you_mean

LIKELIHOODS = Folder(__name__, lambda module: defined(module, AbstractLikelihood))
"""Every likelihood, by name."""


def get(likelihood: str | AbstractLikelihood) -> AbstractLikelihood:
    """A likelihood from its name, with options as in ``"rounded(step=0.01)"``.

    The text is matched against a pattern, never evaluated.

    Raises
    ------
    UsageError
        If there is none of that name, or it has no such option.

    Examples
    --------
    >>> get("curves(along=step)")
    Curves(along='step', run='run')
    """
    if isinstance(likelihood, AbstractLikelihood):
        return likelihood
    call = re.fullmatch(r"\s*([\w-]+)\s*(?:\(([^()]*)\))?\s*", likelihood)
    if call is None or call[1] not in LIKELIHOODS:
        name = call[1] if call else likelihood
        raise UsageError(f"no likelihood called '{name}'.{did_you_mean(name, LIKELIHOODS)}")
    options: dict[str, Any] = {}
    for part in (call[2] or "").split(","):
        if part.strip():
            name, equals, value = (piece.strip() for piece in part.partition("="))
            if not (equals and value):
                raise UsageError(
                    f"'{part.strip()}' in '{likelihood}' is not an option; write option=value, as "
                    "in 'rounded(step=0.01)'."
                )
            options[name] = value
    return make(call[1], options)


def make(name: str, options: Mapping[str, Any]) -> AbstractLikelihood:
    """A likelihood from its name and options; texts are read as what the option takes.

    Raises
    ------
    UsageError
        If it has no such option, or one is not of the right kind.
    """
    if name not in LIKELIHOODS:
        raise UsageError(f"no likelihood called '{name}'.{did_you_mean(name, LIKELIHOODS)}")
    kinds = {field.name: str(field.type) for field in fields(LIKELIHOODS[name])}
    values = {}
    for option, value in options.items():
        if option not in kinds:
            raise UsageError(
                f"likelihood '{name}' has no option '{option}'; it takes "
                f"{', '.join(kinds) or 'none'}."
            )
        values[option] = _read(name, option, value, kinds[option])
    return LIKELIHOODS[name](**values)


def _read(name: str, option: str, value: Any, kind: str) -> Any:
    if value is None:
        return None
    if "tuple" in kind:
        return tuple(value.split("+")) if isinstance(value, str) else tuple(value)
    if "float" in kind:
        try:
            return float(value)
        except ValueError:
            raise UsageError(
                f"option '{option}' of likelihood '{name}' takes a number; got '{value}'."
            ) from None
    return value
