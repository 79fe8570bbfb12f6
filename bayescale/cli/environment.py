"""What goes wrong outside of bayescale, in a sentence: memory, JAX's platform, threads."""

import os
import re
import sys

from bayescale.errors import BayescaleError, LimitError, UsageError

MEMORY = re.compile(
    r"RESOURCE_EXHAUSTED|out of memory|cannot allocate memory|bad_alloc|failed to map segment"
    r"|can't start new thread|failed to create a thread",
    re.IGNORECASE,
)
"""How libraries say that there is too little memory, or room for threads."""


def explained(error: BaseException) -> BayescaleError | None:
    """Our error, with one sentence, in place of one from below; None where it is not known."""
    text = str(error)
    if isinstance(error, MemoryError) or MEMORY.search(text):
        return LimitError(
            "memory ran out; use fewer runs or draws, engine 'laplace', or a machine with more "
            "memory."
        )
    if (platform := os.environ.get("JAX_PLATFORMS")) and not _jax_computes():
        return UsageError(
            f"JAX cannot compute on '{platform}', which JAX_PLATFORMS asks for; unset it, or set "
            "JAX_PLATFORMS=cpu."
        )
    return None


def _jax_computes() -> bool:
    """Whether JAX, where it was imported, finds a device."""
    if (jax := sys.modules.get("jax")) is None:
        return True
    try:
        return bool(jax.devices())
    except Exception:  # of many kinds: an unknown platform is even a failed assertion
        return False
