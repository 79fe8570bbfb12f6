"""Other names under which laws, engines and arguments are known; each is understood with a notice.

This is the one place where they stand: a further alias is one entry here.
"""

import functools
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

from bayescale.errors import BayescaleWarning, UsageError

LAWS: Mapping[str, str] = {"hoffmann": "chinchilla", "additive": "chinchilla"}
"""Name of a law elsewhere -> its name here."""

ENGINES: Mapping[str, str] = {"nuts": "numpyro"}
"""Name of an engine elsewhere -> its name here."""

ARGUMENTS: Mapping[str, str] = {"random_seed": "seed"}
"""Name of an argument elsewhere -> its name here."""


def canonical(kind: str, name: str, aliases: Mapping[str, str]) -> str:
    """The name that a thing has here.

    Parameters
    ----------
    kind
        What it is, for the notice.
    name
        As it was given.
    aliases
        One of the tables of this module.

    Warns
    -----
    BayescaleWarning
        If the name is an alias; Python shows it once a line of code.

    Examples
    --------
    >>> canonical("engine", "laplace", ENGINES)
    'laplace'
    """
    if name not in aliases:
        return name
    warnings.warn(
        f"{kind} '{name}' is called '{aliases[name]}' here; it is taken as that.",
        BayescaleWarning,
        skip_file_prefixes=(str(Path(__file__).parent),),
    )
    return aliases[name]


def with_aliases[**P, R](verb: Callable[P, R]) -> Callable[P, R]:
    """The same function, which also takes its arguments and engines under their aliases.

    Raises
    ------
    UsageError
        If an argument is given by both names.
    """

    @functools.wraps(verb)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        for alias in ARGUMENTS.keys() & kwargs.keys():
            name = canonical("argument", alias, ARGUMENTS)
            if name in kwargs:
                raise UsageError(f"{alias}= and {name}= were both given; leave out {alias}=.")
            kwargs[name] = kwargs.pop(alias)
        if isinstance(engine := kwargs.get("engine"), str):
            kwargs["engine"] = canonical("engine", engine, ENGINES)
        return verb(*args, **kwargs)

    return wrapped
