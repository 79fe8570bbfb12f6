"""The process of a command: its working directory, its streams, its signals, its exit."""

import gc
import io
import os
import sys
from collections.abc import Callable
from pathlib import Path

from bayescale.cli.signals import Stopped, farewell, ignore_signals, stop_on_signals
from bayescale.errors import Exit

COLUMNS = (40, 500)
"""Least and largest width of a terminal that is believed."""


class ClosedStream(io.TextIOBase):
    """A standard stream that was closed before the process began: nothing can be written to it."""

    def write(self, text: str) -> int:
        """Fail as a closed file does."""
        raise OSError(9, os.strerror(9))

    @property
    def encoding(self) -> str:
        """Encoding that writers ask for."""
        return "utf-8"


def run(command: Callable[[], object]) -> None:
    """Run a command in this process, to its end or to the first signal.

    Parameters
    ----------
    command
        Ends by `SystemExit` with its code, or by returning.
    """
    sys.unraisablehook = _told
    try:
        stop_on_signals()
        _prepare()
        code = _code_of(command)
        ignore_signals()
    except Stopped as stop:
        ignore_signals()
        _end(stop.code)
    # Python looks for garbage once more as it ends, through all that was imported: half a second
    # for what the operating system takes back anyway.
    gc.freeze()
    raise SystemExit(_flushed(code))


def _told(lost: "sys.UnraisableHookArgs") -> None:
    """Say what could not be raised, unless it is a signal that came where nothing can be raised."""
    if not isinstance(lost.exc_value, Stopped):
        sys.__unraisablehook__(lost)


def _code_of(command: Callable[[], object]) -> int | str | None:
    try:
        command()
    except SystemExit as end:
        return end.code
    return Exit.DONE


def _end(code: Exit) -> None:
    """End now: threads that still compute are not waited for."""
    try:
        print(farewell(code), file=sys.stderr, flush=True)  # noqa: T201
    finally:
        os._exit(code)


def _prepare() -> None:
    _keep_standard_descriptors()
    _require_folder()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    _believe_columns()
    # A short process with small matrices: a pool of BLAS threads costs more than it gives, and
    # most objects made while importing live to the end, so looking for garbage finds none.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    gc.set_threshold(100_000, 50, 50)
    # Wherever Dask is installed xarray loads all of it, to ask whether an array is Dask's. None is
    # in a command; to Python a module that is None here is one that is not installed.
    sys.modules.setdefault("dask", None)  # pyright: ignore[reportArgumentType]
    # The library leaves JAX alone; a command line may keep compiled programs between processes.
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(_cache_folder() / "jax"))
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")


def _keep_standard_descriptors() -> None:
    """Put something where a standard stream was closed, so that no file takes its number."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free, which is this one
    # A closed stream that Python took for none drops what is printed without a word.
    if sys.stdout is None:
        sys.stdout = ClosedStream()
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")


def _require_folder() -> None:
    try:
        os.getcwd()
    except OSError:
        print(  # noqa: T201
            "error: the working directory does not exist any more; change to one that does.",
            file=sys.stderr,
        )
        raise SystemExit(Exit.DATA) from None


def _believe_columns() -> None:
    """Bring the width that the environment claims into a range in which text can be read."""
    claimed = os.environ.get("COLUMNS")
    if claimed is None:
        return
    if claimed.isascii() and claimed.isdigit() and len(claimed) < 10 and int(claimed) > 0:
        low, high = COLUMNS
        os.environ["COLUMNS"] = str(min(max(int(claimed), low), high))
    else:
        del os.environ["COLUMNS"]


def _flushed(code: int | str | None) -> int | str | None:
    """The code, after what is still to be printed; nothing is left to fail while Python ends."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    return code


def _cache_folder() -> Path:
    from platformdirs import user_cache_path

    return user_cache_path("bayescale")
