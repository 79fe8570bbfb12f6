"""The command ``bayescale``, also as ``python -m bayescale``."""

from importlib import import_module

from bayescale.cli.process import run


def main() -> None:
    """Run the command line; signals are obeyed from before it is imported on."""
    run(lambda: import_module("bayescale.cli.app").app())


if __name__ == "__main__":
    main()
