"""An interrupted sampling is never a result.

PyMC and nutpie catch `KeyboardInterrupt` and give the draws that they have so far, which would pass
for a short but finished run.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


class _Interrupt(BaseException):
    """Ctrl-C, as no sampler catches it."""


@contextmanager
def never_truncated() -> Iterator[None]:
    """Within it Ctrl-C ends a sampling that would otherwise give what it has.

    Raises
    ------
    KeyboardInterrupt
        Where Ctrl-C was pressed within it.
    """
    # Signals reach the main thread only, and whoever has a handler of their own keeps it.
    mine = (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )
    if not mine:
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise _Interrupt

    try:
        signal.signal(signal.SIGINT, interrupt)
        yield
    except _Interrupt:
        raise KeyboardInterrupt from None
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def require_complete(tree: Any, chains: int, draws: int) -> None:
    """Refuse draws of a sampling that did not come to its end.

    Parameters
    ----------
    tree
        `DataTree` with the group ``posterior``.
    chains, draws
        What was asked for.

    Raises
    ------
    KeyboardInterrupt
        If there are fewer.
    """
    found = tree["posterior"].sizes
    if (found["chain"], found["draw"]) != (chains, draws):
        raise KeyboardInterrupt(
            f"the sampling was interrupted after {found['chain']} chains of {found['draw']} of "
            f"{chains} x {draws} draws; nothing is kept of it."
        )
