"""Ctrl-C and SIGTERM: the command stops with 130 or 143, within `GRACE` seconds at most."""

import os
import signal
import socket
import threading
from types import FrameType

from bayescale.errors import Exit

GRACE = 2.0
"""Seconds in which a command that was asked to stop may put things in order."""

CODES = {signal.SIGINT: Exit.INTERRUPTED, signal.SIGTERM: Exit.TERMINATED}
"""Signals that stop a command -> its exit code."""


class Stopped(BaseException):
    """A signal asked the process to stop.

    It is no `KeyboardInterrupt`, which samplers catch to give what they have so far.

    Parameters
    ----------
    code
        What the process exits with.
    """

    def __init__(self, code: Exit) -> None:
        super().__init__(code)
        self.code = code


def farewell(code: Exit) -> str:
    """The sentence of a command that was stopped."""
    return f"{code.meaning}; no file is half-written."


def stop_on_signals() -> None:
    """From now on `CODES` raise `Stopped` in the main thread, and end a process that goes on.

    A thread of its own watches: compiled code does not return to Python to be told of a signal,
    and a library may swallow what is raised in it. A second signal ends the process at once. A
    signal that is ignored, as by ``nohup``, stays ignored.
    """
    told, tell = socket.socketpair()
    tell.setblocking(False)
    signal.set_wakeup_fd(tell.fileno(), warn_on_full_buffer=False)
    for number in CODES:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _raise)
    threading.Thread(target=_watch, args=(told, tell), name="signals", daemon=True).start()


def ignore_signals() -> None:
    """All is done: what comes now is too late to stop anything."""
    for number in CODES:
        signal.signal(number, signal.SIG_IGN)


def _raise(number: int, frame: FrameType | None) -> None:
    raise Stopped(CODES[signal.Signals(number)])


def _watch(told: socket.socket, tell: socket.socket) -> None:
    """End the process some time after the first signal, or with the second."""
    code = CODES[signal.Signals(told.recv(1)[0])]
    told.settimeout(GRACE)
    try:
        told.recv(1)
    except TimeoutError:
        pass
    finally:
        tell.close()
    try:
        os.write(2, f"{farewell(code)}\n".encode())
    finally:
        os._exit(code)
