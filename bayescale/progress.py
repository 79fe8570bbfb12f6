"""How long computations say where they are: a function that is told of every stage.

A computation calls it with a few words, and with a `Part` where it knows how much is done. Nobody
who listens needs to know of parts: a `Part` is text. Where the user gives no such function, what
takes over three seconds shows itself: by Rich on the standard error of a terminal, by a bar that
goes away again in a notebook, and not at all where standard error is no terminal.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from html import escape
from threading import Lock, Timer
from typing import Any, Protocol

Progress = Callable[[str], None]
"""Called with a few words whenever a computation reaches a new stage."""

DELAY = 3.0
"""Seconds after which work shows itself."""

AGAIN = 0.5
"""Seconds between two changes of a notebook's bar."""

_SHOWN: ContextVar[bool] = ContextVar("shown", default=False)
"""Whether a computation further out shows itself: then those within it do not."""


class Part(str):
    """A stage of which it is known how much of the work is done.

    Parameters
    ----------
    text
        The stage in words.
    done
        From 0 to 1.
    """

    done: float

    def __new__(cls, text: str, done: float) -> "Part":
        """Text that knows how much is done."""
        part = super().__new__(cls, text)
        part.done = min(max(float(done), 0.0), 1.0)
        return part


def silent(stage: str) -> None:
    """Tell nobody."""


def within(progress: Progress, first: float, last: float, label: str = "") -> Progress:
    """What is told by a step of some work, as part of the whole.

    Parameters
    ----------
    progress
        Told of the whole.
    first, last
        How much of the whole is done before the step, and after it; from 0 to 1.
    label
        Put before the words of the step.
    """
    inside = 0.0

    def tell(stage: str) -> None:
        nonlocal inside
        inside = stage.done if isinstance(stage, Part) else inside
        progress(Part(f"{label}{stage}", first + (last - first) * inside))

    return tell


def time_left(elapsed: float, done: float) -> str:
    """How long it will still take, in words, if it goes on as so far; nothing before it is known.

    Examples
    --------
    >>> time_left(30.0, 0.25), time_left(10.0, 0.5), time_left(7200.0, 0.5), time_left(5.0, 0.0)
    ('about 1 min 30 s left', 'about 10 s left', 'about 2 h 00 min left', '')
    """
    if not 0.0 < done < 1.0:
        return ""
    seconds = round(elapsed * (1.0 - done) / done)
    if seconds >= 3600:
        return f"about {seconds // 3600} h {seconds % 3600 // 60:02d} min left"
    if seconds >= 60:
        return f"about {seconds // 60} min {seconds % 60:02d} s left"
    return f"about {seconds} s left"


@contextmanager
def shown(progress: Progress | None, *, delay: float = DELAY) -> Iterator[Progress]:
    """What a computation is to tell of its stages: the user's function, or what shows them.

    Parameters
    ----------
    progress
        The user's; None for the display that this process has, if any.
    delay
        Seconds before the display appears.
    """
    if progress is not None:
        yield progress
        return
    screen = None if _SHOWN.get() else _screen()
    if screen is None:
        yield silent
        return
    token = _SHOWN.set(True)
    display = _Display(screen, delay)
    try:
        yield display.tell
    finally:
        _SHOWN.reset(token)
        display.close()


class Screen(Protocol):
    """Where progress is shown."""

    def show(self, stage: str, done: float | None, elapsed: float) -> None:
        """Show a stage, how much is done where that is known, and what follows from the time."""
        ...

    def close(self) -> None:
        """Take it away again."""
        ...


class _Display:
    """A screen that appears after a delay; told from any thread."""

    def __init__(self, screen: Callable[[], Screen], delay: float) -> None:
        self._screen, self._open = screen, None
        self._stage, self._done = "starting", None
        self._began, self._lock, self._closed = time.monotonic(), Lock(), False
        self._timer = Timer(delay, self._appear)
        self._timer.daemon = True
        self._timer.start()

    _open: Screen | None
    _done: float | None

    def tell(self, stage: str) -> None:
        """Show a stage."""
        with self._lock:
            self._stage = str(stage)
            self._done = stage.done if isinstance(stage, Part) else self._done
            self._show()

    def close(self) -> None:
        """Take the display away."""
        self._timer.cancel()
        with self._lock:
            self._closed = True
            if self._open is not None:
                self._open.close()

    def _appear(self) -> None:
        with self._lock:
            if not self._closed:
                self._open = self._screen()
                self._show()

    def _show(self) -> None:
        if self._open is not None:
            self._open.show(self._stage, self._done, time.monotonic() - self._began)


def _screen() -> Callable[[], Screen] | None:
    """The screen of this process, not yet opened; None where there is none."""
    if "IPython" in sys.modules:
        shell = sys.modules["IPython"].get_ipython()
        if getattr(shell, "kernel", None) is not None:
            return Notebook
    error = sys.stderr
    return Terminal if error is not None and error.isatty() else None


class Terminal:
    """A line of Rich's on standard error."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bars

        columns: list[Any] = [
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}", markup=False),
        ]
        self._bars = Bars(*columns, console=Console(stderr=True), transient=True)
        self._task = self._bars.add_task("", total=None, left="")
        self._stack = ExitStack()
        self._stack.enter_context(self._bars)

    def show(self, stage: str, done: float | None, elapsed: float) -> None:
        """See `Screen`."""
        left = "" if done is None else time_left(elapsed, done)
        total = None if done is None else 1.0
        self._bars.update(
            self._task, description=stage, total=total, completed=done or 0.0, left=left
        )

    def close(self) -> None:
        """See `Screen`."""
        self._stack.close()


class Notebook:
    """A bar of HTML in the output of a notebook's cell."""

    def __init__(self) -> None:
        from IPython.display import HTML, display

        self._html: Callable[[str], Any] = HTML
        self._handle: Any = display(HTML(""), display_id=True)
        self._last = -AGAIN

    def show(self, stage: str, done: float | None, elapsed: float) -> None:
        """See `Screen`."""
        if elapsed - self._last < AGAIN:
            return
        self._last = elapsed
        bar = "<progress></progress>"
        left = f"{elapsed:.0f} s"
        if done is not None:
            bar = f'<progress value="{done:.3f}" max="1"></progress>'
            left += f", {time_left(elapsed, done)}" if time_left(elapsed, done) else ""
        self._handle.update(self._html(f"{bar} {escape(stage)} ({left})"))

    def close(self) -> None:
        """See `Screen`."""
        self._handle.update(self._html(""))
