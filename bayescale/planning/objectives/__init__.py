"""What a plan minimises, and over what: reductions of the loss over posterior draws.

None of them gains much over another in model size, because the loss is flat in it; they differ in
what they say of the risk. A target is met at the least compute or the least money.
"""

import re
from collections.abc import Callable

from bayescale.errors import UsageError
from bayescale.planning.objective import AbstractObjective
from bayescale.registry import Folder, defined
from theory.errors import did_you_mean

__all__ = ["FOR_A_TARGET", "OBJECTIVES", "AbstractObjective", "get"]

OBJECTIVES: Folder[Callable[..., AbstractObjective]] = Folder(
    __name__, lambda module: defined(module, AbstractObjective)
)
"""Every objective at a given budget, by name; some take a level, as in cvar(0.95)."""

FOR_A_TARGET = ("compute", "money")
"""What may be minimised where a target is given."""

_CALL = re.compile(r"\s*(\w+)\s*(?:\(\s*([^()]*?)\s*\))?\s*")


def get(objective: str | AbstractObjective) -> AbstractObjective:
    """An objective from its name.

    Raises
    ------
    UsageError
        If there is none of that name, or its level is not a probability.

    Examples
    --------
    >>> get("cvar(0.95)")
    TailMean(level=0.95)
    """
    if isinstance(objective, AbstractObjective):
        return objective
    if objective in FOR_A_TARGET:
        raise UsageError(
            f"objective '{objective}' is minimised to reach a target; pass target= (--target), or "
            f"at a given budget one of {', '.join(OBJECTIVES)}."
        )
    match = _CALL.fullmatch(objective)
    name, level = match.groups() if match else (objective, None)
    if name not in OBJECTIVES:
        raise UsageError(f"no objective called '{objective}'.{did_you_mean(name, OBJECTIVES)}")
    if level is None:
        return OBJECTIVES[name]()
    try:
        return OBJECTIVES[name](float(level))
    except (TypeError, ValueError) as error:
        if isinstance(error, UsageError):
            raise
        raise UsageError(
            f"objective '{objective}' is not understood; a level is one number, as in "
            "cvar(0.9), and some objectives take none."
        ) from None
