"""Noise models: the distribution of log loss around the law.

A likelihood names its own parameters with their priors and says, as data, how log loss is
distributed; the engines translate that through `bayescale.distributions.families.FAMILIES`. A new
one is one file here, with one class.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, get_args, get_origin, get_type_hints

from bayescale.errors import UsageError
from bayescale.models.likelihood import AbstractLikelihood
from bayescale.registry import Folder, defined
from theory.errors import did_you_mean

__all__ = ["LIKELIHOODS", "AbstractLikelihood", "get", "make"]

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
    kind: Any = LIKELIHOODS[name]
    known, types = [field.name for field in fields(kind)], get_type_hints(kind)
    for option in options:
        if option not in known:
            raise UsageError(
                f"likelihood '{name}' has no option '{option}'; it takes "
                f"{', '.join(known) or 'none'}."
            )
    return kind(**{n: _read(name, n, value, types[n]) for n, value in options.items()})


_TRUTH = {"true": True, "yes": True, "false": False, "no": False}

_READ: dict[type, tuple[Callable[[Any], Any], str]] = {
    bool: (
        lambda value: value if isinstance(value, bool) else _TRUTH[value.lower()],
        "true or false",
    ),
    int: (int, "a whole number"),
    float: (float, "a number"),
    tuple: (lambda value: tuple(value.split("+") if isinstance(value, str) else value), "names"),
    str: (str, "a text"),
}
"""How an option of a type is read from text, and what it takes in words."""


def _read(name: str, option: str, value: Any, declared: Any) -> Any:
    """Value of an option as its dataclass declares it: one of `_READ`, or None where allowed."""
    allowed = [get_origin(one) or one for one in get_args(declared) or (declared,)]
    if get_origin(declared) is tuple:
        allowed = [tuple]
    if value is None and type(None) in allowed:
        return None
    read, words = next(_READ[one] for one in _READ if one in allowed)
    try:
        return read(value)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise UsageError(
            f"option '{option}' of likelihood '{name}' takes {words}; got '{value}'."
        ) from None
