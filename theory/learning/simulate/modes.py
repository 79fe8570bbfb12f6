"""The modes of a task one by one, as a simulation draws them."""

from typing import Any

import numpy as np

from theory.errors import TheoryError


def every_mode(task: Any) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalue and power of every single mode; the nodes of a task stand for many each.

    Parameters
    ----------
    task
        A `PowerLaw` with a finite number of modes, or a `Measured` spectrum.

    Returns
    -------
    numpy.ndarray, numpy.ndarray
        ``lambda_k`` and ``p_k``, (mode,).

    Raises
    ------
    TheoryError
        If there are infinitely many modes, or several tasks in one.

    Examples
    --------
    >>> from theory.learning.spectrum import PowerLaw
    >>> every_mode(PowerLaw(1.0, 2.0, modes=2))
    (array([1.  , 0.25]), array([1. , 0.5]))
    """
    measured = getattr(task, "given_eigenvalues", None)
    if measured is not None:
        return np.asarray(measured, dtype=float), np.asarray(task.given_powers, dtype=float)
    if task.modes is None or np.ndim(task.a) or np.ndim(task.b):
        raise TheoryError(
            "a simulation draws every mode of one task, so there must be a finite number of them; "
            f"got {task}. Give modes=, such as PowerLaw(1.5, 1.25, modes=500)."
        )
    k = np.arange(1.0, task.modes + 1)
    return k ** -float(task.b), k ** -float(task.a)
