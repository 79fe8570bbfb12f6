"""Which loss forms are admissible: the conditions, each with its verdict.

A condition is PROVED by exact rules for all parameters, or by how the law was made; REFUTED by a
witness evaluated with 50 digits; SUPPORTED where a search found no violation; UNKNOWN otherwise.
To add a condition, add a module to the folder `conditions`.
"""

from theory import folder
from theory.admissibility import conditions as found
from theory.admissibility.condition import Condition
from theory.admissibility.verdict import Verdict
from theory.declaration.abstract_law import AbstractLaw


def conditions() -> dict[str, Condition]:
    """Every condition, by code, in the order of the codes.

    Examples
    --------
    >>> conditions()["A3"].title
    'log-log convex'
    """
    known = (module.CONDITION for module in folder.modules(found))
    return {one.code: one for one in sorted(known, key=lambda one: int(one.code[1:]))}


def check(law: AbstractLaw) -> tuple[Verdict, ...]:
    """The verdict on every condition.

    Parameters
    ----------
    law
        Any law.

    Examples
    --------
    >>> from theory import laws
    >>> [str(verdict.status) for verdict in check(laws.chinchilla)][:4]
    ['proved', 'proved', 'proved', 'proved']
    """
    return tuple(condition.test(law) for condition in conditions().values())
