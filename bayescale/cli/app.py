"""The command line: one subcommand a public function.

Results go to stdout (JSON with ``--json``), progress and warnings to stderr; exit codes are those
of `bayescale.errors.Exit`. Everything heavy is imported inside the commands, so that ``--help`` is
instant.
"""

import functools
from collections.abc import Callable
from importlib import import_module
from pkgutil import iter_modules
from typing import Annotated, Any

import typer

from bayescale.cli.environment import explained
from bayescale.cli.output import say, warnings_to_stderr
from bayescale.cli.process import run
from bayescale.cli.signals import farewell
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
            say(farewell(Exit.INTERRUPTED))
            raise typer.Exit(Exit.INTERRUPTED) from error
        except (typer.Exit, typer.Abort):
            raise
        except Exception as error:
            if (known := explained(error)) is None:
                raise
            say(f"error: {known}")
            raise typer.Exit(known.exit_code) from error

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
    """Run the command line in a process of its own."""
    run(app)
