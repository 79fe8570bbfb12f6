"""What a likelihood sees of a table: plain arrays that every engine takes."""

from collections.abc import Mapping
from typing import Any, NamedTuple


class Observations(NamedTuple):
    """Rows of a table as arrays of shape (run,); a pytree for JAX.

    Parameters
    ----------
    log_resources
        Logarithm of each resource of the law, by name.
    log_loss
        Logarithm of the loss; None for runs that were not trained yet.
    columns
        What the likelihood and the pooling read of the table beside these, by name.
    weight
        Factor of each run's log likelihood, or None for ones; zero for rows that only fill up.
    """

    log_resources: Mapping[str, Any]
    log_loss: Any = None
    columns: Mapping[str, Any] = {}  # never written to
    weight: Any = None
