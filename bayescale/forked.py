"""A process that was forked after JAX had started would wait for ever: it is told so instead."""

import os
import sys

from bayescale.errors import UsageError

_FORKED: list[int] = []
"""Number of this process, where it was forked after JAX had started."""


def _note() -> None:
    # Without JAX's own question for it, which takes a lock that the fork may have left held.
    if getattr(sys.modules.get("jax._src.xla_bridge"), "_backends", None):
        _FORKED.append(os.getpid())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_note)


def require_unforked() -> None:
    """Refuse to compute where JAX's threads are missing.

    Raises
    ------
    UsageError
        If this process was forked after JAX had started in its parent.
    """
    if _FORKED:
        raise UsageError(
            "this process was forked after JAX had started, and would wait for ever; start it "
            "anew with multiprocessing.get_context('spawn'), or fork before the first fit."
        )
