"""The command line: one subcommand a public function.

Results go to stdout (JSON with ``--json``), progress and warnings to stderr; exit codes are those
of `bayescale.errors.Exit`. Everything heavy is imported inside the commands, so that ``--help`` is
instant.
"""

import functools
import gc
import os
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Annotated, Any

import typer

from bayescale.cli.output import say, warnings_to_stderr
from bayescale.errors import BayescaleError, Exit, UsageError

COMMANDS = "bayescale.cli.commands"
"""Every module of this folder is a subcommand, every folder in it a group of them."""

app = typer.Typer(
    name="bayescale",
    help="From a table of training runs to a converged posterior and a compute-optimal plan.",
    epilog=Exit.sentence(),
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _version(asked: bool) -> bool:
    if asked:
        from bayescale._version import __version__

        typer.echo(__version__)
        raise typer.Exit
    return asked


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """From a table of training runs to a converged posterior and a compute-optimal plan."""


def guarded(function: Callable[..., None]) -> Callable[..., None]:
    """The same function, whose errors become one sentence on stderr and an exit code."""

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> None:
        from theory.errors import TheoryError

        try:
            with warnings_to_stderr():
                function(*args, **kwargs)
        except BayescaleError as error:
            say(f"error: {error}")
            raise typer.Exit(error.exit_code) from error
        except TheoryError as error:
            say(f"error: {error}")
            raise typer.Exit(UsageError.exit_code) from error
        except KeyboardInterrupt as error:
            say("interrupted; nothing was written.")
            raise typer.Exit(Exit.INTERRUPTED) from error

    return wrapped


def fill(app: typer.Typer, package: str = COMMANDS) -> None:
    """Add the subcommands of a folder: from each module the function called after it."""
    folder = import_module(package)
    for found in sorted(iter_modules(folder.__path__), key=lambda module: module.name):
        path = f"{package}.{found.name}"
        module = import_module(path)
        if found.ispkg:
            group = typer.Typer(help=module.__doc__, no_args_is_help=True)
            fill(group, path)
            app.add_typer(group, name=found.name)
        else:
            app.command(found.name, epilog=Exit.sentence())(guarded(getattr(module, found.name)))


fill(app)


def main() -> None:
    """Entry point of the ``bayescale`` command."""
    # A short process with small matrices: a pool of BLAS threads costs more than it gives, and
    # most objects made while importing live to the end, so looking for garbage finds none.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    gc.set_threshold(100_000, 50, 50)
    # The library leaves JAX alone; a command line may keep compiled programs between processes.
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(_cache_folder() / "jax"))
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")
    app()


def _cache_folder() -> Path:
    from platformdirs import user_cache_path

    return user_cache_path("bayescale")
