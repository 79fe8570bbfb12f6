"""The errors the mathematics raises; each message is one sentence that names cause and cure."""

import difflib
from collections.abc import Iterable


class TheoryError(ValueError):
    """Any error raised on purpose by `theory`."""


class LawError(TheoryError):
    """A law is declared in a way that cannot be compiled or charted."""


class UnknownLaw(TheoryError):
    """No law of that name is in the catalogue."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """End of an error message about an unknown name: the nearest known one, and all of them.

    Examples
    --------
    >>> did_you_mean("chinchila", ["chinchilla", "kaplan"])
    " Did you mean 'chinchilla'? Known: chinchilla, kaplan."
    """
    known = list(known)
    near = difflib.get_close_matches(name, known, n=1)
    hint = f" Did you mean '{near[0]}'?" if near else ""
    return f"{hint} Known: {', '.join(known)}."
