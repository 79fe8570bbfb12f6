"""The subcommand ``summary``: what a saved posterior says."""

from bayescale.cli.inputs import load_posterior, print_posterior
from bayescale.cli.options import AsJson, Force, Saved


def summary(posterior: Saved, as_json: AsJson = False, force: Force = False) -> None:
    """Print the parameters and diagnostics of a saved posterior."""
    print_posterior(load_posterior(posterior), as_json, force)
